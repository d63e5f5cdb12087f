package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"switchyard/study/finance"
)

// priced is a candidate with what the search needs of it.
type priced struct {
	candidate
	npv    float64
	capex  float64
	equity []float64 // by month: what is put in (positive), less what comes back
	// begin and operate bound the construction of mw critical; lasting counts as not built.
	begin, operate int
	mw             float64
	once           string  // the greenfield that can be built only once
	drawn          float64 // MW of the grid that it needs in operation, for the site's ramp
}

// search finds the best combination of one candidate a hall under the site's limits.
type search struct {
	halls   [][]priced // best first
	months  int
	utility []float64 // MW by month; nil: enough for all
	capex   float64   // limits; infinite where there is none
	equity  float64
	crew    float64
	atOnce  int
	nodes   int
	bound   []float64 // the most that halls i.. can add
	best    float64
	chosen  []int
	now     []int
	use     usage
}

// usage is what the chosen of the halls so far take.
type usage struct {
	capex      float64
	equity, mw []float64
	halls      []int
	once       map[string]bool
	draw       []float64
}

// maxNodes bounds the search: beyond it the best that was found is taken, and said so.
const maxNodes = 3_000_000

// solve returns the index of each hall's choice; complete is false where the bound stopped it.
func (s *search) solve() (chosen []int, best float64, complete bool) {
	for _, list := range s.halls {
		slices.SortStableFunc(list, func(a, b priced) int { return cmp.Compare(b.npv, a.npv) })
	}
	s.bound = make([]float64, len(s.halls)+1)
	for i := len(s.halls) - 1; i >= 0; i-- {
		s.bound[i] = s.bound[i+1] + s.halls[i][0].npv
	}
	s.best, s.now, s.nodes = math.Inf(-1), make([]int, len(s.halls)), 0
	s.use = usage{equity: make([]float64, s.months), mw: make([]float64, s.months), halls: make([]int, s.months), once: map[string]bool{}, draw: make([]float64, s.months)}
	s.descend(0, 0)
	return s.chosen, s.best, s.nodes < maxNodes
}

func (s *search) descend(hall int, sum float64) {
	if hall == len(s.halls) {
		if sum > s.best {
			s.best, s.chosen = sum, slices.Clone(s.now)
		}
		return
	}
	for i := range s.halls[hall] {
		c := &s.halls[hall][i]
		if s.nodes++; s.nodes >= maxNodes || sum+c.npv+s.bound[hall+1] <= s.best {
			return
		}
		if !s.fits(c) {
			continue
		}
		s.take(c, 1)
		s.now[hall] = i
		s.descend(hall+1, sum+c.npv)
		s.take(c, -1)
	}
}

// slack forgives rounding: a dollar in a million.
func slack(limit float64) float64 { return limit + float64(1e-6*math.Abs(limit)) }

// fits says whether the site's limits allow c beside what is chosen.
func (s *search) fits(c *priced) bool {
	u := &s.use
	if c.once != "" && u.once[c.once] || u.capex+c.capex > slack(s.capex) {
		return false
	}
	if c.capex > 0 && !math.IsInf(s.equity, 1) {
		in := 0.0
		for t := range u.equity {
			if in += u.equity[t] + c.equity[t]; in > slack(s.equity) {
				return false
			}
		}
	}
	for t := c.begin; t < c.operate; t++ {
		if c.mw > 0 && (u.mw[t]+c.mw > slack(s.crew) || s.atOnce > 0 && u.halls[t] >= s.atOnce) {
			return false
		}
	}
	if s.utility != nil && c.drawn > 0 {
		for t := c.operate; t < s.months; t++ {
			if u.draw[t]+c.drawn > slack(s.utility[t]) {
				return false
			}
		}
	}
	return true
}

func (s *search) take(c *priced, sign int) {
	u, f := &s.use, float64(sign)
	u.capex += float64(f * c.capex)
	if c.once != "" {
		u.once[c.once] = sign > 0
	}
	for t := range c.equity {
		u.equity[t] += float64(f * c.equity[t])
	}
	for t := c.begin; t < c.operate && c.mw > 0; t++ {
		u.mw[t] += float64(f * c.mw)
		u.halls[t] += sign
	}
	for t := c.operate; t < s.months && c.drawn > 0; t++ {
		u.draw[t] += float64(f * c.drawn)
	}
}

