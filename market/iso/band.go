package iso

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// believe says why a figure cannot be one: a filler such as 9999, or one beyond twice what
// the operator's rules let prices reach. Sort names the sort of fault.
func (a Ask) believe(v float64) (sort string, err error) {
	if a.Kind == Load {
		if v <= 0 || v >= 999_999 {
			return "load", fmt.Errorf("a load of %.6g MW is not believed", v)
		}
		return "", nil
	}
	if Filler(v) {
		return "filler", fmt.Errorf("%.10g stands for a price that is not there", v)
	}
	if low, high := band(a.Operator); v < low || v > high {
		return "band", fmt.Errorf("a price of %.6g is outside %.0f to %.0f, twice what %s's rules allow, and is not believed", v, low, high, a.Operator)
	}
	return "", nil
}

// Filler says whether a figure is one that systems write for "none": four nines or more, with
// or without nines behind the point, of either sign.
func Filler(v float64) bool {
	v = math.Abs(v)
	for power := 1e4; power <= 1e12; power *= 10 {
		for _, step := range []float64{1, 0.1, 0.01, 0.001} {
			if math.Abs(v-(power-step)) < 1e-7*step*power {
				return true
			}
		}
	}
	return false
}

// band returns twice the lowest and the highest price that an operator's rules let come
// about, in the feed's unit: offer floors and caps with what scarcity and congestion add.
func band(operator string) (low, high float64) {
	switch operator {
	case "nyiso":
		return -5_000, 10_000
	case "ercot":
		return -1_000, 10_000 // system-wide offer cap 5,000; 9,000 until 2021
	case "caiso":
		return -2_000, 5_000
	case "pjm":
		return -2_000, 7_500
	case "miso":
		return -2_000, 20_000 // value of lost load 10,000 since 2025
	case "entsoe":
		return -1_000, 8_000
	case "aemo":
		return -2_000, 50_000 // market price cap above 20,000 and indexed each year
	case "octopus":
		return -200, 200 // pence per kWh; the tariff is capped at 100
	}
	return -5_000, 20_000
}

// number reads a figure. An empty one, or a word for none, is missing.
func (r *reader) number(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	switch strings.ToLower(text) {
	case "", "null", "none", "n/a", "na", "nan", "-", "--":
		r.bad("missing", "the figure is missing")
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		r.bad("number", "%.40q is not a number", text)
		return 0, false
	}
	return v, true
}
