package signal

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// EventKind is what befell a signal or a source.
type EventKind string

// The kinds of events.
const (
	Received  EventKind = "received"
	Changed   EventKind = "changed"
	Began     EventKind = "began"
	Ended     EventKind = "ended"      // its time was over
	TakenBack EventKind = "taken back" // its sender no longer names it
	Refused   EventKind = "refused"    // it makes no sense, or cannot be obeyed in full
	Lost      EventKind = "lost"       // the source is not heard of
	Back      EventKind = "back"
)

// Event is one thing that happened, for the journal.
type Event struct {
	At         time.Time
	Kind       EventKind
	Source, ID string
	Node       string // of limits
	Loosens    bool   // a limit is gone: what rested for it may come back at once
	Text       string // one sentence, with the figures
}

func (b *Book) tell(e Event) {
	if len(b.events) >= mostEvents {
		b.events = append(b.events[:0], b.events[1:]...)
		b.missing++
	}
	b.events = append(b.events, e)
}

// late is how long before it came a signal may have begun without a word about it: its way here.
const late = 5 * time.Second

// few is how many signals of an update are told one by one; more of a kind are told as one.
const few = 4

// group tells what happened to some signals of a source; loosens says that limits among them
// let go.
func (b *Book) group(at time.Time, kind EventKind, s *source, hs []held, loosens bool) {
	for _, k := range []Kind{Limit, Reserve, Price} {
		of := keep(hs, func(h held) bool { return h.Kind == k })
		if len(of) == 0 {
			continue
		}
		loosens := loosens && k == Limit
		if len(of) > few {
			first, last := of[0], of[len(of)-1]
			b.tell(Event{
				At: at, Kind: kind, Source: s.terms.Name, ID: first.ID, Loosens: loosens,
				Text: fmt.Sprintf("%s: %d %ss %s, the first %s, the last %s", s.terms.Name, len(of), k, kind, first.describe(), last.describe()),
			})
			continue
		}
		for _, h := range of {
			text := fmt.Sprintf("%s: %s %s: %s", s.terms.Name, h.ID, kind, h.describe())
			if kind == Received && h.Got.Sub(h.From) >= late && !h.From.IsZero() {
				text += fmt.Sprintf("; it began %s before it came", span(h.Got.Sub(h.From)))
			}
			b.tell(Event{At: at, Kind: kind, Source: s.terms.Name, ID: h.ID, Node: string(h.Node), Loosens: loosens, Text: text})
		}
	}
}

// describe says what the signal asks for, in half a sentence.
func (s *Signal) describe() string {
	var w strings.Builder
	switch s.Kind {
	case Limit:
		fmt.Fprintf(&w, "no more than %s at %s", s.Power.Short(), s.Node)
	case Reserve:
		if s.Power == 0 {
			w.WriteString("a word to people")
			break
		}
		fmt.Fprintf(&w, "%s kept as %s, down within %s for %s", s.Power.Short(), s.Name, s.Within, s.For)
		if s.Price != 0 {
			fmt.Fprintf(&w, " at %s $/MW and hour", s.Price.Short())
		}
	case Price:
		fmt.Fprintf(&w, "a MWh costs %s $", s.Price.Short())
	}
	if !s.From.IsZero() {
		w.WriteString(" from " + s.From.UTC().Format("2006-01-02 15:04:05Z"))
	}
	if s.To.IsZero() {
		w.WriteString(" until it is taken back")
	} else {
		w.WriteString(" to " + s.To.UTC().Format("2006-01-02 15:04:05Z"))
	}
	if s.Ramp > 0 {
		fmt.Fprintf(&w, ", by %s a minute", s.Ramp.Short())
	}
	if s.Emergency {
		w.WriteString(", an emergency")
	}
	if s.Note != "" {
		w.WriteString(" (" + s.Note + ")")
	}
	return w.String()
}

// mostProblems bounds the lines about one update, mostLine each of them in bytes.
const (
	mostProblems = 20
	mostLine     = 300
)

// short cuts what somebody else wrote to a line of bounded length that prints.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > mostLine {
		s = strings.ToValidUTF8(s[:mostLine], "") + "…"
	}
	return s
}

// refuse tells each problem once for as long as the source repeats it; alike ones of one
// update are one line.
func (b *Book) refuse(s *source, now time.Time, problems []problem) {
	said := make(map[string]bool, len(problems))
	s.problems = nil
	for i, p := range alike(problems) {
		text := p.line()
		if i == mostProblems {
			text = "there are more problems than these"
		}
		s.problems = append(s.problems, text)
		if said[text] = true; !s.said[text] {
			b.tell(Event{At: now, Kind: Refused, Source: s.terms.Name, ID: p.id, Text: s.terms.Name + ": " + text})
			b.refused = append(b.refused, Refusal{now, s.terms.Name, text})
			s.troubled = now
		}
		if i == mostProblems {
			break
		}
	}
	if n := len(b.refused) - mostProblems; n > 0 {
		b.refused = slices.Delete(b.refused, 0, n)
	}
	s.said = said
}

// problem is one line about one signal of an update, or about more that are alike.
type problem struct {
	id, text string
	more     int
}

func (p problem) line() string {
	line := p.text
	if p.id != "" {
		line = p.id + " " + line
	}
	if p.more > 0 {
		line += fmt.Sprintf(" (and %d more like it)", p.more)
	}
	return short(line)
}

func alike(in []problem) (out []problem) {
	at := map[string]int{}
	for _, p := range in {
		if i, twice := at[p.text]; twice {
			out[i].more++
			continue
		}
		at[p.text] = len(out)
		out = append(out, p)
	}
	return out
}
