package tenants

import (
	"testing"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

// A connection with hall M, and a transformer below which are the tenant's hall, another's, and
// miners of two kinds, one of them in the tenant's own hall.
func offered(t *testing.T, live api.LiveView) *Tenants {
	t.Helper()
	w := watched(t, live)
	tree, err := site.NewTree([]site.Node{
		{ID: "connection", Parent: -1}, {ID: "tx", Parent: 0}, {ID: "hall", Parent: 1}, {ID: "other", Parent: 1}, {ID: "m", Parent: 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	group := func(id, model string, node int) plant.Group {
		return plant.Group{Group: sitefile.Group{ID: id, Model: model}, Node: node}
	}
	w.opt.Plant = &plant.Plant{
		File: &sitefile.File{}, Tree: tree, Zone: time.UTC,
		Groups: []plant.Group{group("far", "S19", 4), group("near", "S21", 3), group("own", "M60", 2)},
		Tenants: []plant.Tenant{
			{Tenant: sitefile.Tenant{ID: "ai", Firm: 60 * unit.Megawatt}, Node: 2}, {Tenant: sitefile.Tenant{ID: "b", Firm: 8 * unit.Megawatt}, Node: 3},
		},
	}
	return w
}

// scene is 40 $/MWh with limits of connection, transformer and hall and what is drawn there, in MW.
func scene(connection, tx, hall [2]float64, groups ...api.GroupLive) api.LiveView {
	price := 40.0
	node := func(id string, x [2]float64) api.NodeLive {
		limit, draw := x[0]*1e6, x[1]*1e6
		return api.NodeLive{ID: id, LimitW: &limit, PowerW: &draw, EstW: draw}
	}
	five, other := 5e6, [2]float64{100, 5}
	return api.LiveView{
		At: noon.Add(3 * time.Minute), PriceUSDMWh: &price, Groups: groups,
		Nodes:   []api.NodeLive{node("connection", connection), node("tx", tx), node("hall", hall), node("other", other), node("m", [2]float64{100, 1})},
		Tenants: []api.TenantLive{{ID: "ai", PowerW: &five, FirmW: 60e6}, {ID: "b", PowerW: &five, FirmW: 8e6}},
	}
}

func mines(id string, power, fixed, worth float64) api.GroupLive {
	return api.GroupLive{ID: id, PowerW: power * 1e6, FixedW: fixed * 1e6, BreakevenUSD: &worth}
}

// Each offer is a step, the cheapest first: as much as every node on the way up allows with what rests
// below it, and a miner elsewhere helps only where the common limit binds.
func TestAvailability(t *testing.T) {
	half := noon.Add(30 * time.Minute)
	type step struct {
		MW, USD float64
		Firm    bool
		Until   time.Time
	}
	limit := func(node string, mw float64, in time.Duration) []api.LimitView {
		return []api.LimitView{{Node: node, PowerW: mw * 1e6, From: noon.Add(in)}}
	}
	for name, c := range map[string]struct {
		live   api.LiveView
		limits []api.LimitView
		want   []step
		text   string
	}{
		"free": {
			live: scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{20, 10}),
			want: []step{{10, 40, true, half}}, text: "You could draw 10 MW more until 12:30, at $40.00/MWh.",
		},
		"a part of it may be another tenant's": {
			live: scene([2]float64{100, 92}, [2]float64{40, 20}, [2]float64{20, 10}),
			want: []step{{5, 40, true, half}, {3, 40, false, half}},
		},
		"the transformer binds, and only those below it help": {
			live: scene([2]float64{100, 50}, [2]float64{22, 20}, [2]float64{20, 5}, mines("far", 10, 0, 50), mines("near", 4, 1, 60)),
			want: []step{{2, 40, false, half}, {3, 60, false, half}},
		},
		"the connection binds, and all help, the cheapest first": {
			live: scene([2]float64{52, 50}, [2]float64{40, 20}, [2]float64{20, 5}, mines("near", 4, 1, 60), mines("far", 5, 1, 50), mines("own", 2, 0, 30)),
			want: []step{{4, 40, false, half}, {4, 50, false, half}, {3, 60, false, half}},
			text: "You could draw 4 MW more until 12:30, at $40.00/MWh; beyond that 4 MW at $50.00/MWh and 3 MW at $60.00/MWh.",
		},
		"the hall binds, and its own miners help": {
			live: scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{10, 10}, mines("near", 4, 1, 60), mines("own", 2, 0, 70)),
			want: []step{{2, 70, false, half}},
		},
		"it is used to its limit": {
			live: scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{10, 10}, mines("far", 5, 1, 50)),
			text: "Nothing beyond what it has: the way to it is used to its limit.",
		},
		"above the limit, what rests brings it down first": {
			live: scene([2]float64{48, 50}, [2]float64{40, 20}, [2]float64{20, 5}, mines("far", 5, 1, 50)),
			want: []step{{2, 50, false, half}},
		},
		"a limit to come ends what it leaves no room for": {
			live:   scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{20, 10}, mines("own", 5, 0, 50)),
			limits: limit("connection", 64, 4*time.Hour),
			want:   []step{{10, 40, true, half}, {5, 50, false, half}},
		},
		"a limit to come": {
			live:   scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{20, 10}, mines("own", 5, 0, 50)),
			limits: limit("connection", 58, 10*time.Minute),
			want:   []step{{10, 40, true, noon.Add(10 * time.Minute)}, {5, 50, false, noon.Add(10 * time.Minute)}},
		},
		"a limit to come elsewhere": {
			live:   scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{20, 10}),
			limits: limit("m", 0, 10*time.Minute),
			want:   []step{{10, 40, true, half}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.live.Limits = c.limits
			v, err := offered(t, c.live).Availability("ai")
			if err != nil {
				t.Fatal(err)
			}
			got := []step{}
			for _, o := range v.Offers {
				got = append(got, step{o.PowerW / 1e6, *o.PriceUSD, o.Firm, o.Until})
			}
			if len(c.want) == 0 {
				c.want = []step{}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if c.text != "" && v.Text != c.text {
				t.Errorf("%q, want %q", v.Text, c.text)
			}
		})
	}
}

