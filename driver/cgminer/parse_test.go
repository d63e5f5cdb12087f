package cgminer

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
func fixtures(t *testing.T, folder string, names ...string) map[string]rpc.Reply {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "miners")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/fixtures/miners is missing")
	}
	parts := map[string]rpc.Reply{}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, folder, name+".json"))
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

func board(ghs, chip, pcb float64, chips int) site.Board {
	return site.Board{Hashrate: site.Some(unit.Hashrate(ghs) * unit.GigaHash), ChipTemp: site.Some(chip), PCBTemp: site.Some(pcb), Chips: site.Some(chips), Working: true}
}

// The expectations were written down from reading the files: whatever the firmware, the unit
// is right.
func TestFixtures(t *testing.T) {
	for _, c := range []struct {
		folder   string
		identity site.Identity
		want     reading
		pools    []site.Pool
	}{
		{
			"antminer-v2020",
			site.Identity{Make: "Antminer", Model: "S19 Pro", Firmware: "BMMiner 1.0.0, 49.0.1.3", Serial: "8144d5ca79104814"},
			reading{
				rate: site.Some(110566.89 * unit.GigaHash), uptime: site.Some(50474 * time.Second), fans: []int{6000, 5880, 5040, 5040},
				boards: []site.Board{board(37603.30, 78, 73, 114), board(35536.22, 71, 66, 114), board(37427.38, 69, 64, 114)},
			},
			[]site.Pool{
				{URL: "stratum+tcp://btc.global.luxor.tech:700", Worker: "satokierepair.H04YK", Active: true},
				{URL: "stratum+tcp://btc.global.luxor.tech:700", Worker: "satokierepair.H04YK"},
				{URL: "stratum+tcp://btc.global.luxor.tech:700", Worker: "satokierepair.H04YK"},
			},
		},
		{
			"luxminer-v1",
			site.Identity{Make: "Antminer", Model: "S19k Pro", Firmware: "LUXminer 2025.4.8.220305-57b389c7, 2025.4.8.220305", Serial: "62f75eb71046"},
			reading{
				rate: site.Some(59756.06 * unit.GigaHash), uptime: site.Some(3453 * time.Second), fans: []int{1920, 1920, 2340, 2340},
				boards: []site.Board{board(18910.28, 47, 47, 77), board(18939.95, 47, 47, 77), board(19067.67, 47, 47, 77)},
			},
			[]site.Pool{
				{URL: "stratum+tcp://ca.stratum.braiins.com:3333", Worker: "asic-rs.user1", Active: true},
				{URL: "stratum+tcp://stratum.braiins.com:3333", Worker: "asic-rs.user1"},
				{URL: "stratum+tcp://ca.stratum.braiins.com:3333", Worker: "asic-rs.user2", Active: true},
				{URL: "stratum+tcp://stratum.braiins.com:3333", Worker: "asic-rs.user2"},
			},
		},
		{
			"avalonminer",
			site.Identity{Make: "Avalon", Model: "Q", Firmware: "CGMiner 4.11.1", Serial: "01234567890123456789012345678901", MAC: "AA:BB:CC:DD:EE:FF"},
			reading{rate: site.Some(unit.Hashrate(0)), uptime: site.Some(37714 * time.Second)}, // it rests; its mean stays
			[]site.Pool{{URL: "stratum+tcp://pool.example.com:4444", Worker: "worker1", Active: true}},
		},
	} {
		parts := fixtures(t, c.folder, "version", "summary", "stats", "pools")
		if id, ok := parseIdentity(parts); !ok || id != c.identity {
			t.Errorf("%s: %+v, want %+v", c.folder, id, c.identity)
		}
		h, ok := parseReading(parts)
		if d := cmp.Diff(c.want, h, cmp.AllowUnexported(reading{})); !ok || d != "" {
			t.Error(c.folder, d)
		}
		var pools []site.Pool
		for _, p := range parsePools(parts["pools"]) {
			pools = append(pools, p.Pool)
		}
		if d := cmp.Diff(c.pools, pools); d != "" {
			t.Error(c.folder, d)
		}
	}
	id, ok := parseIdentity(fixtures(t, "braiins-v21_09", "version"))
	if want := (site.Identity{Make: "cgminer", Firmware: "BOSer boser-openwrt 0.1.0-11012d53"}); !ok || id != want {
		t.Errorf("%+v, want %+v", id, want)
	}
	lux := fixtures(t, "luxminer-v1", "devs", "summary")
	h, _ := parseReading(lux)
	boards := parseDevs(lux["devs"], h.rate)
	if len(boards) != 3 || boards[0].Hashrate != site.Some(20751652.263361264*unit.MegaHash) || boards[0].PCBTemp != site.Some(47.0) {
		t.Errorf("%+v", boards)
	}
	bitmain := fixtures(t, "antminer-v2020", "devs", "summary")
	if h, _ := parseReading(bitmain); parseDevs(bitmain["devs"], h.rate) != nil {
		t.Error("devs that are never filled are no boards")
	}
}

