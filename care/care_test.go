package care

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/journal"
	"switchyard/notify"
	"switchyard/reconcile"
	"switchyard/site"
	"switchyard/unit"
)

func TestTheListOfDevices(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Histories = nil })
	r.places["s21-002"] = Place{Address: "10.0.7.7", Rack: "A-01", Position: "3", Outlet: "pdu-1/12", Known: site.Identity{Serial: "SN2"}}
	r.opt.Places = r
	r.samples[2].Hashrate = site.Some(100 * unit.TeraHash)
	r.samples[3].State, r.samples[3].Hashrate = site.StateSleeping, site.Some(unit.Hashrate(0))
	r.status[4] = reconcile.DeviceStatus{Known: true, Mode: site.ModeSleep, Pending: true}
	r.status[5].Quarantined = true
	r.holds["s21-001"] = site.Hold{Device: "s21-001", Mode: site.ModeRun, By: "eva"}
	r.silent[6] = true
	r.run(0)
	r.run(0)
	r.run(0)
	for q, want := range map[string]string{
		"":                              "m60-001 m60-002 s21-001 s21-002 s21-003 s21-004 s21-005 s21-006 s21-007 s21-008",
		"node=row-1 hashrate<80%":       "s21-003 s21-004",
		"node=hall-a group=m60":         "m60-001 m60-002",
		"rack=A-*":                      "s21-002",
		"address=10.0.7.0/24":           "s21-002",
		"serial=sn2":                    "s21-002",
		"state=stopping":                "s21-005",
		"state=quarantined":             "s21-006",
		"state=stale":                   "s21-007",
		"held=eva":                      "s21-001",
		"driver=whatsminer firmware=f1": "m60-001 m60-002",
		"worker=acme.s21-008":           "s21-008",
	} {
		if got := r.ids(q); got != want {
			t.Errorf("%s: %s, want %s", q, got, want)
		}
	}
	v, err := r.Devices(t.Context(), api.DevicesRequest{Sort: "-hashrate", Offset: 8, Limit: 5})
	if err != nil || v.Total != 10 || len(v.Devices) != 2 || v.Devices[0].ID != "s21-003" || v.Devices[1].ID != "s21-004" {
		t.Errorf("a page: %+v, %v", v, err)
	}
	for _, q := range []api.DevicesRequest{{Query: "modle=x"}, {Sort: "colour"}} {
		if _, err := r.Devices(t.Context(), q); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	d, err := r.Device(t.Context(), "s21-002")
	if err != nil {
		t.Fatal(err)
	}
	if d.Node != "row-1" || d.Outlet != "pdu-1/12" || d.Style != "mode" || len(d.Boards) != 2 || len(d.Acts) != 5 || *d.NameplateW != 3500 || *d.HashratePct != 100 || *d.ChipC != 75 || d.PowerMethod != "device" || *d.PowerW != 3500 || *d.UptimeS != 72*3600 || d.Pools[0].Worker != "acme.s21-002" || d.Profiles[0].Name != "eco" {
		t.Errorf("device %+v", d)
	}
	r.opt.Estimates = r
	if d, _ = r.Device(t.Context(), "s21-002"); d.PowerMethod != "outlet" || *d.PowerW != 3480 || *d.PowerError != 20 {
		t.Errorf("estimated: %+v", d.DeviceRow)
	}
	if d, _ = r.Device(t.Context(), "s21-007"); !strings.Contains(d.Error, "connection refused") {
		t.Errorf("error %q", d.Error)
	}
	if _, err := r.Device(t.Context(), "nobody"); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.DeviceHistory(t.Context(), "s21-001", noon, noon.Add(time.Hour), time.Minute); !errors.Is(err, api.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAStaleReadingIsNotNow(t *testing.T) {
	r := newRig(t)
	r.silent[0] = true
	r.run(6 * time.Minute)
	d, err := r.Device(t.Context(), "s21-001")
	if err != nil || d.HashrateTHS != nil || d.PowerW != nil || d.UptimeS != nil || d.AgeS == nil || *d.AgeS != 360 || d.State != "stale" {
		t.Errorf("%+v, %v", d.DeviceRow, err)
	}
	if got := r.ids("hashrate<80%"); got != "" {
		t.Errorf("found by a figure that is not known: %s", got)
	}
}

func TestAdopt(t *testing.T) {
	r := newRig(t)
	if _, err := r.Care.Adopt(t.Context(), "eva", "s21-001", ""); !errors.Is(err, api.ErrUnavailable) {
		t.Error(err)
	}
	r.opt.Places = r
	r.places["s21-001"] = Place{Known: site.Identity{Make: "Bitmain", Model: "S21", MAC: "aa:00:00:00:00:00"}, Stranger: "S21 Pro"}
	r.notes = nil
	v, err := r.Care.Adopt(t.Context(), "eva", "s21-001", "the old one burnt")
	want := api.AdoptedView{
		Device: "s21-001", Was: api.MachineView{Make: "Bitmain", Model: "S21", MAC: "aa:00:00:00:00:00"}, Is: api.MachineView{Make: "Bitmain", Model: "S21 Pro", MAC: "aa:00:00:00:00:99"},
	}
	if diff := cmp.Diff(want, v); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	const text = "eva has adopted Bitmain S21 Pro, MAC aa:00:00:00:00:99 as s21-001, which was Bitmain S21, MAC aa:00:00:00:00:00 before: the old one burnt"
	if len(r.notes) != 1 || r.notes[0].Text != text || r.notes[0].Device != "s21-001" || r.notes[0].Kind != journal.KindNote {
		t.Errorf("journal: %+v", r.notes)
	}
	for id, want := range map[string]error{"s21-001": api.ErrInvalid, "nobody": api.ErrNotFound} {
		if _, err := r.Care.Adopt(t.Context(), "eva", id, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if len(r.notes) != 1 {
		t.Errorf("what was refused is in the journal: %+v", r.notes)
	}
}

func TestAlertsReachThePage(t *testing.T) {
	r := newRig(t)
	r.samples[0].Boards[1].Working = false
	r.samples[1].Boards[1].Working = false
	r.samples[7].Pools[0].URL = "stratum+tcp://thief.example:1"
	r.alarms = []api.Alert{{Since: noon, Severity: "critical", Subject: "hall-a", Text: "its meter is lost"}}
	r.run(3 * time.Minute)
	if got, want := r.alertIDs(), "wrong-pool:s21-008 dead-board:s21-001 dead-board:s21-002"; got != want {
		t.Errorf("alerts %s, want %s", got, want)
	}
	if got := r.ids("alert=dead-board"); got != "s21-001 s21-002" {
		t.Errorf("by alert: %s", got)
	}
	if d, _ := r.Device(t.Context(), "s21-008"); len(d.Health) != 1 || d.Health[0].Rule != "wrong-pool" || d.Health[0].Severity != "critical" || d.Alerts[0] != "wrong-pool" {
		t.Errorf("of one device: %+v", d.Health)
	}
	live := r.Alerts()
	if len(live) != 2 || live[0].Subject != "s21-008" || live[1].Subject != "s21" || !strings.HasPrefix(live[1].Text, "dead-board: 2 miners; the first is s21-001: 1 of 2 boards") {
		t.Errorf("for the live view: %+v", live)
	}
	if n := len(r.notices); n != 4 || r.notices[0].Subject != "hall-a" {
		t.Errorf("%d notices: %+v", n, r.notices)
	}
	r.notices, r.notes = nil, nil
	r.samples[7].Pools[0].URL = "stratum+tcp://pool.example:3333"
	r.alarms = nil
	r.run(6 * time.Minute)
	if n := len(r.notices); n != 2 || !r.notices[0].Over || !r.notices[1].Over {
		t.Errorf("%d notices at the end: %+v", n, r.notices)
	}
	if len(r.notes) != 1 || r.notes[0].Kind != journal.KindRestore || r.notes[0].Device != "s21-008" {
		t.Errorf("journal: %+v", r.notes)
	}
}

func TestAHallThatIsCutOffIsOneNotice(t *testing.T) {
	r := newRig(t)
	for i := range 8 {
		r.silent[i] = true
	}
	r.run(8 * time.Minute)
	if got := r.alertIDs(); got != "stale:node/connection" && got != "stale:node/row-1" && got != "stale:node/hall-a" {
		t.Errorf("alerts %s", got)
	}
	var began, over int
	count := func() {
		began, over = 0, 0
		for _, n := range r.notices {
			if n.Over {
				over++
			} else {
				began++
			}
		}
	}
	if count(); began != 1 || over != 0 {
		t.Errorf("%d notices of a beginning and %d of an end: %+v", began, over, r.notices)
	}
	for i := range 8 {
		r.silent[i] = i < 2
	}
	r.run(10 * time.Minute) // two are left: the hall's alert is over, and theirs is no news
	if count(); began != 1 || over != 0 {
		t.Errorf("when most are back: %d began, %d over: %+v", began, over, r.notices)
	}
	r.silent = map[int]bool{}
	r.run(10 * time.Minute)
	if count(); began != 1 || over != 1 {
		t.Errorf("when all are back: %d began, %d over: %+v", began, over, r.notices)
	}
}

// A device that failed alone and then with its hall is over once, and one that fails again
// after its hall's alert fell apart is news.
func TestAlertsThatFoldAndFallApart(t *testing.T) {
	r := newRig(t)
	took := func() string {
		var out []string
		for _, n := range r.notices {
			s := n.Subject
			if n.Over {
				s = "over " + s
			}
			out = append(out, s)
		}
		r.notices = nil
		return strings.Join(out, ", ")
	}
	steps := []struct {
		silent int // the first so many give no readings
		want   string
	}{{1, "s21-001"}, {8, "connection"}, {2, ""}, {1, ""}, {2, "s21-002"}, {0, "over connection, over s21-002"}}
	for i, s := range steps {
		for d := range 8 {
			r.silent[d] = d < s.silent
		}
		r.run(12 * time.Minute)
		got := took()
		if i == len(steps)-1 && got == "over s21-002, over connection" {
			got = s.want
		}
		if got != s.want {
			t.Errorf("step %d, %d silent: told %q, want %q", i+1, s.silent, got, s.want)
		}
	}
}

func TestAServiceThatCannotBeToldIsAnAlert(t *testing.T) {
	r := newRig(t)
	r.faults = []notify.Fault{{Service: "night", Text: "read secret env:X: it is empty or not set"}}
	r.run(2 * time.Minute)
	live := r.Alerts()
	if len(live) != 1 || live[0].Subject != "notice night" || live[0].Since.After(noon.Add(time.Minute)) || !strings.HasSuffix(live[0].Text, "env:X: it is empty or not set") {
		t.Errorf("live %+v", live)
	}
	r.faults = nil
	r.run(time.Minute)
	if len(r.Alerts()) != 0 || len(r.notices) != 2 || !r.notices[1].Over {
		t.Errorf("afterwards: %+v, told %+v", r.Alerts(), r.notices)
	}
}

func TestWhatWeToldIsNoFault(t *testing.T) {
	r := newRig(t)
	for i := range r.status { // all are put to sleep, then woken
		r.status[i].Mode, r.status[i].Pending = site.ModeSleep, true
		r.samples[i].State, r.samples[i].Hashrate, r.samples[i].Fans = site.StateSleeping, site.Some(unit.Hashrate(0)), []int{0, 0}
	}
	r.run(time.Hour)
	for i := range r.status {
		r.status[i].Mode, r.status[i].Pending = site.ModeRun, false
		r.samples[i].State, r.samples[i].Hashrate, r.samples[i].Fans = site.StateHashing, site.Some(50*unit.TeraHash), []int{5000, 5000}
		r.samples[i].Uptime = site.Some(-r.Now().Sub(noon)) // its mining process started now
	}
	r.run(5 * time.Minute)
	if got := r.alertIDs(); got != "" {
		t.Errorf("on the way up: %s", got)
	}
	r.run(20 * time.Minute)
	if got := r.alertIDs(); got != "low-hashrate:group/s21 low-hashrate:m60-001 low-hashrate:m60-002" {
		t.Errorf("long up: %s", got)
	}
}

// On a fast clock minutes of site time pass between two steps: a restart is ours by when the
// command left, and not by when the step saw it.
func TestRestartsByCommandOnAFastClock(t *testing.T) {
	for _, known := range []bool{true, false} {
		r := newRig(t)
		r.sent = make([]time.Time, len(r.status))
		for step := range 60 {
			r.mu.Lock()
			r.now = r.now.Add(4 * time.Minute)
			for i := range r.status { // every fourth time it was put to sleep and woken since
				r.status[i].Pending = step%4 == 3
				if step%4 != 3 {
					continue
				}
				woken := r.now.Add(-210 * time.Second)
				if known {
					r.sent[i] = woken
				}
				r.samples[i].Uptime = site.Some(-woken.Sub(noon))
			}
			r.mu.Unlock()
			r.read()
			r.Step(t.Context(), r.Now())
		}
		if got, want := strings.Contains(r.alertIDs(), "flapping"), !known; got != want {
			t.Errorf("with the commands' times known: %v, alerts %s", known, r.alertIDs())
		}
	}
}

func TestSilences(t *testing.T) {
	r := newRig(t)
	r.samples[0].Boards[1].Working, r.samples[1].Boards[1].Working = false, false
	ctx := t.Context()
	s, err := r.Silence(ctx, "eva", api.SilenceRequest{Query: "device=s21-001", Rules: []string{"dead-board"}, For: 1800, Note: "known"})
	if err != nil || s.Devices != 1 || s.ID != 1 || s.To == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	r.run(3 * time.Minute)
	if got := r.alertIDs(); got != "dead-board:s21-001(silenced by eva: known) dead-board:s21-002" {
		t.Errorf("alerts %s", got)
	}
	if len(r.notices) != 1 || len(r.Alerts()) != 1 {
		t.Errorf("notices %+v, live %+v", r.notices, r.Alerts())
	}
	if _, err := r.Silence(ctx, "eva", api.SilenceRequest{Query: "s21", Rules: []string{"dead-bord"}}); err == nil || !strings.HasSuffix(err.Error(), `there is no rule "dead-bord"; did you mean "dead-board"?`) {
		t.Errorf("a slip in a rule: %v", err)
	}
	for _, bad := range []api.SilenceRequest{{Query: "device=nobody"}, {Query: "odd("}, {Query: "s21", Rules: []string{"odd"}}} {
		if _, err := r.Silence(ctx, "eva", bad); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := r.keepHealth(ctx); err != nil { // an orderly stop
		t.Fatal(err)
	}
	r.open()
	r.run(5 * time.Minute)
	if list, err := r.Silences(ctx); err != nil || len(list) != 1 || list[0].Note != "known" || list[0].Rules[0] != "dead-board" {
		t.Errorf("after a restart: %+v, %v", list, err)
	}
	r.run(30 * time.Minute)
	if got := r.alertIDs(); got != "dead-board:s21-001 dead-board:s21-002" || len(r.notices) != 2 {
		t.Errorf("when it is over: %s, notices %+v", got, r.notices)
	}
	if s, err = r.Silence(ctx, "eva", api.SilenceRequest{}); err != nil || s.ID != 2 || s.Devices != 10 {
		t.Errorf("of all: %+v, %v", s, err)
	}
	if err := r.Unsilence(ctx, "bob", 2); err != nil {
		t.Error(err)
	}
	if err := r.Unsilence(ctx, "bob", 2); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
	if got := r.alertIDs(); strings.Contains(got, "silenced") {
		t.Errorf("at once: %s", got)
	}
}

func TestMaintenanceHoldsDevicesAsTheyAre(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.status[1].Mode = site.ModeSleep
	r.samples[1].State = site.StateSleeping
	r.holds["s21-003"] = site.Hold{Device: "s21-003", Mode: site.ModeSleep, By: "ann", Note: "hers"}
	r.run(0)
	s, err := r.Silence(ctx, "eva", api.SilenceRequest{Query: "device=s21-00[123]* or device=s21-001 or device=s21-002 or device=s21-003", Note: "new cables", For: 600, Maintenance: true})
	if err != nil || s.Devices != 3 || !s.Maintenance {
		t.Fatalf("%+v, %v", s, err)
	}
	want := map[site.DeviceID]site.Hold{
		"s21-001": {Device: "s21-001", Mode: site.ModeRun, By: "eva", Note: "maintenance 1: new cables"},
		"s21-002": {Device: "s21-002", Mode: site.ModeSleep, By: "eva", Note: "maintenance 1: new cables"},
		"s21-003": {Device: "s21-003", Mode: site.ModeSleep, By: "ann", Note: "hers"},
	}
	if diff := cmp.Diff(want, r.holds); diff != "" {
		t.Errorf("holds (-want +got):\n%s", diff)
	}
	if got := r.ids("maintenance=yes"); got != "s21-001 s21-002 s21-003" {
		t.Errorf("in maintenance: %s", got)
	}
	r.samples[0].Boards[0].Working = false
	r.run(5 * time.Minute)
	if got := r.alertIDs(); got != "dead-board:s21-001(in maintenance by eva: new cables)" {
		t.Errorf("alerts %s", got)
	}
	r.holds["s21-002"] = site.Hold{Device: "s21-002", Mode: site.ModeSleep, By: "bob", Note: "stays off"} // a person, meanwhile
	r.holdErr = api.ErrUnavailable
	r.run(6 * time.Minute)
	if list, _ := r.Silences(ctx); len(list) != 1 {
		t.Error("forgotten before its devices were let go")
	}
	r.holdErr = nil
	r.run(time.Minute)
	if list, _ := r.Silences(ctx); len(list) != 0 {
		t.Errorf("not over: %+v", list)
	}
	if n := len(r.told); n == 0 || r.told[n-1] != "eva releases [s21-001]" {
		t.Errorf("told %q", r.told)
	}
	delete(want, "s21-001")
	want["s21-002"] = site.Hold{Device: "s21-002", Mode: site.ModeSleep, By: "bob", Note: "stays off"}
	if diff := cmp.Diff(want, r.holds); diff != "" {
		t.Errorf("holds afterwards (-want +got):\n%s", diff)
	}
	r.holdErr = api.ErrUnavailable
	if _, err := r.Silence(ctx, "eva", api.SilenceRequest{Query: "device=s21-005", Maintenance: true}); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("a hold that is not kept: %v", err)
	}
}

func TestTheRepairList(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	list := func() string {
		t.Helper()
		all, err := r.Repairs(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range all {
			s := x.Device
			for _, a := range x.Seen {
				s += " " + a.Rule
			}
			out = append(out, s)
		}
		return strings.Join(out, "; ")
	}
	r.samples[0].Boards[1].Working, r.samples[0].Hashrate = false, site.Some(100*unit.TeraHash)
	r.samples[1].Pools[0].URL = "stratum+tcp://thief.example:1" // needs no hands
	r.silent[9] = true
	r.run(8 * time.Minute)
	if got := list(); got != "" {
		t.Errorf("after eight minutes: %s", got)
	}
	r.run(10 * time.Minute)
	if got := list(); got != "m60-002 stale; s21-001 dead-board low-hashrate" {
		t.Errorf("after 18 minutes: %s", got)
	}
	all, _ := r.Repairs(ctx)
	if *all[0].LostUSD != 9 || *all[1].LostUSD != 5 || all[1].Address != "10.0.0.1" || all[1].Seen[0].Todo == "" {
		t.Errorf("%+v", all)
	}
	r.open() // a restart
	r.run(time.Minute)
	if got := list(); got != "m60-002 stale; s21-001 dead-board low-hashrate" {
		t.Errorf("after a restart: %s", got)
	}
	if err := r.Repaired(ctx, "eva", "s21-001", "new board"); err != nil {
		t.Fatal(err)
	}
	if err := r.Repaired(ctx, "eva", "s21-001", ""); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
	if e := r.notes[len(r.notes)-1]; e.Device != "s21-001" || e.Text != "eva has repaired s21-001 (dead-board, low-hashrate): new board" {
		t.Errorf("journal %+v", e)
	}
	r.run(30 * time.Minute)
	if got := list(); got != "m60-002 stale" {
		t.Errorf("struck off: %s", got)
	}
	r.run(40 * time.Minute)
	if got := list(); got != "m60-002 stale; s21-001 dead-board low-hashrate" {
		t.Errorf("and no better: %s", got)
	}
	r.samples[0].Boards[1].Working, r.samples[0].Hashrate = true, site.Some(200*unit.TeraHash)
	r.silent[9] = false
	r.run(23 * time.Hour)
	if got := list(); got != "s21-001 dead-board low-hashrate; m60-002 stale" {
		t.Errorf("well for less than a day: %s", got)
	}
	r.run(2 * time.Hour)
	if got := list(); got != "" {
		t.Errorf("well for a day: %s", got)
	}
}

func TestRolloutsArePlannedFromWhatIsKnown(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	r.silent[6] = true
	r.holds["s21-002"] = site.Hold{Device: "s21-002", Mode: site.ModeSleep, By: "ann"}
	r.status[2].ByHand = true
	r.run(0)
	r.run(0)
	r.run(0)
	for _, c := range []struct {
		req      api.RolloutRequest
		do, skip int
		says     string // of the text, or the error
	}{
		{api.RolloutRequest{Action: "reboot", Query: "group=s21", Wave: 3}, 7, 1, "Reboot 7 devices, in 3 waves; 1 device skipped"},
		{api.RolloutRequest{Action: "reboot", Query: "group=s21", Devices: []string{"s21-001", "m60-001"}}, 1, 0, "Reboot 1 device"},
		{api.RolloutRequest{Action: "wake", Query: "device=*"}, 2, 8, "they are released"},
		{api.RolloutRequest{Action: "sleep", Query: "group=s21"}, 5, 3, "held asleep until they are released"},
		{api.RolloutRequest{Action: "profile", Profile: "eco", Query: "group=m60"}, 2, 0, `Choose the profile "eco" of 2 devices`},
		{api.RolloutRequest{Action: "profile", Profile: "turbo", Query: "group=m60"}, 0, 2, "2 devices skipped"},
		{api.RolloutRequest{Action: "reboot"}, -1, 0, "say which devices"},
		{api.RolloutRequest{Action: "reboot", Query: "model=nothing"}, -1, 0, "no device matches"},
		{api.RolloutRequest{Action: "reboot", Devices: []string{"nobody"}}, -2, 0, "not found"},
		{api.RolloutRequest{Action: "odd", Query: "s21"}, -1, 0, "is no action"},
		{api.RolloutRequest{Action: "pools", Query: "s21", Pools: []api.PoolRequest{{URL: "stratum+tcp://p.example:1", Worker: "w", PasswordRef: "env:SWITCHYARD_TOKEN"}}}, -1, 0, "names no pool with the password"},
		{api.RolloutRequest{Action: "pools", Query: "group=m60", Pools: []api.PoolRequest{{URL: "stratum+tcp://p.example:1", Worker: "w", PasswordRef: "env:POOL"}}}, 2, 0, "to stratum+tcp://p.example:1 as w"},
		{api.RolloutRequest{Action: "pools", Query: "s21", Pools: []api.PoolRequest{{URL: "stratum+tcp://p.example:1", Worker: "w", PasswordRef: "hunter2"}}}, -1, 0, "a secret itself is not taken"},
	} {
		v, err := r.Preview(ctx, c.req)
		if c.do < 0 {
			want := map[int]error{-1: api.ErrInvalid, -2: api.ErrNotFound}[c.do]
			if !errors.Is(err, want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%+v: %v, want %q", c.req, err, c.says)
			}
			continue
		}
		if err != nil || v.Do != c.do || v.Skip != c.skip || !strings.Contains(v.Text, c.says) || len(v.Items) != c.do+c.skip {
			t.Errorf("%+v: %+v, %v", c.req, v, err)
		}
	}
	if len(r.done)+len(r.told) > 0 {
		t.Errorf("a preview told %v %v", r.done, r.told)
	}
}

// TestARolloutFromEndToEnd runs a Care in a bubble of time: sleep goes through holds, and a
// reboot that was told is no flapping.
func TestARolloutFromEndToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.opt.Clock = clock.System()
		r.clk = clock.System()
		r.now = time.Now().UTC()
		r.open()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		pass := func(d time.Duration) {
			for range int(d / time.Second) {
				r.mu.Lock()
				r.now = time.Now().UTC()
				r.mu.Unlock()
				r.read()
				time.Sleep(time.Second)
			}
			synctest.Wait()
		}
		pass(5 * time.Second)
		v, err := r.Begin(t.Context(), "eva", api.RolloutRequest{Action: "sleep", Query: "group=m60", Note: "heat", PasswordRef: "not for this"})
		if err != nil || v.Total != 2 || v.State != "running" || v.Request.PasswordRef != "" {
			t.Fatalf("%+v, %v", v, err)
		}
		pass(3 * time.Second)
		if got, _ := r.Preview(t.Context(), api.RolloutRequest{Action: "reboot", Query: "group=m60"}); got.Skip != 2 || !strings.Contains(got.Why[0].Reason, "rollout 1 has it in hand") {
			t.Errorf("beside a rollout: %+v", got)
		}
		r.mu.Lock()
		if diff := cmp.Diff([]string{"eva holds 2 in sleep: rollout 1: heat"}, r.told); diff != "" {
			t.Errorf("the operator (-want +got):\n%s", diff)
		}
		r.samples[8].State, r.samples[9].State = site.StateSleeping, site.StateSleeping
		r.mu.Unlock()
		pass(5 * time.Second)
		if v, err = r.Rollout(t.Context(), v.ID); err != nil || v.State != "done" || v.Counts["confirmed"] != 2 || len(v.Items) != 2 || v.Ended == nil {
			t.Errorf("%+v, %v", v, err)
		}
		if v, err = r.Begin(t.Context(), "eva", api.RolloutRequest{Action: "led", On: true, Devices: []string{"s21-001"}}); err != nil {
			t.Error(err)
		}
		pass(5 * time.Second)
		list, err := r.Rollouts(t.Context(), 10)
		if err != nil || len(list) != 2 || list[0].ID != v.ID || list[0].Items != nil || list[0].Request.Devices != nil || list[0].Counts["confirmed"] != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		if err := r.Steer(t.Context(), "eva", v.ID, "pause"); !errors.Is(err, api.ErrInvalid) {
			t.Error(err)
		}
		if _, err := r.Rollout(t.Context(), 99); !errors.Is(err, api.ErrNotFound) {
			t.Error(err)
		}
		cancel()
		<-ended
		if err := r.db.Close(); err != nil {
			t.Error(err)
		}
	})
}

var _ Teller = (*notify.Notifier)(nil)

// A miner that a rollout has restart may be away for a while without a word, and no longer.
func TestARestartOfOursIsNotLost(t *testing.T) {
	r := newRig(t)
	r.run(time.Minute)
	r.wasTold("s21-001", r.Now(), "eva", "reboot s21-001 (rollout 1)")
	r.silent[0], r.silent[1] = true, true
	r.run(7 * time.Minute)
	if got := r.alertIDs(); got != "stale:s21-002" {
		t.Errorf("while it restarts: %s", got)
	}
	if !r.Hushed("s21-001", r.Now()) || r.Hushed("s21-002", r.Now()) {
		t.Error("the wrong one is hushed")
	}
	r.run(3 * time.Minute)
	if got := r.alertIDs(); got != "stale:s21-001 stale:s21-002" && got != "stale:s21-002 stale:s21-001" || r.Hushed("s21-001", r.Now()) {
		t.Errorf("when it should be back: %s", got)
	}
	r.wasTold("s21-002", r.Now(), "eva", "reboot s21-002 (rollout 2)")
	r.run(time.Minute)
	if got := r.alertIDs(); !strings.Contains(got, "stale:s21-002") {
		t.Errorf("what was lost before is over without a reading: %s", got)
	}
}
