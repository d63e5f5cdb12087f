// Package tokencmd owns the commands that make, list and revoke tokens: on a store's disk while
// no controller runs there, and else through the controller that does.
//
// It never keeps a token and never decides what one opens: api does both. It shows a token once,
// to whoever made it.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package tokencmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
	"switchyard/journal"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/strictyaml"
)

// Console is what the commands need of the command line.
type Console struct {
	Out, Err io.Writer
	// JSON says whether the answer is to be printed as JSON, by Print.
	JSON  func() bool
	Print func(v any) error
	// Help is the work of a command that has only commands below it.
	Help func(cmd *cobra.Command, args []string) error
	// Choice is a flag that takes one of a few words.
	Choice func(value *string, allowed ...string) pflag.Value
	// Load reads and checks a site file, Reader opens the store of a folder or of a site file for
	// reading; their errors carry their exit code.
	Load   func(path string) (*sitefile.File, error)
	Reader func(ctx context.Context, dir, file string) (*store.DB, error)
	// Client makes the way to the controller; its errors carry their exit code. Toward names the
	// address of the controller that a site file means, where a person named none.
	Client func() (Ask, error)
	Toward func(listen string)
	// BadInput makes the error of bad flags or values, NotFound that of a name that is not there,
	// NotAllowed that of what a token is missing for.
	BadInput, NotFound, NotAllowed func(format string, args ...any) error
}

// Ask asks the controller once; body and into may be nil. It blocks on the network, bounded.
type Ask func(ctx context.Context, method, path string, body, into any) error

type console struct{ Console }

// records names a store, by its folder or by the site file that has it.
type records struct{ dir, file string }

func (r records) set() bool { return r.dir != "" || r.file != "" }

// Command makes the command with those below it.
func Command(k Console) *cobra.Command {
	c := &console{k}
	var at records
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens",
		Long: `Tokens say who may do what: a viewer looks, an operator also sets limits and holds, an admin
also manages tokens. With --store or --site the store on the disk is used while no controller
runs on it; a running controller is asked instead, with an admin's token.`,
		Args: cobra.ArbitraryArgs, RunE: c.Help,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&at.dir, "store", "", "folder of the store")
	f.StringVar(&at.file, "site", "", "site file whose store is meant")
	cmd.MarkFlagsMutuallyExclusive("store", "site")
	cmd.AddCommand(c.tokenNewCmd(&at), c.tokenListCmd(&at), c.tokenRevokeCmd(&at))
	return cmd
}

func (c *console) tokenNewCmd(at *records) *cobra.Command {
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
			if err := c.knows(*at, tenant); err != nil {
				return err
			}
			v, err := c.newToken(cmd.Context(), *at, r)
			switch {
			case err != nil:
				return err
			case c.JSON():
				return c.Print(v)
			}
			c.note("Token %q, role %s. It is shown this once:", v.Name, strings.TrimSuffix(string(v.Role)+" "+v.Tenant, " "))
			c.say("%s", v.Token)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose it is")
	cmd.Flags().Var(c.Choice(&role, "viewer", "operator", "admin", "tenant"), "role", "what it may do")
	cmd.Flags().StringVar(&tenant, "tenant", "", "whose it is, by the tenant's id in the site file; with the role tenant")
	_ = cmd.MarkFlagRequired("name") // the flag is there
	return cmd
}

// knows says that a tenant must stand in the site file, where one is named.
func (c *console) knows(r records, tenant string) error {
	if tenant == "" || r.file == "" {
		return nil
	}
	f, err := c.Load(r.file)
	if err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(f.TenantNames()))
	if !slices.Contains(ids, tenant) {
		return c.BadInput("%s has no tenant %q; %s", r.file, tenant, strictyaml.Suggest(tenant, ids))
	}
	return nil
}

