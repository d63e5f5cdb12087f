package study_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the hours of New York, wherever the test runs

	"switchyard/study"
	"switchyard/study/input"
)

var update = flag.Bool("update", false, "write the examples' tables anew")

const examples = "../docs/studies"

// change is a study file written otherwise in some places.
type change struct {
	what  string
	edits [][2]string
}

// whatIf are the changes that the examples' pages tell of.
var whatIf = map[string][]change{
	"core-scientific.yaml": {
		{"as in the file", nil},
		{"4 $M/MW", [][2]string{{"p10: 4 $M/MW, p50: 5 $M/MW, p90: 8 $M/MW", "p50: 4 $M/MW"}}},
		{"8 $M/MW", [][2]string{{"p10: 4 $M/MW, p50: 5 $M/MW, p90: 8 $M/MW", "p50: 8 $M/MW"}}},
		{"10 $M/MW", [][2]string{{"p10: 4 $M/MW, p50: 5 $M/MW, p90: 8 $M/MW", "p50: 10 $M/MW"}}},
		{"144.8 $/kW-month to a landlord who funds", [][2]string{{"rate: {is: 121.53 $/kW-month, from: assumption", "rate: {is: 144.8 $/kW-month, from: assumption"}}},
	},
	"lake-mariner-flat.yaml": {
		{"as in the file", nil},
		{"6 $M/MW", [][2]string{{"p10: 6 $M/MW, p50: 7 $M/MW, p90: 8 $M/MW", "p50: 6 $M/MW"}}},
		{"the tenant pays for power (modified gross)", [][2]string{{"kind: gross", "kind: modified"}}},
		{"sold at the end for 3 years' EBITDA", [][2]string{{"    relet: 12 months", "    relet: 12 months\n    exit_multiple: 3"}}},
		{"sold at the end for 8 years' EBITDA", [][2]string{{"    relet: 12 months", "    relet: 12 months\n    exit_multiple: 8"}}},
	},
	"gpu-cloud.yaml": {
		{"as in the file", nil},
		{"the rate falls by 10 % a year", [][2]string{{"price_decay: {is: 20 %", "price_decay: {is: 10 %"}}},
		{"by 5 %", [][2]string{{"price_decay: {is: 20 %", "price_decay: {is: 5 %"}}},
		{"by 2 %", [][2]string{{"price_decay: {is: 20 %", "price_decay: {is: 2 %"}}},
		{"4.60 $ at first, falling by 20 %", [][2]string{{"rate: {is: 2.85 ", "rate: {is: 4.60 "}}},
		{"two sets of GPUs in 12 years, by 10 %", [][2]string{{"price_decay: {is: 20 %", "price_decay: {is: 10 %"}, {"years: 7", "years: 12"}, {"renew: false", "renew: true"}}},
	},
}

// told are the options whose changes are told.
var told = map[string][]string{
	"core-scientific.yaml": {"host", "host-with-a-loan"}, "lake-mariner-flat.yaml": {"host", "host-with-a-loan"}, "gpu-cloud.yaml": {"gpus"},
}

// west writes zone A's hourly prices of 2016 to 2018 as lake-mariner.md tells its reader to.
func west() ([]byte, error) {
	file, err := os.Open(filepath.Join("..", "..", "shared", "data", "nyiso-west-da-hourly-2016-2018.csv.gz"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	there, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, err
	}
	out, before := []string{}, map[string]bool{}
	for lines := bufio.NewScanner(plain); lines.Scan(); {
		stamp, price, _ := strings.Cut(lines.Text(), ",")
		at, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			continue // the heading
		}
		if local := at.In(there).Format("2006-01-02T15:04:05"); !before[local] {
			before[local] = true
			out = append(out, local+"-05:00,"+price+"\n")
		}
	}
	slices.Sort(out)
	return []byte("interval_start,price_usd_per_mwh\n" + strings.Join(out, "")), nil
}

// bench runs the examples, each once.
type bench map[string]*study.Report

