package ahead

import (
	"fmt"
	"time"

	"switchyard/api"
	"switchyard/dispatch/schedule"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/unit"
)

// Due says whether the hours ahead are to be planned anew: a plan is due, or much has changed
// since the last one and that is not of just now. While a plan is being made none is due.
func (a *Ahead) Due(now time.Time, s Signs) bool {
	if a.opt.Plant.File.Ahead.Off || a.busy.Load() {
		return false
	}
	since := now.Sub(a.given)
	if !a.started || since >= a.every || since < 0 {
		return true
	}
	return since >= soonest && a.changed(s)
}

func (a *Ahead) changed(s Signs) bool {
	if s.Price.OK != a.signs.Price.OK || len(s.Bounds) != len(a.signs.Bounds) {
		return true
	}
	if far(int64(s.Price.V), int64(a.signs.Price.V), int64(5*unit.DollarPerMWh), 5) {
		return true
	}
	for i := range s.Bounds {
		if s.Bounds[i] != a.signs.Bounds[i] {
			return true
		}
	}
	return far(int64(s.Free), int64(a.signs.Free), 1, 20) || far(int64(s.Draw), int64(a.signs.Draw), int64(unit.Kilowatt), 10)
}

// far says whether two figures differ by more than least and by more than one in share of the greater.
func far(a, b, least, share int64) bool {
	d := max(a-b, b-a)
	return d > least && d > max(a, -a, b, -b)/share
}

// Give hands a state over to be planned. Due must have said so.
func (a *Ahead) Give(s *State, signs Signs) {
	a.busy.Store(true) // before Run can take it, which ends it
	select {
	case a.states <- s:
		a.given, a.signs, a.started = s.At, signs, true
	default: // one waits already
	}
}

// Observe takes in what the meters say: of each tenant, and of the connection. While a plan is
// being set up the reading is passed over; the next one comes within seconds.
func (a *Ahead) Observe(now time.Time, connection site.Opt[unit.Power], draws []site.Opt[unit.Power]) {
	if !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	if connection.OK {
		a.demand.Observe(a.opt.Plant.File.Market.Charges.Demand, a.opt.Plant.Zone, now, connection.V)
	}
	for i, d := range draws {
		if d.OK {
			a.profiles[i].Observe(now, d.V)
		}
	}
}

// Follow returns what the newest plan says to the clearing at now; nil where it is not to be
// followed, and Turn says why. lost says why there is no economic decision to guide.
func (a *Ahead) Follow(now time.Time, lost string) *Guide {
	m := a.newest.Load()
	why, step := a.why(m, now, lost)
	a.mu.Lock()
	a.whyNot = why
	a.mu.Unlock()
	if why != "" {
		return nil
	}
	return &Guide{m, m.plan.Guidance(step)}
}

// why says why a plan is not followed; empty where it is, with the step that holds now.
func (a *Ahead) why(m *made, now time.Time, lost string) (string, int) {
	switch {
	case a.opt.Plant.File.Ahead.Off:
		return "the site file switches the schedule off: each interval is cleared by itself", 0
	case lost != "":
		return lost + ": nothing is decided for money", 0
	case m == nil:
		return "there is no plan yet", 0
	case m.class == nil:
		return "there is no plan: " + m.fault, 0
	case m.plan.Method == schedule.Static:
		return "the plan is the static one: merit order alone decides", 0
	}
	if age := now.Sub(m.at); age > tooOld*a.every {
		return fmt.Sprintf("the plan of %s is older than %s: merit order alone decides", m.at.In(a.opt.Plant.Zone).Format("15:04"), tooOld*a.every), 0
	}
	step, ok := m.plan.StepAt(now)
	if !ok {
		return "the plan does not reach this hour: merit order alone decides", 0
	}
	return "", step
}

// Takings returns what the newest plan takes back from hosted tenants by their contracts' rights;
// nothing where the plan is not followed. Steps in a row are one, with the highest power among
// them: a tenant is told one figure, and a right's hours count whatever part of it is taken.
func (a *Ahead) Takings(now time.Time) (out []Taking) {
	m := a.newest.Load()
	if why, _ := a.why(m, now, ""); why != "" {
		return nil
	}
	for _, f := range m.plan.Firm {
		open := -1
		for k, p := range f.Curtailed {
			from := m.plan.Steps[k].Start
			to := from.Add(m.plan.Steps[k].Length)
			switch {
			case p <= 0 || !to.After(now):
				open = -1
			case open >= 0:
				out[open].To, out[open].Power = to, max(out[open].Power, p)
			default:
				open = len(out)
				out = append(out, Taking{Load: f.Load, From: from, To: to, Power: p})
			}
		}
	}
	return out
}

// Taking is power that a plan takes back from a hosted tenant.
type Taking struct {
	Load     site.LoadID
	From, To time.Time
	Power    unit.Power
}

// Turn returns what happened to the plans since the last call, for the journal.
func (a *Ahead) Turn(now time.Time) []journal.Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.notes
	a.notes = nil
	note := func(text string) {
		out = append(out, journal.Entry{At: now, Subject: "schedule", Kind: journal.KindPlan, Text: text})
	}
	switch {
	case a.newest.Load() == nil || a.whyNot == a.followed: // what is so from the start is no news
	case a.whyNot == "":
		note("the plan of the coming hours is followed")
	default:
		note("the plan of the coming hours is not followed: " + a.whyNot)
	}
	if a.newest.Load() != nil {
		a.followed = a.whyNot
	}
	a.remember(now)
	return out
}

// pastTime is how long it is remembered what had been planned, and in which steps.
const (
	pastTime = 24 * time.Hour
	pastStep = 5 * time.Minute
)

// remember notes what the plan in force says of the five minutes that have begun.
func (a *Ahead) remember(now time.Time) {
	start := now.Truncate(pastStep)
	if n := len(a.past); n > 0 && !a.past[n-1].Start.Before(start) {
		return
	}
	m := a.newest.Load()
	if m == nil || a.whyNot != "" {
		return
	}
	i, ok := m.plan.StepAt(now)
	if !ok {
		return
	}
	p := api.PastStep{Start: start, LengthS: pastStep.Seconds()}
	if i < len(m.plan.Site) {
		w := m.plan.Site[i].Watts()
		p.SiteW = &w
	}
	usd := m.plan.Steps[i].Price.DollarsPerMWh()
	p.PriceUSD = &usd
	if a.past = append(a.past, p); len(a.past) > int(pastTime/pastStep) {
		a.past = a.past[1:]
	}
}