// TestLayouts reads replies of firmwares that are not at hand, as public projects show them.
func TestLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		summary, stats string
		want           reading
	}{
		"S9: places 6 to 8, text, a missing comma": {
			`{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Elapsed":17,"GHS 5s":"13512.77","GHS av":13490.1,"Total MH":99.0}]}`,
			`{"STATUS":[{"STATUS":"S"}],"STATS":[{"BMMiner":"2.0.0","Type":"Antminer S9"}{"STATS":0,"ID":"BC50","Elapsed":17,"GHS 5s":"13512.77","fan_num":2,"fan1":0,"fan3":5760,"fan6":0,` +
				`"temp6":62,"temp7":60,"temp2_6":77,"temp2_7":75,"chain_acn1":0,"chain_acn6":63,"chain_acn7":63,"chain_rate6":"6756.50","chain_rate7":""}]}` + "\x00",
			reading{
				rate: site.Some(13512.77 * unit.GigaHash), uptime: site.Some(17 * time.Second), fans: []int{5760, 0},
				boards: []site.Board{
					board(6756.5, 77, 62, 63),
					{ChipTemp: site.Some(75.0), PCBTemp: site.Some(60.0), Chips: site.Some(63), Working: true},
				},
			},
		},
		"the key lies, rate_unit does not": {
			`{"SUMMARY":[{"Elapsed":17,"GHS 5s":9050.1}]}`,
			`{"STATS":[{"Type":"Antminer L7"},{"STATS":0,"GHS 5s":9050.1,"rate_unit":"MH","chain_acn1":120,"chain_rate1":"3016.7","temp_chip1":"55-70--"}]}`,
			reading{
				rate: site.Some(9050.1 * unit.MegaHash), uptime: site.Some(17 * time.Second),
				boards: []site.Board{{Hashrate: site.Some(3016.7 * unit.MegaHash), ChipTemp: site.Some(70.0), Chips: site.Some(120), Working: true}},
			},
		},
		"summary and stats in different units": {
			`{"SUMMARY":[{"Elapsed":17,"MHS 5s":95000000}]}`,
			`{"STATS":[{"STATS":0,"GHS 5s":95000,"GHS av":95000,"rate_unit":"GH"}]}`,
			reading{rate: site.Some(95 * unit.TeraHash), uptime: site.Some(17 * time.Second)},
		},
		"no hashes at all": {
			`{"SUMMARY":[{"Elapsed":17,"GHS 5s":840.5}]}`,
			`{"STATS":[{"STATS":0,"GHS 5s":840.5,"Elapsed":17,"rate_unit":"KSol"}]}`,
			reading{uptime: site.Some(17 * time.Second)},
		},
		"power and fans of a WhatsMiner": {
			`{"SUMMARY":{"Elapsed":17,"MHS av":1,"MHS 5s":88000000.5,"HS RT":9,"Power":3300,"Power_RT":3310,"Fan Speed In":4000,"Fan Speed Out":4100}}`, ``,
			reading{rate: site.Some(88000000.5 * unit.MegaHash), power: site.Some(3310 * unit.Watt), uptime: site.Some(17 * time.Second), fans: []int{4000, 4100}},
		},
		"TH/s, an infinite mean, no stats": {
			`{"SUMMARY":[{"Elapsed":"17","THS 5s":inf,"THS 1m":"12.5"}]}`, ``,
			reading{rate: site.Some(12.5 * unit.TeraHash), uptime: site.Some(17 * time.Second)},
		},
	} {
		parts := map[string]rpc.Reply{}
		for command, text := range map[string]string{"summary": c.summary, "stats": c.stats} {
			if text == "" {
				continue
			}
			r, err := rpc.Parse([]byte(text))
			if err != nil {
				t.Fatal(name, err)
			}
			parts[command] = r
		}
		h, ok := parseReading(parts)
		if d := cmp.Diff(c.want, h, cmp.AllowUnexported(reading{})); !ok || d != "" {
			t.Error(name, d)
		}
	}
	if _, ok := parseReading(nil); ok {
		t.Error("a reading of nothing")
	}
}

