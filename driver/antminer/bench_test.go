package antminer

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// BenchmarkRead is a routine poll over loopback. Compare it with BenchmarkBare, which dials,
// writes and reads the same and nothing else.
func BenchmarkRead(b *testing.B) {
	d, err := open(canned(b))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	m := d.(*device)
	m.dirty = false
	b.ReportAllocs()
	for b.Loop() {
		m.reads, m.was = 1, 1
		m.phase = 0
		if _, err := d.Read(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBare is the exchange without a driver.
func BenchmarkBare(b *testing.B) {
	t := canned(b)
	addr := t.Addr("rpc", 0)
	b.ReportAllocs()
	for b.Loop() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(c, `{"command":"stats"}`); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
}

// BenchmarkParse is a poll's work without the network.
func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("testdata/stats-new.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseStats(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen tells what an unused device costs in memory.
func BenchmarkOpen(b *testing.B) {
	t := canned(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var keep []driver.Device
	for b.Loop() {
		d, err := open(t)
		if err != nil {
			b.Fatal(err)
		}
		keep = append(keep, d)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(keep)), "B/device")
	runtime.KeepAlive(keep)
}

// canned answers every connection with the same stats.
func canned(b *testing.B) driver.Target {
	b.Helper()
	data, err := os.ReadFile("testdata/stats-new.json")
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 256)
				if _, err := c.Read(buf); err == nil {
					_, _ = c.Write(data)
				}
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return driver.Target{Device: "a-001", Host: "127.0.0.1", Ports: map[string]int{"rpc": n, "http": 1}, Now: time.Now}
}

// BenchmarkApply is a sleep that was laid out beforehand, over loopback. Compare it with
// BenchmarkBareApply, which dials, writes and reads the same bytes.
func BenchmarkApply(b *testing.B) {
	t, _ := posting(b)
	dd, err := open(t)
	if err != nil {
		b.Fatal(err)
	}
	defer dd.Close()
	d := dd.(*device)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := d.Stage(ctx); err != nil {
		b.Fatal(err)
	}
	ready := d.ready
	b.ReportAllocs()
	for b.Loop() {
		d.web.Close()
		d.ready, d.posted = ready, site.Opt[mode]{}
		if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareApply is the exchange without a driver, its digest known beforehand.
func BenchmarkBareApply(b *testing.B) {
	t, request := posting(b)
	addr := t.Addr("http", 0)
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
}

// posting is a web server that challenges, shows a configuration and takes posts; request is
// a post of the length that the driver's have.
func posting(b *testing.B) (_ driver.Target, request []byte) {
	b.Helper()
	const conf = `{"pools":[{"url":"stratum+tcp://pool.example:3333","user":"account.worker","pass":"123"},{"url":"","user":"","pass":""},` +
		`{"url":"","user":"","pass":""}],"api-listen":true,"api-network":true,"api-groups":"A:stats:pools:devs:summary:version",` +
		`"api-allow":"A:0/0,W:*","bitmain-fan-ctrl":false,"bitmain-fan-pwm":"100","bitmain-use-vil":true,"bitmain-freq":"675",` +
		`"bitmain-voltage":"1400","bitmain-ccdelay":"0","bitmain-pwth":"0","bitmain-work-mode":"0","bitmain-freq-level":"100"}`
	answer := func(status, head, body string) string {
		return "HTTP/1.1 " + status + "\r\n" + head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	answers := [...]string{
		answer("401 Unauthorized", "WWW-Authenticate: Digest realm=\"antMiner Configuration\", nonce=\"66f0:0123456789abcdef\", qop=\"auth\"\r\n", ""),
		answer("200 OK", "", conf), answer("200 OK", "", `{"stats":"success","code":"M000","msg":"OK!"}`),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					which := 0
					switch {
					case bytes.HasPrefix(buf[:n], []byte("POST")):
						which = 2
					case bytes.Contains(buf[:n], []byte("Authorization")):
						which = 1
					}
					if _, err := io.WriteString(c, answers[which]); err != nil {
						return
					}
				}
			}()
		}
	}()
	request = append([]byte("POST /cgi-bin/set_miner_conf.cgi HTTP/1.1\r\nHost: a\r\n\r\n"), bytes.Repeat([]byte{' '}, 330+len(conf))...)
	return driver.Target{Device: "a-001", Host: "127.0.0.1", Ports: map[string]int{"rpc": 1, "http": l.Addr().(*net.TCPAddr).Port}, Now: time.Now}, request
}
