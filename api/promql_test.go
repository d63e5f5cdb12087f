package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"switchyard/telemetry"
)

func TestPromQL(t *testing.T) {
	history, err := telemetry.OpenHistory(t.TempDir(), telemetry.HistoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = history.Close() })
	for i := range 5 {
		at := siteTime.Add(time.Duration(i-4) * 15 * time.Second)
		if err := history.Append(at, []telemetry.Point{{Key: "node_w:hall-a", Value: float64(100 + i)}}); err != nil {
			t.Fatal(err)
		}
	}
	f := newFace(t)
	f.site.History = history
	f.h = Handler(f.site)
	type answer struct {
		Status string
		Error  string
		Data   struct {
			ResultType string
			Result     []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	get := func(path string, q url.Values) answer {
		return decode[answer](t, f.ask(Viewer, "GET", "/prometheus/api/v1/"+path+"?"+q.Encode(), ""))
	}
	// Without a time it asks at site time, not at the machine's.
	now := get("query", url.Values{"query": {`switchyard_node_w{id="hall-a"}`}})
	if now.Status != "success" || now.Data.ResultType != "vector" || len(now.Data.Result) != 1 || now.Data.Result[0].Value[1] != "104" {
		t.Errorf("now: %+v", now)
	}
	start, end := siteTime.Add(-time.Minute).Format(time.RFC3339), siteTime.Format(time.RFC3339)
	span := get("query_range", url.Values{"query": {"max_over_time(switchyard_node_w[1m])"}, "start": {start}, "end": {end}, "step": {"30"}})
	if span.Status != "success" || span.Data.ResultType != "matrix" || len(span.Data.Result) != 1 || len(span.Data.Result[0].Values) != 3 {
		t.Errorf("range: %+v", span)
	}
	for want, q := range map[string]url.Values{
		"parse error":       {"query": {"switchyard_node_w{"}},
		"is no time":        {"query": {"1"}, "time": {"yesterday"}},
		"longer than 16384": {"query": {strings.Repeat("1+", 20_000) + "1"}},
	} {
		if a := get("query", q); a.Status != "error" || !strings.Contains(a.Error, want) {
			t.Errorf("want an error with %q: %.200s", want, a.Error)
		}
	}
	if a := get("query_range", url.Values{"query": {"1"}, "start": {start}, "end": {end}, "step": {"NaN"}}); !strings.Contains(a.Error, "is no step") {
		t.Errorf("a step of NaN: %+v", a)
	}
	if w := f.ask("", "GET", "/prometheus/api/v1/query?query=1", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", w.Code)
	}
}
