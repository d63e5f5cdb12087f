package contract

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// What the checks take for real; beyond it somebody erred.
const (
	maxCritical  = 10_000 * unit.Megawatt
	leastPower   = unit.Kilowatt
	maxRate      = unit.CapacityRate(5_000_000_000) // $/kW-month
	maxEscalator = unit.Ratio(0.25)
	maxPrice     = 20_000 * unit.DollarPerMWh
	maxHourly    = 10_000 * unit.Dollar // per GPU-hour, per TB-month
	maxGPUs      = 1_000_000
	maxTB        = 1e7
	maxPrepaid   = 1_000_000_000_000 * unit.Dollar
	maxVersions  = 200
	maxSteps     = 200
	leapYear     = 366 * 24 * time.Hour
	longMonth    = 31*24*time.Hour + time.Hour // with the hour that a change of clocks adds
	leastPUE     = 1.0
	oddPUE       = 2.0
)

func (k *checker) space(path string, v Version) {
	s := *v.Colocation
	if k.need(path+".critical", `write it like "60 MW"`) {
		positive(k, path+".critical", s.Critical, maxCritical)
		k.sizable(path+".critical", s.Critical)
	}
	if k.doc.Has(path + ".gross") {
		positive(k, path+".gross", s.Gross, maxCritical)
		k.sizable(path+".gross", s.Gross)
		k.pue(path, s)
	}
	if k.need(path+".rate", `write it like "125 $/kW-month"`) {
		positive(k, path+".rate", s.Rate, maxRate)
	}
	if s.Escalator < -maxEscalator || s.Escalator > maxEscalator {
		k.fault(path+".escalator", fmt.Sprintf("it can be from %v to %v a year", -maxEscalator, maxEscalator), "%v a year is out of range", s.Escalator)
	}
	k.ramp(path, v)
	between(k, path+".upkeep", s.Upkeep, 0, maxRate)
	between(k, path+".overage", s.Overage, 0, maxRate)
	if k.need(path+".lease", "write gross, modified or net") && k.oneOf(path+".lease", "lease", s.Lease, "gross", "modified", "net") {
		k.lease(path, s)
	}
	if s.Power == nil {
		return
	}
	between(k, path+".power.adder", s.Power.Adder, 0, maxPrice)
	if k.doc.Has(path+".power.pue_cap") && (s.Power.PUECap < 1 || s.Power.PUECap > 5) {
		k.fault(path+".power.pue_cap", "it can be from 1 to 5; leave it out for no bound", "%v is out of range", s.Power.PUECap)
	}
	if s.Power.PUECap > 0 && !s.Power.Losses {
		k.warn(path+".power.pue_cap", "write losses: true, or remove it", "pue_cap bounds nothing: without losses the tenant's own meter is billed")
	}
}

// sizable says that a contract's power is at least a kilowatt: "60 mW" are 60 thousandths of a watt.
func (k *checker) sizable(path string, p unit.Power) {
	switch {
	case p <= 0 || p >= leastPower:
	case p < unit.Watt:
		k.fault(path, "did you mean MW? mW is a thousandth of a watt", "%v is less than a watt", p)
	default:
		k.fault(path, "did you mean kW or MW?", "%v is less than the %v that can be contracted", p, leastPower)
	}
}

// pue warns of a gross power that no cooling can have.
func (k *checker) pue(path string, s Space) {
	if s.Critical <= 0 || s.Gross <= 0 || k.doc.Faulty(path+".gross") || k.doc.Faulty(path+".critical") {
		return
	}
	switch pue := float64(s.Gross) / float64(s.Critical); {
	case pue < leastPUE:
		k.warn(path+".gross", "gross is critical with cooling and losses", "%v gross for %v critical is a PUE of %.3f: below 1", s.Gross, s.Critical, pue)
	case pue > oddPUE:
		k.warn(path+".gross", "is it the tenant's part alone?", "%v gross for %v critical is a PUE of %.2f: more than half goes into cooling and losses", s.Gross, s.Critical, pue)
	}
}

// lease says that what is passed through must fit the kind of lease.
func (k *checker) lease(path string, s Space) {
	passes := k.doc.Has(path + ".power")
	switch {
	case s.Lease == "gross" && passes:
		k.fault(path+".power", "remove power, or write lease: modified", "a gross lease has power in its rent, and power passes it through")
	case s.Lease != "gross" && !passes:
		k.fault(path+".lease", "write how below power:, or write lease: gross", "a %s lease passes power through, and power is missing", s.Lease)
	case s.Lease != "gross" && s.Power == nil:
		k.fault(path+".power", "write at least losses: true or losses: false", "power is empty")
	}
	switch has := k.doc.Has(path + ".upkeep"); {
	case s.Lease == "net" && !has:
		k.fault(path+".lease", `write it like upkeep: "8 $/kW-month", or write lease: modified`, "a net lease passes operating costs on, and upkeep is missing")
	case s.Lease != "net" && has:
		k.fault(path+".upkeep", "remove upkeep, or write lease: net", "a %s lease has operating costs in its rent", s.Lease)
	}
}

