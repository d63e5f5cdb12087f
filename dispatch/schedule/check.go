package schedule

import (
	"fmt"
	"math"
	"time"

	"switchyard/unit"
)

// The bounds of a Problem. What lies beyond is a mistake in units and not a site.
const (
	maxSteps   = 2000
	maxClasses = 2000
	maxCount   = 10_000_000
	maxPower   = 1_000_000 * unit.Megawatt
	maxPrice   = 1_000_000 * unit.DollarPerMWh
	maxMoney   = 1_000_000 * unit.Dollar
	maxSpan    = 100 * 365 * 24 * time.Hour
)

// Check finds what makes a Problem malformed: what every plan rests on. The first fault is
// returned, with its field and index.
func (p *Problem) Check() error {
	switch {
	case p.Tree == nil:
		return fmt.Errorf("problem: Tree is missing")
	case len(p.Steps) == 0:
		return fmt.Errorf("problem: Steps is empty")
	case len(p.Steps) > maxSteps:
		return fmt.Errorf("problem: %d Steps, at most %d can be scheduled", len(p.Steps), maxSteps)
	case len(p.Classes) > maxClasses:
		return fmt.Errorf("problem: %d Classes, at most %d can be scheduled", len(p.Classes), maxClasses)
	case math.IsNaN(p.Gap) || math.IsInf(p.Gap, 0) || p.Gap < 0:
		return fmt.Errorf("problem: Gap is %v, it must be zero or a small positive share", p.Gap)
	case p.Overload < 0 || p.Overload > maxPrice:
		return fmt.Errorf("problem: Overload is %v, it must lie between 0 and %v", p.Overload, maxPrice)
	}
	for t := range p.Steps {
		if err := checkStep(p, t); err != nil {
			return fmt.Errorf("problem: Steps[%d]%w", t, err)
		}
	}
	for i := range p.Classes {
		if err := checkClass(p, &p.Classes[i]); err != nil {
			return fmt.Errorf("problem: Classes[%d] (%s)%w", i, p.Classes[i].Load, err)
		}
	}
	for i := range p.Firm {
		if err := checkFirm(p, &p.Firm[i]); err != nil {
			return fmt.Errorf("problem: Firm[%d] (%s)%w", i, p.Firm[i].Load, err)
		}
	}
	return nil
}

// checkStep and the two below begin an error with the field, as a path: what they return
// goes on behind the name of what was checked.
func checkStep(p *Problem, t int) error {
	s := &p.Steps[t]
	switch {
	case s.Length <= 0 || s.Length > maxSpan:
		return fmt.Errorf(".Length is %v, it must be positive", s.Length)
	case t > 0 && !s.Start.Equal(p.Steps[t-1].Start.Add(p.Steps[t-1].Length)):
		return fmt.Errorf(".Start is %v, the step before ends at %v", s.Start, p.Steps[t-1].Start.Add(p.Steps[t-1].Length))
	case outside(s.Price, maxPrice):
		return fmt.Errorf(".Price is %v, beyond ±%v", s.Price, maxPrice)
	case outside(s.Coincident, maxPrice):
		return fmt.Errorf(".Coincident is %v, beyond ±%v", s.Coincident, maxPrice)
	case s.Block < 0 || s.Block > maxPower:
		return fmt.Errorf(".Block is %v, it must lie between 0 and %v", s.Block, maxPower)
	case outside(s.SellBack, maxPrice):
		return fmt.Errorf(".SellBack is %v, beyond ±%v", s.SellBack, maxPrice)
	case len(s.Caps) > p.Tree.Len():
		return fmt.Errorf(".Caps has %d entries, the tree %d nodes", len(s.Caps), p.Tree.Len())
	}
	for i, c := range s.Caps {
		if c > maxPower {
			return fmt.Errorf(".Caps[%d] is %v, at most %v", i, c, maxPower)
		}
	}
	return nil
}

