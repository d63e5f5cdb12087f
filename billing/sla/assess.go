package sla

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// Assess says whether the month's promise was kept, and what is owed if not. It is pure: the
// same input, in whatever order, gives the same finding.
func Assess(in Input) Finding {
	a := newAssessor(in)
	a.judge()
	a.intervals()
	a.reach()
	a.credit()
	a.curtailment()
	a.notes()
	return a.f
}

// Measured says whether anybody measures what a kind of contract promises of availability: power at a
// hosted tenant's feeder is, GPU time is not, so that a month of it proves nothing either way.
func Measured(k contract.Kind) bool { return k != contract.GPUCloud }

// assessor holds what the steps of one finding share.
type assessor struct {
	in  Input
	f   Finding
	all span // what is assessed

	// Disjoint times: maintenance and consented curtailment that are excluded, then what events
	// alone tell of: no power, and less power than wanted.
	maintained, curtailed, dark, dim spans
	excused                          []level // power taken back by consent within curtailed
	lacking                          []level // power not delivered within dim, by its events
	right                            rightUse
	told                             spans // all that events tell of
	wanted                           unit.Energy
	measured                         time.Duration // length of the intervals with a row
	unexplained                      time.Duration // lost in intervals that no event tells of
}

func newAssessor(in Input) *assessor {
	if in.SLA.Delivered == 0 { // terms made by hand: Parse fills in what contract.SLA says
		in.SLA.Delivered = 0.95
	}
	if in.SLA.Cap == 0 {
		in.SLA.Cap = 1
	}
	if in.SLA.Excluded == nil {
		in.SLA.Excluded = []string{contract.ConsentedCurtailment, contract.AnnouncedMaintenance}
	}
	until, final := in.To, true
	if !in.Now.IsZero() && in.Now.Before(in.To) {
		final = false
		until = in.Now.UTC().Truncate(telemetry.Length)
		if until.Before(in.From) {
			until = in.From
		}
	}
	a := &assessor{in: in, all: span{in.From, until}}
	a.f = Finding{
		From: in.From, To: in.To, Until: until, Final: final, Promised: in.SLA.Availability,
		Month: in.To.Sub(in.From), ToCome: in.To.Sub(until),
	}
	return a
}

// intervals goes through the assessed time interval by interval and says what each moment was.
func (a *assessor) intervals() {
	rows := make(map[int64]*usage.Row, len(a.in.Rows))
	for i := range a.in.Rows {
		r := &a.in.Rows[i]
		if old, twice := rows[r.Start.Unix()]; !twice || old.Revision < r.Revision {
			rows[r.Start.Unix()] = r
		}
	}
	var maintained, curtailed time.Duration
	for start := a.all.from.UTC().Truncate(telemetry.Length); start.Before(a.all.to); start = start.Add(telemetry.Length) {
		w := span{start, start.Add(telemetry.Length)}.clip(a.all)
		t := a.interval(w, rows[start.Unix()])
		maintained += t.maintained
		curtailed += t.curtailed
		a.f.Available += t.available
		a.f.Down += t.down
		a.f.Brown += t.brown
		a.f.Unknown += t.unknown
		if a.told.in(w) == 0 {
			a.unexplained += t.down + t.brown
		}
		if t.estimated {
			a.f.Estimated += t.available + t.down + t.brown
		}
	}
	a.f.Excluded = []Exclusion{{contract.ConsentedCurtailment, curtailed}, {contract.AnnouncedMaintenance, maintained}}
	a.f.Delivered.Mean = a.f.Delivered.Energy.Mean(a.measured)
	a.f.Delivered.Wanted = a.wanted.Mean(a.measured)
}

// times is what an interval's time was; the parts sum to the interval.
type times struct {
	available, down, brown, maintained, curtailed, unknown time.Duration
	estimated                                              bool
}

