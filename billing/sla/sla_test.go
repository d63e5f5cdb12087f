package sla

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"switchyard/billing/contract"
	"switchyard/billing/usage"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// The month of the tests is November 2026 in UTC: 30 days, 43,200 minutes, 8,640 intervals. The
// tenant wants 60 MW throughout: 5 MWh in each interval. The rent is $7,500,000.
var (
	from = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
)

const rent = 7_500_000 * unit.Dollar

func at(day, hour, minute int) time.Time {
	return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC)
}

// month returns a month in which nothing happened.
func month() Input {
	in := Input{
		SLA: contract.SLA{
			Availability: 0.999, Delivered: 0.95, Cap: 1, Notice: 168 * time.Hour,
			Credits:  []contract.Credit{{Below: 0.999, Share: 0.05}, {Below: 0.99, Share: 0.1}, {Below: 0.95, Share: 0.25}},
			Excluded: []string{contract.ConsentedCurtailment, contract.AnnouncedMaintenance},
		},
		Curtail: &contract.Curtail{Power: 10 * unit.Megawatt, Hours: 100 * time.Hour, Notice: 30 * time.Minute, Price: 150 * unit.DollarPerMWh},
		From:    from, To: to, Rent: rent,
	}
	for s := from; s.Before(to); s = s.Add(telemetry.Length) {
		in.Rows = append(in.Rows, usage.Row{Start: s, Critical: 5 * unit.MegawattHour, Wanted: 5 * unit.MegawattHour})
	}
	return in
}

// off makes the meter show no power from a until b.
func (in *Input) off(a, b time.Time) {
	in.each(a, b, func(r *usage.Row, d time.Duration) {
		r.Down += d
		lose(r, 60*unit.Megawatt, d)
	})
}

// held makes the meter show that the tenant was held to power from a until b.
func (in *Input) held(a, b time.Time, power unit.Power) {
	in.each(a, b, func(r *usage.Row, d time.Duration) {
		r.Reduced += d
		lose(r, 60*unit.Megawatt-power, d)
	})
}

// silent makes the meter tell nothing from a until b: what is known is what the site gave.
func (in *Input) silent(a, b time.Time) {
	in.each(a, b, func(r *usage.Row, _ time.Duration) { r.Quality, r.Critical = site.Missing, 0 })
}

func lose(r *usage.Row, p unit.Power, d time.Duration) {
	r.Short += p.Over(d)
	r.Critical -= p.Over(d)
}

func (in *Input) each(a, b time.Time, do func(r *usage.Row, d time.Duration)) {
	for i := range in.Rows {
		r := &in.Rows[i]
		if s := (span{r.Start, r.Start.Add(telemetry.Length)}).clip(span{a, b}); s.from.Before(s.to) {
			do(r, s.length())
		}
	}
}

func (in *Input) event(k usage.EventKind, a, b time.Time, p unit.Power) *usage.Event {
	in.Events = append(in.Events, usage.Event{Kind: k, From: a, To: b, Power: p})
	return &in.Events[len(in.Events)-1]
}

func excluded(f Finding, cause string) time.Duration {
	for _, x := range f.Excluded {
		if x.Cause == cause {
			return x.Time
		}
	}
	return -1
}

// want is what a case comes to.
type want struct {
	down, brown, curtailed, maintained, unknown float64 // minutes
	reached                                     float64 // per cent
	credit                                      unit.Money
}

func check(t *testing.T, f Finding, w want) {
	t.Helper()
	got := want{
		f.Down.Minutes(), f.Brown.Minutes(), excluded(f, contract.ConsentedCurtailment).Minutes(),
		excluded(f, contract.AnnouncedMaintenance).Minutes(), f.Unknown.Minutes(), math.Round(float64(f.Reached.V)*1e8) / 1e6, f.Credit.Amount,
	}
	if got != w {
		t.Errorf("got  %+v\nwant %+v", got, w)
	}
	if sum := f.Counted() + f.ExcludedTime() + f.Unknown + f.ToCome; sum != f.Month {
		t.Errorf("the parts sum to %v of %v", sum, f.Month)
	}
	if f.Claimed {
		t.Error("it says that somebody claimed it")
	}
}

func TestNothingHappened(t *testing.T) {
	f := Assess(month())
	check(t, f, want{reached: 100})
	if f.Broken || !f.Final || f.Month != 43_200*time.Minute || f.Delivered.Mean != 60*unit.Megawatt || f.Delivered.Worst != nil || len(f.Notes) != 0 {
		t.Errorf("%+v", f)
	}
}

