// Package usagecmd owns the commands that hand usage on: its export to files and metering
// services, and the month's energy report, both from a site's store.
//
// It never reckons and never talks to a controller: billing/usage and billing/energyreport do
// the figures, and the store is read beside a running controller.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package usagecmd

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/wholefile"
	"switchyard/sitefile"
	"switchyard/store"
)

// Console is what the commands need of the command line.
type Console struct {
	Out, Err io.Writer
	// Load reads and checks a site file; its errors carry their exit code.
	Load func(path string) (*sitefile.File, error)
	// When reads a time as people write it.
	When func(s string, now time.Time, zone *time.Location) (time.Time, error)
	// Now is site time by the site file's clock.
	Now func(f *sitefile.File) time.Time
	// Choice is a flag that takes one of a few words.
	Choice func(value *string, allowed ...string) pflag.Value
	// Help is the work of a command that has only commands below it.
	Help func(cmd *cobra.Command, args []string) error
	// BadInput makes the error of bad flags or values, NotFound that of a name that is not there.
	BadInput, NotFound func(format string, args ...any) error
	Progress           func() Progress
}

// Progress tells on standard error how far something is.
type Progress interface {
	Tell(format string, args ...any)
	Done()
}

type console struct{ Console }

// Commands makes the commands "usage" and "energy".
func Commands(k Console) []*cobra.Command {
	c := &console{k}
	usage := &cobra.Command{
		Use: "usage", Short: "Who used what: hand it on", Args: cobra.ArbitraryArgs, RunE: k.Help,
		Long: "Each tenant's energy and GPU time by interval, as the record has it, for metering services.",
	}
	usage.AddCommand(c.exportCmd())
	energy := &cobra.Command{
		Use: "energy", Short: "The month's energy", Args: cobra.ArbitraryArgs, RunE: k.Help,
		Long: "Reports of energy, from the record.",
	}
	energy.AddCommand(c.reportCmd())
	return []*cobra.Command{usage, energy}
}

// open reads the site file and opens its store for reading.
func (c *console) open(ctx context.Context, path, dir string) (*sitefile.File, *store.DB, error) {
	if path == "" {
		return nil, nil, c.BadInput("--site FILE is needed: it says where the store is, and whose is what")
	}
	f, err := c.Load(path)
	if err != nil {
		return nil, nil, err
	}
	if dir == "" {
		dir = f.Path(f.Store.Dir)
	}
	db, err := store.OpenReader(ctx, dir)
	if err != nil {
		return nil, nil, c.NotFound("%w", err)
	}
	return f, db, nil
}

// to writes to a file that is whole or not there, or to standard output where path is empty.
func (c *console) to(path string, write func(io.Writer) error) error {
	if path == "" {
		return write(c.Out)
	}
	return wholefile.Write(path, write)
}
