package input

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// beside reads the sound study with prices or a backtest that lie beside it.
func beside(t testing.TB, old, with string, files map[string]string) (*File, error) {
	t.Helper()
	text := soundText(t)
	if !strings.Contains(text, old) {
		t.Fatalf("the sound study does not hold %q", old)
	}
	f, faults := Parse("study.yaml", []byte(strings.Replace(text, old, with, 1)), func(path string) ([]byte, error) {
		data, there := files[path]
		if !there {
			return nil, os.ErrNotExist
		}
		return []byte(data), nil
	})
	return f, faults.Err()
}

func withPrices(t testing.TB, csv string) (*File, error) {
	t.Helper()
	return beside(t, "flat: 45 $/MWh", "prices: p.csv", map[string]string{"p.csv": csv})
}

func TestHourlyMeansByMonth(t *testing.T) {
	var b strings.Builder
	b.WriteString("\uFEFFinterval_start,da_price,rt_price_usd_per_mwh\r\n")
	// January of two years by the hour, 10 and 20 $; February in quarters of an hour, mean 35 $, in
	// another time zone.
	for year := 2024; year <= 2025; year++ {
		for h := range 31 * 24 {
			fmt.Fprintf(&b, "%s,99,%d\r\n", time.Date(year, 1, 1, h, 0, 0, 0, time.UTC).Format(time.RFC3339), 10*(year-2023))
		}
	}
	for q := range 28 * 96 {
		fmt.Fprintf(&b, "%s,99,%d\r\n", time.Date(2025, 1, 31, 18, 15*q, 0, 0, time.FixedZone("", -6*3600)).Format(time.RFC3339), 20+10*(q%4))
	}
	f, err := withPrices(t, b.String())
	must(t, f, err)
	jan, feb, mar := f.Curve[0], f.Curve[1], f.Curve[2]
	if len(jan) != 2*744 || jan[0] != 10 || jan[743] != 10 || jan[744] != 20 || jan[1487] != 20 {
		t.Errorf("January has %d hours from %v to %v", len(jan), jan[0], jan[len(jan)-1])
	}
	if len(feb) != 672 || feb[0] != 35 || feb[671] != 35 {
		t.Errorf("February has %d hours from %v to %v", len(feb), feb[0], feb[len(feb)-1])
	}
	if len(mar) != 2*744+672 || !slices.IsSorted(mar) {
		t.Errorf("March has %d hours and not the whole file's", len(mar))
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0].Error(), "p.csv holds no prices of March, April, May, June, July, August, September, October, November, December: those months take the whole file's") {
		t.Errorf("warnings: %v", f.Warnings)
	}
	g, err := beside(t, "flat: 45 $/MWh", "prices: p.csv\n  prices_column: da_price", map[string]string{"p.csv": b.String()})
	if must(t, g, err).Curve[1][0] != 99 {
		t.Errorf("the named column gives %v", g.Curve[1][0])
	}
}

func TestPricesWithFlaws(t *testing.T) {
	text := hourly(31*24, 30)
	rows := strings.SplitAfter(text, "\n")
	// A price twice, one that is none, one that is a filler: left out and told; the gap stays a gap.
	text = strings.Join(rows[:100], "") + "2026-01-01T00:00:00Z,50\n2026-02-01T00:00:00Z,n/a\n2026-02-01T01:00:00Z,-9999\n" + strings.Join(rows[104:], "")
	f, err := withPrices(t, text)
	must(t, f, err)
	if n := len(f.Curve[0]); n != 31*24-4 || f.Curve[0][n-1] != 50 || f.Curve[0][n-2] != 30 {
		t.Errorf("%d hours, the dearest at %v", n, f.Curve[0][n-1])
	}
	if len(f.Warnings) != 2 || !strings.Contains(f.Warnings.Error(), `p.csv: 3 of 743 lines are left out; the first: line 102: the price "n/a" is not a number`) {
		t.Errorf("warnings: %v", f.Warnings)
	}
}

