package schedulecmd

import (
	"context"
	"time"

	"switchyard/market"
	"switchyard/sitefile"
)

const (
	// patience is how long sources on the network are waited for, grace how long once one of
	// them is in trouble: it has been asked three times by then.
	patience = 30 * time.Second
	grace    = 3 * time.Second
)

// wait lets sources on the network answer, if the site file has such. What is then still not
// known is noted by who asks for it.
func (c *console) wait(ctx context.Context, f *sitefile.File, m *market.Market, at time.Time, tell Progress) []string {
	asked := questions(f, m, at)
	if len(asked) == 0 {
		return m.Problems()
	}
	before := len(m.Problems())
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx) // it ends with ctx; a source that is not reached leaves its price unknown
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var trouble time.Time
	for ctx.Err() == nil && !answered(asked) {
		if trouble.IsZero() && len(m.Problems()) > before {
			trouble = time.Now()
		}
		if !trouble.IsZero() && time.Since(trouble) > grace {
			break
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
			tell.Tell("waiting for the market's sources")
		}
	}
	problems := m.Problems() // before cancel breaks off what is still under way
	cancel()
	<-ended
	return problems
}

func answered(asked []func() bool) bool {
	for _, known := range asked {
		if !known() {
			return false
		}
	}
	return true
}

// questions are what the sources on the network are to have answered before a plan is made.
func questions(f *sitefile.File, m *market.Market, at time.Time) []func() bool {
	const near = 26 * time.Hour
	from, to := at.Add(-near), at.Add(near)
	var out []func() bool
	if f.Market.Price.URL != "" || remote(f.Market.Price.Feed) {
		out = append(out, func() bool { return m.Price(at).Known })
	}
	if f.Market.Bitcoin.RPC != "" && len(f.Groups) > 0 {
		out = append(out, func() bool { return m.Hashprice(at).Known })
	}
	if d := f.Market.DayAhead; d != nil && remote(d.Feed) {
		out = append(out, func() bool { return someKnown(m.DayAheads(from, to), func(q market.Quote) bool { return q.Known }) })
	}
	for i, c := range f.Market.Charges.Coincident {
		if c.Load != nil && remote(c.Load.Feed) {
			out = append(out, func() bool {
				return someKnown(m.PeakLoads(i, from, to), func(q market.LoadQuote) bool { return q.Known })
			})
		}
	}
	for _, r := range f.Reserves {
		if r.Price != nil && remote(r.Price.Feed) {
			out = append(out, func() bool {
				return someKnown(m.ReservePrices(r.Name, from, to), func(q market.Quote) bool { return q.Known })
			})
		}
	}
	return out
}

func someKnown[T any](quotes []T, known func(T) bool) bool {
	for _, q := range quotes {
		if known(q) {
			return true
		}
	}
	return false
}

// remote says whether a feed comes over the network.
func remote(d *sitefile.Feed) bool {
	if d == nil {
		return false
	}
	_, local := d.Local()
	return !local
}
