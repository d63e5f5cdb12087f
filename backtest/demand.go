package backtest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"switchyard/unit"
)

// window is the intervals that a demand charge averages, with what the site would like to buy.
type window struct {
	fixed float64 // MW on average, whatever the machines do
	wants []want  // best first
}

// want is power that pays, in one interval.
type want struct {
	i    int
	mw   float64 // of the interval
	gain float64 // per MWh
}

// month counts the calendar months of the run.
func (w *World) month(i int) int {
	a, b := w.dates[0], w.dates[w.days[i]]
	return (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
}

// buyUnderDemand is buy with a charge on each month's highest window: a month's peak is
// chosen first, and the windows take what pays up to it. What that earns bends downwards in
// the peak, so the best one is found by narrowing down. Where several charges count the same
// window each of them is paid.
func (x *relaxed) buyUnderDemand(over []float64) (sum float64) {
	w := x.w
	x.top = make([]float64, w.month(w.n-1)+1)
	for from := 0; from < w.n; {
		to := from
		for to < w.n && w.month(to) == w.month(from) {
			to++
		}
		sum += x.buyMonth(from, to, over)
		from = to
	}
	return sum
}

func (x *relaxed) buyMonth(from, to int, over []float64) float64 {
	w := x.w
	d := slices.MaxFunc(w.demands, func(a, b demand) int { return cmp.Compare(a.rate, b.rate) })
	all, least, sum := x.windows(from, to, d, over)
	covered := time.Duration(0)
	for i := from; i < to; i++ {
		if w.valid[i] {
			covered += w.Interval
		}
	}
	date := w.dates[w.days[from]]
	first := date.AddDate(0, 0, 1-date.Day())
	rate := float64(d.rate) * 1000 * float64(covered) / float64(first.AddDate(0, 1, 0).Sub(first)) // per MW
	share := float64(w.step) / float64(d.window)
	earn := func(peak float64, take func(want, float64)) float64 {
		got := -rate * peak
		for _, n := range all {
			left := (peak - n.fixed) / share
			for _, k := range n.wants {
				mw := min(k.mw, left)
				if mw <= 0 {
					break
				}
				got += k.gain * mw * w.hours()
				left -= mw
				if take != nil {
					take(k, mw)
				}
			}
		}
		return got
	}
	lo, hi := least, least+x.total+1
	for range 60 {
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if earn(a, nil) < earn(b, nil) {
			lo = a
		} else {
			hi = b
		}
	}
	peak := (lo + hi) / 2
	x.top[w.month(from)] = peak
	return sum + math.Max(earn(peak, func(k want, mw float64) { over[k.i] -= mw }), earn(least, nil))
}

// windows gathers the windows of [from, to) that the charge counts, and the least peak that
// they can have. What it does not count takes whatever pays: sum is what that earns, less what
// all intervals cost without any work.
func (x *relaxed) windows(from, to int, d demand, over []float64) (all []*window, least, sum float64) {
	w := x.w
	fixed := make([]unit.Power, w.tree.Len())
	var last *window
	at := int64(0)
	for i := from; i < to; i++ {
		if !w.valid[i] {
			continue
		}
		sum -= x.costs[i].base
		if d.counts[i] && (last == nil || w.at(i)/d.window != at) {
			at, last = w.at(i)/d.window, &window{}
			all = append(all, last)
		}
		if d.counts[i] {
			x.fixedAt(i, fixed, false)
			last.fixed += fixed[0].Megawatts() * float64(w.step) / float64(d.window)
		}
		for _, p := range x.costs[i].pieces {
			gain := x.price[i] - p.cost
			switch {
			case gain <= 0:
			case d.counts[i]:
				last.wants = append(last.wants, want{i, p.mw, gain})
			default:
				sum += gain * p.mw * w.hours()
				over[i] -= p.mw
			}
		}
	}
	for _, n := range all {
		slices.SortStableFunc(n.wants, func(a, b want) int { return cmp.Compare(b.gain, a.gain) })
		least = max(least, n.fixed)
	}
	return all, least, sum
}

// peak is the power at the connection up to which the month of interval i is planned.
func (g *guided) peak(i int) unit.Power {
	w := g.x.w
	for _, d := range w.demands {
		if d.counts[i] && len(g.p.top) > 0 {
			return unit.Watts(g.p.top[w.month(i)] * 1e6)
		}
	}
	return -1
}
