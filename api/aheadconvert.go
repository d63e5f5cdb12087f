package api

import (
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/signal"
	"switchyard/site"
	"switchyard/unit"
)

// PlanLoad says of a load what a plan does not know.
type PlanLoad struct {
	Name, Kind, Node string // Kind: group, tenant, work
	// Fixed is what it draws however the plan turns out: standby, and what nothing moves.
	Fixed unit.Power
}

// ScheduleOf is a plan as the API tells it. about is asked for each load; At, Followed, WhyNot,
// MadeAt, AgeS, EveryS and Past are the caller's to fill in.
func ScheduleOf(pr *schedule.Problem, p *schedule.Plan, about func(site.LoadID) PlanLoad) ScheduleView {
	v := ScheduleView{Method: string(p.Method), ProfitUSD: dollars(p.Profit), Notes: p.Notes}
	if p.Gap >= 0 {
		gap := p.Gap
		v.BoundUSD, v.Gap = dollars(p.Bound), &gap
	}
	for i, s := range p.Steps {
		v.Steps = append(v.Steps, stepOf(pr, p, i, s))
	}
	for k, f := range p.Firm {
		l := loadOf(f.Load, len(p.Steps), about)
		if k < len(pr.Firm) {
			l.MostW += most(pr.Firm[k].Draw)
		}
		for i, d := range drawOf(pr, f.Load) {
			if i >= len(l.PowerW) {
				break
			}
			curtailed, short := at(f.Curtailed, i), at(f.Short, i)
			w := l.fixed + (d - curtailed - short).Watts()
			l.PowerW[i] = &w
			l.CurtailedW, l.ShortW = append(l.CurtailedW, watts(curtailed)), append(l.ShortW, watts(short))
		}
		v.Loads = append(v.Loads, l.LoadPlanView)
	}
	for k, w := range p.Work {
		l := loadOf(w.Load, len(p.Steps), about)
		if k < len(pr.Work) {
			l.MostW += pr.Work[k].Power.Watts()
			if by := pr.Work[k].By; !by.IsZero() {
				l.By = &by
			}
		}
		for i := range l.PowerW {
			l.PowerW[i] = watts(at(w.Power, i))
		}
		late := w.Late.MegawattHours()
		l.LateMWh = &late
		v.Loads = append(v.Loads, l.LoadPlanView)
	}
	v.Loads = append(v.Loads, groupsOf(pr, p, about)...)
	for _, r := range p.Reserves {
		v.Reserves = append(v.Reserves, reserveOf(pr, r, len(p.Steps)))
	}
	return v
}

func stepOf(pr *schedule.Problem, p *schedule.Plan, i int, s schedule.Step) StepView {
	v := StepView{Start: s.Start, LengthS: s.Length.Seconds(), PriceUSD: perMWh(s.Price), CoincidentUSD: perMWh(s.Coincident), BlockW: s.Block.Watts()}
	if i < len(p.Marginal) && len(p.Marginal[i]) > 0 {
		v.MarginalUSD = perMWh(p.Marginal[i][0])
	}
	if i < len(p.Site) {
		v.SiteW = watts(p.Site[i])
	}
	switch {
	case len(s.Caps) > 0:
		if s.Caps[0] >= 0 {
			v.CapW = watts(s.Caps[0])
		}
	case pr.Tree != nil && pr.Tree.Node(0).Limit > 0:
		v.CapW = watts(pr.Tree.Node(0).Limit)
	}
	return v
}

// planned is a load's view while it is put together.
type planned struct {
	LoadPlanView
	fixed float64
}

func loadOf(id site.LoadID, steps int, about func(site.LoadID) PlanLoad) planned {
	a := about(id)
	fixed := a.Fixed.Watts()
	return planned{
		LoadPlanView: LoadPlanView{Load: string(id), Name: a.Name, Kind: a.Kind, Node: a.Node, RestW: fixed, MostW: fixed, PowerW: make([]*float64, steps)},
		fixed:        fixed,
	}
}

