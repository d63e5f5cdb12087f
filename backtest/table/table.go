// Package table owns the reading of files of numbers by time: CSV, packed or not, columns side
// by side, laid on a regular grid.
//
// It never fills a gap: what is missing, absurd or off the grid is no number, and counted.
//
// Concurrency: a Table and a Series are immutable once read.
package table

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/market/lines"
	"switchyard/strictyaml"
)

// The bounds of one file; what lies beyond is an error and not left out, for a backtest of
// half a file would look like one of all of it.
const (
	maxBytes   = 512 << 20 // unpacked
	maxRows    = 2_000_000 // 5-minute rows of 19 years
	maxColumns = 64
	maxLine    = 64 << 10
	MaxTold    = 8 // bad lines told one by one
)

// Table is a file of numbers by time, columns side by side. Missing numbers are NaN.
type Table struct {
	Name    string
	Header  []string // without the time's
	starts  []int64  // Unix seconds, ascending, each once
	columns [][]float64
	// Told are the first bad lines in words; Bad, Twice and Null are how many lines could
	// not be read, stood twice (the later one counts) and how many cells were empty.
	Told             []string
	Bad, Twice, Null int
}

// Open reads a CSV file, packed with gzip or not. It blocks on the disk.
func Open(path string) (*Table, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return Read(filepath.Base(path), in)
}

// Read reads what Open opens; name is for messages.
func Read(name string, in io.Reader) (*Table, error) {
	plain, err := lines.Unpack(in)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	limited := &io.LimitedReader{R: plain, N: maxBytes + 1}
	scan := bufio.NewScanner(limited)
	scan.Buffer(make([]byte, 0, 4096), maxLine)
	t := &Table{Name: name}
	when := -1
	var fields []string
	for n := 1; scan.Scan(); n++ {
		text := strings.TrimSuffix(scan.Text(), "\r")
		if n == 1 {
			text = strings.TrimPrefix(text, "\uFEFF")
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		var sound bool
		if fields, sound = lines.Split(text, fields[:0]); !sound {
			t.fault(n, "the quotes do not match")
			continue
		}
		if when < 0 {
			if when, err = t.heads(fields); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
			continue
		}
		if len(t.starts) >= maxRows {
			return nil, fmt.Errorf("%s:%d: more than %d rows", name, n, maxRows)
		}
		t.row(n, when, fields)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("%s holds more than %d MB", name, maxBytes>>20)
	}
	if when < 0 {
		return nil, fmt.Errorf("%s is empty: a header line and rows are needed%s", name, t.first())
	}
	if len(t.starts) == 0 {
		return nil, fmt.Errorf("%s holds no sound row%s", name, t.first())
	}
	t.sort()
	return t, nil
}

func (t *Table) first() string {
	if len(t.Told) == 0 {
		return ""
	}
	return "; " + t.Told[0]
}

// heads reads the header line and returns the index of the time's column.
func (t *Table) heads(fields []string) (int, error) {
	if len(fields) > maxColumns {
		return 0, fmt.Errorf("%d columns are more than %d", len(fields), maxColumns)
	}
	when := -1
	for _, part := range []string{"interval_start", "start", "time", "date"} {
		if when = slices.IndexFunc(fields, func(f string) bool { return strings.Contains(strings.ToLower(f), part) }); when >= 0 {
			break
		}
	}
	if when < 0 {
		return 0, fmt.Errorf("no column's name holds \"interval_start\", \"time\" or \"date\"; this does not look like a header line: %.60q", strings.Join(fields, ","))
	}
	t.Header = slices.Delete(slices.Clone(fields), when, when+1)
	t.columns = make([][]float64, len(t.Header))
	return when, nil
}

func (t *Table) row(line, when int, fields []string) {
	if len(fields) <= when {
		t.fault(line, "the line has no time")
		return
	}
	at, err := parseStart(fields[when])
	if err != nil {
		t.fault(line, "%v", err)
		return
	}
	fields = slices.Delete(fields, when, when+1)
	t.starts = append(t.starts, at)
	for k := range t.columns {
		v := math.NaN()
		if k < len(fields) {
			v = t.cell(line, t.Header[k], fields[k])
		}
		t.columns[k] = append(t.columns[k], v)
	}
}

// cell reads one number. What means nothing is nothing: never zero.
func (t *Table) cell(line int, column, s string) float64 {
	switch strings.ToLower(s) {
	case "", "null", "nan", "na", "n/a", "none", "-":
		t.Null++
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		t.fault(line, "the %s %.40q is not a number", column, s)
		return math.NaN()
	}
	return v
}

func (t *Table) fault(line int, format string, args ...any) {
	if t.Bad++; t.Bad <= MaxTold {
		t.Told = append(t.Told, fmt.Sprintf("%s:%d: ", t.Name, line)+fmt.Sprintf(format, args...))
	}
}

func parseStart(s string) (int64, error) {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(form, s); err == nil {
			return at.Unix(), nil
		}
	}
	return 0, fmt.Errorf("the time %.40q is not like 2026-07-01T16:00:00Z", s)
}

