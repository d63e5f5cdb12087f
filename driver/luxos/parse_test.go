package luxos

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// fixtures reads captured replies, which a user's checkout does not have.
func fixtures(t *testing.T, names ...string) map[string]rpc.Reply {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "miners", "luxminer-v1")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/fixtures/miners is missing")
	}
	parts := map[string]rpc.Reply{}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := rpc.Parse(data)
		if err != nil || r.Truncated {
			t.Fatalf("%s: %v, truncated %v", name, err, r.Truncated)
		}
		parts[name] = r
	}
	return parts
}

// The expectations were written down from reading the files.
func TestFixtures(t *testing.T) {
	parts := fixtures(t, "summary", "config", "power", "devs", "temps", "fans", "stats", "pools", "events", "profiles", "version")
	h, told := parseHot(parts)
	want := hot{rate: site.Some(59756.06 * unit.GigaHash), power: site.Some(1051 * unit.Watt), uptime: site.Some(3453 * time.Second)}
	if !told || h != want {
		t.Errorf("%+v, want %+v", h, want)
	}
	c, ok := parseConfig(parts["config"])
	wantConfig := config{
		identity: site.Identity{
			Make: "Antminer", Model: "S19k Pro", Firmware: "LuxOS 2025.4.8.220305-57b389c7", Serial: "JYZZB0UBDJABF06RB", MAC: "62:f7:5e:b7:10:46",
		},
		asleep: site.Some(false), supply: site.Some(true), atm: site.Some(true), tuning: true, profile: "290MHz", system: "Normal",
	}
	if d := cmp.Diff(wantConfig, c, cmp.AllowUnexported(config{})); !ok || d != "" {
		t.Error(d)
	}
	boards := []site.Board{
		{Hashrate: site.Some(19773825.71692016 * unit.MegaHash), PCBTemp: site.Some(47.0), Chips: site.Some(77), Working: true},
		{Hashrate: site.Some(19230588.7466751 * unit.MegaHash), PCBTemp: site.Some(47.0), Chips: site.Some(77), Working: true},
		{Hashrate: site.Some(20751652.263361264 * unit.MegaHash), PCBTemp: site.Some(47.0), Chips: site.Some(77), Working: true},
	}
	if d := cmp.Diff(boards, parseBoards(parts)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{1920, 1920, 2340, 2340}, parseFans(parts["fans"])); d != "" {
		t.Error(d)
	}
	var pools []site.Pool
	for _, p := range parsePools(parts["pools"]) {
		pools = append(pools, p.Pool)
	}
	wantPools := []site.Pool{
		{URL: "stratum+tcp://ca.stratum.braiins.com:3333", Worker: "asic-rs.user1", Active: true},
		{URL: "stratum+tcp://stratum.braiins.com:3333", Worker: "asic-rs.user1"},
		{URL: "stratum+tcp://ca.stratum.braiins.com:3333", Worker: "asic-rs.user2", Active: true},
		{URL: "stratum+tcp://stratum.braiins.com:3333", Worker: "asic-rs.user2"},
	}
	if d := cmp.Diff(wantPools, pools); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"NOPIC_PROTECTION", "REBOOT_NOT_HASHING board 0"}, parseEvents(parts["events"])); d != "" {
		t.Error(d)
	}
	points := parseProfiles(parts["profiles"])
	if len(points) != 25 || points[0] != (point{"190MHz", site.Some(784 * unit.Watt), site.Some(39.2 * unit.TeraHash)}) || points[16].name != "default" || points[16].power.V != 2794*unit.Watt {
		t.Errorf("%d profiles: %+v", len(points), points)
	}
}

func TestState(t *testing.T) {
	yes, no, none := site.Some(true), site.Some(false), site.Opt[bool]{}
	rate, zero, silent := site.Some(unit.TeraHash), site.Some(unit.Hashrate(0)), site.Opt[unit.Hashrate]{}
	now := time.Unix(1e9, 0)
	for i, c := range []struct {
		conf config
		rate site.Opt[unit.Hashrate]
		idle time.Duration
		want site.State
	}{
		{config{asleep: yes, supply: no}, rate, 0, site.StateSleeping}, // a mean that has not run out
		{config{asleep: yes, supply: yes}, zero, 0, site.StateSleeping},
		{config{asleep: yes, supply: yes}, rate, 0, site.StateHashing}, // its word is no confirmation
		{config{asleep: no, supply: yes}, rate, 0, site.StateHashing},
		{config{asleep: no, supply: yes}, zero, time.Minute, site.StateStarting},
		{config{asleep: no, supply: yes}, zero, time.Hour, site.StateFault},
		{config{asleep: no, supply: yes, tuning: true}, zero, time.Hour, site.StateStarting},
		{config{asleep: no, supply: no, system: "Overtemp"}, zero, 0, site.StateFault},
		{config{asleep: none, supply: no}, zero, 0, site.StateSleeping},
		{config{asleep: no, supply: yes}, silent, 0, site.StateUnknown},
	} {
		d := &device{idleAt: now.Add(-c.idle)}
		if got := d.state(c.conf, true, site.Sample{Hashrate: c.rate, At: now}); got != c.want {
			t.Errorf("case %d: %v, want %v", i, got, c.want)
		}
	}
	if got := (&device{}).state(config{}, false, site.Sample{Hashrate: rate}); got != site.StateUnknown {
		t.Errorf("no configuration: %v", got)
	}
}

