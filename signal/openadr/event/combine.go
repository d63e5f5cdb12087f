package event

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"switchyard/signal"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// ahead is how far prices and repeating events are written out: the schedule looks two days
	// ahead. anew is how soon that is done again. All else is told as far ahead as it is known.
	ahead = 60 * time.Hour
	anew  = 6 * time.Hour
	far   = 400 * 24 * time.Hour
	// back is how far what is over still counts where it cut something else in pieces, so that
	// the pieces stay what they were.
	back = 48 * time.Hour
	// aged is the age from which a signal is told as one that has always been there.
	aged = 12 * time.Hour
	// maxSlots bounds the intervals of one event that are looked at, maxSignals what is said.
	maxSlots   = 3000
	maxSignals = signal.Most
)

// unlimited stands for no limit while limits are compared.
const unlimited unit.Power = 1 << 62

// never stands for the end of what has none while spans are compared.
func never() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// wish is one ask at its time.
type wish struct {
	ask
	h        *Held
	number   int64     // of the interval
	start    time.Time // of the interval, before anything cut it
	from, to time.Time
	fallback bool // a subscription that holds for lack of a capacity limit
}

// Combined is what all events together say.
type Combined struct {
	Signals  []signal.Signal
	Problems []string
	Edge     time.Time // when it is to be worked out again, because repeats were written out only so far
}

// Combine turns the events into signals that do not overlap: at any time there is at most one
// limit and one price. firm is the firm load now.
//
// Within a channel the event of the highest priority holds; of two with the same priority,
// the stricter limit, and the price that was issued last. Of different channels the strictest
// limit holds. A subscription holds where no capacity limit does.
func Combine(events []*Held, node site.NodeID, firm unit.Power, now time.Time) Combined {
	out := Combined{Edge: now.Add(anew)}
	var limits, prices, notes []wish
	for _, h := range events {
		for _, w := range h.wishes(now) {
			switch w.on {
			case onNote:
				notes = append(notes, w)
				continue
			case onPrice:
				prices = append(prices, w)
				continue
			case onAlert:
				notes = append(notes, w)
			}
			switch {
			case w.firm:
				w.power = firm
			case w.power < 0: // a level that limits nothing still overrides lower priorities
				w.power = unlimited
			}
			limits = append(limits, w)
		}
	}
	out.Problems = belowFirm(limits, firm, now)
	told := map[string]signal.Signal{} // alerts that bind, and so are shown as limits
	for _, w := range sweep(limits, strictest) {
		s := w.signal(signal.Limit)
		s.Node, s.Power, s.Emergency = node, w.power, w.on == onAlert
		if s.Emergency {
			told[s.ID] = s
		}
		out.Signals = append(out.Signals, s)
	}
	for _, w := range sweep(prices, ruling) {
		s := w.signal(signal.Price)
		s.Price = w.price
		out.Signals = append(out.Signals, s)
	}
	for _, w := range notes {
		// An alert is shown for its own sake: a reserve of nothing binds nothing.
		s := w.signal(signal.Reserve)
		if l, ok := told[s.ID]; ok && w.on == onAlert && l.From.Equal(s.From) && l.To.Equal(s.To) {
			continue // a limit says it for all of its time
		}
		s.ID += "/note"
		s.Emergency = w.on == onAlert
		out.Signals = append(out.Signals, s)
	}
	out.order(now)
	return out
}

// order leaves out what is over, sorts the signals by time, names them apart and bounds them:
// of too many, prices that lie furthest ahead go first.
func (c *Combined) order(now time.Time) {
	c.Signals = slices.DeleteFunc(c.Signals, func(s signal.Signal) bool { return !s.To.IsZero() && !s.To.After(now) })
	for i := range c.Signals {
		if s := &c.Signals[i]; now.Sub(s.From) > aged {
			s.From = time.Time{}
		}
	}
	slices.SortStableFunc(c.Signals, func(a, b signal.Signal) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID))
	})
	seen := map[string]int{}
	for i := range c.Signals {
		id := c.Signals[i].ID
		if seen[id]++; seen[id] > 1 {
			c.Signals[i].ID = fmt.Sprintf("%s#%d", id, seen[id])
		}
	}
	n := len(c.Signals)
	if n <= maxSignals {
		return
	}
	c.Problems = append(c.Problems, fmt.Sprintf("the events make %d signals: %d are taken, limits first and then by time", n, maxSignals))
	byTime := func(a, b signal.Signal) int { return a.From.Compare(b.From) }
	slices.SortStableFunc(c.Signals, func(a, b signal.Signal) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), byTime(a, b))
	})
	c.Signals = c.Signals[:maxSignals]
	slices.SortStableFunc(c.Signals, byTime)
}

func rank(k signal.Kind) int {
	if k == signal.Price {
		return 1
	}
	return 0
}

// wishes writes out what an event asks for about now.
func (h *Held) wishes(now time.Time) []wish {
	since, until := now.Add(-back), now.Add(far)
	if h.table.loop != 0 {
		until = now.Add(ahead)
	}
	var all []wish
	for _, s := range h.table.within(since, until, maxSlots) {
		if s.place < 0 {
			continue
		}
		for _, values := range h.asks[s.place] {
			for i, a := range values {
				w := wish{ask: a, h: h, number: s.Number, start: s.From, from: s.From, to: s.To}
				if len(values) > 1 && !s.To.IsZero() {
					part := s.To.Sub(s.From) / time.Duration(len(values))
					w.from = s.From.Add(time.Duration(i) * part)
					w.start = w.from
					if i < len(values)-1 {
						w.to = w.from.Add(part)
					}
				}
				if w.to.IsZero() {
					w.to = never()
				}
				if w.on == onPrice && w.from.After(now.Add(ahead)) {
					continue
				}
				if w.to.After(since) && w.to.After(w.from) {
					all = append(all, w)
				}
			}
		}
	}
	return all
}

