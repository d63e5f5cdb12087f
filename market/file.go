package market

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"switchyard/market/iso"
	"switchyard/sitefile"
	"switchyard/unit"
)

// PriceFile says how to read a file of prices: CSV, packed with gzip or not, a header line,
// then for each interval its start (RFC 3339) and its price in $/MWh.
type PriceFile struct {
	Path     string
	Column   string        // of the price; default: the first whose name holds one of Names
	Names    []string      // default: "rt_price", then "price"
	Interval time.Duration // that a row holds; default: the commonest distance between rows
	Stale    time.Duration // how long after the end of its interval a price still counts
	Log      *slog.Logger  // tells of later readings of the file; nil: nobody
}

// FilePrices is a PriceFeed from a file.
type FilePrices struct{ file[unit.Price] }

// OpenPriceFile reads the whole file. Bad lines are skipped and told by Problems; a file
// without a sound line is an error. Run reads it again whenever it changes.
func OpenPriceFile(o PriceFile) (*FilePrices, error) {
	f := &FilePrices{file[unit.Price]{path: o.Path, log: o.Log}}
	f.read = func(in io.Reader, p *problems) (*table[unit.Price], error) { return readPrices(in, p, o) }
	return f, f.load()
}

func readPrices(in io.Reader, p *problems, o PriceFile) (*table[unit.Price], error) {
	if o.Names == nil {
		o.Names = []string{"rt_price", "price"}
	}
	return readSeries(in, p, o, "price", plausible)
}

// readSeries reads a file of what, each figure judged by value.
func readSeries[T any](in io.Reader, p *problems, o PriceFile, what string, value func(float64) (T, error)) (*table[T], error) {
	var rows []row[T]
	var when, figure int
	twice := seen{}
	header := func(h []string) (err error) {
		if when, err = column(h, "", "interval_start", "start", "time", "date"); err != nil {
			return err
		}
		figure, err = column(h, o.Column, o.Names...)
		return err
	}
	each := func(line int, fields []string) error {
		if len(rows) >= maxRows {
			return errSkip
		}
		s, err := field(fields, when, "time")
		if err != nil {
			return err
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return fmt.Errorf("the time %.40q is not like 2026-07-01T16:00:00Z", s)
		}
		v, err := number(fields, figure, what)
		if err != nil {
			return err
		}
		kept, err := value(v)
		if err != nil {
			return err
		}
		twice.check(t.Unix(), line, p)
		rows = append(rows, row[T]{start: t.Unix(), value: kept})
		return nil
	}
	if err := readCSV(in, p, header, each); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no line holds a time and a %s%s", p.name, what, firstOf(p))
	}
	return newTable(rows, o.Interval, o.Stale, p.name), nil
}

// plausible refuses a price that no market has ever had, and figures that stand for none.
func plausible(dollars float64) (unit.Price, error) {
	low, high := sitefile.MinPrice.DollarsPerMWh(), sitefile.MaxPrice.DollarsPerMWh()
	if dollars < low || dollars > high || dollars != dollars {
		return 0, fmt.Errorf("a price of %.6g $/MWh is outside %.0f to %.0f and is not believed", dollars, low, high)
	}
	if iso.Filler(dollars) {
		return 0, fmt.Errorf("%.10g stands for a price that is not there; it counts as missing", dollars)
	}
	return unit.DollarsPerMWh(dollars), nil
}

func firstOf(p *problems) string {
	if len(p.told) == 0 {
		return ""
	}
	return "; " + p.told[0]
}

func (h hit[T]) quote(source string) Quote {
	return Quote{From: h.from, To: h.to, Known: h.known, Stale: h.stale, Source: source, Reason: h.reason}
}

// At returns the price of the row that holds t.
func (f *FilePrices) At(t time.Time) Quote {
	table := f.table.Load()
	h := table.at(t)
	q := h.quote(table.source)
	q.Price = h.value
	return q
}

// Series returns the rows that touch [from, to) and the gaps between them.
func (f *FilePrices) Series(from, to time.Time) []Quote {
	table := f.table.Load()
	hits := table.series(from, to)
	out := make([]Quote, len(hits))
	for i, h := range hits {
		out[i] = h.quote(table.source)
		out[i].Price = h.value
	}
	return out
}

// Covers returns the time from the first row's start to the last one's end.
func (f *FilePrices) Covers() (from, to time.Time) {
	t := f.table.Load()
	return t.start(0), t.end(len(t.rows) - 1)
}

// look is how often, in machine time, a file is asked whether it has changed.
const look = 30 * time.Second

// file is a table that is read again when its file changes.
type file[T any] struct {
	path  string
	log   *slog.Logger
	read  func(io.Reader, *problems) (*table[T], error)
	table atomic.Pointer[table[T]]
	wrong atomic.Pointer[[]string]
	stat  os.FileInfo // of the last reading; only load writes it
}

// Problems returns what was wrong with the file when it was last read.
func (f *file[T]) Problems() []string {
	if p := f.wrong.Load(); p != nil {
		return *p
	}
	return nil
}

// load reads the file; on an error the table that was there stays.
func (f *file[T]) load() error {
	in, err := openMaybeGzip(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	f.stat, _ = os.Stat(f.path) // nil looks like a change, and is read again
	p := &problems{name: base(f.path)}
	t, err := f.read(in, p)
	list := p.list()
	if err != nil {
		if f.table.Load() != nil {
			list = append(list, fmt.Sprintf("%v; what was read before stays", err))
			f.wrong.Store(&list)
		}
		return err
	}
	f.wrong.Store(&list)
	f.table.Store(t)
	return nil
}

// Run reads the file again whenever its size or time changes, until ctx ends.
func (f *file[T]) Run(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.again()
		}
	}
}

func (f *file[T]) again() {
	now, err := os.Stat(f.path)
	if err != nil || f.stat != nil && now.Size() == f.stat.Size() && now.ModTime().Equal(f.stat.ModTime()) {
		return // a file that went away is a file that does not grow: its rows age
	}
	if err = f.load(); f.log == nil {
		return
	}
	if err != nil {
		f.log.Warn("market file changed and cannot be read; what was read before stays", "file", f.path, "err", err)
		return
	}
	f.log.Info("market file read again", "file", f.path, "rows", len(f.table.Load().rows))
}
