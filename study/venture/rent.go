package venture

import (
	"fmt"
	"slices"

	"switchyard/study/input"
	"switchyard/study/world"
	"switchyard/study/world/exact"
)

// lease is one compiled. Months are of the term, the first is 0.
type lease struct {
	rate      float64   // $ per MW of critical load and month
	step      []float64 // what the rate has grown to, by year
	term      int
	more      []extension
	ramp      []float64
	prepaid   float64 // months of the first year's full rent
	limit     float64 // share of a month's rent that credits may take
	tenant    float64 // its share of capex
	interest  float64 // a month, on what of it is not yet credited
	run       running
	sla       float64
	failed    []float64 // chance that the tenant has failed by the end of each month
	likely    int       // the month by whose end that is as likely as not: the expected case's
	relet     int
	reletRate float64
	reletTerm int
	refit     float64 // $ of Start per MW of critical load, for each tenant after the first
	warrants  float64
	exit      float64
	// What the tenant pays back: power, and all the rest.
	paysPower, paysAll bool
}

type extension struct {
	term   int
	chance float64 // that this one and all before it are taken
}

// running is what a hall costs once it operates.
type running struct {
	load     float64 // drawn of the critical load
	upkeep   float64 // $ of Start per MW of critical load and month
	property float64 // of the cost of building, a month
}

func (s *Site) leaseOf(in *input.Lease) (*lease, error) {
	if in.Rate == nil || is(in.Term, 0) < 1 {
		return nil, fmt.Errorf("lease %q has no rate or no term", in.ID)
	}
	l := &lease{
		rate: in.Rate.Is.DollarsPerKWMonth() * 1000, term: int(in.Term.Is), prepaid: float64(is(in.Prepaid, 0)),
		limit: float64(is(in.CreditCap, 0.5)), tenant: float64(is(in.TenantCapex, 0)), interest: float64(is(in.Interest, 0)) / 12,
		run: runningOf(in.Load, in.Upkeep, in.Property), sla: float64(is(in.SLA, 0)), relet: int(is(in.Relet, 0)),
		reletRate: float64(is(in.ReletRate, 0.8)), reletTerm: max(1, int(is(in.ReletTerm, never))), refit: float64(is(in.ReletCapex, 0)), warrants: float64(is(in.Warrants, 0)), exit: is(in.Exit, 0),
	}
	switch in.Kind {
	case "gross":
	case "modified":
		l.paysPower = true
	case "net":
		l.paysPower, l.paysAll = true, true
	default:
		return nil, fmt.Errorf("lease %q is of kind %q; write gross, modified or net", in.ID, in.Kind)
	}
	for _, share := range in.Ramp {
		l.ramp = append(l.ramp, float64(share))
	}
	chance := 1.0
	for _, e := range in.Extensions {
		chance *= float64(e.Chance)
		l.more = append(l.more, extension{int(e.Term), chance})
	}
	stays := 1.0
	for k := range s.months {
		if k%12 == 0 {
			l.step = append(l.step, exact.Pow(1+float64(is(in.Escalator, 0)), float64(k/12)))
		}
		if n := len(in.Default); n > 0 {
			stays = float64(stays * exact.Pow(1-float64(in.Default[min(k/12, n-1)]), 1.0/12))
		}
		l.failed = append(l.failed, 1-stays)
	}
	l.likely = never
	if i := slices.IndexFunc(l.failed, func(chance float64) bool { return chance >= input.Likely }); i >= 0 {
		l.likely = i
	}
	return l, nil
}

func runningOf(load input.Ratio, upkeep input.Rent, property input.Ratio) running {
	return running{
		load: float64(is(load, 0.8)), upkeep: is(upkeep, 0).DollarsPerKWMonth() * 1000, property: float64(is(property, 0)) / 12,
	}
}

// let is who holds a hall: the tenant until month leaves, and then others, each after the hall was empty.
type let struct {
	leaves int
	failed bool
}

// let is the lease's fate on a path.
func (l *lease) let(hall int, p *world.Path) let {
	fails := l.fails(hall, p)
	ends := l.term
	for _, e := range l.more {
		taken := p.Extend[hall] < e.chance
		if p.Fixed {
			taken = e.chance >= 0.5
		}
		// A tenant that fails in a term has no options in it any more.
		if fails < ends || !taken {
			break
		}
		ends += e.term
	}
	return let{leaves: min(fails, ends), failed: fails < ends}
}

// never is a month that no study reaches.
const never = 1 << 30

// fails is the month of the term in which the tenant fails, if it is still there: never where it does not.
func (l *lease) fails(hall int, p *world.Path) int {
	switch n := len(l.failed); {
	case p.FailsAt > 0:
		return p.FailsAt - 1
	case p.Fixed:
		return l.likely
	case n == 0 || l.failed[n-1] <= p.Failure[hall]:
		return never
	}
	low, high := 0, len(l.failed)-1 // the first whose chance is above the number
	for low < high {
		if mid := (low + high) / 2; l.failed[mid] > p.Failure[hall] {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// month is what share of the full rent month k of the term pays, what share of the critical load does
// (and draws).
func (l *lease) month(w *let, k int) (pays, holds float64) {
	switch {
	case k < w.leaves:
		if k < len(l.ramp) {
			return l.ramp[k], l.ramp[k]
		}
		return 1, 1
	case l.since(w, k) < l.relet:
		return 0, 0
	}
	return l.reletRate, 1
}

// since is for how long, in month k, the last tenant has been gone: one is looked for, and then stays for the term of
// re-letting.
func (l *lease) since(w *let, k int) int { return (k - w.leaves) % (l.relet + l.reletTerm) }

// fitsOut says that the hall is fitted out for another tenant, which comes in month k.
func (l *lease) fitsOut(w *let, k int) bool { return k >= w.leaves && l.since(w, k) == l.relet }
