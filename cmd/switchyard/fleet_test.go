package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
)

// yard is a running site with devices.
type yard struct {
	*fake
	mu      sync.Mutex
	rollout api.RolloutView
	looks   int
	asked   []string
}

func (y *yard) note(format string, args ...any) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.asked = append(y.asked, fmt.Sprintf(format, args...))
}

func row(i int) api.DeviceRow {
	return api.DeviceRow{
		ID: fmt.Sprintf("s21-%04d", i+1), Group: "s21", Node: "hall-a", Rack: "A-01", Position: "3", Address: "10.0.4.17", Make: "Bitmain", Model: "S21", Firmware: "f1", State: "hashing",
		PowerW: ptr(3510.0), PowerError: ptr(40.0), PowerMethod: "outlet", HashrateTHS: ptr(200.4), HashratePct: ptr(100.2), ChipC: ptr(71.0), UptimeS: ptr(300_000.0), AgeS: ptr(4.0),
	}
}

func (y *yard) Devices(_ context.Context, r api.DevicesRequest) (api.DevicesView, error) {
	y.note("devices %s %s %d+%d", r.Query, r.Sort, r.Offset, r.Limit)
	if strings.HasPrefix(r.Query, "modle") {
		return api.DevicesView{}, fmt.Errorf("%w: query, character 1: there is no field \"modle\"", api.ErrInvalid)
	}
	total := 2500
	if r.Query != "" {
		total = 1
	}
	v := api.DevicesView{At: siteTime, Total: total, Devices: []api.DeviceRow{}}
	for i := r.Offset; i < min(total, r.Offset+r.Limit); i++ {
		v.Devices = append(v.Devices, row(i))
	}
	if total == 1 {
		d := &v.Devices[0]
		d.PowerW, d.Alerts, d.Held, d.AgeS = nil, []string{"hot", "fan"}, "eva", ptr(600.0)
	}
	return v, nil
}

func (y *yard) Device(_ context.Context, id string) (api.DeviceView, error) {
	if id == "s21-0009" {
		return api.DeviceView{DeviceRow: api.DeviceRow{ID: id, State: "unknown", Group: "s21"}, Driver: "antminer"}, nil
	}
	if id != "s21-0001" {
		return api.DeviceView{}, fmt.Errorf("device %q: %w", id, api.ErrNotFound)
	}
	return api.DeviceView{
		DeviceRow: row(0), Driver: "antminer", TargetW: ptr(3500.0), Acts: []string{"reboot", "pools"}, Style: "watts", FansRPM: []int{5000, 0}, Faults: []string{"ERR_1"}, Outlet: "pdu-1/12",
		Boards: []api.BoardView{{HashrateTHS: ptr(66.0), ChipC: ptr(71.0), Working: true}, {}},
		Pools:  []api.PoolView{{URL: "stratum+tcp://pool.example:3333", Worker: "acme.1", Active: true}},
		Health: []api.HealthAlert{{Rule: "fan", Severity: "warning", Device: "s21-0001", Since: siteTime, Text: "1 fan of 2 stand still", Todo: "replace it"}},
	}, nil
}

func (y *yard) DeviceHistory(context.Context, string, time.Time, time.Time, time.Duration) (api.DeviceHistoryView, error) {
	return api.DeviceHistoryView{}, nil
}

func (y *yard) Adopt(_ context.Context, who, id, note string) (api.AdoptedView, error) {
	if id != "s21-0001" {
		return api.AdoptedView{}, fmt.Errorf("%w: no other device answers at the address of %s", api.ErrInvalid, id)
	}
	y.note("%s adopts %s: %s", who, id, note)
	return api.AdoptedView{Device: id, Was: api.MachineView{Make: "Antminer", Model: "S21", MAC: "02:00:00:00:00:01"}, Is: api.MachineView{Serial: "SN9"}}, nil
}