// TestOutage is an outage from 14:02 to 15:17. By hand: 75 minutes down of 43,200:
//
//	43,125 / 43,200 = 99.826389 %: below 99.9 %, not below 99 %: 5 % of $7,500,000 = $375,000.
func TestOutage(t *testing.T) {
	in := month()
	in.off(at(10, 14, 2), at(10, 15, 17))
	e := in.event(usage.Outage, at(10, 14, 2), at(10, 15, 17), 60*unit.Megawatt)
	e.Why, e.Ref = "A breaker of the feeder tripped.", "plan 4711"
	f := Assess(in)
	check(t, f, want{down: 75, reached: 99.826389, credit: 375_000 * unit.Dollar})
	if !f.Broken || f.Credit.Below != 0.999 || f.Credit.Share != 0.05 || f.Counted() != 43_200*time.Minute {
		t.Errorf("%+v", f.Credit)
	}
	if len(f.Evidence) != 1 {
		t.Fatalf("evidence: %+v", f.Evidence)
	}
	const line = "outage from 2026-11-10 14:02:00 UTC to 2026-11-10 15:17:00 UTC, 60 MW not delivered: A breaker of the feeder tripped (counts as down, as far as the meter shows it; plan 4711)"
	if got := f.Evidence[0].Text(time.UTC); strings.ReplaceAll(got, "60.0 MW", "60 MW") != line && got != line {
		t.Errorf("evidence reads\n%s\nwant\n%s", got, line)
	}
	if w := f.Delivered.Worst; w == nil || w.Share != 0 || w.Start != at(10, 14, 5) {
		t.Errorf("the worst interval is %+v", w)
	}
	// Delivered: 60 MW x 720 h = 43,200 MWh, less 60 MW x 1.25 h = 75 MWh, over 720 h: 59.895833 MW.
	if f.Delivered.Mean != unit.Watts(59_895_833.333) || f.Delivered.Short != 75*unit.MegawattHour {
		t.Errorf("delivered %v, short %v", f.Delivered.Mean, f.Delivered.Short)
	}
}

// TestConsentedCurtailment is 10 MW taken back from 13:00 to 15:00, told an hour before, under a
// right to 100 hours a year. By hand: 120 minutes do not count; of the other 43,080 all were
// available: 100 %, no credit. 10 MW x 2 h = 20 MWh not drawn x $150 = $3,000 to the tenant.
// 98 hours of the year's right are left.
func TestConsentedCurtailment(t *testing.T) {
	in := month()
	in.held(at(12, 13, 0), at(12, 15, 0), 50*unit.Megawatt)
	e := in.event(usage.Curtailment, at(12, 13, 0), at(12, 15, 0), 10*unit.Megawatt)
	e.Consented, e.Announced = "curtailment right", at(12, 12, 0)
	f := Assess(in)
	check(t, f, want{curtailed: 120, reached: 100})
	if f.Counted() != 43_080*time.Minute {
		t.Errorf("%v count", f.Counted())
	}
	c := f.Curtailed
	if c == nil || c.NotDrawn != 20*unit.MegawattHour || c.Payment != 3_000*unit.Dollar || c.Used != 2*time.Hour || c.Left() != 98*time.Hour || c.Beyond != 0 {
		t.Errorf("the right: %+v", c)
	}
	if l := f.Evidence[0]; l.Excluded != 2*time.Hour || l.Verdict != "excluded: curtailment right, told 1h before" {
		t.Errorf("evidence: %+v", l)
	}

	// 99 hours were used in July. By hand: the first hour is within the right, the second is not,
	// and in it 50 of 60 MW = 83.3 % was delivered, below 95 %: 60 minutes of brown-out. 43,080 of
	// 43,140 = 99.860918 %: 5 % = $375,000. Payment is for all of it.
	july := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	in.event(usage.Curtailment, july, july.Add(99*time.Hour), 10*unit.Megawatt).Consented = "curtailment right"
	f = Assess(in)
	check(t, f, want{curtailed: 60, brown: 60, reached: 99.860918, credit: 375_000 * unit.Dollar})
	if c := f.Curtailed; c.Before != 99*time.Hour || c.Used != time.Hour || c.Beyond != time.Hour || c.Payment != 3_000*unit.Dollar || c.Left() != 0 {
		t.Errorf("the right: %+v", c)
	}
	if l := f.Evidence[0]; len(f.Evidence) != 1 || l.Excluded != time.Hour || !strings.Contains(l.Verdict, "60 min of it counts, beyond the year's right of 100h") {
		t.Errorf("evidence: %+v", f.Evidence)
	}
	// Those of the year before are not of this year's right.
	in.Events[1].From, in.Events[1].To = july.AddDate(-1, 0, 0), july.AddDate(-1, 0, 5)
	check(t, Assess(in), want{curtailed: 120, reached: 100})
}

