package venture

import (
	"testing"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/unit"
)

// core42 is like TeraWulf's lease with Core42 of December 2024: 60 MW at $125, 3 % a year, a gross lease
// of 10 years, of which 12 months' rent is prepaid; 7 $M/MW, ten months.
func core42() *input.Lease {
	return &input.Lease{
		ID: "core42", Kind: "gross", Rate: kw(125), Escalator: pct(3), Term: months(120), Prepaid: months(12), CreditCap: pct(50),
		Load: pct(80), Upkeep: kw(5), Property: pct(1.2), SLA: pct(2),
	}
}

var hosting = &input.Option{ID: "host", Kind: "host", With: "core42"}

func hosted(l *input.Lease) *input.File {
	f := study()
	f.Leases = []input.Lease{*l}
	return f
}

func TestGrossLease(t *testing.T) {
	f := hosted(core42())
	before, v := plan(t, f, hosting, 0, 6, calm(f))
	if v.Begin != 6 || v.Operate != 16 || v.End != 144 || v.Failed != -1 {
		t.Errorf("begins %d, operates %d, ends %d, failed %d", v.Begin, v.Operate, v.End, v.Failed)
	}
	want(t, before, flow.Mining, 0, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 0)
	if before.End != 7 {
		t.Errorf("mining and the sale of its machines end in %d, not 7", before.End)
	}
	// 60 MW x 7 $M/MW = 420 $M by the S: 3 % of it, 6 %, 10 %, ...
	want(t, v, flow.Building, 5, 0, -12.6e6, -25.2e6, -42e6, -58.8e6, -71.4e6, -71.4e6, -58.8e6, -42e6, -25.2e6, -12.6e6, 0)
	// 60,000 kW x $125 = 7.5 $M; in the second year 3 % more.
	want(t, v, flow.Rent, 15, 0, 7.5e6)
	want(t, v, flow.Rent, 27, 7.5e6, 7.725e6)
	want(t, v, flow.Rent, 40, 7_956_750)
	want(t, v, flow.Service, 16, -150_000)
	// 12 x 7.5 $M = 90 $M ahead; of each month's rent half is credited: 12 x 3.75 $M = 45 $M in the
	// first year, 11 x 3.8625 $M = 42.4875 $M in the second, and the other 2.5125 $M in its last month.
	want(t, v, flow.Prepaid, 16, 90e6-3.75e6, -3.75e6)
	want(t, v, flow.Prepaid, 28, -3_862_500)
	want(t, v, flow.Prepaid, 38, -3_862_500, -2_512_500, 0)
	// May 2028 is month 16: 60 MW x 80 % x 1.25 = 60 MW; x 744 h = 44,640 MWh; x $50 = 2.232 $M.
	want(t, v, flow.Energy, 16, -2_232_000, -2_160_000)
	if v.MWh[16] != 44_640 || v.MW[16] != 60 || v.MW[15] != 0 {
		t.Errorf("month 16 draws %g MWh for %g MW; month 15 %g MW", v.MWh[16], v.MW[16], v.MW[15])
	}
	want(t, v, flow.Upkeep, 15, 0, -300_000)   // 60,000 kW x $5
	want(t, v, flow.Property, 15, 0, -420_000) // 420 $M x 1.2 % / 12
	empty(t, v, flow.Passed, 0, 144)
	// The term ends in month 136: let again at once, at 80 % of what the rate has grown to by the
	// eleventh year: 7.5 $M x 1.03^10 x 0.8 = 8,063,498.28.
	want(t, v, flow.Rent, 136, 8_063_498.28)
}

func TestWhoBearsWhat(t *testing.T) {
	// Demand is $10/kW-month and a year's $60/kW of coincident peaks is $5 more: 60 MW x $15,000.
	for kind, back := range map[string]float64{
		"gross": 0, "modified": 2_232_000 + 900_000, "net": 2_232_000 + 900_000 + 300_000 + 420_000,
	} {
		l := core42()
		l.Kind = kind
		f := hosted(l)
		f.Power.Demand, f.Power.Coincident, f.Power.Avoided = kw(10), usd(60), pct(100)
		_, v := plan(t, f, hosting, 0, 6, calm(f))
		want(t, v, flow.Demand, 16, -900_000) // hosting avoids no peaks
		want(t, v, flow.Passed, 15, 0, back)
	}
}

