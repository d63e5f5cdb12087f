package planner

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"switchyard/dispatch/schedule"
	"switchyard/site"
	"switchyard/unit"
)

const (
	kilowatt = unit.Kilowatt
	usd      = unit.DollarPerMWh
)

var monday = time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)

// dice draws random problems, alike for a seed.
type dice struct{ *rand.Rand }

func seeded(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 7))} }

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) between(low, high float64) float64 { return low + d.Float64()*(high-low) }

func (d dice) span(most int) time.Duration { return time.Duration(d.IntN(most+1)) * 5 * time.Minute }

// small draws a small site over a few steps, with each kind of coupling now and then.
func (d dice) small(t testing.TB) schedule.Problem {
	nodes := []site.Node{{ID: "connection", Parent: -1, Loss: unit.Ratio(d.IntN(2)) * 0.01}}
	for i := 1; i < 1+d.IntN(3); i++ {
		nodes = append(nodes, site.Node{ID: site.NodeID(fmt.Sprint("node-", i)), Parent: d.IntN(i), Loss: unit.Ratio(d.IntN(2)) * 0.02})
	}
	for i := range nodes {
		if d.chance(0.6) {
			nodes[i].Limit = unit.Power(5+d.IntN(60)) * kilowatt
		}
		if d.chance(0.2) {
			nodes[i].Inrush, nodes[i].InrushWindow = unit.Power(4+d.IntN(8))*kilowatt, time.Duration(1+d.IntN(3))*4*time.Minute
		}
	}
	tree, err := site.NewTree(nodes)
	if err != nil {
		t.Fatal(err)
	}
	p := schedule.Problem{Tree: tree, Gap: 1e-9, Whole: -1}
	at := monday
	steps := 3 + d.IntN(6)
	for i := range steps {
		length := []time.Duration{5 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}[min(3, i*4/steps)]
		s := schedule.Step{Start: at, Length: length, Price: unit.DollarsPerMWh(d.between(-40, 160))}
		if d.chance(0.2) {
			s.Coincident = unit.DollarsPerMWh(d.between(0, 300))
		}
		if d.chance(0.2) {
			s.Block, s.SellBack = unit.Power(d.IntN(40))*kilowatt, unit.Price(d.IntN(20))*usd
		}
		if d.chance(0.2) {
			s.Caps = []unit.Power{unit.Power(d.IntN(60)-5) * kilowatt}
		}
		p.Steps = append(p.Steps, s)
		at = at.Add(length)
	}
	for i := range 1 + d.IntN(3) {
		p.Classes = append(p.Classes, d.class(i, len(nodes)))
	}
	d.targets(&p, len(nodes))
	return p
}

func (d dice) class(i, nodes int) schedule.Class {
	c := schedule.Class{
		Load: site.LoadID(fmt.Sprint("class-", i)), Node: d.IntN(nodes), Count: 1 + d.IntN(4),
		Wear: unit.Dollars(d.between(0, 0.3)), Ramp: d.span(3), MinRun: d.span(5), MinRest: d.span(5),
		Response: time.Duration(d.IntN(3)) * time.Minute,
	}
	if d.chance(0.2) {
		c.Wear, c.Ramp = 0, 0
	}
	for range 1 + d.IntN(2) {
		c.Levels = append(c.Levels, schedule.Level{Power: unit.Power(2000+d.IntN(4000)) * unit.Watt, Value: unit.DollarsPerMWh(d.between(20, 140))})
	}
	for left := c.Count; left > 0 && d.chance(0.8); {
		n := 1 + d.IntN(left)
		c.Now = append(c.Now, schedule.State{Count: n, Level: d.IntN(len(c.Levels)+1) - 1, For: d.span(5)})
		left -= n
	}
	return c
}

func (d dice) powers(n, most int) []unit.Power {
	out := make([]unit.Power, n)
	for i := range out {
		out[i] = unit.Power(d.IntN(most+1)) * kilowatt
	}
	return out
}

