package market

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"switchyard/clock"
	"switchyard/unit"
)

// Polled says how to poll an HTTP address for the power price, answered as JSON.
type Polled struct {
	URL string
	// TimeField and PriceField are dotted paths to the start of the interval and its price in $/MWh.
	TimeField, PriceField string
	Interval              time.Duration // that one price holds; default 5m
	Poll                  time.Duration // site time; default 1m
	Stale                 time.Duration // how long after its interval a price still counts
	Clock                 clock.Clock
	Log                   *slog.Logger
	Transport             http.RoundTripper // nil: the usual one
}

// kept bounds how many answers a polled feed remembers, for charts.
const kept = 4096

// PolledPrices is a PriceFeed from an HTTP address. Nothing is known before Run has asked.
type PolledPrices struct {
	o Polled
	polled[unit.Price]
	client *http.Client
}

// NewPolled makes the feed and asks nothing yet.
func NewPolled(o Polled) *PolledPrices {
	if o.Interval <= 0 {
		o.Interval = slot
	}
	if o.Poll <= 0 {
		o.Poll = time.Minute
	}
	return &PolledPrices{
		o: o, client: &http.Client{Transport: o.Transport},
		polled: polled[unit.Price]{source: publicURL(o.URL), interval: o.Interval, stale: o.Stale},
	}
}

// Run polls until ctx ends.
func (f *PolledPrices) Run(ctx context.Context) error {
	return poll(ctx, f.o.Clock, f.o.Poll, f.source, f.o.Log, func(ctx context.Context) error {
		return f.note(f.ask(ctx))
	})
}

func (f *PolledPrices) ask(ctx context.Context) error {
	v, err := getJSON(ctx, f.client, f.o.URL)
	if err != nil {
		return err
	}
	start, price, err := f.parse(v)
	if err != nil {
		return err
	}
	f.keep(start, price)
	return nil
}

func (f *PolledPrices) parse(v any) (time.Time, unit.Price, error) {
	start, err := lookupTime(v, f.o.TimeField)
	if err != nil {
		return start, 0, err
	}
	if ahead := start.Sub(f.o.Clock.Now()); ahead > 2*day {
		return start, 0, fmt.Errorf("the time %s is %v ahead of the site's", stamp(start), ahead.Round(time.Hour))
	}
	dollars, err := lookupNumber(v, f.o.PriceField)
	if err != nil {
		return start, 0, err
	}
	price, err := plausible(dollars)
	return start, price, err
}

// At returns the price whose interval holds t.
func (f *PolledPrices) At(t time.Time) Quote {
	h := f.at(t)
	q := h.quote(f.source)
	q.Price = h.value
	return q
}

// Series returns the prices polled so far that touch [from, to), and the gaps.
func (f *PolledPrices) Series(from, to time.Time) []Quote {
	var out []Quote
	for _, h := range f.series(from, to) {
		q := h.quote(f.source)
		q.Price = h.value
		out = append(out, q)
	}
	return out
}

// polled is what a polled feed remembers. Only the goroutine of Run writes it.
type polled[T comparable] struct {
	source   string
	interval time.Duration
	stale    time.Duration
	table    atomic.Pointer[table[T]]
	err      atomic.Pointer[error] // of the last asking; nil if it went well
}

// keep adds an answer. An answer for a start that is already there replaces it, so that an
// old price sent again stays as old as it is.
func (p *polled[T]) keep(start time.Time, value T) {
	p.keepAll([]row[T]{{start: start.Unix(), value: value}}, kept)
}

// keepAll adds rows, up to the newest so many in all, and returns how many of those that were
// there already have another value now.
func (p *polled[T]) keepAll(rows []row[T], most int) (revised int) {
	var all []row[T]
	if old := p.table.Load(); old != nil {
		for _, r := range rows {
			i := old.next(time.Unix(r.start, 0)) - 1
			if i >= 0 && old.rows[i].start == r.start && old.rows[i].value != r.value {
				revised++
			}
		}
		all = slices.Clone(old.rows)
	}
	t := newTable(append(all, rows...), p.interval, p.stale, p.source)
	t.rows = t.rows[max(len(t.rows)-most, 0):]
	p.table.Store(t)
	return revised
}

// note remembers how the last asking went.
func (p *polled[T]) note(err error) error {
	if err == nil {
		p.err.Store(nil)
		return nil
	}
	p.err.Store(&err)
	return err
}

func (p *polled[T]) at(t time.Time) hit[T] {
	table := p.table.Load()
	if table == nil {
		return hit[T]{from: t, to: t, reason: p.explain("nothing has come yet")}
	}
	h := table.at(t)
	if h.stale || !h.known {
		h.reason = p.explain(h.reason)
	}
	return h
}

func (p *polled[T]) explain(reason string) string {
	if err := p.err.Load(); err != nil {
		return reason + "; asked last: " + (*err).Error()
	}
	return reason
}

func (p *polled[T]) series(from, to time.Time) []hit[T] {
	if table := p.table.Load(); table != nil {
		return table.series(from, to)
	}
	return nil
}

// Problems returns why the last asking failed, if it did.
func (p *polled[T]) Problems() []string {
	if err := p.err.Load(); err != nil {
		return []string{p.source + ": " + (*err).Error()}
	}
	return nil
}
