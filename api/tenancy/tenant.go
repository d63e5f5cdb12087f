// Package tenancy owns what the API shows of tenants and of GPU clusters: the views, and the
// questions that they answer.
//
// It never answers one itself, and never decides who may ask: api does.
//
// Concurrency: the views are plain data; who answers the questions must be safe for concurrent use.
package tenancy

import (
	"context"
	"time"
)

// Tenancy gives a tenant what is its own now, and nobody else's. A tenant that is not known is
// ErrNotFound.
type Tenancy interface {
	// Tenants returns all tenants, those in hosting and those of the clusters. It never blocks.
	Tenants() []TenantName
	// Tenant returns what a tenant has now. It never blocks.
	Tenant(tenant string) (TenantView, error)
	// TenantJobs returns its jobs on our clusters, those that ended of late too. It never blocks.
	TenantJobs(tenant string) ([]TenantJob, error)
	// TenantEvents returns what touched it within [from, to), newest first. It reads the disk.
	TenantEvents(ctx context.Context, tenant string, from, to time.Time) ([]TenantEvent, error)
	// Availability returns what it could draw beyond what it has, and at which price. It never blocks.
	Availability(tenant string) (AvailabilityView, error)
}

// Bills gives a tenant what was measured of it and what it was billed. Calls read the disk and
// honour the context; a tenant or a number that is not known, or another tenant's, is ErrNotFound.
type Bills interface {
	// Usage returns the metered intervals within [From, To), in their order.
	Usage(ctx context.Context, r UsageRequest) (UsageView, error)
	// Invoices returns its invoices, newest first, the running month's draft before them.
	Invoices(ctx context.Context, tenant string) ([]InvoiceView, error)
	// Invoice returns one as a document: "json", "pdf" or "csv".
	Invoice(ctx context.Context, tenant, number, format string) (Document, error)
	// Announce keeps a maintenance that is told to a tenant ahead, or a curtailment that it
	// consented to: what the promise then excludes.
	Announce(ctx context.Context, who, tenant string, r Announcement) (TenantEvent, error)
}

