package app

import (
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/app/ahead"
	"switchyard/app/curtail"
	"switchyard/market/outlook"
	"switchyard/site"
	"switchyard/unit"
)

// Schedule returns the newest plan of the coming hours.
func (a *App) Schedule() api.ScheduleView { return a.ahead.Schedule(a.clk.Now()) }

// Forecast returns what prices are expected.
func (a *App) Forecast() api.ForecastView { return a.ahead.Forecast(a.clk.Now()) }

// takings are what the plan takes back from tenants.
func (a *App) takings() (out []curtail.Planned) {
	for _, t := range a.ahead.Takings(a.clk.Now()) {
		out = append(out, curtail.Planned{Tenant: string(t.Load), From: t.From, To: t.To, Power: t.Power})
	}
	return out
}

// fast are the groups that are at standby within a time; zero asks for no speed.
func (c *control) fast(within time.Duration) (out []site.LoadID) {
	for i := range c.a.plant.Groups {
		if within <= 0 || c.shedTime(i) <= within {
			out = append(out, c.a.plant.Groups[i].Load)
		}
	}
	return out
}

// lookAhead gives the planner what it needs to know where a plan is due.
func (c *control) lookAhead(now time.Time, r *readings, bounds []unit.Power, all []site.Limit) {
	draws := make([]site.Opt[unit.Power], len(c.a.plant.Tenants))
	signs := ahead.Signs{Bounds: bounds}
	usual, told := slices.Clone(draws), make([]curtail.Standing, len(draws)) // usual: not while it draws less because it was told to
	for i := range draws {
		draws[i] = r.power(c.a.plant.Tenants[i].Node)
		signs.Draw += draws[i].Or(c.a.plant.Tenants[i].Firm)
		if told[i] = c.a.curtail.Of(now, c.a.plant.Tenants[i].ID, draws[i]); !told[i].Running {
			usual[i] = draws[i]
		}
	}
	for j := range c.status {
		if c.status[j].Free {
			signs.Free++
		}
	}
	if q := c.a.price(now); q.Known {
		signs.Price = site.Some(q.Price)
	}
	c.a.ahead.Observe(now, r.power(0), usual)
	if !c.a.ahead.Due(now, signs) {
		return
	}
	s := &ahead.State{At: now, Draws: draws, Standing: told, House: make([]unit.Power, len(bounds))}
	s.Keep, s.Margin, s.Caps = slices.Clone(c.reserve), slices.Clone(c.margin), slices.Clone(c.caps)
	if h := c.a.market.Hashprice(now); h.Known {
		s.Hashprice = site.Some(h.Hashprice)
	}
	var most unit.Power
	for i, v := range c.values() {
		g, free := c.standing(i, now)
		s.Groups = append(s.Groups, g)
		if free >= most {
			most, s.Interest = free, v
		}
	}
	s.Clusters = c.a.clusters.Outlook()
	for i := range s.House {
		s.House[i] = c.house[i].Power(now)
	}
	for _, m := range all {
		if !strings.HasPrefix(m.ID, "file-") { // those the planner knows, and further ahead
			s.Limits = append(s.Limits, m)
		}
	}
	c.a.ahead.Give(s, signs)
}

// standing is how the machines of a group stand that are free to follow, and what they draw
// in sum.
func (c *control) standing(i int, now time.Time) (outlook.Group, unit.Power) {
	g := &c.a.plant.Groups[i]
	var ms []ahead.Machine
	for j := g.First; j < g.First+g.Count; j++ {
		d := &c.status[j]
		if !d.Free {
			continue
		}
		m := ahead.Machine{Power: max(d.Expected-c.standby(j), 0), Hashrate: c.hashrate(j, &c.a.plant.Miners[j]), Running: d.Known && d.Mode == site.ModeRun, For: -1}
		if told := c.toldAt[j]; !told.IsZero() {
			m.For = max(now.Sub(told), 0)
		}
		ms = append(ms, m)
	}
	return ahead.Standing(outlook.Group{Load: g.Load, Fixed: c.loads[g.Load].Fixed, Response: c.shedTime(i)}, max(g.MinRun, g.MinRest, g.Ramp), ms)
}
