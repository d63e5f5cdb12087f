package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
)

// ahead registers what shows the hours to come. People change nothing here: a limit of their
// own is set as ever, and what is planned follows the site file.
func (s Site) ahead(a huma.API) {
	read(s, a, "/api/v1/schedule", "schedule", "What is planned for the coming hours, and what was", func(context.Context, *struct{}) (ScheduleView, error) {
		return s.Ahead.Schedule().whole(), nil
	})
	read(s, a, "/api/v1/signals", "signals", "What the grid asks, by whom, and what of it holds", func(context.Context, *struct{}) (SignalsView, error) {
		v := s.Ahead.Signals()
		v.Sources, v.Signals, v.Refused = some(v.Sources), some(v.Signals), some(v.Refused)
		return v, nil
	})
	read(s, a, "/api/v1/forecast", "forecast", "The prices that are expected", func(context.Context, *struct{}) (ForecastView, error) {
		v := s.Ahead.Forecast()
		v.Notes, v.Steps = some(v.Notes), some(v.Steps)
		return v, nil
	})
}

// whole is v with an empty list wherever there is none: a null would be unknown.
func (v ScheduleView) whole() ScheduleView {
	v.Notes, v.Steps, v.Past = some(v.Notes), some(v.Steps), some(v.Past)
	loads := make([]LoadPlanView, len(v.Loads))
	for i, l := range v.Loads {
		l.PowerW, l.KeepUSD, l.TakeUSD = some(l.PowerW), some(l.KeepUSD), some(l.TakeUSD)
		l.CurtailedW, l.ShortW = some(l.CurtailedW), some(l.ShortW)
		loads[i] = l
	}
	reserves := make([]ReservePlanned, len(v.Reserves))
	for i, r := range v.Reserves {
		r.HeldW, r.ShortW, r.PriceUSD = some(r.HeldW), some(r.ShortW), some(r.PriceUSD)
		reserves[i] = r
	}
	v.Loads, v.Reserves = loads, reserves
	return v
}

func some[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}
