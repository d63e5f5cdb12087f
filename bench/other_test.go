package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/emulate"
	"switchyard/site"
)

// siteVar tells this test binary to be the emulated devices and nothing else.
const siteVar = "SWITCHYARD_BENCH_EMULATE"

func TestMain(m *testing.M) {
	if path := os.Getenv(siteVar); path != "" {
		if err := emulateSite(path, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "emulated devices:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// emulateSite is the other process. It obeys lines on in until that ends: "renew" replaces
// all devices by new ones on the same addresses, "asleep" counts those told to sleep, and
// "resting" those that draw no more than standby and whose firmware says so.
func emulateSite(path string, in io.Reader, out io.Writer) error {
	f, err := load(path)
	if err != nil {
		return err
	}
	start := func() (*emulate.Site, error) {
		s, err := emulate.Start(context.Background(), f, clock.System(), slog.New(slog.DiscardHandler))
		if err == nil {
			fmt.Fprintln(out, len(s.World().Miners()))
		}
		return s, err
	}
	s, err := start()
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		switch lines.Text() {
		case "renew":
			if err := s.Close(); err != nil {
				return err
			}
			if s, err = start(); err != nil {
				return err
			}
		case "asleep":
			n := 0
			for _, m := range s.World().Miners() {
				if m.View().Mode == site.ModeSleep {
					n++
				}
			}
			fmt.Fprintln(out, n)
		case "resting":
			n := 0
			for _, m := range s.World().Miners() {
				v := m.View()
				if p, _, _ := m.Truth(); v.State == site.StateSleeping && v.Hashrate == 0 && p <= v.Model.Standby.Scale(1.3) {
					n++
				}
			}
			fmt.Fprintln(out, n)
		}
	}
	return s.Close()
}

// devices are the other processes as the benchmark sees them.
type devices struct {
	b     *testing.B
	parts []*part
}

// part is one process of emulated devices.
type part struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

// startDevices runs the emulated devices of the site's parts, a process each.
func startDevices(b *testing.B, all files, miners int) *devices {
	b.Helper()
	checkFiles(b, min(2*miners+1000, 20_000))
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	d := &devices{b: b}
	for _, path := range all.parts {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), siteVar+"="+path)
		cmd.Stderr = os.Stderr
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { // its input ends: so does it
			_ = in.Close()
			_ = cmd.Wait()
		})
		d.parts = append(d.parts, &part{in, bufio.NewScanner(out)})
	}
	if n := d.answers(); n != miners {
		b.Fatalf("%d devices are emulated, not %d", n, miners)
	}
	return d
}

// answers reads one answer of every process and adds them up.
func (d *devices) answers() int {
	d.b.Helper()
	sum := 0
	for _, p := range d.parts {
		if !p.out.Scan() {
			d.b.Fatal("a process of emulated devices ended; its reason stands above")
		}
		n, err := strconv.Atoi(strings.TrimSpace(p.out.Text()))
		if err != nil {
			d.b.Fatalf("the emulated devices said %q", p.out.Text())
		}
		sum += n
	}
	return sum
}

func (d *devices) ask(what string) int {
	d.b.Helper()
	for _, p := range d.parts {
		if _, err := fmt.Fprintln(p.in, what); err != nil {
			d.b.Fatal(err)
		}
	}
	return d.answers()
}

// end ends all processes; the benchmark goes on without devices.
func (d *devices) end() {
	for _, p := range d.parts {
		_ = p.in.Close()
		for p.out.Scan() { // until it has ended
			continue
		}
	}
}

// renew gives every device its first state back.
func (d *devices) renew() { d.ask("renew") }

// mustSleep waits until so many devices were told to sleep: a figure for commands that did
// not arrive would be none.
func (d *devices) mustSleep(want int) {
	d.b.Helper()
	got := 0
	for range 100 { // an Antminer reloads a second or two after it acknowledged
		if got = d.ask("asleep"); got >= want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.b.Fatalf("%d of %d devices were told to sleep", got, want)
}
