package bitaxe

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// near lets figures differ by rounding.
var near = cmp.Comparer(func(a, b unit.Hashrate) bool { return math.Abs(float64(a-b)) <= 1e-9*math.Abs(float64(b)) })

func read(t *testing.T, body string) site.Sample {
	t.Helper()
	o, err := parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return sample(o, "")
}

// The expectations were written down from reading the file.
func TestFixture(t *testing.T) {
	body, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "fixtures", "miners", "bitaxe-v2_0_0", "system_info.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("../shared/fixtures/miners is missing")
	}
	if err != nil {
		t.Fatal(err)
	}
	want := site.Sample{
		Identity: site.Identity{Make: "Bitaxe", Model: "Supra", Firmware: "v2.4.5-3-gb5d1e36-dirty", MAC: "AA:BB:CC:DD:EE:FF"},
		State:    site.StateHashing, Power: site.Some(2650 * unit.Milliwatt), Hashrate: site.Some(unit.TeraHash), Uptime: site.Some(4 * time.Second),
		Boards: []site.Board{{Hashrate: site.Some(unit.TeraHash), ChipTemp: site.Some(59.875), PCBTemp: site.Some(78.0), Chips: site.Some(1), Working: true}},
		Fans:   []int{3517}, Profile: "490 MHz, 1166 mV",
		Pools: []site.Pool{
			{URL: "stratum+tcp://btc.example.pool:3333", Worker: "asic-rs.test", Active: true},
			{URL: "stratum+tcp://btc2.example.pool:3333", Worker: "asic-rs.test"},
		},
	}
	if d := cmp.Diff(want, read(t, string(body)), near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestNerdQAxe: another firmware's keys, with a figure as text and a light fallback.
func TestNerdQAxe(t *testing.T) {
	got := read(t, `{"asicCount":4,"deviceModel":"NerdQAxe++","macAddr":"24:EC:4A:00:00:01","power":"76.5","maxPower":130,"temp":61.5,"vrTemp":70,
		"hashRate":4801.25,"hashRate_1h":4790,"coreVoltage":1150,"frequency":600,"fanrpm":3100,"uptimeSeconds":3600,"ASICModel":"BM1370","version":"v1.0.30",
		"stratumURL":"stratum+ssl://pool.example","stratumUser":"w","fallbackStratumURL":"two.example","fallbackStratumPort":443,
		"fallbackStratumTLS":true,"fallbackStratumUser":"w2","isUsingFallbackStratum":true}`)
	want := site.Sample{
		Identity: site.Identity{Make: "NerdQAxe", Model: "NerdQAxe++", Firmware: "v1.0.30", MAC: "24:EC:4A:00:00:01"},
		State:    site.StateHashing, Power: site.Some(76500 * unit.Milliwatt), Hashrate: site.Some(4801.25 * unit.GigaHash), Uptime: site.Some(time.Hour),
		Boards: []site.Board{{Hashrate: site.Some(4801.25 * unit.GigaHash), ChipTemp: site.Some(61.5), PCBTemp: site.Some(70.0), Chips: site.Some(4), Working: true}},
		Fans:   []int{3100}, Profile: "600 MHz, 1150 mV",
		Pools: []site.Pool{{URL: "stratum+ssl://pool.example", Worker: "w"}, {URL: "stratum+ssl://two.example:443", Worker: "w2", Active: true}},
	}
	if d := cmp.Diff(want, got, near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestStates(t *testing.T) {
	for body, want := range map[string]site.State{
		`{"miningPaused":true,"hashRate":0,"power":3}`:              site.StateSleeping,
		`{"miningPaused":true,"hashRate":1200,"power":3}`:           site.StateSleeping, // its mean is an old one
		`{"miningPaused":true,"hashRate":1200,"power":17}`:          site.StateHashing,  // its word is no confirmation
		`{"miningPaused":true}`:                                     site.StateSleeping,
		`{"miningPaused":false,"hashRate":0,"power":12}`:            site.StateStarting,
		`{"miningPaused":false,"hashRate":0,"power_fault":"VCORE"}`: site.StateFault,
		`{"hashRate":0,"overheat_mode":1}`:                          site.StateFault,
		`{"hashRate":1200,"power":4,"overheat_mode":1}`:             site.StateFault, // stopped by heat: its mean is an old one
		`{"hashRate":1200,"power":17,"overheat_mode":1}`:            site.StateHashing,
		`{"hashRate":700,"power":2.65}`:                             site.StateHashing, // a wattmeter that is wrong
		`{"hashRate":500,"overheat_mode":0,"power_fault":""}`:       site.StateHashing,
		`{"power":10}`:            site.StateUnknown,
		`{"hashRate":"nonsense"}`: site.StateUnknown,
		`{"hashRate":-1}`:         site.StateUnknown,
	} {
		if got := read(t, body).State; got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	bare := read(t, `{"ASICModel":"BM1370","hashRate":0,"power":0,"temp":-1,"vrTemp":0,"fanrpm":-1}`)
	if bare.Power.OK || len(bare.Fans) != 0 || len(bare.Boards) != 1 || bare.Boards[0].ChipTemp.OK || bare.Boards[0].PCBTemp.OK || bare.Profile != "" {
		t.Errorf("%+v", bare)
	}
}

func TestPoolSettings(t *testing.T) {
	got, err := poolSettings([]driver.Pool{{URL: "stratum+ssl://a.example:443", Worker: "w", Password: "x"}})
	want := map[string]any{
		"stratumURL": "a.example", "stratumPort": 443, "stratumUser": "w", "stratumPassword": "x", "stratumTLS": 1,
		"fallbackStratumURL": "a.example", "fallbackStratumPort": 443, "fallbackStratumUser": "w", "fallbackStratumPassword": "x", "fallbackStratumTLS": 1,
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, d)
	}
	pool := driver.Pool{URL: "a.example:3333", Worker: "w"}
	for name, pools := range map[string][]driver.Pool{
		"none": nil, "three": {pool, pool, pool}, "no port": {{URL: "stratum+tcp://a.example"}}, "v2": {{URL: "stratum2+tcp://a.example:3333"}},
		"port 0": {{URL: "a.example:0"}}, "noise": {{URL: "\x00"}},
	} {
		if _, err := poolSettings(pools); !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parse([]byte(`{"deviceModel":"Ultra","defaultVoltage":1200,"frequencyOptions":[400,"485",0,1.5,null],"voltageOptions":[1100,1200]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := parseOptions(o).profiles()
	want := []site.Profile{{Name: "400 MHz, 1200 mV"}, {Name: "485 MHz, 1200 mV"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestOtherVersions reads replies of versions of which none is recorded here.
func TestOtherVersions(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want site.Sample
	}{
		"a board without a wattmeter or a sensor": {
			`{"ASICModel":"BM1397","power":0,"temp":-1,"vrTemp":0,"hashRate":"401.5","fanrpm":0,"version":"v2.0.3","boardVersion":"102"}`,
			site.Sample{
				Identity: site.Identity{Make: "Bitaxe", Model: "Max", Firmware: "v2.0.3"}, State: site.StateHashing, Hashrate: site.Some(401.5 * unit.GigaHash), Fans: []int{0},
				Boards: []site.Board{{Hashrate: site.Some(401.5 * unit.GigaHash), Working: true}},
			},
		},
		"fractions and a second fan": {
			`{"ASICModel":"BM1370","boardVersion":"801","power":36.25,"temp":60.5,"temp2":62.25,"hashRate":2150.75,"fanrpm":4100.6,"fan2rpm":"4050","asicCount":2,"uptimeSeconds":"60"}`,
			site.Sample{
				Identity: site.Identity{Make: "Bitaxe", Model: "GammaTurbo"}, State: site.StateHashing, Power: site.Some(36250 * unit.Milliwatt), Hashrate: site.Some(2150.75 * unit.GigaHash),
				Fans: []int{4101, 4050}, Uptime: site.Some(time.Minute),
				Boards: []site.Board{{Hashrate: site.Some(2150.75 * unit.GigaHash), ChipTemp: site.Some(62.25), Chips: site.Some(2), Working: true}},
			},
		},
		"nonsense is unknown": {
			`{"ASICModel":"BM1370","power":-3,"temp":null,"hashRate":nan,"hashRate_1m":-1,"fanrpm":-1,"asicCount":-4,"uptimeSeconds":-1}`,
			site.Sample{Identity: site.Identity{Make: "Bitaxe", Model: "BM1370"}},
		},
	} {
		if d := cmp.Diff(c.want, read(t, c.body), near); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"ASICModel":"BM1370","hashRate":1200.5,"power":17.2,"miningPaused":false,"frequency":525,"coreVoltage":1150,"stratumURL":"a","stratumPort":1}`))
	f.Add([]byte(`{"frequencyOptions":[400,485],"defaultVoltage":1200,"deviceModel":"Ultra"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parse(body)
		if err != nil {
			return
		}
		s := sample(o, "")
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && !(s.Hashrate.V >= 0) || len(s.Pools) > 2 || len(s.Fans) > 2 {
			t.Fatalf("%+v", s)
		}
		if json.Valid(body) && isInfo(o) && s.Identity.Model == "" {
			t.Fatal("it is one, and has no model")
		}
		if len(parseOptions(o).profiles()) > maxOptions {
			t.Fatal("too many profiles")
		}
	})
}
