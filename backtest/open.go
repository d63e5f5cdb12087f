package backtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"switchyard/backtest/table"
	"switchyard/market"
	"switchyard/market/peaks"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Sources says which files are read; those of the site file stand where one is empty.
type Sources struct {
	Prices, PriceColumn string
	DayAhead, DayColumn string
	Load, LoadColumn    string
	Bitcoin             string
	// Hashprice, where it is not nil, holds for the whole run. BitcoinFrom takes the figures
	// from that day on as if it were the run's first: for prices of years without figures.
	Hashprice   *unit.Hashprice
	BitcoinFrom time.Time
	// From and To bound the run: intervals that begin in [From, To). Zero means all there is.
	From, To time.Time
}

// The bounds of what is believed.
var (
	lowPrice  = sitefile.MinPrice.DollarsPerMWh()
	highPrice = sitefile.MaxPrice.DollarsPerMWh()
)

const highLoad = 5e6 // MW: no grid has so much

// opener gathers a World; tables are read once even where several series come from one.
type opener struct {
	w      *World
	in     Sources
	tables map[string]*table.Table
	main   *table.Table
}

// Open reads the files and lays them on the grid of the prices. Bad lines are left out,
// counted and told; it is an error where a named file or column gives nothing at all.
func Open(f *sitefile.File, in Sources) (*World, error) {
	o := &opener{w: &World{File: f, Zone: f.Location()}, in: in, tables: map[string]*table.Table{}}
	if err := o.w.site(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{o.prices, o.dayAhead, o.gridLoad, o.bitcoin, o.reserves, o.charges} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	w := o.w
	w.calendar()
	w.fileLimits()
	o.demands()
	o.blocks()
	gaps := 0
	for _, ok := range w.valid {
		if !ok {
			gaps++
		}
	}
	if gaps == w.n {
		return nil, errors.New("no interval of the run has both a price and a hashprice")
	}
	w.say(gaps > 0, "%d of %d intervals have no price or no hashprice: every policy leaves the machines as they are there, and they are not counted", gaps, w.n)
	return w, nil
}

// read reads a file once.
func (o *opener) read(path string) (*table.Table, error) {
	if t := o.tables[path]; t != nil {
		return t, nil
	}
	t, err := table.Open(path)
	if err != nil {
		return nil, err
	}
	o.tables[path] = t
	o.w.Notes = append(o.w.Notes, t.Told...)
	o.w.say(t.Bad > len(t.Told), "%s: and %d more bad lines", t.Name, t.Bad-len(t.Told))
	o.w.say(t.Twice > 0, "%s: %d rows stand twice, the later one counts", t.Name, t.Twice)
	return t, nil
}

var notRealTime = []string{"da_price", "day_ahead", "dam"}

// prices fixes the grid of the run.
func (o *opener) prices() error {
	p := o.w.File.Market.Price
	path, column := o.in.Prices, o.in.PriceColumn
	if path == "" {
		if p.CSV == "" {
			return errors.New("no prices: give a file with --prices, or market.price.csv in the site file")
		}
		path = o.w.File.Path(p.CSV)
	}
	if column == "" && o.in.Prices == "" {
		column = p.Column
	}
	t, err := o.read(path)
	if err != nil {
		return fmt.Errorf("read prices: %w", err)
	}
	o.main = t
	col, err := pick(t, column, notRealTime, "rt_price", "real_time", "price")
	if err != nil {
		return fmt.Errorf("read prices: %w", err)
	}
	s, err := t.Series(col, lowPrice, highPrice)
	if err != nil {
		return fmt.Errorf("read prices: %w", err)
	}
	w := o.w
	w.step, w.Interval = s.Step, time.Duration(s.Step)*time.Second
	from, to := s.Start, s.End()
	if f := o.in.From; !f.IsZero() && f.Unix() > from {
		from += (f.Unix() - from + s.Step - 1) / s.Step * s.Step
	}
	if e := o.in.To; !e.IsZero() && e.Unix() < to {
		to = from + (e.Unix()-from)/s.Step*s.Step
	}
	if from >= to {
		return fmt.Errorf("%s covers %s to %s: nothing of it lies in the run", t.Name, stamp(s.Start), stamp(s.End()))
	}
	w.before.price = s
	w.start, w.n = from, int((to-from)/s.Step)
	w.valid, w.price = make([]bool, w.n), make([]unit.Price, w.n)
	missing := 0
	for i := range w.n {
		v := s.At(w.at(i))
		if w.valid[i] = !math.IsNaN(v); w.valid[i] {
			w.price[i] = unit.DollarsPerMWh(v) + p.Adder
		} else {
			missing++
		}
	}
	o.note("real-time price", t, s, missing, "")
	w.say(p.Adder != 0, "%s is added to every price, as market.price.adder says", p.Adder)
	return nil
}

// pick finds a column by name, or by what names usually hold.
func pick(t *table.Table, name string, avoid []string, parts ...string) (int, error) {
	if name != "" {
		return t.Named(name)
	}
	if i := t.Find(avoid, parts...); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s: no column's name holds %q; the columns are %s", t.Name, parts[len(parts)-1], strings.Join(t.Header, ", "))
}

func (o *opener) note(what string, t *table.Table, s *table.Series, missing int, note string) {
	o.w.Inputs = append(o.w.Inputs, Input{
		What: what, Source: s.Name, Rows: o.w.n - missing, Missing: missing, Faults: t.Bad + t.Twice + s.Off + s.Absurd, Note: note,
	})
	o.w.say(s.Absurd > 0, "%s: %d numbers are not believed and left out", s.Name, s.Absurd)
	o.w.say(s.Off > 0, "%s: %d rows do not begin on its grid of %v and are left out", s.Name, s.Off, time.Duration(s.Step)*time.Second)
}

// dayAhead finds the day-ahead price: the flag's file, else the site file's, else a column
// of the prices' own file.
func (o *opener) dayAhead() error {
	w := o.w
	t, col, err := o.extra(o.in.DayAhead, o.in.DayColumn, w.File.Market.DayAhead, []string{"rt_price"}, "da_price", "day_ahead", "dam_price", "price")
	if err != nil {
		return fmt.Errorf("read day-ahead prices: %w", err)
	}
	if t == nil {
		if col = o.main.Find([]string{"rt_price"}, "da_price", "day_ahead", "dam_price"); col < 0 {
			w.say(true, "no day-ahead price: the forecast has real-time prices alone")
			return nil
		}
		t = o.main
	}
	s, err := t.Series(col, lowPrice, highPrice)
	if err != nil {
		return fmt.Errorf("read day-ahead prices: %w", err)
	}
	w.before.ahead = s
	w.ahead = make([]unit.Price, w.n)
	missing := 0
	for i := range w.n {
		w.ahead[i] = noPrice
		if v := s.At(w.at(i)); !math.IsNaN(v) {
			w.ahead[i] = unit.DollarsPerMWh(v) + w.File.Market.Price.Adder
		} else {
			missing++
		}
	}
	o.note("day-ahead price", t, s, missing, o.found(t, o.in.DayAhead, w.File.Market.DayAhead))
	return nil
}

// found says where a series came from that nobody named.
func (o *opener) found(t *table.Table, flag string, own *sitefile.Series) string {
	if t == o.main && flag == "" && own == nil {
		return "found as a column of the prices' file"
	}
	return ""
}

// extra opens a series that a flag or the site file names; a nil table where neither does.
func (o *opener) extra(path, column string, own *sitefile.Series, avoid []string, parts ...string) (*table.Table, int, error) {
	if path == "" {
		switch {
		case column != "":
			col, err := o.main.Named(column)
			return o.main, col, err
		case own == nil:
			return nil, -1, nil
		case own.CSV == "":
			return nil, -1, errors.New("the site file names a feed, which has no past: name a file")
		}
		path, column = o.w.File.Path(own.CSV), own.Column
	}
	t, err := o.read(path)
	if err != nil {
		return nil, -1, err
	}
	col, err := pick(t, column, avoid, parts...)
	return t, col, err
}

var loadNames = []string{"load_mw", "system_load", "load", "demand"}

// gridLoad finds the grid's load.
func (o *opener) gridLoad() error {
	w := o.w
	own := w.File.Market.Load
	t, col, err := o.extra(o.in.Load, o.in.LoadColumn, own, nil, loadNames...)
	if err != nil {
		return fmt.Errorf("read the grid's load: %w", err)
	}
	if t == nil {
		if col = o.main.Find(nil, "load_mw", "system_load"); col < 0 {
			return nil
		}
		t = o.main
	}
	s, err := t.Series(col, 0, highLoad)
	if err != nil {
		return fmt.Errorf("read the grid's load: %w", err)
	}
	w.before.load = s
	w.load = make([]float64, w.n)
	missing := 0
	for i := range w.n {
		if w.load[i] = s.At(w.at(i)); math.IsNaN(w.load[i]) {
			missing++
		}
	}
	o.note("grid load", t, s, missing, o.found(t, o.in.Load, own))
	return nil
}

// bitcoin fixes the hashprice of each interval: the day's.
func (o *opener) bitcoin() error {
	w, b := o.w, o.w.File.Market.Bitcoin
	w.hash = make([]unit.Hashprice, w.n)
	path := o.in.Bitcoin
	if path == "" && b.CSV != "" {
		path = w.File.Path(b.CSV)
	}
	if fixed := o.in.Hashprice; fixed != nil || path == "" {
		if fixed == nil {
			fixed = b.Hashprice
		}
		if fixed == nil {
			return errors.New("no hashprice: give a file with --bitcoin, or --hashprice, or one of them in the site file")
		}
		for i := range w.hash {
			w.hash[i] = *fixed
		}
		w.Inputs = append(w.Inputs, Input{What: "hashprice", Source: "fixed at " + fixed.String(), Rows: w.n})
		return nil
	}
	feed, err := market.OpenHashFile(market.HashFile{Path: path, Stale: 48 * time.Hour})
	if err != nil {
		return fmt.Errorf("read the Bitcoin network's figures: %w", err)
	}
	missing, note := 0, "the day's, by UTC day"
	shift := time.Duration(0)
	if at := o.in.BitcoinFrom; !at.IsZero() {
		first := w.Time(0).In(w.Zone)
		shift = at.Sub(time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, w.Zone)).Round(day)
		note = "of the days from " + at.Format(time.DateOnly) + " on, not of the run's own"
		w.say(true, "hashprices are %s", note)
	}
	var q market.HashQuote
	for i := range w.n {
		if t := w.Time(i).Add(shift); i == 0 || !t.Before(q.To) {
			q = feed.At(t)
		}
		if w.hash[i] = q.Hashprice; !q.Known {
			w.valid[i] = false
			missing++
		}
	}
	told := feed.Problems()
	w.Notes = append(w.Notes, told[:min(len(told), table.MaxTold)]...)
	w.Inputs = append(w.Inputs, Input{What: "hashprice", Source: q.Source, Rows: w.n - missing, Missing: missing, Faults: len(told), Note: note})
	if missing == w.n {
		return fmt.Errorf("%s has no figures for %s to %s: give --hashprice, or --bitcoin-from with a day that it has", q.Source, stamp(w.at(0)), stamp(w.at(w.n)))
	}
	w.say(missing > w.n/10, "%s has no figures for %.0f %% of the run", q.Source, 100*float64(missing)/float64(w.n))
	return nil
}