// Announcement is time in which power is taken from a tenant with its knowledge.
// POST /api/v1/tenants/{tenant}/events (operator)
type Announcement struct {
	Kind string    `json:"kind" enum:"maintenance,curtailment"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// PowerW is how much is taken; nothing where it is not known.
	PowerW float64 `json:"power_w,omitempty" minimum:"0"`
	// Consent names the right or the consent that a curtailment rests on: a clause, a letter.
	Consent string `json:"consent,omitempty" maxLength:"200"`
	// Announced is when a maintenance was told; it cannot lie in the future. Default: now.
	Announced time.Time `json:"announced,omitzero"`
	Why       string    `json:"why" minLength:"1" maxLength:"500"` // one sentence for the tenant
}

// TenantName is a tenant's id and the name that people know it by. GET /api/v1/tenants
type TenantName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// TenantView is what a tenant has now. GET /api/v1/tenant, and the event "tenant" of
// GET /api/v1/tenant/feed
type TenantView struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Site     string    `json:"site"`
	Timezone string    `json:"timezone"`
	Notice   string    `json:"notice"`   // such as "Made-up prices: a rehearsal"; empty in operation
	At       time.Time `json:"at"`       // site time
	Headline string    `json:"headline"` // one sentence: what it gets now, and why where it is less
	Contract string    `json:"contract"` // as the parties call it; empty: none
	Kind     string    `json:"kind"`     // colocation, gpu-cloud; empty: no contract
	// PowerW is drawn now, at its own meter or by its jobs' part of the nodes; ReservedW is what is
	// kept for it, drawn or not; AllowedW is what it may draw now where that is less than it wants.
	PowerW    *float64 `json:"power_w"`
	Quality   string   `json:"quality"` // of PowerW: measured, estimated, missing
	ReservedW *float64 `json:"reserved_w"`
	AllowedW  *float64 `json:"allowed_w"`
	// PriceUSD is what a MWh costs it now, where energy is passed through; null: not known, or included.
	PriceUSD *float64      `json:"price_usd_mwh"`
	GPUs     []TenantGPUs  `json:"gpus"`
	Nodes    []TenantNode  `json:"nodes"`   // those with GPUs of its own in use
	Effects  []TenantEvent `json:"effects"` // what holds now, newest first
	SLA      *SLAView      `json:"sla"`     // null: nothing is promised
	// Curtailments are those called or running, the next first; none of them names who called it.
	Curtailments []CurtailmentView `json:"curtailments"`
}

// TenantGPUs are a tenant's GPUs of one model.
type TenantGPUs struct {
	Model    string `json:"model"`
	Reserved int    `json:"reserved"`
	Used     int    `json:"used"`   // by its jobs
	Capped   int    `json:"capped"` // of them held below their full power
}

// TenantNode is a tenant's part of one node.
type TenantNode struct {
	Cluster string     `json:"cluster"`
	Name    string     `json:"name"`
	Model   string     `json:"model"`
	State   string     `json:"state"` // up, fenced, stopping, off, starting, down
	GPUs    int        `json:"gpus"`  // its own in use
	PowerW  *float64   `json:"power_w"`
	CapW    *float64   `json:"cap_w"`  // each GPU is held to it; null: not held
	FullW   float64    `json:"full_w"` // of one GPU, uncapped
	Until   *time.Time `json:"until"`  // when the cap is expected to end; null: not known
	Why     string     `json:"why"`    // of the cap, a sentence; empty without one
}

// SLAView is what was promised and delivered so far this month.
type SLAView struct {
	Month    string   `json:"month"`    // "2026-10"
	Promised float64  `json:"promised"` // 0 to 1
	Reached  *float64 `json:"reached"`  // so far, without what is excluded; null: nothing was measured
	DownS    float64  `json:"down_s"`   // counted as not available
	ReducedS float64  `json:"reduced_s"`
	// ExcludedS does not count: consented curtailment, announced maintenance. LeftS is how much
	// more may be lost this month within the promise; negative: the promise is broken by so much.
	ExcludedS float64 `json:"excluded_s"`
	LeftS     float64 `json:"left_s"`
	CreditUSD float64 `json:"credit_usd"` // owed to the tenant so far, without being claimed
	Text      string  `json:"text"`       // the same as a sentence
}

// TenantEvent is something that touched a tenant's delivery. GET /api/v1/tenant/events?from=&to=
type TenantEvent struct {
	Kind   string     `json:"kind"` // outage, brown-out, curtailment, maintenance, capped, paused
	From   time.Time  `json:"from"`
	To     *time.Time `json:"to"` // null: it lasts
	PowerW *float64   `json:"power_w"`
	Text   string     `json:"text"` // what happened, and why
	// Counts says that it counts against the promise; Excluded tells why it does not.
	Counts   bool   `json:"counts"`
	Excluded string `json:"excluded"`
	Ref      string `json:"ref"` // the journal's plan or entry
}

// TenantJob is one of a tenant's jobs. GET /api/v1/tenant/jobs
type TenantJob struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Cluster   string     `json:"cluster"`
	Queue     string     `json:"queue"`
	Class     string     `json:"class"` // firm, semi, cap, pause, spot
	State     string     `json:"state"` // pending, running, stopping, paused, frozen, done, failed
	GPUs      int        `json:"gpus"`
	Nodes     []string   `json:"nodes"`
	Submitted *time.Time `json:"submitted"`
	Started   *time.Time `json:"started"`
	Saved     *time.Time `json:"saved"` // its last checkpoint; null: not known
	// Slowed is the share of its work that a cap costs now, 0 to 1; PausedS is how long it was
	// paused in its present period, and PauseLeftS how much longer it may be; null: no bound.
	Slowed     float64  `json:"slowed"`
	PausedS    float64  `json:"paused_s"`
	PauseLeftS *float64 `json:"pause_left_s"`
	Why        string   `json:"why"` // it is slowed or held back; empty where it is not
}

// UsageRequest asks for a tenant's metered intervals; Line, an invoice line's kind, leaves those
// that it rests on.
type UsageRequest struct {
	Tenant   string
	From, To time.Time
	Line     string
}

// UsageView is what was metered of a tenant. GET /api/v1/tenant/usage?from=&to=&line= and
// GET /api/v1/tenants/{tenant}/usage
type UsageView struct {
	Tenant  string     `json:"tenant"`
	From    time.Time  `json:"from"`
	To      time.Time  `json:"to"`
	LengthS float64    `json:"length_s"` // of an interval
	Missing int        `json:"missing"`  // intervals of which nothing is known
	SHA256  string     `json:"sha256"`   // of the rows: an invoice line holds the same while nothing was corrected
	Rows    []UsageRow `json:"rows"`
}

// UsageRow is one interval of one tenant.
type UsageRow struct {
	Start       time.Time  `json:"start"`
	CriticalKWh float64    `json:"critical_kwh"` // at its own meter, or of its jobs
	BilledKWh   float64    `json:"billed_kwh"`   // the same at the revenue meter, with losses and house
	Quality     string     `json:"quality"`      // measured, estimated, missing
	CostUSD     *float64   `json:"cost_usd"`     // of BilledKWh; null while the price is not known
	WantedKWh   float64    `json:"wanted_kwh"`
	ShortKWh    float64    `json:"short_kwh"` // firm and not delivered
	DownS       float64    `json:"down_s"`
	ReducedS    float64    `json:"reduced_s"`
	PeakW       float64    `json:"peak_w"` // highest 15-minute mean that ended within it
	GPUs        []UsageGPU `json:"gpus"`
	Revision    int        `json:"revision"` // above zero: corrected so often
	Evidence    []string   `json:"evidence"`
}

// UsageGPU is GPU time within an interval.
type UsageGPU struct {
	Model string  `json:"model"`
	Sale  string  `json:"sale"` // reserved, on-demand, interruptible
	UsedH float64 `json:"used_gpu_h"`
	HeldH float64 `json:"held_gpu_h"`
}

// InvoiceView is one invoice in short. GET /api/v1/tenant/invoices
type InvoiceView struct {
	Number   string     `json:"number"` // "draft" of the running month
	Month    string     `json:"month"`  // "2026-10"
	Issued   *time.Time `json:"issued"`
	Due      *time.Time `json:"due"`
	TotalUSD float64    `json:"total_usd"`
	Draft    bool       `json:"draft"` // the month runs, or it is not issued yet
	Lines    int        `json:"lines"`
}

// Document is an invoice as a file. GET /api/v1/tenant/invoices/{number}?format=
type Document struct {
	Type string // its media type
	Name string // of the file, with its ending
	Body []byte
}

// AvailabilityView is what a tenant could draw beyond what it has. GET
// /api/v1/tenant/availability, and the event "availability" of GET /api/v1/tenant/feed
type AvailabilityView struct {
	At     time.Time  `json:"at"`
	PollS  float64    `json:"poll_s"` // asking more often tells nothing new
	Text   string     `json:"text"`   // the offers as a sentence, or why there is none
	Offers []MoreView `json:"offers"` // each on top of those before it, the cheapest first
}

// MoreView is power on offer: up to PowerW, beyond the offers before it, until Until at PriceUSD.
type MoreView struct {
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	PowerW   float64   `json:"power_w"`
	PriceUSD *float64  `json:"price_usd_mwh"` // null: not known
	Firm     bool      `json:"firm"`          // it is not taken back before Until for anybody's load: only for a limit that nobody knows of yet
	Why      string    `json:"why"`           // what it costs us: the mining that rests for it
}

// Whole is v with an empty list wherever there is none: a null would be unknown.
func (v TenantView) Whole() TenantView {
	v.GPUs, v.Nodes, v.Effects, v.Curtailments = some(v.GPUs), some(v.Nodes), some(v.Effects), some(v.Curtailments)
	return v
}

func some[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
