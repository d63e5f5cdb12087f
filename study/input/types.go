package input

import (
	"switchyard/strictyaml"
	"switchyard/study/figure"
	"switchyard/unit"
)

// Short names for what a file holds.
type (
	// Ratio is a share or a rate, "8 %"; rates are per year unless they say otherwise.
	Ratio = *figure.Figure[unit.Ratio]
	// Power is of the grid connection or of critical load, as the field says.
	Power = *figure.Figure[unit.Power]
	// Money is dollars of a study.
	Money = *figure.Figure[figure.Dollars]
	// Price is $/MWh.
	Price = *figure.Figure[unit.Price]
	// Rent is $/kW-month of critical load.
	Rent = *figure.Figure[unit.CapacityRate]
	// Number has no unit.
	Number = *figure.Figure[float64]
	// Months is a stretch of time.
	Months = *figure.Figure[figure.Months]
)

// File is a study. Pointers that Load leaves nil are what the study does without; where the
// engine needs a figure that the file lacks, Load fills in an assumption and lists it.
type File struct {
	Study string       `yaml:"study"` // its name
	Note  string       `yaml:"note"`  // a sentence for the report's head
	Start figure.Month `yaml:"start"` // the first month; flows fall at the end of their month
	Years int          `yaml:"years"` // 1 to 40
	// Discount is the rate of project flows after tax, Equity that of flows to equity, a year.
	Discount Ratio `yaml:"discount"`
	Equity   Ratio `yaml:"equity_discount"`
	// Inflation raises what is given in dollars of Start: upkeep, fixed costs.
	Inflation Ratio `yaml:"inflation"`
	Paths     int   `yaml:"paths"` // of the Monte Carlo; default 10,000
	// Seed begins the random numbers; default 1.
	Seed uint64 `yaml:"seed"`

	Site        Site         `yaml:"site"`
	Halls       []Hall       `yaml:"halls"`
	Power       Tariff       `yaml:"power"`
	Bitcoin     Bitcoin      `yaml:"bitcoin"`
	Leases      []Lease      `yaml:"leases"`
	Clouds      []Cloud      `yaml:"gpu_clouds"`
	Sales       []Sale       `yaml:"sales"`
	Greenfields []Greenfield `yaml:"greenfields"`
	Financings  []Financing  `yaml:"financings"`
	Tax         Tax          `yaml:"tax"`
	Options     []Option     `yaml:"options"`
	Limits      Limits       `yaml:"limits"`
	Scenarios   []Scenario   `yaml:"scenarios"`

	// Given and Assumed are every figure with its provenance, in the file's order: what the owner
	// wrote, and what Load filled in. Warnings are what a person should look at.
	Given, Assumed []Provenance      `yaml:"-"`
	Warnings       strictyaml.Faults `yaml:"-"`
	// Curve holds the hourly prices once read: $/MWh by calendar month (January is 0), ascending.
	// With a flat price each month has the one price.
	Curve [12][]float64 `yaml:"-"`
	// Backtest is what a backtest's report says of curtailment; nil without one.
	Backtest *Backtest `yaml:"-"`
	// Name is the file's, and Hash the SHA-256 in hexadecimal of it and of all that it reads.
	Name, Hash string `yaml:"-"`
}

// Provenance is one figure and where it comes from.
type Provenance struct {
	Path   string        `json:"path"`  // "halls[0].capex"
	Value  string        `json:"value"` // as a person writes it
	From   figure.Origin `json:"from"`
	Source string        `json:"source"`
	Line   int           `json:"line,omitempty"` // in the file; zero: filled in
}

// Backtest is what a study takes from a backtest's report.
type Backtest struct {
	File, Policy string
	From, To     string // days
	// Capture is the share of perfect foresight's gain over running always that the policy made.
	Capture float64
	// Income is what programmes and reserves paid, $ per MW of mining and year; may be zero.
	Income float64
}

// Site is the grid connection and what all halls share.
type Site struct {
	// From and Source are those of the figures below that have none of their own; so wherever they stand.
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	Name   string        `yaml:"name"`
	// Utility is the connection's power; Ramp brings it by and by (empty: all from Start).
	Utility Power      `yaml:"utility"`
	Ramp    []RampStep `yaml:"ramp"`
	// PUE is utility power over critical load in AI halls; PUEByMonth, twelve figures from
	// January, replaces it. MiningPUE is the same for mining halls; default 1.03.
	PUE        Number    `yaml:"pue"`
	PUEByMonth []float64 `yaml:"pue_by_month"`
	MiningPUE  Number    `yaml:"mining_pue"`
	// Status of the interconnection: "energised", "approved" or "queued". Approved and queued power
	// comes at Energised, with Chance (default 100 %); all of it is lost otherwise.
	Status    string       `yaml:"status"`
	Energised figure.Month `yaml:"energised"`
	Chance    Ratio        `yaml:"chance"`
	// Fixed is what the site costs a year while a hall is left, in dollars of Start.
	Fixed Money `yaml:"fixed_costs"`
	// WindDown is for how long it costs that after the month in which the last hall was sold or closed;
	// default three months.
	WindDown Months `yaml:"wind_down"`
}

