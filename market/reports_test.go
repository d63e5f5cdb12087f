package market

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/clock"
	"switchyard/market/iso"
	"switchyard/sitefile"
	"switchyard/unit"
)

// shifted is a clock that shows site time from start on, as fast as the machine's.
func shifted(t *testing.T, start string) clock.Anchored {
	t.Helper()
	return clock.Anchored{Wall: time.Now(), Site: instant(t, start), Rate: 1}
}

// nyisoDay writes a day's real-time report up to now, the price of each interval its minute of
// the hour, but for what wrong says.
func nyisoDay(day string, now time.Time, wrong map[string]string) string {
	loc, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err)
	}
	from, err := time.ParseInLocation("20060102", day, loc)
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	b.WriteString("\"Time Stamp\",\"Name\",\"PTID\",\"LBMP ($/MWHr)\"\n")
	for end := from.Add(5 * time.Minute); !end.After(now) && !end.After(from.AddDate(0, 0, 1)); end = end.Add(5 * time.Minute) {
		price := fmt.Sprint(end.Add(-5 * time.Minute).Minute())
		if p, ok := wrong[end.UTC().Format("15:04")]; ok {
			price = p
		}
		fmt.Fprintf(&b, "%q,\"WEST\",61752,%s\n", end.In(loc).Format("01/02/2006 15:04:05"), price)
	}
	return b.String()
}

