package bench

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/sitefile"
)

const (
	miners = 2000
	rounds = 3
)

// shed is what one way of putting all miners to sleep took.
type shed struct {
	written, answered []time.Duration // per device, from the start, soonest first
	cpu               time.Duration   // of this process until the last answer
}

func last(d []time.Duration) time.Duration { return d[len(d)-1] }

func at(d []time.Duration, share float64) time.Duration { return d[int(share*float64(len(d)-1))] }

// BenchmarkShed2000 measures from an operator's limit of zero on the connection, as the
// API gets it, to the last command written to a miner's socket, and to the last answer.
// Its baseline writes the same bytes to the same sockets, a goroutine a socket, without a
// controller. Each round does both on new devices; figures are medians of the rounds.
func BenchmarkShed2000(b *testing.B) {
	all := writeSite(b, miners)
	f, d := all.site, startDevices(b, all, miners)
	for b.Loop() {
		var ours, base []shed
		for range rounds {
			base = append(base, shedBare(b, f))
			d.mustSleep(miners)
			d.renew()
			ours = append(ours, shedByController(b, f))
			d.mustSleep(miners)
			d.renew()
		}
		report(b, ours, base)
	}
}

// median returns the median of one figure in milliseconds.
func median(of []shed, what func(shed) time.Duration) float64 {
	var all []float64
	for _, s := range of {
		all = append(all, float64(what(s).Microseconds())/1e3)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func lastWritten(s shed) time.Duration  { return last(s.written) }
func lastAnswered(s shed) time.Duration { return last(s.answered) }

func report(b *testing.B, ours, base []shed) {
	reportOurs(b, ours)
	b.ReportMetric(median(base, lastWritten), "bare_written_ms")
	b.ReportMetric(median(ours, lastWritten)/median(base, lastWritten), "written_ratio_x")
	b.ReportMetric(median(base, lastAnswered), "bare_answered_ms")
	b.ReportMetric(median(ours, lastAnswered)/median(base, lastAnswered), "answered_ratio_x")
	b.ReportMetric(median(base, func(s shed) time.Duration { return s.cpu }), "bare_cpu_ms")
}

func reportOurs(b *testing.B, ours []shed) {
	b.ReportMetric(median(ours, lastWritten), "written_ms")
	b.ReportMetric(median(ours, lastAnswered), "answered_ms")
	b.ReportMetric(median(ours, func(s shed) time.Duration { return s.written[0] }), "first_written_ms")
	b.ReportMetric(median(ours, func(s shed) time.Duration { return at(s.written, 0.5) }), "p50_written_ms")
	b.ReportMetric(median(ours, func(s shed) time.Duration { return at(s.written, 0.99) }), "p99_written_ms")
	b.ReportMetric(median(ours, func(s shed) time.Duration { return s.cpu }), "cpu_ms")
	b.ReportMetric(0, "ns/op") // the rounds' own length says nothing
}

// shedByController runs a controller until it has read all miners, and sets the limit.
func shedByController(b *testing.B, f *sitefile.File) shed {
	b.Helper()
	w := newStopwatch()
	c := startController(b, f, w)
	defer c.stop()
	c.awake(miners)
	time.Sleep(2 * time.Second) // the start's burst of work is over
	before := cpu()
	w.arm()
	_, err := c.app.SetLimit(context.Background(), "benchmark", api.LimitRequest{Node: "connection", PowerW: 0})
	if err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(patience); w.answered(nil) < miners; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d miners answered within %v", w.answered(nil), miners, patience)
		}
	}
	s := shed{cpu: cpu() - before}
	s.written, s.answered = w.times(nil)
	return s
}

// shedBare plays every miner's script at once.
func shedBare(b *testing.B, f *sitefile.File) shed {
	b.Helper()
	scripts := sleepScripts(b, f)
	s := shed{written: make([]time.Duration, len(scripts)), answered: make([]time.Duration, len(scripts))}
	errs := make([]error, len(scripts))
	var warm, played sync.WaitGroup
	var start time.Time
	ready := make(chan struct{})
	for i, one := range scripts {
		warm.Add(1)
		played.Go(func() {
			p := newBare()
			defer one.end()
			defer p.close()
			_, _, errs[i] = p.play(one.warm)
			warm.Done()
			if <-ready; errs[i] != nil {
				return
			}
			written, answered, err := p.play(one.steps)
			errs[i], s.written[i], s.answered[i] = err, written.Sub(start), answered.Sub(start)
		})
	}
	warm.Wait()
	time.Sleep(time.Second) // what warming up has left to do is over
	before := cpu()
	start = time.Now()
	close(ready)
	played.Wait()
	s.cpu = cpu() - before
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(s.written)
	slices.Sort(s.answered)
	return s
}
