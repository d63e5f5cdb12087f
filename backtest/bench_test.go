package backtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"switchyard/dispatch"
	"switchyard/site"
	"switchyard/unit"
)

// year opens a year of 5-minute prices for a site.
func year(b *testing.B, text string) *World {
	f := parse(b, text)
	return open(b, f, Sources{
		Prices: shared(b, newYork), DayAhead: shared(b, newYorkDA), From: date(b, "2017-01-01", f), To: date(b, "2018-01-01", f),
	})
}

// BenchmarkBacktestYear is a year of 5-minute prices under both information settings with a
// schedule every hour, all policies; beside it the same year under always-on alone, which
// any simulation must at least do.
func BenchmarkBacktestYear(b *testing.B) {
	for _, groups := range []int{1, 10, 20} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			w := year(b, many(groups, 1))
			base := time.Duration(0)
			for b.Loop() {
				began := time.Now()
				s := newSim(w, Start)
				if err := s.run(context.Background(), always{}); err != nil {
					b.Fatal(err)
				}
				base += time.Since(began)
				if _, err := Run(context.Background(), w, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed()-base)/float64(max(base, 1)), "x-always-on")
		})
	}
}

// BenchmarkClearYear is 105,120 clearings of ten groups; beside it the least that a clearing
// can be, a comparison for each group.
func BenchmarkClearYear(b *testing.B) {
	w := year(b, many(10, 0.9))
	offers := make([]site.Offer, len(w.groups))
	for k := range offers {
		g := &w.groups[k]
		offers[k] = site.Offer{Load: g.id, Node: g.node, Class: site.Flexible, Fixed: unit.Power(g.count) * g.standby, Blocks: []site.Block{{Power: unit.Power(g.count) * g.net(), Value: g.breakeven(w.hash[0])}}}
	}
	var c dispatch.Clearer
	base := time.Duration(0)
	for b.Loop() {
		given := unit.Power(0)
		for i := range w.n {
			given += c.Clear(dispatch.Problem{Tree: w.tree, Price: w.price[i], PriceKnown: true, Offers: offers}).Awards[0].Power
		}
		began := time.Now()
		on := 0
		for i := range w.n {
			for k := range offers {
				if offers[k].Blocks[0].Value >= w.price[i] {
					on++
				}
			}
		}
		base += time.Since(began)
		if given == 0 || on == 0 {
			b.Fatal("nothing was given")
		}
	}
	b.ReportMetric(float64(b.Elapsed()-base)/float64(max(base, 1)), "x-comparing")
}
