package whatsminer

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

func readTestdata(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// fixture reads a captured reply, which a user's checkout does not have.
func fixture(t *testing.T, name string) rpc.Reply {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures", "miners")
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
	if err := check(r.Status()); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return r
}

// The expectations were written down from reading the files.
func TestFixtureV1(t *testing.T) {
	h, err := parseSummary(fixture(t, "whatsminer-v1/summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	none := []string{}
	want := hot{
		identity: site.Identity{Make: "WhatsMiner", MAC: "C4:08:28:00:A4:19", Firmware: "20210322.22.REL"},
		power:    site.Some(3427 * unit.Watt), rate: site.Some(67394800.97 * unit.MegaHash), limit: site.Some(3500.0),
		fans: []int{6450, 6480}, uptime: site.Some(10792 * time.Second), elapsed: site.Some(10154 * time.Second), codes: &none,
	}
	if d := cmp.Diff(want, h, cmp.AllowUnexported(hot{}), cmp.Comparer(sameCodes)); d != "" {
		t.Error(d)
	}
	h, err = parseSummary(fixture(t, "whatsminer-v1/summary_with_errors.json"))
	if err != nil || cmp.Diff(*h.codes, []string{"110", "600"}) != "" {
		t.Errorf("codes %v, %v", h.codes, err)
	}
	boards := []site.Board{
		{Hashrate: site.Some(22103789.84 * unit.MegaHash), ChipTemp: site.Some(90.0), PCBTemp: site.Some(70.0), Chips: site.Some(105), Working: true},
		{Hashrate: site.Some(22719799.79 * unit.MegaHash), ChipTemp: site.Some(90.11), PCBTemp: site.Some(69.5), Chips: site.Some(105), Working: true},
		{Hashrate: site.Some(22554737.92 * unit.MegaHash), ChipTemp: site.Some(92.5), PCBTemp: site.Some(71.5), Chips: site.Some(105), Working: true},
	}
	if d := cmp.Diff(boards, parseDevs(fixture(t, "whatsminer-v1/devs.json"))); d != "" {
		t.Error(d)
	}
	testPools(t, "whatsminer-v1")
	d := &V2{}
	if off := d.switched(fixture(t, "whatsminer-v1/status.json")); off != site.Some(false) || d.percent.OK {
		t.Errorf("off %v, percent %v", off, d.percent)
	}
	version := fixture(t, "whatsminer-v1/get_version.json").Object.Object("Msg")
	if v, fw := major(version.Text("api_ver")), version.Text("fw_ver"); v != 1 || fw != "20210322.22.REL" {
		t.Errorf("api %d, firmware %s", v, fw)
	}
	fixture(t, "whatsminer-v1/get_psu.json")
}

func TestFixtureV2(t *testing.T) {
	h, err := parseSummary(fixture(t, "whatsminer-v2/summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := hot{
		identity: site.Identity{Make: "WhatsMiner", MAC: "D4:01:02:03:04:05"},
		power:    site.Some(3200 * unit.Watt), rate: site.Some(124.5 * unit.TeraHash), limit: site.Some(3300.0),
		intake: site.Some(28.5), fans: []int{5400, 5280}, uptime: site.Some(25500 * time.Second), elapsed: site.Some(25000 * time.Second),
	}
	if d := cmp.Diff(want, h, cmp.AllowUnexported(hot{}), cmp.Comparer(sameCodes)); d != "" {
		t.Error(d)
	}
	boards := []site.Board{
		{Hashrate: site.Some(41.5 * unit.TeraHash), ChipTemp: site.Some(80.0), PCBTemp: site.Some(65.0), Chips: site.Some(135), Working: true},
		{Hashrate: site.Some(41.8 * unit.TeraHash), ChipTemp: site.Some(81.0), PCBTemp: site.Some(66.0), Chips: site.Some(135), Working: true},
		{Hashrate: site.Some(41.7 * unit.TeraHash), ChipTemp: site.Some(81.0), PCBTemp: site.Some(67.0), Chips: site.Some(135), Working: true},
	}
	if d := cmp.Diff(boards, parseDevs(fixture(t, "whatsminer-v2/devs.json"))); d != "" {
		t.Error(d)
	}
	testPools(t, "whatsminer-v2")
	if off := (&V2{}).switched(fixture(t, "whatsminer-v2/status.json")); off != site.Some(false) {
		t.Errorf("off %v", off)
	}
	for name, want := range map[string][]string{"get_error_code.json": nil, "get_error_code_with_errors.json": {"218", "110"}} {
		v, _ := fixture(t, "whatsminer-v2/"+name).Object.Object("Msg").Get("error_code")
		if d := cmp.Diff(want, errorCodes(v)); d != "" {
			t.Error(name, d)
		}
	}
	info := fixture(t, "whatsminer-v2/get_miner_info.json").Object.Object("Msg")
	version := fixture(t, "whatsminer-v2/get_version.json").Object.Object("Msg")
	if info.Text("mac") != "D4:01:02:03:04:05" || major(version.Text("api_ver")) != 2 || version.Text("fw_ver") != "20230803.11.REL" {
		t.Errorf("%v %v", info, version)
	}
}

func testPools(t *testing.T, dir string) {
	want := []site.Pool{
		{URL: "stratum+tcp://btc.example.pool:3333", Worker: "asic-rs.test", Active: true},
		{URL: "stratum+tcp://btc2.example.pool:3333", Worker: "asic-rs.test"},
		{URL: "stratum+tcp://btc3.example.pool:3333", Worker: "asic-rs.test"},
	}
	if d := cmp.Diff(want, parsePools(fixture(t, dir+"/pools.json"))); d != "" {
		t.Error(dir, d)
	}
}

func sameCodes(a, b *[]string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return len(*a) == len(*b)
}
