// Package api owns the HTTP face of a running site: the JSON API with its OpenAPI
// description, server-sent events, /metrics, tokens, sessions and roles, the audit line of
// each change, and the embedded dashboard.
//
// It never decides and never talks to a device: it reads what other rooms publish and hands
// wishes to the control loop. It never shows a secret.
//
// Concurrency: handlers run concurrently and share only immutable snapshots and the
// interfaces they are given, which must be safe for concurrent use.
package api

import "time"

// The views are what the HTTP API speaks: plain JSON with the unit in each name (w, mwh,
// usd, usd_mwh, ph_s), times RFC 3339 in UTC. A null is unknown, and never zero.

// SiteView is what does not change while the controller runs. GET /api/v1/site
type SiteView struct {
	Name     string       `json:"name"`
	Timezone string       `json:"timezone"`
	Notice   string       `json:"notice"` // such as "Made-up prices: a rehearsal"; empty in operation
	Speed    float64      `json:"speed"`  // site seconds per machine second asked for; 1 in operation
	Nodes    []NodeInfo   `json:"nodes"`  // parents before children; the first is the connection
	Groups   []GroupInfo  `json:"groups"`
	Tenants  []TenantInfo `json:"tenants"`
	Role     string       `json:"role"`  // of the asker: viewer, operator, admin
	Ahead    bool         `json:"ahead"` // there are /schedule, /signals and /forecast
	Clusters bool         `json:"clusters"`
	Studies  bool         `json:"studies"`      // there are /studies
	Curtails bool         `json:"curtailments"` // there are /curtailments
	// GPUs are the GPU clusters; Clusters says that there are any, and that they may be asked about.
	GPUs []ClusterInfo `json:"gpu_clusters"`
}

// NodeInfo is one node of the tree.
type NodeInfo struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Parent   string   `json:"parent"` // empty for the connection
	LimitW   *float64 `json:"limit_w"`
	HasMeter bool     `json:"has_meter"`
}

// GroupInfo is one mining group.
type GroupInfo struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Node       string  `json:"node"`
	Model      string  `json:"model"`
	Driver     string  `json:"driver"`
	Devices    int     `json:"devices"`
	NameplateW float64 `json:"nameplate_w"` // of the whole group
	Style      string  `json:"style"`       // watts, percent, mode, read-only
}

// TenantInfo is one hosting tenant.
type TenantInfo struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Node         string  `json:"node"`
	FirmW        float64 `json:"firm_w"`
	RateUSD      float64 `json:"rate_usd_kw_month"`
	Availability float64 `json:"availability"` // promised, 0 to 1
}

// LiveView is the site now. GET /api/v1/live, and the event "live" of GET /api/v1/events
// (server-sent events), at most one per machine second and whenever something changed.
type LiveView struct {
	At            time.Time     `json:"at"` // site time
	Plan          int64         `json:"plan"`
	Speed         float64       `json:"speed_held"` // site seconds per machine second reached
	PriceUSDMWh   *float64      `json:"price_usd_mwh"`
	PriceStale    bool          `json:"price_stale"`
	PriceSource   string        `json:"price_source"`
	HashpriceUSD  *float64      `json:"hashprice_usd_ph_day"`
	MarginalUSD   *float64      `json:"marginal_usd_mwh"` // the site's own marginal price
	ProfitUSDHour *float64      `json:"profit_usd_hour"`  // at the present rates
	ProfitUSDDay  *float64      `json:"profit_usd_day"`   // posted since midnight, site time zone
	Headline      string        `json:"headline"`         // one sentence: what the site does now and why
	Mode          string        `json:"mode"`             // how decisions are made now: "merit-order", "hold" (price lost), "static" (start, meter lost)
	Nodes         []NodeLive    `json:"nodes"`
	Groups        []GroupLive   `json:"groups"`
	Tenants       []TenantLive  `json:"tenants"`
	GPUs          []ClusterLive `json:"gpu_clusters"`
	Limits        []LimitView   `json:"limits"` // those in force or to come
	Alerts        []Alert       `json:"alerts"`
}

