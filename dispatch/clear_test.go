package dispatch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/unit"
)

const (
	kW  = unit.Kilowatt
	usd = unit.DollarPerMWh
)

func tree(t testing.TB, nodes ...site.Node) *site.Tree {
	t.Helper()
	tr, err := site.NewTree(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func halls(t testing.TB) *site.Tree {
	return tree(t,
		site.Node{ID: "connection", Parent: -1, Limit: 3000 * kW},
		site.Node{ID: "hall-a", Parent: 0, Limit: 1500 * kW},
		site.Node{ID: "hall-b", Parent: 0})
}

func flexible(load site.LoadID, node int, blocks ...site.Block) site.Offer {
	return site.Offer{Load: load, Node: node, Class: site.Flexible, Blocks: blocks}
}

type reasonCase struct {
	name    string
	price   unit.Price
	unknown bool
	offers  []site.Offer
	want    []site.Award
}

func TestClearReasons(t *testing.T) {
	for _, c := range reasonCases() {
		t.Run(c.name, func(t *testing.T) {
			got := Clear(Problem{Tree: halls(t), Price: c.price, PriceKnown: !c.unknown, Offers: c.offers})
			if d := cmp.Diff(c.want, got.Awards); d != "" {
				t.Error(d)
			}
		})
	}
}

func reasonCases() []reasonCase {
	firm := site.Offer{Load: "ai", Node: 2, Class: site.Firm, Blocks: []site.Block{{Power: 1800 * kW, Value: 5000 * usd}}}
	return []reasonCase{
		{"worth it", 45 * usd, false, []site.Offer{flexible("s21", 1, site.Block{Power: 900 * kW, Value: 61_200_000})}, []site.Award{{
			Load: "s21", Power: 900 * kW, Full: 900 * kW,
			Reason: site.Reason{Code: site.ReasonValue, Text: "worth 61.20 $/MWh, above the price of 45.00"},
		}}},
		{"worth exactly the price", 45 * usd, false, []site.Offer{flexible("s21", 1, site.Block{Power: 1 * kW, Value: 45 * usd})}, []site.Award{{
			Load: "s21", Power: 1 * kW, Full: 1 * kW,
			Reason: site.Reason{Code: site.ReasonValue, Text: "worth 45.00 $/MWh, at the price of 45.00"},
		}}},
		{"too dear", 45 * usd, false, []site.Offer{flexible("s21", 1, site.Block{Power: 900 * kW, Value: 44 * usd})}, []site.Award{{
			Load: "s21", Full: 900 * kW,
			Reason: site.Reason{Code: site.ReasonPrice, Text: "worth 44.00 $/MWh, below the price of 45.00"},
		}}},
		{"a negative price", -5 * usd, false, []site.Offer{flexible("s21", 1, site.Block{Power: 900 * kW, Value: -4 * usd})}, []site.Award{{
			Load: "s21", Power: 900 * kW, Full: 900 * kW,
			Reason: site.Reason{Code: site.ReasonValue, Text: "worth -4.00 $/MWh, above the price of -5.00"},
		}}},
		{"partly dear", 45 * usd, false, []site.Offer{flexible("s21", 1, site.Block{Power: 600 * kW, Value: 50 * usd}, site.Block{Power: 300 * kW, Value: 41 * usd})}, []site.Award{{
			Load: "s21", Power: 600 * kW, Full: 900 * kW,
			Reason: site.Reason{Code: site.ReasonPrice, Text: "600 kW of 900 kW is worth the price of 45.00 $/MWh; the best left out is worth 41.00"},
		}}},
		{"limit binds, firm first", 45 * usd, false, []site.Offer{
			flexible("s21", 1, site.Block{Power: 1290 * kW, Value: 62 * usd}),
			flexible("m60", 1, site.Block{Power: 900 * kW, Value: 61 * usd}), firm,
		}, []site.Award{
			{Load: "s21", Power: 1200 * kW, Full: 1290 * kW, Urgent: true, Reason: site.Reason{
				Code: site.ReasonLimit, Node: "connection", Text: "connection's limit of 3 MW binds: 1.2 MW of 1.29 MW given",
			}},
			{Load: "m60", Full: 900 * kW, Urgent: true, Reason: site.Reason{
				Code: site.ReasonLimit, Node: "connection", Text: "connection's limit of 3 MW binds: 0 W of 900 kW given",
			}},
			{Load: "ai", Power: 1800 * kW, Full: 1800 * kW, Reason: site.Reason{Code: site.ReasonFirm, Text: "contracted: 1.8 MW reserved"}},
		}},
		{"the hall binds", 45 * usd, false, []site.Offer{
			flexible("s21", 1, site.Block{Power: 1290 * kW, Value: 62 * usd}),
			flexible("m60", 1, site.Block{Power: 900 * kW, Value: 61 * usd}, site.Block{Power: 100 * kW, Value: 40 * usd}),
		}, []site.Award{
			{Load: "s21", Power: 1290 * kW, Full: 1290 * kW, Reason: site.Reason{Code: site.ReasonValue, Text: "worth 62.00 $/MWh, above the price of 45.00"}},
			{Load: "m60", Power: 210 * kW, Full: 1000 * kW, Urgent: true, Reason: site.Reason{
				Code: site.ReasonLimit, Node: "hall-a",
				Text: "hall-a's limit of 1.5 MW binds: 210 kW of 900 kW given; 100 kW more is not worth the price",
			}},
		}},
		{"no price", 0, true, []site.Offer{flexible("s21", 1, site.Block{Power: 900 * kW, Value: -1}), flexible("none", 1), flexible("stray", 9, site.Block{Power: 1})}, []site.Award{
			{Load: "s21", Power: 900 * kW, Full: 900 * kW, Reason: site.Reason{Code: site.ReasonLost, Text: "the price is not known: judged by the limits alone"}},
			{Load: "none", Reason: site.Reason{Code: site.ReasonValue, Text: "asks for nothing"}},
			{Load: "stray", Full: 1, Urgent: true, Reason: site.Reason{Code: site.ReasonLimit, Text: "its node (index 9) is not in the tree"}},
		}},
	}
}

func TestClearShadows(t *testing.T) {
	p := Problem{Tree: halls(t), Price: 45 * usd, PriceKnown: true, Caps: []unit.Power{2000 * kW, 1500 * kW, -1}, Offers: []site.Offer{
		{Load: "a", Node: 1, Class: site.Flexible, Fixed: 100 * kW, Blocks: []site.Block{{Power: 2000 * kW, Value: 70 * usd}}},
		flexible("b", 2, site.Block{Power: 2000 * kW, Value: 60 * usd}),
	}}
	got := Clear(p)
	want := []NodeResult{
		{Used: 2000 * kW, Cap: 2000 * kW, Shadow: 15 * usd, Binding: true},
		{Used: 1500 * kW, Cap: 1500 * kW, Shadow: 10 * usd, Binding: true},
		{Used: 500 * kW, Cap: -1},
	}
	if d := cmp.Diff(want, got.Nodes); d != "" {
		t.Error(d)
	}
	if got.Marginal != 60*usd {
		t.Errorf("marginal %v, want 60 $/MWh", got.Marginal)
	}
	blocks := []AwardedBlock{
		{Load: "a", Class: site.Flexible, Fixed: true, Power: 100 * kW, Award: 100 * kW, Code: site.ReasonFirm},
		{Load: "a", Class: site.Flexible, Power: 2000 * kW, Award: 1400 * kW, Value: 70 * usd, Code: site.ReasonLimit},
		{Load: "b", Class: site.Flexible, Power: 2000 * kW, Award: 500 * kW, Value: 60 * usd, Code: site.ReasonLimit},
	}
	if d := cmp.Diff(blocks, got.Blocks); d != "" {
		t.Error(d)
	}
}

func TestClearExcess(t *testing.T) {
	p := Problem{Tree: halls(t), Price: -100 * usd, PriceKnown: true, Caps: []unit.Power{0, -1, -1}, Offers: []site.Offer{
		{Load: "a", Node: 1, Class: site.Flexible, Fixed: 7 * kW, Blocks: []site.Block{{Power: 20 * kW, Value: 70 * usd}}},
	}}
	got := Clear(p)
	if got.Nodes[0].Excess != 7*kW || got.Awards[0].Power != 0 || got.Nodes[0].Used != 7*kW || got.Nodes[1].Excess != 0 {
		t.Errorf("got %+v, award %v", got.Nodes, got.Awards[0].Power)
	}
}

// problem draws a small random site whose every figure is a few milliwatts, so that the
// optimum can be found by trying all awards.
func problem(lossy bool) *rapid.Generator[Problem] {
	return rapid.Custom(func(t *rapid.T) Problem {
		n := rapid.IntRange(1, 5).Draw(t, "nodes")
		nodes := make([]site.Node, n)
		caps := make([]unit.Power, n)
		scale := unit.Power(1)
		if lossy {
			scale = unit.Megawatt
		}
		for i := range nodes {
			nodes[i] = site.Node{ID: site.NodeID(fmt.Sprint("n", i)), Parent: -1}
			if i > 0 {
				nodes[i].Parent = rapid.IntRange(0, i-1).Draw(t, "parent")
			}
			if lossy {
				nodes[i].Loss = unit.Ratio(rapid.IntRange(0, 30).Draw(t, "loss%")) / 100
			}
			caps[i] = unit.Power(rapid.IntRange(-1, 9).Draw(t, "cap"))
			if caps[i] > 0 {
				caps[i] *= scale
			}
		}
		tr, err := site.NewTree(nodes)
		if err != nil {
			t.Fatal(err)
		}
		p := Problem{Tree: tr, Caps: caps, PriceKnown: true, Price: unit.Price(rapid.IntRange(-5, 5).Draw(t, "price")) * usd}
		for i := range rapid.IntRange(0, 4).Draw(t, "offers") {
			o := site.Offer{
				Load: site.LoadID(fmt.Sprint("l", i)), Node: rapid.IntRange(0, n-1).Draw(t, "node"),
				Class: site.Class(rapid.IntRange(0, 1).Draw(t, "class")),
				Fixed: scale * unit.Power(max(0, rapid.IntRange(-3, 2).Draw(t, "fixed"))),
			}
			for range rapid.IntRange(0, 2).Draw(t, "blocks") {
				o.Blocks = append(o.Blocks, site.Block{
					Power: scale * unit.Power(rapid.IntRange(0, 4).Draw(t, "power")),
					Value: unit.Price(rapid.IntRange(-6, 8).Draw(t, "value")) * usd,
				})
			}
			slices.SortStableFunc(o.Blocks, func(a, b site.Block) int { return int(b.Value - a.Value) })
			p.Offers = append(p.Offers, o)
		}
		return p
	})
}

// firmBonus makes a milliwatt of firm power worth more than all flexible power together.
const firmBonus = 10_000

// worth is the objective of an award: firm power first, then what flexible power earns over the price.
func worth(p Problem, o site.Offer, b site.Block, mw unit.Power) int64 {
	v := int64(b.Value / usd)
	if o.Class == site.Firm {
		return int64(mw) * (v + firmBonus)
	}
	return int64(mw) * (v - int64(p.Price/usd))
}

// bruteForce tries every integer award. A node whose fixed power alone is above its cap may
// take no more.
func bruteForce(p Problem) int64 {
	type choice struct {
		o site.Offer
		b site.Block
	}
	var all []choice
	used := make([]unit.Power, p.Tree.Len())
	add := func(node int, mw unit.Power) {
		for n := node; n >= 0; n = p.Tree.Node(n).Parent {
			used[n] += mw
		}
	}
	for _, o := range p.Offers {
		add(o.Node, o.Fixed)
		for _, b := range o.Blocks {
			all = append(all, choice{o, b})
		}
	}
	fits := func(node int) bool {
		for n := node; n >= 0; n = p.Tree.Node(n).Parent {
			if p.Caps[n] >= 0 && used[n] > p.Caps[n] {
				return false
			}
		}
		return true
	}
	var try func(i int) int64
	try = func(i int) int64 {
		if i == len(all) {
			return 0
		}
		best := try(i + 1)
		for mw := unit.Power(1); mw <= all[i].b.Power; mw++ {
			add(all[i].o.Node, mw)
			if fits(all[i].o.Node) {
				best = max(best, worth(p, all[i].o, all[i].b, mw)+try(i+1))
			}
			add(all[i].o.Node, -mw)
		}
		return best
	}
	return try(0)
}

func TestClearIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := problem(false).Draw(t, "problem")
		r := Clear(p)
		got := int64(0)
		for _, b := range r.Blocks {
			if b.Fixed {
				continue
			}
			got += worth(p, site.Offer{Class: b.Class}, site.Block{Value: b.Value}, b.Award)
		}
		if want := bruteForce(p); got != want {
			t.Fatalf("the clearing is worth %d, the best award %d\n%+v", got, want, r)
		}
	})
}

