// Package iso owns the market operators' own public formats: how a report of prices, loads or
// reserve prices is turned into rows with a start in UTC and a length, how the addresses of
// such reports are made, and which figures no operator's market can have brought forth.
//
// It never opens a file or a connection, never reads a clock and never mixes day-ahead with
// real-time figures: a report of the other market is ErrOther. A line that cannot be read is
// told and left out; it never becomes a price of zero.
//
// Concurrency: all functions are pure and safe for concurrent use.
package iso

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/strictyaml"
)

// Kind is what a series is of.
type Kind string

// The kinds of series.
const (
	RealTime Kind = "real-time"
	DayAhead Kind = "day-ahead"
	Load     Kind = "load"
	Reserve  Kind = "reserve"
)

// Row is one interval of a report.
type Row struct {
	Start   time.Time     // UTC
	Length  time.Duration // zero: until the next row
	Price   float64       // $/MWh or the feed's own unit; of a load MW; of a reserve $ per MW and hour
	Product string        // "energy", "load", or a reserve as Product names it, such as "ecrs"
	Zone    string        // as the report writes it
}

// Ask says what is wanted of a report.
type Ask struct {
	Operator string // nyiso, ercot, caiso, pjm, miso, entsoe, aemo, octopus, csv or json
	Kind     Kind
	// Ahead asks for reserves of the day-ahead market where an operator publishes both.
	Ahead   bool
	Zone    string // empty: all, or for a load the whole system
	Product string // of a reserve; empty: all
	Map     Map    // of csv and json
}

// Map says how a csv or json report is read that no operator's format describes.
type Map struct {
	Time, Price, Rows string            // columns, or dotted paths below a row; Rows leads to the list
	Filter            map[string]string // rows whose field has the value
	Zone              *time.Location    // of times without an offset; nil: UTC
	Format            string            // of times, as Go writes 2006-01-02 15:04; empty: the usual ones
	Length            time.Duration     // of an interval; zero: until the next row
	Ending            bool              // times mark the end; Length is then needed
}

// Report is what was read.
type Report struct {
	Rows     []Row    // in the report's order
	Problems []string // one line for each sort of fault, with the first place and the count
	Next     string   // the address of the next page; empty: none
}

// ErrOther marks a report that is sound but of another market or table than was asked for.
// ErrNone marks one without rows: what it is about is not published yet, or no longer.
var (
	ErrOther = errors.New("the report is of another market")
	ErrNone  = errors.New("the report has no rows for what is asked")
)

// The bounds of one report. Beyond them it is refused.
const (
	MaxReport  = 32 << 20  // bytes as it comes
	maxPlain   = 256 << 20 // bytes of all that it unpacks to
	maxMembers = 2000      // files of an archive, those of the archives in it counted too
	maxRows    = 2_000_000
	maxTold    = 20 // sorts of faults
	maxZones   = 4000
)

// parser reads one plain document.
type parser func(r *reader, doc []byte) error

func parserOf(operator string) parser {
	switch operator {
	case "nyiso":
		return nyiso
	case "ercot":
		return ercot
	case "caiso":
		return caiso
	case "pjm":
		return pjm
	case "miso":
		return miso
	case "entsoe":
		return entsoe
	case "aemo":
		return aemo
	case "octopus":
		return octopus
	case "csv":
		return mappedCSV
	case "json":
		return mappedJSON
	}
	return nil
}

// Read reads a report of up to MaxReport bytes, plain, gzip or zip. The name is used in faults
// only, and to tell NYISO's hourly reports apart. An error says in one line why there is
// nothing to use; ErrOther and ErrNone are wrapped where they are the reason.
func Read(name string, data []byte, ask Ask) (*Report, error) {
	parse := parserOf(ask.Operator)
	if parse == nil {
		return nil, fmt.Errorf("there is no operator %q", ask.Operator)
	}
	if len(data) > MaxReport {
		return nil, fmt.Errorf("%s: the report has more than the %d bytes allowed", name, MaxReport)
	}
	r := &reader{ask: ask, name: name, zones: map[string]bool{}, last: map[string]time.Time{}}
	if err := unpack(name, data, &budget{bytes: maxPlain, members: maxMembers}, func(name string, doc []byte) error {
		r.name, r.line = name, 0
		clear(r.last)
		return r.document(parse, doc)
	}); err != nil {
		return nil, err
	}
	return r.report(name)
}

