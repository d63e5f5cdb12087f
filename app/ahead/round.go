package ahead

import (
	"time"

	"switchyard/app/grid"
	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/market/outlook"
	"switchyard/signal"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Into lets the plan's word into a round: what the coming hours add to each MWh, and the
// power above which a demand charge would grow, which is a cap on what is flexible alone. It
// says whether that cap is the connection's.
func (g *Guide) Into(r *dispatch.Round) (peaked bool) {
	if g == nil {
		return false
	}
	r.Adder = g.Adder
	if g.Peak < 0 {
		return false
	}
	least := make([]unit.Power, r.Tree.Len()) // what is not the market's to cut
	add := func(offers []site.Offer) {
		for _, o := range offers {
			least[o.Node] += o.Fixed
			for _, b := range o.Blocks {
				least[o.Node] += b.Power
			}
		}
	}
	add(r.Firm)
	add(r.House)
	add(r.Flexible) // jobs are worth more than any month's peak
	for _, x := range r.Groups {
		least[x.Node] += x.Terms.Fixed
	}
	r.Tree.Lift(least)
	peak := max(g.Peak, least[0])
	if r.Caps[0] >= 0 && peak >= r.Caps[0] {
		return false
	}
	r.Caps[0] = peak
	return true
}

// Sold is the capacity that is sold as reserve at now, by the site file and by signals: so
// much must run, of the loads that fast names for a product's response.
func Sold(f *sitefile.File, c signal.Combined, now time.Time, fast func(time.Duration) []site.LoadID) (out []dispatch.Held) {
	signals := grid.Sold(c, now)
	for i := range f.Reserves {
		p := &f.Reserves[i]
		h := dispatch.Held{Worth: p.Short, Loads: fast(p.Response)}
		for _, s := range p.Sold {
			if !now.Before(s.From) && (s.To.IsZero() || now.Before(s.To)) {
				h.Power += s.Power
			}
		}
		for k := range signals {
			if signals[k].Name == p.Name {
				h.Power += signals[k].Power
				signals[k].Power = 0
			}
		}
		if h.Power > 0 {
			out = append(out, h)
		}
	}
	for _, s := range signals {
		if s.Power > 0 {
			out = append(out, dispatch.Held{Power: s.Power, Worth: DefaultShort, Loads: fast(s.Within)})
		}
	}
	return out
}

// Machine is one machine of a group that is free to follow an award.
type Machine struct {
	Power    unit.Power // above standby
	Hashrate unit.Hashrate
	Running  bool
	For      time.Duration // as it is; negative: not known, and taken for long
}

// stateStep is how finely it is told how long machines have been as they are.
const stateStep = 2 * time.Minute

// Standing fills in how the machines of a group stand, all taken for alike, and returns what
// they draw in sum. How long they are as they are is told up to longest: beyond the longest
// of the group's least times it makes no difference.
func Standing(g outlook.Group, longest time.Duration, ms []Machine) (outlook.Group, unit.Power) {
	var power unit.Power
	var hash unit.Hashrate
	count := map[schedule.State]int{}
	var order []schedule.State
	for _, m := range ms {
		power, hash = power+m.Power, hash+m.Hashrate
		st := schedule.State{Level: -1, For: longest}
		if m.Running {
			st.Level = 0
		}
		if m.For >= 0 && m.For < longest {
			st.For = m.For.Truncate(stateStep)
		}
		if count[st] == 0 {
			order = append(order, st)
		}
		count[st]++
	}
	if g.Count = len(ms); g.Count > 0 {
		g.Levels = []outlook.Level{{Power: power / unit.Power(g.Count), Hashrate: hash / unit.Hashrate(g.Count)}}
	}
	for _, st := range order {
		st.Count = count[st]
		g.Now = append(g.Now, st)
	}
	return g, power
}
