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
// all devices by new ones on the same addresses, "asleep" counts those told to sleep.
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
		}
	}
	return s.Close()
}

// devices is the other process as the benchmark sees it.
type devices struct {
	b   *testing.B
	in  io.WriteCloser
	out *bufio.Scanner
	cmd *exec.Cmd
}

// startDevices runs the emulated devices of the site file in a process of their own.
func startDevices(b *testing.B, path string, miners int) *devices {
	b.Helper()
	checkFiles(b, 2*miners+1000)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
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
	d := &devices{b: b, in: in, out: bufio.NewScanner(out), cmd: cmd}
	b.Cleanup(func() { // its input ends: so does it
		_ = in.Close()
		_ = cmd.Wait()
	})
	if n := d.number(); n != miners {
		b.Fatalf("%d devices are emulated, not %d", n, miners)
	}
	return d
}

// number reads one answer of the other process.
func (d *devices) number() int {
	d.b.Helper()
	if !d.out.Scan() {
		d.b.Fatal("the process of the emulated devices ended; its reason stands above")
	}
	n, err := strconv.Atoi(strings.TrimSpace(d.out.Text()))
	if err != nil {
		d.b.Fatalf("the emulated devices said %q", d.out.Text())
	}
	return n
}

func (d *devices) ask(what string) int {
	d.b.Helper()
	if _, err := fmt.Fprintln(d.in, what); err != nil {
		d.b.Fatal(err)
	}
	return d.number()
}

// renew gives every device its first state back.
func (d *devices) renew() { d.ask("renew") }

// mustSleep waits until so many devices were told to sleep: a figure for commands that did
// not arrive would be none.
func (d *devices) mustSleep(want int) {
	d.b.Helper()
	got := 0
	for range 100 { // an Antminer reloads a second or two after it acknowledged
		if got = d.ask("asleep"); got == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.b.Fatalf("%d of %d devices were told to sleep", got, want)
}
