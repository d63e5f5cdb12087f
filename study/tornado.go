package study

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"switchyard/study/figure"
	"switchyard/study/finance"
	"switchyard/study/input"
	"switchyard/study/world"
)

// z90 is the standard normal's upper tenth.
const z90 = 1.2815515655446004

// lean is one input that the tornado moves, from low to high.
type lean struct {
	input, low, high, basis string
	set                     func(p *world.Path, high bool)
	terms                   func(t *finance.Terms, high bool)
	file                    func(f *input.File, high bool) // f is a copy, its figures are not: replace them
}

// times makes a lean by a factor either way.
func times(input string, part float64, f func(p *world.Path, k float64)) lean {
	return lean{
		input: input, low: fmt.Sprintf("-%.0f %%", part*100), high: fmt.Sprintf("+%.0f %%", part*100), basis: fmt.Sprintf("%.0f %% either way, all months", part*100),
		set: func(p *world.Path, high bool) {
			if high {
				f(p, 1+part)
			} else {
				f(p, 1-part)
			}
		},
	}
}

// tenths makes a lean from the P10 to the P90 of the file.
func tenths(input string, f func(p *world.Path, z float64)) lean {
	return lean{input: input, low: "P10", high: "P90", basis: "P10 and P90 of the file", set: func(p *world.Path, high bool) {
		if high {
			f(p, z90)
		} else {
			f(p, -z90)
		}
	}}
}

func leans() []lean {
	fill := func(v []float64, z float64) {
		for i := range v {
			v[i] = z
		}
	}
	rate := func(input string, f func(t *finance.Terms, by float64)) lean {
		return lean{input: input, low: "-2 points", high: "+2 points", basis: "two points either way", terms: func(t *finance.Terms, high bool) {
			if high {
				f(t, 0.02)
			} else {
				f(t, -0.02)
			}
		}}
	}
	return []lean{
		times("Price of bitcoin, difficulty as it is", 0.25, func(p *world.Path, k float64) { scale(p.Price, k); scale(p.Hashprice, k) }),
		times("Difficulty", 0.25, func(p *world.Path, k float64) { scale(p.Difficulty, k); scale(p.Hashprice, 1/k) }),
		times("Price of power", 0.25, func(p *world.Path, k float64) { scale(p.Level, k) }),
		times("Rent", 0.1, func(p *world.Path, k float64) { p.RentFactor *= k }),
		times("GPU rate", 0.25, func(p *world.Path, k float64) { scale(p.GPU, k) }),
		tenths("Time to build", func(p *world.Path, z float64) { fill(p.Delay, z) }),
		{
			input: "Tenants fail in month 36 of the term", low: "they fail", high: "they stay", basis: "one way",
			set: func(p *world.Path, high bool) {
				if !high {
					p.FailsAt = 36
				}
			},
		},
		rate("Discount rate", func(t *finance.Terms, by float64) { t.Discount = math.Max(0, t.Discount+by) }),
		{
			input: "Tax rate", low: "-5 points", high: "+5 points", basis: "five points either way",
			terms: func(t *finance.Terms, high bool) {
				if high {
					t.TaxRate += 0.05
				} else {
					t.TaxRate = math.Max(0, t.TaxRate-0.05)
				}
			},
		},
	}
}

// tornado moves one input at a time and values the choices, all else as expected.
func (e *engine) tornado(w *worker, best choices, base float64) []Bar {
	var out []Bar
	for _, l := range slices.Concat(leans(), spreads(), network()) {
		bar := Bar{Input: l.input, Low: l.low, High: l.high, Basis: l.basis, NPVLow: e.leaned(best, l, false), NPVHigh: e.leaned(best, l, true)}
		if math.Abs(bar.NPVLow-base)+math.Abs(bar.NPVHigh-base) > 1 {
			out = append(out, bar)
		}
	}
	slices.SortStableFunc(out, func(a, b Bar) int {
		return cmp.Compare(math.Abs(b.NPVHigh-b.NPVLow), math.Abs(a.NPVHigh-a.NPVLow))
	})
	w.expected()
	return out
}

func (e *engine) leaned(best choices, l lean, high bool) float64 {
	moved := *e
	if l.file != nil {
		f := *e.f
		l.file(&f, high)
		other, err := newEngine(&f)
		if err != nil {
			return math.NaN() // the file as moved is no study: there is no bar
		}
		moved = *other
	}
	if l.terms != nil {
		moved.terms = slices.Clone(e.terms)
		for i := range moved.terms {
			l.terms(&moved.terms[i], high)
		}
		l.terms(&moved.owners, high)
	}
	w := moved.worker()
	moved.model.Expected(w.path)
	if l.set != nil {
		l.set(w.path, high)
	}
	w.mine()
	return w.worth(best) + moved.fixed(w, moved.empty(best), nil)
}

// network moves what the file believes of the network: how fast machines improve, and the price of power at which its oldest
// ones rest. In the long run the two decide what mining earns.
func network() []lean {
	return []lean{
		{
			input: "Machines' improvement a year", low: "-10 points", high: "+10 points", basis: "ten points either way",
			file: func(f *input.File, high bool) {
				v := *f.Bitcoin.Improvement
				if v.Is -= 0.1; high {
					v.Is += 0.2
				}
				v.Is = min(max(v.Is, 0), 0.6)
				f.Bitcoin.Improvement = &v
			},
		},
		{
			input: "Network's power price, above which its oldest machines rest", low: "-25 %", high: "+25 %", basis: "25 % either way",
			file: func(f *input.File, high bool) {
				v := *f.Bitcoin.Floor
				if high {
					v.Is = v.Is * 5 / 4
				} else {
					v.Is = v.Is * 3 / 4
				}
				f.Bitcoin.Floor = &v
			},
		},
	}
}

// spreads moves what the file gives as a spread for building and for sales, each by itself: a path's one number stands
// for both, and what dearer building costs would cover what a dearer sale brings. And it leaves out the exit value.
func spreads() []lean {
	tenths := func(input string, file func(f *input.File, high bool)) lean {
		return lean{input: input, low: "P10", high: "P90", basis: "P10 and P90 of the file", file: file}
	}
	return []lean{
		tenths("Cost of building", func(f *input.File, high bool) {
			f.Halls, f.Greenfields = slices.Clone(f.Halls), slices.Clone(f.Greenfields)
			for i := range f.Halls {
				f.Halls[i].Capex = tenth(f.Halls[i].Capex, high)
			}
			for i := range f.Greenfields {
				f.Greenfields[i].Capex = tenth(f.Greenfields[i].Capex, high)
			}
		}),
		tenths("Price of a sale", func(f *input.File, high bool) {
			f.Sales = slices.Clone(f.Sales)
			for i := range f.Sales {
				f.Sales[i].Price = tenth(f.Sales[i].Price, high)
			}
		}),
		{
			input: "Exit multiple at the end of the study", low: "nothing", high: "as in the file", basis: "one way",
			file: func(f *input.File, high bool) {
				if !high {
					*f = *withoutExit(f)
				}
			},
		},
	}
}

// tenth is the P10 or the P90 of a spread, for certain.
func tenth(s *figure.Spread[figure.PerMW], high bool) *figure.Spread[figure.PerMW] {
	if s == nil || s.Certain() {
		return s
	}
	out := *s
	out.P10, out.P90, out.P50 = nil, nil, *s.P10
	if high {
		out.P50 = *s.P90
	}
	return &out
}
