package signal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Combined is what all signals together mean.
type Combined struct {
	At time.Time
	// Limits in force or to come, "signal:<source>" as who set them. Those of one source at
	// one node do not overlap; of different sources the lowest holds.
	Limits []site.Limit
	// Price is what stands in place of the market's price now; nil: the market's holds.
	Price *Span
	// Prices are in force or to come, in order, without overlap.
	Prices []Span
	// Reserves are in force or to come; those of one name do not overlap.
	Reserves []Held
	// Notices are what a person must see now.
	Notices []Notice
}

// Span is a price for a time.
type Span struct {
	From   time.Time  `json:"from"`
	To     time.Time  `json:"to,omitzero"` // zero: until it is replaced or taken back
	Price  unit.Price `json:"price"`
	Source string     `json:"source"`
	ID     string     `json:"id"`
}

// In says whether the span holds t.
func (s Span) In(t time.Time) bool { return !t.Before(s.From) && (s.To.IsZero() || t.Before(s.To)) }

// Held is capacity that must be able to drop, for a time.
type Held struct {
	Name     string
	From, To time.Time
	Power    unit.Power
	Price    unit.Price // paid per MW and hour: the mean of those who asked
	Within   time.Duration
	For      time.Duration
	Sources  []string
}

// Notice is what a person must see: an emergency, a source that is lost.
type Notice struct {
	Key, Severity, Source, Text string
}

// By is who set the limits of a source.
func By(source string) string { return "signal:" + source }

// lines is what the signals mean over time, made anew when one changes.
type lines struct {
	limits   []stretch
	prices   []Span
	reserves []Held
}

// stretch is a limit of one source at one node for a time, by the signal that counts then.
type stretch struct {
	site.Limit
	source string
	of     held
}

// At says what holds at now and what is known to come.
func (b *Book) At(now time.Time) Combined {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remake()
	c := Combined{At: now}
	for _, l := range b.lines.limits {
		if m, ok := l.at(now); ok {
			c.Limits = append(c.Limits, m)
		}
	}
	for _, t := range b.tails {
		c.Limits = append(c.Limits, t.limit(now))
	}
	for _, p := range b.lines.prices {
		if p.To.IsZero() || now.Before(p.To) {
			c.Prices = append(c.Prices, p)
		}
	}
	if len(c.Prices) > 0 && c.Prices[0].In(now) {
		c.Price = &c.Prices[0]
	}
	for _, r := range b.lines.reserves {
		if r.To.IsZero() || now.Before(r.To) {
			c.Reserves = append(c.Reserves, r)
		}
	}
	for _, s := range b.sources {
		if s.lost && s.terms.Lost.Then == "limit" {
			c.Limits = append(c.Limits, site.Limit{
				ID: By(s.terms.Name) + ":lost", Node: b.root(), Power: s.terms.Lost.Limit, From: s.since, By: By(s.terms.Name), Note: s.terms.Name + " is not heard of",
			})
		}
		c.Notices = append(c.Notices, b.notices(s, now)...)
	}
	return c
}

// notices are the emergencies of a source, and that it is lost.
func (b *Book) notices(s *source, now time.Time) (out []Notice) {
	if s.lost {
		text := fmt.Sprintf("%s is not heard of since %s: %s", s.terms.Name, stamp(plain(s.heard)), s.rule())
		if s.fault != "" {
			text += ": " + s.fault
		}
		out = append(out, Notice{"signal lost " + s.terms.Name, "warning", s.terms.Name, text})
	}
	if s.mute() {
		return out
	}
	for _, h := range s.held {
		if h.Emergency && (h.To.IsZero() || now.Before(h.To)) {
			out = append(out, Notice{"signal " + s.terms.Name + " " + h.ID, "critical", s.terms.Name, "emergency by " + s.terms.Name + ": " + h.describe()})
		}
	}
	return out
}

// mute says that what the source said holds no more.
func (s *source) mute() bool { return s.lost && s.terms.Lost.Then == "release" }

