package care

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/driver"
	"switchyard/health"
	"switchyard/journal"
	"switchyard/notify"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
	"switchyard/unit"
)

const siteDoc = `
site: {name: Test}
connection: {limit: 1 MW, meter: {address: 10.9.0.1, profile: generic}}
nodes: [{id: hall-a, limit: 500 kW}, {id: row-1, parent: hall-a}]
groups:
  - id: s21
    node: row-1
    driver: antminer
    addresses: [10.0.0.1-10.0.0.8]
    nameplate: 3500 W
    hashrate: 200 TH/s
    pools:
      - {url: "stratum+tcp://pool.example:3333", worker: "acme.{device}", password: env:POOL}
  - {id: m60, node: hall-a, driver: whatsminer, addresses: [10.0.1.1-10.0.1.2], nameplate: 3400 W, hashrate: 180 TH/s}
market:
  price: {fixed: 40 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
`

// rig is a Care beside a made-up controller.
type rig struct {
	*Care
	t   testing.TB
	db  *store.DB
	hub *telemetry.Hub

	mu      sync.Mutex
	now     time.Time
	clk     clock.Clock
	status  []reconcile.DeviceStatus
	sent    []time.Time // when each was last told something; nil: not known
	holds   map[site.DeviceID]site.Hold
	caps    site.Capabilities
	notes   []journal.Entry
	notices []notify.Notice
	done    []string // "reboot s21-001"
	told    []string // what the operator was told
	holdErr error
	alarms  []api.Alert
	faults  []notify.Fault
	places  map[site.DeviceID]Place
	samples []site.Sample
	silent  map[int]bool
}

// Now and the rest make a rig a clock that a test moves.
func (r *rig) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}
func (r *rig) Speed() float64                       { return 1 }
func (r *rig) NewTimer(d time.Duration) clock.Timer { return clock.System().NewTimer(d) }

func (r *rig) CareScreen() Screen {
	r.mu.Lock()
	defer r.mu.Unlock()
	holds := make(map[site.DeviceID]site.Hold, len(r.holds))
	for id, h := range r.holds {
		holds[id] = h
	}
	return Screen{Status: append([]reconcile.DeviceStatus(nil), r.status...), Told: append([]time.Time(nil), r.sent...), Holds: holds}
}

func (r *rig) Capabilities(site.DeviceID) site.Opt[site.Capabilities] { return site.Some(r.caps) }
func (r *rig) Refresh(site.DeviceID)                                  {}
func (r *rig) Do(_ context.Context, id site.DeviceID, a driver.Action) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, fmt.Sprintf("%s %s", a.Act, id))
	return nil
}

func (r *rig) Hold(_ context.Context, who string, q api.HoldRequest) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holdErr != nil {
		return 0, r.holdErr
	}
	mode := site.ModeRun
	if q.Mode == "sleep" {
		mode = site.ModeSleep
	}
	for _, d := range q.Devices {
		r.holds[site.DeviceID(d)] = site.Hold{Device: site.DeviceID(d), Mode: mode, By: who, Note: q.Note}
	}
	r.told = append(r.told, fmt.Sprintf("%s holds %d in %s: %s", who, len(q.Devices), q.Mode, q.Note))
	return len(q.Devices), nil
}

func (r *rig) ReleaseMany(_ context.Context, who string, ids []site.DeviceID) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holdErr != nil {
		return 0, r.holdErr
	}
	for _, id := range ids {
		if _, ok := r.holds[id]; ok {
			delete(r.holds, id)
			n++
		}
	}
	r.told = append(r.told, fmt.Sprintf("%s releases %v", who, ids))
	return n, nil
}

func (r *rig) Tell(n notify.Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, n)
}

func (r *rig) Faults() []notify.Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.faults
}

func (r *rig) Place(id site.DeviceID) Place { return r.places[id] }

// Adopt takes up who the place says stands there.
func (r *rig) Adopt(_ context.Context, id site.DeviceID) (was, is site.Identity, err error) {
	p := r.places[id]
	if p.Stranger == "" {
		return was, is, fmt.Errorf("%w: no other device", api.ErrInvalid)
	}
	was, p.Known, p.Stranger = p.Known, site.Identity{Make: "Bitmain", Model: p.Stranger, MAC: "aa:00:00:00:00:99"}, ""
	r.places[id] = p
	return was, p.Known, nil
}

