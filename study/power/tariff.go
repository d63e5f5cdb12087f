package power

import (
	"slices"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/world"
	"switchyard/study/world/exact"
)

// Tariff is a site's power, compiled from a study file. Prices are $/MWh, and those called all-in
// count the wires adder; months are counted from the study's first.
//
// The hours of month t cost Level x + Spike + adder: x runs over the file's prices of the calendar
// month, each for an equal share of the month's hours; Level is that of the path, greater than zero,
// and scales negative prices as well: a level of 2 makes -10 $/MWh to -20 $/MWh. Spike, not below zero, is added in
// the month's dearest hours alone, as many as the file's spike_hours, which may end within a price's
// share. The adder grows with power, (1+g)^(t/12), and so do demand and peak charges.
type Tariff struct {
	curve  [12]curve
	month  []month
	blocks []block
	shares []float64 // of each hall in the blocks
}

// month is what New knows of one.
type month struct {
	curve                          int
	hours, adder                   float64
	calm                           float64 // share of the hours outside the spike
	demand, coincident             float64 // $ per MW of draw
	covered, paid, resold, settled float64 // blocks, of the whole site: see Blocks and Covered
}

type block struct {
	mw, price   float64
	from, until int // months of the study
	resale      bool
}

// New compiles the tariff of a file that Load has read.
func New(f *input.File) *Tariff {
	t := &Tariff{month: make([]month, 12*f.Years)}
	for c := range t.curve {
		t.curve[c] = compile(f.Curve[c])
	}
	for i := range f.Power.Blocks {
		t.blocks = append(t.blocks, blockOf(f, &f.Power.Blocks[i]))
	}
	total := 0.0
	for i := range f.Halls {
		total += megawatts(f.Halls[i].Power)
	}
	for i := range f.Halls {
		share := 0.0
		if total > 0 {
			share = megawatts(f.Halls[i].Power) / total
		}
		t.shares = append(t.shares, share)
	}
	for k := range t.month {
		t.month[k] = t.of(f, k)
	}
	return t
}

func (t *Tariff) of(f *input.File, k int) month {
	at := f.Start + figure.Month(k)
	grown := 1.0
	if f.Power.Growth != nil {
		grown = exact.Pow(1+float64(f.Power.Growth.Is), float64(k)/12)
	}
	m := month{curve: int(at.Calendar()) - 1, hours: at.Hours(), calm: 1}
	if f.Power.Adder != nil {
		m.adder = f.Power.Adder.Is.DollarsPerMWh() * grown
	}
	if f.Power.SpikeHours != nil {
		m.calm = 1 - min(max(f.Power.SpikeHours.Is/m.hours, 0), 1)
	}
	if f.Power.Demand != nil {
		m.demand = f.Power.Demand.Is.DollarsPerKWMonth() * 1000 * grown
	}
	if f.Power.Coincident != nil {
		m.coincident = float64(f.Power.Coincident.Is) * 1000 / 12 * grown
	}
	for _, b := range t.blocks {
		switch {
		case k < b.from || k >= b.until:
		case b.resale:
			m.resold += b.mw
			m.settled += float64(b.mw * b.price)
		default:
			m.covered += b.mw
			m.paid += float64(b.mw * b.price)
		}
	}
	return m
}

func blockOf(f *input.File, b *input.Block) block {
	out := block{mw: megawatts(b.Power), until: 12 * f.Years, resale: b.Resale == nil || *b.Resale}
	if b.Price != nil {
		out.price = b.Price.Is.DollarsPerMWh()
	}
	if b.From != 0 {
		out.from = int(b.From - f.Start)
	}
	if b.Until != 0 {
		out.until = int(b.Until - f.Start)
	}
	return out
}

func megawatts(p input.Power) float64 {
	if p == nil {
		return 0
	}
	return p.Is.Megawatts()
}

// Hours is how many hours month t has.
func (t *Tariff) Hours(m int) float64 { return t.month[m].hours }

// Adder is wires, losses and retail of month t, $/MWh.
func (t *Tariff) Adder(m int) float64 { return t.month[m].adder }

// Share is the hall's part of the site's blocks: its power over that of all halls.
func (t *Tariff) Share(hall int) float64 { return t.shares[hall] }

