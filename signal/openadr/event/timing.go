package event

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"
)

// Slot is when one interval of an event holds. A zero to means for ever.
type Slot struct {
	Number   int64 // the interval's own
	From, To time.Time
	place    int // of the interval in the event; below zero: the event has none
}

// timetable is when an event's intervals hold, randomised starts and "now" settled.
type timetable struct {
	slots []Slot // in the event's order, without those that have no length
	// until cuts all slots, and repeats them up to it where loop is not zero; zero: no bound.
	until time.Time
	loop  time.Duration
	// bare is the length of the implied intervals of an event that has none of its own.
	bare      span
	cancelled bool // "now" for no time: how the specification takes an event back
}

// clockwork is what settling an event's times needs.
type clockwork struct {
	e      *Event
	ven    string    // seeds the random shift
	issued time.Time // what "now" means: when the VTN issued the event
	old    bool      // 3.0: no length may mean for ever

	shift time.Duration
	base  span      // the event's default length
	start time.Time // the event's default start, not shifted; zero: none
	now   bool      // some start said "now"
	at    time.Time // where the next interval begins if it does not say
}

// settle works out the timetable. An error means that the event must not be half followed.
func (c *clockwork) settle() (timetable, error) {
	var t timetable
	if err := c.defaults(); err != nil {
		return t, err
	}
	t.bare = c.base
	for i := range c.e.Intervals {
		s, err := c.interval(i)
		if err != nil {
			return t, fmt.Errorf("interval %d: %w", c.e.Intervals[i].number(i), err)
		}
		if s != nil {
			t.slots = append(t.slots, *s)
		}
	}
	if len(t.slots) == 0 && c.now && (c.base.nothing() || len(c.e.Intervals) > 0) {
		t.cancelled = true
	}
	if len(c.e.Intervals) == 0 && !c.start.IsZero() {
		from := c.start.Add(c.shift)
		t.slots = []Slot{{place: -1, From: from, To: c.base.after(from)}}
	}
	return t, c.span(&t)
}

func (c *clockwork) defaults() error {
	p := c.e.Period
	if p == nil {
		return nil
	}
	var err error
	if c.base, err = parseSpan(Text(p.Duration)); err != nil {
		return err
	}
	if p.Start == nil || *p.Start == "" {
		return nil
	}
	start, now, err := parseTime(*p.Start)
	if err != nil {
		return err
	}
	if c.start, c.now = start, now; now {
		c.start = c.issued
	}
	random, err := parseSpan(Text(p.Random))
	if err != nil {
		return fmt.Errorf("randomizeStart: %w", err)
	}
	c.shift = roll(c.e.ID, c.ven, -1, random)
	return nil
}

// interval settles one interval; nil means that it has no length and asks for nothing.
func (c *clockwork) interval(i int) (*Slot, error) {
	iv := &c.e.Intervals[i]
	length, own, err := c.length(iv)
	if err != nil {
		return nil, err
	}
	from, now, err := c.begin(i, own)
	if err != nil {
		return nil, err
	}
	s := &Slot{place: i, Number: iv.number(i), From: from}
	switch {
	case length.negative && !length.nothing():
		return nil, errors.New("it ends before it starts")
	case length.nothing() && (now || len(iv.Payloads) == 0):
		c.at = from
		return nil, nil
	case length.nothing() && !c.old:
		return nil, errors.New("it has no duration")
	case length.nothing(): // 3.0: until the next one, or for ever
		s.To = c.next(i)
	default:
		s.To = length.after(from)
	}
	if !s.To.IsZero() && !s.To.After(s.From) {
		return nil, errors.New("it ends before it starts")
	}
	c.at = s.To
	return s, nil
}

// length is the interval's own, else the event's default. A VTN may write out the default of
// no length where nothing was said, so that counts as nothing said.
func (c *clockwork) length(iv *interval) (length span, own *period, err error) {
	own = iv.Period
	if own != nil {
		if length, err = parseSpan(Text(own.Duration)); err != nil {
			return length, own, err
		}
	}
	if length.nothing() {
		length = c.base
	}
	return length, own, nil
}

// begin says when interval i starts: where it says, else where the one before it ends.
func (c *clockwork) begin(i int, own *period) (from time.Time, now bool, err error) {
	explicit := own != nil && own.Start != nil && *own.Start != ""
	if explicit {
		if from, now, err = parseTime(*own.Start); err != nil {
			return from, now, err
		}
		random, err := parseSpan(Text(own.Random))
		if err != nil {
			return from, now, fmt.Errorf("randomizeStart: %w", err)
		}
		if !random.nothing() {
			c.shift = roll(c.e.ID, c.ven, i, random)
		}
		if !now {
			return from.Add(c.shift), false, nil
		}
	}
	switch {
	case i > 0 && c.at.IsZero():
		return from, now, errors.New("it follows an interval that never ends")
	case i > 0:
		return c.at, false, nil
	case !c.start.IsZero():
		return c.start.Add(c.shift), c.now, nil
	case now:
		c.now = true
		return c.issued.Add(c.shift), true, nil
	}
	return from, now, errors.New("neither it nor the event says when it starts")
}

