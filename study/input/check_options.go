package input

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"switchyard/strictyaml"
	"switchyard/study/figure"
	"switchyard/study/world/exact"
	"switchyard/unit"
)

func (l *loader) checkLeases() {
	ids(l, "leases", l.f.Leases, func(s *Lease) string { return s.ID })
	for i := range l.f.Leases {
		s, p := &l.f.Leases[i], at("leases", i)
		if l.need(p+"kind", "gross: all costs are ours; modified: the tenant pays power; net: also upkeep, property tax and insurance") {
			l.oneOf(p+"kind", "kind of lease", s.Kind, "gross", "modified", "net")
		}
		l.need(p+"rate", `write the rent of critical load, like "125 $/kW-month"`)
		positive(l, p+"rate", s.Rate, unit.DollarsPerKWMonth(2000))
		within(l, p+"escalator", s.Escalator, -0.1, 0.2)
		l.need(p+"term", `write it from commencement, like "10 years"`)
		within(l, p+"term", s.Term, 1, 600)
		for j, e := range s.Extensions {
			q := at(p+"extensions", j)
			if l.need(q+"term", `write how long, like "5 years"`) {
				between(l, q+"term", e.Term, 1, 600)
			}
			if l.need(q+"chance", "write how likely the tenant takes it, like 60 %") {
				between(l, q+"chance", e.Chance, 0, 1)
			}
		}
		for j, v := range s.Ramp {
			between(l, strings.TrimSuffix(at(p+"ramp", j), "."), v, 0, 1)
		}
		for j, v := range s.Default {
			between(l, strings.TrimSuffix(at(p+"default", j), "."), v, 0, 1)
		}
		l.warnDefault(p, s)
		l.checkCredits(p, s)
		within(l, p+"upkeep", s.Upkeep, 0, unit.DollarsPerKWMonth(500))
		within(l, p+"property_tax_insurance", s.Property, 0, 0.2)
		within(l, p+"sla_cost", s.SLA, 0, 1)
		within(l, p+"load_factor", s.Load, 0, 1)
		within(l, p+"relet", s.Relet, 0, 240)
		within(l, p+"relet_rate", s.ReletRate, 0, 2)
		within(l, p+"relet_term", s.ReletTerm, 1, 600)
		within(l, p+"relet_capex", s.ReletCapex, 0, 1e8)
		within(l, p+"warrants", s.Warrants, 0, 1e11)
		within(l, p+"exit_multiple", s.Exit, 0, 50)
	}
}

// warnDefault says that the tenant is as likely to fail as not: then the expected case has it fail.
func (l *loader) warnDefault(p string, s *Lease) {
	if s.Term == nil || len(s.Default) == 0 || l.doc.Faulty(p+"default") || l.f.Years < 1 || l.f.Years > 40 {
		return
	}
	stays, fails := 1.0, 0
	last := min(int(s.Term.Is), 12*l.f.Years)
	for k := range last {
		stays *= exact.Pow(1-float64(s.Default[min(k/12, len(s.Default)-1)]), 1.0/12)
		if fails == 0 && 1-stays >= Likely {
			fails = k + 1
		}
	}
	if fails > 0 {
		l.warn(p+"default", "", "by the chances of default the tenant fails with %.0f %% within %s: the expected case has it fail in month %d", 100*(1-stays), figure.Months(last), fails)
	}
}

func (l *loader) checkCredits(p string, s *Lease) {
	within(l, p+"prepaid", s.Prepaid, 0, 120)
	within(l, p+"credit_cap", s.CreditCap, 0, 1)
	within(l, p+"tenant_capex", s.TenantCapex, 0, 1)
	within(l, p+"tenant_capex_interest", s.Interest, 0, 0.3)
	if s.Term != nil && s.Prepaid != nil && s.Prepaid.Is > s.Term.Is && !l.doc.Faulty(p+"term") {
		l.fault(p+"prepaid", "", "%s of rent are prepaid of a lease of %s", s.Prepaid.Is, s.Term.Is)
	}
	if s.CreditCap != nil && s.CreditCap.Is == 0 && (s.Prepaid.Is > 0 || s.TenantCapex.Is > 0) {
		l.fault(p+"credit_cap", "write what share of a month's rent may be credited, or leave it out for 50 %", "what the tenant pays beforehand is never credited")
	}
	if sound(l, p+"tenant_capex_interest", s.Interest) && s.Interest.Is > 0 && s.TenantCapex.Is == 0 {
		l.fault(p+"tenant_capex_interest", "add tenant_capex: or remove the key", "interest is asked for, and the tenant pays no capex")
	}
}

