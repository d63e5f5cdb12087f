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
	size, sum, covered := d.window, 0.0, time.Duration(0)
	date := w.dates[w.days[from]]
	first := date.AddDate(0, 0, 1-date.Day())
	fixed := make([]unit.Power, w.tree.Len())
	windows := map[int64]*window{}
	for i := from; i < to; i++ {
		if !w.valid[i] {
			continue
		}
		covered += w.Interval
		sum -= x.costs[i].base
		key := w.at(i) / size
		if !d.counts[i] {
			key = -int64(i) - 1 // a window of its own that no charge counts
		}
		n := windows[key]
		if n == nil {
			n = &window{}
			windows[key] = n
		}
		x.fixedAt(i, fixed, false)
		n.fixed += fixed[0].Megawatts() * float64(w.step) / float64(size)
		for _, p := range x.costs[i].pieces {
			if p.cost < x.price[i] {
				n.wants = append(n.wants, want{i, p.mw, x.price[i] - p.cost})
			}
		}
	}
	least := 0.0
	all := make([]*window, 0, len(windows))
	for key, n := range windows {
		slices.SortFunc(n.wants, func(a, b want) int { return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(a.i, b.i)) })
		if key < 0 {
			for _, k := range n.wants {
				sum += k.gain * k.mw * w.hours()
				over[k.i] -= k.mw
			}
			continue
		}
		least = max(least, n.fixed)
		all = append(all, n)
	}
	rate := float64(d.rate) * 1000 * float64(covered) / float64(first.AddDate(0, 1, 0).Sub(first)) // per MW
	share := float64(w.step) / float64(size)
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
