package input

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/study/figure"
	"switchyard/unit"
)

// fill sets a figure that the file lacks and lists it among the assumptions.
func fill[T any](l *loader, at **figure.Figure[T], path string, value T, from figure.Origin, source string) {
	if *at == nil {
		*at = figure.Of(value, from, source)
		l.assume(path, printed(value), from, source)
	}
}

// assumed is fill with a figure that is only believed.
func assumed[T any](l *loader, at **figure.Figure[T], path string, value T, why string) {
	fill(l, at, path, value, figure.Assumption, why)
}

// none sets a figure that the file lacks to zero.
func none[T any](l *loader, at **figure.Figure[T], path string) {
	var zero T
	assumed(l, at, path, zero, "the file names none")
}

// or sets a plain value that the file lacks.
func or[T any](l *loader, at *T, path string, value T, why string) {
	if !l.doc.Has(path) {
		*at = value
		l.assume(path, printed(value), figure.Assumption, why)
	}
}

func (l *loader) assume(path, value string, from figure.Origin, source string) {
	l.f.Assumed = append(l.f.Assumed, Provenance{Path: path, Value: value, From: from, Source: source})
}

// printed writes a value as a person would.
func printed(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []float64:
		return list(v)
	case []unit.Ratio:
		return list(v)
	case figure.Origin:
		return string(v)
	}
	return fmt.Sprint(v)
}

func list[T any](values []T) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = printed(v)
	}
	return strings.Join(out, ", ")
}

func at(list string, i int) string { return fmt.Sprintf("%s[%d].", list, i) }

// setDefaults fills in what the file leaves out; a written zero stays, for the checks to judge.
func (l *loader) setDefaults() {
	f := l.f
	assumed(l, &f.Discount, "discount", 0.10, "between the 7 to 9 % that lenders to such sites ask and the 14 % of their owners")
	assumed(l, &f.Equity, "equity_discount", 0.14, "what owners of contracted infrastructure under construction ask; that of miners lies higher")
	assumed(l, &f.Inflation, "inflation", 0.025, "half a point above the Federal Reserve's target of 2 %")
	or(l, &f.Paths, "paths", 10_000, "puts the standard error at a hundredth of the spread")
	or(l, &f.Seed, "seed", 1, "any number; the same number gives the same paths")
	l.siteDefaults()
	for i := range f.Halls {
		l.hallDefaults(at("halls", i), &f.Halls[i])
	}
	l.tariffDefaults()
	l.bitcoinDefaults()
	for i := range f.Leases {
		l.leaseDefaults(at("leases", i), &f.Leases[i])
	}
	for i := range f.Clouds {
		l.cloudDefaults(at("gpu_clouds", i), &f.Clouds[i])
	}
	for i := range f.Sales {
		l.saleDefaults(at("sales", i), &f.Sales[i])
	}
	for i := range f.Greenfields {
		p, g := at("greenfields", i), &f.Greenfields[i]
		none(l, &g.Land, p+"land")
		assumed(l, &g.PUE, p+"pue", 1.25, "TeraWulf's Lake Mariner leases are planned with 1.25; newer liquid-cooled halls with 1.18")
	}
	for i := range f.Financings {
		l.financingDefaults(at("financings", i), &f.Financings[i])
	}
	l.taxDefaults()
	l.optionDefaults()
	l.scenarioDefaults()
}

func (l *loader) siteDefaults() {
	s := &l.f.Site
	if s.Name == "" {
		s.Name = l.f.Study
	}
	if len(s.PUEByMonth) == 12 && s.PUE == nil {
		sum := 0.0
		for _, v := range s.PUEByMonth {
			sum += v
		}
		assumed(l, &s.PUE, "site.pue", sum/12, "the mean of pue_by_month, which is what counts")
	}
	fill(l, &s.PUE, "site.pue", 1.25, figure.Published, "TeraWulf's lease with Core42 at Lake Mariner (December 2024): 60 MW critical of 72.5 MW gross")
	assumed(l, &s.MiningPUE, "site.mining_pue", 1.03, "fans, transformers and cables of an air-cooled mining hall")
	or(l, &s.Status, "site.status", "energised", "nothing is said of a queue")
	if s.Status == "energised" {
		if !l.doc.Has("site.energised") {
			s.Energised = l.f.Start
		}
		assumed(l, &s.Chance, "site.chance", 1, "the connection is energised")
	}
	assumed(l, &s.Chance, "site.chance", 1, "no chance that the power does not come was given")
	if l.doc.Has("site.fixed_costs") {
		assumed(l, &s.WindDown, "site.wind_down", 3, "to clear the site and end its contracts, once no hall is left")
	}
	none(l, &s.Fixed, "site.fixed_costs")
	none(l, &s.WindDown, "site.wind_down")
}

