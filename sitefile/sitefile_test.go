package sitefile

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/site"
	"switchyard/strictyaml"
	"switchyard/unit"
)

var update = flag.Bool("update", false, "write the golden files")

var known = Known{
	Drivers: []string{"antminer", "whatsminer", "braiins", "snmp"}, Profiles: []string{"generic", "schneider-pm5000", "sunspec"},
	UnitProfiles: []string{"apc-rpdu2", "generic", "raritan-px"},
}

// golden compares got with the file testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

func TestExamplePasses(t *testing.T) {
	f, err := Parse("site.yaml", Example(), known)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) > 0 {
		t.Errorf("the example has warnings:\n%v", f.Warnings)
	}
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, Example(), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = Load(path, known); err != nil {
		t.Fatal(err)
	}
	if f.Dir != filepath.Dir(path) || f.Path("a/b") != filepath.Join(f.Dir, "a/b") || f.Path("/a") != "/a" {
		t.Errorf("relative paths start at %q", f.Dir)
	}
	if got := f.Location().String(); got != "America/Chicago" {
		t.Errorf("location %s", got)
	}
}

// Each alternative that the example shows in a comment must pass in its place.
func TestExampleAlternatives(t *testing.T) {
	base := string(Example())
	for name, edits := range map[string][][2]string{
		"csv price":   {{"    fixed: 45 $/MWh\n    # csv: ", "    csv: "}},
		"url price":   {{"    fixed: 45 $/MWh\n", ""}, {"    # url: ", "    url: "}},
		"made up":     {{"fixed: 45 $/MWh", "made_up: 7"}},
		"feed price":  {{"    fixed: 45 $/MWh\n", ""}, {"    # feed: ", "    feed: "}, {"  # day_ahead: ", "  day_ahead: "}, {"  # load: {feed", "  load: {feed"}},
		"csv bitcoin": {{"    hashprice: 50 $/PH/day\n    # csv: ", "    csv: "}},
		"rpc bitcoin": {{"    hashprice: 50 $/PH/day\n", ""}, {"    # rpc: ", "    rpc: "}, {"    # price_url: ", "    price_url: "}, {"    # credentials: {user: sw", "    credentials: {user: sw"}},
		"ports":       {{"    # ports: {http: 8080, rpc", "    ports: {http: 8080, rpc"}},
		"meter":       {{"    # port: 502", "    port: 502"}, {"    # unit: 1 ", "    unit: 1 "}, {"profile: sunspec", "profile: meters/mine.yaml"}},
		"auto":        {{"driver: antminer", "driver: auto"}},
		"pdus": {
			{"# pdus:", "pdus:"},
			{"#   - id: a-01", "  - id: a-01"},
			{"#     node: hall-a", "    node: hall-a"},
			{"#     address: 10.20.1.1", "    address: 10.20.1.1"},
			{"#     profile: raritan-px", "    profile: raritan-px"},
			{"#     community:", "    community:"},
			{"#     outlets:", "    outlets:"},
		},
		"signals": {
			{"# signals:\n", "signals:\n"},
			{"#   openadr:", "  openadr:"},
			{"#     - name: utility", "    - name: utility"},
			{"#       url: https://vtn", "      url: https://vtn"},
			{"#       client:", "      client:"},
			{"#       # programs:", "      programs:"},
			{"#       # node: connection", "      node: connection"},
			{"#       # levels:", "      levels:"},
			{"#       # poll: 30s", "      poll: 30s"},
			{"#       # webhook: ", "      webhook: "},
			{"#       # webhook_listen", "      webhook_listen"},
			{"#       # webhook_token", "      webhook_token"},
			{"#       lost: {after: 5m", "      lost: {after: 5m"},
			{"#   mqtt:", "  mqtt:"},
			{"#     - name: aggregator", "    - name: aggregator"},
			{"#       broker:", "      broker:"},
			{"#       credentials: {user: north", "      credentials: {user: north"},
			{"#       topic: north", "      topic: north"},
			{"#       status:", "      status:"},
			{"#   modbus:", "  modbus:"},
			{"#     listen: 127.0.0.1:1502", "    listen: 127.0.0.1:1502"},
			{"#     # allow: [10.20", "    allow: [10.20"},
			{"#     lost: {after: 60s", "    lost: {after: 60s"},
		},
		"power faults": {{"    # - {kind: mute-power", "    - {kind: mute-power"}, {"    # - {kind: biased-power", "    - {kind: biased-power"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := base
			for _, e := range edits {
				if !strings.Contains(text, e[0]) {
					t.Fatalf("the example no longer holds %q", e[0])
				}
				text = strings.Replace(text, e[0], e[1], 1)
			}
			if _, err := Parse("site.yaml", []byte(text), known); err != nil {
				t.Error(err)
			}
		})
	}
}