// TestTheTenantBuilds is like Core Scientific's lease with CoreWeave of June to August 2024: 270 MW for
// 12 years, 4.725 $B, the tenant's capex credited against up to half of each month's fee.
func TestTheTenantBuilds(t *testing.T) {
	f := study()
	f.Halls[0].Power, f.Halls[0].Critical = mw(350), mw(270)
	f.Halls[0].Capex, f.Halls[0].Build = &figure.Spread[figure.PerMW]{P50: 1.5e6}, &figure.Spread[figure.Months]{P50: 0}
	f.Leases = []input.Lease{{ID: "core42", Kind: "modified", Rate: kw(121.5), Term: months(144), TenantCapex: pct(100), CreditCap: pct(50)}}
	_, v := plan(t, f, hosting, 0, 0, calm(f))
	near(t, "the contract", sum(v.Line[flow.Rent]), 4.725e9, 0.001)
	// 405 $M is put in month 0, in which the hall operates at once. Half of 32.805 $M is credited from
	// then on: 24 times 16.4025 $M is 393.66 $M, then 11.34 $M.
	want(t, v, flow.TenantPut, 0, 405e6-16_402_500, -16_402_500)
	want(t, v, flow.TenantPut, 23, -16_402_500, -11.34e6, 0)

	// With 6 % interest, on what was owed at the end of the month before: 388,597,500 x 0.5 % = 1,942,987.50
	// is added to what is owed and costs the landlord; the credit stays what it is.
	f.Leases[0].Interest = pct(6)
	_, v = plan(t, f, hosting, 0, 0, calm(f))
	want(t, v, flow.TenantCost, 0, 0, -1_942_987.50)
	want(t, v, flow.TenantPut, 1, 1_942_987.50-16_402_500)
	// What is credited in all has the present value of 405 $M at 0.5 % a month: NPER(0.5 %, 16.4025, 388.5975)
	// is 25.27, so the last credit falls in month 26.
	want(t, v, flow.TenantPut, 27, 0)
	if v.Line[flow.TenantPut][26] == 0 {
		t.Error("nothing is credited in month 26")
	}
}

func TestTenantsCapexComesBeforePrepaidRent(t *testing.T) {
	l := core42()
	l.TenantCapex = pct(10) // 42 $M
	f := hosted(l)
	_, v := plan(t, f, hosting, 0, 0, calm(f))
	want(t, v, flow.TenantPut, 0, 1.26e6, 2.52e6)
	// 42 $M / 3.75 $M = 11.2 months: in the twelfth 0.75 $M, and 3 $M of the prepaid rent.
	want(t, v, flow.TenantPut, 20, -3.75e6, -0.75e6, 0)
	want(t, v, flow.Prepaid, 10, 90e6, 0)
	want(t, v, flow.Prepaid, 20, 0, -3e6, -3_862_500)
}

func TestRampAndWarrants(t *testing.T) {
	l := core42()
	l.Ramp, l.Warrants = []unit.Ratio{0.25, 0.5}, usd(9e6)
	f := hosted(l)
	_, v := plan(t, f, hosting, 0, 6, calm(f))
	want(t, v, flow.Rent, 16, 1.875e6, 3.75e6, 7.5e6)
	want(t, v, flow.Prepaid, 16, 90e6-937_500, -1.875e6, -3.75e6) // 12 months' full rent; half of what is due
	want(t, v, flow.Energy, 16, -2_232_000./4, -2_160_000./2, -2_232_000)
	want(t, v, flow.Upkeep, 16, -300_000)
	want(t, v, flow.Warrants, 5, 0, -9e6, 0)
	if v.MW[16] != 15 || v.MW[17] != 30 || v.MW[18] != 60 {
		t.Errorf("%g, %g and %g MW pay rent", v.MW[16], v.MW[17], v.MW[18])
	}
}

func TestATenantFails(t *testing.T) {
	l := core42()
	l.Relet, l.ReletRate, l.Kind, l.TenantCapex = months(6), pct(70), "net", pct(40)
	l.ReletTerm, l.ReletCapex = months(60), of(figure.PerMW(1.2e6))
	f := hosted(l)
	p := calm(f)
	p.FailsAt = 20
	_, v := plan(t, f, hosting, 0, 0, p)
	// Operation begins in month 10; the twentieth month of the term is month 29.
	if v.Failed != 29 {
		t.Errorf("failed in %d, not 29", v.Failed)
	}
	want(t, v, flow.Rent, 28, 7.725e6, 0, 0, 0, 0, 0, 0, 7_956_750*0.7) // month 35 is in the third year
	for _, l := range []flow.Line{flow.TenantPut, flow.TenantCost, flow.Prepaid} {
		empty(t, v, l, 29, 144)
	}
	empty(t, v, flow.Energy, 29, 35)
	empty(t, v, flow.Passed, 29, 35)
	want(t, v, flow.Upkeep, 29, -300_000)
	want(t, v, flow.Property, 29, -420_000)
	// For each of them the hall is fitted out, and after five years the one who came is gone too.
	want(t, v, flow.Building, 34, 0, -60*1.2e6, 0)
	want(t, v, flow.Rent, 94, 7.5e6*1.2298738654*0.7) // 1.03^7
	empty(t, v, flow.Rent, 95, 101)
	want(t, v, flow.Rent, 101, 7.5e6*1.2298738654*0.7)
	want(t, v, flow.Building, 100, 0, -60*1.2e6, 0)
}

