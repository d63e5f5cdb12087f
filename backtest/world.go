package backtest

import (
	"fmt"
	"math"
	"time"

	"switchyard/backtest/crew"
	"switchyard/backtest/table"
	"switchyard/market"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// World is the truth of a backtest: the site, and what prices, loads and the Bitcoin network
// were in each interval. No policy sees it but through what was known at the time. It is
// immutable once opened.
type World struct {
	File     *sitefile.File
	Zone     *time.Location
	Interval time.Duration
	start    int64 // Unix seconds of interval 0
	step     int64 // seconds
	n        int
	tree     *site.Tree

	valid []bool       // the interval has a price and a hashprice
	price []unit.Price // with the site's adder; 0 where not valid
	ahead []unit.Price // day-ahead, with the adder; noPrice where none
	load  []float64    // MW of the grid; NaN where unknown; nil: none
	hash  []unit.Hashprice
	// before is what the files hold of the time before the run: a forecast has heard of it.
	before struct{ price, ahead, load *table.Series }
	groups []group

	tenants  []tenant
	caps     []unit.Power // standing, per node; negative: none
	limits   []site.Limit // timed ones, the file's
	reserves []reserve
	peaks    []peak
	demands  []demand
	blocks   []block
	least    unit.Power // minimum load at the connection
	leastFor unit.Price

	// Notes say what was found in the files and what is left out of the simulation.
	Notes  []string
	Inputs []Input
	days   []int32 // local day index of each interval
	dates  []time.Time
}

// noPrice marks an interval without a day-ahead price.
const noPrice = unit.Price(math.MinInt64)

// Input is one series that was used.
type Input struct {
	What   string `json:"what"`
	Source string `json:"source"`
	// Rows are the numbers in the run's time; Missing the intervals without one.
	Rows    int    `json:"rows"`
	Missing int    `json:"missing"`
	Faults  int    `json:"faults,omitempty"` // bad lines, duplicates, absurd numbers, rows off the grid
	Note    string `json:"note,omitempty"`
}

// group is miners of one model in one hall, with the physics that all policies share.
type group struct {
	id             site.LoadID
	node           int
	count          int
	power, standby unit.Power // of one
	hash           unit.Hashrate
	fee            unit.Ratio
	wear           unit.Money
	ramp           time.Duration
	run, rest      time.Duration // least times; run is never less than ramp
	factor         float64       // power at the connection per power at the group
}

func (g *group) net() unit.Power { return g.power - g.standby }

func (g *group) physics() crew.Physics { return crew.Physics{Run: g.run, Rest: g.rest, Ramp: g.ramp} }

// breakeven is the price at the group's own terminals up to which hashing pays.
func (g *group) breakeven(h unit.Hashprice) unit.Price {
	return h.Value(unit.EfficiencyOf(g.net(), g.hash), g.fee)
}

// tenant is contracted load: its draw is made up from the site file, the same for all policies.
type tenant struct {
	id        site.LoadID
	node      int
	firm      unit.Power
	penalty   unit.Price
	rate      unit.CapacityRate
	included  bool // energy is the site's to pay
	fill      bool
	margin    unit.Power
	low, high float64
	seed      uint64
	factor    float64
}

// reserve is a capacity product.
type reserve struct {
	name        string
	price       []unit.Price // per MW and hour, by interval; noPrice: cannot be sold
	most        unit.Power   // 0: no bound
	performance float64
	call        float64
	short       unit.Price
	sold        []sitefile.SoldReserve
}

// peak is one coincident peak as it came to be.
type peak struct {
	charge   string
	from, to int64             // Unix seconds
	rate     unit.CapacityRate // $/kW of the power drawn then
	load     float64
}

// demand is a charge on a month's highest mean power.
type demand struct {
	name   string
	rate   unit.CapacityRate
	window int64 // seconds
	counts []bool
}

// block is power bought ahead.
type block struct {
	power   unit.Power
	price   unit.Price
	sell    bool
	sellFee unit.Price
	in      []bool // by interval
}

// at returns when interval i begins.
func (w *World) at(i int) int64 { return w.start + int64(i)*w.step }

// Time returns when interval i begins.
func (w *World) Time(i int) time.Time { return time.Unix(w.at(i), 0).UTC() }

// Len returns the number of intervals, those without a price included.
func (w *World) Len() int { return w.n }

func (w *World) hours() float64 { return float64(w.step) / 3600 }

// index returns the interval that holds t, which may lie outside of [0, n).
func (w *World) index(unix int64) int {
	return int(math.Floor(float64(unix-w.start) / float64(w.step)))
}

// site turns the site file into what all policies share.
func (w *World) site() error {
	f := w.File
	var err error
	if w.tree, err = f.Tree(); err != nil {
		return err
	}
	w.caps = make([]unit.Power, w.tree.Len())
	factor := make([]float64, w.tree.Len())
	for i := range w.caps {
		n := w.tree.Node(i)
		w.caps[i], factor[i] = -1, 1
		if n.Limit > 0 {
			w.caps[i] = n.Limit
		}
		if n.Parent >= 0 {
			factor[i] = factor[n.Parent]
		}
		if n.Loss > 0 && n.Loss < 1 {
			factor[i] /= 1 - float64(n.Loss)
		}
	}
	for _, g := range f.Groups {
		node, _ := w.tree.Index(site.NodeID(g.Node)) // the file's check has found it
		x := group{
			id: site.LoadID(g.ID), node: node, count: len(g.Targets()), power: g.Nameplate, standby: g.Standby, hash: g.Hashrate,
			fee: g.PoolFee, wear: g.RestartCost, ramp: g.Ramp, run: max(g.MinRun, g.Ramp), rest: g.MinRest, factor: factor[node],
		}
		if x.net() <= 0 || x.hash <= 0 {
			return fmt.Errorf("group %s: a backtest needs its nameplate and its hashrate", g.ID)
		}
		w.groups = append(w.groups, x)
	}
	if len(w.groups) == 0 {
		return fmt.Errorf("the site has no mining group: there is nothing to decide")
	}
	for k, t := range f.Tenants {
		node, _ := w.tree.Index(site.NodeID(t.Node))
		x := tenant{
			id: site.LoadID(t.ID), node: node, firm: t.Firm, penalty: t.Penalty, rate: t.Rate, included: t.Power == "included",
			fill: t.Fill == nil || *t.Fill, low: 0.5, high: 1, seed: uint64(k) + 1, factor: factor[node],
			// What live control keeps free for a tenant's rise until mining has yielded: half a
			// minute of its ramp, at least a hundredth of the contract.
			margin: max(t.Ramp/2, t.Firm/100),
		}
		if e := f.Emulate; e != nil {
			x.seed += e.Seed << 8
			if d, ok := e.Tenants[t.ID]; ok {
				x.low, x.high = float64(d.Low), float64(d.High)
			}
		}
		w.tenants = append(w.tenants, x)
	}
	if m := f.Minimum; m != nil {
		w.least, w.leastFor = m.Power, m.Penalty
	}
	w.say(len(f.Work) > 0, "flexible work with deadlines (work:) is not simulated")
	for _, t := range f.Tenants {
		w.say(t.Curtail != nil, "tenant %s's curtailment right is not used: contracted load is drawn in full by every policy", t.ID)
	}
	return nil
}

func (w *World) say(when bool, format string, args ...any) {
	if when {
		w.Notes = append(w.Notes, fmt.Sprintf(format, args...))
	}
}

// calendar fixes the local day of each interval.
func (w *World) calendar() {
	w.days = make([]int32, w.n)
	last := -1
	for i := range w.n {
		t := time.Unix(w.at(i), 0).In(w.Zone)
		y, m, d := t.Date()
		if key := y*400 + int(m)*32 + d; key != last {
			last = key
			w.dates = append(w.dates, time.Date(y, m, d, 0, 0, 0, 0, w.Zone))
		}
		w.days[i] = int32(len(w.dates) - 1)
	}
}

// margin is what is kept free below every limit, as the live site does.
func (w *World) keepFree(p unit.Power) unit.Power {
	if p <= 0 {
		return p
	}
	return p - p.Scale(float64(w.File.Control.Margin))
}

// capsAt writes the caps of interval i: the nodes' limits and the file's timed ones, less the
// control margin. A limit that holds for a part of the interval holds for all of it.
func (w *World) capsAt(i int, into []unit.Power) {
	copy(into, w.caps)
	from, to := w.at(i), w.at(i)+w.step
	for _, l := range w.limits {
		if l.From.Unix() >= to || !l.To.IsZero() && l.To.Unix() <= from {
			continue
		}
		if n, ok := w.tree.Index(l.Node); ok && (into[n] < 0 || l.Power < into[n]) {
			into[n] = l.Power
		}
	}
	for n := range into {
		into[n] = w.keepFree(into[n])
	}
}

// draw is what a tenant draws in interval i: it wanders between its low and its high share,
// an hour from one level to the next, by its own seed.
func (t *tenant) draw(unix int64) unit.Power {
	hour := unix / 3600
	part := float64(unix-hour*3600) / 3600
	level := t.level(hour)*(1-part) + t.level(hour+1)*part
	return t.firm.Scale(t.low + (t.high-t.low)*level)
}

// level is a number in [0, 1) that only the seed and the hour decide (splitmix64).
func (t *tenant) level(hour int64) float64 {
	z := t.seed*0x9e3779b97f4a7c15 + uint64(hour)*0xbf58476d1ce4e5b9
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// kept is what is reserved for the tenant while it draws so much.
func (t *tenant) kept(draw unit.Power) unit.Power {
	if !t.fill {
		return max(t.firm, draw)
	}
	return max(draw, min(t.firm, draw+t.margin))
}

// fileLimits gathers the file's timed limits over the run, a year at a time.
func (w *World) fileLimits() {
	all := market.FileLimits(w.File)
	seen := map[string]bool{}
	for from := w.Time(0); from.Before(w.Time(w.n)); from = from.AddDate(1, 0, 0) {
		to := from.AddDate(1, 0, 0)
		if end := w.Time(w.n); to.After(end) {
			to = end
		}
		for _, l := range all.Between(from, to) {
			if !seen[l.ID] {
				seen[l.ID] = true
				w.limits = append(w.limits, l)
			}
		}
	}
}
