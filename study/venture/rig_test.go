package venture

import (
	"math"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/mining"
	"switchyard/study/world"
	"switchyard/unit"
)

func of[T any](v T) *figure.Figure[T] { return figure.Of(v, figure.Assumption, "test") }

func mw(v float64) input.Power { return of(unit.Power(math.Round(v * 1e9))) }

func kw(v float64) input.Rent { return of(unit.DollarsPerKWMonth(v)) }

func pct(v float64) input.Ratio { return of(unit.Ratio(v / 100)) }

func usd(v float64) input.Money { return of(figure.Dollars(v)) }

func months(n int) input.Months { return of(figure.Months(n)) }

// study is a site of two halls, 75 and 25 MW, of 60 and 20 MW of critical load, whose power costs $50
// in all hours: 40 and 10 of wires. It begins in January 2027 and lasts 12 years; nothing inflates.
func study() *input.File {
	f := &input.File{
		Start: figure.MonthOf(2027, 1), Years: 12, Inflation: pct(0), Discount: pct(10),
		Site: input.Site{Utility: mw(100), PUE: of(1.25), MiningPUE: of(1.0), Status: "energised"},
		Halls: []input.Hall{
			{ID: "north", Power: mw(75), Critical: mw(60), Convertible: true},
			{ID: "south", Power: mw(25), Convertible: true},
		},
		Power: input.Tariff{Adder: of(unit.Price(10e6)), Growth: pct(0)},
	}
	for i := range f.Halls {
		f.Halls[i].Capex = &figure.Spread[figure.PerMW]{P50: 7e6}
		f.Halls[i].Build = &figure.Spread[figure.Months]{P50: 10}
	}
	for m := range f.Curve {
		f.Curve[m] = []float64{40}
	}
	return f
}

// calm is a path on which nothing happens.
func calm(f *input.File) *world.Path {
	n, h := 12*f.Years, len(f.Halls)
	p := &world.Path{
		Price: make([]float64, n), Difficulty: make([]float64, n), Hashprice: make([]float64, n), Level: make([]float64, n),
		Spike: make([]float64, n), GPU: make([]float64, n),
		Cost: make([]float64, h), Delay: make([]float64, h), Failure: make([]float64, h), Extend: make([]float64, h),
		CapexFactor: 1, RentFactor: 1, Fixed: true,
	}
	for t := range n {
		p.Price[t], p.Difficulty[t], p.Hashprice[t], p.Level[t], p.GPU[t] = 100_000, 1.1e14, 50, 1, 1
	}
	return p
}

// mined is a fleet that earns a million a month and pays 400,000 for 8,000 MWh.
func mined(f *input.File) []mining.Month {
	out := make([]mining.Month, 12*f.Years)
	for t := range out {
		out[t] = mining.Month{Revenue: 1e6, Energy: -4e5, MWh: 8000}
	}
	return out
}

// fataler is a test or a property.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// plan is what Plan fills for the option.
func plan(t fataler, f *input.File, o *input.Option, hall, month int, p *world.Path) (before, venture *flow.Flows) {
	t.Helper()
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	before, venture = flow.New(12*f.Years), flow.New(12*f.Years)
	s.Plan(o, hall, month, p, mined(f), before, venture)
	return before, venture
}

// want holds a line's first months to be these; a cent is nothing.
func want(t *testing.T, v *flow.Flows, l flow.Line, from int, dollars ...float64) {
	t.Helper()
	for i, d := range dollars {
		if got := v.Line[l][from+i]; math.Abs(got-d) > 0.01 {
			t.Errorf("%s of month %d is %.2f, not %.2f", l.Key(), from+i, got, d)
		}
	}
}

// empty holds a line to be zero from and up to a month.
func empty(t *testing.T, v *flow.Flows, l flow.Line, from, to int) {
	t.Helper()
	for m := from; m < to; m++ {
		if v.Line[l][m] != 0 {
			t.Errorf("%s of month %d is %g, not zero", l.Key(), m, v.Line[l][m])
			return
		}
	}
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

// near holds a figure to be another within a share of it.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s is %g, not %g", what, got, want)
	}
}