// remake makes the lines anew where something changed.
func (b *Book) remake() {
	if !b.stale {
		return
	}
	b.stale, b.lines = false, lines{}
	var prices []ranked
	reserves := map[string][]held{}
	for rank, s := range b.sources {
		if s.mute() {
			continue
		}
		limits := map[site.NodeID][]held{}
		for _, h := range s.held {
			switch h.Kind {
			case Limit:
				limits[h.Node] = append(limits[h.Node], h)
			case Price:
				prices = append(prices, ranked{h, rank})
			case Reserve:
				if h.Power > 0 {
					reserves[h.Name] = append(reserves[h.Name], h)
				}
			}
		}
		for _, node := range sorted(limits) {
			b.lines.limits = append(b.lines.limits, limitLine(s.terms.Name, node, limits[node])...)
		}
	}
	b.lines.prices = priceLine(prices)
	for _, name := range sorted(reserves) {
		b.lines.reserves = append(b.lines.reserves, reserveLine(name, reserves[name])...)
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// ranked is a price signal with the place of its source in the site file.
type ranked struct {
	held
	rank int
}

func (h held) span() (from, to time.Time) { return h.From, h.To }

// sweep cuts time where one of xs begins or ends and calls each for every stretch that some
// of them hold; to is zero for the last one where that has no end.
func sweep[T interface{ span() (from, to time.Time) }](xs []T, each func(from, to time.Time, of []T)) {
	order := slices.Clone(xs)
	slices.SortStableFunc(order, func(a, b T) int {
		x, _ := a.span()
		y, _ := b.span()
		return x.Compare(y)
	})
	var cuts []time.Time
	for _, x := range order {
		from, to := x.span()
		if cuts = append(cuts, from); !to.IsZero() {
			cuts = append(cuts, to)
		}
	}
	slices.SortFunc(cuts, time.Time.Compare)
	cuts = slices.CompactFunc(cuts, time.Time.Equal)
	var on []T
	for i, from := range cuts {
		on = slices.DeleteFunc(on, func(x T) bool {
			_, to := x.span()
			return !to.IsZero() && !to.After(from)
		})
		for len(order) > 0 {
			if begin, _ := order[0].span(); begin.After(from) {
				break
			}
			on, order = append(on, order[0]), order[1:]
		}
		var to time.Time
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		if len(on) > 0 {
			each(from, to, on)
		}
	}
}

// limitLine is what one source's limits at one node mean over time.
func limitLine(source string, node site.NodeID, of []held) (out []stretch) {
	sweep(of, func(from, to time.Time, on []held) {
		w := leading(on)
		if n := len(out); n > 0 && out[n-1].of == w && out[n-1].To.Equal(from) {
			out[n-1].To = to
			return
		}
		out = append(out, stretch{source: source, of: w, Limit: site.Limit{
			ID: By(source) + ":" + w.ID, Node: node, Power: w.Power, From: from, To: to, By: By(source), Note: w.Note,
		}})
	})
	return out
}

// leading returns the limit that counts among those in force at one time: the lowest of the
// highest priority, or an emergency that is lower still.
func leading(on []held) held {
	best := -1
	for i, h := range on {
		if h.Emergency {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(h.Priority, on[best].Priority), cmp.Compare(h.Power, on[best].Power), cmp.Compare(h.ID, on[best].ID)) < 0 {
			best = i
		}
	}
	for i, h := range on {
		if h.Emergency && (best < 0 || h.Power < on[best].Power) {
			best = i
		}
	}
	return on[best]
}

// priceLine is the price over time, of all sources.
func priceLine(of []ranked) (out []Span) {
	sweep(of, func(from, to time.Time, on []ranked) {
		best := slices.MinFunc(on, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(truth(b.Emergency), truth(a.Emergency)), cmp.Compare(a.Priority, b.Priority),
				b.From.Compare(a.From), cmp.Compare(a.rank, b.rank), cmp.Compare(a.ID, b.ID))
		})
		if n := len(out); n > 0 && out[n-1].ID == best.ID && out[n-1].Source == best.Source && out[n-1].To.Equal(from) {
			out[n-1].To = to
			return
		}
		out = append(out, Span{From: from, To: to, Price: best.Price, Source: best.Source, ID: best.ID})
	})
	return out
}

// reserveLine adds up the reserves of one name over time.
func reserveLine(name string, of []held) (out []Held) {
	sweep(of, func(from, to time.Time, on []held) {
		r := Held{Name: name, From: from, To: to, Within: on[0].Within, For: on[0].For}
		var paid float64
		for _, h := range on {
			r.Power += h.Power
			paid += h.Power.Megawatts() * float64(h.Price)
			r.Within, r.For = min(r.Within, h.Within), max(r.For, h.For)
			if !slices.Contains(r.Sources, h.Source) {
				r.Sources = append(r.Sources, h.Source)
			}
		}
		r.Price = unit.Price(paid / r.Power.Megawatts())
		out = append(out, r)
	})
	return out
}
