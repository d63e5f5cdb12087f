package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/store"
	"switchyard/strictyaml"
)

func (c *cli) tokenCmd() *cobra.Command {
	var at records
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens",
		Long: `Tokens say who may do what: a viewer looks, an operator also sets limits and holds, an admin
also manages tokens. With --store or --site the store on the disk is used while no controller
runs on it; a running controller is asked instead, with an admin's token.`,
		Args: cobra.ArbitraryArgs, RunE: onlyCommands,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&at.dir, "store", "", "folder of the store")
	f.StringVar(&at.file, "site", "", "site file whose store is meant")
	cmd.MarkFlagsMutuallyExclusive("store", "site")
	cmd.AddCommand(c.tokenNewCmd(&at), c.tokenListCmd(&at), c.tokenRevokeCmd(&at))
	return cmd
}

func (c *cli) tokenNewCmd(at *records) *cobra.Command {
	var name, tenant string
	role := string(api.Viewer)
	cmd := &cobra.Command{
		Use:   "new --name NAME [--role viewer|operator|admin|tenant --tenant ID]",
		Short: "Make a token and print it, once",
		Long: `Make a token and print it. It is kept as a hash: nobody can print it again. One with the role
tenant opens what is that tenant's own and nothing else: its power, jobs, events and invoices.`,
		Example: `  switchyard token new --name night-shift --role operator --site site.yaml
  switchyard token new --name acme-ops --role tenant --tenant acme --site site.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := api.TokenRequest{Name: name, Role: api.Role(role), Tenant: tenant}
			if tenant != "" && !cmd.Flags().Changed("role") {
				r.Role = api.Tenant
			}
			if err := at.knows(tenant); err != nil {
				return err
			}
			v, err := c.newToken(cmd.Context(), *at, r)
			switch {
			case err != nil:
				return err
			case c.json():
				return c.printJSON(v)
			}
			c.note("Token %q, role %s. It is shown this once:", v.Name, strings.TrimSuffix(string(v.Role)+" "+v.Tenant, " "))
			c.say("%s", v.Token)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose it is")
	cmd.Flags().Var(&choice{&role, []string{"viewer", "operator", "admin", "tenant"}}, "role", "what it may do")
	cmd.Flags().StringVar(&tenant, "tenant", "", "whose it is, by the tenant's id in the site file; with the role tenant")
	_ = cmd.MarkFlagRequired("name") // the flag is there
	return cmd
}

// knows says that a tenant must stand in the site file, where one is named.
func (r records) knows(tenant string) error {
	if tenant == "" || r.file == "" {
		return nil
	}
	f, err := loadSite(r.file)
	if err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(f.TenantNames()))
	if !slices.Contains(ids, tenant) {
		return badInput("%s has no tenant %q; %s", r.file, tenant, strictyaml.Suggest(tenant, ids))
	}
	return nil
}

func (c *cli) newToken(ctx context.Context, at records, r api.TokenRequest) (v api.NewToken, err error) {
	err = c.withTokens(ctx, at,
		func(t *api.Tokens) (string, error) {
			token, err := t.NewFor(ctx, r.Name, r.Role, r.Tenant)
			v = api.NewToken{Name: r.Name, Role: r.Role, Tenant: r.Tenant, Token: token}
			return "new token " + r.Words(), err
		},
		func(k *client) error { return k.do(ctx, http.MethodPost, "/api/v1/tokens", r, &v) })
	return v, err
}

func (c *cli) tokenListCmd(at *records) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the tokens, without their secrets",
		Long:    "List the tokens with their roles. The tokens themselves are kept nowhere.",
		Example: "  switchyard token list --site site.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := c.listTokens(cmd.Context(), *at)
			switch {
			case err != nil:
				return err
			case c.json():
				return c.printJSON(append([]api.TokenView{}, list...))
			case len(list) == 0:
				c.say("There are no tokens; the first start of `switchyard run` makes one.")
			}
			g := newGrid("name", "role", "tenant", "created")
			for _, t := range list {
				g.add(t.Name, string(t.Role), t.Tenant, t.Created.UTC().Format(time.DateTime))
			}
			g.print(c.out, 0)
			return nil
		},
	}
}

// listTokens reads the store where it is named, locked or not, and else asks the controller.
func (c *cli) listTokens(ctx context.Context, at records) (list []api.TokenView, err error) {
	if !at.set() {
		k, err := c.client()
		if err != nil {
			return nil, err
		}
		return list, k.get(ctx, "/api/v1/tokens", nil, &list)
	}
	db, _, err := at.open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tokens, err := api.TokensIn(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens.List() {
		list = append(list, t.View())
	}
	return list, nil
}

func (c *cli) tokenRevokeCmd(at *records) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Revoke a token and end its sessions",
		Long:    "Revoke a token: from now on it opens nothing, and the sessions begun with it end.",
		Example: "  switchyard token revoke night-shift --site site.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name := cmd.Context(), args[0]
			err := c.withTokens(ctx, *at,
				func(t *api.Tokens) (string, error) { return "revoke token " + name, t.Revoke(ctx, name) },
				func(k *client) error {
					return k.do(ctx, http.MethodDelete, "/api/v1/tokens/"+url.PathEscape(name), nil, nil)
				})
			switch {
			case err != nil:
				return err
			case c.json():
				return c.printJSON(map[string]string{"revoked": name})
			}
			c.say("token %q is revoked", name)
			return nil
		},
	}
}

// withTokens changes tokens in the store where one is named and free, and else through the
// running controller. local returns the audit line of what it did.
func (c *cli) withTokens(ctx context.Context, at records, local func(*api.Tokens) (string, error), remote func(*client) error) error {
	if !at.set() {
		k, err := c.client()
		if err != nil {
			return err
		}
		return remote(k)
	}
	dir := at.dir
	if at.file != "" {
		f, err := loadSite(at.file)
		if err != nil {
			return err
		}
		if dir = storeDir(f); c.url == "" && c.env("SWITCHYARD_URL") == "" {
			c.url = "http://" + f.API.Listen // of the controller that may hold the store
		}
	} else if !isDir(dir) {
		return withCode(exitNotFound, "there is no folder %s; name the store of a site, or its site file with --site", dir)
	}
	db, err := store.Open(ctx, dir)
	if errors.Is(err, store.ErrLocked) {
		return c.throughController(dir, err, remote)
	}
	if err != nil {
		return err
	}
	return errors.Join(changeStored(ctx, db, local), db.Close())
}

// throughController asks the controller that holds the store, if a token lets us.
func (c *cli) throughController(dir string, locked error, remote func(*client) error) error {
	k, err := c.client()
	if err != nil {
		return withCode(exitNotAllowed, "%s is in use by a running controller, which then keeps the tokens (%w): give an admin's token in SWITCHYARD_TOKEN or with --token-file, and it will be asked; or stop it first", filepath.Clean(dir), locked)
	}
	return remote(k)
}

// changeStored changes the tokens of an open store and leaves an audit line.
func changeStored(ctx context.Context, db *store.DB, change func(*api.Tokens) (string, error)) error {
	tokens, err := api.TokensIn(ctx, db)
	if err != nil {
		return err
	}
	j, err := journal.Open(ctx, db, journal.Options{})
	if err != nil {
		return err
	}
	const who = "command line"
	what, err := change(tokens)
	switch {
	case errors.Is(err, api.ErrNotFound):
		err = withCode(exitNotFound, "%w; `switchyard token list` lists them", err)
	case errors.Is(err, api.ErrInvalid):
		err = badInput("%w", err)
	case err == nil:
		err = j.AppendNow(ctx, journal.Entry{Subject: who, Kind: journal.KindAudit, Text: who + ": " + what + ": done"})
	}
	return errors.Join(err, j.Close())
}
