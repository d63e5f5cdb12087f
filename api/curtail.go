package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// curtailments registers the calls that take power back from hosted tenants.
func (s Site) curtailments(a huma.API) {
	type one struct {
		Tenant string `query:"tenant" maxLength:"48" doc:"of one tenant only"`
	}
	read(s, a, "/api/v1/curtailments", "curtailments", "The rights to take power back from tenants, what the schedule would call, and the calls of this year",
		func(_ context.Context, in *one) (CurtailmentsView, error) {
			v, err := s.Curtailments.Curtailments(in.Tenant)
			return v.Whole(), err
		})
	type request struct{ Body CurtailRequest }
	change(s, a, operation(http.MethodPost, "/api/v1/curtailments", "curtail", "Tell a hosted tenant to draw less, by its contract's right or its consent", Operates),
		func(in *request) string {
			from := "as soon as its notice allows"
			if !in.Body.From.IsZero() {
				from = "from " + in.Body.From.UTC().Format(time.RFC3339)
			}
			return fmt.Sprintf("curtail %s %s to %s", in.Body.Tenant, from, in.Body.To.UTC().Format(time.RFC3339))
		},
		func(ctx context.Context, who string, in *request) (CurtailmentView, error) {
			return s.Curtailments.Call(ctx, who, in.Body)
		})
	type named struct {
		ID   string `path:"id" maxLength:"80"`
		Body struct {
			Why string `json:"why" minLength:"1" maxLength:"500"`
		}
	}
	change(s, a, operation(http.MethodPost, "/api/v1/curtailments/{id}/withdraw", "withdraw-curtailment", "Take a curtailment back before its end", Operates),
		func(in *named) string { return "withdraw the curtailment " + in.ID },
		func(ctx context.Context, who string, in *named) (CurtailmentView, error) {
			return s.Curtailments.Withdraw(ctx, who, in.ID, in.Body.Why)
		})
	type own struct {
		Tenant string `query:"tenant" maxLength:"48" doc:"a tenant's token needs none"`
		ID     string `path:"id" maxLength:"80"`
	}
	op := operation(http.MethodPost, "/api/v1/tenant/curtailments/{id}/acknowledge", "acknowledge-curtailment", "Say that a curtailment was seen, as its tenant", Tenant)
	op.Description += " A tenant's token acknowledges its own tenant's; nobody else's token can."
	change(s, a, op,
		func(in *own) string { return "acknowledge the curtailment " + in.ID },
		func(ctx context.Context, who string, in *own) (CurtailmentView, error) {
			if asker(ctx).Role != Tenant {
				return CurtailmentView{}, fmt.Errorf("%w: only the tenant itself acknowledges, with its own token", ErrInvalid)
			}
			tenant, err := s.whose(ctx, in.Tenant)
			if err != nil {
				return CurtailmentView{}, err
			}
			return s.Curtailments.Acknowledge(ctx, who, tenant, in.ID)
		})
}
