// Package bounds owns the limits on nodes beyond their own: those of the site file, by its
// calendar, and those that people set.
//
// It never looks at a meter and never tells a device anything.
//
// Concurrency: Limits belong to one goroutine, the control loop's.
package bounds

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"switchyard/api"
	"switchyard/app/plant"
	"switchyard/market"
	"switchyard/site"
	"switchyard/unit"
)

// Most is how many limits people may have set at a time.
const Most = 1000

// Limits knows every bound on a node beyond its own.
type Limits struct {
	Plant  *plant.Plant
	File   market.Limits
	Manual []site.Limit // set by people
	// Signals, if set, returns the limits that the grid asks for, in force and to come.
	Signals func(now time.Time) []site.Limit
	// Active are the file's timed limits that were in force at the last look.
	Active map[string]site.Limit
	next   int
}

type storedLimits struct {
	Next   int          `json:"next"`
	Limits []site.Limit `json:"limits"`
}

// Restore takes up what Doc wrote; nil is nothing.
func (l *Limits) Restore(doc []byte) error {
	if doc == nil {
		return nil
	}
	var s storedLimits
	if err := json.Unmarshal(doc, &s); err != nil {
		return fmt.Errorf("read the stored limits: %w", err)
	}
	l.Manual, l.next = s.Limits, s.Next
	return nil
}

// Doc is what people set, to be kept.
func (l *Limits) Doc() ([]byte, error) { return json.Marshal(storedLimits{l.next, l.Manual}) }

// Add makes an operator's limit from a request; nothing is kept yet.
func (l *Limits) Add(now time.Time, who string, r api.LimitRequest) (site.Limit, error) {
	i, ok := l.Plant.Tree.Index(site.NodeID(r.Node))
	if !ok {
		return site.Limit{}, fmt.Errorf("%w: no node is called %q; the nodes are %s", api.ErrInvalid, r.Node, l.Plant.NodeNames())
	}
	if !(r.PowerW >= 0 && r.PowerW <= 1e12) || !(r.ForS >= 0 && r.ForS < math.MaxInt64/1e9) {
		return site.Limit{}, fmt.Errorf("%w: a limit is a power from 0 W and a time from 0 s (0: until cleared)", api.ErrInvalid)
	}
	if len(l.Manual) >= Most {
		return site.Limit{}, fmt.Errorf("%w: %d limits are set; clear one first", api.ErrInvalid, Most)
	}
	l.next++
	m := site.Limit{
		ID: "op-" + strconv.Itoa(l.next), Node: l.Plant.Tree.Node(i).ID, Power: unit.Watts(r.PowerW),
		From: now, By: who, Note: r.Note,
	}
	if r.ForS > 0 {
		m.To = now.Add(time.Duration(r.ForS * float64(time.Second)))
	}
	l.Manual = append(l.Manual, m)
	return m, nil
}

// Clear ends an operator's limit; api.ErrNotFound where there is none of that id.
func (l *Limits) Clear(id string) (site.Limit, error) {
	i := slices.IndexFunc(l.Manual, func(m site.Limit) bool { return m.ID == id })
	if i < 0 {
		return site.Limit{}, fmt.Errorf("limit %q: %w: only an operator's limit can be cleared here", id, api.ErrNotFound)
	}
	m := l.Manual[i]
	l.Manual = slices.Delete(l.Manual, i, i+1)
	return m, nil
}

// Expire forgets operators' limits that are over and returns them.
func (l *Limits) Expire(now time.Time) []site.Limit {
	var over []site.Limit
	l.Manual = slices.DeleteFunc(l.Manual, func(m site.Limit) bool {
		done := !m.To.IsZero() && !now.Before(m.To)
		if done {
			over = append(over, m)
		}
		return done
	})
	return over
}

// At returns every limit that holds at now or is to come within a day, the site file's included.
func (l *Limits) At(now time.Time) []site.Limit {
	out := append(slices.Clone(l.Manual), l.File.Between(now, now.Add(24*time.Hour))...)
	if l.Signals == nil {
		return out
	}
	for _, m := range l.Signals(now) {
		if m.From.Before(now.Add(24 * time.Hour)) {
			out = append(out, m)
		}
	}
	return out
}

// Bounds returns the limit in force per node, negative where there is none. A limit that is
// known to come within ahead counts already: the site is to be below it when it begins.
func (l *Limits) Bounds(now time.Time, all []site.Limit, ahead time.Duration) []unit.Power {
	out, _ := l.Decide(now, all, ahead)
	return out
}

// Decide is Bounds, with which of the limits decides at each node: its index in all, -1 where
// the node's own limit does, or none.
func (l *Limits) Decide(now time.Time, all []site.Limit, ahead time.Duration) (out []unit.Power, which []int) {
	out, which = make([]unit.Power, l.Plant.Tree.Len()), make([]int, l.Plant.Tree.Len())
	for i := range out {
		if out[i] = l.Plant.Tree.Node(i).Limit; out[i] <= 0 {
			out[i] = -1
		}
		which[i] = -1
	}
	for k, m := range all {
		i, ok := l.Plant.Tree.Index(m.Node)
		if ok && !m.From.After(now.Add(ahead)) && (m.To.IsZero() || now.Before(m.To)) && (out[i] < 0 || m.Power < out[i]) {
			out[i], which[i] = m.Power, k
		}
	}
	return out, which
}