// next is when the first later interval with a start of its own begins; zero: there is none.
func (c *clockwork) next(i int) time.Time {
	for _, iv := range c.e.Intervals[i+1:] {
		if iv.Period != nil && iv.Period.Start != nil {
			if t, now, err := parseTime(*iv.Period.Start); err == nil && !now {
				return t.Add(c.shift)
			}
		}
	}
	return time.Time{}
}

// span applies the event's own duration, which cuts its intervals short or repeats them.
func (c *clockwork) span(t *timetable) error {
	d, err := parseSpan(Text(c.e.Duration))
	if err != nil || d.nothing() || len(t.slots) == 0 {
		return err
	}
	if d.negative {
		return errors.New("its duration is below zero: it ends before it starts")
	}
	first, last := t.slots[0].From, t.slots[0].To
	endless := false
	for _, s := range t.slots {
		if s.From.Before(first) {
			first = s.From
		}
		endless = endless || s.To.IsZero()
		if s.To.After(last) {
			last = s.To
		}
	}
	t.until = d.after(first)
	if !endless && (t.until.IsZero() || t.until.After(last)) && t.slots[0].place >= 0 {
		if t.loop = last.Sub(first); t.loop < time.Second {
			return errors.New("its intervals are repeated but last less than a second")
		}
	}
	return nil
}

// first is when the event begins; zero: it has no time of its own.
func (t *timetable) first() time.Time {
	var first time.Time
	for _, s := range t.slots {
		if first.IsZero() || s.From.Before(first) {
			first = s.From
		}
	}
	return first
}

// last is when the event is over; zero: never, or it has no time of its own.
func (t *timetable) last() time.Time {
	if t.loop != 0 {
		return t.until
	}
	var last time.Time
	for _, s := range t.slots {
		if s.To.IsZero() {
			return t.until
		}
		if s.To.After(last) {
			last = s.To
		}
	}
	if !t.until.IsZero() && t.until.Before(last) {
		return t.until
	}
	return last
}

// within returns the slots that touch the time from a to b, repeats written out, at most so
// many. Slots without an end keep it.
func (t *timetable) within(a, b time.Time, most int) []Slot {
	var out []Slot
	turns, turn := 0, 0
	if t.loop != 0 {
		if turn = int(a.Sub(t.first())/t.loop) - 1; turn < 0 {
			turn = 0
		}
		turns = int(b.Sub(t.first()) / t.loop)
	}
	for ; turn <= turns && len(out) < most; turn++ {
		by := time.Duration(turn) * t.loop
		for _, s := range t.slots {
			s.From = s.From.Add(by)
			if !s.To.IsZero() {
				s.To = s.To.Add(by)
			}
			if !t.until.IsZero() && (s.To.IsZero() || s.To.After(t.until)) {
				s.To = t.until
			}
			if s.From.After(b) || !s.To.IsZero() && (!s.To.After(a) || !s.To.After(s.From)) {
				continue
			}
			if len(out) < most {
				out = append(out, s)
			}
		}
	}
	return out
}

// roll is the random shift of an event's start: uniform within plus and minus random, and the
// same each time for the same event and VEN, so that a restart does not move it.
func roll(event, ven string, place int, random span) time.Duration {
	if random.nothing() {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%d", event, ven, place)
	x := h.Sum64()
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd // fnv alone leaves the high bits of short strings alike
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	share := float64(x>>11)/(1<<53)*2 - 1
	return time.Duration(share * float64(random.length())).Round(time.Millisecond)
}

// maxImplied bounds the implied intervals of an event that has none.
const maxImplied = 2_000_000

// Windows is how many intervals the event has for its reports; below zero: as many as one likes.
func (h *Held) Windows() int {
	t := &h.table
	switch {
	case len(t.slots) == 0:
		return 0
	case t.slots[0].place >= 0:
		return len(t.slots)
	case t.bare.forever || t.bare.negative || t.bare.length() < time.Second:
		return 0
	}
	return -1
}

// Window is interval i of the event over all its repeats.
func (h *Held) Window(i int) (Slot, bool) {
	t := &h.table
	n := len(t.slots)
	if i < 0 || n == 0 {
		return Slot{}, false
	}
	var s Slot
	switch {
	case t.slots[0].place < 0:
		by := time.Duration(i) * t.bare.length()
		if t.bare.length() <= 0 || i > maxImplied || by < 0 {
			return Slot{}, false
		}
		from := t.slots[0].From.Add(by)
		s = Slot{place: -1, Number: int64(i), From: from, To: from.Add(t.bare.length())}
	case t.loop == 0 && i >= n:
		return Slot{}, false
	default:
		s = t.slots[i%n]
		by := time.Duration(i/n) * t.loop
		if by < 0 {
			return Slot{}, false
		}
		s.From = s.From.Add(by)
		if !s.To.IsZero() {
			s.To = s.To.Add(by)
		}
	}
	if !t.until.IsZero() {
		if !s.From.Before(t.until) {
			return Slot{}, false
		}
		if s.To.IsZero() || s.To.After(t.until) {
			s.To = t.until
		}
	}
	return s, true
}
