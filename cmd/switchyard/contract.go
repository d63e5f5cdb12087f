package main

import (
	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/contractcmd"
)

// contractCmd makes the commands for contract files.
func (c *cli) contractCmd() *cobra.Command {
	return contractcmd.Command(contractcmd.Console{
		Out: c.out, JSON: c.json, Load: loadSite, WriteNew: writeNew, BadInput: badInput,
		NotFound: func(format string, args ...any) error { return withCode(exitNotFound, format, args...) },
		Faulty:   func() error { return told(exitBadInput) },
	}, onlyCommands)
}
