package fleetcmd

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
)

func (c *console) healthCmd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "health",
		Short:   "What is wrong with devices, worst first",
		Long:    "What is wrong with devices, worst first, with figures and what would help. Silenced alerts are\nleft out unless --all is given.",
		Example: "  switchyard health\n  switchyard health --all -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list []api.HealthAlert
			if err := c.get(cmd.Context(), "/api/v1/health", nil, &list); err != nil {
				return err
			}
			shown, hidden := []api.HealthAlert{}, 0
			for _, a := range list {
				if a.Silenced != "" && !all {
					hidden++
					continue
				}
				shown = append(shown, a)
			}
			if c.JSON() {
				return c.printJSON(shown)
			}
			s, err := c.siteView(cmd.Context())
			if err != nil {
				return err
			}
			c.printHealth(shown, zone(s.Timezone))
			if len(shown) == 0 {
				c.say("Nothing is wrong with any device.")
			}
			if hidden > 0 {
				c.say("%s silenced; --all shows them", count(hidden, "alert"))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show silenced alerts too")
	return cmd
}

// printHealth prints alerts with what would help; none print nothing.
func (c *console) printHealth(list []api.HealthAlert, zone *time.Location) {
	if len(list) == 0 {
		return
	}
	c.say("\nAlerts")
	for _, a := range list {
		who := a.Device
		if who == "" {
			who = a.Group
		}
		c.say("  %s  %-8s  %s  %s: %s", a.Since.In(zone).Format("01-02 15:04"), a.Severity, who, a.Rule, a.Text)
		if a.Silenced != "" {
			c.say("  %s%s", strings.Repeat(" ", 23), a.Silenced)
		} else if a.Todo != "" {
			c.say("  %s%s", strings.Repeat(" ", 23), a.Todo)
		}
	}
}

func (c *console) repairsCmd() *cobra.Command {
	var done []string
	var note string
	cmd := &cobra.Command{
		Use:   "repairs [--done DEVICE,...]",
		Short: "The devices that need hands, worst first",
		Long: `The devices that need hands, with where they are, what was seen and what a day without them
costs. A device stays on the list until it is struck off with --done, or until nothing was
wrong with it for a day. What is no better an hour after it was struck off comes back.`,
		Example: "  switchyard repairs\n  switchyard repairs --done s21-017 --note \"new fan\"",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(done) > 0 {
				return c.repaired(cmd.Context(), done, note)
			}
			if note != "" {
				return c.BadInput("--note goes with --done")
			}
			return c.listRepairs(cmd.Context())
		},
	}
	cmd.Flags().StringSliceVar(&done, "done", nil, "strike these devices off the list")
	cmd.Flags().StringVar(&note, "note", "", "what was done, for whoever reads it later")
	return cmd
}

func (c *console) listRepairs(ctx context.Context) error {
	var list []api.RepairView
	if err := c.get(ctx, "/api/v1/repairs", nil, &list); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(append([]api.RepairView{}, list...))
	}
	s, err := c.siteView(ctx)
	if err != nil {
		return err
	}
	c.printRepairs(list, zone(s.Timezone))
	return nil
}

func (c *console) printRepairs(list []api.RepairView, zone *time.Location) {
	g := table.New("device", "rack", "address", "model", "serial", "since", ">lost $/day", "seen")
	for _, r := range list {
		var seen []string
		for _, a := range r.Seen {
			seen = append(seen, a.Rule+": "+a.Text)
		}
		g.Add(r.Device, strings.TrimSuffix(r.Rack+"/"+r.Position, "/"), r.Address, r.Model, r.Serial, r.Since.In(zone).Format("01-02 15:04"), number(r.LostUSD, 2), strings.Join(seen, "; "))
	}
	g.Print(c.Out, 0)
	if len(list) == 0 {
		c.say("No device needs hands.")
	}
}