// of runs a file with a change; paths nil: as many as the file says.
func (b bench) of(t *testing.T, file string, c change, paths *int) *study.Report {
	t.Helper()
	key := fmt.Sprintln(file, c.what, paths == nil)
	if b[key] != nil {
		return b[key]
	}
	data, err := os.ReadFile(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, e := range c.edits {
		if !strings.Contains(text, e[0]) {
			t.Fatalf("%s has no %q", file, e[0])
		}
		text = strings.ReplaceAll(text, e[0], e[1])
	}
	f, faults := input.Parse(file, []byte(text), func(string) ([]byte, error) { return west() })
	if len(faults) > 0 {
		t.Fatalf("%s: %v", file, faults)
	}
	if b[key], err = study.Run(context.Background(), f, study.Options{Paths: paths}); err != nil {
		t.Fatal(err)
	}
	return b[key]
}

// mark names a table of a page: its kind, its file, and the hall that it is of. The table is all that
// follows up to an empty line.
var mark = regexp.MustCompile(`(?m)^<!-- (\w+) of ([\w.-]+)(?: for ([\w-]+))? -->\n((?:.+\n)+)`)

// TestExamples: the tables of the manual's examples say what the program says, to the last digit.
func TestExamples(t *testing.T) {
	b := bench{}
	for _, name := range []string{"core-scientific.md", "lake-mariner.md", "gpu-cloud.md"} {
		path := filepath.Join(examples, name)
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tables := mark.FindAllStringSubmatch(string(page), -1)
		if len(tables) < 5 {
			t.Errorf("%s has %d tables that are held to the program", name, len(tables))
		}
		text := string(page)
		for _, m := range tables {
			t.Run(strings.Join(m[1:4], " "), func(t *testing.T) {
				want, head := b.table(t, m[1], m[2], m[3]), strings.TrimSuffix(m[0], m[4])
				if want == m[4] {
					return
				}
				if !*update {
					t.Fatalf("%s is out of date; it should say (go test ./study -run TestExamples -update)\n%s", name, want)
				}
				text = strings.Replace(text, m[0], head+want, 1)
			})
		}
		if *update && text != string(page) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// table writes a table of a file anew.
func (b bench) table(t *testing.T, kind, file, hall string) string {
	t.Helper()
	if _, err := west(); err != nil && file == "lake-mariner.yaml" {
		t.Skip("needs shared/data/nyiso-west-da-hourly-2016-2018.csv.gz beside the project")
	}
	none, as := 0, change{what: "as in the file"}
	if kind == "chances" || kind == "site" || kind == "waiting" || kind == "run" {
		if testing.Short() {
			t.Skip("takes seconds")
		}
		return drawn(t, kind, b.of(t, file, as, nil), hall)
	}
	r := b.of(t, file, as, &none)
	switch kind {
	case "options":
		return optionRows(r, hall)
	case "tornado":
		return tornadoRows(r)
	case "scenarios":
		return scenarioRows(r, hall)
	case "changes":
		out := row("with", "option", "NPV, expected", "project IRR", "equity IRR", "lowest DSCR", "debt") + rule(7)
		for _, c := range whatIf[file] {
			r := b.of(t, file, c, &none)
			for i := range r.Options {
				if o := &r.Options[i]; o.Hall == hall && slices.Contains(told[file], o.Name) {
					out += row(c.what, "`"+o.Name+"`", million(o.Expected), rate(o.IRR), rate(o.IRROwners), ratio(o.MinDSCR), million(o.Debt))
				}
			}
		}
		return out
	}
	t.Fatalf("no table is called %q", kind)
	return ""
}

// drawn writes a table of what the paths found.
func drawn(t *testing.T, kind string, r *study.Report, hall string) string {
	t.Helper()
	switch kind {
	case "run":
		return fmt.Sprintf("Seed %d, %d paths, SHA-256 of the file and of what it reads:\n`%s`.\n", r.Seed, r.Paths, r.Hash)
	case "waiting":
		out := row("hall", "free to wait", "best plan fixed today", "that plan", "difference", "standard error of it") + rule(6)
		for _, v := range r.Flexible {
			out += row("`"+v.Hall+"`", million(v.Value), million(v.Committed), v.Plan, million(v.Option), million(v.OptionError))
		}
		return out
	case "site":
		p := &r.Portfolio
		out := row("the site", "NPV, expected", "mean", "P10", "P90", "capex", "debt") + rule(7)
		out += row("best choices together", million(p.Expected), million(p.NPV.Mean), million(p.NPV.P10), million(p.NPV.P90), million(p.Capex), million(p.Debt))
		return out + row("all mine on", "", million(p.MiningOn.Mean), million(p.MiningOn.P10), million(p.MiningOn.P90), "", "")
	}
	out := row("option", "NPV, mean", "P10", "P90", "over mining on, mean", "P10", "P90", "beats mining on", "DSCR, lowest, P10", "covenant broken") + rule(10)
	for i := range r.Options {
		o := &r.Options[i]
		if o.Hall != hall {
			continue
		}
		dscr, breach, over := "-", "-", []string{"-", "-", "-", "-"}
		if o.PathDSCR != nil {
			dscr, breach = fmt.Sprintf("%.2f", o.PathDSCR.P10), rate(o.Breach)
		}
		if o.Kind != "mine" {
			over = []string{million(o.Over.Mean), million(o.Over.P10), million(o.Over.P90), rate(&o.BeatsMining)}
		}
		out += row("`"+o.Name+"`", million(o.NPV.Mean), million(o.NPV.P10), million(o.NPV.P90), over[0], over[1], over[2], over[3], dscr, breach)
	}
	return out
}

func optionRows(r *study.Report, hall string) string {
	out := row("option", "begins", "NPV, expected", "project IRR", "equity IRR", "lowest DSCR", "debt", "capex", "$/MWh", "$/kW-month", "$/PH/day") + rule(11)
	for i := range r.Options {
		if o := &r.Options[i]; o.Hall == hall {
			out += row("`"+o.Name+"`", o.Start, million(o.Expected), rate(o.IRR), rate(o.IRROwners), ratio(o.MinDSCR), million(o.Debt), million(o.Capex),
				ratio(o.BreakevenPower), ratio(o.BreakevenRent), ratio(o.BreakevenHashprice))
		}
	}
	return out
}

func tornadoRows(r *study.Report) string {
	out := row("input", "from", "to", "NPV", "to") + rule(5)
	for _, b := range r.Tornado[:min(5, len(r.Tornado))] {
		out += row(b.Input, b.Low, b.High, million(b.NPVLow), million(b.NPVHigh))
	}
	return out
}

func scenarioRows(r *study.Report, hall string) string {
	head := []string{"world"}
	for _, o := range r.Scenarios[0].Options {
		if o.Hall == hall {
			head = append(head, "`"+o.Name+"`")
		}
	}
	out := row(head...) + rule(len(head))
	for _, s := range r.Scenarios {
		cells := []string{s.Name}
		for _, o := range s.Options {
			if o.Hall == hall {
				cells = append(cells, million(o.NPV))
			}
		}
		out += row(cells...)
	}
	return out
}

func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

func rule(n int) string { return strings.Repeat("|---", n) + "|\n" }

// million is in $M.
func million(v float64) string {
	if s := fmt.Sprintf("%.1f", v/1e6); s != "-0.0" {
		return s
	}
	return "0.0"
}

func rate(v *float64) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100**v)
}

func ratio(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v)
}