// TestAsLikelyAsNot: as expected a tenant fails in the month by whose end that has a chance of a half.
func TestAsLikelyAsNot(t *testing.T) {
	for _, c := range []struct {
		chances []unit.Ratio
		failed  int // operation begins in month 10
	}{
		{[]unit.Ratio{1}, 10},
		{[]unit.Ratio{0.5}, 21},        // by the end of the twelfth month
		{[]unit.Ratio{0, 0.5}, 33},     // of the second year
		{[]unit.Ratio{0.0669}, -1},     // 49.98 % in the ten years of the term
		{[]unit.Ratio{0.067}, 129},     // 50.02 %
		{[]unit.Ratio{0.6, 0}, 10 + 9}, // 0.4^(9/12) is 0.503, 0.4^(10/12) is 0.466
	} {
		l := core42()
		l.Default = c.chances
		f := hosted(l)
		p := calm(f)
		if _, v := plan(t, f, hosting, 0, 0, p); v.Failed != c.failed {
			t.Errorf("with %v the tenant fails in %d, not %d", c.chances, v.Failed, c.failed)
		}
		p.FailsAt = 5
		if _, v := plan(t, f, hosting, 0, 0, p); v.Failed != 14 {
			t.Errorf("told to fail in its fifth month it fails in %d", v.Failed)
		}
	}
}

func TestExtensions(t *testing.T) {
	l := core42()
	l.Term, l.Relet, l.Prepaid = months(24), months(3), nil
	l.Extensions = []input.Extension{{Term: 12, Chance: 0.6}, {Term: 12, Chance: 0.9}, {Term: 12, Chance: 0.5}}
	f := hosted(l)
	p := calm(f)
	// As expected the first two are taken (60 %, and 54 % of both), the third (27 % of all) is not: the
	// tenant stays until month 10 + 48.
	_, v := plan(t, f, hosting, 0, 0, p)
	want(t, v, flow.Rent, 57, 7.5e6*1.03*1.03*1.03, 0, 0, 0, 7.5e6*1.12550881*0.8)
	for u, last := range map[float64]int{0.1: 69, 0.3: 57, 0.55: 45, 0.61: 33} {
		p.Fixed, p.Extend[0], p.Failure[0] = false, u, 1
		_, v := plan(t, f, hosting, 0, 0, p)
		if v.Line[flow.Rent][last] == 0 || v.Line[flow.Rent][last+1] != 0 {
			t.Errorf("with %g the tenant's last rent is not month %d's", u, last)
		}
	}
}

func TestPowerThatIsToCome(t *testing.T) {
	f := hosted(core42())
	f.Site.Status, f.Site.Energised, f.Site.Chance = "queued", figure.MonthOf(2028, 7), pct(70)
	p := calm(f)
	_, v := plan(t, f, hosting, 0, 0, p)
	if v.Operate != 18 {
		t.Errorf("operates in month %d, not July 2028", v.Operate)
	}
	want(t, v, flow.Building, 9, -12.6e6, 0)
	want(t, v, flow.Rent, 17, 0, 7.5e6)
	_, v = plan(t, f, hosting, 0, 12, p)
	if v.Operate != 22 {
		t.Errorf("begun in 2028 it operates in month %d, not 22", v.Operate)
	}
	p.Fixed, p.Energised, p.Failure[0] = false, 0.71, 1
	_, v = plan(t, f, hosting, 0, 0, p)
	if v.Operate != 144 {
		t.Errorf("without power it operates in %d", v.Operate)
	}
	near(t, "capex", sum(v.Line[flow.Building]), -420e6, 1e-12)
	empty(t, v, flow.Rent, 0, 144)
	empty(t, v, flow.Prepaid, 0, 144)
}

