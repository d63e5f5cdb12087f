package openadr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"switchyard/signal"
	"switchyard/signal/openadr/event"
)

const (
	pageSize    = 50   // the most that the specification allows
	maxListed   = 5000 // objects of one list that are read
	maxKept     = 1000 // events that are followed
	maxLines    = 100  // problems told at a time
	maxChecked  = 20   // events gone from the list that are asked for by themselves
	programsAge = 5 * time.Minute
	noticeApart = 100 * time.Millisecond // machine time between two rounds of notices
)

// program is what is kept of one.
type program struct {
	ID          string             `json:"id"`
	Name        string             `json:"programName"`
	Descriptors []event.Descriptor `json:"payloadDescriptors"`
}

// followed is an event that is followed, with the reports that it wants.
type followed struct {
	*event.Held
	mark    uint64   // of the bytes that it came as
	wants   []string // reports that are not made
	reports []*obligation
}

// held returns the events alone.
func held(all []*followed) []*event.Held {
	out := make([]*event.Held, len(all))
	for i, f := range all {
		out[i] = f.Held
	}
	return out
}

// refusal is an event that is not followed, and why.
type refusal struct {
	mark uint64
	line string
}

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// poll asks for everything and takes it over. When it cannot, what was known stays.
func (c *Client) poll(ctx context.Context, h signal.Host) {
	err := c.fetch(ctx, h)
	if ctx.Err() != nil {
		return
	}
	c.outcome(h, err)
}

// outcome notes how asking the VTN went, and publishes.
func (c *Client) outcome(h signal.Host, err error) {
	now := h.Now()
	if err != nil {
		c.fails++
		c.failing = c.hide(err)
		c.show(c.sorted()) // before anybody hears of it and looks
		h.Heard(c.cfg.Name, now, c.failing)
		if c.fails == 1 {
			c.opt.Log.Warn("the VTN cannot be followed", "source", c.cfg.Name, "error", c.failing)
		}
		if !c.heard.IsZero() {
			c.publish(h, false)
		}
		return
	}
	if c.fails > 0 {
		c.opt.Log.Info("the VTN is followed again", "source", c.cfg.Name, "polls_lost", c.fails)
	}
	c.fails, c.failing, c.heard = 0, nil, now
	c.show(c.sorted())
	h.Heard(c.cfg.Name, now, nil)
	c.publish(h, true)
	c.report(h, now)
}