// interval says what the time of one interval was.
//
// Maintenance that is excluded takes its time first, and what was down or reduced is taken to
// have been so within it as far as it goes, but for outages that events place outside of it. A
// consented curtailment excuses the power taken back, not what was short beyond it; and no power
// at all only if all that was wanted was taken back. Where the meter told nothing, what the site
// gave of what was wanted still stands in the row: it counts, and so does what events tell of; the
// rest is unknown.
func (a *assessor) interval(w span, r *usage.Row) times {
	if r == nil {
		r = &usage.Row{Start: w.from, Quality: site.Missing}
	}
	t := times{estimated: r.Quality == site.Estimated, maintained: a.maintained.in(w)}
	silent := r.Quality == site.Missing
	rest := w.length() - t.maintained
	down := min(max(r.Down, 0), w.length())
	reduced := min(max(r.Reduced, 0), w.length()-down)
	placed := a.dark.in(w)
	if !silent {
		placed = min(down, placed)
	}
	spare := max(t.maintained-down, 0) // maintenance beyond what was down
	wanted := r.Wanted.Mean(telemetry.Length)
	energy, whole := a.takenBack(w, wanted)
	t.down = max(down-t.maintained-whole, placed)
	t.down = min(max(t.down, 0), rest)
	if short := r.Short - energy - wanted.Over(t.maintained); a.dimmed(r.Wanted, short) {
		t.brown = min(max(reduced-spare, 0), rest-t.down)
	}
	if silent {
		t.brown = max(t.brown, min(a.dimTime(w, r.Wanted), rest-t.down))
	}
	t.curtailed = min(a.curtailed.in(w), rest-t.down-t.brown)
	left := rest - t.down - t.brown - t.curtailed
	if silent {
		t.unknown = left
		return t
	}
	t.available = left
	a.deliver(r)
	return t
}

// dimTime is for how long events alone tell of less power than was wanted: where it is known what
// was wanted, only if what they tell of makes a brown-out.
func (a *assessor) dimTime(w span, wanted unit.Energy) time.Duration {
	d := a.dim.in(w)
	if d == 0 || wanted <= 0 {
		return d
	}
	var short unit.Energy
	for power, d := range during(a.lacking, w) {
		short += min(power, wanted.Mean(telemetry.Length)).Over(d)
	}
	if !a.dimmed(wanted, short) {
		return 0
	}
	return d
}

// dimmed says whether firm energy short of what was wanted makes a brown-out.
func (a *assessor) dimmed(wanted, short unit.Energy) bool {
	return wanted > 0 && short > 0 && below(int64(wanted-min(short, wanted)), int64(wanted), a.in.SLA.Delivered)
}

// takenBack returns the energy that was taken back by excluded curtailment in w, and for how
// long it was all that was wanted.
func (a *assessor) takenBack(w span, wanted unit.Power) (energy unit.Energy, whole time.Duration) {
	for power, d := range during(a.excused, w) {
		energy += power.Over(d)
		if wanted > 0 && NoPower(wanted-power, wanted) {
			whole += d
		}
	}
	return energy, whole
}

// nothing is the part of what is wanted up to which power is none: one in so many.
const nothing = 20

// NoPower says whether power is as good as none of what is wanted: a twentieth at the most, which
// fans and lights on another feeder make. Below it a feeder counts as cut, and a curtailment that
// leaves no more as one of all that was wanted: neither can be told from the other by a meter.
func NoPower(power, wanted unit.Power) bool { return power <= wanted/nothing }

// deliver adds a row that is known to what was delivered.
func (a *assessor) deliver(r *usage.Row) {
	d := &a.f.Delivered
	d.Intervals++
	d.Energy += r.Critical
	d.Short += max(r.Short, 0)
	a.wanted += r.Wanted
	a.measured += telemetry.Length
	if r.Wanted <= 0 || r.Short <= 0 {
		return
	}
	share := unit.Ratio(1 - float64(min(r.Short, r.Wanted))/float64(r.Wanted))
	worst := Worst{
		Start: r.Start, Share: share, Delivered: r.Critical.Mean(telemetry.Length),
		Wanted: r.Wanted.Mean(telemetry.Length), Short: r.Short.Mean(telemetry.Length),
	}
	if o := d.Worst; o == nil || share < o.Share || share == o.Share && (worst.Short > o.Short || worst.Short == o.Short && r.Start.Before(o.Start)) {
		d.Worst = &worst
	}
}

