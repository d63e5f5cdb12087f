package study

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// anySearch is a small search: up to three halls with up to six candidates each, and limits that often bind.
// Halls also pay money out, as a sale does.
func anySearch(t *rapid.T) *search {
	n := func(name string, least, most int) float64 {
		return float64(rapid.IntRange(least, most).Draw(t, name))
	}
	limit := func(name string, most int) float64 {
		if rapid.Bool().Draw(t, name+" bound") {
			return n(name, 0, most)
		}
		return math.Inf(1)
	}
	s := &search{months: 8, capex: limit("capex", 200), equity: limit("equity", 100), crew: limit("crew", 60), atOnce: int(n("halls at once", 0, 2))}
	if rapid.Bool().Draw(t, "ramp bound") {
		a, b := n("ramp", 0, 60), n("ramp later", 0, 80)
		s.utility = []float64{a, a, a, a, a + b, a + b, a + b, a + b}
	}
	if rapid.Bool().Draw(t, "the site costs") {
		s.saved = make([]float64, s.months+1)
		for m := s.months - 1; m >= 0; m-- {
			s.saved[m] = s.saved[m+1] + n("saved", 0, 30)
		}
	}
	all := 0.0 // MW of mining
	for h := range rapid.IntRange(1, 3).Draw(t, "halls") {
		fleet := n("fleet", 0, 30)
		mined := slices.Repeat([]float64{fleet}, s.months)
		all += fleet
		list := []priced{{candidate: candidate{h, -1, 0}, npv: n("mining on", -50, 50), stays: true, mined: mined, quits: s.months, leaves: s.months}}
		for i := range rapid.IntRange(0, 5).Draw(t, "candidates") {
			c := priced{candidate: candidate{h, i, 0}, npv: n("npv", -100, 200), equity: make([]float64, s.months), mined: mined, quits: s.months, leaves: s.months}
			c.begin = int(n("begin", 0, 7))
			c.built = min(c.begin+int(n("build", 0, 4)), s.months)
			c.operate = c.built + int(n("power late", 0, 3))
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0: // a conversion
				c.capex, c.mw, c.drawn = n("cost", 0, 150), n("mw", 1, 30), n("grid", 1, 40)
				c.quits = c.begin
			case 1: // a greenfield
				c.capex, c.once = n("cost", 0, 150), fmt.Sprint("field ", n("field", 0, 1))
			case 2: // the end
				c.quits, c.leaves = c.begin, c.begin
			}
			for m := range c.equity {
				c.equity[m] = n("equity", -60, 40)
			}
			list = append(list, c)
		}
		s.halls = append(s.halls, list)
	}
	for t := range s.utility {
		s.utility[t] = max(s.utility[t], all)
	}
	return s
}

// allowed says in one go whether one candidate of each hall may be taken together.
func (s *search) allowed(all []priced) bool {
	capex, built := 0.0, map[string]int{}
	equity := make([]float64, s.months)
	for _, c := range all {
		capex += c.capex
		if c.once != "" {
			built[c.once]++
		}
		for t, v := range c.equity {
			equity[t] += v
		}
	}
	if capex > s.capex {
		return false
	}
	for _, n := range built {
		if n > 1 {
			return false
		}
	}
	in := 0.0
	for t := range s.months {
		mw, halls, drawn := 0.0, 0, 0.0
		for _, c := range all {
			if c.mw > 0 && t >= c.begin && t < c.built {
				mw, halls = mw+c.mw, halls+1
			}
			if t < c.quits {
				drawn += c.mined[t]
			}
			if t >= c.operate {
				drawn += c.drawn
			}
		}
		in = max(0, in+equity[t])
		if in > s.equity || mw > s.crew || s.atOnce > 0 && halls > s.atOnce || s.utility != nil && drawn > s.utility[t] {
			return false
		}
	}
	return true
}

// brute tries every combination.
func (s *search) brute() float64 {
	best := math.Inf(-1)
	var try func(all []priced)
	try = func(all []priced) {
		if len(all) == len(s.halls) {
			sum, last := 0.0, 0
			for _, c := range all {
				sum, last = sum+c.npv, max(last, c.leaves)
			}
			if sum += s.saves(last); sum > best && s.allowed(all) {
				best = sum
			}
			return
		}
		for _, c := range s.halls[len(all)] {
			try(append(slices.Clone(all), c))
		}
	}
	try(nil)
	return best
}

// TestSearchFindsTheBest holds the search against all combinations, one by one.
func TestSearchFindsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySearch(t)
		want := s.brute()
		chosen, got, complete := s.solve()
		if got != want || !complete {
			t.Fatalf("the search finds %v (complete: %v), and of all combinations %v is the best", got, complete, want)
		}
		sum, last, all := 0.0, 0, []priced(nil)
		for h, i := range chosen {
			all = append(all, s.halls[h][i])
			sum, last = sum+s.halls[h][i].npv, max(last, s.halls[h][i].leaves)
		}
		if sum += s.saves(last); sum != got || !s.allowed(all) {
			t.Fatalf("what was chosen is worth %v, not %v, or breaks a limit: %+v", sum, got, all)
		}
	})
}

// TestLooserIsNeverWorse: no limit that is loosened or lifted makes the best combination worth less.
func TestLooserIsNeverWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySearch(t)
		_, tight, _ := s.solve()
		more := 1 + rapid.Float64Range(0, 2).Draw(t, "more")
		for name, loosen := range map[string]func(*search){
			"capex": func(s *search) { s.capex *= more }, "equity": func(s *search) { s.equity *= more }, "crew": func(s *search) { s.crew *= more },
			"halls at once": func(s *search) { s.atOnce = max(0, s.atOnce+1) * min(s.atOnce, 1) }, "ramp": func(s *search) { s.utility = nil },
		} {
			one := *s
			loosen(&one)
			if _, loose, _ := one.solve(); loose < tight {
				t.Fatalf("with a looser limit of %s the best is %v, and %v before", name, loose, tight)
			}
		}
	})
}
