package mara

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

func parsed(t testing.TB, s string) rpc.Object {
	t.Helper()
	o, err := parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func tera(th float64) site.Opt[unit.Hashrate] {
	return site.Some(unit.Hashrate(th) * unit.TeraHash)
}

func TestFillBrief(t *testing.T) {
	for in, want := range map[string]site.Sample{
		`{"status":"Mining","hashrate_realtime":100,"hashrate_unit":"TH/s","power_consumption_estimated":1946,"elapsed":661101}`: {
			State: site.StateHashing, Hashrate: tera(100), Power: site.Some(1946 * unit.Watt), Uptime: site.Some(661101 * time.Second),
		},
		// Two releases without a unit, and one that wraps.
		`{"status":"Mining","hashrate_realtime":100}`:          {State: site.StateHashing, Hashrate: tera(100)},
		`{"data":{"status":"Mining","hashrate_realtime":1e5}}`: {State: site.StateHashing, Hashrate: tera(100)},
		// An unknown unit, a rate that is none, and none at all.
		`{"status":"Mining","hashrate_realtime":100,"hashrate_unit":"Sol/s"}`:       {State: site.StateUnknown},
		`{"status":"Mining","hashrate_realtime":"NaN","hashrate_average":100}`:      {State: site.StateUnknown},
		`{"status":"Mining","power_consumption_estimated":0}`:                       {State: site.StateUnknown},
		`{"status":"Starting","hashrate_realtime":0}`:                               {State: site.StateStarting, Hashrate: tera(0)},
		`{"status":"Sleep","hashrate_realtime":0,"power_consumption_estimated":25}`: {State: site.StateSleeping, Hashrate: tera(0), Power: site.Some(25 * unit.Watt)},
		`{"status":"Paused","hashrate_realtime":90}`:                                {State: site.StateSleeping, Hashrate: tera(90)},
		`{"status":"Sleep","hashrate_realtime":90,"power_consumption_estimated":3000}`: {
			State: site.StateHashing, Hashrate: tera(90), Power: site.Some(3 * unit.Kilowatt),
		},
		`{"status":"Failure","status_long":"no power supply","hashrate_realtime":90}`: {
			State: site.StateFault, Hashrate: tera(90), Faults: []string{"no power supply"},
		},
	} {
		var s site.Sample
		fillBrief(&s, parsed(t, in))
		if d := cmp.Diff(want, s); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

func TestBoards(t *testing.T) {
	got, wrong := boards(parsed(t, `{"hashboard_num_ideal":3,"hashboards":[
		{"index":0,"hashrate_average":0,"asic_num":0,"asic_num_ideal":92,"temperature_pcb":[0,0],"status":"Failure","description":"not found"},
		{"index":1,"hashrate_average":33000,"asic_num":92,"asic_num_ideal":92,"temperature_pcb":[50,61.5],"temperature_chip":[65,68]},
		{"index":2,"hashrate_average":33,"hashrate_average_unit":"TH/s","asic_num":92,"temperature_pcb":{"inlet":45,"outlet":52}}]}`))
	want := []site.Board{
		{Hashrate: tera(0), Chips: site.Some(0)},
		{Hashrate: tera(33), Chips: site.Some(92), PCBTemp: site.Some(61.5), ChipTemp: site.Some(68.0), Working: true},
		{Hashrate: tera(33), Chips: site.Some(92), PCBTemp: site.Some(52.0), Working: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"board 0: Failure not found", "board 0: 0 of 92 chips answer"}, wrong); d != "" {
		t.Error(d)
	}
}

func TestSmallParts(t *testing.T) {
	if got := fans(parsed(t, `{"fans":[{"current_speed":5200},{"rpm":0},{"index":2}]}`)); !cmp.Equal(got, []int{5200, 0}) {
		t.Errorf("fans %v", got)
	}
	want := []site.Pool{{URL: "a", Worker: "w"}, {URL: "b", Worker: "w", Active: true}, {URL: "c"}}
	for _, in := range []string{
		`[{"url":"a","user":"w","status":"Dead","priority":0},{"url":"b","user":"w","status":"Alive","priority":1},{"url":"c","status":"Alive","priority":2},{"url":""}]`,
		`{"data":[{"url":"a","user":"w"},{"url":"b","user":"w","status":"Alive"},{"url":"c"}]}`,
	} {
		if d := cmp.Diff(want, pools(parsed(t, in))); d != "" {
			t.Error(d)
		}
	}
	id := identity(parsed(t, `{"model":"Antminer S19k Pro","mac":"02:00:00:00:00:01","version_firmware":"rel 3.14_584"}`))
	if id != (site.Identity{Make: "Antminer", Model: "S19k Pro", MAC: "02:00:00:00:00:01", Firmware: "rel 3.14_584"}) {
		t.Errorf("%+v", id)
	}
	for in, want := range map[string]error{
		`{"error":false,"msg":"success"}`: nil, `{"blinking":true}`: nil, `{"error":true,"msg":"busy"}`: driver.ErrRefused,
	} {
		if err := result(parsed(t, in), "x"); !errors.Is(err, want) {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{``, `<html>`, `{"error":fal`} {
		if _, err := parse([]byte(in)); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestVersion(t *testing.T) {
	for in, want := range map[string]string{
		`{"STATUS":[{"STATUS":"S"}],"VERSION":[{"BMMiner":"MaraFW rel 3.12_401","Type":"Antminer S19k Pro","Model":"Antminer S19k Pro"}]}`: "S19k Pro",
		`{"STATUS":[{"STATUS":"S","Description":"kaonsu-old-api 1.0.0"}],"VERSION":[{"Model":"Antminer S21"}]}`:                            "S21",
		`{"STATUS":[{"STATUS":"S"}],"VERSION":[{"BMMiner":"1.0.0","Type":"Antminer S21"}]}`:                                                "",
		`{"STATUS":[{"STATUS":"S"}],"VERSION":[{"Miner":"uart_trans.1.3","CompileTime":"Fri Nov 17","Type":"Antminer S19 XP"}]}`:           "",
		`{}`: "",
	} {
		r, err := rpc.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		id, err := version(r, "h")
		if id.Model != want || (want == "") != errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("%s: %+v, %v", in, id, err)
		}
	}
}

// TestRestful: the newest change into sleep counts, and only changes of the mode do.
func TestRestful(t *testing.T) {
	for in, want := range map[string]string{
		`[{"1":[{"type":"update","path":["Mode","WorkModeSelector"],"from":"Auto","to":"Sleep"}]},
		  {"2":[{"type":"update","path":["Mode","WorkModeSelector"],"from":"Sleep","to":"Stock"}]},
		  {"3":[{"type":"update","path":["Mode","Concorde"],"from":"Auto","to":"Sleep"}]}]`: "Auto",
		`[{"1":[{"path":["Mode","WorkModeSelector"],"from":"Auto","to":"Sleep"},{"path":["Mode","WorkModeSelector"],"from":"Fixed","to":"Sleep"}]}]`: "Fixed",
		`[{"1":[{"path":["Mode","WorkModeSelector"],"from":"Sleep","to":"Sleep"}]}]`:                                                                 "",
		`[]`: "", `{}`: "", `[{"1":null},{"2":[7]}]`: "",
	} {
		if got := restful(parsed(t, in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestConfKeeps: what is posted is what was read, but for what was meant.
func TestConfKeeps(t *testing.T) {
	const in = `{"mode":{"work-mode-selector":"Stock","fixed":{"frequency":"500.00"},"concorde":{"mode-select":"Hashrate","power-target":3500,"hash-target":100}},"other":[1.50]}`
	c, err := parseConf([]byte(in))
	if err != nil || c.work() != workStock || !c.tunes() || c.target().OK {
		t.Fatalf("%v, %v", c, err)
	}
	next, err := c.with(workAuto, site.Some(unit.Watts(3000.9)))
	if err != nil || next.work() != workAuto || next.target() != site.Some(3*unit.Kilowatt) || c.work() != workStock {
		t.Fatalf("%v, %v", next, err)
	}
	if f, o := string(next.sub("mode")["fixed"]), string(next["other"]); f != `{"frequency":"500.00"}` || o != `[1.50]` {
		t.Errorf("%s %s", f, o)
	}
	if next, err = next.with(workSleep, site.Opt[unit.Power]{}); err != nil || next.target().OK || !next.tuned().OK {
		t.Errorf("%v, %v", next, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"status":"Mining","hashrate_realtime":100,"hashrate_unit":"TH/s","power_consumption_estimated":1946,"elapsed":661101}`))
	f.Add([]byte(`{"data":{"hashboards":[{"hashrate_average":1,"temperature_pcb":{"inlet":45},"asic_num":1,"asic_num_ideal":2}],"fans":[{"rpm":1}]}}`))
	f.Add([]byte(`[{"1":[{"path":["Mode","WorkModeSelector"],"from":"Auto","to":"Sleep"}],"url":"a","status":"Alive"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parse(data)
		if err != nil {
			return
		}
		var s site.Sample
		fillBrief(&s, o)
		b, _ := boards(o)
		_, _ = identity(o), restful(o)
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && s.Hashrate.V < 0 || s.Uptime.OK && s.Uptime.V <= 0 {
			t.Fatalf("%+v", s)
		}
		if len(b) > most || len(fans(o)) > most || len(pools(o)) > most {
			t.Fatal("more than is believed")
		}
	})
}

func FuzzConf(f *testing.F) {
	f.Add([]byte(`{"mode":{"work-mode-selector":"Auto","concorde":{"mode-select":"PowerTarget","power-target":3500}},"pools":[]}`))
	f.Add([]byte(`{"mode":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConf(data)
		if err != nil {
			return
		}
		_ = c.withPools([]driver.Pool{{URL: "u"}})
		next, err := c.with(workAuto, site.Some(3*unit.Kilowatt))
		if err == nil && (next.work() != workAuto || next.target() != site.Some(3*unit.Kilowatt)) {
			t.Fatalf("%v", next)
		}
	})
}
