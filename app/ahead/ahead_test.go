package ahead

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/app/curtail"
	"switchyard/app/plant"
	"switchyard/clock"
	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/driver/all"
	"switchyard/market"
	"switchyard/market/outlook"
	"switchyard/signal"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

const (
	kw = unit.Kilowatt
	mw = unit.Megawatt
)

const doc = `
site: {name: Test, timezone: America/Chicago}
connection: {limit: 10 MW, meter: {address: 127.77.9.1, profile: sunspec}}
nodes: [{id: hall-a, limit: 8 MW}, {id: ai-hall, limit: 3 MW, meter: {address: 127.77.9.2, profile: sunspec}}]
groups:
  - {id: s21, node: hall-a, driver: antminer, model: S21, addresses: [127.77.1.1-127.77.1.100], nameplate: 35 kW, hashrate: 2000 TH/s, restart_cost: 1 $, min_rest: 10m, min_run: 10m}
tenants:
  - {id: ai, node: ai-hall, firm: 2 MW, rate: 120 $/kW-month, penalty: 5000 $/MWh}
market:
  price: {csv: prices.csv}
  bitcoin: {hashprice: 50 $/PH/day}
  charges: {demand: [{name: peak, rate: 10 $/kW-month, interval: 15m}]}
reserves:
  - {name: spin, response: 60s, duration: 1h, fixed: 5 $/MWh, sold: [{power: 1 MW, from: 2026-07-01T00:00:00Z, to: 2026-07-02T00:00:00Z}]}
store: {dir: data}
`

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// rig is an Ahead whose Run is the test itself.
type rig struct {
	*Ahead
	f    *sitefile.File
	sent signal.Combined
	db   *store.DB
}

