package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"switchyard/study/input"
	"switchyard/study/world/exact"
)

// lever is something of the world that is moved as a whole, all else as expected.
type lever int

const (
	leverPower     lever = iota
	leverRent            // of all leases
	leverGPU             // of all clouds
	leverHashprice       // the price of bitcoin with it
)

// What an option is worth is held against one of these.
const (
	AgainstNothing     = "nothing"          // an NPV of zero
	AgainstAlternative = "best_alternative" // the best of what else the hall may do at that figure
	AgainstMining      = "mining"           // to mine on
)

// A lever is moved from a tenth to ten times the expected case, by so many steps either way.
const (
	reach = 10.0
	steps = 6
)

// contest is a hall's options in the months in which the report has them, valued as a lever moves; the first is to
// mine on, which has nothing to be held against but itself.
type contest struct {
	w     *worker
	lever lever
	all   []*future
	at    []float64   // the lever's factors, ascending
	value [][]float64 // by option and factor
}

// move puts the expected case into the worker, one hall's mining with it, with the lever moved by a factor.
func (w *worker) move(hall int, l lever, k float64) {
	w.e.model.Expected(w.path)
	switch l {
	case leverPower:
		scale(w.path.Level, k)
	case leverRent:
		w.path.RentFactor *= k
	case leverGPU:
		scale(w.path.GPU, k)
	case leverHashprice:
		scale(w.path.Hashprice, k)
		scale(w.path.Price, k)
	}
	w.mineHall(hall)
}

// moves says that an option's value hangs on the lever.
func (l lever) moves(kind string) bool {
	switch l {
	case leverRent:
		return kind == input.Host || kind == input.Build
	case leverGPU:
		return kind == input.GPUs
	}
	return true
}

// newContest values all of a hall's options at every factor.
func (w *worker) newContest(l lever, all []*future) *contest {
	c := &contest{w: w, lever: l, all: all, value: make([][]float64, len(all))}
	ratio := exact.Exp(exact.Log(reach) / steps)
	up, down := []float64{1}, []float64{}
	for range steps {
		up = append(up, up[len(up)-1]*ratio)
		down = append(down, 1/up[len(up)-1])
	}
	slices.Reverse(down)
	c.at = append(down, up...)
	for i, x := range all {
		c.value[i] = make([]float64, len(c.at))
		if !l.moves(x.out.Kind) {
			for k := range c.at {
				c.value[i][k] = x.out.Expected
			}
		}
	}
	for k, factor := range c.at {
		w.move(all[0].hall, l, factor)
		for i, x := range all {
			if l.moves(x.out.Kind) {
				c.value[i][k] = w.value(x.candidate)
			}
		}
	}
	return c
}

// rivals are the places of those that an option is held against, at its best.
func (c *contest) rivals(i int, against string) (out []int) {
	for k, x := range c.all {
		switch {
		case against == AgainstMining && k == 0 && i > 0,
			against == AgainstAlternative && !same(&x.out, &c.all[i].out):
			out = append(out, k)
		}
	}
	return out
}

// same says that two options build the same, whoever finances it.
func same(a, b *Option) bool { return a.Kind == b.Kind && a.With == b.With }

// gap is what option i is worth over the best of its rivals, from a figure for each option.
func gap(i int, rivals []int, value func(int) float64) float64 {
	most := 0.0
	for n, k := range rivals {
		if v := value(k); n == 0 || v > most {
			most = v
		}
	}
	return value(i) - most
}

// crossing is a factor at which a gap is zero; rising: above it the option is worth more.
type crossing struct {
	factor float64
	rising bool
}

