package app

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"switchyard/api"
	"switchyard/care"
	"switchyard/dispatch"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// screen is what the page is drawn from: made by the loop, then immutable.
type screen struct {
	live   api.LiveView
	curve  api.CurveView
	own    []api.Alert // the controller's, without those about single devices
	status []reconcile.DeviceStatus
	told   []time.Time // per miner: when it was last told something
	holds  holds
	snap   *telemetry.Snapshot
	now    time.Time
}

// publish makes a new screen and wakes whoever waits for one.
func (c *control) publish(now time.Time, snap *telemetry.Snapshot, r *readings, all []site.Limit) {
	s := &screen{status: slices.Clone(c.status), told: slices.Clone(c.toldAt), holds: c.holds, snap: snap, now: now}
	s.live = api.LiveView{At: now, Plan: int64(c.plan), Speed: c.a.speed(), Mode: c.mode()}
	c.liveMarket(&s.live, now)
	bounds := c.limits.Bounds(now, all, 0)
	c.liveNodes(&s.live, now, r, bounds)
	c.liveGroups(&s.live, now)
	c.liveTenants(&s.live, r)
	s.live.GPUs = c.a.clusters.Live()
	for _, m := range all {
		s.live.Limits = append(s.live.Limits, limitView(m, now))
	}
	s.own = c.alertViews()
	s.live.Alerts = slices.Concat(s.own, c.a.care.Alerts())
	s.live.Headline = c.headline(&s.live)
	s.curve = c.curveView(now, bounds)
	c.a.publish(s)
}

func (c *control) mode() string {
	switch {
	case !c.ready:
		return "static"
	case c.lost != "":
		return "hold"
	}
	return "merit-order"
}

func (c *control) liveMarket(v *api.LiveView, now time.Time) {
	if q := c.a.price(now); q.Known {
		v.PriceUSDMWh, v.PriceStale, v.PriceSource = ptr(q.Price.DollarsPerMWh()), q.Stale, q.Source
	}
	if h := c.a.market.Hashprice(now); h.Known {
		v.HashpriceUSD = ptr(h.Hashprice.DollarsPerPHDay())
	}
	if c.ready && c.lost == "" {
		v.MarginalUSD = ptr(c.result.Marginal.DollarsPerMWh())
	}
	v.ProfitUSDDay = c.a.dayProfit.Load()
}

func (c *control) liveNodes(v *api.LiveView, now time.Time, r *readings, bounds []unit.Power) {
	t := c.a.plant.Tree
	est := make([]unit.Power, t.Len())
	for j := range c.status {
		est[c.a.plant.Miners[j].Node] += c.status[j].Counted
	}
	for i := range c.a.clusters.Len() {
		_, node, full := c.a.clusters.At(i)
		est[node] += r.power(node).Or(full)
	}
	for i := range c.a.plant.Tenants {
		node := c.a.plant.Tenants[i].Node
		est[node] += r.power(node).Or(c.a.plant.Tenants[i].Firm)
	}
	t.Lift(est)
	over := map[int]time.Duration{}
	for _, o := range c.over {
		if o.Over > 0 {
			over[o.Node] = o.For
		}
	}
	for i := range t.Len() {
		n := api.NodeLive{ID: string(t.Node(i).ID), EstW: est[i].Watts(), Quality: site.Estimated.String(), OverForS: over[i].Seconds()}
		if bounds[i] >= 0 {
			n.LimitW = ptr(bounds[i].Watts())
		}
		if t.Node(i).Meter != "" {
			n.Quality = site.Missing.String()
			if !r.at[i].IsZero() {
				n.AgeS = ptr(now.Sub(r.at[i]).Seconds())
			}
			if p := r.power(i); p.OK {
				n.PowerW, n.Quality = ptr(p.V.Watts()), site.Measured.String()
			}
		}
		if i < len(c.result.Nodes) {
			n.Binding = c.result.Nodes[i].Binding
		}
		v.Nodes = append(v.Nodes, n)
	}
}

func (c *control) liveGroups(v *api.LiveView, now time.Time) {
	hp := c.a.market.Hashprice(now)
	var hour float64
	for i := range c.a.plant.Groups {
		g := &c.a.plant.Groups[i]
		l := api.GroupLive{ID: g.ID, AwardW: c.awards[g.Load].Power.Watts(), FixedW: c.loads[g.Load].Fixed.Watts(), States: map[string]int{}}
		l.Reason, l.ReasonCode = c.awards[g.Load].Reason.Text, string(c.awards[g.Load].Reason.Code)
		var power unit.Power
		var hash unit.Hashrate
		for j := g.First; j < g.First+g.Count && j < len(c.status); j++ {
			power += c.status[j].Counted
			l.States[care.CellState(c.devices[j].Last, c.devices[j].Unreachable, &c.status[j])]++
			if d := &c.devices[j]; d.Last.OK && !d.Unreachable {
				hash += d.Last.V.Hashrate.Or(0)
			}
		}
		l.PowerW, l.Hashrate = power.Watts(), hash.PH()
		if e := unit.EfficiencyOf(power, hash); e > 0 {
			l.EfficiencyJTH = ptr(float64(e))
		}
		if hp.Known {
			earn := hp.Hashprice.Revenue(hash, time.Hour).Dollars() * (1 - float64(g.PoolFee))
			l.EarnUSDHour, hour = &earn, hour+earn
			l.BreakevenUSD = ptr(hp.Hashprice.Value(unit.EfficiencyOf(g.Nameplate, g.Hashrate), g.PoolFee).DollarsPerMWh())
		}
		v.Groups = append(v.Groups, l)
	}
	c.profitHour(v, now, hour, hp.Known)
}

