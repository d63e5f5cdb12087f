// Package ahead owns the schedule of a running site: when the coming hours are planned anew,
// from what was known at the time, beside the control loop; whether live clearing follows the
// plan; and what of all that the journal and people are told.
//
// It never keeps the loop waiting, never decides what a load gets (the clearing does, guided
// by the plan), and never lets a plan that is too old guide anybody.
//
// Concurrency: Run is one goroutine that plans. Due, Give, Observe, Follow and Turn are for
// one other goroutine, the loop's, and do not block; the views are for any.
package ahead

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/api"
	"switchyard/app/curtail"
	"switchyard/app/plant"
	"switchyard/clock"
	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/journal"
	"switchyard/market"
	"switchyard/market/outlook"
	"switchyard/signal"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

const (
	stateKey = "app.ahead"
	// soonest is the shortest site time between two plans, however much changes.
	soonest = 30 * time.Second
	// restShare is how many times as long as it took the planner rests after a plan, in machine
	// time and at most mostRest: on a fast clock too, planning takes a fifth of a core at the most.
	restShare = 4
	mostRest  = time.Minute
	// tooOld is how many times Every old a plan may be and still be followed.
	tooOld = 3
	// keepEvery is how often what was learned is written, machine time.
	keepEvery = 5 * time.Minute
	keepTime  = 10 * time.Second
)

// DefaultShort is what lacking a MWh of a reserve costs that only a signal names.
const DefaultShort = 1000 * unit.DollarPerMWh

// Options are what an Ahead is made from.
type Options struct {
	Plant  *plant.Plant
	Market *market.Market
	DB     *store.DB
	Log    *slog.Logger
	// Signals says what the grid asks, in force and to come; nil: nothing.
	Signals func(now time.Time) signal.Combined
	// Record, if set, is given each problem that was planned. It must not block.
	Record func(at time.Time, pr *schedule.Problem, p *schedule.Plan)
}

// State is how the site stands when it is to be planned. It is not changed once given.
type State struct {
	At        time.Time
	Hashprice site.Opt[unit.Hashprice]
	Groups    []outlook.Group
	Clusters  []outlook.Cluster
	Draws     []site.Opt[unit.Power] // of each tenant
	Standing  []curtail.Standing     // what each tenant was told to give up
	Keep      []unit.Power           // for each tenant, now
	Margin    []unit.Power           // beyond each one's draw, were the contract no bound
	Limits    []site.Limit           // in force and to come, without the site file's
	Caps      []unit.Power           // the limiter's
	House     []unit.Power           // drawn at each node whatever is awarded, beyond the loads
	Interest  unit.Price             // what a MWh is worth to most of the site
}

// Signs are what a change of must not wait for the next plan that is due.
type Signs struct {
	Price  site.Opt[unit.Price]
	Bounds []unit.Power
	Free   int // machines
	Draw   unit.Power
}

// Ahead plans the coming hours.
type Ahead struct {
	opt   Options
	every time.Duration
	out   *outlook.Outlook
	watch *outlook.Watch
	// plan makes the plans: a planner.Planner's Plan but in tests.
	plan  func(schedule.Problem) (schedule.Plan, error)
	close func()

	states chan *State
	busy   atomic.Bool
	newest atomic.Pointer[made]
	seen   atomic.Pointer[api.ForecastView]

	mu       sync.Mutex // of what both goroutines touch
	profiles []*outlook.Profile
	demand   Demand
	notes    []journal.Entry
	past     []api.PastStep
	whyNot   string

	// The loop's.
	given    time.Time
	signs    Signs
	followed string // why it was last not followed, as told; empty: it was
	started  bool
}

// made is a plan with what it was made for: immutable.
type made struct {
	at      time.Time
	problem schedule.Problem
	plan    schedule.Plan
	class   map[site.LoadID]int
	view    api.ScheduleView
	fault   string // why there is none
}

// kept is what is written down between runs.
type kept struct {
	Profiles map[string]json.RawMessage `json:"profiles"`
	Demand   Demand                     `json:"demand"`
}

// Open makes the planner of a site and takes up what was learned of it. It reads the store.
func Open(ctx context.Context, o Options) (*Ahead, error) {
	f := o.Plant.File
	a := &Ahead{opt: o, every: f.Ahead.Every, states: make(chan *State, 1), watch: outlook.NewWatch(f, o.Market), profiles: make([]*outlook.Profile, len(o.Plant.Tenants))}
	if a.every <= 0 {
		a.every = 5 * time.Minute
	}
	for i := range a.profiles {
		a.profiles[i] = outlook.NewProfile(o.Plant.Zone)
	}
	var err error
	a.out, err = outlook.New(f, a.watch.Sources())
	if err != nil {
		return nil, err
	}
	p := planner.New()
	a.plan, a.close = p.Plan, p.Close
	if f.Ahead.Off {
		a.whyNot = "the site file switches the schedule off: each interval is cleared by itself"
	} else {
		a.whyNot = "there is no plan yet"
	}
	doc, err := o.DB.GetState(ctx, stateKey)
	if err != nil {
		return nil, fmt.Errorf("take up what was learned for the schedule: %w", err)
	}
	a.restore(doc)
	return a, nil
}