// fetch reads the programs, if they are due, and all events.
func (c *Client) fetch(ctx context.Context, h signal.Host) error {
	now := h.Now()
	if !now.Before(c.programsNext) {
		if err := c.fetchPrograms(ctx); err != nil {
			return err
		}
		c.programsNext = now.Add(programsAge)
	}
	listed := map[string]json.RawMessage{}
	nameless := 0
	c.tooMany = ""
	for _, q := range c.eventQueries() {
		err := c.each(ctx, "/events", q, maxListed, func(raw json.RawMessage) {
			var e struct {
				ID string `json:"id"`
			}
			if json.Unmarshal(raw, &e) != nil || !event.ValidID(e.ID) {
				nameless++
				e.ID = fmt.Sprintf("?%d", nameless)
			}
			listed[e.ID] = raw
		})
		if errors.Is(err, errMany) {
			c.tooMany = fmt.Sprintf("the VTN lists more than %d events: the rest is not followed", maxListed)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if err := c.check(ctx, listed, now); err != nil {
		return err
	}
	c.takeAll(listed, now)
	return nil
}

// eventQueries are the lists of events to read: all, or those of each followed program, and by
// targets.
func (c *Client) eventQueries() []url.Values {
	var all []url.Values
	programs := []string{""}
	if len(c.cfg.Programs) > 0 {
		programs = slices.Sorted(maps.Keys(c.programs))
	}
	for _, p := range programs {
		for _, q := range c.id.queries() {
			if p != "" {
				q.Set("programID", p)
			}
			if !c.id.old {
				q.Set("active", "true")
			}
			all = append(all, q)
		}
	}
	return all
}

func (c *Client) fetchPrograms(ctx context.Context) error {
	found := map[string]program{}
	for _, q := range c.id.queries() {
		err := c.each(ctx, "/programs", q, maxListed, func(raw json.RawMessage) {
			var p program
			if json.Unmarshal(raw, &p) != nil || !event.ValidID(p.ID) {
				return
			}
			if len(c.cfg.Programs) == 0 || slices.Contains(c.cfg.Programs, p.Name) {
				found[p.ID] = p
			}
		})
		if err != nil {
			return err
		}
	}
	if c.id.old && !maps.EqualFunc(found, c.programs, func(a, b program) bool { return a.ID == b.ID }) {
		c.enrolled.next = time.Time{}.Add(1) // 3.0 subscribes to each program
	}
	c.programs = found
	return nil
}

// check asks for events that are running by our clock and no longer listed: a VTN leaves out
// what it takes for past, which with a random shift may still run here. What it answers 404
// for is deleted.
func (c *Client) check(ctx context.Context, listed map[string]json.RawMessage, now time.Time) error {
	if c.id.old {
		return nil
	}
	var missing []string
	for id, h := range c.events {
		if last := h.Last(); listed[id] == nil && (last.IsZero() || last.After(now)) {
			missing = append(missing, id)
		}
	}
	if len(missing) > maxChecked {
		return nil // the list is believed
	}
	for _, id := range missing {
		raw, err := c.net.get(ctx, "/events/"+id, nil)
		switch {
		case refused(err, http.StatusNotFound, http.StatusForbidden):
		case err != nil:
			return err
		default:
			listed[id] = raw
		}
	}
	return nil
}

// takeAll replaces what is known by what is listed.
func (c *Client) takeAll(listed map[string]json.RawMessage, now time.Time) {
	for id, h := range c.events {
		if listed[id] == nil && !h.owing(now) {
			delete(c.events, id)
		}
	}
	for id := range c.refusals {
		if listed[id] == nil {
			delete(c.refusals, id)
		}
	}
	for id := range c.over {
		if listed[id] == nil {
			delete(c.over, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(listed)) {
		c.take(id, listed[id], now)
	}
}

// owing says whether an event that is over still has reports to be sent.
func (h *followed) owing(now time.Time) bool {
	last := h.Last()
	if last.IsZero() || last.After(now) || now.Sub(last) > reportPatience {
		return false
	}
	return slices.ContainsFunc(h.reports, func(o *obligation) bool { return !o.done && !o.adHoc })
}

// take takes one event over, or says why not. An event that is changed to something that
// cannot be followed stays as it was.
func (c *Client) take(id string, raw json.RawMessage, now time.Time) {
	mark := markOf(raw)
	if h := c.events[id]; h != nil && h.mark == mark {
		return
	}
	if r, ok := c.refusals[id]; ok && r.mark == mark {
		return
	}
	if m, ok := c.over[id]; ok && m == mark {
		return
	}
	e, err := event.Parse(raw)
	if err == nil && (!c.id.ours(e.Targets) || !c.follows(e.ProgramID)) {
		delete(c.events, id)
		delete(c.refusals, id)
		c.over[id] = mark
		return
	}
	var h *followed
	if err == nil {
		h, err = c.hold(e, mark, now)
	}
	if err != nil {
		line := fmt.Sprintf("%s: %v; it is not followed", e.Label(), err)
		if e.ID == "" {
			line = fmt.Sprintf("an event without an id: %v; it is not followed", err)
		}
		if c.events[id] != nil {
			line += ", its earlier version is"
		}
		c.refusals[id] = refusal{mark: mark, line: line}
		return
	}
	delete(c.refusals, id)
	delete(c.over, id)
	switch last := h.Last(); {
	case !last.IsZero() && !last.After(now) && c.events[id] == nil && !h.owing(now):
		c.over[id] = mark
		if h.Limits() && h.Issued.After(last) {
			c.refusals[id] = refusal{mark: mark, line: fmt.Sprintf("%s: it was over at %s, before it was sent; it is not followed", e.Label(), event.Stamp(last))}
		}
		return
	case c.events[id] == nil && len(c.events) >= maxKept:
		c.tooMany = fmt.Sprintf("more than %d events: the rest is not followed", maxKept)
		return
	}
	c.events[id] = h
}

// follows says whether the site file's programs hold the one with this id.
func (c *Client) follows(id string) bool {
	if len(c.cfg.Programs) == 0 {
		return true
	}
	_, ok := c.programs[id]
	return ok
}

// hold works out what an event means and which reports it wants.
func (c *Client) hold(e *event.Event, mark uint64, now time.Time) (*followed, error) {
	old := c.events[e.ID]
	terms := event.Terms{
		VEN: c.id.ven, Old: c.id.old, Levels: c.cfg.Levels,
		Defaults: c.programs[e.ProgramID].Descriptors, Issued: e.IssuedAt(now),
	}
	if old != nil && event.Text(old.Event.Modified) == event.Text(e.Modified) {
		terms.Issued = old.Issued // "now" does not move with what is only written differently
	}
	held, err := event.Hold(e, terms)
	if err != nil {
		return nil, err
	}
	f := &followed{Held: held, mark: mark}
	for i, d := range e.Reports {
		if i == maxReportsOf {
			f.wants = append(f.wants, fmt.Sprintf("it wants %d reports: only the first %d are made", len(e.Reports), maxReportsOf))
			break
		}
		if !c.id.ours(d.Targets) {
			continue
		}
		if err := reportable(d); err != nil {
			f.wants = append(f.wants, err.Error())
			continue
		}
		o := oblige(held, i, now)
		if old != nil {
			o.resume(old)
		}
		f.reports = append(f.reports, o)
	}
	return f, nil
}

func markOf(raw []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(bytes.TrimSpace(raw)) // a hash's Write does not fail
	return h.Sum64()
}

// noticed asks for what the notifications name. Those that wait are taken together.
func (c *Client) noticed(ctx context.Context, h signal.Host, n notice, more <-chan notice) {
	ids := map[string]bool{n.id: true}
	for drained := false; !drained; {
		select {
		case n := <-more:
			ids[n.id] = true
		default:
			drained = true
		}
	}
	if ids[""] || len(ids) > 5 {
		c.programsNext = time.Time{}
		c.poll(ctx, h)
	} else {
		var err error
		for id := range ids {
			if err = c.refresh(ctx, h, id); err != nil {
				break
			}
		}
		if ctx.Err() == nil {
			c.outcome(h, err)
		}
	}
	timer := time.NewTimer(noticeApart) // a flood of notices must not become a flood of calls
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// refresh asks for one event.
func (c *Client) refresh(ctx context.Context, h signal.Host, id string) error {
	raw, err := c.net.get(ctx, "/events/"+id, nil)
	switch {
	case refused(err, http.StatusNotFound, http.StatusForbidden):
		delete(c.events, id)
		delete(c.refusals, id)
		delete(c.over, id)
		return nil
	case err != nil:
		return err
	}
	if !json.Valid(raw) {
		raw = event.Repair(raw)
	}
	var e struct {
		ID        string `json:"id"`
		ProgramID string `json:"programID"`
	}
	if json.Unmarshal(raw, &e) != nil || e.ID != id {
		return fmt.Errorf("GET /events/%s: the answer is not that event", id)
	}
	if _, known := c.programs[e.ProgramID]; !known {
		if err := c.fetchPrograms(ctx); err != nil { // a program may have come with it
			return err
		}
	}
	c.take(id, raw, h.Now())
	return nil
}

// sorted returns the events in an order that does not change from run to run.
func (c *Client) sorted() []*followed {
	return slices.SortedFunc(maps.Values(c.events), func(a, b *followed) int { return cmp.Compare(a.Event.ID, b.Event.ID) })
}

// problems gathers what a person should know, in a steady order, bounded.
func (c *Client) problems(events []*followed, more []string) []string {
	var out []string
	if c.tooMany != "" {
		out = append(out, c.tooMany)
	}
	for _, name := range c.cfg.Programs {
		if !slices.ContainsFunc(slices.Collect(maps.Values(c.programs)), func(p program) bool { return p.Name == name }) {
			out = append(out, fmt.Sprintf("the VTN has no program %s", event.Quote(name)))
		}
	}
	for _, err := range []error{c.enrolled.err, c.enrolled.hookErr} {
		if err != nil {
			out = append(out, err.Error())
		}
	}
	if c.enrolled.hookErr != nil {
		out[len(out)-1] += fmt.Sprintf("; the VTN is asked every %s instead", c.cfg.Poll)
	}
	if c.reportErr != "" {
		out = append(out, c.reportErr)
	}
	for _, id := range slices.Sorted(maps.Keys(c.refusals)) {
		out = append(out, c.refusals[id].line)
	}
	for _, h := range events {
		for _, p := range slices.Concat(h.Problems, h.wants) {
			out = append(out, h.Event.Label()+": "+p)
		}
	}
	out = append(out, more...)
	if n := len(out); n > maxLines {
		out = append(out[:maxLines-1], fmt.Sprintf("and %d more", n-maxLines+1))
	}
	return out
}

// show makes the state readable from outside.
func (c *Client) show(events []*followed) {
	s := Status{
		VEN: c.id.ven, Resource: c.id.resource, Enrolled: c.enrolled.resource != "", Events: len(events), Heard: c.heard,
		Notified: len(c.enrolled.subscribed) > 0 && c.enrolled.hookErr == nil, Offered: c.enrolled.notifier, Reports: c.sent,
	}
	if c.failing != nil {
		s.Error = c.failing.Error()
	}
	for _, p := range c.programs {
		s.Programs = append(s.Programs, event.Plain(p.Name, 64))
	}
	slices.Sort(s.Programs)
	for _, h := range events {
		s.Ignored = append(s.Ignored, h.Ignored...)
	}
	slices.Sort(s.Ignored)
	s.Ignored = slices.Compact(s.Ignored)
	c.status.Store(&s)
}