func (l *loader) hallDefaults(p string, h *Hall) {
	if h.Convertible && h.Power != nil {
		worst := l.f.Site.PUE.Is
		for _, v := range l.f.Site.PUEByMonth {
			worst = max(worst, v)
		}
		if worst >= 1 {
			assumed(l, &h.Critical, p+"critical", h.Power.Is.Scale(1/worst), "the hall's power over the PUE, in the worst month where it is given by month")
		}
	}
	if len(h.Fleet) == 0 {
		assumed(l, &h.Upkeep, p+"mining_upkeep", 0, "nothing mines there")
	}
	assumed(l, &h.Upkeep, p+"mining_upkeep", unit.DollarsPerKWMonth(4), "staff, repair and rent of about 5.5 $/MWh, within what listed miners report beside power")
	for i := range h.Fleet {
		l.fleetDefaults(at(p+"fleet", i), &h.Fleet[i])
	}
}

func (l *loader) fleetDefaults(p string, m *Machines) {
	if k, ok := minerOf(m.Model); ok {
		why := "nominal figures of the " + k.name + ", as its maker and public tables of miners give them"
		if !l.doc.Has(p + "hashrate") {
			m.Hash = unit.Hashrate(k.th) * unit.TeraHash
			l.assume(p+"hashrate", printed(m.Hash), figure.Published, why)
		}
		if !l.doc.Has(p + "power") {
			m.Power = unit.Power(k.watts) * unit.Watt
			l.assume(p+"power", printed(m.Power), figure.Published, why)
		}
	}
	assumed(l, &m.Uptime, p+"uptime", 0.96, "a well-kept air-cooled fleet; the rest is repair, heat and restarts")
	fill(l, &m.Fee, p+"pool_fee", 0.01, figure.Published, "large pools ask 0 to 2.5 % by their price lists; big fleets get less")
	value, class := resaleOf(unit.EfficiencyOf(m.Power, m.Hash))
	assumed(l, &m.Resale, p+"resale", value, "machines of "+class+" as brokers' indices put them in late 2025; ask a broker for a quote")
	assumed(l, &m.Decay, p+"resale_decay", 0.35, "brokers' indices of used machines fell by more in 2022 and by about this in 2023 to 2025")
	if r := m.Renew; r != nil {
		assumed(l, &r.Efficiency, p+"renew.efficiency", 15, "the best air-cooled machines of 2024 and 2025, such as the S21 Pro")
		assumed(l, &r.Price, p+"renew.price", 15, "new machines of that class in large lots, late 2025")
	}
}

// resaleOf returns what used machines of an efficiency bring, and the class in words.
func resaleOf(e unit.Efficiency) (figure.PerTH, string) {
	switch {
	case e < 19:
		return 11, "under 19 J/TH"
	case e < 25:
		return 6, "19 to 25 J/TH"
	case e < 38:
		return 3, "25 to 38 J/TH"
	}
	return 1, "38 J/TH and more"
}

