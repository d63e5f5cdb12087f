package study

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world"
	"switchyard/unit"
)

// sample is the study of the manual: 100 MW in four halls, twelve years, five options a hall.
func sample(t testing.TB) *input.File {
	t.Helper()
	f, faults := input.Parse("example.yaml", input.Sample(), nil)
	if f == nil {
		t.Fatal(faults)
	}
	return f
}

func figureOf[T any](v T) *figure.Figure[T] { return figure.Of(v, figure.Assumption, "test") }

func pct(v float64) input.Ratio { return figureOf(unit.Ratio(v / 100)) }

// hourly are a year's hours of prices, by month and ascending: noon below zero in spring, dear evenings in summer.
func hourly() (out [12][]float64) {
	r := rand.New(rand.NewPCG(2024, 1))
	for m := range out {
		for h := range 730 {
			day, year := 2*math.Pi*float64(h%24)/24, 2*math.Pi*float64(m)/12
			x := 32 + 14*math.Sin(day+2.4) - 8*math.Cos(2*day) - 6*math.Cos(year) + 9*r.NormFloat64()
			if r.Float64() < 0.02 {
				x += 150 * r.ExpFloat64()
			}
			out[m] = append(out[m], math.Round(100*x)/100) // cents, whatever the processor's sines
		}
		slices.Sort(out[m])
	}
	return out
}

// rough is the sample with all that it leaves out: hourly prices that fall below zero, power that may not come,
// fleets with modes that are renewed, a tenant that pays for building, blocks to take or pay, exits.
func rough(t testing.TB) *input.File {
	f := sample(t)
	take, month := false, func(n int) figure.Month { return f.Start + figure.Month(n) }
	f.Power.Flat, f.Curve = nil, hourly()
	f.Power.SpikeHours.Is = 20.5
	f.Power.Blocks = append(f.Power.Blocks, input.Block{
		Power: figureOf(30 * unit.Megawatt), Price: figureOf(unit.DollarsPerMWh(29)), From: month(9), Until: month(100), Resale: &take,
	})
	f.Site.Status, f.Site.Energised, f.Site.Chance = "approved", month(30), pct(80)
	f.Site.PUEByMonth = []float64{1.18, 1.18, 1.2, 1.22, 1.26, 1.3, 1.33, 1.33, 1.29, 1.24, 1.2, 1.18}
	f.Bitcoin.Forward = []input.ForwardPoint{{Month: month(11), Price: 95_000}, {Month: month(40), Price: 80_000}}
	f.Bitcoin.PowerCorrelation = figureOf(0.4)
	north, east := &f.Halls[0].Fleet[0], &f.Halls[1].Fleet[0]
	north.Curve = []input.Mode{{Hash: 120 * unit.TeraHash, Power: 1800 * unit.Watt}, {Hash: 170 * unit.TeraHash, Power: 2800 * unit.Watt}}
	north.Renew = &input.Renewal{Every: 40, Efficiency: figureOf(unit.Efficiency(13.5)), Price: figureOf(figure.PerTH(16))}
	f.Halls[1].Fleet = append(f.Halls[1].Fleet, *east)
	f.Halls[1].Fleet[1].Count, f.Halls[1].Fleet[1].Power, f.Halls[1].Fleet[1].Decay = 700, east.Power*9/10, pct(20)
	f.Halls[3].Fleet = nil
	l := &f.Leases[0]
	l.Kind, l.TenantCapex, l.Interest, l.Warrants, l.Exit = "net", pct(30), pct(6), figureOf(figure.Dollars(5e6)), figureOf(4.0)
	l.Term, l.Default = figureOf(figure.Months(50)), []unit.Ratio{0.05, 0.1, 0.08}
	l.Extensions = []input.Extension{{Term: 24, Chance: 0.7}, {Term: 18, Chance: 0.7}}
	f.Greenfields[0].Exit = figureOf(3.0)
	f.Clouds[0].Renew, f.Clouds[0].GPUs = true, 9000
	f.Financings[0].Draw = []float64{0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05}
	return f
}

// studies are those that are reckoned twice.
func studies(t testing.TB) map[string]*input.File {
	return map[string]*input.File{"sample": sample(t), "rough": rough(t)}
}

// sameTo tells whether two sums of dollars agree to a dollar, or to 1e-9 of either.
func sameTo(a, b float64) bool {
	return math.Abs(a-b) <= math.Max(1, 1e-9*math.Max(math.Abs(a), math.Abs(b)))
}

