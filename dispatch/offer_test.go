package dispatch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/site"
	"switchyard/unit"
)

func s21(running bool) Machine {
	return Machine{Power: 3520 * unit.Watt, Standby: 20 * unit.Watt, Hashrate: 200 * unit.TeraHash, Running: running}
}

func TestMiningOffer(t *testing.T) {
	terms := MiningTerms{Hashprice: unit.DollarsPerPHDay(50), Fee: 0.02, Fixed: 40 * unit.Watt}
	costly := terms
	costly.SwitchCost, costly.MinRun = unit.Dollars(0.07), time.Hour // half a cost is 10 $/MWh of 3.5 kWh
	// 50 x 0.98 / (0.024 x 17.5) is 116.666667 $/MWh.
	const value = unit.Price(116_666_667)
	cases := []struct {
		name     string
		machines []Machine
		terms    MiningTerms
		want     []site.Block
	}{
		{"none", nil, terms, nil},
		{"two alike make one block", []Machine{s21(true), s21(true)}, terms, []site.Block{{Power: 7 * kW, Value: value}}},
		{"running stays, resting waits", []Machine{s21(true), s21(false)}, costly, []site.Block{{Power: 3500 * unit.Watt, Value: value + 10*usd}, {Power: 3500 * unit.Watt, Value: value - 10*usd}}},
		{"no work is worth nothing", []Machine{{Power: 1 * kW, Running: true}, s21(true)}, terms, []site.Block{{Power: 3500 * unit.Watt, Value: value}, {Power: 1 * kW}}},
		{"no power above standby", []Machine{{Power: 20 * unit.Watt, Standby: 20 * unit.Watt, Hashrate: 1}}, terms, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := site.Offer{Load: "s21", Node: 1, Class: site.Flexible, Blocks: c.want, Fixed: 40 * unit.Watt}
			if d := cmp.Diff(want, MiningOffer("s21", 1, c.machines, c.terms)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMiningOfferLosesNoPowerAndKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		spread := rapid.Float64Range(0, 3).Draw(t, "spread")
		machines := make([]Machine, rapid.IntRange(1, 500).Draw(t, "machines"))
		sum := unit.Power(0)
		for i := range machines {
			machines[i] = s21(rng.IntN(2) == 0)
			machines[i].Hashrate *= unit.Hashrate(math.Exp(spread * rng.NormFloat64()))
			if rng.IntN(50) == 0 {
				machines[i].Hashrate = 0
			}
			sum += machines[i].Power - machines[i].Standby
		}
		o := MiningOffer("s21", 0, machines, MiningTerms{Hashprice: unit.DollarsPerPHDay(50)})
		for _, b := range o.Blocks {
			sum -= b.Power
		}
		if sum != 0 || len(o.Blocks) > 2*maxBuckets {
			t.Fatalf("%v lost in %d blocks", sum, len(o.Blocks))
		}
		if !slices.IsSortedFunc(o.Blocks, func(a, b site.Block) int { return int(b.Value - a.Value) }) {
			t.Fatal("not best first")
		}
	})
}

func TestTenantOffer(t *testing.T) {
	want := site.Offer{Load: "ai", Node: 2, Class: site.Firm, Blocks: []site.Block{{Power: kW, Value: 5000 * usd}}}
	if d := cmp.Diff(want, TenantOffer("ai", 2, kW, 5000*usd)); d != "" {
		t.Error(d)
	}
}
