package linear

import "time"

// Past is the last program's basis: where each of its columns and rows stood in the optimum.
// The hours ahead move on between two plans and the steps with them, so a column's place in
// the next program is found by what it is and by the clock.
type Past struct {
	basis    *Basis
	families int32
	start    []time.Time // of its steps
	col, row []Place
}

// The solver's words on where a column or row stands.
const (
	atLower  = 0
	basic    = 1
	nonbasic = 4 // at whichever bound there is
)

// Keep remembers how a program was solved whose steps begin so.
func (p *Past) Keep(m *Program, start []time.Time, b *Basis) {
	p.basis, p.families = b, m.families
	p.col, p.row = append(p.col[:0], m.Place...), append(p.row[:0], m.RowPlace...)
	p.start = append(p.start[:0], start...)
}

// Guess is a basis to begin the solution of a program from whose steps begin so: what stood in
// the same hour last time stands alike. It is nil where nothing is known, or the site is another.
func (p *Past) Guess(m *Program, start []time.Time) *Basis {
	if p.basis == nil || p.families != m.families || len(p.basis.cols) != len(p.col) || len(p.basis.rows) != len(p.row) {
		return nil
	}
	then := make([]int32, len(start)) // the last program's step in which each step begins
	for t, u := 0, 0; t < len(start); t++ {
		for u+1 < len(p.start) && !p.start[u+1].After(start[t]) {
			u++
		}
		then[t] = int32(u)
	}
	b := &Basis{}
	b.cols = p.shift(m.Place, p.col, p.basis.cols, then, atLower)
	b.rows = p.shift(m.RowPlace, p.row, p.basis.rows, then, basic)
	// As many stand in a basis as there are rows.
	more := len(b.rows)
	for _, v := range b.cols {
		more -= isBasic(v)
	}
	for _, v := range b.rows {
		more -= isBasic(v)
	}
	for i := len(b.rows) - 1; i >= 0 && more != 0; i-- {
		switch {
		case more > 0 && b.rows[i] != basic:
			b.rows[i] = basic
			more--
		case more < 0 && b.rows[i] == basic:
			b.rows[i] = nonbasic
			more++
		}
	}
	if more != 0 {
		return nil
	}
	return b
}

func isBasic(v int32) int {
	if v == basic {
		return 1
	}
	return 0
}

// shift finds for each place in now where it stood in was; new ones stand at otherwise.
func (p *Past) shift(now, was []Place, status, then []int32, otherwise int32) []int32 {
	steps := len(p.start)
	at := make([]int32, int(p.families)*steps)
	for i, w := range was {
		at[int(w.family)*steps+int(w.step)] = status[i] + 1
	}
	out := make([]int32, len(now))
	for i, n := range now {
		out[i] = otherwise
		if v := at[int(n.family)*steps+int(then[n.step])]; v > 0 {
			out[i] = v - 1
		}
	}
	return out
}
