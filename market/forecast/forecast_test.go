package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func begin() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

func hourly(t testing.TB) *Forecaster {
	t.Helper()
	f, err := New(Options{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// shape is a day's price with an evening peak.
func shape(at time.Time) float64 { return 40 + 25*math.Sin(2*math.Pi*float64(at.Hour()-13)/24) }

func TestNewRefusesAnIntervalThatDividesNoHour(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Hour, 7 * time.Minute, 2 * time.Hour} {
		if _, err := New(Options{Interval: d}); err == nil {
			t.Errorf("%v was taken", d)
		}
	}
}

func TestNothingIsKnownBeforeTheFirstPrice(t *testing.T) {
	f := hourly(t)
	if _, ok := f.Expect(begin(), begin().Add(time.Hour)); ok {
		t.Error("a forecast of nothing")
	}
	f.Observe(begin(), math.NaN())
	if _, ok := f.Quantiles(begin().Add(time.Hour)); ok {
		t.Error("no number taught something")
	}
	f.Observe(begin(), 30)
	if _, ok := f.Expect(begin(), begin().Add(time.Hour)); ok {
		t.Error("a forecast of what was observed")
	}
	if p, ok := f.Expect(begin().Add(time.Hour), begin().Add(2*time.Hour)); !ok || math.Abs(p-30) > 3 {
		t.Errorf("after one price of 30: %.2f, %v", p, ok)
	}
}

func TestLearnsTheShapeOfTheDay(t *testing.T) {
	for _, interval := range []time.Duration{time.Hour, 15 * time.Minute, 5 * time.Minute} {
		f, err := New(Options{Interval: interval})
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		now := begin()
		for ; now.Before(begin().AddDate(0, 0, 30)); now = now.Add(interval) {
			f.Observe(now, shape(now)+rng.NormFloat64())
		}
		for lead := range 30 {
			at := now.Add(time.Duration(lead) * time.Hour)
			p, ok := f.Expect(at, at.Add(time.Hour))
			if want := shape(at); !ok || math.Abs(p-want) > 6 {
				t.Errorf("%v, %d h ahead: %.1f, want about %.1f", interval, lead, p, want)
			}
		}
	}
}

// TestFollowsTheDayAheadPrice: where real-time wanders around the day-ahead price, that is
// what is expected of tomorrow.
func TestFollowsTheDayAheadPrice(t *testing.T) {
	f := hourly(t)
	rng := rand.New(rand.NewPCG(3, 4))
	ahead := func(at time.Time) float64 {
		return shape(at) * (1 + 0.5*math.Sin(float64(at.YearDay())*1.7))
	}
	now := begin()
	for ; now.Before(begin().AddDate(0, 0, 40)); now = now.Add(time.Hour) {
		f.DayAhead(now, ahead(now))
		f.Observe(now, ahead(now)*(1+0.1*rng.NormFloat64()))
	}
	for lead := range 24 {
		at := now.Add(time.Duration(lead) * time.Hour)
		f.DayAhead(at, ahead(at))
	}
	for lead := 6; lead < 24; lead++ {
		at := now.Add(time.Duration(lead) * time.Hour)
		if p, _ := f.Expect(at, at.Add(time.Hour)); math.Abs(p/ahead(at)-1) > 0.2 {
			t.Errorf("%d h ahead: %.1f, day-ahead %.1f", lead, p, ahead(at))
		}
	}
}

// TestADeviationFades: after a jump the coming hour is expected high, and the days after it
// as usual.
func TestADeviationFades(t *testing.T) {
	f := hourly(t)
	rng := rand.New(rand.NewPCG(5, 6))
	now, dev := begin(), 0.0
	for ; now.Before(begin().AddDate(0, 0, 60)); now = now.Add(time.Hour) {
		dev = 0.8*dev + 0.15*rng.NormFloat64()
		f.Observe(now, 40*math.Exp(dev))
	}
	f.Observe(now, 160)
	now = now.Add(time.Hour)
	expect := func(h int) float64 {
		p, _ := f.Expect(now.Add(time.Duration(h)*time.Hour), now.Add(time.Duration(h+1)*time.Hour))
		return p
	}
	if a, b, c := expect(0), expect(4), expect(30); a < 80 || b > a || c > b || c > 55 {
		t.Errorf("after a jump from 40 to 160: %.0f, four hours on %.0f, the day after %.0f", a, b, c)
	}
}

// TestQuantilesAreMet: the bands hold as much of what comes as they say.
func TestQuantilesAreMet(t *testing.T) {
	for _, lead := range []int{1, 12} {
		f := hourly(t)
		rng := rand.New(rand.NewPCG(7, 8))
		said := map[time.Time][3]float64{}
		var below [3]int
		n := 0
		for now := begin(); now.Before(begin().AddDate(1, 0, 0)); now = now.Add(time.Hour) {
			price := shape(now) * math.Exp(0.3*rng.NormFloat64())
			if q, ok := said[now]; ok && now.After(begin().AddDate(0, 2, 0)) {
				n++
				for k := range q {
					if price < q[k] {
						below[k]++
					}
				}
			}
			f.Observe(now, price)
			at := now.Add(time.Duration(lead) * time.Hour)
			if q, ok := f.Quantiles(at); ok {
				said[at] = q
			}
		}
		for k, want := range []float64{0.1, 0.5, 0.9} {
			if got := float64(below[k]) / float64(n); math.Abs(got-want) > 0.04 {
				t.Errorf("%d h ahead: %.1f %% stay below the %.0f %% quantile", lead, 100*got, 100*want)
			}
		}
	}
}

// TestWhatIsSaidRestsOnWhatWasKnown: two futures make no difference to what was said before,
// and the same past gives the same forecast to the last bit.
func TestWhatIsSaidRestsOnWhatWasKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prices := rapid.SliceOfN(rapid.Float64Range(-200, 5000), 2, 80).Draw(t, "prices")
		cut := rapid.IntRange(1, len(prices)-1).Draw(t, "known")
		var said [2]float64
		for k := range said {
			f := hourly(t2(t))
			for i, p := range prices[:cut] {
				f.Observe(begin().Add(time.Duration(i)*time.Hour), p)
			}
			at := begin().Add(time.Duration(cut) * time.Hour)
			said[k], _ = f.Expect(at, at.Add(time.Hour))
			if k == 0 {
				for i, p := range prices[cut:] {
					f.Observe(at.Add(time.Duration(i)*time.Hour), p)
				}
			}
			if !finite(said[k]) || math.Abs(said[k]) > 1e5 {
				t.Fatalf("forecast %v", said[k])
			}
		}
		if said[0] != said[1] {
			t.Fatalf("%v and %v from the same past", said[0], said[1])
		}
	})
}

