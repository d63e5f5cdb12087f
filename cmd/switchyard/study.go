package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchyard/cmd/switchyard/studycmd"
	"switchyard/sitefile"
	"switchyard/study"
	"switchyard/study/input"
	"switchyard/study/page"
	"switchyard/study/sheet"
)

// studyCmd makes the commands of investment studies.
func (c *cli) studyCmd() *cobra.Command {
	return studycmd.Command(studycmd.Console{
		Out: c.out, Err: c.err, Version: version, Load: loadSite, WriteNew: writeNew, BadInput: badInput,
		Engine: studycmd.Engine{
			Load: input.Load, Example: input.Example, HTML: page.Write, Compare: page.Compare, Sheet: sheet.Write,
			Run: func(ctx context.Context, f *input.File, o studycmd.Wish) (*study.Report, error) {
				return study.Run(ctx, f, study.Options(o))
			},
		},
		Now: func(f *sitefile.File) time.Time { return siteClock(f).Now() },
		Controller: func() (studycmd.Ask, error) {
			k, err := c.client()
			if err != nil {
				return nil, err
			}
			return k.get, nil
		},
		Named: func() bool {
			return c.url != "" || c.tokenFile != "" || c.env("SWITCHYARD_URL") != "" || c.env("SWITCHYARD_TOKEN") != ""
		},
		Told:     func() error { return told(exitBadInput) },
		Choice:   func(v *string, allowed ...string) pflag.Value { return &choice{v, allowed} },
		Progress: func() studycmd.Progress { return c.progress() },
	})
}
