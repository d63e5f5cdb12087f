package energyreport

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchyard/site"
	"switchyard/unit"
)

// kWh prints an energy in kWh to the watt-hour.
func kWh(e unit.Energy) string { return strconv.FormatFloat(float64(e)/1e6, 'f', 3, 64) }

func kW(p unit.Power) string { return strconv.FormatFloat(float64(p)/1e6, 'f', 1, 64) }

func tonnes(kg float64) string { return strconv.FormatFloat(kg/1000, 'f', 3, 64) }

// Text prints the report for people.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Energy of %s, %s (%s): %d of %d intervals\n\n", r.Site, r.Month, r.Zone, r.Intervals, r.Expected)
	rows := [][]string{{"use", "kWh", "share", "billed kWh", "t CO2e", "not measured"}}
	for _, u := range r.Uses {
		row := []string{u.title(), kWh(u.Energy), share(u.Energy, r.Energy), "", "", ""}
		if u.Kind == "tenant" {
			row[3] = kWh(u.Billed)
			if u.Carbon.OK {
				row[4] = tonnes(u.Carbon.V)
			}
			row[5] = u.unmeasured()
		}
		rows = append(rows, row)
	}
	rows = append(rows, nil, []string{"revenue meter", kWh(r.Energy), share(r.Energy, r.Energy), "", "", ""})
	align(&b, rows)
	b.WriteString("\n")
	line := func(name string, known bool, format string, args ...any) {
		if known {
			fmt.Fprintf(&b, "%-22s %s\n", name, fmt.Sprintf(format, args...))
		}
	}
	line("PUE", r.PUE.OK, "%.3f", r.PUE.V)
	line("Peak", r.Peak.OK, "%s kW, the quarter of an hour from %s", kW(r.Peak.V), r.local(r.PeakAt))
	line("Load factor", r.LoadFactor.OK, "%.1f %%", 100*r.LoadFactor.V)
	line("Carbon by place", r.Location.OK, "%s t CO2e, by the hourly factors of %s", tonnes(r.Location.V), r.FactorSource)
	line("Carbon by contract", r.Market.OK, "%s t CO2e", tonnes(r.Market.V))
	b.WriteString("\nWhat the survey of miners asks for (EIA-862)\n")
	for _, f := range r.survey() {
		line("  "+f[0], f[1] != "", "%s", f[1])
	}
	list(&b, "Missing", r.Missing)
	list(&b, "Note", r.Notes)
	return b.String()
}

func list(b *strings.Builder, what string, lines []string) {
	if len(lines) > 0 {
		b.WriteString("\n")
	}
	for _, l := range lines {
		fmt.Fprintf(b, "%s: %s\n", what, l)
	}
}

func (r Report) local(t time.Time) string {
	zone, err := time.LoadLocation(r.Zone)
	if err != nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04")
}

func (u Use) title() string {
	if u.Kind == "tenant" {
		return "tenant " + u.Name
	}
	return u.Kind
}

func (u Use) unmeasured() string {
	var parts []string
	if u.Estimated > 0 {
		parts = append(parts, fmt.Sprintf("%d estimated", u.Estimated))
	}
	if u.Missing > 0 {
		parts = append(parts, fmt.Sprintf("%d missing", u.Missing))
	}
	return strings.Join(parts, ", ")
}

func share(e, of unit.Energy) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f %%", 100*float64(e)/float64(of))
}

// survey lists the survey's fields by name; an empty value is not known.
func (r Report) survey() [][2]string {
	s, f := r.Survey, r.Survey.Facility
	out := [][2]string{
		{"company", f.Company},
		{"contact", f.Contact},
		{"facility", f.Name},
		{"address", f.Address},
		{"county", f.County},
		{"state", f.State},
		{"country", f.Country},
		{"supplier", f.Supplier},
		{"balancing authority", f.Balance},
	}
	known := func(name string, ok bool, value string) {
		if !ok {
			value = ""
		}
		out = append(out, [2]string{name, value})
	}
	known("mining kWh", s.MiningLoad.OK, kWh(s.MiningLoad.V))
	known("mean load kW", s.Load.OK, kW(s.Load.V))
	known("capacity kW", s.Capacity > 0, kW(s.Capacity))
	known("miners", s.Units > 0, strconv.Itoa(s.Units))
	known("hashrate PH/s", s.Hashrate.OK, strconv.FormatFloat(s.Hashrate.V.PH(), 'f', 3, 64))
	known("equipment age years", s.Age.OK, strconv.FormatFloat(s.Age.V, 'f', 2, 64))
	return out
}

