package input

import (
	"strconv"
	"strings"

	"switchyard/study/figure"
	"switchyard/unit"
)

const (
	whyUpkeep   = "staff, cooling and repair: TeraWulf expects a margin of 85 % on modified gross rents of about 150 $/kW-month, taxes included"
	whyProperty = "property tax under an abatement, and insurance of the building"
	whyLoad     = "clusters that train draw 70 to 90 % of what they reserve"
)

func (l *loader) leaseDefaults(p string, s *Lease) {
	assumed(l, &s.Escalator, p+"escalator", 0, "no step of the rent was given")
	none(l, &s.Prepaid, p+"prepaid")
	fill(l, &s.CreditCap, p+"credit_cap", 0.50, figure.Published, "Core Scientific's leases with CoreWeave (2024) credit up to half of each month's fee")
	none(l, &s.TenantCapex, p+"tenant_capex")
	none(l, &s.Interest, p+"tenant_capex_interest")
	assumed(l, &s.Upkeep, p+"upkeep", unit.DollarsPerKWMonth(12), whyUpkeep)
	assumed(l, &s.Property, p+"property_tax_insurance", 0.01, whyProperty)
	assumed(l, &s.SLA, p+"sla_cost", 0.005, "credits of a hall that keeps 99.9 % in all but a few months")
	assumed(l, &s.Load, p+"load_factor", 0.80, whyLoad)
	or(l, &s.Default, p+"default", []unit.Ratio{0.02}, "between the near zero of investment grade and the 4 % a year of speculative grade that rating agencies report; write the tenant's own")
	assumed(l, &s.Relet, p+"relet", 9, "finding a tenant and fitting the hall out for it")
	assumed(l, &s.ReletRate, p+"relet_rate", 0.80, "who re-lets a hall built for another gives a discount")
	assumed(l, &s.ReletTerm, p+"relet_term", 120, "as long as the shorter of public leases")
	assumed(l, &s.ReletCapex, p+"relet_capex", 1e6, "an eighth of what a conversion costs: cooling and distribution for another generation of machines, and brokers; no public case is known")
	none(l, &s.Warrants, p+"warrants")
}

func (l *loader) cloudDefaults(p string, c *Cloud) {
	if g, ok := gpuOf(c.Model); ok {
		fill(l, &c.PerGPU, p+"power_per_gpu", unit.Watts(g.watts), figure.Published, "the maker's greatest draw of a "+g.of+", shared by its GPUs, and a tenth for network and storage")
	}
	assumed(l, &c.Decay, p+"price_decay", 0.20, "an hour of an H100 fell from about 4 $ in 2023 to little over 2 $ in 2025")
	assumed(l, &c.Use, p+"utilisation", 0.75, "sold hours of a cloud that is neither new nor famous")
	assumed(l, &c.Opex, p+"opex", 0.15, "staff, software, sales and payment")
	assumed(l, &c.Life, p+"life", 60, "five years, as lenders against GPUs count at most")
	assumed(l, &c.Salvage, p+"salvage", 0.10, "what five-year-old accelerators brought")
	assumed(l, &c.Load, p+"load_factor", 0.80, whyLoad)
	assumed(l, &c.Upkeep, p+"upkeep", unit.DollarsPerKWMonth(12), whyUpkeep)
	assumed(l, &c.Property, p+"property_tax_insurance", 0.01, whyProperty)
	none(l, &c.Prepaid, p+"prepaid")
	assumed(l, &c.CreditCap, p+"credit_cap", 0.50, "as with leases")
	assumed(l, &c.Volatility, p+"price_volatility", 0.25, "rents of GPUs have a record of three years only")
}

func (l *loader) saleDefaults(p string, s *Sale) {
	or(l, &s.Of, p+"of", "site", "nothing is said of power alone")
	assumed(l, &s.Costs, p+"costs", 0.03, "advisers, lawyers and transfer tax")
	assumed(l, &s.After, p+"closing", 6, "due diligence and consents")
}

// sCurve is how construction is paid: slowly, fast, slowly. The shares sum to one.
func sCurve() []float64 {
	return []float64{0.03, 0.06, 0.10, 0.14, 0.17, 0.17, 0.14, 0.10, 0.06, 0.03}
}

func (l *loader) financingDefaults(p string, n *Financing) {
	or(l, &n.Draw, p+"draw", sCurve(), "an S: construction is paid slowly, fast, slowly")
	if n.Rate != nil {
		assumed(l, &n.BuildRate, p+"construction_rate", n.Rate.Is, "as the term loan's")
	}
	assumed(l, &n.Upfront, p+"upfront_fee", 0.02, "usual of loans to sites under construction")
	assumed(l, &n.Commitment, p+"commitment_fee", 0.005, "usual of loans to sites under construction")
	or(l, &n.Repay, p+"repay", "sculpted", "usual where a lease pays the service")
	assumed(l, &n.DSCR, p+"dscr", 1.40, "contracted rent of a tenant below investment grade; better tenants bear 1.25")
	assumed(l, &n.Covenant, p+"covenant", 1.15, "usual of project loans")
	assumed(l, &n.DSRA, p+"dsra", 6, "usual of project loans")
	none(l, &n.Sweep, p+"sweep")
	if k := n.Notes; k != nil {
		assumed(l, &k.Convert, p+"notes.conversion_price", 0, "none was given: the notes are never converted")
		if k.Convert != nil {
			assumed(l, &k.Share, p+"notes.share_price", k.Convert.Is, "the notes are worth just their face at maturity")
		}
	}
}