func TestWrongPrices(t *testing.T) {
	daily := "date,price\n"
	for d := range 40 {
		daily += time.Date(2026, 1, 1+d, 0, 0, 0, 0, time.UTC).Format(time.RFC3339) + ",30\n"
	}
	for name, c := range map[string]struct{ csv, want string }{
		"empty":       {"\n", `p.csv: it is empty; there must be a header line, then times and prices`},
		"no times":    {"hour,price\n1,2\n", `p.csv: line 1: no column is of time; name one interval_start; the columns are ["hour" "price"]`},
		"no prices":   {"time,cost\n1,2\n", `p.csv: line 1: no column's name holds "price"; name it by prices_column: the columns are ["time" "cost"]`},
		"no rows":     {"time,price\n", `p.csv: no line holds a time and a price; each line is like 2026-07-01T16:00:00Z,35.20`},
		"local times": {"time,price\n01/02/2026 1:00,30\n", `p.csv: no line holds a time and a price; line 2: the time "01/02/2026 1:00" is not like 2026-07-01T16:00:00Z`},
		"half bad":    {hourly(48, 30) + strings.Repeat("x,y\n", 48), `p.csv: 48 of 96 lines are unsound; the first: line 50: the time "x" is not like 2026-07-01T16:00:00Z`},
		"daily":       {daily, `p.csv: its rows lie 24 hours apart; a study needs prices by the hour or finer`},
		"few":         {hourly(12, 30), `p.csv: it holds 12 rows; a study needs at least a day of them, and better a year`},
		"a web page":  {"<html>,<time>\n", `p.csv: line 1: no column's name holds "price"; name it by prices_column: the columns are ["<html>" "<time>"]`},
		"not gzip":    {"\x1f\x8bxx", `p.csv: it cannot be unpacked (unexpected EOF)`},
		"a long line": {"time,price\n" + strings.Repeat("x", maxPriceLine+1), `p.csv: it breaks off: bufio.Scanner: token too long`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := withPrices(t, c.csv)
			if want := "study.yaml:33:3: power.prices: " + c.want; err == nil || err.Error() != want {
				t.Errorf("it says\n%v\nand should say\n%s", err, want)
			}
		})
	}
	if _, err := beside(t, "flat: 45 $/MWh", "prices: p.csv\n  prices_column: rt_prise", map[string]string{"p.csv": "time,rt_price\n"}); err == nil || !strings.Contains(err.Error(), `there is no column "rt_prise"; did you mean "rt_price"?`) {
		t.Errorf("%v", err)
	}
}

// TestPackedBomb: a file that unpacks to more than the bound is refused.
func TestPackedBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 256 MB")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, "time,price\n")
	blank := bytes.Repeat([]byte("\n"), 1<<20)
	for range maxUnpacked>>20 + 1 {
		_, _ = z.Write(blank)
	}
	_ = z.Close()
	if _, err := readPrices(b.Bytes(), ""); err == nil || !strings.Contains(err.Error(), "more than 268435456 bytes unpacked") {
		t.Errorf("%v", err)
	}
}

