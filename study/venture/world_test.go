package venture

import (
	"math"
	"testing"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/mining"
	"switchyard/study/world"
	"switchyard/unit"
)

// TestOnPathsOfTheWorld plans all options on the world's own paths: those of the expected case, and random
// ones.
func TestOnPathsOfTheWorld(t *testing.T) {
	f := everything()
	f.Bitcoin = input.Bitcoin{
		Price: usd(90_000), Difficulty: of(1.1e14), Height: 900_000, Fees: of(0.05), Drift: pct(5), Volatility: pct(55),
		Response: of(0.2), Improvement: pct(15), Noise: pct(10), Floor: of(unit.Price(40e6)), Efficiency: of(unit.Efficiency(30)),
		PowerCorrelation: of(0.1),
	}
	f.Power.Volatility, f.Power.HalfLife, f.Power.SpikeChance, f.Power.SpikeHours, f.Power.SpikePrice = pct(40), months(6), pct(10), of(20.0), of(unit.Price(900e6))
	f.Clouds[0].Volatility = pct(25)
	f.Leases[0].Default = []unit.Ratio{0.02, 0.03} // 29 % in twelve years: less likely than not
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	m, err := world.New(f)
	if err != nil {
		t.Fatal(err)
	}
	p, before, v := m.NewPath(), flow.New(144), flow.New(144)
	out := make([]mining.Month, 144)
	m.Expected(p)
	s.Plan(&f.Options[2], 0, 0, p, out, before, v)
	// The path leaves the GPUs' expected decay to the cloud: after four years 0.8^4 of the rate is left.
	near(t, "GPU rates after four years", v.Line[flow.Cloud][60]/v.Line[flow.Cloud][12], math.Pow(0.8, 4), 1e-9)
	s.Plan(&f.Options[1], 0, 0, p, out, before, v)
	if v.Failed != -1 || v.MW[10+120] != 60 {
		t.Error("as expected the tenant fails, or does not take an extension of 70 %")
	}
	for i := range 300 {
		m.Draw(7, i, p)
		s.Fleet(0).Months(p, out)
		for k := range f.Options {
			s.Plan(&f.Options[k], 0, 6, p, out, before, v)
			total := 0.0
			for month := range 144 {
				total += v.Net(month) + before.Net(month)
			}
			if math.IsNaN(total) || math.IsInf(total, 0) {
				t.Fatalf("%s on path %d comes to %g", f.Options[k].ID, i, total)
			}
			if c := s.Case(&f.Options[k], 0, 6, p); f.Options[k].Kind == "host" && (c.Operates != v.Operate || c.Built < 6+1) {
				t.Fatalf("path %d: the case is %+v, the flows operate in %d", i, c, v.Operate)
			}
		}
	}
}

func TestEnergisedMonthBeforeTheStudy(t *testing.T) {
	f := hosted(core42())
	f.Site.Status, f.Site.Energised = "approved", figure.MonthOf(2020, 1)
	if _, v := plan(t, f, hosting, 0, 0, calm(f)); v.Operate != 10 {
		t.Errorf("operates in month %d, not 10", v.Operate)
	}
}
