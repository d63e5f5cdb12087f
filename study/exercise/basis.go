package exercise

import "math"

// basis turns states into the columns of a regression: one, each state, their products and squares, and
// their cubes, after the states have been moved to mean zero and spread one.
type basis struct {
	states, columns int
	mean, scale     [MaxStates]float64
}

// furthest is the most that a state counts for, in standard deviations: beyond it cubes know nothing.
const furthest = 4.0

// begin learns mean and spread from the even paths of a date. A state that is always the same counts
// for nothing.
func (b *basis) begin(p *Problem, d int) {
	b.states = p.States
	b.columns = 1 + p.States + p.States*(p.States+1)/2 + p.States
	for s := range p.States {
		x := p.State(d, s)
		n, sum := 0.0, 0.0
		for i := 0; i < len(x); i += 2 {
			sum += x[i]
			n++
		}
		mean, squares := sum/n, 0.0
		for i := 0; i < len(x); i += 2 {
			squares += float64((x[i] - mean) * (x[i] - mean))
		}
		b.mean[s], b.scale[s] = mean, 0
		if sd := math.Sqrt(squares / n); sd > 1e-10*math.Abs(mean) {
			b.scale[s] = 1 / sd
		}
	}
}

// of fills row with the columns of a state.
func (b *basis) of(state *[MaxStates]float64, row []float64) {
	var z [MaxStates]float64
	row[0] = 1
	at := 1
	for s := range b.states {
		z[s] = min(max(float64((state[s]-b.mean[s])*b.scale[s]), -furthest), furthest)
		row[at] = z[s]
		at++
	}
	for s := range b.states {
		for r := s; r < b.states; r++ {
			row[at] = float64(z[s] * z[r])
			at++
		}
	}
	for s := range b.states {
		row[at] = float64(float64(z[s]*z[s]) * z[s])
		at++
	}
}

// fit is a weighted least-squares regression by its normal equations.
type fit struct {
	n       int
	weight  float64
	gram    [maxColumns][maxColumns]float64 // the lower triangle
	moments [maxColumns]float64
}

func (f *fit) clear(columns int) {
	*f = fit{n: columns}
}

// addGram adds a row's squares and products.
func (f *fit) addGram(row []float64, w float64) {
	f.weight += w
	for i, x := range row {
		wx := float64(w * x)
		g := f.gram[i][:i+1]
		for j := range g {
			g[j] += float64(wx * row[j])
		}
	}
}

// addMoments adds a row's products with y.
func (f *fit) addMoments(row []float64, wy float64) {
	m := f.moments[:len(row)]
	for i, x := range row {
		m[i] += float64(wy * x)
	}
}

// solve fills coefficients by Cholesky's factors, with a ridge that a sound regression does not feel. A
// column that the ones before it already say, or that is always zero, gets zero.
func (f *fit) solve(into []float64) {
	var l [maxColumns][maxColumns]float64
	var y [maxColumns]float64
	var out [maxColumns]bool
	for i := range f.n {
		for j := range i {
			if out[j] {
				continue
			}
			v := f.gram[i][j]
			for k := range j {
				v -= float64(l[i][k] * l[j][k])
			}
			l[i][j] = v / l[j][j]
		}
		size := f.gram[i][i]
		v := size + float64(1e-9*f.weight)
		m := f.moments[i]
		for k := range i {
			v -= float64(l[i][k] * l[i][k])
			m -= float64(l[i][k] * y[k])
		}
		if size <= 0 || v <= 1e-8*size {
			out[i] = true
			l[i] = [maxColumns]float64{}
			continue
		}
		l[i][i] = math.Sqrt(v)
		y[i] = m / l[i][i]
	}
	for i := f.n - 1; i >= 0; i-- {
		into[i] = 0
		if out[i] {
			continue
		}
		v := y[i]
		for k := i + 1; k < f.n; k++ {
			v -= float64(l[k][i] * into[k])
		}
		into[i] = v / l[i][i]
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x * b[i])
	}
	return sum
}
