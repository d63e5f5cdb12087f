package event

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// span is a duration as ISO 8601 writes it. Years, months and days are kept apart from hours
// because their length depends on where they begin; all times are UTC, so a day is 24 hours.
type span struct {
	years, months, days int
	clock               time.Duration
	negative            bool
	forever             bool // P9999Y, and whatever else lasts for centuries
}

// centuries is the number of years from which a duration means "for ever".
const centuries = 1000

// parseSpan reads a duration such as "PT1H", "P9999Y" or "-PT5M", as the specification's
// pattern has it. An empty string is a span of nothing.
func parseSpan(s string) (span, error) {
	var d span
	if s == "" {
		return d, nil
	}
	wrong := func(why string) (span, error) {
		return span{}, fmt.Errorf("duration %s: %s; a right one is \"PT1H\"", Quote(s), why)
	}
	rest := s
	if strings.HasPrefix(rest, "-") {
		d.negative, rest = true, rest[1:]
	}
	if !strings.HasPrefix(rest, "P") || len(s) > 64 {
		return wrong("it does not begin with P")
	}
	date, clock, timed := strings.Cut(rest[1:], "T")
	if date == "" && clock == "" || timed && clock == "" {
		return wrong("nothing follows")
	}
	if err := d.fields(date, "YMWD", 24*time.Hour); err != nil {
		return wrong(err.Error())
	}
	if err := d.fields(clock, "HMS", 0); err != nil {
		return wrong(err.Error())
	}
	if d.years >= centuries || d.days >= centuries*365 || d.months >= centuries*12 {
		d.forever = true
	}
	return d, nil
}

// fields reads numbers with their letters, which must come in the order of letters; day is
// not zero for the part before the T.
func (d *span) fields(s, letters string, day time.Duration) error {
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end <= 0 {
			return errors.New("a number or its letter is missing")
		}
		number, letter := s[:end], s[end]
		at := strings.IndexByte(letters, letter)
		if at < 0 {
			return fmt.Errorf("%s is out of place", Quote(string(letter)))
		}
		letters, s = letters[at+1:], s[end+1:]
		if err := d.add(number, letter, day != 0); err != nil {
			return err
		}
	}
	return nil
}

func (d *span) add(number string, letter byte, date bool) error {
	whole, fraction, dotted := strings.Cut(number, ".")
	if whole == "" || dotted && (fraction == "" || letter != 'S' || strings.Contains(fraction, ".")) {
		return errors.New("only seconds may have a fraction")
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 9 { // more than a billion of anything that is not a second is centuries
		d.forever = true
		return nil
	}
	n := 0
	for _, c := range whole {
		n = n*10 + int(c-'0')
	}
	switch {
	case letter == 'Y':
		d.years = n
	case date && letter == 'M':
		d.months = n
	case letter == 'W':
		d.days += 7 * n
	case letter == 'D':
		d.days += n
	case letter == 'H' && n >= centuries*365*24/4: // a time.Duration holds 292 years
		d.forever = true
	case letter == 'H':
		d.clock += time.Duration(n) * time.Hour
	case letter == 'M' && n >= centuries*365*24*60/4:
		d.forever = true
	case letter == 'M':
		d.clock += time.Duration(n) * time.Minute
	default:
		d.clock += time.Duration(n) * time.Second
		if fraction != "" {
			nanos := (fraction + "000000000")[:9]
			f := 0
			for _, c := range nanos {
				f = f*10 + int(c-'0')
			}
			d.clock += time.Duration(f)
		}
	}
	if d.clock < 0 || d.clock > centuries/4*365*24*time.Hour {
		d.clock, d.forever = 0, true
	}
	return nil
}

// nothing says whether the span has no length.
func (d span) nothing() bool {
	return d.years == 0 && d.months == 0 && d.days == 0 && d.clock == 0 && !d.forever
}

// after returns the time that lies the span after t; the zero time is "never".
func (d span) after(t time.Time) time.Time {
	sign := 1
	if d.negative {
		sign = -1
	} else if d.forever {
		return time.Time{}
	}
	return t.UTC().AddDate(sign*d.years, sign*d.months, sign*d.days).Add(time.Duration(sign) * d.clock)
}

// length returns the span's size, a year being 365 days and a month 30, at most ten years.
func (d span) length() time.Duration {
	const most = 10 * 365 * 24 * time.Hour
	days := d.years*365 + d.months*30 + d.days
	if d.forever || days > 3650 {
		return most
	}
	return min(time.Duration(days)*24*time.Hour+d.clock, most)
}

// parseTime reads a start. now says that it is the beginning of time, by which the
// specification means "now".
func parseTime(s string) (t time.Time, now bool, err error) {
	if strings.HasPrefix(s, "0000-") || strings.HasPrefix(s, "0001-01-01") {
		return time.Time{}, true, nil // with or without a clock and an offset
	}
	t, err = time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("start %s is not a time with an offset such as \"2026-03-01T12:00:00Z\"", Quote(s))
	}
	if y := t.Year(); y < 1970 || y > 9000 {
		return time.Time{}, false, fmt.Errorf("start %s lies too far away", Quote(s))
	}
	return t.UTC(), false, nil
}

// Quote prints what a counterpart sent: bounded, and on one line.
func Quote(s string) string {
	return `"` + Plain(s, 64) + `"`
}

// Plain keeps at most so many printable characters of s.
func Plain(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most {
			b.WriteString("…")
			break
		}
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