// RampStep is utility power from a month on.
type RampStep struct {
	From  figure.Month `yaml:"from"`
	Power unit.Power   `yaml:"power"`
}

// Hall is a part of the site that is decided on as one.
type Hall struct {
	ID     string        `yaml:"id"`
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	// Power is utility power for the hall, cooling included; Critical the AI load that it carries
	// once converted, default Power over PUE; nil where it is not convertible.
	Power    Power `yaml:"power"`
	Critical Power `yaml:"critical"`
	// Convertible says that it can be made an AI hall.
	Convertible bool `yaml:"convertible"`
	// Capex of a conversion per MW of critical load; Build is how long it takes; both before the
	// fit-out that a tenant brings.
	Capex *figure.Spread[figure.PerMW]  `yaml:"capex"`
	Build *figure.Spread[figure.Months] `yaml:"build"`
	// Fleet is what mines there now; Idle hall: empty.
	Fleet []Machines `yaml:"fleet"`
	// Upkeep of mining per kW and month of hall power: staff, repair, in dollars of Start.
	Upkeep Rent `yaml:"mining_upkeep"`
}

// Machines are miners of one model.
type Machines struct {
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	Model  string        `yaml:"model"` // a model of the table gives hashrate and power
	Count  int           `yaml:"count"`
	Hash   unit.Hashrate `yaml:"hashrate"` // of one, at its full power
	Power  unit.Power    `yaml:"power"`    // of one, at the wall
	// Curve lists lower modes of one machine, the weakest first; the full one is not among them.
	Curve  []Mode                       `yaml:"curve"`
	Uptime Ratio                        `yaml:"uptime"` // default 96 %
	Fee    Ratio                        `yaml:"pool_fee"`
	Resale *figure.Figure[figure.PerTH] `yaml:"resale"`       // today
	Decay  Ratio                        `yaml:"resale_decay"` // a year, continuously; default 35 %
	// Renew replaces them every so many months by machines of NewEfficiency at NewPrice, in the
	// same power; nil: never. Prices and efficiency fall by the network's improvement.
	Renew *Renewal `yaml:"renew"`
}

// Mode is a setting of one machine.
type Mode struct {
	Hash  unit.Hashrate `yaml:"hashrate"`
	Power unit.Power    `yaml:"power"`
}

// Renewal is how a fleet is kept young.
type Renewal struct {
	Every      figure.Months                   `yaml:"every"`
	Efficiency *figure.Figure[unit.Efficiency] `yaml:"efficiency"` // of a machine bought at Start
	Price      *figure.Figure[figure.PerTH]    `yaml:"price"`      // of a machine bought at Start
}

// Tariff is what power costs.
type Tariff struct {
	// Prices is a CSV of hourly prices beside the study file, or Flat one price; with neither an
	// assumption is used and said.
	Prices string        `yaml:"prices"`
	Column string        `yaml:"prices_column"` // of the price; default: as a backtest finds it
	Origin figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	Flat   Price         `yaml:"flat"`
	// Growth of the hourly prices a year; Adder is wires, losses and retail per MWh, grown with it.
	Growth Ratio `yaml:"growth"`
	Adder  Price `yaml:"adder"`
	// Demand is $/kW-month of each hall's full draw; Coincident $/kW-year of the draw in the
	// coincident peaks, of which mining avoids Avoided.
	Demand     Rent    `yaml:"demand"`
	Coincident Money   `yaml:"coincident"` // per kW and year
	Avoided    Ratio   `yaml:"coincident_avoided"`
	Blocks     []Block `yaml:"blocks"`
	// Backtest is a backtest's report (JSON) beside the study file, from which the share of
	// perfect curtailment that mining achieves and programme income are taken; or Capture and
	// Programmes ($/kW-month of mining power) say so.
	Backtest   string `yaml:"backtest"`
	Policy     string `yaml:"backtest_policy"` // default switchyard
	Capture    Ratio  `yaml:"capture"`
	Programmes Rent   `yaml:"programmes"`
	// Volatility of the monthly price level's logarithm a year (log-Ornstein-Uhlenbeck), HalfLife
	// of its way back to the mean, SpikeChance of a spike month, SpikeHours of its hours, SpikePrice
	// their mean added price (exponential).
	Volatility  Ratio  `yaml:"volatility"`
	HalfLife    Months `yaml:"half_life"`
	SpikeChance Ratio  `yaml:"spike_chance"` // a month
	SpikeHours  Number `yaml:"spike_hours"`  // a spike month
	SpikePrice  Price  `yaml:"spike_price"`
}

