package study

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/unit"
)

// anyStudy is a small study: up to three halls, some of the sample's options in few months, limits that may bind.
func anyStudy(t *rapid.T) *input.File {
	f, faults := input.Parse("example.yaml", input.Sample(), nil)
	if f == nil {
		t.Fatal(faults)
		return nil
	}
	n := func(name string, least, most int) int { return rapid.IntRange(least, most).Draw(t, name) }
	part := func(name string, low, high float64) float64 { return rapid.Float64Range(low, high).Draw(t, name) }
	some := func(name string) bool { return rapid.Bool().Draw(t, name) }
	f.Years = n("years", 2, 12)
	if some("relief") {
		f.Tax.Losses = input.Relief
	}
	f.Halls = f.Halls[:n("halls", 1, 3)]
	for h := range f.Halls {
		f.Halls[h].Capex.P50 *= figure.PerMW(part("capex", 0.3, 2))
		f.Halls[h].Convertible = n("convertible", 0, 4) > 0
	}
	kept := f.Options[:0]
	for _, o := range f.Options {
		if !some(o.ID) {
			continue
		}
		o.From = f.Start + figure.Month(n("from", 0, 30))
		o.To, o.Every = min(o.From+figure.Month(n("for", 0, 30)), f.End()-1), figure.Months(n("every", 5, 20))
		kept = append(kept, o)
	}
	f.Options = kept
	f.Power.Flat.Is = unit.DollarsPerMWh(part("power", 10, 90))
	for m := range f.Curve {
		f.Curve[m] = []float64{f.Power.Flat.Is.DollarsPerMWh()}
	}
	f.Bitcoin.Price.Is *= figure.Dollars(part("bitcoin", 0.3, 3))
	f.Leases[0].Rate.Is = unit.DollarsPerKWMonth(part("rent", 60, 220))
	f.Leases[0].Kind = rapid.SampledFrom([]string{"gross", "modified", "net"}).Draw(t, "lease")
	f.Limits = input.Limits{Halls: n("halls at once", 0, 2)}
	if some("limit of capex") {
		f.Limits.Capex = figureOf(figure.Dollars(part("most capex", 50e6, 600e6)))
	}
	if some("limit of equity") {
		f.Limits.Equity = figureOf(figure.Dollars(part("most equity", 20e6, 300e6)))
	}
	if some("limit of crew") {
		f.Limits.Crew = figureOf(unit.Power(part("crew", 15, 60) * float64(unit.Megawatt)))
	}
	if some("ramp") {
		f.Site.Ramp = []input.RampStep{{From: f.Start, Power: 50 * unit.Megawatt}, {From: f.Start + 18, Power: 100 * unit.Megawatt}}
	}
	f.Scenarios = append(f.Scenarios[:n("scenarios", 0, 3)], input.Scenario{Name: "x1", Bitcoin: 1, Difficulty: 1, Power: 1, Capex: 1, Rent: 1, GPURate: 1})
	return f
}

