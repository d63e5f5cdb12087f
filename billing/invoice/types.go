package invoice

import (
	"time"

	"switchyard/billing/contract"
	"switchyard/unit"
)

// LineKind is what a line is for, stable for machines.
type LineKind string

// The kinds of lines.
const (
	Rent         LineKind = "rent"
	Energy       LineKind = "energy"
	DemandShare  LineKind = "demand-charge"
	PeakShare    LineKind = "coincident-peak"
	Upkeep       LineKind = "upkeep"
	Overage      LineKind = "overage"
	GPUReserved  LineKind = "gpu-reserved"
	GPUOnDemand  LineKind = "gpu-on-demand"
	GPUInterrupt LineKind = "gpu-interruptible"
	StorageLine  LineKind = "storage"
	Curtailment  LineKind = "curtailment"
	SLACredit    LineKind = "sla-credit"
	PrepayCredit LineKind = "prepayment"
	Correction   LineKind = "correction"
	Tax          LineKind = "tax"
)

// Tariff is what a charge on the site's power costs, and by which intervals it is set.
type Tariff struct {
	Kind     LineKind          `json:"kind"` // DemandShare or PeakShare
	Name     string            `json:"name,omitzero"`
	Rate     unit.CapacityRate `json:"rate"`
	Interval time.Duration     `json:"-"`               // in JSON as interval_s
	Months   []int             `json:"months,omitzero"` // none: all
	Count    int               `json:"count,omitzero"`  // peaks a month
	From     string            `json:"from,omitzero"`   // hours of the day that count: "14:00"
	To       string            `json:"to,omitzero"`
	Weekdays bool              `json:"weekdays,omitzero"`
}

// Line is one line of an invoice. Amount is Quantity x Rate rounded to the micro-dollar, or the
// sum over intervals where each has its own price; then Rate is the mean and says so in Text.
type Line struct {
	Kind     LineKind   `json:"kind"`
	Text     string     `json:"text"`
	Quantity float64    `json:"quantity"`
	Unit     string     `json:"unit"` // "kW-month", "MWh", "GPU-hour", "TB-month", "month"
	Rate     float64    `json:"rate"` // $ per Unit
	Amount   unit.Money `json:"-"`    // negative: a credit; in JSON as amount_usd
	// Evidence says where to look it up: a query of our API that lists the intervals.
	Evidence Evidence `json:"evidence"`
	// Corrects says what a correction is of; nil for all other lines.
	Corrects *Corrects `json:"corrects,omitempty"`
}

// Corrects names what a correction is of: a kind of line of an invoice issued before.
type Corrects struct {
	Number string   `json:"number"`
	Month  string   `json:"month"`
	Kind   LineKind `json:"kind"`
}

// Evidence ties a line to its intervals.
type Evidence struct {
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Intervals int       `json:"intervals"`
	Estimated int       `json:"estimated,omitempty"`
	Missing   int       `json:"missing,omitempty"`
	Link      string    `json:"link"`             // path and query on our API
	SHA256    string    `json:"sha256,omitempty"` // of the rows, as they were when it was issued
	Notes     []string  `json:"notes,omitempty"`  // exclusions, the events that a credit rests on
}

// Invoice is one month of one tenant. Once issued it never changes.
type Invoice struct {
	Number   string // without holes: "2026-000017"; empty: a draft
	Tenant   string
	Contract string
	Version  contract.Date // the terms' first day
	Period   Period
	Issued   time.Time
	Due      time.Time
	Seller   contract.Party
	Customer contract.Party
	Lines    []Line
	Total    unit.Money
	Draft    bool
	Notes    []string
	Currency string   // "USD"
	Zone     string   // where its days and months begin: "America/Chicago"
	Service  *Service // what was promised and delivered; nil without a promise
	// Closing says that nothing is agreed for the month any more: it bears what came late of
	// months billed before, and nothing of its own.
	Closing bool
	// Terms are the versions of the contract that the month was billed by, as they were then, in
	// order: corrections of the month go by them. None on an invoice from before they were kept.
	Terms []contract.Version
	// Tariffs are those of the site's charges that are passed on in part, likewise.
	Tariffs []Tariff
	// Rows is the SHA-256 of all that was measured for the month, as it was when this was made:
	// another one later means that late data came.
	Rows string
}

// Service is what was promised and delivered in the month, for the reader of the invoice.
type Service struct {
	Promised  unit.Ratio    // of the month's time without what is excluded
	Reached   unit.Ratio    // likewise
	Counted   time.Duration // the month without what is excluded
	Lost      time.Duration // of it, not available
	Credit    unit.Money    // owed to the tenant, positive
	Share     unit.Ratio    // of the fees, that Credit is
	Fees      unit.Money    // that Share is of
	Excluded  []Exclusion   // what does not count, and why
	Breaches  []string      // what counts, each with its evidence
	Delivered unit.Energy   // of Wanted
	Wanted    unit.Energy   // that the tenant would have drawn
}

// Exclusion is time that does not count against the promise.
type Exclusion struct {
	From, To time.Time
	Why      string // "consented curtailment, notice of 2 h": the cause and what it rests on
	Ref      string // where it is recorded
}

// Period is the month that an invoice is for.
type Period struct {
	Month    string    `json:"month"` // "2026-10"
	From, To time.Time // the month's first moment and the next one's, UTC
}
