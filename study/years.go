package study

import (
	"fmt"

	"switchyard/study/figure"
	"switchyard/study/finance"
	"switchyard/study/flow"
)

const toEquity = finance.ToEquity

// year labels a year of the study: "2027", or "2027/28" where it begins later than January.
func (e *engine) year(y int) string {
	m := e.f.Start + figure.Month(12*y)
	if m.Calendar() == 1 {
		return fmt.Sprint(m.Year())
	}
	return fmt.Sprintf("%d/%02d", m.Year(), (m.Year()+1)%100)
}

// sheet is one project's or the whole site's months: lines of its flows and rows of its statements.
type sheet struct {
	flows *flow.Flows
	rows  [finance.Rows][]float64
}

func (e *engine) newSheet() *sheet {
	s := &sheet{flows: flow.New(e.months)}
	for r := range s.rows {
		s.rows[r] = make([]float64, e.months)
	}
	return s
}

// add adds a project; ratios are made anew by close.
func (s *sheet) add(f *flow.Flows, r *finance.Result) {
	s.flows.Add(f)
	for i := range s.rows {
		for t, v := range r.Row[i] {
			s.rows[i][t] += v
		}
	}
}

// close makes the ratios of sums: CFADS over what is due.
func (s *sheet) close() {
	for t := range s.rows[finance.Cover] {
		s.rows[finance.Cover][t] = 0
		if due := s.rows[finance.Due][t]; due > 0 {
			s.rows[finance.Cover][t] = s.rows[finance.CFADS][t] / due
		}
	}
}

// years sums months up: flows summed, balances at the year's end.
func (e *engine) years(s *sheet) []Year {
	out := make([]Year, 0, e.f.Years)
	for y := range e.f.Years {
		v := Year{Year: y + 1, Label: e.year(y), Lines: map[string]float64{}, Rows: map[string]float64{}}
		for l := range flow.Lines {
			if sum := total(s.flows.Line[l][12*y : 12*y+12]); sum != 0 {
				v.Lines[l.Key()] = cents(sum)
			}
		}
		for r := range finance.Rows {
			sum := total(s.rows[r][12*y : 12*y+12])
			switch {
			case r == finance.Cover:
				sum = 0
				if due := total(s.rows[finance.Due][12*y : 12*y+12]); due > 0 {
					sum = total(s.rows[finance.CFADS][12*y:12*y+12]) / due
				}
			case r.Balance():
				sum = s.rows[r][12*y+11]
			}
			if sum != 0 {
				v.Rows[r.Key()] = cents(sum)
			}
		}
		v.MWh = cents(total(s.flows.MWh[12*y : 12*y+12]))
		out = append(out, v)
	}
	return out
}

func total(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum
}

// invested is all that is spent on capex, positive.
func invested(f *flow.Flows) float64 {
	return 0 - total(f.Line[flow.Building]) - total(f.Line[flow.Machines])
}
