package page

import (
	"fmt"
	"math"

	"switchyard/study"
	"switchyard/study/finance"
	"switchyard/study/flow"
	"switchyard/study/input"
)

// sample is a report whose figures are made up by simple rules and mean nothing; it has all that a
// report may have, and lacks what one may lack.
func sample() *study.Report {
	r := &study.Report{
		Study: "Sample Ridge 2027", Note: "All figures of this study are made up to show the page.", Site: "Sample Ridge", Version: "v0.0-sample", File: "sample ridge.yaml",
		Hash: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", Start: "2027-01", Months: 144, Seed: 7, Paths: 10_000,
		DiscountPct: 10, EquityPct: 14, UtilityMW: 100,
	}
	inputsOfSample(r)
	r.Findings = []study.Finding{
		{Kind: "input", Text: "No prices were given: a flat 41 $/MWh was assumed."},
		{Hall: "East", Option: "gpu", Kind: "irr", Text: "The equity's rate of return does not exist: it never comes back."},
		{Hall: "North", Option: "host", Kind: "covenant", Month: "2029-05", Text: "DSCR of 1.08 is below the covenant of 1.15."},
		{Hall: "North", Option: "mine", Kind: "cash", Month: "2032-06", Text: "Cash was short; the owners had to pay it in."},
		{Hall: "South", Option: "mine", Kind: "cash", Month: "2032-06", Text: "Cash was short; the owners had to pay it in."},
	}
	for h, hall := range []string{"North", "South", "East", "West"} {
		for k, kind := range []string{"mine", "host", "cloud", "sell", "greenfield"} {
			if hall == "West" && kind == "host" {
				continue // not convertible
			}
			r.Options = append(r.Options, option(h, hall, k, kind))
		}
	}
	bests(r)
	portfolio(r)
	waitings(r)
	worlds(r)
	rest(r)
	return r
}

func p[T any](v T) *T { return &v }

func dist(mean, spread float64) study.Dist {
	return study.Dist{Mean: mean, P10: mean - spread, P50: mean - spread/12, P90: mean + 1.2*spread, Error: spread / 80}
}

