package signal

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Most is how many signals are kept of one source. Of an update that names more, emergencies
// are kept first and then those that begin soonest; the rest is refused with one line.
const Most = 1000

// mostEvents bounds the events that wait for Turn; when it is full the oldest go, and an event
// says how many.
const mostEvents = 2000

// Options are what a Book is made from.
type Options struct {
	Tree    *site.Tree
	Sources []Terms
	// Now is site time.
	Now func() time.Time
	// Firm is what is contracted at a node and below it; nil: nothing.
	Firm func(site.NodeID) unit.Power
	// Meter is the newest state of the site, for sources to tell; nil: nothing is known.
	Meter func() Meter
	// MeterOf is the newest state of one node; nil: nothing is known.
	MeterOf func(site.NodeID) (Meter, bool)
	// Drawn is what enters a node now: where a ramp begins. Nil: not known.
	Drawn func(site.NodeID) site.Opt[unit.Power]
	// Wake is called when something changed that must not wait for the next control period. It
	// must not block and not call the Book.
	Wake func()
}

// Terms are what the book must know of a source.
type Terms struct {
	Name, Protocol string
	// Node is what its limits bound that name none; empty: the connection.
	Node site.NodeID
	Lost sitefile.LostSignal
	// Silent says that the source is not missed before it was first heard of: nobody has to write.
	Silent bool
}

// Book keeps what every source says, and says what holds. It is safe for concurrent use and
// never blocks on anything but its own short work.
type Book struct {
	opt Options

	mu      sync.Mutex
	sources []*source // in the order of the site file
	tails   []tail
	events  []Event
	refused []Refusal
	missing int // events that were dropped since the last Turn
	turned  time.Time
	past    []Span // prices that were in force, as they were found in force
	dirty   bool   // since the last Doc
	lines   lines
	stale   bool // lines are of before the last change
}

// source is what is known of one source.
type source struct {
	terms    Terms
	held     []held    // by From, then ID
	heard    time.Time // the last good word, or when the wait for it began
	ever     bool      // heard of in this run or an earlier one
	fault    string    // of the last attempt, if that failed
	lost     bool
	since    time.Time       // lost since
	problems []string        // of the last update
	troubled time.Time       // when the last of them was new, or an attempt failed
	said     map[string]bool // problems that were told
	over     []held          // that ended lately: a sender that still names them says nothing new
}

// held is a signal that is kept.
type held struct {
	Signal
	Got time.Time `json:"got"`
	// Begun says that its beginning was seen. A ramp goes from Base at Since.
	Begun bool       `json:"begun,omitempty"`
	Base  unit.Power `json:"base,omitempty"`
	Since time.Time  `json:"since,omitzero"`
}

// NewBook makes an empty book; Restore takes up what an earlier one kept.
func NewBook(o Options) *Book {
	b := &Book{opt: o, stale: true}
	now := o.Now()
	for _, t := range o.Sources {
		b.sources = append(b.sources, &source{terms: t, heard: now, said: map[string]bool{}})
	}
	return b
}

var _ NodeHost = (*Book)(nil)

// Now is site time.
func (b *Book) Now() time.Time { return b.opt.Now() }

// Meter is the newest state of the site.
func (b *Book) Meter() Meter {
	if b.opt.Meter == nil {
		return Meter{At: b.opt.Now()}
	}
	return b.opt.Meter()
}

// MeterOf is the newest state of a node.
func (b *Book) MeterOf(n site.NodeID) (Meter, bool) {
	if b.opt.MeterOf == nil {
		return Meter{}, false
	}
	return b.opt.MeterOf(n)
}

func (b *Book) find(name string) *source {
	if i := slices.IndexFunc(b.sources, func(s *source) bool { return s.terms.Name == name }); i >= 0 {
		return b.sources[i]
	}
	return nil
}

// Put takes over what a source says now; what it no longer names is taken back. A source that
// the site file does not name is refused.
func (b *Book) Put(u Update) {
	b.mu.Lock()
	changed := b.put(u)
	b.mu.Unlock()
	if changed && b.opt.Wake != nil {
		b.opt.Wake()
	}
}

func (b *Book) put(u Update) (changed bool) {
	now := b.opt.Now()
	s := b.find(u.Source)
	if s == nil {
		b.tell(Event{At: now, Kind: Refused, Source: u.Source, Text: fmt.Sprintf("%s is no source of the site file: what it says is not taken", u.Source)})
		return false
	}
	good, problems := b.check(s, u, now)
	b.refuse(s, now, problems)
	before := make(map[string]held, len(s.held))
	for _, h := range s.held {
		before[h.ID] = h
	}
	next := make([]held, 0, len(good))
	var fresh, other, gone []held
	raised := false
	for _, g := range good {
		h := held{Signal: g, Got: now}
		old, was := before[g.ID]
		delete(before, g.ID)
		switch {
		case !was:
			b.begin(&h, now)
			fresh = append(fresh, h)
		case old.Signal == g:
			h = old
		default:
			b.replace(&h, old, now)
			other = append(other, h)
			raised = raised || h.Power > old.Power
		}
		next = append(next, h)
	}
	for _, h := range s.held {
		if _, left := before[h.ID]; left {
			gone = append(gone, h)
			b.release(h, now)
		}
	}
	if len(fresh)+len(other)+len(gone) == 0 {
		return false
	}
	b.note(now)
	slices.SortStableFunc(next, inOrder)
	s.held, b.stale, b.dirty = next, true, true
	b.group(now, Received, s, fresh, false)
	b.group(now, Changed, s, other, raised)
	b.group(now, TakenBack, s, gone, true)
	return true
}

