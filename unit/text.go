package unit

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

type scale struct {
	name   string
	factor float64
}

var (
	powerUnits  = []scale{{"W", 1e3}, {"kW", 1e6}, {"MW", 1e9}, {"GW", 1e12}, {"mW", 1}}
	energyUnits = []scale{{"Wh", 1e3}, {"kWh", 1e6}, {"MWh", 1e9}, {"GWh", 1e12}, {"mWh", 1}}
	hashUnits   = []scale{{"TH/s", 1e12}, {"MH/s", 1e6}, {"GH/s", 1e9}, {"PH/s", 1e15}, {"EH/s", 1e18}, {"H/s", 1}}
	moneyUnits  = []scale{{"$", 1e6}, {"USD", 1e6}}
	priceUnits  = []scale{{"$/MWh", 1e6}, {"USD/MWh", 1e6}, {"$/kWh", 1e9}, {"c/kWh", 1e7}}
	rentUnits   = []scale{{"$/kW-month", 1e6}, {"USD/kW-month", 1e6}, {"$/MW-month", 1e3}}
	hpUnits     = []scale{{"$/PH/day", 1e6}, {"USD/PH/day", 1e6}, {"$/TH/day", 1e9}}
	effUnits    = []scale{{"J/TH", 1}, {"W/TH", 1}}
	ratioUnits  = []scale{{"%", 1}}
)

// longest bounds the digits of a quantity: an int64 has 19.
const longest = 40

// parse splits a quantity into its decimal number, still as text, and its unit's factor.
func parse(s, what, example string, units []scale) (digits string, factor float64, err error) {
	t := strings.TrimSpace(s)
	end := 0
	for end < len(t) && strings.IndexByte("+-.0123456789_", t[end]) >= 0 {
		end++
	}
	digits = strings.ReplaceAll(t[:end], "_", "")
	if _, err := strconv.ParseFloat(digits, 64); err != nil || len(digits) > longest {
		return "", 0, fmt.Errorf("%s is not %s; write it like %q", quote(s), what, example)
	}
	name := strings.TrimSpace(t[end:])
	for _, u := range units {
		if u.name == name {
			return digits, u.factor, nil
		}
	}
	if name == "" {
		return "", 0, fmt.Errorf("%s has no unit; write it like %q", quote(s), example)
	}
	return "", 0, fmt.Errorf("%s is not a unit of %s; write it like %q", quote(name), noun(what), example)
}

// noun drops the article.
func noun(what string) string {
	_, n, _ := strings.Cut(what, " ")
	return n
}

// quote keeps a long text from filling the screen.
func quote(s string) string {
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return strconv.Quote(s)
}

