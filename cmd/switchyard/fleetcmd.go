package main

import (
	"context"

	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/fleetcmd"
)

// deviceCommands makes the commands about the devices of a running controller.
func (c *cli) deviceCommands() []*cobra.Command {
	return fleetcmd.Commands(fleetcmd.Console{
		Out: c.out, Err: c.err, Person: c.in, JSON: c.json, BadInput: badInput,
		Ask: func(ctx context.Context, method, path string, body, into any) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			return k.do(ctx, method, path, body, into)
		},
		Failed:   func() error { return told(exitError) },
		Progress: func() fleetcmd.Progress { return c.progress() },
	})
}
