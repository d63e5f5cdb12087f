package telemetry

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// Queryable returns the history as Prometheus's own code reads it.
func (h *History) Queryable() storage.Queryable { return h.db }

// Query evaluates a PromQL expression at one moment of site time. It is bounded in samples,
// and in time to 30 s. The value is a promql.Vector, promql.Scalar, promql.String or promql.Matrix;
// each writes itself as Prometheus's JSON.
func (h *History) Query(ctx context.Context, expr string, at time.Time) (parser.Value, error) {
	if len(expr) > maxQuery {
		return nil, fmt.Errorf("query history: the expression is longer than %d bytes", maxQuery)
	}
	q, err := h.engine.NewInstantQuery(ctx, h.db, nil, expr, at)
	if err != nil {
		return nil, fmt.Errorf("query history: %w", err)
	}
	return result(ctx, q)
}

// QueryRange evaluates a PromQL expression at each step of [from, to]; at most 20,000 steps.
func (h *History) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) (parser.Value, error) {
	if len(expr) > maxQuery || step <= 0 || to.Before(from) || to.Sub(from)/step > maxSteps {
		return nil, fmt.Errorf("query history: the range must have 1 to %d steps and the expression at most %d bytes", maxSteps, maxQuery)
	}
	q, err := h.engine.NewRangeQuery(ctx, h.db, nil, expr, from, to, step)
	if err != nil {
		return nil, fmt.Errorf("query history: %w", err)
	}
	return result(ctx, q)
}

// result copies nothing that the query gives back to its pools: vectors and matrices are
// taken over before it closes.
func result(ctx context.Context, q promql.Query) (parser.Value, error) {
	defer q.Close()
	r := q.Exec(ctx)
	if r.Err != nil {
		return nil, fmt.Errorf("query history: %w", r.Err)
	}
	switch v := r.Value.(type) {
	case promql.Matrix:
		out := make(promql.Matrix, len(v))
		for i, s := range v {
			out[i] = promql.Series{Metric: s.Metric, Floats: append([]promql.FPoint(nil), s.Floats...)}
		}
		return out, nil
	case promql.Vector:
		return append(promql.Vector(nil), v...), nil
	}
	return r.Value, nil
}