func (k *checker) ramp(path string, v Version) {
	s := *v.Colocation
	if n := len(s.Steps); n > maxSteps {
		k.fault(path+".ramp", "begin a further version", "there are %d steps, more than the %d allowed", n, maxSteps)
		return
	}
	for i, step := range s.Steps {
		at := fmt.Sprintf("%s.ramp[%d]", path, i)
		k.need(at+".from", `write the day, like "2026-06-01"`)
		if !k.need(at+".critical", `write it like "20 MW"`) {
			continue
		}
		k.sizable(at+".critical", step.Critical)
		switch {
		case step.Critical < 0:
			k.fault(at+".critical", "write the load in service from that day on", "%v is negative", step.Critical)
		case s.Critical > 0 && step.Critical > s.Critical:
			k.fault(at+".critical", "raise critical, or lower the step", "%v in service is more than the %v contracted", step.Critical, s.Critical)
		}
		switch {
		case step.From.IsZero():
		case i > 0 && !s.Steps[i-1].From.Before(step.From):
			k.fault(at+".from", "write the steps by their day, the earliest first", "%s is not after the step before, %s", step.From, s.Steps[i-1].From)
		case !v.To.IsZero() && !step.From.Before(v.To):
			k.fault(at+".from", "remove the step, or write it in the version that holds then", "the version ends on %s, before the step of %s", v.To, step.From)
		}
	}
	if n := len(s.Steps); n > 0 && !k.doc.Faulty(path) {
		if last := s.Steps[n-1]; last.Critical < s.Critical {
			k.warn(fmt.Sprintf("%s.ramp[%d].critical", path, n-1), "", "the ramp ends at %v, and %v is contracted: rent is on %v", last.Critical, s.Critical, last.Critical)
		}
		if first := s.Steps[0]; v.From.Before(first.From) {
			k.warn(path+".ramp[0].from", "", "no load is in service from %s until %s: no rent is owed for it", v.From, first.From)
		}
	}
}

func (k *checker) cloud(path string, c Cloud) {
	if len(c.Reserved) == 0 && len(c.OnDemand) == 0 && len(c.Interruptible) == 0 && c.Storage == nil {
		k.fault(path, "write reserved, on_demand, interruptible or storage", "nothing is sold")
	}
	seen := map[string]bool{}
	for i, r := range c.Reserved {
		at := fmt.Sprintf("%s.reserved[%d]", path, i)
		if k.need(at+".model", "write the model as the site file calls it") {
			k.model(at+".model", r.Model)
			if seen[r.Model] {
				k.fault(at+".model", "write one row for each model", "%s is reserved twice", r.Model)
			}
			seen[r.Model] = true
		}
		if k.need(at+".gpus", "write how many") {
			positive(k, at+".gpus", r.GPUs, maxGPUs)
		}
		if k.need(at+".rate", `write it like "2.10 $", per GPU-hour`) {
			positive(k, at+".rate", r.Rate, maxHourly)
		}
	}
	k.rates(path+".on_demand", c.OnDemand)
	k.rates(path+".interruptible", c.Interruptible)
	if c.Storage != nil {
		if k.need(path+".storage.tb", "write how many TB") {
			positive(k, path+".storage.tb", c.Storage.TB, maxTB)
		}
		if k.need(path+".storage.rate", `write it like "20 $", per TB and month`) {
			positive(k, path+".storage.rate", c.Storage.Rate, maxHourly)
		}
	}
}

func (k *checker) rates(path string, rates map[string]unit.Money) {
	for _, model := range slices.Sorted(maps.Keys(rates)) {
		at := strictyaml.Join(path, model)
		k.model(at, model)
		positive(k, at, rates[model], maxHourly)
	}
}

func (k *checker) model(path, model string) {
	if model == "" {
		k.fault(path, "write the model as the site file calls it", "the model is empty")
	} else if k.known.Models != nil && !slices.Contains(k.known.Models, model) {
		k.fault(path, strictyaml.Suggest(model, k.known.Models), "the site has no GPU model %q", model)
	}
}

