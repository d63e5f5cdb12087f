package planner

import (
	"math"
	"slices"

	"switchyard/dispatch/schedule/linear"
)

// scale is how many units of the program's cost a dollar is: a machine-step is then about one.
const scale = 100

// model is the program of a Problem, and where in it everything stands. Columns are machines,
// kW, kWh or shares; -1 stands for a column that is not needed.
type model struct {
	linear.Program
	f *figures

	run, start []int32 // by class: first column, step*levels+level and step
	early      [][]int32
	site       int32   // first column, by step
	balance    int32   // first row, by step
	limits     []limit // caps that could bind
	taken      []int32 // by firm load: first column of taken, hours; -1 without a right
	hours      []int32
	short      []int32 // by firm load: first column of short, bare; -1 where no cap could bind
	bare       []int32
	done       []int32   // by work
	after      []int32   // by work: after, then late
	back       [][]int32 // by class and product: first column; -1 without
	held       []int32   // by product: first row of what may be held at most; -1 without
	sold       []int32   // by product: first row of what is sold; -1 without
	lacking    []int32
	free       [][]float64 // by class and step: $/kWh at the connection earned by the best product that nothing bounds
	freeOf     [][]int     // and which it is, -1 without
	backed     [][]int32   // by class and step: the row of what a class can back; nil without
	room       []int32     // by inrush bound: row; -1 without
	peak       []int32     // by demand charge: its column
	peakRow    int32       // first row of the demand charges', by charge and step that counts
}

// limit is a cap that could bind: its row, and the column of what is above it.
type limit struct {
	node, step int
	row, over  int32
}

// build makes the program of f.
func (m *model) build(f *figures) {
	m.Reset()
	m.f = f
	m.findLimits()
	m.foldReserves()
	m.machineColumns()
	m.targetColumns()
	m.reserveColumns()
	for c := range f.classes {
		m.pathRows(c)
	}
	m.balanceRows()
	m.capRows()
	m.targetRows()
	m.reserveRows()
	m.inrushRows()
	for i := range m.Cost {
		m.Cost[i] *= scale
	}
}

// findLimits names the caps that all that could draw at once would pass.
func (m *model) findLimits() {
	f := m.f
	m.limits = m.limits[:0]
	most := make([]float64, len(f.parent))
	for t := range f.steps {
		clear(most)
		for i := range f.classes {
			most[f.classes[i].node] += float64(f.classes[i].count) * f.classes[i].most
		}
		for i := range f.work {
			most[f.work[i].node] += f.work[i].most[t]
		}
		for i := range f.firm {
			most[f.firm[i].node] += f.firm[i].reserve[t]
		}
		for i := len(most) - 1; i >= 0; i-- {
			in := most[i] * f.exit[i] / f.entry[i]
			if in > f.cap[t][i] {
				m.limits = append(m.limits, limit{node: i, step: t})
			}
			if f.parent[i] >= 0 {
				most[f.parent[i]] += in
			}
		}
	}
}

func (m *model) limited(node int) bool {
	return slices.ContainsFunc(m.limits, func(l limit) bool { return m.f.below(node, l.node) })
}

// foldReserves adds to what running earns the best product that nothing bounds: there each
// class holds all it can, and no column is needed.
func (m *model) foldReserves() {
	f := m.f
	m.free, m.freeOf = m.free[:0], m.freeOf[:0]
	for c := range f.classes {
		worth, of := make([]float64, f.steps), make([]int, f.steps)
		for t := range worth {
			of[t] = -1
			for r := range f.products {
				p := &f.products[r]
				if !f.backs(c, r) || p.sold != nil || !math.IsInf(p.most, 1) {
					continue
				}
				if v := f.holding(c, r, t); v > worth[t] {
					worth[t], of[t] = v, r
				}
			}
		}
		m.free, m.freeOf = append(m.free, worth), append(m.freeOf, of)
	}
}

// columns begins a family of columns, one a step and each added by add, and returns the first.
func (m *model) columns(add func(t int)) int32 {
	first := int32(len(m.Cost))
	m.Begins(1)
	for t := range m.f.steps {
		m.Step = int32(t)
		add(t)
	}
	return first
}

