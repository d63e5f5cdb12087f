//go:build cgo && (linux || darwin) && (amd64 || arm64)

package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bartolsthoorn/gohighs/highs"

	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/planner"
	"switchyard/site"
	"switchyard/unit"
)

// yard is a made-up site to be scheduled: halls of mining groups beside a tenant, caps that
// bind for a part of the day, a demand charge, and reserves, some of them sold already.
type yard struct {
	tree   *site.Tree
	groups int
	halls  int
	rng    *rand.Rand
	made   []schedule.Class
	bare   bool // energy and caps only
}

func newYard(tb testing.TB, groups int, bare bool) *yard {
	tb.Helper()
	y := &yard{groups: groups, halls: max(2, groups/8), rng: rand.New(rand.NewPCG(3, uint64(groups))), bare: bare}
	all := unit.Power(0)
	halls := make([]unit.Power, y.halls)
	for i := range groups {
		c := schedule.Class{
			Load: site.LoadID(fmt.Sprint("group-", i)), Node: 1 + i%y.halls, Count: 100 + y.rng.IntN(400),
			Wear: unit.Dollars(0.02 + 0.05*y.rng.Float64()), Ramp: 5 * time.Minute, MinRun: 15 * time.Minute, MinRest: 10 * time.Minute,
			Response: time.Duration(1+y.rng.IntN(3)) * time.Minute,
		}
		value := 45 + 50*y.rng.Float64()
		c.Levels = []schedule.Level{{Power: unit.Power(2800+y.rng.IntN(2500)) * unit.Watt, Value: unit.DollarsPerMWh(value)}}
		if i%3 == 0 {
			c.Levels = append(c.Levels, schedule.Level{Power: c.Levels[0].Power.Scale(0.65), Value: unit.DollarsPerMWh(value * 1.2)})
		}
		c.Now = []schedule.State{{Count: c.Count, Level: 0, For: 2 * time.Hour}}
		all += c.Levels[0].Power * unit.Power(c.Count)
		halls[c.Node-1] += c.Levels[0].Power * unit.Power(c.Count)
		y.made = append(y.made, c)
	}
	nodes := []site.Node{{ID: "connection", Parent: -1, Limit: (all + 10*unit.Megawatt).Scale(0.9), Inrush: all.Scale(0.2), InrushWindow: time.Minute}}
	for i, h := range halls {
		nodes = append(nodes, site.Node{ID: site.NodeID(fmt.Sprint("hall-", i)), Parent: 0, Limit: h.Scale(0.85 + 0.2*float64(i%2)), Loss: 0.01})
	}
	nodes = append(nodes, site.Node{ID: "ai", Parent: 0})
	tree, err := site.NewTree(nodes)
	if err != nil {
		tb.Fatal(err)
	}
	y.tree = tree
	return y
}

// at is the problem that begins at from. Prices have a day's shape and some noise, which is
// drawn anew for each problem, as forecasts are.
func (y *yard) at(from time.Time) schedule.Problem {
	p := schedule.Problem{Tree: y.tree, Steps: schedule.Horizon(from, 24*time.Hour), Classes: slices.Clone(y.made)}
	n := len(p.Steps)
	tenant := schedule.Firm{Load: "tenant", Node: y.halls + 1, Penalty: 5000 * unit.DollarPerMWh}
	for i := range p.Steps {
		s := &p.Steps[i]
		h := float64(s.Start.Hour()) + float64(s.Start.Minute())/60
		price := 48 + 18*math.Sin((h-10)/24*2*math.Pi) + 14*math.Exp(-(h-18)*(h-18)/3) + 3*y.rng.NormFloat64()
		s.Price = unit.DollarsPerMWh(price)
		if h >= 16 && h < 18 {
			s.Coincident = unit.DollarsPerMWh(25)
		}
		tenant.Draw = append(tenant.Draw, unit.Power(6000+y.rng.IntN(1500))*unit.Kilowatt)
		tenant.Reserve = append(tenant.Reserve, 9*unit.Megawatt)
	}
	if y.bare {
		return p
	}
	p.Firm = append(p.Firm, tenant)
	site := unit.Power(0)
	for _, c := range y.made {
		site += c.Levels[0].Power * unit.Power(c.Count)
	}
	p.Demand = append(p.Demand, schedule.Demand{Name: "month", Rate: unit.DollarsPerKWMonth(4), SoFar: site.Scale(0.8)})
	sold := make([]unit.Power, n)
	for i := range sold {
		sold[i] = site.Scale(0.1)
	}
	for i, r := range []schedule.Reserve{
		{Name: "spinning", Response: 2 * time.Minute, Most: site.Scale(0.3), Sold: sold, Call: 0.01},
		{Name: "non-spinning", Response: 10 * time.Minute, Most: site.Scale(0.2), Call: 0.02},
	} {
		r.Duration, r.Performance, r.Short = time.Hour, 1, 900*unit.DollarPerMWh
		for range n {
			r.Price = append(r.Price, unit.DollarsPerMWh(float64(6-3*i)+2*y.rng.Float64()))
		}
		p.Reserves = append(p.Reserves, r)
	}
	return p
}