// t2 lets a helper that wants testing.TB be used from a property.
func t2(t *rapid.T) testing.TB { return wrap{t: t} }

type wrap struct {
	testing.TB
	t *rapid.T
}

func (w wrap) Helper()           {}
func (w wrap) Fatal(args ...any) { w.t.Fatal(args...) }

func TestGapsAndRepeatsAreBorne(t *testing.T) {
	f := hourly(t)
	for i := range 24 * 20 {
		at := begin().Add(time.Duration(i) * time.Hour)
		if i%7 == 3 || i > 200 && i < 260 {
			continue
		}
		f.Observe(at, shape(at))
		f.Observe(at, 9e9) // once more, and absurd: the first one counts
		f.Observe(at.Add(-5*time.Hour), 9e9)
	}
	at := begin().AddDate(0, 0, 20)
	if p, ok := f.Expect(at, at.Add(time.Hour)); !ok || math.Abs(p-shape(at)) > 8 {
		t.Errorf("%.1f, want about %.1f", p, shape(at))
	}
	if _, ok := f.Expect(at, at.AddDate(0, 3, 0)); ok {
		t.Error("three months ahead")
	}
}

func BenchmarkYearOf5Minutes(b *testing.B) {
	for range b.N {
		f, _ := New(Options{Interval: 5 * time.Minute})
		f.Interest(60)
		for i := range 365 * 288 {
			at := begin().Add(time.Duration(i) * 5 * time.Minute)
			f.Observe(at, shape(at)+float64(i%7))
		}
	}
}
