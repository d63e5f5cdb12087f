package planner

import "math"

// capRows keep what is reserved and drawn below each node under its cap, or price the excess.
func (m *model) capRows() {
	f := m.f
	family := m.Begins(len(f.parent))
	for n := range m.limits {
		b := &m.limits[n]
		m.Family, m.Step = family+int32(b.node), int32(b.step)
		t, part := b.step, 1/f.entry[b.node]
		kept := 0.0 // what contracts keep free beyond what they draw; all that they reserve, below
		if b.node == 0 {
			m.Add(m.site+int32(t), 1)
		} else {
			m.loadsBelow(b.node, t, part)
		}
		for i := range f.firm {
			w := &f.firm[i]
			if !f.below(w.node, b.node) {
				continue
			}
			v := w.exit * part
			kept += w.reserve[t] * v
			if b.node == 0 {
				kept -= w.draw[t] * v
			} else {
				if m.taken[i] >= 0 {
					m.Add(m.taken[i]+int32(t), -v)
				}
				m.Add(m.short[i]+int32(t), -v)
			}
			m.Add(m.bare[i]+int32(t), -v)
		}
		b.over = m.Col(f.len[t]*f.overload, 0, math.Inf(1))
		m.Add(b.over, -1)
		b.row = m.Row(math.Inf(-1), f.cap[t][b.node]-kept)
	}
}

func (m *model) loadsBelow(node, t int, part float64) {
	f := m.f
	for c := range f.classes {
		if k := &f.classes[c]; f.below(k.node, node) {
			m.drawn(c, t, k.exit*part)
		}
	}
	for i := range f.work {
		if w := &f.work[i]; f.below(w.node, node) {
			m.Add(m.done[i]+int32(t), w.exit*part)
		}
	}
}

// targetRows are curtailment rights, work, demand charges, the minimum and what is sold back.
func (m *model) targetRows() {
	f := m.f
	for i := range f.firm {
		m.rightRows(i)
	}
	for i := range f.work {
		w := &f.work[i]
		for t := range f.steps {
			m.Add(m.done[i]+int32(t), f.len[t])
		}
		m.Add(m.after[i], 1)
		m.Add(m.after[i]+1, 1)
		m.Row(w.energy, w.energy)
	}
	m.peakRow = int32(len(m.RowLower))
	for i, d := range f.demand {
		m.Begins(1)
		for t := range f.steps {
			m.Step = int32(t)
			if d.counts == nil || d.counts[t] {
				m.Add(m.peak[i], 1)
				m.Add(m.site+int32(t), -1)
				m.Row(0, math.Inf(1))
			}
		}
	}
	family := m.Begins(2)
	for t := range f.steps {
		m.Family, m.Step = family, int32(t)
		if f.minimum > 0 {
			m.atLeast(t, f.minimum, f.lack)
		}
		m.Family++
		if f.block[t] > 0 && f.sellBack[t] > 0 {
			m.atLeast(t, f.block[t], f.sellBack[t])
		}
	}
}

// atLeast prices each kWh by which the site draws less than kw.
func (m *model) atLeast(t int, kw, price float64) {
	m.Add(m.site+int32(t), 1)
	m.Add(m.Col(m.f.len[t]*price, 0, math.Inf(1)), 1)
	m.Row(kw, math.Inf(1))
}

func (m *model) rightRows(i int) {
	f, w := m.f, &m.f.firm[i]
	if m.taken[i] < 0 {
		return
	}
	family := m.Begins(2)
	for t := range f.steps {
		m.Family, m.Step = family, int32(t)
		m.Add(m.taken[i]+int32(t), 1)
		m.Add(m.hours[i]+int32(t), -w.right[t])
		m.Row(math.Inf(-1), 0)
		if m.Family++; m.short[i] >= 0 {
			m.Add(m.taken[i]+int32(t), 1)
			m.Add(m.short[i]+int32(t), 1)
			m.Row(math.Inf(-1), w.draw[t])
		}
	}
	for t := range f.steps {
		m.Add(m.hours[i]+int32(t), f.len[t])
	}
	m.Row(math.Inf(-1), w.left)
}