// groupsOf sums the classes of each load. Keep and Take are those of the class that holds out
// longest: above its Keep the whole group rests, above its Take none of it is started.
func groupsOf(pr *schedule.Problem, p *schedule.Plan, about func(site.LoadID) PlanLoad) []LoadPlanView {
	var out []LoadPlanView
	index := map[site.LoadID]int{}
	for c, class := range p.Classes {
		k, known := index[class.Load]
		if !known {
			k = len(out)
			index[class.Load] = k
			l := loadOf(class.Load, len(p.Steps), about)
			for i := range l.PowerW {
				w := l.fixed
				l.PowerW[i] = &w
			}
			out = append(out, l.LoadPlanView)
		}
		if c < len(pr.Classes) {
			var top unit.Power
			for _, l := range pr.Classes[c].Levels {
				top = max(top, l.Power)
			}
			out[k].MostW += float64(pr.Classes[c].Count) * top.Watts()
		}
		for i := range out[k].PowerW {
			*out[k].PowerW[i] += runningW(pr, class, c, i)
		}
		out[k].KeepUSD, out[k].TakeUSD = highest(out[k].KeepUSD, class.Keep), highest(out[k].TakeUSD, class.Take)
	}
	return out
}

func runningW(pr *schedule.Problem, class schedule.ClassPlan, c, step int) float64 {
	if c >= len(pr.Classes) || step >= len(class.Running) {
		return 0
	}
	var w float64
	for level, n := range class.Running[step] {
		if level < len(pr.Classes[c].Levels) {
			w += n * pr.Classes[c].Levels[level].Power.Watts()
		}
	}
	return w
}

func highest(known []*float64, more []unit.Price) []*float64 {
	for i, p := range more {
		v := perMWh(p)
		switch {
		case i >= len(known):
			known = append(known, v)
		case *v > *known[i]:
			known[i] = v
		}
	}
	return known
}

func drawOf(pr *schedule.Problem, load site.LoadID) []unit.Power {
	for _, f := range pr.Firm {
		if f.Load == load {
			return f.Draw
		}
	}
	return nil
}

func most(p []unit.Power) float64 {
	var top unit.Power
	for _, w := range p {
		top = max(top, w)
	}
	return top.Watts()
}

func reserveOf(pr *schedule.Problem, r schedule.ReservePlan, steps int) ReservePlanned {
	v := ReservePlanned{Name: r.Name}
	var price []unit.Price
	for _, q := range pr.Reserves {
		if q.Name == r.Name {
			price = q.Price
		}
	}
	for i := range steps {
		v.HeldW, v.ShortW = append(v.HeldW, watts(at(r.Held, i))), append(v.ShortW, watts(at(r.Short, i)))
		if i < len(price) {
			v.PriceUSD = append(v.PriceUSD, perMWh(price[i]))
		} else {
			v.PriceUSD = append(v.PriceUSD, nil)
		}
	}
	return v
}

// SignalOf is a signal as the API tells it; whether it is in force, and what overrules it, is
// the caller's to fill in.
func SignalOf(s signal.Signal) SignalView {
	v := SignalView{
		Key: s.Source + "/" + s.ID, ID: s.ID, Source: s.Source, Kind: string(s.Kind), From: s.From,
		Priority: s.Priority, Emergency: s.Emergency, Note: s.Note,
	}
	if !s.To.IsZero() {
		to := s.To
		v.To = &to
	}
	switch s.Kind {
	case signal.Price:
		v.PriceUSD = perMWh(s.Price)
	case signal.Limit:
		v.Node, v.PowerW = string(s.Node), watts(s.Power)
	case signal.Reserve:
		v.PowerW, v.PriceUSD = watts(s.Power), perMWh(s.Price)
		v.WithinS, v.ForS = seconds(s.Within), seconds(s.For)
	}
	if s.Ramp > 0 {
		v.RampW = watts(s.Ramp)
	}
	return v
}

func at(p []unit.Power, i int) unit.Power {
	if i < len(p) {
		return p[i]
	}
	return 0
}

func watts(p unit.Power) *float64      { v := p.Watts(); return &v }
func perMWh(p unit.Price) *float64     { v := p.DollarsPerMWh(); return &v }
func dollars(m unit.Money) *float64    { v := m.Dollars(); return &v }
func seconds(d time.Duration) *float64 { v := d.Seconds(); return &v }
