// Package market owns what the site's power and work are worth: the price feeds (file,
// HTTP, the market operators' reports, fixed, made up), day-ahead and real-time kept apart,
// the grid's load, reserve prices, the Bitcoin network's figures and the hashprice made of
// them, and the limits that the site file sets on the calendar.
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
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"switchyard/clock"
	"switchyard/market/iso"
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

// Sources are the feeds of a Market. Price and Hash must be there.
type Sources struct {
	Price    PriceFeed
	Hash     HashFeed
	DayAhead PriceFeed
	Load     LoadFeed
	Reserves map[string]PriceFeed // by the reserve's name
	Peaks    []LoadFeed           // of each coincident charge, in the site file's order; nil: Load
	Adder    unit.Price           // on every known price of power, the day-ahead one's too
}

// Market answers for one site: power price with the site's adder, day-ahead price, hashprice,
// the grid's load and the prices of reserves.
type Market struct{ s Sources }

// New makes a Market of feeds; adder is added to every known power price.
func New(price PriceFeed, hash HashFeed, adder unit.Price) *Market {
	return NewFrom(Sources{Price: price, Hash: hash, Adder: adder})
}

// NewFrom makes a Market of Sources; those that are nil are never known.
func NewFrom(s Sources) *Market {
	if s.DayAhead == nil {
		s.DayAhead = noPrice{"the day-ahead price"}
	}
	if s.Load == nil {
		s.Load = noLoad{}
	}
	return &Market{s}
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
	s := Sources{Price: price, Hash: hash, Adder: f.Market.Price.Adder}
	if err := s.openSeries(f, c, log); err != nil {
		return nil, err
	}
	return NewFrom(s), nil
}

// openSeries opens what the schedule looks at: the day-ahead price, loads, reserve prices.
func (s *Sources) openSeries(f *sitefile.File, c clock.Clock, log *slog.Logger) (err error) {
	o := SeriesOptions{Kind: iso.DayAhead, Clock: c, Log: log}
	if d := f.Market.DayAhead; d != nil {
		if s.DayAhead, err = OpenSeries(f, *d, o); err != nil {
			return fmt.Errorf("open day-ahead price: %w", err)
		}
	}
	o.Stale = staleLoad
	if d := f.Market.Load; d != nil {
		if s.Load, err = OpenLoad(f, *d, o); err != nil {
			return fmt.Errorf("open the grid's load: %w", err)
		}
	}
	for _, charge := range f.Market.Charges.Coincident {
		var load LoadFeed
		if charge.Load != nil && charge.Load != f.Market.Load {
			if load, err = OpenLoad(f, *charge.Load, o); err != nil {
				return fmt.Errorf("open the load of charge %s: %w", charge.Name, err)
			}
		}
		s.Peaks = append(s.Peaks, load)
	}
	s.Reserves = map[string]PriceFeed{}
	for _, p := range f.Reserves {
		o := SeriesOptions{Kind: iso.Reserve, Product: p.Name, Clock: c, Log: log}
		switch {
		case p.Fixed != nil:
			s.Reserves[p.Name] = Fixed(*p.Fixed)
		case p.Price != nil:
			if s.Reserves[p.Name], err = OpenSeries(f, *p.Price, o); err != nil {
				return fmt.Errorf("open the price of reserve %s: %w", p.Name, err)
			}
		}
	}
	return nil
}

// staleLoad is how long a load counts after its interval: grids change by the hour.
const staleLoad = time.Hour

