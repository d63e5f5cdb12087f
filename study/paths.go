package study

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"switchyard/study/finance"
)

// chunk is how many paths a worker takes at once.
const chunk = 64

// fanPaths bounds the paths that are kept by year: fans need no more, and forty years of all paths take gigabytes.
const fanPaths = 10_000

// draws is what the Monte Carlo keeps: by column (a candidate), then by path.
type draws struct {
	cols  []candidate
	loans []*finance.Loan
	n     int
	kept  int // paths of which years are kept
	npv   [][]float64
	cover [][]float64 // the lowest DSCR; NaN without a loan
	year  [][]float64 // [column][year*kept+path]: net cash after tax, before financing
	world [4][]float64
}

// The world's figures that are kept by year, [year*kept+path].
const (
	worldPrice = iota
	worldHashprice
	worldPower
	worldDifficulty
)

// each runs f for every path in [0, n), each with its worker's world drawn and mined; f keeps what
// it computes in places of its own path, so that the number of workers changes nothing.
func (e *engine) each(ctx context.Context, n, workers int, seed uint64, done func(int), f func(w *worker, path int)) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next, finished atomic.Int64
	var wait sync.WaitGroup
	var fault atomic.Pointer[error]
	for range workers {
		wait.Go(func() {
			// A study runs inside the controller as well: a fault in it ends the study and nothing else.
			defer func() {
				if r := recover(); r != nil {
					err := fmt.Errorf("a random future could not be computed: %v", r)
					fault.Store(&err)
				}
			}()
			w := e.worker()
			for ctx.Err() == nil {
				from := int(next.Add(chunk)) - chunk
				if from >= n {
					return
				}
				to := min(from+chunk, n)
				for i := from; i < to; i++ {
					e.model.Draw(seed, i, w.path)
					w.mine()
					f(w, i)
				}
				if done != nil {
					done(int(finished.Add(int64(to - from))))
				}
			}
		})
	}
	wait.Wait()
	if err := fault.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

func (e *engine) newDraws(cols []candidate, loans []*finance.Loan, n int) *draws {
	d := &draws{cols: cols, loans: loans, n: n, kept: min(n, fanPaths)}
	for range cols {
		d.npv = append(d.npv, make([]float64, n))
		d.cover = append(d.cover, make([]float64, n))
		d.year = append(d.year, make([]float64, d.kept*e.f.Years))
	}
	for i := range d.world {
		d.world[i] = make([]float64, d.kept*e.f.Years)
	}
	return d
}

// join adds another's columns, of the same paths.
func (d *draws) join(other *draws) {
	d.cols, d.loans = append(d.cols, other.cols...), append(d.loans, other.loans...)
	d.npv, d.cover, d.year = append(d.npv, other.npv...), append(d.cover, other.cover...), append(d.year, other.year...)
}

// draw values every column on the worker's path.
func (d *draws) draw(w *worker, path int) {
	e := w.e
	years := e.f.Years
	if path >= d.kept {
		years = 0
	}
	for k, c := range d.cols {
		npv, cover, venture, before := w.drawn(c, d.loans[k])
		d.npv[k][path], d.cover[k][path] = npv, cover
		for y := range years {
			sum := 0.0
			for t := 12 * y; t < 12*y+12; t++ {
				sum += venture[t] + before[t]
			}
			d.year[k][y*d.kept+path] = sum
		}
	}
	for y := range years {
		var s [4]float64
		for t := 12 * y; t < 12*y+12; t++ {
			s[worldPrice] += w.path.Price[t]
			s[worldHashprice] += w.path.Hashprice[t]
			s[worldPower] += e.tariff.Mean(t, w.path)
			s[worldDifficulty] += w.path.Difficulty[t]
		}
		for i := range s {
			d.world[i][y*d.kept+path] = s[i] / 12
		}
	}
}

