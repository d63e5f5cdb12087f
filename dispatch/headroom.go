package dispatch

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Headroom learns how fast a tenant's draw rises.
type Headroom struct{}

// NewHeadroom makes a Headroom for a tenant with its contract and its declared ramp, power per minute.
func NewHeadroom(firm, ramp unit.Power) *Headroom { return &Headroom{} }

// Observe takes in one reading of the tenant's draw. Readings come in time's order.
func (h *Headroom) Observe(at time.Time, draw unit.Power) {}

// Reserve returns what must be kept for the tenant now so that its draw can rise over the
// horizon, which is the control's latency and the shed time of who yields.
func (h *Headroom) Reserve(at time.Time, draw site.Opt[unit.Power], horizon time.Duration) unit.Power {
	return draw.V
}
