package sheet

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"switchyard/study/input"
)

// change is a figure as somebody changes it: a name of the workbook with its new value, and the same in the
// study file's words.
type change struct {
	name     string
	value    float64
	old, new string
}

var changes = []change{
	{"in_lease_modified_rate", 141.5, "rate: 128 $/kW-month", "rate: 141.5 $/kW-month"},
	{"in_btc_price", 61000, "price: 88000 $", "price: 61000 $"},
	{"in_btc_forward2", 120000, "price: 150000 $", "price: 120000 $"},
	{"in_loan_sweep_to_cost", 0.55, "loan_to_cost: 80 %", "loan_to_cost: 55 %"},
	{"in_loan_level_dsra", 8, "dsra: 4 months", "dsra: 8 months"},
	{"in_discount", 0.115, "discount: 9.5 %", "discount: 11.5 %"},
	{"in_inflation", 0.01, "inflation: 3 %", "inflation: 1 %"},
	{"in_power_adder", 11, "adder: 6 $/MWh", "adder: 11 $/MWh"},
	{"in_power_block_1_mw", 20, "{power: 12 MW", "{power: 20 MW"},
	{"in_tax", 0.31, "rate: 23 %", "rate: 31 %"},
	{"in_hall_hall_a_capex", 9.1e6, "p50: 7.5 $M/MW", "p50: 9.1 $M/MW"},
	{"in_hall_hall_a_build", 14, "p50: 11 months", "p50: 14 months"},
	{"in_hall_hall_a_machines2_renew_every", 40, "every: 31 months", "every: 40 months"},
	{"in_cloud_few_life", 61, "life: 50 months", "life: 61 months"},
	{"in_site_energised", 27, "energised: 2029-02", "energised: 2029-07"},
	// Every option begins where the study puts it, so that the program does not seek a better month.
	{"in_start_hall_a_shared_month", 19, "from: 2028-07, to: 2028-07", "from: 2028-11, to: 2028-11"},
	{"in_start_hall_a_shared_2_month", 19, "", ""},
	{"in_start_hall_a_gross_month", 8, "from: 2027-09, to: 2028-03", "from: 2027-12, to: 2027-12"},
	{"in_start_hall_a_gross_2_month", 8, "", ""},
	{"in_start_Hall_A_gross_3_month", 8, "", ""},
}

// TestChangesByLibreOffice changes figures in the workbook as a reader would, and the same figures in the study
// file, and holds the one's summary against the other's report.
func TestChangesByLibreOffice(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, r := expected(t, data)
	book, err := excelize.OpenReader(bytes.NewReader(workbook(t, f, r)))
	if err != nil {
		t.Fatal(err)
	}
	where := map[string]string{}
	for _, n := range book.GetDefinedName() {
		sheet, at, _ := strings.Cut(n.RefersTo, "!")
		if sheet != "'Inputs'" {
			t.Errorf("%s refers to %s", n.Name, n.RefersTo)
		}
		where[n.Name] = strings.ReplaceAll(at, "$", "")
	}
	text := string(data)
	for _, c := range changes {
		if where[c.name] == "" {
			t.Fatalf("the workbook has no %s", c.name)
		}
		if err := book.SetCellFloat("Inputs", where[c.name], c.value, -1, 64); err != nil {
			t.Fatal(err)
		}
		if c.old == "" {
			continue
		}
		if n := strings.Count(text, c.old); n != 1 {
			t.Fatalf("the study has %q %d times", c.old, n)
		}
		text = strings.Replace(text, c.old, c.new, 1)
	}
	changed, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	_, want := expected(t, []byte(text))
	sheets := calculated(t, changed.Bytes())
	sound(t, sheets)
	rows := sheets["Summary"]
	if !strings.HasPrefix(rows[6][0], "Edited: no longer the file's case") || rows[6][4] != "" || rows[6][5] != "" {
		t.Errorf("of a book that was changed the summary says %q", rows[6])
	}
	column := map[string]int{}
	for i, v := range rows[summaryHead-1] {
		column[v] = i
	}
	for i, v := range want.Options {
		row := rows[summaryHead+i]
		if row[0] != v.Hall || row[1] != v.Name || v.Kind != "mine" && row[column["Begins"]] != v.Start {
			t.Fatalf("row %d is %q, want %s, %s from %s", summaryHead+i+1, row[:3], v.Hall, v.Name, v.Start)
		}
		for title, ours := range map[string]float64{"NPV, $": v.Expected, "NPV to the owners, $": v.Owners, "Loan, $": v.Debt, "Capex, $": v.Capex, "Most equity at a time, $": v.PeakEquity} {
			if got, err := strconv.ParseFloat(row[column[title]], 64); err == nil && math.Abs(got-ours) <= 0.01 || (row[column[title]] == "" || row[column[title]] == "–") && ours == 0 {
				continue
			}
			t.Errorf("%s, %s: %s is %s in the workbook, %.2f by the program", v.Hall, v.Name, title, row[column[title]], ours)
		}
		for title, ours := range map[string]*float64{"Lowest DSCR of twelve months, before tax": v.MinDSCR, "Lowest DSCR of twelve months, after tax": v.TaxedDSCR} {
			got, err := strconv.ParseFloat(row[column[title]], 64)
			if (err == nil) != (ours != nil) || ours != nil && math.Abs(got-*ours) > 1e-5 {
				t.Errorf("%s, %s: %s is %s in the workbook, %v by the program", v.Hall, v.Name, title, row[column[title]], ours)
			}
		}
		if v.Expected == r.Options[i].Expected {
			t.Errorf("%s, %s: the changes changed nothing", v.Hall, v.Name)
		}
	}
}

