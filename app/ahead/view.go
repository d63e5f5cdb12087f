package ahead

import (
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/dispatch/schedule"
	"switchyard/market/outlook"
	"switchyard/site"
	"switchyard/unit"
)

// Schedule is the newest plan, for screens.
func (a *Ahead) Schedule(now time.Time) api.ScheduleView {
	var v api.ScheduleView
	m := a.newest.Load()
	if m != nil && m.class != nil {
		v = m.view
		at, age := m.at, max(now.Sub(m.at), 0).Seconds()
		v.MadeAt, v.AgeS = &at, &age
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v.At, v.EveryS, v.WhyNot, v.Followed = now, a.every.Seconds(), a.whyNot, a.whyNot == ""
	v.Past = slices.Clone(a.past)
	return v
}

// viewOf is a plan as it is shown, made once.
func (a *Ahead) viewOf(m *made, s *State) api.ScheduleView {
	fixed := map[site.LoadID]unit.Power{}
	for _, g := range s.Groups {
		fixed[g.Load] += g.Fixed
	}
	v := api.ScheduleOf(&m.problem, &m.plan, func(l site.LoadID) api.PlanLoad { return a.about(l, fixed[l]) })
	v.Loads = slices.DeleteFunc(v.Loads, func(l api.LoadPlanView) bool { return outlook.IsFixed(site.LoadID(l.Load)) })
	return v
}

func (a *Ahead) about(l site.LoadID, fixed unit.Power) api.PlanLoad {
	p := a.opt.Plant
	for i := range p.Groups {
		if g := &p.Groups[i]; g.Load == l {
			return api.PlanLoad{Name: g.Name, Kind: "group", Node: g.Group.Node, Fixed: fixed}
		}
	}
	for i := range p.Tenants {
		if t := &p.Tenants[i]; t.Load == l {
			return api.PlanLoad{Name: t.Name, Kind: "tenant", Node: t.Tenant.Node}
		}
	}
	for i := range p.File.Clusters {
		c := &p.File.Clusters[i]
		if string(l) == c.ID+":firm" {
			return api.PlanLoad{Name: c.Name + ", firm", Kind: "tenant", Node: c.Node}
		}
		if class, ok := strings.CutPrefix(string(l), c.ID+"/"); ok {
			return api.PlanLoad{Name: c.Name + ", " + class, Kind: "group", Node: c.Node}
		}
	}
	for i := range p.File.Work {
		if w := &p.File.Work[i]; w.ID == string(l) {
			return api.PlanLoad{Name: w.ID, Kind: "work", Node: w.Node}
		}
	}
	return api.PlanLoad{Name: string(l), Kind: "tenant"}
}

// Forecast is what prices are expected, for screens.
func (a *Ahead) Forecast(now time.Time) api.ForecastView {
	v := api.ForecastView{At: now}
	if f := a.seen.Load(); f != nil {
		v = *f
		v.At = now
	} else {
		v.Notes = []string{"nothing is expected yet: the first plan is being made"}
	}
	return v
}

// forecastOf is what is expected of the steps of a horizon, with the site's adder on prices.
func (a *Ahead) forecastOf(now time.Time, steps []schedule.Step) *api.ForecastView {
	adder := a.opt.Plant.File.Market.Price.Adder
	v := &api.ForecastView{MadeAt: &now, Source: a.opt.Market.Price(now).Source}
	dayAhead, expected := 0, 0
	var until time.Time // the day-ahead price is known
	for _, s := range steps {
		x := api.ForecastStep{Start: s.Start, LengthS: s.Length.Seconds()}
		if q := a.watch.DayAhead(now, s.Start); q.Known && !q.Stale {
			x.DayAheadUSD = dollars(q.Price)
			dayAhead++
			until = s.Start.Add(s.Length)
		}
		if q, ok := a.watch.Quantiles(s.Start.Add(s.Length / 2)); ok {
			x.P10USD, x.P50USD, x.P90USD = dollars(q[0]+adder), dollars(q[1]+adder), dollars(q[2]+adder)
			expected++
		}
		if charges := a.opt.Plant.File.Market.Charges.Coincident; len(charges) > 0 {
			chance := 0.0
			for i := range charges {
				chance = max(chance, a.watch.Peaks(i, now, s.Start, s.Start.Add(s.Length)))
			}
			chance = min(chance, 1)
			x.PeakChance = &chance
		}
		v.Steps = append(v.Steps, x)
	}
	if expected == 0 {
		v.Notes = append(v.Notes, "no price is known from which any could be expected")
	}
	if n := len(steps); dayAhead > 0 && dayAhead < n {
		v.Notes = append(v.Notes, "the day-ahead price is known to "+until.In(a.opt.Plant.Zone).Format("Monday 15:04"))
	} else if dayAhead == 0 && a.opt.Plant.File.Market.DayAhead != nil {
		v.Notes = append(v.Notes, "the day-ahead price is not known")
	}
	return v
}

func dollars(p unit.Price) *float64 {
	v := p.DollarsPerMWh()
	return &v
}
