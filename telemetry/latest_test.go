package telemetry

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

var noon = time.Date(2016, 5, 17, 12, 0, 0, 0, time.UTC)

func TestHubKeepsTheNewestAndCountsFailures(t *testing.T) {
	h := NewHub("meter:a")
	if r, ok := h.Snapshot().Get("meter:a"); !ok || r.Sample.OK || !r.Stale(noon, time.Hour) {
		t.Errorf("a device that was never read: %+v, %v", r, ok)
	}
	put := func(s int, w float64) {
		h.Put(site.Sample{Device: "m1", At: noon.Add(time.Duration(s) * time.Second), Power: site.Some(unit.Watts(w))})
	}
	put(0, 100)
	before := h.Snapshot()
	h.Fail("m1", noon.Add(time.Second), errors.New("no answer"))
	h.Fail("m1", noon.Add(2*time.Second), errors.New("no answer again"))
	put(-5, 999) // older than what is there
	r, _ := h.Snapshot().Get("m1")
	if r.Failures != 2 || r.Err.Error() != "no answer again" || r.Sample.V.Power.V != unit.Watts(100) {
		t.Errorf("after two failures: %+v", r)
	}
	if p := r.Power(noon.Add(30*time.Second), 20*time.Second); p.OK {
		t.Errorf("a stale reading gives %v; unknown is not a number", p.V)
	}
	if old, _ := before.Get("m1"); old.Failures != 0 {
		t.Error("an older snapshot has changed")
	}
	put(10, 50)
	if r, _ := h.Snapshot().Get("m1"); r.Failures != 0 || r.Err != nil {
		t.Errorf("a good sample leaves failures: %+v", r)
	}
	if first, again := h.Snapshot(), h.Snapshot(); first != again {
		t.Error("nothing changed and a new snapshot was made")
	}
	if h.Snapshot().Stale("nobody", noon, time.Hour) != true {
		t.Error("an unknown device is not stale")
	}
}

func TestHubFromManyGoroutines(t *testing.T) {
	h := NewHub()
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		var last *Snapshot
		for {
			s := h.Snapshot()
			if last != nil && (s.Version() < last.Version() || s.Len() < last.Len()) {
				t.Error("a snapshot went back")
				return
			}
			last = s
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for g := range 8 {
		writers.Go(func() {
			for i := range 200 {
				h.Put(site.Sample{Device: site.DeviceID(fmt.Sprintf("d%d", (i*7+g)%100)), At: noon.Add(time.Duration(i) * time.Second)})
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if n := h.Snapshot().Len(); n != 100 {
		t.Errorf("%d devices, want 100", n)
	}
}

func BenchmarkSnapshot10000(b *testing.B) {
	h := NewHub()
	for i := range 10_000 {
		h.Put(site.Sample{Device: site.DeviceID(fmt.Sprintf("s21-%05d", i)), At: noon})
	}
	s := site.Sample{Device: "s21-00007", At: noon}
	b.ReportAllocs()
	for b.Loop() {
		h.Put(s)
		h.Snapshot()
	}
}