// Firmwares that are not at hand write numbers as text, other cases, one object for a list.
func TestOtherFirmwares(t *testing.T) {
	parts := map[string]rpc.Reply{}
	for name, text := range map[string]string{
		"summary": `{"STATUS":{"status":"S"},"SUMMARY":{"elapsed":"17","MHS 5s":"inf","MHS 1m":"95000000.5"}}`,
		"power":   `{"STATUS":[{"STATUS":"S"}],"POWER":[{"Watts":"3210"}]}` + "\x00",
		"config":  `{"STATUS":[{"STATUS":"S"}],"CONFIG":[{"Model":"Antminer S19j Pro","CurtailMode":"sleep mode"}]}`,
		"devs":    `{"DEVS":[{"ID":0,"MHS 5s":31000000,"Status":"Dead"}]}`,
		"temps":   `{"TEMPS":[{"ID":0,"TEMP":0,"TopLeft":0,"ChipMax":"81.5","BottomLeft":55}]}`,
	} {
		r, err := rpc.Parse([]byte(text))
		if err != nil {
			t.Fatal(name, err)
		}
		parts[name] = r
	}
	h, _ := parseHot(parts)
	if want := (hot{site.Some(95000000.5 * unit.MegaHash), site.Some(3210 * unit.Watt), site.Some(17 * time.Second)}); h != want {
		t.Errorf("%+v", h)
	}
	if c, ok := parseConfig(parts["config"]); !ok || c.asleep != site.Some(true) || c.supply.OK {
		t.Errorf("%+v, %v", c, ok)
	}
	want := []site.Board{{Hashrate: site.Some(31 * unit.TeraHash), ChipTemp: site.Some(81.5), PCBTemp: site.Some(55.0)}}
	if d := cmp.Diff(want, parseBoards(parts)); d != "" {
		t.Error(d)
	}
}

// TestZeroWatts: 0 W is what it says where it does not know.
func TestZeroWatts(t *testing.T) {
	for _, watts := range []string{"0", `"0"`, "-1", "null", "1e9"} {
		parts := map[string]rpc.Reply{}
		for name, text := range map[string]string{
			"summary": `{"SUMMARY":[{"Elapsed":17,"GHS 5s":95000.5}]}`, "power": `{"POWER":[{"PSU":false,"Watts":` + watts + `}]}`,
		} {
			r, err := rpc.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			parts[name] = r
		}
		if h, told := parseHot(parts); !told || h.power.OK || h.rate != site.Some(95000.5*unit.GigaHash) {
			t.Errorf("%s W: %+v", watts, h)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"SUMMARY":[{"GHS 5s":1,"Elapsed":5}],"POWER":[{"Watts":3000}],"CONFIG":[{"Model":"Antminer S21","CurtailMode":"None"}]}`))
	f.Add([]byte(`{"DEVS":[{"ID":1,"MHS 5s":3e7}],"TEMPS":[{"ID":1,"TopLeft":50}],"STATS":[{"chain_acn2":77}],"FANS":[{"RPM":5000}]}`))
	f.Add([]byte(`{"PROFILES":[{"Profile Name":"a","Watts":800,"Hashrate":39}],"EVENTS":[{"Code":"X","ID":0,"Target":"BOARD"}],"POOLS":[{"URL":"u"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := rpc.Parse(data)
		if err != nil {
			return
		}
		parts := map[string]rpc.Reply{}
		for _, name := range []string{"summary", "power", "config", "devs", "temps", "stats", "fans"} {
			parts[name] = r
		}
		h, _ := parseHot(parts)
		if h.power.OK && (h.power.V <= 0 || h.power.V >= unit.Megawatt) || h.rate.OK && h.rate.V < 0 || h.uptime.OK && h.uptime.V < 0 {
			t.Fatalf("%+v", h)
		}
		_, _ = parseConfig(r)
		points := parseProfiles(r)
		for i, p := range points {
			if i > 0 && p.power.V/unit.Watt < points[i-1].power.V/unit.Watt {
				t.Fatalf("profiles do not ascend: %+v", points)
			}
		}
		if len(parseBoards(parts)) > maxBoards || len(parseFans(r)) > maxBoards || len(parsePools(r)) > maxPools || len(parseEvents(r)) > maxEvents {
			t.Fatal("more than a miner has")
		}
	})
}