func option(h int, hall string, k int, kind string) study.Option {
	size := []float64{25, 30, 25, 20}[h]
	over := size * 1e6 * []float64{0, 3.6 - 0.9*float64(h), 1.2 - 0.8*float64(h), 0.15, 0.4}[k]
	mean := size*0.55e6 + over
	o := study.Option{
		Hall: hall, Name: []string{"mine", "host", "gpu", "sell", "green"}[k], Kind: kind, Start: "2027-07", NPV: dist(mean, size*1e6*[]float64{1.1, 1.3, 2.4, 0.3, 1.5}[k]), Over: dist(over, size*0.6e6),
		Expected: mean - 1e6, Owners: mean*0.7 - 2e6, BeatsMining: []float64{0, 0.83, 0.55, 0.41, 0.52}[k], Loses: []float64{0.31, 0.12, 0.38, 0.001, 0.27}[k], MW: size / 1.25,
		Title: []string{"Mine on", "Host for Example Compute from 2027-07", "Run 8,000 GPUs from 2027-07", "Sell the hall, paid 2028-01", "Build at Elsewhere from 2027-07"}[k],
	}
	for y := range 12 {
		o.Years = append(o.Years, year(y, size, kind))
		base := size * 1e6 * (0.1 + 0.02*float64(k)*float64(y))
		o.Fan = append(o.Fan, spreadOf(y, base, size*0.2e6))
	}
	o.BreakevenPower = p(61.25 - 4*float64(k))
	o.BreakevenHashprice = p(44.9 + float64(k))
	o.Breakevens = []study.Breakeven{
		{Of: "power", Unit: "$/MWh", Against: study.AgainstNothing, Now: 48, Text: "at most 61.25, or at least 176.84 $/MWh"},
		{Of: "power", Unit: "$/MWh", Against: study.AgainstMining, Now: 48, Text: "at any from 4.80 to 480.00 $/MWh"},
	}
	if h > 1 {
		o.Start = []string{"2028-01", "2028-07"}[h-2]
	}
	if kind == "mine" {
		o.Start, o.MW = "2027-01", 0
		o.ProjectIRR, o.EquityIRR = study.Rate{None: "no money is put in"}, study.Rate{None: "no money is put in"}
		return o
	}
	o.Capex, o.PeakEquity, o.Payback = size*6e6, size*2.1e6, p(54+7*h)
	o.ProjectIRR, o.EquityIRR = study.Rate{Pct: p(14.2 - float64(h))}, study.Rate{Pct: p(21.7 - 2*float64(h))}
	for m := range 11 {
		if m < h { // power is not there yet
			continue
		}
		o.Timing = append(o.Timing, study.Timing{Month: fmt.Sprintf("%d-%02d", 2027+m/2, 1+6*(m%2)), NPV: o.Expected - 3e6*math.Abs(float64(m-max(1, h)))*float64(1+k)})
	}
	switch kind {
	case "host", "greenfield":
		o.Operates, o.Debt, o.DebtWhy, o.MinDSCR, o.MeanDSCR, o.LLCR = "2028-09", size*4.2e6, "DSCR", p(1.31), p(1.42), p(1.48)
		o.TaxedDSCR, o.TaxedMean = p(1.12), p(1.27)
		o.PathDSCR, o.Breach, o.BreakevenRent = p(dist(1.22, 0.2)), p(0.07), p(97.4)
		o.Breakevens = append(o.Breakevens, study.Breakeven{
			Of: "rent", Unit: "$/kW-month", Against: study.AgainstAlternative, Alternative: "Sell the hall", Now: 125, Text: "at least 97.40 $/kW-month",
		})
	case "cloud":
		o.EquityIRR, o.Payback = study.Rate{None: "it never comes back"}, nil
	case "sell":
		o.Capex, o.PeakEquity = 0, 0
		o.ProjectIRR, o.EquityIRR, o.NoIRR, o.Payback = study.Rate{}, study.Rate{}, "nothing is built", nil
	}
	return o
}

func spreadOf(y int, mid, wide float64) study.Fan {
	w := wide * math.Sqrt(float64(y)+0.5)
	return study.Fan{Label: fmt.Sprint(2027 + y), P10: mid - w, P25: mid - w/2, P50: mid, P75: mid + 0.6*w, P90: mid + 1.3*w}
}

func year(y int, size float64, kind string) study.Year {
	fade := math.Pow(0.85, float64(y))
	out := study.Year{Year: y + 1, Label: fmt.Sprint(2027 + y), Lines: map[string]float64{}, Rows: map[string]float64{}, MWh: size * 8000}
	set := func(l flow.Line, v float64) { out.Lines[l.Key()] = v * size * 1e6 }
	if kind == "mine" || y < 1 {
		set(flow.Mining, 0.62*fade)
		set(flow.PoolFee, -0.01*fade)
		set(flow.Programmes, 0.03)
	} else {
		set(flow.Rent, 1.15+0.03*float64(y))
		set(flow.Passed, 0.33)
		set(flow.Service, -0.02)
		set(flow.Prepaid, []float64{0, 0.4, -0.2, -0.2, 0, 0, 0, 0, 0, 0, 0, 0}[y])
	}
	set(flow.Energy, -0.36)
	set(flow.Demand, -0.04)
	set(flow.Upkeep, -0.06)
	set(flow.Property, -0.05)
	if kind != "mine" && y < 2 {
		set(flow.Building, -2.6)
		set(flow.Resale, 0.2*float64(1-y))
		set(flow.Warrants, -0.1)
	}
	for r := finance.Row(0); r < finance.Rows; r++ {
		switch r {
		case finance.Off, finance.TaxPaid, finance.Cover, finance.NotesCash:
		default:
			out.Rows[r.Key()] = float64(int(r)%7-3) * size * 1e5 * float64(y+1) * 0.7
		}
	}
	out.Rows[finance.TaxPaid.Key()] = -0.09 * size * 1e6 * float64(min(y, 3))
	if kind == "host" && y > 1 {
		out.Rows[finance.Cover.Key()] = 1.31 + 0.01*float64(y)
	}
	return out
}

