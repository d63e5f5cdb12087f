package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/ranges"
	"switchyard/discover"
	"switchyard/discover/groups"
	"switchyard/driver/all"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
)

func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.yaml")
	env{}.run(t, "init", path).wants(t, 0, []string{"switchyard check " + path}, nil)
	if _, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()}); err != nil {
		t.Errorf("what init writes does not pass: %v", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "init", path).wants(t, 2, nil, []string{"stays as it is", "--force"})
	if b, _ := os.ReadFile(path); string(b) != "mine" {
		t.Error("init replaced a file")
	}
	env{}.run(t, "init", path, "--force", "-o", "json").wants(t, 0, []string{`"file"`}, nil)
	if b, _ := os.ReadFile(path); string(b) != string(sitefile.Example()) {
		t.Error("init --force did not replace the file")
	}
	env{}.run(t, "init", filepath.Join(path, "x")).wants(t, 1, nil, []string{"write the example"})
}

func TestCheck(t *testing.T) {
	r := env{}.run(t, "check", "testdata/faults.yaml")
	r.wants(t, 2, []string{"5 faults"}, nil)
	golden(t, "faults.txt", r.out)
	r = env{}.run(t, "check", "testdata/faults.yaml", "-o", "json")
	r.wants(t, 2, nil, nil)
	golden(t, "faults.json", r.out)
	env{}.run(t, "check", "testdata/site.yaml").wants(t, 0, []string{
		"testdata/site.yaml: ok, no warnings", "Test Creek: 4 nodes with 2 meters, limit 1 MW", "2 groups with 150 miners, 512.5 kW nameplate", "1 tenant, 400 kW firm",
	}, nil)
	var out checked
	r = env{}.run(t, "check", "testdata/site.yaml", "-o", "json")
	r.decode(t, &out)
	if !out.OK || out.Summary == nil || out.Summary.Miners != 150 || out.Summary.NameplateW != 512_500 || out.Summary.FirmW != 400_000 || r.code != 0 {
		t.Errorf("check -o json: code %d, %s", r.code, r.out)
	}
	env{}.run(t, "check", "testdata/none.yaml").wants(t, 2, nil, []string{"no such file", "switchyard init testdata/none.yaml"})
	env{}.run(t, "run", "testdata/faults.yaml").wants(t, 2, nil, []string{"5 faults in testdata/faults.yaml", "groups[0].node"})
}

// A register map of one's own is checked with the site file that names it.
func TestCheckReadsRegisterMaps(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, data string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("site.yaml", strings.Replace(string(text), "profile: generic", "profile: mine.yaml", 1))
	write("mine.yaml", "nonsense: 1\n")
	env{}.run(t, "check", filepath.Join(dir, "site.yaml")).wants(t, 2, []string{"mine.yaml:1:1", `unknown key "nonsense"`}, nil)
}

func TestClear(t *testing.T) {
	r := env{}.run(t, "clear", "testdata/site.yaml", "--price", "45", "--hashprice", "50", "-o", "json")
	r.wants(t, 0, nil, nil)
	golden(t, "clear.json", r.out)
	r = env{}.run(t, "clear", "testdata/site.yaml", "--price", "45")
	r.wants(t, 0, nil, nil)
	golden(t, "clear.txt", r.out)
}

