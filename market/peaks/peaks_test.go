package peaks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/sitefile"
	"switchyard/unit"
)

// madeUp is a grid of its own: a year's swing, a day's bump, weekends, weather that lasts days.
func madeUp(days int, interval time.Duration, seed uint64) []Load {
	r := rand.New(rand.NewPCG(seed, 1))
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	weather := 0.0
	var out []Load
	for d := range days {
		weather = 0.8*weather + 0.03*r.NormFloat64()
		top := 16 + 0.7*r.NormFloat64()
		season := 0.12 * math.Sin(2*math.Pi*(float64(d)-110)/365)
		if w := begin.AddDate(0, 0, d).Weekday(); w == time.Saturday || w == time.Sunday {
			season -= 0.04
		}
		for i := range int(24 * time.Hour / interval) {
			h := float64(i) * interval.Hours()
			v := math.Exp(season + weather + 0.25*math.Exp(-(h-top)*(h-top)/18) + 0.001*r.NormFloat64())
			out = append(out, Load{begin.AddDate(0, 0, d).Add(time.Duration(i) * interval), unit.Power(50_000e9 * v)})
		}
	}
	return out
}

func TestFind(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2024, 6, day, hour, 0, 0, 0, time.UTC) }
	loads := []Load{
		{at(1, 15), 10},
		{at(1, 16), 12},
		{at(1, 17), 12},
		{at(2, 15), 11},
		{at(3, 1), 9},
		{at(3, 2), 0},
		{time.Date(2024, 5, 31, 23, 0, 0, 0, time.UTC), 50}, // the last of May in UTC, and in Chicago too
		{time.Date(2024, 7, 1, 3, 0, 0, 0, time.UTC), 11},   // still June in Chicago
	}
	chicago := chicago(t)
	for _, c := range []struct {
		rule Rule
		want []time.Time
	}{
		{Rule{Months: []time.Month{6}}, []time.Time{at(1, 16)}},
		{Rule{Months: []time.Month{6}, Count: 2}, []time.Time{at(1, 16), at(2, 15)}}, // a day has one
		{Rule{Months: []time.Month{6}, Count: 9, Zone: chicago}, []time.Time{at(1, 16), at(2, 15), at(31, 3)}},
		{Rule{Months: []time.Month{6}, Interval: 4 * time.Hour}, []time.Time{at(1, 16)}}, // the mean of 16 and 17 h
		{Rule{Months: []time.Month{8}}, nil},
	} {
		if diff := cmp.Diff(c.want, Find(loads, c.rule)); diff != "" {
			t.Errorf("%+v: (-want +got)\n%s", c.rule, diff)
		}
	}
	if got := len(Find(loads, Rule{})); got != 3 {
		t.Errorf("every month counts: %d peaks, want one in each of three", got)
	}
}

func TestRuleAndRate(t *testing.T) {
	c := sitefile.CoincidentCharge{Rate: unit.DollarsPerKWMonth(5), Months: []int{6, 7, 8, 9}, Count: 1, Interval: time.Hour}
	if got := Rate(c).DollarsPerKWMonth(); got != 15 {
		t.Errorf("a peak costs %v $/kW, want 60/4", got)
	}
	if got := Adder(Rate(c), 0.005, time.Hour); got != 75*unit.DollarPerMWh {
		t.Errorf("adder %v", got)
	}
	if got := Adder(Rate(c), 0.005, 15*time.Minute); got != 300*unit.DollarPerMWh {
		t.Errorf("a peak of a quarter weighs four times as much per MWh: %v", got)
	}
	if Adder(Rate(c), 1, 0) != 0 {
		t.Error("a step without length has no adder")
	}
	r := RuleOf(c, chicago(t))
	if len(r.Months) != 4 || r.Months[0] != time.June || r.Interval != time.Hour || r.normal().Lag != time.Hour {
		t.Errorf("rule %+v", r)
	}
	if got := (Rule{Lag: -1}).normal().Lag; got != 0 {
		t.Errorf("a negative lag is none: %v", got)
	}
}

