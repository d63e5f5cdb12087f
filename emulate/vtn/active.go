package vtn

import (
	"strconv"
	"strings"
	"time"
)

// transpired says whether all intervals of an event are over at now. Where its times cannot be
// told it is not over.
func transpired(o Object, now time.Time) bool {
	period, _ := o["intervalPeriod"].(map[string]any)
	start, ok := begin(period)
	length, known := lengthOf(period)
	if total, given := lengthOf(Object{"duration": o["duration"]}); given && total > 0 {
		return ok && start.Add(total).Before(now)
	}
	at, last := start, start
	intervals := asList(o["intervals"])
	for _, x := range intervals {
		m, _ := x.(map[string]any)
		own, _ := m["intervalPeriod"].(map[string]any)
		if s, given := begin(own); given {
			at, ok = s, true
		}
		d, given := lengthOf(own)
		if !given || d == 0 {
			d, given = length, known
		}
		if !ok || !given {
			return false
		}
		at = at.Add(d)
		if at.After(last) {
			last = at
		}
	}
	return ok && len(intervals) > 0 && last.Before(now)
}

func begin(period map[string]any) (time.Time, bool) {
	s, _ := period["start"].(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil && t.Year() > 1
}

// lengthOf returns the length of a period; false when it has none that ends.
func lengthOf(period map[string]any) (time.Duration, bool) {
	s, _ := period["duration"].(string)
	m := durations().FindStringSubmatch(s)
	if s == "" || m == nil || m[1] == "-" {
		return 0, false
	}
	const day = 24 * time.Hour
	days := map[string]time.Duration{"D": day, "W": 7 * day}[m[5]]
	var total time.Duration
	for i, unit := range map[int]time.Duration{2: 365 * day, 3: 30 * day, 4: days, 6: time.Hour, 7: time.Minute} {
		if m[i] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i])
		if err != nil || n > 1_000_000 || time.Duration(n) > 200*365*day/max(unit, time.Minute) {
			return 0, false // as good as for ever
		}
		total += time.Duration(n) * unit
	}
	if m[8] != "" {
		f, err := strconv.ParseFloat(strings.TrimSpace(m[8]), 64)
		if err != nil || f > 1e9 {
			return 0, false
		}
		total += time.Duration(f * float64(time.Second))
	}
	return total, true
}
