// Package linear owns linear programs, some of whose columns may have to be whole: how they
// are written down, and their solution by HiGHS, in the process and by one thread.
//
// It never bounds its work by the clock, only by the solver's own steps, so that the same
// program is solved alike on any machine; and it knows nothing of sites, loads or prices.
//
// Concurrency: a Program, an Engine and a Past belong to one goroutine at a time.
package linear

// Program is a linear program to be minimized, some of whose columns may have to be whole,
// rows in compressed form.
type Program struct {
	Cost, Lower, Upper []float64
	Whole              []bool
	RowLower, RowUpper []float64
	Begin, Index       []int32
	Value              []float64

	// Place says of each column and row what it is and in which step, so that the next
	// program's may be found beside it. Family and Step are those of what is added now.
	Place, RowPlace []Place
	Family, Step    int32
	families        int32
}

// Place is what a column or row stands for, told alike in each program of the same site.
type Place struct{ family, step int32 }

// Begins starts n families at step 0 and returns the first.
func (p *Program) Begins(n int) int32 {
	p.families += int32(n)
	p.Family, p.Step = p.families-int32(n), 0
	return p.Family
}

// Engine is a solver that holds one program at a time.
type Engine interface {
	// Load passes a program, its integers relaxed for now.
	Load(p *Program) error
	// Bounds replaces all columns' and rows' bounds; what was solved last is begun from.
	Bounds(lower, upper, rowLower, rowUpper []float64) error
	// Relaxed solves the program as if no column had to be whole, from a basis or nil, in at
	// most so many simplex iterations. It blocks.
	Relaxed(from *Basis, iterations int) (Answer, error)
	// Wholly solves the program with its whole columns, beginning with a solution or nil, until
	// it is within gap of the bound, in units of the cost, or has used so many nodes or simplex
	// iterations. Then the best found is the answer. It blocks.
	Wholly(start []float64, gap float64, nodes, iterations int) (Answer, error)
	// Close frees the solver.
	Close()
}

// Basis is the solver's word on which columns and rows are basic.
type Basis struct{ cols, rows []int32 }

// Answer is a solved program.
type Answer struct {
	X, Dual           []float64 // by column, by row
	Objective, Bound  float64
	Basis             *Basis // nil but of a relaxed program
	Iterations, Nodes int
}

// Reset empties the program and keeps its memory.
func (p *Program) Reset() {
	p.Cost, p.Lower, p.Upper, p.Whole = p.Cost[:0], p.Lower[:0], p.Upper[:0], p.Whole[:0]
	p.RowLower, p.RowUpper, p.Begin = p.RowLower[:0], p.RowUpper[:0], append(p.Begin[:0], 0)
	p.Index, p.Value = p.Index[:0], p.Value[:0]
	p.Place, p.RowPlace, p.families = p.Place[:0], p.RowPlace[:0], 0
	p.Begins(1)
}

// Col adds a column and returns its index.
func (p *Program) Col(cost, lower, upper float64) int32 {
	p.Cost, p.Lower, p.Upper = append(p.Cost, cost), append(p.Lower, lower), append(p.Upper, upper)
	p.Whole, p.Place = append(p.Whole, false), append(p.Place, Place{p.Family, p.Step})
	return int32(len(p.Cost) - 1)
}

// Add puts a coefficient into the row that Row will close.
func (p *Program) Add(col int32, v float64) {
	if v != 0 {
		p.Index, p.Value = append(p.Index, col), append(p.Value, v)
	}
}

// Row closes the coefficients added since the last row, and returns the row's index.
func (p *Program) Row(lower, upper float64) int32 {
	p.RowLower, p.RowUpper = append(p.RowLower, lower), append(p.RowUpper, upper)
	p.Begin, p.RowPlace = append(p.Begin, int32(len(p.Index))), append(p.RowPlace, Place{p.Family, p.Step})
	return int32(len(p.RowLower) - 1)
}