// What is not known is no room, and no price: a connection without a limit, a meter that is silent, a
// hashprice that is lost.
func TestAvailabilityOfTheUnknown(t *testing.T) {
	live := scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{10, 10}, mines("own", 2, 0, 70))
	live.Groups[0].BreakevenUSD = nil
	v, err := offered(t, live).Availability("ai")
	if err != nil || len(v.Offers) != 1 || v.Offers[0].PriceUSD != nil || v.Text != "You could draw 2 MW more until 12:30, at a price that is not known." {
		t.Errorf("%+v %v", v, err)
	}
	live = scene([2]float64{100, 50}, [2]float64{40, 20}, [2]float64{20, 10})
	live.Nodes[1].PowerW = nil
	if v, _ := offered(t, live).Availability("ai"); len(v.Offers) != 1 || v.Offers[0].Firm {
		t.Errorf("behind a silent meter: %+v", v)
	}
	live.Nodes[0].LimitW = nil
	if v, _ := offered(t, live).Availability("ai"); len(v.Offers) != 0 || v.Text == "" {
		t.Errorf("without a known limit: %+v", v)
	}
}

// A tenant that is asked to draw less is offered nothing meanwhile, and before it only until then.
func TestNothingIsOfferedToWhomIsAskedToDrawLess(t *testing.T) {
	w := offered(t, scene([2]float64{100, 20}, [2]float64{60, 10}, [2]float64{30, 5}))
	whole, err := w.Availability("ai")
	if err != nil || len(whole.Offers) == 0 {
		t.Fatalf("%+v, %v", whole, err)
	}
	soon := whole.At.Add(5 * time.Minute)
	k := api.CurtailmentView{State: "called", From: soon, To: soon.Add(time.Hour)}
	w.opt.Curtailed = func(string) []api.CurtailmentView { return []api.CurtailmentView{k} }
	before, err := w.Availability("ai")
	if err != nil || len(before.Offers) != len(whole.Offers) {
		t.Fatalf("%+v, %v", before, err)
	}
	for _, o := range before.Offers {
		if !o.Until.Equal(soon) {
			t.Errorf("offered until %v", o.Until)
		}
	}
	k.State = "running"
	if v, err := w.Availability("ai"); err != nil || len(v.Offers) != 0 || v.Text != "Nothing beyond what it has: it was asked to draw less until "+k.To.Format("15:04")+"." {
		t.Errorf("%+v, %v", v, err)
	}
}