// crossings are all factors in reach at which option i is worth as much as the best of its rivals, ascending; ahead says
// that it is worth more at the least factor.
func (c *contest) crossings(i int, rivals []int) (out []crossing, ahead bool) {
	f := func(k float64) float64 {
		c.w.move(c.all[0].hall, c.lever, k)
		return gap(i, rivals, func(n int) float64 {
			if x := c.all[n]; c.lever.moves(x.out.Kind) {
				return c.w.value(x.candidate)
			}
			return c.all[n].out.Expected
		})
	}
	v := make([]float64, len(c.at))
	for k := range c.at {
		v[k] = gap(i, rivals, func(n int) float64 { return c.value[n][k] })
	}
	const cent = 0.01
	if slices.Max(v)-slices.Min(v) < cent {
		return nil, v[0] > 0 // no factor moves it
	}
	at, v := dips(f, c.at, v)
	for k := 1; k < len(at); k++ {
		if math.Signbit(v[k-1]) != math.Signbit(v[k]) {
			if r, ok := root(f, at[k-1], at[k]); ok {
				out = append(out, crossing{r, v[k] > v[k-1]})
			}
		}
	}
	return out, v[0] > 0
}

// dips adds points between which the sign may change twice: where three in a row have one sign and the middle one is the
// nearest to zero, the turn of the parabola through them.
func dips(f func(float64) float64, at, v []float64) (points, values []float64) {
	type point struct{ k, v float64 }
	var all []point
	for k := range at {
		all = append(all, point{at[k], v[k]})
		if k == 0 || k == len(at)-1 || math.Signbit(v[k]) != math.Signbit(v[k-1]) || math.Signbit(v[k]) != math.Signbit(v[k+1]) ||
			math.Abs(v[k]) > math.Abs(v[k-1]) || math.Abs(v[k]) > math.Abs(v[k+1]) {
			continue
		}
		bend := v[k-1] - float64(2*v[k]) + v[k+1]
		if turn := (v[k-1] - v[k+1]) / float64(2*bend); bend != 0 && turn != 0 {
			// The turn lies within half a step of the middle.
			probe := at[k] * exact.Exp(float64(turn*exact.Log(at[1]/at[0])))
			all = append(all, point{probe, f(probe)})
		}
	}
	slices.SortFunc(all, func(a, b point) int { return cmp.Compare(a.k, b.k) })
	for _, p := range all {
		points, values = append(points, p.k), append(values, p.v)
	}
	return points, values
}

// root finds k in [lo, hi] with f(k) = 0 on a logarithmic scale: Illinois' false position, which
// keeps the bracket.
func root(f func(float64) float64, lo, hi float64) (float64, bool) {
	a, b := exact.Log(lo), exact.Log(hi)
	fa, fb := f(lo), f(hi)
	tol := 1e-9 * math.Max(math.Abs(fa), math.Abs(fb))
	if fa == 0 || fb == 0 || math.Signbit(fa) == math.Signbit(fb) || math.IsNaN(fa) || math.IsNaN(fb) {
		return 0, false
	}
	kept := 0 // which end stood still in the last step
	for range 60 {
		c := (float64(a*fb) - float64(b*fa)) / (fb - fa)
		fc := f(exact.Exp(c))
		if math.Abs(fc) <= tol || b-a < 1e-12 {
			return exact.Exp(c), true
		}
		if math.Signbit(fc) == math.Signbit(fb) {
			b, fb = c, fc
			if kept == 1 {
				fa /= 2
			}
			kept = 1
		} else {
			a, fa = c, fc
			if kept == 2 {
				fb /= 2
			}
			kept = 2
		}
	}
	return 0, false
}

// figure says a lever's factor in the lever's unit: today's, or the mean of the study.
func (e *engine) figure(w *worker, o *input.Option, l lever) (of, unit string, at func(k float64) float64) {
	e.model.Expected(w.path)
	switch l {
	case leverPower:
		mean := func() (sum float64) {
			for t := range w.path.Level {
				sum += e.tariff.Mean(t, w.path)
			}
			return sum / float64(e.months)
		}
		one := mean()
		scale(w.path.Level, 0)
		rest := mean() // spikes, wires and what else no level moves
		return "power", "$/MWh", func(k float64) float64 { return rest + float64(k*(one-rest)) }
	case leverHashprice:
		today := w.path.Hashprice[0]
		return "hashprice", "$/PH/day", func(k float64) float64 { return today * k }
	}
	rate := e.rent(o)
	return "rent", "$/kW-month", func(k float64) float64 { return rate * k }
}

