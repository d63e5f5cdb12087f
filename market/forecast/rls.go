package forecast

// recursive is a linear model fitted by recursive least squares with forgetting. Its prior
// are the weights that it starts with; ridge is how many observations they count for.
type recursive struct {
	weights []float64
	cov     []float64 // square, row by row
	gain    []float64 // scratch
	keep    float64   // share of an observation's weight that is left after the next
}

// most bounds the covariance: where a feature stands still, forgetting would let it grow
// without end, and the first movement would then be taken for everything.
const most = 1e3

func newRecursive(prior []float64, ridge, keep float64) *recursive {
	n := len(prior)
	r := &recursive{weights: append([]float64(nil), prior...), cov: make([]float64, n*n), gain: make([]float64, n), keep: keep}
	for i := range n {
		r.cov[i*n+i] = 1 / ridge
	}
	return r
}

func (r *recursive) predict(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += r.weights[i] * v
	}
	return sum
}

// learn takes up one observation y at features x with a weight above zero.
func (r *recursive) learn(x []float64, y, weight float64) {
	n, norm := len(x), r.keep/weight
	for i := range n {
		row, sum := r.cov[i*n:i*n+n], 0.0
		for j, v := range x {
			sum += row[j] * v
		}
		r.gain[i] = sum
		norm += x[i] * sum
	}
	miss := y - r.predict(x)
	trace := 0.0
	for i := range n {
		r.weights[i] += r.gain[i] / norm * miss
		trace += r.cov[i*n+i]
	}
	keep := r.keep
	if trace > most {
		keep = 1
	}
	for i := range n {
		row, g := r.cov[i*n:i*n+n], r.gain[i]/norm
		for j := range row {
			row[j] = (row[j] - g*r.gain[j]) / keep
		}
	}
}
