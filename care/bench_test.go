package care

import (
	"fmt"
	"testing"

	"switchyard/api"
	"switchyard/site"
	"switchyard/telemetry"
)

// large is a rig with 30,000 miners, all well.
func large(b *testing.B) *rig {
	r := newRig(b)
	m, s, st := r.opt.Miners[0], r.samples[0], r.status[0]
	const n = 30_000
	r.opt.Miners, r.samples, r.status = make([]Miner, n), make([]site.Sample, n), append(r.status[:0:0], r.status...)
	ids := make([]site.DeviceID, n)
	r.byID = make(map[site.DeviceID]int, n)
	for i := range n {
		m.ID = site.DeviceID(fmt.Sprintf("s21-%05d", i+1))
		s.Device, ids[i] = m.ID, m.ID
		r.opt.Miners[i], r.samples[i], r.byID[m.ID] = m, s, i
		if i >= len(r.status) {
			r.status = append(r.status, st)
		}
	}
	r.hub = telemetry.NewHub(ids...)
	r.opt.Hub = r.hub
	if err := r.restore(b.Context()); err != nil {
		b.Fatal(err)
	}
	r.read()
	r.Step(b.Context(), r.Now())
	return r
}

// BenchmarkStep30000 is one look at a large site, beside the control loop.
func BenchmarkStep30000(b *testing.B) {
	r := large(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Step(b.Context(), r.Now())
	}
}

// BenchmarkDevices30000 is one page of the list, filtered and sorted.
func BenchmarkDevices30000(b *testing.B) {
	r := large(b)
	b.ReportAllocs()
	for b.Loop() {
		v, err := r.Devices(b.Context(), api.DevicesRequest{Query: "model=S21* and hashrate>80%", Sort: "-temp"})
		if err != nil || v.Total != 30_000 {
			b.Fatal(v.Total, err)
		}
	}
}
