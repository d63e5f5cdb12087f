package sector

import (
	_ "embed"
	"fmt"
	"sort"
	"strings"

	"switchyard/strictyaml"
)

//go:embed deals.yaml
var file []byte

// Source is where a published figure stands.
type Source struct {
	Publisher string `yaml:"publisher"`
	Document  string `yaml:"document"`
	Date      string `yaml:"date"` // "2024-06-04"
}

// Contract is a deal as it was published. A zero is a figure that was not told.
type Contract struct {
	Name       string  `yaml:"name"`
	Date       string  `yaml:"announced"`
	Critical   float64 `yaml:"critical_mw"`
	Gross      float64 `yaml:"gross_mw"` // of the utility
	Years      float64 `yaml:"years"`    // of the initial term
	Extensions string  `yaml:"extensions"`
	Total      float64 `yaml:"contract_usd_bn"`    // over the initial term
	First      float64 `yaml:"first_usd_kw_month"` // of the first year, where the rate itself was told
	Escalator  float64 `yaml:"escalator_pct"`
	Kind       string  `yaml:"lease"` // one of Kinds
	// Capex is the lowest and highest told, $M per MW of critical load.
	Capex   []float64 `yaml:"capex_usd_m_per_mw"`
	PUE     float64   `yaml:"pue"`
	Prepaid string    `yaml:"prepaid"`
	Backer  string    `yaml:"backer"` // who stands for the tenant
	Margin  string    `yaml:"margin"` // what the landlord expects
	Note    string    `yaml:"note"`
	Source  Source    `yaml:"source"`
	// Seen is what was read at its source or where it is quoted, Memory what was not.
	Seen   string `yaml:"seen"`
	Memory string `yaml:"memory"`
}

// Loan is a public financing of such a site.
type Loan struct {
	Name   string  `yaml:"name"`
	Date   string  `yaml:"announced"`
	Amount float64 `yaml:"amount_usd_m"`
	Rate   float64 `yaml:"rate_pct"` // a year
	ToCost float64 `yaml:"loan_to_cost_pct"`
	Years  float64 `yaml:"years"`
	Note   string  `yaml:"note"`
	Source Source  `yaml:"source"`
}

type table struct {
	AsOf      string     `yaml:"as_of"`
	Contracts []Contract `yaml:"contracts"`
	Loans     []Loan     `yaml:"loans"`
}

// Kinds are the kinds of contract, each to be compared with its like alone: who bears power and
// upkeep makes more of a rate than the market does.
func Kinds() []string { return []string{"gross", "modified", "net", "gpu cloud", "not told"} }

func read() table {
	var t table
	if _, faults := strictyaml.Decode("deals.yaml", file, &t); len(faults) > 0 {
		panic(faults) // the file is part of the program, and a test reads it
	}
	sort.SliceStable(t.Contracts, func(i, j int) bool { return t.Contracts[i].Date < t.Contracts[j].Date })
	return t
}

// AsOf is the day on which the table was last gone through: "2026-11-22".
func AsOf() string { return read().AsOf }

// Contracts returns all contracts as published, the oldest first.
func Contracts() []Contract { return read().Contracts }

// Loans returns the public financings.
func Loans() []Loan { return read().Loans }

// Rate is $/kW-month of critical load, the mean of the initial term with its escalations: the contract
// over its critical kilowatts and months. Where only the first year's rate was told, it is escalated.
// Zero means that too little was told, as where the megawatts are gross.
func (c *Contract) Rate() float64 {
	switch {
	case c.Critical > 0 && c.Years > 0 && c.Total > 0:
		return c.Total * 1e9 / (c.Critical * 1e3) / (c.Years * 12)
	case c.First > 0 && c.Years > 0:
		return Mean(c.First, c.Escalator/100, c.Years)
	}
	return 0
}

// Mean is the mean rate over so many years of one that begins at first and rises by escalator (0.03) each year.
func Mean(first, escalator, years float64) float64 {
	if years <= 0 {
		return first
	}
	sum, rate := 0.0, first
	for left := years; left > 0; left-- {
		sum += float64(rate * min(left, 1))
		rate = float64(rate * (1 + escalator))
	}
	return sum / years
}