// TestClearObeys holds what any clearing must: no cap passed, firm first, nothing below its price.
func TestClearObeys(t *testing.T) {
	for _, c := range []struct {
		args    []string
		s21     float64 // W awarded
		binding string
	}{
		{[]string{"--price", "45"}, 294_000, "hall-a"},
		{[]string{"--price", "150"}, 0, ""},
		{[]string{"--price", "-20"}, 294_000, "hall-a"},
		{[]string{"--price", "45", "--hashprice", "5"}, 0, ""},
		{[]string{"--price", "45", "--limit", "hall-a=0.1"}, 96_000, "hall-a"},
		{[]string{"--price", "45", "--limit", "connection=500kW"}, 86_050, "connection"},
		{[]string{"--price", "45", "--limit", "connection=500kW", "--tenant-draw", "acme=0.2"}, 286_050, "connection"},
	} {
		var out cleared
		r := env{}.run(t, append([]string{"clear", "testdata/site.yaml", "-o", "json"}, c.args...)...)
		r.wants(t, 0, nil, nil)
		r.decode(t, &out)
		awards := map[string]awardOut{}
		for _, a := range out.Awards {
			awards[a.Load] = a
			if a.Reason.Code == "" || a.Reason.Text == "" {
				t.Errorf("%v: the award of %s has no reason", c.args, a.Load)
			}
		}
		if a := awards["acme"]; a.PowerW != a.FullW {
			t.Errorf("%v: firm load is shed: %+v", c.args, a)
		}
		if got := awards["s21"].PowerW; got < c.s21-10 || got > c.s21+10 {
			t.Errorf("%v: s21 is given %v W, want %v", c.args, got, c.s21)
		}
		for _, n := range out.Nodes {
			if n.CapW != nil && n.UsedW > *n.CapW+0.001 {
				t.Errorf("%v: %s uses %v W of %v", c.args, n.ID, n.UsedW, *n.CapW)
			}
			if n.ID == c.binding && !n.Binding {
				t.Errorf("%v: %s does not bind", c.args, n.ID)
			}
		}
	}
}

func TestClearRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{}, 2, `required flag(s) "price" not set`},
		{[]string{"--price", "dear"}, 2, "--price"},
		{[]string{"--price", "45 $/kW"}, 2, "not a unit"},
		{[]string{"--price", "NaN"}, 2, "--price"},
		{[]string{"--price", "45", "--limit", "hall-x=1"}, 3, `no node "hall-x"`},
		{[]string{"--price", "45", "--limit", "hall-a"}, 2, "not NAME=POWER"},
		{[]string{"--price", "45", "--limit", "hall-a=-1"}, 2, "less than nothing"},
		{[]string{"--price", "45", "--tenant-draw", "nobody=1"}, 3, `no tenant "nobody"`},
	} {
		r := env{}.run(t, append([]string{"clear", "testdata/site.yaml"}, c.args...)...)
		r.wants(t, c.code, nil, []string{c.text})
		if r.out != "" {
			t.Errorf("%v: an answer is printed: %s", c.args, r.out)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"statu"}, `did you mean "status"?`},
		{[]string{"frobnicate"}, `unknown command "frobnicate"`},
		{[]string{"token", "lst"}, `unknown command "token lst"; did you mean "list"?`},
		{[]string{"check"}, "accepts 1 arg"},
		{[]string{"check", "x", "-o", "yaml"}, "choose text or json"},
		{[]string{"status", "--nope"}, "unknown flag: --nope; see `switchyard status --help`"},
		{[]string{"why", "x", "--store", "a", "--site", "b"}, "store"},
		{[]string{"demo", "--miners", "3"}, "from 12"},
		{[]string{"demo", "--speed", "0"}, "--speed"},
		{[]string{"demo", "--from", "someday"}, "2017-07-19"},
		{[]string{"demo", "--listen", "here"}, "127.0.0.1:8418"},
		{[]string{"demo", "--hashprice", "-1"}, "above zero"},
		{[]string{"run", "testdata/site.yaml", "--log-level", "loud"}, "choose debug or info or warn or error"},
		{[]string{"scan", "10.0.0.0/8"}, "more than 65536 addresses"},
		{[]string{"scan", "10.0.0.0/17", "10.1.0.0/17", "10.2.0.0/17"}, "scan them in parts"},
		{[]string{"scan", "10.0.0.9-10.0.0.1"}, "backwards"},
		{[]string{"scan", "there"}, "not an IP address"},
		{[]string{"scan", "10.0.0.1", "--ports", "http"}, "NAME=PORT"},
		{[]string{"scan", "10.0.0.1", "--ports", "htp=80"}, "no driver has a port"},
		{[]string{"scan", "10.0.0.1", "--parallel", "-1"}, "--parallel"},
	} {
		r := env{}.run(t, c.args...)
		r.wants(t, 2, nil, []string{c.text})
		if strings.Contains(r.out+r.err, "Usage:") || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%v: not one line:\n%s%s", c.args, r.out, r.err)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	env{}.run(t).wants(t, 0, []string{"A site:", "switchyard demo"}, nil)
	env{}.run(t, "token").wants(t, 0, []string{"Available Commands", "revoke"}, nil)
	env{}.run(t, "help", "exit-codes").wants(t, 0, []string{"5  no controller answers"}, nil)
	env{}.run(t, "version").wants(t, 0, []string{"switchyard dev"}, nil)
	env{}.run(t, "--version").wants(t, 0, []string{"switchyard dev"}, nil)
	var v map[string]string
	env{}.run(t, "version", "-o", "json").decode(t, &v)
	if v["version"] != "dev" {
		t.Errorf("version -o json: %v", v)
	}
	env{}.run(t, "completion", "bash").wants(t, 0, []string{"bash completion"}, nil)
}

