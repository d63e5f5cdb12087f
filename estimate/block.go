package estimate

import "math"

// block is the Kalman filter of all cells that one meter is the nearest to: their states are
// learned together, since the meter sees their sum. State 0 is a steady draw that no miner
// explains, in watts.
type block struct {
	cells []*cell
	x     []float64
	p     []float64 // covariance, row by row
	h, g  []float64 // of the equation at hand: what it says of each state, and p times that
	aged  int64
}

func (b *block) v(i, j int) float64 { return b.p[i*len(b.x)+j] }

func (b *block) set(i, j int, v float64) { b.p[i*len(b.x)+j] = v }

// grow adds n states of zero, known exactly.
func (b *block) grow(n int) {
	old, size := len(b.x), len(b.x)+n
	p := make([]float64, size*size)
	for i := range old {
		copy(p[i*size:], b.p[i*old:(i+1)*old])
	}
	b.p = p
	b.x = append(b.x, make([]float64, n)...)
	b.h, b.g = make([]float64, size), make([]float64, size)
}

// age lets what was learned drift until now.
func (b *block) age(now int64) {
	hours := float64(now-b.aged) / 3600e9
	if b.aged == 0 {
		hours = 0
	}
	b.aged = now
	_, sd, drift := prior()
	b.set(0, 0, b.v(0, 0)+6*hours*sq(0.05*b.x[0]))
	for _, c := range b.cells {
		for i := range states {
			if at := c.at + i; b.v(at, at) < sq(sd[i]) {
				b.set(at, at, b.v(at, at)+hours*sq(drift[i]))
			}
		}
	}
}

// project works out g and returns the variance and the value of the equation h.
func (b *block) project() (variance, value float64) {
	n := len(b.x)
	clear(b.g)
	for j, h := range b.h {
		if h == 0 {
			continue
		}
		for i := range n {
			b.g[i] += b.p[j*n+i] * h
		}
	}
	for i, h := range b.h {
		variance += h * b.g[i]
		value += h * b.x[i]
	}
	return variance, value
}

// correct takes up the equation of project: off is by how much it was missed, s the variance
// that was expected of that.
func (b *block) correct(off, s float64) {
	n := len(b.x)
	for i := range n {
		gain := b.g[i] / s
		b.x[i] += gain * off
		row := b.p[i*n : (i+1)*n]
		for j := range row {
			row[j] -= gain * b.g[j]
		}
	}
	for i := range n { // rounding must not make it lopsided or negative
		b.set(i, i, max(b.v(i, i), 0))
		for j := range i {
			mean := (b.v(i, j) + b.v(j, i)) / 2
			bound := math.Sqrt(b.v(i, i) * b.v(j, j))
			mean = min(max(mean, -bound), bound)
			b.set(i, j, mean)
			b.set(j, i, mean)
		}
	}
}

// observe takes up that the states at the indices, weighed, make z with a variance of r.
func (b *block) observe(at []int, weights []float64, z, r float64) {
	clear(b.h)
	for i, a := range at {
		b.h[a] = weights[i]
	}
	variance, value := b.project()
	if s := variance + r; s > 0 {
		b.correct(z-value, s)
	}
}

func sq(x float64) float64 { return x * x }
