package market

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"switchyard/clock"
	"switchyard/market/iso"
	"switchyard/unit"
)

// Reports says how an operator's reports are followed, on the network or in a folder.
type Reports struct {
	Ask iso.Ask
	// URL replaces the operator's own address; {date}, {day} and {zone} are filled in.
	URL string
	// Path is a report or a folder of them, read instead of any address.
	Path  string
	Token string        // the key itself; empty: none
	Scale float64       // of the figures; zero: 1
	Poll  time.Duration // site time; zero: a fifth of the interval, at least a minute
	Stale time.Duration // how long after its interval a figure still counts
	Clock clock.Clock
	Log   *slog.Logger
	// Transport is of HTTP; nil: the usual one.
	Transport http.RoundTripper
}

// The bounds of what is asked of an operator and remembered of its reports.
const (
	reportDeadline = time.Minute
	reportRows     = 150_000 // 5-minute rows of 17 months
	reportPages    = 20
	newestListed   = 16 // reports of a list that are fetched at once
)

// reports follows one series of an operator. Only the goroutine of Run writes it.
type reports[T comparable] struct {
	o Reports
	polled[T]
	client  *http.Client
	value   func(float64) (T, error)
	asked   bool
	read    map[string]bool // reports of the present list that were read
	folder  *folder
	wrong   atomic.Pointer[[]string]
	revised atomic.Int64
}

func newReports[T comparable](o Reports, value func(float64) (T, error)) *reports[T] {
	interval := o.Ask.Interval()
	if o.Poll <= 0 {
		o.Poll = max(interval/5, time.Minute)
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	r := &reports[T]{o: o, value: value, read: map[string]bool{}, client: &http.Client{Transport: o.Transport, CheckRedirect: sameHost}}
	r.interval, r.stale = interval, o.Stale
	switch {
	case o.Path != "":
		r.folder = &folder{path: o.Path, files: map[string]fileState{}}
		r.source = base(o.Path)
		if (o.Ask.Operator == "csv" || o.Ask.Operator == "json") && o.Ask.Map.Length == 0 {
			r.interval = 0 // the commonest distance
		}
	case o.URL != "":
		r.source = publicURL(o.URL)
	default:
		r.source = strings.TrimSpace(o.Ask.Operator + " " + o.Ask.Zone)
	}
	return r
}

// sameHost refuses to carry a key to another server.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errFinal{errors.New("the server sends us on and on")}
	}
	if req.URL.Host != via[0].URL.Host {
		return errFinal{fmt.Errorf("the server sends us to another one, %s: write its address if it is right", req.URL.Host)}
	}
	return nil
}

// Run follows the reports until ctx ends.
func (f *reports[T]) Run(ctx context.Context) error {
	if f.folder != nil {
		return f.watch(ctx)
	}
	return poll(ctx, f.o.Clock, f.o.Poll, f.source, f.o.Log, func(ctx context.Context) error { return f.note(f.ask(ctx)) })
}

// Revised returns how many figures came again with another value.
func (f *reports[T]) Revised() int64 { return f.revised.Load() }

// Problems returns why the last asking failed, if it did, and what could not be used.
func (f *reports[T]) Problems() []string {
	out := f.polled.Problems()
	if w := f.wrong.Load(); w != nil {
		out = append(out, *w...)
	}
	return out
}