// reserves lays the prices of the capacity products on the grid.
func (o *opener) reserves() error {
	w := o.w
	for _, r := range w.File.Reserves {
		x := reserve{name: r.Name, most: r.Most, performance: float64(r.Performance), call: float64(r.Call), short: r.Short, sold: r.Sold, price: make([]unit.Price, w.n)}
		if r.Performance == 0 {
			x.performance = 1
		}
		if r.Response > 0 && r.Response < shedTime {
			w.say(true, "reserve %s wants power down within %v, and miners take %v: it is not sold", r.Name, r.Response, shedTime)
			continue
		}
		own := -1
		if o.in.Prices != "" {
			own = o.main.Find(nil, strings.ToLower(r.Name)+"_usd_per_mw")
		}
		if r.Fixed != nil && own < 0 {
			for i := range x.price {
				x.price[i] = *r.Fixed
			}
			w.reserves = append(w.reserves, x)
			continue
		}
		t, col, err := o.extra("", "", r.Price, nil, strings.ToLower(r.Name), "price")
		if err != nil {
			return fmt.Errorf("read the price of reserve %s: %w", r.Name, err)
		}
		if own >= 0 {
			t, col = o.main, own
		}
		if t == nil {
			return fmt.Errorf("reserve %s has no price: write price or fixed in the site file, or a column %s_usd_per_mw_h in the prices' file", r.Name, strings.ToLower(r.Name))
		}
		s, err := t.Series(col, 0, highPrice)
		if err != nil {
			return fmt.Errorf("read the price of reserve %s: %w", r.Name, err)
		}
		missing := 0
		for i := range w.n {
			x.price[i] = noPrice
			if v := s.At(w.at(i)); !math.IsNaN(v) {
				x.price[i] = unit.DollarsPerMWh(v)
			} else {
				missing++
			}
		}
		o.note("reserve "+r.Name, t, s, missing, o.found(t, "", nil))
		w.reserves = append(w.reserves, x)
	}
	var idle []string
	for _, h := range o.main.Header {
		name, ok := strings.CutSuffix(strings.ToLower(h), "_usd_per_mw_h")
		if ok && !slices.ContainsFunc(w.reserves, func(r reserve) bool { return strings.EqualFold(r.name, name) }) {
			idle = append(idle, name)
		}
	}
	w.say(len(idle) > 0, "%s also holds capacity prices (%s), which the site file does not sell under reserves", o.main.Name, strings.Join(idle, ", "))
	return nil
}

