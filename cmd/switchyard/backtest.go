package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/backtestcmd"
)

// backtestCmd makes the command that simulates a site over past prices.
func (c *cli) backtestCmd() *cobra.Command {
	return backtestcmd.Command(backtestcmd.Console{
		Out: c.out, Err: c.err, Version: version, Load: loadAdjusted, BadInput: badInput,
		Told:   func() error { return told(exitError) },
		Choice: func(v *string, allowed ...string) pflag.Value { return &choice{v, allowed} },
	})
}