// TestBrownout is 54 of 60 MW = 90 % delivered from 02:10 to 09:30, 440 minutes; and an hour at
// 57 MW = 95 %, which is not below 95 % and does not count. By hand: 42,760 / 43,200 =
// 98.981481 %: below 99 %: 10 % of $7,500,000 = $750,000. Bounded to 8 % it is $600,000.
func TestBrownout(t *testing.T) {
	in := month()
	in.held(at(20, 2, 10), at(20, 9, 30), 54*unit.Megawatt)
	in.held(at(21, 2, 0), at(21, 3, 0), 57*unit.Megawatt)
	in.event(usage.Brownout, at(20, 2, 10), at(20, 9, 30), 6*unit.Megawatt)
	f := Assess(in)
	check(t, f, want{brown: 440, reached: 98.981481, credit: 750_000 * unit.Dollar})
	if w := f.Delivered.Worst; w == nil || math.Abs(float64(w.Share)-0.9) > 1e-12 || w.Delivered != 54*unit.Megawatt || w.Short != 6*unit.Megawatt || w.Start != at(20, 2, 10) {
		t.Errorf("the worst interval is %+v", w)
	}
	in.SLA.Cap = 0.08
	if f = Assess(in); f.Credit.Amount != 600_000*unit.Dollar || !f.Credit.Capped || f.Credit.Share != 0.1 {
		t.Errorf("bounded: %+v", f.Credit)
	}
}

// A promise that is met to the second is not broken: 43.2 minutes of 43,200 are 0.1 %.
func TestMetToTheSecond(t *testing.T) {
	in := month()
	in.off(at(3, 0, 0), at(3, 0, 43).Add(12*time.Second))
	if f := Assess(in); f.Broken || f.Credit.Amount != 0 || f.Down != 43*time.Minute+12*time.Second {
		t.Errorf("43.2 minutes: %v, %+v", f.Reached, f.Credit)
	}
	in = month()
	in.off(at(3, 0, 0), at(3, 0, 43).Add(13*time.Second))
	if f := Assess(in); !f.Broken || f.Credit.Share != 0.05 {
		t.Errorf("a second more: %v, %+v", f.Reached, f.Credit)
	}
}

