package vnish

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// tera is that many TH/s.
func tera(th float64) site.Opt[unit.Hashrate] {
	return site.Some(unit.Hashrate(th) * unit.TeraHash)
}

func parsedObject(t testing.TB, s string) rpc.Object {
	t.Helper()
	r, err := rpc.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return r.Object
}

// early is a summary in the form of 1.2's first versions: sensors one by one, a fee pool,
// power_usage in watts, no wattmeter's word.
const early = `{"system":{"uptime":" 1:00"},"miner":{"miner_status":{"miner_state":"mining","miner_state_time":3564},
"miner_type":"Antminer S19j Pro (Vnish 1.2.0-rc3)","average_hashrate":54.5,"instant_hashrate":54.4,"hr_realtime":54000.5,"hr_average":54500.0,
"power_consumption":2631,"power_usage":2631,"pools":[
{"id":0,"url":"pool.example:3333","pool_type":"UserPool","user":"a.1","status":"active"},
{"id":1,"url":"stratum+ssl://pool2.example:443","pool_type":"UserPool","user":"a.1","status":"working"},
{"id":3,"url":"DevFee","pool_type":"DevFee","user":"DevFee","status":"offline"}],
"cooling":{"fan_num":2,"fans":[{"id":0,"rpm":5820},{"id":1,"rpm":0,"status":"lost"}],"fan_duty":100},
"chains":[{"id":1,"hashrate_rt":"27000.5","pcb_temp_sens":[{"status":"measure","temp":37},{"status":"measure","temp":50}],
"chip_temp":{"min":51,"max":65},"chip_statuses":{"red":1,"orange":2,"grey":123},"status":{"state":"mining"}},
{"id":2,"hashrate_rt":0,"pcb_temp":{"min":0,"max":0},"status":{"state":"failure","description":"Chain break"}}]}}`

