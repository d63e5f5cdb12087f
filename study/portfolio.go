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
	// begin and built bound the construction of mw critical.
	begin, built int
	mw           float64
	once         string // the greenfield that can be built only once
	stays        bool   // the hall mines on
	leaves       int    // the month in which the hall is sold or closed; the study's end where it is not
	// For the site's ramp, MW of the grid: mined by month until quits, and drawn from operate on.
	mined          []float64
	quits, operate int
	drawn          float64
}

// search finds the best combination of one candidate a hall under the site's limits.
type search struct {
	halls   [][]priced // best first
	months  int
	utility []float64 // MW by month, no less than all mine with together; nil: enough for all
	capex   float64   // limits; infinite where there is none
	equity  float64
	crew    float64
	atOnce  int
	nodes   int
	bound   []float64 // the most that halls i.. can add
	// least is the least that owners can have in halls i.. at the end of each month; below zero where one pays out.
	least  [][]float64
	saved  []float64 // of the site's own costs, by the month in which the last hall goes; nil: nothing
	best   float64
	chosen []int
	now    []int
	use    usage
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
	s.least = s.leastEquity()
	s.now, s.nodes = make([]int, len(s.halls)), 0
	s.mineOn()
	s.use = usage{equity: make([]float64, s.months), mw: make([]float64, s.months), halls: make([]int, s.months), once: map[string]bool{}, draw: make([]float64, s.months)}
	s.descend(0, 0, 0)
	return s.chosen, s.best, s.nodes < maxNodes
}

// leastEquity fills least; nil without a limit of equity.
func (s *search) leastEquity() [][]float64 {
	if math.IsInf(s.equity, 1) {
		return nil
	}
	out := make([][]float64, len(s.halls)+1)
	out[len(s.halls)] = make([]float64, s.months)
	for h := len(s.halls) - 1; h >= 0; h-- {
		low := slices.Repeat([]float64{math.Inf(1)}, s.months)
		for i := range s.halls[h] {
			in := 0.0
			for t := range low {
				if c := &s.halls[h][i]; c.equity != nil {
					in += c.equity[t]
				}
				low[t] = math.Min(low[t], in)
			}
		}
		for t := range low {
			low[t] += out[h+1][t]
		}
		out[h] = low
	}
	return out
}

// mineOn takes what always fits as the best so far, where the halls may: all mine on.
func (s *search) mineOn() {
	s.best, s.chosen = 0, make([]int, len(s.halls))
	for h, list := range s.halls {
		i := slices.IndexFunc(list, func(c priced) bool { return c.stays })
		if i < 0 {
			s.best, s.chosen = math.Inf(-1), nil
			return
		}
		s.best, s.chosen[h] = s.best+list[i].npv, i
	}
}

// saves is what is saved of the site's own costs where the last hall goes in month t; never more later.
func (s *search) saves(t int) float64 {
	if s.saved == nil {
		return 0
	}
	return s.saved[t]
}

// descend chooses for hall and those after it; the last hall before goes in month empty.
func (s *search) descend(hall int, sum float64, empty int) {
	if hall == len(s.halls) {
		if sum += s.saves(empty); sum > s.best {
			s.best, s.chosen = sum, slices.Clone(s.now)
		}
		return
	}
	for i := range s.halls[hall] {
		c := &s.halls[hall][i]
		most := sum + c.npv + s.bound[hall+1]
		if s.nodes++; s.nodes >= maxNodes || most+s.saves(empty) <= s.best {
			return
		}
		last := max(empty, c.leaves)
		if most+s.saves(last) <= s.best || !s.fits(c, hall) {
			continue
		}
		s.take(c, 1)
		s.now[hall] = i
		s.descend(hall+1, sum+c.npv, last)
		s.take(c, -1)
	}
}

// slack forgives rounding: a dollar in a million.
func slack(limit float64) float64 { return limit + float64(1e-6*math.Abs(limit)) }

