package schedule

// program is a linear program to be minimized, some of whose columns may have to be whole,
// rows in compressed form.
type program struct {
	cost, lower, upper []float64
	whole              []bool
	rowLower, rowUpper []float64
	begin, index       []int32
	value              []float64

	// place says of each column and row what it is and in which step, so that the next
	// program's may be found beside it. family and step are those of what is added now.
	place, rowPlace []place
	family, step    int32
	families        int32
}

// place is what a column or row stands for, told alike in each program of the same site.
type place struct{ family, step int32 }

// begins starts n families at step 0 and returns the first.
func (p *program) begins(n int) int32 {
	p.families += int32(n)
	p.family, p.step = p.families-int32(n), 0
	return p.family
}

// engine is a solver that holds one program at a time.
type engine interface {
	load(p *program) error
	bounds(lower, upper, rowLower, rowUpper []float64) error
	relaxed(from *basis, iterations int) (answer, error)
	wholly(start []float64, gap float64, nodes, iterations int) (answer, error)
	close()
}

// basis is the solver's word on which columns and rows are basic.
type basis struct{ cols, rows []int32 }

// answer is a solved program.
type answer struct {
	x, dual           []float64
	objective, bound  float64
	basis             *basis
	iterations, nodes int
}

func (p *program) reset() {
	p.cost, p.lower, p.upper, p.whole = p.cost[:0], p.lower[:0], p.upper[:0], p.whole[:0]
	p.rowLower, p.rowUpper, p.begin = p.rowLower[:0], p.rowUpper[:0], append(p.begin[:0], 0)
	p.index, p.value = p.index[:0], p.value[:0]
	p.place, p.rowPlace, p.families = p.place[:0], p.rowPlace[:0], 0
	p.begins(1)
}

// col adds a column and returns its index.
func (p *program) col(cost, lower, upper float64) int32 {
	p.cost, p.lower, p.upper = append(p.cost, cost), append(p.lower, lower), append(p.upper, upper)
	p.whole, p.place = append(p.whole, false), append(p.place, place{p.family, p.step})
	return int32(len(p.cost) - 1)
}

// add puts a coefficient into the row that row will close.
func (p *program) add(col int32, v float64) {
	if v != 0 {
		p.index, p.value = append(p.index, col), append(p.value, v)
	}
}

// row closes the coefficients added since the last row, and returns the row's index.
func (p *program) row(lower, upper float64) int32 {
	p.rowLower, p.rowUpper = append(p.rowLower, lower), append(p.rowUpper, upper)
	p.begin, p.rowPlace = append(p.begin, int32(len(p.index))), append(p.rowPlace, place{p.family, p.step})
	return int32(len(p.rowLower) - 1)
}
