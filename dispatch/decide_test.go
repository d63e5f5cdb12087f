package dispatch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/site"
	"switchyard/unit"
)

func TestDecideKeepsWhatIsSoldAsReserve(t *testing.T) {
	terms := MiningTerms{Hashprice: unit.DollarsPerPHDay(50)} // 119.05 $/MWh at 17.5 J/TH
	group := func(load site.LoadID, node, count int) Group {
		m := s21(true)
		m.Power, m.Standby, m.Hashrate, m.Count = m.Power*unit.Power(count), m.Standby*unit.Power(count), m.Hashrate*unit.Hashrate(count), count
		return Group{Load: load, Node: node, Machines: []Machine{m}, Terms: terms}
	}
	r := Round{
		Tree: halls(t), Price: 300 * usd, PriceKnown: true,
		Groups: []Group{group("fast", 1, 100), group("slow", 2, 100)},
		Held:   []Held{{Power: 200 * kW, Worth: 1000 * usd, Loads: []site.LoadID{"fast"}}},
	}
	var d Decider
	got := d.Decide(r)
	if got.Awards[0].Power != 200*kW || got.Awards[1].Power != 0 {
		t.Errorf("at a price above its value: %v and %v, want the 200 kW that are sold and nothing", got.Awards[0].Power, got.Awards[1].Power)
	}
	r.Price = 2000 * usd
	if got := d.Decide(r); got.Awards[0].Power != 0 {
		t.Errorf("dearer than the penalty: %v", got.Awards[0].Power)
	}
	r.Price, r.Held = 300*usd, append(r.Held, Held{Power: 100 * kW, Worth: 900 * usd, Loads: []site.LoadID{"fast", "slow"}})
	if got := d.Decide(r); got.Awards[0].Power+got.Awards[1].Power != 300*kW {
		t.Errorf("two reserves: %v and %v, want 300 kW together", got.Awards[0].Power, got.Awards[1].Power)
	}
}

func TestGuideReplacesTheSwitchCost(t *testing.T) {
	ms := []Machine{s21(true), s21(false)}
	o := MiningOffer("s21", 0, ms, MiningTerms{
		Hashprice: unit.DollarsPerPHDay(50), SwitchCost: unit.Dollars(9), MinRun: time.Hour,
		Guide: &Guide{Keep: 30 * usd, Take: -12 * usd},
	})
	value := unit.DollarsPerPHDay(50).Value(17.5, 0)
	want := []site.Block{{Power: 3500 * unit.Watt, Value: value + 30*usd}, {Power: 3500 * unit.Watt, Value: value - 12*usd}}
	if d := cmp.Diff(want, o.Blocks); d != "" {
		t.Error(d)
	}
	got := Clear(Problem{Tree: halls(t), Price: 60 * usd, PriceKnown: true, Offers: []site.Offer{o}})
	if text := got.Awards[0].Reason.Text; text != "worth 107.05 $/MWh with restarts and the hours ahead counted, above the price of 60.00" {
		t.Error(text)
	}
}

func TestAdderCountsAndIsTold(t *testing.T) {
	p := Problem{
		Tree: halls(t), Price: 45 * usd, Adder: 400 * usd, PriceKnown: true,
		Offers: []site.Offer{flexible("s21", 1, site.Block{Power: kW, Value: 62 * usd})},
	}
	got := Clear(p)
	want := "worth 62.00 $/MWh, below the price of 45.00 and 400.00 for the hours ahead"
	if a := got.Awards[0]; a.Power != 0 || a.Reason.Text != want {
		t.Errorf("%v, %q; want %q", a.Power, a.Reason.Text, want)
	}
	if got.Marginal != 445*usd {
		t.Errorf("marginal %v", got.Marginal)
	}
}