func bests(r *study.Report) {
	for _, c := range [][4]string{{"North", "host", "2027-07", ""}, {"South", "host", "2028-01", "host from 2027-07"}, {"East", "mine", "2027-01", "host from 2028-01"}, {"West", "sell", "2028-07", ""}} {
		o := optionOf(r, c[0], c[1])
		title := o.Title
		if c[0] == "South" {
			title = "Host for Example Compute from 2028-01"
			o.Title, o.Start = title, c[2] // the limits moved it
		}
		r.Best = append(r.Best, study.Choice{Hall: c[0], Option: c[1], Title: title, Start: c[2], NPV: o.NPV, Alone: c[3], Over: o.Over.Mean})
	}
}

func portfolio(r *study.Report) {
	f := &r.Portfolio
	*f = study.Portfolio{
		NPV: dist(212.34e6, 95e6), Expected: 205e6, MiningOn: dist(55e6, 60e6), EquityIRR: study.Rate{Pct: p(19.4)}, ProjectIRR: study.Rate{None: "more than one rate"},
		PeakEquity: 115.5e6, Debt: 231e6, Capex: 330e6, MinDSCR: p(1.08), MeanDSCR: p(1.52), TaxedDSCR: p(0.97), TaxedMean: p(1.38), Bound: []string{"crew of 25 MW from 2027-07", "40 $M of equity in 2028-03"}, Considered: 12_960,
	}
	for y := range 12 {
		all := study.Year{Year: y + 1, Label: fmt.Sprint(2027 + y), Lines: map[string]float64{}, Rows: map[string]float64{}}
		for h, kind := range []string{"host", "host", "mine"} {
			one := year(y, []float64{25, 30, 25}[h], kind)
			for l := flow.Line(0); l < flow.Lines; l++ {
				if v := one.Lines[l.Key()]; v != 0 {
					all.Lines[l.Key()] += v
				}
			}
			for k := finance.Row(0); k < finance.Rows; k++ {
				if v := one.Rows[k.Key()]; v != 0 {
					all.Rows[k.Key()] += v
				}
			}
			all.MWh += one.MWh
		}
		f.Years = append(f.Years, all)
		f.Fan = append(f.Fan, spreadOf(y, 8e6+5.5e6*float64(y)-100e6*float64(max(0, 2-y)), 9e6))
	}
	for b := range 32 {
		z := (float64(b) - 13) / 6
		f.Histogram = append(f.Histogram, study.Bin{From: -100e6 + 25e6*float64(b), To: -75e6 + 25e6*float64(b), Paths: int(1040 * math.Exp(-z*z/2))})
	}
	m := &f.Months
	for t := range r.Months {
		m.Labels = append(m.Labels, fmt.Sprintf("%d-%02d", 2027+t/12, 1+t%12))
		owed, service := 0.0, 0.0
		var cover, taxed *float64
		switch {
		case t >= 6 && t < 20:
			owed = 231e6 * float64(t-5) / 14
		case t >= 20 && t < 128:
			owed, service = 231e6*(1-float64(t-20)/108), 3.4e6
			cover = p(1.3 + 0.12*math.Sin(float64(t)/5) + 0.004*float64(t))
			if t == 28 {
				cover = p(1.08)
			}
			taxed = p(*cover - 0.11)
		}
		m.Debt, m.Service, m.CFADS, m.DSCR, m.Taxed, m.Cash = append(m.Debt, owed), append(m.Service, service), append(m.CFADS, 4e6), append(m.DSCR, cover), append(m.Taxed, taxed), append(m.Cash, 1e6)
	}
}

