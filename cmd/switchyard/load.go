package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/sitefile"
	"switchyard/strictyaml"
)

// loadSite reads and checks a site file, the profiles of meters and power distribution units
// beside it included.
func loadSite(path string) (*sitefile.File, error) { return loadKnowing(path, sitefile.Known{}) }

// loadAdjusted is loadSite of a file whose sources a caller replaces with its own.
func loadAdjusted(path string, adjust func(*sitefile.File)) (*sitefile.File, error) {
	return loadKnowing(path, sitefile.Known{Adjust: adjust})
}

// loadKnowing is loadSite with what else k knows, such as how to look at the notices' addresses.
func loadKnowing(path string, k sitefile.Known) (*sitefile.File, error) {
	k.Drivers, k.Ports, k.Profiles, k.UnitProfiles = all.Names(), all.Ports(), all.Profiles(), all.UnitProfiles()
	f, err := sitefile.Load(path, k)
	if err != nil {
		var faults strictyaml.Faults
		if errors.As(err, &faults) {
			return nil, err
		}
		if errors.Is(err, os.ErrNotExist) {
			return nil, badInput("%w; `switchyard init %s` writes an example", err, path)
		}
		return nil, badInput("%w", err)
	}
	var faults strictyaml.Faults
	seen := map[string]bool{}
	check := func(profile, whose string, read func(string) error) error {
		if !strings.HasSuffix(profile, ".yaml") || seen[profile] {
			return nil
		}
		seen[profile] = true
		err := read(f.Path(profile))
		var these strictyaml.Faults
		if errors.As(err, &these) {
			faults = append(faults, these...)
			return nil
		}
		if err != nil {
			return badInput("profile of %s: %w", whose, err)
		}
		return nil
	}
	for _, n := range append([]sitefile.Node{f.Connection}, f.Nodes...) {
		if n.Meter == nil {
			continue
		}
		if err := check(n.Meter.Profile, "the meter of "+n.ID, all.CheckProfile); err != nil {
			return nil, err
		}
	}
	for _, u := range f.PDUs {
		if err := check(u.Profile, "unit "+u.ID, all.CheckUnitProfile); err != nil {
			return nil, err
		}
	}
	return f, faults.Sorted().Err()
}

// siteClock returns the clock that a site file asks for: the machine's, unless it is a rehearsal.
func siteClock(f *sitefile.File) clock.Clock {
	if k := f.Clock; k != nil {
		return clock.Anchored{Wall: k.Wall, Site: k.Site, Rate: k.Speed}
	}
	return clock.System()
}

// storeDir returns where a site's store is.
func storeDir(f *sitefile.File) string { return f.Path(f.Store.Dir) }

// parseWhen reads a time as people write it: RFC 3339, "2006-01-02 15:04" or "15:04" of the
// day of now, in the zone.
func parseWhen(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return onTheClock(t, form, s, zone)
		}
	}
	for _, form := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(form, s); err == nil {
			y, m, d := now.In(zone).Date()
			return onTheClock(time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, zone), form, s, zone)
		}
	}
	return time.Time{}, badInput(`%q is not a time; write it like "14:05" (of the site's day), "2026-01-31 14:05" or "2026-01-31T14:05:00Z"`, s)
}

// onTheClock refuses a time that the zone's clocks pass over when they go forward; of one that
// they show twice it is the first.
func onTheClock(t time.Time, form, s string, zone *time.Location) (time.Time, error) {
	if said, err := time.Parse(form, s); err == nil && (said.Hour() != t.Hour() || said.Minute() != t.Minute()) {
		return time.Time{}, badInput("%q is not a time in %s: clocks go forward over it that day", s, zone)
	}
	return t, nil
}

// zoneNamed returns the time zone of that name; UTC for one that this machine does not know.
func zoneNamed(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return zone
}
