package antminer

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"switchyard/driver"
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
