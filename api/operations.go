package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

type body[T any] struct{ Body T }

// read registers a GET that needs the viewer's role.
func read[I, O any](s Site, a huma.API, path, id, summary string, f func(context.Context, *I) (O, error)) {
	huma.Register(a, operation(http.MethodGet, path, id, summary, Viewer), func(ctx context.Context, in *I) (*body[O], error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, s.status(err)
		}
		return &body[O]{out}, nil
	})
}

func operation(method, path, id, summary string, role Role) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		Description: "Needs the role " + string(role) + ".", Metadata: map[string]any{"role": role},
	}
}

func (s Site) screens(a huma.API) {
	read(s, a, "/api/v1/site", "site", "What does not change while the controller runs", func(ctx context.Context, _ *struct{}) (SiteView, error) {
		v := s.Screens.Site()
		v.Role, v.Ahead, v.Clusters, v.Studies = string(asker(ctx).Role), s.Ahead != nil, s.Clusters != nil && len(s.Clusters.Clusters()) > 0, s.Studies != nil
		v.Curtails = s.Tenancy != nil && s.Curtailments != nil
		return v, nil
	})
	read(s, a, "/api/v1/live", "live", "The site now", func(context.Context, *struct{}) (LiveView, error) { return s.Screens.Live(), nil })
	read(s, a, "/api/v1/curve", "curve", "The merit order of the newest clearing", func(context.Context, *struct{}) (CurveView, error) { return s.Screens.Curve(), nil })
	type group struct {
		Group string `path:"group" maxLength:"200"`
	}
	read(s, a, "/api/v1/groups/{group}/map", "map", "A group's miners as cells", func(_ context.Context, in *group) (MapView, error) { return s.Screens.Map(in.Group) })
}

