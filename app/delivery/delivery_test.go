package delivery

import (
	"testing"
	"time"

	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 10, 12, 12, 0, 0, 0, time.UTC)

func stands(draw, award unit.Power) []Tenant {
	return []Tenant{{
		Load: "acme", Draw: site.Some(draw), Given: true, Award: site.Award{Power: award, Full: 1000 * unit.Kilowatt},
	}}
}

// An outage of four minutes with a restart in its middle: what was wanted before it is still
// known after it, and the minute in which nobody looked counts nothing.
func TestARestartForgetsNoOutage(t *testing.T) {
	d := New("acme")
	d.Step(noon.Add(-10*time.Second), stands(600*unit.Kilowatt, 1000*unit.Kilowatt))
	d.Step(noon, stands(600*unit.Kilowatt, 1000*unit.Kilowatt))
	for s := 10; s <= 60; s += 10 {
		d.Step(noon.Add(time.Duration(s)*time.Second), stands(0, 0))
	}
	data, err := d.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	d = New("new", "acme")
	if err := d.Restore(data); err != nil {
		t.Fatal(err)
	}
	for s := 130; s <= 240; s += 10 {
		other := Tenant{Load: "new", Draw: site.Some(unit.Kilowatt), Given: true, Award: site.Award{Power: unit.Kilowatt, Full: unit.Kilowatt}}
		d.Step(noon.Add(time.Duration(s)*time.Second), append([]Tenant{other}, stands(0, 0)...))
	}
	got, short := d.Of(noon)
	lost := 60*time.Second + 110*time.Second
	power := 600 * unit.Kilowatt
	want := usage.Delivery{Down: lost, Wanted: power.Over(lost + 10*time.Second), Short: power.Over(lost)}
	near := cmp.Comparer(func(a, b unit.Energy) bool { return a-b < 100 && b-a < 100 }) // each step rounds to the mWh
	if diff := cmp.Diff(want, got["acme"], near); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Short, short["acme"], near); diff != "" {
		t.Error(diff)
	}
	if err := d.Restore([]byte("{")); err == nil {
		t.Error("a damaged checkpoint is taken")
	}
}
