package contract

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// The years that a date can be in. They bound every loop over days and months.
const (
	firstYear = 1990
	lastYear  = 2199
)

// DateOf returns the day that t falls on in the zone.
func DateOf(t time.Time, zone *time.Location) Date {
	y, m, d := t.In(zone).Date()
	return Date{y, m, d}
}

// ParseDate reads a day such as "2026-03-01". A day that the calendar does not have is an error.
func ParseDate(s string) (Date, error) {
	var part [3]int
	ok := len(s) == 10 && s[4] == '-' && s[7] == '-'
	for i, at := range [3][2]int{{0, 4}, {5, 7}, {8, 10}} {
		if !ok {
			break
		}
		n, err := strconv.ParseUint(s[at[0]:at[1]], 10, 16)
		ok = err == nil
		part[i] = int(n)
	}
	if !ok {
		return Date{}, fmt.Errorf("%q is not a day; write it like %q", short(s), "2026-03-01")
	}
	d := Date{part[0], time.Month(part[1]), part[2]}
	if d.Year < firstYear || d.Year > lastYear {
		return Date{}, fmt.Errorf("%s is too far off; it can be from %d to %d", s, firstYear, lastYear)
	}
	if d.Month < 1 || d.Month > 12 {
		return Date{}, fmt.Errorf("there is no month %d in %s; write it like %q", d.Month, s, "2026-03-01")
	}
	if last := d.daysInMonth(); d.Day < 1 || d.Day > last {
		return Date{}, fmt.Errorf("the day %s does not exist; %s %d has %d days", s, d.Month, d.Year, last)
	}
	return d, nil
}

// short keeps a long text from filling the screen.
func short(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// String prints the day as it is written in a file; the zero Date prints as nothing.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// UnmarshalText reads what ParseDate reads.
func (d *Date) UnmarshalText(b []byte) (err error) { *d, err = ParseDate(string(b)); return }

// MarshalText writes what String prints.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// IsZero says that no day is told.
func (d Date) IsZero() bool { return d == Date{} }

// Compare is negative where d is before o, zero where they are one day, positive after it.
func (d Date) Compare(o Date) int {
	return cmp.Or(cmp.Compare(d.Year, o.Year), cmp.Compare(d.Month, o.Month), cmp.Compare(d.Day, o.Day))
}

// Before says that d is an earlier day than o.
func (d Date) Before(o Date) bool { return d.Compare(o) < 0 }

// AddDays returns the day so many days later.
func (d Date) AddDays(n int) Date { return DateOf(d.noon().AddDate(0, 0, n), time.UTC) }

// AddMonths returns the same day so many months later, or that month's last day where it is shorter.
func (d Date) AddMonths(n int) Date {
	first := DateOf(time.Date(d.Year, d.Month+time.Month(n), 1, 12, 0, 0, 0, time.UTC), time.UTC)
	first.Day = min(d.Day, first.daysInMonth())
	return first
}

// Days returns how many days there are from d to o; negative where o is earlier.
func (d Date) Days(o Date) int { return int(o.noon().Sub(d.noon()) / (24 * time.Hour)) }

// In returns the day's first moment in the zone: midnight, or what comes after the clocks went
// forward over midnight.
func (d Date) In(zone *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
	if DateOf(t, zone).Before(d) {
		if _, end := t.ZoneBounds(); !end.IsZero() {
			return end.In(zone)
		}
	}
	return t
}

// noon is a moment of the day for counting days with.
func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

func (d Date) daysInMonth() int {
	return time.Date(d.Year, d.Month+1, 0, 12, 0, 0, 0, time.UTC).Day()
}

// firstOfMonth returns the first day of d's month.
func (d Date) firstOfMonth() Date { return Date{d.Year, d.Month, 1} }

// yearsSince returns how many anniversaries of start have come by d; none before start. The
// anniversary of a 29 February is the 1 March of a year without one.
func (d Date) yearsSince(start Date) int {
	n := d.Year - start.Year
	if cmp.Or(cmp.Compare(d.Month, start.Month), cmp.Compare(d.Day, start.Day)) < 0 {
		n--
	}
	return max(n, 0)
}

// ParseMonth reads a month such as "2026-10" and returns its first day.
func ParseMonth(s string) (Date, error) {
	d, err := ParseDate(s + "-01")
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a month; write it like %q", short(s), "2026-10")
	}
	return d, nil
}

// MonthOf returns the first moment of a month such as "2026-10" in the zone, and that of the next.
func MonthOf(zone *time.Location, month string) (from, to time.Time, err error) {
	first, err := ParseMonth(month)
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	return first.In(zone), first.AddMonths(1).In(zone), nil
}
