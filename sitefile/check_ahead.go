package sitefile

import (
	"fmt"
	"slices"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// maxRate bounds the rates of charges: the dearest coincident peaks cost a tenth of it.
const maxRate = unit.CapacityRate(1000 * unit.Dollar)

// ahead sets what the schedule's keys leave out.
func (d defaults) ahead(f *File) {
	check.Or(d.doc, "schedule.every", &f.Ahead.Every, 5*time.Minute)
	check.Or(d.doc, "schedule.horizon", &f.Ahead.Horizon, 36*time.Hour)
	for i := range f.Market.Charges.Demand {
		check.Or(d.doc, fmt.Sprintf("market.charges.demand[%d].interval", i), &f.Market.Charges.Demand[i].Interval, 15*time.Minute)
	}
	for i := range f.Market.Charges.Coincident {
		c, path := &f.Market.Charges.Coincident[i], fmt.Sprintf("market.charges.coincident[%d]", i)
		check.Or(d.doc, path+".months", &c.Months, []int{6, 7, 8, 9})
		check.Or(d.doc, path+".count", &c.Count, 1)
		check.Or(d.doc, path+".interval", &c.Interval, 15*time.Minute)
		check.Or(d.doc, path+".load", &c.Load, f.Market.Load)
	}
	for i := range f.Market.Blocks {
		yes := true
		check.Or(d.doc, fmt.Sprintf("market.blocks[%d].sell", i), &f.Market.Blocks[i].Sell, &yes)
	}
	for i := range f.Reserves {
		r, path := &f.Reserves[i], fmt.Sprintf("reserves[%d]", i)
		check.Or(d.doc, path+".performance", &r.Performance, unit.Ratio(1))
		check.Or(d.doc, path+".short", &r.Short, 1000*unit.DollarPerMWh)
	}
}

// ahead checks what only the hours ahead need: charges, blocks, reserves, rights, work.
func (c *checker) ahead() {
	check.Between(c.Check, "schedule.every", c.f.Ahead.Every, time.Minute, time.Hour)
	check.Between(c.Check, "schedule.horizon", c.f.Ahead.Horizon, 24*time.Hour, 48*time.Hour)
	names := map[string]string{}
	for i := range c.f.Market.Charges.Demand {
		c.demandCharge(fmt.Sprintf("market.charges.demand[%d]", i), &c.f.Market.Charges.Demand[i], names)
	}
	for i := range c.f.Market.Charges.Coincident {
		c.coincidentCharge(fmt.Sprintf("market.charges.coincident[%d]", i), &c.f.Market.Charges.Coincident[i], names)
	}
	for i := range c.f.Market.Blocks {
		c.purchase(fmt.Sprintf("market.blocks[%d]", i), &c.f.Market.Blocks[i])
	}
	products := map[string]string{}
	for i := range c.f.Reserves {
		c.reserve(fmt.Sprintf("reserves[%d]", i), &c.f.Reserves[i], products)
	}
	for i := range c.f.Tenants {
		c.curtailRight(fmt.Sprintf("tenants[%d].curtail", i), &c.f.Tenants[i])
	}
	for i := range c.f.Work {
		c.work(fmt.Sprintf("work[%d]", i), &c.f.Work[i])
	}
	c.minimum()
	for i := range c.f.Groups {
		check.Between(c.Check, fmt.Sprintf("groups[%d].ramp", i), c.f.Groups[i].Ramp, 0, time.Hour)
	}
}

// ownName says that a name must be there and stand once among those of its kind.
func (c *checker) ownName(path, name string, names map[string]string) {
	if !c.ID(path+".name", name) {
		return
	}
	if other, twice := names[name]; twice {
		c.Fault(path+".name", "give each its own name", "the name %q is taken by %s", name, other)
	}
	names[name] = path
}

// rate says that a charge's rate must be there and be a price per kW and month.
func (c *checker) rate(path, hint string, r unit.CapacityRate) {
	if c.Need(path, hint) && (r <= 0 || r > maxRate) {
		c.Fault(path, hint, "%v is out of range", r)
	}
}

func (c *checker) months(path string, months []int) {
	seen := map[int]bool{}
	for i, m := range months {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case m < 1 || m > 12:
			c.Fault(at, "January is 1, December 12", "%d is no month", m)
		case seen[m]:
			c.Fault(at, "remove it", "the month %d stands twice", m)
		}
		seen[m] = true
	}
}

// interval says that an interval of metering must divide the hour.
func (c *checker) interval(path string, d time.Duration) {
	if d < time.Minute || d > time.Hour || time.Hour%d != 0 {
		c.Fault(path, "write a part of an hour, such as 15m, 30m or 1h", "%s does not divide an hour", strictyaml.Duration(d))
	}
}

