package api

import "time"

// Ahead gives the hours to come: what is planned, what the grid asks, what is expected. Nothing
// blocks.
type Ahead interface {
	Schedule() ScheduleView
	Signals() SignalsView
	Forecast() ForecastView
}

// ScheduleView is the newest plan. Arrays "by step" have one value for each of Steps.
// GET /api/v1/schedule
type ScheduleView struct {
	At time.Time `json:"at"` // site time of this answer
	// Followed says whether live clearing keeps to the plan now; WhyNot is one sentence where it
	// does not: switched off, no plan yet, the plan is too old, a price that departs from it.
	Followed bool   `json:"followed"`
	WhyNot   string `json:"why_not"`
	// Method is how the plan came about: exact, milp, lp, merit or static; empty: no plan yet.
	Method string     `json:"method"`
	MadeAt *time.Time `json:"made_at"`
	AgeS   *float64   `json:"age_s"`
	EveryS float64    `json:"every_s"` // how often a new one is made
	// ProfitUSD is what the plan earns over its horizon, BoundUSD the most that any plan could,
	// Gap their distance over the greater of |BoundUSD| and one dollar; null: no bound is known.
	ProfitUSD *float64         `json:"profit_usd"`
	BoundUSD  *float64         `json:"bound_usd"`
	Gap       *float64         `json:"gap"`
	Notes     []string         `json:"notes"` // what was left out or fallen back from, a sentence each
	Steps     []StepView       `json:"steps"` // each begins where the one before it ends
	Loads     []LoadPlanView   `json:"loads"` // firm first, then work, then groups
	Reserves  []ReservePlanned `json:"reserves"`
	// Past is what had been planned for the hours gone by, each as the plan in force at its start
	// said; empty where nobody remembers.
	Past []PastStep `json:"past"`
}

// StepView is one interval of a plan.
type StepView struct {
	Start   time.Time `json:"start"`
	LengthS float64   `json:"length_s"`
	// PriceUSD is what a MWh at the connection is expected to cost, CoincidentUSD what the chance
	// of a coincident peak adds to it in the plan (never billed by the MWh), MarginalUSD what one
	// more MWh at the connection is worth to the site.
	PriceUSD      *float64 `json:"price_usd_mwh"`
	CoincidentUSD *float64 `json:"coincident_usd_mwh"`
	MarginalUSD   *float64 `json:"marginal_usd_mwh"`
	BlockW        float64  `json:"block_w"` // bought ahead; 0: none
	SiteW         *float64 `json:"site_w"`  // planned to enter the connection
	CapW          *float64 `json:"cap_w"`   // of the connection; null: none
}

// LoadPlanView is what one load is planned to draw.
type LoadPlanView struct {
	Load string `json:"load"`
	Name string `json:"name"`
	Kind string `json:"kind"` // group, tenant, work
	Node string `json:"node"`
	// RestW is what it draws with nothing running, MostW with all of it running.
	RestW float64 `json:"rest_w"`
	MostW float64 `json:"most_w"`
	// PowerW is the load's own, standby and all that the market does not move included, by step.
	PowerW []*float64 `json:"power_w"`
	// KeepUSD is the price at its node up to which a group's running machines keep running in a
	// step, TakeUSD the one up to which resting ones are started; empty for others.
	KeepUSD []*float64 `json:"keep_usd_mwh"`
	TakeUSD []*float64 `json:"take_usd_mwh"`
	// CurtailedW is taken back from a tenant under its contract, ShortW is not delivered: a
	// breach. By step; empty for others.
	CurtailedW []*float64 `json:"curtailed_w"`
	ShortW     []*float64 `json:"short_w"`
	// LateMWh is what of a work is not done by its deadline; null for others.
	LateMWh *float64 `json:"late_mwh"`
	// By is a work's deadline; null for others and where it has none.
	By *time.Time `json:"by"`
}

// ReservePlanned is how much of a capacity product is held: power that is drawn and can drop.
type ReservePlanned struct {
	Name     string     `json:"name"`
	HeldW    []*float64 `json:"held_w"`       // by step
	ShortW   []*float64 `json:"short_w"`      // sold and not held, by step
	PriceUSD []*float64 `json:"price_usd_mw"` // paid per MW and hour, by step
}

