package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// hall is a small hall of miners that are read every 15 seconds.
type hall struct {
	t       testing.TB
	e       *Engine
	now     time.Time
	devices []Device
	samples []site.Sample
	silent  map[int]bool // give no readings
	booted  []time.Time
	slow    time.Duration // that an answer takes
}

func newHall(t testing.TB, n int, l Limits) *hall {
	h := &hall{t: t, e: New(l), now: noon, silent: map[int]bool{}, devices: make([]Device, n), samples: make([]site.Sample, n), booted: make([]time.Time, n)}
	for i := range n {
		hallName := "hall-a"
		if i >= n/2 {
			hallName = "hall-b"
		}
		h.booted[i] = noon.Add(-48 * time.Hour)
		h.samples[i] = site.Sample{
			State: site.StateHashing, Power: site.Some(3500 * unit.Watt), Hashrate: site.Some(200 * unit.TeraHash), Fans: []int{5000, 5100, 4900, 5000},
			Boards: []site.Board{board(70), board(72), board(71)}, Pools: []site.Pool{{URL: "stratum+tcp://Pool.example:3333", Worker: fmt.Sprint("acme.", i), Active: true}},
			Identity: site.Identity{Model: "S21", MAC: fmt.Sprintf("aa:bb:cc:00:00:%02x", i%256)},
		}
		h.devices[i] = Device{
			ID: site.DeviceID(fmt.Sprintf("s21-%03d", i)), Group: "s21", Nodes: []string{hallName, "connection"}, Nameplate: 3500 * unit.Watt, Hashrate: 200 * unit.TeraHash,
			Ramp: 3 * time.Minute, Pools: []site.Pool{{URL: "pool.example:3333/", Worker: fmt.Sprint("acme.", i)}, {URL: "backup.example:3333", Worker: fmt.Sprint("acme.", i)}},
		}
	}
	h.run(0)
	return h
}

func board(chip float64) site.Board {
	return site.Board{ChipTemp: site.Some(chip), Hashrate: site.Some(66 * unit.TeraHash), Working: true}
}

// run lets time pass, with a reading and a step every 15 seconds, at least one.
func (h *hall) run(d time.Duration) *hall {
	h.t.Helper()
	for end := h.now.Add(d); ; {
		for i := range h.devices {
			if h.silent[i] {
				continue
			}
			s := h.samples[i]
			s.Device, s.Asked, s.At = h.devices[i].ID, h.now.Add(-h.slow), h.now
			if !h.booted[i].IsZero() { // true of when it was asked
				s.Uptime = site.Some(max(s.Asked.Sub(h.booted[i]), 0).Round(time.Minute))
			}
			h.devices[i].Sample = &s
		}
		h.e.Step(h.now, h.devices)
		if !h.now.Before(end) {
			return h
		}
		h.now = h.now.Add(15 * time.Second)
	}
}

// fires returns the alerts as "rule:device".
func (h *hall) fires() string {
	var ids []string
	for _, a := range h.e.Alerts(h.devices) {
		ids = append(ids, a.ID)
	}
	return strings.Join(ids, " ")
}

func (h *hall) wants(what, want string) {
	h.t.Helper()
	if got := h.fires(); got != want {
		h.t.Errorf("%s: fires %q, want %q", what, got, want)
	}
}

func (h *hall) text(id string) string {
	h.t.Helper()
	for _, a := range h.e.Alerts(h.devices) {
		if a.ID == id {
			return a.Text
		}
	}
	h.t.Fatalf("no alert %s among %s", id, h.fires())
	return ""
}

