package bench

import (
	"net"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// footprint is what this process holds: live heap and stacks, and resident memory.
type footprint struct{ live, resident int }

func measure() footprint {
	debug.FreeOSMemory() // collects, and gives back what is free
	time.Sleep(100 * time.Millisecond)
	debug.FreeOSMemory() // what finalisers and pools held until now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{int(m.HeapAlloc + m.StackInuse), resident()}
}

// BenchmarkMemoryPerPolledMiner measures what a controller of 2,000 miners that it polls
// holds, everything in it, divided by the miners. Its baseline is a goroutine, a kept
// connection and a buffer of 4 KiB a miner.
func BenchmarkMemoryPerPolledMiner(b *testing.B) {
	all := writeSite(b, miners)
	f, d := all.site, startDevices(b, all, miners)
	for b.Loop() {
		var addresses []string
		for _, g := range f.Groups {
			for _, t := range g.Targets() {
				addresses = append(addresses, mainAddress(g.Driver, t))
			}
		}
		before := measure()
		end := keepSockets(b, addresses)
		base := measure()
		end()
		base.live, base.resident = base.live-before.live, base.resident-before.resident
		d.renew()
		before = measure()
		w := newStopwatch()
		c := startController(b, f, w)
		c.awake(miners)
		time.Sleep(20 * time.Second) // every miner is polled again
		ours := measure()
		c.stop()
		ours.live, ours.resident = ours.live-before.live, ours.resident-before.resident
		kib := func(bytes int) float64 { return float64(bytes) / 1024 / miners }
		b.ReportMetric(kib(ours.live), "KiB_per_miner")
		b.ReportMetric(kib(base.live), "bare_KiB_per_miner")
		b.ReportMetric(float64(ours.live)/float64(base.live), "ratio_x")
		if ours.resident > 0 {
			b.ReportMetric(kib(ours.resident), "resident_KiB_per_miner")
			b.ReportMetric(kib(base.resident), "bare_resident_KiB_per_miner")
		}
		b.ReportMetric(0, "ns/op")
	}
}

// keepSockets connects to every address and leaves a goroutine waiting at each.
func keepSockets(b *testing.B, addresses []string) (end func()) {
	b.Helper()
	conns := make([]net.Conn, 0, len(addresses))
	for _, address := range addresses {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, c)
		go func() {
			buf := make([]byte, 4<<10)
			_, _ = c.Read(buf) // until it is closed
			runtime.KeepAlive(buf)
		}()
	}
	return func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
}
