package mining

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"switchyard/dispatch"
	"switchyard/site"
	"switchyard/study/input"
	"switchyard/study/power"
	"switchyard/study/world"
	"switchyard/unit"
)

// cleared is the margin, $, of month t when each of its hours is cleared by itself, the fleet's blocks
// offered at what their MWh is worth. Awards are in milliwatts and prices in micro-dollars.
func cleared(t rapid.TB, fleet *Fleet, prices []float64, spiked int, month int, p *world.Path) float64 {
	tree, err := site.NewTree([]site.Node{{ID: "hall", Parent: -1}})
	if err != nil {
		t.Fatal(err)
	}
	s := fleet.at(month)
	offer := site.Offer{Load: "miners", Class: site.Flexible}
	for _, b := range s.blocks {
		offer.Blocks = append(offer.Blocks, site.Block{Power: unit.Watts(b.mw * 1e6), Value: unit.DollarsPerMWh(p.Hashprice[month] * b.worth)})
	}
	var c dispatch.Clearer
	sum := 0.0
	for k, price := range hours(fleet, prices, spiked, month, p) {
		r := c.Clear(dispatch.Problem{Tree: tree, Price: unit.DollarsPerMWh(price), PriceKnown: true, Offers: []site.Offer{offer}})
		if len(r.Blocks) != len(s.blocks) {
			t.Fatalf("hour %d has %d blocks", k, len(r.Blocks))
		}
		for i, b := range s.blocks { // both are best first, and equal values go by the order of the offer
			sum += r.Blocks[i].Award.Megawatts() * (p.Hashprice[month]*b.worth - price)
		}
	}
	return sum * fleet.tariff.Hours(month) / float64(len(prices))
}

// hours are a month's all-in prices, hour by hour, of which the last spiked ones carry the spike.
func hours(fleet *Fleet, prices []float64, spiked int, month int, p *world.Path) []float64 {
	out := make([]float64, len(prices))
	for k, x := range prices {
		out[k] = x*p.Level[month] + fleet.tariff.Adder(month)
		if k >= len(prices)-spiked {
			out[k] += p.Spike[month]
		}
	}
	return out
}

// chosen is the margin, $, of the month when each machine takes, hour by hour, the setting that earns
// most: rest, a mode, or full power. It knows no blocks.
func chosen(f *input.File, fleet *Fleet, prices []float64, spiked int, month int, p *world.Path) float64 {
	sum := 0.0
	for _, price := range hours(fleet, prices, spiked, month, p) {
		for _, m := range f.Halls[0].Fleet {
			best := 0.0
			for _, c := range append([]input.Mode{{Hash: m.Hash, Power: m.Power}}, m.Curve...) {
				earns := c.Hash.PH() / 24 * p.Hashprice[month] * (1 - float64(m.Fee.Is))
				best = max(best, earns-c.Power.Megawatts()*f.Site.MiningPUE.Is*price)
			}
			sum += best * float64(m.Count) * float64(m.Uptime.Is)
		}
	}
	return sum * fleet.tariff.Hours(month) / float64(len(prices))
}

func margin(m Month) float64 { return m.Revenue + m.PoolFee + m.Energy }

// held compares a month with both; a cent is the measure, for every figure of a hall of 25 MW.
func held(t rapid.TB, f *input.File, prices []float64, spiked int, month int, p *world.Path) {
	fleet := New(f, 0, power.New(f))
	out := make([]Month, 12*f.Years)
	fleet.Months(p, out)
	got := margin(out[month])
	if want := cleared(t, fleet, prices, spiked, month, p); math.Abs(got-want) > 0.01 {
		t.Errorf("month %d: %.4f $, cleared hour by hour %.4f $", month, got, want)
	}
	if want := chosen(f, fleet, prices, spiked, month, p); math.Abs(got-want) > 0.01 {
		t.Errorf("month %d: %.4f $, each machine's best setting %.4f $", month, got, want)
	}
}

// mixed is a hall of three models, two with lower modes of which one is never worth it.
func mixed(f *input.File) {
	old, mid, fine := machines(2000, 104, 3068), machines(2500, 140, 3010), machines(1500, 270, 3645)
	mid.Curve = []input.Mode{
		{Hash: 60 * unit.TeraHash, Power: 1500 * unit.Watt}, // below the line from rest to the next
		{Hash: 100 * unit.TeraHash, Power: 1900 * unit.Watt},
	}
	fine.Curve = []input.Mode{{Hash: 150 * unit.TeraHash, Power: 1650 * unit.Watt}, {Hash: 220 * unit.TeraHash, Power: 2600 * unit.Watt}}
	old.Fee, mid.Uptime, fine.Uptime, fine.Fee = ratio(0.02), ratio(0.95), ratio(0.97), ratio(0.01)
	f.Halls[0].Fleet = []input.Machines{old, mid, fine}
	f.Site.MiningPUE = of(1.04)
	f.Power.Adder = dollars(3.5)
}

func TestMonthsAreHoursCleared(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		prices := make([]float64, rapid.IntRange(1, 96).Draw(rt, "hours"))
		for k := range prices {
			prices[k] = float64(rapid.IntRange(-4000, 20000).Draw(rt, "cents")) / 100
			if k > 0 {
				prices[k] = max(prices[k], prices[k-1])
			}
		}
		f := file(prices)
		mixed(f)
		p := path(f, float64(rapid.IntRange(500, 15000).Draw(rt, "hashprice"))/100)
		spiked := rapid.IntRange(0, len(prices)).Draw(rt, "spiked")
		f.Power.SpikeHours = of(744 * float64(spiked) / float64(len(prices)))
		p.Level[0] = float64(rapid.IntRange(1, 12).Draw(rt, "level")) / 4
		p.Spike[0] = float64(rapid.IntRange(0, 5000).Draw(rt, "spike"))
		held(rt, f, prices, spiked, 0, p)
	})
}

func TestMonthsOfRealPricesAreHoursCleared(t *testing.T) {
	for _, c := range []struct {
		name, file string
		column     int
	}{
		{"ERCOT HB_WEST, real time, 2023-07 to 2024-12", "ercot-hb-west-rt-hourly-2023-07-2024-12.csv.gz", 1},
		{"ERCOT LZ_WEST, real time, 2024", "ercot-lz-west-dam-rtm-ancillary-hourly-2024.csv.gz", 2},
		{"NYISO West, day ahead, 2016 to 2018", "nyiso-west-da-hourly-2016-2018.csv.gz", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := file(nil)
			f.Curve = curves(t, c.file, c.column)
			mixed(f)
			for m := range 12 {
				for _, hashprice := range []float64{25, 45, 110} {
					held(t, f, f.Curve[m], 0, m, path(f, hashprice))
				}
			}
		})
	}
}

// What a MWh is worth is what the live site's offer says, but for the power that cooling draws.
func TestBlocksAreTheOffersOfTheSite(t *testing.T) {
	f := file([]float64{40}, machines(10, 200, 3500))
	f.Halls[0].Fleet[0].Fee = ratio(0.02)
	fleet := New(f, 0, power.New(f))
	offer := dispatch.MiningOffer("s21", 0, []dispatch.Machine{{Power: 3500 * unit.Watt, Hashrate: 200 * unit.TeraHash}}, dispatch.MiningTerms{Hashprice: unit.DollarsPerPHDay(50), Fee: 0.02})
	if got, want := 50*fleet.at(0).blocks[0].worth, offer.Blocks[0].Value.DollarsPerMWh(); math.Abs(got-want) > 1e-6 {
		t.Errorf("%v $/MWh, the site offers %v", got, want)
	}
}
