package study

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/finance"
	"switchyard/study/input"
	"switchyard/unit"
)

// bestOf is the best combination of a file in the expected case: what it is worth, and what each hall does when.
func bestOf(t testing.TB, f *input.File) (worth float64, begin map[string]int, names map[string]string) {
	t.Helper()
	e, err := newEngine(f)
	if err != nil {
		t.Fatal(err)
	}
	w := e.worker()
	w.expected()
	s := e.searchOf(w)
	chosen, worth, _ := s.solve()
	begin, names = map[string]int{}, map[string]string{}
	for h, i := range chosen {
		c := s.halls[h][i].candidate
		begin[f.Halls[h].ID], names[f.Halls[h].ID] = c.month, e.option(c).ID
	}
	return worth, begin, names
}

// TestOrderOfHallsIsNoMatter: the same halls in another order are worth the same under any limit of equity.
func TestOrderOfHallsIsNoMatter(t *testing.T) {
	for m := 20; m <= 200; m += 20 {
		f := sample(t)
		f.Limits.Equity = figureOf(figure.Dollars(float64(m) * 1e6))
		want, _, names := bestOf(t, f)
		slices.Reverse(f.Halls)
		if got, _, other := bestOf(t, f); math.Abs(got-want) > 1 {
			t.Errorf("equity of %d $M: %.0f (%v), and with the halls in reverse %.0f (%v)", m, want, names, got, other)
		}
	}
}

// TestCrewIsFreeOnceBuilt: who waits for the grid with a hall that is built may build the next.
func TestCrewIsFreeOnceBuilt(t *testing.T) {
	f := sample(t)
	f.Halls = f.Halls[:2] // 12 months each
	f.Site.Status, f.Site.Energised, f.Site.Chance = "approved", f.Start+36, pct(100)
	f.Limits.Halls = 1
	f.Options = slices.DeleteFunc(f.Options, func(o input.Option) bool { return o.Kind != "host" && o.Kind != "mine" })
	for i := range f.Options {
		f.Options[i].Halls = nil
		f.Options[i].From, f.Options[i].To, f.Options[i].Every = f.Start+12, f.Start+24, 12
	}
	_, begin, names := bestOf(t, f)
	if names["north"] != "host" || names["east"] != "host" {
		t.Errorf("one can be built from month 12 and the other from month 24, and the power comes in month 36: %v from %v", names, begin)
	}
}

// TestMiningDrawsOnTheRamp: a hall is no AI hall while the others mine with all the power there is.
func TestMiningDrawsOnTheRamp(t *testing.T) {
	f := sample(t)
	f.Halls[3].Fleet = nil // west stands idle
	f.Site.Ramp = []input.RampStep{{From: f.Start, Power: 75 * unit.Megawatt}, {From: f.Start + 60, Power: 100 * unit.Megawatt}}
	f.Options = slices.DeleteFunc(f.Options, func(o input.Option) bool { return o.Kind != "host" && o.Kind != "mine" })
	for i := range f.Options {
		f.Options[i].Halls = nil
		if f.Options[i].Kind == "host" {
			f.Options[i].Halls = []string{"west"}
		}
	}
	f.Limits = input.Limits{}
	f.Sales = []input.Sale{{ID: closing, Of: "power"}} // nobody closes to make room
	if _, begin, names := bestOf(t, f); names["west"] == "host" && begin["west"]+16 < 60 {
		t.Errorf("west is let from month %d, and its power comes in month 60", begin["west"]+16)
	}
}

// TestWaitingSeesShortWindows: an option that may begin in one month alone is among what an owner who waits may do.
func TestWaitingSeesShortWindows(t *testing.T) {
	f := sample(t)
	f.Halls = f.Halls[:1]
	f.Options = slices.DeleteFunc(f.Options, func(o input.Option) bool { return o.Kind != "host" && o.Kind != "mine" })
	for i := range f.Options {
		f.Options[i].Halls = nil
		f.Options[i].From, f.Options[i].To = f.Start+14, f.Start+14
	}
	e, err := newEngine(f)
	if err != nil {
		t.Fatal(err)
	}
	host := slices.IndexFunc(e.f.Options, func(o input.Option) bool { return o.Kind == "host" })
	if dates := e.dates(0); !slices.ContainsFunc(dates, func(d int) bool { return e.opens(0, host, d) }) {
		t.Errorf("the hall may be let from month 14 alone, and decides in months %v", dates)
	}
}

// TestLoanOfWhatNeverOperates: on paths on which the grid never comes the loan is drawn and nothing serves it, which
// is a breach of any covenant.
func TestLoanOfWhatNeverOperates(t *testing.T) {
	f := sample(t)
	f.Site.Status, f.Site.Energised, f.Site.Chance = "approved", f.Start+24, pct(60)
	r := run(t, f, 200)
	for i := range r.Options {
		if o := &r.Options[i]; o.Kind == "host" && (o.Breach == nil || *o.Breach < 0.3) {
			t.Errorf("%s: the grid comes on 60 %% of the paths, and the covenant holds on %v of them", o.Hall, o.Breach)
		}
	}
}

