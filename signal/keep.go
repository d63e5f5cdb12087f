package signal

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	// mostDoc bounds the stored document in bytes.
	mostDoc = 16 << 20
	// pastTime is how long it is known which price was in force: an interval is settled by then.
	pastTime = 72 * time.Hour
	mostPast = 4000
)

// doc is what is kept between runs.
type doc struct {
	Sources []storedSource `json:"sources"`
	Tails   []tail         `json:"tails,omitempty"`
	Past    []Span         `json:"past,omitempty"`
}

type storedSource struct {
	Name  string    `json:"name"`
	Heard time.Time `json:"heard"`
	Ever  bool      `json:"ever,omitempty"`
	Lost  bool      `json:"lost,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Held  []held    `json:"held,omitempty"`
}

// Doc is what must be kept between runs, nil where nothing changed since the last Doc. With
// always it is never nil.
func (b *Book) Doc(always bool) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dirty && !always {
		return nil, nil
	}
	d := doc{Tails: b.tails, Past: b.past}
	for _, s := range b.sources {
		d.Sources = append(d.Sources, storedSource{s.terms.Name, s.heard, s.ever, s.lost, s.since, s.held})
	}
	out, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("keep the signals: %w", err)
	}
	b.dirty = false
	return out, nil
}

// Unkept says that the last Doc did not reach the disk: the next one is not nil.
func (b *Book) Unkept() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dirty = true
}

// Restore takes up what Doc wrote; nil is nothing. What is over by now is forgotten, and what
// no longer makes sense on this site. A source that was lost stays lost until it is heard of;
// another one's time to be heard of begins anew. A document that cannot be read changes nothing.
func (b *Book) Restore(raw []byte, now time.Time) error {
	if raw == nil {
		return nil
	}
	if len(raw) > mostDoc {
		return fmt.Errorf("read the stored signals: more than %d bytes", mostDoc)
	}
	var d doc
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read the stored signals: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, in := range d.Sources {
		s := b.find(in.Name)
		if s == nil {
			continue // it is no longer in the site file
		}
		s.ever, s.heard = in.Ever, now
		if s.lost = in.Lost && s.terms.Lost.After > 0; s.lost {
			s.heard, s.since = earlier(in.Heard, now), earlier(in.Since, now)
		}
		s.held = nil
		for _, h := range in.Held[:min(len(in.Held), Most)] {
			x, _, ok := b.one(s, h.Signal, now)
			if !ok || slices.ContainsFunc(s.held, func(o held) bool { return o.ID == x.ID }) {
				continue
			}
			h.Signal, h.Got, h.Since, h.Base = x, earlier(plain(h.Got), now), earlier(plain(h.Since), now), max(h.Base, 0)
			if h.Begun = h.Begun && !h.From.After(now); !h.Begun {
				b.begin(&h, now)
			}
			s.held = append(s.held, h)
		}
		slices.SortStableFunc(s.held, inOrder)
	}
	b.tails = nil
	for _, t := range d.Tails[:min(len(d.Tails), mostTails)] {
		t.ID, t.Source, t.Since, t.Base = short(t.ID), short(t.Source), earlier(plain(t.Since), now), max(t.Base, 0)
		if _, ok := b.opt.Tree.Index(t.Node); ok && t.Ramp > 0 {
			b.tails = append(b.tails, t)
		}
	}
	b.past = restoredPast(d.Past, now)
	b.stale = true
	return nil
}

// restoredPast keeps the spans that can be: in order, not over each other, none still open.
func restoredPast(in []Span, now time.Time) (out []Span) {
	for _, p := range in {
		p.From, p.To, p.Source, p.ID = plain(p.From), plain(p.To), short(p.Source), short(p.ID)
		if p.To.IsZero() || p.To.After(now) {
			p.To = plain(now)
		}
		if n := len(out); !p.From.Before(p.To) || now.Sub(p.To) > pastTime || n > 0 && p.From.Before(out[n-1].To) || n >= mostPast {
			continue
		}
		out = append(out, p)
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// note keeps which price stood in place of the market's since the last turn.
func (b *Book) note(now time.Time) {
	b.remake()
	since := b.turned
	if since.IsZero() {
		since = now
	}
	b.turned = now
	for _, p := range b.lines.prices {
		if p.From.After(now) {
			break
		}
		if !p.To.IsZero() && !p.To.After(since) {
			continue
		}
		if p.From.Before(since) {
			p.From = since
		}
		if p.To.IsZero() || p.To.After(now) {
			p.To = now
		}
		if !p.From.Before(p.To) {
			continue
		}
		last := len(b.past) - 1
		if last >= 0 && b.past[last].To.Equal(p.From) && b.past[last].Price == p.Price && b.past[last].Source == p.Source {
			b.past[last].To, b.past[last].ID = p.To, p.ID
		} else {
			b.past, b.dirty = append(b.past, p), true
		}
	}
	b.past = slices.DeleteFunc(b.past, func(p Span) bool { return now.Sub(p.To) > pastTime })
	if n := len(b.past) - mostPast; n > 0 {
		b.past = slices.Delete(b.past, 0, n)
	}
}

// PriceAt returns the price that stands, or stood, in place of the market's at t; false where
// none does. Before the last Turn it is what was in force then, whatever was said later.
func (b *Book) PriceAt(t time.Time) (Span, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remake()
	of := b.lines.prices
	if t.Before(b.turned) {
		of = b.past
	}
	for _, p := range of {
		if p.In(t) {
			return p, true
		}
	}
	return Span{}, false
}
