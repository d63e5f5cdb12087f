package estimate_test

import (
	"fmt"
	"testing"
	"time"

	"switchyard/estimate"
	"switchyard/site"
	"switchyard/unit"
)

// BenchmarkStep30k is one step of a site of 30,000 miners in 120 groups below 40 meters, a third
// of them newly read.
func BenchmarkStep30k(b *testing.B) {
	nodes := []site.Node{{ID: "connection", Parent: -1, Loss: 0.01, Meter: "meter:connection"}}
	for i := range 40 {
		id := fmt.Sprint("hall-", i)
		nodes = append(nodes, site.Node{ID: site.NodeID(id), Meter: site.DeviceID("meter:" + id)})
	}
	tree, err := site.NewTree(nodes)
	if err != nil {
		b.Fatal(err)
	}
	e := estimate.New(tree)
	in := estimate.Input{Now: noon, Nodes: make([]estimate.Node, len(nodes))}
	for i := range 30_000 {
		m := estimate.Miner{
			ID: site.DeviceID(fmt.Sprint("m", i)), Group: site.LoadID(fmt.Sprint("g", i%120)), Node: 1 + i%40, At: noon, State: site.StateHashing,
			Hashrate: site.Some(199 * unit.TeraHash), Nameplate: 3500 * unit.Watt, Rated: 200 * unit.TeraHash, Standby: 30 * unit.Watt,
		}
		if i%2 == 0 {
			m.Power = site.Some(3450 * unit.Watt)
		}
		in.Miners = append(in.Miners, m)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		in.Now = in.Now.Add(5 * time.Second)
		for i := range in.Nodes[1:] {
			in.Nodes[1+i] = estimate.Node{Power: site.Some(unit.Watts(750*3400 + float64(n%17))), At: in.Now}
		}
		for i := n % 3; i < len(in.Miners); i += 3 {
			in.Miners[i].At = in.Now
		}
		e.Step(in)
	}
}