// Block is power at a fixed price: what is not drawn is sold at the hourly price.
type Block struct {
	Power Power        `yaml:"power"`
	Price Price        `yaml:"price"`
	From  figure.Month `yaml:"from"`  // default Start
	Until figure.Month `yaml:"until"` // the first month without it; default for ever
	// Resale false: what is not drawn is lost (take or pay). Default true.
	Resale *bool `yaml:"resale"`
}

// Bitcoin is the coin and its network.
type Bitcoin struct {
	From       figure.Origin                 `yaml:"from"`
	Source     string                        `yaml:"source"`
	Price      Money                         `yaml:"price"`      // at Start
	Difficulty Number                        `yaml:"difficulty"` // at Start; or
	Network    *figure.Figure[unit.Hashrate] `yaml:"network"`
	Height     int64                         `yaml:"height"` // of the block at Start, from which halvings follow
	Fees       Number                        `yaml:"fees"`   // BTC a block
	// Drift of the price a year and Volatility of its logarithm. Forward gives the expected price
	// by month instead of Drift; between its points it is interpolated by the logarithm.
	Drift      Ratio          `yaml:"drift"`
	Volatility Ratio          `yaml:"volatility"`
	Forward    []ForwardPoint `yaml:"forward"`
	// Response is how strongly the network grows a month when hashprice stands above its long-run
	// level (elasticity of hashrate to hashprice); Improvement is how fast machines improve a year,
	// by which that level falls; Noise is the volatility of hashrate a year.
	Response    Number `yaml:"response"`
	Improvement Ratio  `yaml:"improvement"`
	Noise       Ratio  `yaml:"noise"`
	// The network's fleet switches off below its breakeven: Floor is its power price, Efficiency
	// that of its least efficient machines at Start (improving).
	Floor      Price                           `yaml:"floor_power"`
	Efficiency *figure.Figure[unit.Efficiency] `yaml:"floor_efficiency"`
	// Resale is by how much the price of used machines follows hashprice: at x times the hashprice that is expected for the
	// month they fetch x^Resale times what their own resale and decay say; default 1.
	Resale Number `yaml:"resale_elasticity"`
	// PowerCorrelation couples the price of bitcoin with that of power; -1 to 1.
	PowerCorrelation Number `yaml:"power_correlation"`
}

// ForwardPoint is an expected price.
type ForwardPoint struct {
	Month figure.Month   `yaml:"month"`
	Price figure.Dollars `yaml:"price"`
}

// Lease is what a hosting tenant would sign.
type Lease struct {
	ID     string        `yaml:"id"`
	Tenant string        `yaml:"tenant"`
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	// Kind says who bears what: "gross" (all the landlord's), "modified" (the tenant pays power), "net"
	// (the tenant pays power, upkeep, property tax and insurance).
	Kind      string `yaml:"kind"`
	Rate      Rent   `yaml:"rate"` // of critical load
	Escalator Ratio  `yaml:"escalator"`
	Term      Months `yaml:"term"` // from commencement
	// Options are extensions, each with its chance at the then rate; without one the hall is re-let.
	Extensions []Extension `yaml:"extensions"`
	// Ramp is the share of the critical load that pays in the first, second … month; then all.
	Ramp []unit.Ratio `yaml:"ramp"`
	// Prepaid so many months' rent at commencement, credited against at most CreditCap of each
	// month's rent until used up.
	Prepaid   Months `yaml:"prepaid"`
	CreditCap Ratio  `yaml:"credit_cap"` // default 50 %
	// TenantCapex is the share of the conversion that the tenant pays as it is built, credited
	// under the same cap; Interest is on what is not yet credited.
	TenantCapex Ratio `yaml:"tenant_capex"`
	Interest    Ratio `yaml:"tenant_capex_interest"`
	// Upkeep per kW-month of critical load, Property tax and insurance a year of capex, in dollars
	// of Start; the landlord's unless Kind is net.
	Upkeep   Rent  `yaml:"upkeep"`
	Property Ratio `yaml:"property_tax_insurance"`
	SLA      Ratio `yaml:"sla_cost"`    // of rent
	Load     Ratio `yaml:"load_factor"` // of the critical load drawn, for power; default 80 %
	// Default is the tenant's chance to fail in the first, second … year of the term; the last holds on.
	// Then, as after the term, the hall is empty for Relet, fitted out for ReletCapex per MW of critical load, in dollars of
	// Start, and let again at ReletRate of the then rate for ReletTerm; and so once more.
	Default    []unit.Ratio                 `yaml:"default"`
	Relet      Months                       `yaml:"relet"`
	ReletRate  Ratio                        `yaml:"relet_rate"`  // default 80 %
	ReletTerm  Months                       `yaml:"relet_term"`  // default ten years
	ReletCapex *figure.Figure[figure.PerMW] `yaml:"relet_capex"` // default 1 $M/MW
	// Warrants given to the tenant or its backer: their value, a cost to the owners at signing.
	Warrants Money `yaml:"warrants"`
	// Exit is what the hall is sold for at the study's end, as a multiple of the last 12 months' EBITDA; nil: nothing.
	Exit Number `yaml:"exit_multiple"`
}

