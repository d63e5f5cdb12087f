package signal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	// longPast is how long ago a start may lie without a word about it.
	longPast = 24 * time.Hour
	// farOff is how far ahead anything may lie: beyond it somebody erred.
	farOff = 2 * 366 * 24 * time.Hour
	// mostPower is more than any site has.
	mostPower = 100_000 * unit.Megawatt
)

// check returns the signals of an update that hold, made plain, and a line about each that
// does not, or not as it was said.
func (b *Book) check(s *source, u Update, now time.Time) (good []Signal, problems []problem) {
	own := false // it has said itself what lies below the firm load
	for _, p := range u.Problems[:min(len(u.Problems), Most)] {
		problems = append(problems, problem{text: short(p)})
		own = own || strings.Contains(p, "firm load")
	}
	at := map[string]int{}
	for _, x := range u.Signals {
		x, line, ok := b.one(s, x, now)
		if known := own && ok && strings.Contains(line, "firm load"); line != "" && !known {
			problems = append(problems, problem{id: x.ID, text: line})
		}
		if !ok {
			continue
		}
		if i, twice := at[x.ID]; twice {
			problems = append(problems, problem{id: x.ID, text: "is named twice: the last one holds"})
			good[i] = x
			continue
		}
		at[x.ID] = len(good)
		good = append(good, x)
	}
	if n := len(good) - Most; n > 0 {
		slices.SortStableFunc(good, func(a, b Signal) int {
			if a.Emergency != b.Emergency {
				return cmp.Compare(truth(b.Emergency), truth(a.Emergency))
			}
			return a.From.Compare(b.From)
		})
		problems = append(problems, problem{text: fmt.Sprintf("more than %d signals at a time: the %d that begin last are not taken", Most, n)})
		good = good[:Most]
	}
	return good, problems
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// one checks one signal. The line says what is wrong or is not done as asked; ok says
// whether it holds all the same.
func (b *Book) one(s *source, x Signal, now time.Time) (_ Signal, line string, ok bool) {
	x.ID, x.Note, x.Name, x.Source = short(x.ID), short(x.Note), short(x.Name), s.terms.Name
	x.From, x.To = plain(x.From), plain(x.To)
	switch {
	case x.ID == "":
		x.ID = string(x.Kind)
		return x, "has no id and is not taken", false
	case !x.To.IsZero() && !x.To.After(x.From):
		return x, fmt.Sprintf("ends at %s, before it begins at %s: it is not taken", stamp(x.To), stamp(x.From)), false
	case !x.To.IsZero() && !x.To.After(now):
		same := func(o held) bool { return o.ID == x.ID && o.To.Equal(x.To) }
		if slices.ContainsFunc(s.over, same) || slices.ContainsFunc(s.held, same) {
			return x, "", false // its sender has not taken it off the list yet
		}
		return x, fmt.Sprintf("ended at %s, before it came: it is not taken", stamp(x.To)), false
	case x.From.After(now.Add(farOff)):
		return x, fmt.Sprintf("begins at %s, years from now: it is not taken", stamp(x.From)), false
	}
	if !x.From.IsZero() && now.Sub(x.From) > longPast {
		line = fmt.Sprintf("began at %s, long past: it holds from now on", stamp(x.From))
	}
	x.Ramp, x.Within, x.For = max(x.Ramp, 0), max(x.Within, 0), max(x.For, 0)
	switch x.Kind {
	case Limit:
		return b.limit(s, x, line)
	case Price:
		if x.Price < sitefile.MinPrice || x.Price > sitefile.MaxPrice {
			return x, fmt.Sprintf("has a price of %s $/MWh, which no market has: it is not taken", x.Price.Short()), false
		}
		x.Power, x.Node, x.Name, x.Ramp = 0, "", "", 0
		return x, line, true
	case Reserve:
		if x.Power < 0 || x.Power > mostPower { // of nothing: a word to people alone
			return x, fmt.Sprintf("asks for a reserve of %s: it is not taken", x.Power.Short()), false
		}
		x.Node, x.Ramp = "", 0
		if x.Name == "" {
			x.Name = s.terms.Name
		}
		return x, line, true
	}
	return x, fmt.Sprintf("is a %q, which is no price, limit or reserve: it is not taken", x.Kind), false
}

// limit checks a limit. One below zero or below the firm load is obeyed as far as can be.
func (b *Book) limit(s *source, x Signal, line string) (Signal, string, bool) {
	if x.Node == "" {
		x.Node = s.terms.Node
	}
	if x.Node == "" {
		x.Node = b.root()
	}
	if _, ok := b.opt.Tree.Index(x.Node); !ok {
		return x, fmt.Sprintf("limits %q, and no node is called that: it is not taken", x.Node), false
	}
	x.Price, x.Name = 0, ""
	if x.Power > mostPower {
		x.Power = mostPower
	}
	asked, said := x.Power, ""
	x.Power = max(x.Power, 0)
	if firm := b.firm(x.Node); firm > 0 && asked < firm {
		said = fmt.Sprintf("limits %s to %s, below the %s contracted there: all flexible load rests, and firm load is not shed", x.Node, asked.Short(), firm.Short())
	} else if asked < 0 {
		said = fmt.Sprintf("limits %s to %s: the site only takes power, and 0 W holds", x.Node, asked.Short())
	}
	if said != "" && line != "" {
		said += "; it " + line
	} else if said == "" {
		said = line
	}
	return x, said, true
}

func (b *Book) root() site.NodeID { return b.opt.Tree.Node(0).ID }

func (b *Book) firm(n site.NodeID) unit.Power {
	if b.opt.Firm == nil {
		return 0
	}
	return b.opt.Firm(n)
}

// plain is a time that compares with ==, to the millisecond; what no calendar has is nothing.
func plain(t time.Time) time.Time {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC().Round(0).Truncate(time.Millisecond)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "no time"
	}
	return t.Format("2006-01-02 15:04:05Z")
}
