package outlook

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/unit"
)

// tenant is a made-up tenant: office hours draw more, jobs last for hours, and it jitters.
type tenant struct {
	r   *rand.Rand
	job float64
}

func (a *tenant) draw(at time.Time) unit.Power {
	kw := 900.0
	if w := at.Weekday(); w != time.Saturday && w != time.Sunday && at.Hour() >= 8 && at.Hour() < 18 {
		kw += 400
	}
	if a.r.Float64() < 5.0/60/6 { // a new job every six hours
		a.job = 400 * a.r.Float64()
	}
	return unit.Watts(1000 * (kw + a.job + 10*a.r.NormFloat64()))
}

// The mean of what comes is what was expected, and the bound is passed in about one hour of
// twenty, whether the hour is near or far.
func TestProfileIsCalibrated(t *testing.T) {
	begin := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	a := &tenant{r: rand.New(rand.NewPCG(3, 3))}
	const weeks, every = 12, 5 * time.Minute
	n := int(weeks * 7 * 24 * time.Hour / every)
	draws := make([]unit.Power, n)
	for i := range draws {
		draws[i] = a.draw(begin.Add(time.Duration(i) * every))
	}
	p := NewProfile(time.UTC)
	type sum struct{ off, usual, above, n float64 }
	leads := []int{0, 1, 3, 8, 24}
	got := make([]sum, len(leads))
	for i, d := range draws {
		at := begin.Add(time.Duration(i) * every)
		p.Observe(at, d)
		if i%12 != 7 || i < n/2 {
			continue
		}
		for k, lead := range leads {
			from := i + lead*12
			if from+12 > n {
				continue
			}
			mean, most := p.Expect(at, d, at.Add(time.Duration(lead)*time.Hour), at.Add(time.Duration(lead+1)*time.Hour))
			real, high := 0.0, 0.0
			for _, x := range draws[from : from+12] {
				real += x.Watts() / 12
				high = max(high, x.Watts())
			}
			got[k].off += math.Abs(mean.Watts()-real) / 1000
			got[k].usual += math.Abs(d.Watts()-real) / 1000
			if high > most.Watts() {
				got[k].above++
			}
			got[k].n++
		}
	}
	for k, g := range got {
		t.Logf("%2d h ahead: %.0f kW off in the mean (%.0f by the draw now), bound passed in %.1f %% of hours", leads[k], g.off/g.n, g.usual/g.n, 100*g.above/g.n)
		if s := g.above / g.n; s > 0.10 || s < 0.002 {
			t.Errorf("%d h ahead the bound is passed in %.1f %% of hours", leads[k], 100*s)
		}
	}
	if far := got[3]; far.off > 0.85*far.usual {
		t.Errorf("8 h ahead the profile is off by %.0f kW, the draw now by %.0f", far.off/far.n, far.usual/far.n)
	}
	if near := got[0]; near.off > 1.3*near.usual {
		t.Errorf("within the hour the profile is off by %.0f kW, the draw now by %.0f", near.off/near.n, near.usual/near.n)
	}
}

func TestProfileBegins(t *testing.T) {
	p := NewProfile(nil)
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	mean, most := p.Expect(at, unit.Megawatt, at, at.Add(time.Hour))
	if mean != unit.Megawatt || most < 1000*unit.Megawatt || p.Ready() {
		t.Errorf("who was never seen may draw anything: %v, %v", mean, most)
	}
	for i := range 26 * 12 {
		p.Observe(at.Add(time.Duration(i)*5*time.Minute), unit.Megawatt)
	}
	if !p.Ready() {
		t.Error("a day was seen")
	}
	now := at.Add(26 * time.Hour)
	if mean, most := p.Expect(now, unit.Megawatt, now, now.Add(time.Hour)); mean != unit.Megawatt || most != unit.Megawatt {
		t.Errorf("an even draw stays: %v, %v", mean, most)
	}
	// A gap of a day is no hour of anything, and an older reading is no reading.
	seen := p.seen
	p.Observe(now.Add(24*time.Hour), 0)
	p.Observe(now, 5*unit.Megawatt)
	p.Observe(now.Add(26*time.Hour), 0)
	if p.seen > seen+1 || p.hour.Newest != 0 {
		t.Errorf("%d hours from one reading; newest %v", p.seen-seen, p.hour.Newest)
	}
}

// Whatever the readings, what is expected is a power, the bound is not below it, and it all
// comes back from a restart.
func TestProfileHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := NewProfile(time.UTC)
		at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
		draw := unit.Power(0)
		for range rapid.IntRange(0, 400).Draw(t, "readings") {
			at = at.Add(time.Duration(rapid.IntRange(-5, 90).Draw(t, "minutes")) * time.Minute)
			draw = unit.Power(rapid.Int64Range(-1, 3).Draw(t, "MW")) * unit.Megawatt
			p.Observe(at, draw)
		}
		from := at.Add(time.Duration(rapid.IntRange(0, 48).Draw(t, "ahead")) * time.Hour)
		mean, most := p.Expect(at, draw, from, from.Add(time.Hour))
		if p.Ready() && (mean < 0 || mean > 6*unit.Megawatt) || most < mean && draw >= 0 {
			t.Fatalf("expected %v, at most %v", mean, most)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		back := NewProfile(time.UTC)
		if err := json.Unmarshal(b, back); err != nil {
			t.Fatal(err)
		}
		m2, h2 := back.Expect(at, draw, from, from.Add(time.Hour))
		if diff := cmp.Diff([2]unit.Power{mean, most}, [2]unit.Power{m2, h2}); diff != "" {
			t.Fatalf("after a restart (-before +after):\n%s", diff)
		}
	})
	for _, bad := range []string{`{`, `{"version":2}`, `{"version":1,"weeks":[]}`} {
		if err := json.Unmarshal([]byte(bad), NewProfile(nil)); err == nil {
			t.Errorf("%s was taken for a profile", bad)
		}
	}
}