func checkClass(p *Problem, c *Class) error {
	switch {
	case c.Node < 0 || c.Node >= p.Tree.Len():
		return fmt.Errorf(".Node is %d, the tree has %d nodes", c.Node, p.Tree.Len())
	case c.Count < 0 || c.Count > maxCount:
		return fmt.Errorf(".Count is %d, it must lie between 0 and %d", c.Count, maxCount)
	case len(c.Levels) == 0:
		return fmt.Errorf(".Levels is empty")
	case c.Wear < 0 || c.Wear > maxMoney:
		return fmt.Errorf(".Wear is %v, it must lie between $0 and %v", c.Wear, maxMoney)
	}
	for i, l := range c.Levels {
		switch {
		case l.Power < 0 || l.Power > maxPower:
			return fmt.Errorf(".Levels[%d].Power is %v, it must lie between 0 and %v", i, l.Power, maxPower)
		case outside(l.Value, maxPrice):
			return fmt.Errorf(".Levels[%d].Value is %v, beyond ±%v", i, l.Value, maxPrice)
		}
	}
	for _, d := range []struct {
		name string
		is   time.Duration
	}{{"Ramp", c.Ramp}, {"MinRun", c.MinRun}, {"MinRest", c.MinRest}, {"Response", c.Response}} {
		if d.is < 0 || d.is > maxSpan {
			return fmt.Errorf(".%s is %v, it must not be negative", d.name, d.is)
		}
	}
	stand := 0
	for i, s := range c.Now {
		switch {
		case s.Count < 0 || s.Count > c.Count-stand:
			return fmt.Errorf(".Now[%d].Count is %d, %d of %d machines are left", i, s.Count, c.Count-stand, c.Count)
		case s.Level < -1 || s.Level >= len(c.Levels):
			return fmt.Errorf(".Now[%d].Level is %d, the class has %d levels", i, s.Level, len(c.Levels))
		case s.For < 0 || s.For > maxSpan:
			return fmt.Errorf(".Now[%d].For is %v, it must not be negative", i, s.For)
		}
		stand += s.Count
	}
	return nil
}

func checkFirm(p *Problem, f *Firm) error {
	switch {
	case f.Node < 0 || f.Node >= p.Tree.Len():
		return fmt.Errorf(".Node is %d, the tree has %d nodes", f.Node, p.Tree.Len())
	case len(f.Draw) != len(p.Steps):
		return fmt.Errorf(".Draw has %d entries, there are %d steps", len(f.Draw), len(p.Steps))
	case f.Reserve != nil && len(f.Reserve) != len(p.Steps):
		return fmt.Errorf(".Reserve has %d entries, there are %d steps", len(f.Reserve), len(p.Steps))
	case f.Penalty < 0 || f.Penalty > maxPrice:
		return fmt.Errorf(".Penalty is %v, it must lie between 0 and %v", f.Penalty, maxPrice)
	}
	for t, d := range f.Draw {
		if d < 0 || d > maxPower {
			return fmt.Errorf(".Draw[%d] is %v, it must lie between 0 and %v", t, d, maxPower)
		}
	}
	for t, d := range f.Reserve {
		if d < 0 || d > maxPower {
			return fmt.Errorf(".Reserve[%d] is %v, it must lie between 0 and %v", t, d, maxPower)
		}
	}
	return nil
}

func outside[T ~int64](v, bound T) bool { return v > bound || v < -bound }

// Sound returns a copy of p, which must not be malformed, without the targets that make no
// sense, and a note on each: one bad target must not cost the whole schedule. Their places in
// the slices stay, but for demand charges.
func (p *Problem) Sound() (Problem, []string) {
	q := *p
	var notes []string
	note := func(format string, a ...any) { notes = append(notes, fmt.Sprintf(format, a...)) }
	q.Firm = append([]Firm(nil), p.Firm...)
	for i := range q.Firm {
		if why := badCurtail(&q.Firm[i].Curtail, len(p.Steps)); why != "" {
			note("the curtailment right of %s is left out: %s", q.Firm[i].Load, why)
			q.Firm[i].Curtail = Curtail{}
		}
	}
	q.Work = append([]Work(nil), p.Work...)
	for i := range q.Work {
		if why := badWork(p, &q.Work[i]); why != "" {
			note("work %s is left out: %s", q.Work[i].Load, why)
			q.Work[i] = Work{Load: q.Work[i].Load}
		}
	}
	q.Reserves = append([]Reserve(nil), p.Reserves...)
	for i := range q.Reserves {
		if why := badReserve(p, &q.Reserves[i]); why != "" {
			note("reserve %s is left out: %s", q.Reserves[i].Name, why)
			q.Reserves[i] = Reserve{Name: q.Reserves[i].Name, Price: make([]unit.Price, len(p.Steps)), Most: 0, Response: -1}
		}
	}
	q.Demand = nil
	for i := range p.Demand {
		if why := badDemand(p, &p.Demand[i]); why != "" {
			note("demand charge %s is left out: %s", p.Demand[i].Name, why)
			continue
		}
		q.Demand = append(q.Demand, p.Demand[i])
	}
	if p.Minimum < 0 || p.Minimum > maxPower || p.MinimumPenalty < 0 || p.MinimumPenalty > maxPrice {
		note("the minimum load is left out: %v at %v is not between 0 and %v at 0 to %v", p.Minimum, p.MinimumPenalty, maxPower, maxPrice)
		q.Minimum = 0
	}
	steps, told := p.Steps, false
	for t := range steps {
		if steps[t].SellBack < 0 {
			if !told {
				note("selling back for more than the price is not planned for: the fee in step %d is %v, and counts as none", t, steps[t].SellBack)
				steps, told = append([]Step(nil), steps...), true
			}
			steps[t].SellBack = 0
		}
	}
	q.Steps = steps
	return q, notes
}