func newRig(t *testing.T, dir string, edit func(*sitefile.File)) *rig {
	t.Helper()
	path := filepath.Join(dir, "site.yaml")
	prices := &strings.Builder{}
	prices.WriteString("time,price\n")
	for at := noon.Add(-72 * time.Hour); at.Before(noon.Add(48 * time.Hour)); at = at.Add(5 * time.Minute) {
		v := "40"
		if h := at.Hour(); h >= 20 && h < 22 {
			v = "400"
		}
		prices.WriteString(at.Format(time.RFC3339) + "," + v + "\n")
	}
	for name, text := range map[string]string{"site.yaml": doc, "prices.csv": prices.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(f)
	}
	log := slog.New(slog.DiscardHandler)
	p, err := plant.New(f, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	m, err := market.Open(f, clock.System(), log)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{f: f}
	if r.db, err = store.Open(t.Context(), filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.db.Close() })
	if r.Ahead, err = Open(t.Context(), Options{Plant: p, Market: m, DB: r.db, Log: log, Signals: func(time.Time) signal.Combined { return r.sent }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

// state is the site with all its miners running for long.
func (r *rig) state(at time.Time) *State {
	return &State{
		At: at, Hashprice: site.Some(unit.DollarsPerPHDay(50)), Groups: outlook.Standing(r.f, true, 20*time.Second), Interest: unit.DollarsPerMWh(119),
		Draws: []site.Opt[unit.Power]{site.Some(1 * mw)}, Standing: make([]curtail.Standing, 1), Keep: []unit.Power{2 * mw}, Margin: []unit.Power{mw}, Caps: []unit.Power{-1, -1, -1}, House: make([]unit.Power, 3),
	}
}

// planned hands a state over as the loop would and makes its plan.
func (r *rig) planned(t *testing.T, at time.Time) {
	t.Helper()
	signs := Signs{Price: site.Some(unit.DollarsPerMWh(40)), Bounds: []unit.Power{1}, Free: 100, Draw: mw}
	if !r.Due(at, signs) {
		t.Fatalf("no plan is due at %s", at)
	}
	r.Give(r.state(at), signs)
	r.make(<-r.states)
	r.busy.Store(false)
}

func (r *rig) told(at time.Time) (out []string) {
	for _, e := range r.Turn(at) {
		if e.Subject != "schedule" || e.Kind != "schedule" {
			out = append(out, "odd: ")
		}
		out = append(out, e.Text)
	}
	return out
}

func TestAPlanIsMadeAndFollowed(t *testing.T) {
	r := newRig(t, t.TempDir(), nil)
	if g := r.Follow(noon, ""); g != nil || g.For("s21") != nil {
		t.Error("a plan is followed that is not there")
	}
	r.sent = signal.Combined{Reserves: []signal.Held{
		{Name: "spin", Power: 500 * kw, From: noon, To: noon.Add(time.Hour)},
		{Name: "utility", Power: 2 * mw, From: noon, To: noon.Add(time.Hour), Within: time.Minute, For: time.Hour},
	}, Prices: []signal.Span{{From: noon.Add(2 * time.Hour), To: noon.Add(3 * time.Hour), Price: unit.DollarsPerMWh(2000)}}}
	r.planned(t, noon)
	m := r.newest.Load()
	if m.fault != "" || len(m.plan.Steps) == 0 {
		t.Fatalf("%+v", m.fault)
	}
	if p := m.problem; len(p.Reserves) != 2 || p.Reserves[0].Sold[0] != 1500*kw || p.Reserves[1].Sold[0] != 2*mw || p.Reserves[1].Short != DefaultShort || len(p.Demand) != 1 {
		t.Errorf("reserves %+v, demand %+v", p.Reserves, p.Demand)
	}
	run := func(at time.Time) float64 {
		i, ok := m.plan.StepAt(at)
		if !ok {
			t.Fatalf("%s is not planned", at)
		}
		return m.plan.Classes[0].Running[i][0]
	}
	if a, b := run(noon), run(noon.Add(150*time.Minute)); a != 100 || b != 0 {
		t.Errorf("%v run now, %v while the grid's price stands at 2000 $/MWh", a, b)
	}
	g := r.Follow(noon.Add(time.Minute), "")
	if x := g.For("s21"); x == nil || x.Keep <= 0 {
		t.Errorf("guidance %+v", x)
	}
	if g.For("gone") != nil {
		t.Error("guidance for a load that is not planned")
	}
	got := r.told(noon)
	if len(got) != 1 || !strings.Contains(got[0], "are planned by") {
		t.Errorf("%q", got)
	}
	if v := r.Schedule(noon.Add(time.Minute)); !v.Followed || v.WhyNot != "" || *v.AgeS != 60 || len(v.Loads) != 2 || v.Loads[0].Kind != "tenant" || v.Loads[1].Kind != "group" || len(v.Past) != 1 || v.EveryS != 300 {
		t.Errorf("%+v", v)
	}
	if f := r.Forecast(noon); len(f.Steps) != len(m.plan.Steps) || f.Steps[3].P50USD == nil || f.Source == "" {
		t.Errorf("%+v", f)
	}
}

func TestAPlanIsDueWhenMuchChanges(t *testing.T) {
	r := newRig(t, t.TempDir(), nil)
	r.planned(t, noon)
	same := func() Signs {
		return Signs{Price: site.Some(unit.DollarsPerMWh(40)), Bounds: []unit.Power{1}, Free: 100, Draw: mw}
	}
	for name, c := range map[string]struct {
		after  time.Duration
		change func(*Signs)
		want   bool
	}{
		"nothing":                {4 * time.Minute, func(*Signs) {}, false},
		"its time":               {5 * time.Minute, func(*Signs) {}, true},
		"a clock that went back": {-time.Minute, func(*Signs) {}, true},
		"a price":                {31 * time.Second, func(s *Signs) { s.Price = site.Some(unit.DollarsPerMWh(60)) }, true},
		"a price, too soon":      {20 * time.Second, func(s *Signs) { s.Price = site.Some(unit.DollarsPerMWh(60)) }, false},
		"a price, a little":      {time.Minute, func(s *Signs) { s.Price = site.Some(unit.DollarsPerMWh(44)) }, false},
		"no price":               {time.Minute, func(s *Signs) { s.Price = site.Opt[unit.Price]{} }, true},
		"a limit":                {time.Minute, func(s *Signs) { s.Bounds = []unit.Power{2} }, true},
		"machines":               {time.Minute, func(s *Signs) { s.Free = 90 }, true},
		"a machine":              {time.Minute, func(s *Signs) { s.Free = 99 }, false},
		"a tenant":               {time.Minute, func(s *Signs) { s.Draw = 1300 * kw }, true},
	} {
		s := same()
		c.change(&s)
		if got := r.Due(noon.Add(c.after), s); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	r.busy.Store(true)
	if r.Due(noon.Add(time.Hour), same()) {
		t.Error("a plan is due while one is made")
	}
}

func TestWhatIsFallenBackToIsToldOnce(t *testing.T) {
	r := newRig(t, t.TempDir(), nil)
	real := r.plan
	by := func(m schedule.Method, notes ...string) {
		r.plan = func(p schedule.Problem) (schedule.Plan, error) {
			out, err := real(p)
			out.Method, out.Gap, out.Notes = m, -1, notes
			return out, err
		}
	}
	at := noon
	step := func() []string {
		r.planned(t, at)
		at = at.Add(5 * time.Minute)
		r.Follow(at, "")
		return r.told(at)
	}
	_ = step()
	for _, c := range []struct {
		set  func()
		want []string
	}{
		{func() { by(schedule.Exact) }, nil}, // as whole as the program
		{func() { by(schedule.MILP) }, nil},
		{func() { by(schedule.LP) }, []string{"the relaxed program, rounded"}},
		{func() { by(schedule.LP) }, nil},
		{func() { by(schedule.Merit, "the program was not solved: no engine") }, []string{"merit order, each step by itself: the program was not solved: no engine"}},
		{func() { by(schedule.Merit, "another note") }, nil},
		{func() { by(schedule.Static) }, []string{"the static safe limit", "is not followed: the plan is the static one"}},
		{func() { by(schedule.Static) }, nil},
		{func() { by(schedule.MILP) }, []string{"the mixed-integer program", "the plan of the coming hours is followed"}},
		{func() {
			r.plan = func(schedule.Problem) (schedule.Plan, error) {
				return schedule.Plan{}, errors.New("step 3 has no length")
			}
		}, []string{"no plan of the coming hours: step 3 has no length"}},
		{func() { r.plan = func(schedule.Problem) (schedule.Plan, error) { panic("boom") } }, []string{"the planner fell over: boom"}},
		{func() {}, []string{"older than 15m0s: merit order alone decides"}}, // the last good plan is twenty minutes old
		{func() {}, nil},
		{func() { r.plan = real }, []string{"are planned by", "is followed"}},
	} {
		c.set()
		got := step()
		ok := len(got) == len(c.want)
		for i := range c.want {
			ok = ok && strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("told %q, want %q", got, c.want)
		}
	}
	if r.Follow(at, "the price is lost") != nil {
		t.Error("a plan is followed while the price is lost")
	}
	r.f.Ahead.Off = true
	if r.Follow(at, "") != nil || r.Due(at, Signs{}) || !strings.Contains(r.Schedule(at).WhyNot, "switches the schedule off") {
		t.Error("switched off, and planned")
	}
}

// Where the grid leaves less than a tenant draws, the plan takes it back by the contract's right;
// once the tenant is told, it is planned to be given and not taken again.
func TestTakings(t *testing.T) {
	r := newRig(t, t.TempDir(), func(f *sitefile.File) {
		f.Reserves = nil // for which more would be taken than the limit asks
		f.Tenants[0].Curtail = &sitefile.CurtailRight{Power: 500 * kw, Hours: 10 * time.Hour, Notice: 30 * time.Minute, Price: 200 * unit.DollarPerMWh, Call: sitefile.CallAsk}
	})
	from, to := noon.Add(2*time.Hour), noon.Add(4*time.Hour)
	state := r.state(noon)
	state.Keep[0], state.Margin[0] = mw, 0
	state.Limits = []site.Limit{{ID: "grid", Node: "connection", Power: 700 * kw, From: from, To: to}}
	r.make(state)
	got := r.Takings(noon)
	if len(got) != 1 || got[0].Load != "ai" || !got[0].From.Equal(from) || !got[0].To.Equal(to) || got[0].Power < 300*kw || got[0].Power > 310*kw {
		t.Fatalf("taken back: %+v", got)
	}
	if got := r.Takings(noon.Add(3 * time.Hour)); got != nil {
		t.Errorf("a plan that is too old takes %+v", got)
	}
	state = r.state(noon.Add(5 * time.Minute))
	state.Keep[0], state.Margin[0] = mw, 0
	state.Limits = []site.Limit{{ID: "grid", Node: "connection", Power: 700 * kw, From: from, To: to}}
	state.Standing[0] = curtail.Standing{Called: []outlook.Called{{From: from, To: to, Power: 310 * kw}}, Used: 2 * time.Hour}
	r.make(state)
	if got := r.Takings(state.At); got != nil {
		t.Errorf("taken again: %+v", got)
	}
	for _, l := range r.Schedule(state.At).Loads {
		if l.Load != "ai" {
			continue
		}
		for k, w := range l.ShortW {
			if w != nil && *w > 0 {
				t.Errorf("short in step %d: %v W", k, *w)
			}
		}
	}
}

func TestRunPlansBesideTheLoop(t *testing.T) {
	r := newRig(t, t.TempDir(), nil)
	slow := make(chan struct{})
	real := r.plan
	r.plan = func(p schedule.Problem) (schedule.Plan, error) { <-slow; return real(p) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	r.Give(r.state(noon), Signs{})
	for range 100 { // the loop goes on meanwhile
		r.Observe(noon, site.Some(5*mw), []site.Opt[unit.Power]{site.Some(mw)})
		if r.Follow(noon, "") != nil || r.Due(noon.Add(time.Hour), Signs{}) {
			t.Fatal("a plan before it is made, or a second one")
		}
	}
	close(slow)
	for end := time.Now().Add(20 * time.Second); r.Follow(noon, "") == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no plan: %+v", r.Schedule(noon))
		}
	}
	cancel()
	<-done
	if doc, err := r.db.GetState(t.Context(), stateKey); err != nil || !strings.Contains(string(doc), `"peak"`) && !strings.Contains(string(doc), `"demand"`) {
		t.Errorf("kept %s, %v", doc, err)
	}
}

func TestWhatWasLearnedSurvives(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t, dir, nil)
	for at := noon; at.Before(noon.Add(30 * time.Hour)); at = at.Add(time.Minute) {
		r.Observe(at, site.Some(5*mw), []site.Opt[unit.Power]{site.Some(1500 * kw)})
	}
	r.keep(t.Context())
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	again := newRig(t, dir, nil)
	if !again.profiles[0].Ready() || again.demand.Peaks["peak"] < 4900*kw {
		t.Errorf("%v, %+v", again.profiles[0].Ready(), again.demand)
	}
	r.restore([]byte("{")) // it is learned anew, and nobody falls over
}

func TestDemandPeaks(t *testing.T) {
	charges := []sitefile.DemandCharge{
		{Name: "all", Interval: 15 * time.Minute},
		{Name: "day", Interval: 15 * time.Minute, Daily: &sitefile.Daily{From: "08:00", To: "20:00"}, Weekdays: true},
		{Name: "winter", Interval: 15 * time.Minute, Months: []int{1}},
	}
	var d Demand
	feed := func(from time.Time, span time.Duration, p unit.Power) {
		for at := from; at.Before(from.Add(span)); at = at.Add(5 * time.Second) {
			d.Observe(charges, time.UTC, at, p)
		}
	}
	feed(noon, 15*time.Minute, 4*mw)
	feed(noon.Add(15*time.Minute), 5*time.Minute, 9*mw) // a third of an interval, then little
	feed(noon.Add(20*time.Minute), 10*time.Minute, 0)
	near := func(a, b unit.Power) bool { return max(a-b, b-a) < 60*kw }
	if !near(d.Peaks["all"], 4*mw) || !near(d.Peaks["day"], 4*mw) || d.Peaks["winter"] != 0 {
		t.Errorf("%v", d.Peaks)
	}
	feed(noon.Add(10*time.Hour), 15*time.Minute, 6*mw) // at night
	if !near(d.Peaks["all"], 6*mw) || !near(d.Peaks["day"], 4*mw) {
		t.Errorf("%v", d.Peaks)
	}
	before := d.Peaks["all"]
	d.Observe(charges, time.UTC, noon.Add(11*time.Hour), 100*mw) // one reading says nothing of a quarter of an hour
	d.Observe(charges, time.UTC, noon.Add(11*time.Hour+10*time.Minute), 100*mw)
	if d.Peaks["all"] != before {
		t.Errorf("%v", d.Peaks)
	}
	feed(time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), 15*time.Minute, 2*mw)
	if !near(d.Peaks["all"], 2*mw) || d.Month != "2026-08" {
		t.Errorf("a new month begins with %v", d.Peaks)
	}
}

func TestThePeakCapsOnlyWhatIsFlexible(t *testing.T) {
	r := newRig(t, t.TempDir(), nil)
	tree := r.opt.Plant.Tree
	round := func() dispatch.Round {
		return dispatch.Round{
			Tree: tree, Caps: []unit.Power{10 * mw, 8 * mw, 3 * mw},
			Firm:   []site.Offer{{Load: "ai", Node: 2, Blocks: []site.Block{{Power: 2 * mw}}}},
			Groups: []dispatch.Group{{Load: "s21", Node: 1, Terms: dispatch.MiningTerms{Fixed: 100 * kw}}},
			House:  []site.Offer{{Load: "house:hall-a", Node: 1, Fixed: 200 * kw}},
		}
	}
	for name, c := range map[string]struct {
		peak, want unit.Power
		peaked     bool
	}{
		"none": {-1, 10 * mw, false}, "below": {5 * mw, 5 * mw, true}, "above": {12 * mw, 10 * mw, false}, "below what is firm": {mw, 2300 * kw, true},
	} {
		x := round()
		g := &Guide{Guidance: schedule.Guidance{Adder: 3, Peak: c.peak}}
		if got := g.Into(&x); got != c.peaked || x.Caps[0] != c.want || x.Adder != 3 {
			t.Errorf("%s: %v, cap %s, adder %v", name, got, x.Caps[0], x.Adder)
		}
	}
	x := round()
	if (*Guide)(nil).Into(&x) || x.Adder != 0 {
		t.Error("no plan, and guided")
	}
}

func TestReservesSoldNow(t *testing.T) {
	r := newRig(t, t.TempDir(), nil)
	c := signal.Combined{Reserves: []signal.Held{
		{Name: "spin", Power: 500 * kw, From: noon, To: noon.Add(time.Hour)},
		{Name: "utility", Power: 2 * mw, From: noon, Within: 10 * time.Second},
		{Name: "later", Power: 2 * mw, From: noon.Add(time.Hour)},
	}}
	fast := func(d time.Duration) []site.LoadID {
		if d < time.Minute {
			return nil
		}
		return []site.LoadID{"s21"}
	}
	want := []dispatch.Held{{Power: 1500 * kw, Worth: 1000 * unit.DollarPerMWh, Loads: []site.LoadID{"s21"}}, {Power: 2 * mw, Worth: DefaultShort}}
	if diff := cmp.Diff(want, Sold(r.f, c, noon, fast)); diff != "" {
		t.Error(diff)
	}
	if got := Sold(r.f, signal.Combined{}, noon.Add(48*time.Hour), fast); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestStanding(t *testing.T) {
	g, power := Standing(outlook.Group{Load: "s21"}, 10*time.Minute, []Machine{
		{3 * kw, 200, true, -1}, {4 * kw, 100, true, time.Hour}, {4 * kw, 100, true, 3 * time.Minute}, {4 * kw, 100, false, 2 * time.Minute}, {4 * kw, 100, false, 11 * time.Minute},
	})
	want := outlook.Group{Load: "s21", Count: 5, Levels: []outlook.Level{{Power: 3800 * unit.Watt, Hashrate: 120}}, Now: []schedule.State{
		{Count: 2, Level: 0, For: 10 * time.Minute}, {Count: 1, Level: 0, For: 2 * time.Minute}, {Count: 1, Level: -1, For: 2 * time.Minute}, {Count: 1, Level: -1, For: 10 * time.Minute},
	}}
	if diff := cmp.Diff(want, g); diff != "" || power != 19*kw {
		t.Error(diff, power)
	}
	if g, _ := Standing(outlook.Group{}, 0, nil); g.Count != 0 || g.Levels != nil {
		t.Errorf("%+v", g)
	}
}
