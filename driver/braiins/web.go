package braiins

import (
	"context"
	"fmt"
	"net/http"

	"switchyard/driver"
	"switchyard/site"
)

// part reads one of the rarer pages; what does not come whole is zero and false.
func part[T any](ctx context.Context, d *device, path string) (T, bool) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	var v, none T
	if d.web.Get(ctx, path, &v) != nil {
		return none, false
	}
	return v, true
}

func (d *device) put(ctx context.Context, path string, body any) error {
	r, err := d.web.Do(ctx, http.MethodPut, path, body)
	if err != nil {
		return err
	}
	if err := r.Check(http.MethodPut, path); err != nil {
		return err
	}
	if r.Status == http.StatusNoContent {
		return nil
	}
	// Actions answer with a truth value, targets with an object; a page is neither.
	var said any
	if err := r.JSON(path, &said); err != nil {
		return err
	}
	switch said := said.(type) {
	case bool:
		return nil
	case map[string]any:
		if len(said) > 0 {
			return nil
		}
	}
	return fmt.Errorf("PUT %s: an answer that is none: %w", path, driver.ErrUnreachable)
}

// probe asks without credentials for what only Braiins OS answers.
func probe(ctx context.Context, t driver.Target) (site.Identity, error) {
	dd, err := open(t)
	if err != nil {
		return site.Identity{}, err
	}
	defer dd.Close()
	d := dd.(*device)
	id := site.Identity{Make: "Antminer"}
	if d.gql.there(ctx) { // all versions still have it
		id.Firmware, id.Model = d.gql.version, d.gql.modelName(ctx)
		return id, nil
	}
	if ctx.Err() != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w: %w", t.Host, ctx.Err(), driver.ErrUnreachable)
	}
	// An empty login is refused by its own API and is nothing to anybody else.
	r, err := d.web.Plain(ctx, http.MethodPost, "/api/v1/auth/login", map[string]string{"username": "", "password": ""})
	if err != nil {
		return site.Identity{}, fmt.Errorf("probe %s: %w", t.Host, err)
	}
	var said struct{ Token string }
	if r.Status == http.StatusUnauthorized || r.Status == http.StatusOK && r.JSON("login", &said) == nil && said.Token != "" {
		return id, nil
	}
	return site.Identity{}, fmt.Errorf("probe %s: not Braiins OS: %w", t.Host, driver.ErrUnsupported)
}