// fataler is a test, or one case of a property.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// run is a report of the file with so many paths.
func run(t fataler, f *input.File, paths int) *Report {
	t.Helper()
	r, err := Run(context.Background(), f, Options{Paths: &paths})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// about says that two sums are equal but for the rounding of what they are of.
func about(a, b float64) bool { return math.Abs(a-b) <= 0.1+1e-9*math.Abs(a) }

// fixedCosts are what the site costs as a project of its own, until the last hall is sold or closed and the
// site is cleared: nothing to tax, and no tax to save but by relief.
func fixedCosts(f *input.File, r *Report) float64 {
	c, last := Complete(f), 0
	for _, b := range r.Best {
		goes := f.Months()
		if o := c.Option(b.Option); o != nil && o.Kind == input.Sell {
			goes = slices.Index(r.Portfolio.Months.Labels, b.Start)
			if s := c.Sale(o.With); s.After != nil {
				goes += int(s.After.Is)
			}
		}
		last = max(last, goes)
	}
	sum := 0.0
	for t := range min(f.Months(), last+1+int(f.Site.WindDown.Is)) {
		sum -= float64(f.Site.Fixed.Is) / 12 * stepped(float64(f.Inflation.Is), t) / math.Pow(1+float64(f.Discount.Is), float64(t+1)/12)
	}
	if f.Tax.Losses == input.Relief {
		sum *= 1 - float64(f.Tax.Rate.Is)
	}
	return sum
}

func TestReportsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyStudy(t)
		paths := rapid.SampledFrom([]int{0, 0, 3}).Draw(t, "paths")
		r := run(t, f, paths)
		if text, err := json.Marshal(r); err != nil || bytes.Contains(text, []byte("NaN")) {
			t.Fatalf("the report cannot be written: %v", err)
		}
		chosen := map[string]float64{}
		for _, c := range r.Best {
			chosen[c.Hall] = c.NPV.Mean
		}
		sum := fixedCosts(f, r)
		for _, h := range f.Halls {
			v, ok := chosen[h.ID]
			if !ok {
				t.Fatalf("nothing is chosen for %s", h.ID)
			}
			sum += v
		}
		if !about(sum, r.Portfolio.NPV.Mean) {
			t.Fatalf("the portfolio is worth %.2f, and its halls together %.2f", r.Portfolio.NPV.Mean, sum)
		}
		for i := range r.Options {
			if o := &r.Options[i]; paths == 0 && o.NPV != sure(o.Expected) {
				t.Fatalf("without paths %s is worth %v, and %v is expected", o.Title, o.NPV, o.Expected)
			}
		}
		checkScenarios(t, r)
		checkRegret(t, r)
		checkOver(t, r)
	})
}

// checkScenarios: a scenario that changes nothing is the expected case, and that is what the options say.
func checkScenarios(t *rapid.T, r *Report) {
	as, x1 := &r.Scenarios[0], &r.Scenarios[len(r.Scenarios)-1]
	if as.Name != "expected" || x1.Name != "x1" || !about(as.Portfolio, x1.Portfolio) || !about(as.Portfolio, r.Portfolio.Expected) {
		t.Fatalf("worlds %s and %s: the portfolio is worth %.2f and %.2f, and %.2f is expected", as.Name, x1.Name, as.Portfolio, x1.Portfolio, r.Portfolio.Expected)
	}
	for i := range as.Options {
		if as.Options[i] != x1.Options[i] {
			t.Fatalf("a scenario that changes nothing changes %+v to %+v", as.Options[i], x1.Options[i])
		}
	}
	for i := range r.Options {
		if !about(as.Options[i].NPV, r.Options[i].Expected) {
			t.Fatalf("%s: worth %.2f, and %.2f in the expected case's column", r.Options[i].Title, r.Options[i].Expected, as.Options[i].NPV)
		}
	}
}

// checkRegret: nothing that the limits allow is better than the best, and without paths the study's choice is the best in the expected case.
func checkRegret(t *rapid.T, r *Report) {
	if r.Regret.Beyond[0] || r.Regret.Beyond[r.Regret.Least] {
		t.Fatal("the study's choice, or that of least regret, is beyond the limits")
	}
	for k, row := range r.Regret.USD {
		worst := math.Inf(-1)
		for s, v := range row {
			if v < 0 && !r.Regret.Beyond[k] {
				t.Fatalf("%s regrets %.2f in %s", r.Regret.Decisions[k], v, r.Regret.Scenarios[s])
			}
			worst = math.Max(worst, v)
		}
		if !about(worst, r.Regret.Worst[k]) || !r.Regret.Beyond[k] && worst < r.Regret.Worst[r.Regret.Least] {
			t.Fatalf("%s: the worst of %v is not %.2f, or the least of %v is not number %d", r.Regret.Decisions[k], row, r.Regret.Worst[k], r.Regret.Worst, r.Regret.Least)
		}
	}
	// By paths the choice is made for all of them together, and not for the expected case.
	if r.Paths > 0 {
		return
	}
	if r.Regret.USD[0][0] > 0.1 || r.Regret.USD[0][len(r.Scenarios)-1] > 0.1 {
		t.Fatalf("the study's choice regrets %v in its own world", r.Regret.USD[0])
	}
}

