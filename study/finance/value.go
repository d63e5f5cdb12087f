package finance

import (
	"slices"

	"switchyard/study/world/exact"
)

// NPV is the present value of flows at a rate per period; the first is not discounted, as
// numpy-financial has it. For a study's months see Present.
func NPV(rate float64, flows []float64) float64 {
	sum, factor := 0.0, 1.0
	for _, f := range flows {
		sum += float64(f * factor)
		factor /= 1 + rate
	}
	return sum
}

// Present is the value at the beginning of month 0 of monthly flows that fall at the end of their
// month; rate is effective per year.
func Present(rate float64, monthly []float64) float64 {
	var d discount
	return d.present(rate, monthly)
}

// Annuity is the present value of 1 at the end of each of so many periods.
func Annuity(rate float64, periods int) float64 {
	sum, factor := 0.0, 1.0
	for range periods {
		factor /= 1 + rate
		sum += factor
	}
	return sum
}

// PMT is the level payment that repays present over so many periods, with the sign of
// spreadsheets: for money received it is negative. It is zero without periods.
func PMT(rate float64, periods int, present float64) float64 {
	if periods < 1 {
		return 0
	}
	return -present / Annuity(rate, periods)
}

// Sculpt is the debt that CFADS carries at a debt service cover ratio: the sum of
// CFADS_k / DSCR / (1+rate)^k with k = 1, 2 …, rate per period, and CFADS below zero as zero. NREL's
// single owner model sizes debt so. It is zero at a ratio of zero or less.
func Sculpt(rate, dscr float64, cfads []float64) float64 {
	if dscr <= 0 {
		return 0
	}
	sum, factor := 0.0, 1.0
	for _, c := range cfads {
		factor /= 1 + rate
		sum += float64(max(0, c) * factor)
	}
	return sum / dscr
}

// discount holds the factors of one rate, since the power function would cost more than all the
// rest of a path.
type discount struct {
	rate   float64
	factor []float64
}

func (d *discount) of(rate float64, months int) []float64 {
	if d.rate == rate && len(d.factor) >= months {
		return d.factor[:months]
	}
	d.rate, d.factor = rate, slices.Grow(d.factor[:0], months)[:months]
	for t := range d.factor {
		d.factor[t] = exact.Pow(1+rate, -float64(t+1)/12)
	}
	return d.factor
}

func (d *discount) present(rate float64, monthly []float64) float64 {
	factor, sum := d.of(rate, len(monthly)), 0.0
	for t, f := range monthly {
		sum += float64(f * factor[t])
	}
	return sum
}
