package sitefile

import (
	"strings"
	"testing"
	"time"
)

const withFeeds = `site: {name: A}
connection: {limit: 1 MW, meter: {address: 10.0.0.1, profile: generic}}
market:
  price:
    feed: {operator: ercot, zone: LZ_WEST}
  day_ahead: {feed: {operator: nyiso, zone: WEST, url: "https://mirror.example/{date}damlbmp.csv"}}
  load: {feed: {operator: ercot}}
reserves:
  - name: ecrs
    response: 10m
    duration: 1h
    price: {feed: {operator: ercot, product: ECRS}}
`

func TestFeedsPass(t *testing.T) {
	f, err := Parse("site.yaml", []byte(withFeeds), known)
	if err != nil {
		t.Fatal(err)
	}
	if f.Market.Price.Stale != 30*time.Minute {
		t.Errorf("a feed's price counts %v longer", f.Market.Price.Stale)
	}
	for _, feed := range []string{
		`{operator: caiso, zone: TH_NP15_GEN-APND, poll: 5m}`,
		`{operator: pjm, zone: 51288, token: "env:PJM"}`,
		`{operator: pjm, zone: WESTERN HUB, url: reports}`,
		`{operator: miso, zone: INDIANA.HUB, market: day-ahead}`,
		`{operator: entsoe, zone: DE_LU, token: "file:t", scale: 1.1}`,
		`{operator: aemo, zone: NSW1, scale: 0.65}`,
		`{operator: octopus, url: "https://rates.example/unit-rates/", scale: 12.7}`,
		`{operator: csv, url: "file:a.csv", time: When, price: EUR, timezone: Europe/Berlin, time_format: "02.01.2006 15:04", length: 1h, ending: true, filter: {Area: A}}`,
		`{operator: json, url: "https://x.example/{day}?zone={zone}", zone: A, rows: data.list, time: at, price: p.value}`,
	} {
		text := strings.Replace(withFeeds, "{operator: ercot, zone: LZ_WEST}", feed, 1)
		if f, err := Parse("site.yaml", []byte(text), known); err != nil || len(f.Warnings) > 0 {
			t.Errorf("%s: %v, %v", feed, err, f)
		}
	}
}

func TestFeedFaults(t *testing.T) {
	for _, tc := range []struct{ feed, want string }{
		{`{zone: LZ_WEST}`, "market.price.feed.operator: operator is missing"},
		{`{operator: ercott, zone: A}`, `unknown operator "ercott"; did you mean "ercot"?`},
		{`{operator: nyiso}`, "zone is missing"},
		{`{operator: caiso}`, "zone is missing"},
		{`{operator: pjm, zone: WESTERN HUB, token: "env:A"}`, "finds a node by its number only"},
		{`{operator: pjm, zone: 51288}`, "token is missing; the operator wants a key"},
		{`{operator: entsoe, zone: DE_LU, scale: 1}`, "token is missing"},
		{`{operator: entsoe, zone: DE_LU, scale: 1, token: abc123}`, "a secret must not stand in the site file"},
		{`{operator: nyiso, zone: WEST, url: "https://x.example/?token=abc123"}`, "a secret must not stand in the site file, and token looks like one"},
		{`{operator: nyiso, zone: WEST, url: "https://x.example/{dat}"}`, "{dat} is not filled in"},
		{`{operator: octopus, scale: 10}`, "url is missing"},
		{`{operator: octopus, url: "https://x.example/"}`, "scale is missing; prices are in pence per kWh"},
		{`{operator: ercot, zone: A, time: when}`, "time means nothing with ercot, whose format is known"},
		{`{operator: csv, url: a.csv, price: p}`, "time is missing; the column"},
		{`{operator: csv, url: a.csv, price: p, time: t, rows: a}`, "rows means nothing with csv"},
		{`{operator: json, url: "https://x.example/", price: p, time: t, ending: true}`, "length is missing"},
		{`{operator: json, url: "https://x.example/", price: p, time: t, timezone: Here}`, `unknown time zone "Here"`},
		{`{operator: json, url: "https://x.example/", price: p, time: t, time_format: "%Y-%m-%d"}`, "shows no year or no hour"},
		{`{operator: ercot, zone: A, market: tomorrow}`, `unknown market "tomorrow"`},
		{`{operator: ercot, zone: A, product: ecrs}`, "product means nothing with a price"},
		{`{operator: ercot, zone: A, poll: 1s}`, "1s is out of range"},
		{`{operator: ercot, zone: A, scale: 0}`, "0 is out of range"},
		{`{operator: aemo, zone: NSW1}`, "prices are in Australian dollars and are taken as $"},
		{"{operator: ercot, zone: A}\n    interval: 5m", "interval goes with csv or url and means nothing with feed"},
		{"{operator: ercot, zone: A}\n    fixed: 1 $/MWh", "feed and fixed are both there; write exactly one of csv, url, feed, fixed and made_up"},
	} {
		text := strings.Replace(withFeeds, "{operator: ercot, zone: LZ_WEST}", tc.feed, 1)
		f, err := Parse("site.yaml", []byte(text), known)
		var told string
		if err != nil {
			told = err.Error()
		} else {
			told = f.Warnings.Error()
		}
		if !strings.Contains(told, tc.want) || strings.Contains(told, "abc123") || strings.Count(told, "\n") > 0 || !strings.Contains(told, "site.yaml:") {
			t.Errorf("%s\n got  %s\n want %s", tc.feed, told, tc.want)
		}
	}
	for old, want := range map[string]string{
		"load: {feed: {operator: ercot, market: day-ahead}}":     "market means nothing with a load",
		"load: {feed: {operator: caiso}}":                        `zone is missing; the area of the load`,
		"load: {feed: {operator: ercot}, csv: a.csv}":            "csv and feed are both there",
		"day_ahead: {column: a}":                                 "market.day_ahead has no source",
		"price: {feed: {operator: miso, zone: A}}":               "of miso no prices of reserves are read",
		"price: {feed: {operator: nyiso, product: 10-min spin}}": "zone is missing",
	} {
		key, _, _ := strings.Cut(old, " ")
		var lines []string
		for _, l := range strings.Split(withFeeds, "\n") {
			if trimmed := strings.TrimSpace(l); strings.HasPrefix(trimmed, key+" ") {
				l = l[:len(l)-len(trimmed)] + old
			}
			lines = append(lines, l)
		}
		if _, err := Parse("site.yaml", []byte(strings.Join(lines, "\n")), known); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got  %v\n want %s", old, err, want)
		}
	}
}
