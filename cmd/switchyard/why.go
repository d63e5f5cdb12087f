package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/strictyaml"
)

// records names a store to be read without its controller.
type records struct{ dir, file string }

func (r records) set() bool { return r.dir != "" || r.file != "" }

func (c *cli) whyCmd() *cobra.Command {
	var at string
	var from records
	cmd := &cobra.Command{
		Use:   "why DEVICE [--at TIME]",
		Short: "Why a device is, or was, as it is",
		Long: `The chain behind a device's state: its group's award and reason, the plan, the command, the
acknowledgement and the reading that confirmed it, each with its time. A running controller
is asked; with --store or --site the journal on the disk is read, and none need run.`,
		Example: "  switchyard why s21-017\n  switchyard why s21-017 --at 14:05\n  switchyard why s21-017 --site site.yaml --at 2026-07-01T14:05:00Z",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from.set() {
				return c.whyStored(cmd.Context(), from, args[0], at)
			}
			return c.whyRunning(cmd.Context(), args[0], at)
		},
	}
	f := cmd.Flags()
	f.StringVar(&at, "at", "", "site time: 15:04 of the site's day, or a date and time (default: now)")
	f.StringVar(&from.dir, "store", "", "folder of the store to read instead of asking a controller")
	f.StringVar(&from.file, "site", "", "site file whose store is read instead of asking a controller")
	cmd.MarkFlagsMutuallyExclusive("store", "site")
	return cmd
}

func (c *cli) whyRunning(ctx context.Context, device, at string) error {
	k, err := c.client()
	if err != nil {
		return err
	}
	s, err := k.siteView(ctx)
	if err != nil {
		return err
	}
	zone, query := zoneNamed(s.Timezone), url.Values{}
	if at != "" {
		var live api.LiveView
		if err := k.get(ctx, "/api/v1/live", nil, &live); err != nil {
			return err
		}
		t, err := parseWhen(at, live.At, zone)
		if err != nil {
			return err
		}
		query.Set("at", t.UTC().Format(time.RFC3339))
	}
	var v api.WhyView
	err = k.get(ctx, "/api/v1/why/"+url.PathEscape(device), query, &v)
	var refused *coded
	if errors.As(err, &refused) && refused.code == exitNotFound {
		var ids []string
		for _, g := range s.Groups {
			ids = append(ids, g.ID)
		}
		return withCode(exitNotFound, "there is no device %q; %s", device, deviceHint(device, ids))
	}
	if err != nil {
		return err
	}
	return c.printWhy(v, zone)
}

// deviceHint says how devices are called here.
func deviceHint(device string, groups []string) string {
	if len(groups) == 0 {
		return "this site has no miners"
	}
	group, number := device, "001"
	if i := strings.LastIndexByte(device, '-'); i > 0 && i < len(device)-1 {
		group, number = device[:i], device[i+1:]
	}
	for _, g := range groups {
		if g == device || g == group {
			return fmt.Sprintf("the miners of the group %s are called %s-001 and so on", g, g)
		}
	}
	if near := strictyaml.Nearest(group, groups); near != "" {
		return fmt.Sprintf("did you mean %s-%s?", near, number)
	}
	return fmt.Sprintf("miners are called by group and number, like %s-001; the groups are %s", groups[0], strings.Join(groups, ", "))
}

func (c *cli) printWhy(v api.WhyView, zone *time.Location) error {
	if c.json() {
		if v.Steps == nil {
			v.Steps = []api.WhyStep{}
		}
		return c.printJSON(v)
	}
	c.say("%s at %s", v.Device, v.At.In(zone).Format("2006-01-02 15:04:05 MST"))
	c.say("%s", v.Answer)
	if len(v.Steps) > 0 {
		c.say("")
	}
	g := newGrid("when", "what", "")
	for _, s := range v.Steps {
		when := "-"
		if s.At != nil {
			when = s.At.In(zone).Format("2006-01-02 15:04:05.0")
		}
		g.add(when, s.Kind, s.Text)
	}
	g.print(c.out, 2)
	return nil
}