// The chances of a month's intervals, each asked at its start, add up to about its peaks, and
// where they are low peaks are as rare as they say.
func TestChancesAreCalibrated(t *testing.T) {
	for _, c := range []struct{ count, seeds int }{{1, 2}, {2, 1}} {
		var sum, low, lowSum float64
		peaks, lowPeaks := 0, 0
		for seed := range c.seeds {
			loads := madeUp(2*365, time.Hour, uint64(seed))
			rule := Rule{Count: c.count, Interval: time.Hour}
			truth := map[time.Time]bool{}
			for _, at := range Find(loads, rule) {
				truth[at] = true
			}
			m := New(rule)
			m.Observe(loads...)
			for i, l := range loads {
				p := m.Chance(l.Start, l.Start)
				if p < 0 || p > 1 || math.IsNaN(p) {
					t.Fatalf("%v: a chance of %v", l.Start, p)
				}
				if i < 60*24 {
					continue // it learns
				}
				sum += p
				if truth[l.Start] {
					peaks++
				}
				if p < 0.01 {
					low, lowSum = low+1, lowSum+p
					if truth[l.Start] {
						lowPeaks++
					}
				}
			}
		}
		t.Logf("count %d: %d peaks, expected %.1f; of %.0f intervals below 1 %%: %d peaks, expected %.1f", c.count, peaks, sum, low, lowPeaks, lowSum)
		if r := sum / float64(peaks); r < 0.75 || r > 1.35 {
			t.Errorf("count %d: chances add up to %.1f of %d peaks", c.count, sum, peaks)
		}
		if d := float64(lowPeaks) - lowSum; math.Abs(d) > 3*math.Sqrt(lowSum)+1 {
			t.Errorf("count %d: %d peaks where %.1f were expected below 1 %%", c.count, lowPeaks, lowSum)
		}
	}
}

// What is known later changes nothing: a model that is given loads only once they are
// published says the same.
func TestNothingOfTheFutureIsKnown(t *testing.T) {
	loads := madeUp(75, time.Hour, 5)
	rapid.Check(t, func(t *rapid.T) {
		cut := rapid.IntRange(1, len(loads)-1).Draw(t, "cut")
		rule := Rule{Interval: time.Hour, Lag: time.Duration(rapid.IntRange(-1, 5).Draw(t, "lag")) * time.Hour}
		now := loads[cut].Start
		all, some := New(rule), New(rule)
		all.Observe(loads...)
		lag := rule.normal().Lag
		for _, l := range loads {
			if l.Start.Add(time.Hour + lag).After(now) {
				break
			}
			some.Observe(l)
		}
		for h := range 40 {
			at := now.Add(time.Duration(h) * time.Hour)
			if a, b := all.Chance(now, at), some.Chance(now, at); a != b {
				t.Fatalf("now %v at %v: %v with the future at hand, %v without", now, at, a, b)
			}
		}
	})
}

