package gpuagent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// The bounds of what an agent takes.
const (
	MaxPower  = 10 * unit.Kilowatt // of a cap, a GPU
	MinLease  = time.Second
	MaxLease  = 24 * time.Hour
	maxReason = 300              // bytes
	driving   = 30 * time.Second // machine time of one change, whoever waits for it
	again     = time.Second      // until a safe cap is tried again that the driver did not take
)

// Config is how an agent runs.
type Config struct {
	// Node is the machine's name, as the controller calls it; empty: whoever asks is right.
	Node   string
	Driver Driver
	Clock  clock.Clock // leases run by it; nil: the machine's
	// State is the path of the state file; empty: nothing outlives the process.
	State string
	// SafePower is the cap of each GPU when a lease ended; zero: SafeShare of its default
	// limit, and of that three quarters if it is zero too.
	SafePower unit.Power
	SafeShare unit.Ratio
	// KeepLower keeps a cap that is lower than the safe one when its lease ends, instead of
	// raising it to the safe one.
	KeepLower bool
	// Check is how often held limits are looked at and set again: a driver that was loaded anew has
	// forgotten them. Default 10 s.
	Check time.Duration
	Log   *slog.Logger // nil: nobody
}

// Agent holds the GPUs of one machine.
type Agent struct {
	c     Config
	turn  chan struct{} // held by whoever speaks with the driver or changes what follows
	state state
	known map[string]compute.GPU // every GPU that was ever seen, to tell one that vanished
	last  []compute.GPU          // the newest reading
	asked time.Time              // machine time of it
	wake  chan struct{}
	count counts
}

// New makes an agent and takes up what its state file says; the GPUs are first spoken to by
// Start, Run or a request. It blocks on the disk.
func New(c Config) (*Agent, error) {
	if c.Driver == nil {
		return nil, errors.New("start the agent: it has no driver")
	}
	if c.Clock == nil {
		c.Clock = clock.System()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Check <= 0 {
		c.Check = 10 * time.Second
	}
	if c.SafeShare == 0 {
		c.SafeShare = 0.75
	}
	if c.SafeShare < 0 || c.SafeShare > 1 || c.SafePower < 0 || c.SafePower > MaxPower {
		return nil, fmt.Errorf("start the agent: the safe cap must be a share up to 100 %% or a power up to %s", MaxPower.Short())
	}
	s, err := loadState(c.State)
	if err != nil {
		return nil, err
	}
	if s.Mode == ModeCap {
		s.Ends = c.Clock.Now().Add(s.left(c.Clock.Now()))
	}
	return &Agent{c: c, turn: make(chan struct{}, 1), state: s, known: map[string]compute.GPU{}, wake: make(chan struct{}, 1)}, nil
}

// take waits for the agent's turn. The driver may hang: whoever waits has a deadline.
func (a *Agent) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the driver %s is busy and does not answer: %w", a.c.Driver.Name(), compute.ErrUnreachable)
	}
}

func (a *Agent) give() { <-a.turn }

// Run keeps what is held until ctx ends: the safe cap when a lease ends, and limits that the
// driver forgot. It blocks.
func (a *Agent) Run(ctx context.Context) {
	for {
		a.tick(ctx)
		t := a.c.Clock.NewTimer(a.next(ctx))
		select {
		case <-t.C():
		case <-a.wake:
		case <-ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

// next returns how long nothing need be looked at.
func (a *Agent) next(ctx context.Context) time.Duration {
	if a.take(ctx) != nil {
		return a.c.Check
	}
	defer a.give()
	if a.state.Mode == ModeCap {
		left := a.state.left(a.c.Clock.Now())
		if left <= 0 { // the driver did not answer when the lease ended
			left = again
		}
		return min(a.c.Check, left)
	}
	return a.c.Check
}

// tick does what is due.
func (a *Agent) tick(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, driving)
	defer cancel()
	if err := a.take(ctx); err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) {
			a.c.Log.Error("the GPUs' driver hangs: no limit can be set", "node", a.c.Node, "reason", err)
		}
		return
	}
	defer a.give()
	if a.state.Mode == ModeCap && a.state.left(a.c.Clock.Now()) <= 0 {
		s := a.state.clone()
		s.Mode = ModeSafe
		out, err := a.change(ctx, s)
		if err == nil {
			a.count.expired++
		}
		a.audit("the lease ended unrenewed: safe cap", "agent", out, err)
		return
	}
	if a.state.Mode == ModeNone && len(a.state.Originals) == 0 {
		return
	}
	if _, err := a.apply(ctx); err != nil {
		a.c.Log.Warn("limits could not be looked at", "node", a.c.Node, "reason", err)
	}
}