// follow moves the machines on by what the plan has them do for its first steps.
func (y *yard) follow(p *schedule.Plan, steps int) {
	for i := range y.made {
		c := &y.made[i]
		running := 0
		for _, v := range p.Classes[i].Running[steps-1] {
			running += int(v + 0.5)
		}
		c.Now = []schedule.State{{Count: running, Level: 0, For: time.Hour}, {Count: c.Count - running, Level: -1, For: time.Hour}}
	}
}

// plainProgram is the baseline: the same site and steps as a linear program written down as
// the words say it, machines counted in parts, with a column for each flow, start and stop. It
// knows energy, caps, minimum runs and rests and the demand charge; no reserves, no contracts'
// rights, no work, no whole machine, and no prices for clearing come of it.
func plainProgram(p *schedule.Problem) *highs.Model {
	m := &highs.Model{}
	free := math.Inf(1)
	col := func(cost, low, high float64) int {
		m.ColCosts, m.ColLower, m.ColUpper = append(m.ColCosts, cost), append(m.ColLower, low), append(m.ColUpper, high)
		return len(m.ColCosts) - 1
	}
	n, nodes := len(p.Steps), p.Tree.Len()
	flow, below := make([][]int, n), make([][][]int, n) // by step and node: the flow, and what it feeds
	feeds := make([][][]float64, n)
	for t, s := range p.Steps {
		below[t], feeds[t] = make([][]int, nodes), make([][]float64, nodes)
		for i := range nodes {
			limit, cost := free, 0.0
			if l := p.Tree.Node(i).Limit; l > 0 {
				limit = l.Megawatts()
			}
			if i == 0 {
				cost = (s.Price + s.Coincident).DollarsPerMWh() * s.Length.Hours()
			}
			flow[t] = append(flow[t], col(cost, 0, limit))
			if up := p.Tree.Node(i).Parent; up >= 0 {
				below[t][up], feeds[t][up] = append(below[t][up], flow[t][i]), append(feeds[t][up], 1)
			}
		}
	}
	for _, c := range p.Classes {
		before, first := -1, float64(c.Count)
		var starts, stops []int
		for t, s := range p.Steps {
			hours := s.Length.Hours()
			on := col(0, 0, float64(c.Count))
			levels := []int{on}
			parts := []float64{-1}
			for _, l := range c.Levels {
				j := col(-l.Power.Megawatts()*l.Value.DollarsPerMWh()*hours, 0, free)
				levels, parts = append(levels, j), append(parts, 1)
				below[t][c.Node], feeds[t][c.Node] = append(below[t][c.Node], j), append(feeds[t][c.Node], l.Power.Megawatts())
			}
			m.AddSparseRow(0, levels, parts, 0)
			up := col(c.Wear.Dollars()+c.Ramp.Hours()*c.Levels[0].Power.Megawatts()*c.Levels[0].Value.DollarsPerMWh(), 0, free)
			down := col(0, 0, free)
			starts, stops = append(starts, up), append(stops, down)
			if before < 0 {
				m.AddSparseRow(first, []int{on, up, down}, []float64{1, -1, 1}, first)
			} else {
				m.AddSparseRow(0, []int{on, before, up, down}, []float64{1, -1, -1, 1}, 0)
			}
			window := func(cols []int, sign float64, d time.Duration) ([]int, []float64) {
				index, value := []int{on}, []float64{1}
				for u := t; u >= 0 && s.Start.Sub(p.Steps[u].Start) < d; u-- {
					index, value = append(index, cols[u]), append(value, sign)
				}
				return index, value
			}
			index, value := window(starts, -1, c.MinRun)
			m.AddSparseRow(0, index, value, free)
			index, value = window(stops, 1, c.MinRest)
			m.AddSparseRow(-free, index, value, float64(c.Count))
			before = on
		}
	}
	for t := range p.Steps {
		for i := range nodes {
			fixed := 0.0
			for _, f := range p.Firm {
				if f.Node == i {
					fixed += f.Draw[t].Megawatts()
				}
			}
			index, value := append(below[t][i], flow[t][i]), append(feeds[t][i], -(1-float64(p.Tree.Node(i).Loss)))
			m.AddSparseRow(-fixed, index, value, -fixed)
		}
	}
	for _, d := range p.Demand {
		peak := col(d.Rate.DollarsPerKWMonth()*1000, d.SoFar.Megawatts(), free)
		for t := range p.Steps {
			m.AddSparseRow(0, []int{peak, flow[t][0]}, []float64{1, -1}, free)
		}
	}
	return m
}