// TestNoLoanByLibreOffice takes the loans away in the workbook, and changes a table alone in another.
func TestNoLoanByLibreOffice(t *testing.T) {
	t.Parallel()
	f, r := expected(t, input.Sample())
	for name, change := range map[string]func(*excelize.File) error{
		"no loan": func(book *excelize.File) error {
			for _, n := range book.GetDefinedName() {
				if strings.HasPrefix(n.Name, "in_loan_") && strings.HasSuffix(n.Name, "_to_cost") {
					_, at, _ := strings.Cut(n.RefersTo, "!")
					if err := book.SetCellFloat("Inputs", strings.ReplaceAll(at, "$", ""), 0, -1, 64); err != nil {
						return err
					}
				}
			}
			return nil
		},
		"table": func(book *excelize.File) error { return book.SetCellFloat("Tax", "B2", 0.06, -1, 64) },
	} {
		book, err := excelize.OpenReader(bytes.NewReader(workbook(t, f, r)))
		if err != nil {
			t.Fatal(err)
		}
		if err := change(book); err != nil {
			t.Fatal(err)
		}
		changed, err := book.WriteToBuffer()
		if err != nil {
			t.Fatal(err)
		}
		sheets := calculated(t, changed.Bytes())
		sound(t, sheets)
		if said := sheets["Summary"][6][0]; !strings.HasPrefix(said, "Edited") {
			t.Errorf("%s: the summary says %q", name, said)
		}
	}
}

// TestSourcesAreTold: the workbook tells of bare numbers what the report does.
func TestSourcesAreTold(t *testing.T) {
	f, r := expected(t, input.Sample())
	book, err := excelize.OpenReader(bytes.NewReader(workbook(t, f, r)))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][2]string{}
	for _, p := range append(append([]input.Provenance(nil), r.Given...), r.Assumed...) {
		told[p.Path] = [2]string{string(p.From), p.Source}
	}
	for name, path := range map[string]string{
		"in_btc_height": "bitcoin.height", "in_hall_north_machines1_count": "halls[0].fleet[0].count",
		"in_hall_north_machines1_th": "halls[0].fleet[0].hashrate", "in_hall_west_machines1_count": "halls[3].fleet[0].count",
	} {
		at := ""
		for _, n := range book.GetDefinedName() {
			if n.Name == name {
				_, at, _ = strings.Cut(n.RefersTo, "$B$")
			}
		}
		from, err1 := book.GetCellValue("Inputs", "D"+at)
		source, err2 := book.GetCellValue("Inputs", "E"+at)
		if err1 != nil || err2 != nil || told[path][1] == "" || told[path] != [2]string{from, source} {
			t.Errorf("%s is from %q, %q; the report says %q", name, from, source, told[path])
		}
	}
}
