package page

import (
	"fmt"
	"math"
	"strings"

	"switchyard/study/figure"
)

// none is what stands where there is no figure.
const none = "–"

// finite says that a figure is one: no report holds NaN, infinity or what lies beyond all money.
func finite(v float64) bool { return math.Abs(v) < 1e30 }

// group prints with so many decimals, commas between thousands and a true minus.
func group(v float64, decimals int) string {
	if !finite(v) {
		return none
	}
	s := fmt.Sprintf("%.*f", decimals, math.Abs(v))
	zero := strings.Trim(s, "0.") == ""
	whole, rest := s, ""
	if dot := strings.IndexByte(s, '.'); dot >= 0 {
		whole, rest = s[:dot], s[dot:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if v < 0 && !zero {
		return "−" + whole + rest
	}
	return whole + rest
}

// money prints an amount in a sentence: "$412.3M", "−$38k".
func money(v float64) string {
	if !finite(v) {
		return none
	}
	sign, a := "", math.Abs(v)
	if v < 0 {
		sign = "−"
	}
	switch {
	case a >= 50_000:
		return sign + "$" + group(a/1e6, 1) + "M"
	case a >= 500:
		return sign + "$" + group(a/1e3, 0) + "k"
	case a < 0.5:
		return "$0"
	}
	return sign + "$" + group(a, 0)
}

// million prints an amount in a table of $M: "412.3", "(12.3)".
func million(v float64) string {
	if !finite(v) {
		return none
	}
	s := group(math.Abs(v)/1e6, 1)
	if v < 0 && s != "0.0" {
		return "(" + s + ")"
	}
	return s
}

// short prints an amount on an axis: "$40M", "−$2.5M", "$500k".
func short(v float64) string {
	sign, a := "", math.Abs(v)
	if v < 0 {
		sign = "−"
	}
	switch {
	case !finite(v):
		return none
	case a >= 999_500_000:
		return sign + "$" + trim(a/1e9) + "B"
	case a >= 999_500:
		return sign + "$" + trim(a/1e6) + "M"
	case a >= 999.5:
		return sign + "$" + trim(a/1e3) + "k"
	case a < 1e-9:
		return "$0"
	}
	return sign + "$" + trim(a)
}

// plain prints a figure without unit on an axis.
func plain(v float64) string {
	if a := math.Abs(v); !finite(v) {
		return none
	} else if a >= 1e9 {
		return fmt.Sprintf("%.3g", v)
	}
	if v < 0 {
		return "−" + trim(-v)
	}
	return trim(v)
}

// tera prints a difficulty as miners call it: "146.5 T".
func tera(v float64) string {
	if !finite(v) {
		return none
	}
	return trim(v/1e12) + " T"
}

// trim prints up to two decimals, and none that are zero.
func trim(v float64) string {
	s := group(v, 2)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// percent prints a share of one: "12.4 %".
func percent(v float64) string {
	if !finite(v) {
		return none
	}
	return group(v*100, 1) + " %"
}

// chance prints a share of paths: no decimals, but never a round 0 or 100 that is not.
func chance(v float64) string {
	switch {
	case !finite(v):
		return none
	case v > 0 && v < 0.01:
		return "< 1 %"
	case v < 1 && v > 0.99:
		return "> 99 %"
	}
	return group(v*100, 0) + " %"
}

// optional prints a figure that may not exist.
func optional(v *float64, print func(float64) string) string {
	if v == nil {
		return none
	}
	return print(*v)
}

func ratio(v float64) string { return group(v, 2) }

// years prints months as a person says them: "9 months", "4.5 years".
func years(months int) string {
	switch {
	case months == 1:
		return "1 month"
	case months < 12:
		return fmt.Sprintf("%d months", months)
	case months == 12:
		return "1 year"
	}
	return trim1(float64(months)/12) + " years"
}

func trim1(v float64) string { return strings.TrimSuffix(group(v, 1), ".0") }

// list joins names as a sentence does.
func list(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// monthOf reads a month as the report writes it.
func monthOf(s string) (figure.Month, bool) {
	var m figure.Month
	err := m.UnmarshalText([]byte(s))
	return m, err == nil
}

// since is how many months a month lies after the first.
func since(start, month string) (int, bool) {
	a, ok := monthOf(start)
	b, also := monthOf(month)
	return int(b - a), ok && also
}
