package contract

import (
	"math/big"
	"time"

	"switchyard/unit"
)

// ImpliedRate returns the flat rent per kW and month at which critical load, all in service from
// the first day, comes to total over so many years: total / (kW x 12 x years), rounded to the
// micro-dollar. Zero where the load or the years are not above zero.
func ImpliedRate(total unit.Money, critical unit.Power, years int) unit.CapacityRate {
	if critical <= 0 || years <= 0 {
		return 0
	}
	return unit.CapacityRate(over(product(int64(total), int64(unit.Kilowatt)), product(int64(critical), 12, int64(years))))
}

// OverageOwed returns what a month's highest 15-minute mean power makes owed beyond the
// contracted critical load: (highest - critical) in kW x rate in $/kW-month, for the whole
// month, as leases of this kind define it. Nothing where the load stayed within it.
func OverageOwed(highest, critical unit.Power, rate unit.CapacityRate) unit.Money {
	return unit.Money(over(product(int64(rate), int64(max(highest-critical, 0))), big.NewInt(int64(unit.Kilowatt))))
}

// CurtailmentPayment returns what is owed to the tenant for energy that it did not draw because
// power was taken back: energy in MWh x price in $/MWh, as leases of this kind define it. It is
// positive: whoever books it makes it a credit.
func (c Curtail) CurtailmentPayment(notDrawn unit.Energy) unit.Money {
	return c.Price.Cost(max(notDrawn, 0))
}

// Billable returns the energy in which a tenant's share of power is passed through: critical at
// its own meter where losses are the site's, else billed, which is critical brought up to the
// revenue meter, at most PUECap times critical, as leases of this kind define it.
func (p Pass) Billable(critical, billed unit.Energy) unit.Energy {
	if !p.Losses {
		return critical
	}
	if p.PUECap <= 0 {
		return billed
	}
	return min(billed, unit.Energy(over(product(int64(critical), billionths(unit.Ratio(p.PUECap))), big.NewInt(billionth))))
}

// PartOf returns the part of a charge, such as a month's demand charge, that a tenant bears by
// its power out of the whole's at the same time: charge x own / whole, rounded to the
// micro-dollar. Nothing where the whole is not above zero, and never more than the charge.
func PartOf(charge unit.Money, own, whole unit.Power) unit.Money {
	if whole <= 0 || own <= 0 {
		return 0
	}
	return unit.Money(over(product(int64(charge), int64(min(own, whole))), big.NewInt(int64(whole))))
}

// Take returns how much of what is left of the prepayment one invoice takes: Share of the rent
// that it bills, at most what is left, never below zero. It is positive: whoever books it makes
// it a credit.
func (p Prepayment) Take(left, rent unit.Money) unit.Money {
	return max(min(left, ShareOf(rent, p.Share)), 0)
}

// Due returns the day on which an invoice of that date is due.
func (v Version) Due(issued Date) Date { return issued.AddDays(v.PaymentDays) }

// OnDemandOwed returns what GPU time of one model makes owed: time in GPU-hours x rate per
// GPU-hour, rounded to the micro-dollar.
func OnDemandOwed(used time.Duration, rate unit.Money) unit.Money {
	return unit.Money(over(product(int64(rate), int64(used)), big.NewInt(int64(time.Hour))))
}
