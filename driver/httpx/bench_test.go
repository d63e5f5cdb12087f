package httpx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
)

// answer is what the benchmarks' device says: a configuration's length of JSON.
var answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 514\r\n\r\n{" + strings.Repeat(" ", 512) + "}"

// BenchmarkKept is a request on the kept connection; compare it with BenchmarkKeptBare.
func BenchmarkKept(b *testing.B) {
	addr := device(b)
	c := New(driver.Target{}, addr, time.Minute, &Digest{User: "u", Password: "p"})
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if r, err := c.Do(ctx, "GET", "/cgi-bin/get_miner_conf.cgi", nil); err != nil || len(r.Body) != 514 {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeptBare writes and reads the same bytes on one connection, and nothing else.
func BenchmarkKeptBare(b *testing.B) {
	conn, err := net.Dial("tcp", device(b))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, len(answer))
	b.ReportAllocs()
	for b.Loop() {
		bare(b, conn, buf)
	}
}

// BenchmarkDialled is a request on a connection of its own; compare it with BenchmarkDialledBare.
func BenchmarkDialled(b *testing.B) {
	addr := device(b)
	c := New(driver.Target{}, addr, time.Minute, nil)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if r, err := c.Do(ctx, "GET", "/cgi-bin/get_miner_conf.cgi", nil); err != nil || len(r.Body) != 514 {
			b.Fatal(err)
		}
		c.Close()
	}
}

// BenchmarkDialledBare dials, writes and reads the same bytes.
func BenchmarkDialledBare(b *testing.B) {
	addr := device(b)
	buf := make([]byte, len(answer))
	b.ReportAllocs()
	for b.Loop() {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		bare(b, conn, buf)
		_ = conn.Close()
	}
}

// BenchmarkHeld tells what a client with its kept connection costs in memory, less what the
// connection alone costs.
func BenchmarkHeld(b *testing.B) {
	addr := device(b)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	const n = 200
	hold := func(open func() any) float64 {
		before := inUse()
		var keep []any
		for range n {
			keep = append(keep, open())
		}
		after := inUse()
		runtime.KeepAlive(keep)
		for _, k := range keep {
			switch k := k.(type) {
			case net.Conn:
				_ = k.Close()
			case *Client:
				k.Close()
			}
		}
		return (after - before) / n
	}
	for b.Loop() {
		alone := hold(func() any {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			bare(b, conn, make([]byte, len(answer)))
			return conn
		})
		client := hold(func() any {
			c := New(driver.Target{}, addr, time.Minute, nil)
			if _, err := c.Do(ctx, "GET", "/", nil); err != nil {
				b.Fatal(err)
			}
			return c
		})
		b.ReportMetric(client-alone, "B/client")
	}
}

func inUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

func bare(b *testing.B, conn net.Conn, buf []byte) {
	b.Helper()
	if _, err := io.WriteString(conn, "GET /cgi-bin/get_miner_conf.cgi HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(conn, buf); err != nil {
		b.Fatal(err)
	}
}

// device answers every request with the same, cheaply.
func device(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReaderSize(conn, 512)
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						return
					}
					if len(line) > 2 {
						continue
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return fmt.Sprint(l.Addr())
}

// BenchmarkSign is the answer to a challenge that is known.
func BenchmarkSign(b *testing.B) {
	d := &Digest{User: "root", Password: "a-longer-one"}
	refused := &http.Response{Header: http.Header{"Www-Authenticate": {`Digest realm="antMiner Configuration", nonce="66f0:0123456789abcdef0123456789abcdef", qop="auth"`}}}
	if again, err := d.Renew(context.Background(), nil, refused); !again || err != nil {
		b.Fatal(err)
	}
	r := &http.Request{Method: "POST", URL: &url.URL{Path: "/cgi-bin/set_miner_conf.cgi"}, Header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Sign(r); err != nil {
			b.Fatal(err)
		}
	}
}
