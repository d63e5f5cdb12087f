// Package market owns what the site's power and work are worth: the price feeds (file,
// HTTP, fixed, made up), the Bitcoin network's figures and the hashprice made of them, and
// the limits that the site file sets on the calendar.
//
// It never decides what a load does with a price, never gives a price without its interval
// and source, and never takes an old or a missing price for a new one: a Quote says Known
// and Stale, and the reason where it is not known.
//
// Concurrency: every feed and the Market are safe for concurrent use. At, Series, Price and
// Hashprice never block on a disk or a network; only Run does, and it is called once.
package market

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"switchyard/clock"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Quote is the price of power at a time.
type Quote struct {
	Price    unit.Price // positive: the consumer pays; zero while not Known
	From, To time.Time  // the interval that the price was given for
	// Known says that the price may be used. Stale says that its interval is over and no
	// newer price came, but not for longer than the feed is allowed to carry on.
	Known, Stale bool
	Source       string // the file, the address, "fixed" or "made up"
	Reason       string // for people: why it is stale or not known; empty for a fresh price
}

// PriceFeed is a source of power prices.
type PriceFeed interface {
	// At returns the price at site time t. It never blocks.
	At(t time.Time) Quote
	// Series returns the prices of the intervals that touch [from, to), in order, with a
	// Quote that is not Known for every gap between them. It never blocks.
	Series(from, to time.Time) []Quote
}

// HashQuote is what hashing earns at a time.
type HashQuote struct {
	Hashprice    unit.Hashprice // before pool fees; zero while not Known
	From, To     time.Time
	Known, Stale bool
	Source       string
	Reason       string
	// Figures behind it, where the source has them; else zero.
	BitcoinPrice unit.Money // of one bitcoin
	BTCPerPHDay  float64    // bitcoin that a PH/s earns a day
}

// HashFeed is a source of hashprice. Its calls behave as those of a PriceFeed.
type HashFeed interface {
	At(t time.Time) HashQuote
	Series(from, to time.Time) []HashQuote
}

// runner is a feed that has something to fetch; Run returns nil once ctx ends.
type runner interface {
	Run(ctx context.Context) error
}

// troubled is a feed that found something wrong in its source.
type troubled interface{ Problems() []string }

// Market answers for one site: power price with the site's adder, and hashprice.
type Market struct {
	price PriceFeed
	hash  HashFeed
	adder unit.Price
}

// New makes a Market of feeds; adder is added to every known power price.
func New(price PriceFeed, hash HashFeed, adder unit.Price) *Market {
	return &Market{price: price, hash: hash, adder: adder}
}

// Open makes the Market that the site file describes. It reads files, and no network: that
// is Run's. A file without one sound line is an error; single bad lines are Problems.
func Open(f *sitefile.File, c clock.Clock, log *slog.Logger) (*Market, error) {
	price, err := openPrice(f, c, log)
	if err != nil {
		return nil, fmt.Errorf("open power price: %w", err)
	}
	hash, err := openHash(f, c, log)
	if err != nil {
		return nil, fmt.Errorf("open Bitcoin figures: %w", err)
	}
	return New(price, hash, f.Market.Price.Adder), nil
}

func openPrice(f *sitefile.File, c clock.Clock, log *slog.Logger) (PriceFeed, error) {
	p := f.Market.Price
	switch {
	case p.CSV != "":
		return OpenPriceFile(PriceFile{Path: f.Path(p.CSV), Column: p.Column, Interval: p.Interval, Stale: p.Stale, Log: log})
	case p.URL != "":
		return NewPolled(Polled{
			URL: p.URL, TimeField: p.TimeField, PriceField: p.PriceField,
			Interval: p.Interval, Poll: p.Poll, Stale: p.Stale, Clock: c, Log: log,
		}), nil
	case p.Fixed != nil:
		return Fixed(*p.Fixed), nil
	case p.MadeUp != nil:
		zone, err := time.LoadLocation(f.Site.Timezone)
		if err != nil {
			return nil, fmt.Errorf("made-up days: %w", err)
		}
		y, m, d := c.Now().In(zone).Date()
		return MadeUpDay(time.Date(y, m, d, 0, 0, 0, 0, zone), *p.MadeUp), nil
	}
	return nil, fmt.Errorf("the site file names no source")
}

func openHash(f *sitefile.File, c clock.Clock, log *slog.Logger) (HashFeed, error) {
	b := f.Market.Bitcoin
	switch {
	case b.CSV != "":
		return OpenHashFile(HashFile{Path: f.Path(b.CSV), Stale: b.Stale, Log: log})
	case b.RPC != "":
		user, password, err := f.Login(b.Credentials)
		if err != nil {
			return nil, err
		}
		return NewNode(Node{
			URL: b.RPC, User: user, Password: password, PriceUSD: b.PriceUSD, PriceURL: b.PriceURL, PriceField: b.PriceField,
			Poll: b.Poll, Stale: b.Stale, Clock: c, Log: log,
		}), nil
	case b.Hashprice != nil:
		return FixedHash(*b.Hashprice), nil
	}
	return noHash{}, nil
}

// Price returns the power price at site time t, with the adder.
func (m *Market) Price(t time.Time) Quote { return m.add(m.price.At(t)) }

// Prices returns the power prices of the intervals that touch [from, to), with the adder.
func (m *Market) Prices(from, to time.Time) []Quote {
	out := m.price.Series(from, to)
	for i := range out {
		out[i] = m.add(out[i])
	}
	return out
}

func (m *Market) add(q Quote) Quote {
	if q.Known {
		q.Price += m.adder
	}
	return q
}

// Hashprice returns what hashing earns at site time t.
func (m *Market) Hashprice(t time.Time) HashQuote { return m.hash.At(t) }

// Hashprices returns the hashprices of the intervals that touch [from, to).
func (m *Market) Hashprices(from, to time.Time) []HashQuote { return m.hash.Series(from, to) }

// Run keeps the feeds fresh until ctx ends, and then returns nil. A source that cannot be
// reached is no error: its quotes age and say so.
func (m *Market) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, feed := range []any{m.price, m.hash} {
		if r, ok := feed.(runner); ok {
			g.Go(func() error { return r.Run(ctx) })
		}
	}
	return g.Wait()
}

// Problems returns what is wrong with the sources, such as "prices.csv:17: …", bounded.
func (m *Market) Problems() []string {
	var out []string
	for _, feed := range []any{m.price, m.hash} {
		if t, ok := feed.(troubled); ok {
			out = append(out, t.Problems()...)
		}
	}
	return slices.Clip(out)
}