// TestClearDual proves optimality with losses as well: the awards are feasible, the shadow
// prices are not negative, stand only at full nodes, and no block gains by having more or
// less. That is linear programming's certificate.
func TestClearDual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := problem(true).Draw(t, "problem")
		p.Offers = slices.DeleteFunc(p.Offers, func(o site.Offer) bool { return o.Class == site.Firm })
		r := Clear(p)
		for n, nr := range r.Nodes {
			if nr.Cap >= 0 && nr.Used > max(nr.Cap, nr.Cap+nr.Excess+5) {
				t.Fatalf("node %d: %d used of %d, excess %d", n, nr.Used, nr.Cap, nr.Excess)
			}
			if nr.Shadow < 0 {
				t.Fatalf("node %d: shadow %v", n, nr.Shadow)
			}
			if nr.Shadow > 0 && nr.Used < nr.Cap-5 {
				t.Fatalf("node %d: shadow %v with %d used of %d", n, nr.Shadow, nr.Used, nr.Cap)
			}
		}
		for _, b := range r.Blocks {
			if b.Fixed {
				continue
			}
			i := slices.IndexFunc(p.Offers, func(o site.Offer) bool { return o.Load == b.Load })
			gain := float64(b.Value) - costAt(p, r, p.Offers[i].Node)
			const slop = 20 // micro-dollars a MWh, of rounding the worths
			if b.Award < b.Power-5 && gain > slop {
				t.Fatalf("%+v would gain %f $/MWh by more", b, gain/1e6)
			}
			if b.Award > 0 && gain < -slop {
				t.Fatalf("%+v would gain %f $/MWh by less", b, -gain/1e6)
			}
		}
		if d := cmp.Diff(usedBySum(p, r), r.Nodes, cmp.Comparer(func(a, b unit.Power) bool { return a-b < 99 && b-a < 99 })); d != "" {
			t.Fatal(d)
		}
	})
}

