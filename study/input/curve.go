package input

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/market/iso"
	"switchyard/market/lines"
	"switchyard/sitefile"
	"switchyard/strictyaml"
)

// The bounds of a file of prices. Beyond them it is refused, not cut.
const (
	maxUnpacked  = 256 << 20 // bytes
	maxPriceLine = 64 << 10
	maxPriceRows = 2_000_000 // 5-minute rows of 19 years
)

// fewHours is what a month of the calendar must hold to be believed alone.
const fewHours = 600

// readCurve reads the hourly prices that the file names into Curve.
func (l *loader) readCurve() {
	t := &l.f.Power
	if t.Prices == "" {
		return
	}
	data := l.beside("power.prices", t.Prices)
	if data == nil {
		return
	}
	p, err := readPrices(data, t.Column)
	if err != nil {
		what, right, _ := strings.Cut(err.Error(), "; ")
		l.fault("power.prices", right, "%s: %s", t.Prices, what)
		return
	}
	if p.bad > 0 {
		l.warn("power.prices", "", "%s: %d of %d lines are left out; the first: %s", t.Prices, p.bad, p.bad+len(p.rows), p.first)
	}
	l.curve(p)
}

// curve sorts the hours into the months of the calendar, all years together.
func (l *loader) curve(p *prices) {
	c := &l.f.Curve
	all := make([]float64, 0, len(p.rows))
	p.hours(func(month int, price float64) {
		c[month] = append(c[month], price)
		all = append(all, price)
	})
	slices.Sort(all)
	var lacking []string
	for m := range c {
		name := time.Month(m + 1).String()
		switch n := len(c[m]); {
		case n == 0:
			c[m] = all
			lacking = append(lacking, name)
		case n < fewHours:
			l.warn("power.prices", "", "%s holds %d hours of %s alone: they stand for the whole month", l.f.Power.Prices, n, name)
		}
		slices.Sort(c[m])
	}
	if len(lacking) > 0 {
		l.warn("power.prices", "add the missing months, best of whole years", "%s holds no prices of %s: those months take the whole file's", l.f.Power.Prices, strings.Join(lacking, ", "))
	}
}

// prices are the sound rows of a file, in the order of time, and what was wrong with the others.
type prices struct {
	rows  []priceRow
	bad   int
	first string // of the bad ones
}

type priceRow struct {
	start int64 // Unix seconds
	price float64
}

// hours calls each with every hour's mean price and its month of the calendar in UTC, from 0.
func (p *prices) hours(each func(month int, price float64)) {
	for i := 0; i < len(p.rows); {
		hour, sum, n := p.rows[i].start/3600, 0.0, 0
		for ; i < len(p.rows) && p.rows[i].start/3600 == hour; i++ {
			sum += p.rows[i].price
			n++
		}
		each(int(time.Unix(hour*3600, 0).UTC().Month())-1, sum/float64(n))
	}
}

// step is the commonest distance between rows, in seconds.
func (p *prices) step() int64 {
	steps := make([]int64, 0, len(p.rows))
	for i := 1; i < len(p.rows); i++ {
		steps = append(steps, p.rows[i].start-p.rows[i-1].start)
	}
	slices.Sort(steps)
	best, most := int64(0), 0
	for i := 0; i < len(steps); {
		j := i
		for ; j < len(steps) && steps[j] == steps[i]; j++ {
		}
		if j-i > most {
			best, most = steps[i], j-i
		}
		i = j
	}
	return best
}

// wrong leaves out a line; zero: one of the lines, which one is not known any more.
func (p *prices) wrong(line int, format string, args ...any) {
	if p.bad++; p.bad == 1 {
		p.first = fmt.Sprintf(format, args...)
		if line > 0 {
			p.first = fmt.Sprintf("line %d: ", line) + p.first
		}
	}
}

// readPrices reads a CSV, packed with gzip or not: a header, then by line the start of an interval
// (RFC 3339) and its price in $/MWh. An error says after "; " what would be right.
func readPrices(data []byte, column string) (*prices, error) {
	plain, err := lines.Unpack(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("it cannot be unpacked (%w)", err)
	}
	in := &io.LimitedReader{R: plain, N: maxUnpacked + 1}
	p := &prices{}
	if err := p.read(in, column); err != nil {
		return nil, err
	}
	if in.N <= 0 {
		return nil, fmt.Errorf("it has more than %d bytes unpacked; keep some years of hourly prices", maxUnpacked)
	}
	return p, p.settle()
}

