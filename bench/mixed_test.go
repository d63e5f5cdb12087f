package bench

import (
	"context"
	"slices"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/sitefile"
)

// many is the size of a large site.
const many = 10_000

// mixedShed is what putting a mixed site to sleep took.
type mixedShed struct {
	shed
	rested    time.Duration // the last miner drew no more than standby and its firmware said so
	confirmed time.Duration // the last reading that says so was in
}

// BenchmarkShed10000 measures the same as BenchmarkShed2000 on a site of five firmwares, and
// how long the readings take to confirm it: "confirm_lag_ms" is from the moment at which the
// slowest miner draws no more than standby and its firmware says so to the moment at which the controller knows. In
// "faults" three miners in a hundred never answer, two answer five seconds late and one says
// yes and does nothing; its figures are of the other 94.
func BenchmarkShed10000(b *testing.B) {
	b.Run("healthy", func(b *testing.B) {
		all := plan{miners: many, halls: mixed()}.write(b)
		d := startDevices(b, all, many)
		for b.Loop() {
			var ours []mixedShed
			var base []shed
			for range rounds {
				base = append(base, shedBare(b, all.site))
				d.mustSleep(many)
				d.renew()
				ours = append(ours, shedMixed(b, d, all.site, many, nil, 0))
				d.mustSleep(many)
				d.renew()
			}
			reportMixed(b, ours, base)
		}
		d.end()
	})
	b.Run("faults", func(b *testing.B) {
		for b.Loop() {
			var ours []mixedShed
			for range 2 {
				ours = append(ours, shedWithFaults(b))
			}
			reportMixed(b, ours, nil)
		}
	})
}

// shedWithFaults lets the faults begin when every miner has been read, and sheds when the dead
// have been found dead.
func shedWithFaults(b *testing.B) mixedShed {
	begin := time.Now().Add(75 * time.Second)
	all := plan{miners: many, halls: mixed(), faults: begin}.write(b)
	healthy := map[string]bool{}
	for _, g := range all.site.Groups {
		for i, t := range g.Targets() {
			if faultOf(i) == "" {
				healthy[t.Host] = true
			}
		}
	}
	d := startDevices(b, all, many)
	defer d.end()
	return shedMixed(b, d, all.site, len(healthy), healthy, time.Until(begin.Add(45*time.Second)))
}

// shedMixed runs a controller until it has read all miners and then for a while, sets the
// limit, and waits until the miners that count are confirmed asleep.
func shedMixed(b *testing.B, d *devices, f *sitefile.File, count int, of map[string]bool, wait time.Duration) mixedShed {
	b.Helper()
	w := newStopwatch()
	until := time.Now().Add(wait)
	c := startController(b, f, w)
	defer c.stop()
	c.awake(many)
	time.Sleep(max(20*time.Second, time.Until(until))) // every miner was polled again
	before := cpu()
	w.arm()
	if _, err := c.app.SetLimit(context.Background(), "benchmark", api.LimitRequest{Node: "connection", PowerW: 0}); err != nil {
		b.Fatal(err)
	}
	var s mixedShed
	end := time.Now().Add(patience)
	for ; w.answered(of) < count; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d miners answered within %v", w.answered(of), count, patience)
		}
	}
	s.cpu = cpu() - before
	s.written, s.answered = w.times(of)
	for ; s.rested == 0 || s.confirmed == 0; time.Sleep(50 * time.Millisecond) {
		if s.rested == 0 && d.ask("resting") >= count {
			s.rested = time.Since(w.start)
		}
		if s.confirmed == 0 && c.states()["sleeping"] >= count {
			s.confirmed = time.Since(w.start)
		}
		if time.Now().After(end) {
			b.Fatalf("after %v the controller sees %v; %d of %d rest", patience, c.states(), d.ask("resting"), count)
		}
	}
	return s
}

func reportMixed(b *testing.B, ours []mixedShed, base []shed) {
	var plain []shed
	var lag, rested []time.Duration
	for _, s := range ours {
		plain = append(plain, s.shed)
		lag = append(lag, max(s.confirmed-s.rested, 0))
		rested = append(rested, s.rested)
	}
	if base == nil {
		reportOurs(b, plain)
	} else {
		report(b, plain, base)
		p99 := func(of []shed) float64 { return median(of, func(s shed) time.Duration { return at(s.written, 0.99) }) }
		b.ReportMetric(p99(plain)/p99(base), "p99_ratio_x")
	}
	b.ReportMetric(float64(slices.Max(lag).Milliseconds()), "confirm_lag_ms")
	b.ReportMetric(float64(slices.Max(rested).Milliseconds()), "rested_ms")
}
