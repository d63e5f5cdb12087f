package tenancy

import (
	"context"
	"time"
)

// Curtailments are power that is taken back from hosted tenants: their machines are not ours to
// tell, so that a curtailment is a call, and the tenant's meter shows whether it was followed. A
// tenant or a call that is not known, or is another tenant's, is ErrNotFound.
type Curtailments interface {
	// Curtailments returns the rights that contracts give, what the schedule would call, and the
	// calls of this calendar year; of one tenant, or of all where tenant is empty. It never blocks.
	Curtailments(tenant string) (CurtailmentsView, error)
	// Call tells a tenant to draw less. It returns once the call is kept on disk; the tenant sees
	// it from then on. What the right does not allow and names no consent is ErrInvalid.
	Call(ctx context.Context, who string, r CurtailRequest) (CurtailmentView, error)
	// Withdraw takes a call back before its end.
	Withdraw(ctx context.Context, who, id, why string) (CurtailmentView, error)
	// Acknowledge keeps that the tenant has seen a call of its own, and when first.
	Acknowledge(ctx context.Context, who, tenant, id string) (CurtailmentView, error)
}

// CurtailRequest calls a curtailment. POST /api/v1/curtailments (operator)
type CurtailRequest struct {
	Tenant string    `json:"tenant" maxLength:"48"`
	From   time.Time `json:"from,omitzero"` // default: as soon as the right's notice allows
	To     time.Time `json:"to"`
	// PowerW is how much less than before it is to draw; zero: all that the right allows.
	PowerW float64 `json:"power_w,omitempty" minimum:"0"`
	Why    string  `json:"why" minLength:"1" maxLength:"500"` // one sentence for the tenant
	// Consent names a consent beyond the contract's right: a letter, a call with a name. It is
	// needed where the right does not allow this much, this soon or any more this year.
	Consent string `json:"consent,omitempty" maxLength:"200"`
}

// CurtailmentsView is all there is of curtailments. GET /api/v1/curtailments?tenant=
type CurtailmentsView struct {
	At       time.Time         `json:"at"`       // site time
	Rights   []RightView       `json:"rights"`   // in the site file's order
	Proposed []CurtailmentView `json:"proposed"` // by the schedule, the next first
	Calls    []CurtailmentView `json:"calls"`    // newest first
}

// RightView is a tenant's contracted curtailment and what is left of it.
type RightView struct {
	Tenant   string  `json:"tenant"`
	Name     string  `json:"name"`
	PowerW   float64 `json:"power_w"`
	NoticeS  float64 `json:"notice_s"`
	TotalS   float64 `json:"total_s"` // a calendar year
	LeftS    float64 `json:"left_s"`  // of it, what is called taken off
	PriceUSD float64 `json:"price_usd_mwh"`
	// Call says who calls what the schedule would use: "ask" a person does, "auto" the site
	// itself when the notice comes due, "never" nobody: the schedule does not use the right.
	Call string `json:"call" enum:"ask,auto,never"`
}

// CurtailmentView is one curtailment, called or proposed. GET /api/v1/tenant holds a tenant's own.
type CurtailmentView struct {
	ID     string `json:"id"` // empty: only proposed
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
	// State is proposed, called (it is yet to begin), running, ended or withdrawn.
	State string    `json:"state" enum:"proposed,called,running,ended,withdrawn"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// PowerW is how much less it is to draw; DownToW is what that leaves it of BaselineW, its mean
	// in the hour before it was told. Null: its meter does not tell.
	PowerW    float64    `json:"power_w"`
	DownToW   *float64   `json:"down_to_w"`
	BaselineW *float64   `json:"baseline_w"`
	PriceUSD  float64    `json:"price_usd_mwh"` // paid for each MWh not drawn
	Told      *time.Time `json:"told"`          // null: only proposed
	CallBy    *time.Time `json:"call_by"`       // of a proposed one: the last moment that keeps the notice
	Seen      *time.Time `json:"seen"`          // the tenant acknowledged it
	Withdrawn *time.Time `json:"withdrawn"`
	By        string     `json:"by"`      // who called it; "schedule" by itself. Empty in a tenant's view
	Why       string     `json:"why"`     // one sentence for the tenant
	Consent   string     `json:"consent"` // the right or the consent that it rests on
	// GivenW is the mean that it drew less, by its meter, and GivenKWh the energy of it; null: not
	// measured yet.
	GivenW   *float64 `json:"given_w"`
	GivenKWh *float64 `json:"given_kwh"`
	Text     string   `json:"text"` // the whole as a sentence
}

// Whole is v with an empty list wherever there is none.
func (v CurtailmentsView) Whole() CurtailmentsView {
	v.Rights, v.Proposed, v.Calls = some(v.Rights), some(v.Proposed), some(v.Calls)
	return v
}