func waitings(r *study.Report) {
	f := study.Flexible{Hall: "North", Value: 121e6, Error: 0.8e6, Committed: 103e6, Plan: "host from 2028-01", Option: 18e6, OptionError: 0.3e6, Today: "wait", Never: 0.22}
	for k := range 11 {
		d := study.Exercise{Month: fmt.Sprintf("%d-%02d", 2027+k/2, 1+6*(k%2)), Share: map[string]float64{}, Median: 50 * math.Pow(0.95, float64(k))}
		if k > 0 {
			d.Share["host"] = 0.16 / float64(k)
			d.Share["sell"] = 0.02
			d.Boundary, d.Option = p(36+1.5*float64(k)), "host"
		}
		if k > 8 {
			d.Boundary, d.Option, d.Above = p(70.0), "gpu", true
		}
		f.Dates = append(f.Dates, d)
	}
	r.Flexible = []study.Flexible{f, {Hall: "East", Value: 33e6, Error: 0.5e6, Committed: 33e6, Plan: "mine", Fixed: true, Today: "mine", Never: 1}}
}

func worlds(r *study.Report) {
	w := &r.World
	w.Halvings = []string{"2028-04", "2032-03", "2036-02"}
	for y := range 12 {
		s := 0.35 * math.Sqrt(float64(y)+0.5)
		logFan := func(mid float64) study.Fan {
			return study.Fan{Label: fmt.Sprint(2027 + y), P10: mid * math.Exp(-1.28*s), P25: mid * math.Exp(-0.67*s), P50: mid, P75: mid * math.Exp(0.67*s), P90: mid * math.Exp(1.28*s)}
		}
		w.Price = append(w.Price, logFan(104e3*math.Pow(1.08, float64(y))))
		w.Hashprice = append(w.Hashprice, logFan(51*math.Pow(0.9, float64(y))))
		w.Difficulty = append(w.Difficulty, logFan(1.5e14*math.Pow(1.2, float64(y))))
		w.Power = append(w.Power, spreadOf(y, 41+float64(y), 3))
		w.Expected = append(w.Expected, 52*math.Pow(0.89, float64(y)))
		w.ExpectedPrice = append(w.ExpectedPrice, 106e3*math.Pow(1.1, float64(y)))
		w.ExpectedPower = append(w.ExpectedPower, 42+1.1*float64(y))
		w.ExpectedDifficulty = append(w.ExpectedDifficulty, 1.5e14*math.Pow(1.22, float64(y)))
	}
}

