package mining

import (
	"switchyard/study/input"
	"switchyard/study/power"
	"switchyard/study/world"
	"switchyard/study/world/exact"
)

// Month is what a hall's mining brings in a month: $ as its flow lines have them, money in above zero.
type Month struct {
	Revenue    float64 // bitcoin mined, at the month's price, before the pool's fee
	PoolFee    float64
	Energy     float64 // hourly prices with the adder
	Demand     float64 // demand and coincident-peak charges
	Programmes float64
	Blocks     float64 // the hall's part of fixed-price power against the market, whatever mines
	Upkeep     float64 // also of a month in which all rest
	Renewal    float64 // new machines, zero or below
	Resale     float64 // of the machines that they replace
	MWh        float64 // from the grid, cooling included
	BTC        float64 // before the pool's fee
	Share      float64 // MWh over those of the whole fleet in all hours that uptime leaves, from 0 to 1
}

// Net is all money of the month.
func (m *Month) Net() float64 {
	return m.Revenue + m.PoolFee + m.Energy + m.Demand + m.Programmes + m.Blocks + m.Upkeep + m.Renewal + m.Resale
}

// Fleet is the miners of a hall, compiled from a study file.
type Fleet struct {
	tariff  *power.Tariff
	share   float64 // of the site's fixed-price blocks
	capture float64 // of what perfect curtailment gains over running always
	month   []when
	stages  []stage
	resale  []float64 // of what is in place when a month begins, where hashprice is as expected
	// Prices of used machines are over those expected as hashprice is, to the power of elastic.
	expected []float64
	elastic  float64
}

// when is what New knows of a month.
type when struct {
	stage                 int
	hours, days           float64
	programmes            float64 // $ per MW that runs all month
	charge                float64 // demand and peaks, $ per MW of full draw
	covered               float64 // MW of blocks without resale
	upkeep, renewal, sold float64 // as Month has them
}

// stage is the time between two renewals of anything in the hall.
type stage struct {
	blocks   []block // worth most a MWh first
	mw, hash float64 // all of them: MW and PH/s as uptime leaves them
	full     float64 // MW when all work
}

// block is a part of the machines that is worth running, or not, as one. MW are drawn from the grid.
type block struct {
	mw, full, hash, fee float64
	worth               float64 // of a MWh after the pool's fee, $ for each $/PH/day of hashprice
}

// New compiles the fleet of a hall of a file that Load has read.
func New(f *input.File, hall int, tariff *power.Tariff) *Fleet {
	h := &f.Halls[hall]
	n := 12 * f.Years
	out := &Fleet{tariff: tariff, share: tariff.Share(hall), capture: capture(f), month: make([]when, n), resale: make([]float64, n+1)}
	out.elastic, out.expected = is(f.Bitcoin.Resale, 1), hashprices(f)
	pue := is(f.Site.MiningPUE, 1.03)
	groups := groupsOf(f, h, pue)
	for t := range out.month {
		w := &out.month[t]
		w.hours, w.days = tariff.Hours(t), tariff.Hours(t)/24
		w.programmes = programmes(f)
		w.charge = tariff.Demand(t) + float64(tariff.Coincident(t)*(1-float64(is(f.Power.Avoided, 0))))
		w.covered = tariff.Covered(t, out.share)
		if len(groups) > 0 {
			w.upkeep = -upkeep(f, h, t)
		}
		changed := t == 0
		for i := range groups {
			g := &groups[i]
			worth := g.resale(t)
			out.resale[t] += worth
			if g.due(t) {
				w.sold += worth
				w.renewal -= g.renew(t)
				changed = true
			}
		}
		if changed {
			out.stages = append(out.stages, stageOf(groups))
		}
		w.stage = len(out.stages) - 1
	}
	for i := range groups {
		out.resale[n] += groups[i].resale(n)
	}
	return out
}

// hashprices are those of the expected case; nil where the file has no bitcoin.
func hashprices(f *input.File) []float64 {
	m, err := world.New(f)
	if err != nil {
		return nil
	}
	p := m.NewPath()
	m.Expected(p)
	return p.Hashprice
}

// used is what used machines fetch on a path in month t over what is expected: what they earn then says it. The month
// after the last is as the last.
func (f *Fleet) used(t int, p *world.Path) float64 {
	t = min(t, len(f.expected)-1)
	if t < 0 || f.elastic == 0 || f.expected[t] <= 0 {
		return 1
	}
	over := p.Hashprice[t] / f.expected[t]
	if f.elastic == 1 {
		return over
	}
	return exact.Pow(over, f.elastic)
}