// TestExpectedAsPlain holds every option of every hall in every month that the engine tries, in the expected
// case, against the plain reckoning: to a dollar.
func TestExpectedAsPlain(t *testing.T) {
	for name, f := range studies(t) {
		e, err := newEngine(f)
		if err != nil {
			t.Fatal(err)
		}
		s, w := newPlain(e.f), e.worker()
		p := s.expected()
		w.expected()
		for h := range e.cands {
			mined := s.mining(h, p)
			for _, c := range e.cands[h] {
				got, want := w.value(c), s.value(e.option(c), h, c.month, p, mined)
				if !sameTo(got, want) {
					t.Errorf("%s: %s of hall %s is worth %.2f, and %.2f by the plain reckoning", name, e.title(c), f.Halls[h].ID, got, want)
				}
			}
		}
	}
}

// told is a path of the engine's as the plain reckoning has it.
func told(p *world.Path) *plainPath {
	return &plainPath{
		price: p.Price, hashprice: p.Hashprice, level: p.Level, spike: p.Spike, gpu: p.GPU, cost: p.Cost, delay: p.Delay, fails: p.Failure,
		stays: p.Extend, grid: p.Energised, capex: p.CapexFactor, rent: p.RentFactor, longer: p.Longer, failsAt: p.FailsAt, certain: p.Fixed,
	}
}

// TestPathsAsPlain does so on random futures, which are the same for both.
func TestPathsAsPlain(t *testing.T) {
	for name, f := range studies(t) {
		e, err := newEngine(f)
		if err != nil {
			t.Fatal(err)
		}
		s, w := newPlain(e.f), e.worker()
		for i := range 60 {
			e.model.Draw(7, i, w.path)
			w.mine()
			p := told(w.path)
			for h := range e.cands {
				mined := s.mining(h, p)
				for k := i % 5; k < len(e.cands[h]); k += 5 {
					c := e.cands[h][k]
					got, want := w.value(c), s.value(e.option(c), h, c.month, p, mined)
					if !sameTo(got, want) {
						t.Fatalf("%s, path %d: %s of hall %s is worth %.2f, and %.2f by the plain reckoning", name, i, e.title(c), f.Halls[h].ID, got, want)
					}
				}
			}
		}
	}
}

// plainly values a report's options on futures of the plain reckoning's own, as many as told.
func (s *plain) plainly(r *Report, n int, seed uint64) [][]float64 {
	chance, perPH := rand.New(rand.NewPCG(seed, 3)), s.perPH()
	out := make([][]float64, len(r.Options))
	for range n {
		p := s.draw(chance, perPH)
		mined := make([][]plainMonth, len(s.f.Halls))
		for h := range mined {
			mined[h] = s.mining(h, p)
		}
		for i := range r.Options {
			o := &r.Options[i]
			h := slices.IndexFunc(s.f.Halls, func(h input.Hall) bool { return h.ID == o.Hall })
			m := 0
			for (s.f.Start + figure.Month(m)).String() != o.Start {
				m++
			}
			out[i] = append(out[i], s.value(s.f.Option(o.Name), h, m, p, mined[h]))
		}
	}
	return out
}

// TestMeansAsPlain holds a whole report against the plain reckoning on other random futures: the mean of every
// option of every hall lies within four standard errors, and so does the share of the plain futures below
// the report's P10, P50 and P90.
func TestMeansAsPlain(t *testing.T) {
	for name, f := range studies(t) {
		n := 400
		r, err := Run(context.Background(), f, Options{Paths: &n})
		if err != nil {
			t.Fatal(err)
		}
		values := newPlain(Complete(f)).plainly(r, n, 11)
		worst := 0.0
		for i, v := range values {
			o, own := &r.Options[i], distOf(v)
			apart := math.Abs(o.NPV.Mean-own.Mean) / math.Hypot(o.NPV.Error, own.Error)
			worst = math.Max(worst, apart)
			if !(apart <= 4) {
				t.Errorf("%s: %s of hall %s is worth %.0f on average, and %.0f by the plain reckoning: %.1f standard errors apart", name, o.Title, o.Hall, o.NPV.Mean, own.Mean, apart)
			}
			for _, q := range []struct{ of, at float64 }{{0.1, o.NPV.P10}, {0.5, o.NPV.P50}, {0.9, o.NPV.P90}} {
				below := 0
				for _, x := range v {
					if x < q.at {
						below++
					}
				}
				got := float64(below) / float64(n)
				if math.Abs(got-q.of) > 4*math.Sqrt(q.of*(1-q.of)*2/float64(n)) {
					t.Errorf("%s: %s of hall %s: %.3f of the plain reckoning's futures lie below the report's quantile %.1f", name, o.Title, o.Hall, got, q.of)
				}
			}
		}
		t.Logf("%s: %d options, at most %.2f standard errors apart", name, len(values), worst)
	}
}
