package invoice

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"switchyard/unit"
)

const cent = unit.Dollar / 100

// Cents rounds an amount to the cent, halves to the even one: what is billed of it.
func Cents(m unit.Money) unit.Money {
	q, r := m/cent, m%cent
	if r < 0 {
		q, r = q-1, r+cent
	}
	if r > cent/2 || r == cent/2 && q%2 != 0 {
		q++
	}
	return q * cent
}

// Billed is what the line adds to the total: its amount rounded to the cent.
func (l Line) Billed() unit.Money { return Cents(l.Amount) }

// Decimal prints an amount in dollars with so many decimals, "-1234.50"; what is behind them is cut off.
func Decimal(m unit.Money, decimals int) string {
	neg := m < 0
	digits := strconv.FormatUint(magnitude(int64(m)), 10)
	if len(digits) < 7 {
		digits = strings.Repeat("0", 7-len(digits)) + digits
	}
	whole, rest := digits[:len(digits)-6], digits[len(digits)-6:]
	text := whole
	if decimals > 0 {
		text += "." + rest[:min(decimals, 6)]
	}
	if neg && strings.Trim(text, "0.") != "" {
		return "-" + text
	}
	return text
}

// number is an amount as a JSON number with its cents.
func number(m unit.Money) json.Number { return json.Number(Decimal(m, 2)) }

// exact is an amount as a JSON number with all six decimals.
func exact(m unit.Money) json.Number { return json.Number(Decimal(m, 6)) }

// amount reads a JSON number of dollars, exactly.
func amount(n json.Number) (unit.Money, error) {
	m, err := unit.ParseMoney(n.String() + " $")
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", n.String(), err)
	}
	return m, nil
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-(v + 1)) + 1
	}
	return uint64(v)
}

// hours is GPU time summed over a month; a time.Duration would run over at 3,500 GPUs.
type hours struct {
	whole int64
	rest  time.Duration // below one hour
}

func (h hours) add(d time.Duration) hours {
	h.whole += int64(d / time.Hour)
	h.rest += d % time.Hour
	h.whole += int64(h.rest / time.Hour)
	h.rest %= time.Hour
	return h
}

func (h hours) float() float64 { return float64(h.whole) + float64(h.rest)/float64(time.Hour) }

// cost is what the hours cost at a rate per hour, rounded half up to the micro-dollar.
func (h hours) cost(rate unit.Money) unit.Money {
	return rate*unit.Money(h.whole) + unit.Money(muldivRound(int64(rate), int64(h.rest), int64(time.Hour)))
}

// muldiv is a x b / c cut off, of numbers that are not negative.
func muldiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi >= magnitude(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, magnitude(c))
	return int64(min(q, math.MaxInt64))
}

func modulo(a, b, c int64) int64 {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	return int64(bits.Rem64(hi, lo, magnitude(c)))
}

// muldivRound is a x b / c rounded half away from zero, of b and c that are not negative.
func muldivRound(a, b, c int64) int64 {
	if c == 0 {
		return 0
	}
	q := muldiv(a, b, c)
	if r := modulo(a, b, c); r >= c-r {
		q++
	}
	if a < 0 {
		return -q
	}
	return q
}

// share is m x part / whole, rounded half away from zero; nothing where there is no whole.
func share(m unit.Money, part, whole int64) unit.Money {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return unit.Money(muldivRound(int64(m), part, whole))
}

// quantity rounds a figure so that it prints without a tail of binary digits.
func quantity(f float64) float64 { return math.Round(f*1e6) / 1e6 }

// mean is dollars per unit where each interval had its own price.
func mean(m unit.Money, q float64) float64 {
	if q == 0 {
		return 0
	}
	return math.Round(m.Dollars()/q*1e9) / 1e9
}
