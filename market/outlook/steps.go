package outlook

import (
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/market/peaks"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

func end(s schedule.Step) time.Time { return s.Start.Add(s.Length) }

// prices fills in what energy is expected to cost, the adder included. A step that nothing is
// known of takes the price before it.
func (o *Outlook) prices(now time.Time, s State, steps []schedule.Step) {
	lacking := 0
	known := false
	for t := range steps {
		price, ok := o.s.Prices.Expect(now, steps[t].Start, end(steps[t]))
		switch {
		case ok:
			price += o.f.Market.Price.Adder
		case t > 0:
			price = steps[t-1].Price
		}
		steps[t].Price = told(s.Price, steps[t], price, o.f.Market.Price.Adder)
		if ok {
			if !known { // the steps before the first known price take it too
				for b := range t {
					steps[b].Price = told(s.Price, steps[b], price, o.f.Market.Price.Adder)
				}
			}
			known = true
		} else {
			lacking++
		}
	}
	switch {
	case !known:
		o.note("no price is expected for any of the coming hours: they count as %v", o.f.Market.Price.Adder)
		for t := range steps {
			steps[t].Price = told(s.Price, steps[t], o.f.Market.Price.Adder, o.f.Market.Price.Adder)
		}
	case lacking > 0:
		o.note("no price is expected for %d of %d steps: they take the price beside them", lacking, len(steps))
	}
}

// told is the price of a step of which the grid told the price for some of the time.
func told(spans []PriceSpan, s schedule.Step, expected, adder unit.Price) unit.Price {
	rest, sum := s.Length, 0.0
	for _, x := range spans {
		d := min(overlap(s.Start, end(s), x.From, x.To), rest)
		sum += float64(x.Price+adder) * float64(d)
		rest -= d
	}
	return unit.Price((sum + float64(expected)*float64(rest)) / float64(s.Length))
}

// coincident fills in what the chance of a coincident peak adds to each MWh.
func (o *Outlook) coincident(now time.Time, steps []schedule.Step) {
	if o.s.Peaks == nil {
		return
	}
	for i, c := range o.f.Market.Charges.Coincident {
		rate := peaks.Rate(c)
		for t := range steps {
			s := &steps[t]
			s.Coincident += peaks.Adder(rate, o.s.Peaks(i, now, s.Start, end(*s)), s.Length)
		}
	}
}

// blocks fills in the power bought ahead. The fee of several is their mean; what may not be
// sold back is worth its delivery only, so that its fee is all of the price but the adder.
func (o *Outlook) blocks(steps []schedule.Step) {
	for t := range steps {
		s := &steps[t]
		fees := 0.0
		for i := range o.f.Market.Blocks {
			b := &o.f.Market.Blocks[i]
			share := float64(o.within(*s, b.From, b.To, o.blockAt[i])) / float64(s.Length)
			power := b.Power.Scale(share)
			fee := b.SellFee
			if b.Sell != nil && !*b.Sell {
				fee = max(s.Price-o.f.Market.Price.Adder, 0)
			}
			s.Block += power
			fees += float64(power) * float64(fee)
		}
		if s.Block > 0 {
			s.SellBack = unit.Price(fees / float64(s.Block))
		}
	}
}

// window is the time of the week that a charge or a purchase is about.
type window struct {
	always      bool // no hours of the day, no days of the week
	begin, ends time.Duration
	weekdays    bool
}

// windowOf reads the daily hours, nil for all of the day; weekdays: of Monday to Friday only.
func windowOf(daily *sitefile.Daily, weekdays bool) window {
	w := window{always: daily == nil && !weekdays, ends: 24 * time.Hour, weekdays: weekdays}
	if daily != nil {
		w.begin, _ = sitefile.ParseTimeOfDay(daily.From) // sitefile has refused a bad one
		w.ends, _ = sitefile.ParseTimeOfDay(daily.To)
		if w.ends <= w.begin {
			w.ends += 24 * time.Hour // past midnight, and of the day it began on
		}
	}
	return w
}

// within is how much of a step lies between from and to and in the window.
func (o *Outlook) within(s schedule.Step, from, to time.Time, w window) time.Duration {
	a, b := s.Start, end(s)
	if w.always || overlap(a, b, from, to) == 0 {
		return overlap(a, b, from, to)
	}
	var sum time.Duration
	y, m, d := a.In(o.zone).Date()
	at := func(day int, of time.Duration) time.Time {
		return time.Date(y, m, day, 0, 0, int(of/time.Second), 0, o.zone)
	}
	for n := d - 1; ; n++ { // yesterday's may run into today
		x := at(n, w.begin)
		if !x.Before(b) {
			return sum
		}
		if day := at(n, 0).Weekday(); w.weekdays && (day == time.Saturday || day == time.Sunday) {
			continue
		}
		z := at(n, w.ends)
		if x.Before(a) {
			x = a
		}
		if b.Before(z) {
			z = b
		}
		sum += overlap(x, z, from, to)
	}
}

// caps fills in what each node may carry: its limit in the tree and every limit that holds at
// some time of the step, less the control margin, and at first what the limiter allows now.
func (o *Outlook) caps(now time.Time, s State, steps []schedule.Step) {
	if len(steps) == 0 {
		return
	}
	limits := append(o.limits.Between(steps[0].Start, end(steps[len(steps)-1])), s.Limits...)
	keep := 1 - float64(o.f.Control.Margin)
	n := o.tree.Len()
	all := make([]unit.Power, n*len(steps))
	for t := range steps {
		step := &steps[t]
		step.Caps, all = all[:n:n], all[n:]
		for i := range step.Caps {
			step.Caps[i] = -1
			if l := o.tree.Node(i).Limit; l > 0 {
				step.Caps[i] = l.Scale(keep)
			}
		}
		for _, l := range limits {
			if i, ok := o.index(l.Node); ok && overlap(step.Start, end(*step), l.From, l.To) > 0 {
				lower(&step.Caps[i], max(l.Power, 0).Scale(keep))
			}
		}
		if step.Start.Before(now.Add(CapsFor)) {
			for i := range min(n, len(s.Caps)) {
				if s.Caps[i] >= 0 {
					lower(&step.Caps[i], s.Caps[i])
				}
			}
		}
	}
}

// index is the place of a node in the tree; an empty name is the connection.
func (o *Outlook) index(id site.NodeID) (int, bool) {
	if id == "" {
		return 0, true
	}
	return o.tree.Index(id)
}

func lower(limit *unit.Power, p unit.Power) {
	if *limit < 0 || p < *limit {
		*limit = p
	}
}

// demand makes the demand charges of the months that the horizon touches. A peak that is set
// now serves for all of the month that is left, of which the horizon is a part: it bears the
// same part of the rate, or nobody would run in a month's first hours.
func (o *Outlook) demand(s State, steps []schedule.Step) []schedule.Demand {
	var out []schedule.Demand
	if len(steps) == 0 {
		return nil
	}
	first, last := steps[0].Start, end(steps[len(steps)-1])
	for i := range o.f.Market.Charges.Demand {
		c := &o.f.Market.Charges.Demand[i]
		for month := o.monthOf(first); month.Before(last); month = month.AddDate(0, 1, 0) {
			next := month.AddDate(0, 1, 0)
			if !contains(c.Months, int(month.Month())) {
				continue
			}
			d := schedule.Demand{Name: c.Name, Rate: c.Rate, Counts: make([]bool, len(steps))}
			counts := false
			for t, step := range steps {
				d.Counts[t] = o.within(step, month, next, o.demandAt[i]) > 0
				counts = counts || d.Counts[t]
			}
			if !counts {
				continue
			}
			from := month
			if from.Before(first) {
				from, d.SoFar = first, s.Peaks[c.Name]
			}
			share := float64(overlap(from, next, first, last)) / float64(next.Sub(from))
			d.Rate = unit.CapacityRate(float64(c.Rate) * min(share, 1))
			out = append(out, d)
		}
	}
	return out
}

func (o *Outlook) monthOf(t time.Time) time.Time {
	y, m, _ := t.In(o.zone).Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, o.zone)
}

func contains(months []int, m int) bool {
	for _, x := range months {
		if x == m {
			return true
		}
	}
	return len(months) == 0
}
