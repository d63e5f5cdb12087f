package iso

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// short writes rows as "11-02T05:00:00Z 60m 27.33 energy WEST".
func short(rows []Row) []string {
	var out []string
	for _, r := range rows {
		length := fmt.Sprintf("%gm", r.Length.Minutes())
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %v %s %s", r.Start.Format("01-02T15:04:05Z"), length, r.Price, r.Product, r.Zone)))
	}
	return out
}

// What each operator's reports say, worked out by hand from the samples.
func TestReports(t *testing.T) {
	for _, tc := range []struct {
		file string
		ask  Ask
		want []string
		told []string
	}{
		{"nyiso_realtime_zone.csv", Ask{Operator: "nyiso", Kind: RealTime, Zone: "west"}, []string{
			"11-02T04:50:00Z 5m 24.8 energy WEST", "11-02T04:55:00Z 5m 24.71 energy WEST", "11-02T05:00:00Z 5m 24.1 energy WEST",
			"11-02T05:05:00Z 2.5m 310.25 energy WEST", "11-02T05:07:30Z 2.5m 25.02 energy WEST", "11-02T05:50:00Z 5m 22 energy WEST",
			"11-02T05:55:00Z 5m 21.37 energy WEST", "11-02T06:00:00Z 5m -12.06 energy WEST", "11-02T06:50:00Z 5m 20.15 energy WEST",
			"11-02T06:55:00Z 5m 20.04 energy WEST",
		}, []string{
			"nyiso_realtime_zone.csv:14: 9999 stands for a price that is not there; it counts as missing",
			"nyiso_realtime_zone.csv:15: the figure is missing",
		}},
		{"20251102damlbmp_zone.csv", Ask{Operator: "nyiso", Kind: DayAhead, Zone: "WEST"}, []string{
			"11-02T04:00:00Z 60m 27.33 energy WEST", "11-02T05:00:00Z 60m 26 energy WEST", "11-02T06:00:00Z 60m 25.4 energy WEST", "11-02T07:00:00Z 60m 25.12 energy WEST",
		}, nil},
		{"20250701damasp.csv", Ask{Operator: "nyiso", Kind: Reserve, Ahead: true, Zone: "N.Y.C.", Product: "10-min spin"}, []string{"07-01T20:00:00Z 60m 12.34 10-min spin N.Y.C."}, nil},
		{"20250701rtasp.csv", Ask{Operator: "nyiso", Kind: Reserve, Zone: "WEST"}, []string{
			"07-01T20:00:00Z 5m 3.1 10-min spin WEST", "07-01T20:00:00Z 5m 0 10-min non-sync WEST", "07-01T20:00:00Z 5m 0 30-min operating WEST", "07-01T20:00:00Z 5m 8 regulation WEST",
		}, nil},
		{"20251102pal.csv", Ask{Operator: "nyiso", Kind: Load}, []string{"11-02T05:55:00Z 0m 2621.3 load", "11-02T06:00:00Z 0m 2607.4 load"}, []string{
			"20251102pal.csv:6: the load of 2025-11-02T06:05:00Z is there for 1 of 2 zones only; it counts as missing",
		}},
		{"20251102pal.csv", Ask{Operator: "nyiso", Kind: Load, Zone: "CAPITL"}, []string{"11-02T05:55:00Z 0m 1102.4 load CAPITL", "11-02T06:00:00Z 0m 1098.1 load CAPITL", "11-02T06:05:00Z 0m 1090 load CAPITL"}, nil},
		{"ercot_np4-190.csv", Ask{Operator: "ercot", Kind: DayAhead, Zone: "LZ_WEST"}, []string{
			"11-02T05:00:00Z 60m 19.02 energy LZ_WEST", "11-02T06:00:00Z 60m 17.9 energy LZ_WEST", "11-02T07:00:00Z 60m 17.31 energy LZ_WEST",
			"11-02T08:00:00Z 60m 16.88 energy LZ_WEST", "11-03T05:00:00Z 60m 24.4 energy LZ_WEST",
		}, nil},
		{"ercot_np6-905.csv", Ask{Operator: "ercot", Kind: RealTime, Zone: "LZ_WEST"}, []string{
			"11-02T06:00:00Z 15m 15.2 energy LZ_WEST", "11-02T06:00:00Z 15m 15.2 energy LZ_WEST", "11-02T06:45:00Z 15m 14.02 energy LZ_WEST",
			"11-02T07:00:00Z 15m 13.77 energy LZ_WEST", "11-02T08:00:00Z 15m -3.45 energy LZ_WEST",
		}, nil},
		{"ercot_np6-905.json", Ask{Operator: "ercot", Kind: RealTime, Zone: "HB_WEST"}, []string{"11-02T07:00:00Z 15m 13.1 energy HB_WEST", "11-03T05:45:00Z 15m 5000 energy HB_WEST"}, []string{"ercot_np6-905.json:3: the figure is missing"}},
		{"ercot_np6-788.csv", Ask{Operator: "ercot", Kind: RealTime, Zone: "HB_WEST"}, []string{"11-02T06:55:14Z 5m 14.9 energy HB_WEST", "11-02T07:00:15Z 5m 14.1 energy HB_WEST"}, nil},
		{"ercot_np4-188.csv", Ask{Operator: "ercot", Kind: Reserve, Ahead: true, Product: "ECRS"}, []string{"07-01T05:00:00Z 60m 0.62 ecrs"}, nil},
		{"ercot_np6-345.csv", Ask{Operator: "ercot", Kind: Load}, []string{"03-08T06:00:00Z 60m 41740.93 load", "03-08T07:00:00Z 60m 41005.88 load", "03-08T08:00:00Z 60m 40680 load"}, nil},
		{"caiso_prc_lmp.csv", Ask{Operator: "caiso", Kind: DayAhead, Zone: "TH_NP15_GEN-APND"}, []string{"11-02T07:00:00Z 60m 41.20733 energy TH_NP15_GEN-APND", "11-02T08:00:00Z 60m 39.9 energy TH_NP15_GEN-APND"}, nil},
		{"caiso_prc_intvl_lmp.csv", Ask{Operator: "caiso", Kind: RealTime, Zone: "TH_NP15_GEN-APND"}, []string{"07-01T20:05:00Z 5m -14.80021 energy TH_NP15_GEN-APND"}, nil},
		{"caiso_prc_as.csv", Ask{Operator: "caiso", Kind: Reserve, Ahead: true, Zone: "AS_CAISO_EXP", Product: "spin"}, []string{"07-01T20:00:00Z 60m 1.5 spin AS_CAISO_EXP"}, nil},
		{"caiso_sld_fcst.csv", Ask{Operator: "caiso", Kind: Load, Zone: "CA ISO-TAC"}, []string{"07-01T20:00:00Z 60m 30112 load CA ISO-TAC"}, nil},
		{"pjm_rt.json", Ask{Operator: "pjm", Kind: RealTime, Zone: "51288"}, []string{"11-02T05:55:00Z 0m 31.42 energy 51288", "11-02T06:00:00Z 0m 30.07 energy 51288"}, nil},
		{"pjm_da.csv", Ask{Operator: "pjm", Kind: DayAhead, Zone: "WESTERN HUB"}, []string{"11-02T05:00:00Z 60m 30.55 energy WESTERN HUB", "11-02T06:00:00Z 60m 29.44 energy WESTERN HUB"}, nil},
		{"pjm_as.csv", Ask{Operator: "pjm", Kind: Reserve, Product: "PJM RTO Synchronized Reserve"}, []string{"07-01T20:00:00Z 60m 4.11 PJM RTO Synchronized Reserve"}, nil},
		{"pjm_as.csv", Ask{Operator: "pjm", Kind: Reserve}, []string{"07-01T20:00:00Z 60m 4.11 PJM RTO Synchronized Reserve", "07-01T20:00:00Z 60m 6.2 Mid-Atlantic/Dominion Synchronized Reserve"}, nil},
		{"pjm_load.csv", Ask{Operator: "pjm", Kind: Load}, []string{"01-01T04:55:00Z 0m 90210.5 load PJM RTO"}, nil},
		{"miso_current.json", Ask{Operator: "miso", Kind: RealTime, Zone: "MINN.HUB"}, []string{"07-01T19:05:00Z 5m -6.55 energy MINN.HUB"}, nil},
		{"miso_consolidated.json", Ask{Operator: "miso", Kind: RealTime, Zone: "INDIANA.HUB"}, []string{"07-01T19:05:00Z 5m 44.18 energy INDIANA.HUB"}, nil},
		{"miso_load.json", Ask{Operator: "miso", Kind: Load}, []string{"07-01T05:00:00Z 5m 81172 load", "07-01T05:05:00Z 5m 81010 load"}, []string{"miso_load.json:3: the figure is missing"}},
		{"entsoe_a44_quarter.xml", Ask{Operator: "entsoe", Kind: DayAhead, Zone: "DE_LU"}, []string{"03-29T00:00:00Z 15m 80 energy", "03-29T00:45:00Z 15m 83 energy"}, []string{
			"entsoe_a44_quarter.xml:8: the position 5 is not one of the period's 1 to 4",
		}},
		{"entsoe_a65.xml", Ask{Operator: "entsoe", Kind: Load, Zone: "DE-LU"}, []string{"07-01T00:00:00Z 15m 42150 load 10Y1001A1001A82H", "07-01T00:15:00Z 15m 41800 load 10Y1001A1001A82H"}, nil},
		{"PUBLIC_DISPATCHIS.CSV", Ask{Operator: "aemo", Kind: RealTime, Zone: "NSW1"}, []string{"07-01T04:00:00Z 5m 65.5 energy NSW1"}, nil},
		{"PUBLIC_DISPATCHIS.CSV", Ask{Operator: "aemo", Kind: Reserve, Zone: "SA1", Product: "raise6sec"}, []string{"07-01T04:00:00Z 5m 0.38 raise6sec SA1"}, nil},
		{"PUBLIC_DISPATCHIS.CSV", Ask{Operator: "aemo", Kind: Load, Zone: "NSW1"}, []string{"07-01T04:00:00Z 5m 7447.63 load NSW1"}, nil},
		{"PUBLIC_PREDISPATCHIS.CSV", Ask{Operator: "aemo", Kind: DayAhead, Zone: "NSW1"}, []string{"07-01T04:00:00Z 30m 71.06 energy NSW1", "07-01T04:30:00Z 30m 120.4 energy NSW1"}, nil},
		{"aemo_summary.json", Ask{Operator: "aemo", Kind: RealTime, Zone: "VIC1"}, []string{"07-01T04:00:00Z 5m 61.02 energy VIC1"}, nil},
		{"aemo_summary.json", Ask{Operator: "aemo", Kind: Load}, []string{"07-01T04:00:00Z 0m 12568 load"}, nil},
		{"octopus.json", Ask{Operator: "octopus", Kind: RealTime}, []string{"03-30T00:30:00Z 30m 24.36 energy", "03-30T00:00:00Z 30m -1.2 energy", "03-30T01:00:00Z 525600m 20.5 energy"}, nil},
	} {
		t.Run(tc.file+" "+string(tc.ask.Kind)+" "+tc.ask.Zone, func(t *testing.T) {
			r, err := Read(tc.file, sample(t, tc.file), tc.ask)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, short(r.Rows)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.told, r.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// A position that is left out repeats the one before it, over a day of 25 hours.
func TestENTSOECarriesOn(t *testing.T) {
	r, err := Read("a44.xml", sample(t, "entsoe_a44.xml"), Ask{Operator: "entsoe", Kind: DayAhead, Zone: "DE_LU"})
	if err != nil || len(r.Rows) != 25 {
		t.Fatalf("%v, %v", r, err)
	}
	for i, want := range []float64{61.5, 58.02, 58.02, 58.02, -3.11, -3.11} {
		if r.Rows[i].Price != want {
			t.Errorf("hour %d is %v, want %v", i+1, r.Rows[i].Price, want)
		}
	}
	if last := r.Rows[24]; last.Price != 70 || !last.Start.Equal(time.Date(2025, 10, 26, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("the last hour is %+v", last)
	}
}

// The other market's report is never taken for the one that is asked for.
func TestMarketsAreKeptApart(t *testing.T) {
	for _, tc := range []struct {
		file string
		ask  Ask
	}{
		{"nyiso_realtime_zone.csv", Ask{Operator: "nyiso", Kind: DayAhead, Zone: "WEST"}},
		{"20251102damlbmp_zone.csv", Ask{Operator: "nyiso", Kind: RealTime, Zone: "WEST"}},
		{"20250701damasp.csv", Ask{Operator: "nyiso", Kind: Reserve, Zone: "WEST"}},
		{"20250701rtasp.csv", Ask{Operator: "nyiso", Kind: Reserve, Ahead: true, Zone: "WEST"}},
		{"20251102pal.csv", Ask{Operator: "nyiso", Kind: RealTime, Zone: "WEST"}},
		{"ercot_np4-190.csv", Ask{Operator: "ercot", Kind: RealTime, Zone: "LZ_WEST"}},
		{"ercot_np6-905.csv", Ask{Operator: "ercot", Kind: DayAhead, Zone: "LZ_WEST"}},
		{"ercot_np4-188.csv", Ask{Operator: "ercot", Kind: DayAhead}},
		{"ercot_np6-345.csv", Ask{Operator: "ercot", Kind: RealTime}},
		{"caiso_prc_lmp.csv", Ask{Operator: "caiso", Kind: RealTime, Zone: "TH_NP15_GEN-APND"}},
		{"caiso_prc_intvl_lmp.csv", Ask{Operator: "caiso", Kind: DayAhead, Zone: "TH_NP15_GEN-APND"}},
		{"pjm_da.csv", Ask{Operator: "pjm", Kind: RealTime, Zone: "WESTERN HUB"}},
		{"pjm_rt.json", Ask{Operator: "pjm", Kind: DayAhead, Zone: "51288"}},
		{"20251102_da_expost_lmp.csv", Ask{Operator: "miso", Kind: RealTime, Zone: "MINN.HUB"}},
		{"20251102_rt_lmp_final.csv", Ask{Operator: "miso", Kind: DayAhead, Zone: "INDIANA.HUB"}},
		{"miso_current.json", Ask{Operator: "miso", Kind: DayAhead, Zone: "INDIANA.HUB"}},
		{"entsoe_a65.xml", Ask{Operator: "entsoe", Kind: DayAhead, Zone: "DE_LU"}},
		{"PUBLIC_DISPATCHIS.CSV", Ask{Operator: "aemo", Kind: DayAhead, Zone: "NSW1"}},
		{"PUBLIC_PREDISPATCHIS.CSV", Ask{Operator: "aemo", Kind: RealTime, Zone: "NSW1"}},
		{"aemo_summary.json", Ask{Operator: "aemo", Kind: DayAhead, Zone: "NSW1"}},
	} {
		if r, err := Read(tc.file, sample(t, tc.file), tc.ask); !errors.Is(err, ErrOther) {
			t.Errorf("%s as %s: %v, %v", tc.file, tc.ask.Kind, r, err)
		}
	}
}

// A report that came under another name, as rtlbmp, is real-time; MISO's two differ by their title.
func TestHourlyRealTime(t *testing.T) {
	r, err := Read("20251102rtlbmp_zone.csv", sample(t, "20251102damlbmp_zone.csv"), Ask{Operator: "nyiso", Kind: RealTime, Zone: "WEST"})
	if err != nil || len(r.Rows) != 4 || r.Rows[0].Length != time.Hour {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := Read("20251102rtlbmp_zone.csv", sample(t, "20251102damlbmp_zone.csv"), Ask{Operator: "nyiso", Kind: DayAhead, Zone: "WEST"}); !errors.Is(err, ErrOther) {
		t.Errorf("integrated real-time prices pass for day-ahead ones: %v", err)
	}
	if _, err := Read("da_ancillary_services", sample(t, "pjm_as.csv"), Ask{Operator: "pjm", Kind: Reserve}); !errors.Is(err, ErrOther) {
		t.Errorf("PJM's day-ahead reserves pass for real-time ones: %v", err)
	}
	if r, err = Read("renamed.csv", sample(t, "20251102_rt_lmp_final.csv"), Ask{Operator: "miso", Kind: RealTime, Zone: "INDIANA.HUB"}); err != nil || len(r.Rows) != 24 {
		t.Errorf("%v, %v", r, err)
	}
}

// MISO's day has 24 hours of Eastern standard time, also when clocks change.
func TestMISODay(t *testing.T) {
	r, err := Read("20251102_da_expost_lmp.csv", sample(t, "20251102_da_expost_lmp.csv"), Ask{Operator: "miso", Kind: DayAhead, Zone: "minn.hub"})
	if err != nil || len(r.Rows) != 24 {
		t.Fatalf("%v, %v", r, err)
	}
	if first := r.Rows[0]; first.Price != -4 || !first.Start.Equal(time.Date(2025, 11, 2, 5, 0, 0, 0, time.UTC)) {
		t.Errorf("HE 1 is %+v", first)
	}
	_, lines, _ := bytes.Cut(sample(t, "20251102_da_expost_lmp.csv"), []byte("(EST)\r\n"))
	if r, err = Read("20251102_da_expost_lmp.csv", lines, Ask{Operator: "miso", Kind: DayAhead, Zone: "MINN.HUB"}); err != nil || !r.Rows[0].Start.Equal(time.Date(2025, 11, 2, 5, 0, 0, 0, time.UTC)) {
		t.Errorf("without its preamble: %v, %v", r, err)
	}
}

func zipped(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

func TestPacked(t *testing.T) {
	ask := Ask{Operator: "caiso", Kind: DayAhead, Zone: "TH_NP15_GEN-APND"}
	plain := sample(t, "caiso_prc_lmp.csv")
	nested := zipped(t, map[string][]byte{"x/day.zip": zipped(t, map[string][]byte{"a.csv": plain})})
	for name, data := range map[string][]byte{"zip": zipped(t, map[string][]byte{"a.csv": plain}), "gzip": gzipped(plain), "nested": nested, "bom": append([]byte("\xEF\xBB\xBF"), plain...)} {
		if r, err := Read(name, data, ask); err != nil || len(r.Rows) != 2 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	two := zipped(t, map[string][]byte{"a.csv": plain, "b.csv": sample(t, "caiso_prc_intvl_lmp.csv")})
	if r, err := Read("two", two, ask); err != nil || len(r.Rows) != 2 {
		t.Errorf("an archive with another market's report too: %v, %v", r, err)
	}
	deep := nested
	for range 2 {
		deep = zipped(t, map[string][]byte{"a.zip": deep})
	}
	if _, err := Read("deep", deep, ask); err == nil || !strings.Contains(err.Error(), "go deeper than 2") {
		t.Errorf("archives in archives: %v", err)
	}
	many := map[string][]byte{}
	for i := range maxMembers + 1 {
		many[fmt.Sprint(i, ".csv")] = nil
	}
	if _, err := Read("many", zipped(t, many), ask); err == nil {
		t.Error("an archive of too many files passes")
	}
}

// What unpacks to more than is allowed is refused, in one file or in many, whatever the
// headers say, and is never held as a whole.
func TestBombs(t *testing.T) {
	zeros := make([]byte, 600<<10)
	for name, data := range map[string][]byte{
		"gzip":   gzipped(make([]byte, 1<<20+1)),
		"zip":    zipped(t, map[string][]byte{"a": zeros, "b": zeros}),
		"nested": zipped(t, map[string][]byte{"a.zip": zipped(t, map[string][]byte{"a": zeros}), "b.gz": gzipped(zeros)}),
	} {
		seen := 0
		err := unpack(name, data, &budget{bytes: 1 << 20, members: 10}, func(_ string, doc []byte) error { seen += len(doc); return nil })
		if !errors.Is(err, errBomb) || seen > 1<<20 {
			t.Errorf("%s: %v after %d bytes", name, err, seen)
		}
	}
	if _, err := Read("big", make([]byte, MaxReport+1), Ask{Operator: "caiso", Kind: DayAhead}); err == nil || !strings.Contains(err.Error(), "more than the 33554432 bytes") {
		t.Errorf("a report of too many bytes: %v", err)
	}
}

// One clear line, and nothing to use, for what is no report.
func TestNoReports(t *testing.T) {
	html := []byte("\r\n<!DOCTYPE html><html><title>Please log in</title></html>")
	for _, op := range []string{"nyiso", "ercot", "caiso", "pjm", "miso", "entsoe", "aemo", "octopus", "csv", "json"} {
		for _, kind := range []Kind{RealTime, DayAhead, Load, Reserve} {
			ask := Ask{Operator: op, Kind: kind, Map: Map{Time: "t", Price: "p"}}
			_, err := Read("x", html, ask)
			if err == nil || !strings.Contains(err.Error(), "x: the answer is a web page (HTML) and not a report") {
				t.Errorf("%s %s: %v", op, kind, err)
			}
			for _, junk := range []string{"", "\n\n", "x", "{", "{}", "[]", "<a/>", "a,b\n1,2\n", `{"fields":[{"name":"a"}],"data":[[1]]}`} {
				if r, err := Read("x", []byte(junk), ask); err == nil || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s %s of %q: %v, %v", op, kind, junk, r, err)
				}
			}
		}
	}
	for _, tc := range []struct {
		ask       Ask
		text, err string
	}{
		{Ask{Operator: "nyiso", Kind: RealTime, Zone: "WESTT"}, string(sample(t, "nyiso_realtime_zone.csv")), `there is no "WESTT"; did you mean "WEST"?`},
		{Ask{Operator: "caiso", Kind: RealTime}, string(sample(t, "caiso_error.xml")), "OASIS says \"No data returned for the specified selection\""},
		{Ask{Operator: "caiso", Kind: RealTime}, "<m:E xmlns:m=\"a\"><m:ERR_CODE>1015</m:ERR_CODE><m:ERR_DESC>GroupZip is in processing</m:ERR_DESC></m:E>", "OASIS refuses (1015): \"GroupZip is in processing\""},
		{Ask{Operator: "entsoe", Kind: DayAhead}, string(sample(t, "entsoe_none.xml")), "ENTSO-E says \"No matching data found"},
		{Ask{Operator: "entsoe", Kind: DayAhead}, `<Acknowledgement_MarketDocument><Reason><code>999</code><text>Unauthorized. Missing or invalid security token.</text></Reason></Acknowledgement_MarketDocument>`, "ENTSO-E refuses (999): \"Unauthorized"},
		{Ask{Operator: "pjm", Kind: RealTime}, `{"errors": [{"field": "rowCount", "message": "Row count is missing"}]}`, `PJM says "Row count is missing"`},
		{Ask{Operator: "octopus", Kind: RealTime}, `{"detail": "Not found."}`, `the server says "Not found."`},
		{Ask{Operator: "ercot", Kind: RealTime, Zone: "A"}, "DeliveryDate,DeliveryHour,DeliveryInterval,SettlementPointName,SettlementPointType,SettlementPointPrice,DSTFlag\n07/01/2025,1,1,A,HU,9999,N\n07/01/2025,1,2,A,HU,9999,N\n", "no line can be used: x:2: 9999 stands for a price that is not there; it counts as missing (and 1 more such)"},
		{Ask{Operator: "enron"}, "", `there is no operator "enron"`},
	} {
		if _, err := Read("x", []byte(tc.text), tc.ask); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, want %s", tc.ask.Operator, err, tc.err)
		}
	}
	if _, err := Read("x", sample(t, "entsoe_none.xml"), Ask{Operator: "entsoe", Kind: DayAhead}); !errors.Is(err, ErrNone) {
		t.Errorf("nothing published yet: %v", err)
	}
}

// Fillers and absurd figures are refused, real extremes are not.
func TestBelieve(t *testing.T) {
	for _, v := range []float64{9999, -9999, 99999, 9999.99, 9999.9, 99999.9, -9999.99, 999999, 9999999} {
		if !Filler(v) {
			t.Errorf("%v passes", v)
		}
	}
	for _, v := range []float64{0, 999, 999.99, 9998, 9998.99, 10000, 9000, 5000, -1000, 5257.575, 9999.5} {
		if Filler(v) {
			t.Errorf("%v is refused", v)
		}
	}
	for op, real := range map[string][]float64{
		"ercot": {9000, 5000, -251}, "nyiso": {-2000, 3000}, "caiso": {2000, -500}, "pjm": {3700}, "miso": {3500}, "entsoe": {4000, -500, 5000}, "aemo": {20300, -1000}, "octopus": {100, -20},
	} {
		for _, v := range real {
			if sort, err := (Ask{Operator: op}).believe(v); err != nil {
				t.Errorf("%s %v: %s %v", op, v, sort, err)
			}
		}
		for _, v := range []float64{1e6, -1e6, 9999} {
			if _, err := (Ask{Operator: op}).believe(v); err == nil {
				t.Errorf("%s takes %v", op, v)
			}
		}
	}
	for _, mw := range []float64{0, -1, 999_999, 5e6} {
		if _, err := (Ask{Operator: "ercot", Kind: Load}).believe(mw); err == nil {
			t.Errorf("a load of %v passes", mw)
		}
	}
}

func TestPages(t *testing.T) {
	for file, want := range map[string]string{
		"octopus.json":       "https://rates.example/unit-rates/?page=2",
		"pjm_rt.json":        "https://api.pjm.com/api/v1/rt_unverified_fivemin_lmps?startRow=3&rowCount=2",
		"ercot_np6-905.json": "https://api.ercot.com/api/public-reports/np6-905-cd/spp_node_zone_hub?page=2",
	} {
		op, _, _ := strings.Cut(strings.TrimSuffix(file, ".json"), "_")
		r, err := Read(file, sample(t, file), Ask{Operator: op, Kind: RealTime})
		if err != nil || r.Next != want {
			t.Errorf("%s: %v, %v", file, r, err)
		}
	}
}

// BenchmarkNYISODay reads a day of New York's real-time report, all 15 names of it.
func BenchmarkNYISODay(b *testing.B) {
	var doc strings.Builder
	doc.WriteString("\"Time Stamp\",\"Name\",\"PTID\",\"LBMP ($/MWHr)\",\"Marginal Cost Losses ($/MWHr)\",\"Marginal Cost Congestion ($/MWHr)\"\n")
	for i := range 288 {
		end := time.Date(2025, 7, 1, 0, 5+5*i, 0, 0, time.UTC).Format("01/02/2006 15:04:05")
		for z := range 14 {
			fmt.Fprintf(&doc, "%q,\"ZONE %d\",%d,24.80,-1.51,0.00\n", end, z, 61750+z)
		}
		fmt.Fprintf(&doc, "%q,\"WEST\",61752,24.80,-1.51,0.00\n", end)
	}
	data := []byte(doc.String())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := Read("x", data, Ask{Operator: "nyiso", Kind: RealTime, Zone: "WEST"})
		if err != nil || len(r.Rows) != 288 {
			b.Fatal(err)
		}
	}
}