// Every testdata/*.yaml is a file with faults or warnings; the .txt beside it says which.
func TestGoldenFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse(name, data, known)
			var out string
			if err != nil {
				var faults strictyaml.Faults
				if !errors.As(err, &faults) {
					t.Fatalf("the error is a %T", err)
				}
				out = faults.Error() + "\n"
			} else {
				out = "warnings:\n" + f.Warnings.Error() + "\n"
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".txt", out)
		})
	}
}

const small = `
site: {name: x}
connection:
  limit: 2 MW
  meter: {address: 10.0.0.2, profile: generic}
market: {price: {fixed: 0 $/MWh}}
`

func TestDefaults(t *testing.T) {
	f, err := Parse("/etc/site.yaml", []byte(small+`
control: {margin: 0 %, retries: 0}
nodes:
  - {id: ai, limit: 1 MW, meter: {address: 10.0.0.3, unit: 0, poll: 2s, profile: generic}}
tenants:
  - {id: t, node: ai, firm: 900 kW, rate: 100 $/kW-month, penalty: 1 $/MWh}
emulate:
  tenants: {t: {low: 0 %}}
  faults: [{kind: frozen, devices: ["meter:ai"]}]
`), known)
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Connection.Meter; m.Port != 502 || m.Unit != 1 || m.Poll != 5*time.Second || m.Stale != 15*time.Second {
		t.Errorf("connection meter %+v", *m)
	}
	if m := f.Nodes[0].Meter; m.Unit != 0 || m.Stale != 6*time.Second || f.Nodes[0].Parent != "connection" || f.Nodes[0].Name != "ai" {
		t.Errorf("node %+v", f.Nodes[0])
	}
	if f.Control.Margin != 0 || f.Control.Retries != 0 || f.Control.Confirm != time.Minute {
		t.Errorf("a written zero was overwritten: %+v", f.Control)
	}
	ten := f.Tenants[0]
	if ten.Ramp != ten.Firm || !*ten.Fill || ten.Power != "pass-through" || ten.Name != "t" {
		t.Errorf("tenant %+v", ten)
	}
	if d := f.Emulate.Tenants["t"]; d.Low != 0 || d.High != 1 || d.JumpTime != time.Minute || f.Emulate.Faults[0].Chance != 1 || f.Emulate.Ramp != 1 {
		t.Errorf("emulate %+v", f.Emulate)
	}
	if *f.Market.Price.Fixed != 0 || f.Market.Price.Stale != 15*time.Minute || f.Lost.Price != "hold" || f.Store.Dir != "data" || f.Location() != time.UTC {
		t.Errorf("defaults %+v %+v", f.Market.Price, f.Lost)
	}
}

