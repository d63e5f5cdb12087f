// Package desk owns what people look up of the past: decisions as they were made, the day's
// report, the charts' history, and the line that is kept of each change.
//
// It never decides and never tells a device anything.
//
// Concurrency: a Desk is constant once made; its methods are safe for concurrent use and read
// the disk.
package desk

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/billing"
	"switchyard/clock"
	"switchyard/journal"
	"switchyard/telemetry"
)

// Desk answers from the records of a running site.
type Desk struct {
	Journal *journal.Journal
	Book    *billing.Book
	Hist    *telemetry.History
	Clock   clock.Clock
	Zone    *time.Location
	Log     *slog.Logger
}

// Decisions returns the newest decisions that a person would read: acknowledgements, which
// are many and say little, are left to `why`.
func (d *Desk) Decisions(ctx context.Context, limit int) ([]api.Decision, error) {
	entries, err := d.Journal.Feed(ctx, limit, journal.KindAward, journal.KindCommand, journal.KindConfirm, journal.KindFail, journal.KindQuarantine,
		journal.KindRelease, journal.KindLimit, journal.KindHold, journal.KindLost, journal.KindRestore, journal.KindNote, journal.KindAudit,
		journal.KindSignal, journal.KindPlan)
	if err != nil {
		return nil, err
	}
	out := make([]api.Decision, len(entries))
	for i, e := range entries {
		out[i] = decision(e)
	}
	return out, nil
}

func decision(e journal.Entry) api.Decision {
	subject := e.Subject
	if e.Device != "" {
		subject = string(e.Device)
	}
	return api.Decision{At: e.At, Plan: int64(e.Plan), Subject: subject, Kind: string(e.Kind), Code: string(e.Code), Text: strings.TrimPrefix(e.Text, subject+": ")}
}

// Follow returns decisions from now on until ctx ends.
func (d *Desk) Follow(ctx context.Context) <-chan api.Decision {
	sub := d.Journal.Subscribe()
	out := make(chan api.Decision)
	go func() {
		defer close(out)
		defer sub.Cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case e, ok := <-sub.C():
				if !ok {
					return
				}
				if e.Kind == journal.KindAck {
					continue
				}
				select {
				case out <- decision(e):
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

// Audit keeps a line of a change.
func (d *Desk) Audit(_ context.Context, who, what, outcome string) {
	if _, err := d.Journal.Append(journal.Entry{At: d.Clock.Now(), Subject: who, Kind: journal.KindAudit, Text: who + ": " + what + ": " + outcome}); err != nil {
		d.Log.Error("audit line not kept", "reason", err.Error(), "who", who, "what", what)
	}
}

// DayReport returns the book's report of a day "2006-01-02" in the site's time zone; empty means today.
func (d *Desk) DayReport(ctx context.Context, date string) (billing.Report, error) {
	day := d.Clock.Now().In(d.Zone)
	if date != "" {
		var err error
		if day, err = time.ParseInLocation(time.DateOnly, date, d.Zone); err != nil {
			return billing.Report{}, fmt.Errorf("%w: %q is no day; write it like 2026-01-31", api.ErrInvalid, date)
		}
	}
	return d.Book.DayReport(ctx, day.Year(), day.Month(), day.Day())
}

// Report returns the profit and loss of a day.
func (d *Desk) Report(ctx context.Context, date string) (api.ReportView, error) {
	r, err := d.DayReport(ctx, date)
	if err != nil {
		return api.ReportView{}, err
	}
	return api.ReportOf(r), nil
}

// History returns evenly spaced history for the page.
func (d *Desk) History(ctx context.Context, from, to time.Time, step time.Duration) (api.HistoryView, error) {
	times, tracks, err := d.Hist.Range(ctx, from, to, step)
	if err != nil {
		return api.HistoryView{}, err
	}
	v := api.HistoryView{StepS: step.Seconds(), Times: make([]int64, len(times)), Series: make([]api.HistorySeries, 0, len(tracks))}
	for i, t := range times {
		v.Times[i] = t.Unix()
	}
	for _, k := range tracks {
		s := api.HistorySeries{Key: k.Key, Values: make([]*float64, len(k.Values))}
		for i, x := range k.Values {
			if !math.IsNaN(x) {
				s.Values[i] = &x
			}
		}
		v.Series = append(v.Series, s)
	}
	return v, nil
}

// SpanReport returns the book's report of [from, to), which lie on interval boundaries.
func (d *Desk) SpanReport(ctx context.Context, from, to time.Time) (billing.Report, error) {
	return d.Book.Report(ctx, from, to)
}

// CommandCounts returns what became of the commands of [from, to), and how many carry no reason.
func (d *Desk) CommandCounts(ctx context.Context, from, to time.Time) (c journal.Counts, unreasoned int, err error) {
	if c, err = d.Journal.Counts(ctx, from, to); err != nil {
		return c, 0, err
	}
	unreasoned, err = d.Journal.Unreasoned(ctx, from, to)
	return c, unreasoned, err
}