// daily checks the hours of a day that something counts in.
func (c *checker) daily(path string, d *Daily) {
	if d == nil {
		return
	}
	c.clockTime(path+".from", d.From)
	c.clockTime(path+".to", d.To)
	if d.From != "" && d.From == d.To {
		c.Fault(path+".to", "remove daily if all hours count", "it ends when it begins")
	}
}

func (c *checker) demandCharge(path string, d *DemandCharge, names map[string]string) {
	c.ownName(path, d.Name, names)
	c.rate(path+".rate", `per kW of the month's highest power, like "12 $/kW-month"`, d.Rate)
	c.interval(path+".interval", d.Interval)
	c.daily(path+".daily", d.Daily)
	c.months(path+".months", d.Months)
}

func (c *checker) coincidentCharge(path string, d *CoincidentCharge, names map[string]string) {
	c.ownName(path, d.Name, names)
	c.rate(path+".rate", `a twelfth of the year's charge, like "5 $/kW-month" for 60 $/kW-year`, d.Rate)
	c.months(path+".months", d.Months)
	if c.doc.Has(path+".months") && len(d.Months) == 0 {
		c.Fault(path+".months", "write them like [6, 7, 8, 9]", "a charge on the peaks of no month is none")
	}
	check.Between(c.Check, path+".count", d.Count, 1, 20)
	c.interval(path+".interval", d.Interval)
	c.settled(path, d)
	switch {
	case c.doc.Has(path + ".load"):
		c.aheadSeries(path+".load", d.Load)
	case c.f.Market.Load == nil:
		c.Fault(path, "name its source here as load, or for all as market.load", "the grid's load is not known, so nobody can tell when it peaks")
	}
}

// settled checks the published peaks: in the charge's months, each once, no more than it has.
func (c *checker) settled(path string, d *CoincidentCharge) {
	seen := map[string]int{}
	for i, t := range d.Settled {
		at, local := fmt.Sprintf("%s.settled[%d]", path, i), t.In(c.f.Location())
		if len(d.Months) > 0 && !slices.Contains(d.Months, int(local.Month())) {
			c.Fault(at, fmt.Sprintf("the charge's months are %v", d.Months), "%s is in no month of this charge", local.Format("2006-01-02 15:04"))
		}
		if slices.ContainsFunc(d.Settled[:i], t.Equal) {
			c.Fault(at, "remove one of them", "the peak stands twice")
			continue
		}
		month := local.Format("2006-01")
		if seen[month]++; seen[month] == max(d.Count, 1)+1 {
			c.Fault(at, "write as many peaks as count says", "%s has more than %d settled peaks", month, max(d.Count, 1))
		}
	}
}

// aheadSeries checks that a series has one source.
func (c *checker) aheadSeries(path string, s *Series) {
	if s == nil || c.doc.Faulty(path) || !c.doc.Has(path) { // the last: a caller's own
		return
	}
	source := c.ExactlyOne(path, "csv", "feed")
	c.Only(path, source, "csv", "column")
	if source == "csv" {
		c.File(path+".csv", s.CSV)
	}
}

func (c *checker) purchase(path string, b *Purchase) {
	c.somePower(path+".power", `the power bought, like "2 MW"`, b.Power)
	c.beyond(path+".power", b.Power)
	if c.Need(path+".price", `what was agreed, like "38 $/MWh"`) {
		check.Between(c.Check, path+".price", b.Price, MinPrice, MaxPrice)
	}
	c.Need(path+".from", "when delivery begins, like 2026-01-01T06:00:00Z")
	c.span(path, b.From, b.To)
	c.daily(path+".daily", b.Daily)
	check.Between(c.Check, path+".sell_fee", b.SellFee, 0, 1000*unit.DollarPerMWh)
	if b.Sell != nil && !*b.Sell && c.doc.Has(path+".sell_fee") {
		c.Fault(path+".sell_fee", "remove one of the two", "what may not be sold back has no fee")
	}
}

// somePower says that a power must be there and be above zero.
func (c *checker) somePower(path, hint string, p unit.Power) {
	if c.Need(path, hint) && p <= 0 {
		c.Fault(path, hint, "%v is no power", p)
	}
}

// beyond warns of a power that the connection cannot carry: it may be meant, or a slip of a unit.
func (c *checker) beyond(path string, p unit.Power) {
	if limit := c.f.Connection.Limit; limit > 0 && p > limit {
		c.Warn(path, "", "%v is above the %v that the connection may carry", p, limit)
	}
}

