// Package invoicecmd owns the commands that show, issue and list invoices from a site's store.
//
// It never reckons and never talks to a controller: billing/invoice bills and issues. It reads
// beside a running controller; issuing needs the store for itself.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package invoicecmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/billing/invoice"
	"switchyard/billing/invoice/paper"
	"switchyard/billing/invoice/source"
	"switchyard/cmd/switchyard/table"
	"switchyard/ledger"
	"switchyard/sitefile"
	"switchyard/store"
)

// Console is what the commands need of the command line.
type Console struct {
	Out, Err io.Writer
	// Terminal says that Out is one, onto which no PDF is written.
	Terminal bool
	// JSON says whether a list is to be printed as JSON.
	JSON func() bool
	// Load reads and checks a site file; its errors carry their exit code.
	Load func(path string) (*sitefile.File, error)
	// Now is the newest site time that the store knows of.
	Now func(ctx context.Context, db *store.DB, f *sitefile.File) time.Time
	// Choice is a flag that takes one of a few words.
	Choice func(value *string, allowed ...string) pflag.Value
	// BadInput makes the error of bad flags or values, NotFound that of a name that is not there.
	BadInput, NotFound func(format string, args ...any) error
}

type console struct{ Console }

type flags struct {
	site, dir, tenant, month, format, out, paper string
	draft, issue                                 bool
}

// Command makes the command with those below it.
func Command(k Console) *cobra.Command {
	c := &console{k}
	in := flags{format: "text", paper: string(paper.Auto)}
	cmd := &cobra.Command{
		Use:   "invoice --site FILE --tenant NAME --month 2026-10",
		Short: "A tenant's invoice for a month, as PDF, CSV or JSON",
		Long: `The invoice of a tenant's month. One that was issued is printed as it was issued; else a draft is
made of what is known, which has no number. --issue gives it its number, keeps it for ever and
posts it to the books; issuing a month again prints the invoice that is there. What is measured
later is corrected on the next invoice.

The store is read beside a running controller. To issue, this command needs the store for itself:
stop the controller, or let it issue.`,
		Example: "  switchyard invoice --site site.yaml --tenant acme --month 2026-10\n" +
			"  switchyard invoice --site site.yaml --tenant acme --month 2026-10 -o pdf --out acme-2026-10.pdf\n" +
			"  switchyard invoice --site site.yaml --tenant acme --month 2026-10 --issue -o json\n" +
			"  switchyard invoice list --site site.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.one(cmd.Context(), in) },
	}
	from := func(cmd *cobra.Command, in *flags) {
		cmd.Flags().StringVar(&in.site, "site", "", "the site file (needed)")
		cmd.Flags().StringVar(&in.dir, "store", "", "folder of the books, where they are not in the site file's store")
	}
	form := func(cmd *cobra.Command, in *flags) {
		cmd.Flags().VarP(k.Choice(&in.format, "text", "json", "csv", "pdf"), "output", "o", "what is written: text, json, csv or pdf")
		cmd.Flags().StringVar(&in.out, "out", "", "write there and not to standard output")
		cmd.Flags().Var(k.Choice(&in.paper, string(paper.Auto), string(paper.A4), string(paper.Letter)), "paper", "the PDF's paper: auto (by the seller's address), a4 or letter")
	}
	from(cmd, &in)
	form(cmd, &in)
	cmd.Flags().StringVar(&in.tenant, "tenant", "", "the tenant's id in the site file")
	cmd.Flags().StringVar(&in.month, "month", "", "the month, such as 2026-10")
	cmd.Flags().BoolVar(&in.draft, "draft", false, "make a draft even where an invoice was issued")
	cmd.Flags().BoolVar(&in.issue, "issue", false, "issue it: the month must be over and all its prices known")
	cmd.MarkFlagsMutuallyExclusive("draft", "issue")
	show, list := flags{format: "text", paper: string(paper.Auto)}, flags{}
	showCmd := &cobra.Command{
		Use: "show NUMBER", Short: "An issued invoice by its number", Long: "An issued invoice by its number, as it was issued. The store is read, and no controller need run.", Args: cobra.ExactArgs(1),
		Example: "  switchyard invoice show 2026-000017 --site site.yaml -o pdf --out 2026-000017.pdf",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.show(cmd.Context(), args[0], show) },
	}
	from(showCmd, &show)
	form(showCmd, &show)
	listCmd := &cobra.Command{
		Use: "list", Short: "The invoices that were issued, the newest first", Long: "The invoices that were issued, the newest first. The store is read, and no controller need run.", Args: cobra.NoArgs,
		Example: "  switchyard invoice list --site site.yaml --tenant acme",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.list(cmd.Context(), list) },
	}
	from(listCmd, &list)
	listCmd.Flags().StringVar(&list.tenant, "tenant", "", "only this tenant's")
	cmd.AddCommand(showCmd, listCmd)
	return cmd
}

// folder reads the site file and says where the store is.
func (c *console) folder(in flags) (*sitefile.File, string, error) {
	if in.site == "" {
		return nil, "", c.BadInput("--site is needed: the site file whose books are read")
	}
	f, err := c.Load(in.site)
	if err != nil {
		return nil, "", err
	}
	if in.dir == "" {
		in.dir = f.Path(f.Store.Dir)
	}
	return f, in.dir, nil
}

// reader opens the store beside whoever writes it.
func (c *console) reader(ctx context.Context, in flags) (*store.DB, *sitefile.File, error) {
	f, dir, err := c.folder(in)
	if err != nil {
		return nil, nil, err
	}
	db, err := store.OpenReader(ctx, dir)
	if err != nil {
		return nil, nil, c.NotFound("%w", err)
	}
	return db, f, nil
}

