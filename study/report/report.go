// Package report owns what a study says: the types of its report, as people's pages and machines' JSON have them.
//
// It never computes a figure.
//
// Concurrency: it is data; who holds a report may read it from many places at once.
package report

import (
	"switchyard/study/input"
)

// Dist is a figure over all paths.
type Dist struct {
	Mean  float64 `json:"mean"`
	P10   float64 `json:"p10"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	Error float64 `json:"standard_error"` // of Mean
}

// Report is all that a study says. Dollars are nominal unless a name says present value (npv).
type Report struct {
	Study   string `json:"study"`
	Note    string `json:"note,omitempty"`
	Site    string `json:"site"`
	Version string `json:"version"`
	File    string `json:"file"`
	Hash    string `json:"sha256"` // of the study file and what it reads
	Start   string `json:"start"`  // "2027-01"
	Months  int    `json:"months"`
	Seed    uint64 `json:"seed"`
	Paths   int    `json:"paths"` // zero: the deterministic case alone

	DiscountPct float64 `json:"discount_pct"`
	EquityPct   float64 `json:"equity_discount_pct"`
	UtilityMW   float64 `json:"utility_mw"`

	Given    []input.Provenance `json:"given"`
	Assumed  []input.Provenance `json:"assumed"`
	Findings []Finding          `json:"findings"`

	// Options has each option of each hall, at the start that the expected case found best; what is chosen at the
	// start that is, where limits moved it.
	Options   []Option   `json:"options"`
	Best      []Choice   `json:"best"` // by hall, together under the site's limits
	Portfolio Portfolio  `json:"portfolio"`
	Flexible  []Flexible `json:"flexible"`
	Tornado   []Bar      `json:"tornado"`
	Scenarios []Scenario `json:"scenarios"`
	Regret    Regret     `json:"regret"`
	World     World      `json:"world"`
	Sector    Sector     `json:"sector"`
	Energy    []Energy   `json:"energy"`
}

// Finding is something that a reader must not miss.
type Finding struct {
	Hall   string `json:"hall,omitempty"`
	Option string `json:"option,omitempty"`
	Kind   string `json:"kind"` // "cash", "covenant", "irr", "loan", "tax", "input", "limit", "choice", "exit"
	Month  string `json:"month,omitempty"`
	Text   string `json:"text"`
	// Top says that the answer itself hangs on it: such findings stand first.
	Top bool `json:"top,omitempty"`
}

// Rate is an internal rate of return, in per cent a year; with nil, None says why.
type Rate struct {
	Pct  *float64 `json:"pct"`
	None string   `json:"none,omitempty"`
}

// Option is one future of one hall.
type Option struct {
	Hall  string `json:"hall"`
	Name  string `json:"name"`
	Kind  string `json:"kind"` // "mine", "host", "cloud", "sell", "greenfield"
	With  string `json:"with,omitempty"`
	Title string `json:"title"` // for people: "Host for Fluidstack from 2027-07"
	// Start is the month of the decision; Operates that of the first rent, empty without one.
	Start    string `json:"start"`
	Operates string `json:"operates,omitempty"`

	// NPV is of the hall's whole future under the option, after tax, before financing: mining
	// until it begins included. Over is what it is worth over mining on. Expected is the
	// expected case's NPV, which is not the mean.
	NPV      Dist    `json:"npv_usd"`
	Over     Dist    `json:"npv_over_mining_usd"`
	Expected float64 `json:"npv_expected_usd"`
	Owners   float64 `json:"npv_equity_usd"` // expected case, at the owners' rate
	// ExitNPV is how much of Expected is value at the end of the study (exit_multiple), after tax.
	ExitNPV float64 `json:"npv_exit_usd"`
	// BeatsMining is the share of paths in which it is worth more than mining on; Loses that in
	// which its NPV is below zero.
	BeatsMining float64 `json:"beats_mining"`
	Loses       float64 `json:"loses"`

	// Of the project that the option builds, in the expected case; SpreadIRR over the paths where there is one.
	ProjectIRR Rate     `json:"-"`
	EquityIRR  Rate     `json:"-"`
	IRR        *float64 `json:"project_irr"` // a year: 0.12; null: it does not exist, and NoIRR says why
	IRROwners  *float64 `json:"equity_irr"`
	NoIRR      string   `json:"no_irr,omitempty"`
	Payback    *int     `json:"payback_months"`
	// DSCR is CFADS over debt service, both of twelve months, and before tax, as loans are sized and covenants tested;
	// after tax it is CFADS less the tax paid over the same service.
	MinDSCR    *float64 `json:"min_dscr"`
	MeanDSCR   *float64 `json:"mean_dscr"`
	TaxedDSCR  *float64 `json:"min_dscr_after_tax"`
	TaxedMean  *float64 `json:"mean_dscr_after_tax"`
	LLCR       *float64 `json:"llcr"`
	PathDSCR   *Dist    `json:"min_dscr_paths,omitempty"`  // the lowest DSCR before tax of each path; 0 where what it was lent for never operates
	Breach     *float64 `json:"covenant_breach,omitempty"` // share of paths below the covenant
	Debt       float64  `json:"debt_usd"`
	DebtWhy    string   `json:"debt_bound_by,omitempty"`
	PeakEquity float64  `json:"peak_equity_usd"`
	Capex      float64  `json:"capex_usd"`
	MW         float64  `json:"critical_mw"`

	// Breakevens say what would have to be true, all else as expected: of power, rent and hashprice, against nothing, the
	// hall's best alternative, and mining on.
	Breakevens []Breakeven `json:"breakevens"`
	// Of them the nearest at which the option is worth just as much as mining on (for "mine": as nothing); null where
	// no such figure exists in reach. Whether it is a most or a least, and whether there are others, is in Breakevens.
	BreakevenPower     *float64 `json:"breakeven_usd_mwh"`
	BreakevenRent      *float64 `json:"breakeven_usd_kw_month"`
	BreakevenHashprice *float64 `json:"breakeven_usd_ph_day"` // of Start, all months moved alike

	Years  []Year   `json:"years"`  // the expected case
	Timing []Timing `json:"timing"` // NPV by the month of the decision
	Fan    []Fan    `json:"fan"`    // of the year's net cash before financing, after tax
}

// Breakeven is where an option is worth just as much as what it is held against, as one figure of the world moves in all
// months alike, from a tenth to ten times what is expected.
type Breakeven struct {
	// Of is "power" (the study's mean price, all in), "rent" (of all leases, or of all GPUs, for a kW and month) or
	// "hashprice" (of Start); Unit is $/MWh, $/kW-month or $/PH/day.
	Of   string `json:"of"`
	Unit string `json:"unit"`
	// Against is "nothing" (an NPV of zero), "best_alternative" (the best of what else the hall may do at each figure,
	// mining on among it) or "mining".
	Against     string  `json:"against"`
	Alternative string  `json:"alternative,omitempty"` // the best other option in the expected case
	Now         float64 `json:"now"`                   // as expected
	From        float64 `json:"from"`                  // what was searched
	To          float64 `json:"to"`
	Roots       []Root  `json:"roots"` // ascending; empty: none in what was searched
	Ahead       bool    `json:"ahead"` // worth more at From
	Text        string  `json:"text"`  // "at least 95.43 $/kW-month"
}

// Root is a figure at which an option breaks even: worth more above it (at least), or below it (at most).
type Root struct {
	At      float64 `json:"at"`
	AtLeast bool    `json:"at_least"`
}

// Year is a year of the study in the expected case; the first begins at Start.
type Year struct {
	Year  int                `json:"year"`  // 1 is the first
	Label string             `json:"label"` // "2027" or "2027/28"
	Lines map[string]float64 `json:"lines"` // by flow.Line's key; without zeros
	Rows  map[string]float64 `json:"rows"`  // by finance.Row's key: flows summed, balances at the end
	MWh   float64            `json:"mwh"`
}

// Timing is one month in which an option may begin.
type Timing struct {
	Month string  `json:"month"`
	NPV   float64 `json:"npv_usd"`
}

// Fan is the spread of a year's figure over the paths.
type Fan struct {
	Label string  `json:"label"`
	P10   float64 `json:"p10"`
	P25   float64 `json:"p25"`
	P50   float64 `json:"p50"`
	P75   float64 `json:"p75"`
	P90   float64 `json:"p90"`
}

// Choice is what one hall should do, given the others and the limits.
type Choice struct {
	Hall   string  `json:"hall"`
	Option string  `json:"option"`
	Title  string  `json:"title"`
	Start  string  `json:"start"`
	NPV    Dist    `json:"npv_usd"`
	Alone  string  `json:"alone,omitempty"` // what it would do without the others, where that differs
	Over   float64 `json:"npv_over_mining_usd"`
	// Instead names the best of what else the hall could do by itself, mining on among it; OverInstead is what the choice
	// is worth over that, null where there is nothing else.
	Instead     string   `json:"best_alternative,omitempty"`
	OverInstead *float64 `json:"npv_over_alternative_usd"`
}

// Portfolio is the best choices together. Its rates, equity, debt and capex are of what is built.
type Portfolio struct {
	NPV      Dist    `json:"npv_usd"`
	Expected float64 `json:"npv_expected_usd"`
	ExitNPV  float64 `json:"npv_exit_usd"` // of Expected: value at the end of the study, after tax
	MiningOn Dist    `json:"npv_mining_on_usd"`
	// Alternative is the best of the other ways to decide that Regret compares, within the limits: "sell in 4 halls".
	// OverAlternative is what the choices are worth over it, in the mean; null where there is none.
	Alternative     string   `json:"best_alternative,omitempty"`
	OverAlternative *float64 `json:"npv_over_alternative_usd"`
	EquityIRR       Rate     `json:"equity_irr"`
	ProjectIRR      Rate     `json:"project_irr"`
	PeakEquity      float64  `json:"peak_equity_usd"`
	Debt            float64  `json:"debt_usd"`
	Capex           float64  `json:"capex_usd"`
	// DSCR of the site: its CFADS, its own costs off, over the service of all its loans, of twelve months once there are
	// so many, before and after tax. Months and Years have the same by month and at each year's end.
	MinDSCR    *float64 `json:"min_dscr"`
	MeanDSCR   *float64 `json:"mean_dscr"`
	TaxedDSCR  *float64 `json:"min_dscr_after_tax"`
	TaxedMean  *float64 `json:"mean_dscr_after_tax"`
	Bound      []string `json:"bound_by"` // the limits that bind: "crew of 25 MW from 2027-06"
	Considered int      `json:"combinations"`
	Years      []Year   `json:"years"`
	Months     Monthly  `json:"months"`
	Fan        []Fan    `json:"fan"`
	Histogram  []Bin    `json:"npv_histogram"`
}

// Monthly are the portfolio's months for charts.
type Monthly struct {
	Labels  []string   `json:"labels"`
	Debt    []float64  `json:"debt_usd"`
	Service []float64  `json:"service_usd"`
	CFADS   []float64  `json:"cfads_usd"`
	DSCR    []*float64 `json:"dscr"` // of the twelve months to each, before tax
	Taxed   []*float64 `json:"dscr_after_tax"`
	Cash    []float64  `json:"cash_usd"`
}

// Bin counts paths whose NPV lies from From up to the next bin's.
type Bin struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Paths int     `json:"paths"`
}

// Flexible is what a hall is worth to an owner who may wait and see: convert, sell or close when the
// world has shown itself, by least-squares Monte Carlo.
type Flexible struct {
	Hall string `json:"hall"`
	// Value is of the best policy that sees only the past; Committed that of the best plan fixed today, an
	// option with its month (Plan); Option their difference: what being able to wait and see is worth.
	Value       float64 `json:"value_usd"`
	Error       float64 `json:"standard_error_usd"`
	Committed   float64 `json:"committed_usd"`
	Plan        string  `json:"plan"`
	Option      float64 `json:"option_value_usd"`
	OptionError float64 `json:"option_error_usd"`
	// Fixed says that no policy was found that is surely worth more (by two standard errors) than the fixed plan.
	Fixed bool       `json:"fixed_plan_is_best"`
	Today string     `json:"today"` // what the policy does at Start: "wait" or an option's name
	Dates []Exercise `json:"dates"`
	Never float64    `json:"never"` // share of paths that mine to the end
}

// Exercise is one date of decision.
type Exercise struct {
	Month string             `json:"month"`
	Share map[string]float64 `json:"share"` // of all paths, by option
	// Boundary is the hashprice, $/PH/day, below which the option is taken where power costs its
	// median; nil: at none in reach. Above says that it is taken above it instead.
	Boundary *float64 `json:"boundary_usd_ph_day"`
	Above    bool     `json:"above,omitempty"`
	Option   string   `json:"option,omitempty"` // which one, at the boundary
	Median   float64  `json:"median_usd_ph_day"`
}

// Bar is one input's effect on the portfolio's expected NPV, all else as expected.
type Bar struct {
	Input   string  `json:"input"`
	Low     string  `json:"low"` // what it was set to
	High    string  `json:"high"`
	NPVLow  float64 `json:"npv_low_usd"`
	NPVHigh float64 `json:"npv_high_usd"`
	Basis   string  `json:"basis"` // "P10 and P90 of the file", "one standard deviation over the study", "10 % either way"
}

// Scenario is a world of the file, in the expected case.
type Scenario struct {
	Name      string           `json:"name"`
	Options   []ScenarioOption `json:"options"`
	Portfolio float64          `json:"portfolio_npv_usd"`
	MinDSCR   *float64         `json:"min_dscr"` // of the site, before tax
}

// ScenarioOption is an option's NPV there.
type ScenarioOption struct {
	Hall string  `json:"hall"`
	Name string  `json:"name"`
	NPV  float64 `json:"npv_usd"`
}

// Regret is, for each way to decide for the whole site and each scenario, what it falls short of the
// best that could have been done there.
type Regret struct {
	Decisions []string    `json:"decisions"`
	Scenarios []string    `json:"scenarios"`
	USD       [][]float64 `json:"usd"` // by decision, then scenario
	Worst     []float64   `json:"worst_usd"`
	Beyond    []bool      `json:"beyond_limits"` // decisions that the site's limits forbid
	Least     int         `json:"least"`         // index of the decision within the limits whose worst regret is least
}

// World is what the paths look like.
type World struct {
	Price      []Fan    `json:"bitcoin_usd"`
	Hashprice  []Fan    `json:"hashprice_usd_ph_day"`
	Power      []Fan    `json:"power_usd_mwh"`
	Difficulty []Fan    `json:"difficulty"`
	Halvings   []string `json:"halvings"`
	// Expected is the expected case's hashprice by year; beside it are its other figures.
	Expected           []float64 `json:"expected_hashprice"`
	ExpectedPrice      []float64 `json:"expected_bitcoin_usd"`
	ExpectedPower      []float64 `json:"expected_power_usd_mwh"`
	ExpectedDifficulty []float64 `json:"expected_difficulty"`
}

// Sector compares leases with public ones.
type Sector struct {
	AsOf  string `json:"as_of"`
	Deals []Deal `json:"deals"`
	Ours  []Deal `json:"ours"`
}

// Deal is a lease that was made public, or one of the study's.
type Deal struct {
	Name   string   `json:"name"`
	Date   string   `json:"date"`
	MW     float64  `json:"critical_mw"`
	Years  float64  `json:"years"`
	USD    *float64 `json:"contract_usd"`
	Rate   float64  `json:"usd_kw_month"`
	Kind   string   `json:"lease"` // "gross", "modified", "net", "gpu cloud", "not told"
	Note   string   `json:"note"`
	Source string   `json:"source"`
}

// Energy puts the site's consumption beside an estimate of somebody's.
type Energy struct {
	What    string  `json:"what"`
	Method  string  `json:"method"`
	Low     float64 `json:"low_twh"`
	High    float64 `json:"high_twh"`
	Share   float64 `json:"site_share_high"` // the site's year over Low
	SiteMWh float64 `json:"site_mwh"`
	Source  string  `json:"source"`
}