// searchOf makes a search over candidates priced in the world that w holds.
func (e *engine) searchOf(w *worker) *search {
	inf := math.Inf(1)
	s := &search{months: e.months, capex: inf, equity: inf, crew: inf, atOnce: e.f.Limits.Halls, utility: e.utility()}
	if l := e.f.Limits; l.Capex != nil {
		s.capex = float64(l.Capex.Is)
	}
	if l := e.f.Limits; l.Equity != nil {
		s.equity = float64(l.Equity.Is)
	}
	if l := e.f.Limits; l.Crew != nil {
		s.crew = l.Crew.Is.Megawatts()
	}
	for _, list := range e.cands {
		prices := make([]priced, 0, len(list))
		for _, c := range list {
			prices = append(prices, w.price(c, !math.IsInf(s.equity, 1)))
		}
		s.halls = append(s.halls, prices)
	}
	return s
}

// price values a candidate on the path; with equity, also what its owners put in by month.
func (w *worker) price(c candidate, equity bool) priced {
	e, o := w.e, w.e.option(c)
	p := priced{candidate: c, npv: w.value(c)}
	p.begin, p.operate, p.capex = w.venture.Begin, min(w.venture.Operate, e.months), invested(w.venture)
	if o.Kind == mine {
		p.capex, p.begin, p.operate = 0, 0, 0
		p.equity = nil
		return p
	}
	if o.Kind == "greenfield" {
		p.once = o.With
	}
	if o.Kind == "host" || o.Kind == "cloud" {
		p.mw, p.drawn = e.f.Halls[c.hall].Critical.Is.Megawatts(), e.f.Halls[c.hall].Power.Is.Megawatts()
	}
	if equity {
		t := e.termsOf(c)
		finance.Run(finance.Project{Flows: w.venture, Terms: t, Loan: finance.Size(w.venture, t), Quick: true}, w.res)
		p.equity = make([]float64, e.months)
		for t, v := range w.res.Row[toEquity] {
			p.equity[t] = -v
		}
	}
	return p
}

// utility is the grid's power by month, in MW; nil where it is there from the beginning.
func (e *engine) utility() []float64 {
	if len(e.f.Site.Ramp) == 0 {
		return nil
	}
	out := make([]float64, e.months)
	for t := range out {
		for _, r := range e.f.Site.Ramp {
			if int(r.From)-int(e.f.Start) <= t {
				out[t] = r.Power.Megawatts()
			}
		}
	}
	return out
}

// boundBy says which limits the best choice would break if it were free of them.
func (s *search) boundBy(e *engine) (out []string) {
	free := *s
	free.capex, free.equity, free.crew, free.atOnce, free.utility = math.Inf(1), math.Inf(1), math.Inf(1), 0, nil
	_, all, _ := free.solve()
	if all <= slack(s.best) {
		return nil
	}
	try := func(name string, relax func(*search)) {
		one := *s
		relax(&one)
		if _, v, _ := one.solve(); v > slack(s.best) {
			out = append(out, fmt.Sprintf("%s: %.1f $M more without it", name, (v-s.best)/1e6))
		}
	}
	if l := e.f.Limits; l.Capex != nil {
		try("capex of "+l.Capex.Is.String(), func(s *search) { s.capex = math.Inf(1) })
	}
	if l := e.f.Limits; l.Equity != nil {
		try("equity of "+l.Equity.Is.String(), func(s *search) { s.equity = math.Inf(1) })
	}
	if l := e.f.Limits; l.Crew != nil {
		try("crew for "+l.Crew.Is.String()+" at a time", func(s *search) { s.crew = math.Inf(1) })
	}
	if n := e.f.Limits.Halls; n > 0 {
		try(fmt.Sprintf("%d halls at a time", n), func(s *search) { s.atOnce = 0 })
	}
	if s.utility != nil {
		try("the connection's ramp", func(s *search) { s.utility = nil })
	}
	if len(out) == 0 {
		out = append(out, fmt.Sprintf("the limits together: %.1f $M more without them", (all-s.best)/1e6))
	}
	return out
}