func TestEachRule(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(h *hall, d *Device, s *site.Sample)
		rule  string // the only one that fires after three minutes; empty: none
		says  string
	}{
		"well": {func(*hall, *Device, *site.Sample) {}, "", ""},
		"a dead board": {func(_ *hall, _ *Device, s *site.Sample) {
			s.Boards[1].Working, s.Hashrate = false, site.Some(180*unit.TeraHash)
		}, "dead-board", "1 of 3 boards do not hash: number 2"},
		"a board that the firmware dropped": {func(_ *hall, _ *Device, s *site.Sample) { s.Boards = s.Boards[:2] }, "dead-board", "1 not found by the firmware"},
		"hot":                               {func(_ *hall, _ *Device, s *site.Sample) { s.Boards[2].ChipTemp = site.Some(100.0) }, "hot", "hottest chip is at 100 °C; hot is 100 °C"},
		"warm":                              {func(_ *hall, _ *Device, s *site.Sample) { s.Boards[2].ChipTemp = site.Some(99.9) }, "", ""},
		"fan":                               {func(_ *hall, _ *Device, s *site.Sample) { s.Fans = []int{5000, 0, 4900, 0} }, "fan", "2 fans of 4 stand still: [5000 0 4900 0] rpm"},
		"fans untold":                       {func(_ *hall, _ *Device, s *site.Sample) { s.Fans = nil }, "", ""},
		"low":                               {func(_ *hall, _ *Device, s *site.Sample) { s.Hashrate = site.Some(169.01177929 * unit.TeraHash) }, "low-hashrate", "it hashes with 169 TH/s, 85 % of the 200 TH/s expected"},
		"less, and given less": {func(_ *hall, d *Device, s *site.Sample) {
			s.Hashrate, s.Target = site.Some(120*unit.TeraHash), site.Some(2100*unit.Watt)
		}, "", ""},
		"low for what it was given": {func(_ *hall, d *Device, s *site.Sample) {
			s.Hashrate, s.Target = site.Some(90*unit.TeraHash), site.Some(2100*unit.Watt)
		}, "low-hashrate", "at a limit of 2.1 kW"},
		"less by its profile": {func(_ *hall, d *Device, s *site.Sample) {
			s.Hashrate, d.Expect = site.Some(100*unit.TeraHash), site.Some(105*unit.TeraHash)
		}, "", ""},
		"just woken": {func(h *hall, d *Device, s *site.Sample) { s.Hashrate, d.Told = site.Some(50*unit.TeraHash), h.now }, "", ""},
		"just started": {func(h *hall, d *Device, s *site.Sample) {
			s.Hashrate, h.booted[0], d.Told = site.Some(50*unit.TeraHash), h.now, h.now
		}, "", ""},
		"hashrate untold": {func(_ *hall, _ *Device, s *site.Sample) { s.Hashrate = site.Opt[unit.Hashrate]{} }, "", ""},
		"another pool":    {func(_ *hall, _ *Device, s *site.Sample) { s.Pools[0].URL = "stratum+tcp://thief.example:3333" }, "wrong-pool", "it works for stratum+tcp://thief.example:3333"},
		"another worker":  {func(_ *hall, _ *Device, s *site.Sample) { s.Pools[0].Worker = "thief.1" }, "wrong-pool", `as "thief.1", and the site file names`},
		"the backup pool": {func(_ *hall, _ *Device, s *site.Sample) { s.Pools[0].URL = "stratum+ssl://BACKUP.example:3333" }, "", ""},
		"a wrong pool in reserve": {func(_ *hall, _ *Device, s *site.Sample) {
			s.Pools = append(s.Pools, site.Pool{URL: "other"})
		}, "", ""},
		"no pools in the file": {func(_ *hall, d *Device, s *site.Sample) { d.Pools, s.Pools[0].URL = nil, "other" }, "", ""},
		"fault":                {func(_ *hall, _ *Device, s *site.Sample) { s.State = site.StateFault }, "not-hashing", "to hash and is in fault"},
		"faults named":         {func(_ *hall, _ *Device, s *site.Sample) { s.Faults = []string{"ERR_1", "a", "b", "c", "d", "e", "f"} }, "fault", "ERR_1, a, b, c, d and 2 more"},
		"nothing hashed":       {func(_ *hall, _ *Device, s *site.Sample) { s.Hashrate = site.Some(unit.Hashrate(0)) }, "not-hashing", "hashes with nothing"},
		"asleep as told": {func(_ *hall, d *Device, s *site.Sample) {
			d.Asleep, s.State, s.Hashrate, s.Fans, s.Boards = true, site.StateSleeping, site.Some(unit.Hashrate(0)), []int{0, 0, 0, 0}, nil
		}, "", ""},
		"asleep as told, and says fault": {func(_ *hall, d *Device, s *site.Sample) {
			d.Asleep, s.State, s.Hashrate = true, site.StateFault, site.Some(unit.Hashrate(0))
		}, "", ""},
		"asleep by hand": {func(_ *hall, _ *Device, s *site.Sample) {
			s.State, s.Hashrate, s.Fans = site.StateSleeping, site.Some(unit.Hashrate(0)), []int{0, 0, 0, 0}
		}, "", ""},
		"state untold": {func(_ *hall, _ *Device, s *site.Sample) {
			s.State, s.Hashrate = site.StateUnknown, site.Some(unit.Hashrate(0))
		}, "", ""},
		"another MAC":  {func(_ *hall, d *Device, s *site.Sample) { d.Known.MAC = "DE-AD-BE-EF-00-01" }, "stranger", "another device answers at its address: S21 aa:bb:cc"},
		"the same MAC": {func(_ *hall, d *Device, s *site.Sample) { d.Known.MAC = "AABBCC-000000" }, "", ""},
		"another serial": {func(_ *hall, d *Device, s *site.Sample) {
			d.Known.Serial, s.Identity = "A1", site.Identity{Model: "S21", Serial: "B2"}
		}, "stranger", "serial B2"},
		"a stranger found": {func(_ *hall, d *Device, s *site.Sample) { d.Stranger = "an M60S" }, "stranger", "an M60S"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, 1, Limits{})
			c.spoil(h, &h.devices[0], &h.samples[0])
			if c.rule != "stranger" { // one look is enough for that
				h.run(75*time.Second).wants("before its time", "")
			}
			h.run(3 * time.Minute)
			if c.rule == "" {
				h.wants("after three minutes", "")
				return
			}
			h.wants("after three minutes", c.rule+":s21-000")
			if text := h.text(c.rule + ":s21-000"); !strings.Contains(text, c.says) {
				t.Errorf("it says %q, want %q", text, c.says)
			}
		})
	}
}

