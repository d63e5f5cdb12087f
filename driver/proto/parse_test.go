package proto

import (
	"encoding/base64"
	"errors"
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

var near = cmp.Options{
	cmp.Comparer(func(a, b unit.Hashrate) bool { return math.Abs(float64(a-b)) <= 1e-9*math.Abs(float64(b)) }),
	cmp.Comparer(func(a, b unit.Power) bool { return a-b <= unit.Milliwatt && b-a <= unit.Milliwatt }),
	cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }),
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "fixtures", "miners", "proto-v1", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("../shared/fixtures/miners is missing")
	}
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func object(t *testing.T, body []byte) rpc.Object {
	t.Helper()
	o, err := parse("test", body)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func board(terahash, outlet float64) site.Board {
	return site.Board{
		Hashrate: site.Some(unit.Hashrate(terahash) * unit.TeraHash), PCBTemp: site.Some(outlet), Chips: site.Some(120), Working: true,
	}
}

// The expectations were written down from reading the files.
func TestFixtures(t *testing.T) {
	status := object(t, fixture(t, "mining.json")).Object("mining-status")
	tel := object(t, fixture(t, "telemetry_full.json"))
	s := sample(status, tel)
	var err error
	if s.Identity, err = identity(object(t, fixture(t, "system.json"))); err != nil {
		t.Fatal(err)
	}
	s.Identity.MAC = object(t, fixture(t, "network.json")).Object("network-info").Text("mac")
	s.Boards, s.Intake = boards(tel, chips(object(t, fixture(t, "hardware.json"))))
	s.Fans = fans(object(t, fixture(t, "cooling.json")))
	s.Pools = pools(object(t, fixture(t, "pools.json")))
	want := site.Sample{
		Identity: site.Identity{Make: "Proto", Model: "Rig", Firmware: "1.8.0", Serial: "PROTO-SIM-b6bdaf86", MAC: "02:00:00:AD:66:39"},
		State:    site.StateHashing, Power: site.Some(unit.Watts(3466.397308943879)), Target: site.Some(3400 * unit.Watt),
		Hashrate: site.Some(135.47567610136747 * unit.TeraHash), Uptime: site.Some(28 * time.Second), Intake: site.Some(38.642894869829554),
		Fans: []int{4346, 4691, 4658, 4443},
		Boards: []site.Board{
			board(36.44848053006888, 55.241942214972724), board(33.618811133184686, 54.978843834992624),
			board(35.78954003202982, 55.43768806658174), board(36.166744497811905, 53.387135818884865),
		},
		Pools: []site.Pool{
			{URL: "stratum+tcp://pool-a.example.com:3333", Worker: "worker-a", Active: true},
			{URL: "stratum+tcp://pool-b.example.com:4444", Worker: "worker-b", Active: true}, // so it says of both
		},
	}
	if d := cmp.Diff(want, s, near); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if all, ok := faults(fixture(t, "errors.json")); !ok || len(all) != 0 {
		t.Errorf("faults %v, %v", all, ok)
	}
	// Without telemetry mining's own figures count, but never the mean since the start.
	s = sample(status, nil)
	if s.Hashrate.V != unit.Hashrate(141147.4350314711)*unit.GigaHash || s.Power.V != unit.Watts(3447.008523267969) {
		t.Errorf("without telemetry: %+v", s)
	}
}

func TestSamples(t *testing.T) {
	const half = `{"psus":[{"power":{"input":1000,"output":900,"unit":"W"}},{"power":{"input":1.5,"unit":"kW"}}],"miner":{"hashrate":{"value":"0.25","unit":"PH/s"}}}`
	for _, c := range []struct {
		status, telemetry string
		want              site.Sample
	}{
		{`{"status":"Mining"}`, half, site.Sample{State: site.StateHashing, Power: site.Some(2500 * unit.Watt), Hashrate: site.Some(250 * unit.TeraHash)}},
		{`{"status":"Stopped"}`, half, site.Sample{State: site.StateHashing, Power: site.Some(2500 * unit.Watt), Hashrate: site.Some(250 * unit.TeraHash)}},
		{`{"status":"Mining"}`, `{"miner":{"hashrate":{"value":0,"unit":"TH/s"},"power":{"value":0,"unit":"W"}}}`, site.Sample{State: site.StateStarting, Hashrate: site.Some(unit.Hashrate(0))}},
		{`{"status":"Curtailed","power_usage_watts":61}`, `{}`, site.Sample{State: site.StateSleeping, Power: site.Some(61 * unit.Watt)}},
		{`{"status":"NoPools"}`, `{}`, site.Sample{State: site.StateFault}},
		{`{"status":"Dreaming","average_hashrate_ghs":1000}`, `{"miner":{"power":{"value":3000}}}`, site.Sample{}}, // no unit, no figure
		{`{}`, `{"psus":[{"power":{"input":1000,"unit":"W"}},{"power":{}}]}`, site.Sample{}},                       // half a sum is none
	} {
		got := sample(object(t, []byte(c.status)), object(t, []byte(c.telemetry)))
		if d := cmp.Diff(c.want, got, near); d != "" {
			t.Errorf("%s %s: -want +got:\n%s", c.status, c.telemetry, d)
		}
	}
}

func TestTargets(t *testing.T) {
	r, full := targets(object(t, []byte(`{"power_target_watts":3000,"power_target_min_watts":400,"power_target_max_watts":3000,"default_power_target_watts":2500}`)))
	if r != site.Some(site.Range{Min: 400 * unit.Watt, Max: 3000 * unit.Watt}) || full.V != 2500*unit.Watt {
		t.Errorf("%v, %v", r, full)
	}
	if r, full := targets(nil); r.OK || full.OK {
		t.Errorf("from nothing %v, %v", r, full)
	}
}

func TestFaults(t *testing.T) {
	all, ok := faults([]byte(`[{"source":"fan","slot":3,"error_code":"FanSlow","timestamp":1764160757,"message":"Fan 3 has stalled"},{"message":"only words"},{}]`))
	if d := cmp.Diff([]string{"FanSlow: Fan 3 has stalled", "only words"}, all); d != "" || !ok {
		t.Error(d)
	}
	for _, bad := range []string{"", "{}", "null", `"none"`} {
		if _, ok := faults([]byte(bad)); ok {
			t.Errorf("%q is a list", bad)
		}
	}
}

func TestLifeOfToken(t *testing.T) {
	for claims, want := range map[string]time.Duration{
		`{"exp":2000,"iat":1000}`: 1000 * time.Second, `{"exp":2000}`: 10 * time.Minute, `{}`: 0, `{"exp":-1}`: 0, `x`: 0, `{"exp":1000,"iat":2000}`: 10 * time.Minute,
	} {
		if got := lifeOf("h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"); got != want {
			t.Errorf("%s: %v, want %v", claims, got, want)
		}
	}
	if lifeOf("opaque") != 0 || lifeOf("a.!.c") != 0 {
		t.Error("a token that is none has a life")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"mining-status":{"status":"Mining","power_usage_watts":3447.5,"hashrate_ghs":141147.4}}`))
	f.Add([]byte(`{"miner":{"hashrate":{"value":135.4,"unit":"TH/s"}},"hashboards":[{"temperature":{"inlet":38.6,"outlet":55.4},"asics":{"temperature":{"values":[60,61]}}}]}`))
	f.Add([]byte(`[{"error_code":"FanSlow","message":"x"}]`))
	f.Add([]byte(`{"system-info":{"manufacturer":"Proto","model":"Rig","os":{"version":"1.8.0"}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if all, _ := faults(body); len(all) > maxFaults {
			t.Fatal("too many faults")
		}
		lifeOf(string(body))
		o, err := parse("fuzz", body)
		if err != nil {
			return
		}
		s := sample(o.Object("mining-status"), o)
		list, intake := boards(o, chips(o))
		if s.Power.OK && s.Power.V <= 0 || s.Hashrate.OK && !(s.Hashrate.V >= 0) || len(list) > maxBoards || intake.OK && math.IsNaN(intake.V) {
			t.Fatalf("%+v", s)
		}
		if id, err := identity(o); err == nil && (id.Make == "" || id.Model == "") {
			t.Fatal("nobody")
		}
		fans(o)
		pools(o)
		targets(o)
	})
}
