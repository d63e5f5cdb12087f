package study

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"switchyard/study/input"
)

// sampleWith is the example with passages written otherwise.
func sampleWith(t testing.TB, edits ...string) *input.File {
	t.Helper()
	text := string(input.Sample())
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("the example does not hold %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	f, faults := input.Parse("example.yaml", []byte(text), nil)
	if f == nil {
		t.Fatal(faults)
	}
	return f
}

// TestHorizonIsToldFirst: a study that ends before its leases says so before all else.
func TestHorizonIsToldFirst(t *testing.T) {
	r := run(t, sampleWith(t, "years: 12", "years: 8"), 0)
	const text = `the study of 8 years ends long before the lease "hyperscaler" of 180 months`
	at := slices.IndexFunc(r.Findings, func(v Finding) bool { return v.Top && strings.Contains(v.Text, text) })
	if before := slices.IndexFunc(r.Findings, func(v Finding) bool { return !v.Top }); at < 0 || before < at {
		t.Errorf("the findings are %+v", r.Findings)
	}
	for _, v := range run(t, sample(t), 0).Findings {
		if strings.Contains(v.Text, "before the lease") {
			t.Errorf("the example's exit value stands for what is left of its lease, and it says %q", v.Text)
		}
	}
}

// TestACertainDefaultIsExpected: a tenant whose default is certain pays no rent as expected, and carries no loan.
func TestACertainDefaultIsExpected(t *testing.T) {
	sound, failing := run(t, sample(t), 0), run(t, sampleWith(t, "default: [1 %, 2 %, 3 %]", "default: [100 %]"), 0)
	a, b := optionIn(t, sound, "north", "host"), optionIn(t, failing, "north", "host")
	if b.Expected > a.Expected-20e6 || b.IRR != nil && *b.IRR > *a.IRR-0.05 || b.Debt >= a.Debt {
		t.Errorf("let to who is sure to fail: NPV %.0f of %.0f, IRR %v of %v, loan %.0f of %.0f", b.Expected, a.Expected, b.IRR, a.IRR, b.Debt, a.Debt)
	}
}

func optionIn(t testing.TB, r *Report, hall, name string) *Option {
	t.Helper()
	for i := range r.Options {
		if o := &r.Options[i]; o.Hall == hall && o.Name == name {
			return o
		}
	}
	t.Fatalf("the report has no %s of %s", name, hall)
	return nil
}

// TestExitValueIsNamed: what the end of the study is worth is what the file without it is worth less, and where it
// decides it is said first.
func TestExitValueIsNamed(t *testing.T) {
	f := sample(t)
	r := run(t, f, 0)
	e, err := newEngine(withoutExit(f))
	if err != nil {
		t.Fatal(err)
	}
	w, sum := e.worker(), 0.0
	w.expected()
	for i := range r.Options {
		o := &r.Options[i]
		c := candidate{hall: f.HallIndex(o.Hall), option: slices.IndexFunc(e.f.Options, func(x input.Option) bool { return x.ID == o.Name })}
		c.month = slices.Index(r.Portfolio.Months.Labels, o.Start)
		if want := o.Expected - w.value(c); math.Abs(o.ExitNPV-want) > 1 {
			t.Errorf("%s of %s: %.0f of its value is the exit's, and without it it is worth %.0f less", o.Name, o.Hall, o.ExitNPV, want)
		}
	}
	for _, c := range r.Best {
		o := optionIn(t, r, c.Hall, c.Option)
		if o.Start == c.Start {
			sum += o.ExitNPV
		}
	}
	first := r.Findings[0]
	if first.Kind != "exit" || !first.Top || !strings.Contains(first.Text, fmt.Sprintf("%.1f $M of the portfolio's expected NPV", r.Portfolio.ExitNPV/1e6)) || !strings.Contains(first.Text, "north, east, south, west: Sell the hall") {
		t.Errorf("first of all it is said: %+v", first)
	}
	if r.Portfolio.ExitNPV < sum-1 || sum <= 0 {
		t.Errorf("the portfolio's %.0f, and that of the halls in their best months %.0f", r.Portfolio.ExitNPV, sum)
	}
	if none := run(t, withoutExit(f), 0); none.Portfolio.ExitNPV != 0 || slices.ContainsFunc(none.Findings, func(v Finding) bool { return v.Kind == "exit" }) {
		t.Error("a file without an exit value has one")
	}
	f.Leases[0].Exit.Is = 0.5
	for _, v := range run(t, f, 0).Findings {
		if v.Kind == "exit" && v.Top {
			t.Errorf("half a year's EBITDA decides nothing: %+v", v)
		}
	}
}

// TestTornadoMovesOneThing: building and selling have bars of their own, and the exit value has one.
func TestTornadoMovesOneThing(t *testing.T) {
	f := sample(t)
	f.Options = slices.DeleteFunc(f.Options, func(o input.Option) bool { return o.Kind != input.Host && o.Kind != input.Sell })
	for i := range f.Options {
		f.Options[i].Halls, f.Options[i].To = []string{"north", "east"}, f.Options[i].From
		if f.Options[i].Kind == input.Sell {
			f.Options[i].Halls = []string{"south", "west"}
		}
	}
	r := run(t, f, 0)
	bars := map[string]Bar{}
	for _, b := range r.Tornado {
		bars[b.Input] = b
	}
	build, sale, exit := bars["Cost of building"], bars["Price of a sale"], bars["Exit multiple at the end of the study"]
	// 50 MW sold after six months at 0.3 to 0.9 $M, less 3 %; a quarter of it is tax, if the year has income.
	if d := sale.NPVHigh - sale.NPVLow; d < 50e6*0.6*0.97*0.7/1.06 || d > 50e6*0.6*0.97/1.04 {
		t.Errorf("the price of a sale moves the value by %.0f", d)
	}
	if build.NPVLow < r.Portfolio.Expected+20e6 || build.NPVHigh > r.Portfolio.Expected-20e6 {
		t.Errorf("building moves the value from %.0f to %.0f", build.NPVLow, build.NPVHigh)
	}
	if math.Abs(exit.NPVHigh-r.Portfolio.Expected) > 1 || math.Abs(exit.NPVHigh-exit.NPVLow-r.Portfolio.ExitNPV) > 1 {
		t.Errorf("the exit's bar is from %.0f to %.0f, of %.0f", exit.NPVLow, exit.NPVHigh, r.Portfolio.ExitNPV)
	}
}

// TestBreakevensHaveDirections: at every figure told the option is worth just what it is held against, and more on the
// side that is told.
func TestBreakevensHaveDirections(t *testing.T) {
	f := sample(t)
	f.Limits = input.Limits{}
	r := run(t, f, 0)
	e, err := newEngine(f)
	if err != nil {
		t.Fatal(err)
	}
	w, told := e.worker(), map[string]int{}
	w.expected()
	all := e.futures(w)
	for i := range all {
		x := &all[i]
		for _, b := range optionIn(t, r, x.out.Hall, x.out.Name).Breakevens {
			l := map[string]lever{"power": leverPower, "rent": leverRent, "hashprice": leverHashprice}[b.Of]
			if l == leverRent && x.out.Kind == input.GPUs {
				l = leverGPU
			}
			gap := func(figure float64) float64 {
				w.move(x.hall, l, (figure-unmoved(&b))/(b.Now-unmoved(&b)))
				most := math.Inf(-1)
				for k := range all {
					if all[k].hall == x.hall && (b.Against == AgainstMining && all[k].out.Kind == input.Mine || b.Against == AgainstAlternative && !same(&all[k].out, &x.out)) {
						most = math.Max(most, w.value(all[k].candidate))
					}
				}
				if b.Against == AgainstNothing {
					most = 0
				}
				return w.value(x.candidate) - most
			}
			for _, at := range b.Roots {
				told[b.Of+" "+b.Against]++
				low, high := gap(at.At*0.999), gap(at.At*1.001)
				if (low < 0) != at.AtLeast || (high > 0) != at.AtLeast {
					t.Errorf("%s of %s, %s against %s: %s, and just below it is worth %.0f more, just above %.0f", x.out.Name, x.out.Hall, b.Of, b.Against, b.Text, low, high)
				}
			}
			if ends := gap(b.From); (ends > 0) != b.Ahead {
				t.Errorf("%s of %s, %s against %s: at %.2f it is worth %.0f more, and ahead is %v", x.out.Name, x.out.Hall, b.Of, b.Against, b.From, ends, b.Ahead)
			}
		}
	}
	for _, key := range []string{"power nothing", "rent nothing", "rent best_alternative", "rent mining", "hashprice nothing", "hashprice best_alternative", "hashprice mining"} {
		if told[key] < 4 {
			t.Errorf("of %s only %d were told", key, told[key])
		}
	}
}

// unmoved is what of a figure its lever does not move: searched is from a tenth to ten times the rest.
func unmoved(b *Breakeven) float64 { return b.From - (b.To-b.From)/99 }

// TestMineBreaksEvenTwice: fixed-price power that is resold pays for a hall that rests when power is dear.
func TestMineBreaksEvenTwice(t *testing.T) {
	o := optionIn(t, run(t, sample(t), 0), "south", "mine")
	for _, b := range o.Breakevens {
		if b.Of == "power" && b.Against == AgainstNothing {
			if len(b.Roots) != 2 || b.Roots[0].AtLeast || !b.Roots[1].AtLeast || b.Text != fmt.Sprintf("at most %.2f, or at least %.2f $/MWh", b.Roots[0].At, b.Roots[1].At) {
				t.Errorf("mining in the south hall breaks even %q: %+v", b.Text, b.Roots)
			}
			return
		}
	}
	t.Error("nothing is told of power")
}

// TestTwoRootsBetweenSteps: a gap that is above zero for a little way between two factors is found.
func TestTwoRootsBetweenSteps(t *testing.T) {
	at := []float64{1, 1.5, 2.25, 3.375, 5.0625}
	f := func(k float64) float64 { x := math.Log(k / 2.5); return 0.002 - x*x }
	v := make([]float64, len(at))
	for i := range at {
		v[i] = f(at[i])
	}
	points, values := dips(f, at, v)
	if above := slices.IndexFunc(values, func(v float64) bool { return v > 0 }); above < 0 || math.Abs(points[above]-2.5) > 0.01 {
		t.Errorf("at %v it is %v: the two roots about 2.5 are missed", points, values)
	}
}

// TestAgainstTheBestAlternative: what is chosen is held against the best of the rest, which to mine on may not be.
func TestAgainstTheBestAlternative(t *testing.T) {
	for _, paths := range []int{0, 200} {
		r := run(t, sample(t), paths)
		p := &r.Portfolio
		if p.Alternative != "sell in 4 halls" || !(*p.OverAlternative < p.NPV.Mean-p.MiningOn.Mean-10e6) {
			t.Errorf("with %d paths: %v over %q, and %.0f over mining on", paths, p.OverAlternative, p.Alternative, p.NPV.Mean-p.MiningOn.Mean)
		}
		for _, c := range r.Best {
			most := math.Inf(-1)
			for i := range r.Options {
				if o := &r.Options[i]; o.Hall == c.Hall && o.Name != c.Option {
					most = math.Max(most, o.NPV.Mean)
				}
			}
			if math.Abs(c.NPV.Mean-most-*c.OverInstead) > 1 {
				t.Errorf("%s: %.0f over %s, and the next is worth %.0f less", c.Hall, *c.OverInstead, c.Instead, c.NPV.Mean-most)
			}
		}
	}
}

// TestClosingIsUncertain: what machines fetch when a hall is closed hangs on what mining earns by then.
func TestClosingIsUncertain(t *testing.T) {
	f := sample(t)
	f.Halls, f.Power.Blocks = f.Halls[:1], nil
	for m := range f.Curve {
		f.Curve[m] = []float64{5000} // until then nothing mines
	}
	for i := range f.Options {
		f.Options[i].Halls = nil
	}
	// Today's price is certain: it is that of two years from now which is not.
	f.Sales = []input.Sale{{ID: closing, Of: "power"}}
	f.Options = append(f.Options[:1], input.Option{ID: closing, Kind: input.Sell, With: closing, From: f.Start + 24, To: f.Start + 24, Every: 6})
	o := optionIn(t, run(t, f, 300), "north", closing)
	f.Bitcoin.Resale.Is = 0
	stiff := optionIn(t, run(t, f, 300), "north", closing)
	if stiff.NPV.P90-stiff.NPV.P10 > 1 || o.NPV.P90-o.NPV.P10 < 1.5e6 {
		t.Errorf("closing brings from %.0f to %.0f, and from %.0f to %.0f at one price of machines", o.NPV.P10, o.NPV.P90, stiff.NPV.P10, stiff.NPV.P90)
	}
}