func (m *model) machineColumns() {
	f := m.f
	m.run, m.start, m.early = m.run[:0], m.start[:0], m.early[:0]
	for c := range f.classes {
		k := &f.classes[c]
		first, family := int32(len(m.Cost)), m.Begins(len(k.levels))
		for t := range f.steps {
			for i, l := range k.levels {
				m.Family, m.Step = family+int32(i), int32(t)
				j := m.Col(-l.kw*f.len[t]*(l.value+k.exit*m.free[c][t]), 0, float64(k.count))
				m.Whole[j] = t < f.whole
			}
		}
		m.run = append(m.run, first)
		m.start = append(m.start, -1)
		if m.needsStarts(k) {
			m.start[c] = m.columns(func(t int) {
				// Whole machines start whole anyway. Saying so spares the solver the one step of
				// its presolve that was seen to cut off the optimum of such programs.
				j := m.Col(k.start[t], 0, float64(k.count))
				m.Whole[j] = t < f.whole
			})
		}
		m.early = append(m.early, nil)
		if m.limited(k.node) {
			m.early[c] = m.earlyColumns(k)
		}
	}
}

// earlyColumns let machines stop before their minimum run is over, at a price, for as long
// as what they were at the beginning binds them. What the plan itself starts it can foresee.
func (m *model) earlyColumns(k *class) []int32 {
	var out []int32
	m.Begins(1)
	for t := range m.f.steps {
		m.Step = int32(t)
		bound := k.bound(t, true)
		if bound == 0 {
			break
		}
		out = append(out, m.Col(k.most*m.f.len[t]*m.f.hurry, 0, bound))
	}
	return out
}

// needsStarts says whether a class's starts must be counted: not where they cost nothing,
// bind nothing and take from no allowance.
func (m *model) needsStarts(k *class) bool {
	for t := range m.f.steps {
		if k.start[t] != 0 || k.runTo[t] > t+1 || k.restTo[t] > t+1 {
			return true
		}
	}
	return slices.ContainsFunc(m.f.inrush, func(b inrush) bool { return m.f.below(k.node, b.node) })
}

func (m *model) targetColumns() {
	f := m.f
	m.site = m.columns(func(t int) {
		m.Col(f.len[t]*f.price[t], math.Inf(-1), math.Inf(1))
	})
	m.taken, m.hours, m.short, m.bare = m.taken[:0], m.hours[:0], m.short[:0], m.bare[:0]
	for i := range f.firm {
		m.firmColumns(&f.firm[i])
	}
	m.done, m.after = m.done[:0], m.after[:0]
	for i := range f.work {
		w := &f.work[i]
		m.done = append(m.done, m.columns(func(t int) {
			m.Col(-f.len[t]*w.worth[t], 0, w.most[t])
		}))
		m.after = append(m.after, m.Col(-w.afterWorth, 0, w.after))
		m.Col(w.late, 0, math.Inf(1))
	}
	m.peak = m.peak[:0]
	for _, d := range f.demand {
		m.peak = append(m.peak, m.Col(d.rate, d.soFar, math.Inf(1)))
	}
}

func (m *model) firmColumns(w *firm) {
	f := m.f
	taken, hours, short, bare := int32(-1), int32(-1), int32(-1), int32(-1)
	if slices.ContainsFunc(w.right, func(v float64) bool { return v > 0 }) {
		taken = m.columns(func(t int) {
			m.Col(f.len[t]*w.pay, 0, w.right[t])
		})
		hours = m.columns(func(t int) {
			j := m.Col(f.len[t]*w.hour, 0, 1)
			m.Whole[j] = t < f.whole
		})
	}
	if m.limited(w.node) {
		short = m.columns(func(t int) {
			m.Col(f.len[t]*w.penalty, 0, w.draw[t])
		})
		bare = m.columns(func(t int) {
			m.Col(f.len[t]*w.penalty*bareShare, 0, w.reserve[t]-w.draw[t])
		})
	}
	m.taken, m.hours = append(m.taken, taken), append(m.hours, hours)
	m.short, m.bare = append(m.short, short), append(m.bare, bare)
}

