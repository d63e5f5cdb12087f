// Package schedulecmd owns the command that schedules a site's hours ahead from its file
// alone, and how the plan is printed and drawn.
//
// It never talks to a device or a controller and never decides: market/outlook makes the
// problem, dispatch/schedule solves it.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package schedulecmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/sitefile"
	"switchyard/unit"
)

// Console is what the command needs of the command line.
type Console struct {
	Out, Err io.Writer
	// Load reads and checks a site file; its errors carry their exit code.
	Load func(path string) (*sitefile.File, error)
	// Now is site time by the site file's clock.
	Now func(f *sitefile.File) time.Time
	// When reads a time as people write it.
	When func(s string, now time.Time, zone *time.Location) (time.Time, error)
	// Powers reads the NAME=POWER values of a flag.
	Powers func(values []string, flag string) (map[string]unit.Power, error)
	// Choice is a flag that takes one of a few words.
	Choice func(value *string, allowed ...string) pflag.Value
	// BadInput makes the error of bad flags or values, NotFound that of a name that is not there.
	BadInput, NotFound func(format string, args ...any) error
	Progress           func() Progress
}

// Progress tells on standard error how far something is.
type Progress interface {
	Tell(format string, args ...any)
	Done()
}

type flags struct {
	at, running, hashprice, format, out string
	draws, limits, peaks                []string
}

type console struct{ Console }

// Command makes the command.
func Command(k Console) *cobra.Command {
	c := &console{k}
	in := flags{running: "all", format: "text"}
	cmd := &cobra.Command{
		Use:   "schedule FILE [--at TIME]",
		Short: "Schedule a site's hours ahead, from its file and its market alone",
		Long: `Plan the coming day and a half of a site as the running site would: what runs, rests, is held as
reserve or gives way, at the prices expected. No device is touched. Prices are the site file's
market's, and of them only what was known at --at: files that go on after it are read up to it, and
what comes then is expected and not looked up. All miners are free to follow; tenants are taken to
draw what is firm, unless --tenant-draw says otherwise. Without any price there is no plan.

The plan comes with the most that any plan could earn, and how far it is from that.`,
		Example: "  switchyard schedule site.yaml\n" +
			"  switchyard schedule site.yaml --at \"2024-08-20 10:00\" --running none -o json\n" +
			"  switchyard schedule site.yaml -o html --out plan.html",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0], in) },
	}
	f := cmd.Flags()
	f.VarP(k.Choice(&in.format, "text", "json", "html"), "output", "o", "what is written: text, json or html")
	f.StringVar(&in.out, "out", "", "write there and not to standard output")
	f.StringVar(&in.at, "at", "", "when the plan begins, such as 14:05 or \"2026-01-31 14:05\" in the site's time zone (default: now)")
	f.Var(k.Choice(&in.running, "all", "none"), "running", "how the miners stand then: all running or none, for a day already")
	f.StringVar(&in.hashprice, "hashprice", "", "what a PH/s earns in a day, in $/PH/day (default: the site file's source)")
	f.StringArrayVar(&in.draws, "tenant-draw", nil, "NAME=POWER that a tenant draws instead of all that is firm, in MW or with a unit (may repeat)")
	f.StringArrayVar(&in.limits, "limit", nil, "NODE=POWER limit for all of the horizon, in MW or with a unit (may repeat)")
	f.StringArrayVar(&in.peaks, "peak", nil, "NAME=POWER that the month's peak of a demand charge is already at, in MW or with a unit (may repeat)")
	return cmd
}

func (c *console) run(ctx context.Context, path string, in flags) error {
	f, err := c.Load(path)
	if err != nil {
		return err
	}
	at := c.Now(f)
	if in.at != "" {
		if at, err = c.When(in.at, at, f.Location()); err != nil {
			return err
		}
	}
	a, err := c.plan(ctx, f, at, in)
	if err != nil {
		return err
	}
	if in.out == "" {
		return write(c.Out, a, in.format)
	}
	return writeFile(in.out, a, in.format)
}

func write(w io.Writer, a *answer, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(a); err != nil {
			return fmt.Errorf("print the plan: %w", err)
		}
		return nil
	case "html":
		if err := page(w, a); err != nil {
			return fmt.Errorf("draw the plan: %w", err)
		}
		return nil
	}
	a.print(w)
	return nil
}

// writeFile writes beside path first, so that a plan there is whole or the one before.
func writeFile(path string, a *answer, format string) (err error) {
	tmp := path + ".part"
	out, err := os.Create(tmp)
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // the error before counts
		}
	}()
	if err = write(out, a, format); err != nil {
		_ = out.Close() // likewise
		return err
	}
	if err = out.Close(); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if err = os.Rename(tmp, path); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}