func openPrice(f *sitefile.File, c clock.Clock, log *slog.Logger) (PriceFeed, error) {
	p := f.Market.Price
	switch {
	case p.Feed != nil:
		r, err := reportsOf(f, *p.Feed, SeriesOptions{Kind: iso.RealTime, Stale: p.Stale, Clock: c, Log: log})
		if err != nil {
			return nil, err
		}
		return OpenReportPrices(r)
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
func (m *Market) Price(t time.Time) Quote { return m.add(m.s.Price.At(t)) }

// Prices returns the power prices of the intervals that touch [from, to), with the adder.
func (m *Market) Prices(from, to time.Time) []Quote { return m.addAll(m.s.Price.Series(from, to)) }

// DayAhead returns the day-ahead price at site time t, with the adder, so that it stands
// beside Price as it is.
func (m *Market) DayAhead(t time.Time) Quote { return m.add(m.s.DayAhead.At(t)) }

// DayAheads returns the day-ahead prices of the intervals that touch [from, to), with the
// adder; nothing where the site file names no source.
func (m *Market) DayAheads(from, to time.Time) []Quote {
	return m.addAll(m.s.DayAhead.Series(from, to))
}

func (m *Market) addAll(out []Quote) []Quote {
	for i := range out {
		out[i] = m.add(out[i])
	}
	return out
}

func (m *Market) add(q Quote) Quote {
	if q.Known {
		q.Price += m.s.Adder
	}
	return q
}

// Load returns the grid's load at site time t.
func (m *Market) Load(t time.Time) LoadQuote { return m.s.Load.At(t) }

// Loads returns the grid's loads of the intervals that touch [from, to).
func (m *Market) Loads(from, to time.Time) []LoadQuote { return m.s.Load.Series(from, to) }

// PeakLoads returns the loads that the i-th coincident charge of the site file goes by: its
// own series, or the market's.
func (m *Market) PeakLoads(i int, from, to time.Time) []LoadQuote {
	return m.peak(i).Series(from, to)
}

// PeakLoad returns the load of the i-th coincident charge at site time t.
func (m *Market) PeakLoad(i int, t time.Time) LoadQuote { return m.peak(i).At(t) }

func (m *Market) peak(i int) LoadFeed {
	if i >= 0 && i < len(m.s.Peaks) && m.s.Peaks[i] != nil {
		return m.s.Peaks[i]
	}
	return m.s.Load
}

// Reserve returns what a MW of the reserve of that name, held for an hour, earns at site time
// t, in $/MW and hour and without any adder.
func (m *Market) Reserve(name string, t time.Time) Quote { return m.reserve(name).At(t) }

// ReservePrices returns what the reserve earns in the intervals that touch [from, to).
func (m *Market) ReservePrices(name string, from, to time.Time) []Quote {
	return m.reserve(name).Series(from, to)
}

func (m *Market) reserve(name string) PriceFeed {
	if f := m.s.Reserves[name]; f != nil {
		return f
	}
	return noPrice{"the price of the reserve " + name}
}

// Hashprice returns what hashing earns at site time t.
func (m *Market) Hashprice(t time.Time) HashQuote { return m.s.Hash.At(t) }

// Hashprices returns the hashprices of the intervals that touch [from, to).
func (m *Market) Hashprices(from, to time.Time) []HashQuote { return m.s.Hash.Series(from, to) }

// feeds returns all sources, those of reserves in the order of their names.
func (m *Market) feeds() []any {
	out := []any{m.s.Price, m.s.Hash, m.s.DayAhead, m.s.Load}
	for _, f := range m.s.Peaks {
		out = append(out, f)
	}
	for _, name := range slices.Sorted(maps.Keys(m.s.Reserves)) {
		out = append(out, m.s.Reserves[name])
	}
	return out
}

// Run keeps the feeds fresh until ctx ends, and then returns nil. A source that cannot be
// reached is no error: its quotes age and say so.
func (m *Market) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, feed := range m.feeds() {
		if r, ok := feed.(runner); ok {
			g.Go(func() error { return r.Run(ctx) })
		}
	}
	return g.Wait()
}

// Problems returns what is wrong with the sources, such as "prices.csv:17: …", bounded.
func (m *Market) Problems() []string {
	var out []string
	for _, feed := range m.feeds() {
		if t, ok := feed.(troubled); ok {
			out = append(out, t.Problems()...)
		}
	}
	return slices.Clip(out)
}