// fits says whether the site's limits allow c in a hall beside what is chosen for those before it. What one
// hall pays out counts for another: so equity is too much only where no choice of the halls after it helps.
func (s *search) fits(c *priced, hall int) bool {
	u := &s.use
	if c.once != "" && u.once[c.once] || u.capex+c.capex > slack(s.capex) {
		return false
	}
	in := 0.0
	for t := range s.months {
		if s.least == nil {
			break
		}
		in += u.equity[t]
		if c.equity != nil {
			in += c.equity[t]
		}
		if hall == len(s.halls)-1 {
			in = math.Max(0, in) // what all pay out beyond what is in comes back for nothing: as the report's peak has it
		}
		if in+s.least[hall+1][t] > slack(s.equity) {
			return false
		}
	}
	for t := c.begin; t < c.built; t++ {
		if c.mw > 0 && (u.mw[t]+c.mw > slack(s.crew) || s.atOnce > 0 && u.halls[t] >= s.atOnce) {
			return false
		}
	}
	for t := range s.utility {
		if u.draw[t]+c.draws(t) > slack(s.utility[t]) {
			return false
		}
	}
	return true
}

// draws is what the hall may draw of the grid in month t, MW.
func (c *priced) draws(t int) float64 {
	mw := 0.0
	if t < c.quits && t < len(c.mined) {
		mw = c.mined[t]
	}
	if t >= c.operate {
		mw += c.drawn
	}
	return mw
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
	for t := c.begin; t < c.built && c.mw > 0; t++ {
		u.mw[t] += float64(f * c.mw)
		u.halls[t] += sign
	}
	for t := range s.utility {
		u.draw[t] += float64(f * c.draws(t))
	}
}

// searchOf makes a search over candidates priced in the world that w holds.
func (e *engine) searchOf(w *worker) *search {
	inf := math.Inf(1)
	s := &search{months: e.months, capex: inf, equity: inf, crew: inf, atOnce: e.f.Limits.Halls, utility: e.utility(), saved: e.saved(w)}
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
	p := priced{candidate: c, npv: w.value(c), leaves: e.leaves(c)}
	p.mined, p.quits = e.mined[c.hall], e.months
	if o.Kind == mine {
		p.stays = true
		return p
	}
	p.capex = invested(w.venture)
	at := e.site.Case(o, c.hall, c.month, w.path)
	p.begin, p.built, p.operate = at.Begin, min(at.Built, e.months), w.venture.Operate
	switch o.Kind {
	case "greenfield":
		p.once = o.With
	case "sell":
		p.quits = at.Begin
	default:
		p.quits = at.Begin
		p.mw, p.drawn = e.f.Halls[c.hall].Critical.Is.Megawatts(), e.f.Halls[c.hall].Power.Is.Megawatts()
	}
	// Of what builds nothing, as a sale, the money is the owners' to keep: the limit holds what the report calls peak equity.
	if equity && p.capex > 0 {
		t := e.termsOf(c)
		finance.Run(finance.Project{Flows: w.venture, Terms: t, Loan: finance.Size(w.venture, t), Quick: true}, w.res)
		p.equity = make([]float64, e.months)
		for t, v := range w.res.Row[toEquity] {
			p.equity[t] = -v
		}
	}
	return p
}

// utility is the grid's power by month, in MW; nil where it is there from the beginning. What the halls
// mine with is there, whatever the file says.
func (e *engine) utility() []float64 {
	if len(e.f.Site.Ramp) == 0 {
		return nil
	}
	out := make([]float64, e.months)
	for t := range out {
		mined, ramp := e.ramp(t)
		out[t] = math.Max(mined, ramp)
	}
	return out
}

// ramp is what all halls' machines draw in month t and what the site's ramp gives, MW.
func (e *engine) ramp(t int) (mined, ramp float64) {
	for h := range e.mined {
		mined += e.mined[h][t]
	}
	for _, r := range e.f.Site.Ramp {
		if int(r.From)-int(e.f.Start) <= t {
			ramp = r.Power.Megawatts()
		}
	}
	return mined, ramp
}

// overdrawn says, where there is a ramp, that machines would draw more than it gives.
func (e *engine) overdrawn() (out []Finding) {
	for t := 0; t < e.months && len(e.f.Site.Ramp) > 0; t++ {
		if mined, ramp := e.ramp(t); mined > slack(ramp) {
			return []Finding{{Kind: "input", Month: e.month(t), Text: fmt.Sprintf(
				"the halls' machines draw %.1f MW and the connection's ramp gives %.1f MW: mining is reckoned as if the power were there", mined, ramp)}}
		}
	}
	return nil
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
