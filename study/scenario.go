package study

import (
	"fmt"
	"math"
	"slices"

	"switchyard/study/input"
)

// MineEverywhere is the decision to leave all halls as they are.
const MineEverywhere = "mine on everywhere"

// choices are one candidate a hall.
type choices []candidate

// worth is the value of choices in the world that w holds, the site's costs apart.
func (w *worker) worth(c choices) float64 {
	sum := 0.0
	for _, x := range c {
		sum += w.value(x)
	}
	return sum
}

// scenarios values each option, in the month in which the report has it, in every world of the file, and
// tells how much each way to decide for the whole site would regret there.
func (e *engine) scenarios(w *worker, all []future, best choices, r *Report) {
	worlds := append([]input.Scenario{{Name: "expected"}}, e.f.Scenarios...)
	names, ways := e.ways(all, best)
	r.Regret = Regret{Decisions: names, USD: make([][]float64, len(ways)), Worst: make([]float64, len(ways)), Beyond: e.beyond(w, ways)}
	for i := range worlds {
		e.model.Expected(w.path)
		if i > 0 {
			e.model.Apply(&worlds[i], w.path)
		}
		w.mine()
		sc := Scenario{Name: worlds[i].Name, Portfolio: w.worth(best)}
		for _, k := range shown(all, best) {
			sc.Options = append(sc.Options, ScenarioOption{Hall: all[k].out.Hall, Name: all[k].out.Name, NPV: w.value(all[k].candidate)})
		}
		s := e.searchOf(w)
		_, top, _ := s.solve()
		for k, way := range ways {
			gap := top - w.worth(way) - s.saves(e.empty(way))
			if !r.Regret.Beyond[k] {
				gap = math.Max(0, gap) // the best allowed is no worse but for rounding
			}
			r.Regret.USD[k] = append(r.Regret.USD[k], gap)
			if r.Regret.Worst[k] < gap || i == 0 {
				r.Regret.Worst[k] = gap
			}
		}
		sc.MinDSCR = e.leastCover(w, all, best)
		sc.Portfolio += e.fixed(w, e.empty(best), nil)
		r.Regret.Scenarios = append(r.Regret.Scenarios, worlds[i].Name)
		r.Scenarios = append(r.Scenarios, sc)
	}
	for k, v := range r.Regret.Worst {
		if !r.Regret.Beyond[k] && v < r.Regret.Worst[r.Regret.Least] {
			r.Regret.Least = k
		}
	}
	w.expected()
}

// beyond says which ways the site's limits do not allow, in the world that w holds.
func (e *engine) beyond(w *worker, ways []choices) []bool {
	out := make([]bool, len(ways))
	s := e.searchOf(w)
	for k, way := range ways {
		one := *s
		one.halls = nil
		for h, c := range way {
			i := slices.IndexFunc(s.halls[h], func(p priced) bool { return p.candidate == c })
			one.halls = append(one.halls, s.halls[h][i:i+1])
		}
		chosen, _, _ := one.solve()
		out[k] = chosen == nil
	}
	return out
}

// ways are the decisions for the whole site that are compared: the best choices, to mine on
// everywhere, and each option wherever it can be taken.
func (e *engine) ways(all []future, best choices) (names []string, ways []choices) {
	names, ways = []string{"the study's choice"}, []choices{best}
	on := make(choices, len(e.cands))
	for h := range on {
		on[h] = e.cands[h][0]
	}
	names, ways = append(names, MineEverywhere), append(ways, on)
	for i := range e.f.Options {
		o := &e.f.Options[i]
		if o.Kind == mine {
			continue
		}
		way, n := append(choices(nil), on...), 0
		for k := range all {
			h := all[k].hall
			if all[k].option == i && way[h] == on[h] && (o.Kind != "greenfield" || n == 0) {
				way[h] = all[k].candidate
				n++
			}
		}
		if n > 0 {
			names, ways = append(names, fmt.Sprintf("%s in %s", o.ID, counted(n, "hall", "halls"))), append(ways, way)
		}
	}
	return names, ways
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
