package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

const (
	obligePace   = time.Second // machine time between two looks at what is asked
	obligeTime   = 5 * time.Second
	obligeAnswer = 1 << 20
)

// oblige plays the hosting tenant's own control until ctx ends: with a token of its own it asks the
// site what it is to do, says that it has seen it, and keeps its machines to it. It knows of the
// site no more than any tenant does.
func (o Options) oblige(ctx context.Context, site, admin, tenant string, w *plant.World) {
	k := guest{site: site, token: admin, http: &http.Client{Timeout: obligeTime}}
	var made api.NewToken
	if err := k.ask(ctx, http.MethodPost, "/api/v1/tokens", api.TokenRequest{Name: tenant + "-control", Role: api.Tenant, Tenant: tenant}, &made); err != nil {
		o.Log.Warn("the emulated tenant has no token: it follows no curtailment", "tenant", tenant, "reason", err.Error())
		return
	}
	k.token = made.Token
	for clock.Sleep(ctx, clock.System(), obligePace) == nil {
		if err := k.look(ctx, tenant, w); err != nil && ctx.Err() == nil {
			o.Log.Debug("the emulated tenant does not reach the site", "tenant", tenant, "reason", err.Error())
		}
	}
}

// look asks once and does as it is told. What it cannot ask for it goes on doing.
func (k *guest) look(ctx context.Context, tenant string, w *plant.World) error {
	var v api.TenantView
	if err := k.ask(ctx, http.MethodGet, "/api/v1/tenant", nil, &v); err != nil {
		return err
	}
	most := unit.Power(-1)
	for _, c := range v.Curtailments {
		if c.Seen == nil {
			if err := k.ask(ctx, http.MethodPost, "/api/v1/tenant/curtailments/"+url.PathEscape(c.ID)+"/acknowledge", nil, nil); err != nil {
				return err
			}
		}
		if c.State == "running" && c.DownToW != nil {
			most = unit.Watts(*c.DownToW)
		}
	}
	w.Ask(tenant, most)
	return nil
}

// guest asks the site's API as anybody outside would.
type guest struct {
	site, token string
	http        *http.Client
}

func (k *guest) ask(ctx context.Context, method, path string, body, into any) error {
	var send io.Reader
	if body != nil {
		doc, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("ask the site: %w", err)
		}
		send = bytes.NewReader(doc)
	}
	r, err := http.NewRequestWithContext(ctx, method, k.site+path, send)
	if err != nil {
		return fmt.Errorf("ask the site: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+k.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := k.http.Do(r)
	if err != nil {
		return fmt.Errorf("ask the site: %w", err)
	}
	defer a.Body.Close()
	doc, err := io.ReadAll(io.LimitReader(a.Body, obligeAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("ask the site: %w", err)
	case a.StatusCode < 200 || a.StatusCode > 299:
		return fmt.Errorf("ask the site: %s %s: %s %.200s", method, path, a.Status, doc)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(doc, into); err != nil {
		return fmt.Errorf("ask the site: %s %s: %w", method, path, err)
	}
	return nil
}