// profitHour adds up the present rates: mining and rent less the power that nobody else pays.
func (c *control) profitHour(v *api.LiveView, now time.Time, mining float64, known bool) {
	if v.PriceUSDMWh == nil || !known || len(v.Nodes) == 0 {
		return
	}
	total := v.Nodes[0].EstW
	if v.Nodes[0].PowerW != nil {
		total = *v.Nodes[0].PowerW
	}
	profit := mining - total/1e6**v.PriceUSDMWh
	for i := range c.a.plant.Tenants {
		t := &c.a.plant.Tenants[i]
		profit += t.Rate.Rent(t.Firm, time.Hour, monthLength(now.In(c.a.plant.Zone))).Dollars()
		if t.Power == "pass-through" && v.Nodes[t.Node].PowerW != nil {
			profit += *v.Nodes[t.Node].PowerW / 1e6 * *v.PriceUSDMWh
		}
	}
	v.ProfitUSDHour = &profit
}

func monthLength(t time.Time) time.Duration {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location())
	return first.AddDate(0, 1, 0).Sub(first)
}

func (c *control) liveTenants(v *api.LiveView, r *readings) {
	for i := range c.a.plant.Tenants {
		t := &c.a.plant.Tenants[i]
		l := api.TenantLive{ID: t.ID, ReserveW: c.reserve[i].Watts(), FirmW: t.Firm.Watts(), Reason: c.awards[t.Load].Reason.Text}
		if p := r.power(t.Node); p.OK {
			l.PowerW = ptr(p.V.Watts())
		}
		if c.ready {
			l.ShedW = c.a.delivery.Lack(i, c.delivered(i, r)).Watts()
		}
		v.Tenants = append(v.Tenants, l)
	}
}

// headline says in one sentence what the site does and why.
func (c *control) headline(v *api.LiveView) string {
	if !c.ready {
		return "Starting: reading every device before anything is told to it."
	}
	var full, given float64
	code, node := site.ReasonValue, site.NodeID("")
	for i := range c.a.plant.Groups {
		a := c.awards[c.a.plant.Groups[i].Load]
		full, given = full+a.Full.Watts(), given+a.Power.Watts()
		if a.Power < a.Full {
			code, node = a.Reason.Code, a.Reason.Node
		}
	}
	price := "the price is lost"
	if v.PriceUSDMWh != nil {
		price = strconv.FormatFloat(*v.PriceUSDMWh, 'f', 2, 64) + " $/MWh"
	}
	switch {
	case c.lost != "":
		return "Holding: " + c.lost + "."
	case full == 0:
		return "No miner is free to follow the market; power at " + price + "."
	case given >= full*0.995:
		return fmt.Sprintf("Mining in full with %s; power at %s.", megawatts(given), price)
	case code == site.ReasonLimit:
		return fmt.Sprintf("%s limits mining to %s of %s; power at %s.", c.a.plant.Tree.Title(node), megawatts(given), megawatts(full), price)
	}
	if given <= 0 {
		return fmt.Sprintf("Mining rests: %s are not worth %s.", megawatts(full), price)
	}
	return fmt.Sprintf("Mining with %s of %s: the rest is not worth %s.", megawatts(given), megawatts(full), price)
}

func (c *control) curveView(now time.Time, bounds []unit.Power) api.CurveView {
	v := api.CurveView{At: now, Blocks: make([]api.CurveBlock, 0, len(c.result.Blocks))}
	if q := c.a.price(now); q.Known {
		v.PriceUSDMWh = ptr(q.Price.DollarsPerMWh())
	}
	if bounds[0] >= 0 {
		v.CapW = ptr(bounds[0].Watts())
	}
	for _, b := range c.result.Blocks {
		class := b.Class.String()
		if b.Fixed {
			class = "fixed"
		}
		v.ClearedW += b.Award.Watts()
		v.Blocks = append(v.Blocks, api.CurveBlock{
			Load: string(b.Load), Class: class, PowerW: b.Power.Watts(), AwardW: b.Award.Watts(),
			ValueUSD: b.Value.DollarsPerMWh(), Reason: c.blockReason(b),
		})
	}
	return v
}

func (c *control) blockReason(b dispatch.AwardedBlock) string {
	if b.Fixed {
		return "drawn whatever is awarded"
	}
	return c.awards[b.Load].Reason.Text
}

func ptr[T any](v T) *T { return &v }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// short prints a power for people, to the kilowatt.
func short(p unit.Power) string { return megawatts(p.Watts()) }

func megawatts(w float64) string {
	if w < 1e6 && w > -1e6 {
		return strconv.FormatFloat(w/1e3, 'f', 0, 64) + " kW"
	}
	return strconv.FormatFloat(w/1e6, 'f', 2, 64) + " MW"
}
