package venture

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/world"
	"switchyard/unit"
)

// ledger is a lease told in another way: somebody walks from month to month, remembers who is in the
// hall and until when, and keeps two accounts. It reads the file, not what New makes of it.
type ledger struct {
	f *input.File
	l *input.Lease
	p *world.Path

	mw, cost float64
	operates int

	tenant, failed bool
	until          int // the month of the term in which what is now ends
	empty          bool
	taken          int  // extensions
	fits           bool // the hall is fitted out for another
	capex, ahead   float64
}

// survival is the share of tenants that are still there after k months.
func (g *ledger) survival(k int) float64 {
	s := 1.0
	for y := 0; 12*y < k && len(g.l.Default) > 0; y++ {
		h := float64(g.l.Default[min(y, len(g.l.Default)-1)])
		s *= math.Pow(1-h, math.Min(float64(k-12*y), 12)/12)
	}
	return s
}

// turn moves on to month k of the term.
func (g *ledger) turn(k int) {
	relet := int(g.l.Relet.Is)
	if g.tenant {
		gone := 1 - g.survival(k+1)
		fails := g.p.Fixed && gone >= 0.5-1e-9 || !g.p.Fixed && gone > g.p.Failure[0]
		if g.p.FailsAt > 0 {
			fails = g.p.FailsAt == k+1
		}
		if k == g.until && g.taken < len(g.l.Extensions) && g.stays() {
			g.until += int(g.l.Extensions[g.taken].Term)
			g.taken++
			g.turn(k)
			return
		}
		switch {
		case k == g.until:
			g.tenant, g.empty, g.until = false, true, k+relet
		case fails:
			g.tenant, g.failed, g.empty, g.until = false, true, true, k+relet
		default:
			return
		}
	}
	switch {
	case g.empty && k == g.until: // somebody comes, to a hall that was fitted out
		g.empty, g.fits, g.until = false, true, k+int(g.l.ReletTerm.Is)
	case !g.empty && !g.tenant && k == g.until:
		g.empty, g.until = true, k+relet
		g.turn(k)
	}
}

// stays says whether the tenant takes its next extension.
func (g *ledger) stays() bool {
	chance := 1.0
	for _, e := range g.l.Extensions[:g.taken+1] {
		chance *= float64(e.Chance)
	}
	if g.p.Fixed {
		return chance >= 0.5
	}
	return g.p.Extend[0] < chance
}

// walk fills what the lease brings and costs.
func (g *ledger) walk(v *flow.Flows) {
	l := g.l
	share := float64(l.TenantCapex.Is)
	full := g.mw * 1000 * l.Rate.Is.DollarsPerKWMonth() * g.p.RentFactor
	g.tenant, g.until = true, int(l.Term.Is)
	for t := range v.Months {
		k := t - g.operates
		if k >= 0 {
			g.turn(k)
		}
		if g.fits {
			inflated := math.Pow(1+float64(g.f.Inflation.Is), float64(t/12))
			v.Line[flow.Building][t] -= g.mw * float64(l.ReletCapex.Is) * inflated * g.p.CapexFactor
			g.fits = false
		}
		if g.tenant { // interest on the tenant's account, then its payment
			interest := g.capex * float64(l.Interest.Is) / 12
			paid := -share * v.Line[flow.Building][t]
			g.capex += interest + paid
			v.Line[flow.TenantCost][t] = -interest
			v.Line[flow.TenantPut][t] = interest + paid
		}
		if k < 0 {
			continue
		}
		occupied, pays := 1.0, 1.0
		switch {
		case g.tenant && k < len(l.Ramp):
			occupied, pays = float64(l.Ramp[k]), float64(l.Ramp[k])
		case g.empty:
			occupied, pays = 0, 0
		case !g.tenant:
			pays = float64(l.ReletRate.Is)
		}
		rent := full * math.Pow(1+float64(l.Escalator.Is), float64(k/12)) * pays
		v.Line[flow.Rent][t] = rent
		v.Line[flow.Service][t] = -rent * float64(l.SLA.Is)
		if g.tenant {
			if k == 0 {
				g.ahead = full * float64(l.Prepaid.Is)
				v.Line[flow.Prepaid][t] = g.ahead
			}
			room := rent * float64(l.CreditCap.Is)
			a := math.Min(room, g.capex)
			b := math.Min(room-a, g.ahead)
			g.capex, g.ahead = g.capex-a, g.ahead-b
			v.Line[flow.TenantPut][t] -= a
			v.Line[flow.Prepaid][t] -= b
		}
		g.costs(t, occupied, v)
	}
}

