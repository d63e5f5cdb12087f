// Package figure owns the figures of an investment study: a value with where it comes from, and
// the units that only a study uses: dollars for a megawatt, a terahash, a GPU and its hour, months.
//
// It never guesses: a figure without provenance says so, and is an assumption.
//
// Concurrency: values are plain data and all functions are pure.
package figure

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Origin is where a figure comes from.
type Origin string

// The origins, the surest first.
const (
	Measured   Origin = "measured"   // by a meter or a device of this site
	Contract   Origin = "contract"   // signed
	Quote      Origin = "quote"      // offered in writing by who would be bound
	Published  Origin = "published"  // by somebody else, of something like it
	Assumption Origin = "assumption" // believed; Source says why
)

// Origins returns them all, the surest first.
func Origins() []Origin { return []Origin{Measured, Contract, Quote, Published, Assumption} }

// UnmarshalText reads an origin.
func (o *Origin) UnmarshalText(b []byte) error {
	for _, k := range Origins() {
		if string(b) == string(k) {
			*o = k
			return nil
		}
	}
	return fmt.Errorf("%q is no origin; write measured, contract, quote, published or assumption", string(b))
}

// Figure is a value with its provenance. In a file it is the value alone, or a mapping.
type Figure[T any] struct {
	Is     T      `yaml:"is,short"`
	From   Origin `yaml:"from"`
	Source string `yaml:"source"`
}

// Of returns a figure, as defaults need it.
func Of[T any](v T, from Origin, source string) *Figure[T] {
	return &Figure[T]{Is: v, From: from, Source: source}
}

// Spread is an uncertain value: nine in ten cases are above P10, half above P50, one above P90. In
// a file a value alone is certain. All three have one provenance.
type Spread[T any] struct {
	P50    T      `yaml:"p50,short"`
	P10    *T     `yaml:"p10"`
	P90    *T     `yaml:"p90"`
	From   Origin `yaml:"from"`
	Source string `yaml:"source"`
}

// Certain says that the value has no spread.
func (s *Spread[T]) Certain() bool { return s.P10 == nil && s.P90 == nil }

// The quantities below are float64 in the unit that their name says: a study is a forecast, and
// its dollars are not those of the books.

// Dollars is money of a study.
type Dollars float64

// PerMW is dollars for a megawatt.
type PerMW float64

// PerTH is dollars for a terahash a second of machines.
type PerTH float64

// PerGPU is dollars for a GPU with its share of servers and network.
type PerGPU float64

// PerGPUHour is dollars for an hour of a GPU.
type PerGPUHour float64

// Months is a stretch of time.
type Months int

// Month is a month of the calendar, "2026-03", counted from January of the year 0.
type Month int

type scale struct {
	name   string
	factor float64
}

func parse(b []byte, example string, units []scale) (float64, error) {
	s := strings.TrimSpace(string(b))
	end := strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("+-.0123456789_,", r) })
	if end < 0 {
		end = len(s)
	}
	if len(s) > 60 {
		return 0, fmt.Errorf("%q is too long for a figure; write it like %q", s[:20]+"…", example)
	}
	v, err := strconv.ParseFloat(strings.NewReplacer("_", "", ",", "").Replace(s[:end]), 64)
	if err != nil {
		return 0, fmt.Errorf("%q begins with no number; write it like %q", s, example)
	}
	name := strings.TrimSpace(s[end:])
	for _, u := range units {
		if u.name == name {
			return v * u.factor, nil
		}
	}
	if name == "" {
		return 0, fmt.Errorf("%q has no unit; write it like %q", s, example)
	}
	return 0, fmt.Errorf("%q is no unit for this; write it like %q", name, example)
}

func read[T ~float64](into *T, b []byte, example string, units ...scale) error {
	v, err := parse(b, example, units)
	*into = T(v)
	return err
}

