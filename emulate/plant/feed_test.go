package plant

import (
	"testing"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// fixed draws what it is set to while it has voltage.
type fixed struct {
	p    unit.Power
	live bool
}

func (f *fixed) Step(_ time.Time, live bool) unit.Power {
	if f.live = live; !live {
		return 0
	}
	return f.p
}

func TestFeedsEnterTheTree(t *testing.T) {
	tree, err := site.NewTree([]site.Node{{ID: "poi", Parent: -1, Meter: "m0"}, {ID: "ai", Loss: 0.02, Meter: "m1"}})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	f := &fixed{p: 980 * unit.Kilowatt}
	w, err := New(Config{Tree: tree, Feeds: []FeedConfig{{ID: "cluster", Node: 1, Feed: f}}}, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddFeed(FeedConfig{ID: "cluster", Node: 1, Feed: f}); err == nil {
		t.Error("it hangs twice")
	}
	if err := w.AddFeed(FeedConfig{ID: "x", Node: 7, Feed: f}); err == nil {
		t.Error("it hangs nowhere")
	}
	w.Step(start.Add(time.Hour))
	r := w.Record()
	ai, _ := r.Node("ai")
	l, _ := r.Load("cluster")
	if ai.Power != unit.Megawatt || l.Energy != 980*unit.KilowattHour || l.Peak != f.p {
		t.Errorf("node %s, load %+v", ai.Power, l)
	}
	w.ResetRecord()
	if err := w.SetBreaker("ai", true); err != nil {
		t.Fatal(err)
	}
	w.Step(start.Add(2 * time.Hour))
	r = w.Record()
	if l, _ := r.Load("cluster"); l.Energy != 0 || f.live {
		t.Errorf("behind an open breaker it takes %s", l.Energy)
	}
}
