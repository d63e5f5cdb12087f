package care

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"switchyard/api"
	"switchyard/health"
	"switchyard/journal"
	"switchyard/query"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/strictyaml"
)

// maxSilences bounds what is in force at once.
const maxSilences = 200

// silence is one silence in force. A maintenance covers the devices that it met when it
// began: those are held, and must be let go.
type silence struct {
	ID          int64           `json:"id"`
	Query       string          `json:"query"`
	Rules       []string        `json:"rules,omitempty"`
	By          string          `json:"by"`
	Note        string          `json:"note,omitempty"`
	From        time.Time       `json:"from"`
	To          time.Time       `json:"to,omitzero"` // zero: until ended
	Maintenance bool            `json:"maintenance,omitempty"`
	Devices     []site.DeviceID `json:"devices,omitempty"` // of a maintenance
	// Held are those of them that it holds; the others a person held already.
	Held []site.DeviceID `json:"held,omitempty"`

	q     *query.Query
	rules ruleFilter
	met   map[site.DeviceID]bool
}

type silenceDoc struct {
	Next int64      `json:"next"`
	List []*silence `json:"list"`
}

// ruleFilter is the rules that a silence is about; none means all.
type ruleFilter health.RuleSet

func (f ruleFilter) covers(r health.Rule) bool { return f == 0 || health.RuleSet(f).Has(r) }

// ready makes what is not stored.
func (s *silence) ready() error {
	var err error
	if s.q, err = parse(s.Query); err != nil {
		return err
	}
	for _, name := range s.Rules {
		r, ok := health.RuleOf(name)
		if !ok {
			return fmt.Errorf("%w: there is no rule %q; %s", api.ErrInvalid, name, strictyaml.Suggest(name, sitefile.HealthRules()))
		}
		s.rules |= ruleFilter(health.SetOf(r))
	}
	s.met = make(map[site.DeviceID]bool, len(s.Devices))
	for _, id := range s.Devices {
		s.met[id] = true
	}
	return nil
}

// covers says whether the silence is about a device.
func (s *silence) covers(id site.DeviceID, row func(site.DeviceID) *query.Row) bool {
	if s.Maintenance {
		return s.met[id]
	}
	return s.q.Match(row(id))
}

func (s *silence) reason() string {
	what := "silenced"
	if s.Maintenance {
		what = "in maintenance"
	}
	return what + " by " + s.By + journal.Because(s.Note)
}

// holdNote marks the holds of a maintenance, so that what a person holds is told from them.
func (s *silence) holdNote() string {
	return cut(fmt.Sprintf("maintenance %d%s", s.ID, journal.Because(s.Note)), 500)
}

func (c *Care) restoreSilences(doc []byte) error {
	if doc == nil {
		return nil
	}
	var in silenceDoc
	if err := json.Unmarshal(doc, &in); err != nil {
		return fmt.Errorf("read the stored silences: %w", err)
	}
	c.nextID = in.Next
	for _, s := range in.List {
		if err := s.ready(); err != nil && !s.Maintenance { // a rule or a field that is no more: nothing can be said of it
			c.opt.Log.Warn("a stored silence is left out", "reason", err.Error())
			continue
		}
		c.silences = append(c.silences, s)
	}
	return nil
}

// keepSilences writes the list. The lock is held.
func (c *Care) keepSilences(ctx context.Context, list []*silence) error {
	return c.keep(ctx, silencesKey, silenceDoc{c.nextID, list})
}

// inMaintenance returns the devices that are.
func (c *Care) inMaintenance() map[site.DeviceID]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out map[site.DeviceID]bool
	for _, s := range c.silences {
		if !s.Maintenance {
			continue
		}
		if out == nil {
			out = map[site.DeviceID]bool{}
		}
		for _, id := range s.Devices {
			out[id] = true
		}
	}
	return out
}

// Silences returns those in force.
func (c *Care) Silences(context.Context) ([]api.SilenceView, error) {
	v := c.view()
	c.mu.Lock()
	list := slices.Clone(c.silences)
	c.mu.Unlock()
	out := make([]api.SilenceView, 0, len(list))
	for _, s := range list {
		out = append(out, c.silenceView(v, s))
	}
	return out, nil
}

func (c *Care) silenceView(v *view, s *silence) api.SilenceView {
	out := api.SilenceView{ID: s.ID, Query: s.Query, Rules: append([]string{}, s.Rules...), By: s.By, Note: s.Note, From: s.From, Maintenance: s.Maintenance, Devices: len(s.Devices)}
	if !s.To.IsZero() {
		to := s.To
		out.To = &to
	}
	if !s.Maintenance {
		places, _ := c.find(v, s.q)
		out.Devices = len(places)
	}
	return out
}

