package api

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/dispatch/schedule"
	"switchyard/signal"
	"switchyard/site"
	"switchyard/unit"
)

const (
	kW     = unit.Power(1e6)
	dollar = unit.DollarPerMWh
)

func known(vs ...float64) []*float64 {
	out := make([]*float64, len(vs))
	for i := range vs {
		out[i] = &vs[i]
	}
	return out
}

func TestAPlanIsToldByLoad(t *testing.T) {
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 900 * kW}, {ID: "hall", Parent: 0}})
	if err != nil {
		t.Fatal(err)
	}
	steps := []schedule.Step{
		{Start: siteTime, Length: 5 * time.Minute, Price: 40 * dollar, Block: 100 * kW},
		{Start: siteTime.Add(5 * time.Minute), Length: time.Hour, Price: 212 * dollar, Coincident: 30 * dollar, Caps: []unit.Power{500 * kW, -1}},
		{Start: siteTime.Add(65 * time.Minute), Length: time.Hour, Caps: []unit.Power{-1, -1}},
	}
	pr := &schedule.Problem{
		Tree: tree, Steps: steps,
		Classes: []schedule.Class{
			{Load: "s19", Count: 20, Levels: []schedule.Level{{Power: 2 * kW}, {Power: 3 * kW}}},
			{Load: "s21", Levels: []schedule.Level{{Power: 3 * kW}}},
			{Load: "s19", Count: 2, Levels: []schedule.Level{{Power: 4 * kW}}},
		},
		Firm:     []schedule.Firm{{Load: "tenant", Draw: []unit.Power{300 * kW, 320 * kW, 310 * kW}}},
		Work:     []schedule.Work{{Load: "train", Power: 80 * kW, By: siteTime.Add(2 * time.Hour)}},
		Reserves: []schedule.Reserve{{Name: "rrs", Price: []unit.Price{8 * dollar, 9 * dollar}}},
	}
	p := &schedule.Plan{
		Method: schedule.MILP, Steps: steps, Profit: 1200 * unit.Dollar, Bound: 1201 * unit.Dollar, Gap: 0.0008,
		Classes: []schedule.ClassPlan{
			{Load: "s19", Running: [][]float64{{5, 10}, {0, 0}, {0, 2.5}}, Keep: []unit.Price{70 * dollar, 71 * dollar, 72 * dollar}, Take: []unit.Price{60 * dollar, 61 * dollar, 62 * dollar}},
			{Load: "s21", Running: [][]float64{{20}, {20}, {0}}},
			{Load: "s19", Running: [][]float64{{1}, {0}, {0}}, Keep: []unit.Price{75 * dollar, 65 * dollar, 66 * dollar}, Take: []unit.Price{50 * dollar, 66 * dollar, 1 * dollar}},
		},
		Firm:     []schedule.FirmPlan{{Load: "tenant", Curtailed: []unit.Power{0, 20 * kW, 0}, Short: []unit.Power{0, 0, 10 * kW}}},
		Work:     []schedule.WorkPlan{{Load: "train", Power: []unit.Power{0, 0, 50 * kW}, Late: unit.Energy(2e9)}},
		Reserves: []schedule.ReservePlan{{Name: "rrs", Held: []unit.Power{30 * kW, 0, 0}}},
		Site:     []unit.Power{400 * kW, 360 * kW, 410 * kW},
		Marginal: [][]unit.Price{{41 * dollar, 42 * dollar}, {212 * dollar, 213 * dollar}, {}},
		Notes:    []string{"a note"},
	}
	v := ScheduleOf(pr, p, func(id site.LoadID) PlanLoad {
		switch id {
		case "tenant":
			return PlanLoad{Name: "Helix", Kind: "tenant", Node: "hall"}
		case "train":
			return PlanLoad{Name: "Training", Kind: "work", Node: "hall"}
		}
		return PlanLoad{Name: "Group " + string(id), Kind: "group", Node: "hall", Fixed: kW}
	})

	var names []string
	power := map[string][]*float64{}
	for _, l := range v.Loads {
		names = append(names, l.Kind+" "+l.Name)
		power[l.Load] = l.PowerW
	}
	if diff := cmp.Diff([]string{"tenant Helix", "work Training", "group Group s19", "group Group s21"}, names); diff != "" {
		t.Error(diff)
	}
	want := map[string][]*float64{
		"tenant": known(300e3, 300e3, 300e3), // 320 less 20 taken back, 310 less 10 lacking
		"train":  known(0, 0, 50e3),
		"s19":    known(1e3+30e3+10e3+4e3, 1e3, 1e3+7.5e3), // standby and two classes
		"s21":    known(61e3, 61e3, 1e3),
	}
	if diff := cmp.Diff(want, power); diff != "" {
		t.Error(diff)
	}
	s19 := v.Loads[2]
	if diff := cmp.Diff([][]*float64{known(75, 71, 72), known(60, 66, 62)}, [][]*float64{s19.KeepUSD, s19.TakeUSD}); diff != "" {
		t.Error("keep and take are not those of the class that holds out longest:", diff)
	}
	if l := v.Loads[1]; l.LateMWh == nil || *l.LateMWh != 2 {
		t.Errorf("late: %v", l.LateMWh)
	}
	if s19.RestW != 1e3 || s19.MostW != 69e3 || v.Loads[0].MostW != 320e3 || v.Loads[1].MostW != 80e3 || !v.Loads[1].By.Equal(siteTime.Add(2*time.Hour)) {
		t.Errorf("rest, most or deadline: %+v", v.Loads[:3])
	}
	wantSteps := []StepView{
		{Start: siteTime, LengthS: 300, PriceUSD: known(40)[0], CoincidentUSD: known(0)[0], MarginalUSD: known(41)[0], BlockW: 100e3, SiteW: known(400e3)[0], CapW: known(900e3)[0]},
		{Start: steps[1].Start, LengthS: 3600, PriceUSD: known(212)[0], CoincidentUSD: known(30)[0], MarginalUSD: known(212)[0], SiteW: known(360e3)[0], CapW: known(500e3)[0]},
		{Start: steps[2].Start, LengthS: 3600, PriceUSD: known(0)[0], CoincidentUSD: known(0)[0], SiteW: known(410e3)[0]},
	}
	if diff := cmp.Diff(wantSteps, v.Steps); diff != "" {
		t.Error(diff)
	}
	wantReserve := []ReservePlanned{{Name: "rrs", HeldW: known(30e3, 0, 0), ShortW: known(0, 0, 0), PriceUSD: append(known(8, 9), nil)}}
	if diff := cmp.Diff(wantReserve, v.Reserves); diff != "" {
		t.Error(diff)
	}
	if v.Method != "milp" || *v.ProfitUSD != 1200 || *v.BoundUSD != 1201 || *v.Gap != 0.0008 || len(v.Notes) != 1 {
		t.Errorf("%+v", v)
	}
}

