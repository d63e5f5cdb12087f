package study

import (
	"math"
	"slices"

	"switchyard/study/finance"
	"switchyard/study/input"
)

// future is an option of a hall with the month in which the expected case found it best.
type future struct {
	candidate
	loan *finance.Loan
	out  Option
	// total are the months of the whole hall under the option, as the expected case has them; free and
	// owners are those of what it builds alone, to the project and to its owners.
	total        *sheet
	free, owners []float64
}

// futures values every option of every hall in every month in the world that w holds, and picks
// the best month of each.
func (e *engine) futures(w *worker) (out []future) {
	for _, list := range e.cands {
		byOption := map[int]int{}
		for _, c := range list {
			v := w.value(c)
			i, seen := byOption[c.option]
			if !seen {
				i = len(out)
				byOption[c.option] = i
				out = append(out, future{candidate: c, out: Option{Expected: math.Inf(-1)}})
			}
			o := &out[i].out
			o.Timing = append(o.Timing, Timing{Month: e.month(c.month), NPV: v})
			if v > o.Expected {
				o.Expected, out[i].candidate = v, c
			}
		}
	}
	for i := range out {
		e.detail(w, &out[i])
	}
	return out
}

// detail computes a future's statements and what is read from them.
func (e *engine) detail(w *worker, x *future) {
	o := e.option(x.candidate)
	x.loan = w.size(x.candidate)
	w.run(x.candidate, x.loan, false)
	x.total = e.newSheet()
	x.total.add(w.venture, w.res)
	x.total.add(w.before, w.rest)
	x.total.close()
	v, res := &x.out, w.res
	x.free, x.owners = slices.Clone(res.Row[finance.Free]), slices.Clone(res.Row[finance.ToEquity])
	v.Hall, v.Name, v.Kind, v.With = e.f.Halls[x.hall].ID, o.ID, o.Kind, o.With
	v.Title, v.Start = e.title(x.candidate), e.month(x.month)
	if w.venture.Operate > w.venture.Begin && w.venture.Operate < e.months {
		v.Operates = e.month(w.venture.Operate)
	}
	v.Expected = res.NPV + w.rest.NPV
	v.ExitNPV = w.exitWorth(x.candidate)
	v.Owners = res.NPVOwner + w.rest.NPVOwner
	v.ProjectIRR, v.EquityIRR = rateOf(res.IRR), rateOf(res.IRROwner)
	v.IRR, v.IRROwners = share(res.IRR), share(res.IRROwner)
	v.NoIRR = res.IRR.None
	if v.NoIRR == "" {
		v.NoIRR = res.IRROwner.None
	}
	if res.Payback >= 0 && res.Capex > 0 {
		v.Payback = &res.Payback
		p := res.Payback
		v.Payback = &p
	}
	v.MinDSCR, v.MeanDSCR, v.LLCR = some(res.MinDSCR), some(res.MeanDSCR), some(res.LLCR)
	v.Debt, v.PeakEquity, v.Capex, v.MW = res.Debt, res.PeakEquity, res.Capex, most(w.venture.MW)
	if x.loan != nil {
		v.DebtWhy = x.loan.Why
	}
	v.Years = e.years(x.total)
}

// findings tells what a reader must not miss of an option.
func (e *engine) findings(w *worker, x *future) (out []Finding) {
	w.run(x.candidate, x.loan, false)
	for _, f := range w.res.Findings {
		if f.Kind == "irr" && w.res.Capex == 0 {
			continue // nothing is built that could have one; the option says so where its rate would stand
		}
		v := Finding{Hall: x.out.Hall, Option: x.out.Name, Kind: f.Kind, Text: f.Text}
		if f.Month >= 0 {
			v.Month = e.month(f.Month)
		}
		out = append(out, v)
	}
	return out
}

// rent is what an option earns for a kW of critical load and month today; zero: nothing of the kind.
func (e *engine) rent(o *input.Option) float64 {
	switch o.Kind {
	case "host":
		if l := e.f.Lease(o.With); l != nil {
			return l.Rate.Is.DollarsPerKWMonth()
		}
	case "greenfield":
		if g := e.f.Greenfield(o.With); g != nil {
			if l := e.f.Lease(g.Lease); l != nil {
				return l.Rate.Is.DollarsPerKWMonth()
			}
		}
	case "cloud":
		if c := e.f.Cloud(o.With); c != nil && c.PerGPU.Is > 0 {
			return float64(c.Rate.Is) * float64(c.Use.Is) * 730.5 / (c.PerGPU.Is.Watts() / 1000)
		}
	}
	return 0
}

// expected puts the expected case into the worker.
func (w *worker) expected() {
	w.e.model.Expected(w.path)
	w.mine()
}

func rateOf(r finance.Rate) Rate {
	if r.None != "" {
		return Rate{None: r.None}
	}
	return Rate{Pct: some(100 * r.Is)}
}

func share(r finance.Rate) *float64 {
	if r.None != "" {
		return nil
	}
	return some(r.Is)
}

// some is a figure that may not exist.
func some(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func most(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = math.Max(m, x)
	}
	return m
}
