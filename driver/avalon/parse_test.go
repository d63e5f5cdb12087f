package avalon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// fixture reads a captured reply, which a user's checkout does not have.
func fixture(t *testing.T, name string) rpc.Reply {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "miners", "avalonminer")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/fixtures/miners is missing")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	r, err := rpc.Parse(data)
	if err != nil || r.Truncated {
		t.Fatalf("%s: %v, truncated %v", name, err, r.Truncated)
	}
	return r
}

// The expectations were written down from reading the files.
func TestFixtures(t *testing.T) {
	a, err := parseStats(fixture(t, "avalon_a_stats.json"))
	want := module{
		model: "A1246", serial: "02010000cbd2fd6d", asleep: site.Some(false), softOff: site.Some(false), mode: site.Some(1),
		rate: site.Some(81072.68 * unit.GigaHash), power: site.Some(3504 * unit.Watt), target: site.Some(3200 * unit.Watt),
		uptime: site.Some(24684 * time.Second), intake: site.Some(30.0), fans: []int{5344, 5392, 5349, 5309},
		boards: []site.Board{
			{Hashrate: site.Some(26907.01 * unit.GigaHash), ChipTemp: site.Some(77.0), Chips: site.Some(120), Working: true},
			{Hashrate: site.Some(26025.06 * unit.GigaHash), ChipTemp: site.Some(77.0), Chips: site.Some(120), Working: true},
			{Hashrate: site.Some(26724.56 * unit.GigaHash), ChipTemp: site.Some(76.0), Chips: site.Some(120), Working: true},
		},
	}
	if d := cmp.Diff(want, a, cmp.AllowUnexported(module{})); err != nil || d != "" {
		t.Error(err, d)
	}
	// The Q rests: its means stay, its present hashrate is zero.
	for _, name := range []string{"stats.json", "litestats.json"} {
		q, err := parseStats(fixture(t, name))
		board := site.Board{PCBTemp: site.Some(27.0), Working: true}
		uptime := 37977 * time.Second
		if name == "stats.json" {
			board.Chips, uptime = site.Some(160), 37850*time.Second
		}
		want := module{
			model: "Q", serial: "<DELETED>", asleep: site.Some(true), softOff: site.Some(true), mode: site.Some(0), rate: site.Some(unit.Hashrate(0)),
			power: site.Some(146 * unit.Watt), target: site.Some(800 * unit.Watt), uptime: site.Some(uptime), intake: site.Some(26.0),
			fans: []int{0, 0, 0, 0}, boards: []site.Board{board},
		}
		if d := cmp.Diff(want, q, cmp.AllowUnexported(module{})); err != nil || d != "" {
			t.Error(name, err, d)
		}
	}
	id := parseVersion(fixture(t, "version.json").Objects("VERSION")[0])
	wantID := site.Identity{Make: "Avalon", Model: "Q", Firmware: "25052801_14a19a2", Serial: "01234567890123456789012345678901", MAC: "AA:BB:CC:DD:EE:FF"}
	if id != wantID {
		t.Errorf("%+v", id)
	}
	pools := []site.Pool{{URL: "stratum+tcp://pool.example.com:4444", Worker: "worker1", Active: true}}
	if d := cmp.Diff(pools, parsePools(fixture(t, "pools.json"))); d != "" {
		t.Error(d)
	}
	orders := parseHelp(fixture(t, "ascset_help.json").Status().Msg)
	if len(orders) != 23 || !orders["softoff"] || !orders["workmode"] || !orders["password"] || orders["led"] {
		t.Errorf("%d orders: %v", len(orders), orders)
	}
	for _, name := range []string{"ascset_softoff.json", "ascset_softon.json", "ascset_workmode.json"} {
		if err := check(fixture(t, name).Status()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPower(t *testing.T) {
	none := site.Opt[unit.Power]{}
	for _, c := range []struct {
		text string
		nano bool
		want site.Opt[unit.Power]
	}{
		{"PS[0 1209 1187 297 3526 1188 3731] WALLPOWER[3731]", false, watts(3731)},
		{"PS[0 1220 1339 239 3200 1340 3522]", false, watts(3522)},
		{"PS[0 1212 1315 174 2288 1320]", false, watts(2288)}, // older: what the supply gives
		{"PS[0 1223 2494 64 1599 2495 1659]", false, watts(1659)},
		{"PS[0 1198 0 0 0 1393 11]", false, watts(11)}, // asleep
		{"PS[0 1216 1 0 0 2243 17]", false, watts(17)},
		{"PS[0 1216 1 0 0 2243]", false, none},
		{"PS[0 0 0 4 2758 127 338]", false, none}, // another order of the figures
		{"PS[0 0 0 4 2758 127 338]", true, watts(127)},
		{"PS[0 0 27541 4 0 3756 133]", true, watts(133)},
		{"PS[0 0 27541 4 0 3756 0]", true, none},
		{"PS[0 1216 0 0 0 2243 0]", false, none},
		{"PS[x]", false, none},
		{"PS[]", false, none},
		{"", false, none},
	} {
		if got := parsePower(fields(c.text), c.nano); got != c.want {
			t.Errorf("%q: %v, want %v", c.text, got, c.want)
		}
	}
}

// Firmwares that are not at hand.
func TestOtherFirmwares(t *testing.T) {
	r, err := rpc.Parse([]byte(`{"STATUS":{"STATUS":"S","When":"1052"},"STATS":[{"ID":"AVA100","Elapsed":"103840","MM ID0":"Ver[1047-19120401_d46bc64] DNA[0201000017cdf409] ` +
		`SYSTEMSTATU[Work: In Work, Hash Board: 2 ] Elapsed[103840]BOOTBY[1] Temp[-273] TMax[75] Fan1[2984] Fan2[2972] PS[0 1212 1315 174 2288 1320] GHSmm[37768.67] MGHS[18727.58 0] ` +
		`MTmax[75 70] ECHU[512 0] ECMM[0] POW_I2C[ERR]","MM ID1":"Ver[1047-19120401] SYSTEMSTATU[Work: In Idle] Fan1[10] PS[16 1212 1315 174 2288 1320] MGHS[1 2] ECHU[0 0]"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseStats(r)
	want := module{
		model: "A1047", serial: "0201000017cdf409", asleep: site.Some(false), power: site.Some(4576 * unit.Watt), uptime: site.Some(103840 * time.Second),
		fans: []int{2984, 2972, 10}, faults: []string{"ECHU0 512", "POW_I2C ERR", "PS 16"},
		boards: []site.Board{
			{Hashrate: site.Some(18727.58 * unit.GigaHash), ChipTemp: site.Some(75.0), Working: true},
			{Hashrate: site.Some(unit.Hashrate(0)), ChipTemp: site.Some(70.0)},
			{Working: true},
			{Working: true},
		},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(module{})); err != nil || d != "" {
		t.Error(err, d)
	}
	for in, out := range map[string]string{
		"AvalonMiner 1246": "A1246", "Avalon Nano3s": "Nano3s", "1126Pro-S": "A1126Pro-S", "A1566": "A1566", "Avalon Q": "Q", "Canaan Avalon A1466": "A1466", "": "",
	} {
		if got := modelName(in); got != out {
			t.Errorf("%q: %q, want %q", in, got, out)
		}
	}
	if _, err := parseStats(rpc.Reply{Object: rpc.Object{{Key: "STATS", Value: rpc.Array{}}}}); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("no module: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		letter, msg string
		code        int
		want        error
	}{
		{"I", "ASC 0 set info: success softoff:1", 118, nil},
		{"S", "ASC 0 set OK", 119, nil},
		{"E", "ASC 0 set failed: Unknown option: led", 120, driver.ErrUnsupported},
		{"E", "ASC 0 set failed: busy", 120, driver.ErrRefused},
		{"I", "ASC 0 set info: softoff failed", 118, driver.ErrRefused},
		{"E", "Invalid user or password", 126, driver.ErrUnauthorized},
		{"", "", 0, driver.ErrUnreachable},
	} {
		if err := check(rpc.Status{Letter: c.letter, Msg: c.msg, Code: c.code}); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestOtherMachines reads control modules of machines of which none is recorded here.
func TestOtherMachines(t *testing.T) {
	giga := func(gh float64) site.Opt[unit.Hashrate] { return site.Some(unit.Hashrate(gh) * unit.GigaHash) }
	awake := site.Some(false)
	for _, c := range []struct {
		name, text string
		want       module
	}{
		{
			"741: one fan, boards told as one, no sleep, no watts", `Ver[7411706-3162860] DNA[013cddd7c3a7b7d1] Elapsed[3600] MH[0 0 0 0] HW[0] Temp[28] TMax[91] Fan[4560] FanR[72%] GHSmm[7425.61] WU[100943.98] Freq[636.26] ECHU[0 0 0 0] ECMM[0]`,
			module{model: "A741", serial: "013cddd7c3a7b7d1", asleep: awake, uptime: site.Some(time.Hour), intake: site.Some(28.0), fans: []int{4560}, boards: []site.Board{{ChipTemp: site.Some(91.0), Working: true}}},
		},
		{
			"921: boards' rates", `Ver[9211809-4cb6150] DNA[01] Elapsed[60] Temp[30] TMax[95] Fan1[4000] Fan2[0] GHSmm[20000.0] MGHS[5000.5 0.0] MTmax[95 40] ECHU[0 512]`,
			module{model: "A921", serial: "01", asleep: awake, uptime: site.Some(time.Minute), intake: site.Some(30.0), fans: []int{4000, 0}, faults: []string{"ECHU1 512"}, boards: []site.Board{
				{Hashrate: giga(5000.5), ChipTemp: site.Some(95.0), Working: true}, {Hashrate: giga(0), ChipTemp: site.Some(40.0)},
			}},
		},
		{
			"Nano 3: a level for a mode, watts seventh", `Ver[Nano3-24071801] DNA[02] SYSTEMSTATU[Work: In Work, Hash Board: 1] Elapsed[60] ITemp[-273] OTemp[32] TMax[58] TAvg[54] Fan1[2200] PS[0 0 18000 4 0 5000 80] GHSspd[4100.00] GHSavg[4050.00] WORKLEVEL[2]`,
			module{model: "Nano3", serial: "02", asleep: awake, rate: giga(4100), power: watts(80), uptime: site.Some(time.Minute), fans: []int{2200}, boards: []site.Board{{Hashrate: giga(4100), ChipTemp: site.Some(58.0), Working: true}}},
		},
		{
			"0 W while it hashes", `Ver[1566-25] Elapsed[60] SYSTEMSTATU[Work: In Work] GHSspd[185000] PS[0 1209 0 0 0 1188 0] MPO[0]`,
			module{model: "A1566", asleep: awake, rate: giga(185000), uptime: site.Some(time.Minute)},
		},
		{
			"nonsense is unknown", `Ver[A1566-25] Elapsed[-1] SYSTEMSTATU[Work: In Work] GHSspd[nan] Temp[-273] TMax[0] Fan1[-5] PS[0 x] MPO[-1] MGHS[nan]`,
			module{model: "A1566", asleep: awake},
		},
	} {
		got := parseModule(fields(c.text), nil)
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(module{})); d != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, d)
		}
	}
	if got := parseVersion(rpc.Object{{Key: "PROD", Value: "Avalonnano"}, {Key: "MODEL", Value: "nano3"}}); got.Model != "nano3" {
		t.Errorf("%+v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Ver[1246-83] Elapsed[24684] MGHS[26907.01 26025.06] MTmax[77 77] Fan1[5344] PS[0 1214 1316 242 3189 1320 3504] GHSspd[81072.68] SYSTEMSTATU[Work: In Work]", "PVT_T0[ 58 59]")
	f.Add("'STATS':{Ver[Q-1] SoftOFF[4] MPO[800] WORKMODE[0] ITemp[26] PS[0 1 2 3 4]}", "'HB0':{PVT_T0[1]}")
	f.Fuzz(func(t *testing.T, text, info string) {
		m := parseModule(fields(text), fields(info))
		if m.power.OK && (m.power.V <= 0 || m.power.V > unit.Megawatt) || m.rate.OK && m.rate.V < 0 || m.uptime.OK && m.uptime.V < 0 {
			t.Fatalf("%+v", m)
		}
		if len(m.boards) > maxBoards || len(m.fans) > maxFans || m.mode.OK && m.mode.V < 0 {
			t.Fatalf("%+v", m)
		}
		parseHelp(text)
		r := rpc.Reply{Object: rpc.Object{{Key: "STATS", Value: rpc.Array{rpc.Object{{Key: "MM ID0", Value: text}, {Key: "MM ID1:Summary", Value: info}}}}}}
		if _, err := parseStats(r); err != nil && !errors.Is(err, driver.ErrUnreachable) {
			t.Fatal(err)
		}
	})
}
