package iso

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func urls(places []Place) []string {
	var out []string
	for _, p := range places {
		u := p.URL
		if p.Listing {
			u = "list " + u
		}
		if p.Late {
			u += " (may be late)"
		}
		out = append(out, u)
	}
	return out
}

// The addresses of half past seven in the evening of 1 July 2026 in New York.
func TestPlaces(t *testing.T) {
	now := time.Date(2026, 7, 1, 23, 30, 0, 0, time.UTC)
	for _, tc := range []struct {
		ask     Ask
		pattern string
		back    int
		want    []string
	}{
		{Ask{Operator: "nyiso", Kind: RealTime}, "", 1, []string{"http://mis.nyiso.com/public/csv/realtime/20260630realtime_zone.csv (may be late)", "http://mis.nyiso.com/public/csv/realtime/20260701realtime_zone.csv"}},
		{Ask{Operator: "nyiso", Kind: DayAhead}, "", 0, []string{"http://mis.nyiso.com/public/csv/damlbmp/20260701damlbmp_zone.csv", "http://mis.nyiso.com/public/csv/damlbmp/20260702damlbmp_zone.csv (may be late)"}},
		{Ask{Operator: "nyiso", Kind: Reserve, Ahead: true}, "", 0, []string{"http://mis.nyiso.com/public/csv/damasp/20260701damasp.csv", "http://mis.nyiso.com/public/csv/damasp/20260702damasp.csv (may be late)"}},
		{Ask{Operator: "ercot", Kind: Load}, "", 1, []string{"list https://www.ercot.com/misapp/servlets/IceDocListJsonWS?reportTypeId=13101"}},
		{Ask{Operator: "caiso", Kind: RealTime, Zone: "TH_NP15_GEN-APND"}, "", 0, []string{"https://oasis.caiso.com/oasisapi/SingleZip?resultformat=6&queryname=PRC_INTVL_LMP&version=3&market_run_id=RTM&node=TH_NP15_GEN-APND&startdatetime=20260701T07:00-0000&enddatetime=20260702T07:00-0000"}},
		{Ask{Operator: "pjm", Kind: DayAhead, Zone: "51288"}, "", -1, []string{"https://api.pjm.com/api/v1/da_hrl_lmps?datetime_beginning_ept=2026-07-02+00%3A00+to+2026-07-02+23%3A59&pnode_id=51288&rowCount=50000&startRow=1 (may be late)"}},
		{Ask{Operator: "miso", Kind: DayAhead}, "", 0, []string{"https://docs.misoenergy.org/marketreports/20260701_da_expost_lmp.csv", "https://docs.misoenergy.org/marketreports/20260702_da_expost_lmp.csv (may be late)"}},
		{Ask{Operator: "entsoe", Kind: DayAhead, Zone: "DE_LU"}, "", 0, []string{
			"https://web-api.tp.entsoe.eu/api?documentType=A44&in_Domain=10Y1001A1001A82H&out_Domain=10Y1001A1001A82H&periodStart=202607012200&periodEnd=202607022200",
			"https://web-api.tp.entsoe.eu/api?documentType=A44&in_Domain=10Y1001A1001A82H&out_Domain=10Y1001A1001A82H&periodStart=202607022200&periodEnd=202607032200 (may be late)",
		}},
		{Ask{Operator: "aemo", Kind: DayAhead}, "", 0, []string{"list https://www.nemweb.com.au/Reports/Current/PredispatchIS_Reports/"}},
		{Ask{Operator: "csv", Kind: RealTime, Zone: "a b"}, "https://x/{day}/{zone}.csv?d={date}", 1, []string{"https://x/2026-06-30/a+b.csv?d=20260630 (may be late)", "https://x/2026-07-01/a+b.csv?d=20260701"}},
		{Ask{Operator: "json", Kind: RealTime}, "https://x/now", 1, []string{"https://x/now"}},
		{Ask{Operator: "octopus", Kind: RealTime}, "", 1, nil},
	} {
		got := urls(tc.ask.Places(tc.pattern, now, tc.back))
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.ask.Operator, tc.ask.Kind, diff)
		}
	}
}

// A day's first hour has no report yet, and that is no fault.
func TestTheFirstHourMayBeLate(t *testing.T) {
	ask := Ask{Operator: "nyiso", Kind: RealTime}
	for at, late := range map[string]bool{"2026-07-01T04:30:00Z": true, "2026-07-01T05:00:00Z": false} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if p := ask.Places("", now, 0); len(p) != 1 || p[0].Late != late {
			t.Errorf("at %s: %+v", at, p)
		}
	}
}