func (l *loader) checkClouds() {
	ids(l, "gpu_clouds", l.f.Clouds, func(c *Cloud) string { return c.ID })
	for i := range l.f.Clouds {
		c, p := &l.f.Clouds[i], at("gpu_clouds", i)
		if c.PerGPU == nil {
			l.fault(p+"power_per_gpu", "write it, its server's and network's share included, like \"1.4 kW\", or name one of "+strings.Join(gpuNames(), ", "), "no power is known of the GPU %q", c.Model)
		}
		if c.PerGPU != nil {
			within(l, p+"power_per_gpu", c.PerGPU, 50*unit.Watt, 50*unit.Kilowatt)
		}
		l.need(p+"capex", `write what one costs with its share of servers and network, like "42000 $/GPU"`)
		positive(l, p+"capex", c.Capex, 10e6)
		l.need(p+"rate", `write what an hour of one brings, like "2.35 $/GPU-hour"`)
		positive(l, p+"rate", c.Rate, 1000)
		within(l, p+"price_decay", c.Decay, -0.5, 0.9)
		within(l, p+"utilisation", c.Use, 0, 1)
		within(l, p+"opex", c.Opex, 0, 1)
		within(l, p+"life", c.Life, 1, 240)
		within(l, p+"salvage", c.Salvage, 0, 1)
		within(l, p+"load_factor", c.Load, 0, 1)
		within(l, p+"upkeep", c.Upkeep, 0, unit.DollarsPerKWMonth(500))
		within(l, p+"property_tax_insurance", c.Property, 0, 0.2)
		within(l, p+"prepaid", c.Prepaid, 0, 1)
		within(l, p+"credit_cap", c.CreditCap, 0, 1)
		within(l, p+"price_volatility", c.Volatility, 0, 3)
		within(l, p+"exit_multiple", c.Exit, 0, 50)
		between(l, p+"gpus", c.GPUs, 0, 10_000_000)
		if c.CreditCap.Is == 0 && c.Prepaid.Is > 0 {
			l.fault(p+"credit_cap", "write what share of a month's revenue may be credited, or leave it out for 50 %", "what the customer pays beforehand is never credited")
		}
	}
}

func (l *loader) checkSales() {
	ids(l, "sales", l.f.Sales, func(s *Sale) string { return s.ID })
	for i := range l.f.Sales {
		s, p := &l.f.Sales[i], at("sales", i)
		if !l.oneOf(p+"of", "object of a sale", s.Of, "site", "power") {
			continue
		}
		switch {
		case s.Of == "site":
			l.need(p+"price", `write it per MW of utility power, like "0.9 $M/MW"`)
		case l.doc.Has(p + "price"):
			l.fault(p+"price", "remove the key, or write of: site", "power is sold at the hourly price, not at one of its own")
		case len(l.f.Power.Blocks) == 0:
			l.fault(p+"of", "add power.blocks, or write of: site", "there is no fixed-price power to sell")
		}
		spread(l, p+"price", s.Price, 0, 1e8)
		within(l, p+"costs", s.Costs, 0, 0.5)
		within(l, p+"closing", s.After, 0, 60)
	}
}

func (l *loader) checkGreenfields() {
	ids(l, "greenfields", l.f.Greenfields, func(g *Greenfield) string { return g.ID })
	for i := range l.f.Greenfields {
		g, p := &l.f.Greenfields[i], at("greenfields", i)
		l.need(p+"critical", `write the new site's critical load, like "20 MW"`)
		positive(l, p+"critical", g.Critical, maxPower)
		l.need(p+"capex", `write it per MW of critical load, like "11.7 $M/MW"`)
		spread(l, p+"capex", g.Capex, 0, 1e8)
		l.need(p+"build", `write how long it takes with the queue for power, like "42 months"`)
		spread(l, p+"build", g.Build, 0, 240)
		if l.need(p+"lease", "name one of the leases") {
			l.known(p+"lease", "lease", g.Lease, names(l.f.Leases, func(s *Lease) string { return s.ID }))
		}
		within(l, p+"land", g.Land, 0, 1e10)
		within(l, p+"pue", g.PUE, 1, 3)
		within(l, p+"exit_multiple", g.Exit, 0, 50)
	}
}

func names[T any](all []T, id func(*T) string) (out []string) {
	for i := range all {
		out = append(out, id(&all[i]))
	}
	return out
}