func (y *yard) Preview(_ context.Context, r api.RolloutRequest) (api.PreviewView, error) {
	y.note("preview %s", r.Words())
	if r.Query == "none" {
		return api.PreviewView{Text: "Reboot 0 devices", Skip: 1, Why: []api.SkipCount{{Reason: "it cannot", Devices: 1}}}, nil
	}
	v := api.PreviewView{Do: 30, Skip: 2, Waves: 3, Text: "Reboot 30 devices, in 3 waves", Why: []api.SkipCount{{Reason: "it does not answer", Devices: 2}}}
	for i := range 32 {
		v.Items = append(v.Items, api.RolloutItem{Device: row(i).ID, Wave: i/10 + 1, State: "pending"})
	}
	return v, nil
}

func (y *yard) Begin(_ context.Context, who string, r api.RolloutRequest) (api.RolloutView, error) {
	y.note("begin %s wave %d stop %d note %q", r.Words(), r.Wave, r.StopAfter, r.Note)
	y.mu.Lock()
	defer y.mu.Unlock()
	y.rollout = api.RolloutView{ID: 7, Action: r.Action, By: who, Text: "Reboot 3 devices", Begun: siteTime, State: "running", Total: 3, Counts: map[string]int{"told": 3}, Request: r}
	y.looks = 0
	return y.rollout, nil
}

// Rollouts ends the rollout at the second look: one device of "fails" fails.
func (y *yard) Rollouts(context.Context, int) ([]api.RolloutView, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.rollout.ID == 0 {
		return nil, nil
	}
	if y.looks++; y.looks > 1 && y.rollout.Ended == nil {
		y.rollout.State, y.rollout.Ended, y.rollout.Counts = "done", ptr(siteTime), map[string]int{"confirmed": 3}
		if y.rollout.Request.Query == "fails" {
			y.rollout.Counts = map[string]int{"confirmed": 2, "failed": 1}
		}
	}
	return []api.RolloutView{y.rollout}, nil
}

func (y *yard) Rollout(_ context.Context, id int64) (api.RolloutView, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if id != 7 {
		return api.RolloutView{}, fmt.Errorf("%w: no such rollout: %d", api.ErrNotFound, id)
	}
	v := y.rollout
	v.Items = []api.RolloutItem{{Device: "s21-0001", State: "confirmed"}, {Device: "s21-0002", State: "failed", Reason: "told 3 times: unreachable"}}
	return v, nil
}

func (y *yard) Steer(_ context.Context, who string, id int64, what string) error {
	y.note("%s: %s %d", who, what, id)
	return nil
}

func (y *yard) HealthAlerts(context.Context) ([]api.HealthAlert, error) {
	return []api.HealthAlert{
		{Rule: "stale", Severity: "critical", Group: "hall-b", Since: siteTime, Text: "20 of the 20 miners of hall-b give no readings", Todo: "check the network"},
		{Rule: "hot", Severity: "critical", Device: "s21-0001", Since: siteTime, Text: "101 °C", Silenced: "silenced by eva: known"},
	}, nil
}

func (y *yard) Repairs(context.Context) ([]api.RepairView, error) {
	return []api.RepairView{{Device: "s21-0001", Rack: "A-01", Position: "3", Address: "10.0.4.17", Model: "S21", Serial: "SN1", Since: siteTime, LostUSD: ptr(9.0), Seen: []api.HealthAlert{{Rule: "fan", Text: "1 fan of 2 stand still"}}}}, nil
}

func (y *yard) Repaired(_ context.Context, who, device, note string) error {
	if device != "s21-0001" {
		return fmt.Errorf("%w: %s is not on the repair list", api.ErrNotFound, device)
	}
	y.note("%s repaired %s: %s", who, device, note)
	return nil
}

func (y *yard) Silences(context.Context) ([]api.SilenceView, error) {
	return []api.SilenceView{{ID: 3, Query: "rack=A-07", By: "eva", Note: "cables", From: siteTime, To: ptr(siteTime.Add(time.Hour)), Maintenance: true, Devices: 12}}, nil
}