// Deal is a contract as a report shows it. MW is critical load, zero where it was not told. Rate is
// the mean of the initial term in $/kW-month, zero where too little was told. USD is nil where no
// total was told. Kind is one of Kinds.
type Deal struct {
	Name   string
	Date   string
	MW     float64
	Years  float64
	USD    *float64
	Rate   float64
	Kind   string
	Note   string
	Source string
}

// Deals returns all contracts in the form of a report, the oldest first.
func Deals() []Deal {
	all := Contracts()
	deals := make([]Deal, len(all))
	for i := range all {
		deals[i] = all[i].deal()
	}
	return deals
}

// Of returns the deals of one kind.
func Of(kind string) []Deal {
	var of []Deal
	for _, d := range Deals() {
		if d.Kind == kind {
			of = append(of, d)
		}
	}
	return of
}

func (c *Contract) deal() Deal {
	d := Deal{
		Name: c.Name, Date: c.Date, MW: c.Critical, Years: c.Years, Rate: c.Rate(), Kind: c.Kind, Note: c.remarks(),
		Source: fmt.Sprintf("%s, %s, %s", c.Source.Publisher, c.Source.Document, c.Source.Date),
	}
	if c.Total > 0 {
		usd := c.Total * 1e9
		d.USD = &usd
	}
	return d
}

// remarks puts into words what has no column of its own.
func (c *Contract) remarks() string {
	var s []string
	add := func(told bool, format string, args ...any) {
		if told {
			s = append(s, fmt.Sprintf(format, args...))
		}
	}
	add(c.Extensions != "", "extensions: %s", c.Extensions)
	add(c.Gross > 0, "%g MW gross", c.Gross)
	add(c.Escalator > 0, "+%g %% a year", c.Escalator)
	if len(c.Capex) == 2 {
		add(c.Capex[0] == c.Capex[1], "capex %g $M/MW", c.Capex[0])
		add(c.Capex[0] != c.Capex[1], "capex %g to %g $M/MW", c.Capex[0], c.Capex[1])
	}
	add(c.PUE > 0, "PUE %g", c.PUE)
	add(c.Prepaid != "", "prepaid: %s", c.Prepaid)
	add(c.Backer != "", "backed by %s", c.Backer)
	add(c.Margin != "", "%s", c.Margin)
	add(c.Note != "", "%s", c.Note)
	add(c.Memory != "", "not verified: %s", c.Memory)
	return strings.Join(s, ". ")
}

// Place is where a deal stands among the public ones of its kind.
type Place struct {
	Deal Deal
	// Of is how many public deals of its kind have a rate, Below how many of them have a lower one. Share
	// is the part of them below, those with the same rate counted half; zero where Of is zero.
	Of, Below int
	Share     float64
	Median    float64 // their median rate; zero where Of is zero
}

// Compare places deals among the public ones of their kind. "Not told" is like nothing.
func Compare(ours ...Deal) []Place {
	places := make([]Place, len(ours))
	for i, d := range ours {
		p := Place{Deal: d}
		if rates := rates(d.Kind); len(rates) > 0 {
			same := 0
			for _, r := range rates {
				if r < d.Rate {
					p.Below++
				} else if r == d.Rate {
					same++
				}
			}
			p.Of = len(rates)
			p.Share = (float64(p.Below) + float64(same)/2) / float64(p.Of)
			p.Median = (rates[(p.Of-1)/2] + rates[p.Of/2]) / 2
		}
		places[i] = p
	}
	return places
}

// rates are those of the public deals of a kind, ascending.
func rates(kind string) []float64 {
	if kind == "not told" {
		return nil
	}
	var all []float64
	for _, d := range Of(kind) {
		if d.Rate > 0 {
			all = append(all, d.Rate)
		}
	}
	sort.Float64s(all)
	return all
}
