package truth

import (
	"testing"
	"time"

	"switchyard/app/plant"
	"switchyard/discover"
	"switchyard/driver/all"
	"switchyard/estimate"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/telemetry"
	"switchyard/unit"
)

const siteDoc = `
site: {name: Test, timezone: UTC}
connection: {name: grid connection, limit: 100 kW, meter: {address: 127.77.9.1, profile: sunspec}}
nodes:
  - {id: hall-a, limit: 40 kW}
groups:
  - {id: s21, node: hall-a, driver: antminer, model: Antminer S21, addresses: [127.77.1.1-127.77.1.3], nameplate: 3500 W, hashrate: 200 TH/s}
pdus:
  - {id: a-01, node: hall-a, address: 127.77.8.1, profile: raritan-px, outlets: {"1": s21-003}}
  - {id: a-02, node: hall-a, address: 127.77.8.2, profile: raritan-px, outlets: {"1": s21-003}}
market:
  price: {fixed: 20 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
`

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A miner with two cords draws the sum of both, and has no outlet's figure while one is silent.
func TestAllCordsCount(t *testing.T) {
	f, err := sitefile.Parse("site.yaml", []byte(siteDoc), sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := plant.New(f, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	racked := func(id site.DeviceID) []discover.Cord {
		return map[site.DeviceID][]discover.Cord{
			"s21-001": {{PDU: "a-01", Outlet: "2"}, {PDU: "a-02", Outlet: "2"}},
			"s21-002": {{PDU: "a-01", Outlet: "3"}},
			"s21-003": {{PDU: "a-01", Outlet: "9"}}, // the site file comes first
		}[id]
	}
	tr, err := New(p, racked, nil)
	if err != nil {
		t.Fatal(err)
	}
	hub := telemetry.NewHub()
	at := noon
	step := func(second ...site.Outlet) {
		at = at.Add(5 * time.Second)
		watts := func(w float64) site.Opt[unit.Power] { return site.Some(unit.Watts(w)) }
		hub.Put(site.Sample{Device: sitefile.PDUID("a-01"), At: at, Outlets: []site.Outlet{{Name: "1", Power: watts(1700)}, {Name: "2", Power: watts(1710)}, {Name: "3", Power: watts(3400)}}})
		hub.Put(site.Sample{Device: sitefile.PDUID("a-02"), At: at, Outlets: second})
		for _, m := range p.Miners {
			hub.Put(site.Sample{Device: m.ID, At: at, State: site.StateHashing, Hashrate: site.Some(200 * unit.TeraHash)})
		}
		tr.Step(at, hub.Snapshot(), make([]Meter, p.Tree.Len()), func(int) time.Time { return time.Time{} })
	}
	two := func(w float64) site.Outlet { return site.Outlet{Name: "2", Power: site.Some(unit.Watts(w))} }
	first := site.Outlet{Name: "1", Power: site.Some(1650 * unit.Watt)}
	for _, c := range []struct {
		name   string
		second []site.Outlet
		want   [3]float64 // W by the outlets; 0: not by them
	}{
		{"both", []site.Outlet{first, two(1690)}, [3]float64{3400, 3400, 3350}},
		{"a cord that is not metered", []site.Outlet{first, {Name: "2"}}, [3]float64{0, 3400, 3350}},
		{"outlets that the unit does not have", nil, [3]float64{0, 3400, 0}},
		{"both again", []site.Outlet{two(1700), first}, [3]float64{3410, 3400, 3350}},
	} {
		step(c.second...)
		for j, want := range c.want {
			fig := tr.Figure(j)
			if byOutlet := fig.Method == estimate.Outlet; byOutlet != (want > 0) || byOutlet && fig.Power.V != unit.Watts(want) {
				t.Errorf("%s: %s draws %v by %v, want %.0f W", c.name, p.Miners[j].ID, fig.Power.V, fig.Method, want)
			}
		}
	}
}
