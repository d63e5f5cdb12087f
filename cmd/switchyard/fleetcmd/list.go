package fleetcmd

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/cmd/switchyard/table"
	"switchyard/query"
	"switchyard/unit"
)

// pageSize is how many devices one answer of the controller holds at most.
const pageSize = 1000

func (c *console) devicesCmd() *cobra.Command {
	var sort string
	var limit int
	cmd := &cobra.Command{
		Use:     "devices [QUERY]",
		Short:   "The devices that match a query",
		Long:    devicesHelp(),
		Example: "  switchyard devices\n  switchyard devices 'model=*S21* and hashrate<80%' --sort -temp\n  switchyard devices alert=dead-board\n  switchyard devices 'node=hall-a and not state=hashing' -o json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return c.BadInput("--limit cannot be negative")
			}
			v, err := c.askDevices(cmd.Context(), strings.Join(args, " "), sort, limit)
			switch {
			case err != nil:
				return err
			case c.JSON():
				return c.printJSON(v)
			}
			c.printDevices(v)
			return nil
		},
	}
	cmd.Flags().StringVar(&sort, "sort", "", "field to sort by, - before it for descending (default: device)")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most; 0: all")
	return cmd
}

func devicesHelp() string {
	var b strings.Builder
	b.WriteString(`List the devices that match a query; without one, all. Comparisons are = != < <= > >= and ~
(contains); * and ? stand for any text and any one character. Parts beside each other must
all hold; "or", "not" and parentheses work as one would think. A word alone is looked for in
every text. Put the query in quotation marks, as < and * mean something to a shell.

Fields:
`)
	for _, f := range query.Fields() {
		fmt.Fprintf(&b, "  %-12s %s\n", f.Name, f.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

// askDevices asks for as many pages as it takes; limit 0 is all.
func (c *console) askDevices(ctx context.Context, q, sort string, limit int) (api.DevicesView, error) {
	var all api.DevicesView
	all.Devices = []api.DeviceRow{}
	for {
		n := pageSize
		if limit > 0 {
			n = min(n, limit-len(all.Devices))
		}
		ask := url.Values{"limit": {strconv.Itoa(n)}, "offset": {strconv.Itoa(len(all.Devices))}}
		if q != "" {
			ask.Set("q", q)
		}
		if sort != "" {
			ask.Set("sort", sort)
		}
		var page api.DevicesView
		if err := c.get(ctx, "/api/v1/devices", ask, &page); err != nil {
			return all, err
		}
		all.At, all.Total = page.At, page.Total
		all.Devices = append(all.Devices, page.Devices...)
		if len(page.Devices) < n || len(all.Devices) >= all.Total || limit > 0 && len(all.Devices) >= limit {
			return all, nil
		}
	}
}

func (c *console) printDevices(v api.DevicesView) {
	g := table.New("device", "state", "model", "address", "rack", ">power", ">TH/s", ">%", ">°C", ">uptime", "")
	for _, d := range v.Devices {
		var remarks []string
		if len(d.Alerts) > 0 {
			remarks = append(remarks, strings.Join(d.Alerts, ", "))
		}
		if d.Maintenance {
			remarks = append(remarks, "in maintenance")
		} else if d.Held != "" {
			remarks = append(remarks, "held by "+d.Held)
		}
		if d.AgeS != nil && *d.AgeS > 120 {
			remarks = append(remarks, "last reading "+span(d.AgeS)+" ago")
		}
		g.Add(d.ID, d.State, d.Model, d.Address, strings.TrimSuffix(d.Rack+"/"+d.Position, "/"), power(d.PowerW), number(d.HashrateTHS, 1), number(d.HashratePct, 0),
			number(d.ChipC, 0), span(d.UptimeS), strings.Join(remarks, "; "))
	}
	g.Print(c.Out, 0)
	switch n := len(v.Devices); {
	case v.Total == 0:
		c.say("No device matches.")
	case n < v.Total:
		c.say("%d of %s; --limit shows more", n, count(v.Total, "device"))
	default:
		c.say("%s", count(v.Total, "device"))
	}
}

// number prints a figure; nil is unknown.
func number(v *float64, places int) string {
	if v == nil {
		return "?"
	}
	return strconv.FormatFloat(*v, 'f', places, 64)
}

// span prints seconds as people say them; nil is unknown.
func span(s *float64) string {
	if s == nil {
		return "?"
	}
	d := time.Duration(*s * float64(time.Second))
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d/(24*time.Hour)))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", int(d/time.Hour))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", int(d/time.Minute))
	}
	return fmt.Sprintf("%ds", int(d/time.Second))
}

