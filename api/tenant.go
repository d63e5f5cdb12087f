package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
)

// maxUsage bounds how many days of intervals one answer holds: two months and a correction.
const maxUsage = 63 * 24 * time.Hour

// errNotYours: what is asked for is another tenant's. Whether there is such a tenant is not said.
var errNotYours = errors.New("a tenant's token sees its own tenant only")

// whose returns the tenant that an asker means: a tenant its own, everybody else the one that
// is named.
func (s Site) whose(ctx context.Context, asked string) (string, error) {
	who := asker(ctx)
	switch {
	case who.Role != Tenant && asked == "":
		var names []string
		for _, t := range s.Tenancy.Tenants() {
			names = append(names, t.ID)
		}
		return "", fmt.Errorf("%w: say whose with ?tenant=, one of %s", ErrInvalid, strings.Join(names, ", "))
	case who.Role != Tenant:
		return asked, nil
	case who.Tenant == "" || asked != "" && asked != who.Tenant:
		s.Audit.Audit(ctx, who.Name, "look at the tenant "+asked, "refused: another tenant's")
		return "", errNotYours
	}
	return who.Tenant, nil
}

// own registers a GET that a tenant may use for itself, and others with ?tenant=.
func own[I, O any](s Site, a huma.API, path, id, summary string, tenant func(*I) string, f func(context.Context, string, *I) (O, error)) {
	op := operation(http.MethodGet, path, id, summary, Tenant)
	op.Description += " A tenant's token sees its own tenant; others say whose."
	huma.Register(a, op, func(ctx context.Context, in *I) (*body[O], error) {
		who, err := s.whose(ctx, tenant(in))
		if err != nil {
			return nil, s.status(err)
		}
		out, err := f(ctx, who, in)
		if err != nil {
			return nil, s.status(err)
		}
		return &body[O]{out}, nil
	})
}

type named struct {
	Tenant string `query:"tenant" maxLength:"48" doc:"whose; a tenant's token needs none"`
}

type namedSpan struct {
	Tenant string    `query:"tenant" maxLength:"48" doc:"whose; a tenant's token needs none"`
	From   time.Time `query:"from" doc:"default: some time before 'to'"`
	To     time.Time `query:"to" doc:"default: now, site time"`
}

// metered asks for metered intervals; Line is one of billing/invoice's kinds of lines.
type metered struct {
	Tenant string    `query:"tenant" maxLength:"48" doc:"whose; a tenant's token needs none"`
	From   time.Time `query:"from" doc:"default: a day before 'to'"`
	To     time.Time `query:"to" doc:"default: now, site time"`
	Line   string    `query:"line" enum:"rent,energy,demand-charge,coincident-peak,upkeep,overage,gpu-reserved,gpu-on-demand,gpu-interruptible,storage,curtailment,sla-credit,prepayment,correction,tax" doc:"an invoice line's kind: the intervals that it rests on"`
}

// tenancy registers what tenants may see.
func (s Site) tenancy(a huma.API) {
	read(s, a, "/api/v1/tenants", "tenants", "All tenants", func(context.Context, *struct{}) ([]TenantName, error) {
		return some(s.Tenancy.Tenants()), nil
	})
	mine := func(in *named) string { return in.Tenant }
	own(s, a, "/api/v1/tenant", "tenant", "What a tenant has now", mine, func(_ context.Context, who string, _ *named) (TenantView, error) {
		v, err := s.Tenancy.Tenant(who)
		return v.Whole(), err
	})
	own(s, a, "/api/v1/tenant/jobs", "tenant-jobs", "A tenant's jobs on our clusters", mine, func(_ context.Context, who string, _ *named) ([]TenantJob, error) {
		jobs, err := s.Tenancy.TenantJobs(who)
		for i := range jobs {
			jobs[i].Nodes = some(jobs[i].Nodes)
		}
		return some(jobs), err
	})
	own(s, a, "/api/v1/tenant/events", "tenant-events", "What touched a tenant's delivery, and why", func(in *namedSpan) string { return in.Tenant },
		func(ctx context.Context, who string, in *namedSpan) ([]TenantEvent, error) {
			from, to, err := s.last(in.From, in.To, 31*24*time.Hour, 400*24*time.Hour)
			if err != nil {
				return nil, err
			}
			return list(s.Tenancy.TenantEvents(ctx, who, from, to))
		})
	own(s, a, "/api/v1/tenant/availability", "tenant-availability", "Power that a tenant could draw beyond what it has: until when, at which price", mine,
		func(_ context.Context, who string, _ *named) (AvailabilityView, error) {
			v, err := s.Tenancy.Availability(who)
			v.Offers = some(v.Offers)
			return v, err
		})
	s.tenantFeed(a)
}