func (p *prices) read(in io.Reader, column string) error {
	scan := bufio.NewScanner(in)
	scan.Buffer(make([]byte, 0, 4096), maxPriceLine)
	when, what, headed := 0, 0, false
	var fields []string
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(strings.TrimPrefix(scan.Text(), "\uFEFF"))
		if text == "" {
			continue
		}
		var sound bool
		if fields, sound = lines.Split(text, fields[:0]); !sound {
			p.wrong(line, "the quotes do not match")
			continue
		}
		if !headed {
			var err error
			if when, what, err = columns(fields, column); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
			headed = true
			continue
		}
		if len(p.rows) >= maxPriceRows {
			return fmt.Errorf("it has more than %d rows; keep some years of hourly prices", maxPriceRows)
		}
		row, err := priceOf(fields, when, what)
		if err != nil {
			p.wrong(line, "%v", err)
			continue
		}
		p.rows = append(p.rows, row)
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("it breaks off: %w", err)
	}
	if !headed {
		return errors.New("it is empty; there must be a header line, then times and prices")
	}
	return nil
}

// columns finds the columns of time and price as a backtest does.
func columns(header []string, column string) (when, what int, err error) {
	seek := func(parts ...string) int {
		for _, part := range parts {
			for i, h := range header {
				if strings.Contains(strings.ToLower(h), part) {
					return i
				}
			}
		}
		return -1
	}
	shown := header[:min(len(header), 12)]
	if when = seek("interval_start", "start", "time", "date"); when < 0 {
		return 0, 0, fmt.Errorf("no column is of time; name one interval_start; the columns are %.200q", shown)
	}
	if column != "" {
		what = slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(h, column) })
		if what < 0 {
			return 0, 0, fmt.Errorf("there is no column %q; %s", column, strictyaml.Suggest(column, header))
		}
		return when, what, nil
	}
	if what = seek("rt_price", "price"); what < 0 {
		return 0, 0, fmt.Errorf("no column's name holds \"price\"; name it by prices_column: the columns are %.200q", shown)
	}
	return when, what, nil
}

func priceOf(fields []string, when, what int) (priceRow, error) {
	if n := len(fields); when >= n || what >= n {
		return priceRow{}, fmt.Errorf("it has %d fields", n)
	}
	t, err := time.Parse(time.RFC3339, fields[when])
	if err != nil || t.Year() < 1970 || t.Year() > 2199 {
		return priceRow{}, fmt.Errorf("the time %.40q is not like 2026-07-01T16:00:00Z", fields[when])
	}
	v, err := strconv.ParseFloat(fields[what], 64)
	if err != nil || math.IsNaN(v) {
		return priceRow{}, fmt.Errorf("the price %.40q is not a number", fields[what])
	}
	low, high := sitefile.MinPrice.DollarsPerMWh(), sitefile.MaxPrice.DollarsPerMWh()
	if v < low || v > high || iso.Filler(v) {
		return priceRow{}, fmt.Errorf("a price of %.6g $/MWh is not believed", v)
	}
	return priceRow{t.Unix(), v}, nil
}

// settle puts the rows in order, keeps the last of those of one time, and refuses what is no
// hourly series.
func (p *prices) settle() error {
	if len(p.rows) == 0 {
		if p.first != "" {
			return fmt.Errorf("no line holds a time and a price; %s", p.first)
		}
		return errors.New("no line holds a time and a price; each line is like 2026-07-01T16:00:00Z,35.20")
	}
	if p.bad > len(p.rows)/20 {
		return fmt.Errorf("%d of %d lines are unsound; the first: %s", p.bad, p.bad+len(p.rows), p.first)
	}
	slices.SortStableFunc(p.rows, func(a, b priceRow) int { return cmp.Compare(a.start, b.start) })
	kept := p.rows[:0]
	for i, r := range p.rows {
		if i+1 < len(p.rows) && p.rows[i+1].start == r.start {
			p.wrong(0, "%s stands twice: the last counts", time.Unix(r.start, 0).UTC().Format(time.RFC3339))
			continue
		}
		kept = append(kept, r)
	}
	p.rows = kept
	if step := p.step(); step > 3600 {
		return fmt.Errorf("its rows lie %d hours apart; a study needs prices by the hour or finer", step/3600)
	}
	if len(p.rows) < 24 {
		return fmt.Errorf("it holds %d rows; a study needs at least a day of them, and better a year", len(p.rows))
	}
	return nil
}