// document reads one document of the report. One of another market is passed over as long as
// the report has others.
func (r *reader) document(parse parser, doc []byte) error {
	if page(doc) {
		return fmt.Errorf("%s: the answer is a web page (HTML) and not a report: check the address, and whether it asks for a login", r.name)
	}
	err := parse(r, doc)
	if errors.Is(err, ErrOther) || errors.Is(err, ErrNone) {
		r.passed = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return nil
}

func (r *reader) report(name string) (*Report, error) {
	out := &Report{Rows: r.rows, Problems: r.told(), Next: r.next}
	if len(r.rows) > 0 {
		return out, nil
	}
	switch {
	case len(r.faults) > 0:
		return nil, fmt.Errorf("no line can be used: %s", out.Problems[0])
	case r.passed != nil:
		return nil, fmt.Errorf("%s: %w", name, r.passed)
	case len(r.zones) > 0 && r.ask.Zone != "":
		all := make([]string, 0, len(r.zones))
		for z := range r.zones {
			all = append(all, z)
		}
		slices.Sort(all)
		return nil, fmt.Errorf("%s: %w: there is no %q; %s", name, ErrNone, r.ask.Zone, strictyaml.Suggest(r.ask.Zone, all[:min(len(all), 60)]))
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNone)
}

// reader gathers what a parser finds.
type reader struct {
	ask    Ask
	name   string
	line   int // of the document; zero where it has none
	rows   []Row
	zones  map[string]bool      // those that were passed over
	last   map[string]time.Time // newest time of each series, to tell a repeated hour
	faults []fault
	more   int // sorts of faults beyond maxTold
	passed error
	next   string
}

// fault is a sort of fault: its first place, and how often it was found.
type fault struct {
	sort, text string
	count      int
}

// bad tells of a fault at the present line; sort is what faults of the same kind share.
func (r *reader) bad(sort, format string, args ...any) {
	for i := range r.faults {
		if r.faults[i].sort == sort {
			r.faults[i].count++
			return
		}
	}
	if len(r.faults) == maxTold {
		r.more++
		return
	}
	place := r.name
	if r.line > 0 {
		place = fmt.Sprintf("%s:%d", r.name, r.line)
	}
	r.faults = append(r.faults, fault{sort: sort, text: place + ": " + fmt.Sprintf(format, args...), count: 1})
}

func (r *reader) told() []string {
	var out []string
	for _, f := range r.faults {
		if f.count > 1 {
			f.text += fmt.Sprintf(" (and %d more such)", f.count-1)
		}
		out = append(out, f.text)
	}
	if r.more > 0 {
		out = append(out, fmt.Sprintf("%s: and %d other faults", r.name, r.more))
	}
	return out
}

// wants says whether rows of a zone are asked for, and remembers those that are not, so that
// a zone written wrongly gets a list of the right ones.
func (r *reader) wants(zone string) bool {
	if r.ask.Zone == "" || strings.EqualFold(zone, r.ask.Zone) {
		return true
	}
	if len(r.zones) < maxZones {
		r.zones[zone] = true
	}
	return false
}

// earliest and latest bound what is taken for the time of a report.
var (
	earliest = time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// add takes a row whose figure stands in text. A figure that is missing, is no number or is
// not believed leaves its interval without a row.
func (r *reader) add(start time.Time, length time.Duration, text, product, zone string) {
	if r.ask.Kind == Reserve && r.ask.Product != "" && Product(product) != Product(r.ask.Product) {
		return
	}
	value, ok := r.number(text)
	if !ok {
		return
	}
	if start.Before(earliest) || start.After(latest) {
		r.bad("time", "the time %s is not believed", start.UTC().Format(time.RFC3339))
		return
	}
	if sort, err := r.ask.believe(value); err != nil {
		r.bad(sort, "%v; it counts as missing", err)
		return
	}
	if len(r.rows) >= maxRows {
		r.bad("rows", "the rest is left out: more than %d rows", maxRows)
		return
	}
	r.rows = append(r.rows, Row{Start: start.UTC(), Length: length, Price: value, Product: product, Zone: zone})
}
