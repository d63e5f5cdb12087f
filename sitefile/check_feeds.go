package sitefile

import (
	"errors"
	"fmt"

	"switchyard/sitefile/feed"
)

// feeds checks every feed of the file, and the series that belong to the market alone.
func (c *checker) feeds() {
	m := c.f.Market
	c.aheadSeries("market.day_ahead", m.DayAhead)
	c.aheadSeries("market.load", m.Load)
	c.feed("market.price.feed", "price", m.Price.Feed)
	c.seriesFeed("market.day_ahead", "day-ahead price", m.DayAhead)
	c.seriesFeed("market.load", "load", m.Load)
	for i, charge := range m.Charges.Coincident {
		c.seriesFeed(fmt.Sprintf("market.charges.coincident[%d].load", i), "load", charge.Load)
	}
	for i, r := range c.f.Reserves {
		c.seriesFeed(fmt.Sprintf("reserves[%d].price", i), "reserve", r.Price)
	}
}

func (c *checker) seriesFeed(path, what string, s *Series) {
	if s != nil {
		c.feed(path+".feed", what, s.Feed)
	}
}

func (c *checker) feed(path, what string, d *Feed) {
	if d != nil && c.doc.Has(path) && !c.doc.Faulty(path) {
		feed.Check(feedReporter{c}, path, what, d)
	}
}

// feedReporter tells the checker what is wrong with a feed.
type feedReporter struct{ c *checker }

func (r feedReporter) Has(path string) bool { return r.c.doc.Has(path) }

func (r feedReporter) Fault(path, suggestion, format string, args ...any) {
	r.c.Fault(path, suggestion, format, args...)
}

func (r feedReporter) Warn(path, suggestion, format string, args ...any) {
	r.c.Warn(path, suggestion, format, args...)
}

func (r feedReporter) Address(path, s string) { r.c.URL(path, s) }

// errFolder is what mustExist says of a folder, which a feed may read.
var errFolder = errors.New("it is a folder")

func (r feedReporter) File(path, p string) {
	if err := r.c.exists(r.c.f.Path(p)); err != nil && !errors.Is(err, errFolder) {
		r.c.Fault(path, "relative paths start at the site file's folder", "cannot read %s: %v", r.c.f.Path(p), err)
	}
}