func TestChancesOfADay(t *testing.T) {
	loads := madeUp(200, 15*time.Minute, 9)
	rule := Rule{Interval: 15 * time.Minute, Months: []time.Month{6, 7}}
	m := New(rule)
	if p := m.Chance(loads[0].Start, time.Date(2020, 6, 5, 16, 0, 0, 0, time.UTC)); math.Abs(p-1.0/30/96) > 1e-12 {
		t.Errorf("who knows nothing spreads the month's peak evenly: %v", p)
	}
	m.Observe(loads...)
	day0 := Find(loads, rule)[0].Truncate(24 * time.Hour) // a day that may be the month's highest
	at := func(h int) time.Time { return day0.Add(time.Duration(h) * time.Hour) }
	now := at(10)
	night, top := m.Chance(now, at(23)), m.Chance(now, at(16))
	if night >= top || top == 0 {
		t.Errorf("the night's %v is not below the afternoon's %v", night, top)
	}
	if p := m.Chance(now, at(8)); p != 0 {
		t.Errorf("what is over has a chance of %v", p)
	}
	if p := m.Chance(now, day0.AddDate(0, 2, 0)); p != 0 {
		t.Errorf("August has no peaks in this rule: %v", p)
	}
	day := 0.0
	for i := range 96 {
		day += m.Chance(now, now.Truncate(24*time.Hour).AddDate(0, 0, 1).Add(time.Duration(i)*15*time.Minute))
	}
	if day <= 0 || day > 1 {
		t.Errorf("tomorrow's chances add up to %v", day)
	}
	want := (m.Chance(now, at(16)) + m.Chance(now, at(16).Add(15*time.Minute))) / 3
	if got := m.Expected(now, at(16).Add(10*time.Minute), at(16).Add(20*time.Minute)); math.Abs(got-want) > 1e-12 {
		t.Errorf("a span takes each interval by its share: %v, want %v", got, want)
	}
	// Days with gaps, a day that repeats and a load that is out of order.
	m.Observe(Load{now, 1}, Load{loads[len(loads)-1].Start.AddDate(0, 0, 3), 0}, Load{loads[len(loads)-1].Start.AddDate(0, 0, 4), unit.Power(60_000e9)})
	late := loads[len(loads)-1].Start.AddDate(0, 0, 5)
	if p := m.Chance(late, late.Add(time.Hour)); math.IsNaN(p) || p < 0 || p > 1 {
		t.Errorf("after gaps %v", p)
	}
	// A load that nobody has told for days is no load that is low: chances go on.
	lost := New(Rule{Interval: 15 * time.Minute})
	lost.Observe(loads...)
	for days := range 12 {
		sum := 0.0
		noon := loads[len(loads)-1].Start.AddDate(0, 0, days).Truncate(24 * time.Hour).Add(12 * time.Hour)
		for i := range 48 {
			sum += lost.Chance(noon, noon.Add(time.Duration(i)*15*time.Minute))
		}
		if days > 0 && (sum <= 0 || sum > 1) {
			t.Errorf("%d days after the last load the chances of an afternoon add up to %v", days, sum)
		}
	}
}

// How many hours at rest catch the peaks of real summers: a peak costs 15 $/kW and an hour's
// mining is worth about 70 $/MWh, so that resting pays from a chance of 70/15,000 on.
func TestERCOT(t *testing.T) {
	loads := ercot(t)
	for _, lag := range []time.Duration{-1, time.Hour} {
		rule := Rule{Interval: time.Hour, Zone: chicago(t), Months: []time.Month{6, 7, 8, 9}, Lag: lag}
		peaks := map[time.Time]bool{}
		for _, at := range Find(loads, rule) {
			peaks[at] = true
		}
		if len(peaks) != 7 {
			t.Fatalf("%d peaks in July to September 2023 and June to September 2024", len(peaks))
		}
		m := New(rule)
		m.Observe(loads...)
		type summer struct {
			hours, caught int
			sum           float64
		}
		years := map[int]*summer{2023: {}, 2024: {}}
		var lines string
		for _, l := range loads {
			p := m.Chance(l.Start, l.Start)
			s := years[l.Start.In(rule.Zone).Year()]
			s.sum += p
			if p > 70.0/15_000 {
				s.hours++
				if peaks[l.Start] {
					s.caught++
				}
			}
			if peaks[l.Start] {
				lines += fmt.Sprintf("\n  %s: %.2f %%", l.Start.In(rule.Zone).Format("2006-01-02 15:04"), 100*p)
			}
		}
		for y, s := range years {
			t.Logf("lag %v, %d: %d hours at rest catch %d peaks; chances add up to %.2f", m.Rule().Lag, y, s.hours, s.caught, s.sum)
		}
		t.Logf("chance at the start of each peak:%s", lines)
		if a, b := years[2023], years[2024]; a.caught != 3 || b.caught != 4 || a.hours > 110 || b.hours > 200 {
			t.Errorf("lag %v: caught %d of 3 in %d hours and %d of 4 in %d", lag, a.caught, a.hours, b.caught, b.hours)
		}
	}
}

func BenchmarkHourOfJuly(b *testing.B) {
	loads := madeUp(250, time.Hour, 1)
	m := New(Rule{Interval: time.Hour})
	m.Observe(loads...)
	now := loads[200*24].Start
	m.Chance(now, now)
	b.ResetTimer()
	for i := range b.N {
		if i%(40*24) == 0 {
			m = New(Rule{Interval: time.Hour})
			m.Observe(loads...)
			m.Chance(now, now)
		}
		at := now.Add(time.Duration(i%(40*24)) * time.Hour)
		for h := range 36 {
			m.Chance(at, at.Add(time.Duration(h)*time.Hour))
		}
	}
}
