package unit

import (
	"encoding"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// exact returns a*b/c rounded half away from zero, kept within an int64.
func exact(a, b, c int64) int64 {
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	d := big.NewInt(c)
	neg := n.Sign()*d.Sign() < 0
	n.Abs(n).Mul(n, big.NewInt(2)).Add(n, d.Abs(d))
	n.Div(n, d.Mul(d, big.NewInt(2)))
	if neg {
		n.Neg(n)
	}
	switch {
	case n.IsInt64():
		return n.Int64()
	case neg:
		return math.MinInt64
	}
	return math.MaxInt64
}

func TestCostIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, e := rapid.Int64().Draw(t, "price"), rapid.Int64().Draw(t, "energy")
		if got, want := Price(p).Cost(Energy(e)), exact(p, e, int64(MegawattHour)); got != Money(want) {
			t.Fatalf("%d x %d = %d, want %d", p, e, got, want)
		}
	})
}

func TestMuldiv(t *testing.T) {
	const lo, hi = math.MinInt64, math.MaxInt64
	for _, c := range [][4]int64{
		{1, 1, 2, 1},
		{-1, 1, 2, -1},
		{1, 1, 3, 0},
		{-2, 1, 3, -1},
		{3, 1, -2, -2},
		{-3, -1, 2, 2},
		{0, 5, 7, 0},
		{0, -5, 7, 0},
		{lo, 1, 1, lo},
		{lo, -1, 1, hi},
		{lo, 1, -1, hi},
		{hi, 1, 1, hi},
		{hi, hi, hi, hi},
		{lo, lo, lo, lo},
		{hi, 2, 1, hi},
		{lo, 2, 1, lo},
		{lo, lo, 1, hi},
		{hi, hi, hi - 1, hi},
		{1, 1, lo, 0},
		{lo, 1, 2, lo / 2},
		{hi, 4, 2, hi},
		{6_148_914_691_236_517_205, 9, 3, hi},
		{1, 1, 0, hi},
		{-1, 1, 0, lo},
	} {
		if got := muldiv(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%d x %d / %d = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b"), rapid.Int64().Filter(func(v int64) bool { return v != 0 }).Draw(t, "c")
		if got, want := muldiv(a, b, c), exact(a, b, c); got != want {
			t.Fatalf("%d x %d / %d = %d, want %d", a, b, c, got, want)
		}
	})
}

// Energy over a time and its mean power are each other's inverse where nothing is rounded,
// and energy adds up over adjoining times to within the rounding.
func TestOverAndMean(t *testing.T) {
	if got := (3 * Megawatt).Over(20 * time.Minute); got != MegawattHour {
		t.Errorf("3 MW for 20 minutes is %v", got)
	}
	if got := MegawattHour.Mean(5 * time.Minute); got != 12*Megawatt {
		t.Errorf("1 MWh in 5 minutes is %v", got)
	}
	if got := MegawattHour.Mean(0); got != 0 {
		t.Errorf("the mean over no time is %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := Power(rapid.Int64Range(-1e13, 1e13).Draw(t, "power"))
		d := time.Duration(rapid.Int64Range(1, 1e15).Draw(t, "d"))
		cut := time.Duration(rapid.Int64Range(0, int64(d)).Draw(t, "cut"))
		if diff := p.Over(d) - p.Over(cut) - p.Over(d-cut); diff < -1 || diff > 1 {
			t.Fatalf("the parts differ from the whole by %v", diff)
		}
		hours := time.Duration(rapid.Int64Range(1, 1000).Draw(t, "hours")) * time.Hour
		if got := p.Over(hours).Mean(hours); got != p {
			t.Fatalf("%v comes back as %v", p, got)
		}
	})
}

func TestRent(t *testing.T) {
	rate := DollarsPerKWMonth(120)
	if got := rate.Rent(1800*Kilowatt, 1, 1); got != 216_000*Dollar {
		t.Errorf("a month's rent is %v", got)
	}
	if got := rate.Rent(1800*Kilowatt, 5*time.Minute, 30*24*time.Hour); got != 25*Dollar {
		t.Errorf("five minutes' rent is %v", got)
	}
}

