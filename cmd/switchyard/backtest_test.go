package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/backtest/record"
	"switchyard/dispatch"
	"switchyard/site"
	"switchyard/unit"
)

// pastPrices writes two days of hourly prices with a spike and a gap, and returns its path.
func pastPrices(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("interval_start,da_price_usd_per_mwh,rt_price_usd_per_mwh,rrs_usd_per_mw_h\n")
	for i := range 48 {
		price := fmt.Sprint(20 + i)
		switch i {
		case 17:
			price = "900"
		case 30:
			price = ""
		}
		fmt.Fprintf(&b, "%s,%d,%s,3\n", time.Date(2024, 5, 6, 5+i, 0, 0, 0, time.UTC).Format(time.RFC3339), 25+i, price)
	}
	path := filepath.Join(t.TempDir(), "my prices.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBacktest(t *testing.T) {
	prices := pastPrices(t)
	r := env{}.run(t, "backtest", "testdata/site.yaml", "--prices", prices, "--hashprice", "50")
	r.wants(t, 0, []string{
		"found as a column of the prices' file", "also holds capacity prices (rrs)",
		"1 of 48 intervals have no price", "Again: switchyard backtest testdata/site.yaml --prices '" + prices + "' --hashprice 50",
	}, nil)
	r = env{}.run(t, "backtest", "testdata/site.yaml", "--prices", prices, "--hashprice", "50", "--policy", "last-price", "--information", "late", "-o", "json")
	r.wants(t, 0, nil, nil)
	var out struct {
		Command  string `json:"command"`
		Skipped  int    `json:"skipped"`
		Policies []struct {
			Name        string   `json:"name"`
			Information string   `json:"information"`
			Profit      *float64 `json:"profit_usd"`
			Capture     *float64 `json:"uplift_capture"`
			Curtailed   *float64 `json:"curtailed_share"`
			Starts      *int     `json:"starts"`
			Months      []struct {
				Month   string   `json:"month"`
				Profit  *float64 `json:"profit_usd"`
				Capture *float64 `json:"uplift_capture"`
			} `json:"months"`
		} `json:"policies"`
	}
	if err := json.Unmarshal([]byte(r.out), &out); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range out.Policies {
		names = append(names, p.Name+" "+p.Information)
		if p.Profit == nil || p.Curtailed == nil || p.Starts == nil || len(p.Months) != 1 || p.Months[0].Month != "2024-05" || p.Months[0].Profit == nil {
			t.Errorf("%s lacks figures: %s", p.Name, r.out)
		}
	}
	if got := strings.Join(names, ", "); got != "always-on late, last-price late, perfect late" || out.Skipped != 1 {
		t.Errorf("%s; %d skipped", got, out.Skipped)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	env{}.run(t, "backtest", "testdata/site.yaml", "--prices", prices, "--hashprice", "50", "-o", "html", "--out", page).wants(t, 0, nil, []string{page})
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "</svg>") {
		t.Errorf("the page: %v", err)
	}
}

// The flags' files stand in place of the site file's sources, which need not be there.
func TestBacktestBringsItsOwnSources(t *testing.T) {
	site, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	prices := pastPrices(t)
	path := filepath.Join(t.TempDir(), "site.yaml")
	text := strings.Replace(string(site), "\nmarket:\n", "\nmarket:\n  day_ahead: {csv: gone.csv}\n", 1)
	if text == string(site) {
		t.Fatal("the site file has no market section to change")
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "backtest", path, "--prices", prices, "--hashprice", "50").wants(t, 2, nil, []string{"gone.csv"})
	env{}.run(t, "backtest", path, "--prices", prices, "--day-ahead", prices, "--day-ahead-column", "da_price_usd_per_mwh", "--hashprice", "50").wants(t, 0, []string{"da_price_usd_per_mwh"}, nil)
}

func TestBacktestRefuses(t *testing.T) {
	prices := pastPrices(t)
	html := filepath.Join(t.TempDir(), "p.csv")
	if err := os.WriteFile(html, []byte("<!doctype html>\n<p>Service unavailable</p>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"--prices", prices, "--policy", "lucky"}, `there is no "lucky"`},
		{[]string{"--prices", prices, "--information", "never"}, "neither start nor late"},
		{[]string{"--prices", prices, "--from", "monday"}, `"monday" is no day`},
		{[]string{"--prices", prices, "--from", "2025-01-01"}, "nothing of it lies in the run"},
		{[]string{"--prices", prices, "--from", "2024-05-07", "--to", "2024-05-06"}, "is not after"},
		{[]string{"--prices", prices, "--column", "rt_prize"}, "it can be one of da_price_usd_per_mwh"},
		{[]string{"--prices", prices, "--hashprice", "0"}, "--hashprice"},
		{[]string{"--prices", prices, "--reschedule", "1s"}, "--reschedule"},
		{[]string{"--prices", html}, "header line"},
		{[]string{"--prices", "none.csv"}, "no such file"},
		{[]string{"--recorded", html}, "record of decisions"},
	} {
		env{}.run(t, append([]string{"backtest", "testdata/site.yaml"}, c.args...)...).wants(t, 2, nil, []string{c.text})
	}
}

func TestBacktestRecorded(t *testing.T) {
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: unit.Megawatt}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rounds.jsonl.gz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := record.NewWriter(file, tree)
	if err != nil {
		t.Fatal(err)
	}
	round := dispatch.Round{Tree: tree, Price: 45 * unit.DollarPerMWh, PriceKnown: true, Groups: []dispatch.Group{{Load: "s21"}}}
	var d dispatch.Decider
	awards := d.Decide(round).Awards
	at := time.Date(2026, 7, 1, 16, 0, 0, 0, time.UTC)
	for k := range 2 {
		if err := w.Round(at, 1, round, awards); err != nil {
			t.Fatal(err)
		}
		if k == 0 { // so far it is honest
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			env{}.run(t, "backtest", "--recorded", path).wants(t, 0, []string{"1 rounds with 1 awards", "0 differ", "breaks off"}, nil)
			awards[0].Urgent = true
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	env{}.run(t, "backtest", "--recorded", path).wants(t, 1, []string{"2 rounds", "1 differ", "2026-07-01T16:00:00Z"}, nil)
	env{}.run(t, "backtest", "--recorded", path, "-o", "json").wants(t, 1, []string{`"rounds_that_differ": 1`}, nil)
	env{}.run(t, "backtest").wants(t, 2, nil, []string{"a site file is needed"})
}
