// Package unit owns the typed quantities of the trade: power, energy, hashrate,
// efficiency, prices and money, how they are parsed from text ("3.2 MW") and printed
// for people, and the few exact conversions between them.
//
// Signs: power and energy are positive when a load consumes; money is positive when it
// is ours; a price is positive when the consumer pays.
//
// It never rounds silently towards a side: every conversion to an integer rounds half
// away from zero. It never reads a clock, a file or the network.
//
// Concurrency: values are plain numbers; all functions are pure and safe for concurrent use.
package unit

import (
	"math"
	"math/bits"
	"time"
)

// Power is electrical power in integer milliwatts, positive when consumed.
type Power int64

// Multiples of power.
const (
	Milliwatt Power = 1
	Watt            = 1000 * Milliwatt
	Kilowatt        = 1000 * Watt
	Megawatt        = 1000 * Kilowatt
)

// Watts makes a Power from a number of watts, rounding half away from zero.
func Watts(w float64) Power { return Power(round(w * 1e3)) }

// Watts returns the power in watts.
func (p Power) Watts() float64 { return float64(p) / 1e3 }

// Megawatts returns the power in megawatts.
func (p Power) Megawatts() float64 { return float64(p) / 1e9 }

// Over returns the energy that constant power p delivers in d.
func (p Power) Over(d time.Duration) Energy {
	return Energy(muldiv(int64(p), int64(d), int64(time.Hour)))
}

// Scale returns p times f, rounded to a milliwatt.
func (p Power) Scale(f float64) Power { return Power(round(float64(p) * f)) }

// Energy is electrical energy in integer milliwatt-hours, positive when consumed.
type Energy int64

// Multiples of energy.
const (
	MilliwattHour Energy = 1
	WattHour             = 1000 * MilliwattHour
	KilowattHour         = 1000 * WattHour
	MegawattHour         = 1000 * KilowattHour
)

// WattHours makes an Energy from a number of watt-hours, rounding half away from zero.
func WattHours(wh float64) Energy { return Energy(round(wh * 1e3)) }

// MegawattHours returns the energy in MWh.
func (e Energy) MegawattHours() float64 { return float64(e) / 1e9 }

// Mean returns the constant power that delivers e in d; zero when d is zero.
func (e Energy) Mean(d time.Duration) Power {
	if d == 0 {
		return 0
	}
	return Power(muldiv(int64(e), int64(time.Hour), int64(d)))
}

// Money is an amount in integer micro-dollars, positive when it is ours.
type Money int64

// Multiples of money.
const (
	MicroDollar Money = 1
	Dollar            = 1_000_000 * MicroDollar
)

// Dollars makes Money from a number of dollars, rounding half away from zero.
func Dollars(d float64) Money { return Money(round(d * 1e6)) }

// Dollars returns the amount in dollars.
func (m Money) Dollars() float64 { return float64(m) / 1e6 }

// Price is an energy price in integer micro-dollars per MWh.
type Price int64

// DollarPerMWh is one $/MWh.
const DollarPerMWh Price = 1_000_000

// DollarsPerMWh makes a Price from $/MWh, rounding half away from zero.
func DollarsPerMWh(d float64) Price { return Price(round(d * 1e6)) }

// DollarsPerMWh returns the price in $/MWh.
func (p Price) DollarsPerMWh() float64 { return float64(p) / 1e6 }

// Cost returns the price of e: exact, rounded half away from zero to a micro-dollar.
func (p Price) Cost(e Energy) Money {
	return Money(muldiv(int64(p), int64(e), int64(MegawattHour)))
}

// CapacityRate is rent of power capacity in integer micro-dollars per kW and month.
type CapacityRate int64

// DollarsPerKWMonth makes a CapacityRate from $/kW-month.
func DollarsPerKWMonth(d float64) CapacityRate { return CapacityRate(round(d * 1e6)) }

// DollarsPerKWMonth returns the rate in $/kW-month.
func (r CapacityRate) DollarsPerKWMonth() float64 { return float64(r) / 1e6 }

// Rent returns what capacity p owes for the share part/whole of a month.
func (r CapacityRate) Rent(p Power, part, whole time.Duration) Money {
	monthly := muldiv(int64(r), int64(p), int64(Kilowatt))
	return Money(muldiv(monthly, int64(part), int64(whole)))
}

// Hashrate is work per second in hashes per second.
type Hashrate float64

// Multiples of hashrate.
const (
	MegaHash Hashrate = 1e6
	GigaHash Hashrate = 1e9
	TeraHash Hashrate = 1e12
	PetaHash Hashrate = 1e15
	ExaHash  Hashrate = 1e18
)

// TH returns the hashrate in TH/s.
func (h Hashrate) TH() float64 { return float64(h) / 1e12 }

// PH returns the hashrate in PH/s.
func (h Hashrate) PH() float64 { return float64(h) / 1e15 }

// Hashprice is expected revenue in integer micro-dollars per PH/s and day.
type Hashprice int64

// DollarsPerPHDay makes a Hashprice from $/PH/day.
func DollarsPerPHDay(d float64) Hashprice { return Hashprice(round(d * 1e6)) }

// DollarsPerPHDay returns the hashprice in $/PH/day.
func (h Hashprice) DollarsPerPHDay() float64 { return float64(h) / 1e6 }

// Revenue returns what hashrate r, held for d, is expected to earn before pool fees.
func (h Hashprice) Revenue(r Hashrate, d time.Duration) Money {
	return Money(round(float64(h) * r.PH() * (float64(d) / float64(24*time.Hour))))
}

// Efficiency is energy per work in J/TH; less is better.
type Efficiency float64

// EfficiencyOf returns power divided by hashrate in J/TH; zero when h is not positive.
func EfficiencyOf(p Power, h Hashrate) Efficiency {
	if h <= 0 {
		return 0
	}
	return Efficiency(p.Watts() / h.TH())
}

// Value returns what a MWh is worth when it mines: hashprice x (1 - fee) / (0.024 x J/TH).
// It is also the breakeven power price. Derivation: one MWh is 3.6e9 J, which at e J/TH
// does 3.6e9/e TH of work, and a PH/day is 8.64e7 TH. It is zero when e is not positive.
func (h Hashprice) Value(e Efficiency, fee Ratio) Price {
	if e <= 0 {
		return 0
	}
	return Price(round(float64(h) * (1 - float64(fee)) / (0.024 * float64(e))))
}

// Ratio is a dimensionless share; 1 is 100 %.
type Ratio float64

func round(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(math.Round(f))
}

// muldiv returns a*b/c rounded half away from zero, through 128 bits, saturating.
func muldiv(a, b, c int64) int64 {
	neg := (a < 0) != (b < 0) != (c < 0)
	hi, lo := bits.Mul64(mag(a), mag(b))
	uc := mag(c)
	if uc == 0 || hi >= uc {
		if neg {
			return math.MinInt64
		}
		return math.MaxInt64
	}
	q, r := bits.Div64(hi, lo, uc)
	if r >= uc-r && q < math.MaxUint64 {
		q++
	}
	switch {
	case neg && q > math.MaxInt64:
		return math.MinInt64
	case neg:
		return -int64(q)
	case q > math.MaxInt64:
		return math.MaxInt64
	}
	return int64(q)
}

func mag(v int64) uint64 {
	if v < 0 {
		return uint64(-(v + 1)) + 1
	}
	return uint64(v)
}
