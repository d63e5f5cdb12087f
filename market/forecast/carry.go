package forecast

import "math"

// carry is how much of a deviation from the usual is left after lead intervals: the slope of
// later deviations over the present one.
type carry struct {
	lead   int64
	xy, xx float64
}

// carries are the leads at which that is learned, with what is held at the start: a half-life
// of three hours, worth a few observations.
func carries(hour int) []carry {
	var out []carry
	for _, quarter := range []int{1, 2, 4, 8, 12, 16, 24, 36, 48, 72, 96} { // of an hour
		lead := int64(quarter * hour / 4)
		if lead < 2 || len(out) > 0 && out[len(out)-1].lead == lead {
			continue
		}
		const weight = 5
		out = append(out, carry{lead: lead, xx: weight, xy: weight * math.Exp2(-float64(quarter)/12)})
	}
	return out
}

// lend teaches each lead what became of the deviation that stood so long before interval i,
// whose price is y (transformed) where the usual was.
func (f *Forecaster) lend(i int64, y, usual float64) {
	for k := range f.lasting {
		c := &f.lasting[k]
		if x := f.gone[f.slot(i-c.lead+1)]; !math.IsNaN(x) && c.lead < int64(len(f.gone)) {
			const keep = 0.9998
			c.xx = c.xx*keep + x*x
			c.xy = c.xy*keep + x*(y-usual)
		}
	}
}

// stays is the share of the present deviation that is left lead intervals on, between 0 and 1.
func (f *Forecaster) stays(lead int64) float64 {
	lo, share := int64(1), 1.0
	for _, c := range f.lasting {
		s := min(max(c.xy/c.xx, 0), 1)
		if lead <= c.lead {
			part := float64(lead-lo) / float64(c.lead-lo)
			return share + part*(s-share)
		}
		lo, share = c.lead, s
	}
	return share * math.Exp2(-float64(lead-lo)/float64(lo)) // beyond a day: halved each day
}

// band follows the 10, 50 and 90 per cent quantiles of errors, one step at a time (Robbins and
// Monro's stochastic approximation).
type band struct {
	at    [3]float64
	count float64
	size  float64 // mean of |error|: the length of a step
}

// learn takes up one error.
func (b *band) learn(e float64) {
	b.count++
	b.size += (math.Abs(e) - b.size) / min(b.count, 500)
	if b.count == 1 {
		b.at = [3]float64{-b.size, 0, b.size}
	}
	step := 3 * b.size / min(20+b.count, 400)
	for k, share := range [...]float64{0.1, 0.5, 0.9} {
		if e < b.at[k] {
			b.at[k] -= step * (1 - share)
		} else {
			b.at[k] += step * share
		}
	}
	b.at[0] = min(b.at[0], b.at[1])
	b.at[2] = max(b.at[2], b.at[1])
}