// checkOver: mining on is worth nothing over itself, and of every option the best month is told, but of what is
// chosen that which is.
func checkOver(t *rapid.T, r *Report) {
	for i := range r.Options {
		o := &r.Options[i]
		taken := slices.ContainsFunc(r.Best, func(b Choice) bool { return b.Hall == o.Hall && b.Option == o.Name && b.Start == o.Start })
		if o.Kind == mine && (o.Over != Dist{} || o.BeatsMining != 0) {
			t.Fatalf("mining on is worth %v over itself", o.Over)
		}
		for _, m := range o.Timing {
			if m.NPV > o.Expected+0.1 && !taken || m.Month == o.Start && !about(m.NPV, o.Expected) {
				t.Fatalf("%s is worth %.2f, and %.2f from %s", o.Title, o.Expected, m.NPV, m.Month)
			}
		}
	}
}

// TestYearsAddUp: at a discount rate of nothing the years' cash of one path is its value, of each option and of the site
// with its fixed costs.
func TestYearsAddUp(t *testing.T) {
	for _, losses := range []string{"carried", input.Relief} {
		f := sample(t)
		f.Discount, f.Tax.Losses = pct(0), losses
		yearsAddUp(t, run(t, f, 1))
	}
}

func yearsAddUp(t *testing.T, r *Report) {
	t.Helper()
	sum := func(fan []Fan) (all float64) {
		for _, y := range fan {
			all += y.P50
		}
		return all
	}
	for i := range r.Options {
		if o := &r.Options[i]; !about(sum(o.Fan), o.NPV.Mean) {
			t.Errorf("%s of hall %s brings %.2f by its years, and %.2f in all", o.Title, o.Hall, sum(o.Fan), o.NPV.Mean)
		}
	}
	if p := &r.Portfolio; !about(sum(p.Fan), p.NPV.Mean) {
		t.Errorf("the portfolio brings %.2f by its years, and %.2f in all", sum(p.Fan), p.NPV.Mean)
	}
}

// TestCommonRandomNumbers: a dearer building in one hall leaves all figures of the others as they are.
func TestCommonRandomNumbers(t *testing.T) {
	f := sample(t)
	before := run(t, f, 150)
	f.Halls[1].Capex.P50 *= 1.3
	after := run(t, f, 150)
	changed := 0
	for i := range before.Options {
		a, b := before.Options[i], after.Options[i]
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		switch same := bytes.Equal(x, y); {
		case a.Hall != f.Halls[1].ID && !same:
			t.Errorf("%s of hall %s changed: %s", a.Name, a.Hall, parting(x, y))
		case !same:
			changed++
		}
	}
	if changed < 2 {
		t.Errorf("the dearer hall changed %d of its options", changed)
	}
}

// even runs a study in which an option should be worth no more and no less than mining on, or, if it is that, nothing.
func even(t fataler, what string, f *input.File, of *Option) {
	t.Helper()
	r := run(t, f, 0)
	on, got := 0.0, math.NaN()
	for i := range r.Options {
		o := &r.Options[i]
		if o.Hall == of.Hall && o.Kind == mine && of.Kind != mine {
			on = o.Expected
		}
		for _, m := range o.Timing {
			if o.Hall == of.Hall && o.Name == of.Name && m.Month == of.Start {
				got = m.NPV
			}
		}
	}
	// Figures are told to six digits behind the point, or to cents from a hundred on.
	if !(math.Abs(got-on) <= 20e3) {
		t.Fatalf("with the %s at which %s should break even it is worth %.0f, and to mine on %.0f", what, of.Title, got, on)
	}
}

