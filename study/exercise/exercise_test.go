package exercise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func problem(t testing.TB, dates, paths, actions, states int) *Problem {
	t.Helper()
	p, err := NewProblem(dates, paths, actions, states)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func solved(t testing.TB, p *Problem) *Result {
	t.Helper()
	r, err := Solve(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put is an American put on a share, with 50 dates a year.
func put(t testing.TB, paths int, s0, sigma, years float64) *Problem {
	const strike, rate, each = 40, 0.06, 1.0 / 50
	dates := int(years/each) + 1
	p := problem(t, dates, paths, 1, 1)
	random := rand.New(rand.NewPCG(1, uint64(s0)))
	for i := range paths {
		s := math.Log(s0)
		for d := range dates {
			if d > 0 {
				s += (rate-sigma*sigma/2)*each + sigma*math.Sqrt(each)*random.NormFloat64()
			}
			p.State(d, 0)[i] = s
			p.Exercise(d, 0)[i] = (strike - math.Exp(s)) * math.Exp(-rate*each*float64(d))
		}
	}
	return p
}

// TestAmericanPut: the finite-difference values of Longstaff and Schwartz (2001), table 1.
func TestAmericanPut(t *testing.T) {
	for _, c := range []struct{ s0, sigma, years, want float64 }{
		{36, 0.2, 1, 4.478},
		{36, 0.2, 2, 4.840},
		{36, 0.4, 1, 7.101},
		{36, 0.4, 2, 8.508},
		{40, 0.2, 1, 2.314},
		{40, 0.4, 1, 5.312},
		{44, 0.2, 1, 1.110},
		{44, 0.2, 2, 1.690},
		{44, 0.4, 1, 3.948},
	} {
		r := solved(t, put(t, 20_000, c.s0, c.sigma, c.years))
		t.Logf("%v %v %v: %.3f ± %.3f, want %.3f; boundary half-way %.2f", c.s0, c.sigma, c.years, r.Value, r.Error, c.want, math.Exp(r.Dates[len(r.Dates)/2].Boundary))
		if r.Value > c.want+3*r.Error || r.Value < 0.985*c.want-3*r.Error {
			t.Errorf("put at %v, %v, %v years is worth %.4f ± %.4f, want %.3f", c.s0, c.sigma, c.years, r.Value, r.Error, c.want)
		}
		if mid := r.Dates[len(r.Dates)/2]; c.s0 < 40 && (mid.Above || mid.Action != 0 || !(math.Exp(mid.Boundary) > 22 && math.Exp(mid.Boundary) < 40)) {
			t.Errorf("boundary %+v", mid)
		}
	}
}

// TestInvestment: when to pay 1 for a project whose value moves with a volatility of 20 %, at a rate and a
// payout of 4 %: at twice its cost, and the right to do so at the value of 1 is worth 1/4 (Dixit and
// Pindyck, Investment under Uncertainty, 1994, chapter 5: beta is 2). With dates a quarter apart the
// best boundary is lower by exp(-0.5826 sigma sqrt(dt)) (Broadie, Glasserman and Kou, 1997), to 1.89; near it
// hardly anything is lost, and so a regression finds it within some per cent.
func TestInvestment(t *testing.T) {
	const rate, sigma, each, paths, dates = 0.04, 0.2, 0.25, 40_000, 80
	worth := func(v float64) float64 {
		if v >= 2 {
			return v - 1
		}
		return v * v / 4
	}
	build := func(spread float64) *Problem {
		p := problem(t, dates, paths, 1, 1)
		random := rand.New(rand.NewPCG(2, 3))
		for i := range paths {
			v := spread * random.NormFloat64()
			for d := range dates {
				if d > 0 {
					v += -sigma*sigma/2*each + sigma*math.Sqrt(each)*random.NormFloat64()
				}
				p.State(d, 0)[i] = v
				p.Exercise(d, 0)[i] = (math.Exp(v) - 1) * math.Exp(-rate*each*float64(d))
			}
			v += -sigma*sigma/2*each + sigma*math.Sqrt(each)*random.NormFloat64()
			p.Last()[i] = worth(math.Exp(v)) * math.Exp(-rate*each*dates)
		}
		return p
	}
	r := solved(t, build(0))
	t.Logf("worth %.4f ± %.4f", r.Value, r.Error)
	if math.Abs(r.Value-0.25) > 0.003+3*r.Error || r.Today != Never {
		t.Errorf("the right is worth %.4f ± %.4f, want 0.25", r.Value, r.Error)
	}
	quarterly := 2 * math.Exp(-0.5826*sigma*math.Sqrt(each))
	r = solved(t, build(0.5))
	var sum, n float64
	for d := 8; d < 48; d++ {
		if b := r.Dates[d]; b.Above && b.Boundary == b.Boundary {
			sum += math.Exp(b.Boundary)
			n++
		}
	}
	t.Logf("boundary %.3f on average of %v dates; best is %.3f, and 2 without pause", sum/n, n, quarterly)
	if n < 38 || sum/n < 0.97*quarterly || sum/n > 2*1.03 {
		t.Errorf("the boundary is at %.3f on the average of %v dates, want %.3f to 2", sum/n, n, quarterly)
	}
}

// TestExchange: to exchange one asset for another at a single date is worth 25.2331 (Margrabe, 1978):
// 100 for 100, volatilities of 0.6 and 0.3 correlated by 0.1, one year.
func TestExchange(t *testing.T) {
	const paths = 60_000
	p := problem(t, 2, paths, 1, 2)
	random := rand.New(rand.NewPCG(4, 5))
	for i := range paths {
		z, w := random.NormFloat64(), random.NormFloat64()
		w = 0.1*z + math.Sqrt(0.99)*w
		a, b := 0.6*z-0.18, 0.3*w-0.045
		p.Exercise(0, 0)[i] = math.NaN()
		p.State(1, 0)[i], p.State(1, 1)[i] = a, b
		p.Exercise(1, 0)[i] = 100 * (math.Exp(a) - math.Exp(b))
	}
	r := solved(t, p)
	t.Logf("%.3f ± %.3f", r.Value, r.Error)
	if math.Abs(r.Value-25.2331) > 3*r.Error {
		t.Errorf("the exchange is worth %.3f ± %.3f, want 25.2331", r.Value, r.Error)
	}
	// It flips where the assets are worth the same; b's median is -0.045.
	if b := r.Dates[1]; !b.Above || math.Abs(b.Boundary+0.045) > 0.04 {
		t.Errorf("boundary %+v", b)
	}
	if r.CommittedTo != Never || r.Committed != 0 || r.Today != Never {
		t.Errorf("committed to %v, worth %v", r.CommittedTo, r.Committed)
	}
}

// maxCall is the right to buy one of two shares at 100, at ten dates over three years: two actions.
func maxCall(t testing.TB, paths int, s0 float64) *Problem {
	const rate, payout, sigma, each, dates = 0.05, 0.10, 0.2, 3.0 / 9, 10
	p := problem(t, dates, paths, 2, 2)
	random := rand.New(rand.NewPCG(6, 7))
	for i := range paths {
		s := [2]float64{math.Log(s0), math.Log(s0)}
		for d := range dates {
			for k := range s {
				if d > 0 {
					s[k] += (rate-payout-sigma*sigma/2)*each + sigma*math.Sqrt(each)*random.NormFloat64()
				}
				p.State(d, k)[i] = s[k]
				p.Exercise(d, k)[i] = (math.Exp(s[k]) - 100) * math.Exp(-rate*each*float64(d))
			}
		}
	}
	return p
}

// TestMaxCall: two actions, two states: the values by a binomial tree in two dimensions of Broadie and
// Glasserman (Journal of Economic Dynamics and Control 21, 1997) that Andersen and Broadie (Management Science 50, 2004,
// table 2) repeat.
func TestMaxCall(t *testing.T) {
	for s0, want := range map[float64]float64{90: 8.075, 100: 13.902, 110: 21.345} {
		r := solved(t, maxCall(t, 40_000, s0))
		t.Logf("%v: %.3f ± %.3f, want %.3f", s0, r.Value, r.Error, want)
		if r.Value > want+3*r.Error || r.Value < 0.98*want-3*r.Error {
			t.Errorf("at %v it is worth %.3f ± %.3f, want %.3f", s0, r.Value, r.Error, want)
		}
		if a, b := r.Dates[9].Share[0], r.Dates[9].Share[1]; math.Abs(a-b) > 0.02 {
			t.Errorf("two like shares are bought on %.3f and %.3f of the paths", a, b)
		}
	}
}

// TestCertain: without uncertainty the value is that of the best date and action, and seeing is worth nothing.
func TestCertain(t *testing.T) {
	const dates, actions = 6, 3
	p := problem(t, dates, 100, actions, 2)
	worth := [dates][actions]float64{{5, 3, math.NaN()}, {6, 2, 1}, {4, 9, 3}, {1, 8, 9}, {2, 7, math.NaN()}, {0, 0, 0}}
	for d := range dates {
		for i := range 100 {
			for a := range actions {
				p.Exercise(d, a)[i] = worth[d][a]
			}
			p.Stay(d)[i] = 1 // waiting earns 1 a date: at date 3 action 2 makes 3 + 9
			p.State(d, 0)[i], p.State(d, 1)[i] = 42, float64(d)
		}
	}
	r := solved(t, p)
	if r.Value != 12 || r.Error != 0 || r.Planned != 12 || r.PlannedAt != 3 || r.PlannedTo != 2 || r.Committed != 6 || r.CommittedTo != Never || r.Option != 6 || r.Flexible != 0 {
		t.Errorf("%+v", r)
	}
	if r.Dates[3].Share[2] != 1 || r.Never != 0 || r.Today != Never || r.Dates[3].Action != 2 || r.Dates[3].Boundary == r.Dates[3].Boundary {
		t.Errorf("%+v", r.Dates)
	}
	// Never to act is a plan too.
	for i := range p.Last() {
		p.Last()[i] = 7
	}
	if r = solved(t, p); r.Value != 13 || r.Never != 1 || r.PlannedTo != Never || r.Committed != 13 {
		t.Errorf("%+v", r)
	}
}

// noise is a problem in which the states say nothing of what is to come.
func noise(t testing.TB, seed uint64, dates, paths, actions, states int) *Problem {
	p := problem(t, dates, paths, actions, states)
	random := rand.New(rand.NewPCG(seed, 8))
	for _, v := range [][]float64{p.state, p.exercise, p.stay, p.last} {
		for i := range v {
			v[i] = float64(4 * (random.Float64() - 0.5)) // exact, and so the same on any machine
		}
	}
	return p
}

// TestNoForesight: where the states say nothing, a policy that saw the future would choose the best of
// many draws; one that does not makes their mean, which is zero.
func TestNoForesight(t *testing.T) {
	p := noise(t, 1, 8, 40_000, 4, 2)
	r := solved(t, p)
	if t.Logf("%.4f ± %.4f", r.Value, r.Error); math.Abs(r.Value) > 0.05 {
		t.Errorf("noise is worth %.4f ± %.4f", r.Value, r.Error)
	}
}

// TestSeesOnlyThePast: what a path does until a date stays the same when all that it earns and what it
// will see after that date are shuffled among the paths of odd number.
func TestSeesOnlyThePast(t *testing.T) {
	const dates, until = 10, 5
	p := maxCall(t, 4_000, 100)
	before := solved(t, p)
	random := rand.New(rand.NewPCG(9, 9))
	random.Shuffle(p.Paths/2, func(i, j int) {
		i, j = 2*i+1, 2*j+1
		for d := range dates {
			for a := range p.Actions {
				v := p.Exercise(d, a)
				v[i], v[j] = v[j], v[i]
			}
			if d > until {
				for s := range p.States {
					v := p.State(d, s)
					v[i], v[j] = v[j], v[i]
				}
			}
		}
	})
	after := solved(t, p)
	acted := 0
	for i := range before.Action {
		if before.Date[i] <= until && before.Action[i] != Never {
			acted++
			if after.Action[i] != before.Action[i] || after.Date[i] != before.Date[i] {
				t.Fatalf("path %d did %d at %d, and with another future %d at %d", i, before.Action[i], before.Date[i], after.Action[i], after.Date[i])
			}
		} else if after.Action[i] != Never && after.Date[i] <= until {
			t.Fatalf("path %d waited, and with another future did %d at %d", i, after.Action[i], after.Date[i])
		}
	}
	if acted < 500 {
		t.Errorf("only %d paths act until then", acted)
	}
	if math.Abs(after.Value-before.Value) < 1e-6 {
		t.Error("the shuffle changed nothing")
	}
}

// TestLaws: whatever the problem: shares sum to one, the value is what the choices bring, and it is not below the best
// plan by more than chance.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := noise(t, rapid.Uint64().Draw(r, "seed"), rapid.IntRange(1, 6).Draw(r, "dates"), rapid.IntRange(200, 1000).Draw(r, "paths"), rapid.IntRange(1, 4).Draw(r, "actions"), rapid.IntRange(1, 4).Draw(r, "states"))
		weight := rapid.Float64Range(-3, 3).Draw(r, "weight")
		for d := range p.Dates {
			for a := range p.Actions {
				level, gone := rapid.Float64Range(-2, 2).Draw(r, "level"), rapid.SampledFrom([]float64{0, 0, 0.3, 1}).Draw(r, "gone")
				v := p.Exercise(d, a)
				for i := range v {
					v[i] += level + weight*p.State(d, 0)[i]
					if float64(i%10) < 10*gone {
						v[i] = math.NaN()
					}
				}
			}
		}
		res, err := Solve(p)
		if err != nil {
			r.Fatal(err)
		}
		if res.Flexible < -5*res.FlexibleError-0.15 || res.Option < -5*res.OptionError-0.15 {
			r.Fatalf("worth %v, planned %v ± %v", res.Value, res.Planned, res.FlexibleError)
		}
		total := res.Never
		for _, d := range res.Dates {
			for _, s := range d.Share {
				total += s
			}
		}
		sum := 0.0
		for i := 1; i < p.Paths; i += 2 {
			d := 0
			for ; d < p.Dates && (res.Action[i] == Never || d < res.Date[i]); d++ {
				sum += p.Stay(d)[i]
			}
			if res.Action[i] == Never {
				sum += p.Last()[i]
			} else {
				sum += p.Exercise(d, res.Action[i])[i]
			}
		}
		if math.Abs(total-1) > 1e-9 || math.Abs(sum/float64(p.Paths/2)-res.Value) > 1e-9 {
			r.Fatalf("shares sum to %v; choices bring %v, and the value is %v", total, sum/float64(p.Paths/2), res.Value)
		}
	})
}

