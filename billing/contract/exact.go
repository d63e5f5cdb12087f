package contract

import (
	"math"
	"math/big"

	"switchyard/unit"
)

// billionth is the step to which shares are taken, so that money is reckoned in whole numbers.
const billionth = 1_000_000_000

// billionths returns a share as a whole number of billionths.
func billionths(r unit.Ratio) int64 { return int64(math.Round(float64(r) * billionth)) }

// ShareOf returns a share of an amount: the share taken to the billionth, the product exact and
// rounded half away from zero to the micro-dollar.
func ShareOf(amount unit.Money, share unit.Ratio) unit.Money {
	return unit.Money(over(product(int64(amount), billionths(share)), big.NewInt(billionth)))
}

// product multiplies without bound.
func product(factors ...int64) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		p.Mul(p, big.NewInt(f))
	}
	return p
}

// over returns num/den rounded half away from zero, den above zero, at most what an int64 counts.
func over(num, den *big.Int) int64 {
	twice := new(big.Int).Abs(num)
	twice.Lsh(twice, 1).Add(twice, den).Quo(twice, new(big.Int).Lsh(den, 1))
	if num.Sign() < 0 {
		twice.Neg(twice)
	}
	switch {
	case twice.IsInt64():
		return twice.Int64()
	case num.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// add sums two amounts, at most what can be counted.
func add(a, b unit.Money) unit.Money {
	switch s := a + b; {
	case b > 0 && s < a:
		return math.MaxInt64
	case b < 0 && s > a:
		return math.MinInt64
	default:
		return s
	}
}
