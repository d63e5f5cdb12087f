package clusters

import (
	"context"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
	"switchyard/unit"
)

// A machine with two cords draws what both outlets say, once both were read.
func TestOutletsMeasureMachines(t *testing.T) {
	f := &sitefile.File{PDUs: []sitefile.PDU{
		{ID: "a", Outlets: map[string]string{"1": "gpu/gpu-01", "2": "s21-001"}},
		{ID: "b", Outlets: map[string]string{"1": "gpu/gpu-01"}},
	}}
	x := &one{def: cluster.Cluster{ID: "gpu"}}
	x.gauge = newGauge(x, clock.System())
	x.gauge.cords = cordsOf(f, "gpu")
	c := &Clusters{all: []*one{x}}
	read := func() (compute.Reading, error) { return x.gauge.measure(context.Background(), "gpu-01") }
	tell := func(pdu string, w, wh float64) {
		now := time.Now()
		c.Outlets(site.Sample{Device: sitefile.PDUID(pdu), Asked: now, At: now, Outlets: []site.Outlet{
			{Name: "1", Power: site.Some(unit.Watts(w)), Energy: site.Some(unit.WattHours(wh))}, {Name: "2", Power: site.Some(9 * unit.Kilowatt)},
		}})
	}
	tell("a", 3000, 10)
	if _, err := read(); err == nil {
		t.Error("one of two cords was read, and it is taken for all")
	}
	tell("b", 2500, 20)
	r, err := read()
	if err != nil || r.Power.V != 5500*unit.Watt || r.Energy.V != unit.WattHours(30) || r.Source != "pdu" {
		t.Errorf("%+v, %v", r, err)
	}
	x.reach.Meter = func(context.Context, string) (compute.Reading, error) {
		return compute.Reading{Source: "agent", GPUs: []compute.GPU{{Index: 0}}}, nil
	}
	if r, err = read(); err != nil || len(r.GPUs) != 1 || r.Power.V != 5500*unit.Watt || r.Source != "agent+pdu" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := x.gauge.measure(context.Background(), "gpu-02"); err != nil {
		t.Errorf("a machine without outlets: %v", err)
	}
}