// Every command says what it does, shows an example, and stands in docs/cli.md.
func TestEveryCommandIsDescribed(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*cobra.Command)
	walk = func(k *cobra.Command) {
		for _, sub := range k.Commands() {
			walk(sub)
		}
		if k.HasSubCommands() || !k.Runnable() {
			return
		}
		if k.Short == "" || k.Long == "" || !strings.Contains(k.Example, k.CommandPath()) {
			t.Errorf("%s lacks a description or an example", k.CommandPath())
		}
		if !strings.Contains(string(page), k.CommandPath()+" ") && !strings.Contains(string(page), k.CommandPath()+"\n") {
			t.Errorf("docs/cli.md does not show %s", k.CommandPath())
		}
	}
	walk((&cli{env: os.Getenv}).root())
}

func TestStoredTokens(t *testing.T) {
	dir := t.TempDir()
	first := env{}.run(t, "token", "new", "--name", "night", "--role", "operator", "--store", dir)
	first.wants(t, 0, []string{"sy_"}, []string{"shown this once"})
	if strings.Count(first.out, "\n") != 1 || !strings.HasPrefix(first.out, "sy_") {
		t.Errorf("standard output is not the token alone: %q", first.out)
	}
	env{}.run(t, "token", "new", "--name", "night", "--store", dir).wants(t, 2, nil, []string{"exists"})
	env{}.run(t, "token", "new", "--name", "x", "--store", dir+"/none").wants(t, 3, nil, []string{"no folder"})
	env{}.run(t, "token", "list", "--store", dir).wants(t, 0, []string{"night", "operator"}, nil)
	env{}.run(t, "token", "new", "--name", "ops", "--tenant", "acme", "--store", dir).wants(t, 0, []string{"sy_"}, []string{"role tenant acme"})
	env{}.run(t, "token", "list", "--store", dir).wants(t, 0, []string{"ops", "tenant", "acme"}, nil)
	env{}.run(t, "token", "new", "--name", "x", "--role", "tenant", "--store", dir).wants(t, 2, nil, []string{"name it by its id"})
	env{}.run(t, "token", "new", "--name", "x", "--role", "viewer", "--tenant", "acme", "--store", dir).wants(t, 2, nil, []string{"has the role tenant, not viewer"})
	env{}.run(t, "token", "new", "--name", "x", "--tenant", "acmi", "--site", "testdata/site.yaml").wants(t, 2, nil, []string{`has no tenant "acmi"`})
	env{}.run(t, "token", "revoke", "ops", "--store", dir).wants(t, 0, []string{"revoked"}, nil)
	env{}.run(t, "token", "revoke", "nobody", "--store", dir).wants(t, 3, nil, []string{"switchyard token list"})

	db, err := store.Open(t.Context(), dir) // as a running controller does
	if err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "token", "list", "--store", dir).wants(t, 0, []string{"night"}, nil)
	env{"SWITCHYARD_URL": "http://127.0.0.1:1"}.run(t, "token", "revoke", "night", "--store", dir).
		wants(t, 4, nil, []string{"in use by a running controller", "SWITCHYARD_TOKEN"})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "token", "revoke", "night", "--store", dir).wants(t, 0, []string{"revoked"}, nil)
	env{}.run(t, "token", "list", "--store", dir).wants(t, 0, []string{"There are no tokens"}, nil)
}

