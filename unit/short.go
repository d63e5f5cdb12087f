package unit

import (
	"math"
	"strconv"
	"strings"
)

// AppendShort appends the power rounded for people to b: "860 W", "210.4 kW", "1.503 MW".
func (p Power) AppendShort(b []byte) []byte {
	v := int64(p)
	if v < 0 {
		b = append(b, '-')
		v = int64(mag(v) & (1<<63 - 1))
	}
	switch {
	case v >= 999_950_000:
		return append(appendDecimal(b, v, 1_000_000, 3), " MW"...)
	case v >= 999_500:
		return append(appendDecimal(b, v, 100_000, 1), " kW"...)
	}
	return append(appendDecimal(b, v, 1_000, 0), " W"...)
}

// Short returns what AppendShort appends. String is exact, Short is for sentences.
func (p Power) Short() string { return string(p.AppendShort(nil)) }

// Short returns the hashrate rounded for people: "860 GH/s", "1.02 TH/s", "123.4 TH/s", "1.23 PH/s".
func (h Hashrate) Short() string {
	v, name := h.TH(), " TH/s"
	switch m := math.Abs(v); {
	case m >= 999_995:
		v, name = v/1e6, " EH/s"
	case m >= 999.95:
		v, name = v/1e3, " PH/s"
	case m > 0 && m < 0.9995:
		v, name = v*1e3, " GH/s"
	}
	places := 2
	if m := math.Abs(v); name == " GH/s" {
		places = 0
	} else if m >= 9.995 {
		places = 1
	}
	s := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + name
}

// AppendShort appends the price in $/MWh with two decimals and without its unit: "61.20".
func (p Price) AppendShort(b []byte) []byte {
	v := int64(p)
	if v < 0 {
		b = append(b, '-')
		v = int64(mag(v) & (1<<63 - 1))
	}
	cents := v/10_000 + v%10_000/5_000
	b = strconv.AppendInt(b, cents/100, 10)
	return append(b, '.', byte('0'+cents/10%10), byte('0'+cents%10))
}

// Short returns what AppendShort appends.
func (p Price) Short() string { return string(p.AppendShort(nil)) }

// appendDecimal appends v, which is not negative, in steps of step with up to places
// decimals, without zeros at the end.
func appendDecimal(b []byte, v, step int64, places int) []byte {
	n := v/step + (v%step*2)/step
	scale := int64(1)
	for range places {
		scale *= 10
	}
	b = strconv.AppendInt(b, n/scale, 10)
	rest := n % scale
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for rest != 0 {
		scale /= 10
		b = append(b, byte('0'+rest/scale))
		rest %= scale
	}
	return b
}
