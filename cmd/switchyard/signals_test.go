package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/cmd/switchyard/signalscmd"
)

func (f *fake) Schedule() api.ScheduleView { return api.ScheduleView{At: siteTime} }
func (f *fake) Forecast() api.ForecastView { return api.ForecastView{At: siteTime} }

func (f *fake) Signals() api.SignalsView {
	heard := siteTime.Add(-20 * time.Second)
	return api.SignalsView{
		At: siteTime,
		Sources: []api.SourceView{
			{Name: "utility", Protocol: "openadr", State: "ok", HeardAt: &heard, Address: "https://vtn.example/3.1", Lost: "the connection is limited to 2 MW"},
			{Name: "aggregator", Protocol: "mqtt", State: "lost", HeardAt: &heard, Address: "ssl://broker.example:8883", Lost: "what it said holds no more", Problem: "connection refused"},
			{Name: "modbus", Protocol: "modbus", State: "never", Address: "127.0.0.1:1502"},
		},
		Signals: []api.SignalView{
			{Key: "utility/event-6", Kind: "limit", Node: "connection", PowerW: ptr(2e6), From: siteTime.Add(-3 * time.Hour), To: ptr(siteTime.Add(-time.Hour))},
			{Key: "utility/event-7", Kind: "limit", Node: "connection", PowerW: ptr(1.5e6), From: siteTime.Add(-time.Minute), To: ptr(siteTime.Add(time.Hour)), Priority: 1, Emergency: true, InForce: true, Note: "heat wave"},
			{Key: "utility/event-8", Kind: "limit", Node: "connection", PowerW: ptr(2.5e6), RampW: ptr(1e5), From: siteTime, Priority: 2, OverruledBy: "utility/event-7", OverruledWhy: "higher priority"},
			{Key: "utility/price-3", Kind: "price", PriceUSD: ptr(812.5), From: siteTime.Add(time.Hour), To: ptr(siteTime.Add(2 * time.Hour))},
			{Key: "aggregator/spin", Kind: "reserve", PowerW: ptr(3e5), WithinS: ptr(30.0), From: siteTime, OverruledWhy: "its source is lost, and what it said is released"},
		},
		Refused: []api.Refusal{{At: siteTime, Source: "utility", Text: "event-9 ends at 12:00, before it begins at 13:00: it is not taken"}},
	}
}

func TestSignals(t *testing.T) {
	_, who := controller(t)
	r := who[api.Viewer].run(t, "signals")
	r.wants(t, 0, []string{
		"utility", "14:04:50", "https://vtn.example/3.1", "lost", "what it said holds no more: connection refused", "never",
		"at most 1.5 MW at connection", "07-01 15:05:10", "EMERGENCY, in force", "heat wave", "until taken back", "overruled by utility/event-7 (higher priority)",
		"at most 2.5 MW at connection, by 100 kW a minute", "812.50 $/MWh", "to come", "300 kW held, down within 30s", "not in force: its source is lost",
		"Not taken, or not as asked", "event-9 ends at 12:00",
	}, nil)
	if strings.Contains(r.out, "event-6") {
		t.Error("what is over is shown without --all")
	}
	who[api.Viewer].run(t, "signals", "--all").wants(t, 0, []string{"event-6", "over"}, nil)
	var v api.SignalsView
	who[api.Viewer].run(t, "signals", "-o", "json").decode(t, &v)
	if len(v.Sources) != 3 || len(v.Signals) != 5 {
		t.Errorf("%+v", v)
	}
	env{}.run(t, "signals", "--url", "http://127.0.0.1:1").wants(t, 5, nil, []string{"no controller answers"})
}

func TestSignalsOfASiteWithoutAny(t *testing.T) {
	var b strings.Builder
	signalscmd.Print(&b, api.SignalsView{}, time.UTC, false)
	if !strings.Contains(b.String(), "names no way for the grid") {
		t.Error(b.String())
	}
	b.Reset()
	signalscmd.Print(&b, api.SignalsView{Sources: []api.SourceView{{Name: "x"}}}, time.UTC, false)
	if !strings.Contains(b.String(), "Nothing is asked for.\n") || strings.Contains(b.String(), "Since") {
		t.Error(b.String())
	}
	b.Reset()
	signalscmd.Print(&b, api.SignalsView{Sources: []api.SourceView{{Name: "x"}}, Signals: []api.SignalView{{Key: "x/1", Priority: math.MaxInt32}, {Key: "x/2", Priority: 7}}}, time.UTC, false)
	if out := b.String(); !strings.Contains(out, " none ") || !strings.Contains(out, " 7 ") || strings.Contains(out, "2147483647") {
		t.Error(out)
	}
	b.Reset()
	signalscmd.Print(&b, api.SignalsView{Sources: []api.SourceView{{Name: "x", State: "lost", Lost: "the connection is limited to 190 kW"}}}, time.UTC, false)
	if !strings.Contains(b.String(), "Nothing is asked for.\nSince x is lost: the connection is limited to 190 kW.\n") {
		t.Error(b.String())
	}
}