func (g *ledger) costs(t int, occupied float64, v *flow.Flows) {
	l, tariff := g.l, &g.f.Power
	pue := g.f.Site.PUE.Is
	drawn := g.mw * occupied * float64(l.Load.Is) * pue
	hours := (g.f.Start + figure.Month(t)).Hours()
	power := 40*g.p.Level[t] + 10
	inflated := math.Pow(1+float64(g.f.Inflation.Is), float64(t/12))
	v.Line[flow.Energy][t] = -drawn * hours * power
	v.Line[flow.Demand][t] = -drawn * 1000 * (tariff.Demand.Is.DollarsPerKWMonth() + float64(tariff.Coincident.Is)/12)
	v.Line[flow.Upkeep][t] = -g.mw * 1000 * l.Upkeep.Is.DollarsPerKWMonth() * inflated
	v.Line[flow.Property][t] = -g.cost * float64(l.Property.Is) / 12 * inflated
	if occupied > 0 && l.Kind != "gross" {
		v.Line[flow.Passed][t] = -v.Line[flow.Energy][t] - v.Line[flow.Demand][t]
	}
	if occupied > 0 && l.Kind == "net" {
		v.Line[flow.Passed][t] -= v.Line[flow.Upkeep][t] + v.Line[flow.Property][t]
	}
}

// anyLease draws one, and a path with it.
func anyLease(t *rapid.T) (*input.File, *world.Path) {
	share := func(name string, most float64) float64 { return rapid.Float64Range(0, most).Draw(t, name) }
	n := func(name string, least, most int) int { return rapid.IntRange(least, most).Draw(t, name) }
	f := study()
	f.Inflation = pct(share("inflation", 5))
	f.Power.Demand, f.Power.Coincident = kw(share("demand", 10)), usd(share("coincident", 100))
	f.Halls[0].Build.P50 = figure.Months(n("build", 0, 30))
	l := input.Lease{
		ID: "core42", Kind: rapid.SampledFrom([]string{"gross", "modified", "net"}).Draw(t, "kind"),
		Rate: kw(share("rate", 300)), Escalator: pct(share("escalator", 5)), Term: months(n("term", 1, 140)),
		Prepaid: months(n("prepaid", 0, 24)), CreditCap: pct(share("cap", 100)), TenantCapex: pct(share("tenant", 100)),
		Interest: pct(share("interest", 12)), Upkeep: kw(share("upkeep", 20)), Property: pct(share("property", 3)),
		SLA: pct(share("sla", 5)), Load: pct(share("load", 100)), Relet: months(n("relet", 0, 24)), ReletRate: pct(share("relet rate", 120)),
		ReletTerm: months(n("relet term", 1, 60)), ReletCapex: of(figure.PerMW(share("relet capex", 3e6))),
	}
	for range n("extensions", 0, 3) {
		l.Extensions = append(l.Extensions, input.Extension{Term: figure.Months(n("more", 1, 60)), Chance: unit.Ratio(share("chance", 1))})
	}
	for range n("ramp", 0, 6) {
		l.Ramp = append(l.Ramp, unit.Ratio(share("ramp share", 1)))
	}
	for range n("hazards", 0, 4) {
		l.Default = append(l.Default, unit.Ratio(float64(n("hazard", 0, 30))/100))
	}
	f.Leases = []input.Lease{l}
	p := calm(f)
	p.Fixed = rapid.Bool().Draw(t, "fixed")
	// No number falls on a chance: there both ways to sum may differ.
	p.Failure[0], p.Extend[0] = (float64(n("u", 0, 999))+0.37)/1013, (float64(n("v", 0, 999))+0.37)/1013
	if rapid.Bool().Draw(t, "told") {
		p.FailsAt = n("fails at", 0, 150)
	}
	p.RentFactor, p.CapexFactor = 0.5+share("rents", 1), 0.5+share("costs", 1)
	for k := range p.Level {
		p.Level[k] = 0.5 + share("level", 1)
	}
	return f, p
}

func TestAnyLeaseAsWalked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, p := anyLease(t)
		begin := rapid.IntRange(0, 130).Draw(t, "begin")
		s, err := New(f)
		if err != nil {
			t.Fatal(err)
		}
		before, got, want := flow.New(144), flow.New(144), flow.New(144)
		s.Plan(hosting, 0, begin, p, mined(f), before, got)
		bare := *f // what building costs, without what is fitted out later
		bare.Leases = slices.Clone(f.Leases)
		bare.Leases[0].ReletCapex = nil
		other, err := New(&bare)
		if err != nil {
			t.Fatal(err)
		}
		other.Plan(hosting, 0, begin, p, mined(f), before, want)
		building := slices.Clone(want.Line[flow.Building])
		want.Clear()
		copy(want.Line[flow.Building], building)
		g := &ledger{f: f, l: &f.Leases[0], p: p, mw: 60, cost: 420e6 * p.CapexFactor, operates: begin + int(f.Halls[0].Build.P50)}
		g.walk(want)
		for l := range flow.Lines {
			for m := range 144 {
				a, b := got.Line[l][m], want.Line[l][m]
				if math.Abs(a-b) > 1e-9*math.Max(1e6, math.Abs(b)) || math.IsNaN(a) {
					t.Fatalf("%s of month %d is %g, and %g as walked", l.Key(), m, a, b)
				}
			}
		}
		if (got.Failed >= 0) != g.failed {
			t.Fatalf("failed in %d, and %v as walked", got.Failed, g.failed)
		}
	})
}
