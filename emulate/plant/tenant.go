package plant

import (
	"fmt"
	"time"

	"switchyard/emulate/fault"
	"switchyard/sitefile"
	"switchyard/unit"
)

// TenantConfig is one tenant of the plant.
type TenantConfig struct {
	ID   string
	Node int
	Firm unit.Power
	Draw sitefile.Draw // no shares at all: between 50 % and 100 %
}

// Times of the tenants' ways, which no maker publishes: training jobs start and end over
// minutes, and stay where they are for a quarter of an hour and more.
const (
	wanderTau  = 180.0 // s: the draw towards its present goal
	wanderHold = 900.0 // s: mean time between two goals
	afterJump  = 900.0 // s that a goal holds after a jump
	jumpDip    = 300.0 // s that a tenant takes to go down before it jumps
	yieldTime  = 120.0 // s that a tenant's own control takes from all of its firm power to none, and back
)

// tenant is a firm load that obeys nobody but its own control. All shares are of firm power.
type tenant struct {
	cfg       TenantConfig
	rng       chance
	low, high float64

	share, goal float64
	left        float64 // s until a new goal
	noise       float64
	jumpIn      float64 // s until the next jump begins; negative: never
	moves       []ramp  // under way and waiting, in order
	at          []daily
	most, held  float64 // what its own control is to keep to, and keeps to by now

	draw               unit.Power
	wanted, delivered  integral
	peak               unit.Power
	steepest           unit.Power // greatest rise seen within a minute
	minute             [61]unit.Power
	minuteAt, minutesN int
	sinceMinute        time.Duration
}

// ramp is a straight way to a share within some seconds.
type ramp struct{ to, left float64 }

// daily is a jump at a time of day.
type daily struct {
	hour, min int
	ramp      ramp
	next      time.Time
}

// Start returns the share of firm that a tenant draws when the plant starts.
func (c TenantConfig) Start() unit.Ratio {
	if c.Draw.Low <= 0 && c.Draw.High <= 0 {
		return 0.5
	}
	return c.Draw.Low
}

func newTenant(c TenantConfig, seed uint64, start time.Time, zone *time.Location) (*tenant, error) {
	t := &tenant{cfg: c, rng: chance(fault.Hash(seed, "tenant "+c.ID)), low: float64(c.Start()), high: float64(c.Draw.High), jumpIn: -1, most: free, held: free}
	if t.high <= 0 {
		t.high = 1
	}
	if t.low > t.high {
		return nil, fmt.Errorf("tenant %s: low %v is above high %v", c.ID, c.Draw.Low, c.Draw.High)
	}
	for _, j := range c.Draw.At {
		clock, err := time.Parse("15:04", j.At)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: jump at %q: write the time of day like \"13:05\"", c.ID, j.At)
		}
		d := daily{hour: clock.Hour(), min: clock.Minute(), ramp: ramp{float64(j.To), j.For.Seconds()}}
		d.next = d.after(start, zone)
		t.at = append(t.at, d)
	}
	t.goal = t.low + (t.high-t.low)*t.rng.float()
	t.share, t.left = t.low, wanderHold*t.rng.float() // a site comes up with its tenants low
	t.planJump()
	t.set()
	return t, nil
}

// free is a share that no tenant reaches: its control keeps it to nothing.
const free = 2

// Ask has a tenant's own control keep its draw to at most so much, or to nothing with a negative
// power: what a tenant does that is told to draw less and obliges. False where there is no such tenant.
func (w *World) Ask(tenant string, most unit.Power) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.tenants {
		if t.cfg.ID != tenant {
			continue
		}
		t.most = free
		if most >= 0 && t.cfg.Firm > 0 {
			t.most = min(float64(most)/float64(t.cfg.Firm), free)
		}
		return true
	}
	return false
}

// yield brings what a tenant's control keeps to nearer to what it is to keep to.
func (t *tenant) yield(s float64) {
	if t.held > t.share && t.most < t.held {
		t.held = t.share // it goes down from what it draws
	}
	if by := s / yieldTime; t.most < t.held {
		t.held = max(t.most, t.held-by)
	} else {
		t.held = min(t.most, t.held+by)
	}
}

// after returns the first time of day d at or after t.
func (d daily) after(t time.Time, zone *time.Location) time.Time {
	l := t.In(zone)
	next := time.Date(l.Year(), l.Month(), l.Day(), d.hour, d.min, 0, 0, zone)
	if next.Before(t) {
		next = time.Date(l.Year(), l.Month(), l.Day()+1, d.hour, d.min, 0, 0, zone)
	}
	return next
}

// planJump throws when the next jump comes: between half and one and a half times the mean.
func (t *tenant) planJump() {
	t.jumpIn = -1
	if t.cfg.Draw.Jump > 0 {
		t.jumpIn = t.cfg.Draw.Jump.Seconds() * (0.5 + t.rng.float())
	}
}

func (t *tenant) jumpTime() float64 {
	if t.cfg.Draw.JumpTime > 0 {
		return t.cfg.Draw.JumpTime.Seconds()
	}
	return 60
}

// step advances the tenant and returns what it draws; live says whether it has voltage.
func (t *tenant) step(now time.Time, dt time.Duration, zone *time.Location, live bool) unit.Power {
	s := dt.Seconds()
	for i := range t.at {
		if d := &t.at[i]; !now.Before(d.next) {
			t.moves = []ramp{d.ramp}
			d.next = d.after(now.Add(time.Second), zone)
		}
	}
	if t.jumpIn >= 0 {
		if t.jumpIn -= s; t.jumpIn < 0 {
			t.moves = append(t.moves, ramp{t.low, jumpDip}, ramp{t.high, t.jumpTime()})
			t.planJump()
		}
	}
	if len(t.moves) > 0 {
		t.ramp(s)
	} else {
		t.wander(s)
	}
	t.noise = 0.8*t.noise + 0.001*t.rng.signed()
	t.yield(s)
	t.set()
	wanted := t.draw
	t.wanted.add(wanted, dt)
	if !live {
		t.draw = 0
	}
	t.delivered.add(t.draw, dt)
	t.watch(dt)
	return t.draw
}

func (t *tenant) set() {
	t.draw = t.cfg.Firm.Scale(max(0, min(t.share*(1+t.noise), max(t.share, t.high), t.held)))
}

// ramp follows the first move.
func (t *tenant) ramp(s float64) {
	m := &t.moves[0]
	if m.left > s {
		t.share += (m.to - t.share) * s / m.left
		m.left -= s
		return
	}
	t.share, t.goal, t.left = m.to, m.to, afterJump
	t.moves = t.moves[1:]
}

// wander goes slowly towards a goal that changes now and then.
func (t *tenant) wander(s float64) {
	if t.left -= s; t.left < 0 {
		t.goal = t.low + (t.high-t.low)*t.rng.float()
		t.left = wanderHold * (0.5 + t.rng.float())
	}
	t.share = lag(t.share, t.goal, s, wanderTau)
}

// watch keeps the peak and the steepest rise within a minute.
func (t *tenant) watch(dt time.Duration) {
	t.peak = max(t.peak, t.draw)
	if t.sinceMinute += dt; t.sinceMinute < time.Second && t.minutesN > 0 {
		return
	}
	t.sinceMinute = 0
	t.minute[t.minuteAt] = t.draw
	t.minuteAt = (t.minuteAt + 1) % len(t.minute)
	t.minutesN = min(t.minutesN+1, len(t.minute))
	if t.minutesN == len(t.minute) {
		t.steepest = max(t.steepest, t.draw-t.minute[t.minuteAt])
	}
}
