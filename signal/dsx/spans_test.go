package dsx

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/unit"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func hour(h int) time.Time {
	if h < 0 {
		return time.Time{}
	}
	return noon.Add(time.Duration(h) * time.Hour)
}

// at is the power that holds h hours after noon; -1 without a target.
func at(ts []target, h int) unit.Power {
	out := unit.Power(-1)
	for _, t := range ts {
		if t.holds(hour(h)) {
			out = t.power
		}
	}
	return out
}

func line(ts []target, hours int) (out []unit.Power) {
	for h := range hours {
		out = append(out, at(ts, h))
	}
	return out
}

func TestLay(t *testing.T) {
	mk := func(from, to, power int) target {
		return target{from: hour(from), to: hour(to), power: unit.Power(power)}
	}
	cases := []struct {
		name  string
		old   []target
		n     target
		clear bool
		want  []unit.Power
	}{
		{"the first", nil, mk(1, 3, 5), false, []unit.Power{-1, 5, 5, -1, -1, -1}},
		{"over the middle of one", []target{mk(0, 5, 5)}, mk(1, 3, 2), false, []unit.Power{5, 2, 2, 5, 5, -1}},
		{"over the edges of two", []target{mk(0, 2, 5), mk(2, 4, 6)}, mk(1, 3, 2), false, []unit.Power{5, 2, 2, 6, -1, -1}},
		{"bounded over open", []target{mk(0, -1, 5)}, mk(1, 3, 2), false, []unit.Power{5, 2, 2, 5, 5, 5}},
		{"open replaces open", []target{mk(0, -1, 5)}, mk(2, -1, 2), false, []unit.Power{5, 5, 2, 2, 2, 2}},
		{"open gives way to what is scheduled", []target{mk(2, 4, 5)}, mk(1, -1, 2), false, []unit.Power{-1, 2, 5, 5, 2, 2}},
		{"open ends before an open one that is scheduled", []target{mk(3, -1, 5)}, mk(1, -1, 2), false, []unit.Power{-1, 2, 2, 5, 5, 5}},
		{"cleared for a time", []target{mk(0, 5, 5)}, mk(1, 3, 0), true, []unit.Power{5, -1, -1, 5, 5, -1}},
		{"cleared from now on, what is scheduled stays", []target{mk(0, 2, 5), mk(3, 4, 6)}, mk(1, -1, 0), true, []unit.Power{5, -1, -1, 6, -1, -1}},
		{"nothing to clear", nil, mk(1, -1, 0), true, []unit.Power{-1, -1, -1, -1, -1, -1}},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, line(lay(c.old, c.n, c.clear), 6)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestLayHoldsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const hours = 30
		var ts []target
		for i := range rapid.IntRange(1, 12).Draw(t, "commands") {
			from := rapid.IntRange(0, hours-2).Draw(t, "from")
			n := target{from: hour(from), power: unit.Power(i)}
			if rapid.Bool().Draw(t, "bounded") {
				n.to = hour(rapid.IntRange(from+1, hours-1).Draw(t, "to"))
			}
			clear := rapid.Bool().Draw(t, "clear")
			before := ts
			ts = lay(ts, n, clear)
			for k := range hours {
				was, is := at(before, k), at(ts, k)
				later := false
				for _, o := range before {
					later = later || o.from.After(n.from) && o.holds(hour(k))
				}
				mine := unit.Power(i)
				if clear {
					mine = -1
				}
				switch {
				case !n.holds(hour(k)) && is != was:
					t.Fatalf("outside its interval %d became %d at %d", was, is, k)
				case n.holds(hour(k)) && n.to.IsZero() && later && is != was:
					t.Fatalf("what was scheduled, %d, became %d at %d", was, is, k)
				case n.holds(hour(k)) && (!n.to.IsZero() || !later) && is != mine:
					t.Fatalf("inside its interval it is %d at %d, not %d", is, k, mine)
				}
			}
			for j := 1; j < len(ts); j++ {
				if a, b := ts[j-1], ts[j]; a.to.IsZero() || a.to.After(b.from) {
					t.Fatalf("%v and %v overlap", a, b)
				}
			}
		}
	})
}
