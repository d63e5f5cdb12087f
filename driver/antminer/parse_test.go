package antminer

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// near forgives the last digit, which depends on the unit that a rate came in.
var near = cmp.Comparer(func(a, b unit.Hashrate) bool { return math.Abs(float64(a-b)) <= 1e-12*math.Abs(float64(b)) })

func deg(c float64) site.Opt[float64]         { return site.Some(c) }
func ths(th float64) site.Opt[unit.Hashrate]  { return site.Some(unit.Hashrate(th * 1e12)) }
func seconds(s int) site.Opt[time.Duration]   { return site.Some(time.Duration(s) * time.Second) }
func watts(w unit.Power) site.Opt[unit.Power] { return site.Some(w * unit.Watt) }
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampled parses a reply of stats as Read does.
func sampled(t *testing.T, data []byte) site.Sample {
	t.Helper()
	st, err := parseStats(data)
	if err != nil {
		t.Fatal(err)
	}
	var s site.Sample
	st.fill(&s)
	s.Identity = st.identity()
	return s
}

func TestOldStats(t *testing.T) {
	got := sampled(t, read(t, "testdata/stats-old.txt"))
	want := site.Sample{
		Identity: site.Identity{Make: "Antminer", Model: "S9", Firmware: "30.0.1.3 Fri Nov 17 17:57:49 CST 2017"},
		Hashrate: ths(13.50025), Uptime: seconds(3600), Fans: []int{5880, 4440},
		Boards: []site.Board{
			{Hashrate: ths(4.5011), ChipTemp: deg(73), PCBTemp: deg(58), Chips: site.Some(63), Working: true},
			{Hashrate: ths(4.49801), ChipTemp: deg(72), PCBTemp: deg(57), Chips: site.Some(63), Working: true},
			{Hashrate: ths(4.499), ChipTemp: deg(77), PCBTemp: deg(61), Chips: site.Some(62), Working: true},
		},
	}
	if d := cmp.Diff(want, got, near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestNewStats(t *testing.T) {
	got := sampled(t, read(t, "testdata/stats-new.json"))
	want := site.Sample{
		Identity: site.Identity{Make: "Antminer", Model: "S21", Firmware: "uart_trans.1.3 Mon Sep 11 11:22:33 CST 2023"},
		Hashrate: ths(201.5005), Power: watts(3512), Uptime: seconds(7200), Fans: []int{4320, 4200, 4350, 4230},
		Boards: []site.Board{
			{Hashrate: ths(67.1005), ChipTemp: deg(74), PCBTemp: deg(61), Chips: site.Some(108), Working: true},
			{Hashrate: ths(67.2), ChipTemp: deg(73), PCBTemp: deg(60), Chips: site.Some(108), Working: true},
			{Hashrate: ths(0), Chips: site.Some(0)},
		},
	}
	if d := cmp.Diff(want, got, near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestCutStatsKnowLessAndNothingElse(t *testing.T) {
	for _, file := range []string{"testdata/stats-old.txt", "testdata/stats-new.json"} {
		data := read(t, file)
		whole := sampled(t, data)
		for cut := range len(data) - 8 {
			st, err := parseStats(data[:cut])
			if err != nil {
				continue
			}
			var s site.Sample
			st.fill(&s)
			if s.Hashrate.OK && s.Hashrate != whole.Hashrate || s.Power.OK && s.Power != whole.Power ||
				s.Uptime.OK && s.Uptime != whole.Uptime || s.Boards != nil || s.Fans != nil {
				t.Fatalf("%s cut at %d: %+v", file, cut, s)
			}
		}
	}
}

func TestPowerIsToldOrUnknown(t *testing.T) {
	for in, want := range map[string]site.Opt[unit.Power]{
		`{"watt":3512}`:                watts(3512),
		`{"power":"3250"}`:             watts(3250),
		`{"chain_power":"(1305.5 W)"}`: site.Some(1305500 * unit.Milliwatt),
		`{"watt":0}`:                   {},
		`{"watt":0,"power":1200}`:      watts(1200),
		`{"power":"high"}`:             {},
		`{"watt":-5}`:                  {},
		`{"watt":nan}`:                 {},
		`{"Elapsed":5}`:                {},
	} {
		r, err := rpc.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := power(r.Object); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

func TestConfKeepsAllAndItsTypes(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text": {
			`{"pools":[{"url":"a","user":"b","pass":"c"}],"bitmain-work-mode":"0","bitmain-freq-level":"100","x":[1,{"y":null}]}`,
			`{"pools":[{"url":"a","user":"b","pass":"c"}],"bitmain-work-mode":"1","miner-mode":1,"bitmain-freq-level":"100","freq-level":"100","x":[1,{"y":null}]}`,
		},
		"numbers": {
			`{"miner-mode":0,"bitmain-work-mode":0,"bitmain-fan-ctrl":false}`,
			`{"miner-mode":1,"bitmain-work-mode":1,"bitmain-fan-ctrl":false}`,
		},
		"mixed": {`{"miner-mode":"2","bitmain-work-mode":2}`, `{"miner-mode":"1","bitmain-work-mode":1}`},
	} {
		var in conf
		var want, got any
		if json.Unmarshal([]byte(c.in), &in) != nil || json.Unmarshal([]byte(c.want), &want) != nil {
			t.Fatal(name)
		}
		out, err := json.Marshal(in.with(modeSleep))
		if err != nil || json.Unmarshal(out, &got) != nil {
			t.Fatal(name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", name, d)
		}
	}
	for in, want := range map[string]site.Opt[mode]{
		`{"bitmain-work-mode":"1"}`: site.Some(modeSleep), `{"miner-mode":3}`: site.Some(modeLow),
		`{"bitmain-work-mode":""}`: {}, `{"bitmain-work-mode":null}`: {}, `{}`: {},
	} {
		var c conf
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Fatal(err)
		}
		if m := c.mode(); m != want {
			t.Errorf("%s: mode %v, want %v", in, m, want)
		}
	}
}

// TestFixtures reads what a real miner sent. The folder holds replies of two firmwares: its
// RPC replies are an S19 Pro's, its system information an S21's.
func TestFixtures(t *testing.T) {
	const dir = "../../../shared/fixtures/miners/antminer-v2020"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/fixtures/miners/antminer-v2020 is missing")
	}
	got := sampled(t, read(t, filepath.Join(dir, "stats.json")))
	r, err := rpc.Parse(read(t, filepath.Join(dir, "pools.json")))
	if err != nil {
		t.Fatal(err)
	}
	got.Pools = parsePools(r)
	pool := site.Pool{URL: "stratum+tcp://btc.global.luxor.tech:700", Worker: "satokierepair.H04YK"}
	first := pool
	first.Active = true
	want := site.Sample{
		Identity: site.Identity{Make: "Antminer", Model: "S19 Pro", Firmware: "49.0.1.3 Tue Dec  6 16:12:30 CST 2022"},
		Hashrate: ths(110.56689), Uptime: seconds(50474), Fans: []int{6000, 5880, 5040, 5040},
		Boards: []site.Board{
			{Hashrate: ths(37.6033), ChipTemp: deg(78), PCBTemp: deg(73), Chips: site.Some(114), Working: true},
			{Hashrate: ths(35.53622), ChipTemp: deg(71), PCBTemp: deg(66), Chips: site.Some(114), Working: true},
			{Hashrate: ths(37.42738), ChipTemp: deg(69), PCBTemp: deg(64), Chips: site.Some(114), Working: true},
		},
		Pools: []site.Pool{first, pool, pool},
	}
	if d := cmp.Diff(want, got, near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	var info systemInfo
	if err := json.Unmarshal(read(t, filepath.Join(dir, "system_info.json")), &info); err != nil {
		t.Fatal(err)
	}
	id := site.Identity{Make: "Antminer", Model: "S21", Firmware: "FR-1.12(251009-S21)", Serial: "THQING0BDJAB024NF", MAC: "02:55:97:22:3M:72"}
	if d := cmp.Diff(id, info.identity()); d != "" {
		t.Errorf("system information: -want +got:\n%s", d)
	}
	r, err = rpc.Parse(read(t, filepath.Join(dir, "version.json")))
	if err != nil || !stock(r.Objects("VERSION")[0]) {
		t.Errorf("version: not taken for Bitmain's firmware (%v)", err)
	}
}

func FuzzStats(f *testing.F) {
	for _, file := range []string{"testdata/stats-old.txt", "testdata/stats-new.json"} {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := parseStats(data)
		if err != nil {
			return
		}
		var s site.Sample
		st.fill(&s)
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && !(s.Hashrate.V >= 0) || len(s.Boards) > len(data) {
			t.Fatalf("%+v", s)
		}
		parseFaults(data)
	})
}