func (l *loader) checkFinancings() {
	ids(l, "financings", l.f.Financings, func(n *Financing) string { return n.ID })
	for i := range l.f.Financings {
		n, p := &l.f.Financings[i], at("financings", i)
		l.need(p+"loan_to_cost", "write the lender's share of the cost, like 75 %")
		within(l, p+"loan_to_cost", n.LoanToCost, 0, 1)
		l.need(p+"rate", "write the loan's interest a year, like 8 %")
		within(l, p+"rate", n.Rate, 0, 0.3)
		within(l, p+"construction_rate", n.BuildRate, 0, 0.3)
		within(l, p+"upfront_fee", n.Upfront, 0, 0.1)
		within(l, p+"commitment_fee", n.Commitment, 0, 0.1)
		l.oneOf(p+"repay", "way to repay", n.Repay, "sculpted", "level")
		within(l, p+"dscr", n.DSCR, 1, 5)
		within(l, p+"covenant", n.Covenant, 1, 5)
		if n.DSCR.Is >= 1 && n.Covenant.Is > n.DSCR.Is {
			l.fault(p+"covenant", "the covenant lies below the ratio that the loan is sized by", "a covenant of %s is above the target of %s", printed(n.Covenant.Is), printed(n.DSCR.Is))
		}
		l.need(p+"tenor", `write it from commencement, like "108 months"`)
		within(l, p+"tenor", n.Tenor, 1, 480)
		within(l, p+"dsra", n.DSRA, 0, 24)
		within(l, p+"sweep", n.Sweep, 0, 1)
		l.checkDraw(p, n.Draw)
		l.checkNotes(p+"notes.", n.Notes)
	}
}

func (l *loader) checkDraw(p string, draw []float64) {
	sum := 0.0
	for i, v := range draw {
		between(l, strings.TrimSuffix(at(p+"draw", i), "."), v, 0, 1)
		sum += v
	}
	if n := len(draw); n != 10 {
		l.fault(p+"draw", "write a share for each tenth of the building time", "there are %d figures and not ten", n)
	} else if math.Abs(sum-1) > 1e-6 {
		l.fault(p+"draw", "the ten shares sum to 1", "the shares sum to %s", printed(math.Round(sum*1e6)/1e6))
	}
}

func (l *loader) checkNotes(p string, k *Notes) {
	if k == nil {
		return
	}
	l.need(p+"amount", `write how much, like "150 $M"`)
	positive(l, p+"amount", k.Amount, 1e11)
	l.need(p+"coupon", "write the interest a year, like 8 %")
	within(l, p+"coupon", k.Coupon, 0, 0.3)
	l.need(p+"term", `write it like "5 years"`)
	within(l, p+"term", k.Term, 1, 480)
	within(l, p+"conversion_price", k.Convert, 0, 1e6)
	within(l, p+"share_price", k.Share, 0, 1e6)
	if l.doc.Has(p+"share_price") && !l.doc.Has(p+"conversion_price") {
		l.fault(p+"share_price", "add conversion_price:, or remove the key", "notes that are never converted know no share price")
	}
}

var lineForm = regexp.MustCompile(`^line-([0-9]{1,2})$`)

func (l *loader) checkTax() {
	t := &l.f.Tax
	within(l, "tax.rate", t.Rate, 0, 0.9)
	within(l, "tax.book_building", t.BookBuilding, 1, 600)
	within(l, "tax.book_machines", t.BookMachines, 1, 600)
	within(l, "tax.loss_limit", t.LossLimit, 0, 1)
	if l.oneOf("tax.losses", "use of losses", t.Losses, carried, Relief) && t.Losses == Relief && l.doc.Has("tax.loss_limit") {
		l.fault("tax.loss_limit", "write losses: carried, or remove the key", "with losses: relief none is carried that it could limit")
	}
	for _, k := range [][2]string{{"tax.building", t.Building}, {"tax.machines", t.Machines}} {
		tables := []string{"macrs-5", "macrs-7", "macrs-15", "macrs-20"}
		if m := lineForm.FindStringSubmatch(k[1]); m != nil {
			if years, _ := strconv.Atoi(m[1]); years >= 1 && years <= 50 {
				continue
			}
		}
		l.oneOf(k[0], "table of depreciation", k[1], append(tables, "line-39")...)
	}
}

func (l *loader) checkOptions() {
	f := l.f
	ids(l, "options", f.Options, func(o *Option) string { return o.ID })
	halls := l.hallIDs()
	served := map[string]bool{}
	for i := range f.Options {
		o, p := &f.Options[i], at("options", i)
		if l.doc.Has("options") && !l.need(p+"kind", "write mine, host, cloud, sell or greenfield") {
			continue
		}
		if l.oneOf(p+"kind", "kind of option", o.Kind, Mine, Host, GPUs, Sell, Build) {
			l.checkWith(p, o)
		}
		if o.Financing != "" || l.doc.Has(p+"financing") {
			l.known(p+"financing", "financing", o.Financing, names(f.Financings, func(n *Financing) string { return n.ID }))
		}
		if len(o.Halls) == 0 && len(f.Halls) > 0 && !l.doc.Faulty("halls") {
			l.fault(p+"kind", "write convertible: true in a hall, or leave the option out", "no hall can take the option %q", o.ID)
		}
		for j, id := range o.Halls {
			q := strings.TrimSuffix(at(p+"halls", j), ".")
			if !l.known(q, "hall", id, halls) {
				continue
			}
			served[id] = true
			if slices.Index(o.Halls, id) < j && l.doc.Has(q) {
				l.fault(q, "remove one of them", "the hall %q stands twice", id)
			}
			if o.Kind == Host || o.Kind == GPUs {
				l.checkConvertible(q, id)
			}
		}
		l.checkTiming(p, o)
	}
	for i, h := range f.Halls {
		if len(f.Options) > 0 && !served[h.ID] && !l.doc.Faulty("options") {
			l.fault(strings.TrimSuffix(at("halls", i), "."), "add an option for it, or leave the hall out", "no option is open to the hall %q", h.ID)
		}
	}
}