func TestTree(t *testing.T) {
	f, err := Parse("site.yaml", []byte(small+`
nodes:
  - {id: leaf, parent: mid, limit: 1 MW, loss: 2 %, inrush: {power: 100 kW, per: 30s}}
  - {id: side}
  - id: mid
    limit: 1.5 MW
    overload: [{ratio: 150 %, for: 5s, rest: 1m}, {ratio: 110 %, for: 60s, rest: 10m}]
    meter: {address: 10.0.0.3, profile: generic}
`), known)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := f.Tree()
	if err != nil {
		t.Fatal(err)
	}
	var got []site.Node
	for i := range tree.Len() {
		got = append(got, tree.Node(i))
	}
	want := []site.Node{
		{ID: "connection", Name: "connection", Parent: -1, Limit: 2 * unit.Megawatt, Meter: "meter:connection"},
		{ID: "side", Name: "side", Parent: 0},
		{ID: "mid", Name: "mid", Parent: 0, Limit: 1500 * unit.Kilowatt, Meter: "meter:mid", Overload: []site.Overload{
			{Ratio: 1.1, For: time.Minute, Rest: 10 * time.Minute}, {Ratio: 1.5, For: 5 * time.Second, Rest: time.Minute},
		}},
		{ID: "leaf", Name: "leaf", Parent: 2, Limit: unit.Megawatt, Loss: 0.02, Inrush: 100 * unit.Kilowatt, InrushWindow: 30 * time.Second},
	}
	approx := cmp.Comparer(func(a, b unit.Ratio) bool { return a-b < 1e-12 && b-a < 1e-12 })
	if diff := cmp.Diff(want, got, approx); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if _, err := (&File{Connection: Node{ID: "c"}, Nodes: []Node{{ID: "a", Parent: "b"}, {ID: "b", Parent: "a"}}}).Tree(); err == nil {
		t.Error("a circle made a tree")
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	f := &File{Dir: dir}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pw", "s3cret \r\n")
	write("empty", "\n")
	write("big", strings.Repeat("x", maxSecret+1))
	t.Setenv("SITEFILE_TEST", "hunter2")
	for ref, want := range map[string]string{
		"env:SITEFILE_TEST": "hunter2", "file:pw": "s3cret ", "file:" + filepath.Join(dir, "pw"): "s3cret ",
		"env:SITEFILE_NONE": "", "file:none": "", "file:empty": "", "file:big": "", "hunter2": "", "": "",
	} {
		got, err := f.Secret(ref)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Secret(%q) = %q, %v", ref, got, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "xxx")) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	user, password, err := f.Login(&Credentials{User: "root", Password: "file:pw"})
	if user != "root" || password != "s3cret " || err != nil {
		t.Errorf("Login = %q %q %v", user, password, err)
	}
	if user, _, err = f.Login(&Credentials{User: "env:SITEFILE_TEST"}); user != "hunter2" || err != nil {
		t.Errorf("Login = %q %v", user, err)
	}
	if _, _, err = f.Login(&Credentials{User: "root", Password: "env:SITEFILE_NONE"}); err == nil {
		t.Error("a secret that is not there was taken for empty")
	}
	if u, p, err := f.Login(nil); u != "" || p != "" || err != nil {
		t.Error("no credentials gave some")
	}
}

func TestLoadNeedsItsFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "site.yaml")
	text := strings.Replace(small, "fixed: 0 $/MWh", "csv: p.csv", 1)
	text = strings.Replace(text, "profile: generic", "profile: maps/m.yaml", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, known)
	for _, want := range []string{
		":5:30: connection.meter.profile: cannot read " + filepath.Join(dir, "maps/m.yaml") + ": no such file",
		":6:18: market.price.csv: cannot read " + filepath.Join(dir, "p.csv") + ": no such file",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v\nlacks %q", err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.yaml"), known); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing site file gave %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add([]byte(small))
	f.Add([]byte("groups: [{addresses: [127.0.0.1*70000, ::/0, 1.1.1.1-2], ports: {a: 65535+}, id: \"\"}]\nemulate: {faults: [{devices: [\"\", \"-\", \"meter:\"]}]}\nsite:\n"))
	f.Add([]byte("connection:\nnodes: [{id: a, parent: b}, {id: b, parent: a}]\ntenants: [{node: a, firm: 1 W}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("x.yaml", data, known)
		if err != nil {
			return
		}
		if _, err := file.Tree(); err != nil {
			t.Errorf("a file that passed makes no tree: %v", err)
		}
	})
}
