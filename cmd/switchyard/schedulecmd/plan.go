package schedulecmd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/market"
	"switchyard/market/outlook"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// answer is what the command says; its JSON is the plan as the API tells it, and what stands
// around it.
type answer struct {
	Site      string   `json:"site"`
	Timezone  string   `json:"timezone"`
	Hashprice *float64 `json:"hashprice_usd_ph_day"` // null: not known
	// Network is what the Bitcoin network is expected to change; null: no node told.
	Network *networkView `json:"network"`
	api.ScheduleView
	zone  *time.Location
	given bool // the hashprice, by a flag
}

// response is how fast a miner is at standby where no device was asked: the slower firmwares'.
const response = time.Minute

// plan makes the plan of a site at a time.
func (c *console) plan(ctx context.Context, f *sitefile.File, at time.Time, in flags) (*answer, error) {
	tell := c.Progress()
	defer tell.Done()
	state, err := c.state(f, in)
	if err != nil {
		return nil, err
	}
	tell.Tell("reading the market")
	m, err := market.Open(f, clock.Anchored{Wall: time.Now(), Site: at, Rate: 1}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, c.BadInput("%w", err)
	}
	notes := append(c.wait(ctx, f, m, at, tell), unsaid(f, state.Peaks)...)
	given := state.Hashprice.OK
	until := at.Add(f.Ahead.Horizon)
	hashprice, bitcoin, reason := earns(m, state.Hashprice, c.Now(f), at, until)
	if state.Hashprice = hashprice; !hashprice.OK && len(f.Groups) > 0 {
		notes = append(notes, "hashprice: "+reason)
	} else if _, node := m.Chain(); node && bitcoin == nil && !given {
		notes = append(notes, "hashprice: it is the Bitcoin node's of today")
	}
	price := m.Price(at)
	if !price.Known {
		notes = append(notes, "price: "+price.Reason)
	}
	w := outlook.NewWatch(f, m)
	w.Interest(best(f, state))
	tell.Tell("learning from the prices until %s", at.In(f.Location()).Format("2006-01-02 15:04"))
	if err := w.Advance(at); err != nil {
		return nil, err
	}
	if _, ok := w.Expect(at, at, until); !ok {
		return nil, fmt.Errorf("no price is known at %s nor expected for the hours after it: %s", at.In(f.Location()).Format("2006-01-02 15:04"), price.Reason)
	}
	o, err := outlook.New(f, w.Sources())
	if err != nil {
		return nil, err
	}
	p := o.Problem(at, state)
	notes = append(notes, o.Notes()...)
	tell.Tell("planning %d steps of %d groups", len(p.Steps), len(p.Classes))
	planner := planner.New()
	defer planner.Close()
	plan, err := planner.Plan(p)
	if err != nil {
		return nil, err
	}
	a := view(f, at, p, plan)
	for i, n := range a.Notes {
		a.Notes[i] = strings.ReplaceAll(n, string(outlook.FixedAt("")), "the fixed draw at ")
	}
	a.Notes = once(append(notes, a.Notes...))
	a.Network, a.given = bitcoin, given
	if state.Hashprice.OK {
		h := state.Hashprice.V.DollarsPerPHDay()
		a.Hashprice = &h
	}
	return a, nil
}

// unsaid notes what the plan is not told and counts as none: a demand charge's peak so far.
func unsaid(f *sitefile.File, peaks map[string]unit.Power) []string {
	var out []string
	for _, d := range f.Market.Charges.Demand {
		if _, ok := peaks[d.Name]; !ok {
			out = append(out, fmt.Sprintf("the demand charge %s begins at nothing: give the month's peak so far with --peak %s=3.2MW", d.Name, d.Name))
		}
	}
	return out
}

