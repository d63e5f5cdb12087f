package dispatch

import (
	"cmp"
	"math"
	"slices"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Machine is one miner of a group that is free to follow an award.
type Machine struct {
	// Power is what it draws awake, Standby asleep: a clearing decides on the difference.
	Power, Standby unit.Power
	// Hashrate is what it does awake. Of a machine that is starting, give the nameplate's.
	Hashrate unit.Hashrate
	// Running says that it is awake, or told to be.
	Running bool
	// Count is how many alike machines Power, Standby and Hashrate are the sum of; zero is one.
	Count int
}

// MiningTerms is what a MWh is worth to a group.
type MiningTerms struct {
	Hashprice unit.Hashprice
	Fee       unit.Ratio // of the pool
	// SwitchCost is what one stop and start costs a machine: lost hashing and wear.
	SwitchCost unit.Money
	// MinRun is how long a machine stays awake at the least; the switch cost is spread over
	// it, or over an hour where it is zero.
	MinRun time.Duration
	// Guide, where a schedule gives it, says what the hours ahead add, in place of SwitchCost.
	Guide *Guide
	// Fixed is what the group draws whatever it is awarded, standby of all machines included.
	Fixed unit.Power
}

// Guide is what a schedule says of a group for the coming interval, $/MWh beyond what the
// machines earn in it: Keep is added to the value of running machines, Take to that of
// resting ones. Keep is what it saves not to stop; Take, mostly negative, what a start costs.
type Guide struct {
	Keep, Take unit.Price
}

// maxBuckets is how many blocks the running and the resting machines of a group may make, each.
const maxBuckets = 8

// MiningOffer makes a group's offer from its machines: at most sixteen blocks of power above
// standby, best value first. Machines of like efficiency share a block (within half a per
// cent, or as much more as the bound on blocks needs), at the value of them all together.
//
// Stopping and starting has a price, so the offer has hysteresis. Half of the switch cost,
// spread over the minimum run, is added to the value of running machines and half is taken
// off that of resting ones, unless a schedule's Guide says better: a machine stops only when the price is so far above its value
// that one minimum run of rest earns its half, and starts likewise, so that a whole cycle
// pays the whole cost.
func MiningOffer(load site.LoadID, node int, machines []Machine, t MiningTerms) site.Offer {
	o := site.Offer{Load: load, Node: node, Class: site.Flexible, Fixed: max(t.Fixed, 0), Guided: t.Guide != nil}
	var groups [2][]machine
	for _, m := range machines {
		net := m.Power - max(m.Standby, 0)
		if net <= 0 {
			continue
		}
		k := 1
		if m.Running {
			k = 0
		}
		work := max(m.Hashrate, 0)
		eff := math.Inf(1)
		if work > 0 {
			eff = float64(unit.EfficiencyOf(net, work))
		}
		groups[k] = append(groups[k], machine{net, work, eff, max(m.Count, 1)})
	}
	o.Blocks = append(bucket(groups[0], t, 1), bucket(groups[1], t, -1)...)
	slices.SortStableFunc(o.Blocks, func(a, b site.Block) int { return cmp.Compare(b.Value, a.Value) })
	return o
}

type machine struct {
	net  unit.Power
	work unit.Hashrate
	eff  float64 // J/TH; +Inf where it does no work
	n    int
}

// bucket merges machines into blocks; sign is +1 for running machines and -1 for resting ones.
func bucket(ms []machine, t MiningTerms, sign int64) []site.Block {
	slices.SortFunc(ms, func(a, b machine) int { return cmp.Compare(a.eff, b.eff) })
	var out []site.Block
	for tolerance := 1.005; ; tolerance *= tolerance {
		out = out[:0]
		for from := 0; from < len(ms); {
			to := from + 1
			for to < len(ms) && ms[to].eff <= ms[from].eff*tolerance {
				to++
			}
			out = append(out, block(ms[from:to], t, sign))
			from = to
		}
		if len(out) <= maxBuckets || math.IsInf(tolerance, 1) {
			return out
		}
	}
}

func block(ms []machine, t MiningTerms, sign int64) site.Block {
	var net unit.Power
	var work unit.Hashrate
	n := 0
	for _, m := range ms {
		net += m.net
		work += m.work
		n += m.n
	}
	value := t.Hashprice.Value(unit.EfficiencyOf(net, work), t.Fee)
	if t.Guide != nil {
		if sign > 0 {
			return site.Block{Power: net, Value: value + t.Guide.Keep}
		}
		return site.Block{Power: net, Value: value + t.Guide.Take}
	}
	span := t.MinRun
	if span <= 0 {
		span = time.Hour
	}
	cost := float64(t.SwitchCost) / 2 * float64(n)
	if spent := net.Over(span); cost > 0 && spent > 0 {
		value += unit.Price(float64(sign) * math.Round(min(cost/spent.MegawattHours(), math.MaxInt64/4)))
	}
	return site.Block{Power: net, Value: value}
}

// TenantOffer makes a firm tenant's offer: one block of what is reserved for it now, valued
// at the penalty for not delivering it.
func TenantOffer(load site.LoadID, node int, reserve unit.Power, penalty unit.Price) site.Offer {
	o := site.Offer{Load: load, Node: node, Class: site.Firm}
	if reserve > 0 {
		o.Blocks = []site.Block{{Power: reserve, Value: penalty}}
	}
	return o
}
