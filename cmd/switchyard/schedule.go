package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/schedulecmd"
	"switchyard/sitefile"
)

// scheduleCmd makes the command that plans a site's hours ahead.
func (c *cli) scheduleCmd() *cobra.Command {
	return schedulecmd.Command(schedulecmd.Console{
		Out: c.out, Err: c.err, Load: loadSite, When: parseWhen, Powers: pairs, BadInput: badInput,
		Now:      func(f *sitefile.File) time.Time { return siteClock(f).Now() },
		NotFound: func(format string, args ...any) error { return withCode(exitNotFound, format, args...) },
		Choice:   func(v *string, allowed ...string) pflag.Value { return &choice{v, allowed} },
		Progress: func() schedulecmd.Progress { return c.progress() },
	})
}