func (r *rig) Estimate(id site.DeviceID) Estimate {
	return Estimate{Power: site.Some(3480 * unit.Watt), Error: site.Some(20 * unit.Watt), Method: "outlet"}
}

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &rig{
		t: t, db: db, now: noon, holds: map[site.DeviceID]site.Hold{}, places: map[site.DeviceID]Place{}, silent: map[int]bool{},
		caps: site.Capabilities{Sleep: true, Acts: site.ActsOf(site.Acts()...), Profiles: []site.Profile{{Name: "eco", Hashrate: site.Some(120 * unit.TeraHash)}}, WakeTime: time.Minute},
	}
	r.clk = r
	r.open(change...)
	for i := range r.opt.Miners {
		m := &r.opt.Miners[i]
		r.status = append(r.status, reconcile.DeviceStatus{Known: true, Mode: site.ModeRun, Free: true})
		r.samples = append(r.samples, site.Sample{
			Device: m.ID, State: site.StateHashing, Hashrate: site.Some(m.Hashrate), Power: site.Some(m.Nameplate), Uptime: site.Some(72 * time.Hour),
			Fans: []int{5000, 5000}, Boards: []site.Board{{ChipTemp: site.Some(70.0), Working: true}, {ChipTemp: site.Some(75.0), Working: true}},
			Identity: site.Identity{Make: "Bitmain", Model: "S21", Firmware: "f1", MAC: fmt.Sprintf("aa:00:00:00:00:%02x", i)},
			Pools:    []site.Pool{{URL: "stratum+tcp://pool.example:3333", Worker: "acme." + string(m.ID), Active: true}},
		})
	}
	r.run(0)
	return r
}

// open makes the Care, anew after a restart.
func (r *rig) open(change ...func(*Options)) {
	r.t.Helper()
	f, err := sitefile.Parse("site.yaml", []byte(siteDoc), sitefile.Known{})
	if err != nil {
		r.t.Fatal(err)
	}
	tree, err := f.Tree()
	if err != nil {
		r.t.Fatal(err)
	}
	o := Options{
		File: f, Miners: Miners(f, tree), DB: r.db, Clock: r.clk, Log: slog.New(slog.DiscardHandler), Loop: r, Fleet: r, Operator: r, Teller: r,
		Note: func(e journal.Entry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notes = append(r.notes, e)
		},
		Alarms:    func() []api.Alert { return r.alarms },
		Hashprice: func() site.Opt[unit.Hashprice] { return site.Some(unit.DollarsPerPHDay(50)) },
	}
	ids := make([]site.DeviceID, len(o.Miners))
	for i, m := range o.Miners {
		ids[i] = m.ID
	}
	r.hub = telemetry.NewHub(ids...)
	o.Hub = r.hub
	for _, f := range change {
		f(&o)
	}
	if r.Care, err = Open(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
}

// read puts a reading of every device that answers.
func (r *rig) read() {
	now := r.Now()
	for i := range r.samples {
		if r.silent[i] {
			r.hub.Fail(r.samples[i].Device, now, fmt.Errorf("read %s: connection refused: %w", r.samples[i].Device, driver.ErrUnreachable))
			continue
		}
		s := r.samples[i]
		s.Asked, s.At = now, now
		if s.Uptime.OK {
			s.Uptime.V += now.Sub(noon)
		}
		r.hub.Put(s)
	}
}

// run lets time pass, with readings and steps every 15 seconds.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	for end := r.Now().Add(d); ; {
		r.read()
		r.Step(r.t.Context(), r.Now())
		if !r.Now().Before(end) {
			return
		}
		r.mu.Lock()
		r.now = r.now.Add(15 * time.Second)
		r.mu.Unlock()
	}
}

func (r *rig) ids(q string) string {
	r.t.Helper()
	v, err := r.Devices(r.t.Context(), api.DevicesRequest{Query: q})
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, d := range v.Devices {
		out = append(out, d.ID)
	}
	return strings.Join(out, " ")
}

func (r *rig) alertIDs() string {
	r.t.Helper()
	all, err := r.HealthAlerts(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, a := range all {
		s := a.ID
		if a.Silenced != "" {
			s += "(" + a.Silenced + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// TestTheSiteFileKnowsTheRules holds the names that the site file may use to the rules that there are.
func TestTheSiteFileKnowsTheRules(t *testing.T) {
	var rules []string
	for _, r := range health.Rules() {
		rules = append(rules, r.String())
	}
	if got, want := strings.Join(sitefile.HealthRules(), " "), strings.Join(rules, " "); got != want {
		t.Errorf("the site file knows %s, the rules are %s", got, want)
	}
}
