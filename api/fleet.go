package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// fleet registers what is there of the devices one by one, fleet operations, and care.
func (s Site) fleet(a huma.API) {
	if s.Devices != nil {
		s.devices(a)
	}
	if s.Rollouts != nil {
		s.rollouts(a)
	}
	if s.Care != nil {
		s.care(a)
	}
	if s.Silences != nil {
		s.silences(a)
	}
}

func (s Site) devices(a huma.API) {
	type list struct {
		Query  string `query:"q" maxLength:"2000" doc:"such as \"model=S19* and hashrate<80%\", or plain text that anything may contain"`
		Sort   string `query:"sort" maxLength:"50" doc:"a field's name, - before it for descending; default: device"`
		Offset int    `query:"offset" minimum:"0" maximum:"1000000"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}
	read(s, a, "/api/v1/devices", "devices", "The devices that match a query", func(ctx context.Context, in *list) (DevicesView, error) {
		return s.Devices.Devices(ctx, DevicesRequest{Query: in.Query, Sort: in.Sort, Offset: in.Offset, Limit: in.Limit})
	})
	type byID struct {
		ID string `path:"id" maxLength:"200"`
	}
	read(s, a, "/api/v1/devices/{id}", "device", "One device with all that is known of it", func(ctx context.Context, in *byID) (DeviceView, error) {
		return s.Devices.Device(ctx, in.ID)
	})
	type adopt struct {
		ID   string `path:"id" maxLength:"200"`
		Body struct {
			Note string `json:"note,omitempty" maxLength:"1000" doc:"why, for whoever reads it later"`
		}
	}
	change(s, a, operation(http.MethodPost, "/api/v1/devices/{id}/adopt", "adopt-device", "Take the other machine that answers at a device's address for the device from now on", Operates),
		func(in *adopt) string { return strings.TrimSuffix("adopt "+in.ID+": "+in.Body.Note, ": ") },
		func(ctx context.Context, who string, in *adopt) (AdoptedView, error) {
			return s.Devices.Adopt(ctx, who, in.ID, in.Body.Note)
		})
	type span struct {
		ID   string    `path:"id" maxLength:"200"`
		From time.Time `query:"from" doc:"default: a day before 'to'"`
		To   time.Time `query:"to" doc:"default: now, site time"`
		Step int       `query:"step" minimum:"1" maximum:"86400" default:"300" doc:"whole seconds"`
	}
	read(s, a, "/api/v1/devices/{id}/history", "device-history", "What one device told over time", func(ctx context.Context, in *span) (DeviceHistoryView, error) {
		from, to, err := s.lastDay(in.From, in.To, time.Duration(in.Step)*time.Second)
		if err != nil {
			return DeviceHistoryView{}, err
		}
		return s.Devices.DeviceHistory(ctx, in.ID, from, to, time.Duration(in.Step)*time.Second)
	})
}

// lastDay fills in the last day and bounds the number of points.
func (s Site) lastDay(from, to time.Time, step time.Duration) (time.Time, time.Time, error) {
	if to.IsZero() {
		to = s.Screens.Live().At
	}
	if from.IsZero() {
		from = to.Add(-24 * time.Hour)
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("%w: from %s is not before to %s", ErrInvalid, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	if to.Sub(from)/step > 11_000 {
		return from, to, fmt.Errorf("%w: %s to %s in steps of %s is more than 11,000 points; ask for longer steps", ErrInvalid, from.Format(time.RFC3339), to.Format(time.RFC3339), step)
	}
	return from, to, nil
}

type byNumber struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s Site) rollouts(a huma.API) {
	preview := operation(http.MethodPost, "/api/v1/rollouts/preview", "preview-rollout", "What a rollout would do, device by device; nothing is changed", Viewer)
	huma.Register(a, preview, func(ctx context.Context, in *body[RolloutRequest]) (*body[PreviewView], error) {
		out, err := s.Rollouts.Preview(ctx, in.Body)
		if err != nil {
			return nil, s.status(err)
		}
		return &body[PreviewView]{out}, nil
	})
	begin := operation(http.MethodPost, "/api/v1/rollouts", "begin-rollout", "Carry out one action on many devices, in waves", Operates)
	change(s, a, begin, func(in *body[RolloutRequest]) string { return "begin rollout: " + in.Body.Words() },
		func(ctx context.Context, who string, in *body[RolloutRequest]) (RolloutView, error) {
			return s.Rollouts.Begin(ctx, who, in.Body)
		})
	type some struct {
		Limit int `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	}
	read(s, a, "/api/v1/rollouts", "rollouts", "The newest rollouts, newest first, without their devices", func(ctx context.Context, in *some) ([]RolloutView, error) {
		return list(s.Rollouts.Rollouts(ctx, in.Limit))
	})
	read(s, a, "/api/v1/rollouts/{id}", "rollout", "One rollout with its devices", func(ctx context.Context, in *byNumber) (RolloutView, error) {
		return s.Rollouts.Rollout(ctx, in.ID)
	})
	type steer struct {
		ID   int64 `path:"id" minimum:"1"`
		Body struct {
			What string `json:"what" enum:"pause,resume,stop"`
		}
	}
	change(s, a, operation(http.MethodPost, "/api/v1/rollouts/{id}/steer", "steer-rollout", "Pause, resume or stop a rollout", Operates),
		func(in *steer) string { return fmt.Sprintf("%s rollout %d", in.Body.What, in.ID) },
		func(ctx context.Context, who string, in *steer) (struct{}, error) {
			return struct{}{}, s.Rollouts.Steer(ctx, who, in.ID, in.Body.What)
		})
}