func rest(r *study.Report) {
	base := r.Portfolio.Expected
	for k, b := range [][4]string{
		{"Rent", "118 $/kW-month", "162 $/kW-month", "P10 and P90 of the file"},
		{"Building cost of conversions", "5.1 $M/MW", "9.8 $M/MW", "P10 and P90 of the file"},
		{"Price of bitcoin", "−45 %", "+82 %", "one standard deviation over the study"},
		{"Building time", "10 months", "22 months", "P10 and P90 of the file"},
		{"Price of power", "−18 %", "+22 %", "one standard deviation over the study"},
		{"PUE", "1.17", "1.43", "10 % either way"},
		{"Uptime", "86 %", "100 %", "10 % either way"},
	} {
		swing := 95e6 / float64(k+1)
		low, high := base-swing, base+0.8*swing
		if k == 1 || k >= 3 && k <= 5 {
			low, high = high, low
		}
		r.Tornado = append(r.Tornado, study.Bar{Input: b[0], Low: b[1], High: b[2], Basis: b[3], NPVLow: low, NPVHigh: high})
	}
	for k, name := range []string{"as expected", "bitcoin halves", "AI rents fall by a third", "power is dear", "the tenant fails in year 3"} {
		s := study.Scenario{Name: name, Portfolio: base - 62e6*float64(k), MinDSCR: p(1.3 - 0.1*float64(k))}
		if k == 3 {
			s.MinDSCR = nil
		}
		for _, o := range r.Options {
			if o.Kind != "greenfield" || k == 0 {
				s.Options = append(s.Options, study.ScenarioOption{Hall: o.Hall, Name: o.Name, NPV: o.Expected * (1 - 0.3*float64(k))})
			}
		}
		r.Scenarios = append(r.Scenarios, s)
		r.Regret.Scenarios = append(r.Regret.Scenarios, name)
	}
	r.Regret.Decisions = []string{"North host, South host, East mine, West sell", "all mine on", "all sell"}
	r.Regret.USD = [][]float64{{0, 0, 71e6, 3.2e6, 44e6}, {150e6, 121e6, 22e6, 160e6, 0}, {180e6, 90e6, 0, 130e6, 12e6}}
	r.Regret.Worst = []float64{71e6, 160e6, 180e6}
	r.Sector = study.Sector{
		AsOf: "2026-11-22",
		Deals: []study.Deal{
			{Name: "Alpha with Beta", Date: "2025-01-15", MW: 100, Years: 12, USD: p(1.75e9), Rate: 121.5, Kind: "modified", Note: "the tenant funds the building", Source: "A made-up press release, https://example.org/deal"},
			{Name: "Gamma with Delta", Date: "2025-08-14", MW: 200, Years: 10, USD: p(3.7e9), Rate: 154.2, Kind: "modified", Source: "made up"},
			{Name: "Epsilon with Zeta", Date: "2025-12-01", MW: 245, Years: 15, USD: p(7e9), Rate: 158.7, Kind: "net", Note: "3 % a year", Source: "made up"},
			{Name: "Eta with Theta", Date: "2025-11-03", MW: 200, Years: 5, USD: p(9.7e9), Rate: 808, Kind: "gpu cloud", Note: "brings the GPUs", Source: "made up"},
			{Name: "Iota, told in part", Date: "2026-01-02", Kind: "not told", Source: "made up"},
		},
		Ours: []study.Deal{{Name: "Example Compute (this study)", Date: "2026-10-01", MW: 44, Years: 12, Rate: 140, Kind: "modified", Source: "letter of intent"}},
	}
	r.Energy = []study.Energy{
		{What: "Electricity of the United States that mining used in 2023", Method: "a published survey's share of use", Low: 25, High: 91, Share: 0.0312, SiteMWh: 780_000, Source: "made up"},
		{What: "Data centres of the world in 2022", Method: "a published estimate", Low: 460, High: 460, Share: 0.0017, SiteMWh: 780_000, Source: "made up"},
	}
}

func inputsOfSample(r *study.Report) {
	for k, s := range [][3]string{
		{"discount", "10 %", "assumption"},
		{"site.utility", "100 MW", "contract"},
		{"site.pue", "1.25", "quote"},
		{"halls[0].power", "25 MW", "measured"},
		{"halls[0].capex.p50", "7.2 $M/MW", "quote"},
		{"halls[1].power", "30 MW", "measured"},
		{"power.adder", "9.5 $/MWh", "contract"},
		{"bitcoin.price", "104000 $", "published"},
		{"bitcoin.volatility", "52 %", "assumption"},
		{"leases[0].rate", "140 $/kW-month", "quote"},
		{"leases[0].escalator", "3 %", "quote"},
		{"gpu_clouds[0].rate", "2.35 $/GPU-hour", "published"},
		{"financings[0].covenant", "1.15", "contract"},
		{"financings[0].rate", "8.5 %", "quote"},
		{"tax.rate", "24 %", "published"},
	} {
		r.Given = append(r.Given, input.Provenance{Path: s[0], Value: s[1], From: originOf(s[2]), Source: "line of a made-up source, see https://example.org/" + s[0], Line: 10 + 3*k})
	}
	r.Assumed = []input.Provenance{
		{Path: "inflation", Value: "2.5 %", From: "assumption", Source: "the central bank's target and a little"},
		{Path: "power.flat", Value: "41 $/MWh", From: "published", Source: "a made-up yearly mean"},
		{Path: "halls[0].fleet[0].resale_decay", Value: "35 %"},
	}
}
