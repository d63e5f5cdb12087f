package backtest

import (
	"context"
	"math"
	"testing"
)

// find returns a policy of a report.
func find(t testing.TB, r *Report, name string, info Information) PolicyResult {
	t.Helper()
	for _, p := range r.Policies {
		if p.Name == name && p.Information == info {
			return p
		}
	}
	t.Fatalf("the report has no %s (%s)", name, info)
	return PolicyResult{}
}

// TestSimpleRulesAsPublished: what the simple rules capture of real prices was published; the
// definitions here are the same only if they come to the same. The schedule must do better,
// and nearly as well as foresight where prices are known in time.
func TestSimpleRulesAsPublished(t *testing.T) {
	for _, c := range []struct {
		name, site, prices, from, to string
		last                         float64 // captured by the last price, known one interval late
		late                         float64 // that the schedule captures at the least
	}{
		{"LZ_WEST 2024", "plain.yaml", lzWest, "2024-01-01", "2025-01-01", 0.70, 0.80},
		{"HB_WEST 2024", "plain.yaml", hbWest, "2024-01-01", "2025-01-01", 0.716, 0.78},
		{"HB_WEST 2023", "plain.yaml", hbWest, "2023-07-01", "2024-01-01", 0.894, 0.92},
		{"LZ_WEST 2024, restarts", "restart.yaml", lzWest, "2024-01-01", "2025-01-01", 0.69, 0.80},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := file(t, c.site)
			w := open(t, f, Sources{Prices: shared(t, c.prices), Bitcoin: shared(t, network), From: date(t, c.from, f), To: date(t, c.to, f)})
			r, err := Run(context.Background(), w, Options{Policies: []string{LastPrice, Switchyard}})
			if err != nil {
				t.Fatal(err)
			}
			last, late, start := find(t, r, LastPrice, Late), find(t, r, Switchyard, Late), find(t, r, Switchyard, Start)
			t.Logf("last price %.4f; switchyard %.4f late, %.4f at the start", *last.Capture, *late.Capture, *start.Capture)
			if math.Abs(*last.Capture-c.last) > 0.005 {
				t.Errorf("the last price captures %.4f, published is %.3f", *last.Capture, c.last)
			}
			if *late.Capture < c.late || *start.Capture < 0.97 {
				t.Errorf("switchyard captures %.4f late and %.4f at the start, want %.2f and 0.97", *late.Capture, *start.Capture, c.late)
			}
		})
	}
}

// TestPeaksAndReserves: coincident peaks and capacity together, of a summer.
func TestPeaksAndReserves(t *testing.T) {
	f := file(t, "whole.yaml")
	w := open(t, f, Sources{
		Prices: shared(t, lzWest), Load: shared(t, hbWest), Bitcoin: shared(t, network), From: date(t, "2024-06-01", f), To: date(t, "2024-08-01", f),
	})
	r, err := Run(context.Background(), w, Options{Policies: []string{Switchyard}, Information: []Information{Start}})
	if err != nil {
		t.Fatal(err)
	}
	own, always := find(t, r, Switchyard, Start), find(t, r, AlwaysOn, Start)
	if len(r.Peaks) != 2 {
		t.Fatalf("%d peaks, want one each of June and July: %v", len(r.Peaks), r.Peaks)
	}
	// Always on pays both peaks in full, at 15 $ for each kW.
	near(t, "always-on's peak charges", always.Breakdown.Coincident, 2*15*1022*3.5)
	if own.Breakdown.Coincident > always.Breakdown.Coincident/10 {
		t.Errorf("the schedule pays %.0f $ of %.0f $ of peak charges", own.Breakdown.Coincident, always.Breakdown.Coincident)
	}
	if own.Breakdown.Reserve < always.Breakdown.Reserve*0.8 || *own.Capture < 0.7 {
		t.Errorf("captured %.3f with reserves of %.0f $, always on %.0f $", *own.Capture, own.Breakdown.Reserve, always.Breakdown.Reserve)
	}
	t.Logf("captured %.4f", *own.Capture)
}

// TestReportsRepeat: the same files and options give the same figures.
func TestReportsRepeat(t *testing.T) {
	f := file(t, "restart.yaml")
	run := func(workers int) *Report {
		w := open(t, f, Sources{Prices: shared(t, newYork), DayAhead: shared(t, newYorkDA), From: date(t, "2017-03-09", f), To: date(t, "2017-03-16", f)})
		r, err := Run(context.Background(), w, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := run(1), run(4)
	for k := range a.Policies {
		if x, y := a.Policies[k], b.Policies[k]; x.Name != y.Name || x.Figures.Profit != y.Figures.Profit || x.Starts != y.Starts {
			t.Errorf("%s: %v and %v", x.Name, x.Figures, y.Figures)
		}
	}
}