func TestMiningValue(t *testing.T) {
	if got := DollarsPerPHDay(50).Value(17.5, 0.01); got != DollarsPerMWh(117.857143) {
		t.Errorf("value %v", got)
	}
	if DollarsPerPHDay(50).Value(0, 0) != 0 || EfficiencyOf(Watt, 0) != 0 {
		t.Error("what cannot be divided is not zero")
	}
	if got := EfficiencyOf(3500*Watt, 200*TeraHash); got != 17.5 {
		t.Errorf("efficiency %v", got)
	}
	// A MWh at its breakeven price earns what it costs: the same through Revenue and Cost.
	rapid.Check(t, func(t *rapid.T) {
		h := DollarsPerPHDay(rapid.Float64Range(1, 500).Draw(t, "hashprice"))
		e := Efficiency(rapid.Float64Range(5, 100).Draw(t, "efficiency"))
		power := Power(rapid.Int64Range(int64(Kilowatt), int64(100*Megawatt)).Draw(t, "power"))
		earned := h.Revenue(Hashrate(power.Watts()/float64(e))*TeraHash, time.Hour)
		cost := h.Value(e, 0).Cost(power.Over(time.Hour))
		if d := (earned - cost).Dollars(); math.Abs(d) > 1e-4+1e-6*cost.Dollars() {
			t.Fatalf("earned %v, cost %v", earned, cost)
		}
	})
}

func TestRound(t *testing.T) {
	for in, want := range map[float64]int64{
		0.5: 1, -0.5: -1, 1.4999: 1, math.Inf(1): math.MaxInt64, math.Inf(-1): math.MinInt64, 1e30: math.MaxInt64, -1e30: math.MinInt64,
	} {
		if got := round(in); got != want {
			t.Errorf("round(%v) = %d, want %d", in, got, want)
		}
	}
	if round(math.NaN()) != 0 {
		t.Error("not a number is not zero")
	}
	if Watts(0.0005) != 1 || WattHours(-0.0005) != -1 || Dollars(1.0000005) != 1_000_001 || Power(10).Scale(0.25) != 3 {
		t.Error("halves do not go away from zero")
	}
}

// read reads s into the quantity and prints it again.
func read[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](s string) (T, error) {
	var v T
	err := P(&v).UnmarshalText([]byte(s))
	return v, err
}

func TestParse(t *testing.T) {
	check := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s = %v, %v, want %v", what, got, err, want)
		}
	}
	for s, want := range map[string]Power{
		"3.2 MW": 3_200_000_000, "3500W": 3_500_000, " 1_000 kW ": 1e9, "0 W": 0, "-5 W": -5000, "+1 GW": 1e12, "7 mW": 7, ".5 W": 500, "0.0005 W": 1, "1.1 MW": 1_100_000_000,
		"9223372036854775.807 W": math.MaxInt64,
	} {
		got, err := ParsePower(s)
		check(s, got, want, err)
	}
	for s, want := range map[string]Money{
		"1500 $": 15e8, "$1500": 15e8, "1,234.56 $": 1_234_560_000, "-$1,234.56": -1_234_560_000, "$-2": -2e6, "3 USD": 3e6, "0.000001 $": 1,
	} {
		got, err := ParseMoney(s)
		check(s, got, want, err)
	}
	for s, want := range map[string]Price{"45 $/MWh": 45e6, "0.05 $/kWh": 50e6, "4.5 c/kWh": 45e6, "-17.3 USD/MWh": -17_300_000} {
		got, err := ParsePrice(s)
		check(s, got, want, err)
	}
	e, err := ParseEnergy("12.5 MWh")
	check("12.5 MWh", e, 12_500*KilowattHour, err)
	h, err := ParseHashrate("200 TH/s")
	check("200 TH/s", h, 200*TeraHash, err)
	hp, err := ParseHashprice("0.05 $/TH/day")
	check("0.05 $/TH/day", hp, DollarsPerPHDay(50), err)
	rent, err := read[CapacityRate]("125000 $/MW-month")
	check("125000 $/MW-month", rent, DollarsPerKWMonth(125), err)
	eff, err := read[Efficiency]("17.5 J/TH")
	check("17.5 J/TH", eff, Efficiency(17.5), err)
	for s, want := range map[string]Ratio{"110 %": 1.1, "99.9 %": 0.999, "7%": 0.07, "0 %": 0} {
		got, err := read[Ratio](s)
		check(s, got, want, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for s, want := range map[string]string{
		"":                              `"" is not a power; write it like "3.2 MW"`,
		"3":                             `"3" has no unit; write it like "3.2 MW"`,
		"3 MV":                          `"MV" is not a unit of power; write it like "3.2 MW"`,
		"3 mw":                          `"mw" is not a unit of power`,
		"MW":                            `"MW" is not a power`,
		"1.2.3 W":                       `is not a power`,
		"--1 W":                         `is not a power`,
		"1e3 W":                         `is not a unit of power`,
		"Inf W":                         `is not a power`,
		"NaN W":                         `is not a power`,
		"99999999999 GW":                `"99999999999 GW" is more than can be counted`,
		"9223372036854775.808 W":        `is more than can be counted`,
		strings.Repeat("1", 1e6) + " W": `is not a power`,
	} {
		if p, err := ParsePower(s); err == nil || !strings.Contains(err.Error(), want) || p != 0 {
			t.Errorf("%.40q = %v, %.200v, want %q", s, p, err, want)
		}
	}
	if _, err := read[Ratio]("0.5"); err == nil || !strings.Contains(err.Error(), "has no unit") {
		t.Errorf("a share without its sign gave %v", err)
	}
}

// What is printed is read back as the same, over the whole range.
func TestTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64().Draw(t, "n")
		roundTrip[Power](t, Power(n))
		roundTrip[Energy](t, Energy(n))
		roundTrip[Money](t, Money(n))
		roundTrip[Price](t, Price(n))
		roundTrip[CapacityRate](t, CapacityRate(n))
		roundTrip[Hashprice](t, Hashprice(n))
		bp := rapid.Int64Range(0, 1_000_000).Draw(t, "bp")
		roundTrip[Ratio](t, Ratio(float64(bp)/1e4))
		eff := rapid.Float64Range(1e-3, 1e4).Draw(t, "efficiency")
		roundTrip[Efficiency](t, Efficiency(eff))
		hash := Hashrate(rapid.Float64Range(1e3, 1e21).Draw(t, "hashrate"))
		b, _ := hash.MarshalText()
		if got, err := ParseHashrate(string(b)); err != nil || math.Abs(float64(got-hash)) > 1e-15*float64(hash) {
			t.Fatalf("%v is printed %s and read as %v, %v", float64(hash), b, float64(got), err)
		}
	})
}

