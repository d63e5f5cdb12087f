package main

import (
	"context"
	"errors"
	"time"

	"switchyard/api"
	"switchyard/billing"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
)

// The commands of this file read a store on the disk; a controller may be running on it.

// open opens the store for reading; the file is nil where only the folder is known.
func (r records) open(ctx context.Context) (*store.DB, *sitefile.File, error) {
	dir := r.dir
	var f *sitefile.File
	if r.file != "" {
		var err error
		if f, err = loadSite(r.file); err != nil {
			return nil, nil, err
		}
		if dir == "" {
			dir = storeDir(f)
		}
	}
	db, err := store.OpenReader(ctx, dir)
	if err != nil {
		return nil, nil, withCode(exitNotFound, "%w", err)
	}
	return db, f, nil
}

// siteNow is the newest site time that the store knows of: that of its newest decision. Audit
// lines do not count: those of the command line carry the machine's time.
func siteNow(ctx context.Context, j *journal.Journal, f *sitefile.File) time.Time {
	if newest, err := j.Feed(ctx, 1, journal.KindAward, journal.KindCommand, journal.KindConfirm, journal.KindLimit, journal.KindHold, journal.KindNote); err == nil && len(newest) > 0 {
		return newest[0].At
	}
	if f != nil {
		return siteClock(f).Now()
	}
	return time.Now()
}

func (c *cli) whyStored(ctx context.Context, from records, device, at string) (err error) {
	db, f, err := from.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	j := journal.OpenReader(db, journal.Options{})
	zone, q := time.UTC, journal.Question{Device: site.DeviceID(device)}
	if f != nil {
		zone = f.Location()
		load, ok := groupOf(f, q.Device)
		if !ok {
			return withCode(exitNotFound, "there is no device %q in %s; %s", device, from.file, deviceHint(device, groupNames(f)))
		}
		q.Load = load
	}
	if q.At = siteNow(ctx, j, f); at != "" {
		if q.At, err = parseWhen(at, q.At, zone); err != nil {
			return err
		}
	}
	ans, err := j.Why(ctx, q)
	if err != nil {
		return err
	}
	if f == nil && len(ans.Steps) == 0 {
		return withCode(exitNotFound, "the journal in %s knows nothing of a device %q up to then; with --site FILE the names are checked", from.dir, device)
	}
	return c.printWhy(api.WhyOf(ans), zone)
}

// groupOf returns the group of a miner.
func groupOf(f *sitefile.File, id site.DeviceID) (site.LoadID, bool) {
	for _, g := range f.Groups {
		for _, t := range g.Targets() {
			if t.Device == id {
				return site.LoadID(g.ID), true
			}
		}
	}
	return "", false
}

func groupNames(f *sitefile.File) []string {
	var out []string
	for _, g := range f.Groups {
		out = append(out, g.ID)
	}
	return out
}

func (c *cli) reportStored(ctx context.Context, from records, date string) (v api.ReportView, err error) {
	db, f, err := from.open(ctx)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tree, err := f.Tree()
	if err != nil {
		return v, err
	}
	book, err := billing.OpenReader(db, billing.Contracts{Zone: f.Location(), Tree: tree, Groups: f.Groups, Tenants: f.Tenants, Clusters: f.Clusters})
	if err != nil {
		return v, err
	}
	day := siteNow(ctx, journal.OpenReader(db, journal.Options{}), f).In(f.Location())
	if date != "" {
		if day, err = time.ParseInLocation(time.DateOnly, date, f.Location()); err != nil {
			return v, badInput("%w", err)
		}
	}
	r, err := book.DayReport(ctx, day.Year(), day.Month(), day.Day())
	if err != nil {
		return v, err
	}
	return api.ReportOf(r), nil
}
