package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// Querier answers PromQL from the history. Calls read the disk, are bounded in time and
// samples, and honour the context.
type Querier interface {
	Query(ctx context.Context, expr string, at time.Time) (parser.Value, error)
	QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) (parser.Value, error)
}

// promql serves the two calls of Prometheus's own API that dashboards need, below
// /prometheus: a Prometheus data source with that address and a viewer's token works.
func (s Site) promql(mux *http.ServeMux) {
	for path, ask := range map[string]func(*http.Request) (parser.Value, error){
		"/prometheus/api/v1/query":       s.instant,
		"/prometheus/api/v1/query_range": s.span,
	} {
		h := s.needs(Viewer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := ask(r)
			if err != nil {
				promAnswer(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()})
				return
			}
			promAnswer(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"resultType": v.Type(), "result": v}})
		}))
		mux.Handle("GET "+path, h)
		mux.Handle("POST "+path, h)
	}
}

func promAnswer(w http.ResponseWriter, code int, v any) {
	doc, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the result cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(doc) // the asker may be gone
}

func (s Site) instant(r *http.Request) (parser.Value, error) {
	at := s.Screens.Live().At
	if t := r.FormValue("time"); t != "" {
		var err error
		if at, err = promTime("time", t); err != nil {
			return nil, err
		}
	}
	return s.History.Query(r.Context(), r.FormValue("query"), at)
}

func (s Site) span(r *http.Request) (parser.Value, error) {
	from, err1 := promTime("start", r.FormValue("start"))
	to, err2 := promTime("end", r.FormValue("end"))
	step, err3 := promStep(r.FormValue("step"))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return s.History.QueryRange(r.Context(), r.FormValue("query"), from, to, step)
}

// promTime reads a time as Prometheus takes it: Unix seconds or RFC 3339.
func promTime(name, s string) (time.Time, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1e11 {
		return time.UnixMilli(int64(math.Round(f * 1e3))).UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%s: %q is no time; write Unix seconds or RFC 3339", name, s)
}

// promStep reads a step as Prometheus takes it: seconds, or a duration such as "5m".
func promStep(s string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 0 && f < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("step: %q is no step; write seconds or a duration such as 5m", s)
}