func TestWhatCounts(t *testing.T) {
	told := func(e *usage.Event, d time.Duration) { e.Announced = e.From.Add(-d) }
	const half = 216 // minutes down that are 0.5 %: 42,984 / 43,200
	// Held to 50 of 60 MW for as long, 215 count: in the last interval it is a minute of five, and
	// 96.7 % was delivered. 42,985 / 43,200 = 99.502315 %.
	const held = 215
	for _, tc := range []struct {
		name    string
		make    func(in *Input)
		want    want
		verdict string // of the first line of evidence, in part
	}{
		{"maintenance announced", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 3, 36))
			told(in.event(usage.Maintenance, at(5, 0, 0), at(5, 3, 36), 60*unit.Megawatt), 168*time.Hour)
		}, want{maintained: half, reached: 100}, "excluded: maintenance announced 168h before"},
		{"maintenance announced late", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 3, 36))
			told(in.event(usage.Maintenance, at(5, 0, 0), at(5, 3, 36), 60*unit.Megawatt), 167*time.Hour)
		}, want{down: half, reached: 99.5, credit: 375_000 * unit.Dollar}, "counts: announced 167h before, and 168h is needed"},
		{"maintenance not announced", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 3, 36))
			in.event(usage.Maintenance, at(5, 0, 0), at(5, 3, 36), 60*unit.Megawatt)
		}, want{down: half, reached: 99.5, credit: 375_000 * unit.Dollar}, "counts: it was not announced"},
		{"maintenance beyond the month's", func(in *Input) {
			in.SLA.Maintenance = time.Hour
			in.off(at(5, 0, 0), at(5, 3, 36))
			told(in.event(usage.Maintenance, at(5, 0, 0), at(5, 3, 36), 60*unit.Megawatt), 200*time.Hour)
			// 43,140 count, 156 of them down: 99.638387 %.
		}, want{down: 156, maintained: 60, reached: 99.638387, credit: 375_000 * unit.Dollar}, "156 min of it counts, beyond the month's 1h of maintenance"},
		{"maintenance that goes on after its end", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 3, 36))
			told(in.event(usage.Maintenance, at(5, 0, 0), at(5, 2, 0), 60*unit.Megawatt), 200*time.Hour)
			in.event(usage.Outage, at(5, 2, 0), at(5, 3, 36), 60*unit.Megawatt)
			// 43,080 count, 96 down: 99.777159 %.
		}, want{down: 96, maintained: 120, reached: 99.777159, credit: 375_000 * unit.Dollar}, "excluded: maintenance"},
		{"an outage in the interval of maintenance", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 0, 2))
			told(in.event(usage.Maintenance, at(5, 0, 2), at(5, 0, 5), 60*unit.Megawatt), 200*time.Hour)
			in.event(usage.Outage, at(5, 0, 0), at(5, 0, 2), 60*unit.Megawatt)
			// The outage is placed before the maintenance: 2 of 43,197.
		}, want{down: 2, maintained: 3, reached: 99.99537}, "counts as down"},
		{"curtailment without consent", func(in *Input) {
			in.held(at(5, 0, 0), at(5, 3, 36), 50*unit.Megawatt)
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 3, 36), 10*unit.Megawatt)
		}, want{brown: held, reached: 99.502315, credit: 375_000 * unit.Dollar}, "counts: the tenant did not consent"},
		{"curtailment told too late", func(in *Input) {
			in.held(at(5, 0, 0), at(5, 3, 36), 50*unit.Megawatt)
			e := in.event(usage.Curtailment, at(5, 0, 0), at(5, 3, 36), 10*unit.Megawatt)
			e.Consented = "curtailment right"
			told(e, 10*time.Minute)
		}, want{brown: held, reached: 99.502315, credit: 375_000 * unit.Dollar}, "counts: told 10m before, and 30m is needed"},
		{"curtailment of more than the right's power", func(in *Input) {
			in.held(at(5, 0, 0), at(5, 3, 36), 48*unit.Megawatt)
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 3, 36), 12*unit.Megawatt).Consented = "curtailment right"
		}, want{brown: held, reached: 99.502315, credit: 375_000 * unit.Dollar}, "counts: 12 MW was taken back, and the right is to 10 MW"},
		{"a brown-out within a curtailment", func(in *Input) {
			in.held(at(5, 0, 0), at(5, 1, 0), 40*unit.Megawatt) // 20 MW less, 10 of them by consent: 83 %
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 1, 0), 10*unit.Megawatt).Consented = "curtailment right"
		}, want{brown: 60, reached: 99.861111, credit: 375_000 * unit.Dollar}, "excluded: curtailment right, notice not recorded"},
		{"an outage within a curtailment", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 1, 0))
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 1, 0), 10*unit.Megawatt).Consented = "curtailment right"
		}, want{down: 60, reached: 99.861111, credit: 375_000 * unit.Dollar}, "excluded: curtailment right"},
		{"all power taken back by consent", func(in *Input) {
			in.Curtail = nil
			in.off(at(5, 0, 0), at(5, 1, 0))
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 1, 0), 60*unit.Megawatt).Consented = "letter of 2026-11-02"
		}, want{curtailed: 60, reached: 100}, "excluded: letter of 2026-11-02"},
		{"all power taken back by consent, and it wanted a little more", func(in *Input) {
			in.Curtail = nil
			in.off(at(5, 0, 0), at(5, 1, 0))
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 1, 0), 59*unit.Megawatt).Consented = "letter of 2026-11-02"
		}, want{curtailed: 60, reached: 100}, "excluded: letter of 2026-11-02"},
		{"all power taken back by consent while the meter is silent", func(in *Input) {
			in.Curtail = nil
			in.off(at(5, 0, 0), at(5, 1, 0))
			in.silent(at(5, 0, 0), at(5, 1, 0))
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 1, 0), 60*unit.Megawatt).Consented = "letter of 2026-11-02"
		}, want{curtailed: 60, reached: 100}, "excluded: letter of 2026-11-02"},
		{"1 of 60 MW shed while the meter is silent", func(in *Input) {
			in.held(at(5, 0, 0), at(5, 8, 0), 59*unit.Megawatt)
			in.silent(at(5, 0, 0), at(5, 8, 0))
			in.event(usage.Brownout, at(5, 0, 0), at(5, 8, 0), unit.Megawatt)
			// 98.3 % were given, of which no meter tells.
		}, want{unknown: 480, reached: 100}, "counts where less than 95 %"},
		{"12 of 60 MW shed while the meter is silent", func(in *Input) {
			in.held(at(5, 0, 0), at(5, 1, 0), 48*unit.Megawatt)
			in.silent(at(5, 0, 0), at(5, 1, 0))
			in.event(usage.Brownout, at(5, 0, 0), at(5, 1, 0), 12*unit.Megawatt)
		}, want{brown: 60, reached: 99.861111, credit: 375_000 * unit.Dollar}, "counts where less than 95 %"},
		{"curtailment without consent while the meter is silent", func(in *Input) {
			in.silent(at(5, 0, 0), at(5, 1, 0))
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 1, 0), 12*unit.Megawatt)
		}, want{brown: 60, reached: 99.861111, credit: 375_000 * unit.Dollar}, "counts: the tenant did not consent"},
		{"nothing is excluded", func(in *Input) {
			in.SLA.Excluded = []string{}
			in.held(at(5, 0, 0), at(5, 3, 36), 50*unit.Megawatt)
			in.event(usage.Curtailment, at(5, 0, 0), at(5, 3, 36), 10*unit.Megawatt).Consented = "curtailment right"
		}, want{brown: held, reached: 99.502315, credit: 375_000 * unit.Dollar}, "counts: the contract does not exclude curtailment"},
		{"two outages at once", func(in *Input) {
			in.off(at(5, 0, 0), at(5, 3, 36))
			in.event(usage.Outage, at(5, 0, 0), at(5, 3, 0), 60*unit.Megawatt)
			in.event(usage.Outage, at(5, 1, 0), at(5, 3, 36), 60*unit.Megawatt)
		}, want{down: half, reached: 99.5, credit: 375_000 * unit.Dollar}, "counts as down"},
		{"jobs that were capped", func(in *Input) {
			in.event(usage.Capped, at(5, 0, 0), at(5, 3, 36), unit.Megawatt)
		}, want{reached: 100}, "counts by what its intervals show"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := month()
			tc.make(&in)
			f := Assess(in)
			check(t, f, tc.want)
			if len(f.Evidence) == 0 || !strings.Contains(f.Evidence[0].Verdict, tc.verdict) {
				t.Errorf("evidence %+v, want %q", f.Evidence, tc.verdict)
			}
		})
	}
}

