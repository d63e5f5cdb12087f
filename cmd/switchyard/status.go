package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
)

func (c *cli) statusCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "The site at a glance",
		Long:    "What the site does now: its nodes with their limits, groups with their awards and reasons,\ntenants, the price, limits in force and what needs a person. -o json prints the API's live view.",
		Example: "  switchyard status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, live, err := c.live(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return c.printJSON(live)
			}
			var site api.SiteView
			if err := k.get(cmd.Context(), "/api/v1/site", nil, &site); err != nil {
				return err
			}
			c.printStatus(site, live)
			return nil
		},
	}
}

func (c *cli) printStatus(s api.SiteView, v api.LiveView) {
	zone := zoneNamed(s.Timezone)
	speed := ""
	if s.Speed != 1 {
		speed = fmt.Sprintf(", %.4gx as fast as the machine's time (%.4gx asked)", v.Speed, s.Speed)
	}
	c.say("%s, %s%s", s.Name, v.At.In(zone).Format("2006-01-02 15:04:05 MST"), speed)
	if s.Notice != "" {
		c.say("%s", s.Notice)
	}
	c.say("%s", v.Headline)
	price := figure(v.PriceUSDMWh, " $/MWh")
	if v.PriceStale {
		price += " (stale)"
	}
	if v.PriceSource != "" {
		price += " from " + v.PriceSource
	}
	c.say("\nprice %s; hashprice %s; marginal price %s", price, figure(v.HashpriceUSD, " $/PH/day"), figure(v.MarginalUSD, " $/MWh"))
	c.say("profit %s, today %s; plan %d, %s", figure(v.ProfitUSDHour, " $/h"), figure(v.ProfitUSDDay, " $"), v.Plan, v.Mode)
	c.printNodes(s, v)
	c.printLoads(v)
	c.printLimits(v.Limits, zone)
	if len(v.Alerts) > 0 {
		c.say("\nAlerts")
	}
	g := newGrid("since", "", "subject", "")
	for _, a := range v.Alerts {
		g.add(a.Since.In(zone).Format("01-02 15:04:05"), a.Severity, a.Subject, a.Text)
	}
	g.print(c.out, 2)
}

func (c *cli) printNodes(s api.SiteView, v api.LiveView) {
	depth := map[string]int{}
	for _, n := range s.Nodes {
		if n.Parent != "" {
			depth[n.ID] = depth[n.Parent] + 1
		}
	}
	c.say("\nNodes")
	g := newGrid("node", ">power", ">limit", ">used", "")
	for _, n := range v.Nodes {
		watts, remarks := n.PowerW, []string{}
		if watts == nil {
			watts = &n.EstW
		}
		if n.Quality != "measured" {
			remarks = append(remarks, n.Quality)
		}
		if n.Binding {
			remarks = append(remarks, "limit binds")
		}
		if n.OverForS > 0 {
			remarks = append(remarks, fmt.Sprintf("ABOVE ITS LIMIT for %s", seconds(n.OverForS)))
		}
		limit, used := "none", ""
		if n.LimitW != nil {
			limit = power(n.LimitW)
			if *n.LimitW > 0 {
				used = fmt.Sprintf("%.0f %%", 100**watts / *n.LimitW)
			}
		}
		g.add(strings.Repeat("  ", depth[n.ID])+n.ID, power(watts), limit, used, strings.Join(remarks, ", "))
	}
	g.print(c.out, 2)
}

func (c *cli) printLoads(v api.LiveView) {
	if len(v.Groups) > 0 {
		c.say("\nGroups")
	}
	g := newGrid("group", ">power", ">award", ">PH/s", ">worth $/MWh", "miners", "why")
	for _, x := range v.Groups {
		var states []string
		for _, name := range slices.Sorted(maps.Keys(x.States)) {
			if x.States[name] > 0 {
				states = append(states, fmt.Sprintf("%d %s", x.States[name], name))
			}
		}
		g.add(x.ID, power(&x.PowerW), power(&x.AwardW), fmt.Sprintf("%.1f", x.Hashrate), figure(x.BreakevenUSD, ""), strings.Join(states, ", "), x.Reason)
	}
	g.print(c.out, 2)
	if len(v.Tenants) > 0 {
		c.say("\nTenants")
	}
	g = newGrid("tenant", ">power", ">reserved", ">firm", ">short", "why")
	for _, t := range v.Tenants {
		short := ""
		if t.ShedW > 0 {
			short = power(&t.ShedW)
		}
		g.add(t.ID, power(t.PowerW), power(&t.ReserveW), power(&t.FirmW), short, t.Reason)
	}
	g.print(c.out, 2)
}

// printLimits prints limits with their times in the site's zone; none print nothing.
func (c *cli) printLimits(list []api.LimitView, zone *time.Location) {
	if len(list) > 0 {
		c.say("\nLimits")
	}
	g := newGrid("id", "node", ">power", "from", "to", "by", "")
	for _, l := range list {
		to := "until cleared"
		if l.To != nil {
			to = l.To.In(zone).Format("01-02 15:04")
		}
		remark := l.Note
		if !l.Active {
			remark = strings.TrimPrefix(remark+", not yet in force", ", ")
		}
		g.add(l.ID, l.Node, power(&l.PowerW), l.From.In(zone).Format("01-02 15:04"), to, l.By, remark)
	}
	g.print(c.out, 2)
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}

// siteView asks for what does not change: the names and the time zone.
func (k *client) siteView(ctx context.Context) (v api.SiteView, err error) {
	err = k.get(ctx, "/api/v1/site", nil, &v)
	return v, err
}

// live returns a client of the running controller and what the site does now.
func (c *cli) live(ctx context.Context) (*client, api.LiveView, error) {
	var live api.LiveView
	k, err := c.client()
	if err == nil {
		err = k.get(ctx, "/api/v1/live", nil, &live)
	}
	return k, live, err
}
