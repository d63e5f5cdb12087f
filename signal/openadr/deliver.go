package openadr

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"switchyard/signal"
	"switchyard/signal/openadr/event"
)

const (
	// maxJobs bounds the reports that wait to be sent; what is due beyond stays due.
	maxJobs = 64
	// maxReportsOf bounds the reports of one event.
	maxReportsOf = 32
	reportRetry  = 30 * time.Second
	longestRetry = 10 * time.Minute
)

// job is one report to be sent; result what became of it.
type job struct {
	event string
	o     *obligation
	k     int
	check bool // it may have been sent before a restart
	body  reportOut
}

type result struct {
	job
	err error
}

// deliver sends reports until ctx ends, one at a time, so that a slow VTN delays no event.
func (c *Client) deliver(ctx context.Context, done chan<- result) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-c.jobs:
			r := result{job: j, err: c.deliverOne(ctx, j)}
			select {
			case done <- r:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (c *Client) deliverOne(ctx context.Context, j job) error {
	if j.check {
		sent := false
		query := url.Values{"eventID": {j.body.EventID}, "clientName": {j.body.ClientName}}
		err := c.each(ctx, "/reports", query, maxListed, func(raw json.RawMessage) {
			var r struct {
				Name string `json:"reportName"`
			}
			sent = sent || json.Unmarshal(raw, &r) == nil && r.Name == j.body.Name
		})
		if err != nil || sent {
			return err
		}
	}
	err := c.net.send(ctx, http.MethodPost, "/reports", j.body, nil)
	if refused(err, http.StatusConflict) {
		return nil // it is there
	}
	return err
}

// report makes the reports that are due at now and hands them over.
func (c *Client) report(h signal.Host, now time.Time) {
	var s *siteNow
	for _, e := range c.sorted() {
		for _, o := range e.reports {
			if o.done || o.waiting || now.Before(o.retry) {
				continue
			}
			if s == nil {
				s = c.siteNow(h, now)
			}
			j, ok := c.make(e, o, s)
			if !ok {
				continue
			}
			select {
			case c.jobs <- j:
				o.waiting = true
			default:
				return
			}
		}
	}
}

func (c *Client) siteNow(h signal.Host, now time.Time) *siteNow {
	s := &siteNow{meter: h.Meter(), metering: &c.metering, at: now}
	if !s.meter.At.IsZero() && now.Sub(s.meter.At) > holds {
		s.meter.Power.OK = false
	}
	for _, sig := range c.said.Signals {
		if sig.Kind == signal.Limit && !sig.From.After(now) && (sig.To.IsZero() || sig.To.After(now)) {
			s.curtailed = true
		}
	}
	s.level = event.Level(held(c.sorted()), now)
	return s
}

// make composes the obligation's next report, if it is due.
func (c *Client) make(e *followed, o *obligation, s *siteNow) (job, bool) {
	j := job{event: e.Event.ID, o: o, k: o.next}
	var over []event.Slot
	if o.adHoc {
		state := fmt.Sprint(s.state(), s.level)
		if state == o.lastFor || s.at.Sub(o.lastAt) < adHocApart {
			return j, false
		}
		o.lastFor = state
		from := s.at.Add(-adHocReach)
		if o.lastAt.After(from) {
			from = o.lastAt
		}
		o.lastAt = s.at
		over = []event.Slot{{Number: int64(o.next), From: from, To: s.at}}
	} else {
		due, ok := o.due(e.Held, o.next)
		if !ok {
			o.done = o.repeat >= 0 && o.next >= o.repeat || !o.endless(e.Held)
			return j, false
		}
		if due.After(s.at) {
			return j, false
		}
		j.check = due.Before(c.started)
		over = o.covers(e.Held, o.next)
	}
	j.body = s.make(e.Held, o, o.key(o.next), c.id.ven, c.id.resource, over)
	if c.id.old {
		j.body.ProgramID = e.Event.ProgramID
	}
	return j, true
}

// endless says whether the interval of the next report exists and has no end: then there is
// no report now, and may be one when the event is changed.
func (o *obligation) endless(h *event.Held) bool {
	w, ok := h.Window(o.start + o.next*o.every)
	return ok && w.To.IsZero()
}

// settled takes up what became of a report.
func (c *Client) settled(r result, h signal.Host) {
	o, now := r.o, h.Now()
	o.waiting = false
	was := c.reportErr
	switch {
	case r.err == nil:
		o.next, o.retry, o.tries = r.k+1, time.Time{}, 0
		c.sent++
		c.reportErr = ""
	case final(r.err):
		o.next, o.tries = r.k+1, 0 // it would be refused again
		c.reportErr = fmt.Sprintf("report %s for event %s was refused: %v", r.body.Name, r.event, c.hide(r.err))
	default:
		o.tries++
		wait := min(reportRetry<<min(o.tries-1, 6), longestRetry)
		o.retry = now.Add(wait)
		if o.adHoc {
			o.lastFor = ""
		}
		c.reportErr = fmt.Sprintf("report %s for event %s could not be sent: %v", r.body.Name, r.event, c.hide(r.err))
	}
	if o.repeat >= 0 && o.next >= o.repeat && !o.adHoc {
		o.done = true
	}
	if was != c.reportErr && !c.heard.IsZero() {
		c.publish(h, false)
		return
	}
	c.show(c.sorted())
}
