package dispatch

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/unit"
)

var t0 = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

// watch feeds a draw, a function of the time since t0, for a while.
func watch(h *Headroom, from, to, every time.Duration, draw func(time.Duration) unit.Power) {
	for d := from; d < to; d += every {
		h.Observe(t0.Add(d), draw(d))
	}
}

func TestReserve(t *testing.T) {
	const firm = 1800 * kW
	calm := func(time.Duration) unit.Power { return 900 * kW }
	// jumps rises by 200 kW within one reading, once a day.
	jumps := func(d time.Duration) unit.Power {
		if d%(24*time.Hour) < time.Hour {
			return 1100 * kW
		}
		return 900 * kW
	}
	// ramps rises by 600 kW over a minute each six hours.
	ramps := func(d time.Duration) unit.Power {
		in := d % (6 * time.Hour)
		if in > 5*time.Hour {
			return 900 * kW
		}
		return 900*kW + unit.Power(min(in, time.Minute)*600/time.Minute)*kW
	}
	cases := []struct {
		name    string
		days    int
		draw    func(time.Duration) unit.Power
		now     site.Opt[unit.Power]
		horizon time.Duration
		want    unit.Power
	}{
		{"declared ramp at first", 0, calm, site.Some(900 * kW), 20 * time.Second, 1000 * kW},
		{"never above the contract", 0, calm, site.Some(1750 * kW), 20 * time.Second, firm},
		{"a draw above the contract", 0, calm, site.Some(1900 * kW), 20 * time.Second, 1900 * kW},
		{"unknown is the contract", 2, calm, site.Opt[unit.Power]{}, 20 * time.Second, firm},
		{"calm for a day: the floor", 2, calm, site.Some(900 * kW), 20 * time.Second, 918 * kW},
		{"a jump seen", 2, jumps, site.Some(900 * kW), 5 * time.Second, 1150 * kW},
		{"a ramp over the span of twenty seconds", 2, ramps, site.Some(900 * kW), 20 * time.Second, 1150 * kW},
		{"a ramp over the whole minute", 2, ramps, site.Some(900 * kW), 80 * time.Second, 1650 * kW},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := NewHeadroom(firm, 300*kW)
			days := time.Duration(c.days) * 24 * time.Hour
			watch(h, 0, days, 5*time.Second, c.draw)
			if got := h.Reserve(t0.Add(days), c.now, c.horizon); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestHeadroomForgetsAfterAWeek(t *testing.T) {
	h := NewHeadroom(1800*kW, 300*kW)
	draw := func(d time.Duration) unit.Power {
		if d > time.Hour && d < 2*time.Hour {
			return 1400 * kW
		}
		return 900 * kW
	}
	const day = 24 * time.Hour
	watch(h, 0, 6*day, time.Minute, draw)
	if got := h.Margin(t0.Add(6*day), time.Minute); got != 625*kW {
		t.Errorf("within the week %v, want 625 kW", got)
	}
	watch(h, 6*day, 9*day, time.Minute, draw)
	if got := h.Margin(t0.Add(9*day), time.Minute); got != 18*kW {
		t.Errorf("after the week %v, want 18 kW", got)
	}
	if len(h.slices) > sliceCount || len(h.points) > maxPoints {
		t.Errorf("%d slices, %d points", len(h.slices), len(h.points))
	}
}

func TestAGapTeachesNothing(t *testing.T) {
	h := NewHeadroom(1800*kW, 300*kW)
	watch(h, 0, time.Hour, 5*time.Second, func(time.Duration) unit.Power { return 100 * kW })
	watch(h, 3*time.Hour, 30*time.Hour, 5*time.Second, func(time.Duration) unit.Power { return 1500 * kW })
	if got := h.Margin(t0.Add(30*time.Hour), 10*time.Second); got != 18*kW {
		t.Errorf("got %v, want the floor of 18 kW", got)
	}
}

// TestReserveCoversWhatWasSeen: whatever a tenant did within the last week, the reserve
// taken before it would have covered its rise over the horizon.
func TestReserveCoversWhatWasSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHeadroom(1800*kW, 1)
		every := time.Duration(rapid.IntRange(1, 20).Draw(t, "poll")) * time.Second
		var draws []unit.Power
		for _, d := range rapid.SliceOfN(rapid.IntRange(0, 1800), 2, 60).Draw(t, "draws, kW") {
			draws = append(draws, unit.Power(d)*kW)
			h.Observe(t0.Add(every*time.Duration(len(draws))), draws[len(draws)-1])
		}
		horizon := time.Duration(rapid.IntRange(1, 300).Draw(t, "horizon")) * time.Second
		at := t0.Add(every * time.Duration(len(draws)))
		for i, d := range draws {
			for j := i + 1; j < len(draws) && every*time.Duration(j-i) <= horizon; j++ {
				if r := h.Reserve(at, site.Some(d), horizon); r < draws[j] {
					t.Fatalf("reserved %v at %v, and it rose to %v within %v", r, d, draws[j], horizon)
				}
			}
		}
	})
}

func TestHeadroomJSON(t *testing.T) {
	h := NewHeadroom(1800*kW, 300*kW)
	watch(h, 0, 30*time.Hour, 5*time.Second, func(d time.Duration) unit.Power { return unit.Power(d%(10*time.Minute)/time.Second) * kW })
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var g Headroom
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h, &g, cmp.AllowUnexported(Headroom{})); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{`{}`, `[]`, `{"version":2}`, `{"version":1,"watched_ns":-1}`} {
		if err := json.Unmarshal([]byte(bad), &g); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func FuzzHeadroom(f *testing.F) {
	f.Add([]byte(`{"version":1,"firm":"1.8 MW","ramp":"300 kW","points":[{"at":"2026-07-01T00:00:00Z","draw":"1 kW"}]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var h Headroom
		if json.Unmarshal(b, &h) != nil {
			return
		}
		h.Observe(t0, kW)
		h.Reserve(t0, site.Some(kW), time.Minute)
	})
}
