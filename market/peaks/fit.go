package peaks

import "math"

// features is how many figures a fit rests on.
const features = 4

// fit is a least-squares fit that forgets, held to what one would expect before any data: the
// belief counts as priorDays days of it.
type fit struct {
	a      [features][features]float64
	b      [features]float64
	belief [features]float64
	scale  [features]float64 // usual size of each feature, which weighs the belief
	coef   [features]float64
}

const (
	priorDays = 5
	forget    = 0.985 // a day: half of it is gone in 46
)

func (f *fit) reset() { f.coef = f.belief }

func (f *fit) predict(x [features]float64) float64 {
	s := 0.0
	for i := range x {
		s += f.coef[i] * x[i]
	}
	return s
}

// learn takes up one outcome y of the figures x.
func (f *fit) learn(x [features]float64, y float64) {
	for i := range x {
		for j := range x {
			f.a[i][j] = f.a[i][j]*forget + x[i]*x[j]
		}
		f.b[i] = f.b[i]*forget + x[i]*y
	}
	f.coef = f.solve()
}

// solve returns the coefficients by elimination; the belief keeps the matrix regular.
func (f *fit) solve() [features]float64 {
	a, b := f.a, f.b
	for i := range features {
		w := priorDays * f.scale[i] * f.scale[i]
		a[i][i] += w
		b[i] += w * f.belief[i]
	}
	for i := range features {
		p := i
		for r := i + 1; r < features; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[p][i]) {
				p = r
			}
		}
		a[i], a[p], b[i], b[p] = a[p], a[i], b[p], b[i]
		for r := i + 1; r < features; r++ {
			k := a[r][i] / a[i][i]
			for c := i; c < features; c++ {
				a[r][c] -= k * a[i][c]
			}
			b[r] -= k * b[i]
		}
	}
	var x [features]float64
	for i := features - 1; i >= 0; i-- {
		x[i] = b[i]
		for c := i + 1; c < features; c++ {
			x[i] -= a[i][c] * x[c]
		}
		x[i] /= a[i][i]
	}
	return x
}