func TestFill(t *testing.T) {
	miner := parsedObject(t, early).Object("miner")
	var s site.Sample
	fill(&s, miner, miner.Object("miner_status"), unit.GigaHash)
	want := site.Sample{
		State: site.StateHashing, Power: site.Some(2631 * unit.Watt), Hashrate: tera(54.0005), Uptime: site.Some(3564 * time.Second),
		Boards: []site.Board{
			{Hashrate: tera(27.0005), ChipTemp: site.Some(65.0), PCBTemp: site.Some(50.0), Chips: site.Some(126), Working: true},
			{Hashrate: tera(0)},
		},
		Fans: []int{5820, 0},
		Pools: []site.Pool{
			{URL: "stratum+tcp://pool.example:3333", Worker: "a.1", Active: true},
			{URL: "stratum+ssl://pool2.example:443", Worker: "a.1"},
		},
		Faults: []string{"board 2 failure: Chain break", "fan 2 lost"},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func TestStates(t *testing.T) {
	none, zero := site.Opt[unit.Hashrate]{}, tera(0)
	for _, c := range []struct {
		word string
		h    site.Opt[unit.Hashrate]
		want site.State
	}{
		{"mining", tera(90), site.StateHashing},
		{"mining", zero, site.StateStarting},
		{"mining", none, site.StateHashing},
		{"auto-tuning", tera(40), site.StateHashing},
		{"auto-tuning", zero, site.StateStarting},
		{"initializing", zero, site.StateStarting},
		{"restarting", none, site.StateStarting},
		{"stopped", zero, site.StateSleeping},
		{"stopped", none, site.StateSleeping},
		{"paused", zero, site.StateSleeping},
		{"stopped", tera(90), site.StateHashing},
		{"shutting-down", tera(3), site.StateHashing},
		{"failure", tera(1), site.StateFault},
		{"failure", none, site.StateFault},
		{"", none, site.StateUnknown},
		{"something new", zero, site.StateUnknown},
		{"something new", tera(1), site.StateHashing},
	} {
		if got := state(c.word, c.h); got != c.want {
			t.Errorf("%q with %v: %v, want %v", c.word, c.h, got, c.want)
		}
	}
}

func TestParseInfo(t *testing.T) {
	const head = `{"miner":"Antminer S19 XP","fw_name":"Vnish","fw_version":"1.2.6","serial":"N/A","system":{"network_status":{"mac":"02:00:00:00:00:01"}}`
	id := site.Identity{Make: "Antminer", Model: "S19 XP", Firmware: "Vnish 1.2.6", MAC: "02:00:00:00:00:01"}
	for tail, scale := range map[string]unit.Hashrate{
		`,"hr_measure":"GH/s"}`: unit.GigaHash, `,"hr_measure":"MH/s","algorithm":"scrypt"}`: unit.MegaHash,
		`,"hr_measure":"N/A","algorithm":"sha256d"}`: unit.GigaHash, `,"algorithm":"scrypt"}`: 0,
		`}`: unit.GigaHash, // by its model
	} {
		w, err := parseInfo(parsedObject(t, head+tail))
		if d := cmp.Diff(id, w.identity); err != nil || d != "" || w.scale != scale {
			t.Errorf("%s: %v, scale %v\n%s", tail, err, w.scale, d)
		}
	}
	if _, err := parseInfo(parsedObject(t, `{"fw_version":"1.2.6"}`)); err == nil {
		t.Error("no miner, and no error")
	}
}

func TestPresets(t *testing.T) {
	const list = `[{"name":"disabled","pretty":"Disabled","status":"untuned","modded_psu_required":false},
{"name":"1100","pretty":"1100 watt ~ 53 TH","status":"untuned"},{"name":"3200","pretty":"3200 watt ~ 102 TH","status":"tuned"},
{"name":"2350","pretty":"2350 watt ~ 85 TH","status":"tuned"},{"name":"eco","pretty":"1900 watt ~ 73.5 TH","status":"tuned"},
{"name":"4690","pretty":"4690 watt ~ 124 TH","status":"tuned","modded_psu_required":true}]`
	for _, body := range []string{list, `{"presets":` + list + `}`} {
		all, err := parsePresets([]byte(body))
		if err != nil || len(all) != 6 {
			t.Fatalf("%v, %+v", err, all)
		}
		d := &device{presets: all}
		want := []unit.Power{1900 * unit.Watt, 2350 * unit.Watt, 3200 * unit.Watt}
		if diff := cmp.Diff(want, d.levels()); diff != "" {
			t.Error(diff)
		}
		p := all[4].profile()
		if p.Name != "eco" || p.Power != site.Some(1900*unit.Watt) || p.Hashrate != tera(73.5) {
			t.Errorf("%+v", p)
		}
		if p := all[0].profile(); p.Power.OK || p.Hashrate.OK {
			t.Errorf("%+v", p)
		}
	}
	for _, body := range []string{"", "{}", "null", "[", `[{"name":"1"}`} {
		if _, err := parsePresets([]byte(body)); err == nil {
			t.Errorf("%q: no error", body)
		}
	}
}

// TestLevel: a target is rounded down, and full work only ever raises a miner.
func TestLevel(t *testing.T) {
	at := func(w float64) site.Opt[unit.Power] { return site.Some(unit.Watts(w)) }
	presets := []preset{
		{name: "1900", watts: 1900 * unit.Watt, tuned: true},
		{name: "2950", watts: 2950 * unit.Watt, tuned: true},
		{name: "3000", watts: 3000 * unit.Watt},
		{name: "4000", watts: 4000 * unit.Watt, tuned: true},
	}
	for _, c := range []struct {
		model, now string
		target     site.Opt[unit.Power]
		want       float64
		err        bool
	}{
		{"S19", "1900", at(2949), 1900, false},
		{"S19", "1900", at(3100), 2950, false},
		{"S19", "1900", at(1800), 0, true},
		{"S19", "1900", site.Opt[unit.Power]{}, 2950, false}, // nameplate is 3,250 W
		{"S19", "4000", site.Opt[unit.Power]{}, 0, false},
		{"S19", "disabled", site.Opt[unit.Power]{}, 0, false},
		{"unheard of", "1900", site.Opt[unit.Power]{}, 4000, false},
	} {
		d := &device{presets: presets, who: info{identity: site.Identity{Model: c.model}}, preset: site.Some(c.now)}
		got, err := d.level(c.target)
		if got != unit.Watts(c.want) || (err != nil) != c.err {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// TestOtherVersions reads replies of versions of which none is recorded here.
func TestOtherVersions(t *testing.T) {
	for _, c := range []struct {
		name, miner string
		want        site.Sample
	}{
		{
			"1.0: watts under power_usage, figures as text", `{"hr_realtime":"95000.5","power_usage":"3150","cooling":{"fans":[{"rpm":"5000"},{"rpm":4999.6},{"rpm":-1},{"rpm":1e9}]},"pools":null,"chains":null}`,
			site.Sample{State: site.StateHashing, Hashrate: tera(95.0005), Power: site.Some(3150 * unit.Watt), Fans: []int{5000, 5000}},
		},
		{"1.2: J/TH under power_usage", `{"hr_realtime":95000,"power_usage":31}`, site.Sample{State: site.StateHashing, Hashrate: tera(95)}},
		{"0 W while it hashes", `{"hr_realtime":95000,"power_consumption":0,"power_usage":3150}`, site.Sample{State: site.StateHashing, Hashrate: tera(95)}},
		{
			"in water: no fans, the inlet's temperature", `{"hr_realtime":160000,"power_consumption":5400,"cooling":{"fan_num":0,"fans":[]},"chains":[
			{"id":1,"hashrate_rt":80000,"inlet_water_temp":31,"outlet_water_temp":44,"pcb_temp":{"min":0,"max":0},"chip_temp":{"min":38,"max":61}},
			{"id":2,"hashrate_rt":80000,"inlet_water_temp":30,"outlet_water_temp":44,"chip_temp":{"min":38,"max":60}}]}`,
			site.Sample{
				State: site.StateHashing, Hashrate: tera(160), Power: site.Some(5400 * unit.Watt), Intake: site.Some(30.0),
				Boards: []site.Board{{Hashrate: tera(80), ChipTemp: site.Some(61.0), Working: true}, {Hashrate: tera(80), ChipTemp: site.Some(60.0), Working: true}},
			},
		},
		{
			"nonsense is unknown", `{"hr_realtime":nan,"power_consumption":-5,"cooling":null,"chains":[{"hashrate_rt":-1,"chip_temp":{"max":999},"pcb_temp":null}]}`,
			site.Sample{State: site.StateHashing, Boards: []site.Board{{}}},
		},
	} {
		var s site.Sample
		fill(&s, parsedObject(t, c.miner), parsedObject(t, `{"miner_state":"mining"}`), unit.GigaHash)
		if d := cmp.Diff(c.want, s); d != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(early))
	f.Add([]byte(`[{"name":"1100","pretty":"1100 watt ~ 53 TH","status":"tuned"}]`))
	f.Add([]byte(`{"miner":"Antminer S19","fw_version":"1","hr_measure":"GH/s"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parsePresets(data)
		for _, p := range all {
			if err != nil || p.name == "" || p.watts < 0 || p.watts > 100*unit.Kilowatt {
				t.Fatalf("%+v, %v", p, err)
			}
			_ = p.profile()
		}
		r, err := rpc.Parse(data)
		if err != nil {
			return
		}
		_, _ = parseInfo(r.Object)
		var s site.Sample
		miner := r.Object.Object("miner")
		fill(&s, miner, miner.Object("miner_status"), unit.GigaHash)
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && s.Hashrate.V < 0 || len(s.Boards) > most || len(s.Pools) > most {
			t.Fatalf("%+v", s)
		}
	})
}