// align writes a table: the first column to the left, the others to the right. A nil row is a rule.
func align(b *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, w := range width {
			cell := strings.Repeat("-", w)
			if row != nil {
				cell = row[i]
			}
			pad := strings.Repeat(" ", w-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  " + pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// view is the report as JSON. What is not known is not there.
type view struct {
	Site       string        `json:"site"`
	Month      string        `json:"month"`
	Timezone   string        `json:"timezone"`
	From       time.Time     `json:"from"`
	To         time.Time     `json:"to"`
	Intervals  int           `json:"intervals"`
	Expected   int           `json:"expected_intervals"`
	Energy     float64       `json:"energy_kwh"`
	Uses       []useView     `json:"uses"`
	PUE        *float64      `json:"pue,omitempty"`
	Peak       *float64      `json:"peak_kw,omitempty"`
	PeakAt     *time.Time    `json:"peak_at,omitempty"`
	LoadFactor *float64      `json:"load_factor,omitempty"`
	Location   *float64      `json:"carbon_location_kg,omitempty"`
	Market     *float64      `json:"carbon_market_kg,omitempty"`
	Contracts  []contractRow `json:"contracts,omitempty"`
	Survey     surveyView    `json:"survey"`
	Missing    []string      `json:"missing"`
	Notes      []string      `json:"notes"`
}

type useView struct {
	Kind      string   `json:"kind"`
	Tenant    string   `json:"tenant,omitempty"`
	Energy    float64  `json:"kwh"`
	Billed    *float64 `json:"billed_kwh,omitempty"`
	Carbon    *float64 `json:"carbon_location_kg,omitempty"`
	Estimated int      `json:"estimated_intervals,omitempty"`
	Missing   int      `json:"missing_intervals,omitempty"`
}

type contractRow struct {
	Name  string  `json:"name"`
	Kind  string  `json:"kind"`
	MWh   float64 `json:"mwh,omitempty"`
	KgMWh float64 `json:"kg_per_mwh"`
}

type surveyView struct {
	Company    string   `json:"company,omitempty"`
	Contact    string   `json:"contact,omitempty"`
	Facility   string   `json:"facility,omitempty"`
	Address    string   `json:"address,omitempty"`
	County     string   `json:"county,omitempty"`
	State      string   `json:"state,omitempty"`
	Country    string   `json:"country,omitempty"`
	Supplier   string   `json:"supplier,omitempty"`
	Balance    string   `json:"balancing_authority,omitempty"`
	Energy     *float64 `json:"mining_kwh,omitempty"`
	Load       *float64 `json:"mean_load_kw,omitempty"`
	CapacityKW *float64 `json:"capacity_kw,omitempty"`
	Units      *int     `json:"miners,omitempty"`
	Hashrate   *float64 `json:"hashrate_ph,omitempty"`
	Age        *float64 `json:"equipment_age_years,omitempty"`
}

func pointer[T any](o site.Opt[T]) *T {
	if !o.OK {
		return nil
	}
	return &o.V
}

func scaled[T ~int64 | ~float64](o site.Opt[T], by float64) *float64 {
	if !o.OK {
		return nil
	}
	v := float64(o.V) / by
	return &v
}

// MarshalJSON writes the report with plain numbers, their unit in the key.
func (r Report) MarshalJSON() ([]byte, error) {
	s, f := r.Survey, r.Survey.Facility
	v := view{
		Site: r.Site, Month: r.Month, Timezone: r.Zone, From: r.From, To: r.To, Intervals: r.Intervals, Expected: r.Expected,
		Energy: float64(r.Energy) / 1e6, PUE: pointer(r.PUE), Peak: scaled(r.Peak, 1e6), LoadFactor: pointer(r.LoadFactor),
		Location: pointer(r.Location), Market: pointer(r.Market), Missing: append([]string{}, r.Missing...), Notes: append([]string{}, r.Notes...),
		Survey: surveyView{
			Company: f.Company, Contact: f.Contact, Facility: f.Name, Address: f.Address, County: f.County, State: f.State, Country: f.Country,
			Supplier: f.Supplier, Balance: f.Balance, Energy: scaled(s.MiningLoad, 1e6), Load: scaled(s.Load, 1e6),
			CapacityKW: scaled(site.Opt[unit.Power]{V: s.Capacity, OK: s.Capacity > 0}, 1e6), Hashrate: scaled(s.Hashrate, 1e15), Age: pointer(s.Age),
		},
	}
	if s.Units > 0 {
		v.Survey.Units = &s.Units
	}
	if r.Peak.OK {
		v.PeakAt = &r.PeakAt
	}
	for _, c := range r.Contracts {
		v.Contracts = append(v.Contracts, contractRow(c))
	}
	for _, u := range r.Uses {
		x := useView{Kind: u.Kind, Tenant: u.Name, Energy: float64(u.Energy) / 1e6, Carbon: pointer(u.Carbon), Estimated: u.Estimated, Missing: u.Missing}
		if u.Kind == "tenant" {
			x.Billed = scaled(site.Some(u.Billed), 1e6)
		}
		v.Uses = append(v.Uses, x)
	}
	return json.Marshal(v)
}

// CSV writes the report as rows of item, name, value and unit; what is not known has no row.
func (r Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	row := func(cells ...string) { _ = out.Write(cells) } // Error tells at the end
	row("item", "name", "value", "unit")
	for _, u := range r.Uses {
		row("energy", u.title(), kWh(u.Energy), "kWh")
		if u.Kind == "tenant" {
			row("billed", u.title(), kWh(u.Billed), "kWh")
			if u.Carbon.OK {
				row("carbon by place", u.title(), strconv.FormatFloat(u.Carbon.V, 'f', 3, 64), "kg CO2e")
			}
		}
	}
	row("energy", "revenue meter", kWh(r.Energy), "kWh")
	known := func(item string, ok bool, value, u string) {
		if ok {
			row(item, "site", value, u)
		}
	}
	known("pue", r.PUE.OK, strconv.FormatFloat(r.PUE.V, 'f', 4, 64), "")
	known("peak", r.Peak.OK, kW(r.Peak.V), "kW")
	known("load factor", r.LoadFactor.OK, strconv.FormatFloat(r.LoadFactor.V, 'f', 4, 64), "")
	known("carbon by place", r.Location.OK, strconv.FormatFloat(r.Location.V, 'f', 3, 64), "kg CO2e")
	known("carbon by contract", r.Market.OK, strconv.FormatFloat(r.Market.V, 'f', 3, 64), "kg CO2e")
	for _, f := range r.survey() {
		if f[1] != "" {
			row("survey", f[0], f[1], "")
		}
	}
	for _, m := range r.Missing {
		row("missing", m, "", "")
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write energy report: %w", err)
	}
	return nil
}