// costAt is what a MWh at a node costs with the shadow prices: the price at the connection
// and each node's shadow, all told in power entering that node.
func costAt(p Problem, r Result, node int) float64 {
	cost, entering := 0.0, 1.0
	for n := node; n >= 0; n = p.Tree.Node(n).Parent {
		entering /= 1 - float64(p.Tree.Node(n).Loss)
		cost += entering * float64(r.Nodes[n].Shadow)
	}
	return cost + entering*float64(p.Price)
}

// usedBySum recomputes what enters each node from the awards.
func usedBySum(p Problem, r Result) []NodeResult {
	out := slices.Clone(r.Nodes)
	use := make([]float64, len(out))
	for i, o := range p.Offers {
		x := float64(r.Awards[i].Power + o.Fixed)
		for n := o.Node; n >= 0; n = p.Tree.Node(n).Parent {
			x /= 1 - float64(p.Tree.Node(n).Loss)
			use[n] += x
		}
	}
	for n := range out {
		out[n].Used = unit.Power(math.Round(use[n]))
	}
	return out
}

func TestRadixSortsLikeComparison(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []int64{1, 3, 1 << 20, math.MaxInt64} {
		a := make([]item, 3000)
		for i := range a {
			a[i] = item{worth: rng.Int64N(spread) - spread/2, offer: int32(i)}
		}
		if spread == math.MaxInt64 {
			a[7].worth, a[8].worth = math.MinInt64, math.MaxInt64
		}
		want := slices.Clone(a)
		slices.SortStableFunc(want, func(x, y item) int {
			switch {
			case x.worth > y.worth:
				return -1
			case x.worth < y.worth:
				return 1
			}
			return 0
		})
		sortItems(a, make([]item, len(a)))
		if !slices.Equal(a, want) {
			t.Errorf("spread %d: not sorted as a stable comparison sort does", spread)
		}
	}
}