func (l *loader) checkWith(p string, o *Option) {
	f := l.f
	if o.Kind == Mine {
		for _, key := range []string{"with", "financing"} {
			if l.doc.Has(p + key) {
				l.fault(p+key, "remove the key", "who mines on needs no %s", key)
			}
		}
		return
	}
	what, all := "lease", names(f.Leases, func(s *Lease) string { return s.ID })
	switch o.Kind {
	case GPUs:
		what, all = "GPU cloud", names(f.Clouds, func(c *Cloud) string { return c.ID })
	case Sell:
		what, all = "sale", names(f.Sales, func(s *Sale) string { return s.ID })
		if l.doc.Has(p + "financing") {
			l.fault(p+"financing", "remove the key", "a sale builds nothing to finance")
		}
	case Build:
		what, all = "greenfield", names(f.Greenfields, func(g *Greenfield) string { return g.ID })
	}
	if l.doc.Has("options") && l.need(p+"with", "name the "+what) {
		l.known(p+"with", what, o.With, all)
	}
}

// checkConvertible says that a hall that is to be made an AI hall must be told how.
func (l *loader) checkConvertible(path, id string) {
	i := l.f.HallIndex(id)
	h, p := &l.f.Halls[i], at("halls", i)
	if !h.Convertible {
		l.fault(path, "write convertible: true in the hall, or leave it out here", "the hall %q cannot be converted", id)
		return
	}
	for _, k := range [][2]string{{"capex", `write what the conversion costs per MW of critical load, like "8.0 $M/MW"`}, {"build", `write how long the conversion takes, like "12 months"`}} {
		if missing := p + k[0]; !l.doc.Has(missing) && !slices.ContainsFunc(l.faults, func(f strictyaml.Fault) bool { return f.Path == missing }) {
			l.need(missing, k[1])
		}
	}
}

func (l *loader) checkTiming(p string, o *Option) {
	l.insideIfWritten(p+"from", o.From)
	l.insideIfWritten(p+"to", o.To)
	if o.To < o.From && !l.doc.Faulty(p+"from") && !l.doc.Faulty(p+"to") {
		l.fault(p+"to", "it is the last month in which the option may begin", "%s lies before %s", o.To, o.From)
	}
	if l.doc.Has(p + "every") {
		between(l, p+"every", o.Every, 1, 120)
	}
	if o.Kind == Mine {
		return
	}
	if n := l.f.Financing(o.Financing); n != nil && n.Tenor != nil && o.Kind == Host {
		if s := l.f.Lease(o.With); s != nil && s.Term != nil && n.Tenor.Is > s.Term.Is {
			l.warn(p+"financing", "", "the loan's tenor of %s outlasts the lease's %s", n.Tenor.Is, s.Term.Is)
		}
	}
}

func (l *loader) insideIfWritten(path string, m figure.Month) {
	if l.doc.Has(path) {
		l.inside(path, m)
	}
}

func (l *loader) checkScenarios() {
	var seen []string
	for i := range l.f.Scenarios {
		s, p := &l.f.Scenarios[i], at("scenarios", i)
		if l.need(p+"name", "name the scenario") {
			switch {
			case strings.TrimSpace(s.Name) == "":
				l.fault(p+"name", "name the scenario", "the name is empty")
			case slices.Contains(seen, s.Name):
				l.fault(p+"name", "give each a name of its own", "%q stands twice", s.Name)
			}
			seen = append(seen, s.Name)
		}
		for _, k := range s.factors() {
			if *k.is <= 0 || *k.is > 100 {
				l.fault(p+k.key, "it is a factor, 1 where nothing changes, above 0 and to 100", "%s is out of range", printed(*k.is))
			}
		}
		between(l, p+"delay", s.Delay, 0, 120)
		between(l, p+"tenant_fails", s.Fails, 0, 480)
	}
}