func TestAlertsDoNotComeAndGo(t *testing.T) {
	h := newHall(t, 1, Limits{})
	chip := func(c float64, d time.Duration) *hall {
		h.samples[0].Boards[0].ChipTemp = site.Some(c)
		return h.run(d)
	}
	for range 10 {
		chip(105, time.Minute)
		chip(80, time.Minute)
	}
	h.wants("hot for a minute at a time", "")
	began := h.now.Add(15 * time.Second)
	chip(105, 15*time.Second)
	chip(105, 3*time.Minute).wants("hot for longer", "hot:s21-000")
	if a := h.e.Alerts(h.devices)[0]; a.Since.Before(began.Add(-15*time.Second)) || a.Since.After(began) || a.Severity != Critical || a.Device != "s21-000" || a.Todo == "" {
		t.Errorf("alert %+v, began %s", a, began)
	}
	chip(97, 20*time.Minute).wants("cooler, and not yet cool", "hot:s21-000")
	chip(90, 4*time.Minute).wants("cool for four minutes", "hot:s21-000")
	chip(105, 30*time.Second)
	chip(90, 4*time.Minute).wants("cool for four minutes again", "hot:s21-000")
	chip(90, 2*time.Minute).wants("cool for six minutes", "")
}

func TestWhatWasSeenStandsWhileItSleeps(t *testing.T) {
	h := newHall(t, 1, Limits{})
	h.samples[0].Boards[0].Working = false
	h.run(3*time.Minute).wants("at work", "dead-board:s21-000")
	awake := h.samples[0]
	h.devices[0].Asleep, h.devices[0].Told = true, h.now
	h.samples[0].State, h.samples[0].Boards, h.samples[0].Fans = site.StateSleeping, nil, []int{0, 0, 0, 0}
	h.run(2*time.Hour).wants("asleep", "dead-board:s21-000")
	h.samples[0] = awake
	h.samples[0].Boards = []site.Board{board(60), board(60), board(60)}
	h.devices[0].Asleep, h.devices[0].Told = false, h.now
	h.run(10*time.Minute).wants("awake and repaired", "")
}

func TestOneReadingIsNotEnough(t *testing.T) {
	h := newHall(t, 1, Limits{Stale: time.Hour})
	h.samples[0].Boards[0].Working = false
	h.run(0)
	h.silent[0] = true
	h.run(10*time.Minute).wants("on one reading", "")
	h.silent[0] = false
	h.run(15*time.Second).wants("on the second", "dead-board:s21-000")
}