// NodeLive is a node's present state.
type NodeLive struct {
	ID       string   `json:"id"`
	PowerW   *float64 `json:"power_w"` // metered; null if no meter or stale
	EstW     float64  `json:"est_w"`   // sum of what is known and assumed below it
	LimitW   *float64 `json:"limit_w"` // in force now, operator's limits included
	Quality  string   `json:"quality"` // measured, estimated, missing
	AgeS     *float64 `json:"age_s"`   // of the meter's reading
	Binding  bool     `json:"binding"` // its limit binds the clearing
	OverForS float64  `json:"over_for_s"`
}

// GroupLive is a mining group's present state.
type GroupLive struct {
	ID            string         `json:"id"`
	PowerW        float64        `json:"power_w"` // sum of last readings, unknown ones at their assumption
	AwardW        float64        `json:"award_w"`
	FixedW        float64        `json:"fixed_w"` // standby, stuck and held
	Hashrate      float64        `json:"hashrate_ph_s"`
	BreakevenUSD  *float64       `json:"breakeven_usd_mwh"`
	EarnUSDHour   *float64       `json:"earn_usd_hour"` // revenue less fee, before power
	Reason        string         `json:"reason"`
	ReasonCode    string         `json:"reason_code"`
	States        map[string]int `json:"states"` // cells' states and how many devices are in each
	EfficiencyJTH *float64       `json:"efficiency_j_th"`
}

// TenantLive is a tenant's present state.
type TenantLive struct {
	ID       string   `json:"id"`
	PowerW   *float64 `json:"power_w"`
	ReserveW float64  `json:"reserve_w"` // what is kept for it now: its draw and the margin for its ramp
	FirmW    float64  `json:"firm_w"`
	ShedW    float64  `json:"shed_w"` // firm power not delivered; always 0 unless a contract is broken
	Reason   string   `json:"reason"`
}

// LimitView is a limit on a node for a time.
type LimitView struct {
	ID     string     `json:"id"`
	Node   string     `json:"node"`
	PowerW float64    `json:"power_w"`
	From   time.Time  `json:"from"`
	To     *time.Time `json:"to"` // null: until cleared
	By     string     `json:"by"`
	Note   string     `json:"note"`
	Active bool       `json:"active"`
	Manual bool       `json:"manual"` // an operator's: may be cleared here
}

// Alert is something a person should know.
type Alert struct {
	Since    time.Time `json:"since"`
	Severity string    `json:"severity"` // warning, critical
	Subject  string    `json:"subject"`  // a device, node, feed
	Text     string    `json:"text"`
}

// CurveView is the merit order of the newest clearing. GET /api/v1/curve
type CurveView struct {
	At          time.Time    `json:"at"`
	PriceUSDMWh *float64     `json:"price_usd_mwh"`
	CapW        *float64     `json:"cap_w"` // the connection's limit now
	ClearedW    float64      `json:"cleared_w"`
	Blocks      []CurveBlock `json:"blocks"` // best value first
}

// CurveBlock is one block of the demand curve.
type CurveBlock struct {
	Load     string  `json:"load"`
	Class    string  `json:"class"` // firm, flexible, fixed
	PowerW   float64 `json:"power_w"`
	AwardW   float64 `json:"award_w"`
	ValueUSD float64 `json:"value_usd_mwh"`
	Reason   string  `json:"reason"`
}

// HistoryView is evenly spaced history. GET /api/v1/history?from=&to=&step= (RFC 3339, RFC 3339, seconds)
type HistoryView struct {
	StepS  float64         `json:"step_s"`
	Times  []int64         `json:"times"` // Unix seconds
	Series []HistorySeries `json:"series"`
}

// HistorySeries is one curve; a null is a gap. Keys: "price_usd_mwh", "hashprice_usd_ph_day",
// "node_w:<id>", "limit_w:<id>", "group_w:<id>", "tenant_w:<id>", "reserve_w:<id>",
// "earn_usd_hour:mining", "earn_usd_hour:hosting", "cost_usd_hour:energy".
type HistorySeries struct {
	Key    string     `json:"key"`
	Values []*float64 `json:"values"`
}