// one is the invoice of a tenant's month: the one issued, a draft, or one issued now.
func (c *console) one(ctx context.Context, in flags) (err error) {
	if in.tenant == "" || in.month == "" {
		return c.BadInput("--tenant and --month are needed, such as --tenant acme --month 2026-10")
	}
	if _, err := invoice.PeriodOf(in.month, nil); err != nil {
		return c.BadInput("--month: %w", err)
	}
	var db *store.DB
	var f *sitefile.File
	if in.issue {
		db, f, err = c.writer(ctx, in)
	} else {
		db, f, err = c.reader(ctx, in)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	now := c.Now(ctx, db, f)
	src, err := source.New(db, f, func() time.Time { return now }, nil)
	if err != nil {
		return c.BadInput("%w", err)
	}
	if _, err := src.Contract(in.tenant); err != nil {
		return c.NotFound("%w", err)
	}
	inv, err := c.make(ctx, db, src, in, now)
	if err != nil {
		return c.explained(err)
	}
	return c.write(inv, in)
}

func (c *console) make(ctx context.Context, db *store.DB, src *source.Source, in flags, now time.Time) (invoice.Invoice, error) {
	if in.issue {
		book, err := ledger.Open(ctx, db)
		if err != nil {
			return invoice.Invoice{}, err
		}
		issuer, err := invoice.Open(ctx, db, book)
		if err != nil {
			return invoice.Invoice{}, err
		}
		inv, fresh, err := issuer.Issue(ctx, src, in.tenant, in.month, now)
		if err == nil && !fresh {
			fmt.Fprintf(c.Err, "switchyard: %s was issued before; this is it, unchanged\n", inv.Number)
		}
		return inv, err
	}
	archive := invoice.OpenReader(db)
	if !in.draft {
		inv, err := archive.Of(ctx, in.tenant, in.month)
		if !errors.Is(err, invoice.ErrNotFound) {
			return inv, err
		}
		fmt.Fprintf(c.Err, "switchyard: nothing was issued to %s for %s; this is a draft, and --issue issues it\n", in.tenant, in.month)
	}
	return archive.Draft(ctx, src, in.tenant, in.month, now)
}

// writer opens the store to issue; a controller that runs on it keeps it.
func (c *console) writer(ctx context.Context, in flags) (*store.DB, *sitefile.File, error) {
	f, dir, err := c.folder(in)
	if err != nil {
		return nil, nil, err
	}
	if r, err := store.OpenReader(ctx, dir); err != nil {
		return nil, nil, c.NotFound("%w", err)
	} else if err := r.Close(); err != nil {
		return nil, nil, err
	}
	db, err := store.Open(ctx, dir)
	if errors.Is(err, store.ErrLocked) {
		return nil, nil, fmt.Errorf("a controller runs on this store, and only who holds it can issue: stop it for the moment, "+
			"or see with --draft what would be issued: %w", err)
	}
	return db, f, err
}

// explained gives an error of billing its exit code.
func (c *console) explained(err error) error {
	var wait *invoice.PendingError
	switch {
	case errors.Is(err, invoice.ErrNoContract), errors.Is(err, invoice.ErrNotFound):
		return c.NotFound("%w", err)
	case errors.Is(err, invoice.ErrNotOver), errors.Is(err, invoice.ErrNoTerms), errors.Is(err, invoice.ErrNoRate), errors.As(err, &wait):
		return c.BadInput("%w", err)
	}
	return err
}

func (c *console) show(ctx context.Context, number string, in flags) (err error) {
	db, _, err := c.reader(ctx, in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	inv, err := invoice.OpenReader(db).Get(ctx, number)
	if err != nil {
		return c.explained(err)
	}
	return c.write(inv, in)
}

const mostListed = 10_000

func (c *console) list(ctx context.Context, in flags) (err error) {
	db, f, err := c.reader(ctx, in)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	all, err := invoice.OpenReader(db).List(ctx, in.tenant, mostListed)
	if err != nil {
		return err
	}
	if c.JSON() {
		return writeList(c.Out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(c.Out, "No invoice was issued.")
		return nil
	}
	t := table.New("number", "tenant", "month", "issued", ">total")
	for _, h := range all {
		t.Add(h.Number, h.Tenant, h.Month, time.Unix(h.Issued, 0).In(f.Location()).Format(time.DateOnly), h.Total.String())
	}
	t.Print(c.Out, 0)
	return nil
}

// write prints the invoice or writes it to a file, whole or not at all.
func (c *console) write(inv invoice.Invoice, in flags) error {
	var b bytes.Buffer
	if err := render(&b, inv, in); err != nil {
		return err
	}
	if in.out == "" {
		if in.format == "pdf" && c.Terminal {
			return c.BadInput("a PDF is not for a terminal: name a file with --out, or send it on")
		}
		_, err := c.Out.Write(b.Bytes())
		return err
	}
	tmp := in.out + ".part"
	if err := os.WriteFile(tmp, b.Bytes(), 0o640); err != nil { //nolint:gosec // the group may read it, as the store
		return fmt.Errorf("write the invoice: %w", err)
	}
	if err := os.Rename(tmp, in.out); err != nil {
		return fmt.Errorf("write the invoice: %w", errors.Join(err, os.Remove(tmp)))
	}
	fmt.Fprintf(c.Err, "switchyard: %s of %s for %s is in %s: %s\n", strings.ToUpper(in.format), inv.Tenant, inv.Period.Month, in.out, inv.Total)
	return nil
}