func TestParseWhen(t *testing.T) {
	zone := zoneNamed("America/Chicago")
	now := time.Date(2026, 7, 2, 3, 0, 0, 0, time.UTC) // still the first of July there
	for s, want := range map[string]string{
		"14:05": "2026-07-01T19:05:00Z", "14:05:30": "2026-07-01T19:05:30Z", "2026-01-31 14:05": "2026-01-31T20:05:00Z",
		"2026-01-31T14:05": "2026-01-31T20:05:00Z", "2026-03-08 03:30": "2026-03-08T08:30:00Z", "2026-11-01 01:30": "2026-11-01T06:30:00Z", "2026-01-31T14:05:00+01:00": "2026-01-31T13:05:00Z",
	} {
		got, err := parseWhen(s, now, zone)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("parseWhen(%q) = %v, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "now", "25:00", "2026-01-31", "14:05 UTC", "2026-03-08 02:30"} {
		if got, err := parseWhen(s, now, zone); err == nil || exitCode(err) != exitBadInput {
			t.Errorf("parseWhen(%q) = %v, %v", s, got, err)
		}
	}
}

// What scan --site prints is a site file's part: with the rest of a file around it, it passes.
func TestSnippetPasses(t *testing.T) {
	var list []discover.Found
	for _, r := range []struct{ hosts, driver, brand, model string }{
		{"10.0.1.1-10.0.1.20", "antminer", "Antminer", "S21"}, {"10.0.1.30", "antminer", "Antminer", "S21"}, {"10.0.2.0/28", "antminer", "", "Antminer S19 XP"},
	} {
		addrs, err := ranges.Hosts([]string{r.hosts})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			list = append(list, discover.Found{Address: a, Driver: r.driver, Identity: site.Identity{Make: r.brand, Model: r.model}})
		}
	}
	addrs, err := ranges.Hosts([]string{"10.0.3.1"})
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, discover.Found{Address: addrs[0], Err: errors.New("it wants credentials")})
	got := groups.Style{Ports: map[string]int{"http": 8080, "modbus": 1502}, Has: ranges.Has}.Text(list)
	file := "site: {name: x}\nconnection: {limit: 1 MW, meter: {address: 10.9.9.9, profile: generic}}\nnodes: [{id: hall-a}]\n" +
		"market: {price: {fixed: 45 $/MWh}, bitcoin: {hashprice: 50 $/PH/day}}\n" + got + "\n"
	f, err := sitefile.Parse("site.yaml", []byte(file), sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	if len(f.Groups) != 2 || len(f.Groups[0].Targets()) != 21 || len(f.Groups[1].Targets()) != 14 || f.Groups[0].ID != "antminer-s21" || f.Groups[0].Ports["http"].Number != 8080 {
		t.Errorf("the snippet says:\n%s", got)
	}
	if !strings.Contains(got, "# 1 device answered and could not be told") {
		t.Errorf("the device that was not told is not mentioned:\n%s", got)
	}
}

func TestCheckKnowsPDUsAndPorts(t *testing.T) {
	text, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site.yaml")
	write := func(more string) {
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), "driver: antminer", more, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("driver: whatsminer\n    ports: {api: 4433}")
	env{}.run(t, "check", path).wants(t, 2, []string{`the driver whatsminer has no port "api"; its port is called "rpc"`}, nil)
	write("driver: antminer")
	f, err := loadSite(path)
	if err != nil {
		t.Fatal(err)
	}
	f.PDUs = []sitefile.PDU{{ID: "a-01", Node: "hall-a", Address: "10.0.0.9", Port: 161, Profile: "raritan-px", Outlets: map[string]string{"1": "s21-001", "2": "s21-001"}}}
	if s := summarise(f); s.PDUs != 1 || s.Outlets != 2 {
		t.Errorf("the summary says %+v", s)
	}
	if e := listening(f, 0); len(e.PDUs) != 1 || e.PDUs[0] != (emulatedPDU{ID: "a-01", Node: "hall-a", Address: "10.0.0.9:161", Profile: "raritan-px", Outlets: 2}) {
		t.Errorf("emulate says %+v", e.PDUs)
	}
}
