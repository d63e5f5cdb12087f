package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/unit"
)

func (c *cli) limitCmd() *cobra.Command {
	var clearID, note string
	var span time.Duration
	cmd := &cobra.Command{
		Use:   "limit NODE POWER [--for DURATION] | limit --clear ID",
		Short: "Limit the power entering a node, or clear such a limit",
		Long: `Limit the power entering a node, at once and for a time, or until it is cleared. The site
obeys within a control period: flexible load yields first, firm load last.`,
		Example: "  switchyard limit hall-a 800kW --for 1h --note \"hot transformer\"\n  switchyard limit --clear 3",
		Args:    cobra.MaximumNArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case clearID != "" && len(args) > 0:
				return badInput("--clear takes the limit's id alone; `switchyard limits` lists them")
			case clearID != "":
				return c.clearLimit(cmd.Context(), clearID)
			case len(args) < 2:
				return badInput("name a node and a power, such as `switchyard limit hall-a 800kW`; see `switchyard limit --help`")
			case span < 0:
				return badInput("--for cannot be negative")
			}
			p, err := unit.ParsePower(strings.Join(args[1:], " "))
			switch {
			case err != nil:
				return badInput("%w", err)
			case p < 0:
				return badInput("a limit cannot be below zero: %s", p)
			}
			return c.setLimit(cmd.Context(), api.LimitRequest{Node: args[0], PowerW: p.Watts(), ForS: span.Seconds(), Note: note})
		},
	}
	f := cmd.Flags()
	f.StringVar(&clearID, "clear", "", "clear the limit with this id")
	f.DurationVar(&span, "for", 0, "how long, site time (default: until it is cleared)")
	f.StringVar(&note, "note", "", "why, for whoever reads it later")
	return cmd
}

func (c *cli) setLimit(ctx context.Context, r api.LimitRequest) error {
	k, err := c.client()
	if err != nil {
		return err
	}
	var v api.LimitView
	if err := k.do(ctx, http.MethodPost, "/api/v1/limits", r, &v); err != nil {
		return err
	}
	if c.json() {
		return c.printJSON(v)
	}
	until := "until it is cleared"
	if v.To != nil {
		until = "until " + v.To.UTC().Format("2006-01-02 15:04:05") + " UTC"
	}
	c.say("%s is limited to %s %s. Clear it with: switchyard limit --clear %s", v.Node, power(&v.PowerW), until, v.ID)
	return nil
}

func (c *cli) clearLimit(ctx context.Context, id string) error {
	k, err := c.client()
	if err != nil {
		return err
	}
	if err := k.do(ctx, http.MethodDelete, "/api/v1/limits/"+url.PathEscape(id), nil, nil); err != nil {
		return err
	}
	if c.json() {
		return c.printJSON(map[string]string{"cleared": id})
	}
	c.say("limit %s is cleared", id)
	return nil
}

func (c *cli) limitsCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "limits",
		Short:   "List the limits in force and to come",
		Long:    "List the limits in force and to come, the site file's and the operators', with their ids.",
		Example: "  switchyard limits",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, live, err := c.live(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return c.printJSON(append([]api.LimitView{}, live.Limits...))
			}
			s, err := k.siteView(cmd.Context())
			if err != nil {
				return err
			}
			if len(live.Limits) == 0 {
				c.say("No limits but the nodes' own; `switchyard status` shows those.")
			}
			c.printLimits(live.Limits, zoneNamed(s.Timezone))
			return nil
		},
	}
}

func (c *cli) holdCmd() *cobra.Command {
	var mode, note string
	cmd := &cobra.Command{
		Use:   "hold DEVICE|GROUP... --mode sleep|run",
		Short: "Hold devices asleep or awake, whatever the market says",
		Long: `Hold devices, or all devices of groups, asleep or awake until they are released. A hold
outlives restarts. What is held awake counts as fixed power: the rest of the site makes room
for it. A miner that somebody put to sleep at the miner itself is released in the same way.`,
		Example: "  switchyard hold s21-017 s21-018 --mode sleep --note \"fan replaced today\"",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			var n devices
			r := api.HoldRequest{Devices: args, Mode: mode, Note: note}
			if err := k.do(cmd.Context(), http.MethodPost, "/api/v1/holds", r, &n); err != nil {
				return err
			}
			if c.json() {
				return c.printJSON(n)
			}
			c.say("%s held in mode %s until released: switchyard release %s", count(n.Devices, "device"), mode, strings.Join(args, " "))
			return nil
		},
	}
	cmd.Flags().Var(&choice{&mode, []string{"sleep", "run"}}, "mode", "the mode to hold them in")
	cmd.Flags().StringVar(&note, "note", "", "why, for whoever reads it later")
	_ = cmd.MarkFlagRequired("mode") // the flag is there
	return cmd
}

// devices is how many devices a hold or a release met.
type devices struct {
	Devices int `json:"devices"`
}

func (c *cli) releaseCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "release DEVICE|GROUP...",
		Short:   "Release held devices: they follow the market again",
		Long:    "Release held devices, or all held devices of groups: they follow the market again.",
		Example: "  switchyard release s21-017 s21-018",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			var all devices
			for i, name := range args {
				var n devices
				if err := k.do(cmd.Context(), http.MethodDelete, "/api/v1/holds/"+url.PathEscape(name), nil, &n); err != nil {
					return after(err, i, all.Devices)
				}
				all.Devices += n.Devices
			}
			if c.json() {
				return c.printJSON(all)
			}
			c.say("%s released", count(all.Devices, "device"))
			return nil
		},
	}
}

// after says what was done before something went wrong.
func after(err error, names, released int) error {
	var e *coded
	if names == 0 || !errors.As(err, &e) {
		return err
	}
	return withCode(e.code, "%w (before it, %s released)", e.err, count(released, "device"))
}

func (c *cli) reportCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "Profit and loss", Long: "Profit and loss, from the books.", Args: cobra.ArbitraryArgs, RunE: onlyCommands}
	var date string
	var from records
	day := &cobra.Command{
		Use:   "day [--date 2026-01-31]",
		Short: "A day's profit and loss by hall and by MWh",
		Long: `A day's profit and loss by hall and by MWh; its energies sum to the connection's meter, with
the remainder named. A running controller is asked; with --site the books on the disk are
read, and none need run.`,
		Example: "  switchyard report day\n  switchyard report day --date 2026-01-31 --site site.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if date != "" {
				if _, err := time.Parse(time.DateOnly, date); err != nil {
					return badInput("--date: %q is no day; write it like 2026-01-31", date)
				}
			}
			v, err := c.dayReport(cmd.Context(), from, date)
			switch {
			case err != nil:
				return err
			case c.json():
				return c.printJSON(v)
			}
			fmt.Fprint(c.out, v.Text)
			return nil
		},
	}
	day.Flags().StringVar(&date, "date", "", "the day, in the site's time zone (default: today, site time)")
	day.Flags().StringVar(&from.file, "site", "", "site file whose books are read instead of asking a controller")
	day.Flags().StringVar(&from.dir, "store", "", "folder of the books, where they are not in the site file's store")
	cmd.AddCommand(day)
	return cmd
}

func (c *cli) dayReport(ctx context.Context, from records, date string) (v api.ReportView, err error) {
	if from.file != "" {
		return c.reportStored(ctx, from, date)
	}
	if from.dir != "" {
		return v, badInput("--store needs --site too: the site file says which hall is whose")
	}
	k, err := c.client()
	if err != nil {
		return v, err
	}
	query := url.Values{}
	if date != "" {
		query.Set("date", date)
	}
	return v, k.get(ctx, "/api/v1/report/day", query, &v)
}