// breakevens fills in what would have to be true of the options that the report has.
func (e *engine) breakevens(w *worker, all []future, best choices) {
	halls := make([][]*future, len(e.cands))
	for _, i := range shown(all, best) {
		halls[all[i].hall] = append(halls[all[i].hall], &all[i])
	}
	for _, list := range halls {
		// To mine on is the first of each hall.
		for _, l := range []lever{leverPower, leverRent, leverGPU, leverHashprice} {
			if slices.ContainsFunc(list, func(x *future) bool { return l.of(e.option(x.candidate)) }) {
				w.newContest(l, list).tell()
			}
		}
	}
	w.expected()
}

// of says that the report tells of an option at which figure it breaks even.
func (l lever) of(o *input.Option) bool {
	switch l {
	case leverPower:
		return o.Kind != input.Sell
	case leverHashprice:
		return true
	}
	return l.moves(o.Kind)
}

// tell writes the contest's break-evens into the options.
func (c *contest) tell() {
	e := c.w.e
	for i, x := range c.all {
		o := e.option(x.candidate)
		if !c.lever.of(o) {
			continue
		}
		of, unit, at := e.figure(c.w, o, c.lever)
		if c.lever == leverRent && at(1) <= 0 {
			continue
		}
		for _, against := range []string{AgainstNothing, AgainstAlternative, AgainstMining} {
			rivals := c.rivals(i, against)
			if against != AgainstNothing && len(rivals) == 0 {
				continue
			}
			b := Breakeven{Of: of, Unit: unit, Against: against, Now: at(1), From: at(c.at[0]), To: at(c.at[len(c.at)-1])}
			if against == AgainstAlternative {
				b.Alternative = c.best(rivals).out.Name
			}
			found, ahead := c.crossings(i, rivals)
			for _, r := range found {
				b.Roots = append(b.Roots, Root{At: at(r.factor), AtLeast: r.rising})
			}
			b.Ahead, b.Text = ahead, wording(b.Roots, ahead, &b)
			x.out.Breakevens = append(x.out.Breakevens, b)
			if old := AgainstMining; against == old || i == 0 && against == AgainstNothing {
				breaksEven(&x.out, of, found, at)
			}
		}
	}
}

// best is what of some is worth most in the expected case.
func (c *contest) best(some []int) *future {
	return c.all[slices.MaxFunc(some, func(a, b int) int { return cmp.Compare(c.all[a].out.Expected, c.all[b].out.Expected) })]
}

// breaksEven writes the crossing that is nearest to the expected case, on a logarithmic scale.
func breaksEven(o *Option, of string, found []crossing, at func(float64) float64) {
	if len(found) == 0 {
		return
	}
	far := func(c crossing) float64 { return math.Abs(exact.Log(c.factor)) }
	v := some(at(slices.MinFunc(found, func(a, b crossing) int { return cmp.Compare(far(a), far(b)) }).factor))
	switch of {
	case "power":
		o.BreakevenPower = v
	case "rent":
		o.BreakevenRent = v
	default:
		o.BreakevenHashprice = v
	}
}

// wording says at which figures an option is ahead: "at least 95.43 $/kW-month".
func wording(roots []Root, ahead bool, b *Breakeven) string {
	if len(roots) == 0 {
		how := "at none"
		if ahead {
			how = "at any"
		}
		return fmt.Sprintf("%s from %.2f to %.2f %s", how, b.From, b.To, b.Unit)
	}
	var parts []string
	for i, r := range roots {
		switch {
		case i == 0 && !r.AtLeast:
			parts = append(parts, fmt.Sprintf("at most %.2f", r.At))
		case r.AtLeast && i+1 < len(roots):
			parts = append(parts, fmt.Sprintf("from %.2f to %.2f", r.At, roots[i+1].At))
		case r.AtLeast:
			parts = append(parts, fmt.Sprintf("at least %.2f", r.At))
		}
	}
	return strings.Join(parts, ", or ") + " " + b.Unit
}

func scale(v []float64, k float64) {
	for i := range v {
		v[i] *= k
	}
}