// A plan without a bound has none that could be told as zero.
func TestAnUnknownBoundIsNull(t *testing.T) {
	v := ScheduleOf(&schedule.Problem{}, &schedule.Plan{Method: schedule.Merit, Gap: -1}, func(site.LoadID) PlanLoad { return PlanLoad{} })
	if v.Gap != nil || v.BoundUSD != nil || v.ProfitUSD == nil {
		t.Errorf("%+v", v)
	}
}

func TestASignalIsToldByItsKind(t *testing.T) {
	to := siteTime.Add(time.Hour)
	for name, c := range map[string]struct {
		in   signal.Signal
		want SignalView
	}{
		"a limit": {
			signal.Signal{ID: "7", Source: "vtn", Kind: signal.Limit, Node: "tx-1", Power: 0, From: siteTime, To: to, Priority: 1, Ramp: 10 * kW, Emergency: true, Note: "now"},
			SignalView{Key: "vtn/7", ID: "7", Source: "vtn", Kind: "limit", Node: "tx-1", PowerW: known(0)[0], RampW: known(10e3)[0], From: siteTime, To: &to, Priority: 1, Emergency: true, Note: "now"},
		},
		"a price until taken back": {
			signal.Signal{ID: "p", Source: "vtn", Kind: signal.Price, Price: -5 * dollar, From: siteTime},
			SignalView{Key: "vtn/p", ID: "p", Source: "vtn", Kind: "price", PriceUSD: known(-5)[0], From: siteTime},
		},
		"a reserve": {
			signal.Signal{ID: "r", Source: "desk", Kind: signal.Reserve, Power: 500 * kW, Price: 9 * dollar, Within: 10 * time.Second, For: time.Hour, From: siteTime, To: to},
			SignalView{Key: "desk/r", ID: "r", Source: "desk", Kind: "reserve", PowerW: known(500e3)[0], PriceUSD: known(9)[0], WithinS: known(10)[0], ForS: known(3600)[0], From: siteTime, To: &to},
		},
	} {
		if diff := cmp.Diff(c.want, SignalOf(c.in)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
