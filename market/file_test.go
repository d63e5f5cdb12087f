package market

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/unit"
)

const data = "../../shared/data/"

// real returns the path of a file of real data, or skips.
func real(t *testing.T, name string) string {
	t.Helper()
	if _, err := os.Stat(data + name); err != nil {
		t.Skip("../shared/data/" + name + " is missing")
	}
	return data + name
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// expect checks one quote; dollars of "unknown" or "stale 3.13" say what they say.
func expect(t *testing.T, f PriceFeed, at, want string) Quote {
	t.Helper()
	q := f.At(instant(t, at))
	got := fmt.Sprint(q.Price.DollarsPerMWh())
	switch {
	case !q.Known:
		got = "unknown"
	case q.Stale:
		got = "stale " + got
	}
	if got != want || !q.Known && (q.Price != 0 || q.Stale) || (q.Known && !q.Stale) != (q.Reason == "") {
		t.Errorf("at %s: %+v, want %s", at, q, want)
	}
	return q
}

func TestNYISO(t *testing.T) {
	f, err := OpenPriceFile(PriceFile{Path: real(t, "nyiso-west-rt-5min-2016-2018.csv.gz"), Stale: 15 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Problems(); len(p) != 0 {
		t.Errorf("problems in a sound file: %v", p)
	}
	expect(t, f, "2016-01-01T05:00:00Z", "-17")
	expect(t, f, "2016-01-01T05:04:59Z", "-17")
	expect(t, f, "2016-01-01T05:05:00Z", "14.13")
	expect(t, f, "2019-01-01T04:59:59Z", "3.13")
	expect(t, f, "2019-01-01T05:10:00Z", "stale 3.13")
	for _, at := range []string{"2016-01-01T04:59:59Z", "2019-01-01T05:15:00Z", "2026-07-01T00:00:00Z"} {
		q := expect(t, f, at, "unknown")
		if want := "nyiso-west-rt-5min-2016-2018.csv.gz covers 2016-01-01 05:00Z to 2019-01-01 05:00Z"; q.Reason != want {
			t.Errorf("reason %q, want %q", q.Reason, want)
		}
	}
	if s := f.Series(instant(t, "2017-03-12T00:00:00Z"), instant(t, "2017-03-13T00:00:00Z")); len(s) != 288 {
		t.Errorf("a day has %d intervals", len(s))
	}
	if from, to := f.Covers(); from != instant(t, "2016-01-01T05:00:00Z") || to != instant(t, "2019-01-01T05:00:00Z") {
		t.Errorf("covers %v to %v", from, to)
	}
}

func TestERCOTHubHasAGap(t *testing.T) {
	f, err := OpenPriceFile(PriceFile{Path: real(t, "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz"), Stale: 15 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, f, "2023-09-07T00:30:00Z", "5257.575")
	expect(t, f, "2024-03-10T07:00:00Z", "118.09")
	expect(t, f, "2025-01-01T05:59:59Z", "20.2875")
	// The hour of 2023-11-05 07:00 is not in the file: first stale, then unknown.
	if q := f.At(instant(t, "2023-11-05T07:10:00Z")); !q.Known || !q.Stale {
		t.Errorf("just inside the gap: %+v", q)
	}
	q := expect(t, f, "2023-11-05T07:30:00Z", "unknown")
	if !strings.HasSuffix(q.Reason, "has a gap from 2023-11-05 07:00Z to 2023-11-05 08:00Z") {
		t.Errorf("reason %q", q.Reason)
	}
	var gaps int
	for _, q := range f.Series(instant(t, "2023-07-06T04:00:00Z"), instant(t, "2025-01-01T06:00:00Z")) {
		if !q.Known {
			gaps++
		}
	}
	if gaps != 2 {
		t.Errorf("%d gaps, want the 2 hours that daylight saving lost", gaps)
	}
}

func TestERCOTZoneTakesRealTimeAndSkipsABadLine(t *testing.T) {
	path := real(t, "ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz")
	f, err := OpenPriceFile(PriceFile{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, f, "2024-01-01T06:00:00Z", "15.935")
	if p := f.Problems(); len(p) != 1 || !strings.Contains(p[0], "the price is empty") {
		t.Errorf("problems %q, want the line of 2024-03-10T08:00:00Z", p)
	}
	expect(t, f, "2024-03-12T00:00:00Z", "unknown") // a week is missing
	if f, err = OpenPriceFile(PriceFile{Path: path, Column: "DA_price_usd_per_mwh"}); err != nil {
		t.Fatal(err)
	}
	expect(t, f, "2024-01-01T06:00:00Z", "26.93")
	if _, err = OpenPriceFile(PriceFile{Path: path, Column: "rt_prise_usd_per_mwh"}); err == nil || !strings.Contains(err.Error(), `did you mean "rt_price_usd_per_mwh"?`) {
		t.Errorf("an unknown column gave %v", err)
	}
}

func TestBitcoinDaily(t *testing.T) {
	f, err := OpenHashFile(HashFile{Path: real(t, "bitcoin-network-daily-2019-2024.csv.gz"), Stale: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if p := f.Problems(); len(p) != 0 {
		t.Errorf("problems %v", p)
	}
	for at, want := range map[string]float64{ // (subsidy + fees) x price / PH/s of the line, by hand
		"2019-01-01T12:00:00Z": (1887.5 + 11.29599784) * 3833.42 / 42174.6,
		"2024-04-20T23:59:59Z": (421.875 + 1259.76130296) * 64627.63 / 566861,
		"2024-12-31T00:00:00Z": (403.125 + 5.92137861) * 93373.52 / 703991,
	} {
		q := f.At(instant(t, at))
		if !q.Known || q.Stale || !near(q.Hashprice.DollarsPerPHDay(), want, 1e-7) || q.BitcoinPrice == 0 || q.To.Sub(q.From) != day {
			t.Errorf("at %s: %+v, want %.6f", at, q, want)
		}
	}
	if q := f.At(instant(t, "2025-01-02T12:00:00Z")); !q.Known || !q.Stale || q.Hashprice == 0 {
		t.Errorf("a day and a half after the end: %+v", q)
	}
	if q := f.At(instant(t, "2025-01-03T00:00:00Z")); q.Known || q.Hashprice != 0 || !strings.Contains(q.Reason, "covers 2019-01-01 00:00Z to 2025-01-01 00:00Z") {
		t.Errorf("two days after the end: %+v", q)
	}
	if n := len(f.Series(instant(t, "2020-02-01T00:00:00Z"), instant(t, "2020-03-01T00:00:00Z"))); n != 29 {
		t.Errorf("%d days", n)
	}
}

const bad = "\uFEFFinterval_start,price_usd_per_mwh\r\n" +
	"2026-07-01T00:00:00Z,10\r\n" +
	"yesterday,11\n" +
	"\n" +
	"2026-07-01T01:00:00Z,abc\n" +
	"2026-07-01T02:00:00Z,NaN\n" +
	"2026-07-01T03:00:00Z,999999\n" +
	"2026-07-01T04:00:00Z\n" +
	"\"2026-07-01T05:00:00Z\",\"15\"\n" +
	"\"2026-07-01T06:00:00Z,16\n" +
	"2026-07-01T09:00:00+02:00,17,extra\n" +
	"2026-07-01T00:00:00Z,12\n" +
	"2026-07-01T06:00:00Z,-99999\n"

func TestBadLines(t *testing.T) {
	f, err := OpenPriceFile(PriceFile{Path: write(t, "p.csv", bad), Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`p.csv:3: the time "yesterday" is not like 2026-07-01T16:00:00Z`,
		`p.csv:5: the price "abc" is not a number`,
		`p.csv:6: the price "NaN" is not a number`,
		`p.csv:7: a price of 999999 $/MWh is outside -5000 to 20000 and is not believed`,
		`p.csv:8: the line has 1 fields and no price`,
		`p.csv:10: the quotes do not match`,
		`p.csv:12: 2026-07-01 00:00Z stands twice, first on line 2: this line counts`,
		`p.csv:13: a price of -99999 $/MWh is outside -5000 to 20000 and is not believed`,
	}
	if diff := cmp.Diff(want, f.Problems()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	expect(t, f, "2026-07-01T00:30:00Z", "12")
	expect(t, f, "2026-07-01T05:30:00Z", "15")
	expect(t, f, "2026-07-01T07:30:00Z", "17")
	expect(t, f, "2026-07-01T06:30:00Z", "unknown")
	var got []string
	for _, q := range f.Series(instant(t, "2026-06-30T23:00:00Z"), instant(t, "2026-07-01T09:00:00Z")) {
		got = append(got, fmt.Sprintf("%s-%s %v %v", q.From.Format("15:04"), q.To.Format("15:04"), q.Known, q.Price.DollarsPerMWh()))
	}
	series := []string{"23:00-00:00 false 0", "00:00-01:00 true 12", "01:00-05:00 false 0", "05:00-06:00 true 15", "06:00-07:00 false 0", "07:00-08:00 true 17", "08:00-09:00 false 0"}
	if diff := cmp.Diff(series, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	f, err := OpenPriceFile(PriceFile{Path: write(t, "p.csv", "time,price\n2026-07-01T00:00:00Z,1\n"+strings.Repeat("x,y\n", 1000))})
	if err != nil {
		t.Fatal(err)
	}
	p := f.Problems()
	if len(p) != maxProblems+1 || p[maxProblems] != "p.csv: and 950 more bad lines" {
		t.Errorf("%d problems, the last %q", len(p), p[len(p)-1])
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty":     {"", "there is no header line"},
		"no header": {"2026-07-01T00:00:00Z,1\n", `no column's name holds "date"`},
		"no price":  {"time,load\n2026-07-01T00:00:00Z,1\n", `no column's name holds "price"; the columns are time, load`},
		"no rows":   {"time,price\n", "no line holds a time and a price"},
		"html":      {"<html>time,price\nx,y\n", "p.csv:1: it is a web page (HTML) and not a CSV"},
		"bad rows":  {"time,price\nx,y\n", "no line holds a time and a price; p.csv:2: "},
		"not gzip":  {"\x1f\x8bnonsense", "unpack"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := OpenPriceFile(PriceFile{Path: write(t, "p.csv", tc.text)}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := OpenHashFile(HashFile{Path: write(t, "b.csv", "date,price_usd\n")}); err == nil || !strings.Contains(err.Error(), `"hashrate_ehs"`) {
		t.Errorf("error %v", err)
	}
	f, err := OpenHashFile(HashFile{Path: write(t, "b.csv", "date,price_usd,hashrate_ehs,subsidy_btc,fees_btc\n2026-07-01,1,0,1,1\n2026-07-02,60000,800,450,10\n2026-07-03,-1,800,450,10\n")})
	if err != nil || len(f.Problems()) != 2 {
		t.Errorf("%v, %v", err, f.Problems())
	}
}

// A download that broke off keeps what came.
func TestTruncatedGzip(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprintln(z, "time,price")
	for i := range 20_000 {
		fmt.Fprintf(z, "%s,%d\n", time.Unix(int64(i)*300, 0).UTC().Format(time.RFC3339), i*7919%1000)
	}
	z.Close()
	f, err := OpenPriceFile(PriceFile{Path: write(t, "p.csv.gz", b.String()[:b.Len()/2])})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, f, "1970-01-01T00:05:00Z", "919")
	if p := f.Problems(); len(p) == 0 || !strings.Contains(p[len(p)-1], "the rest is left out: unexpected EOF") {
		t.Errorf("problems %q", p)
	}
}

// A file that grows is read again; one that is spoilt leaves what was there.
func TestFileIsReadAgain(t *testing.T) {
	path := write(t, "p.csv", "time,price\n2000-01-01T00:00:00Z,1\n")
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenPriceFile(PriceFile{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		go f.Run(t.Context())
		change := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * look)
			synctest.Wait()
		}
		expect(t, f, "2000-01-01T01:30:00Z", "unknown")
		change("time,price\n2000-01-01T00:00:00Z,1\n2000-01-01T01:00:00Z,2\n")
		expect(t, f, "2000-01-01T01:30:00Z", "2")
		change("spoilt\n")
		expect(t, f, "2000-01-01T01:30:00Z", "2")
		if p := f.Problems(); len(p) != 1 || !strings.Contains(p[0], "what was read before stays") {
			t.Errorf("problems %q", p)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * look)
		synctest.Wait()
		expect(t, f, "2000-01-01T01:30:00Z", "2")
	})
}

// At and Series say the same, a series has no holes and no overlaps, and a price is never
// given for a time further from its row than the interval and the allowance.
func TestTableProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []row[unit.Price]
		for i, s := range rapid.SliceOfN(rapid.Int64Range(0, 200), 1, 40).Draw(t, "starts") {
			rows = append(rows, row[unit.Price]{start: s * 60, value: unit.Price(i + 1)})
		}
		interval := time.Duration(rapid.IntRange(0, 20).Draw(t, "interval")) * time.Minute
		stale := time.Duration(rapid.IntRange(0, 30).Draw(t, "stale")) * time.Minute
		tab := newTable(append([]row[unit.Price](nil), rows...), interval, stale, "x")
		from := time.Unix(int64(rapid.IntRange(-50, 300).Draw(t, "from"))*60, 0).UTC()
		to := from.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "length")) * time.Minute)
		reached := time.Time{}
		for i, h := range tab.series(from, to) {
			if i > 0 && !h.from.Equal(reached) || !h.from.Before(h.to) {
				t.Fatalf("hole or overlap at %v: %+v", reached, h)
			}
			if i == 0 && h.from.After(from) {
				t.Fatalf("begins late: %+v", h)
			}
			reached = h.to
		}
		if reached.Before(to) {
			t.Fatalf("ends early: %v", reached)
		}
		for at := from; at.Before(to); at = at.Add(time.Minute) {
			h := tab.at(at)
			if want, known := last(rows, tab.interval, at); h.known && !h.stale != known || known && h.value != want {
				t.Fatalf("at %v: %+v, want %v %v", at, h, want, known)
			}
			if h.stale && (!h.known || at.Before(h.to) || at.Sub(h.to) >= stale) {
				t.Fatalf("at %v stale: %+v", at, h)
			}
		}
	})
}

// last looks the row up the slow way: the latest start not after at, the last of equals.
func last(rows []row[unit.Price], interval time.Duration, at time.Time) (unit.Price, bool) {
	best := -1
	for i, r := range rows {
		if r.start <= at.Unix() && (best < 0 || r.start >= rows[best].start) {
			best = i
		}
	}
	if best < 0 || at.Sub(time.Unix(rows[best].start, 0)) >= interval {
		return 0, false
	}
	return rows[best].value, true
}

func FuzzPrices(f *testing.F) {
	f.Add([]byte(bad))
	f.Add([]byte("time,price\n0001-01-01T00:00:00Z,1\n9999-12-31T23:59:59Z,2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := readPrices(bytes.NewReader(data), &problems{name: "x"}, PriceFile{Stale: time.Minute})
		if err != nil {
			return
		}
		first := table.start(0)
		if h := table.at(first); !h.known {
			t.Errorf("the first row is not known at its start: %+v", h)
		}
		table.series(first, first.Add(time.Hour))
	})
}

func FuzzNetwork(f *testing.F) {
	f.Add([]byte("date,price_usd,hashrate_ehs,hashrate_30d_ehs,subsidy_btc,fees_btc\n2026-07-01,60000,800,800,450,10\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := readNetwork(bytes.NewReader(data), &problems{name: "x"}, HashFile{})
		if err != nil {
			return
		}
		for _, r := range table.rows {
			if r.value.hashprice < 0 {
				t.Errorf("a hashprice of %v", r.value.hashprice)
			}
		}
	})
}
