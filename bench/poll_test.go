package bench

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"switchyard/sitefile"
)

// cycle is how many polls of a driver make one round of what it reads rarely.
const cycle = 60

// mainAddress is where a miner of this driver is polled.
func mainAddress(driver string, t sitefile.Address) string {
	name := "rpc"
	if driver == "braiins" {
		name = "http"
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(t.Ports[name]))
}

// BenchmarkPoll measures the processor time of this side of a poll, system calls included,
// per driver, over whole rounds of what the driver reads rarely. Its baseline writes what
// the driver wrote in such a round and reads the answers.
func BenchmarkPoll(b *testing.B) {
	all := writeSite(b, 12)
	startDevices(b, all, 12)
	for _, g := range all.site.Groups {
		b.Run(g.Driver, func(b *testing.B) { benchPoll(b, g) })
	}
}

func benchPoll(b *testing.B, g sitefile.Group) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := newRecorder()
	d, err := steady(ctx, g, g.Targets()[0], r)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	polls := func() {
		for range cycle {
			if _, err := d.Read(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	polls() // the first are not like the others
	r.record(nil)
	polls()
	s := r.script()
	r.stop()
	p := newBare()
	defer p.close()
	if _, _, err := p.play(s.warm); err != nil {
		b.Fatal(err)
	}
	var ours, base time.Duration
	n := 0
	for b.Loop() {
		t0 := cpu()
		polls()
		t1 := cpu()
		if _, _, err := p.play(s.steps); err != nil {
			b.Fatal(err)
		}
		base += cpu() - t1
		ours += t1 - t0
		n += cycle
	}
	per := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(n) }
	b.ReportMetric(per(ours), "cpu_s_per_1000_polls")
	b.ReportMetric(per(base), "bare_cpu_s_per_1000_polls")
	b.ReportMetric(float64(ours)/float64(base), "ratio_x")
	b.ReportMetric(float64(len(s.steps))/cycle, "exchanges_per_poll")
	b.ReportMetric(0, "ns/op")
}