// TestUnknownIsNotZero: rows that did not come count neither way, but where an event tells.
func TestUnknownIsNotZero(t *testing.T) {
	in := month()
	// No rows from 00:00 to 12:00 on the 5th, half of them with a row that says it is missing;
	// the journal knows of an outage from 03:00 to 04:00 in it.
	in.each(at(5, 0, 0), at(5, 6, 0), func(r *usage.Row, _ time.Duration) { *r = usage.Row{Start: r.Start, Quality: site.Missing} })
	in.Rows = slices.DeleteFunc(in.Rows, func(r usage.Row) bool { return !r.Start.Before(at(5, 6, 0)) && r.Start.Before(at(5, 12, 0)) })
	in.event(usage.Outage, at(5, 3, 0), at(5, 4, 0), 60*unit.Megawatt)
	f := Assess(in)
	// By hand: 720 - 60 = 660 minutes unknown, 42,540 count, 42,480 of them available: 99.858956 %.
	check(t, f, want{down: 60, unknown: 660, reached: 99.858956, credit: 375_000 * unit.Dollar})
	// Had all been down: 42,480 / 43,200 = 98.333333 %: 10 %.
	if got := float64(f.Least.V); math.Abs(got-0.98333333) > 1e-8 {
		t.Errorf("at least %v", f.Least)
	}
	if !slices.ContainsFunc(f.Notes, func(s string) bool { return strings.Contains(s, "660 min of the month are not known") }) ||
		!slices.ContainsFunc(f.Notes, func(s string) bool { return strings.Contains(s, "the credit would be 10 %") }) {
		t.Errorf("notes: %q", f.Notes)
	}

	in = month()
	in.Rows = nil
	f = Assess(in)
	check(t, f, want{unknown: 43_200})
	if f.Reached.OK || f.Broken {
		t.Errorf("of a month without rows it is said: %+v", f)
	}
}

