package backtest

import (
	"context"
	"time"

	"switchyard/backtest/crew"
	"switchyard/dispatch"
	"switchyard/site"
	"switchyard/unit"
)

// Information says what is known of real-time prices when an interval is decided.
type Information string

// The information settings.
const (
	Start Information = "start" // the price of the interval is known when it begins
	Late  Information = "late"  // it is known when the interval is over
)

// policy decides how many machines of each group are to run.
type policy interface {
	// decide writes the wanted number of each group for interval i, which has a price.
	decide(i int, s *sim, wanted []int)
}

// machines are a group with its machines as they stand.
type machines struct {
	g *group
	crew.Crew
}

func newMachines(g *group, now int64) machines {
	return machines{g, crew.New(g.count, g.physics(), now)}
}

// sim is one policy on its way through the run.
type sim struct {
	w     *World
	info  Information
	crews []machines
	books *books

	wanted, starts []int
	caps           []unit.Power
	binds          bool
	clearer        dispatch.Clearer
	// trace is told what runs in each interval, once it is decided; nil: nobody.
	trace func(i int, crews []machines)
}

func newSim(w *World, info Information) *sim {
	s := &sim{
		w: w, info: info, books: newBooks(w), wanted: make([]int, len(w.groups)), starts: make([]int, len(w.groups)),
		caps: make([]unit.Power, w.tree.Len()), binds: w.mayBind(),
	}
	for k := range w.groups {
		s.crews = append(s.crews, newMachines(&w.groups[k], w.start))
	}
	return s
}

// last returns the newest interval whose real-time price is known when interval i is decided;
// -1 where there is none. Missing prices are skipped.
func (s *sim) last(i int) int {
	if s.info == Late {
		i--
	}
	for i >= 0 && !s.w.valid[i] {
		i--
	}
	return i
}

// run takes the policy through all intervals. It checks ctx now and then.
func (s *sim) run(ctx context.Context, p policy) error {
	for i := range s.w.n {
		if i&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !s.w.valid[i] {
			continue
		}
		p.decide(i, s, s.wanted)
		s.apply(i)
		if s.trace != nil {
			s.trace(i, s.crews)
		}
		s.books.settle(i, s.crews, s.starts)
	}
	s.books.close()
	return nil
}

// apply moves the machines as far as their physics and the limits allow.
func (s *sim) apply(i int) {
	now := s.w.at(i)
	for k := range s.crews {
		c := &s.crews[k]
		if want := s.wanted[k]; !s.binds || want < c.Running() {
			s.starts[k] = c.To(want, now)
		} else {
			s.starts[k] = 0
		}
	}
	if !s.binds {
		return
	}
	// Limits hold for what runs and for what is to start. Who must run on gives way to a limit
	// alone, never to a machine that would start.
	room := s.room(i, s.wanted)
	for k := range s.crews {
		c := &s.crews[k]
		c.Force(room[k], now)
		s.starts[k] += c.To(min(max(s.wanted[k], c.Running()), room[k]), now)
	}
}

// room returns how many machines of each group every limit leaves: first of those whose least
// run is not over, then of those that may stop and those that are wanted; in merit order both.
func (s *sim) room(i int, wanted []int) []int {
	now := s.w.at(i)
	s.w.capsAt(i, s.caps)
	kept, more, locked := make([]int, len(s.crews)), make([]int, len(s.crews)), false
	for k := range s.crews {
		more[k] = s.crews[k].Running() - s.crews[k].Stoppable(now)
		locked = locked || more[k] > 0
	}
	if locked {
		kept = s.leave(i, kept, more)
	}
	for k := range s.crews {
		c := &s.crews[k]
		more[k] = min(max(wanted[k], c.Running()), c.Running()+c.Startable(now)) - kept[k]
	}
	return s.leave(i, kept, more)
}

// leave returns how many machines of each group the limits leave, where so many are kept
// whatever comes and so many more would run.
func (s *sim) leave(i int, kept, more []int) []int {
	w := s.w
	offers := make([]site.Offer, 0, len(w.tenants)+len(s.crews))
	for k := range w.tenants {
		offers = append(offers, s.tenantOffer(i, k))
	}
	for k := range s.crews {
		g := s.crews[k].g
		o := site.Offer{Load: g.id, Node: g.node, Class: site.Flexible, Fixed: unit.Power(g.count)*g.standby + unit.Power(kept[k])*g.net()}
		if more[k] > 0 {
			o.Blocks = []site.Block{{Power: unit.Power(more[k]) * g.net(), Value: g.breakeven(w.hash[i])}}
		}
		offers = append(offers, o)
	}
	r := s.clearer.Clear(dispatch.Problem{Tree: w.tree, Caps: s.caps, Offers: offers})
	left := make([]int, len(s.crews))
	for k := range left {
		left[k] = kept[k] + int(r.Awards[len(w.tenants)+k].Power/s.crews[k].g.net())
	}
	return left
}

func (s *sim) tenantOffer(i, k int) site.Offer {
	t := &s.w.tenants[k]
	return dispatch.TenantOffer(t.id, t.node, t.kept(t.draw(s.w.at(i))), t.penalty)
}

// mayBind says whether any limit of the run could ever hold anybody back.
func (w *World) mayBind() bool {
	at := make([]unit.Power, w.tree.Len())
	for _, g := range w.groups {
		at[g.node] += unit.Power(g.count) * g.power
	}
	for _, t := range w.tenants {
		at[t.node] += max(t.firm, t.firm.Scale(max(t.high, t.low)))
	}
	w.tree.Lift(at)
	over := func(n int, limit unit.Power) bool { return limit >= 0 && at[n] > w.keepFree(limit) }
	for n, limit := range w.caps {
		if over(n, limit) {
			return true
		}
	}
	for _, l := range w.limits {
		if n, ok := w.tree.Index(l.Node); ok && over(n, l.Power) {
			return true
		}
	}
	return false
}

// always runs everything.
type always struct{}

func (always) decide(_ int, s *sim, wanted []int) {
	for k := range wanted {
		wanted[k] = s.crews[k].g.count
	}
}

// threshold runs while the last known price at the group's terminals is at most a fixed one.
type threshold struct{ most []unit.Price }

func (t threshold) decide(i int, s *sim, wanted []int) { s.byPrice(i, t.most, wanted) }

// lastPrice runs while the last known price is at most what hashing earns today.
type lastPrice struct{ most []unit.Price }

func (t lastPrice) decide(i int, s *sim, wanted []int) {
	for k := range t.most {
		t.most[k] = s.crews[k].g.breakeven(s.w.hash[i])
	}
	s.byPrice(i, t.most, wanted)
}

// byPrice runs the groups for which the last known price, losses included, is at most their own.
func (s *sim) byPrice(i int, most []unit.Price, wanted []int) {
	last := s.last(i)
	for k := range wanted {
		g := s.crews[k].g
		wanted[k] = g.count
		if last >= 0 && float64(s.w.price[last])*g.factor > float64(most[k]) {
			wanted[k] = 0
		}
	}
}

// follow does what was laid down beforehand, by group and interval.
type follow struct{ on [][]bool }

func (f follow) decide(i int, s *sim, wanted []int) {
	for k := range wanted {
		wanted[k] = 0
		if f.on[k][i] {
			wanted[k] = s.crews[k].g.count
		}
	}
}

const day = 24 * time.Hour