func (c *console) newToken(ctx context.Context, at records, r api.TokenRequest) (v api.NewToken, err error) {
	err = c.withTokens(ctx, at,
		func(t *api.Tokens) (string, error) {
			token, err := t.NewFor(ctx, r.Name, r.Role, r.Tenant)
			v = api.NewToken{Name: r.Name, Role: r.Role, Tenant: r.Tenant, Token: token}
			return "new token " + r.Words(), err
		},
		func(ask Ask) error { return ask(ctx, http.MethodPost, "/api/v1/tokens", r, &v) })
	return v, err
}

func (c *console) tokenListCmd(at *records) *cobra.Command {
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
			case c.JSON():
				return c.Print(append([]api.TokenView{}, list...))
			case len(list) == 0:
				c.say("There are no tokens; the first start of `switchyard run` makes one.")
			}
			g := table.New("name", "role", "tenant", "created")
			for _, t := range list {
				g.Add(t.Name, string(t.Role), t.Tenant, t.Created.UTC().Format(time.DateTime))
			}
			g.Print(c.Out, 0)
			return nil
		},
	}
}

// listTokens reads the store where it is named, locked or not, and else asks the controller.
func (c *console) listTokens(ctx context.Context, at records) (list []api.TokenView, err error) {
	if !at.set() {
		ask, err := c.Client()
		if err != nil {
			return nil, err
		}
		return list, ask(ctx, http.MethodGet, "/api/v1/tokens", nil, &list)
	}
	db, err := c.Reader(ctx, at.dir, at.file)
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

func (c *console) tokenRevokeCmd(at *records) *cobra.Command {
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
				func(ask Ask) error {
					return ask(ctx, http.MethodDelete, "/api/v1/tokens/"+url.PathEscape(name), nil, nil)
				})
			switch {
			case err != nil:
				return err
			case c.JSON():
				return c.Print(map[string]string{"revoked": name})
			}
			c.say("token %q is revoked", name)
			return nil
		},
	}
}

// withTokens changes tokens in the store where one is named and free, and else through the
// running controller. local returns the audit line of what it did.
func (c *console) withTokens(ctx context.Context, at records, local func(*api.Tokens) (string, error), remote func(Ask) error) error {
	if !at.set() {
		ask, err := c.Client()
		if err != nil {
			return err
		}
		return remote(ask)
	}
	dir := at.dir
	if at.file != "" {
		f, err := c.Load(at.file)
		if err != nil {
			return err
		}
		dir = f.Path(f.Store.Dir)
		c.Toward(f.API.Listen) // the controller that may hold the store
	} else if !isDir(dir) {
		return c.NotFound("there is no folder %s; name the store of a site, or its site file with --site", dir)
	}
	db, err := store.Open(ctx, dir)
	if errors.Is(err, store.ErrLocked) {
		return c.throughController(dir, err, remote)
	}
	if err != nil {
		return err
	}
	return errors.Join(c.changeStored(ctx, db, local), db.Close())
}

// throughController asks the controller that holds the store, if a token lets us.
func (c *console) throughController(dir string, locked error, remote func(Ask) error) error {
	ask, err := c.Client()
	if err != nil {
		return c.NotAllowed("%s is in use by a running controller, which then keeps the tokens (%w): give an admin's token in SWITCHYARD_TOKEN or with --token-file, and it will be asked; or stop it first", filepath.Clean(dir), locked)
	}
	return remote(ask)
}

// changeStored changes the tokens of an open store and leaves an audit line.
func (c *console) changeStored(ctx context.Context, db *store.DB, change func(*api.Tokens) (string, error)) error {
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
		err = c.NotFound("%w; `switchyard token list` lists them", err)
	case errors.Is(err, api.ErrInvalid):
		err = c.BadInput("%w", err)
	case err == nil:
		err = j.AppendNow(ctx, journal.Entry{Subject: who, Kind: journal.KindAudit, Text: who + ": " + what + ": done"})
	}
	return errors.Join(err, j.Close())
}

func isDir(path string) bool {
	st, err := os.Stat(filepath.Clean(path))
	return err == nil && st.IsDir()
}

func (c *console) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }

func (c *console) note(format string, args ...any) { fmt.Fprintf(c.Err, format+"\n", args...) }
