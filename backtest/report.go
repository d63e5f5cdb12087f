package backtest

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"
	"time"

	"switchyard/unit"
)

// Report is what came of a backtest; its JSON keys are stable.
type Report struct {
	Site string `json:"site"`
	// Command reproduces the report, with Version of the program.
	Command  string    `json:"command"`
	Version  string    `json:"version"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Timezone string    `json:"timezone"`
	Interval float64   `json:"interval_s"`
	// Intervals are those of the run; Skipped had no price or no hashprice, and count nowhere.
	Intervals int      `json:"intervals"`
	Skipped   int      `json:"skipped"`
	Machines  int      `json:"machines"`
	PowerMW   float64  `json:"power_mw"` // of all machines at work
	Settings  Settings `json:"settings"`
	Inputs    []Input  `json:"inputs"`
	Notes     []string `json:"notes"`
	// Peaks are the coincident peaks as they came to be.
	Peaks []PeakOut `json:"coincident_peaks"`
	// SpikeDays are the local days whose prices ranged widest: the twentieth part, at least one.
	SpikeDays []string       `json:"spike_days"`
	Policies  []PolicyResult `json:"policies"`

	// Charts are what a drawn report needs beside the figures.
	Charts Charts `json:"-"`
}

// Settings are the choices behind a report.
type Settings struct {
	ThresholdUSD map[string]float64 `json:"threshold_usd_mwh"` // by group
	Reschedule   float64            `json:"reschedule_s"`
	DayAheadAt   string             `json:"day_ahead_known_at"` // local time, the day before
	LoadKnown    string             `json:"load_known"`
	// Perfect says how perfect foresight was found, and how far its profit lies below the bound.
	Perfect         string  `json:"perfect_method"`
	PerfectGap      float64 `json:"perfect_gap"`
	PerfectBoundUSD float64 `json:"perfect_bound_usd"`
}

// PeakOut is one coincident peak.
type PeakOut struct {
	Charge string    `json:"charge"`
	Start  time.Time `json:"start"`
	LoadMW float64   `json:"load_mw"`
	USD    float64   `json:"usd_per_kw"`
}

// Figures are what a policy came to over some time.
type Figures struct {
	Profit float64 `json:"profit_usd"`
	// Capture is (policy - always-on) / (bound - always-on) over the same time; null where
	// perfect foresight earns nothing over always-on. The bound is perfect's own profit
	// wherever that is proven exact.
	Capture   *float64 `json:"uplift_capture"`
	Uplift    float64  `json:"uplift_usd"`
	Curtailed float64  `json:"curtailed_share"`
	Starts    int      `json:"starts"`
	EnergyMWh float64  `json:"energy_mwh"`
	Breakdown Split    `json:"breakdown"`
}

// Split is where a profit comes from; costs are positive and subtract.
type Split struct {
	Revenue    float64 `json:"mining_usd"`
	Energy     float64 `json:"energy_usd"`
	Wear       float64 `json:"wear_usd"`
	Coincident float64 `json:"coincident_usd"`
	Demand     float64 `json:"demand_usd"`
	Penalty    float64 `json:"penalty_usd"`
	Reserve    float64 `json:"reserve_usd"`
	Hosting    float64 `json:"hosting_usd"`
}

// PolicyResult is one policy under one information setting.
type PolicyResult struct {
	Name        string      `json:"name"`
	Information Information `json:"information"`
	Figures
	Months []Month `json:"months"`
	// Spikes are the spike days alone, Calm all other days.
	Spikes Figures  `json:"spike_days"`
	Calm   Figures  `json:"other_days"`
	Notes  []string `json:"notes,omitempty"`
}

// Month is a calendar month of the site.
type Month struct {
	Month string `json:"month"`
	Figures
}

// Charts are series of a report. All slices by day go by Days, all by hour begin at the run's start.
type Charts struct {
	Prices    []float64 // $/MWh, of the valid intervals, dearest first, at most 1,200 of them
	Breakeven [2]float64
	Days      []time.Time // local midnights
	// Profit is by day, $, of each policy; Resting by hour, the share of machine energy not
	// drawn, -1 where nothing is known. By Key.
	Profit  map[string][]float64
	Resting map[string][]float32
}

// Key names a policy under one information setting in Charts.
func Key(name string, info Information) string { return name + " " + string(info) }

// charts gathers the series of what is in the report.
func (r *Report) chart(w *World, all map[string]*books) {
	c := &r.Charts
	c.Days, c.Profit, c.Resting = w.dates, map[string][]float64{}, map[string][]float32{}
	var prices []unit.Price
	c.Breakeven = [2]float64{math.Inf(1), math.Inf(-1)}
	for i := range w.n {
		if w.valid[i] {
			prices = append(prices, w.price[i])
			v := w.interest(i)
			c.Breakeven[0], c.Breakeven[1] = min(c.Breakeven[0], v), max(c.Breakeven[1], v)
		}
	}
	slices.SortFunc(prices, func(a, b unit.Price) int { return cmp.Compare(b, a) })
	const most = 1200
	for k := range min(most, len(prices)) {
		// The dearest are few and matter: points are close together there.
		at := float64(k) / float64(min(most, len(prices)))
		if len(prices) > most {
			at *= at
		}
		c.Prices = append(c.Prices, prices[int(at*float64(len(prices)))].DollarsPerMWh())
	}
	for key, b := range all {
		for _, d := range b.days {
			c.Profit[key] = append(c.Profit[key], d.Profit().Dollars())
		}
		c.Resting[key] = b.resting
	}
}

// report joins what the policies came to. Always-on and perfect stand once, under both settings.
func (w *World) report(o Options, out []outcome) *Report {
	r := &Report{
		From: w.Time(0), To: w.Time(w.n), Timezone: w.Zone.String(), Interval: w.Interval.Seconds(), Intervals: w.n,
		Site: w.File.Site.Name, Inputs: w.Inputs, Notes: append([]string{}, w.Notes...), Peaks: []PeakOut{}, SpikeDays: []string{},
		Settings: Settings{ThresholdUSD: map[string]float64{}, Reschedule: o.Reschedule.Seconds(), DayAheadAt: clockTime(o.DayAheadAt), LoadKnown: "one interval late"},
	}
	for i := range w.n {
		if !w.valid[i] {
			r.Skipped++
		}
	}
	for k := range w.groups {
		g := &w.groups[k]
		r.Machines += g.count
		r.PowerMW += (unit.Power(g.count) * g.power).Megawatts()
		most := g.breakeven(w.firstHash())
		if o.Threshold != nil {
			most = *o.Threshold
		}
		r.Settings.ThresholdUSD[string(g.id)] = most.DollarsPerMWh()
	}
	for _, p := range w.peaks {
		r.Peaks = append(r.Peaks, PeakOut{p.charge, time.Unix(p.from, 0).UTC(), p.load, p.rate.DollarsPerKWMonth()})
	}
	find := func(name string, info Information) *outcome {
		i := slices.IndexFunc(out, func(x outcome) bool {
			return x.name == name && (x.info == info || name == AlwaysOn || name == Perfect)
		})
		if i < 0 {
			return nil
		}
		return &out[i]
	}
	base, best := find(AlwaysOn, ""), find(Perfect, "")
	profit := best.books.profit()
	r.Settings.Perfect, r.Settings.PerfectBoundUSD = best.method, best.bound.Dollars()
	if up := best.bound - base.books.profit(); up > 0 {
		r.Settings.PerfectGap = float64(best.bound-profit) / float64(up)
	}
	// What the bound exceeds perfect's profit by belongs to no day: it is spread by profit's uplift.
	spikes := w.spikeDays()
	for _, d := range spikes {
		r.SpikeDays = append(r.SpikeDays, w.dates[d].Format(time.DateOnly))
	}
	scale := 1.0
	if up := profit - base.books.profit(); up > 0 {
		scale = float64(best.bound-base.books.profit()) / float64(up)
	}
	all := map[string]*books{}
	for _, name := range Policies() {
		for _, info := range o.Information {
			x := find(name, info)
			if x == nil {
				continue
			}
			all[Key(name, info)] = x.books
			r.Policies = append(r.Policies, w.result(name, info, x, base, best, scale, spikes))
		}
	}
	r.chart(w, all)
	return r
}

func clockTime(d time.Duration) string {
	return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Add(d).Format("15:04")
}

func (w *World) result(name string, info Information, x, base, best *outcome, scale float64, spikes []int) PolicyResult {
	over := func(in func(day int) bool) Figures {
		var t, b, p Tally
		for d := range x.books.days {
			if in(d) {
				t.add(x.books.days[d])
				b.add(base.books.days[d])
				p.add(best.books.days[d])
			}
		}
		return figures(t, b, p, scale)
	}
	r := PolicyResult{Name: name, Information: info, Figures: over(func(int) bool { return true }), Notes: x.notes, Months: []Month{}}
	isSpike := func(d int) bool { _, ok := slices.BinarySearch(spikes, d); return ok }
	r.Spikes = over(isSpike)
	r.Calm = over(func(d int) bool { return !isSpike(d) })
	last := ""
	for _, date := range w.dates {
		m := date.Format("2006-01")
		if m == last {
			continue
		}
		last = m
		r.Months = append(r.Months, Month{m, over(func(d int) bool { return w.dates[d].Format("2006-01") == m })})
	}
	return r
}

// figures tells a tally. scale is how much larger the bound's uplift is than perfect's.
func figures(t, base, best Tally, scale float64) Figures {
	f := Figures{
		Profit: t.Profit().Dollars(), Uplift: (t.Profit() - base.Profit()).Dollars(), Curtailed: t.Curtailed(), Starts: t.Starts,
		EnergyMWh: t.Used.MegawattHours(),
		Breakdown: Split{
			Revenue: t.Revenue.Dollars(), Energy: t.Energy.Dollars(), Wear: t.Wear.Dollars(), Coincident: t.Coincident.Dollars(),
			Demand: t.Demand.Dollars(), Penalty: t.Penalty.Dollars(), Reserve: t.Reserve.Dollars(), Hosting: t.Hosting.Dollars(),
		},
	}
	if up := float64(best.Profit()-base.Profit()) * scale; up > 0 {
		c := float64(t.Profit()-base.Profit()) / up
		f.Capture = &c
	}
	return f
}

// spikeDays are the days whose valid prices range widest, ascending: one in twenty.
func (w *World) spikeDays() []int {
	low, high := make([]unit.Price, len(w.dates)), make([]unit.Price, len(w.dates))
	seen := make([]bool, len(w.dates))
	for i := range w.n {
		if d := w.days[i]; w.valid[i] {
			if !seen[d] {
				seen[d], low[d], high[d] = true, w.price[i], w.price[i]
			}
			low[d], high[d] = min(low[d], w.price[i]), max(high[d], w.price[i])
		}
	}
	order := make([]int, len(w.dates))
	for d := range order {
		order[d] = d
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(high[b]-low[b], high[a]-low[a]) })
	out := order[:max(1, int(math.Round(float64(len(order))/20)))]
	slices.Sort(out)
	return out
}

// WriteJSON writes the report.
func (r *Report) WriteJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