func TestFansThatAreNotThere(t *testing.T) {
	h := newHall(t, 2, Limits{})
	h.samples[0].Fans = []int{5000, 5000, 0, 0} // places without a fan
	h.samples[1].Fans = []int{0, 0}             // in oil
	h.e = New(Limits{})                         // that never saw them turn
	h.run(10*time.Minute).wants("never seen turning", "")
	h.samples[0].Fans = []int{5000, 0, 0, 0}
	h.run(3*time.Minute).wants("one that turned", "fan:s21-000")
}

func TestFlapping(t *testing.T) {
	restart := func(h *hall, ours bool) {
		h.run(10 * time.Minute)
		if ours {
			h.devices[0].Told = h.now
		}
		h.booted[0] = h.now.Add(time.Minute)
		h.run(time.Minute)
	}
	h := newHall(t, 1, Limits{})
	for range 5 {
		restart(h, true)
	}
	h.run(0).wants("restarted by us", "")
	h.devices[0].Told = time.Time{}
	restart(h, false)
	restart(h, false)
	h.run(time.Minute).wants("twice by itself", "")
	restart(h, false)
	h.run(time.Minute).wants("three times", "flapping:s21-000")
	if text := h.text("flapping:s21-000"); !strings.Contains(text, "3 times within an hour") {
		t.Error(text)
	}
	h.run(50*time.Minute).wants("quiet for less than an hour", "flapping:s21-000")
	h.run(30*time.Minute).wants("quiet for more", "")
}

func TestAnUptimeThatIsRoundedIsNoRestart(t *testing.T) {
	h := newHall(t, 1, Limits{Restarts: 1})
	h.booted[0] = noon.Add(-90*time.Minute - 29*time.Second)
	h.run(3*time.Hour).wants("uptime in whole minutes", "")
}

func TestLongStart(t *testing.T) {
	h := newHall(t, 1, Limits{})
	h.samples[0].State, h.samples[0].Hashrate = site.StateStarting, site.Opt[unit.Hashrate]{}
	h.run(10*time.Minute).wants("starting", "")
	h.run(10*time.Minute).wants("starting for long", "not-hashing:s21-000")
	if text := h.text("not-hashing:s21-000"); !strings.Contains(text, "starting since 12:00") {
		t.Error(text)
	}
}

func TestStale(t *testing.T) {
	h := newHall(t, 1, Limits{})
	h.samples[0].Boards[0].Working = false
	h.run(3 * time.Minute)
	h.silent[0], h.devices[0].Err = true, errors.New("read s21-000: dial tcp: connection refused: unreachable")
	h.run(4*time.Minute).wants("four minutes", "dead-board:s21-000")
	h.run(2*time.Minute).wants("six minutes; what was seen stands", "dead-board:s21-000 stale:s21-000")
	if text := h.text("stale:s21-000"); !strings.Contains(text, "no reading since 2026-03-02 12:03 UTC: connection refused") {
		t.Error(text)
	}
	h.silent[0], h.devices[0].Err = false, nil
	h.samples[0].Boards[0].Working = true
	h.run(10*time.Minute).wants("back and well", "")

	h.devices = append(h.devices, Device{ID: "new", Group: "s21", Err: errors.New("never")})
	h.samples, h.booted = append(h.samples, site.Sample{}), append(h.booted, time.Time{})
	h.silent[1] = true
	h.run(4*time.Minute).wants("not heard of yet", "")
	h.run(2*time.Minute).wants("never heard of", "stale:new")
	h.devices = h.devices[:1]
	h.run(0).wants("taken out of the site", "")
}