// shedTime is how fast a group is at standby once told.
const shedTime = 30 * time.Second

// charges finds the coincident peaks as they came to be.
func (o *opener) charges() error {
	w := o.w
	for _, c := range w.File.Market.Charges.Coincident {
		t, col, err := o.extra(o.in.Load, o.in.LoadColumn, c.Load, nil, loadNames...)
		if err == nil && t == nil {
			t, col, err = o.extra("", "", w.File.Market.Load, nil, loadNames...)
		}
		if err == nil && t == nil {
			if col = o.main.Find(nil, "load_mw", "system_load"); col >= 0 {
				t = o.main
			} else {
				err = errors.New("no load: give one with --load, or market.load in the site file")
			}
		}
		if err != nil {
			return fmt.Errorf("find the peaks of %s: %w", c.Name, err)
		}
		s, err := t.Series(col, 0, highLoad)
		if err != nil {
			return fmt.Errorf("find the peaks of %s: %w", c.Name, err)
		}
		w.findPeaks(c, s)
	}
	return nil
}

func (w *World) findPeaks(c sitefile.CoincidentCharge, s *table.Series) {
	rule := peaks.RuleOf(c, w.Zone)
	if step := time.Duration(s.Step) * time.Second; rule.Interval < step {
		w.say(true, "%s: the load comes every %v, so a peak lasts as long and not %v", c.Name, step, rule.Interval)
		rule.Interval = step
	}
	loads := make([]peaks.Load, 0, len(s.V))
	for i, v := range s.V {
		if !math.IsNaN(v) {
			loads = append(loads, peaks.Load{Start: time.Unix(s.Start+int64(i)*s.Step, 0).UTC(), Power: unit.Watts(v * 1e6)})
		}
	}
	for _, at := range peaks.Find(loads, rule) {
		p := peak{charge: c.Name, from: at.Unix(), to: at.Add(rule.Interval).Unix(), rate: peaks.Rate(c), load: s.At(at.Unix())}
		if p.from >= w.at(0) && p.to <= w.at(w.n) {
			w.peaks = append(w.peaks, p)
		}
	}
}

