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

// A feeder without power is down; one that is given a part of its firm power is reduced, whether its
// meter tells or not. The whole of it counts as wanted where no meter tells.
func TestDownAndReduced(t *testing.T) {
	const kw, full = unit.Kilowatt, 1000 * unit.Kilowatt
	silent := site.Opt[unit.Power]{}
	for name, c := range map[string]struct {
		draw                site.Opt[unit.Power]
		award               unit.Power
		down, reduced       time.Duration
		wanted, short, lack unit.Power // mean
	}{
		"all of it":                   {site.Some(600 * kw), full, 0, 0, 600 * kw, 0, 0},
		"cut":                         {site.Some(unit.Power(0)), 0, time.Minute, 0, 600 * kw, 600 * kw, 600 * kw},
		"nearly nothing":              {site.Some(30 * kw), 0, time.Minute, 0, 600 * kw, 570 * kw, 570 * kw},
		"held":                        {site.Some(500 * kw), 500 * kw, 0, time.Minute, 600 * kw, 100 * kw, 0},
		"silent, all of it":           {silent, full, 0, 0, 600 * kw, 0, 0},
		"silent, a part of it shed":   {silent, 980 * kw, 0, time.Minute, full, 20 * kw, 20 * kw},
		"silent, nearly all of it":    {silent, 50 * kw, time.Minute, 0, full, 950 * kw, 950 * kw},
		"silent, all of it shed":      {silent, 0, time.Minute, 0, full, full, full},
		"silent, a little left of it": {silent, 51 * kw, 0, time.Minute, full, 949 * kw, 949 * kw},
	} {
		t.Run(name, func(t *testing.T) {
			d := New("acme")
			d.Step(noon.Add(-10*time.Second), stands(600*kw, full))
			d.Step(noon, stands(600*kw, full))
			d.Settled(noon)
			now := []Tenant{{Load: "acme", Draw: c.draw, Given: true, Award: site.Award{Power: c.award, Full: full}}}
			for s := 10; s <= 60; s += 10 {
				d.Step(noon.Add(time.Duration(s)*time.Second), now)
			}
			got, cut := d.Of(noon)
			want := usage.Delivery{Wanted: c.wanted.Over(time.Minute), Short: c.short.Over(time.Minute), Down: c.down, Reduced: c.reduced}
			near := cmp.Comparer(func(a, b unit.Energy) bool { return a-b < 100 && b-a < 100 })
			if diff := cmp.Diff(want, got["acme"], near); diff != "" {
				t.Error(diff)
			}
			if (cut["acme"] > 0) != (c.down > 0) {
				t.Errorf("%v stand as cut", cut["acme"])
			}
			if got := d.Lack(0, now[0]); got != c.lack {
				t.Errorf("it lacks %v, want %v", got, c.lack)
			}
		})
	}
}
