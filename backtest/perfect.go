package backtest

import (
	"context"

	"switchyard/backtest/path"
	"switchyard/unit"
)

// rewards are what one machine of a group earns in each interval beyond resting, in
// micro-dollars, had it run all of it at work; and what each second of hashing earns.
type rewards struct {
	run    []float64
	second []float64
}

// rewards tells what running earns at the true prices, and at an adder per interval
// (micro-dollars per MWh at the connection; nil: none).
func (w *World) rewards(k int, adder []float64) rewards {
	g := &w.groups[k]
	r := rewards{make([]float64, w.n), make([]float64, w.n)}
	mwh := g.net().Megawatts() * w.hours()
	for i := range w.n {
		if !w.valid[i] {
			continue
		}
		price := float64(w.price[i])
		if adder != nil {
			price += adder[i]
		}
		r.second[i] = float64(w.hash[i]) * g.hash.PH() / 86_400 * (1 - float64(g.fee))
		r.run[i] = r.second[i]*float64(w.step) - price*g.factor*mwh
	}
	return r
}

// best is the best path of a machine of group k; forced says in which intervals a limit may stop
// it whatever its least run (nil: in none).
func (w *World) best(k int, r rewards, forced []bool) path.Path {
	g := &w.groups[k]
	return path.Best(path.Problem{
		Step: w.step, Run: r.run, Second: r.second, Valid: w.valid, Forced: forced, Physics: g.physics(), Wear: float64(g.wear),
	})
}

// perfect knows all prices. Where nothing couples the machines, each group's best path is
// exact; else bound finds what no policy can pass, and follows its prices.
func (w *World) perfect(ctx context.Context, r *outcome) error {
	s := newSim(w, Start)
	r.info, r.books = Start, s.books
	if why := w.coupled(); why != "" {
		return w.perfectCoupled(ctx, r, s, why)
	}
	plan := follow{make([][]bool, len(w.groups))}
	adder := w.charges()
	for k := range w.groups {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		plan.on[k] = w.best(k, w.rewards(k, adder), nil).On
	}
	if err := s.run(ctx, plan); err != nil {
		return err
	}
	r.bound, r.method = s.books.profit(), "exact: nothing couples the groups, and each one's best path is found by dynamic programming"
	return nil
}

// coupled says what makes the groups depend on each other; empty: nothing.
func (w *World) coupled() string {
	var total unit.Power
	for _, g := range w.groups {
		total += (unit.Power(g.count) * g.net()).Scale(g.factor)
	}
	for _, r := range w.reserves {
		switch {
		case len(r.sold) > 0:
			return "reserve " + r.name + " is sold"
		case r.most > 0 && r.most < total:
			return "reserve " + r.name + " takes less than all groups"
		case r.call > 0 && len(w.groups) > 1:
			return "calls of reserve " + r.name + " are shared"
		}
	}
	for _, b := range w.blocks {
		if !b.sell || b.sellFee != 0 {
			return "power bought ahead cannot be sold back at its price"
		}
	}
	switch {
	case w.mayBind():
		return "limits bind"
	case len(w.demands) > 0:
		return "the demand charge is on what all draw together"
	case w.least > 0:
		return "the site has a least load"
	}
	return ""
}

// charges is what a MWh at the connection costs beyond its price in each interval, in
// micro-dollars: coincident peaks as they came to be, less what capacity held earns.
func (w *World) charges() []float64 {
	if len(w.peaks) == 0 && len(w.reserves) == 0 {
		return nil
	}
	out := make([]float64, w.n)
	for i := range out {
		if w.valid[i] {
			out[i] = w.peakAdder(i)
			w.eachReserve(i, func(r *reserve, _ unit.Power, _ bool) {
				if out[i] == w.peakAdder(i) { // the best one takes all
					out[i] -= r.worth(i)
				}
			})
		}
	}
	return out
}

// peakAdder is what the true peaks add to a MWh in interval i, in micro-dollars.
func (w *World) peakAdder(i int) (sum float64) {
	from, to := w.at(i), w.at(i)+w.step
	for _, p := range w.peaks {
		if over := min(p.to, to) - max(p.from, from); over > 0 {
			sum += float64(p.rate) * 1000 * float64(over) / float64(p.to-p.from) / w.hours()
		}
	}
	return sum
}