func TestListed(t *testing.T) {
	got, err := Listed("https://www.ercot.com/misapp/servlets/IceDocListJsonWS?reportTypeId=12301", sample(t, "ercot_list.json"), 5)
	want := []string{"https://www.ercot.com/misdownload/servlets/mirDownload?doclookupId=1000", "https://www.ercot.com/misdownload/servlets/mirDownload?doclookupId=1002"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, _ = Listed("https://www.ercot.com/x", sample(t, "ercot_list.json"), 1); len(got) != 1 || !strings.HasSuffix(got[0], "1002") {
		t.Errorf("the newest one is %q", got)
	}
	page := `<html><body><A HREF="/Reports/Current/">[To Parent Directory]</A><br>
 Tuesday, July 1, 2025  2:02 PM 10 <A HREF="/Reports/Current/PredispatchIS_Reports/PUBLIC_PREDISPATCHIS_202507011430_20250701140230.zip">b</A><br>
 <A HREF="/Reports/Current/PredispatchIS_Reports/PUBLIC_PREDISPATCHIS_202507011400_20250701133230.zip">a</A>
 <a href="https://evil.example/PUBLIC_PREDISPATCHIS_9.zip">c</a></body></html>`
	got, err = Listed("https://www.nemweb.com.au/Reports/Current/PredispatchIS_Reports/", []byte(page), 2)
	want = []string{
		"https://www.nemweb.com.au/Reports/Current/PredispatchIS_Reports/PUBLIC_PREDISPATCHIS_202507011400_20250701133230.zip",
		"https://www.nemweb.com.au/Reports/Current/PredispatchIS_Reports/PUBLIC_PREDISPATCHIS_202507011430_20250701140230.zip",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"<!doctype html><title>Maintenance</title>": "is a web page (HTML) without reports",
		"{}":   "names no report as CSV",
		"oops": "cannot be read",
	} {
		if _, err := Listed("https://x.example/", []byte(text), 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Listed("https://x.example/", []byte("{}"), 2); !errors.Is(err, ErrNone) {
		t.Errorf("an empty list: %v", err)
	}
}

func TestMapped(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		ask  Ask
		text string
		want []string
		told []string
	}{
		"csv": {
			Ask{Operator: "csv", Kind: DayAhead, Map: Map{Time: "WHEN", Price: "price eur", Filter: map[string]string{"Area": "A"}, Format: "02.01.2006 15:04", Zone: berlin, Length: time.Hour}},
			"Area,when,Price EUR\nA,01.07.2026 00:00,\"1,234.5\"\nB,01.07.2026 00:00,2\nA,1.7.26,3\nA,01.07.2026 02:00,\nA,01.07.2026 03:00,99999\n",
			[]string{"06-30T22:00:00Z 60m 1234.5 energy"},
			[]string{`x:4: the time "1.7.26" is not like 02.01.2006 15:04`, "x:5: the figure is missing", "x:6: 99999 stands for a price that is not there; it counts as missing"},
		},
		"json objects": {
			Ask{Operator: "json", Kind: RealTime, Map: Map{Rows: "data.list", Time: "at", Price: "p.0.value", Filter: map[string]string{"zone": "A"}}},
			`{"data": {"list": [{"at": "2026-07-01T00:00:00+02:00", "zone": "A", "p": [{"value": "4.5"}]}, {"at": 1782864000, "zone": "A", "p": [{"value": null}]}, {"zone": "B"}, {"zone": "A"}, {"at": 1782864000000, "zone": "A", "p": [{"value": 7}]}]}}`,
			[]string{"06-30T22:00:00Z 0m 4.5 energy", "07-01T00:00:00Z 0m 7 energy"},
			[]string{"x:2: the figure is missing", `x:4: the row has no field "at"`},
		},
		"json lists": {Ask{Operator: "json", Kind: Load, Map: Map{Time: "0", Price: "-1"}}, `[["2026-07-01 00:00", 1, 61000.5]]`, []string{"07-01T00:00:00Z 0m 61000.5 load"}, nil},
		"json one":   {Ask{Operator: "json", Kind: Reserve, Product: "ecrs", Map: Map{Time: "t", Price: "p"}}, `{"t": "2026-07-01T00:00Z", "p": 3}`, nil, nil},
	} {
		r, err := Read("x", []byte(tc.text), tc.ask)
		if tc.want == nil {
			if err == nil || !strings.Contains(err.Error(), "is not like") {
				t.Errorf("%s: %v, %v", name, r, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, short(r.Rows)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tc.told, r.Problems); diff != "" {
			t.Errorf("%s problems (-want +got):\n%s", name, diff)
		}
	}
	for text, want := range map[string]string{"a,b\n1,2\n": `there is no column "when"; `, "when,b\n1,2\n": `there is no column "p"; `} {
		if _, err := Read("x", []byte(text), Ask{Operator: "csv", Kind: RealTime, Map: Map{Time: "when", Price: "p"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