// last fills in a span of the default length before now, and bounds it.
func (s Site) last(from, to time.Time, length, most time.Duration) (time.Time, time.Time, error) {
	if to.IsZero() {
		to = s.Screens.Live().At
	}
	if from.IsZero() {
		from = to.Add(-length)
	}
	switch {
	case !from.Before(to):
		return from, to, fmt.Errorf("%w: from %s is not before to %s", ErrInvalid, from.Format(time.RFC3339), to.Format(time.RFC3339))
	case to.Sub(from) > most:
		return from, to, fmt.Errorf("%w: %s to %s is more than %d days; ask for less", ErrInvalid, from.Format(time.RFC3339), to.Format(time.RFC3339), most/(24*time.Hour))
	}
	return from, to, nil
}

// bills registers what a tenant was metered and billed.
func (s Site) bills(a huma.API) {
	type announced struct {
		Tenant string `path:"tenant" maxLength:"48"`
		Body   Announcement
	}
	change(s, a, operation(http.MethodPost, "/api/v1/tenants/{tenant}/events", "announce", "Keep an announced maintenance, or a curtailment that the tenant consented to", Operates),
		func(in *announced) string {
			return fmt.Sprintf("%s of %s from %s to %s", in.Body.Kind, in.Tenant, in.Body.From.Format(time.RFC3339), in.Body.To.Format(time.RFC3339))
		},
		func(ctx context.Context, who string, in *announced) (TenantEvent, error) {
			return s.Bills.Announce(ctx, who, in.Tenant, in.Body)
		})
	usage := func(ctx context.Context, who string, from, to time.Time, line string) (UsageView, error) {
		from, to, err := s.last(from, to, 24*time.Hour, maxUsage)
		if err != nil {
			return UsageView{}, err
		}
		v, err := s.Bills.Usage(ctx, UsageRequest{Tenant: who, From: from, To: to, Line: line})
		v.Rows = some(v.Rows)
		for i := range v.Rows {
			v.Rows[i].GPUs, v.Rows[i].Evidence = some(v.Rows[i].GPUs), some(v.Rows[i].Evidence)
		}
		return v, err
	}
	own(s, a, "/api/v1/tenant/usage", "tenant-usage", "The metered intervals of a tenant: what an invoice's lines rest on", func(in *metered) string { return in.Tenant },
		func(ctx context.Context, who string, in *metered) (UsageView, error) {
			return usage(ctx, who, in.From, in.To, in.Line)
		})
	type linked struct {
		Tenant string    `path:"tenant" maxLength:"48"`
		From   time.Time `query:"from" doc:"default: a day before 'to'"`
		To     time.Time `query:"to" doc:"default: now, site time"`
		Line   string    `query:"line" enum:"rent,energy,demand-charge,coincident-peak,upkeep,overage,gpu-reserved,gpu-on-demand,gpu-interruptible,storage,curtailment,sla-credit,prepayment,correction,tax" doc:"an invoice line's kind: the intervals that it rests on"`
	}
	own(s, a, "/api/v1/tenants/{tenant}/usage", "tenants-usage", "The same, as invoices link to it", func(in *linked) string { return in.Tenant },
		func(ctx context.Context, who string, in *linked) (UsageView, error) {
			return usage(ctx, who, in.From, in.To, in.Line)
		})
	own(s, a, "/api/v1/tenant/invoices", "tenant-invoices", "A tenant's invoices, newest first", func(in *named) string { return in.Tenant },
		func(ctx context.Context, who string, _ *named) ([]InvoiceView, error) {
			return list(s.Bills.Invoices(ctx, who))
		})
	s.document(a)
}