// MapView is a hall or group as cells. GET /api/v1/groups/{group}/map
type MapView struct {
	Group string `json:"group"`
	Cells []Cell `json:"cells"`
}

// Cell is one miner. State: hashing, starting, stopping, sleeping, fault, quarantined, held, stale, unknown.
type Cell struct {
	Device   string   `json:"device"`
	Address  string   `json:"address"`
	State    string   `json:"state"`
	PowerW   *float64 `json:"power_w"`
	Hashrate *float64 `json:"hashrate_th_s"`
	TempC    *float64 `json:"temp_c"`
	Held     bool     `json:"held"`
	Note     string   `json:"note"`
}

// Decision is one line of the feed. GET /api/v1/decisions?limit=100, newest first; the event "decision" of the stream.
type Decision struct {
	At      time.Time `json:"at"`
	Plan    int64     `json:"plan"`
	Subject string    `json:"subject"` // load, node, device or person
	Kind    string    `json:"kind"`    // award, command, confirm, fail, quarantine, limit, hold, lost, restore, note
	Code    string    `json:"code"`
	Text    string    `json:"text"`
}

// WhyView answers why a device is as it is. GET /api/v1/why/{device}?at=
type WhyView struct {
	Device string    `json:"device"`
	At     time.Time `json:"at"`
	Answer string    `json:"answer"` // one sentence
	Steps  []WhyStep `json:"steps"`  // award, reason, plan, command, acknowledgement, confirming reading; in time's order
}

// WhyStep is one link of the chain.
type WhyStep struct {
	At   *time.Time `json:"at"` // null: it did not happen (yet)
	Kind string     `json:"kind"`
	Text string     `json:"text"`
}

// LimitRequest sets an operator's limit. POST /api/v1/limits (operator)
type LimitRequest struct {
	Node   string  `json:"node"`
	PowerW float64 `json:"power_w" minimum:"0"`
	ForS   float64 `json:"for_s" minimum:"0"` // 0: until cleared
	Note   string  `json:"note,omitempty" maxLength:"500"`
}

// HoldRequest holds devices in a mode. POST /api/v1/holds (operator); DELETE /api/v1/holds/{device} releases.
type HoldRequest struct {
	Devices []string `json:"devices" maxItems:"10000"` // device or group ids
	Mode    string   `json:"mode" enum:"run,sleep"`
	Note    string   `json:"note,omitempty" maxLength:"500"`
}

// ReportView is a day's profit and loss. GET /api/v1/report/day?date=2026-01-31
type ReportView struct {
	Date             string       `json:"date"`
	Complete         bool         `json:"complete"` // the whole day is posted
	EnergyMWh        float64      `json:"energy_mwh"`
	Lines            []ReportLine `json:"halls"`
	Losses           []ReportLoss `json:"losses"`        // named losses of nodes; their cost is in the halls'
	RemainderMWh     float64      `json:"remainder_mwh"` // halls, losses and this sum to the meter
	RemainderPercent float64      `json:"remainder_percent"`
	CostUSD          float64      `json:"cost_usd"`
	RevenueUSD       float64      `json:"revenue_usd"`
	ProfitUSD        float64      `json:"profit_usd"`
	Text             string       `json:"text"` // the same, as the CLI prints it
}

// ReportLoss is the named loss of one node.
type ReportLoss struct {
	Node      string  `json:"node"`
	EnergyMWh float64 `json:"energy_mwh"`
}

// ReportLine is one hall (node that directly feeds groups or tenants).
type ReportLine struct {
	Hall       string  `json:"hall"`
	EnergyMWh  float64 `json:"energy_mwh"`
	MiningUSD  float64 `json:"mining_usd"`
	HostingUSD float64 `json:"hosting_usd"`
	EnergyUSD  float64 `json:"energy_usd"` // cost of its energy
	PenaltyUSD float64 `json:"penalty_usd"`
	ProfitUSD  float64 `json:"profit_usd"`
	PerMWhUSD  float64 `json:"profit_usd_mwh"`
	Quality    string  `json:"quality"`
}
