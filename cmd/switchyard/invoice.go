package main

import (
	"context"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/invoicecmd"
	"switchyard/journal"
	"switchyard/sitefile"
	"switchyard/store"
)

// invoiceCmd makes the commands for invoices.
func (c *cli) invoiceCmd() *cobra.Command {
	out, isFile := c.out.(*os.File)
	return invoicecmd.Command(invoicecmd.Console{
		Out: c.out, Err: c.err, Terminal: isFile && isatty.IsTerminal(out.Fd()), JSON: c.json, Load: loadSite, BadInput: badInput,
		Now: func(ctx context.Context, db *store.DB, f *sitefile.File) time.Time {
			return siteNow(ctx, journal.OpenReader(db, journal.Options{}), f)
		},
		Choice:   func(v *string, allowed ...string) pflag.Value { return &choice{v, allowed} },
		NotFound: func(format string, args ...any) error { return withCode(exitNotFound, format, args...) },
	})
}