func (y *yard) Silence(_ context.Context, who string, r api.SilenceRequest) (api.SilenceView, error) {
	y.note("%s silences %s rules %v for %d: %s %v", who, r.Query, r.Rules, r.For, r.Note, r.Maintenance)
	return api.SilenceView{ID: 4, Devices: 12, Maintenance: r.Maintenance, To: ptr(siteTime.Add(time.Hour))}, nil
}

func (y *yard) Unsilence(_ context.Context, who string, id int64) error {
	y.note("%s ends %d", who, id)
	return nil
}

// take returns what was asked since the last call.
func (y *yard) take() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	out := y.asked
	y.asked = nil
	return out
}

func newYard(t *testing.T) (*yard, map[api.Role]env) {
	t.Helper()
	y := &yard{fake: &fake{held: map[string]string{}}}
	tokens, err := api.LoadTokens(t.Context(), y.fake)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(api.Handler(api.Site{
		Screens: y, Records: y, Operator: y, Stream: y, Audit: y, Tokens: tokens, Log: slog.New(slog.DiscardHandler), Version: "test",
		Devices: y, Rollouts: y, Care: y, Silences: y,
	}))
	t.Cleanup(srv.Close)
	byRole := map[api.Role]env{}
	for _, r := range []api.Role{api.Viewer, api.Operates} {
		token, err := tokens.New(t.Context(), string(r), r)
		if err != nil {
			t.Fatal(err)
		}
		byRole[r] = env{"SWITCHYARD_URL": srv.URL, "SWITCHYARD_TOKEN": token}
	}
	return y, byRole
}