func TestManyWithOneCauseAreOneAlert(t *testing.T) {
	h := newHall(t, 40, Limits{})
	for i := range 20 {
		h.silent[i] = true
		h.devices[i].Err = errors.New("read " + string(h.devices[i].ID) + ": no route to host")
	}
	h.devices[3].Err = errors.New("read x: odd")
	h.samples[30].Boards[0].Working = false
	h.run(6*time.Minute).wants("a hall is cut off", "stale:node/hall-a dead-board:s21-030")
	a := h.e.Alerts(h.devices)[0]
	if a.Text != "20 of the 20 miners of hall-a give no readings, most of them because: no route to host" || a.Device != "" || a.Node != "hall-a" || a.Group != "s21" || len(a.Devices) != 20 || a.Severity != Critical {
		t.Errorf("alert %+v", a)
	}
	for i := range 12 {
		h.silent[i] = false
	}
	h.run(6*time.Minute).wants("eight left of it", "stale:node/hall-a dead-board:s21-030")
	h.silent[12], h.silent[13], h.silent[14] = false, false, false
	h.run(6 * time.Minute)
	if got := h.fires(); strings.Contains(got, "node") || strings.Count(got, "stale:s21-") != 5 {
		t.Errorf("five left of it: %s", got)
	}
	for i := range 40 {
		h.silent[i] = i != 30
	}
	h.run(12*time.Minute).wants("all of the site", "stale:node/connection dead-board:s21-030")
	for i := range 40 {
		h.silent[i] = false
		h.samples[i].Pools[0].URL = "stratum+tcp://thief.example:1"
	}
	h.run(10*time.Minute).wants("one cause in a group", "wrong-pool:group/s21 dead-board:s21-030")
	if text := h.text("wrong-pool:group/s21"); !strings.Contains(text, "40 of the 40 miners of s21; the first of them, s21-000: it works for stratum+tcp://thief") {
		t.Error(text)
	}
	if got := h.e.Firing(30); got != SetOf(DeadBoard, WrongPool) || !slices.Equal(got.Names(), []string{"dead-board", "wrong-pool"}) {
		t.Errorf("of one device %v", got.Names())
	}
	if of := h.e.Of(&h.devices[30], 30); len(of) != 2 || of[0].ID != "dead-board:s21-030" {
		t.Errorf("of one device %+v", of)
	}
}

func TestRulesThatAreOff(t *testing.T) {
	h := newHall(t, 1, Limits{Off: SetOf(Hot)})
	h.samples[0].Boards[0].ChipTemp = site.Some(120.0)
	h.run(10*time.Minute).wants("off", "")
	h = newHall(t, 1, Limits{})
	h.samples[0].Boards[0].ChipTemp = site.Some(120.0)
	h.run(10*time.Minute).wants("on", "hot:s21-000")
	h.e.lim.Off = SetOf(Hot)
	h.run(15*time.Second).wants("turned off", "")
}

func TestStateSurvivesARestart(t *testing.T) {
	h := newHall(t, 3, Limits{})
	h.samples[0].Boards[0].Working = false
	h.silent[1] = true
	h.samples[2].Fans = []int{5000, 0, 4900, 0}
	h.run(10 * time.Minute)
	h.booted[2] = h.now
	h.run(15 * time.Second)
	before := h.e.Alerts(h.devices)
	doc, err := json.Marshal(h.e)
	if err != nil {
		t.Fatal(err)
	}
	h.e = New(Limits{})
	if err := json.Unmarshal(doc, h.e); err != nil {
		t.Fatal(err)
	}
	for i := range h.devices {
		h.devices[i].Sample = nil // nothing read yet
	}
	h.e.Step(h.now, h.devices)
	if diff := cmp.Diff(before, h.e.Alerts(h.devices)); diff != "" {
		t.Errorf("after the restart (-before +after):\n%s", diff)
	}
	h.run(20 * time.Minute)
	if got := h.fires(); strings.Count(got, ":") != 3 {
		t.Errorf("after the restart and a while: %s", got)
	}
	if n := h.e.byID["s21-002"]; n.restarts[0].IsZero() || n.turned != 15 {
		t.Errorf("restarts and fans are forgotten: %+v", n)
	}
	if err := json.Unmarshal([]byte(`{"a": 3}`), h.e); err == nil {
		t.Error("a wrong document is taken")
	}
}

