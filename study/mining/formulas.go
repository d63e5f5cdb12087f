package mining

import "switchyard/market"

// Hashprice is what a PH/s is expected to earn in a day, $, before the pool's fee, when a block pays
// reward bitcoin (subsidy and fees) of price dollars each. Zero where the difficulty is not positive.
func Hashprice(difficulty, reward, price float64) float64 {
	return float64(market.BTCPerPHDay(difficulty, reward) * price)
}

// ExpectedBTC is how many bitcoin hash PH/s are expected to find in so many days, before the pool's fee.
func ExpectedBTC(hash, days, difficulty, reward float64) float64 {
	return float64(hash * days * market.BTCPerPHDay(difficulty, reward))
}

// PaidBTC is what a pool of full pay-per-share pays for hash PH/s in so many days, less its fee (a share):
// the expected subsidy, raised by what the blocks of that time (subsidies and fees, bitcoin in all)
// paid beyond it, whether or not the pool found one.
func PaidBTC(hash, days, difficulty, subsidy, subsidies, fees, fee float64) float64 {
	return ExpectedBTC(hash, days, difficulty, subsidy) * market.FPPS(subsidies, fees) * (1 - fee)
}

// Breakeven is the all-in power price, $/MWh, at which machines of that efficiency (J/TH at the wall)
// earn just their power at a hashprice ($/PH/day), less the pool's fee, in a hall that draws pue times what its miners do.
func Breakeven(hashprice, efficiency, fee, pue float64) float64 {
	if efficiency <= 0 || pue <= 0 {
		return 0
	}
	return hashprice * (1 - fee) / (0.024 * efficiency * pue)
}

// BreakevenHashprice is the hashprice, $/PH/day, at which they earn just a power price, $/MWh.
func BreakevenHashprice(power, efficiency, fee, pue float64) float64 {
	if fee >= 1 {
		return 0
	}
	return power * 0.024 * efficiency * pue / (1 - fee)
}