// Words says what a request asks for, for the audit line; it holds no secret.
func (r RolloutRequest) Words() string {
	parts := []string{r.Action}
	for _, p := range r.Pools {
		parts = append(parts, p.URL+" as "+p.Worker)
	}
	switch r.Action {
	case "led":
		parts = append(parts, map[bool]string{true: "on", false: "off"}[r.On])
	case "password":
		if strings.HasPrefix(r.PasswordRef, "env:") || strings.HasPrefix(r.PasswordRef, "file:") {
			parts = append(parts, "of "+r.PasswordRef) // anything else may be the secret itself
		}
	case "profile":
		parts = append(parts, r.Profile)
	}
	if r.Query != "" {
		parts = append(parts, "where "+r.Query)
	}
	switch n := len(r.Devices); {
	case n > 3:
		parts = append(parts, "on "+strings.Join(r.Devices[:3], ", ")+" and "+strconv.Itoa(n-3)+" more")
	case n > 0:
		parts = append(parts, "on "+strings.Join(r.Devices, ", "))
	}
	return strings.Join(parts, " ")
}

// list is an empty list where there is none: a null would be unknown.
func list[T any](in []T, err error) ([]T, error) {
	if in == nil {
		in = []T{}
	}
	return in, err
}

func (s Site) care(a huma.API) {
	read(s, a, "/api/v1/health", "health", "What is wrong with devices, worst first", func(ctx context.Context, _ *struct{}) ([]HealthAlert, error) {
		return list(s.Care.HealthAlerts(ctx))
	})
	read(s, a, "/api/v1/repairs", "repairs", "The devices that need hands, worst first", func(ctx context.Context, _ *struct{}) ([]RepairView, error) {
		return list(s.Care.Repairs(ctx))
	})
	type done struct {
		Device string `path:"device" maxLength:"200"`
		Body   struct {
			Note string `json:"note,omitempty" maxLength:"1000" doc:"what was done"`
		}
	}
	change(s, a, operation(http.MethodPost, "/api/v1/repairs/{device}/done", "repaired", "Strike a device off the repair list", Operates),
		func(in *done) string { return "repaired " + in.Device + ": " + in.Body.Note },
		func(ctx context.Context, who string, in *done) (struct{}, error) {
			return struct{}{}, s.Care.Repaired(ctx, who, in.Device, in.Body.Note)
		})
}

func (s Site) silences(a huma.API) {
	read(s, a, "/api/v1/silences", "silences", "The silences in force", func(ctx context.Context, _ *struct{}) ([]SilenceView, error) {
		return list(s.Silences.Silences(ctx))
	})
	change(s, a, operation(http.MethodPost, "/api/v1/silences", "silence", "Silence alerts of some devices, or put them into maintenance", Operates),
		func(in *body[SilenceRequest]) string {
			what := "silence"
			if in.Body.Maintenance {
				what = "maintenance"
			}
			return fmt.Sprintf("%s where %q, rules %v, for %d s: %s", what, in.Body.Query, in.Body.Rules, in.Body.For, in.Body.Note)
		},
		func(ctx context.Context, who string, in *body[SilenceRequest]) (SilenceView, error) {
			return s.Silences.Silence(ctx, who, in.Body)
		})
	change(s, a, operation(http.MethodDelete, "/api/v1/silences/{id}", "unsilence", "End a silence", Operates),
		func(in *byNumber) string { return fmt.Sprintf("end silence %d", in.ID) },
		func(ctx context.Context, who string, in *byNumber) (struct{}, error) {
			return struct{}{}, s.Silences.Unsilence(ctx, who, in.ID)
		})
}
