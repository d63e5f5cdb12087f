package venture

import (
	"fmt"

	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/world"
	"switchyard/study/world/exact"
)

// cloud is GPUs of our own, compiled.
type cloud struct {
	each    float64 // MW of critical load for one
	most    float64 // how many; zero: as many as the hall carries
	price   float64 // $ for one at Start
	rate    float64 // $ an hour at Start, times the hours sold of all
	fall    []float64
	opex    float64
	life    int
	renew   bool
	salvage float64
	prepaid float64
	limit   float64
	run     running
	exit    float64
}

func (s *Site) cloudOf(in *input.Cloud) (*cloud, error) {
	c := &cloud{
		each: is(in.PerGPU, 0).Megawatts(), most: float64(in.GPUs), opex: float64(is(in.Opex, 0)), life: int(is(in.Life, 0)),
		renew: in.Renew, salvage: float64(is(in.Salvage, 0)), prepaid: float64(is(in.Prepaid, 0)), limit: float64(is(in.CreditCap, 0.5)),
		run: runningOf(in.Load, in.Upkeep, in.Property), exit: is(in.Exit, 0),
	}
	if in.Capex == nil || in.Rate == nil || c.each <= 0 || c.life < 1 {
		return nil, fmt.Errorf("GPU cloud %q has no capex, rate, power per GPU or life", in.ID)
	}
	c.price, c.rate = float64(in.Capex.Is), float64(in.Rate.Is)*float64(is(in.Use, 1))
	for t := range s.months {
		c.fall = append(c.fall, exact.Pow(1-float64(is(in.Decay, 0)), float64(t)/12))
	}
	return c, nil
}

// gpus is how many a critical load carries: whole ones.
func (c *cloud) gpus(critical float64) float64 {
	// A load that is a whole number of them must not lose one to rounding.
	n := float64(int(critical/c.each + 1e-9))
	if c.most > 0 {
		n = min(n, c.most)
	}
	return n
}

// cloud fills the flows of a hall with GPUs of our own.
func (s *Site) cloud(c *cloud, pr *project, draw *curve, p *world.Path, v *flow.Flows) {
	s.construct(pr, draw, 0, v)
	s.blocks(pr.begin, pr.share, p, v)
	if pr.operates >= s.months {
		return // nobody buys GPUs for a hall that has no power, or is not ready, within the study
	}
	n := c.gpus(pr.critical)
	paid := s.buys(c, n, max(pr.begin, pr.operates-1), p, v)
	end := pr.operates + c.life
	var debt owed
	for t := pr.operates; t < s.months; t++ {
		if t == end {
			v.Line[flow.Resale][t] += float64(paid * c.salvage)
			if !c.again(t, s.months) {
				v.End = t + 1 // their sale is the last of it; the hall stands idle
				break
			}
			paid = s.buys(c, n, t, p, v)
			end += c.life
		}
		revenue := float64(n * c.rate * s.hours[t] * c.fall[t] * p.GPU[t])
		v.Line[flow.Cloud][t] = revenue
		v.Line[flow.Service][t] = -float64(revenue * c.opex)
		v.MW[t] = float64(n * c.each)
		s.runs(&c.run, pr, n*c.each, t, p, v)
		if t == pr.operates {
			debt.ahead = float64(paid * c.prepaid)
			v.Line[flow.Prepaid][t] = debt.ahead
		}
		debt.credit(float64(revenue*c.limit), t, v)
	}
	s.exit(c.exit, v)
}

// buys fills the purchase of n GPUs in a month and returns its price.
func (s *Site) buys(c *cloud, n float64, t int, p *world.Path, v *flow.Flows) float64 {
	cost := float64(n * c.price * c.fall[t] * p.CapexFactor)
	v.Line[flow.Machines][t] -= cost
	return cost
}

// again says whether GPUs are bought anew in month t: not for less than half a life within the study,
// unless somebody takes the cloud over at its end.
func (c *cloud) again(t, months int) bool {
	return c.renew && (c.exit > 0 || 2*(months-t) >= c.life)
}
