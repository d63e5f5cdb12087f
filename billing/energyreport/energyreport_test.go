package energyreport

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/billing"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/strictyaml"
	"switchyard/telemetry"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

const kWhUnit = unit.KilowattHour

var first = time.Date(2026, 10, 1, 5, 0, 0, 0, time.UTC) // midnight in Chicago

func chicago(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Skip("no time zones on this machine: America/Chicago")
	}
	return zone
}

// twoHours: 24 intervals of 100 kWh at the meter, but 130 in the third quarter of the second hour;
// the meter told nothing in the last but one, and its 100 came with the last. Of each, miners have
// 60 and red 20, with 22 billed.
func twoHours(t testing.TB) Input {
	in := Input{
		Site: "North", Month: "2026-10", Zone: chicago(t), From: first, To: first.Add(2 * time.Hour),
		Groups: []Group{{ID: "s21", Model: "Antminer S21", Units: 200, Nameplate: 3500 * unit.Watt, Hashes: 40 * 7200, Seconds: 7200}},
	}
	var rows []usage.Row
	for i := range 24 {
		at := first.Add(time.Duration(i) * telemetry.Length)
		b := usage.Balance{
			Start: at, Meter: 100 * kWhUnit, TenantLoad: 20 * kWhUnit, MiningLoad: 60 * kWhUnit, HouseLoad: 15 * kWhUnit,
			Losses: 3 * kWhUnit, Remainder: 2 * kWhUnit,
		}
		r := usage.Row{Tenant: "red", Start: at, Critical: 20 * kWhUnit, Losses: kWhUnit, House: kWhUnit, Billed: 22 * kWhUnit}
		switch {
		case i >= 18 && i < 21:
			b.Meter, b.HouseLoad = 130*kWhUnit, 45*kWhUnit
		case i == 22:
			b.Meter, b.Remainder, b.Quality = 0, -98*kWhUnit, site.Missing
		case i == 23:
			b.Meter, b.Remainder, b.Quality = 200*kWhUnit, 102*kWhUnit, site.Estimated
			r.Quality = site.Estimated
		}
		in.Balances = append(in.Balances, b)
		rows = append(rows, r)
	}
	in.Rows = func(yield func(usage.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
	return in
}

func full(t testing.TB) Input {
	in := twoHours(t)
	var err error
	if in.Factors, err = ParseFactors("grid.csv", []byte("time,kg/MWh\n2026-10-01 00:00,400\n2026-10-01 01:00,500\n"), in.Zone); err != nil {
		t.Fatal(err)
	}
	in.Contracts, err = ParseContracts("contracts.csv", []byte("name,kind,mwh,kg_per_mwh\nWind PPA,ppa,1.0,0\nUtility,supplier,0.29,300\nresidual,residual,,500\n"))
	if err != nil {
		t.Fatal(err)
	}
	in.Facility, err = ParseFacility("facility.yaml", []byte(`company: North Mining LLC
contact: ops@north.example
address: 1 Power Road
county: Ward
state: TX
supplier: Reeves Electric
balancing_authority: ERCO
equipment:
  - {group: s21, units: 50, installed: "2024-10"}
  - {group: s21, installed: "2025-10-01"}
`), []string{"s21"})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func close(a, b, by float64) bool { return math.Abs(a-b) <= by }

// By hand: 24 x 100 + 3 x 30 = 2,490 kWh at the meter, of which 24 x 80 compute: PUE 1.2969. The
// peak is the quarter of 3 x 130 kWh in 15 min: 1,560 kW; the last, with an estimate, is none. 2,490
// kWh in 2 h are 1,245 kW on the mean. Carbon by place: 1.2 MWh at 400 and 1.29 at 500 are 1,125
// kg. By contract: 1.0 at 0, 0.29 at 300 and 1.2 at 500 are 687 kg.
func TestTheWorkedExample(t *testing.T) {
	r, err := Build(full(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Energy != 2490*kWhUnit || !close(r.PUE.V, 2490.0/1920, 1e-9) || r.Peak != site.Some(1560*unit.Kilowatt) || !r.PeakAt.Equal(first.Add(90*time.Minute)) {
		t.Errorf("%+v", r)
	}
	if !close(r.LoadFactor.V, 1245.0/1560, 1e-6) || !close(r.Location.V, 1125, 1e-6) || !close(r.Market.V, 687, 1e-6) {
		t.Errorf("load factor %v, carbon %v and %v", r.LoadFactor, r.Location, r.Market)
	}
	var sum unit.Energy
	for _, u := range r.Uses {
		sum += u.Energy
	}
	if sum != r.Energy {
		t.Errorf("the uses sum to %s", sum)
	}
	// red: 12 x 22 kWh at 400 and 12 x 22 at 500.
	if red := r.Uses[1]; red.Name != "red" || red.Billed != 528*kWhUnit || !close(red.Carbon.V, 237.6, 1e-6) || red.Estimated != 1 {
		t.Errorf("%+v", red)
	}
	s := r.Survey
	if s.MiningLoad != site.Some(1440*kWhUnit) || s.Load != site.Some(720*unit.Kilowatt) || s.Capacity != 700*unit.Kilowatt || !close(s.Hashrate.V.PH(), 40, 1e-9) {
		t.Errorf("%+v", s)
	}
	// 50 are two years old and 150 one year: 1.25 on the mean.
	if !close(s.Age.V, 1.25, 0.01) || len(r.Missing) != 0 {
		t.Errorf("age %v, missing %q", s.Age, r.Missing)
	}
}

func TestWhatIsMissingIsSaidAndLeftOut(t *testing.T) {
	in := full(t)
	in.Factors, _ = ParseFactors("grid.csv", []byte("time,kg_per_mwh\n2026-10-01T05:00:00Z,400\n"), time.UTC)
	in.Contracts = in.Contracts[:2]
	in.Facility.Supplier, in.Facility.Equipment = "", in.Facility.Equipment[:1]
	in.Groups[0].Seconds = 0
	in.To = in.To.Add(5 * time.Minute)
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if r.Location.OK || r.Market.OK || r.Survey.Age.OK || r.Survey.Hashrate.OK || r.Uses[1].Carbon.OK {
		t.Errorf("a figure whose input is missing: %+v", r)
	}
	all := strings.Join(r.Missing, "\n")
	for _, want := range []string{
		"1 of 25 intervals are not in the record", "11 intervals have no factor in grid.csv, the first at 2026-10-01 01:00",
		"1.200 MWh are covered by no contract", "survey: supplier not told", "of group s21 50 of 200 miners", "no hashrate",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said in\n%s", want, all)
		}
	}
	empty, err := Build(Input{Site: "North", Month: "2026-10", From: first, To: first.Add(time.Hour)})
	if err != nil || empty.PUE.OK || empty.Peak.OK || empty.LoadFactor.OK {
		t.Errorf("%+v, %v", empty, err)
	}
	broken := errors.New("the disk")
	in.Rows = func(yield func(usage.Row, error) bool) { yield(usage.Row{}, broken) }
	if _, err := Build(in); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestGoldens(t *testing.T) {
	bare := twoHours(t)
	for name, in := range map[string]Input{"full": full(t), "bare": bare} {
		r, err := Build(in)
		if err != nil {
			t.Fatal(err)
		}
		var table bytes.Buffer
		if err := r.CSV(&table); err != nil {
			t.Fatal(err)
		}
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		for end, got := range map[string]string{".txt": r.Text(), ".csv": table.String(), ".json": string(data) + "\n"} {
			path := filepath.Join("testdata", name+end)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
	}
}

func TestFilesWithFaultsSayWhere(t *testing.T) {
	tests := []struct {
		name, data string
		parse      func([]byte) error
		want       []string
	}{
		{"factors", "time,kg_per_mwh\n2026-10-01,400\n2026-10-01T00:00:00Z,-4\n", factors, []string{`f.csv:2: time: "2026-10-01"`, `f.csv:3: kg_per_mwh: "-4"`}},
		{"grams", "time,kg_per_mwh\n2026-10-01T00:00:00Z,400000\n", factors, []string{"is it in grams"}},
		{"twice", "time,kg_per_mwh\n2026-10-01T00:00:00Z,4\n2026-10-01T00:00:00Z,5\n", factors, []string{"stands twice"}},
		{"no column", "when,kg_per_mwh\n", factors, []string{`there is no column "time"; it has when, kg_per_mwh`}},
		{"empty", "", factors, []string{"the first line must name the columns time, kg_per_mwh"}},
		{"kind", "name,kind,mwh,kg_per_mwh\na,gift,1,0\nb,residual,3,0\n", contracts, []string{`c.csv:2: kind: "gift"`, "c.csv:3: mwh: a residual mix"}},
		{
			"facility", "company: North\nequipment:\n  - {group: s12, installed: soon}\n", facility,
			[]string{`there is no group "s12"`, `"soon" is no month`, "f.yaml:3"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.parse([]byte(tt.data))
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}

func factors(data []byte) error   { _, err := ParseFactors("f.csv", data, time.UTC); return err }
func contracts(data []byte) error { _, err := ParseContracts("c.csv", data); return err }
func facility(data []byte) error {
	_, err := ParseFacility("f.yaml", data, []string{"s21"})
	return err
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("time,kg_per_mwh\n2026-10-01T00:00:00Z,400\n"))
	f.Add([]byte("name,kind,mwh,kg_per_mwh\na,rec,1,0\nb,residual,,5\n"))
	f.Add([]byte("equipment:\n  - {group: s21, installed: 2024-03}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if fs, err := ParseFactors("f", data, time.UTC); err == nil {
			fs.At(first)
		}
		if cs, err := ParseContracts("c", data); err == nil {
			if kg, open := marketBased(cs, unit.MegawattHour); kg < 0 || open < 0 {
				t.Errorf("%g kg, %g MWh open", kg, open)
			}
		}
		_, err := ParseFacility("f.yaml", data, nil)
		var faults strictyaml.Faults
		if err != nil && !errors.As(err, &faults) {
			t.Error(err)
		}
	})
}

// A store whose intervals were settled before there was a usage record is reported by its meters.
func TestGatherAttributesWhatIsSettledAndNotInTheRecord(t *testing.T) {
	f := &sitefile.File{Site: sitefile.Site{Name: "North", Timezone: "UTC"}}
	f.Connection = sitefile.Node{ID: "connection", Loss: 0.02, Meter: &sitefile.Meter{}}
	f.Nodes = []sitefile.Node{{ID: "hall", Parent: "connection", Meter: &sitefile.Meter{}}, {ID: "red", Parent: "connection", Meter: &sitefile.Meter{}}}
	f.Groups = []sitefile.Group{{ID: "s21", Node: "hall", Addresses: []string{"10.0.0.1-10.0.0.10"}, Nameplate: 3500 * unit.Watt}}
	f.Tenants = []sitefile.Tenant{{ID: "red", Node: "red", Firm: unit.Megawatt}}
	tree, err := f.Tree()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book, err := billing.Open(t.Context(), db, billing.Contracts{Tree: tree, Groups: f.Groups, Tenants: f.Tenants})
	if err != nil {
		t.Fatal(err)
	}
	record, err := usage.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	month := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	plan, err := usage.NewSite(PlanOf(f))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		at := month.Add(time.Duration(i) * telemetry.Length)
		r := func(subject string, e unit.Energy, hashes float64) telemetry.Interval {
			return telemetry.Interval{Subject: subject, Start: at, Energy: e, Hashes: hashes, Sources: 1, Measured: telemetry.Length}
		}
		records := []telemetry.Interval{
			r("meter:connection", 100*kWhUnit, 0), r("meter:hall", 60*kWhUnit, 0), r("meter:red", 37*kWhUnit, 0), r("s21", 55*kWhUnit, 2*300),
		}
		if err := book.Settle(t.Context(), []billing.Close{{Start: at, Records: records}}, nil); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			out := usage.Attribute(usage.In{Site: plan, Start: at, Meters: records})
			if _, err := record.Put(t.Context(), out.Rows, out.Balance); err != nil {
				t.Fatal(err)
			}
		}
	}
	days := 0
	in, err := Gather(t.Context(), db, f, month, func(time.Time) { days++ })
	if err != nil {
		t.Fatal(err)
	}
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]unit.Energy{"mining": 330 * kWhUnit, "tenant": 222 * kWhUnit, "house": 30 * kWhUnit, "losses": 12 * kWhUnit, "remainder": 6 * kWhUnit}
	for _, u := range r.Uses {
		if u.Energy != want[u.Kind] {
			t.Errorf("%s %s, want %s", u.title(), u.Energy, want[u.Kind])
		}
	}
	if r.Energy != 600*kWhUnit || days != 31 || !close(r.Survey.Hashrate.V.PH(), 2, 1e-9) || !strings.Contains(strings.Join(r.Notes, " "), "4 intervals were attributed by their meters alone") {
		t.Errorf("%+v", r)
	}
}