// once leaves out what was said before: a file that holds several series has its faults once.
func once(notes []string) []string {
	out := []string{}
	for _, n := range notes {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// state is how the site stands by the flags.
func (c *console) state(f *sitefile.File, in flags) (s outlook.State, err error) {
	s.Groups = outlook.Standing(f, in.running == "all", response)
	if in.hashprice != "" {
		text := strings.TrimSpace(in.hashprice)
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			text += " $/PH/day"
		}
		h, err := unit.ParseHashprice(text)
		if err != nil || h <= 0 {
			return s, c.BadInput("--hashprice: %q is no hashprice; write it like 50", in.hashprice)
		}
		s.Hashprice = site.Some(h)
	}
	draws, err := c.Powers(in.draws, "--tenant-draw")
	if err != nil {
		return s, err
	}
	for name, p := range draws {
		i := slices.IndexFunc(f.Tenants, func(t sitefile.Tenant) bool { return t.ID == name })
		if i < 0 {
			return s, c.NotFound("--tenant-draw: there is no tenant %q in the site file", name)
		}
		s.Tenants = append(s.Tenants, outlook.Drawing(f, f.Tenants[i], p, response))
	}
	if s.Peaks, err = c.Powers(in.peaks, "--peak"); err != nil {
		return s, err
	}
	for name := range s.Peaks {
		if !slices.ContainsFunc(f.Market.Charges.Demand, func(d sitefile.DemandCharge) bool { return d.Name == name }) {
			return s, c.NotFound("--peak: there is no demand charge %q in the site file", name)
		}
	}
	limits, err := c.Powers(in.limits, "--limit")
	if err != nil {
		return s, err
	}
	for node, p := range limits {
		if node != f.Connection.ID && !slices.ContainsFunc(f.Nodes, func(n sitefile.Node) bool { return n.ID == node }) {
			return s, c.NotFound("--limit: there is no node %q in the site file", node)
		}
		s.Limits = append(s.Limits, site.Limit{Node: site.NodeID(node), Power: p})
	}
	return s, nil
}

// best is what a MWh is worth to the best of the groups: prices near it decide.
func best(f *sitefile.File, s outlook.State) unit.Price {
	v := unit.Price(0)
	for _, g := range f.Groups {
		v = max(v, s.Hashprice.V.Value(unit.EfficiencyOf(g.Nameplate-g.Standby, g.Hashrate), g.PoolFee))
	}
	return v
}

// view tells the plan as the API does.
func view(f *sitefile.File, at time.Time, p schedule.Problem, plan schedule.Plan) *answer {
	about := map[site.LoadID]api.PlanLoad{}
	for _, g := range f.Groups {
		about[site.LoadID(g.ID)] = api.PlanLoad{Name: orID(g.Name, g.ID), Kind: "group", Node: g.Node, Fixed: unit.Power(len(g.Targets())) * g.Standby}
	}
	for _, t := range f.Tenants {
		about[site.LoadID(t.ID)] = api.PlanLoad{Name: orID(t.Name, t.ID), Kind: "tenant", Node: t.Node}
	}
	for _, w := range f.Work {
		about[site.LoadID(w.ID)] = api.PlanLoad{Name: w.ID, Kind: "work", Node: w.Node}
	}
	// Fixed draws are told as part of their groups.
	p.Firm = slices.DeleteFunc(slices.Clone(p.Firm), func(x schedule.Firm) bool { return outlook.IsFixed(x.Load) })
	plan.Firm = slices.DeleteFunc(slices.Clone(plan.Firm), func(x schedule.FirmPlan) bool { return outlook.IsFixed(x.Load) })
	v := api.ScheduleOf(&p, &plan, func(id site.LoadID) api.PlanLoad { return about[id] })
	v.At, v.MadeAt, v.EveryS = at, &at, f.Ahead.Every.Seconds()
	whole(&v)
	return &answer{Site: f.Site.Name, Timezone: f.Site.Timezone, ScheduleView: v, zone: f.Location()}
}

// whole makes empty lists of those that are not there, as the API does: a null would be unknown.
func whole(v *api.ScheduleView) {
	v.Past = []api.PastStep{}
	if v.Reserves == nil {
		v.Reserves = []api.ReservePlanned{}
	}
	if v.Notes == nil {
		v.Notes = []string{}
	}
	if v.Loads == nil {
		v.Loads = []api.LoadPlanView{}
	}
	for i := range v.Loads {
		l := &v.Loads[i]
		for _, list := range []*[]*float64{&l.KeepUSD, &l.TakeUSD, &l.CurtailedW, &l.ShortW} {
			if *list == nil {
				*list = []*float64{}
			}
		}
	}
}

func orID(name, id string) string {
	if name == "" {
		return id
	}
	return name
}
