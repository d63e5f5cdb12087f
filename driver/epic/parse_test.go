package epic

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

func mega(mh float64) site.Opt[unit.Hashrate] {
	return site.Some(unit.Hashrate(mh) * unit.MegaHash)
}

// running is a summary of a miner with one board switched off, in the description's form.
const running = `{"Status":{"Operating State":"Mining","Last Command":"autostart","Last Command Result":null,"Last Error":null},
"Hostname":"m1","PresetInfo":{"Target Power":0},"Software":"PowerPlay-BM v1.22.5","Mining":{"Coin":"BTC","Algorithm":"SHA-256"},
"Stratum":{"Config Id":1,"Current Pool":"stratum+tcp://b.example:3","Current User":"a.1","IsPoolConnected":true,"Worker Unique Id":false},
"Session":{"Uptime":23170,"Average MHs":81000000.5},
"HBs":[{"Index":1,"Temperature":52,"Core Clock":[490.0],"Hashrate":[40000000.5,99.1,1.0]},{"Index":2,"Temperature":"54.5","Hashrate":[41000000.0,99.4,1.0]}],
"HBStatus":[{"Index":0,"Enabled":false,"Detected":true},{"Index":1,"Enabled":true,"Detected":true},{"Index":2,"Enabled":true,"Detected":true},{"Index":3,"Enabled":false,"Detected":false}],
"Fans Rpm":{"Fans Speed 1":4560,"Fans Speed 2":4500,"Fans Speed 4":0},"Misc":{"Locate Miner State":false},
"StratumConfigs":[{"pool":"stratum+tcp://a.example:3","login":"a.1","password":"x"},{"pool":"stratum+tcp://b.example:3","login":"a.1","password":"x"}],
"PerpetualTune":{"Running":true,"Algorithm":{"Power":{"Optimized":true,"Target":2200,"Throttle Target":null,"Unit":"W"}}},
"Power Supply Stats":{"Input Power":2166.6,"Output Power":2050.1}}`

