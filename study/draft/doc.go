// Package draft owns the first draft of a study file: the text that `switchyard study init` writes
// from what a site's meters, contracts and price files say, with a comment for a person beside it.
//
// It never measures and never reads a file: it is told plain values, each with where it comes from,
// and marks as an assumption whatever nobody told it.
//
// Concurrency: values are plain data and all functions are pure.
package draft

import (
	"switchyard/study/figure"
)

// Value is a figure as a study file writes it, "25 MW", and where it comes from. The zero Value is
// one that nobody knows.
type Value struct {
	Is     string
	From   figure.Origin
	Source string
}

// Known says that the value is there.
func (v Value) Known() bool { return v.Is != "" }

// Or returns v, or other where v is not known.
func (v Value) Or(other Value) Value {
	if v.Known() {
		return v
	}
	return other
}

// Assumed is a value that is only believed, and why.
func Assumed(is, why string) Value { return Value{is, figure.Assumption, why} }

// Measured is a value of this site's own meters and devices.
func Measured(is, how string) Value { return Value{is, figure.Measured, how} }

// Site is all that a draft is made of.
type Site struct {
	Name  string
	Start figure.Month // the study's first month
	// Record says what of the site was measured, in sentences: how long, how whole, what it drew.
	Record []string
	// Utility is the connection's power, PUE of AI halls, MiningPUE of mining halls.
	Utility, PUE, MiningPUE Value
	Halls                   []Hall
	Power                   Power
	Bitcoin                 Bitcoin
	Leases                  []Lease
	// Notes are what a person should know and that stands in no figure.
	Notes []string
}

// Hall is a part of the site in which miners stand.
type Hall struct {
	ID    string
	Power Value // of the grid, cooling included
	Fleet []Machines
	Notes []string
}

// Machines are miners of one model.
type Machines struct {
	Model       string
	Count       int
	Hash, Power string        // of one, "200 TH/s", "3.5 kW"; empty: the table of models knows
	Fee         Value         // the pool's
	From        figure.Origin // of Hash and Power, and
	How         string        // in words
}

// Power is what energy costs.
type Power struct {
	Prices, Column string // the CSV of hourly prices, as seen from the study file; empty: none
	Source         string // of Prices
	Flat           Value  // one price in place of it
	Adder          Value
	Demand         Value // $/kW-month
	Coincident     Value // $ per kW and year
	Blocks         []Block
}

// Block is power bought ahead at a fixed price.
type Block struct {
	Power, Price Value
	From, Until  figure.Month // Until is the first month without it; zero: not told
	Keep         bool         // what is not drawn cannot be sold back
}

// Bitcoin is the coin and its network at the study's start.
type Bitcoin struct {
	Price, Difficulty, Fees Value
	Height                  int64 // of a block, and
	HeightFrom              string
	Hashprice               Value // of which Difficulty was made, or that stands beside it
}

// Lease is what a tenant of the site pays now: the terms of one more like it.
type Lease struct {
	ID, Tenant string
	Kind       string // gross, modified, net
	Rate       Value
	Escalator  Value
	Term       Value
	Upkeep     Value
	Notes      []string
}