func benchSchedule(b *testing.B, groups int, bare bool, every time.Duration) {
	y := newYard(b, groups, bare)
	at := time.Date(2024, 7, 1, 6, 0, 0, 0, time.UTC)
	first := y.at(at)
	var cold, warm, naive []time.Duration
	gap, methods := 0.0, map[schedule.Method]int{}
	for b.Loop() {
		pl := planner.New()
		start := time.Now()
		p, err := pl.Plan(first)
		if err != nil {
			b.Fatal(err)
		}
		cold = append(cold, time.Since(start))
		start = time.Now()
		if s, err := plainProgram(&first).Solve(highs.WithOutput(false), highs.WithThreads(1)); err != nil || !s.IsOptimal() {
			b.Fatal("the plain program was not solved", err)
		}
		naive = append(naive, time.Since(start))
		for range 10 {
			y.follow(&p, max(1, int(every/(5*time.Minute))))
			at = at.Add(every)
			next := y.at(at)
			start = time.Now()
			if p, err = pl.Plan(next); err != nil {
				b.Fatal(err)
			}
			warm = append(warm, time.Since(start))
			gap = max(gap, p.Gap)
			methods[p.Method]++
			if p.Gap < 0 || p.Gap > 1e-3 {
				b.Fatalf("gap %v by %s: %q", p.Gap, p.Method, p.Notes)
			}
		}
		pl.Close()
	}
	ms := func(d []time.Duration) float64 {
		slices.Sort(d)
		return d[len(d)/2].Seconds() * 1e3
	}
	b.ReportMetric(ms(cold), "cold_ms")
	b.ReportMetric(ms(warm), "warm_ms")
	b.ReportMetric(ms(naive), "plain_lp_ms")
	b.ReportMetric(ms(cold)/ms(naive), "cold_ratio_x")
	b.ReportMetric(ms(warm)/ms(naive), "warm_ratio_x")
	b.ReportMetric(warm[len(warm)-1].Seconds()*1e3, "worst_warm_ms")
	b.ReportMetric(gap*100, "gap_%")
	b.ReportMetric(0, "ns/op")
	b.Log(methods, len(first.Steps), "steps")
}

// BenchmarkSchedule plans 60 groups over 288 five-minute intervals' horizon, every 5 minutes.
func BenchmarkSchedule(b *testing.B) { benchSchedule(b, 60, false, 5*time.Minute) }

// BenchmarkScheduleSmall plans 10 groups, every hour, as a backtest does: with all that
// couples them, and with energy and caps alone.
func BenchmarkScheduleSmall(b *testing.B) {
	b.Run("coupled", func(b *testing.B) { benchSchedule(b, 10, false, time.Hour) })
	b.Run("energy", func(b *testing.B) { benchSchedule(b, 10, true, time.Hour) })
}