// big is the problem of the benchmark: 10,000 offers of one to three blocks on a tree of 200 nodes.
func big(t testing.TB, loss unit.Ratio) Problem {
	rng := rand.New(rand.NewPCG(7, 7))
	nodes := make([]site.Node, 200)
	for i := range nodes {
		nodes[i] = site.Node{ID: site.NodeID(fmt.Sprint("n", i)), Parent: (i - 1) / 4, Loss: loss, Limit: unit.Power(500+rng.IntN(4000)) * kW}
		if i == 0 {
			nodes[i].Parent, nodes[i].Limit = -1, 60_000*kW
		}
	}
	p := Problem{Tree: tree(t, nodes...), Price: 45 * usd, PriceKnown: true}
	for i := range 10_000 {
		o := site.Offer{Load: site.LoadID(fmt.Sprint("load-", i)), Node: rng.IntN(200), Class: site.Flexible, Fixed: unit.Power(rng.IntN(100)) * unit.Watt}
		if i%50 == 0 {
			o.Class = site.Firm
		}
		v := 20 + rng.Float64()*80
		for range 1 + rng.IntN(3) {
			o.Blocks = append(o.Blocks, site.Block{Power: unit.Power(1+rng.IntN(12)) * kW, Value: unit.DollarsPerMWh(v)})
			v *= 0.9
		}
		p.Offers = append(p.Offers, o)
	}
	return p
}

func BenchmarkClear10k200(b *testing.B) {
	p := big(b, 0.005)
	var c Clearer
	b.ReportAllocs()
	for b.Loop() {
		if r := c.Clear(p); len(r.Awards) != len(p.Offers) {
			b.Fatal("awards are missing")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1e3, "ms/op")
}
