package venture

import (
	"fmt"

	"switchyard/study/figure"
	"switchyard/study/flow"
	"switchyard/study/input"
	"switchyard/study/world"
)

// sale is a way out, compiled.
type sale struct {
	site  bool // the hall with its power; else the power alone
	price *figure.Spread[figure.PerMW]
	keeps float64 // of the price, after costs
	after int
}

func saleOf(in *input.Sale) (*sale, error) {
	w := &sale{site: in.Of == "site", price: in.Price, keeps: 1 - float64(is(in.Costs, 0)), after: int(is(in.After, 0))}
	if !w.site && in.Of != "power" {
		return nil, fmt.Errorf("sale %q is of %q; write site or power", in.ID, in.Of)
	}
	if w.site && in.Price == nil {
		return nil, fmt.Errorf("sale %q of a site has no price", in.ID)
	}
	return w, nil
}

// sell fills what remains of a hall from its closing on: the price of a site, the blocks of power.
func (s *Site) sell(w *sale, hall, closing int, p *world.Path, v *flow.Flows) {
	v.Begin, v.Operate, v.End = min(closing, s.months), min(closing, s.months), s.months
	if closing >= s.months {
		return
	}
	h := &s.halls[hall]
	if !w.site {
		s.blocks(closing, h.share, p, v)
		return
	}
	v.End = closing + 1
	v.Line[flow.Sale][closing] = float64(h.mw * float64(world.At(w.price, p.Cost[hall])) * w.keeps)
}