// TestUnderWay is the outage of 75 minutes, asked on the 10th at 16:02:30.
func TestUnderWay(t *testing.T) {
	in := month()
	in.off(at(10, 14, 2), at(10, 15, 17))
	e := in.event(usage.Outage, at(10, 14, 2), time.Time{}, 60*unit.Megawatt) // nobody has ended it yet
	e.Ref = "plan 4711"
	in.Now = at(10, 16, 2).Add(30 * time.Second)
	in.Rows = slices.DeleteFunc(in.Rows, func(r usage.Row) bool { return !r.Start.Before(at(10, 16, 0)) })
	f := Assess(in)
	// By hand: 9 days and 16 hours = 13,920 minutes so far, 13,845 available: 99.461207 %. If
	// nothing more happens, 43,125 / 43,200 = 99.826389 %: 5 %. Below 99 % it would be only if all
	// of the month were like this.
	check(t, f, want{down: 75, reached: 99.461207, credit: 375_000 * unit.Dollar})
	if f.Final || f.Until != at(10, 16, 0) || f.ToCome != (43_200-13_920)*time.Minute || math.Abs(float64(f.Outlook.V)-0.99826389) > 1e-8 {
		t.Errorf("%+v", f)
	}
	if l := f.Evidence[0]; l.End != f.Until || !l.To.IsZero() {
		t.Errorf("evidence: %+v", l)
	}
	in.Now = from.Add(-time.Hour)
	f = Assess(in)
	check(t, f, want{})
	if f.Reached.OK || f.Outlook.V != 1 || len(f.Evidence) != 0 {
		t.Errorf("before the month: %+v", f)
	}
	in.Now = to.Add(time.Hour)
	if f = Assess(in); !f.Final {
		t.Error("after the month it is not final")
	}
}

// A month in Chicago has an hour more when the clocks go back, and its rows are its own.
func TestMonthOfAZone(t *testing.T) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Skip("no time zone data for America/Chicago")
	}
	in := month()
	in.Zone = zone
	if in.From, in.To, err = contract.MonthOf(zone, "2026-11"); err != nil {
		t.Fatal(err)
	}
	f := Assess(in)
	// 721 hours, of which the first month's rows of UTC lack the last six.
	if f.Month != 721*time.Hour || f.Unknown != 6*time.Hour {
		t.Errorf("the month has %v, %v unknown", f.Month, f.Unknown)
	}
}

// A later revision of a row replaces the earlier, in whatever order they come; and order changes nothing.
func TestRevisionsAndOrder(t *testing.T) {
	in := month()
	in.off(at(10, 14, 2), at(10, 15, 17))
	in.held(at(20, 2, 10), at(20, 9, 30), 54*unit.Megawatt)
	in.event(usage.Outage, at(10, 14, 2), at(10, 15, 17), 60*unit.Megawatt)
	in.event(usage.Curtailment, at(20, 2, 0), at(20, 5, 0), 5*unit.Megawatt).Consented = "a"
	in.event(usage.Curtailment, at(20, 3, 0), at(20, 6, 0), 7*unit.Megawatt).Consented = "b"
	wanted := Assess(in)
	for _, r := range in.Rows[:100] {
		r.Down, r.Revision = telemetry.Length, -1
		in.Rows = append(in.Rows, r)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(in.Rows), func(i, j int) { in.Rows[i], in.Rows[j] = in.Rows[j], in.Rows[i] })
	rng.Shuffle(len(in.Events), func(i, j int) { in.Events[i], in.Events[j] = in.Events[j], in.Events[i] })
	if diff := cmp.Diff(wanted, Assess(in)); diff != "" {
		t.Errorf("order or an older revision changes the finding (-want +got):\n%s", diff)
	}
	// 3 h at 5 MW, the last two of them under 7 MW: 1 h x 5 + 3 h x 7 = 26 MWh, each counted once.
	if c := wanted.Curtailed; c.NotDrawn != 26*unit.MegawattHour || c.Used != 4*time.Hour {
		t.Errorf("two curtailments at once: %+v", c)
	}
}