// Extension is an option of the tenant to stay.
type Extension struct {
	Term   figure.Months `yaml:"term"`
	Chance unit.Ratio    `yaml:"chance"`
}

// Cloud is GPUs of our own for rent.
type Cloud struct {
	ID       string                            `yaml:"id"`
	From     figure.Origin                     `yaml:"from"`
	Source   string                            `yaml:"source"`
	Model    string                            `yaml:"gpu"`
	PerGPU   Power                             `yaml:"power_per_gpu"` // critical, with its share of server and network
	Capex    *figure.Figure[figure.PerGPU]     `yaml:"capex"`
	Rate     *figure.Figure[figure.PerGPUHour] `yaml:"rate"`        // at Start
	Decay    Ratio                             `yaml:"price_decay"` // a year, of Rate and of Capex of later purchases
	Use      Ratio                             `yaml:"utilisation"` // of all hours
	Opex     Ratio                             `yaml:"opex"`        // of revenue: staff, software, sales
	Life     Months                            `yaml:"life"`        // then renewed or ended
	Renew    bool                              `yaml:"renew"`
	Salvage  Ratio                             `yaml:"salvage"` // of capex at the end of Life
	Load     Ratio                             `yaml:"load_factor"`
	Upkeep   Rent                              `yaml:"upkeep"`
	Property Ratio                             `yaml:"property_tax_insurance"`
	// GPUs at most, whatever the hall would carry; zero: as many as it carries.
	GPUs int `yaml:"gpus"`
	// Prepaid is the share of GPU capex that the customer pays at commencement, credited as a lease's.
	Prepaid    Ratio  `yaml:"prepaid"`
	CreditCap  Ratio  `yaml:"credit_cap"`       // default 50 %
	Volatility Ratio  `yaml:"price_volatility"` // of Rate a year, about its decay
	Exit       Number `yaml:"exit_multiple"`    // as a lease's
}

// Sale is the way out: of the hall with its power, or of its power alone.
type Sale struct {
	ID     string        `yaml:"id"`
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	// Of is "site" (the hall's share: land, shell, connection) or "power" (the fixed-price blocks
	// are resold in the market, machines sold, the shell kept).
	Of    string                       `yaml:"of"`
	Price *figure.Spread[figure.PerMW] `yaml:"price"` // of utility power, for "site"
	Costs Ratio                        `yaml:"costs"`
	// After is how long it takes until it is paid; the hall mines until then.
	After Months `yaml:"closing"`
}

// Greenfield is the same business built from nothing elsewhere, while the hall mines on.
type Greenfield struct {
	ID       string                        `yaml:"id"`
	From     figure.Origin                 `yaml:"from"`
	Source   string                        `yaml:"source"`
	Critical Power                         `yaml:"critical"`
	Capex    *figure.Spread[figure.PerMW]  `yaml:"capex"`
	Build    *figure.Spread[figure.Months] `yaml:"build"` // with the queue for power
	Land     Money                         `yaml:"land"`
	Lease    string                        `yaml:"lease"`
	PUE      Number                        `yaml:"pue"`
	Exit     Number                        `yaml:"exit_multiple"` // as a lease's; default the lease's
}