func (w *wish) signal(k signal.Kind) signal.Signal {
	s := signal.Signal{
		ID:       fmt.Sprintf("%s/%d/%s", w.h.Event.ID, w.number, w.on),
		Kind:     k,
		From:     w.from,
		To:       w.to,
		Priority: w.h.Priority,
		Note:     w.note(),
	}
	if w.h.table.loop != 0 || !w.from.Equal(w.start) { // a turn, or a piece
		s.ID += "@" + w.from.UTC().Format("20060102T150405Z")
	}
	if !s.To.Before(never()) {
		s.To = time.Time{}
	}
	return s
}

func (w *wish) note() string {
	s := w.kind
	if w.text != "" {
		s += ": " + w.text
	}
	if w.fallback {
		s += ", no capacity limit being in force"
	}
	return s + "; " + w.h.Event.Label()
}

// sweep walks through the moments at which a wish begins or ends and lets pick choose among
// those in force; neighbouring spans of the same choice become one.
func sweep(all []wish, pick func(now []wish) (wish, bool)) []wish {
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b wish) int { return a.from.Compare(b.from) })
	times := make([]time.Time, 0, 2*len(all))
	for _, w := range all {
		times = append(times, w.from, w.to)
	}
	slices.SortFunc(times, time.Time.Compare)
	times = slices.CompactFunc(times, time.Time.Equal)
	var out, active []wish
	next := 0
	for i := 0; i+1 < len(times); i++ {
		at := times[i]
		active = slices.DeleteFunc(active, func(w wish) bool { return !w.to.After(at) })
		for ; next < len(all) && !all[next].from.After(at); next++ {
			if all[next].to.After(at) {
				active = append(active, all[next])
			}
		}
		w, ok := pick(active)
		if !ok {
			continue
		}
		w.from, w.to = at, times[i+1]
		if n := len(out); n > 0 && out[n-1].to.Equal(at) && out[n-1].same(w) {
			out[n-1].to = w.to
			continue
		}
		out = append(out, w)
	}
	return out
}

func (w *wish) same(o wish) bool {
	return w.h == o.h && w.ask == o.ask && w.number == o.number && w.start.Equal(o.start) && w.fallback == o.fallback
}

// strictest chooses the limit in force.
func strictest(now []wish) (wish, bool) {
	best := map[channel]wish{}
	for _, w := range now {
		b, ok := best[w.on]
		if !ok || w.h.Priority < b.h.Priority || w.h.Priority == b.h.Priority && harder(w, b) {
			best[w.on] = w
		}
	}
	if s, ok := best[onSubscription]; ok {
		if _, ok := best[onCapacity]; !ok {
			s.fallback = true
			s.power += best[onReservation].power // zero where nothing is reserved
			best[onCapacity] = s
		}
	}
	delete(best, onSubscription)
	delete(best, onReservation)
	var out wish
	found := false
	for _, on := range []channel{onAlert, onLevel, onDispatch, onCapacity} {
		if w, ok := best[on]; ok && w.power < unlimited && (!found || w.power < out.power) {
			out, found = w, true
		}
	}
	return out, found
}

// harder says which of two wishes of a channel and priority asks for more. A reservation
// gives, so there the smaller is the safer one too.
func harder(a, b wish) bool { return a.power < b.power }

// ruling chooses the price in force.
func ruling(now []wish) (wish, bool) {
	if len(now) == 0 {
		return wish{}, false
	}
	best := now[0]
	for _, w := range now[1:] {
		order := cmp.Or(cmp.Compare(w.h.Priority, best.h.Priority), best.h.Issued.Compare(w.h.Issued), cmp.Compare(best.price, w.price))
		if order < 0 {
			best = w
		}
	}
	return best, true
}

// belowFirm names limits that the flexible load alone cannot keep.
func belowFirm(limits []wish, firm unit.Power, now time.Time) []string {
	var out []string
	told := map[*Held]bool{}
	for _, w := range limits {
		if w.power < firm && !told[w.h] && w.on != onReservation && w.to.After(now) {
			told[w.h] = true
			out = append(out, fmt.Sprintf("%s: %s of %s is below the firm load of %s: all flexible load makes way, firm load stays",
				w.h.Event.Label(), w.kind, w.power, firm))
		}
	}
	return out
}

// Steady gives what is in force now the name and the beginning that it had before, where it is
// the same but for what lies further back than is looked at.
func Steady(now time.Time, before, after []signal.Signal) {
	for i := range after {
		s := &after[i]
		if s.From.After(now) {
			break // they are in order
		}
		for _, b := range before {
			if b.From.After(now) {
				break
			}
			same := b
			same.ID, same.From = s.ID, s.From
			if same == *s {
				s.ID = b.ID
				if !s.From.IsZero() {
					s.From = b.From
				}
				break
			}
		}
	}
}
