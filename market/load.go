package market

import (
	"fmt"
	"io"
	"time"

	"switchyard/unit"
)

// LoadQuote is what a grid draws at a time.
type LoadQuote struct {
	Load     unit.Power // of the whole system or a zone; zero while not Known
	From, To time.Time
	// Known and Stale are as those of a Quote.
	Known, Stale bool
	Source       string
	Reason       string
}

// LoadFeed is a source of the grid's load. Its calls behave as those of a PriceFeed.
type LoadFeed interface {
	At(t time.Time) LoadQuote
	Series(from, to time.Time) []LoadQuote
}

// FileLoad is a LoadFeed from a file with a column of MW.
type FileLoad struct{ file[unit.Power] }

// OpenLoadFile reads a file as OpenPriceFile does, its figures as MW. The column is by default
// the first whose name holds "load", else "demand" or "mw".
func OpenLoadFile(o PriceFile) (*FileLoad, error) {
	if o.Names == nil {
		o.Names = []string{"load", "demand", "mw"}
	}
	f := &FileLoad{file[unit.Power]{path: o.Path, log: o.Log}}
	f.read = func(in io.Reader, p *problems) (*table[unit.Power], error) {
		return readSeries(in, p, o, "load", plausibleLoad)
	}
	return f, f.load()
}

// plausibleLoad refuses what no grid draws.
func plausibleLoad(mw float64) (unit.Power, error) {
	if mw <= 0 || mw >= 999_999 {
		return 0, fmt.Errorf("a load of %.6g MW is not believed", mw)
	}
	return unit.Watts(mw * 1e6), nil
}

func (h hit[T]) loadQuote(source string, load unit.Power) LoadQuote {
	return LoadQuote{Load: load, From: h.from, To: h.to, Known: h.known, Stale: h.stale, Source: source, Reason: h.reason}
}

// At returns the load of the row that holds t.
func (f *FileLoad) At(t time.Time) LoadQuote {
	table := f.table.Load()
	h := table.at(t)
	return h.loadQuote(table.source, h.value)
}

// Series returns the rows that touch [from, to) and the gaps between them.
func (f *FileLoad) Series(from, to time.Time) []LoadQuote {
	table := f.table.Load()
	hits := table.series(from, to)
	out := make([]LoadQuote, len(hits))
	for i, h := range hits {
		out[i] = h.loadQuote(table.source, h.value)
	}
	return out
}

// noLoad is for a site file that names no load; noPrice for one without such a price.
type (
	noLoad  struct{}
	noPrice struct{ what string }
)

func (noLoad) At(t time.Time) LoadQuote {
	return LoadQuote{From: t, To: t, Source: "none", Reason: "the site file names no source of the grid's load"}
}

func (noLoad) Series(_, _ time.Time) []LoadQuote { return nil }

func (n noPrice) At(t time.Time) Quote {
	return Quote{From: t, To: t, Source: "none", Reason: "the site file names no source of " + n.what}
}

func (n noPrice) Series(_, _ time.Time) []Quote { return nil }
