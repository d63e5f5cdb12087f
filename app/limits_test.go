package app

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
	"switchyard/app/bounds"
	"switchyard/app/plant"
	"switchyard/market"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

func newLimits(t *testing.T) (*bounds.Limits, *sitefile.File) {
	t.Helper()
	f := parse(t, siteDoc)
	p, err := plant.New(f, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &bounds.Limits{Plant: p, File: market.FileLimits(f)}, f
}

const kw = unit.Kilowatt

func TestBoundsFollowTheCalendar(t *testing.T) {
	l, _ := newLimits(t)
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// connection, hall-a, hall-b, ai-hall. 16:00 in Chicago's summer is 21:00 UTC.
	for _, c := range []struct {
		at    string
		ahead time.Duration
		want  []unit.Power
	}{
		{"2026-07-01T20:59:59Z", 0, []unit.Power{100 * kw, 40 * kw, 40 * kw, 60 * kw}},
		{"2026-07-01T20:59:59Z", time.Minute, []unit.Power{80 * kw, 40 * kw, 40 * kw, 60 * kw}},
		{"2026-07-01T20:58:59Z", time.Minute, []unit.Power{100 * kw, 40 * kw, 40 * kw, 60 * kw}},
		{"2026-07-01T21:00:00Z", 0, []unit.Power{80 * kw, 40 * kw, 40 * kw, 60 * kw}},
		{"2026-07-01T23:29:59Z", 0, []unit.Power{80 * kw, 40 * kw, 40 * kw, 60 * kw}},
		{"2026-07-01T23:30:00Z", time.Minute, []unit.Power{100 * kw, 40 * kw, 40 * kw, 60 * kw}},
		{"2026-07-05T12:00:00Z", 0, []unit.Power{100 * kw, 30 * kw, 40 * kw, 60 * kw}},
		{"2026-12-01T22:30:00Z", time.Minute, []unit.Power{100 * kw, 30 * kw, 40 * kw, 60 * kw}}, // the season is over
		{"2026-05-31T22:00:00Z", 0, []unit.Power{100 * kw, 40 * kw, 40 * kw, 60 * kw}},           // and was not begun
	} {
		now := at(c.at)
		if diff := cmp.Diff(c.want, l.Bounds(now, l.At(now), c.ahead)); diff != "" {
			t.Errorf("at %s, %s ahead (-want +got):\n%s", c.at, c.ahead, diff)
		}
	}
}

func TestTheTightestLimitHolds(t *testing.T) {
	l, _ := newLimits(t)
	for _, w := range []float64{70e3, 50e3, 60e3, 90e9} {
		if _, err := l.Add(summer, "eva", api.LimitRequest{Node: "connection", PowerW: w}); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.Bounds(summer, l.At(summer), 0)[0]; got != 50*kw {
		t.Errorf("the bound is %s", got)
	}
	if _, err := l.Add(summer, "eva", api.LimitRequest{Node: "connection", PowerW: 0}); err != nil {
		t.Fatal(err)
	}
	if got := l.Bounds(summer, l.At(summer), 0)[0]; got != 0 {
		t.Errorf("a limit of zero is %s", got)
	}
}

func TestALimitShorterThanTheTimeAheadIsSeenBeforeItBegins(t *testing.T) {
	l, _ := newLimits(t)
	m := site.Limit{ID: "x", Node: "hall-b", Power: 10 * kw, From: summer.Add(20 * time.Second), To: summer.Add(30 * time.Second)}
	if got := l.Bounds(summer, []site.Limit{m}, time.Minute)[2]; got != 10*kw {
		t.Errorf("the bound is %s", got)
	}
	if got := l.Bounds(summer, []site.Limit{m, {Node: "gone", Power: 1}}, 0)[2]; got != 40*kw {
		t.Errorf("now the bound is %s", got)
	}
}

func TestOperatorsLimitsAreCheckedAndEnd(t *testing.T) {
	l, _ := newLimits(t)
	for name, r := range map[string]api.LimitRequest{
		"no such node":    {Node: "hall-x", PowerW: 1},
		"below zero":      {Node: "hall-a", PowerW: -1},
		"no number":       {Node: "hall-a", PowerW: math.NaN()},
		"beyond all":      {Node: "hall-a", PowerW: math.Inf(1)},
		"a negative time": {Node: "hall-a", ForS: -1},
		"no time":         {Node: "hall-a", ForS: math.NaN()},
		"for ever twice":  {Node: "hall-a", ForS: 1e10},
	} {
		if _, err := l.Add(summer, "eva", r); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(l.Manual) != 0 {
		t.Errorf("refused limits are kept: %v", l.Manual)
	}
	if _, err := l.Add(summer, "eva", api.LimitRequest{Node: "hall-x"}); !strings.Contains(err.Error(), "connection, hall-a, hall-b, ai-hall") {
		t.Errorf("the fault does not name the nodes: %v", err)
	}
	short, _ := l.Add(summer, "eva", api.LimitRequest{Node: "hall-a", PowerW: 1000, ForS: 1.5})
	open, _ := l.Add(summer, "eva", api.LimitRequest{Node: "hall-a", PowerW: 1000})
	if short.ID == open.ID || short.To.Sub(summer) != 1500*time.Millisecond || !open.To.IsZero() {
		t.Errorf("%+v %+v", short, open)
	}
	if over := l.Expire(short.To.Add(-1)); len(over) != 0 {
		t.Errorf("ended early: %v", over)
	}
	if over := l.Expire(short.To); len(over) != 1 || over[0].ID != short.ID {
		t.Errorf("ended: %v", over)
	}
	doc, err := l.Doc()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := newLimits(t)
	if err := again.Restore(doc); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.Manual, again.Manual); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	if m, _ := again.Add(summer, "eva", api.LimitRequest{Node: "hall-a"}); m.ID == short.ID || m.ID == open.ID {
		t.Errorf("the name %s was given twice", m.ID)
	}
	for _, id := range []string{"file-1", "op-99", ""} {
		if _, err := l.Clear(id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("clear %q: %v", id, err)
		}
	}
	if m, err := l.Clear(open.ID); err != nil || m.ID != open.ID || len(l.Manual) != 0 {
		t.Errorf("clear: %+v, %v", m, err)
	}
	for range bounds.Most + 1 {
		_, err = l.Add(summer, "eva", api.LimitRequest{Node: "hall-a"})
	}
	if !errors.Is(err, api.ErrInvalid) || len(l.Manual) != bounds.Most {
		t.Errorf("%d limits are set: %v", len(l.Manual), err)
	}
	if err := again.Restore([]byte("{")); err == nil {
		t.Error("a torn document of limits was taken up")
	}
}

func TestLimitsSurviveARestart(t *testing.T) {
	f := parse(t, siteDoc)
	var set api.LimitView
	t.Run("set", func(t *testing.T) {
		a, _ := still(t, f, summer)
		var err error
		if set, err = a.SetLimit(t.Context(), "eva", api.LimitRequest{Node: "hall-b", PowerW: 5000, Note: "fan"}); err != nil {
			t.Fatal(err)
		}
		if !set.Manual || !set.Active || set.By != "eva" || set.To != nil {
			t.Errorf("%+v", set)
		}
	})
	a, _ := still(t, f, summer.Add(time.Hour))
	if m := a.ctl.limits.Manual; len(m) != 1 || m[0].ID != set.ID || m[0].Power != 5*kw {
		t.Errorf("after a restart: %+v", m)
	}
	if err := a.ClearLimit(t.Context(), "eva", set.ID); err != nil {
		t.Error(err)
	}
	if err := a.ClearLimit(t.Context(), "eva", set.ID); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("clear twice: %v", err)
	}
}

func TestALimitBelowTheContractsSaysWhatItCannotDo(t *testing.T) {
	a, _ := still(t, parse(t, siteDoc), summer)
	low, err := a.SetLimit(t.Context(), "eva", api.LimitRequest{Node: "connection", PowerW: 49e3, Note: "storm"})
	if err != nil || !strings.Contains(low.Note, "storm (below the 50 kW contracted there: firm load is not shed") {
		t.Errorf("%+v, %v", low, err)
	}
	for _, r := range []api.LimitRequest{{Node: "connection", PowerW: 50e3}, {Node: "hall-a", PowerW: 1}} {
		if v, err := a.SetLimit(t.Context(), "eva", r); err != nil || v.Note != "" {
			t.Errorf("%+v: %+v, %v", r, v, err)
		}
	}
}