// drawn is a candidate's NPV on the path, the lowest DSCR of its loan (NaN without one; nought where it was drawn
// for what never operates within the study), and the free cash by month
// of what it builds and of what is before. Statements are made only where there is a loan: NPV and free
// cash are the same without.
func (w *worker) drawn(c candidate, loan *finance.Loan) (npv, cover float64, venture, before []float64) {
	w.plan(c)
	cover = math.NaN()
	if loan != nil && loan.Amount > 0 {
		finance.Run(finance.Project{Flows: w.venture, Terms: w.e.termsOf(c), Loan: loan, Quick: true}, w.res)
		npv, cover, venture = w.res.NPV, w.res.MinDSCR, w.res.Row[finance.Free]
		if w.res.Debt > 0 && w.venture.Operate >= w.e.months {
			cover = 0 // drawn, and nothing ever operates that could serve it
		}
	} else {
		npv = finance.Value(w.venture, w.e.termsOf(c), w.other)
		venture = w.other.Free()
	}
	npv += finance.Value(w.before, &w.e.owners, w.scratch)
	return npv, cover, venture, w.scratch.Free()
}

// column returns which column is of c; -1: none.
func (d *draws) column(c candidate) int { return slices.Index(d.cols, c) }

// distOf sums up a figure over all paths; the values stay in their order.
func distOf(v []float64) Dist {
	if len(v) == 0 {
		return Dist{}
	}
	mean, n := 0.0, float64(len(v))
	for _, x := range v {
		mean += x
	}
	mean /= n
	square := 0.0
	for _, x := range v {
		square += float64((x - mean) * (x - mean))
	}
	sorted := slices.Clone(v)
	slices.Sort(sorted)
	return Dist{Mean: mean, P10: quantile(sorted, 0.1), P50: quantile(sorted, 0.5), P90: quantile(sorted, 0.9), Error: math.Sqrt(square/math.Max(n-1, 1)) / math.Sqrt(n)}
}

// quantile interpolates between the sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := float64(q * float64(len(sorted)-1))
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(i)
	return sorted[i] + float64(part*(sorted[i+1]-sorted[i]))
}

// sure is the distribution of a figure without chance.
func sure(v float64) Dist { return Dist{Mean: v, P10: v, P50: v, P90: v} }

// fanOf sums up a figure by year; v is [year*n+path].
func (e *engine) fanOf(v []float64, n int) []Fan {
	var out []Fan
	for y := range e.f.Years {
		sorted := slices.Clone(v[y*n : (y+1)*n])
		slices.Sort(sorted)
		out = append(out, Fan{
			Label: e.year(y), P10: quantile(sorted, 0.1), P25: quantile(sorted, 0.25), P50: quantile(sorted, 0.5),
			P75: quantile(sorted, 0.75), P90: quantile(sorted, 0.9),
		})
	}
	return out
}

// histogram counts values in at most 40 bins of a round width.
func histogram(v []float64) []Bin {
	if len(v) == 0 {
		return nil
	}
	lo, hi := slices.Min(v), slices.Max(v)
	width := roundUp((hi - lo) / 30)
	if width <= 0 {
		return []Bin{{From: lo, To: lo, Paths: len(v)}}
	}
	from := float64(math.Floor(lo/width) * width)
	bins := make([]Bin, int((hi-from)/width)+1)
	for i := range bins {
		bins[i] = Bin{From: from + float64(float64(i)*width), To: from + float64(float64(i+1)*width)}
	}
	for _, x := range v {
		bins[min(int((x-from)/width), len(bins)-1)].Paths++
	}
	return bins
}

// roundUp returns the next 1, 2 or 5 times a power of ten.
func roundUp(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	ten := 1.0
	for ten*10 <= v {
		ten *= 10
	}
	for ten > v {
		ten /= 10
	}
	for _, k := range []float64{1, 2, 5} {
		if k*ten >= v {
			return k * ten
		}
	}
	return 10 * ten
}