// TestRealPrices holds real files' curves against an own reading of them by the standard library.
func TestRealPrices(t *testing.T) {
	for _, c := range []struct{ name, column string }{
		{"ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz", "rt_price_usd_per_mwh"},
		{"ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz", "rt_price_usd_per_mwh"},
		{"nyiso-west-rt-5min-2016-2018.csv.gz", "rt_price_usd_per_mwh"},
		{"nyiso-west-da-hourly-2016-2018.csv.gz", "da_price_usd_per_mwh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := shared(t, c.name)
			dir, err := filepath.Abs(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			study := filepath.Join(t.TempDir(), "study.yaml")
			text := strings.Replace(soundText(t), "flat: 45 $/MWh", "prices: "+filepath.Join(dir, c.name), 1)
			if err := os.WriteFile(study, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := Load(study)
			must(t, f, err)
			want := ownReading(t, path, c.column)
			for m := range want {
				sum, own := 0.0, 0.0
				for _, v := range f.Curve[m] {
					sum += v
				}
				for _, v := range want[m] {
					own += v
				}
				if len(f.Curve[m]) != len(want[m]) || !slices.IsSorted(f.Curve[m]) || math.Abs(sum-own) > 1e-6*math.Abs(own) {
					t.Errorf("%s: %d hours that sum to %v, want %d and %v", time.Month(m+1), len(f.Curve[m]), sum, len(want[m]), own)
				}
			}
			t.Logf("January holds %d hours from %.2f to %.2f $/MWh; warnings: %v", len(f.Curve[0]), f.Curve[0][0], f.Curve[0][len(f.Curve[0])-1], f.Warnings)
		})
	}
}

func ownReading(t *testing.T, path, column string) (months [12][]float64) {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(all[0], column)
	byHour := map[string][]float64{}
	for _, row := range all[1:] {
		if v, err := strconv.ParseFloat(row[at], 64); err == nil {
			byHour[row[0][:13]] = append(byHour[row[0][:13]], v)
		}
	}
	for hour, values := range byHour {
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		m, _ := strconv.Atoi(hour[5:7])
		months[m-1] = append(months[m-1], sum/float64(len(values)))
	}
	return months
}

// a backtest's report of half a year: 183 days of 24 hours over 8,766 hours a year.
const tested = `{"site": "x", "from": "2024-01-01T06:00:00Z", "to": "2024-07-02T06:00:00Z", "power_mw": 50, "policies": [
	{"name": "always-on", "information": "start", "uplift_capture": 0, "breakdown": {}},
	{"name": "switchyard", "information": "late", "uplift_capture": 0.82, "breakdown": {"reserve_usd": 900000, "mining_usd": 1}},
	{"name": "switchyard", "information": "start", "uplift_capture": 0.99, "breakdown": {"reserve_usd": 950000}},
	{"name": "threshold", "information": "late", "uplift_capture": null, "breakdown": {}}]}`

func TestBacktest(t *testing.T) {
	for policy, want := range map[string][2]float64{"": {0.82, 900_000}, "switchyard": {0.82, 900_000}, "switchyard start": {0.99, 950_000}} {
		f, err := beside(t, "flat: 45 $/MWh", "flat: 45 $/MWh\n  backtest: b.json\n  backtest_policy: "+strconv.Quote(policy), map[string]string{"b.json": tested})
		must(t, f, err)
		year := want[1] / 50 / (183 * 24 / 8766.0)
		if b := f.Backtest; b.Capture != want[0] || math.Abs(b.Income-year) > 1e-6 || b.From != "2024-01-01" || b.To != "2024-07-02" || b.File != "b.json" {
			t.Errorf("%q: %+v, want %v and %v", policy, b, want[0], year)
		}
		if float64(f.Power.Capture.Is) != want[0] || math.Abs(f.Power.Programmes.Is.DollarsPerKWMonth()-year/12000) > 1e-6 {
			t.Errorf("%q: capture %v, programmes %v", policy, f.Power.Capture.Is, f.Power.Programmes.Is)
		}
		if p := provenance(t, f.Given, "power.capture"); p.From != "published" || !strings.HasPrefix(p.Source, "backtest b.json: switchyard") || p.Line != 34 {
			t.Errorf("%+v", p)
		}
		for _, p := range f.Assumed {
			if p.Path == "power.capture" || p.Path == "power.programmes" {
				t.Errorf("assumed as well: %+v", p)
			}
		}
		if !strings.Contains(f.Warnings.Error(), "b.json covers 2024-01-01 to 2024-07-02 and not all seasons") {
			t.Errorf("warnings: %v", f.Warnings)
		}
	}
}

func TestWrongBacktests(t *testing.T) {
	for name, c := range map[string]struct{ json, policy, want string }{
		"no report":     {`[1]`, "", "b.json: it is no backtest's report (json: cannot unmarshal array into Go value of type input.report); write one with `switchyard backtest -o json`"},
		"no policies":   {`{}`, "", "b.json: it holds no policies; write one with `switchyard backtest -o json`"},
		"no such":       {tested, "milp", `b.json: it holds no policy "milp"; it holds always-on start, switchyard late, switchyard start, threshold late`},
		"nothing":       {tested, "threshold", `b.json: threshold late captures nothing: there was nothing to gain by foresight; write capture: yourself`},
		"too much":      {strings.Replace(tested, "0.82", "82", 1), "", `b.json: switchyard late captures 82; it can be from -1 to 1`},
		"no power":      {strings.Replace(tested, `"power_mw": 50`, `"power_mw": 0`, 1), "", `b.json: reserves paid 900000 $ for 0 MW; up to 1 $M per MW and year is believed`},
		"back in time":  {strings.Replace(tested, "2024-07-02", "2023-07-02", 1), "", `b.json: it says from 2024-01-01T06:00:00Z to 2023-07-02T06:00:00Z; the end must follow the beginning`},
		"broken off":    {tested[:100], "", "b.json: it is no backtest's report (unexpected end of JSON input); write one with `switchyard backtest -o json`"},
		"not there":     {"", "", `there is no file "b.json"; the path is taken from the study file's folder`},
		"capture twice": {tested, "switchyard\n  capture: 80 %", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"b.json": c.json}
			if c.json == "" {
				files = nil
			}
			add := "flat: 45 $/MWh\n  backtest: b.json"
			if c.policy != "" {
				add += "\n  backtest_policy: " + c.policy
			}
			want := "study.yaml:34:3: power.backtest: " + c.want
			if c.want == "" {
				want = "study.yaml:36:3: power.capture: capture and backtest are both there; write one of them"
			}
			if _, err := beside(t, "flat: 45 $/MWh", add, files); err == nil || err.Error() != want {
				t.Errorf("it says\n%v\nand should say\n%s", err, want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add([]byte(soundText(f)))
	for _, c := range wrong {
		f.Add([]byte(strings.Replace(soundText(f), c.old, c.with, 1)))
	}
	f.Add([]byte("study: x\nhalls: [{fleet: [{}]}]\nleases: [{}]\ngpu_clouds: [{}]\nsales: [{}]\ngreenfields: [{}]\nfinancings: [{notes: {}}]\noptions: [{}]\nscenarios: [{}]\n"))
	f.Add([]byte("study:\nsite:\npower: {prices: p, backtest: b, blocks: [{}]}\nbitcoin: {forward: [{}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, faults := Parse("study.yaml", data, func(path string) ([]byte, error) {
			if path == "b" {
				return []byte(tested), nil
			}
			return []byte(hourly(48, 30)), nil
		})
		if (file == nil) != (len(faults) > 0) {
			t.Fatalf("a file is there: %v; faults: %v", file != nil, faults)
		}
		if file == nil {
			return
		}
		for m, c := range file.Curve {
			if len(c) == 0 || !slices.IsSorted(c) {
				t.Errorf("month %d has %d prices", m, len(c))
			}
		}
		for _, p := range append(file.Given, file.Assumed...) {
			if p.Value == "" || p.From == "" || p.Source == "" || strings.Contains(p.Value, "NaN") {
				t.Errorf("%+v", p)
			}
		}
	})
}

func FuzzPrices(f *testing.F) {
	f.Add([]byte(hourly(48, 30)), "")
	f.Add([]byte("time,price\n\"2026-01-01T00:00:00Z\",1e308\n"), "price")
	f.Add([]byte("\x1f\x8b\x08\x00"), "")
	f.Fuzz(func(t *testing.T, data []byte, column string) {
		p, err := readPrices(data, column)
		if err != nil {
			return
		}
		p.hours(func(month int, price float64) {
			if month < 0 || month > 11 || math.IsNaN(price) || math.Abs(price) > 20_000 {
				t.Errorf("month %d, price %v", month, price)
			}
		})
	})
}

func FuzzBacktest(f *testing.F) {
	f.Add([]byte(tested), "")
	f.Add([]byte(`{"policies":[{}]}`), " ")
	f.Fuzz(func(t *testing.T, data []byte, policy string) {
		b, err := parseBacktest(data, policy)
		if err == nil && (b.Capture < -1 || b.Capture > 1 || b.Income < 0 || b.Income > 1e6 || math.IsNaN(b.Capture)) {
			t.Errorf("%+v", b)
		}
	})
}