// ask fetches what there is about now. A report that fails does not keep the others back; the
// error is the first one's where nothing came at all.
func (f *reports[T]) ask(ctx context.Context) error {
	now := f.o.Clock.Now()
	back := 0
	if !f.asked || now.In(f.o.Ask.Day()).Hour() < 2 {
		back = 1
	}
	var wrong []string
	var first error
	came := 0
	for i, p := range f.o.Ask.Places(f.o.URL, now, back) {
		if i > 0 && !rest(ctx, f.o.Ask.Pause()) {
			break
		}
		n, told, err := f.place(ctx, p)
		came += n
		wrong = append(wrong, told...)
		var status *errStatus
		if p.Late && (errors.Is(err, iso.ErrNone) || errors.As(err, &status) && status.code == http.StatusNotFound) {
			continue
		}
		if err != nil && first == nil {
			first = err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if came > 0 {
		f.asked = true
		if first != nil {
			wrong, first = append(wrong, f.source+": "+first.Error()), nil
		}
	}
	f.tell(wrong)
	return first
}

// rest waits, in machine time; false if ctx ends first.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// place reads the reports at one address and returns how many rows came.
func (f *reports[T]) place(ctx context.Context, p iso.Place) (came int, wrong []string, err error) {
	if !p.Listing {
		return f.pages(ctx, p.URL)
	}
	body, err := f.get(ctx, p.URL)
	if err != nil {
		return 0, nil, err
	}
	most := newestListed
	if f.o.Ask.Kind == iso.DayAhead || f.o.Ask.Ahead {
		most = 2 // each is about a whole day
	}
	addresses, err := iso.Listed(p.URL, body, most)
	if err != nil {
		return 0, nil, err
	}
	present := map[string]bool{}
	for _, a := range addresses {
		if f.read[a] {
			present[a] = true
			came++ // it is there, and was read before
			continue
		}
		n, told, err2 := f.pages(ctx, a)
		came += n
		wrong = append(wrong, told...)
		if err2 == nil || errors.Is(err2, iso.ErrOther) {
			present[a] = true
		} else if err == nil {
			err = err2
		}
	}
	f.read = present
	return came, wrong, err
}

// pages reads a report and those that it says come after it.
func (f *reports[T]) pages(ctx context.Context, address string) (came int, wrong []string, err error) {
	host := ""
	for range reportPages {
		u, err := url.Parse(address)
		if err != nil || host != "" && u.Host != host {
			return came, wrong, fmt.Errorf("the next page is at another server or no address at all")
		}
		host = u.Host
		body, err := f.get(ctx, address)
		if err != nil {
			return came, wrong, err
		}
		report, err := iso.Read(base(u.Path), body, f.o.Ask)
		if err != nil {
			return came, wrong, err
		}
		came += len(report.Rows)
		wrong = append(wrong, report.Problems...)
		wrong = append(wrong, f.take(report.Rows)...)
		if report.Next == "" {
			return came, wrong, nil
		}
		next, err := u.Parse(report.Next)
		if err != nil {
			return came, wrong, errors.New("the next page's address cannot be read")
		}
		address = next.String()
	}
	return came, wrong, nil
}

// get fetches one address, with the key where there is one.
func (f *reports[T]) get(ctx context.Context, address string) ([]byte, error) {
	header, parameter := f.o.Ask.Keyed()
	return fetch(ctx, f.client, bounds{reportDeadline, iso.MaxReport}, func(ctx context.Context) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil || f.o.Token == "" {
			return req, err
		}
		switch {
		case parameter != "":
			q := req.URL.Query()
			q.Set(parameter, f.o.Token)
			req.URL.RawQuery = q.Encode()
		case header == "Authorization":
			req.Header.Set(header, "Bearer "+f.o.Token)
		default:
			req.Header.Set(header, f.o.Token)
		}
		return req, nil
	})
}

// take keeps rows and says which of them cannot be.
func (f *reports[T]) take(in []iso.Row) (wrong []string) {
	rows := make([]row[T], 0, len(in))
	for _, r := range in {
		v, err := f.value(r.Price * f.o.Scale)
		if err != nil {
			if len(wrong) == 0 {
				wrong = append(wrong, fmt.Sprintf("%s: at %s: %v", f.source, stamp(r.Start), err))
			}
			continue
		}
		rows = append(rows, row[T]{start: r.Start.Unix(), value: v, length: int64(r.Length / time.Second)})
	}
	if len(rows) == 0 {
		return wrong
	}
	most := reportRows
	if f.folder != nil {
		most = maxRows
	}
	if n := f.keepAll(rows, most); n > 0 {
		f.revised.Add(int64(n))
		if f.o.Log != nil {
			f.o.Log.Info("market source revised its figures; the newest count", "source", f.source, "figures", n)
		}
	}
	return wrong
}

// tell keeps what could not be used, and logs it once for as long as it stays the same.
func (f *reports[T]) tell(wrong []string) {
	wrong = slices.Compact(wrong)
	if more := len(wrong) - maxProblems; more > 0 {
		wrong = append(wrong[:maxProblems:maxProblems], fmt.Sprintf("%s: and %d more lines", f.source, more))
	}
	before := f.wrong.Swap(&wrong)
	if f.o.Log == nil || len(wrong) == 0 || before != nil && len(*before) > 0 && (*before)[0] == wrong[0] {
		return
	}
	f.o.Log.Warn("market source has figures that cannot be used; they count as missing", "source", f.source, "first", wrong[0], "all", len(wrong))
}

// ReportPrices is a PriceFeed from an operator's reports.
type ReportPrices struct{ *reports[unit.Price] }

// OpenReportPrices makes the feed. Reports on the disk are read at once, and an error says why
// none can be; an address is asked by Run only.
func OpenReportPrices(o Reports) (*ReportPrices, error) {
	f := &ReportPrices{newReports(o, anyPrice)}
	return f, f.open()
}

// anyPrice takes what the operator's band has let pass.
func anyPrice(dollars float64) (unit.Price, error) {
	if dollars < -1e5 || dollars > 1e5 || dollars != dollars {
		return 0, fmt.Errorf("a price of %.6g $/MWh is not believed: check the scale", dollars)
	}
	return unit.DollarsPerMWh(dollars), nil
}

// At returns the price whose interval holds t.
func (f *ReportPrices) At(t time.Time) Quote {
	h := f.at(t)
	q := h.quote(f.source)
	q.Price = h.value
	return q
}

// Series returns the prices that touch [from, to), and the gaps.
func (f *ReportPrices) Series(from, to time.Time) []Quote {
	hits := f.series(from, to)
	out := make([]Quote, len(hits))
	for i, h := range hits {
		out[i] = h.quote(f.source)
		out[i].Price = h.value
	}
	return out
}

// ReportLoad is a LoadFeed from an operator's reports.
type ReportLoad struct{ *reports[unit.Power] }

// OpenReportLoad makes the feed as OpenReportPrices does.
func OpenReportLoad(o Reports) (*ReportLoad, error) {
	f := &ReportLoad{newReports(o, plausibleLoad)}
	return f, f.open()
}

// At returns the load of the interval that holds t.
func (f *ReportLoad) At(t time.Time) LoadQuote {
	h := f.at(t)
	return h.loadQuote(f.source, h.value)
}

// Series returns the loads that touch [from, to), and the gaps.
func (f *ReportLoad) Series(from, to time.Time) []LoadQuote {
	hits := f.series(from, to)
	out := make([]LoadQuote, len(hits))
	for i, h := range hits {
		out[i] = h.loadQuote(f.source, h.value)
	}
	return out
}