func TestFleetCommands(t *testing.T) {
	y, who := newYard(t)
	const pool = "stratum+tcp://pool.example:3333 acme.{device}"
	for _, c := range []struct {
		name      string
		as        api.Role
		args      []string
		code      int
		out, errs []string
		asked     []string
	}{
		{"devices", api.Viewer, []string{"devices"}, 0, []string{"s21-0001", "A-01/3", "3.5 kW", "200.4", "3d", "100 of 2500 devices; --limit shows more"}, nil, []string{"devices   0+100"}},
		{"all devices", api.Viewer, []string{"devices", "--limit", "0", "--sort", "-temp"}, 0, []string{"s21-2500", "2500 devices"}, nil, []string{"devices  -temp 0+1000", "devices  -temp 1000+1000", "devices  -temp 2000+1000"}},
		{"a query", api.Viewer, []string{"devices", "model=S21*", "hashrate<80%"}, 0, []string{"hot, fan; held by eva; last reading 10m ago", "?", "1 device"}, nil, []string{"devices model=S21* hashrate<80%  0+100"}},
		{"a slip", api.Viewer, []string{"devices", "modle=x"}, 2, nil, []string{"character 1: there is no field"}, nil},
		{"device", api.Viewer, []string{"device", "s21-0001"}, 0, []string{"s21-0001: hashing", "3.5 kW ± 40 W, by outlet", "pdu-1/12", "5000 0 rpm", "does not hash", "acme.1", "07-01 14:05  warning   s21-0001  fan: 1 fan of 2", "replace it", "reboot, pools"}, nil, nil},
		{"a device never heard of", api.Viewer, []string{"device", "s21-0009"}, 0, []string{"hashrate     not known\n", "temperature  not known\n", "power        not known\n", "read         not known\n"}, nil, nil},
		{"help", api.Viewer, []string{"fleet", "--help"}, 0, []string{"--where QUERY"}, nil, nil},
		{"no device", api.Viewer, []string{"device", "x"}, 3, nil, []string{`device "x": not found`}, nil},
		{
			"adopt", api.Operates,
			[]string{"device", "s21-0001", "--adopt", "--note", "a spare"},
			0,
			[]string{"s21-0001 is serial number SN9 from now on; it was Antminer S21, MAC 02:00:00:00:00:01"},
			nil,
			[]string{"operator adopts s21-0001: a spare"},
		},
		{"adopt nobody", api.Operates, []string{"device", "s21-0002", "--adopt"}, 2, nil, []string{"no other device answers"}, nil},
		{"adopt as a viewer", api.Viewer, []string{"device", "s21-0001", "--adopt"}, 4, nil, nil, nil},
		{"a note to nothing", api.Viewer, []string{"device", "s21-0001", "--note", "x"}, 2, nil, []string{"--note goes with --adopt"}, nil},
		{"preview", api.Viewer, []string{"fleet", "reboot", "--where", "state=fault", "--preview"}, 0, []string{"Reboot 30 devices, in 3 waves.", "2  it does not answer", "s21-0020", "and 12 more"}, nil, []string{"preview reboot where state=fault"}},
		{"without a terminal", api.Operates, []string{"fleet", "reboot", "--where", "state=fault"}, 2, []string{"Reboot 30 devices"}, []string{"confirm it with --yes"}, []string{"preview reboot where state=fault"}},
		{"nothing to do", api.Operates, []string{"fleet", "reboot", "--where", "none", "--yes"}, 2, nil, []string{"none of the devices can be told: it cannot"}, []string{"preview reboot where none"}},
		{
			"pools", api.Operates,
			[]string{"fleet", "pools", "--devices", "a,b", "--pool", pool, "--wave", "5", "--stop-after", "2", "--note", "move", "--yes", "--no-wait"},
			0,
			[]string{"rollout 7 has begun"},
			nil,
			[]string{"preview pools stratum+tcp://pool.example:3333 as acme.{device} on a, b", `begin pools stratum+tcp://pool.example:3333 as acme.{device} on a, b wave 5 stop 2 note "move"`},
		},
		{
			"to the end", api.Operates,
			[]string{"fleet", "led", "--where", "works", "--yes"},
			0,
			[]string{"rollout 7 by operator: Reboot 3 devices", "done; 3 confirmed"},
			nil,
			[]string{"preview led on where works", `begin led on where works wave 0 stop 0 note ""`},
		},
		{"with failures", api.Operates, []string{"fleet", "led", "--off", "--where", "fails", "--yes"}, 1, []string{"2 confirmed, 1 failed", "s21-0002  failed  told 3 times"}, nil, nil},
		{"by a viewer", api.Viewer, []string{"fleet", "reboot", "--where", "x", "--yes"}, 4, nil, []string{"it takes operator"}, nil},
		{"no devices named", api.Operates, []string{"fleet", "reboot"}, 2, nil, []string{"say which devices"}, nil},
		{"no action", api.Operates, []string{"fleet", "explode", "--where", "x"}, 2, nil, []string{"name one action: reboot"}, nil},
		{"pools without pools", api.Operates, []string{"fleet", "pools", "--where", "x"}, 2, nil, []string{"needs --pool"}, nil},
		{"a secret typed", api.Operates, []string{"fleet", "pools", "--where", "x", "--pool", pool + " hunter2"}, 2, nil, []string{"a secret itself is not taken"}, nil},
		{"password", api.Operates, []string{"fleet", "password", "--where", "x"}, 2, nil, []string{"needs --password-ref"}, nil},
		{"profile of a reboot", api.Operates, []string{"fleet", "reboot", "--where", "x", "--profile", "eco"}, 2, nil, []string{"nothing else takes it"}, nil},
		{"rollouts", api.Viewer, []string{"rollouts"}, 0, []string{"07-01 14:05", "Reboot 3 devices"}, nil, nil},
		{"a rollout", api.Viewer, []string{"rollouts", "7"}, 0, []string{"s21-0002  failed"}, nil, nil},
		{"no rollout", api.Viewer, []string{"rollouts", "8"}, 3, nil, []string{"no such rollout"}, nil},
		{"no number", api.Viewer, []string{"rollouts", "x"}, 2, nil, []string{"is not a rollout's id"}, nil},
		{"pause", api.Operates, []string{"rollouts", "7", "pause"}, 0, []string{"rollout 7 is paused"}, nil, []string{"operator: pause 7"}},
		{"steer oddly", api.Operates, []string{"rollouts", "7", "hurry"}, 2, nil, []string{"pause, resume or stop"}, nil},
		{"health", api.Viewer, []string{"health"}, 0, []string{"hall-b  stale: 20 of the 20", "check the network", "1 alert silenced; --all shows them"}, nil, nil},
		{"all health", api.Viewer, []string{"health", "--all"}, 0, []string{"silenced by eva: known"}, nil, nil},
		{"repairs", api.Viewer, []string{"repairs"}, 0, []string{"s21-0001", "A-01/3", "9.00", "fan: 1 fan of 2 stand still"}, nil, nil},
		{"repaired", api.Operates, []string{"repairs", "--done", "s21-0001", "--note", "new fan"}, 0, []string{"1 device struck off"}, nil, []string{"operator repaired s21-0001: new fan"}},
		{"repaired more", api.Operates, []string{"repairs", "--done", "s21-0001,x"}, 3, nil, []string{"before it, struck off the repair list: s21-0001", "not on the repair list"}, nil},
		{"a note alone", api.Operates, []string{"repairs", "--note", "x"}, 2, nil, []string{"--note goes with --done"}, nil},
		{"silences", api.Viewer, []string{"silence"}, 0, []string{"rack=A-07", "12", "07-01 15:05", "maintenance: cables"}, nil, nil},
		{
			"silence", api.Operates,
			[]string{"silence", "rack=A-07", "--maintenance", "--for", "1h", "--note", "cables", "--rule", "hot,fan"},
			0,
			[]string{"12 devices in maintenance until 2026-07-01 20:05:10 UTC", "--end 4"},
			nil,
			[]string{"operator silences rack=A-07 rules [hot fan] for 3600: cables true"},
		},
		{"silence of nothing named", api.Operates, []string{"silence", "--for", "1h"}, 2, nil, []string{"say which devices"}, nil},
		{"end a silence", api.Operates, []string{"silence", "--end", "4"}, 0, []string{"silence 4 is ended"}, nil, []string{"operator ends 4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y.take()
			who[c.as].run(t, c.args...).wants(t, c.code, c.out, c.errs)
			if asked := y.take(); c.asked != nil && !cmp.Equal(c.asked, asked) {
				t.Errorf("asked %q, want %q", asked, c.asked)
			}
		})
	}
}

