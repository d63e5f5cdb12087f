//go:build unix

package study

import (
	"context"
	"runtime"
	"runtime/metrics"
	"syscall"
	"testing"
	"time"

	"switchyard/study/input"
)

// plainPaths are the futures of which the plain reckoning's time is measured.
const plainPaths = 50

// BenchmarkStudy is the whole of a study of 100 MW in four halls, twelve years by month, 10,000 random
// futures, five options a hall besides closing it, and the option to wait: with the one price of the
// manual's example, and with hourly ones. See docs/benchmarks.md.
func BenchmarkStudy(b *testing.B) {
	flat, priced := sample(b), sample(b)
	priced.Power.Flat, priced.Curve = nil, hourly()
	b.Run("flat", func(b *testing.B) { benchStudy(b, flat) })
	b.Run("hourly", func(b *testing.B) { benchStudy(b, priced) })
}

func benchStudy(b *testing.B, f *input.File) {
	var took, spent, expected, plain time.Duration
	var heap uint64
	runs := 0
	run := func(paths int) (*Report, time.Duration) {
		begun := time.Now()
		r, err := Run(context.Background(), f, Options{Paths: &paths})
		if err != nil {
			b.Fatal(err)
		}
		return r, time.Since(begun)
	}
	for b.Loop() {
		runs++
		r, d := run(0)
		expected += d

		begun := time.Now()
		newPlain(Complete(f)).plainly(r, plainPaths, 1)
		plain += time.Since(begun)

		runtime.GC()
		stop, used := watchHeap(&heap), cpu(b)
		_, d = run(f.Paths)
		took, spent = took+d, spent+cpu(b)-used
		stop()
	}
	n := float64(runs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds()/n, "s")
	b.ReportMetric(spent.Seconds()/n, "cpu_s")
	b.ReportMetric(float64(heap)/(1<<20), "peak_MiB")
	b.ReportMetric(expected.Seconds()*1e3/n, "expected_ms")
	b.ReportMetric(plain.Seconds()*1e3/n/plainPaths, "plain_ms/path")
	b.ReportMetric(plain.Seconds()/plainPaths*float64(f.Paths)/took.Seconds(), "plain_ratio_x")
}

// cpu is the processor time that the program has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap keeps in most the most memory that the heap held of the system, objects and room for them.
func watchHeap(most *uint64) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(s)
			sum := uint64(0)
			for i := range s {
				sum += s[i].Value.Uint64()
			}
			*most = max(*most, sum)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done); <-gone }
}