func badCurtail(c *Curtail, steps int) string {
	switch {
	case c.Called != nil && len(c.Called) != steps:
		return fmt.Sprintf("what is called is told of %d steps, not of %d", len(c.Called), steps)
	case c.Power < 0 || c.Power > maxPower:
		return fmt.Sprintf("its power of %v", c.Power)
	case c.Left < 0 || c.Left > maxSpan:
		return fmt.Sprintf("%v are left", c.Left)
	case c.Notice < 0 || c.Notice > maxSpan:
		return fmt.Sprintf("its notice of %v", c.Notice)
	case outside(c.Price, maxPrice) || outside(c.Worth, maxPrice):
		return fmt.Sprintf("its price of %v or worth of %v", c.Price, c.Worth)
	case c.Price+c.Worth < 0:
		return "it would be paid for being used"
	}
	return ""
}

func badWork(p *Problem, w *Work) string {
	switch {
	case w.Node < 0 || w.Node >= p.Tree.Len():
		return fmt.Sprintf("its node %d is not in the tree", w.Node)
	case w.Energy < 0 || w.Energy > maxPower.Over(1000*time.Hour):
		return fmt.Sprintf("its energy of %v", w.Energy)
	case w.Power <= 0 && w.Energy > 0 || w.Power > maxPower:
		return fmt.Sprintf("its power of %v", w.Power)
	case !w.By.IsZero() && w.By.Before(w.From):
		return fmt.Sprintf("its deadline %v is before it may begin, %v", w.By.Format(time.RFC3339), w.From.Format(time.RFC3339))
	case outside(w.Value, maxPrice) || w.Late < 0 || w.Late > maxPrice || w.Slow < 0 || w.Slow > maxPrice:
		return fmt.Sprintf("its prices: value %v, late %v, slow %v", w.Value, w.Late, w.Slow)
	}
	return ""
}

func badReserve(p *Problem, r *Reserve) string {
	switch {
	case len(r.Price) != len(p.Steps):
		return fmt.Sprintf("it has prices for %d steps of %d", len(r.Price), len(p.Steps))
	case r.Sold != nil && len(r.Sold) != len(p.Steps):
		return fmt.Sprintf("it says what is sold for %d steps of %d", len(r.Sold), len(p.Steps))
	case r.Response < 0 || r.Response > maxSpan || r.Duration < 0 || r.Duration > maxSpan:
		return fmt.Sprintf("its response of %v and duration of %v", r.Response, r.Duration)
	case !(r.Performance >= 0 && r.Performance <= 1):
		return fmt.Sprintf("its performance of %v is no share", float64(r.Performance))
	case !(r.Call >= 0 && r.Call <= 1):
		return fmt.Sprintf("its call of %v is no share", float64(r.Call))
	case r.Most < 0 || r.Most > maxPower:
		return fmt.Sprintf("its bound of %v", r.Most)
	case r.Short < 0 || r.Short > maxPrice:
		return fmt.Sprintf("what lacking it costs, %v", r.Short)
	}
	for t := range r.Price {
		if outside(r.Price[t], maxPrice) {
			return fmt.Sprintf("its price in step %d is %v", t, r.Price[t])
		}
		if r.Sold != nil && (r.Sold[t] < 0 || r.Sold[t] > maxPower) {
			return fmt.Sprintf("%v are sold in step %d", r.Sold[t], t)
		}
	}
	return ""
}

func badDemand(p *Problem, d *Demand) string {
	switch {
	case d.Rate < 0 || d.Rate.DollarsPerKWMonth() > 1e6:
		return fmt.Sprintf("its rate of %v", d.Rate)
	case d.SoFar < 0 || d.SoFar > maxPower:
		return fmt.Sprintf("its peak so far of %v", d.SoFar)
	case d.Counts != nil && len(d.Counts) != len(p.Steps):
		return fmt.Sprintf("it counts %d steps of %d", len(d.Counts), len(p.Steps))
	}
	return ""
}
