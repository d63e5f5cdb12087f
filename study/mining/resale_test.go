package mining

import (
	"math"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/input"
	"switchyard/study/power"
	"switchyard/study/world"
	"switchyard/unit"
)

// TestResaleFollowsHashprice: used machines fetch more where mining earns more than was expected for the month, and what
// their decay says where it earns just that.
func TestResaleFollowsHashprice(t *testing.T) {
	m := machines(100, 200, 3500)
	m.Resale, m.Decay = of(figure.PerTH(10)), ratio(0.3)
	m.Renew = &input.Renewal{Every: 24, Efficiency: of(unit.Efficiency(15)), Price: of(figure.PerTH(16))}
	f := file([]float64{40}, m)
	f.Bitcoin = input.Bitcoin{Price: of(figure.Dollars(90_000)), Difficulty: of(1.5e14), Height: 980_000, Fees: of(0.03), Improvement: ratio(0.2)}
	w, err := world.New(f)
	if err != nil {
		t.Fatal(err)
	}
	p := w.NewPath()
	for elastic, rise := range map[float64]float64{1: 3, 0.5: math.Sqrt(3), 0: 1} {
		f.Bitcoin.Resale = of(elastic)
		fleet, out := New(f, 0, power.New(f)), make([]Month, 48)
		w.Expected(p)
		plain := 100 * 200 * 10 * math.Exp(-0.3*12/12)
		near(t, "as expected", fleet.Resale(12, p), plain)
		fleet.Months(p, out)
		renewed := out[24].Resale
		near(t, "renewed as expected", renewed, 100*200*10*math.Exp(-0.3*2))
		last := fleet.Resale(48, p)
		for k := range p.Hashprice {
			p.Hashprice[k] *= 3
		}
		near(t, "at three times the hashprice", fleet.Resale(12, p), plain*rise)
		near(t, "after the last month", fleet.Resale(48, p), last*rise)
		fleet.Months(p, out)
		near(t, "renewed then", out[24].Resale, renewed*rise)
	}
}