func TestExitValue(t *testing.T) {
	l := core42()
	l.Exit, l.SLA, l.Upkeep, l.Property, l.Load, l.Escalator, l.Term = of(10.0), nil, nil, nil, pct(0), nil, months(144)
	f := hosted(l)
	_, v := plan(t, f, hosting, 0, 0, calm(f))
	want(t, v, flow.Sale, 142, 0, 10*12*7.5e6)
	empty(t, v, flow.Sale, 0, 143)
	f.Leases[0].Load, f.Leases[0].Rate = pct(80), kw(1) // loses money: nobody pays for that
	_, v = plan(t, f, hosting, 0, 0, calm(f))
	empty(t, v, flow.Sale, 0, 144)
}

func TestBlocksOfAHostingHall(t *testing.T) {
	l := core42()
	l.Kind = "modified"
	f := hosted(l)
	f.Power.Blocks = []input.Block{{Power: mw(40), Price: of(unit.Price(25e6))}}
	_, v := plan(t, f, hosting, 0, 0, calm(f))
	// The hall bears 75 of 100: 30 MW x 744 h x (40 - 25) = 334,800, also while it is built.
	want(t, v, flow.Blocks, 0, 334_800)
	want(t, v, flow.Blocks, 16, 334_800)
	want(t, v, flow.Energy, 16, -2_232_000)
	// Taken or paid: 30 MW x 744 h x 25 = 558,000 go out whatever is drawn; the 30 MW that are drawn
	// of it cost the wires alone: 744 h x (30 x 10 + 30 x 50) = 1,339,200. The tenant pays the hour's price.
	no := false
	f.Power.Blocks[0].Resale = &no
	_, v = plan(t, f, hosting, 0, 0, calm(f))
	want(t, v, flow.Blocks, 0, -558_000)
	want(t, v, flow.Energy, 16, -1_339_200)
	want(t, v, flow.Passed, 16, 2_232_000)
}

func TestInflation(t *testing.T) {
	f := hosted(core42())
	f.Inflation = pct(10)
	_, v := plan(t, f, hosting, 0, 30, calm(f))
	// Begun in the third year it costs 1.21 of what it did; it operates in month 40, in the fourth.
	near(t, "capex", sum(v.Line[flow.Building]), -420e6*1.21, 1e-12)
	want(t, v, flow.Upkeep, 40, -300_000*1.331)
	want(t, v, flow.Property, 40, -420_000*1.331)
	want(t, v, flow.Rent, 40, 7.5e6) // a rate is nominal
}

// TestWhoComesAfterwards: after the tenant's term, or after it failed, the hall is empty for six months, let for 20, and
// so once more, each time for who comes newly fitted out.
func TestWhoComesAfterwards(t *testing.T) {
	l := core42()
	l.Term, l.Relet, l.Prepaid = months(24), months(6), nil
	l.ReletTerm, l.ReletCapex = months(20), of(figure.PerMW(1e6))
	f := hosted(l)
	f.Halls[0].Build.P50 = 0
	for fails, gone := range map[int]int{0: 24, 19: 18, 24: 23, 25: 24} {
		p := calm(f)
		p.FailsAt = fails
		_, v := plan(t, f, hosting, 0, 0, p)
		for k := 1; k < 144; k++ {
			empty := k >= gone && (k-gone)%26 < 6
			if (v.MW[k] == 0) != empty {
				t.Errorf("failing in month %d: empty in %d is %v", fails, k, !empty)
			}
			if spent := v.Line[flow.Building][k] != 0; spent != (k >= gone && (k-gone)%26 == 6) {
				t.Errorf("failing in month %d: fitted out in %d is %v", fails, k, spent)
			}
		}
	}
}

func TestPUEByMonth(t *testing.T) {
	f := hosted(core42())
	f.Site.PUE = nil
	f.Site.PUEByMonth = []float64{1.1, 1.1, 1.2, 1.2, 1.3, 1.4, 1.5, 1.5, 1.4, 1.3, 1.2, 1.1}
	f.Halls[1].Build.P50 = 0
	s, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	before, v := flow.New(144), flow.New(144)
	s.Plan(hosting, 1, 0, calm(f), mined(f), before, v)
	// Their mean is 15.3 / 12 = 1.275, and 25 MW / 1.275 the critical load, of which 80 % are drawn.
	near(t, "critical load", v.MW[0], 25/1.275, 1e-12)
	near(t, "January", v.MWh[12], 25/1.275*0.8*1.1*744, 1e-12)
	near(t, "July", v.MWh[18], 25/1.275*0.8*1.5*744, 1e-12)
}