// Market is the mean hourly price of month m without the adder, $/MWh.
func (t *Tariff) Market(m int, p *world.Path) float64 {
	k := &t.month[m]
	return float64(p.Level[m]*t.curve[k.curve].mean()) + float64(p.Spike[m]*(1-k.calm))
}

// Mean is the mean all-in price of month m's hours, $/MWh.
func (t *Tariff) Mean(m int, p *world.Path) float64 { return t.Market(m, p) + t.month[m].adder }

// Below is the share of month m's hours whose all-in price is at or below threshold, $/MWh, and the
// mean all-in price of those hours; zero and zero where there are none.
func (t *Tariff) Below(m int, p *world.Path, threshold float64) (share, mean float64) {
	k := &t.month[m]
	c := &t.curve[k.curve]
	level, spike := p.Level[m], p.Spike[m]
	bid := (threshold - k.adder) / level
	share, sum := c.upTo(bid)
	if spike != 0 && share > k.calm {
		// Of the hours above the calm ones only those count that stay below with their spike. They
		// are a stretch of the same ascending curve, for the spike is the same in all of them.
		high, highSum := c.upTo(bid - spike/level)
		if high > k.calm {
			share, sum = high, highSum+float64(spike/level*(high-k.calm))
		} else {
			share, sum = k.calm, c.sum(k.calm)
		}
	}
	if share <= 0 {
		return 0, 0
	}
	return share, float64(level*sum)/share + k.adder
}

// Blocks is what the fixed-price blocks bring to a hall that bears share of them in month m, $. A
// block that may be resold brings the market's mean price less its own on every MWh, whatever is
// drawn: what the hall draws it buys at the hourly price like any other power. A block without resale
// costs its price on every MWh, whatever is drawn; what it saves is that the first Covered megawatts
// that the hall draws cost the adder alone.
func (t *Tariff) Blocks(m int, p *world.Path, share float64) float64 {
	k := &t.month[m]
	if k.resold == 0 && k.paid == 0 {
		return 0
	}
	return float64(k.hours * share * (float64(k.resold*t.Market(m, p)) - k.settled - k.paid))
}

// Covered is the power of the blocks without resale that a hall with that share of them may draw in
// month m, MW: at the adder alone, in all hours.
func (t *Tariff) Covered(m int, share float64) float64 { return float64(t.month[m].covered * share) }

// Energy is what a hall with that share of the blocks pays for drawing mw in all hours of month m, $,
// as a cost below zero; Blocks are apart.
func (t *Tariff) Energy(m int, p *world.Path, mw, share float64) float64 {
	k := &t.month[m]
	free := min(t.Covered(m, share), mw)
	return float64(-k.hours * (float64(free*k.adder) + float64((mw-free)*t.Mean(m, p))))
}

// Demand is the demand charge of month m per MW of a hall's full draw, $, above zero.
func (t *Tariff) Demand(m int) float64 { return t.month[m].demand }

// Coincident is a twelfth of the year's charge per MW drawn in the coincident peaks, $, above zero;
// mining pays the part of it that it does not avoid.
func (t *Tariff) Coincident(m int) float64 { return t.month[m].coincident }

// curve is a month's prices, ascending, with the sums of the first ones.
type curve struct {
	price  []float64
	before []float64 // before[k] is the sum of the first k prices over their number
	n      float64
}

func compile(prices []float64) curve {
	if len(prices) == 0 {
		prices = []float64{0}
	}
	c := curve{price: slices.Clone(prices), before: make([]float64, len(prices)+1), n: float64(len(prices))}
	slices.Sort(c.price)
	sum := 0.0
	for k, x := range c.price {
		sum += x
		c.before[k+1] = sum / c.n
	}
	return c
}

func (c *curve) mean() float64 { return c.before[len(c.price)] }

// sum is the integral of the prices over the cheapest share of the hours.
func (c *curve) sum(share float64) float64 {
	k := min(int(share*c.n), len(c.price)-1)
	return c.before[k] + float64((share-float64(k)/c.n)*c.price[k])
}

// upTo is the share of the prices at or below bid, and their integral.
func (c *curve) upTo(bid float64) (share, sum float64) {
	low, n := 0, len(c.price)
	for n > 0 {
		half := n / 2
		if c.price[low+half] <= bid {
			low += half + 1
			n -= half + 1
		} else {
			n = half
		}
	}
	return float64(low) / c.n, c.before[low]
}