// TestStatesAreHeld is the property that no alert begins before its condition held for After,
// or ends before it was gone for Clear, whatever the readings do.
func TestStatesAreHeld(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHall(t, 1, Limits{})
		var bads, goods time.Duration // how long the chip has been hot or cool
		was := false
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			c := rapid.SampledFrom([]float64{90, 97, 105, 105, 105, 0}).Draw(rt, "chip")
			h.samples[0].Boards = []site.Board{board(c)}
			if c == 0 {
				h.samples[0].Boards[0].ChipTemp = site.Opt[float64]{}
			}
			h.now = h.now.Add(15 * time.Second)
			h.run(0)
			is := h.e.Firing(0).Has(Hot)
			switch {
			case is && !was && bads < h.e.lim.After-15*time.Second:
				rt.Fatalf("fires after %s", bads)
			case !is && was && goods < h.e.lim.Clear-15*time.Second:
				rt.Fatalf("is over after %s", goods)
			}
			bads, goods, was = bads+15*time.Second, goods+15*time.Second, is
			if c != 105 {
				bads = 0
			}
			if c != 90 {
				goods = 0
			}
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"s21-000":{"rules":{"hot":{"firing":true,"since":"2026-03-02T12:00:00Z"},"gone":{}},"restarts":["2026-03-02T12:00:00Z"],"turned":3}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		e := New(Limits{})
		if json.Unmarshal(doc, e) != nil {
			return
		}
		h := newHall(t, 1, Limits{})
		h.e = e
		h.run(time.Minute)
		_ = h.fires()
	})
}

// The bound of the design: 30,000 devices in a few milliseconds.
func BenchmarkStep30000(b *testing.B) {
	h := newHall(b, 30_000, Limits{})
	for i := 0; i < 300; i++ {
		h.samples[i*100].Boards[0].Working = false
	}
	h.run(3 * time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		h.now = h.now.Add(time.Second)
		h.e.Step(h.now, h.devices)
	}
}

func BenchmarkAlerts(b *testing.B) {
	h := newHall(b, 30_000, Limits{})
	for i := range h.samples {
		h.silent[i] = true
	}
	h.run(6 * time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		h.e.Alerts(h.devices)
	}
}

// Restarts that people ordered are not counted, also where the market spoke to the device since.
func TestRestartsThatWereOrderedAreNoFlapping(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		h := newHall(t, 1, Limits{})
		for range 4 {
			h.run(10 * time.Minute)
			if ordered {
				h.devices[0].Acted = h.now
			}
			h.booted[0] = h.now.Add(time.Minute)
			h.silent[0] = true
			h.run(4 * time.Minute)
			h.devices[0].Told = h.now
			h.silent[0] = false
		}
		want := ""
		if !ordered {
			want = "flapping:s21-000"
		}
		h.run(time.Minute).wants(fmt.Sprint("ordered: ", ordered), want)
	}
}

// TestWhatACommandMovesIsNoRestart: what sleep, wake and a slow answer do to an uptime that
// counts from the mining process.
func TestWhatACommandMovesIsNoRestart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(h *hall, d *Device, s *site.Sample)
		fires string
	}{
		"asleep, its counter stands at zero": {func(h *hall, d *Device, s *site.Sample) {
			d.Asleep, d.Told, s.State, s.Hashrate = true, noon, site.StateSleeping, site.Some(unit.Hashrate(0))
			h.booted[0] = h.now
		}, ""},
		"put to sleep by hand, and so": {func(h *hall, _ *Device, s *site.Sample) {
			s.State, s.Hashrate = site.StateSleeping, site.Some(unit.Hashrate(0))
			h.booted[0] = h.now
		}, ""},
		"at work, and its counter stands at zero": {func(h *hall, _ *Device, _ *site.Sample) { h.booted[0] = h.now }, "flapping:s21-000"},
		"answers that take five minutes now and then": {func(h *hall, _ *Device, _ *site.Sample) {
			h.slow, h.booted[0] = time.Duration(h.now.Minute()%2)*5*time.Minute, noon
		}, ""},
		"told to wake and, before a reading came, to sleep": {func(h *hall, d *Device, _ *site.Sample) {
			switch h.now.Minute() % 20 {
			case 0:
				d.Told, h.silent[0] = h.now.Truncate(time.Minute), true
				h.booted[0] = d.Told
			case 16:
				d.Told = h.now.Truncate(time.Minute)
			case 17:
				h.silent[0] = false
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, 1, Limits{Stale: time.Hour})
			fired := ""
			for range 4 * 110 {
				c.spoil(h, &h.devices[0], &h.samples[0])
				h.run(0)
				h.now = h.now.Add(15 * time.Second)
				for _, a := range h.e.Alerts(h.devices) {
					if a.Rule == Flapping {
						fired = a.ID
					}
				}
			}
			if fired != c.fires {
				t.Errorf("%q fired, want %q", fired, c.fires)
			}
		})
	}
}
