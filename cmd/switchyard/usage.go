package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/usagecmd"
	"switchyard/sitefile"
)

// usageCommands makes the commands that hand usage and energy on.
func (c *cli) usageCommands() []*cobra.Command {
	return usagecmd.Commands(usagecmd.Console{
		Out: c.out, Err: c.err, Load: loadSite, When: parseWhen, Help: onlyCommands, BadInput: badInput,
		Now:      func(f *sitefile.File) time.Time { return siteClock(f).Now() },
		NotFound: func(format string, args ...any) error { return withCode(exitNotFound, format, args...) },
		Choice:   func(v *string, allowed ...string) pflag.Value { return &choice{v, allowed} },
		Progress: func() usagecmd.Progress { return c.progress() },
	})
}
