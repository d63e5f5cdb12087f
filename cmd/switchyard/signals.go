package main

import (
	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/cmd/switchyard/signalscmd"
)

func (c *cli) signalsCmd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "signals",
		Short:   "What the grid asks, and by which ways it may",
		Long:    "The sources of signals with when each was last heard of, what is in force and to come, by whom\nand until when, what overrules what, and what was not taken. -o json prints the API's view.",
		Example: "  switchyard signals\n  switchyard signals --all",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			var v api.SignalsView
			if err := k.get(cmd.Context(), "/api/v1/signals", nil, &v); err != nil {
				return err
			}
			if c.json() {
				return c.printJSON(v)
			}
			site, err := k.siteView(cmd.Context())
			if err != nil {
				return err
			}
			signalscmd.Print(c.out, v, zoneNamed(site.Timezone), all)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that ended lately")
	return cmd
}