// Financing is how a project is paid for.
type Financing struct {
	ID     string        `yaml:"id"`
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	// LoanToCost of capex, interest and fees during construction. Draw is the share of capex by
	// tenth of the construction time, ten figures that sum to one; default an S.
	LoanToCost Ratio     `yaml:"loan_to_cost"`
	Draw       []float64 `yaml:"draw"`
	Rate       Ratio     `yaml:"rate"`              // of the term loan
	BuildRate  Ratio     `yaml:"construction_rate"` // default Rate
	Upfront    Ratio     `yaml:"upfront_fee"`       // of the commitment
	Commitment Ratio     `yaml:"commitment_fee"`    // a year, of what is not drawn
	// Repay is "sculpted" (service is CFADS over DSCR) or "level"; DSCR is the target, Covenant the
	// ratio below which the lender may act.
	Repay    string `yaml:"repay"`
	DSCR     Number `yaml:"dscr"`
	Covenant Number `yaml:"covenant"`
	Tenor    Months `yaml:"tenor"` // from commencement
	DSRA     Months `yaml:"dsra"`  // of the next debt service, held in cash
	Sweep    Ratio  `yaml:"sweep"` // of cash after service, to early repayment
	Notes    *Notes `yaml:"notes"`
}

// Notes are convertible: of the owners, junior to the loan.
type Notes struct {
	From    figure.Origin `yaml:"from"`
	Source  string        `yaml:"source"`
	Amount  Money         `yaml:"amount"`
	Coupon  Ratio         `yaml:"coupon"`
	InKind  bool          `yaml:"paid_in_kind"`
	Term    Months        `yaml:"term"`
	Convert Money         `yaml:"conversion_price"` // of a share
	// Share is the expected price of a share at maturity: above Convert the notes are converted, and
	// their owners get shares worth more than the debt.
	Share Money `yaml:"share_price"`
}

// Tax is what the state takes.
type Tax struct {
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	Rate   Ratio         `yaml:"rate"` // of profit, all levels together
	// Building, Machines: "macrs-5", "macrs-7", "macrs-15", "macrs-20", or "line-39" for years; what
	// tax law lets us write off. Books are straight-line over BookBuilding and BookMachines.
	Building     string `yaml:"building"`
	Machines     string `yaml:"machines"`
	BookBuilding Months `yaml:"book_building"`
	BookMachines Months `yaml:"book_machines"`
	// LossLimit is the share of a year's profit that losses of earlier years may cover; default 80 %.
	LossLimit Ratio `yaml:"loss_limit"`
	// Losses: "carried" forward by each project (the default), or "relief": set at once against other income
	// of the owners, who file one return for all projects.
	Losses string `yaml:"losses"`
}

// Option is one future of a hall.
type Option struct {
	ID string `yaml:"id"`
	// Kind is "mine", "host", "cloud", "sell" or "greenfield"; With names the lease, cloud, sale
	// or greenfield.
	Kind string `yaml:"kind"`
	With string `yaml:"with"`
	// Halls that may take it; empty: all (to host or to run GPUs: all that are convertible).
	Halls     []string `yaml:"halls"`
	Financing string   `yaml:"financing"` // empty: equity only
	// From and To are the first and last month in which it may begin; default Start and five
	// years on. Every is the step of the months tried, default 6 months.
	From  figure.Month  `yaml:"from"`
	To    figure.Month  `yaml:"to"`
	Every figure.Months `yaml:"every"`
}

// Limits bind the halls together.
type Limits struct {
	From   figure.Origin `yaml:"from"`
	Source string        `yaml:"source"`
	Capex  Money         `yaml:"capex"`  // of all conversions
	Equity Money         `yaml:"equity"` // at any time
	Crew   Power         `yaml:"crew"`   // critical load under construction at one time
	Halls  int           `yaml:"halls_at_once"`
}

// Scenario is a world to compare the options in: factors on the deterministic case, 1 where left out.
type Scenario struct {
	Name       string        `yaml:"name"`
	Bitcoin    float64       `yaml:"bitcoin"`    // x price of every month
	Difficulty float64       `yaml:"difficulty"` // x difficulty of every month
	Power      float64       `yaml:"power"`      // x hourly prices
	Capex      float64       `yaml:"capex"`
	Delay      figure.Months `yaml:"delay"` // added to Build
	Rent       float64       `yaml:"rent"`
	GPURate    float64       `yaml:"gpu_rate"`
	// Fails is the month of the term in which tenants fail; zero: they do not.
	Fails figure.Months `yaml:"tenant_fails"`
}