// Every is how often the hours ahead are planned, site time.
func (a *Ahead) Every() time.Duration { return a.every }

// restore takes up what was learned; it is a help and no condition.
func (a *Ahead) restore(doc []byte) {
	var k kept
	if doc == nil {
		return
	}
	if err := json.Unmarshal(doc, &k); err != nil {
		a.opt.Log.Warn("what was learned for the schedule is learned anew", "reason", err)
		return
	}
	a.demand = k.Demand
	for i := range a.opt.Plant.Tenants {
		if raw := k.Profiles[a.opt.Plant.Tenants[i].ID]; raw != nil {
			p := outlook.NewProfile(a.opt.Plant.Zone)
			if json.Unmarshal(raw, p) == nil {
				a.profiles[i] = p
			}
		}
	}
}

// Run plans what it is given until ctx ends. A plan that is being made then is finished first.
func (a *Ahead) Run(ctx context.Context) {
	defer a.close()
	save := time.NewTicker(keepEvery)
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			a.keep(context.WithoutCancel(ctx))
			return
		case <-save.C:
			a.keep(ctx)
		case s := <-a.states:
			began := time.Now()
			a.make(s)
			_ = clock.Sleep(ctx, clock.System(), min(restShare*time.Since(began), mostRest)) // ctx ends the loop
			a.busy.Store(false)
		}
	}
}

// keep writes what was learned.
func (a *Ahead) keep(ctx context.Context) {
	k := kept{Profiles: map[string]json.RawMessage{}}
	a.mu.Lock()
	k.Demand = a.demand
	var err error
	for i, p := range a.profiles {
		if k.Profiles[a.opt.Plant.Tenants[i].ID], err = json.Marshal(p); err != nil {
			break
		}
	}
	var doc []byte
	if err == nil {
		doc, err = json.Marshal(k)
	}
	a.mu.Unlock()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, keepTime)
		defer cancel()
		err = a.opt.DB.PutState(ctx, stateKey, doc)
	}
	if err != nil { // it is learned again
		a.opt.Log.Warn("what was learned for the schedule is not kept", "reason", err)
	}
}

// make plans the hours ahead of a state.
func (a *Ahead) make(s *State) {
	m := &made{at: s.At}
	defer func() {
		if r := recover(); r != nil { // a planner that falls over must not take the site with it
			a.opt.Log.Error("the planner fell over", "reason", r)
			m = &made{at: s.At, fault: fmt.Sprintf("the planner fell over: %v", r)}
		}
		a.publish(m)
	}()
	a.watch.Interest(s.Interest)
	if err := a.watch.Advance(s.At); err != nil {
		m.fault = err.Error()
		return
	}
	state, extra := a.state(s)
	a.mu.Lock()
	m.problem = a.out.Problem(s.At, state)
	a.mu.Unlock()
	m.problem.Reserves = append(m.problem.Reserves, extra(m.problem.Steps)...)
	notes := a.out.Notes()
	var err error
	if m.plan, err = a.plan(m.problem); err != nil {
		m.fault = err.Error()
		return
	}
	m.plan.Notes = append(notes, m.plan.Notes...)
	m.class = map[site.LoadID]int{}
	for i, c := range m.problem.Classes {
		m.class[c.Load] = i
	}
	m.view = a.viewOf(m, s)
	a.seen.Store(a.forecastOf(s.At, m.problem.Steps))
	if a.opt.Record != nil {
		a.opt.Record(s.At, &m.problem, &m.plan)
	}
}

