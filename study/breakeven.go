package study

import (
	"math"

	"switchyard/study/world/exact"
)

// lever is something of the world that is moved as a whole until an option is worth as much as mining on.
type lever int

const (
	leverPower lever = iota
	leverRent
	leverHashprice
)

// reach is how far a lever is moved: a tenth to ten times the expected case.
const reach = 10.0

// breakeven returns the factor on the lever at which c is worth as much as mining on ("mine": as
// nothing), all else as expected; false where there is none in reach.
func (w *worker) breakeven(c candidate, l lever) (float64, bool) {
	e := w.e
	base := e.cands[c.hall][0]
	gap := func(k float64) float64 {
		e.model.Expected(w.path)
		switch l {
		case leverPower:
			scale(w.path.Level, k)
		case leverRent:
			w.path.RentFactor *= k
			scale(w.path.GPU, k)
		case leverHashprice:
			scale(w.path.Hashprice, k)
			scale(w.path.Price, k)
		}
		w.mineHall(c.hall)
		v := w.value(c)
		if e.option(c).Kind != mine {
			v -= w.value(base)
		}
		return v
	}
	return nearest(gap)
}

// nearest finds the factor nearest to one, on a logarithmic scale, at which f is zero: a hall with fixed-price power that is
// resold gains when power is cheap and when it is dear, and has two. What no factor moves has none.
func nearest(f func(float64) float64) (float64, bool) {
	const steps = 6 // either way
	ratio := exact.Exp(exact.Log(reach) / steps)
	at := f(1)
	if at == 0 {
		return 1, f(ratio) != 0 || f(1/ratio) != 0
	}
	up, down, fUp, fDown := 1.0, 1.0, at, at
	for range steps {
		next := up * ratio
		v := f(next)
		if math.Signbit(v) != math.Signbit(fUp) {
			return root(f, up, next)
		}
		up, fUp, next = next, v, down/ratio
		if v = f(next); math.Signbit(v) != math.Signbit(fDown) {
			return root(f, next, down)
		}
		down, fDown = next, v
	}
	return 0, false
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

func scale(v []float64, k float64) {
	for i := range v {
		v[i] *= k
	}
}