// reserveRows: a running kW backs one product, no product holds more than may be sold, and
// what is sold and not held is priced.
func (m *model) reserveRows() {
	f := m.f
	m.backed = m.backed[:0]
	for c := range f.classes {
		var rows []int32
		m.Begins(1)
		for t := range f.steps {
			m.Step = int32(t)
			n := len(m.Value)
			for _, j := range m.back[c] {
				if j >= 0 {
					m.Add(j+int32(t), 1)
				}
			}
			if len(m.Value) == n {
				break
			}
			m.drawn(c, t, -f.classes[c].exit)
			rows = append(rows, m.Row(math.Inf(-1), 0))
		}
		m.backed = append(m.backed, rows)
	}
	m.held, m.sold = m.held[:0], m.sold[:0]
	for r := range f.products {
		m.productRows(r)
	}
}

func (m *model) productRows(r int) {
	f, p := m.f, &m.f.products[r]
	m.held, m.sold = append(m.held, -1), append(m.sold, -1)
	sum := func(t int) {
		for c := range f.classes {
			if j := m.back[c][r]; j >= 0 {
				m.Add(j+int32(t), 1)
			}
		}
	}
	if !math.IsInf(p.most, 1) {
		m.held[r] = int32(len(m.RowLower))
		m.Begins(1)
		for t := range f.steps {
			m.Step = int32(t)
			sum(t)
			m.Row(math.Inf(-1), p.bound(t))
		}
	}
	if p.sold != nil {
		m.sold[r] = int32(len(m.RowLower))
		m.Begins(1)
		for t := range f.steps {
			m.Step = int32(t)
			sum(t)
			m.Add(m.lacking[r]+int32(t), 1)
			m.Row(p.sold[t], math.Inf(1))
		}
	}
}

// bound is how much of the product may be held in step t, kW: never less than what is sold.
func (p *product) bound(t int) float64 {
	if p.sold != nil {
		return math.Max(p.most, p.sold[t])
	}
	return p.most
}

func (m *model) inrushRows() {
	f := m.f
	m.room = m.room[:0]
	m.Begins(1)
	for _, b := range f.inrush {
		m.Step = int32(b.to)
		for c := range f.classes {
			if k := &f.classes[c]; f.below(k.node, b.node) {
				for t := b.from; t <= b.to; t++ {
					m.Add(m.start[c]+int32(t), k.most)
				}
			}
		}
		m.room = append(m.room, m.Row(math.Inf(-1), b.kw))
	}
}

// read turns the program's columns into a solution.
func (m *model) read(x []float64) *solution {
	f := m.f
	s := f.newSolution()
	for c := range f.classes {
		k := &f.classes[c]
		l := len(k.levels)
		for i := range s.run[c] {
			s.run[c][i] = math.Max(0, x[m.run[c]+int32(i)])
			if i < f.whole*l {
				s.run[c][i] = math.Round(s.run[c][i])
			}
		}
		m.readStarts(s, c)
	}
	for i := range f.firm {
		pick(s.taken[i], x, m.taken[i])
		pick(s.hours[i], x, m.hours[i])
		pick(s.short[i], x, m.short[i])
		pick(s.bare[i], x, m.bare[i])
	}
	for i := range f.work {
		pick(s.done[i], x, m.done[i])
		s.after[i] = math.Max(0, x[m.after[i]])
	}
	for c := range s.back {
		for t := range f.steps {
			left := s.power(f, c, t) * f.classes[c].exit
			for r, j := range m.back[c] {
				if j >= 0 {
					s.back[c][r][t] = math.Min(math.Max(0, x[j+int32(t)]), left)
					left -= s.back[c][r][t]
				}
			}
			if r := m.freeOf[c][t]; r >= 0 {
				s.back[c][r][t] = math.Max(0, left)
			}
		}
	}
	return s
}

// readStarts takes a class's starts. The program may count more than there are where they
// cost nothing: what is started is never more than what begins to run and what stops beside it.
func (m *model) readStarts(s *solution, c int) {
	before := float64(m.f.classes[c].running)
	for t := range m.f.steps {
		now := s.running(m.f, c, t)
		s.start[c][t] = math.Max(0, now-before)
		before = now
	}
}

func pick(to, x []float64, first int32) {
	if first < 0 {
		return
	}
	for t := range to {
		to[t] = math.Max(0, x[int(first)+t])
	}
}