func (c *checker) reserve(path string, r *ReserveProduct, names map[string]string) {
	c.ownName(path, r.Name, names)
	if c.Need(path+".response", `in which power must be down once called, like "10m"`) {
		check.Between(c.Check, path+".response", r.Response, time.Second, 4*time.Hour)
	}
	if c.Need(path+".duration", `for which it must be able to stay down, like "1h"`) {
		check.Between(c.Check, path+".duration", r.Duration, time.Minute, 24*time.Hour)
	}
	if r.Most < 0 {
		c.Fault(path+".most", "write the most that may be sold", "%v is below zero", r.Most)
	}
	c.beyond(path+".most", r.Most)
	switch source := c.ExactlyOne(path, "price", "fixed"); {
	case source == "price":
		c.aheadSeries(path+".price", r.Price)
	case source == "fixed" && r.Fixed != nil:
		check.Between(c.Check, path+".fixed", *r.Fixed, 0, MaxPrice)
	}
	check.Between(c.Check, path+".performance", r.Performance, 0, 1)
	check.Between(c.Check, path+".call", r.Call, 0, 1)
	check.Between(c.Check, path+".short", r.Short, 0, 10*MaxPrice)
	for i, s := range r.Sold {
		at := fmt.Sprintf("%s.sold[%d]", path, i)
		c.somePower(at+".power", `the power sold, like "1 MW"`, s.Power)
		c.Need(at+".from", "when it begins, like 2026-07-01T16:00:00Z")
		c.Need(at+".to", "when it ends, like 2026-07-01T20:00:00Z")
		c.span(at, s.From, s.To)
		if r.Most > 0 && s.Power > r.Most {
			c.Fault(at+".power", "raise most, or correct what was sold", "%v sold is above the most of %v", s.Power, r.Most)
		}
	}
}

func (c *checker) curtailRight(path string, t *Tenant) {
	r := t.Curtail
	if r == nil {
		return
	}
	c.somePower(path+".power", `the most that may be taken back, like "500 kW"`, r.Power)
	if r.Power > t.Firm && t.Firm > 0 {
		c.Fault(path+".power", "at most what is firm can be taken back", "%v is above the %v that are contracted", r.Power, t.Firm)
	}
	if c.Need(path+".hours", `in a calendar year, like "100h"`) {
		check.Between(c.Check, path+".hours", r.Hours, time.Minute, 366*24*time.Hour)
	}
	check.Between(c.Check, path+".notice", r.Notice, 0, 48*time.Hour)
	check.Between(c.Check, path+".price", r.Price, 0, MaxPrice)
	if r.Call == "" {
		r.Call = CallAsk
	}
	c.OneOf(path+".call", "way to call it", r.Call, CallAsk, CallAuto, CallNever)
}

func (c *checker) work(path string, w *Work) {
	c.loadID(path, w.ID)
	c.nodeRef(path+".node", w.Node)
	if c.Need(path+".energy", `what is still to be done, like "40 MWh"`) && w.Energy <= 0 {
		c.Fault(path+".energy", `write it like "40 MWh"`, "%v is nothing to do", w.Energy)
	}
	c.somePower(path+".power", `the most that it draws, like "2 MW"`, w.Power)
	if !w.By.IsZero() && !w.From.IsZero() && !w.By.After(w.From) {
		c.Fault(path+".by", "let it be due after it begins", "%s is not after %s", w.By.Format(time.RFC3339), w.From.Format(time.RFC3339))
	} else if !w.By.IsZero() && !w.From.IsZero() && w.Power > 0 && w.Power.Over(w.By.Sub(w.From)) < w.Energy {
		c.Warn(path+".by", "begin earlier, or let it be due later", "at %v only %v are done by then, not %v", w.Power, w.Power.Over(w.By.Sub(w.From)), w.Energy)
	}
	if c.Need(path+".value", `what a MWh done earns, like "150 $/MWh"`) {
		check.Between(c.Check, path+".value", w.Value, 0, 100*MaxPrice)
	}
	check.Between(c.Check, path+".late", w.Late, 0, 100*MaxPrice)
	check.Between(c.Check, path+".slow", w.Slow, 0, MaxPrice)
}

func (c *checker) minimum() {
	m := c.f.Minimum
	if m == nil {
		return
	}
	c.somePower("minimum.power", `write it like "1 MW"`, m.Power)
	if limit := c.f.Connection.Limit; limit > 0 && m.Power > limit {
		c.Fault("minimum.power", "correct one of the two", "%v is above the %v that the connection may carry", m.Power, limit)
	}
	if c.Need("minimum.penalty", `for each MWh lacking, like "100 $/MWh"`) && (m.Penalty <= 0 || m.Penalty > 100*MaxPrice) {
		c.Fault("minimum.penalty", `write it like "100 $/MWh"`, "%v is no penalty", m.Penalty)
	}
}