func (c *console) repaired(ctx context.Context, devices []string, note string) error {
	for i, id := range devices {
		if err := c.Ask(ctx, http.MethodPost, "/api/v1/repairs/"+url.PathEscape(id)+"/done", map[string]string{"note": note}, nil); err != nil {
			if i > 0 {
				c.note("before it, struck off the repair list: %s", strings.Join(devices[:i], ", "))
			}
			return err
		}
	}
	if c.JSON() {
		return c.printJSON(map[string][]string{"repaired": devices})
	}
	c.say("%s struck off the repair list", count(len(devices), "device"))
	return nil
}

func (c *console) silenceCmd() *cobra.Command {
	var r api.SilenceRequest
	var span time.Duration
	var end int64
	cmd := &cobra.Command{
		Use:   "silence [QUERY] [--for DURATION] | silence --end ID",
		Short: "Silence alerts of some devices, or put them into maintenance",
		Long: `Silence alerts of the devices that match a query, for a time or until it is ended. With
--maintenance the market leaves those devices as they are too: they are held awake or asleep
until it is over. Without a query the silences in force are listed.`,
		Example: "  switchyard silence\n  switchyard silence 'rack=A-07' --maintenance --for 2h --note \"new cables\"\n  switchyard silence 'group=s19' --rule hot --for 24h\n  switchyard silence --end 3",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Query = strings.Join(args, " ")
			switch {
			case end > 0 && r.Query != "":
				return c.BadInput("--end takes the silence's id alone")
			case end > 0:
				return c.unsilence(cmd.Context(), end)
			case span < 0 || span%time.Second != 0:
				return c.BadInput("--for takes whole seconds, such as 2h")
			case r.Query == "" && (r.Maintenance || span > 0 || len(r.Rules) > 0 || r.Note != ""):
				return c.BadInput("say which devices; 'device=*' is all of them")
			case r.Query == "":
				return c.listSilences(cmd.Context())
			}
			r.For = int(span / time.Second)
			return c.silence(cmd.Context(), r)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&span, "for", 0, "how long, site time (default: until it is ended)")
	f.StringSliceVar(&r.Rules, "rule", nil, "rules to silence, such as hot (default: all)")
	f.StringVar(&r.Note, "note", "", "why, for whoever reads it later")
	f.BoolVar(&r.Maintenance, "maintenance", false, "hold the devices as they are too")
	f.Int64Var(&end, "end", 0, "end the silence with this id")
	return cmd
}

func (c *console) silence(ctx context.Context, r api.SilenceRequest) error {
	var v api.SilenceView
	if err := c.Ask(ctx, http.MethodPost, "/api/v1/silences", r, &v); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(v)
	}
	what := "silenced"
	if v.Maintenance {
		what = "in maintenance"
	}
	until := "until it is ended"
	if v.To != nil {
		until = "until " + v.To.UTC().Format("2006-01-02 15:04:05") + " UTC"
	}
	c.say("%s %s %s. End it with: switchyard silence --end %d", count(v.Devices, "device"), what, until, v.ID)
	return nil
}

func (c *console) unsilence(ctx context.Context, id int64) error {
	if err := c.Ask(ctx, http.MethodDelete, "/api/v1/silences/"+strconv.FormatInt(id, 10), nil, nil); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(map[string]int64{"ended": id})
	}
	c.say("silence %d is ended", id)
	return nil
}

func (c *console) listSilences(ctx context.Context) error {
	var list []api.SilenceView
	if err := c.get(ctx, "/api/v1/silences", nil, &list); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(append([]api.SilenceView{}, list...))
	}
	s, err := c.siteView(ctx)
	if err != nil {
		return err
	}
	zone := zone(s.Timezone)
	g := table.New(">id", "devices", ">now", "rules", "until", "by", "")
	for _, v := range list {
		until, rules, remark := "ended", "all", v.Note
		if v.To != nil {
			until = v.To.In(zone).Format("01-02 15:04")
		}
		if len(v.Rules) > 0 {
			rules = strings.Join(v.Rules, ", ")
		}
		if v.Maintenance {
			remark = strings.TrimSuffix("maintenance: "+remark, ": ")
		}
		g.Add(strconv.FormatInt(v.ID, 10), v.Query, strconv.Itoa(v.Devices), rules, until, v.By, remark)
	}
	g.Print(c.Out, 0)
	if len(list) == 0 {
		c.say("No silences.")
	}
	return nil
}