// state tells the outlook how the site stands, and which reserves the site file does not know.
func (a *Ahead) state(s *State) (outlook.State, func([]schedule.Step) []schedule.Reserve) {
	o := outlook.State{
		Hashprice: s.Hashprice, Groups: s.Groups, Clusters: s.Clusters, Limits: s.Limits, Caps: s.Caps, Fixed: s.House, Peaks: map[string]unit.Power{}, Sold: map[string][]sitefile.SoldReserve{},
	}
	a.mu.Lock()
	for name, p := range a.demand.Peaks {
		o.Peaks[name] = p
	}
	a.mu.Unlock()
	for i := range a.opt.Plant.Tenants {
		c := s.Standing[i]
		o.Tenants = append(o.Tenants, outlook.Tenant{
			Load: a.opt.Plant.Tenants[i].Load, Draw: s.Draws[i], Keep: s.Keep[i], Margin: s.Margin[i], Profile: a.profiles[i],
			Curtailed: c.Used, Called: c.Called, Back: c.Back,
		})
	}
	var c signal.Combined
	if a.opt.Signals != nil {
		c = a.opt.Signals(s.At)
	}
	for _, p := range c.Prices {
		o.Price = append(o.Price, outlook.PriceSpan{From: p.From, To: p.To, Price: p.Price})
	}
	known := map[string]bool{}
	for _, r := range a.opt.Plant.File.Reserves {
		known[r.Name] = true
	}
	var strange []signal.Held
	for _, r := range c.Reserves {
		if known[r.Name] {
			o.Sold[r.Name] = append(o.Sold[r.Name], sitefile.SoldReserve{Power: r.Power, From: r.From, To: r.To})
		} else {
			strange = append(strange, r)
		}
	}
	return o, func(steps []schedule.Step) []schedule.Reserve { return asked(strange, steps) }
}

// asked are the reserves that only signals name: sold, for as long as each lasts.
func asked(in []signal.Held, steps []schedule.Step) (out []schedule.Reserve) {
	at := map[string]int{}
	for _, r := range in {
		i, ok := at[r.Name]
		if !ok {
			i = len(out)
			at[r.Name] = i
			out = append(out, schedule.Reserve{
				Name: r.Name, Response: r.Within, Duration: r.For, Performance: 1, Short: DefaultShort,
				Price: make([]unit.Price, len(steps)), Sold: make([]unit.Power, len(steps)),
			})
		}
		x := &out[i]
		x.Response, x.Duration = min(x.Response, r.Within), max(x.Duration, r.For)
		for t, s := range steps {
			if r.From.Before(s.Start.Add(s.Length)) && (r.To.IsZero() || r.To.After(s.Start)) {
				x.Sold[t] += r.Power
			}
		}
	}
	return out
}

// rank orders the methods by how far they were fallen back to; exact and milp are both whole.
func rank(m schedule.Method) int {
	switch m {
	case schedule.Exact, schedule.MILP:
		return 0
	case schedule.LP:
		return 1
	case schedule.Merit:
		return 2
	}
	return 3
}

// publish makes the plan the newest, and notes where it came about otherwise than the last.
func (a *Ahead) publish(m *made) {
	old := a.newest.Load()
	say := func(format string, args ...any) {
		e := journal.Entry{At: m.at, Subject: "schedule", Kind: journal.KindPlan, Text: fmt.Sprintf(format, args...)}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.notes = append(a.notes, e)
	}
	if m.fault != "" {
		if old == nil || old.fault != m.fault {
			say("no plan of the coming hours: %s", m.fault)
		}
		if old != nil {
			gone := *old // what was planned before holds until it is too old
			gone.fault = m.fault
			m = &gone
		}
		a.newest.Store(m)
		return
	}
	if old == nil || old.class == nil || old.fault != "" || rank(old.plan.Method) != rank(m.plan.Method) {
		text := fmt.Sprintf("the coming %s are planned by %s", horizon(&m.plan), methodName(m.plan.Method))
		if m.plan.Gap >= 0 {
			text += fmt.Sprintf(", within %.2g %% of the best there is", 100*m.plan.Gap)
		}
		if n := m.plan.Notes; len(n) > 0 && rank(m.plan.Method) > 0 {
			text += ": " + n[len(n)-1]
		}
		say("%s", text)
	}
	a.newest.Store(m)
}

func methodName(m schedule.Method) string {
	switch m {
	case schedule.Exact:
		return "each group's best path (nothing couples them)"
	case schedule.MILP:
		return "the mixed-integer program"
	case schedule.LP:
		return "the relaxed program, rounded"
	case schedule.Merit:
		return "merit order, each step by itself"
	}
	return "the static safe limit: all flexible load rests"
}

func horizon(p *schedule.Plan) string {
	if len(p.Steps) == 0 {
		return "hours"
	}
	last := p.Steps[len(p.Steps)-1]
	return last.Start.Add(last.Length).Sub(p.Steps[0].Start).Round(time.Minute).String()
}

// Guide is what a plan says to the clearing of one interval.
type Guide struct {
	m *made
	schedule.Guidance
}

// For is what the plan says to a group's offer; nil where it says nothing of it.
func (g *Guide) For(load site.LoadID) *dispatch.Guide {
	if g == nil {
		return nil
	}
	c, ok := g.m.class[load]
	if !ok || c >= len(g.Keep) {
		return nil
	}
	var value unit.Price // of the level that earns most, as in Keep and Take
	for i, l := range g.m.problem.Classes[c].Levels {
		if i == 0 || l.Value > value {
			value = l.Value
		}
	}
	return &dispatch.Guide{Keep: g.Keep[c] - value, Take: g.Take[c] - value}
}