// broke sets one of the figures that would have to be true for an option of the file's report, studies anew, and puts it
// back; false where there is none. Without spikes the price of power is one figure and its growth;
// without a floor the network knows only how hashprice changes.
func broke(t fataler, which string, f *input.File, o *Option) bool {
	was := [4]float64{float64(f.Leases[0].Rate.Is), float64(f.Clouds[0].Rate.Is), float64(f.Power.Flat.Is), float64(f.Bitcoin.Price.Is)}
	set := func(v [4]float64) {
		f.Leases[0].Rate.Is, f.Clouds[0].Rate.Is = unit.CapacityRate(v[0]), figure.PerGPUHour(v[1])
		f.Power.Flat.Is, f.Bitcoin.Price.Is = unit.Price(v[2]), figure.Dollars(v[3])
		for m := range f.Curve {
			f.Curve[m] = []float64{f.Power.Flat.Is.DollarsPerMWh()}
		}
	}
	now := was
	switch {
	case which == "rent" && o.BreakevenRent != nil:
		c := &f.Clouds[0]
		sold := 1000 / c.PerGPU.Is.Watts() * float64(c.Use.Is) * 730.5 // GPU hours of a kW in a month
		now[0], now[1] = float64(unit.DollarsPerKWMonth(*o.BreakevenRent)), *o.BreakevenRent/sold
	case which == "power" && o.BreakevenPower != nil:
		growth := 0.0
		for m := range f.Months() {
			growth += grown(float64(f.Power.Growth.Is), m) / float64(f.Months())
		}
		now[2] = float64(unit.DollarsPerMWh(*o.BreakevenPower/growth - f.Power.Adder.Is.DollarsPerMWh()))
	case which == "hashprice" && o.BreakevenHashprice != nil:
		now[3] *= *o.BreakevenHashprice / newPlain(f).expected().hashprice[0]
	default:
		return false
	}
	set(now)
	even(t, which, f, o)
	set(was)
	return true
}

// plainWorld takes from a file what would make a break-even of the report another than that of one input.
func plainWorld(f *input.File) {
	f.Limits, f.Scenarios, f.Site.Ramp = input.Limits{}, nil, nil
	f.Bitcoin.Floor.Is, f.Power.SpikeChance = 0, pct(0)
	f.Bitcoin.Resale.Is = 0 // of a file with another price another world is expected
}

func TestBreakevensBreakEven(t *testing.T) {
	f := sample(t)
	plainWorld(f)
	f.Halls, f.Power.Blocks, f.Leases[0].Kind = f.Halls[:1], nil, "gross" // dear power is nobody's gain
	r, tried := run(t, f, 0), map[string]int{}
	for _, which := range []string{"rent", "power", "hashprice"} {
		for i := range r.Options {
			if broke(t, which, f, &r.Options[i]) {
				tried[which]++
			}
		}
	}
	if tried["rent"] != 3 || tried["power"] < 2 || tried["hashprice"] < 4 {
		t.Fatalf("of six options so many were tried: %v", tried)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := anyStudy(t)
		plainWorld(f)
		r := run(t, f, 0)
		o := &r.Options[rapid.IntRange(0, len(r.Options)-1).Draw(t, "option")]
		broke(t, rapid.SampledFrom([]string{"rent", "power", "hashprice"}).Draw(t, "figure"), f, o)
	})
}

// TestNoPrices: a study without prices runs, and says what it took instead.
func TestNoPrices(t *testing.T) {
	var lines []string
	for _, line := range strings.Split(string(input.Sample()), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "flat:") {
			lines = append(lines, line)
		}
	}
	f, faults := input.Parse("bare.yaml", []byte(strings.Join(lines, "\n")), nil)
	if f == nil {
		t.Fatal(faults)
	}
	r := run(t, f, 0)
	assumed, warned := false, false
	for _, a := range r.Assumed {
		assumed = assumed || a.Path == "power.flat" && a.Value == "50 $/MWh" && a.Source != ""
	}
	for _, x := range r.Findings {
		warned = warned || x.Kind == "input" && strings.Contains(x.Text, "no prices were given") && strings.Contains(x.Text, "50 $/MWh")
	}
	if !assumed || !warned {
		t.Errorf("listed among assumptions: %v, told as a finding: %v", assumed, warned)
	}
}

// TestCancelled: a study ends soon after its context does, wherever it is, and says so.
func TestCancelled(t *testing.T) {
	for at, paths := range map[string]int{"random futures": 20_000, "waiting: hall north": 4000} {
		ctx, cancel := context.WithCancel(context.Background())
		reached := make(chan time.Time, 1)
		_, err := Run(ctx, sample(t), Options{Paths: &paths, Progress: func(what string, done, _ int) {
			if what == at && done > 0 {
				select {
				case reached <- time.Now():
				default:
				}
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled during %q: %v", at, err)
		} else if took := time.Since(<-reached); took > time.Second {
			t.Errorf("cancelled during %q, it ended %v later", at, took)
		}
	}
}
