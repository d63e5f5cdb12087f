package market

import (
	"time"

	"switchyard/unit"
)

// Satoshi is how many satoshi make a bitcoin.
const Satoshi = 100_000_000

// Subsidy returns the new coins of the block at height, in satoshi: 50 bitcoin, halved
// every 210,000 blocks.
func Subsidy(height int64) int64 {
	halvings := height / 210_000
	if height < 0 || halvings >= 64 {
		return 0
	}
	return int64(50*Satoshi) >> halvings
}

// BTCPerPHDay returns the bitcoin that one PH/s is expected to earn in a day at a network
// difficulty, when a block pays reward bitcoin (subsidy and fees). It takes difficulty x
// 2^32 hashes to find a block. Zero where the difficulty is not positive.
func BTCPerPHDay(difficulty, reward float64) float64 {
	if difficulty <= 0 {
		return 0
	}
	return 1e15 * 86_400 / (difficulty * (1 << 32)) * reward
}

// Difficulty returns the difficulty at which a network of that hashrate finds a block every
// ten minutes.
func Difficulty(network unit.Hashrate) float64 { return float64(network) * 600 / (1 << 32) }

// FPPS returns what full pay-per-share pays of what pay-per-share does, before the pool's
// fee: (subsidies + fees) / subsidies. Zero where there are no subsidies.
func FPPS(subsidies, fees float64) float64 {
	if subsidies <= 0 {
		return 0
	}
	return (subsidies + fees) / subsidies
}

// Breakeven returns the power price at which mining at efficiency e earns just its power,
// less the pool's fee, in a hall that draws pue times what its miners do. It is also what a
// MWh is worth to the group. Zero where e or pue is not positive.
func Breakeven(h unit.Hashprice, e unit.Efficiency, fee unit.Ratio, pue float64) unit.Price {
	if pue <= 0 {
		return 0
	}
	return h.Value(e*unit.Efficiency(pue), fee)
}

// dayRevenue returns the hashprice of a day: what all miners earned, per PH/s of the network.
func dayRevenue(btc float64, price unit.Money, network unit.Hashrate) (unit.Hashprice, float64) {
	perPH := btc / network.PH()
	return unit.DollarsPerPHDay(perPH * price.Dollars()), perPH
}

const day = 24 * time.Hour