// sort brings the rows into time's order; of rows with the same start the later in the file counts.
func (t *Table) sort() {
	order := make([]int, len(t.starts))
	ascending := true
	for i := range order {
		order[i] = i
		ascending = ascending && (i == 0 || t.starts[i] > t.starts[i-1])
	}
	if ascending {
		return
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(min(max(t.starts[a]-t.starts[b], -1), 1)) })
	kept := order[:0]
	for i, k := range order {
		if i+1 < len(order) && t.starts[order[i+1]] == t.starts[k] {
			t.Twice++
			continue
		}
		kept = append(kept, k)
	}
	starts := make([]int64, len(kept))
	for i, k := range kept {
		starts[i] = t.starts[k]
	}
	t.starts = starts
	for c, old := range t.columns {
		col := make([]float64, len(kept))
		for i, k := range kept {
			col[i] = old[k]
		}
		t.columns[c] = col
	}
}

// Find returns the column of that name, or the first whose name holds one of the parts, the
// first part first, and none of those to avoid; -1 where there is none.
func (t *Table) Find(avoid []string, parts ...string) int {
	for _, part := range parts {
		for i, h := range t.Header {
			h = strings.ToLower(h)
			if strings.Contains(h, part) && !slices.ContainsFunc(avoid, func(a string) bool { return strings.Contains(h, a) }) {
				return i
			}
		}
	}
	return -1
}

// Named returns the column called name.
func (t *Table) Named(name string) (int, error) {
	for i, h := range t.Header {
		if strings.EqualFold(h, name) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s has no column %q; %s", t.Name, name, strictyaml.Suggest(name, t.Header))
}

// commonest returns the distance between rows that occurs most, the shorter one of equals; an
// hour for one row, at most a day.
func (t *Table) commonest() int64 {
	count := map[int64]int{}
	for i := 1; i < len(t.starts); i++ {
		count[t.starts[i]-t.starts[i-1]]++
	}
	best := int64(3600)
	for d, n := range count {
		if m := count[best]; n > m || n == m && d < best {
			best = d
		}
	}
	return min(best, 86_400)
}

// Series lays a column on the grid of its commonest distance. Numbers outside low and high,
// and rows off the grid, are left out and counted.
func (t *Table) Series(col int, low, high float64) (*Series, error) {
	s := &Series{Name: t.Name + " " + t.Header[col], Start: t.starts[0], Step: t.commonest()}
	span := t.starts[len(t.starts)-1] - s.Start
	if span/s.Step >= 4*maxRows {
		return nil, fmt.Errorf("%s: rows every %v over %v are too many", t.Name, time.Duration(s.Step)*time.Second, time.Duration(span)*time.Second)
	}
	s.V = make([]float64, span/s.Step+1)
	for i := range s.V {
		s.V[i] = math.NaN()
	}
	some := false
	for i, at := range t.starts {
		v := t.columns[col][i]
		switch {
		case math.IsNaN(v):
		case (at-s.Start)%s.Step != 0:
			s.Off++
		case v < low || v > high:
			s.Absurd++
		default:
			s.V[(at-s.Start)/s.Step] = v
			some = true
		}
	}
	if !some {
		return nil, errors.New(s.Name + " holds no believable number" + t.first())
	}
	return s, nil
}

// Series is one column on a regular grid; NaN where nothing is known.
type Series struct {
	Name        string
	Start, Step int64 // Unix seconds, seconds
	V           []float64
	Off, Absurd int // rows off the grid, numbers that were not believed
}

// At returns the number of the interval that holds the time.
func (s *Series) At(unix int64) float64 {
	if s == nil || unix < s.Start {
		return math.NaN()
	}
	if i := (unix - s.Start) / s.Step; i < int64(len(s.V)) {
		return s.V[i]
	}
	return math.NaN()
}

// End is where the last interval ends.
func (s *Series) End() int64 { return s.Start + int64(len(s.V))*s.Step }