func TestFleetAsksAPersonFirst(t *testing.T) {
	y, who := newYard(t)
	for answer, begins := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yes please\n": false} {
		y.take()
		var out, errs bytes.Buffer
		c := &cli{out: &out, err: &errs, env: func(k string) string { return who[api.Operates][k] }, in: strings.NewReader(answer)}
		code := c.run(t.Context(), []string{"fleet", "reboot", "--where", "x", "--no-wait"})
		begun := len(y.take()) == 2
		if begun != begins || (code == 0) != begins || !strings.Contains(errs.String(), "Reboot 30 devices, in 3 waves. Go on? [y/N]") {
			t.Errorf("%q: code %d, begun %v\n%s", answer, code, begun, errs.String())
		}
	}
}

// Every one of them gives exactly one JSON value on standard output.
func TestFleetJSON(t *testing.T) {
	_, who := newYard(t)
	for _, args := range [][]string{
		{"devices"},
		{"device", "s21-0001"},
		{"device", "s21-0001", "--adopt"},
		{"fleet", "reboot", "--where", "x", "--preview"},
		{"rollouts"},
		{"fleet", "reboot", "--where", "x", "--yes"},
		{"fleet", "reboot", "--where", "x", "--yes", "--no-wait"},
		{"rollouts"},
		{"rollouts", "7"},
		{"rollouts", "7", "stop"},
		{"health"},
		{"repairs"},
		{"repairs", "--done", "s21-0001"},
		{"silence"},
		{"silence", "x"},
		{"silence", "--end", "4"},
	} {
		r := who[api.Operates].run(t, append(args, "-o", "json")...)
		r.wants(t, 0, nil, nil)
		var v any
		r.decode(t, &v)
		if v == nil {
			t.Errorf("%v prints null", args)
		}
	}
}