// reserveColumns are what each class holds of the products that something bounds, beyond
// what it would earn by the free ones.
func (m *model) reserveColumns() {
	f := m.f
	m.back, m.lacking = m.back[:0], m.lacking[:0]
	for c := range f.classes {
		cols := make([]int32, len(f.products))
		for r := range cols {
			cols[r] = -1
			if p := &f.products[r]; !f.backs(c, r) || p.sold == nil && math.IsInf(p.most, 1) {
				continue
			}
			cols[r] = m.columns(func(t int) {
				m.Col(f.len[t]*(m.free[c][t]-f.holding(c, r, t)), 0, math.Inf(1))
			})
		}
		m.back = append(m.back, cols)
	}
	for r := range f.products {
		m.lacking = append(m.lacking, -1)
		if p := &f.products[r]; p.sold != nil {
			m.lacking[r] = m.columns(func(t int) {
				m.Col(f.len[t]*p.short, 0, p.sold[t])
			})
		}
	}
}

// pathRows hold how the machines of a class may go from step to step. With N running and s
// started in a step: N[t]-N[t-1] <= s[t]; what was started within the minimum run still runs;
// what was stopped within the minimum rest, N[t-1]-N[t]+s[t], still rests.
func (m *model) pathRows(c int) {
	f, k := m.f, &m.f.classes[c]
	l := int32(len(k.levels))
	count := func(t int, v float64) {
		for i := range l {
			m.Add(m.run[c]+int32(t)*l+i, v)
		}
	}
	started := func(from, to int) {
		for u := from; u <= to; u++ {
			m.Add(m.start[c]+int32(u), 1)
		}
	}
	run, rest := 0, 0 // the first step whose starts, or stops, still bind
	family := m.Begins(4)
	for t := range f.steps {
		m.Family, m.Step = family, int32(t)
		for k.runTo[run] <= t {
			run++
		}
		for k.restTo[rest] <= t {
			rest++
		}
		before := float64(k.running)
		if m.start[c] >= 0 {
			count(t, 1)
			if t > 0 {
				count(t-1, -1)
				before = 0
			}
			started(t, t)
			m.Value[len(m.Value)-1] = -1
			m.Row(math.Inf(-1), before)
		}
		m.Family++
		if bound := k.bound(t, true); bound > 0 || run < t {
			count(t, 1)
			if run < t {
				started(run, t)
				m.negate(t - run + 1)
			}
			if t < len(m.early[c]) {
				m.Add(m.early[c][t], 1)
			}
			m.Row(bound, math.Inf(1))
		}
		m.restRow(c, t, rest, count, started)
	}
}

// negate turns the last n coefficients' signs.
func (m *model) negate(n int) {
	for i := len(m.Value) - n; i < len(m.Value); i++ {
		m.Value[i] = -m.Value[i]
	}
}

// restRow keeps stopped machines at rest, and no more than all of them running.
func (m *model) restRow(c, t, rest int, count func(int, float64), started func(int, int)) {
	k := &m.f.classes[c]
	m.Family++
	resting := k.bound(t, false)
	if rest == t {
		if resting > 0 || len(k.levels) > 1 {
			count(t, 1)
			m.Row(math.Inf(-1), float64(k.count)-resting)
		}
		return
	}
	started(rest, t)
	before := float64(k.running)
	if rest > 0 {
		count(rest-1, 1)
		before = 0
	}
	m.Row(math.Inf(-1), float64(k.count)-resting-before)
	m.Family++
	if resting > 0 || len(k.levels) > 1 {
		count(t, 1)
		m.Row(math.Inf(-1), float64(k.count)-resting)
	}
}

// balanceRows say what enters the connection in each step. Their dual is the price there.
func (m *model) balanceRows() {
	f := m.f
	m.balance = int32(len(m.RowLower))
	m.Begins(1)
	for t := range f.steps {
		m.Step = int32(t)
		m.Add(m.site+int32(t), 1)
		fixed := 0.0
		for c := range f.classes {
			m.drawn(c, t, -f.classes[c].exit)
		}
		for i := range f.work {
			m.Add(m.done[i]+int32(t), -f.work[i].exit)
		}
		for i := range f.firm {
			w := &f.firm[i]
			fixed += w.draw[t] * w.exit
			if m.taken[i] >= 0 {
				m.Add(m.taken[i]+int32(t), w.exit)
			}
			if m.short[i] >= 0 {
				m.Add(m.short[i]+int32(t), w.exit)
			}
		}
		m.Row(fixed, fixed)
	}
}

// drawn adds what class c draws in step t, times v.
func (m *model) drawn(c, t int, v float64) {
	k := &m.f.classes[c]
	for i, l := range k.levels {
		m.Add(m.run[c]+int32(t*len(k.levels)+i), l.kw*v)
	}
}