func TestState(t *testing.T) {
	rate, zero := site.Some(unit.TeraHash), site.Some(unit.Hashrate(0))
	for i, c := range []struct {
		h    reading
		want site.State
	}{
		{reading{rate: rate}, site.StateHashing},
		{reading{rate: zero, uptime: site.Some(time.Minute)}, site.StateStarting},
		{reading{rate: zero, uptime: site.Some(time.Hour)}, site.StateFault},
		{reading{uptime: site.Some(time.Hour)}, site.StateUnknown},
	} {
		if got := state(c.h); got != c.want {
			t.Errorf("case %d: %v, want %v", i, got, c.want)
		}
	}
}

// TestZeroWatts: a miner that hashes draws some, whatever it says.
func TestZeroWatts(t *testing.T) {
	for _, text := range []string{
		`{"SUMMARY":[{"Elapsed":1,"GHS 5s":13500,"Power":0,"Power_RT":0}]}`, `{"SUMMARY":[{"GHS 5s":13500,"Power":-1}]}`, `{"SUMMARY":[{"GHS 5s":13500,"Power":null}]}`,
	} {
		r, err := rpc.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := parseReading(map[string]rpc.Reply{"summary": r}); !ok || h.power.OK || !h.rate.OK {
			t.Errorf("%s: %v, %v", text, h.power, h.rate)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"SUMMARY":[{"GHS 5s":"13512.77","Elapsed":5,"Power":3000}],"STATS":[{"Type":"Antminer S9"}{"GHS 5s":1,"rate_unit":"GH","fan_num":2,"fan3":5760,"chain_acn6":63,"chain_rate6":"4500","temp2_6":77}]}`))
	f.Add([]byte(`{"DEVS":[{"ASC":0,"MHS 5s":1e7,"Temperature":50}],"POOLS":[{"POOL":1,"URL":"u"}],"VERSION":[{"BMMiner":"2.0.0","API":"3.1"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := rpc.Parse(data)
		if err != nil {
			return
		}
		parts := map[string]rpc.Reply{"summary": r, "stats": r, "version": r}
		h, _ := parseReading(parts)
		if h.power.OK && (h.power.V <= 0 || h.power.V > unit.Megawatt) || h.rate.OK && h.rate.V < 0 || h.uptime.OK && h.uptime.V < 0 {
			t.Fatalf("%+v", h)
		}
		if len(h.boards) > maxBoards || len(h.fans) > 2*maxFans || len(parseDevs(r, h.rate)) > maxBoards || len(parsePools(r)) > maxPools {
			t.Fatal("more than a miner has")
		}
		_, _ = parseIdentity(parts)
	})
}