func (s Site) records(a huma.API) {
	type span struct {
		From time.Time `query:"from" doc:"default: a day before 'to'"`
		To   time.Time `query:"to" doc:"default: now, site time"`
		Step int       `query:"step" minimum:"1" maximum:"86400" default:"300" doc:"whole seconds"`
	}
	read(s, a, "/api/v1/history", "history", "Evenly spaced history", func(ctx context.Context, in *span) (HistoryView, error) {
		if in.To.IsZero() {
			in.To = s.Screens.Live().At
		}
		if in.From.IsZero() {
			in.From = in.To.Add(-24 * time.Hour)
		}
		step := time.Duration(in.Step) * time.Second
		if !in.From.Before(in.To) {
			return HistoryView{}, fmt.Errorf("%w: from %s is not before to %s", ErrInvalid, in.From.Format(time.RFC3339), in.To.Format(time.RFC3339))
		}
		if n := in.To.Sub(in.From) / step; n > 11_000 {
			return HistoryView{}, fmt.Errorf("%w: %s to %s in steps of %s is more than 11,000 points; ask for longer steps", ErrInvalid, in.From.Format(time.RFC3339), in.To.Format(time.RFC3339), step)
		}
		return s.Records.History(ctx, in.From, in.To, step)
	})
	type some struct {
		Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	read(s, a, "/api/v1/decisions", "decisions", "The newest decisions, newest first", func(ctx context.Context, in *some) ([]Decision, error) {
		return s.Records.Decisions(ctx, in.Limit)
	})
	type device struct {
		Device string    `path:"device" maxLength:"200"`
		At     time.Time `query:"at" doc:"default: now, site time"`
	}
	read(s, a, "/api/v1/why/{device}", "why", "Why a device is, or was, as it is", func(ctx context.Context, in *device) (WhyView, error) {
		if in.At.IsZero() {
			in.At = s.Screens.Live().At
		}
		return s.Records.Why(ctx, in.Device, in.At)
	})
	type day struct {
		Date string `query:"date" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" doc:"2006-01-02 in the site's time zone; default today"`
	}
	read(s, a, "/api/v1/report/day", "report-day", "Profit and loss of a day by hall and by MWh", func(ctx context.Context, in *day) (ReportView, error) {
		return s.Records.Report(ctx, in.Date)
	})
}

// change registers an operation that alters something: it needs a role and leaves an audit line.
func change[I, O any](s Site, a huma.API, op huma.Operation, what func(*I) string, f func(context.Context, string, *I) (O, error)) {
	huma.Register(a, op, func(ctx context.Context, in *I) (*body[O], error) {
		who := asker(ctx).Name
		out, err := f(ctx, who, in)
		if err != nil {
			s.Audit.Audit(ctx, who, what(in), "refused: "+err.Error())
			return nil, s.status(err)
		}
		s.Audit.Audit(ctx, who, what(in), "done")
		return &body[O]{out}, nil
	})
}

type count struct {
	Devices int `json:"devices"`
}

func (s Site) changes(a huma.API) {
	change(s, a, operation(http.MethodPost, "/api/v1/limits", "set-limit", "Limit the power entering a node for a time", Operates),
		func(in *body[LimitRequest]) string {
			return fmt.Sprintf("limit %s to %.0f W for %.0f s", in.Body.Node, in.Body.PowerW, in.Body.ForS)
		},
		func(ctx context.Context, who string, in *body[LimitRequest]) (LimitView, error) {
			return s.Operator.SetLimit(ctx, who, in.Body)
		})
	type byID struct {
		ID string `path:"id" maxLength:"200"`
	}
	change(s, a, operation(http.MethodDelete, "/api/v1/limits/{id}", "clear-limit", "Clear an operator's limit", Operates),
		func(in *byID) string { return "clear limit " + in.ID },
		func(ctx context.Context, who string, in *byID) (struct{}, error) {
			return struct{}{}, s.Operator.ClearLimit(ctx, who, in.ID)
		})
	change(s, a, operation(http.MethodPost, "/api/v1/holds", "hold", "Hold devices or groups awake or asleep", Operates),
		func(in *body[HoldRequest]) string { return fmt.Sprintf("hold %v in %s", in.Body.Devices, in.Body.Mode) },
		func(ctx context.Context, who string, in *body[HoldRequest]) (count, error) {
			n, err := s.Operator.Hold(ctx, who, in.Body)
			return count{n}, err
		})
	type byDevice struct {
		Device string `path:"device" maxLength:"200"`
	}
	change(s, a, operation(http.MethodDelete, "/api/v1/holds/{device}", "release", "Release a held device or group", Operates),
		func(in *byDevice) string { return "release " + in.Device },
		func(ctx context.Context, who string, in *byDevice) (count, error) {
			n, err := s.Operator.Release(ctx, who, in.Device)
			return count{n}, err
		})
}

// stream sends the site as it changes, at most once a machine second, and decisions as they come.
func (s Site) stream(a huma.API) {
	op := operation(http.MethodGet, "/api/v1/events", "events", "Live values and decisions as server-sent events", Viewer)
	sse.Register(a, op, map[string]any{"live": LiveView{}, "decision": Decision{}}, func(ctx context.Context, _ *struct{}, send sse.Sender) {
		decisions := s.Stream.Follow(ctx)
		pace := time.NewTicker(time.Second)
		defer pace.Stop()
		if send.Data(s.Screens.Live()) != nil {
			return
		}
		changed := s.Stream.Changed()
		var due bool
		for {
			var err error
			select {
			case <-ctx.Done():
				return
			case d, ok := <-decisions:
				if !ok {
					return
				}
				err = send.Data(d)
			case <-changed:
				due, changed = true, nil
			case <-pace.C:
				if !still(ctx) {
					return // the token was revoked, or the session is over
				}
				if due {
					due, changed = false, s.Stream.Changed()
					err = send.Data(s.Screens.Live())
				}
			}
			if err != nil {
				return
			}
		}
	})
}
