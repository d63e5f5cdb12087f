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
}

// Period is the month that an invoice is for.
type Period struct {
	Month    string    `json:"month"` // "2026-10"
	From, To time.Time // the month's first moment and the next one's, UTC
}