// A day of New York's real-time report over a server that fails in every way.
func TestReportsAgeAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shifted(t, "2026-07-01T16:01:00Z")
		start := time.Now()
		var mode atomic.Value
		mode.Store("")
		var logged bytes.Buffer
		f, err := OpenReportPrices(Reports{
			Ask: iso.Ask{Operator: "nyiso", Kind: iso.RealTime, Zone: "WEST"}, Stale: 10 * time.Minute, Clock: c,
			Log: slog.New(slog.NewTextHandler(&logged, nil)),
			Transport: answer(func(r *http.Request) (int, string, error) {
				if r.URL.Path != "/public/csv/realtime/20260701realtime_zone.csv" {
					return 404, "", nil
				}
				now := c.Now()
				switch mode.Load() {
				case "html":
					return 200, "<html>Maintenance</html>", nil
				case "500":
					return 500, "", nil
				case "filler":
					return 200, nyisoDay("20260701", now, map[string]string{"17:05": "9999.00", "17:10": ""}), nil
				case "revised":
					return 200, nyisoDay("20260701", now, map[string]string{"16:05": "77", "17:05": "5"}), nil
				case "late":
					now = now.Add(-12 * time.Minute)
				}
				return 200, nyisoDay("20260701", now, nil), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if q := f.At(c.Now()); q.Known || q.Reason != "nothing has come yet" {
			t.Errorf("before the first question: %+v", q)
		}
		run(t, f)
		check := func(minute int, want, problem string) Quote {
			t.Helper()
			time.Sleep(time.Until(start.Add(time.Duration(minute)*time.Minute + 30*time.Second)))
			synctest.Wait()
			q := expect(t, f, c.Now().Format(time.RFC3339), want)
			p := strings.Join(f.Problems(), "|")
			if problem == "" && p != "" || !strings.Contains(p, problem) {
				t.Errorf("minute %d: problems %q, want %q", minute, p, problem)
			}
			return q
		}
		// Yesterday's report is no longer there; that is no fault.
		check(2, "stale 55", "")
		if s := f.Series(instant(t, "2026-07-01T04:00:00Z"), instant(t, "2026-07-01T16:00:00Z")); len(s) != 144 || !s[0].Known {
			t.Errorf("the day so far has %d intervals", len(s))
		}
		check(5, "stale 0", "")
		mode.Store("html")
		q := check(9, "stale 0", "the answer is a web page (HTML) and not a report")
		if !strings.Contains(q.Reason, "asked last: 20260701realtime_zone.csv: the answer is a web page") {
			t.Errorf("reason %q", q.Reason)
		}
		check(15, "unknown", "the answer is a web page (HTML)")
		mode.Store("500")
		check(20, "unknown", "the server answers 500")
		mode.Store("late")
		check(30, "unknown", "")
		mode.Store("")
		check(33, "stale 25", "")
		// 16:58 to 17:12 with a filler and a null: those two intervals are missing.
		mode.Store("filler")
		check(60, "stale 55", "")
		check(71, "unknown", "9999 stands for a price that is not there; it counts as missing")
		if p := f.Problems(); len(p) != 2 || !strings.Contains(p[1], "the figure is missing") {
			t.Errorf("problems %q", p)
		}
		mode.Store("revised")
		check(75, "stale 10", "")
		expect(t, f, "2026-07-01T16:02:00Z", "77")
		expect(t, f, "2026-07-01T17:02:00Z", "5")
		if n := f.Revised(); n != 1 || !strings.Contains(logged.String(), "revised its figures") {
			t.Errorf("%d revised; log:\n%s", n, logged.String())
		}
		if n := strings.Count(logged.String(), "figures that cannot be used"); n > 3 {
			t.Errorf("%d log lines of the same faults:\n%s", n, logged.String())
		}
	})
}

func zipped(t testing.TB, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// ERCOT's reports stand in a list, one document each interval. Each is fetched once.
func TestListedReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := shifted(t, "2026-07-01T17:02:00Z") // 12:02 in Texas
		fetched := map[string]int{}
		var mu sync.Mutex
		f, err := OpenReportPrices(Reports{
			Ask: iso.Ask{Operator: "ercot", Kind: iso.RealTime, Zone: "LZ_WEST"}, Stale: 30 * time.Minute, Clock: c,
			Transport: answer(func(r *http.Request) (int, string, error) {
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(r.URL.Path, "IceDocList") {
					var docs []string
					for at := c.Now().Truncate(15 * time.Minute); len(docs) < 30; at = at.Add(-15 * time.Minute) {
						docs = append(docs, fmt.Sprintf(`{"Document": {"DocID": "%d", "FriendlyName": "SPPHLZNP6905_csv", "PublishDate": %q}}`, at.Unix(), at.Format(time.RFC3339)))
					}
					return 200, `{"ListDocsByRptTypeRes": {"DocumentList": [` + strings.Join(docs, ",") + `]}}`, nil
				}
				id := r.URL.Query().Get("doclookupId")
				fetched[id]++
				var unix int64
				fmt.Sscan(id, &unix)
				begin := time.Unix(unix, 0).Add(-15 * time.Minute).UTC().Add(-5 * time.Hour) // CDT
				return 200, zipped(t, "x.csv", fmt.Sprintf("DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SettlementPointPrice,DSTFlag\n%s,%d,%d,LZ_WEST,LZ,%d,N\n",
					begin.Format("01/02/2006"), begin.Hour()+1, begin.Minute()/15+1, begin.Hour()*100+begin.Minute())), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, f)
		synctest.Wait()
		expect(t, f, "2026-07-01T17:02:00Z", "stale 1145")
		if s := f.Series(c.Now().Add(-4*time.Hour), c.Now()); len(f.table.Load().rows) != newestListed {
			t.Errorf("%d rows, %v", len(f.table.Load().rows), s)
		}
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		expect(t, f, "2026-07-01T17:31:00Z", "stale 1215")
		mu.Lock()
		defer mu.Unlock()
		if len(fetched) != newestListed+2 {
			t.Errorf("%d documents fetched", len(fetched))
		}
		for id, n := range fetched {
			if n != 1 {
				t.Errorf("document %s was fetched %d times", id, n)
			}
		}
		if p := f.Problems(); len(p) > 0 {
			t.Errorf("problems %q", p)
		}
	})
}

// A key goes where the operator wants it and nowhere else, and is never shown.
func TestKeys(t *testing.T) {
	const key = "hunter2-secret"
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the other server was asked, with %v", r.Header)
	}))
	defer elsewhere.Close()
	mode := ""
	var got []*http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Clone(t.Context()))
		switch mode {
		case "redirect":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "next":
			fmt.Fprintf(w, `{"items": [{"datetime_beginning_utc": "2026-07-01T17:00:00", "pnode_id": 1, "total_lmp_rt": 3}], "links": [{"rel": "next", "href": %q}]}`, elsewhere.URL)
		case "refused":
			w.WriteHeader(http.StatusUnauthorized)
		case "pages":
			start := r.URL.Query().Get("startRow")
			next := map[string]string{"1": "2", "2": "3"}[start]
			link := ""
			if next != "" {
				link = fmt.Sprintf(`{"rel": "next", "href": "/pjm?startRow=%s"}`, next)
			}
			fmt.Fprintf(w, `{"items": [{"datetime_beginning_utc": "2026-07-01T17:0%s:00", "pnode_id": 1, "total_lmp_rt": %[1]s}], "links": [%s]}`, start, link)
		}
	}))
	defer server.Close()
	ask := func(operator string) (*ReportPrices, error) {
		got = nil
		f, err := OpenReportPrices(Reports{
			Ask: iso.Ask{Operator: operator, Kind: iso.RealTime, Zone: "1"}, URL: server.URL + "/pjm?startRow=1", Token: key,
			Clock: shifted(t, "2026-07-01T17:10:00Z"),
		})
		if err != nil {
			t.Fatal(err)
		}
		err = f.note(f.ask(t.Context()))
		if shown := fmt.Sprint(err, f.Problems(), f.At(time.Now())); strings.Contains(shown, key) {
			t.Errorf("the key is shown: %s", shown)
		}
		return f, err
	}
	for m, want := range map[string]string{"redirect": "the server sends us to another one", "refused": "check the credentials"} {
		mode = m
		if _, err := ask("pjm"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", m, err)
		}
	}
	mode = "next"
	if f, err := ask("pjm"); err != nil || !strings.Contains(strings.Join(f.Problems(), ""), "the next page is at another server") {
		t.Errorf("a page elsewhere: %v, %q", err, f.Problems())
	}
	mode = "pages"
	f, err := ask("pjm")
	if err != nil || len(got) != 3 || len(f.table.Load().rows) != 3 {
		t.Errorf("%v, %d questions, %d rows", err, len(got), len(f.table.Load().rows))
	}
	for _, r := range got {
		if r.Header.Get("Ocp-Apim-Subscription-Key") != key || strings.Contains(r.URL.RawQuery, key) {
			t.Errorf("%v %v", r.URL, r.Header)
		}
	}
	if _, err = ask("entsoe"); err == nil || got[0].URL.Query().Get("securityToken") != key || got[0].Header.Get("Authorization") != "" {
		t.Errorf("%v: %v", err, got[0].URL)
	}
	if _, err = ask("octopus"); got[0].Header.Get("Authorization") != "Bearer "+key {
		t.Errorf("%v: %v", err, got[0].Header)
	}
}

