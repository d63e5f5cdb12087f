package whatsminer

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"switchyard/driver"
)

// BenchmarkReadV2 is a routine poll over loopback; compare it with BenchmarkBareV2, which
// dials, writes and reads the same and nothing else.
func BenchmarkReadV2(b *testing.B) {
	d := OpenV2(answering(b, "rpc", "v2-summary-msg.json", false))
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		d.polls, d.hashing, d.watch = 1, true, 0
		if _, err := d.Read(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareV2 is the exchange without a driver.
func BenchmarkBareV2(b *testing.B) {
	addr := answering(b, "rpc", "v2-summary-msg.json", false).Addr("rpc", 0)
	b.ReportAllocs()
	for b.Loop() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(c, `{"cmd":"summary"}`); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadAll(c); err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
}

// BenchmarkReadV3 is a routine poll on the kept connection; compare it with BenchmarkBareV3.
func BenchmarkReadV3(b *testing.B) {
	d := OpenV3(answering(b, "api", "v3-status.json", true))
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		d.polls, d.hashing, d.watch = 1, true, 0
		if _, err := d.Read(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareV3 writes and reads the same on one connection.
func BenchmarkBareV3(b *testing.B) {
	c, err := net.Dial("tcp", answering(b, "api", "v3-status.json", true).Addr("api", 0))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := frame([]byte(`{"cmd":"get.miner.status","param":"edevs+summary"}`))
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf[:4]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf[:binary.LittleEndian.Uint32(buf)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSleepV2 is a power off with a token at hand, without the network.
func BenchmarkSleepV2(b *testing.B) {
	k := &token{key: "Pp9cWOyKkqRFHvVZKQnzJ0", sign: "r0/nkCxnZttYougznePjT."}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.seal(map[string]any{"cmd": "power_off", "respbefore": "true"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenV2 tells what an unused device costs in memory.
func BenchmarkOpenV2(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all []*V2
	for b.Loop() {
		all = append(all, OpenV2(driver.Target{Device: "m-001", Host: "127.0.0.1", Now: time.Now}))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "B/device")
	runtime.KeepAlive(all)
}

// answering answers every request with the same.
func answering(b *testing.B, port, file string, framed bool) driver.Target {
	b.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		b.Fatal(err)
	}
	if framed {
		data = frame(data)
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
				buf := make([]byte, 512)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(data); err != nil || !framed {
						return
					}
				}
			}()
		}
	}()
	return driver.Target{Device: "m-001", Host: "127.0.0.1", Ports: map[string]int{port: l.Addr().(*net.TCPAddr).Port}, Now: time.Now}
}