// TestBetterOverAllPathsIsTold: of the sample's west hall the expected case lets, and the paths would sell.
func TestBetterOverAllPathsIsTold(t *testing.T) {
	r := run(t, sample(t), 400)
	expected := map[string]float64{} // of the choice; where limits moved it, no option of the list has it
	for i := range r.Best {
		for _, o := range r.Options {
			if b := &r.Best[i]; o.Hall == b.Hall && o.Name == b.Option {
				expected[b.Hall] = o.Timing[slices.IndexFunc(o.Timing, func(x Timing) bool { return x.Month == b.Start })].NPV
			}
		}
	}
	for i := range r.Best {
		best, told, better := &r.Best[i], false, false
		for _, f := range r.Findings {
			told = told || f.Hall == best.Hall && f.Kind == "limit"
		}
		for k := range r.Options {
			o := &r.Options[k]
			better = better || o.Hall == best.Hall && o.Name != best.Option && o.Expected <= expected[best.Hall] && o.NPV.Mean-best.NPV.Mean > 2*math.Hypot(o.NPV.Error, best.NPV.Error)
		}
		if told != better {
			t.Errorf("%s: another option is better over all paths: %v, and told: %v", best.Hall, better, told)
		}
	}
}

// TestIdleHall: a hall without machines has no figure at which mining in it, or closing it, pays; and what a report
// has none of is an empty list.
func TestIdleHall(t *testing.T) {
	f := sample(t)
	f.Halls, f.Power.Blocks = f.Halls[:1], nil
	f.Halls[0].Fleet = nil
	for i := range f.Options {
		f.Options[i].Halls = nil
	}
	r := run(t, f, 0)
	for i := range r.Options {
		o := &r.Options[i]
		if (o.Kind == "mine" || o.Name == closing) && (o.BreakevenPower != nil || o.BreakevenHashprice != nil) {
			t.Errorf("%s: worth %.0f whatever power and hashprice are, and has a break-even", o.Name, o.Expected)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"flexible", "findings", "bound_by", "npv_histogram", "bitcoin_usd"} {
		if strings.Contains(string(text), `"`+key+`":null`) {
			t.Errorf("%s is null and no list", key)
		}
	}
}

// TestYearsOfManyPaths: the largest study's years take no more room than those of its first paths, and later paths
// count for all else.
func TestYearsOfManyPaths(t *testing.T) {
	e, err := newEngine(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	const n = 200_000
	d := e.newDraws([]candidate{e.cands[0][0]}, []*finance.Loan{nil}, n)
	if most := 10_000 * e.f.Years; len(d.year[0]) > most || len(d.world[0]) > most {
		t.Fatalf("%d paths keep %d and %d figures by year", n, len(d.year[0]), len(d.world[0]))
	}
	w := e.worker()
	e.model.Draw(1, n-1, w.path)
	w.mine()
	d.draw(w, n-1)
	if d.npv[0][n-1] == 0 {
		t.Error("the last path has no value")
	}
}

// TestMiningBeyondTheRampIsTold: machines that draw more than the connection gives are reckoned with, and said.
func TestMiningBeyondTheRampIsTold(t *testing.T) {
	for _, mw := range []int{60, 100} {
		f := sample(t)
		f.Site.Ramp = []input.RampStep{{From: f.Start, Power: unit.Power(mw) * unit.Megawatt}, {From: f.Start + 6, Power: 100 * unit.Megawatt}}
		told := false
		for _, x := range run(t, f, 0).Findings {
			told = told || x.Kind == "input" && x.Month == f.Start.String() && strings.Contains(x.Text, "60.0 MW")
		}
		if told != (mw == 60) {
			t.Errorf("a ramp from %d MW under 98 MW of machines: told %v", mw, told)
		}
	}
}

// TestFloorIsTold: where hashprice stands at the network's floor most of the time, the floor is what mining hangs on.
func TestFloorIsTold(t *testing.T) {
	for price, want := range map[float64]bool{45: true, 1: false} {
		f := sample(t)
		f.Bitcoin.Floor = figureOf(unit.DollarsPerMWh(price))
		told := false
		for _, x := range run(t, f, 0).Findings {
			told = told || strings.Contains(x.Text, "floor_power")
		}
		if told != want {
			t.Errorf("a floor at %v $/MWh: told %v", price, told)
		}
	}
}

// TestPeakEquityKeepsTheLimit: what the report says owners have in at most is within the limit that they gave.
func TestPeakEquityKeepsTheLimit(t *testing.T) {
	for _, m := range []float64{20, 60, 100} {
		f := sample(t)
		f.Limits.Equity = figureOf(figure.Dollars(m * 1e6))
		if r := run(t, f, 0); r.Portfolio.PeakEquity > 1.000001e6*m {
			t.Errorf("of %v $M that the owners allow %.1f are in", m, r.Portfolio.PeakEquity/1e6)
		}
	}
}