// Cap holds each GPU to p for the lease. It blocks on the driver, and once begun goes on when
// ctx ends.
func (a *Agent) Cap(ctx context.Context, p unit.Power, lease time.Duration, reason, by string) (Outcome, error) {
	if p <= 0 || p > MaxPower {
		return Outcome{}, fmt.Errorf("the cap must be above 0 W and up to %s a GPU: %w", MaxPower.Short(), compute.ErrRefused)
	}
	if lease < MinLease || lease > MaxLease {
		return Outcome{}, fmt.Errorf("the lease must be between %s and %s: %w", MinLease, MaxLease, compute.ErrRefused)
	}
	if len(reason) > maxReason {
		return Outcome{}, fmt.Errorf("the reason has more than %d bytes: %w", maxReason, compute.ErrRefused)
	}
	return a.told(ctx, by, "cap", func(s *state) {
		s.Mode, s.Power, s.Lease, s.Reason = ModeCap, int64(p), lease, reason
		s.Ends = a.c.Clock.Now().Add(lease)
	})
}

// Uncap sets the limits back that the GPUs had before the first cap. It blocks on the driver,
// and once begun goes on when ctx ends.
func (a *Agent) Uncap(ctx context.Context, by string) (Outcome, error) {
	return a.told(ctx, by, "uncap", func(s *state) {
		*s = state{Mode: ModeNone, Originals: s.Originals}
	})
}

// told changes the state as somebody told, and tells the record.
func (a *Agent) told(ctx context.Context, by, what string, set func(*state)) (Outcome, error) {
	if err := a.take(ctx); err != nil {
		return Outcome{}, err
	}
	defer a.give()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), driving)
	defer cancel()
	s := a.state.clone()
	set(&s)
	renewed := what == "cap" && a.state.Mode == ModeCap && a.state.Power == s.Power && a.state.Reason == s.Reason
	out, err := a.change(ctx, s)
	if renewed && err == nil && out.Refused() == nil {
		a.c.Log.Debug("lease renewed", "node", a.c.Node, "reason", s.Reason)
	} else {
		a.audit(what, by, out, err)
	}
	a.count.changes++
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return out, err
}