// TestRegression: the regression finds what it was made of, and lives with columns that say nothing new.
func TestRegression(t *testing.T) {
	p := problem(t, 1, 2_000, 1, 3)
	random := rand.New(rand.NewPCG(10, 11))
	for i := range p.Paths {
		x := random.NormFloat64()
		p.State(0, 0)[i], p.State(0, 1)[i], p.State(0, 2)[i] = 1000+x, 5, 3*x-1 // a constant, and the same twice
	}
	b := &basis{}
	b.begin(p, 0)
	var f fit
	f.clear(b.columns)
	row := make([]float64, b.columns)
	of := func(i int) []float64 {
		b.of(&[MaxStates]float64{p.State(0, 0)[i], p.State(0, 1)[i], p.State(0, 2)[i]}, row)
		return row
	}
	truth := func(i int) float64 { x := p.State(0, 0)[i] - 1000; return 2 - x + 0.5*x*x }
	for i := 0; i < p.Paths; i += 2 {
		f.addGram(of(i), 1)
		f.addMoments(row, truth(i))
	}
	c := make([]float64, b.columns)
	f.solve(c)
	for i := 1; i < p.Paths; i += 2 {
		if x := p.State(0, 0)[i] - 1000; math.Abs(x) < 3.5 && math.Abs(dot(c, of(i))-truth(i)) > 1e-5 {
			t.Fatalf("at %v the regression says %v, want %v", x, dot(c, row), truth(i))
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range [][4]int{{0, 10, 1, 1}, {1, 1, 1, 1}, {1, 10, 0, 1}, {1, 10, 1, 0}, {1, 10, 1, MaxStates + 1}} {
		if _, err := NewProblem(c[0], c[1], c[2], c[3]); err == nil {
			t.Errorf("%v", c)
		}
	}
	for name, spoil := range map[string]func(p *Problem){
		"state":    func(p *Problem) { p.State(1, 0)[3] = math.NaN() },
		"exercise": func(p *Problem) { p.Exercise(1, 0)[3] = math.Inf(1) },
		"stay":     func(p *Problem) { p.Stay(1)[3] = math.NaN() },
		"last":     func(p *Problem) { p.Last()[3] = math.NaN() },
	} {
		p := noise(t, 1, 2, 100, 2, 1)
		spoil(p)
		if r, err := Solve(p); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestRepeats: the same problem, the same bits.
func TestRepeats(t *testing.T) {
	a, b := solved(t, noise(t, 3, 5, 1000, 3, 2)), solved(t, noise(t, 3, 5, 1000, 3, 2))
	for _, r := range []*Result{a, b} {
		for d := range r.Dates {
			if r.Dates[d].Boundary != r.Dates[d].Boundary {
				r.Dates[d].Boundary = -99
			}
		}
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	const golden = "bf90430c66198e13 3fcc36b3babfd230"
	if got := fmt.Sprintf("%016x %016x", math.Float64bits(a.Value), math.Float64bits(a.Dates[2].Median[0])); got != golden {
		t.Errorf("the value's bits are %s, want %s", got, golden)
	}
}

// BenchmarkHall is of one hall's size.
func BenchmarkHall(b *testing.B) {
	p := noise(b, 1, 24, 10_000, 5, 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Solve(p); err != nil {
			b.Fatal(err)
		}
	}
}
