package plant

import (
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// feed gives a tally a power for each second.
func feed(t *tally, from time.Time, powers ...unit.Power) time.Time {
	for _, p := range powers {
		from = from.Add(time.Second)
		t.observe(from, time.Second, p, 0)
	}
	return from
}

func times(n int, p unit.Power) []unit.Power {
	all := make([]unit.Power, n)
	for i := range all {
		all[i] = p
	}
	return all
}

func TestExcursions(t *testing.T) {
	y := newTally(site.Node{ID: "n", Limit: 100})
	at := feed(y, noon, 90, 100, 101, 130, 120, 100, 90, 105)
	r := y.record()
	if r.Count != 2 || len(r.Excursions) != 2 || r.LongestOver != 3*time.Second || r.LongestBeyond != 3*time.Second || r.TimeOver != 4*time.Second || r.PeakPower != 130 {
		t.Fatalf("%+v", r)
	}
	want := Excursion{From: noon.Add(2 * time.Second), To: noon.Add(5 * time.Second), Peak: 130, Limit: 100, Beyond: 3 * time.Second}
	if r.Excursions[0] != want {
		t.Errorf("got %+v, want %+v", r.Excursions[0], want)
	}
	feed(y, at, 110)
	if r := y.record(); r.Count != 2 || r.Excursions[1].Peak != 110 || r.LongestOver != 3*time.Second {
		t.Errorf("the one under way: %+v", r)
	}
	y.reset()
	feed(y, at, 50)
	if r := y.record(); r.Count != 0 || r.LongestOver != 0 || len(r.Excursions) != 0 || r.PeakPower != 50 {
		t.Errorf("after the reset: %+v", r)
	}
}

func TestOverloadCurve(t *testing.T) {
	node := site.Node{ID: "n", Limit: 100, Overload: []site.Overload{
		{Ratio: 1.1, For: 60 * time.Second, Rest: 100 * time.Second}, {Ratio: 1.5, For: 5 * time.Second, Rest: 100 * time.Second},
	}}
	tests := []struct {
		name   string
		powers [][]unit.Power
		beyond time.Duration
	}{
		{"within the long step", [][]unit.Power{times(60, 110)}, 0},
		{"longer than the long step", [][]unit.Power{times(63, 105)}, 3 * time.Second},
		{"within the short step", [][]unit.Power{times(5, 150), times(50, 108)}, 0},
		{"longer than the short step", [][]unit.Power{times(7, 140)}, 2 * time.Second},
		{"above the curve", [][]unit.Power{times(1, 151)}, time.Second},
		{"again without rest", [][]unit.Power{times(40, 105), times(50, 100), times(40, 105)}, 20 * time.Second},
		{"again after rest", [][]unit.Power{times(40, 105), times(100, 100), times(40, 105)}, 0},
	}
	for _, tt := range tests {
		y, at := newTally(node), noon
		for _, p := range tt.powers {
			at = feed(y, at, p...)
		}
		if r := y.record(); r.LongestBeyond != tt.beyond || r.LongestOver == 0 {
			t.Errorf("%s: beyond %v, want %v (over %v)", tt.name, r.LongestBeyond, tt.beyond, r.LongestOver)
		}
	}
}

func TestRecordLimits(t *testing.T) {
	w := hall(t, 0, nil)
	for _, c := range []struct {
		p  unit.Power
		at time.Duration
	}{{-1, 3 * time.Minute}, {500 * unit.Kilowatt, 2 * time.Minute}, {5 * unit.Megawatt, time.Minute}} {
		if err := w.SetRecordLimit("connection", c.p, noon.Add(c.at)); err != nil {
			t.Fatal(err)
		}
	}
	limits := []unit.Power{}
	for range 4 {
		after(w, 50*time.Second)
		n, _ := w.Record().Node("connection")
		limits = append(limits, n.Limit)
	}
	for i, want := range []unit.Power{4 * unit.Megawatt, 4 * unit.Megawatt, 500 * unit.Kilowatt, 4 * unit.Megawatt} {
		if limits[i] != want {
			t.Errorf("limits %v: number %d should be %v", limits, i, want)
		}
	}
	n, _ := w.Record().Node("connection")
	if n.Count != 1 || n.LongestOver != time.Minute {
		t.Errorf("the minute under 500 kW: %d, %v", n.Count, n.LongestOver)
	}
	if w.SetRecordLimit("nowhere", 0, noon) == nil {
		t.Error("a limit nowhere")
	}
}