func TestFill(t *testing.T) {
	var s site.Sample
	chips := parseChips(parsed(t, `[{"Index":1,"Data":[61.5,66.0,0],"Total":0},{"Index":2,"Data":[]},{"Index":99,"Data":[70]}]`))
	fill(&s, parsed(t, running), chips)
	want := site.Sample{
		State: site.StateHashing, Power: site.Some(unit.Watts(2166.6)), Target: site.Some(2200 * unit.Watt),
		Hashrate: mega(81000000.5), Uptime: site.Some(23170 * time.Second), Fans: []int{4560, 4500, 0},
		Boards: []site.Board{
			{},
			{Hashrate: mega(40000000.5), PCBTemp: site.Some(52.0), ChipTemp: site.Some(66.0), Working: true},
			{Hashrate: mega(41000000), PCBTemp: site.Some(54.5), Working: true},
		},
		Pools: []site.Pool{{URL: "stratum+tcp://a.example:3", Worker: "a.1"}, {URL: "stratum+tcp://b.example:3", Worker: "a.1", Active: true}},
	}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		status string
		h      site.Opt[unit.Hashrate]
		want   site.State
	}{
		{`{"Operating State":"Mining"}`, mega(1e8), site.StateHashing},
		{`{"Operating State":"Mining"}`, mega(0), site.StateStarting},
		{`{"Operating State":"AdjustingClockVoltage"}`, mega(5e7), site.StateHashing},
		{`{"Operating State":"PreInitCooldown"}`, mega(0), site.StateStarting},
		{`{"Operating State":"Idling","Last Command":"stop"}`, site.Opt[unit.Hashrate]{}, site.StateSleeping},
		{`{"Operating State":"Idling","Last Command":"stop","Last Error":"NoSolutions"}`, site.Opt[unit.Hashrate]{}, site.StateSleeping},
		{`{"Operating State":"Idling","Last Command":"autostart","Last Error":{"Chainbreak":[0]}}`, site.Opt[unit.Hashrate]{}, site.StateFault},
		{`{"Operating State":"Idling","Last Command":null,"Last Error":null}`, site.Opt[unit.Hashrate]{}, site.StateSleeping},
		{`{"Operating State":"Stopping"}`, mega(1e8), site.StateHashing},
		{`{"Operating State":"Stopping"}`, mega(0), site.StateSleeping},
		{`{"Operating State":"Something"}`, site.Opt[unit.Hashrate]{}, site.StateUnknown},
		{`{}`, site.Opt[unit.Hashrate]{}, site.StateUnknown},
	} {
		if got := state(parsed(t, c.status), c.h); got != c.want {
			t.Errorf("%s with %v: %v, want %v", c.status, c.h, got, c.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for in, want := range map[string]string{
		`{"e":"NoTempSensors"}`: "NoTempSensors", `{"e":{"Chainbreak":[0,2]}}`: "Chainbreak 0 2", `{"e":null}`: "",
		`{"e":{"HashboardInitError":[[1,"no chips"]]}}`: "HashboardInitError 1 no chips", `{"e":{"PsuError":"gone"}}`: "PsuError gone", `{"e":{}}`: "",
	} {
		v, _ := parsed(t, in).Get("e")
		if got := describe(v); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestParseAble(t *testing.T) {
	a, err := parseAble(parsed(t, `{"Model":"Antminer S19J Pro","Control Board Version":{"cpuSerial":"c1"},
		"PerpetualTune":[{"algorithm":"ChipTune","min":10,"max":150},{"algorithm":"PowerTune","min":1100,"max":3900}]}`))
	want := able{
		identity: site.Identity{Make: "Antminer", Model: "S19J Pro", Serial: "c1"}, algo: "PowerTune",
		watts: site.Some(site.Range{Min: 1100 * unit.Watt, Max: 3900 * unit.Watt}),
	}
	if err != nil || a != want {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := parseAble(parsed(t, `{"Model":"SC200","PerpetualTune":[{"algorithm":"Power","min":5,"max":1}]}`)); err != nil || a.watts.OK || a.identity.Make != "ePIC" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := parseAble(parsed(t, `{}`)); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("no model: %v", err)
	}
}

// TestLevel: a target in force is not posted again, and full work only ever raises a miner
// that tunes to a power.
func TestLevel(t *testing.T) {
	w := func(w float64) site.Opt[unit.Power] { return site.Some(unit.Watts(w)) }
	none := site.Opt[unit.Power]{}
	for _, c := range []struct {
		now, target site.Opt[unit.Power]
		toPower     bool
		want        float64
		err         bool
	}{
		{w(2000), w(1500.7), true, 1500, false},
		{w(1500), w(1500.7), true, 0, false},
		{w(2000), w(900), true, 0, true},
		{w(2000), w(9000), true, 3600, false},
		{w(2000), none, true, 3250, false},
		{w(3400), none, true, 0, false},
		{none, none, false, 0, false},
		{none, w(2000), false, 2000, false},
	} {
		d := &device{target: c.now, tunesPower: site.Some(c.toPower), able: &able{
			identity: site.Identity{Model: "S19"}, algo: "Power", watts: site.Some(site.Range{Min: unit.Kilowatt, Max: 3600 * unit.Watt}),
		}}
		got, err := d.level(c.target)
		if got != unit.Watts(c.want) || (err != nil) != c.err {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// TestOtherVersions reads summaries of versions of which none is at hand.
func TestOtherVersions(t *testing.T) {
	for _, c := range []struct {
		name, summary string
		want          site.Sample
	}{
		{
			"the first: no boards' rates, no fans' speeds, no watts", `{"Status":{"Operating State":"Mining","Last Command":"autostart","Last Error":null},"Session":{"Uptime":60,"Average MHs":90000000},
			"HBs":[{"Index":0,"Temperature":60,"Core Clock":[490]}],"Fans":{"Fans Speed":70},"Stratum":{"Current Pool":"a","IsPoolConnected":true}}`,
			site.Sample{State: site.StateHashing, Hashrate: mega(90000000), Uptime: time60(), Boards: []site.Board{{PCBTemp: site.Some(60.0)}}},
		},
		{
			"its mean counts only while it mines", `{"Status":{"Operating State":"Idling","Last Command":"stop","Last Error":null},"Session":{"Uptime":60,"Average MHs":90000000},"HBs":null}`,
			site.Sample{State: site.StateSleeping, Uptime: time60()},
		},
		{
			"0 W while it hashes", `{"Status":{"Operating State":"Mining","Last Error":null},"HBs":[{"Index":0,"Hashrate":[90000000]}],"Power Supply Stats":{"Input Power":0,"Output Power":0}}`,
			site.Sample{State: site.StateHashing, Hashrate: mega(90000000), Boards: []site.Board{{Hashrate: mega(90000000), Working: true}}},
		},
		{
			"a supply that tells nothing, and text for numbers", `{"Status":{"Operating State":"Mining","Last Error":null},"HBs":[{"Index":"0","Hashrate":["90000000","99"],"Temperature":"-1"}],
			"Fans Rpm":{"Fans Speed 1":"4560","Fans Speed 2":-3,"Fans Speed 3":1e9,"Fans Speed 4":4500.4},"Power Supply Stats":null,"PerpetualTune":{"Running":true,"Algorithm":{"VoltageOptimizer":{"Target":100,"Unit":"TH"}}}}`,
			site.Sample{State: site.StateHashing, Hashrate: mega(90000000), Fans: []int{4560, 4500}, Boards: []site.Board{{Hashrate: mega(90000000), PCBTemp: site.Opt[float64]{}, Working: true}}},
		},
		{
			"nonsense is unknown", `{"Status":{"Operating State":"Mining","Last Error":""},"Session":{"Uptime":-1,"Average MHs":nan},"HBs":[{"Index":0,"Hashrate":[nan],"Temperature":999},{"Index":-1},{"Index":99}]}`,
			site.Sample{State: site.StateHashing, Boards: []site.Board{{}}},
		},
	} {
		var s site.Sample
		fill(&s, parsed(t, c.summary), nil)
		if d := cmp.Diff(c.want, s); d != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, d)
		}
	}
	a, err := parseAble(parsed(t, `{"Model":"Antminer S21 Pro","Miner Serial Number":"SM1","Control Board Version":{"cpuSerial":"c1"}}`))
	if want := (site.Identity{Make: "Antminer", Model: "S21 Pro", Serial: "SM1"}); err != nil || a.identity != want {
		t.Errorf("%+v, %v", a.identity, err)
	}
}

func time60() site.Opt[time.Duration] { return site.Some(time.Minute) }

func FuzzParse(f *testing.F) {
	f.Add([]byte(running))
	f.Add([]byte(`[{"Index":1,"Data":[61.5,66.0,0]}]`))
	f.Add([]byte(`{"Model":"Antminer S19","PerpetualTune":[{"algorithm":"Power","min":1100,"max":3900}]}`))
	f.Add([]byte(`{"result":false,"error":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = result(data, "/x")
		o, err := parse(data)
		if err != nil {
			return
		}
		a, _ := parseAble(o)
		if a.watts.OK && (a.watts.V.Min <= 0 || a.watts.V.Max < a.watts.V.Min) {
			t.Fatalf("%+v", a)
		}
		var s site.Sample
		fill(&s, o, parseChips(o))
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && s.Hashrate.V < 0 || len(s.Boards) > most || len(s.Pools) > most {
			t.Fatalf("%+v", s)
		}
	})
}