// reach says what share of the time that counts was available.
func (a *assessor) reach() {
	f := &a.f
	f.Reached = ratio(f.Available, f.Counted())
	f.Outlook = ratio(f.Available+f.ToCome, f.Counted()+f.ToCome)
	f.Least = ratio(f.Available+f.ToCome, f.Counted()+f.ToCome+f.Unknown)
	f.Broken = a.short(f.Promised, 0)
}

// short says whether the outlook is below r, with so much more of the month down.
func (a *assessor) short(r unit.Ratio, down time.Duration) bool {
	f := &a.f
	return below(int64(f.Available+f.ToCome), int64(f.Counted()+f.ToCome+down), r)
}

// ratio returns part/whole; unknown where there is no whole.
func ratio(part, whole time.Duration) site.Opt[unit.Ratio] {
	if whole <= 0 {
		return site.Opt[unit.Ratio]{}
	}
	return site.Some(unit.Ratio(1 - float64(whole-part)/float64(whole)))
}

// below says whether part/whole is below r, exactly: r is taken to the billionth, so that what
// reaches 99.9 % to the second is not below it.
func below(part, whole int64, r unit.Ratio) bool {
	const billionth = 1_000_000_000
	left := new(big.Int).Mul(big.NewInt(part), big.NewInt(billionth))
	return whole > 0 && left.Cmp(new(big.Int).Mul(big.NewInt(whole), big.NewInt(int64(math.Round(float64(r)*billionth))))) < 0
}

// step returns the credit that holds with so much more of the month down; zero: none.
func (a *assessor) step(down time.Duration) contract.Credit {
	var out contract.Credit
	for _, c := range a.in.SLA.Credits {
		if a.short(c.Below, down) && c.Share >= out.Share {
			out = c
		}
	}
	return out
}

func (a *assessor) credit() {
	c := a.step(0)
	k := Credit{Below: c.Below, Share: c.Share, Rent: a.in.Rent, Amount: max(contract.ShareOf(a.in.Rent, c.Share), 0)}
	if most := max(contract.ShareOf(a.in.Rent, a.in.SLA.Cap), 0); k.Amount > most {
		k.Amount, k.Capped = most, true
	}
	a.f.Credit = k
}

// notes says what a reader should know.
func (a *assessor) notes() {
	f := &a.f
	note := func(format string, args ...any) { f.Notes = append(f.Notes, fmt.Sprintf(format, args...)) }
	if !f.Final {
		note("The month is under way: the credit is what it comes to if nothing more happens.")
	}
	if f.Unknown > 0 {
		note("%s of the month are not known, because no reading came: they count neither as available nor as down.", Minutes(f.Unknown))
		if worse := a.step(f.Unknown); worse.Share > f.Credit.Share {
			note("Had all of that been down, the credit would be %v of the rent.", worse.Share)
		}
	}
	if f.Estimated > 0 {
		note("%s that count are estimated.", Minutes(f.Estimated))
	}
	if a.unexplained > 0 {
		note("%s that count are told by the meter alone: no event says why.", Minutes(a.unexplained))
	}
	if !f.Reached.OK && f.Until.After(f.From) {
		note("Nothing that counts is known of the month: whether the promise was kept is not known.")
	}
	if f.Credit.Capped {
		note("The month's credits are bounded to %v of its rent.", a.in.SLA.Cap)
	}
	if c := f.Curtailed; c != nil && c.Beyond > 0 {
		note("%s of curtailment are beyond the year's right of %s: they are not excluded.", Minutes(c.Beyond), Minutes(c.Right))
	}
	for _, l := range f.Evidence {
		if l.Kind == usage.Curtailment && l.Consented != "" && l.Power <= 0 {
			note("The power of the curtailment of %s is not recorded: no payment is computed for it.", l.Start.UTC().Format(time.RFC3339))
		}
	}
}

// Minutes prints a duration in minutes, as credits are reckoned: "43.2 min".
func Minutes(d time.Duration) string {
	return fmt.Sprintf("%g min", math.Round(d.Minutes()*100)/100)
}