func (k *checker) sla(path string, s SLA) {
	if k.need(path+".availability", `write it like "99.9 %"`) && (s.Availability < 0.5 || s.Availability > 1) {
		k.fault(path+".availability", "it can be from 50 % to 100 %", "%v is out of range", s.Availability)
	}
	if len(s.Credits) == 0 {
		k.warn(path, `write rows such as {below: 99.9 %, credit: 5 %}`, "credits is missing: breaking the promise costs nothing")
	}
	for i, c := range s.Credits {
		k.credit(path, s, i, c)
	}
	if s.Delivered <= 0 || s.Delivered > 1 {
		k.fault(path+".delivered", "it can be from above 0 % to 100 %", "%v is out of range", s.Delivered)
	}
	if s.Cap <= 0 || s.Cap > 1 {
		k.fault(path+".cap", "it can be from above 0 % to 100 % of the month's rent", "%v is out of range", s.Cap)
	}
	for i, cause := range s.Excluded {
		k.oneOf(fmt.Sprintf("%s.excluded[%d]", path, i), "cause", cause, ConsentedCurtailment, AnnouncedMaintenance)
	}
	between(k, path+".maintenance_notice", s.Notice, 0, leapYear)
	between(k, path+".maintenance_hours", s.Maintenance, 0, longMonth)
	if slices.Contains(s.Excluded, AnnouncedMaintenance) && !k.doc.Has(path+".maintenance_notice") {
		k.warn(path, `write it like "maintenance_notice: 168h"`, "maintenance_notice is missing: maintenance told a moment before it begins is excluded")
	}
}

func (k *checker) credit(path string, s SLA, i int, c Credit) {
	at := fmt.Sprintf("%s.credits[%d]", path, i)
	if k.need(at+".below", `write it like "99.9 %"`) {
		switch {
		case c.Below <= 0 || c.Below > 1:
			k.fault(at+".below", "it can be from above 0 % to 100 %", "%v is out of range", c.Below)
		case s.Availability > 0 && c.Below > s.Availability:
			k.fault(at+".below", "let it be at most the availability", "below %v is more than the %v promised", c.Below, s.Availability)
		case i > 0 && c.Below >= s.Credits[i-1].Below:
			k.fault(at+".below", "write the credits from the least bad down, each below the one before", "below %v does not come after below %v", c.Below, s.Credits[i-1].Below)
		}
	}
	if k.need(at+".credit", `write it like "10 %"`) {
		switch {
		case c.Share <= 0 || c.Share > 1:
			k.fault(at+".credit", "it can be from above 0 % to 100 % of the month's rent", "%v is out of range", c.Share)
		case i > 0 && c.Share < s.Credits[i-1].Share:
			k.fault(at+".credit", "let what is worse cost more", "%v is less than the %v of the better step before", c.Share, s.Credits[i-1].Share)
		}
	}
}

func (k *checker) curtail(path string, v Version) {
	c := *v.Curtail
	if k.need(path+".power", `write it like "10 MW"`) {
		positive(k, path+".power", c.Power, maxCritical)
		k.sizable(path+".power", c.Power)
		if s := v.Colocation; s != nil && s.Critical >= leastPower && c.Power > s.Critical {
			k.fault(path+".power", "let it be at most critical", "%v taken back is more than the %v contracted", c.Power, s.Critical)
		}
	}
	if k.need(path+".hours", `write how long in a calendar year, like "100h"`) {
		positive(k, path+".hours", c.Hours, leapYear)
	}
	if k.need(path+".price", `write it like "150 $/MWh"; 0 $/MWh where nothing is paid`) {
		between(k, path+".price", c.Price, 0, maxPrice)
	}
	between(k, path+".notice", c.Notice, 0, leapYear)
}

func (k *checker) prepayment(path string, i int) {
	p, v := *k.c.Versions[i].Prepayment, k.c.Versions[i]
	if k.need(path+".amount", `write it like "5000000 $"`) {
		positive(k, path+".amount", p.Amount, maxPrepaid)
	}
	if k.need(path+".paid", `write the day, like "2026-01-15"`) && !v.To.IsZero() && !p.Paid.Before(v.To) {
		k.fault(path+".paid", "write it in the version that holds then", "%s is not before the version's end, %s", p.Paid, v.To)
	}
	if p.Share <= 0 || p.Share > 1 {
		k.fault(path+".share", "it can be from above 0 % to 100 % of an invoice's rent", "%v is out of range", p.Share)
	}
}

// prepaid says that a payment repeated in a later version is the same amount, and that money paid
// ahead must be able to be credited within a term that ends.
func (k *checker) prepaid() {
	n := len(k.c.Versions)
	if n == 0 || k.doc.Faulty("") || len(k.faults) > 0 {
		return
	}
	var paid unit.Money
	path, seen := "", map[Date]unit.Money{}
	for i, v := range k.c.Versions {
		if v.Prepayment == nil {
			continue
		}
		at := versionPath(i) + ".prepayment.amount"
		switch before, there := seen[v.Prepayment.Paid]; {
		case !there:
			seen[v.Prepayment.Paid] = v.Prepayment.Amount
			paid, path = add(paid, v.Prepayment.Amount), at
		case before != v.Prepayment.Amount:
			k.fault(at, "repeat the amount, or write the day of the other payment", "%v paid on %s stands in an earlier version as %v", v.Prepayment.Amount, v.Prepayment.Paid, before)
		}
	}
	if total := k.c.Value(); paid > total && !k.c.Versions[n-1].To.IsZero() {
		k.fault(path, "a prepayment is credited against what is owed", "%v paid ahead is more than the %v that the contract is worth until %s", paid, total, k.c.Versions[n-1].To)
	}
}