// Whatever rows and events come, the parts sum to the month, no part is negative, what happened
// twice counts once, and one more outage never makes the month better.
func TestFindingHolds(t *testing.T) {
	kinds := []usage.EventKind{usage.Outage, usage.Brownout, usage.Curtailment, usage.Maintenance, usage.Capped}
	rapid.Check(t, func(rt *rapid.T) {
		in := month()
		in.To = in.From.Add(6 * time.Hour)
		in.Rows = in.Rows[:72]
		in.SLA.Notice, in.SLA.Maintenance = time.Hour, rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(rt, "maintenance")
		in.Curtail.Hours = rapid.SampledFrom([]time.Duration{time.Hour, 100 * time.Hour}).Draw(rt, "right")
		minute := func(name string, low, high int) time.Time {
			return from.Add(time.Duration(rapid.IntRange(low*60, high*60).Draw(rt, name)) * time.Second)
		}
		for range rapid.IntRange(0, 6).Draw(rt, "events") {
			a := minute("from", -60, 380)
			b := a.Add(time.Duration(rapid.IntRange(1, 7200).Draw(rt, "length")) * time.Second)
			e := in.event(rapid.SampledFrom(kinds).Draw(rt, "kind"), a, b, unit.Power(rapid.Int64Range(0, 60_000).Draw(rt, "kW"))*unit.Kilowatt)
			e.Consented = rapid.SampledFrom([]string{"", "right"}).Draw(rt, "consent")
			if rapid.Bool().Draw(rt, "told") {
				e.Announced = a.Add(-time.Duration(rapid.IntRange(0, 7200).Draw(rt, "notice")) * time.Second)
			}
		}
		for i := range in.Rows {
			r := &in.Rows[i]
			switch rapid.IntRange(0, 9).Draw(rt, "row") {
			case 0:
				r.Quality = site.Missing
			case 1:
				r.Down = time.Duration(rapid.IntRange(0, 300).Draw(rt, "down")) * time.Second
			case 2:
				r.Reduced = time.Duration(rapid.IntRange(0, 300).Draw(rt, "reduced")) * time.Second
				r.Short = unit.Energy(rapid.Int64Range(0, int64(r.Wanted)).Draw(rt, "short"))
			}
		}
		f := Assess(in)
		if f.Counted()+f.ExcludedTime()+f.Unknown+f.ToCome != f.Month {
			rt.Fatalf("the parts do not sum to the month: %+v", f)
		}
		for _, d := range []time.Duration{f.Available, f.Down, f.Brown, f.Unknown, f.Excluded[0].Time, f.Excluded[1].Time} {
			if d < 0 {
				rt.Fatalf("a part is negative: %+v", f)
			}
		}
		if f.Credit.Amount < 0 || f.Credit.Amount > rent {
			rt.Fatalf("a credit of %v", f.Credit.Amount)
		}
		twice := in
		twice.Events = slices.Concat(in.Events, in.Events)
		g := Assess(twice)
		g.Evidence, g.Notes, f.Evidence, f.Notes = nil, nil, nil, nil
		if diff := cmp.Diff(f, g); diff != "" {
			rt.Fatalf("what is told twice counts twice (-once +twice):\n%s", diff)
		}
		worse := in
		worse.Rows = slices.Clone(in.Rows)
		i := rapid.IntRange(0, len(in.Rows)-1).Draw(rt, "also down")
		if r := &worse.Rows[i]; r.Quality != site.Missing {
			r.Down, r.Reduced = telemetry.Length, 0
		}
		if h := Assess(worse); h.Reached.OK && f.Reached.OK && float64(h.Reached.V) > float64(f.Reached.V)+1e-9 {
			rt.Fatalf("an interval more down makes %v of %v", h.Reached.V, f.Reached.V)
		}
	})
}

