package signal

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// anySignal draws a signal of few ids, nodes, powers and times, so that they meet.
func anySignal(r *rapid.T) Signal {
	s := Signal{
		ID: rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(r, "id"), Kind: rapid.SampledFrom([]Kind{Limit, Limit, Price, Reserve}).Draw(r, "kind"),
		Node: rapid.SampledFrom([]site.NodeID{"", "connection", "hall-a"}).Draw(r, "node"), Power: unit.Power(rapid.IntRange(1, 6).Draw(r, "power")) * mw,
		Price: unit.DollarsPerMWh(float64(rapid.IntRange(-5, 5).Draw(r, "price"))), Priority: rapid.IntRange(0, 3).Draw(r, "priority"),
		Emergency: rapid.IntRange(0, 5).Draw(r, "emergency") == 0, From: at(float64(rapid.IntRange(-3, 30).Draw(r, "from"))),
		Name: rapid.SampledFrom([]string{"", "spin"}).Draw(r, "name"),
	}
	if n := rapid.IntRange(0, 20).Draw(r, "length"); n > 0 {
		s.To = s.From.Add(time.Duration(n) * time.Minute)
	}
	return s
}

// spoken is what a source said last, kept by the test.
type spoken map[string]map[string]Signal

// expected is what must hold at t by the rules as they are written, looked at signal by signal.
func (sp spoken) limitAt(node site.NodeID, t time.Time) unit.Power {
	out := unit.Power(-1)
	low := func(p unit.Power) {
		if out < 0 || p < out {
			out = p
		}
	}
	for _, of := range sp {
		top := 1 << 30
		for _, s := range of {
			if s.Kind == Limit && s.Node == node && holds(s, t) && !s.Emergency {
				top = min(top, s.Priority)
			}
		}
		for _, s := range of {
			if s.Kind == Limit && s.Node == node && holds(s, t) && (s.Emergency || s.Priority == top) {
				low(s.Power)
			}
		}
	}
	return out
}

func holds(s Signal, t time.Time) bool {
	return !t.Before(s.From) && (s.To.IsZero() || t.Before(s.To))
}

func (sp spoken) priceAt(t time.Time) *Signal {
	var best *Signal
	for _, name := range []string{"utility", "broker"} {
		ids := sorted(sp[name])
		for _, id := range ids {
			s := sp[name][id]
			if s.Kind != Price || !holds(s, t) {
				continue
			}
			better := best == nil || s.Emergency && !best.Emergency ||
				s.Emergency == best.Emergency && (s.Priority < best.Priority || s.Priority == best.Priority && s.From.After(best.From))
			if better {
				best = &s
			}
		}
	}
	return best
}

func (sp spoken) reserveAt(name string, t time.Time) (sum unit.Power) {
	for source, of := range sp {
		for _, s := range of {
			n := s.Name
			if n == "" {
				n = source
			}
			if s.Kind == Reserve && n == name && holds(s, t) {
				sum += s.Power
			}
		}
	}
	return sum
}

