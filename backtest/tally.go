package backtest

import (
	"math"
	"time"

	"switchyard/unit"
)

// Tally is what was earned and spent over a time. Costs are positive.
type Tally struct {
	Revenue    unit.Money // of hashing, less the pool's fee
	Energy     unit.Money // at the real price, less what tenants pay for theirs
	Wear       unit.Money
	Coincident unit.Money
	Demand     unit.Money
	Penalty    unit.Money // lacking minimum load, reserves sold and not held
	Reserve    unit.Money // earned by capacity held, less what its calls cost
	Hosting    unit.Money // rent: the same for every policy
	Used       unit.Energy
	// Ran is the machines' energy above standby, Could what it would have been had all run.
	Ran, Could unit.Energy
	Starts     int
	Intervals  int
}

// Profit is all that was earned less all that was spent.
func (t Tally) Profit() unit.Money {
	return t.Revenue - t.Energy - t.Wear - t.Coincident - t.Demand - t.Penalty + t.Reserve + t.Hosting
}

// Curtailed is the share of the machines' energy that they did not draw.
func (t Tally) Curtailed() float64 {
	if t.Could == 0 {
		return 0
	}
	return 1 - float64(t.Ran)/float64(t.Could)
}

func (t *Tally) add(o Tally) {
	t.Revenue += o.Revenue
	t.Energy += o.Energy
	t.Wear += o.Wear
	t.Coincident += o.Coincident
	t.Demand += o.Demand
	t.Penalty += o.Penalty
	t.Reserve += o.Reserve
	t.Hosting += o.Hosting
	t.Used += o.Used
	t.Ran += o.Ran
	t.Could += o.Could
	t.Starts += o.Starts
	t.Intervals += o.Intervals
}

// books settle a simulation interval by interval, each into its local day.
type books struct {
	w       *World
	days    []Tally
	resting []float32 // by hour of the run: the share of machine energy not drawn; -1 unknown
	peaks   []demandPeak
}

// demandPeak is the highest window of a month so far, of one demand charge.
type demandPeak struct {
	window  int64 // its index
	energy  unit.Energy
	month   int
	peak    unit.Power
	day     int32
	covered time.Duration
}

func newBooks(w *World) *books {
	b := &books{w: w, days: make([]Tally, len(w.dates)), peaks: make([]demandPeak, len(w.demands))}
	b.resting = make([]float32, (int64(w.n)*w.step+3599)/3600)
	for i := range b.resting {
		b.resting[i] = -1
	}
	return b
}

// settle books interval i with the machines as they ran in it.
func (b *books) settle(i int, crews []machines, starts []int) {
	w, t := b.w, &b.days[b.w.days[i]]
	from, to := w.at(i), w.at(i)+w.step
	t.Intervals++
	var at, ran, could, hashing unit.Power
	var earned unit.Money
	for k := range crews {
		c := &crews[k]
		g := c.g
		earn := w.hash[i].Revenue(g.hash, time.Duration(c.Worked(from, to))*time.Second)
		earned += unit.Money(math.Round(float64(earn) * (1 - float64(g.fee))))
		at += (unit.Power(c.Running())*g.net() + unit.Power(g.count)*g.standby).Scale(g.factor)
		ran += unit.Power(c.Running()) * g.net()
		could += unit.Power(g.count) * g.net()
		hashing += (unit.Power(c.Running()) * g.net()).Scale(g.factor)
		t.Starts += starts[k]
		t.Wear += unit.Money(starts[k]) * g.wear
	}
	t.Revenue += earned
	t.Ran += ran.Over(w.Interval)
	t.Could += could.Over(w.Interval)
	at += b.hosting(i, t)
	t.Used += at.Over(w.Interval)
	t.Energy += w.bill(i, at)
	for _, p := range w.peaks {
		if over := min(p.to, to) - max(p.from, from); over > 0 {
			t.Coincident += p.rate.Rent(at, time.Duration(over), time.Duration(p.to-p.from))
		}
	}
	if lack := w.least - at; lack > 0 {
		t.Penalty += w.leastFor.Cost(lack.Over(w.Interval))
	}
	b.reserve(i, t, hashing, earned)
	b.demand(i, at)
	if h := (from - w.start) / 3600; could > 0 {
		b.resting[h] = max(b.resting[h], 0) + float32(1-float64(ran)/float64(could))*float32(w.step)/float32(max(3600, w.step))
	}
}

// hosting books the tenants and returns what they draw at the connection.
func (b *books) hosting(i int, t *Tally) unit.Power {
	w := b.w
	var at unit.Power
	if len(w.tenants) == 0 {
		return 0
	}
	date := w.dates[w.days[i]]
	whole := date.AddDate(0, 1, 1-date.Day()).Sub(date.AddDate(0, 0, 1-date.Day()))
	for k := range w.tenants {
		x := &w.tenants[k]
		draw := x.draw(w.at(i)).Scale(x.factor)
		at += draw
		t.Hosting += x.rate.Rent(x.firm, w.Interval, whole)
		if !x.included {
			t.Energy -= w.price[i].Cost(draw.Over(w.Interval))
		}
	}
	return at
}