// demands says which intervals count for each demand charge.
func (o *opener) demands() {
	w := o.w
	for _, c := range w.File.Market.Charges.Demand {
		d := demand{name: c.Name, rate: c.Rate, window: max(int64(c.Interval/time.Second), w.step), counts: make([]bool, w.n)}
		for i := range d.counts {
			t := w.Time(i).In(w.Zone)
			d.counts[i] = (len(c.Months) == 0 || slices.Contains(c.Months, int(t.Month()))) &&
				(!c.Weekdays || t.Weekday() != time.Saturday && t.Weekday() != time.Sunday) && inDaily(c.Daily, t)
		}
		w.demands = append(w.demands, d)
	}
}

func (o *opener) blocks() {
	w := o.w
	for _, p := range w.File.Market.Blocks {
		b := block{power: p.Power, price: p.Price, sell: p.Sell == nil || *p.Sell, sellFee: p.SellFee, in: make([]bool, w.n)}
		for i := range b.in {
			t := w.Time(i)
			b.in[i] = !t.Before(p.From) && (p.To.IsZero() || t.Before(p.To)) && inDaily(p.Daily, t.In(w.Zone))
		}
		w.blocks = append(w.blocks, b)
	}
}

// inDaily says whether a local time lies in the hours of a day; a span that ends before it
// begins runs past midnight.
func inDaily(d *sitefile.Daily, t time.Time) bool {
	if d == nil {
		return true
	}
	from, err1 := sitefile.ParseTimeOfDay(d.From)
	to, err2 := sitefile.ParseTimeOfDay(d.To)
	if err1 != nil || err2 != nil {
		return true // sitefile has refused it
	}
	of := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	if from < to {
		return of >= from && of < to
	}
	return of >= from || of < to
}

func stamp(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04Z") }
