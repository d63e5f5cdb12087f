package antminer

import (
	"io"
	"net"
	"net/http"
	"testing"

	"switchyard/emulate/plant"
)

// BenchmarkConf is the page of the configuration on a kept connection, with all that a
// device does for it.
func BenchmarkConf(b *testing.B) {
	l := listen(b)
	d := newDevice(world(b, plant.MinerConfig{}).Miners()[0])
	at := d.m.Now()
	g := digester{secret: d.seed}
	s := web
	s.Requests = 0
	closer := s.HTTP(l, http.HandlerFunc(d.ServeHTTP))
	b.Cleanup(func() { _ = closer.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := "GET /cgi-bin/get_miner_conf.cgi HTTP/1.1\r\nHost: a\r\nAuthorization: " +
		authorization("root", "root", "GET", "/cgi-bin/get_miner_conf.cgi", g.nonce(at)) + "\r\n\r\n"
	buf := make([]byte, 16<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(c, request); err != nil {
			b.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || n < 500 {
			b.Fatal(n, err)
		}
	}
}