// UnmarshalText reads "150 $M".
func (d *Dollars) UnmarshalText(b []byte) error {
	return read(d, b, "150 $M", scale{"$", 1}, scale{"$k", 1e3}, scale{"$M", 1e6}, scale{"$B", 1e9}, scale{"USD", 1})
}

// UnmarshalText reads "8.0 $M/MW".
func (p *PerMW) UnmarshalText(b []byte) error {
	return read(p, b, "8.0 $M/MW", scale{"$M/MW", 1e6}, scale{"$/MW", 1}, scale{"$k/MW", 1e3}, scale{"$/kW", 1e3})
}

// UnmarshalText reads "6.5 $/TH".
func (p *PerTH) UnmarshalText(b []byte) error {
	return read(p, b, "6.5 $/TH", scale{"$/TH", 1}, scale{"$/PH", 1e-3})
}

// UnmarshalText reads "42000 $/GPU".
func (p *PerGPU) UnmarshalText(b []byte) error {
	return read(p, b, "42000 $/GPU", scale{"$/GPU", 1}, scale{"$k/GPU", 1e3})
}

// UnmarshalText reads "2.35 $/GPU-hour".
func (p *PerGPUHour) UnmarshalText(b []byte) error {
	return read(p, b, "2.35 $/GPU-hour", scale{"$/GPU-hour", 1}, scale{"$/GPU-h", 1})
}

// UnmarshalText reads "14 months" or "10 years".
func (m *Months) UnmarshalText(b []byte) error {
	v, err := parse(b, "14 months", []scale{{"months", 1}, {"month", 1}, {"years", 12}, {"year", 12}})
	if err != nil {
		return err
	}
	if v < 0 || v > 1200 || v != float64(int(v)) {
		return fmt.Errorf("%q is no whole number of months from 0 to 1200; write it like %q", string(b), "14 months")
	}
	*m = Months(v)
	return nil
}

// UnmarshalText reads "2026-03".
func (m *Month) UnmarshalText(b []byte) error {
	t, err := time.Parse("2006-01", string(b))
	if err != nil || t.Year() < 2009 || t.Year() > 2199 {
		return fmt.Errorf("%q is no month; write it like %q", string(b), "2026-03")
	}
	*m = MonthOf(t.Year(), t.Month())
	return nil
}

// MonthOf returns a month of the calendar.
func MonthOf(year int, m time.Month) Month { return Month(year*12 + int(m) - 1) }

// Year and Calendar are the parts of a month.
func (m Month) Year() int { return int(m) / 12 }

// Calendar is the month of the year.
func (m Month) Calendar() time.Month { return time.Month(int(m)%12 + 1) }

// Hours is how many hours the month has, time zones aside.
func (m Month) Hours() float64 {
	return 24 * float64(time.Date(m.Year(), m.Calendar()+1, 0, 0, 0, 0, 0, time.UTC).Day())
}

// String prints "2026-03".
func (m Month) String() string { return fmt.Sprintf("%04d-%02d", m.Year(), int(m)%12+1) }

// MarshalText prints as String.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (d Dollars) String() string {
	switch a := max(d, -d); {
	case a >= 1e9:
		return trim(float64(d)/1e9) + " $B"
	case a >= 1e6:
		return trim(float64(d)/1e6) + " $M"
	case a >= 1e5:
		return trim(float64(d)/1e3) + " $k"
	}
	return trim(float64(d)) + " $"
}

func (p PerMW) String() string      { return trim(float64(p)/1e6) + " $M/MW" }
func (p PerTH) String() string      { return trim(float64(p)) + " $/TH" }
func (p PerGPU) String() string     { return trim(float64(p)) + " $/GPU" }
func (p PerGPUHour) String() string { return trim(float64(p)) + " $/GPU-hour" }
func (m Months) String() string {
	if m == 1 {
		return "1 month"
	}
	return strconv.Itoa(int(m)) + " months"
}

// trim prints up to four decimals.
func trim(v float64) string {
	s := strconv.FormatFloat(v, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