// PastStep is what had been planned for an interval gone by.
type PastStep struct {
	Start    time.Time `json:"start"`
	LengthS  float64   `json:"length_s"`
	SiteW    *float64  `json:"site_w"`
	PriceUSD *float64  `json:"price_usd_mwh"`
}

// SignalsView is what the grid asks, and by which ways it may. GET /api/v1/signals
type SignalsView struct {
	At      time.Time    `json:"at"`
	Sources []SourceView `json:"sources"` // in the site file's order
	// Signals are those in force and to come, and those of late that have ended; by From.
	Signals []SignalView `json:"signals"`
	Refused []Refusal    `json:"refused"` // newest first, the last few
}

// SourceView is one way for the grid to reach the site.
type SourceView struct {
	Name     string `json:"name"`
	Protocol string `json:"protocol"` // openadr, mqtt, dsx, modbus
	Address  string `json:"address"`  // no user, password or token in it
	// State: ok; lost: not heard of for longer than LostAfterS, and Lost holds; never: not heard
	// of since the start.
	State      string     `json:"state"`
	HeardAt    *time.Time `json:"heard_at"`
	Problem    string     `json:"problem"` // the last; empty: none since it was last heard
	ProblemAt  *time.Time `json:"problem_at"`
	LostAfterS float64    `json:"lost_after_s"` // 0: its silence is no loss
	Lost       string     `json:"lost"`         // what holds once it is lost, one sentence
}

// SignalView is one thing asked for, for a time.
type SignalView struct {
	// Key names it among all signals, ID is the sender's own word for it.
	Key      string     `json:"key"`
	ID       string     `json:"id"`
	Source   string     `json:"source"`
	Kind     string     `json:"kind"`       // price, limit, reserve
	Node     string     `json:"node"`       // what a limit bounds; empty for others
	PowerW   *float64   `json:"power_w"`    // of a limit or a reserve
	PriceUSD *float64   `json:"price_usd"`  // $/MWh of a price; of a reserve $ per MW and hour
	WithinS  *float64   `json:"within_s"`   // of a reserve: how fast it must drop
	ForS     *float64   `json:"for_s"`      // of a reserve: how long it must stay down
	RampW    *float64   `json:"ramp_w_min"` // fastest change asked for; null: at once
	From     time.Time  `json:"from"`
	To       *time.Time `json:"to"`       // null: until it is replaced or taken back
	Priority int        `json:"priority"` // 0 is the highest
	// Emergency marks an alert that a person must see.
	Emergency bool   `json:"emergency"`
	Note      string `json:"note"`
	// InForce: now, and it decides. OverruledBy is the Key of the signal that decides instead,
	// OverruledWhy the rule in a few words: stricter, higher priority, newer. A signal in its time
	// that is neither is released with its lost source, and OverruledWhy says so.
	InForce      bool   `json:"in_force"`
	OverruledBy  string `json:"overruled_by"`
	OverruledWhy string `json:"overruled_why"`
}

// Refusal is something that a source asked for and that was not taken.
type Refusal struct {
	At     time.Time `json:"at"`
	Source string    `json:"source"`
	Text   string    `json:"text"` // one clear line
}

// ForecastView is what prices are expected. GET /api/v1/forecast
type ForecastView struct {
	At     time.Time      `json:"at"`
	MadeAt *time.Time     `json:"made_at"`
	Source string         `json:"source"` // what it rests on, for people: "NYISO zone A, day-ahead and real-time"
	Notes  []string       `json:"notes"`  // what is missing: no day-ahead for tomorrow yet
	Steps  []ForecastStep `json:"steps"`
}

// ForecastStep is what is expected of one interval.
type ForecastStep struct {
	Start       time.Time `json:"start"`
	LengthS     float64   `json:"length_s"`
	DayAheadUSD *float64  `json:"day_ahead_usd_mwh"`
	// One in ten is below P10USD, half below P50USD, nine in ten below P90USD; real-time, $/MWh.
	P10USD *float64 `json:"p10_usd_mwh"`
	P50USD *float64 `json:"p50_usd_mwh"`
	P90USD *float64 `json:"p90_usd_mwh"`
	// PeakChance is the chance that this interval sets a coincident peak, 0 to 1; null: no such charge.
	PeakChance *float64 `json:"peak_chance"`
}