func (l *loader) tariffDefaults() {
	t := &l.f.Power
	l.readCurve()
	if t.Prices == "" && !l.doc.Has("power.prices") && t.Flat == nil {
		const why = "no prices were given: near what industry paid in Texas and upstate New York; a file of the zone's hourly prices says far more of curtailment"
		assumed(l, &t.Flat, "power.flat", unit.DollarsPerMWh(50), why)
		l.warn("power", "name a file of hourly prices: prices: \"prices.csv\", or write flat: 45 $/MWh", "no prices were given: the study assumes 50 $/MWh in all hours, in which there is nothing to curtail for")
	}
	if t.Flat != nil && t.Prices == "" {
		for m := range l.f.Curve {
			l.f.Curve[m] = []float64{t.Flat.Is.DollarsPerMWh()}
		}
	}
	if l.f.Inflation != nil {
		assumed(l, &t.Growth, "power.growth", l.f.Inflation.Is, "as inflation: power neither dearer nor cheaper in the dollars of Start")
	}
	none(l, &t.Adder, "power.adder")
	none(l, &t.Demand, "power.demand")
	none(l, &t.Coincident, "power.coincident")
	assumed(l, &t.Avoided, "power.coincident_avoided", 0.90, "miners in Texas rest through nearly all of the four peaks; some are missed")
	l.readBacktest()
	assumed(l, &t.Capture, "power.capture", 0.90, "between the 82 % that the schedule captured in ERCOT West in 2024 with prices known late and nearly 100 % with prices known in time; a backtest of the site says better")
	none(l, &t.Programmes, "power.programmes")
	if t.Flat != nil && t.Flat.From == figure.Contract {
		assumed(l, &t.Volatility, "power.volatility", 0, "the price stands in a contract")
	}
	assumed(l, &t.Volatility, "power.volatility", 0.90, "with the half-life a spread of 22 % about the mean; NYISO zone A of 2016 to 2018 had 24 %, ERCOT West of 2023 and 2024, spikes apart, 27 %")
	assumed(l, &t.HalfLife, "power.half_life", 1, "of a month's deviation 20 to 40 % was left a month later in the same records; a month is the least that can be told")
	none(l, &t.SpikeChance, "power.spike_chance")
	none(l, &t.SpikeHours, "power.spike_hours")
	none(l, &t.SpikePrice, "power.spike_price")
	for i := range t.Blocks {
		b, p := &t.Blocks[i], at("power.blocks", i)
		if !l.doc.Has(p + "from") {
			b.From = l.f.Start
		}
		or(l, &b.Until, p+"until", l.f.End(), "the block is taken to last as long as the study")
		if b.Resale == nil {
			yes := true
			b.Resale = &yes
			l.assume(p+"resale", "true", figure.Assumption, "what is not drawn is sold at the hourly price")
		}
	}
}

// Block 840,000, the first with 3.125 BTC, was found on this day.
var halved = time.Date(2024, 4, 20, 0, 0, 0, 0, time.UTC)

const halvedHeight = 840_000

func (l *loader) bitcoinDefaults() {
	b := &l.f.Bitcoin
	if b.Difficulty == nil && b.Network != nil {
		// No assumption: the network's hashrate said in another way.
		b.Difficulty = figure.Of(float64(b.Network.Is)*600/(1<<32), figure.Assumption, "")
		l.after = append(l.after, func() { // the network's own provenance may yet be its mapping's
			b.Difficulty.From, b.Difficulty.Source = b.Network.From, "the network's hashrate x 600 s / 2^32; "+b.Network.Source
		})
	}
	if !l.doc.Has("bitcoin.height") && l.f.Start > 0 {
		days := time.Date(l.f.Start.Year(), l.f.Start.Calendar(), 1, 0, 0, 0, 0, time.UTC).Sub(halved).Hours() / 24
		b.Height = max(0, halvedHeight+int64(days*144))
		l.assume("bitcoin.height", strconv.FormatInt(b.Height, 10), figure.Assumption, "block 840,000 was found on 20 April 2024; from there a block every ten minutes")
	}
	assumed(l, &b.Fees, "bitcoin.fees", 0.03, "about 1 % of the subsidy, as in late 2025; the mean of May to December 2024 was 0.14")
	if len(b.Forward) == 0 {
		assumed(l, &b.Drift, "bitcoin.drift", 0, "nobody knows: the price is expected to stay where it is, and the paths spread about it")
	}
	assumed(l, &b.Drift, "bitcoin.drift", 0, "beyond the forward curve the price is expected to stay")
	fill(l, &b.Volatility, "bitcoin.volatility", 0.55, figure.Published, "daily closing prices of 2022 to 2024 moved by 54 % a year")
	assumed(l, &b.Response, "bitcoin.response", 0.04, "the network's months of 2019 to 2024 give 0.021, with 95 % from -0.018 to 0.060; without any response it would never come back from a halving")
	assumed(l, &b.Improvement, "bitcoin.improvement", 0.20, "hashprice fell by 21 % a year from 2019 to 2024, of which 95 % lie from 16 to 26 %")
	assumed(l, &b.Noise, "bitcoin.noise", 0.20, "what the network's growth of 2019 to 2024 had of its own: 20.5 % a year, the months of China's ban apart")
	assumed(l, &b.Floor, "bitcoin.floor_power", unit.DollarsPerMWh(45), "what large miners report to pay for power, all in")
	assumed(l, &b.Efficiency, "bitcoin.floor_efficiency", 26, "between the S19j Pro and the S19 XP, which were then the oldest machines in large fleets")
	assumed(l, &b.Resale, "bitcoin.resale_elasticity", 1, "used machines are quoted by the months in which they pay themselves back, so that their price goes as what they earn")
	none(l, &b.PowerCorrelation, "bitcoin.power_correlation")
}
