package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// small is a whole rehearsal site on addresses that no other test uses.
const small = `
site: {name: Small}
clock: {speed: 30, wall: WALL, site: 2026-03-01T06:00:00Z}
connection: {limit: 30 kW, meter: {address: 127.93.0.1, port: 15093, profile: generic, poll: 5s}}
groups:
  - id: s21
    node: connection
    driver: antminer
    model: S21
    addresses: [127.93.1.1-127.93.1.4]
    ports: {http: 15080, rpc: 15028}
    nameplate: 3500 W
    hashrate: 200 TH/s
    standby: 30 W
market:
  price: {fixed: 45 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
api: {listen: "127.0.0.1:0"}
`

// live is what a command prints while it runs. It is safe for concurrent use.
type live struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *live) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// process runs a command until stopped.
type process struct {
	out, err live
	cancel   context.CancelFunc
	ended    chan int
}

func begin(t *testing.T, args ...string) *process {
	p := &process{ended: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	p.cancel = cancel
	c := &cli{out: &p.out, err: &p.err, env: func(string) string { return "" }}
	go func() { p.ended <- c.run(ctx, args) }()
	return p
}

// prints waits until standard output matches and returns the first submatch.
func (p *process) prints(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for range 600 {
		if m := re.FindStringSubmatch(p.out.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case code := <-p.ended:
			t.Fatalf("it ended with code %d:\n%s%s", code, p.out.String(), p.err.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("it does not print %s:\n%s%s", pattern, p.out.String(), p.err.String())
	return ""
}

func (p *process) stop(t *testing.T) {
	t.Helper()
	p.cancel()
	select {
	case code := <-p.ended:
		if code != 0 {
			t.Errorf("it ended with code %d:\n%s", code, p.err.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not stop")
	}
}

// TestWholeSite plays a site, scans it, runs it, asks it, stops it and reads its records.
func TestWholeSite(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has 127.93.0.0/16")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "site.yaml")
	text := strings.Replace(small, "WALL", time.Now().UTC().Format(time.RFC3339), 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	devices := begin(t, "emulate", path)
	devices.prints(t, `9 sockets listening`)
	defer devices.stop(t)

	scan := []string{"scan", "127.93.1.0/29", "--ports", "http=15080,rpc=15028", "--timeout", "10s"}
	env{}.run(t, scan...).wants(t, 0, []string{"127.93.1.1", "127.93.1.4", "antminer", "S21"}, []string{"4 devices at 6 addresses"})
	var list []found
	env{}.run(t, append(scan, "-o", "json")...).decode(t, &list)
	if len(list) != 4 || list[0].Driver != "antminer" || list[0].Address != "127.93.1.1" {
		t.Errorf("scan -o json: %+v", list)
	}
	env{}.run(t, append(scan, "--site")...).wants(t, 0, []string{"addresses: [127.93.1.1-127.93.1.4]", "ports: {http: 15080, rpc: 15028}"}, nil)

	site := begin(t, "run", path, "--log-level", "error")
	token := site.prints(t, `(sy_\S+)`)
	e := env{"SWITCHYARD_URL": site.prints(t, `at (http://127\.0\.0\.1:\d+)`), "SWITCHYARD_TOKEN": token}
	e.run(t, "status").wants(t, 0, []string{"Small, 2026-03-01", "A rehearsal"}, nil)
	e.run(t, "hold", "s21-002", "--mode", "sleep").wants(t, 0, []string{"1 device held"}, nil)
	e.run(t, "why", "s21-002").wants(t, 0, []string{"hold"}, nil)
	e.run(t, "why", "s21-02").wants(t, 3, nil, []string{"s21-001"})
	env{}.run(t, "run", path).wants(t, 1, nil, []string{"another controller runs on this site's store", "held by process"})
	e.run(t, "token", "new", "--name", "night", "--site", path).wants(t, 0, []string{"sy_"}, nil)
	env{}.run(t, "token", "list", "--site", path).wants(t, 0, []string{"first", "night"}, nil)
	env{}.run(t, "why", "s21-002", "--site", path).wants(t, 0, []string{"s21-002 at "}, nil) // the hold itself may be 50 ms from the disk
	site.stop(t)

	env{}.run(t, "why", "s21-002", "--store", filepath.Join(dir, "data")).wants(t, 0, []string{"2026-03-01", "hold"}, nil)
	env{}.run(t, "why", "s21-2", "--site", path).wants(t, 3, nil, []string{"s21-001 and so on"})
	env{}.run(t, "why", "s21-2", "--store", filepath.Join(dir, "data")).wants(t, 3, nil, []string{"knows nothing"})
	env{}.run(t, "why", "s21-002", "--store", dir).wants(t, 3, nil, []string{"no controller has run here"})
	env{}.run(t, "report", "day", "--site", path).wants(t, 0, []string{"Day 2026-03-01 (UTC)"}, nil)
	again := begin(t, "run", path, "--log-level", "error")
	again.prints(t, `at (http://)`)
	if strings.Contains(again.out.String(), "sy_") {
		t.Error("the second start prints a token")
	}
	again.stop(t)
}

// Emulated devices that cannot listen say where and what would help.
func TestEmulateNamesTakenPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	path := filepath.Join(t.TempDir(), "site.yaml")
	text := strings.NewReplacer("WALL", "2026-03-01T06:00:00Z", "127.93.0.1, port: 15093", "127.0.0.1, port: "+port, "127.93.1.1-127.93.1.4", "127.0.0.1*4", "15080", "25080+", "15028", "26028+").Replace(small)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "emulate", path).wants(t, 1, nil, []string{"cannot be bound", "127.0.0.1:" + port, "address already in use"})
}