func roundTrip[T comparable, P interface {
	*T
	encoding.TextUnmarshaler
}](t *rapid.T, v T) {
	b, err := any(v).(encoding.TextMarshaler).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read[T, P](string(b)); err != nil || got != v {
		t.Fatalf("%T %v is printed %s and read as %v, %v", v, v, b, got, err)
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Power(3_200_000_000).String(), "3.2 MW"},
		{(999 * Watt).String(), "999 W"},
		{(-1500 * Watt).String(), "-1.5 kW"},
		{Power(1).String(), "0.001 W"},
		{Power(0).String(), "0 W"},
		{Power(math.MaxInt64).String(), "9223372036.854775807 MW"},
		{Power(math.MinInt64).String(), "-9223372036.854775808 MW"},
		{(12_500 * KilowattHour).String(), "12.5 MWh"},
		{DollarsPerMWh(-17.25).String(), "-17.25 $/MWh"},
		{DollarsPerKWMonth(121.5).String(), "121.5 $/kW-month"},
		{DollarsPerPHDay(50).String(), "50 $/PH/day"},
		{(200 * TeraHash).String(), "200 TH/s"},
		{(2 * PetaHash).String(), "2 PH/s"},
		{Efficiency(17.5).String(), "17.5 J/TH"},
		{Ratio(0.999).String(), "99.9 %"},
		{Dollars(-1234.56).String(), "-$1,234.56"},
		{Dollars(1234567.894).String(), "$1,234,567.89"},
		{Dollars(999.995).String(), "$1,000.00"},
		{Dollars(0).String(), "$0.00"},
		{Money(-1).String(), "$0.00"},
		{Money(-5000).String(), "-$0.01"},
		{Money(math.MaxInt64).String(), "$9,223,372,036,854.78"},
		{Money(math.MinInt64).String(), "-$9,223,372,036,854.78"},
	} {
		if c.got != c.want {
			t.Errorf("printed %q, want %q", c.got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("3.2 MW")
	f.Add("-$1,234.56")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePower(s); err == nil {
			if again, err := ParsePower(p.String()); err != nil || again != p {
				t.Errorf("%q is %v and then %v, %v", s, p, again, err)
			}
		}
		if m, err := ParseMoney(s); err == nil && (m > 0) == strings.HasPrefix(m.String(), "-") && m <= -5000 {
			t.Errorf("%q prints as %v", s, m)
		}
		if _, err := read[Ratio](s); err != nil && err.Error() == "" {
			t.Error("an error says nothing")
		}
	})
}
