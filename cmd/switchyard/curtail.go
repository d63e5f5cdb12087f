package main

import (
	"context"

	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/curtailcmd"
)

// curtailCmd makes the command that takes power back from hosted tenants.
func (c *cli) curtailCmd() *cobra.Command {
	return curtailcmd.Command(curtailcmd.Console{
		Out: c.out, JSON: c.json, PrintJSON: c.printJSON, BadInput: badInput, When: parseWhen,
		Ask: func(ctx context.Context, method, path string, body, into any) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			return k.do(ctx, method, path, body, into)
		},
	})
}