// Silence keeps a silence. A maintenance also holds its devices as they are.
func (c *Care) Silence(ctx context.Context, who string, r api.SilenceRequest) (api.SilenceView, error) {
	now := c.opt.Clock.Now()
	s := &silence{Query: r.Query, Rules: slices.Clone(r.Rules), By: who, Note: r.Note, From: now, Maintenance: r.Maintenance}
	if r.For > 0 {
		s.To = now.Add(time.Duration(r.For) * time.Second)
	}
	if err := s.ready(); err != nil {
		return api.SilenceView{}, err
	}
	v := c.view()
	places, _ := c.find(v, s.q)
	if len(places) == 0 {
		return api.SilenceView{}, fmt.Errorf("%w: no device matches %q", api.ErrInvalid, r.Query)
	}
	var run, sleep []site.DeviceID
	if s.Maintenance {
		run, sleep = c.asTheyAre(v, s, places)
	}
	if err := c.addSilence(ctx, s); err != nil {
		return api.SilenceView{}, err
	}
	if err := c.holdAll(ctx, who, s, run, sleep); err != nil {
		return api.SilenceView{}, errors.Join(err, c.endSilence(ctx, who, s))
	}
	c.opt.Note(journal.Entry{At: now, Subject: who, Kind: journal.KindNote, Text: fmt.Sprintf("%s: %s %s", s.reason(), plural(len(places), "device"), quoted(s.Query))})
	c.hurry()
	return c.silenceView(c.view(), s), nil
}

func quoted(q string) string {
	if q == "" {
		return "(all)"
	}
	return "(" + q + ")"
}

// asTheyAre notes the devices of a maintenance and returns those to hold, by the mode they are in.
func (c *Care) asTheyAre(v *view, s *silence, places []int) (run, sleep []site.DeviceID) {
	s.met = map[site.DeviceID]bool{}
	for _, i := range places {
		id := c.opt.Miners[i].ID
		s.Devices, s.met[id] = append(s.Devices, id), true
		if _, held := v.screen.Holds[id]; held {
			continue
		}
		st, _ := status(v.screen, i)
		last, _ := v.snap.Get(id)
		rests := asleep(st, site.Opt[site.Hold]{})
		if st == nil || !st.Known {
			rests = last.Sample.OK && last.Sample.V.State == site.StateSleeping
		}
		if rests {
			sleep = append(sleep, id)
		} else {
			run = append(run, id)
		}
	}
	s.Held = slices.Concat(run, sleep)
	return run, sleep
}

func (c *Care) addSilence(ctx context.Context, s *silence) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.silences) >= maxSilences {
		return fmt.Errorf("%w: %d silences are in force; end one first", api.ErrInvalid, len(c.silences))
	}
	c.nextID++
	s.ID = c.nextID
	next := append(slices.Clone(c.silences), s)
	if err := c.keepSilences(ctx, next); err != nil {
		return err
	}
	c.silences = next
	return nil
}

func (c *Care) holdAll(ctx context.Context, who string, s *silence, run, sleep []site.DeviceID) error {
	for mode, ids := range map[string][]site.DeviceID{"run": run, "sleep": sleep} {
		if len(ids) == 0 {
			continue
		}
		if _, err := c.opt.Operator.Hold(ctx, who, api.HoldRequest{Devices: names(ids), Mode: mode, Note: s.holdNote()}); err != nil {
			return fmt.Errorf("hold %s for maintenance: %w", plural(len(ids), "device"), err)
		}
	}
	return nil
}

// Unsilence ends a silence.
func (c *Care) Unsilence(ctx context.Context, who string, id int64) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.silences, func(s *silence) bool { return s.ID == id })
	var s *silence
	if i >= 0 {
		s = c.silences[i]
	}
	c.mu.Unlock()
	if s == nil {
		return fmt.Errorf("silence %d: %w", id, api.ErrNotFound)
	}
	if err := c.endSilence(ctx, who, s); err != nil {
		return err
	}
	c.hurry()
	return nil
}

// endSilence lets go of what a maintenance holds, and then forgets the silence: where the
// first does not work, the second is tried again.
func (c *Care) endSilence(ctx context.Context, who string, s *silence) error {
	holds := c.opt.Loop.CareScreen().Holds
	var ids []site.DeviceID
	for _, id := range s.Held {
		if h, ok := holds[id]; ok && h.Note != s.holdNote() {
			continue // a person holds it for a reason of their own since
		}
		if _, known := c.byID[id]; known { // the site file may have lost it since
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		if _, err := c.opt.Operator.ReleaseMany(ctx, who, ids); err != nil {
			return fmt.Errorf("end maintenance %d: %w", s.ID, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(c.silences), func(x *silence) bool { return x.ID == s.ID })
	if err := c.keepSilences(ctx, next); err != nil {
		return err
	}
	c.silences = next
	return nil
}

// expire ends the silences whose time is over, and says whether it ended one.
func (c *Care) expire(ctx context.Context, now time.Time) (ended bool) {
	c.mu.Lock()
	var over []*silence
	for _, s := range c.silences {
		if !s.To.IsZero() && !now.Before(s.To) {
			over = append(over, s)
		}
	}
	c.mu.Unlock()
	for _, s := range over {
		if err := c.endSilence(ctx, s.By, s); err != nil {
			if ctx.Err() == nil {
				c.opt.Log.Warn("a silence is over and not ended; it is tried again", "reason", err.Error())
			}
			continue
		}
		ended = true
		c.opt.Note(journal.Entry{At: now, Subject: s.By, Kind: journal.KindNote, Text: fmt.Sprintf("silence %d of %s is over", s.ID, s.By)})
	}
	return ended
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
