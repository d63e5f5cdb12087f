package iso

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const newYork = "America/New_York"

// nyisoReserves are the columns of rtasp and damasp, by how they begin.
var nyisoReserves = []struct{ column, product string }{
	{"10 min spinning reserve", "10-min spin"},
	{"10 min non-synchronous reserve", "10-min non-sync"},
	{"30 min operating reserve", "30-min operating"},
	{"nyca regulation capacity", "regulation"},
}

// nyisoReport is how one of New York's reports is read.
type nyisoReport struct {
	r                *reader
	loc              *time.Location
	when, zone, name int
	value            int            // of a price or a load
	products         map[int]string // columns of reserves
	load             *sum
	ends             map[string]time.Time // newest end of each name, for runs off the 5-minute clock
}

// nyiso reads realtime_zone, rtlbmp_zone, damlbmp_zone (and their _gen), rtasp, damasp, pal and
// palIntegrated. Times are New York's clock; real-time stamps, which have seconds, are the end
// of five minutes, all others the start. Price reports have no zone beside the time: in the
// repeated hour of autumn the order of the lines tells.
func nyiso(r *reader, doc []byte) error {
	loc, err := place(newYork)
	if err != nil {
		return err
	}
	n := &nyisoReport{r: r, loc: loc, ends: map[string]time.Time{}}
	headed := false
	if err := r.lines(doc, func(f []string) error {
		if !headed {
			headed = true
			return n.head(f)
		}
		return n.row(f)
	}); err != nil {
		return err
	}
	if n.load != nil {
		n.load.into(r)
	}
	return nil
}

func (n *nyisoReport) head(f []string) error {
	h := heads(f)
	c, missing := h.all("time stamp", "name")
	if missing != "" {
		return fmt.Errorf("there is no column %q: it is none of NYISO's reports of prices or loads", missing)
	}
	n.when, n.name = c[0], c[1]
	n.zone, _ = h.has("time zone")
	n.value, _ = h.has("lbmp ($/mwhr)")
	if n.value >= 0 {
		return n.kind(n.r.ask.Kind == RealTime || n.r.ask.Kind == DayAhead)
	}
	if n.value, _ = h.has("load", "integrated load"); n.value >= 0 {
		n.load = newSum(n.r.ask.Zone)
		return n.kind(n.r.ask.Kind == Load)
	}
	n.products = map[int]string{}
	for i, name := range f {
		for _, p := range nyisoReserves {
			if strings.HasPrefix(strings.ToLower(name), p.column) {
				n.products[i] = p.product
			}
		}
	}
	if len(n.products) == 0 {
		return fmt.Errorf("there is no column of prices, loads or reserves")
	}
	return n.kind(n.r.ask.Kind == Reserve)
}

func (n *nyisoReport) kind(right bool) error {
	if !right {
		return ErrOther
	}
	return nil
}

func (n *nyisoReport) row(f []string) error {
	name := at(f, n.name)
	stamp := at(f, n.when)
	w, err := time.Parse("01/02/2006 15:04:05", stamp)
	ending := err == nil && n.load == nil
	if err != nil {
		if w, err = time.Parse("01/02/2006 15:04", stamp); err != nil {
			n.r.bad("time", "the time %.40q is not like 07/01/2026 14:05", stamp)
			return nil //nolint:nilerr // told, and the line left out
		}
	}
	if n.load == nil && (ending != n.wantsEnding() || n.r.ask.Kind == DayAhead && n.integrated()) {
		return ErrOther
	}
	if n.load == nil && !n.r.wants(name) {
		return nil
	}
	t, known := abbreviated(w, at(f, n.zone))
	if !known {
		if t, err = n.r.ordered(name, w, n.loc); err != nil {
			n.r.bad("hour", "%v", err)
			return nil
		}
	}
	switch {
	case n.load != nil:
		if v, ok := n.r.number(at(f, n.value)); ok {
			n.load.add(t, name, v)
		}
	case ending:
		start := t.Add(-5 * time.Minute)
		if last := n.ends[name]; last.After(start) && last.Before(t) {
			start = last
		}
		n.ends[name] = t
		n.figures(start, t.Sub(start), f, name)
	default:
		n.figures(t, time.Hour, f, name)
	}
	return nil
}

// wantsEnding says whether the report asked for is one of 5-minute real-time figures.
func (n *nyisoReport) wantsEnding() bool {
	return n.r.ask.Kind == RealTime && !n.integrated() || n.r.ask.Kind == Reserve && !n.r.ask.Ahead
}

// integrated says whether the report is of hourly real-time prices, which look as day-ahead
// ones do but for the name.
func (n *nyisoReport) integrated() bool { return strings.Contains(n.r.name, "rtlbmp") }

func (n *nyisoReport) figures(start time.Time, length time.Duration, f []string, name string) {
	if n.products == nil {
		n.r.add(start, length, at(f, n.value), "energy", name)
		return
	}
	for i := range f {
		if p := n.products[i]; p != "" {
			n.r.add(start, length, f[i], p, name)
		}
	}
}

// sum adds the loads of zones up to the system's. A moment at which a zone is missing has none.
type sum struct {
	zone  string // only this one; empty: all
	order []time.Time
	parts map[time.Time]map[string]float64
}

func newSum(zone string) *sum { return &sum{zone: zone, parts: map[time.Time]map[string]float64{}} }

func (s *sum) add(t time.Time, zone string, v float64) {
	t = t.UTC()
	if s.zone != "" && !strings.EqualFold(zone, s.zone) {
		return
	}
	if s.parts[t] == nil {
		s.parts[t] = map[string]float64{}
		s.order = append(s.order, t)
	}
	s.parts[t][zone] = v
}

func (s *sum) into(r *reader) {
	most := 0
	for _, p := range s.parts {
		most = max(most, len(p))
	}
	slices.SortFunc(s.order, time.Time.Compare)
	for _, t := range s.order {
		p := s.parts[t]
		if len(p) < most {
			r.bad("zones", "the load of %s is there for %d of %d zones only; it counts as missing", t.Format(time.RFC3339), len(p), most)
			continue
		}
		var total float64
		for _, z := range slices.Sorted(keys(p)) {
			total += p[z]
		}
		r.add(t, 0, fmt.Sprintf("%.3f", total), "load", s.zone)
	}
}
