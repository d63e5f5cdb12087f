package tenants

import (
	"errors"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/billing/usage"
	"switchyard/clock"
	"switchyard/store"
)

// What is told ahead is kept with the time of telling, and nobody can write it down later than a
// day after.
func TestAnnounce(t *testing.T) {
	ctx := t.Context()
	db, err := store.Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	record, err := usage.Open(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	b := Bills{&Tenants{opt: Options{Clock: clock.System()}, all: []tenant{{id: "acme"}}, record: record}}
	now := time.Now().UTC()
	from, to := now.Add(48*time.Hour), now.Add(52*time.Hour)
	for name, c := range map[string]struct {
		who string
		r   api.Announcement
		bad error
	}{
		"a maintenance":             {"acme", api.Announcement{Kind: "maintenance", From: from, To: to, Why: "service"}, nil},
		"told this morning":         {"acme", api.Announcement{Kind: "maintenance", From: from.Add(time.Hour), To: to, Why: "service", Announced: now.Add(-6 * time.Hour)}, nil},
		"told long ago, they say":   {"acme", api.Announcement{Kind: "maintenance", From: from, To: to, Why: "service", Announced: now.AddDate(0, 0, -9)}, api.ErrInvalid},
		"told in the future":        {"acme", api.Announcement{Kind: "maintenance", From: from, To: to, Why: "service", Announced: now.Add(time.Hour)}, api.ErrInvalid},
		"consented":                 {"acme", api.Announcement{Kind: "curtailment", From: from, To: to, Why: "heat", Consent: "letter of 3 May", PowerW: 1e6}, nil},
		"without consent":           {"acme", api.Announcement{Kind: "curtailment", From: from, To: to, Why: "heat"}, api.ErrInvalid},
		"ends before it begins":     {"acme", api.Announcement{Kind: "maintenance", From: to, To: from, Why: "service"}, api.ErrInvalid},
		"a tenant that is not here": {"other", api.Announcement{Kind: "maintenance", From: from, To: to, Why: "service"}, api.ErrNotFound},
	} {
		if _, err := b.Announce(ctx, "eva", c.who, c.r); !errors.Is(err, c.bad) {
			t.Errorf("%s: %v, want %v", name, err, c.bad)
		}
	}
	all, err := record.Events(ctx, "acme", now, to)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d events, %v", len(all), err)
	}
	for _, e := range all {
		if e.Kind == usage.Maintenance && (e.Announced.IsZero() || e.Announced.After(time.Now())) || e.Kind == usage.Curtailment && e.Consented == "" {
			t.Errorf("%+v", e)
		}
	}
}