func inOrder(a, b held) int {
	if c := a.From.Compare(b.From); c != 0 {
		return c
	}
	if a.ID < b.ID {
		return -1
	}
	return 1
}

// Said returns what is kept of a source, for one whose counterpart does not say it again.
func (b *Book) Said(name string) []Signal {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Signal
	if s := b.find(name); s != nil {
		for _, h := range s.held {
			out = append(out, h.Signal)
		}
	}
	return out
}

// Heard notes that a source was heard of at t, or with err that its counterpart could not be
// reached.
func (b *Book) Heard(name string, t time.Time, err error) {
	b.mu.Lock()
	s := b.find(name)
	back := false
	switch {
	case s == nil:
	case err != nil:
		s.fault, s.troubled = short(err.Error()), b.opt.Now()
	default:
		if now := b.opt.Now(); t.After(now) {
			t = now // its clock is not ours
		}
		back = b.hear(s, t)
	}
	b.mu.Unlock()
	if back && b.opt.Wake != nil {
		b.opt.Wake()
	}
}

// hear notes a good word; it says whether the source was lost until now.
func (b *Book) hear(s *source, t time.Time) (back bool) {
	s.fault = ""
	if !s.ever {
		s.ever, b.dirty = true, true
	}
	if t.After(s.heard) {
		s.heard = t
	}
	if !s.lost || !t.After(s.since.Add(-1)) {
		return false
	}
	s.lost, b.stale, b.dirty = false, true, true
	b.tell(Event{At: t, Kind: Back, Source: s.terms.Name, Loosens: s.terms.Lost.Then == "limit", Text: fmt.Sprintf("%s is heard of again after %s", s.terms.Name, span(t.Sub(s.since)))})
	return true
}

// Turn brings the book to now: what is over vanishes, what is lost is found lost. It returns
// what happened since the last call, in order, for the journal.
func (b *Book) Turn(now time.Time) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(now)
	for _, s := range b.sources {
		b.expire(s, now)
		b.miss(s, now)
	}
	b.endTails(now)
	out := b.events
	if b.missing > 0 {
		out = append(out, Event{At: now, Kind: Refused, Text: fmt.Sprintf("%d events of signals are missing before this line: there were too many at once", b.missing)})
	}
	b.events, b.missing = nil, 0
	return out
}

// expire takes out what is over and says what began.
func (b *Book) expire(s *source, now time.Time) {
	var over, began []held
	s.held = slices.DeleteFunc(s.held, func(h held) bool {
		if h.To.IsZero() || now.Before(h.To) {
			return false
		}
		over = append(over, h)
		b.release(h, h.To)
		s.over = append(s.over, h)
		return true
	})
	if n := len(s.over) - Most; n > 0 {
		s.over = slices.Delete(s.over, 0, n)
	}
	for i := range s.held {
		if h := &s.held[i]; !h.Begun && !h.From.After(now) {
			b.begin(h, h.From)
			began = append(began, *h)
		}
	}
	if len(over)+len(began) > 0 {
		b.stale, b.dirty = true, true
	}
	news := func(h held) bool { return h.Kind != Price } // a price a period: each is told when it comes
	b.group(now, Began, s, keep(began, news), false)
	b.group(now, Ended, s, keep(over, news), true)
}

func keep(hs []held, ok func(held) bool) (out []held) {
	for _, h := range hs {
		if ok(h) {
			out = append(out, h)
		}
	}
	return out
}

// miss finds a source lost that was not heard of for as long as it may be.
func (b *Book) miss(s *source, now time.Time) {
	l := s.terms.Lost
	if s.lost || l.After <= 0 || s.terms.Silent && !s.ever || now.Sub(s.heard) < l.After {
		return
	}
	s.lost, s.since, b.stale, b.dirty = true, now, true, true
	text := fmt.Sprintf("%s was not heard of for %s", s.terms.Name, span(now.Sub(s.heard)))
	if s.fault != "" {
		text += " (" + s.fault + ")"
	}
	b.tell(Event{At: now, Kind: Lost, Source: s.terms.Name, Text: text + ": " + s.rule()})
}

// rule says what holds while the source is lost.
func (s *source) rule() string {
	switch s.terms.Lost.Then {
	case "release":
		return "what it said holds no more"
	case "limit":
		return fmt.Sprintf("the connection is limited to %s", s.terms.Lost.Limit.Short())
	}
	return "what it said last holds until it ends"
}

// span prints a length of time without fractions of a second.
func span(d time.Duration) string { return d.Round(time.Second).String() }