// TestTheRulesHoldAtEveryMinute puts random updates and looks at every half minute of the
// hour that follows: what the book combines is what the rules say, signal by signal.
func TestTheRulesHoldAtEveryMinute(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, said := newDesk(t), spoken{"utility": {}, "broker": {}}
		minute := 0
		for range rapid.IntRange(1, 6).Draw(r, "updates") {
			minute += rapid.IntRange(0, 5).Draw(r, "later")
			d.told(float64(minute))
			name := rapid.SampledFrom([]string{"utility", "broker"}).Draw(r, "source")
			signals := rapid.SliceOfN(rapid.Custom(anySignal), 0, 6).Draw(r, "signals")
			d.says(name, signals...)
			said[name] = map[string]Signal{}
			for _, s := range signals {
				if !s.To.IsZero() && !s.To.After(d.now) {
					continue // over before it came
				}
				if s.Node == "" {
					s.Node = map[string]site.NodeID{"utility": "connection", "broker": "hall-a"}[name]
				}
				said[name][s.ID] = s
			}
		}
		again := newDesk(t)
		again.now = d.now
		doc, err := d.Doc(true)
		if err != nil {
			r.Fatal(err)
		}
		if err := again.Restore(doc, again.now); err != nil {
			r.Fatal(err)
		}
		c := d.At(d.now)
		if diff := cmp.Diff(c, again.At(d.now), cmpopts.EquateEmpty()); diff != "" {
			r.Fatalf("a restart changes it: %s", diff)
		}
		for half := 2 * minute; half < 130; half++ {
			when := at(float64(half) / 2)
			for _, node := range []site.NodeID{"connection", "hall-a"} {
				if got, want := bound(c.Limits, node, when), said.limitAt(node, when); got != want {
					r.Fatalf("%s at %s: %s, want %s", node, when, got, want)
				}
			}
			want, got := said.priceAt(when), Span{}
			n := 0
			for _, p := range c.Prices {
				if p.In(when) {
					got, n = p, n+1
				}
			}
			if n > 1 || (n == 0) != (want == nil) || want != nil && got.Price != want.Price {
				r.Fatalf("at %s: %d prices, %+v, want %+v", when, n, got, want)
			}
			for _, name := range []string{"spin", "utility", "broker"} {
				var sum unit.Power
				for _, h := range c.Reserves {
					if h.Name == name && !when.Before(h.From) && (h.To.IsZero() || when.Before(h.To)) {
						sum += h.Power
					}
				}
				if sum != said.reserveAt(name, when) {
					r.Fatalf("reserve %s at %s: %s", name, when, sum)
				}
			}
		}
	})
}

// TestTheBookStaysBounded: whatever is said, it keeps no more than it may, in order, each
// with its life before it.
func TestTheBookStaysBounded(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := newDesk(t, Terms{Name: "utility", Lost: sitefile.LostSignal{After: 3 * time.Minute, Then: rapid.SampledFrom([]string{"keep", "release", "limit"}).Draw(r, "then")}})
		for m := range 20 {
			if rapid.Bool().Draw(r, "speaks") {
				signals := rapid.SliceOfN(rapid.Custom(anySignal), 0, 5).Draw(r, "signals")
				for i := range signals {
					signals[i].Ramp = unit.Power(rapid.IntRange(-1, 2).Draw(r, "ramp")) * mw
					if signals[i].Power *= unit.Power(rapid.IntRange(-1, 1).Draw(r, "sign")); rapid.IntRange(0, 9).Draw(r, "odd") == 0 {
						signals[i].From = time.Time{}
					}
				}
				d.says("utility", signals...)
			}
			d.told(float64(m))
			c := d.At(d.now)
			if len(d.tails) > mostTails || len(c.Notices) > Most+1 {
				r.Fatalf("%d tails, %d notices", len(d.tails), len(c.Notices))
			}
			for _, l := range c.Limits {
				if l.Power < 0 || !l.To.IsZero() && !l.To.After(d.now) || l.By != "signal:utility" || l.ID == "" {
					r.Fatalf("%+v", l)
				}
			}
			if !slices.IsSortedFunc(d.past, func(a, b Span) int { return a.From.Compare(b.From) }) {
				r.Fatalf("%+v", d.past)
			}
		}
	})
}

// FuzzRestore: no stored document makes the book fall over or grow past its bounds, and what
// it took up it can write and read again.
func FuzzRestore(f *testing.F) {
	d := newDesk(f)
	d.says("utility", limit("a", 5*mw, 0, 9), price("b", 40, 0, 60), emergency(limit("c", mw, 3, 0)))
	d.told(1)
	doc, err := d.Doc(true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"sources":[{"name":"utility","lost":true,"held":[{"ID":"x","Kind":"limit","Power":"-3 MW","Ramp":"9223372036854775807 W","base":"1 W"}]}],"tails":[{"node":"hall-a","ramp":"1 W"}],"past":[{"from":"2020-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		d := newDesk(t)
		if d.Restore(doc, d.now) != nil {
			return
		}
		d.Turn(d.now)
		c := d.At(d.now)
		for _, l := range c.Limits {
			if l.Power < 0 {
				t.Errorf("%+v", l)
			}
		}
		d.View(d.now)
		d.PriceAt(d.now.Add(-time.Hour))
		out, err := d.Doc(true)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(out) {
			t.Errorf("%s", out)
		}
		again := newDesk(t)
		if err := again.Restore(out, again.now); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if n := len(again.View(again.now).Signals); n > 2*Most {
			t.Error(n)
		}
	})
}