// parseInt reads a quantity that is counted in whole steps: exactly, rounded half away
// from zero, and an error beyond what an int64 counts.
func parseInt(s, what, example string, units []scale) (int64, error) {
	digits, factor, err := parse(s, what, example, units)
	if err != nil {
		return 0, err
	}
	r, ok := new(big.Rat).SetString(digits)
	if !ok {
		return 0, fmt.Errorf("%s is not %s; write it like %q", quote(s), what, example)
	}
	n := new(big.Int).Mul(r.Num(), big.NewInt(2*int64(factor)))
	neg := n.Sign() < 0
	n.Abs(n).Add(n, r.Denom()).Div(n, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	if neg {
		n.Neg(n)
	}
	if !n.IsInt64() {
		return 0, fmt.Errorf("%s is more than can be counted; write it like %q", quote(s), example)
	}
	return n.Int64(), nil
}

// parseFloat reads a quantity that is measured.
func parseFloat(s, what, example string, units []scale) (float64, error) {
	digits, factor, err := parse(s, what, example, units)
	if err != nil {
		return 0, err
	}
	v, _ := strconv.ParseFloat(digits, 64) // parse has tried it
	return v * factor, nil
}

func format(v float64, unit string) string {
	return strconv.FormatFloat(v, 'f', -1, 64) + " " + unit
}

// formatInt prints v steps, of which there are factor in one unit, with all their digits.
func formatInt(v, factor int64, unit string) string {
	m, f := mag(v), uint64(factor)
	text := strconv.FormatUint(m/f, 10)
	if v < 0 {
		text = "-" + text
	}
	if rest := m % f; rest > 0 {
		digits := strconv.FormatUint(f+rest, 10)[1:] // a power of ten before it keeps its zeros
		text += "." + strings.TrimRight(digits, "0")
	}
	return text + " " + unit
}

// ParsePower reads a power such as "3.2 MW"; the unit is required.
func ParsePower(s string) (Power, error) {
	v, err := parseInt(s, "a power", "3.2 MW", powerUnits)
	return Power(v), err
}

// String prints the power exactly, in the largest unit that keeps it at one or more.
func (p Power) String() string {
	switch a := math.Abs(float64(p)); {
	case a >= float64(Megawatt):
		return formatInt(int64(p), 1e9, "MW")
	case a >= float64(Kilowatt):
		return formatInt(int64(p), 1e6, "kW")
	default:
		return formatInt(int64(p), 1e3, "W")
	}
}

// UnmarshalText reads what ParsePower reads.
func (p *Power) UnmarshalText(b []byte) (err error) { *p, err = ParsePower(string(b)); return }

// MarshalText writes what String prints.
func (p Power) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// ParseEnergy reads an energy such as "12.5 MWh".
func ParseEnergy(s string) (Energy, error) {
	v, err := parseInt(s, "an energy", "12.5 MWh", energyUnits)
	return Energy(v), err
}

// String prints the energy exactly.
func (e Energy) String() string {
	switch a := math.Abs(float64(e)); {
	case a >= float64(MegawattHour):
		return formatInt(int64(e), 1e9, "MWh")
	case a >= float64(KilowattHour):
		return formatInt(int64(e), 1e6, "kWh")
	default:
		return formatInt(int64(e), 1e3, "Wh")
	}
}

// UnmarshalText reads what ParseEnergy reads.
func (e *Energy) UnmarshalText(b []byte) (err error) { *e, err = ParseEnergy(string(b)); return }

// MarshalText writes what String prints.
func (e Energy) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// String prints an amount in dollars and cents, such as "-$1,234.56".
func (m Money) String() string {
	cents, sign := (mag(int64(m))+5_000)/10_000, ""
	if m < 0 && cents > 0 {
		sign = "-"
	}
	whole := strconv.FormatUint(cents/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return fmt.Sprintf("%s$%s.%02d", sign, whole, cents%100)
}

// ParseMoney reads an amount such as "1500 $", "$1500" or "-$1,234.56".
func ParseMoney(s string) (Money, error) {
	t, minus := strings.CutPrefix(strings.TrimSpace(s), "-$")
	r, front := strings.CutPrefix(t, "$")
	switch {
	case minus:
		t = "-" + t + " $"
	case front:
		t = r + " $"
	}
	v, err := parseInt(strings.ReplaceAll(t, ",", ""), "an amount of money", "1500 $", moneyUnits)
	return Money(v), err
}

// UnmarshalText reads what ParseMoney reads.
func (m *Money) UnmarshalText(b []byte) (err error) { *m, err = ParseMoney(string(b)); return }

// MarshalText writes the amount exactly, in dollars.
func (m Money) MarshalText() ([]byte, error) { return []byte(formatInt(int64(m), 1e6, "$")), nil }

// ParsePrice reads an energy price such as "45 $/MWh".
func ParsePrice(s string) (Price, error) {
	v, err := parseInt(s, "an energy price", "45 $/MWh", priceUnits)
	return Price(v), err
}

// String prints the price in $/MWh.
func (p Price) String() string { return formatInt(int64(p), 1e6, "$/MWh") }

// UnmarshalText reads what ParsePrice reads.
func (p *Price) UnmarshalText(b []byte) (err error) { *p, err = ParsePrice(string(b)); return }

// MarshalText writes what String prints.
func (p Price) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String prints the rate in $/kW-month.
func (r CapacityRate) String() string { return formatInt(int64(r), 1e6, "$/kW-month") }

// UnmarshalText reads a rate such as "120 $/kW-month".
func (r *CapacityRate) UnmarshalText(b []byte) error {
	v, err := parseInt(string(b), "a capacity rate", "120 $/kW-month", rentUnits)
	*r = CapacityRate(v)
	return err
}

// MarshalText writes what String prints.
func (r CapacityRate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseHashrate reads a hashrate such as "200 TH/s".
func ParseHashrate(s string) (Hashrate, error) {
	v, err := parseFloat(s, "a hashrate", "200 TH/s", hashUnits)
	return Hashrate(v), err
}

// String prints the hashrate in TH/s, or PH/s from 1,000 TH/s.
func (h Hashrate) String() string {
	if h >= PetaHash {
		return format(h.PH(), "PH/s")
	}
	return format(h.TH(), "TH/s")
}

// UnmarshalText reads what ParseHashrate reads.
func (h *Hashrate) UnmarshalText(b []byte) (err error) { *h, err = ParseHashrate(string(b)); return }

// MarshalText writes what String prints.
func (h Hashrate) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// ParseHashprice reads a hashprice such as "50 $/PH/day".
func ParseHashprice(s string) (Hashprice, error) {
	v, err := parseInt(s, "a hashprice", "50 $/PH/day", hpUnits)
	return Hashprice(v), err
}

// String prints the hashprice in $/PH/day.
func (h Hashprice) String() string { return formatInt(int64(h), 1e6, "$/PH/day") }

// UnmarshalText reads what ParseHashprice reads.
func (h *Hashprice) UnmarshalText(b []byte) (err error) { *h, err = ParseHashprice(string(b)); return }

// MarshalText writes what String prints.
func (h Hashprice) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// String prints the efficiency in J/TH.
func (e Efficiency) String() string { return format(float64(e), "J/TH") }

// UnmarshalText reads an efficiency such as "17.5 J/TH".
func (e *Efficiency) UnmarshalText(b []byte) error {
	v, err := parseFloat(string(b), "an efficiency", "17.5 J/TH", effUnits)
	*e = Efficiency(v)
	return err
}

// MarshalText writes what String prints.
func (e Efficiency) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// String prints the ratio in per cent.
func (r Ratio) String() string {
	return strconv.FormatFloat(math.Round(float64(r)*1e8)/1e6, 'f', -1, 64) + " %"
}

// UnmarshalText reads a share such as "99.9 %"; the sign is required, so that 0.5 is never taken for 50 %.
func (r *Ratio) UnmarshalText(b []byte) error {
	digits, _, err := parse(string(b), "a share", "99.9 %", ratioUnits)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(digits+"e-2", 64) // so that 99.9 % is 0.999: neither / 100 nor x 0.01 gives that
	*r = Ratio(v)
	return err
}

// MarshalText writes what String prints.
func (r Ratio) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