// The algebra of times is that of sets of minutes.
func TestSpansAreSets(t *testing.T) {
	const minutes = 60
	gen := func(rt *rapid.T, name string) (spans, [minutes]bool) {
		var in []span
		var set [minutes]bool
		for range rapid.IntRange(0, 5).Draw(rt, name) {
			a, n := rapid.IntRange(0, minutes).Draw(rt, "from"), rapid.IntRange(-2, 20).Draw(rt, "length")
			b := min(a+n, minutes)
			in = append(in, span{from.Add(time.Duration(a) * time.Minute), from.Add(time.Duration(b) * time.Minute)})
			for m := a; m < b; m++ {
				set[m] = true
			}
		}
		return union(in...), set
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, as := gen(rt, "a")
		b, bs := gen(rt, "b")
		n := rapid.IntRange(0, minutes).Draw(rt, "first")
		first, taken := a.first(time.Duration(n)*time.Minute), 0
		lo, hi := rapid.IntRange(0, minutes).Draw(rt, "lo"), rapid.IntRange(0, minutes).Draw(rt, "hi")
		w, in := span{from.Add(time.Duration(lo) * time.Minute), from.Add(time.Duration(hi) * time.Minute)}, 0
		for m := range minutes {
			one := span{from.Add(time.Duration(m) * time.Minute), from.Add(time.Duration(m+1) * time.Minute)}
			has := func(s spans) bool { return s.in(one) == time.Minute }
			if has(a) != as[m] || has(a.and(b)) != (as[m] && bs[m]) || has(a.minus(b)) != (as[m] && !bs[m]) || has(a.or(b)) != (as[m] || bs[m]) {
				rt.Fatalf("minute %d is wrong in %v and %v", m, a, b)
			}
			if has(first) != (as[m] && taken < n) {
				rt.Fatalf("minute %d is wrong in the first %d of %v", m, n, a)
			}
			if as[m] {
				taken++
			}
			if as[m] && m >= lo && m < hi {
				in++
			}
		}
		if got := a.in(w); got != time.Duration(in)*time.Minute {
			rt.Fatalf("%v has %v in %v, want %d minutes", a, got, w, in)
		}
		if a.length() != a.minus(b).length()+a.and(b).length() {
			rt.Fatalf("the parts of %v do not sum", a)
		}
	})
}

func BenchmarkAssess(b *testing.B) {
	in := month()
	in.off(at(10, 14, 2), at(10, 15, 17))
	in.held(at(20, 2, 10), at(20, 9, 30), 54*unit.Megawatt)
	for d := 1; d < 30; d++ {
		in.event(usage.Curtailment, at(d, 13, 0), at(d, 15, 0), 10*unit.Megawatt).Consented = "right"
	}
	for b.Loop() {
		Assess(in)
	}
}

// A right that becomes another within the month: 10 hours of 10 MW at 100 $/MWh until the 16th, then 4
// hours at 200 $. Of 3 hours taken on the 10th all are excluded, and of 3 on the 20th one: with those
// before it they are 6 of 4. The payments are 3 h x 10 MW x 100 $ and 3 h x 10 MW x 200 $.
func TestARightThatBecomesAnother(t *testing.T) {
	from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	change := from.AddDate(0, 0, 15)
	taken := func(day int) usage.Event {
		at := from.AddDate(0, 0, day-1)
		return usage.Event{Kind: usage.Curtailment, From: at, To: at.Add(3 * time.Hour), Power: 10 * unit.Megawatt, Consented: "the right", Announced: at.Add(-time.Hour)}
	}
	old := contract.Curtail{Power: 10 * unit.Megawatt, Hours: 10 * time.Hour, Price: unit.DollarsPerMWh(100)}
	next := contract.Curtail{Power: 10 * unit.Megawatt, Hours: 4 * time.Hour, Price: unit.DollarsPerMWh(200)}
	f := Assess(Input{
		SLA: contract.SLA{Availability: 0.999}, Curtail: &old, Later: []Right{{From: change, Curtail: &next}},
		From: from, To: from.AddDate(0, 1, 0), Events: []usage.Event{taken(10), taken(20)},
	})
	c := f.Curtailed
	if c == nil || c.Used != 4*time.Hour || c.Beyond != 2*time.Hour || c.Right != 4*time.Hour || c.NotDrawn != 60*unit.MegawattHour || c.Payment != 9_000*unit.Dollar {
		t.Errorf("%+v", c)
	}
	// None holds from then on: what is consented to is excluded without bound, and nothing is paid for it.
	f = Assess(Input{
		SLA: contract.SLA{Availability: 0.999}, Curtail: &old, Later: []Right{{From: change}},
		From: from, To: from.AddDate(0, 1, 0), Events: []usage.Event{taken(10), taken(20)},
	})
	if c := f.Curtailed; c == nil || c.Used != 6*time.Hour || c.Beyond != 0 || c.Payment != 3_000*unit.Dollar {
		t.Errorf("%+v", c)
	}
}
