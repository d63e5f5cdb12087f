package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/tokencmd"
	"switchyard/store"
)

// tokenCmd makes the commands for tokens.
func (c *cli) tokenCmd() *cobra.Command {
	return tokencmd.Command(tokencmd.Console{
		Out: c.out, Err: c.err, JSON: c.json, Print: c.printJSON, Help: onlyCommands, Load: loadSite, BadInput: badInput,
		Choice: func(v *string, allowed ...string) pflag.Value { return &choice{v, allowed} },
		Reader: func(ctx context.Context, dir, file string) (*store.DB, error) {
			db, _, err := records{dir, file}.open(ctx)
			return db, err
		},
		Client: func() (tokencmd.Ask, error) {
			k, err := c.client()
			if err != nil {
				return nil, err
			}
			return k.do, nil
		},
		Toward: func(listen string) {
			if c.url == "" && c.env("SWITCHYARD_URL") == "" {
				c.url = "http://" + listen
			}
		},
		NotFound:   func(format string, args ...any) error { return withCode(exitNotFound, format, args...) },
		NotAllowed: func(format string, args ...any) error { return withCode(exitNotAllowed, format, args...) },
	})
}
