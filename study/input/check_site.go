package input

import (
	"math"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

func (l *loader) checkSite() {
	s := &l.f.Site
	l.need("site.utility", `write the connection's power, like "100 MW"`)
	positive(l, "site.utility", s.Utility, maxPower)
	within(l, "site.pue", s.PUE, 1, 3)
	within(l, "site.mining_pue", s.MiningPUE, 1, 1.5)
	if l.doc.Has("site.pue_by_month") {
		if n := len(s.PUEByMonth); n != 12 {
			l.fault("site.pue_by_month", "write twelve figures, from January", "there are %d figures", n)
		}
		if l.doc.Has("site.pue") {
			l.fault("site.pue", "write one of them", "pue and pue_by_month are both there")
		}
	}
	for _, v := range s.PUEByMonth {
		between(l, "site.pue_by_month", v, 1, 3)
	}
	l.checkConnection()
	within(l, "site.chance", s.Chance, 0, 1)
	within(l, "site.fixed_costs", s.Fixed, 0, 1e9)
	within(l, "site.wind_down", s.WindDown, 0, 480)
	if l.doc.Has("site.wind_down") && !l.doc.Has("site.fixed_costs") {
		l.fault("site.wind_down", "add fixed_costs:, or remove the key", "there are no site's own costs that could go on")
	}
	for i, r := range s.Ramp {
		p := at("site.ramp", i)
		if !l.need(p+"from", "write the month in which the power comes") || !l.need(p+"power", "write the power from then on") {
			continue
		}
		if sound(l, "site.utility", s.Utility) {
			between(l, p+"power", r.Power, 0, s.Utility.Is)
		}
		l.insideEnd(p+"from", r.From)
		if i == 0 {
			continue
		}
		if before := s.Ramp[i-1]; r.From <= before.From {
			l.fault(p+"from", "write the steps in the order of time", "%s does not follow %s", r.From, before.From)
		} else if r.Power < before.Power {
			l.warn(p+"power", "", "the connection falls from %s to %s", before.Power, r.Power)
		}
	}
}

func (l *loader) checkConnection() {
	s := &l.f.Site
	if !l.oneOf("site.status", "status", s.Status, "energised", "approved", "queued") {
		return
	}
	if s.Status == "energised" {
		for _, key := range []string{"site.energised", "site.chance"} {
			if l.doc.Has(key) {
				l.fault(key, "write status: approved or queued, or remove the key", "it goes with power that is still to come, and the status is energised")
			}
		}
		return
	}
	if c := s.Chance; sound(l, "site.chance", c) && float64(c.Is) < Likely {
		l.warn("site.chance", "", "power that comes with a chance of %s never comes in the expected case: nothing that waits for it operates there", c.Is)
	}
	if l.need("site.energised", "write the month in which "+s.Status+" power comes") && l.inside("site.energised", s.Energised) && !l.doc.Has("site.chance") {
		l.warn("site.status", "write chance: beside it, like 80 %", "%s power is taken to come for certain", s.Status)
	}
}

func (l *loader) hallIDs() []string {
	out := make([]string, len(l.f.Halls))
	for i, h := range l.f.Halls {
		out[i] = h.ID
	}
	return out
}

func (l *loader) checkHalls() {
	f := l.f
	if l.need("halls", "list the parts of the site that are decided on as one") && len(f.Halls) == 0 {
		l.fault("halls", "list the parts of the site that are decided on as one", "there is no hall")
	}
	ids(l, "halls", f.Halls, func(h *Hall) string { return h.ID })
	sum := unit.Power(0)
	for i := range f.Halls {
		h, p := &f.Halls[i], at("halls", i)
		l.need(p+"power", `write its power from the grid, like "25 MW"`)
		positive(l, p+"power", h.Power, maxPower)
		if sound(l, p+"power", h.Power) {
			sum += h.Power.Is
		}
		l.checkConversion(p, h)
		within(l, p+"mining_upkeep", h.Upkeep, 0, unit.DollarsPerKWMonth(100))
		l.checkFleet(p, h)
	}
	if u := f.Site.Utility; sound(l, "site.utility", u) && u.Is > 0 && sum > u.Is {
		l.fault("halls", "lower the halls' power, or raise site.utility", "the halls draw %s together, more than the connection's %s", sum, u.Is)
	}
}

func (l *loader) checkConversion(p string, h *Hall) {
	spread(l, p+"capex", h.Capex, 0, 1e8)
	spread(l, p+"build", h.Build, 0, 120)
	if !h.Convertible {
		if l.doc.Has(p + "critical") {
			l.fault(p+"critical", "write convertible: true, or remove the key", "the hall cannot be converted and carries no AI load")
		}
		return
	}
	positive(l, p+"critical", h.Critical, maxPower)
	if !l.doc.Has(p+"critical") || !sound(l, p+"critical", h.Critical) || !sound(l, p+"power", h.Power) || l.doc.Faulty("site") {
		return
	}
	worst := l.f.Site.PUE.Is
	for _, v := range l.f.Site.PUEByMonth {
		worst = max(worst, v)
	}
	if draw := h.Critical.Is.Scale(worst); worst <= 3 && draw > h.Power.Is {
		l.fault(p+"critical", "at that PUE it can be "+h.Power.Is.Scale(1/worst).String(), "%s of critical load draw %s at a PUE of %s, more than the hall's %s", h.Critical.Is, draw, printed(worst), h.Power.Is)
	}
}

func (l *loader) checkFleet(p string, h *Hall) {
	draw := 0.0
	for i := range h.Fleet {
		m, q := &h.Fleet[i], at(p+"fleet", i)
		if l.need(q+"count", "write how many there are") {
			between(l, q+"count", m.Count, 1, 1_000_000)
		}
		l.checkMachine(q, m)
		draw += float64(m.Count) * m.Power.Watts()
	}
	mining := l.f.Site.MiningPUE
	if !sound(l, "site.mining_pue", mining) || !sound(l, p+"power", h.Power) || l.doc.Faulty(p+"fleet") || h.Power.Is <= 0 {
		return
	}
	if all := unit.Watts(draw * mining.Is); all > h.Power.Is {
		l.fault(p+"fleet", "lower the count, or raise the hall's power", "the machines draw %s at a PUE of %s, more than the hall's %s", all, printed(mining.Is), h.Power.Is)
	}
}

func (l *loader) checkMachine(p string, m *Machines) {
	if m.Hash == 0 && m.Power == 0 && !l.doc.Has(p+"hashrate") && !l.doc.Has(p+"power") {
		if m.Model == "" {
			l.fault(p+"model", "name a model, or write hashrate: and power: of one machine", "nothing says what these machines are")
		} else {
			l.fault(p+"model", modelHint(m.Model), "no figures are known of the model %q", m.Model)
		}
		return
	}
	if !l.doc.Has(p+"hashrate") && m.Hash == 0 {
		l.need(p+"hashrate", `write that of one machine, like "200 TH/s"`)
		return
	}
	if !l.doc.Has(p+"power") && m.Power == 0 {
		l.need(p+"power", `write that of one machine, like "3500 W"`)
		return
	}
	if !l.doc.Faulty(p+"hashrate") && !l.doc.Faulty(p+"power") {
		if e := unit.EfficiencyOf(m.Power, m.Hash); m.Power <= 0 || m.Hash <= 0 || e < 4 || e > 500 {
			l.fault(p+"hashrate", "miners need 10 to 100 J/TH: are both figures of one machine, and the units right?", "%s at %s make %s", m.Hash, m.Power, e)
		}
	}
	l.checkModes(p, m)
	within(l, p+"uptime", m.Uptime, 0, 1)
	within(l, p+"pool_fee", m.Fee, 0, 0.2)
	within(l, p+"resale", m.Resale, 0, 1000)
	within(l, p+"resale_decay", m.Decay, 0, 2)
	if r := m.Renew; r != nil {
		if l.need(p+"renew.every", `write after how long they are replaced, like "48 months"`) {
			between(l, p+"renew.every", r.Every, 6, 240)
		}
		within(l, p+"renew.efficiency", r.Efficiency, 1, 100)
		within(l, p+"renew.price", r.Price, 0, 1000)
	}
}

func modelHint(model string) string {
	if near := strictyaml.Nearest(model, minerNames()); near != "" {
		return `did you mean "` + near + `"? else write hashrate: and power: of one machine`
	}
	return "write hashrate: and power: of one machine"
}

func (l *loader) checkModes(p string, m *Machines) {
	for i, k := range m.Curve {
		q := at(p+"curve", i)
		if !l.need(q+"hashrate", "write the mode's") || !l.need(q+"power", "write the mode's") {
			continue
		}
		switch {
		case k.Hash <= 0 || k.Power <= 0:
			l.fault(q+"hashrate", "write what one machine does and draws in this mode", "%s at %s is no mode", k.Hash, k.Power)
		case k.Hash >= m.Hash || k.Power >= m.Power:
			l.fault(q+"hashrate", "leave the full mode out of the curve", "%s at %s is not below the full %s at %s", k.Hash, k.Power, m.Hash, m.Power)
		case i > 0 && (k.Hash <= m.Curve[i-1].Hash || k.Power <= m.Curve[i-1].Power):
			l.fault(q+"hashrate", "write the weakest first", "the modes do not rise")
		}
	}
}

func (l *loader) checkTariff() {
	t := &l.f.Power
	if l.doc.Has("power.prices") && l.doc.Has("power.flat") {
		l.fault("power.flat", "write one of them", "prices and flat are both there")
	}
	if l.doc.Has("power.prices") && t.Prices == "" {
		l.fault("power.prices", "name the CSV file, or write flat: 45 $/MWh", "the name is empty")
	}
	for _, with := range [][2]string{{"prices_column", "prices"}, {"backtest_policy", "backtest"}} {
		if l.doc.Has("power."+with[0]) && !l.doc.Has("power."+with[1]) {
			l.fault("power."+with[0], "add "+with[1]+": or remove the key", "%s goes with %s, which is not there", with[0], with[1])
		}
	}
	if l.doc.Has("power.backtest") && l.doc.Has("power.capture") {
		l.fault("power.capture", "write one of them", "capture and backtest are both there")
	}
	within(l, "power.flat", t.Flat, unit.DollarsPerMWh(-100), unit.DollarsPerMWh(2000))
	within(l, "power.growth", t.Growth, -0.2, 0.5)
	within(l, "power.adder", t.Adder, unit.DollarsPerMWh(-100), unit.DollarsPerMWh(500))
	within(l, "power.demand", t.Demand, 0, unit.DollarsPerKWMonth(100))
	within(l, "power.coincident", t.Coincident, 0, 1000)
	within(l, "power.coincident_avoided", t.Avoided, 0, 1)
	within(l, "power.capture", t.Capture, -1, 1)
	within(l, "power.programmes", t.Programmes, 0, unit.DollarsPerKWMonth(100))
	within(l, "power.volatility", t.Volatility, 0, 3)
	within(l, "power.half_life", t.HalfLife, 1, 120)
	within(l, "power.spike_chance", t.SpikeChance, 0, 1)
	within(l, "power.spike_hours", t.SpikeHours, 0, 672)
	within(l, "power.spike_price", t.SpikePrice, 0, unit.DollarsPerMWh(20_000))
	l.checkSpikes()
	l.checkBlocks()
}

func (l *loader) checkSpikes() {
	some := false
	for _, key := range []string{"spike_chance", "spike_hours", "spike_price"} {
		some = some || l.doc.Has("power."+key)
	}
	for _, key := range []string{"spike_chance", "spike_hours", "spike_price"} {
		if some {
			l.need("power."+key, "write spike_chance, spike_hours and spike_price together, or none of them")
		}
	}
}

func (l *loader) checkBlocks() {
	sum := unit.Power(0)
	for i, b := range l.f.Power.Blocks {
		p := at("power.blocks", i)
		l.need(p+"power", `write the block's power, like "20 MW"`)
		l.need(p+"price", `write what it costs, like "38 $/MWh"`)
		positive(l, p+"power", b.Power, maxPower)
		within(l, p+"price", b.Price, unit.DollarsPerMWh(-100), unit.DollarsPerMWh(2000))
		if l.doc.Has(p + "from") {
			l.insideEnd(p+"from", b.From)
		}
		if b.Until <= b.From && l.doc.Has(p+"until") && !l.doc.Faulty(p+"from") {
			l.fault(p+"until", "it is the first month without the block", "%s does not follow %s", b.Until, b.From)
		}
		if l.doc.Has(p+"until") && b.Until <= l.f.Start && l.f.Start > 0 && b.From < b.Until {
			l.fault(p+"until", "leave the block out", "the block ends before the study begins")
		}
		if sound(l, p+"power", b.Power) {
			sum += b.Power.Is
		}
	}
	if u := l.f.Site.Utility; sound(l, "site.utility", u) && sum > u.Is && !l.overlapFits(u.Is) {
		l.warn("power.blocks", "", "the blocks of one month come to more than the connection's %s: the rest is always sold", u.Is)
	}
}

// overlapFits says that in no month the blocks together are above most.
func (l *loader) overlapFits(most unit.Power) bool {
	for _, a := range l.f.Power.Blocks {
		sum := unit.Power(0)
		for _, b := range l.f.Power.Blocks {
			if b.Power != nil && b.From <= a.From && a.From < b.Until {
				sum += b.Power.Is
			}
		}
		if sum > most {
			return false
		}
	}
	return true
}

func (l *loader) checkBitcoin() {
	b := &l.f.Bitcoin
	l.need("bitcoin.price", `write what a bitcoin costs at the start, like "90000 $"`)
	positive(l, "bitcoin.price", b.Price, 1e8)
	switch d, n := l.doc.Has("bitcoin.difficulty"), l.doc.Has("bitcoin.network"); {
	case d && n:
		l.fault("bitcoin.network", "write one of them", "difficulty and network are both there")
	case !d && !n:
		l.fault("bitcoin", `write difficulty: 150e12, or the network's hashrate, network: 1080 EH/s`, "difficulty is missing")
	case d:
		within(l, "bitcoin.difficulty", b.Difficulty, 1e9, 1e18)
	default:
		within(l, "bitcoin.network", b.Network, 1e-2*unit.ExaHash, 1e6*unit.ExaHash)
	}
	l.checkHeight()
	within(l, "bitcoin.fees", b.Fees, 0, 50)
	within(l, "bitcoin.drift", b.Drift, -0.9, 2)
	within(l, "bitcoin.volatility", b.Volatility, 0, 3)
	within(l, "bitcoin.response", b.Response, 0, 1)
	within(l, "bitcoin.improvement", b.Improvement, 0, 0.9)
	within(l, "bitcoin.noise", b.Noise, 0, 2)
	within(l, "bitcoin.floor_power", b.Floor, 0, unit.DollarsPerMWh(1000))
	within(l, "bitcoin.floor_efficiency", b.Efficiency, 4, 500)
	within(l, "bitcoin.resale_elasticity", b.Resale, 0, 3)
	within(l, "bitcoin.power_correlation", b.PowerCorrelation, -1, 1)
	if l.doc.Has("bitcoin.forward") && l.doc.Has("bitcoin.drift") {
		l.fault("bitcoin.drift", "write one of them", "forward and drift are both there")
	}
	for i, k := range b.Forward {
		p := at("bitcoin.forward", i)
		if !l.need(p+"month", `write it like "2028-12"`) || !l.need(p+"price", "write the expected price of a bitcoin then") {
			continue
		}
		if k.Price <= 0 || k.Price > 1e8 {
			l.fault(p+"price", "it can be above zero and to 100 $M", "%s is out of range", k.Price)
		}
		if i > 0 && k.Month <= b.Forward[i-1].Month {
			l.fault(p+"month", "write the points in the order of time", "%s does not follow %s", k.Month, b.Forward[i-1].Month)
		} else if k.Month < l.f.Start {
			l.inside(p+"month", k.Month)
		}
	}
}

// checkHeight holds the height against the clock: blocks have come up to a tenth faster or slower than every ten
// minutes for years on end, never more.
func (l *loader) checkHeight() {
	if !l.doc.Has("bitcoin.height") || l.f.Start == 0 || l.doc.Faulty("start") {
		return
	}
	start := time.Date(l.f.Start.Year(), l.f.Start.Calendar(), 1, 0, 0, 0, 0, time.UTC)
	expected := halvedHeight + start.Sub(halved).Hours()*6
	if off := math.Abs(float64(l.f.Bitcoin.Height) - expected); off > 10_000+0.1*math.Abs(expected-halvedHeight) {
		l.fault("bitcoin.height", "from block 840,000 of 20 April 2024 on, a block every ten minutes makes about "+printed(math.Round(expected)), "%d cannot be the height in %s", l.f.Bitcoin.Height, l.f.Start)
	}
}