const (
	dayAhead = "DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice,DSTFlag\n07/01/2026,01:00,LZ_WEST,20,N\n07/01/2026,02:00,LZ_WEST,21,N\n07/01/2026,01:00,HB_WEST,1,N\n"
	realTime = "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SettlementPointPrice,DSTFlag\n07/01/2026,1,1,LZ_WEST,LZ,30,N\n07/01/2026,1,2,LZ_WEST,LZ,-31,N\n"
	reserves = "DeliveryDate,HourEnding,AncillaryType,MCPC,DSTFlag\n07/01/2026,01:00,ECRS,4.5,N\n07/01/2026,01:00,RRS,1,N\n"
	sysLoad  = "OperDay,HourEnding,WEST,TOTAL,DSTFlag\n07/01/2026,01:00,1000,61000.5,N\n"
)

// reportFolder is a folder with reports of all sorts.
func reportFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a-dam.csv": dayAhead, "b-rtm.zip": zipped(t, "rtm.csv", realTime), "c-as.csv": reserves, "d-load.csv": sysLoad, "notes.txt": "none", "sub.csv/x": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A whole Market from a folder of ERCOT's reports, without any network.
func TestMarketOfReports(t *testing.T) {
	dir := reportFolder(t)
	text := `site: {name: A}
connection: {limit: 1 MW, meter: {address: 10.0.0.1, profile: generic}}
market:
  price:
    feed: {operator: ercot, zone: LZ_WEST, url: "file:` + dir + `"}
    adder: 6 $/MWh
  day_ahead: {feed: {operator: ercot, zone: LZ_WEST, url: ` + dir + `}}
  load: {feed: {operator: ercot, url: ` + dir + `}}
  charges:
    coincident:
      - {name: 4cp, rate: 5 $/kW-month}
      - {name: west, rate: 5 $/kW-month, load: {feed: {operator: ercot, zone: WEST, url: ` + dir + `}}}
reserves:
  - {name: ecrs, response: 10m, duration: 1h, price: {feed: {operator: ercot, url: ` + dir + `}}}
  - {name: spin, response: 10m, duration: 1h, fixed: 3 $/MWh}
`
	path := write(t, "site.yaml", text)
	f, err := sitefile.Load(path, sitefile.Known{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(f, clock.System(), nil)
	if err != nil {
		t.Fatal(err)
	}
	at := instant(t, "2026-07-01T05:20:00Z")
	dollars := unit.DollarsPerMWh
	if q := m.Price(at); !q.Known || q.Stale || q.Price != dollars(-25) || q.To.Sub(q.From) != 15*time.Minute {
		t.Errorf("price %+v", q)
	}
	if q := m.DayAhead(at); !q.Known || q.Price != dollars(26) || q.To.Sub(q.From) != time.Hour {
		t.Errorf("day-ahead %+v", q)
	}
	if s := m.DayAheads(at, at.Add(3*time.Hour)); len(s) != 3 || s[1].Price != dollars(27) || s[2].Known {
		t.Errorf("day-ahead series %+v", s)
	}
	if q := m.Load(at); !q.Known || q.Load != unit.Watts(61000.5e6) {
		t.Errorf("load %+v", q)
	}
	if q := m.PeakLoad(0, at); q.Load != unit.Watts(61000.5e6) {
		t.Errorf("the load of the first charge is %+v", q)
	}
	if s := m.PeakLoads(1, at, at.Add(time.Minute)); len(s) != 1 || s[0].Load != unit.Watts(1000e6) {
		t.Errorf("the load of the second charge is %+v", s)
	}
	if q := m.Reserve("ecrs", at); !q.Known || q.Price != dollars(4.5) {
		t.Errorf("ecrs %+v", q)
	}
	if q := m.Reserve("spin", at); !q.Known || q.Price != dollars(3) || len(m.ReservePrices("spin", at, at.Add(time.Hour))) != 1 {
		t.Errorf("spin %+v", q)
	}
	if q := m.Reserve("none", at); q.Known || q.Reason != "the site file names no source of the price of the reserve none" {
		t.Errorf("a reserve that is not there: %+v", q)
	}
	if p := m.Problems(); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
}

// Reports that are dropped into the folder, and later ones that revise, are read while it runs.
func TestFolderGrows(t *testing.T) {
	dir := reportFolder(t)
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenReportPrices(Reports{Ask: iso.Ask{Operator: "ercot", Kind: iso.DayAhead, Zone: "LZ_WEST"}, Path: dir, Clock: clock.System()})
		if err != nil {
			t.Fatal(err)
		}
		run(t, f)
		expect(t, f, "2026-07-01T05:30:00Z", "20")
		expect(t, f, "2026-07-02T05:30:00Z", "unknown")
		more := strings.ReplaceAll(strings.Replace(dayAhead, "LZ_WEST,20", "LZ_WEST,25", 1), "07/01/2026,02", "07/02/2026,01")
		if err := os.WriteFile(filepath.Join(dir, "e.csv"), []byte(more+"07/02/2026,02:00,LZ_WEST,99999,N\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * look)
		synctest.Wait()
		expect(t, f, "2026-07-01T05:30:00Z", "25")
		expect(t, f, "2026-07-02T05:30:00Z", "21")
		expect(t, f, "2026-07-02T06:30:00Z", "unknown")
		if f.Revised() != 1 || len(f.Problems()) != 1 || !strings.Contains(f.Problems()[0], "e.csv:5: 99999 stands for a price that is not there") {
			t.Errorf("%d revised, %q", f.Revised(), f.Problems())
		}
	})
}

func TestFoldersThatHoldNothing(t *testing.T) {
	dir := reportFolder(t)
	html := write(t, "page.csv", "<html>no</html>")
	for path, want := range map[string]string{
		dir + "/none":       "no such file",
		t.TempDir():         "there is no report that holds what is asked for",
		dir + "/d-load.csv": "there is no report that holds what is asked for",
		dir + "/a-dam.csv":  `there is no "LZ_WESTT"; did you mean "LZ_WEST"?`,
		html:                "page.csv: the answer is a web page (HTML) and not a report",
	} {
		if _, err := OpenReportPrices(Reports{Ask: iso.Ask{Operator: "ercot", Kind: iso.DayAhead, Zone: "LZ_WESTT"}, Path: path, Clock: clock.System()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// The columns of the real files are reached as series of their own.
func TestSeriesOfRealFiles(t *testing.T) {
	zone := real(t, "ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz")
	f := &sitefile.File{}
	for _, tc := range []struct {
		column, product string
		kind            iso.Kind
		want            string
	}{
		{"", "", iso.DayAhead, "26.93"},
		{"rt_price_usd_per_mwh", "", iso.DayAhead, "15.935"},
		{"", "ecrs", iso.Reserve, "0.06"},
		{"", "NSPIN", iso.Reserve, "1.11"},
		{"regup_usd_per_mw_h", "anything", iso.Reserve, "1.11"},
	} {
		s, err := OpenSeries(f, sitefile.Series{CSV: zone, Column: tc.column}, SeriesOptions{Kind: tc.kind, Product: tc.product})
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
			continue
		}
		expect(t, s, "2024-01-01T06:30:00Z", tc.want)
	}
	if _, err := OpenSeries(f, sitefile.Series{CSV: zone}, SeriesOptions{Kind: iso.Reserve, Product: "frequency"}); err == nil || !strings.Contains(err.Error(), `no column's name holds "frequency"`) {
		t.Errorf("a reserve without a column: %v", err)
	}
	load, err := OpenLoad(f, sitefile.Series{CSV: real(t, "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz")}, SeriesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if q := load.At(instant(t, "2023-07-06T04:30:00Z")); !q.Known || q.Load != unit.Watts(56703.9e6) {
		t.Errorf("load %+v", q)
	}
	if s := load.Series(instant(t, "2023-07-06T04:00:00Z"), instant(t, "2023-07-07T04:00:00Z")); len(s) != 24 {
		t.Errorf("a day of loads has %d", len(s))
	}
}

// 9,999 $/MWh in a plain file is a gap with one line, not a price.
func TestFillerInAFile(t *testing.T) {
	f, err := OpenPriceFile(PriceFile{Path: write(t, "p.csv", "time,price\n2026-07-01T00:00:00Z,10\n2026-07-01T01:00:00Z,9999\n2026-07-01T02:00:00Z,12\n2026-07-01T03:00:00Z,12\n")})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, f, "2026-07-01T01:30:00Z", "unknown")
	if p := f.Problems(); len(p) != 1 || p[0] != "p.csv:3: 9999 stands for a price that is not there; it counts as missing" {
		t.Errorf("problems %q", p)
	}
	if _, err := OpenLoadFile(PriceFile{Path: write(t, "l.csv", "time,load\n2026-07-01T00:00:00Z,-5\n")}); err == nil || !strings.Contains(err.Error(), "a load of -5 MW is not believed") {
		t.Errorf("a load below zero: %v", err)
	}
}

// Nothing in the site file is nothing known, and says so.
func TestNoSources(t *testing.T) {
	m := New(Fixed(0), FixedHash(1), 0)
	now := time.Now()
	if q := m.DayAhead(now); q.Known || q.Reason != "the site file names no source of the day-ahead price" {
		t.Errorf("%+v", q)
	}
	if q := m.Load(now); q.Known || q.Reason == "" || m.Loads(now, now.Add(time.Hour)) != nil || m.DayAheads(now, now.Add(time.Hour)) != nil || m.PeakLoad(3, now).Known {
		t.Errorf("%+v", q)
	}
}