func (l *loader) taxDefaults() {
	t := &l.f.Tax
	assumed(l, &t.Rate, "tax.rate", 0.25, "21 % federal and some 5 % of the state, deductible from the first")
	or(l, &t.Building, "tax.building", "macrs-15", "land improvements and what counts as qualified improvement; shells take line-39")
	or(l, &t.Machines, "tax.machines", "macrs-5", "computers are five-year property (IRS Publication 946)")
	assumed(l, &t.BookBuilding, "tax.book_building", 240, "20 years, as listed owners of data centres write off")
	assumed(l, &t.BookMachines, "tax.book_machines", 60, "five years, within the three to six of listed miners and GPU clouds")
	fill(l, &t.LossLimit, "tax.loss_limit", 0.80, figure.Published, "US Internal Revenue Code, section 172(a)(2): losses of years from 2018 on")
	or(l, &t.Losses, "tax.losses", carried, "no other income of the owners is known that a loss could be set against")
}

// What becomes of a tax loss.
const (
	carried = "carried"
	Relief  = "relief"
)

// Likely is the chance from which on something happens in the expected case: a half, less what rounding leaves of one.
const Likely = 0.5 - 1e-9

// The kinds of option.
const (
	Mine  = "mine"
	Host  = "host"
	GPUs  = "cloud"
	Sell  = "sell"
	Build = "greenfield"
)

func (l *loader) optionDefaults() {
	f := l.f
	if len(f.Options) == 0 && !l.doc.Faulty("options") {
		l.offerAll()
	}
	for i := range f.Options {
		o, p := &f.Options[i], at("options", i)
		if o.ID == "" && !l.doc.Has(p+"id") {
			o.ID = strings.TrimSuffix(o.Kind+"-"+o.With, "-")
		}
		if o.ID == "" && !l.doc.Has(p+"kind") {
			o.ID = strconv.Itoa(i) // the missing kind is fault enough
		}
		if len(o.Halls) == 0 {
			o.Halls = l.hallsFor(o.Kind)
		}
		if o.From == 0 {
			o.From = f.Start
		}
		if o.To == 0 {
			o.To = max(o.From, min(f.Start+60, f.End()-1))
			if o.Kind == Mine {
				o.To = o.From
			}
		}
		if !l.doc.Has(p + "every") {
			o.Every = 6
		}
	}
}

// hallsFor lists the halls that may take an option of the kind.
func (l *loader) hallsFor(kind string) (ids []string) {
	for _, h := range l.f.Halls {
		if h.Convertible || kind != Host && kind != GPUs {
			ids = append(ids, h.ID)
		}
	}
	return ids
}

// offerAll is what a file without options offers: all that it holds.
func (l *loader) offerAll() {
	f := l.f
	financing := ""
	if len(f.Financings) > 0 {
		financing = f.Financings[0].ID
	}
	add := func(kind, with, financing string) {
		if len(l.hallsFor(kind)) > 0 {
			f.Options = append(f.Options, Option{ID: strings.TrimSuffix(kind+"-"+with, "-"), Kind: kind, With: with, Financing: financing})
		}
	}
	add(Mine, "", "")
	for _, s := range f.Leases {
		add(Host, s.ID, financing)
	}
	for _, c := range f.Clouds {
		add(GPUs, c.ID, financing)
	}
	for _, s := range f.Sales {
		add(Sell, s.ID, "")
	}
	for _, g := range f.Greenfields {
		add(Build, g.ID, financing)
	}
	names := make([]string, len(f.Options))
	for i, o := range f.Options {
		names[i] = o.ID
	}
	l.assume("options", strings.Join(names, ", "), figure.Assumption,
		"no options were written: each hall may take all that the file holds, with the first financing, within five years")
}

func (l *loader) scenarioDefaults() {
	for i := range l.f.Scenarios {
		for _, k := range l.f.Scenarios[i].factors() {
			if !l.doc.Has(at("scenarios", i) + k.key) {
				*k.is = 1
			}
		}
	}
}

type factor struct {
	key string
	is  *float64
}

// factors returns the scenario's factors with their keys.
func (s *Scenario) factors() []factor {
	return []factor{{"bitcoin", &s.Bitcoin}, {"difficulty", &s.Difficulty}, {"power", &s.Power}, {"capex", &s.Capex}, {"rent", &s.Rent}, {"gpu_rate", &s.GPURate}}
}