// document registers an invoice as a file.
func (s Site) document(a huma.API) {
	type asked struct {
		Tenant string `query:"tenant" maxLength:"48" doc:"whose; a tenant's token needs none"`
		Number string `path:"number" maxLength:"40"`
		Format string `query:"format" enum:"json,pdf,csv" default:"json"`
	}
	type file struct {
		Type        string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Body        []byte
	}
	op := operation(http.MethodGet, "/api/v1/tenant/invoices/{number}", "tenant-invoice", "One invoice as JSON, PDF or CSV", Tenant)
	op.Description += " A tenant's token sees its own tenant; others say whose."
	huma.Register(a, op, func(ctx context.Context, in *asked) (*file, error) {
		who, err := s.whose(ctx, in.Tenant)
		if err != nil {
			return nil, s.status(err)
		}
		doc, err := s.Bills.Invoice(ctx, who, in.Number, in.Format)
		if err != nil {
			return nil, s.status(err)
		}
		return &file{Type: doc.Type, Disposition: fmt.Sprintf("inline; filename=%q", doc.Name), Body: doc.Body}, nil
	})
}

// tenantFeed sends a tenant's own view as it changes, at most once a machine second, and what it
// could draw beyond where that changed.
func (s Site) tenantFeed(a huma.API) {
	op := operation(http.MethodGet, "/api/v1/tenant/feed", "tenant-feed", "A tenant's view and what is on offer to it, as server-sent events", Tenant)
	op.Middlewares = huma.Middlewares{func(c huma.Context, next func(huma.Context)) {
		// Refused before the stream begins: afterwards there is no status left to send.
		who, err := s.whose(c.Context(), c.Query("tenant"))
		if err == nil {
			_, err = s.Tenancy.Tenant(who)
		}
		if err != nil {
			var status huma.StatusError
			if !errors.As(s.status(err), &status) {
				return
			}
			_ = huma.WriteErr(a, c, status.GetStatus(), status.Error())
			return
		}
		next(c)
	}}
	sse.Register(a, op, map[string]any{"tenant": TenantView{}, "availability": AvailabilityView{}}, func(ctx context.Context, in *named, send sse.Sender) {
		who, err := s.whose(ctx, in.Tenant)
		if err != nil {
			return
		}
		pace := time.NewTicker(time.Second)
		defer pace.Stop()
		var offered []byte
		changed := s.Stream.Changed()
		if s.tell(who, &offered, send) != nil {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
			if !still(ctx) {
				return // the token was revoked, or the session is over
			}
			select {
			case <-changed:
				changed = s.Stream.Changed()
				if s.tell(who, &offered, send) != nil {
					return
				}
			default:
			}
		}
	})
}

// tell sends the newest of a tenant; offered is what was sent of what is on offer.
func (s Site) tell(who string, offered *[]byte, send sse.Sender) error {
	v, err := s.Tenancy.Tenant(who)
	if err == nil {
		err = send.Data(v.Whole())
	}
	if err != nil {
		return err
	}
	more, err := s.Tenancy.Availability(who)
	if err != nil {
		return err
	}
	more.Offers = some(more.Offers)
	doc, err := json.Marshal(more.Offers)
	if err != nil || bytes.Equal(doc, *offered) {
		return err
	}
	*offered = doc
	return send.Data(more)
}