func (c *console) deviceCmd() *cobra.Command {
	var adopt bool
	var note string
	cmd := &cobra.Command{
		Use:   "device DEVICE",
		Short: "One device with all that is known of it",
		Long: `One device with all that is known of it: who it is, what it does, its boards, fans and pools,
what it can be told, and what is wrong with it.

With --adopt the other machine that answers at its address is the device from now on: a person
has put it there in the old one's place.`,
		Example: "  switchyard device s21-017\n  switchyard device s21-017 --adopt --note \"the old one burnt\"",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if adopt {
				return c.adopt(cmd.Context(), args[0], note)
			}
			if note != "" {
				return c.BadInput("--note goes with --adopt")
			}
			var v api.DeviceView
			if err := c.get(cmd.Context(), "/api/v1/devices/"+url.PathEscape(args[0]), nil, &v); err != nil {
				return err
			}
			if c.JSON() {
				return c.printJSON(v)
			}
			s, err := c.siteView(cmd.Context())
			if err != nil {
				return err
			}
			c.printDevice(v, zone(s.Timezone))
			return nil
		},
	}
	cmd.Flags().BoolVar(&adopt, "adopt", false, "take the other machine at its address for the device")
	cmd.Flags().StringVar(&note, "note", "", "why it was adopted, for whoever reads it later")
	return cmd
}

func (c *console) adopt(ctx context.Context, device, note string) error {
	var v api.AdoptedView
	if err := c.Ask(ctx, http.MethodPost, "/api/v1/devices/"+url.PathEscape(device)+"/adopt", map[string]string{"note": note}, &v); err != nil {
		return err
	}
	if c.JSON() {
		return c.printJSON(v)
	}
	c.say("%s is %s from now on; it was %s", v.Device, v.Is, v.Was)
	return nil
}

func (c *console) printDevice(v api.DeviceView, zone *time.Location) {
	c.say("%s: %s", v.ID, v.State)
	g := table.New("", "")
	add := func(name, value string) {
		if value != "" {
			g.Add(name, value)
		}
	}
	add("make", strings.TrimSpace(v.Make+" "+v.Model))
	add("firmware", strings.TrimSpace(v.Firmware+" (driver "+v.Driver+")"))
	add("serial", v.Serial)
	add("address", strings.TrimSpace(v.Address+" "+v.MAC))
	add("place", strings.Join(nonEmpty(v.Group, v.Node, v.Rack, v.Position), ", "))
	add("outlet", v.Outlet)
	add("power", drawn(v))
	if v.TargetW != nil {
		add("limit", power(v.TargetW))
	}
	add("hashrate", work(v))
	add("profile", v.Profile)
	add("temperature", known(v.ChipC, number(v.ChipC, 0)+" °C at its hottest chip"))
	if len(v.FansRPM) > 0 {
		add("fans", strings.Trim(fmt.Sprint(v.FansRPM), "[]")+" rpm")
	}
	add("uptime", known(v.UptimeS, span(v.UptimeS)))
	add("read", known(v.AgeS, span(v.AgeS)+" ago"))
	add("error", v.Error)
	add("faults", strings.Join(v.Faults, ", "))
	add("held", v.Held)
	add("control", v.Style)
	add("takes", strings.Join(v.Acts, ", "))
	g.Print(c.Out, 2)
	c.printParts(v)
	c.printHealth(v.Health, zone)
}

// known is the text, where there is a figure for it.
func known(v *float64, text string) string {
	if v == nil {
		return "not known"
	}
	return text
}

func drawn(v api.DeviceView) string {
	if v.PowerW == nil {
		return "not known"
	}
	watts := power(v.PowerW)
	if v.PowerError != nil {
		watts += " ± " + power(v.PowerError)
	}
	return strings.Join(nonEmpty(watts, v.PowerMethod), ", by ")
}

func work(v api.DeviceView) string {
	if v.HashrateTHS == nil {
		return "not known"
	}
	text := (unit.Hashrate(*v.HashrateTHS) * unit.TeraHash).Short()
	if v.HashratePct != nil {
		text += ", " + number(v.HashratePct, 0) + " % of nameplate"
	}
	return text
}

func nonEmpty(in ...string) []string {
	var out []string
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (c *console) printParts(v api.DeviceView) {
	if len(v.Boards) > 0 {
		c.say("\nBoards")
	}
	g := table.New("board", ">TH/s", ">chip °C", ">board °C", ">chips", "")
	for i, b := range v.Boards {
		chips, remark := "?", ""
		if b.Chips != nil {
			chips = strconv.Itoa(*b.Chips)
		}
		if !b.Working {
			remark = "does not hash"
		}
		g.Add(strconv.Itoa(i+1), number(b.HashrateTHS, 1), number(b.ChipC, 0), number(b.PCBC, 0), chips, remark)
	}
	g.Print(c.Out, 2)
	if len(v.Pools) > 0 {
		c.say("\nPools")
	}
	g = table.New("pool", "worker", "")
	for _, p := range v.Pools {
		active := ""
		if p.Active {
			active = "active"
		}
		g.Add(p.URL, p.Worker, active)
	}
	g.Print(c.Out, 2)
}