// change makes s what holds: first on disk, then on the GPUs, so that an agent that is killed
// between the two does it when it is back. A disk that fails keeps no GPU from being held.
func (a *Agent) change(ctx context.Context, s state) (Outcome, error) {
	gpus, err := a.read(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if s.Mode != ModeNone {
		note(&s, gpus)
	}
	a.state = s
	keep := s.save(a.c.State)
	out, err := a.hold(ctx, gpus)
	if keep != nil {
		a.c.Log.Error("what is held is not on disk: an agent that restarts would not know of it", "node", a.c.Node, "reason", keep)
		out.Warning = keep.Error()
	}
	return out, err
}

// note keeps the limits of GPUs that were not held before as their original ones.
func note(s *state, gpus []compute.GPU) (changed bool) {
	for _, g := range gpus {
		if _, ok := s.Originals[Key(g)]; !ok && g.Limit.OK && g.Limit.V > 0 {
			s.Originals[Key(g)] = g.Limit.V
			changed = true
		}
	}
	return changed
}

// apply looks at the GPUs and sets the limits that are not as they should be.
func (a *Agent) apply(ctx context.Context) (Outcome, error) {
	gpus, err := a.read(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if a.state.Mode != ModeNone {
		s := a.state.clone()
		if note(&s, gpus) { // a GPU came back to the bus that was away when the cap was set
			a.state = s
			if err := s.save(a.c.State); err != nil {
				a.c.Log.Error("what is held is not on disk", "node", a.c.Node, "reason", err)
			}
		}
	}
	return a.hold(ctx, gpus)
}

// hold sets each GPU's limit to what the state says. With nothing held it puts the originals back
// and forgets those that took.
func (a *Agent) hold(ctx context.Context, gpus []compute.GPU) (Outcome, error) {
	var out Outcome
	done := map[string]bool{}
	for i := range gpus {
		g := &gpus[i]
		h := a.one(ctx, g)
		if h.Err == "" {
			done[Key(*g)] = true
		}
		out.GPUs = append(out.GPUs, h)
	}
	a.last = gpus
	if a.state.Mode == ModeNone && len(a.state.Originals) > 0 {
		s := a.state.clone()
		for k := range done {
			delete(s.Originals, k)
		}
		a.state = s
		if err := s.save(a.c.State); err != nil {
			out.Warning = err.Error()
		}
	}
	if len(gpus) == 0 {
		return out, fmt.Errorf("the driver %s sees no GPU here: %w", a.c.Driver.Name(), compute.ErrUnsupported)
	}
	return out, nil
}

// one sets one GPU's limit, unless it is so already.
func (a *Agent) one(ctx context.Context, g *compute.GPU) Held {
	h := Held{Index: g.Index, UUID: g.UUID, Original: a.state.Originals[Key(*g)]}
	switch {
	case lost(*g):
		h.Lost, h.Err = true, g.Faults[0]
		return h
	case !g.Limit.OK:
		h.Err = "it tells no power limit: its driver cannot hold it"
		return h
	case h.Original == 0: // never held by us
		h.Set = g.Limit.V
		return h
	}
	want, asked := a.want(*g, h.Original)
	h.Clamped = asked != want
	if d := g.Limit.V - want; d < unit.Watt && d > -unit.Watt {
		h.Set = g.Limit.V
		return h
	}
	if err := a.c.Driver.SetLimit(ctx, *g, want); err != nil {
		h.Err = err.Error()
		a.count.failed++
		return h
	}
	if a.state.Mode == ModeNone {
		h.Clamped = false
	}
	h.Set, g.Limit = want, site.Some(want)
	return h
}

// want returns the limit that a GPU should have, and what was asked for before it met the
// GPU's own bounds.
func (a *Agent) want(g compute.GPU, original unit.Power) (want, asked unit.Power) {
	asked = original
	switch a.state.Mode {
	case ModeCap:
		asked = unit.Power(a.state.Power)
	case ModeSafe:
		asked = a.safe(g, original)
	}
	want = min(asked, original)
	if want < original {
		want -= want % unit.Watt // drivers take whole watts; down, so that the cap holds
	}
	want = max(want, g.Least.Or(0))
	return min(want, g.Most.Or(want)), asked
}

// safe returns the safe cap of a GPU.
func (a *Agent) safe(g compute.GPU, original unit.Power) unit.Power {
	p := a.c.SafePower
	if p == 0 {
		p = g.Default.Or(original).Scale(float64(a.c.SafeShare))
	}
	if a.c.KeepLower && a.state.Power > 0 {
		p = min(p, unit.Power(a.state.Power))
	}
	return p
}

// read asks the driver. A GPU that was there once and is not listed any more is told as lost.
func (a *Agent) read(ctx context.Context) ([]compute.GPU, error) {
	gpus, err := a.c.Driver.GPUs(ctx)
	if err != nil {
		a.count.unread++
		a.asked = time.Time{}
		return nil, fmt.Errorf("read the GPUs: %w", err)
	}
	seen := map[string]bool{}
	for _, g := range gpus {
		seen[Key(g)] = true
		if g.UUID != "" || !lost(g) {
			a.known[Key(g)] = compute.GPU{Index: g.Index, UUID: g.UUID, Model: g.Model}
		}
	}
	for k, g := range a.known {
		if !seen[k] {
			g.Faults = []string{"lost: the driver does not list it any more"}
			gpus = append(gpus, g)
		}
	}
	sort.SliceStable(gpus, func(i, j int) bool { return gpus[i].Index < gpus[j].Index })
	a.last, a.asked = gpus, time.Now()
	return gpus, nil
}

// audit writes one line for a change.
func (a *Agent) audit(what, by string, out Outcome, err error) {
	s := a.state
	var set []string
	for _, g := range out.GPUs {
		if g.Err != "" {
			set = append(set, fmt.Sprintf("%d: %s", g.Index, g.Err))
		} else {
			set = append(set, fmt.Sprintf("%d: %s", g.Index, g.Set.Short()))
		}
	}
	level, text := slog.LevelInfo, ""
	if err == nil {
		err = out.Refused()
	}
	if err != nil {
		level, text = slog.LevelError, err.Error()
	}
	a.c.Log.Log(context.Background(), level, what, "node", a.c.Node, "mode", string(s.Mode), "power", unit.Power(s.Power).Short(),
		"lease", s.Lease, "reason", s.Reason, "by", by, "gpus", set, "error", text)
}
