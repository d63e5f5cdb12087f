package braiins

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

func deg(c float64) site.Opt[float64]       { return site.Some(c) }
func ghs(g float64) site.Opt[unit.Hashrate] { return site.Some(unit.Hashrate(g * 1e9)) }
func watts(w float64) site.Opt[unit.Power]  { return site.Some(unit.Watts(w)) }
func seconds(s int) site.Opt[time.Duration] { return site.Some(time.Duration(s) * time.Second) }

// board is a working board: rate, hottest chip, hottest spot, chips.
func board(rate site.Opt[unit.Hashrate], chip, pcb float64, chips int) site.Board {
	return site.Board{Hashrate: rate, ChipTemp: deg(chip), PCBTemp: deg(pcb), Chips: site.Some(chips), Working: true}
}

func load[T any](t *testing.T, path string) T {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

// restSample joins a folder of REST replies as Read does.
func restSample(t *testing.T, dir string, now time.Time) site.Sample {
	t.Helper()
	var s site.Sample
	load[stats](t, filepath.Join(dir, "miner_stats.json")).fill(&s)
	det := load[details](t, filepath.Join(dir, "miner_details.json"))
	s.Identity, s.Uptime, s.State = det.identity(), det.uptime(), det.state(s.Hashrate)
	b := load[boards](t, filepath.Join(dir, "miner_hw_hashboards.json"))
	s.Boards, s.Intake = b.list(), b.intake()
	s.Fans = load[cooling](t, filepath.Join(dir, "cooling_state.json")).rpm()
	s.Target = load[tuner](t, filepath.Join(dir, "performance_tuner_state.json")).target()
	s.Pools = pools(load[[]poolGroup](t, filepath.Join(dir, "pools.json")))
	s.Faults = load[minerErrors](t, filepath.Join(dir, "miner_errors.json")).recent(now)
	return s
}

func TestRESTFixtures(t *testing.T) {
	const dir = "../../../shared/fixtures/miners"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/fixtures/miners is missing")
	}
	const resolve = `Failed to resolve ("a830bcc3.bos.braiins.com", 3336)`
	twoPools := []site.Pool{
		{URL: "stratum+tcp://example.pool.com:3333", Worker: "asic_rs.test", Active: true},
		{URL: "stratum+tcp://example.pool2.com:3333", Worker: "asic_rs.test"},
	}
	for name, want := range map[string]site.Sample{
		"braiins-v25_07": {
			Identity: site.Identity{Make: "Antminer", Model: "S19 XP", Firmware: "2025-08-06-0-3881c51d-25.07-plus", MAC: "02:ee:da:a9:b6:4a"},
			State:    site.StateHashing, Power: watts(3137), Target: watts(3031), Hashrate: ghs(141463.56540072063),
			Boards: []site.Board{
				board(ghs(50137.72942148807), 70.5, 55.5, 110),
				board(ghs(47859.278339866236), 67, 52, 110),
				board(ghs(50362.690141466795), 69, 54, 110),
			},
			Fans: []int{5904, 5874, 5874, 5904}, Intake: deg(40), Pools: twoPools, Uptime: seconds(69685), Faults: []string{resolve},
		},
		"braiins-v26_04": {
			Identity: site.Identity{
				Make: "Antminer", Model: "S21 Pro", Firmware: "2026-04-14-0-912d084c-26.04-plus",
				Serial: "THQGFKUBDJIAH0E9G", MAC: "02:8f:77:ec:e7:e0",
			},
			State: site.StateHashing, Power: watts(3480), Target: watts(3500), Hashrate: ghs(248186.67720002498),
			Boards: []site.Board{
				board(ghs(83168.43130521843), 65.375, 50.375, 65),
				board(ghs(86699.32552387427), 63.5625, 48.5625, 65),
				board(ghs(84138.26274583308), 63.5, 48.5, 65),
			},
			Fans: []int{5943, 5943, 5943, 5973}, Intake: deg(35.125), Pools: twoPools, Uptime: seconds(7039), Faults: []string{resolve},
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 4, 8, 8, 30, 0, 0, time.UTC) // two equal errors are within the hour
			if d := cmp.Diff(want, restSample(t, filepath.Join(dir, name), now), near); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestGraphQLFixtures(t *testing.T) {
	const dir = "../../../shared/fixtures/miners"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/fixtures/miners is missing")
	}
	for name, want := range map[string]site.Sample{
		"braiins-v21_09": {
			Identity: site.Identity{Firmware: "2022-09-13-0-11012d53-22.08-plus"},
			State:    site.StateHashing, Power: watts(735), Target: watts(900), Hashrate: ghs(7160.208944955902),
			Boards: []site.Board{
				board(ghs(2966.9503918025643), 81.625, 71, 63),
				board(ghs(3022.858545443969), 89.25, 75.375, 63),
				board(ghs(2946.8691247815643), 80, 66.125, 63),
			},
			Fans: []int{4080, 5580, 0, 0}, Uptime: seconds(1189),
			Pools: []site.Pool{
				{URL: "stratum+tcp://btc1.example.pool:3333", Worker: "asic-rs.test", Active: true},
				{URL: "stratum+tcp://btc2.example.pool:3333", Worker: "asic-rs.test", Active: true},
			},
		},
		"braiins-v25_03": {
			Identity: site.Identity{Firmware: "2025-04-07-0-424f9a7f-25.03-plus"},
			State:    site.StateHashing, Power: watts(4448), Target: watts(3878), Hashrate: ghs(251235.33070591792),
			Boards: []site.Board{
				board(ghs(83918.10633861414), 75, 60, 55),
				board(ghs(83283.68199310651), 73.5, 58.5, 55),
				board(ghs(83301.15958088903), 72.5, 57.5, 55),
			},
			Fans: []int{6418, 6448, 6328, 5998}, Intake: deg(39), Uptime: seconds(96949),
			Pools: []site.Pool{
				{URL: "stratum+tcp://example.pool.com:3333", Worker: "asic_rs.test", Active: true},
				{URL: "stratum+tcp://example.pool2.com:3333", Worker: "asic_rs.test"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// The captures hold boards apart; the driver asks for them together.
			got, ok := load[gqlReply](t, filepath.Join(dir, name, "gql_system.json")).sample()
			more, _ := withVersion(load[gqlReply](t, filepath.Join(dir, name, "gql_boards.json"))).sample()
			got.Boards, got.Intake = more.Boards, more.Intake
			got.Pools = load[gqlReply](t, filepath.Join(dir, name, "gql_pools.json")).pools()
			if d := cmp.Diff(want, got, near); d != "" || !ok {
				t.Errorf("ok %v, -want +got:\n%s", ok, d)
			}
			tuning, _ := withVersion(load[gqlReply](t, filepath.Join(dir, name, "gql_tuning.json"))).sample()
			if tuning.Target != want.Target {
				t.Errorf("gql_tuning.json: target %v, want %v", tuning.Target, want.Target)
			}
		})
	}
}

// withVersion gives an answer the part that sample wants of every one.
func withVersion(r gqlReply) gqlReply {
	r.Data.BOS = &gqlBOS{}
	return r
}

// TestPausedButHashing: a miner that says that it rests and does not.
func TestPausedButHashing(t *testing.T) {
	var s site.Sample
	load[stats](t, "testdata/miner_stats.json").fill(&s)
	det := load[details](t, "testdata/miner_details.json")
	s.Identity, s.Uptime, s.State = det.identity(), det.uptime(), det.state(s.Hashrate)
	b := load[boards](t, "testdata/hashboards.json")
	s.Boards, s.Intake = b.list(), b.intake()
	want := site.Sample{
		Identity: site.Identity{Make: "Antminer", Model: "S21", Firmware: "2026-01-01-0-00000000-26.01-plus", Serial: "SN1", MAC: "02:00:00:00:00:02"},
		State:    site.StateHashing, Power: watts(3050), Hashrate: ghs(139500.5), Uptime: seconds(100), Intake: deg(30.25),
		Boards: []site.Board{board(ghs(66000), 65, 50.5, 108), {Hashrate: ghs(0)}},
	}
	if d := cmp.Diff(want, s, near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestGraphQLReply(t *testing.T) {
	got, ok := load[gqlReply](t, "testdata/gql_all.json").sample()
	want := site.Sample{
		Identity: site.Identity{Firmware: "2022-09-13-0-00000000-22.08-plus"},
		State:    site.StateHashing, Power: watts(1310), Target: watts(1350), Hashrate: ghs(13500.0005), Uptime: seconds(60), Fans: []int{4200, 0},
		Boards: []site.Board{board(ghs(4500), 75.5, 60, 63), {Hashrate: ghs(0), Chips: site.Some(0)}},
	}
	if d := cmp.Diff(want, got, near); d != "" || !ok {
		t.Errorf("ok %v, -want +got:\n%s", ok, d)
	}
}

func TestStates(t *testing.T) {
	for in, want := range map[string]site.State{
		`{"status":2}`: site.StateStarting, `{"status":3}`: site.StateSleeping, `{"status":4}`: site.StateFault, `{"status":5}`: site.StateFault,
		`{"status":1,"bosminer_uptime_s":0,"system_uptime_s":9000}`: site.StateSleeping,
		`{"status":1,"bosminer_uptime_s":0,"system_uptime_s":30}`:   site.StateStarting,
		`{"status":9}`: site.StateUnknown, `{}`: site.StateUnknown,
	} {
		var d details
		if err := json.Unmarshal([]byte(in), &d); err != nil {
			t.Fatal(err)
		}
		if got := d.state(site.Some(unit.Hashrate(0))); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

func TestConstraints(t *testing.T) {
	for in, want := range map[string]struct {
		r    site.Opt[site.Range]
		full site.Opt[unit.Power]
	}{
		`{"tuner_constraints":{"power_target":{"default":{"watt":3068},"min":{"watt":950},"max":{"watt":4500}}}}`: {
			site.Some(site.Range{Min: 950 * unit.Watt, Max: 4500 * unit.Watt}), watts(3068),
		},
		`{"tuner_constraints":{"power_target":{"default":null,"min":{"watt":950},"max":null}}}`: {},
		`{"tuner_constraints":{"power_target":{"min":{"watt":0},"max":{"watt":0}}}}`:            {},
		`{}`: {},
	} {
		var c constraints
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Fatal(err)
		}
		if r, full := c.targets(); r != want.r || full != want.full {
			t.Errorf("%s: %v, %v, want %v", in, r, full, want)
		}
	}
}

// TestZeroWatts: 0 W is what all its interfaces say where they do not know.
func TestZeroWatts(t *testing.T) {
	var st stats
	if err := json.Unmarshal([]byte(`{"miner_stats":{"real_hashrate":{"last_5s":{"gigahash_per_second":100000}}},"power_stats":{"approximated_consumption":{"watt":0}}}`), &st); err != nil {
		t.Fatal(err)
	}
	var s site.Sample
	if st.fill(&s); s.Power.OK || !s.Hashrate.OK {
		t.Errorf("REST: %v, %v", s.Power, s.Hashrate)
	}
	var g gqlReply
	if err := json.Unmarshal([]byte(`{"data":{"bos":{"info":{"version":{"full":"22.08"}}},"bosminer":{"info":{"workSolver":{"realHashrate":{"mhs5S":1e8}},"summary":{"power":{"approxConsumptionW":0}}}}}}`), &g); err != nil {
		t.Fatal(err)
	}
	if s, ok := g.sample(); !ok || s.Power.OK || !s.Hashrate.OK {
		t.Errorf("GraphQL: %v, %v", s.Power, s.Hashrate)
	}
	r, err := rpc.Parse([]byte(`{"summary":[{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"MHS 5s":1e8}]}],"tunerstatus":[{"STATUS":[{"STATUS":"S"}],"TUNERSTATUS":[{"ApproximateMinerPowerConsumption":0,"PowerLimit":0}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := bosSample(r); !ok || s.Power.OK || s.Target.OK || !s.Hashrate.OK {
		t.Errorf("port 4028: %v, %v", s.Power, s.Hashrate)
	}
}

// TestOtherReplies: numbers as text, and what is no number, spoil nothing else of the reply.
func TestOtherReplies(t *testing.T) {
	var st stats
	if err := json.Unmarshal([]byte(`{"miner_stats":{"real_hashrate":{"last_5s":{"gigahash_per_second":"nan"},"last_15s":{"terahash_per_second":"135.5"}}},
		"power_stats":{"approximated_consumption":{"watt":"3068"}}}`), &st); err != nil {
		t.Fatal(err)
	}
	var got site.Sample
	st.fill(&got)
	if d := cmp.Diff(site.Sample{Hashrate: ghs(135500), Power: watts(3068)}, got, near); d != "" {
		t.Error(d)
	}
	var b boards
	if err := json.Unmarshal([]byte(`{"hashboards":[{"enabled":true,"chips_count":"126","board_temp":{"degree_c":"-1"},"highest_chip_temp":{"temperature":{"degree_c":{}}},
		"stats":{"real_hashrate":{"last_5s":{"gigahash_per_second":-1,"terahash_per_second":1e300}}}},{"chips_count":-4,"highest_chip_temp":null,"stats":null},
		{"chips_count":126,"lowest_inlet_temp":{"degree_c":"30.5"},"highest_chip_temp":{"temperature":{"degree_c":"61.5"}}}]}`), &b); err != nil {
		t.Fatal(err)
	}
	want := []site.Board{{Chips: site.Some(126)}, {}, {Chips: site.Some(126), ChipTemp: deg(61.5)}}
	if d := cmp.Diff(want, b.list(), near); d != "" || b.intake() != deg(30.5) {
		t.Error(d, b.intake())
	}
	var c cooling
	if err := json.Unmarshal([]byte(`{"fans":[{"rpm":"4020"},{"rpm":null},{"rpm":"x"},{"rpm":-1},{"rpm":0}]}`), &c); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{4020, 0}, c.rpm()); d != "" {
		t.Error(d)
	}
	var det details
	if err := json.Unmarshal([]byte(`{"status":"2","bosminer_uptime_s":"3600","system_uptime_s":[]}`), &det); err != nil {
		t.Fatal(err)
	}
	if got := det.state(site.Some(unit.Hashrate(0))); got != site.StateStarting || det.uptime() != seconds(3600) {
		t.Errorf("%v, %v", got, det.uptime())
	}
	var con constraints
	if err := json.Unmarshal([]byte(`{"hashboards_constraints":{"quick_ramping_time_s":{"default":"x","min":1}}}`), &con); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := con.ramping(); ok {
		t.Error("a time that is none")
	}
}

func FuzzReplies(f *testing.F) {
	for _, file := range []string{"miner_stats", "miner_details", "hashboards", "gql_all"} {
		b, err := os.ReadFile("testdata/" + file + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s site.Sample
		var st stats
		if json.Unmarshal(data, &st) == nil {
			st.fill(&s)
		}
		var d details
		if json.Unmarshal(data, &d) == nil {
			d.identity()
			d.uptime()
			d.state(s.Hashrate)
		}
		var b boards
		if json.Unmarshal(data, &b) == nil {
			b.list()
			b.intake()
		}
		var tun tuner
		if json.Unmarshal(data, &tun) == nil {
			s.Target = tun.target()
		}
		var e minerErrors
		if json.Unmarshal(data, &e) == nil && len(e.recent(time.Unix(0, 0))) > maxFaults {
			t.Fatal("too many faults")
		}
		var g gqlReply
		if json.Unmarshal(data, &g) == nil {
			g.pools()
			if q, ok := g.sample(); ok && q.Power.OK && q.Power.V <= 0 {
				t.Fatalf("power %v", q.Power)
			}
		}
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && !(s.Hashrate.V >= 0) {
			t.Fatalf("%+v", s)
		}
	})
}
