package market

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"switchyard/unit"
)

// HashFile says how to read a daily table of the Bitcoin network: CSV, packed or not, with
// the columns date (UTC), price_usd, hashrate_ehs, subsidy_btc and fees_btc.
type HashFile struct {
	Path  string
	Stale time.Duration // how long after its day a figure still counts
	Log   *slog.Logger  // tells of later readings of the file; nil: nobody
}

type networkDay struct {
	hashprice unit.Hashprice
	price     unit.Money
	perPH     float64
}

// FileHash is a HashFeed from a file. A day's figures hold from its midnight on: in a
// replay that is up to a day sooner than anybody knew them.
type FileHash struct{ file[networkDay] }

// OpenHashFile reads the whole file; see OpenPriceFile.
func OpenHashFile(o HashFile) (*FileHash, error) {
	f := &FileHash{file[networkDay]{path: o.Path, log: o.Log}}
	f.read = func(in io.Reader, p *problems) (*table[networkDay], error) { return readNetwork(in, p, o) }
	return f, f.load()
}

var networkColumns = []string{"date", "price_usd", "hashrate_ehs", "subsidy_btc", "fees_btc"}

func readNetwork(in io.Reader, p *problems, o HashFile) (*table[networkDay], error) {
	var rows []row[networkDay]
	var at [5]int
	twice := seen{}
	header := func(h []string) (err error) {
		for i, name := range networkColumns {
			if at[i], err = column(h, name); err != nil {
				return err
			}
		}
		return nil
	}
	each := func(line int, fields []string) error {
		if len(rows) >= maxRows {
			return errSkip
		}
		s, err := field(fields, at[0], "date")
		if err != nil {
			return err
		}
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return fmt.Errorf("the date %.40q is not like 2026-07-01", s)
		}
		v, err := networkFigures(fields, at)
		if err != nil {
			return err
		}
		twice.check(t.Unix(), line, p)
		rows = append(rows, row[networkDay]{start: t.Unix(), value: v})
		return nil
	}
	if err := readCSV(in, p, header, each); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no line holds a day's figures%s", p.name, firstOf(p))
	}
	return newTable(rows, day, o.Stale, p.name), nil
}

func networkFigures(fields []string, at [5]int) (networkDay, error) {
	var v [5]float64
	for i := 1; i < len(at); i++ {
		var err error
		if v[i], err = number(fields, at[i], networkColumns[i]); err != nil {
			return networkDay{}, err
		}
		most := [5]float64{0, 1e9, 1e6, 1e5, 1e5}[i]
		if v[i] < 0 || v[i] > most || v[i] == 0 && i <= 2 {
			return networkDay{}, fmt.Errorf("a %s of %.6g is not believed", networkColumns[i], v[i])
		}
	}
	d := networkDay{price: unit.Dollars(v[1])}
	d.hashprice, d.perPH = dayRevenue(v[3]+v[4], d.price, unit.Hashrate(v[2])*unit.ExaHash)
	return d, nil
}

func (h hit[T]) hashQuote(source string, d networkDay) HashQuote {
	return HashQuote{
		Hashprice: d.hashprice, From: h.from, To: h.to, Known: h.known, Stale: h.stale, Source: source, Reason: h.reason,
		BitcoinPrice: d.price, BTCPerPHDay: d.perPH,
	}
}

// At returns the hashprice of the day that holds t.
func (f *FileHash) At(t time.Time) HashQuote {
	table := f.table.Load()
	h := table.at(t)
	return h.hashQuote(table.source, h.value)
}

// Series returns the days that touch [from, to) and the gaps between them.
func (f *FileHash) Series(from, to time.Time) []HashQuote {
	table := f.table.Load()
	hits := table.series(from, to)
	out := make([]HashQuote, len(hits))
	for i, h := range hits {
		out[i] = h.hashQuote(table.source, h.value)
	}
	return out
}
