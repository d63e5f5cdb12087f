package study

import (
	"context"
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// BenchmarkStudy is the whole of a study of 100 MW in four halls, twelve years by month, 10,000 random
// futures, five options a hall besides closing it, and the option to wait. See docs/benchmarks.md.
func BenchmarkStudy(b *testing.B) {
	f := sample(b)
	var took, expected time.Duration
	var heap uint64
	for b.Loop() {
		none := 0
		runtime.GC()
		begun := time.Now()
		if _, err := Run(context.Background(), f, nil, Options{Paths: &none}); err != nil {
			b.Fatal(err)
		}
		expected += time.Since(begun)

		stop := watchHeap(&heap)
		begun = time.Now()
		if _, err := Run(context.Background(), f, nil, Options{}); err != nil {
			b.Fatal(err)
		}
		took += time.Since(begun)
		stop()
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds()/n, "s")
	b.ReportMetric(float64(heap)/(1<<20), "peak_MiB")
	b.ReportMetric(expected.Seconds()*1e3/n, "expected_ms")
}

// watchHeap keeps in most the most memory that the program had from the system for its heap.
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
			*most = uint64(math.Max(float64(*most), float64(sum)))
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done); <-gone }
}
