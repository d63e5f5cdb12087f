package bench

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"switchyard/dispatch"
	"switchyard/site"
	"switchyard/unit"
)

// market is a clearing of so many offers on a random tree of nodes, a few levels deep, whose
// limits bind at some places.
func market(b *testing.B, offers, nodes int) dispatch.Problem {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	list := []site.Node{{ID: "connection", Parent: -1, Limit: unit.Power(offers) * 6 * unit.Kilowatt}}
	for i := 1; i < nodes; i++ {
		list = append(list, site.Node{
			ID: site.NodeID(fmt.Sprint("node-", i)), Parent: rng.IntN(i), Loss: 0.005,
			Limit: unit.Power(200+rng.IntN(4000)) * unit.Kilowatt,
		})
	}
	tree, err := site.NewTree(list)
	if err != nil {
		b.Fatal(err)
	}
	p := dispatch.Problem{Tree: tree, Price: unit.DollarsPerMWh(45), PriceKnown: true}
	for i := range offers {
		o := site.Offer{Load: site.LoadID(fmt.Sprint("load-", i)), Node: rng.IntN(nodes), Class: site.Flexible, Fixed: unit.Power(rng.IntN(100)) * unit.Watt}
		if i%50 == 0 {
			o.Class = site.Firm
		}
		value := 20 + rng.Float64()*80
		for range 1 + rng.IntN(3) {
			o.Blocks = append(o.Blocks, site.Block{Power: unit.Power(1+rng.IntN(12)) * unit.Kilowatt, Value: unit.DollarsPerMWh(value)})
			value *= 0.9
		}
		p.Offers = append(p.Offers, o)
	}
	return p
}

// BenchmarkClear10kOffers200Nodes measures a clearing; its baseline sorts the same offers'
// blocks by value, which any merit order has to do and which gives no award.
func BenchmarkClear10kOffers200Nodes(b *testing.B) {
	p := market(b, 10_000, 200)
	var c dispatch.Clearer
	var blocks, sorted []site.Block
	for _, o := range p.Offers {
		blocks = append(blocks, o.Blocks...)
	}
	if bound := binding(c.Clear(p)); bound == 0 || bound == 200 {
		b.Fatalf("%d of 200 limits bind: the problem is too easy", bound)
	}
	var clearing, sorting time.Duration
	n := 0
	for b.Loop() {
		start := time.Now()
		if r := c.Clear(p); len(r.Awards) != len(p.Offers) {
			b.Fatal("awards are missing")
		}
		middle := time.Now()
		sorted = append(sorted[:0], blocks...)
		slices.SortFunc(sorted, func(x, y site.Block) int { return cmp.Compare(y.Value, x.Value) })
		clearing += middle.Sub(start)
		sorting += time.Since(middle)
		n++
	}
	b.ReportMetric(clearing.Seconds()*1e3/float64(n), "clear_ms")
	b.ReportMetric(sorting.Seconds()*1e3/float64(n), "sort_ms")
	b.ReportMetric(float64(clearing)/float64(sorting), "ratio_x")
	b.ReportMetric(0, "ns/op")
}

func binding(r dispatch.Result) int {
	n := 0
	for _, node := range r.Nodes {
		if node.Binding {
			n++
		}
	}
	return n
}