// bill is what the connection's energy costs: power bought ahead first, the rest at the real price.
func (w *World) bill(i int, at unit.Power) unit.Money {
	cost := unit.Money(0)
	for _, k := range w.blocks {
		if !k.in[i] {
			continue
		}
		cost += k.price.Cost(k.power.Over(w.Interval))
		used := min(k.power, at)
		at -= used
		if k.sell {
			cost -= (w.price[i] - k.sellFee).Cost((k.power - used).Over(w.Interval))
		}
	}
	return cost + w.price[i].Cost(at.Over(w.Interval))
}

// reserve books the capacity that what ran, as seen at the connection, could have dropped: the
// dearest product first, but what is sold already before all.
func (b *books) reserve(i int, t *Tally, ran unit.Power, earned unit.Money) {
	w := b.w
	if len(w.reserves) == 0 {
		return
	}
	left := ran
	margin := 0.0 // of a MWh that runs: what a call forgoes
	if e := ran.Over(w.Interval); e > 0 {
		margin = (float64(earned) - float64(w.price[i].Cost(e))) / e.MegawattHours()
	}
	w.eachReserve(i, func(r *reserve, most unit.Power, sold bool) {
		held := min(left, most)
		left -= held
		e := held.Over(w.Interval)
		t.Reserve += unit.Money(math.Round(float64(r.price[i].Cost(e))*r.performance - r.call*margin*e.MegawattHours()))
		if lack := most - held; sold && lack > 0 {
			t.Penalty += r.short.Cost(lack.Over(w.Interval))
		}
	})
}

// eachReserve calls f with the products of interval i in the order in which capacity goes to
// them, and how much each takes at most.
func (w *World) eachReserve(i int, f func(r *reserve, most unit.Power, sold bool)) {
	var done uint64
	for k := range w.reserves {
		if r := &w.reserves[k]; len(r.sold) > 0 {
			done |= 1 << k
			if p := r.soldAt(w.at(i)); p > 0 && r.price[i] != noPrice {
				f(r, p, true)
			}
		}
	}
	for range w.reserves {
		best := -1
		for k := range w.reserves {
			r := &w.reserves[k]
			if done&(1<<k) == 0 && r.price[i] != noPrice && (best < 0 || r.worth(i) > w.reserves[best].worth(i)) {
				best = k
			}
		}
		if best < 0 {
			return
		}
		done |= 1 << best
		if r := &w.reserves[best]; r.worth(i) > 0 {
			most := r.most
			if most == 0 {
				most = math.MaxInt64
			}
			f(r, most, false)
		}
	}
}

// worth is what a MW and hour earns as delivered, micro-dollars.
func (r *reserve) worth(i int) float64 { return float64(r.price[i]) * r.performance }

func (r *reserve) soldAt(unix int64) unit.Power {
	var p unit.Power
	for _, s := range r.sold {
		if unix >= s.From.Unix() && (s.To.IsZero() || unix < s.To.Unix()) {
			p += s.Power
		}
	}
	return p
}

// demand gathers the windows of the demand charges.
func (b *books) demand(i int, at unit.Power) {
	w := b.w
	for k := range w.demands {
		d, p := &w.demands[k], &b.peaks[k]
		date := w.dates[w.days[i]]
		if m := date.Year()*12 + int(date.Month()); m != p.month {
			b.closeMonth(k)
			*p = demandPeak{month: m, window: -1}
		}
		p.covered += w.Interval
		if !d.counts[i] {
			continue
		}
		if at0 := w.at(i) / d.window; at0 != p.window {
			p.window, p.energy = at0, 0
		}
		p.energy += at.Over(w.Interval)
		if mean := p.energy.Mean(time.Duration(d.window) * time.Second); mean > p.peak {
			p.peak, p.day = mean, w.days[i]
		}
	}
}

// closeMonth books a month's demand charge on the day of its peak, for the part of the month
// that the run covers.
func (b *books) closeMonth(k int) {
	p := &b.peaks[k]
	if p.peak <= 0 {
		return
	}
	first := time.Date((p.month-1)/12, time.Month((p.month-1)%12+1), 1, 0, 0, 0, 0, b.w.Zone)
	whole := first.AddDate(0, 1, 0).Sub(first)
	b.days[p.day].Demand += b.w.demands[k].rate.Rent(p.peak, min(p.covered, whole), whole)
}

// close ends the run.
func (b *books) close() {
	for k := range b.peaks {
		b.closeMonth(k)
	}
}

// total is the sum of all days.
func (b *books) total() (t Tally) {
	for _, d := range b.days {
		t.add(d)
	}
	return t
}

func (b *books) profit() unit.Money { return b.total().Profit() }

// soFar is the highest window of the month of interval i, of one demand charge.
func (b *books) soFar(k, i int) unit.Power {
	date := b.w.dates[b.w.days[i]]
	if b.peaks[k].month != date.Year()*12+int(date.Month()) {
		return 0
	}
	return b.peaks[k].peak
}
