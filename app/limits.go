package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/market"
	"switchyard/site"
	"switchyard/unit"
)

const (
	limitsKey = "app.limits"
	maxLimits = 1000
)

// limits knows every bound on a node beyond its own: those of the site file and those that
// people set. It belongs to the control loop.
type limits struct {
	p      *plant
	file   market.Limits
	manual []site.Limit
	active map[string]site.Limit // the file's timed limits that were in force at the last look
	next   int
}

type storedLimits struct {
	Next   int          `json:"next"`
	Limits []site.Limit `json:"limits"`
}

func (l *limits) restore(doc []byte) error {
	if doc == nil {
		return nil
	}
	var s storedLimits
	if err := json.Unmarshal(doc, &s); err != nil {
		return fmt.Errorf("read the stored limits: %w", err)
	}
	l.manual, l.next = s.Limits, s.Next
	return nil
}

func (l *limits) doc() ([]byte, error) { return json.Marshal(storedLimits{l.next, l.manual}) }

// add makes an operator's limit from a request; nothing is kept yet.
func (l *limits) add(now time.Time, who string, r api.LimitRequest) (site.Limit, error) {
	i, ok := l.p.Tree.Index(site.NodeID(r.Node))
	if !ok {
		return site.Limit{}, fmt.Errorf("%w: no node is called %q; the nodes are %s", api.ErrInvalid, r.Node, l.p.nodeNames())
	}
	if !(r.PowerW >= 0 && r.PowerW <= 1e12) || !(r.ForS >= 0 && r.ForS < math.MaxInt64/1e9) {
		return site.Limit{}, fmt.Errorf("%w: a limit is a power from 0 W and a time from 0 s (0: until cleared)", api.ErrInvalid)
	}
	if len(l.manual) >= maxLimits {
		return site.Limit{}, fmt.Errorf("%w: %d limits are set; clear one first", api.ErrInvalid, maxLimits)
	}
	l.next++
	m := site.Limit{
		ID: "op-" + strconv.Itoa(l.next), Node: l.p.Tree.Node(i).ID, Power: unit.Watts(r.PowerW),
		From: now, By: who, Note: r.Note,
	}
	if r.ForS > 0 {
		m.To = now.Add(time.Duration(r.ForS * float64(time.Second)))
	}
	l.manual = append(l.manual, m)
	return m, nil
}

func (l *limits) clear(id string) (site.Limit, error) {
	i := slices.IndexFunc(l.manual, func(m site.Limit) bool { return m.ID == id })
	if i < 0 {
		return site.Limit{}, fmt.Errorf("limit %q: %w: only an operator's limit can be cleared here", id, api.ErrNotFound)
	}
	m := l.manual[i]
	l.manual = slices.Delete(l.manual, i, i+1)
	return m, nil
}

// expire forgets operators' limits that are over and returns them.
func (l *limits) expire(now time.Time) []site.Limit {
	var over []site.Limit
	l.manual = slices.DeleteFunc(l.manual, func(m site.Limit) bool {
		done := !m.To.IsZero() && !now.Before(m.To)
		if done {
			over = append(over, m)
		}
		return done
	})
	return over
}

// at returns every limit that holds at now or is to come within a day, the site file's included.
func (l *limits) at(now time.Time) []site.Limit {
	return append(slices.Clone(l.manual), l.file.Between(now, now.Add(24*time.Hour))...)
}

// bounds returns the limit in force per node, negative where there is none. A limit that is
// known to come within ahead counts already: the site is to be below it when it begins.
func (l *limits) bounds(now time.Time, all []site.Limit, ahead time.Duration) []unit.Power {
	out := make([]unit.Power, l.p.Tree.Len())
	for i := range out {
		if out[i] = l.p.Tree.Node(i).Limit; out[i] <= 0 {
			out[i] = -1
		}
	}
	for _, m := range all {
		i, ok := l.p.Tree.Index(m.Node)
		if ok && !m.From.After(now.Add(ahead)) && (m.To.IsZero() || now.Before(m.To)) && (out[i] < 0 || m.Power < out[i]) {
			out[i] = m.Power
		}
	}
	return out
}

// firmBelow is what tenants have contracted at a node and below it.
func (p *plant) firmBelow(id site.NodeID) (firm unit.Power) {
	top, _ := p.Tree.Index(id)
	for i := range p.Tenants {
		if p.Tree.Below(p.Tenants[i].Node, top) {
			firm += p.Tenants[i].Firm
		}
	}
	return firm
}

func (p *plant) nodeNames() string {
	names := make([]string, 0, p.Tree.Len())
	for i := range min(p.Tree.Len(), 20) {
		names = append(names, string(p.Tree.Node(i).ID))
	}
	return strings.Join(names, ", ")
}

// SetLimit sets an operator's limit. The loop acts on it at once, and it is on disk when the
// call returns; where the disk takes nothing it holds all the same, and its note says so.
func (a *App) SetLimit(ctx context.Context, who string, r api.LimitRequest) (api.LimitView, error) {
	var view api.LimitView
	err := a.inLoop(ctx, func(c *control) error {
		now := a.clk.Now()
		m, err := c.limits.add(now, who, r)
		if err != nil {
			return err
		}
		view = limitView(m, now)
		if firm := c.a.plant.firmBelow(m.Node); m.Power < firm {
			view.Note = strings.TrimSpace(fmt.Sprintf("%s (below the %s contracted there: firm load is not shed, so the node may stay above it)", view.Note, firm.Short()))
		}
		if err := c.keepLimits(ctx); err != nil {
			// Safety before the record: a limit holds from now on, and is written when it can be.
			c.limitsWait, c.dirty = true, true
			c.storeFault(err)
			view.Note = strings.TrimSpace(view.Note + " (in force, and not kept over a restart yet: " + err.Error() + ")")
		}
		c.note(journal.LimitEntry(now, m, who, "set"))
		return nil
	})
	return view, err
}

// ClearLimit ends an operator's limit.
func (a *App) ClearLimit(ctx context.Context, who, id string) error {
	return a.inLoop(ctx, func(c *control) error {
		before := slices.Clone(c.limits.manual)
		m, err := c.limits.clear(id)
		if err != nil {
			return err
		}
		if err := c.keepLimits(ctx); err != nil {
			c.limits.manual = before
			return err
		}
		c.note(journal.LimitEntry(a.clk.Now(), m, who, "cleared"))
		return nil
	})
}

func (c *control) keepLimits(ctx context.Context) error {
	doc, err := c.limits.doc()
	if err != nil {
		return err
	}
	if err := c.a.db.PutState(ctx, limitsKey, doc); err != nil {
		return fmt.Errorf("%w: keep the limits: %w", api.ErrUnavailable, err)
	}
	return nil
}

func limitView(m site.Limit, now time.Time) api.LimitView {
	v := api.LimitView{
		ID: m.ID, Node: string(m.Node), PowerW: m.Power.Watts(), From: m.From, By: m.By, Note: m.Note,
		Active: m.In(now), Manual: strings.HasPrefix(m.ID, "op-"),
	}
	if !m.To.IsZero() {
		v.To = &m.To
	}
	return v
}