// targets adds contracts, work, reserves, charges and a minimum.
func (d dice) targets(p *schedule.Problem, nodes int) {
	n := len(p.Steps)
	if d.chance(0.4) {
		f := schedule.Firm{Load: "tenant", Node: d.IntN(nodes), Draw: d.powers(n, 15), Penalty: unit.DollarsPerMWh(d.between(0, 9000))}
		f.Reserve = d.powers(n, 25)
		if d.chance(0.6) {
			f.Curtail = schedule.Curtail{
				Power: unit.Power(1+d.IntN(12)) * kilowatt, Left: d.span(24), Notice: d.span(4),
				Price: unit.DollarsPerMWh(d.between(0, 60)), Worth: unit.DollarsPerMWh(d.between(0, 30)),
			}
			if d.chance(0.3) {
				f.Curtail.Called = d.powers(n, 14)
			}
		}
		p.Firm = append(p.Firm, f)
	}
	if d.chance(0.4) {
		w := schedule.Work{
			Load: "batch", Node: d.IntN(nodes), Energy: unit.Energy(1+d.IntN(20)) * unit.KilowattHour, Power: unit.Power(2+d.IntN(12)) * kilowatt,
			Value: unit.DollarsPerMWh(d.between(0, 150)), Late: unit.DollarsPerMWh(d.between(0, 500)), Slow: unit.DollarsPerMWh(d.between(0, 20)),
		}
		if d.chance(0.5) {
			w.From, w.By = monday.Add(d.span(6)), monday.Add(d.span(30)+30*time.Minute)
		}
		p.Work = append(p.Work, w)
	}
	for i := range d.IntN(3) {
		r := schedule.Reserve{
			Name: fmt.Sprint("product-", i), Response: time.Duration(d.IntN(3)) * time.Minute, Duration: time.Hour,
			Performance: 0.9, Call: unit.Ratio(d.between(0, 0.1)), Short: unit.DollarsPerMWh(d.between(0, 900)),
		}
		for range n {
			r.Price = append(r.Price, unit.DollarsPerMWh(d.between(0, 40)))
		}
		if d.chance(0.5) {
			r.Most = unit.Power(1+d.IntN(20)) * kilowatt
		}
		if d.chance(0.5) {
			r.Sold = d.powers(n, 15)
		}
		p.Reserves = append(p.Reserves, r)
	}
	if d.chance(0.3) {
		c := schedule.Demand{Name: "peak", Rate: unit.DollarsPerKWMonth(d.between(0, 0.05)), SoFar: unit.Power(d.IntN(20)) * kilowatt}
		for range n {
			c.Counts = append(c.Counts, d.chance(0.7))
		}
		p.Demand = append(p.Demand, c)
	}
	if d.chance(0.2) {
		p.Minimum, p.MinimumPenalty = unit.Power(d.IntN(30))*kilowatt, unit.DollarsPerMWh(d.between(0, 200))
	}
}

// halls draws a site with hundreds of machines in each class, over a day.
func (d dice) halls(t testing.TB) schedule.Problem {
	classes := 2 + d.IntN(5)
	var p schedule.Problem
	nodes := 1 + d.IntN(3)
	below := make([]unit.Power, nodes+1)
	for i := range classes {
		c := d.class(i, nodes)
		c.Node, c.Count = 1+d.IntN(nodes), 50+d.IntN(250)
		c.Levels, c.Now = c.Levels[:1], nil
		c.Ramp, c.Wear = time.Duration(d.IntN(8))*time.Minute, unit.Dollars(d.between(0, 0.1))
		running := d.IntN(c.Count + 1)
		c.Now = append(c.Now, schedule.State{Count: running, For: d.span(5)}, schedule.State{Count: c.Count - running, Level: -1, For: d.span(5)})
		below[0] += c.Levels[0].Power * unit.Power(c.Count)
		below[c.Node] += c.Levels[0].Power * unit.Power(c.Count)
		p.Classes = append(p.Classes, c)
	}
	list := []site.Node{{ID: "connection", Parent: -1}}
	for i := range nodes {
		list = append(list, site.Node{ID: site.NodeID(fmt.Sprint("hall-", i)), Parent: 0, Loss: unit.Ratio(d.IntN(2)) * 0.01})
	}
	for i := range list {
		if d.chance(0.5) {
			list[i].Limit = below[i].Scale(d.between(0.4, 1.2))
		}
	}
	tree, err := site.NewTree(list)
	if err != nil {
		t.Fatal(err)
	}
	p.Tree, p.Steps = tree, schedule.Horizon(monday.Add(d.span(12)), 24*time.Hour)
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Price = unit.DollarsPerMWh(d.between(20, 90))
		if d.chance(0.1) {
			s.Coincident = unit.DollarsPerMWh(d.between(0, 200))
		}
	}
	if d.chance(0.3) {
		p.Demand = append(p.Demand, schedule.Demand{Name: "month", Rate: unit.DollarsPerKWMonth(d.between(0.5, 8)), SoFar: below[0].Scale(d.between(0, 0.8))})
	}
	if d.chance(0.3) {
		p.Minimum, p.MinimumPenalty = below[0].Scale(d.between(0, 0.3)), unit.DollarsPerMWh(d.between(0, 100))
	}
	if d.chance(0.3) {
		r := schedule.Reserve{Name: "spinning", Response: 2 * time.Minute, Most: below[0].Scale(d.between(0.1, 0.5)), Performance: 1, Call: 0.01}
		for range p.Steps {
			r.Price = append(r.Price, unit.DollarsPerMWh(d.between(0, 20)))
		}
		p.Reserves = append(p.Reserves, r)
	}
	return p
}
