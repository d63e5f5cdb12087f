package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchyard/driver/all"
	"switchyard/fleet"
	"switchyard/sitefile"
)

// found is one device that answered a scan.
type found struct {
	Address  string `json:"address"`
	Driver   string `json:"driver"` // empty where it could not be told
	Make     string `json:"make"`
	Model    string `json:"model"`
	Firmware string `json:"firmware"`
	Serial   string `json:"serial"`
	MAC      string `json:"mac"`
	Error    string `json:"error"`
}

type scanFlags struct {
	ports    string
	snippet  bool
	each     time.Duration
	parallel int
}

func (c *cli) scanCmd() *cobra.Command {
	var in scanFlags
	cmd := &cobra.Command{
		Use:   "scan RANGE...",
		Short: "Find the devices at addresses and what they speak",
		Long: `Ask every address which of the known drivers it speaks to. A RANGE is an address, a range
or a network; all together have at most ` + fmt.Sprint(sitefile.MaxAddresses) + ` addresses. Nothing is written to any device.`,
		Example: "  switchyard scan 10.20.10.0/24 10.20.11.1-10.20.11.44\n" +
			"  switchyard scan 127.20.10.1-127.20.10.120 --ports http=10080,rpc=14028 --site",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.scan(cmd.Context(), args, in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.ports, "ports", "", "ports that are not the makers' standard ones, as NAME=PORT,...")
	f.BoolVar(&in.snippet, "site", false, "print what was found as groups for a site file")
	f.DurationVar(&in.each, "timeout", 2*time.Second, "how long one address may take")
	f.IntVar(&in.parallel, "parallel", 256, "how many addresses are asked at once")
	return cmd
}

func (c *cli) scan(ctx context.Context, args []string, in scanFlags) error {
	addrs, err := hosts(args)
	if err != nil {
		return err
	}
	ports, err := portFlags(in.ports)
	if err != nil {
		return err
	}
	if in.each <= 0 || in.each > time.Minute || in.parallel < 1 || in.parallel > 4096 {
		return badInput("--timeout can be up to 1m and --parallel from 1 to 4096")
	}
	p := c.progress()
	began := time.Now()
	list, err := fleet.Scan(ctx, addrs, all.Detect, fleet.ScanOptions{
		Each: in.each, Parallel: in.parallel, Ports: ports,
		Progress: func(done, found int) {
			p.tell("scan: %d of %d addresses asked, %s", done, len(addrs), count(found, "device"))
		},
	})
	p.done()
	out := make([]found, 0, len(list))
	for _, d := range list {
		out = append(out, describeFound(d))
	}
	if perr := c.printScan(out, list, len(addrs), time.Since(began), ports, in.snippet); perr != nil {
		return perr
	}
	if err != nil {
		return fmt.Errorf("the scan was interrupted; what had answered by then is printed: %w", err)
	}
	return nil
}

func describeFound(d fleet.Found) found {
	v := found{
		Address: d.Address.String(), Driver: d.Driver, Make: d.Identity.Make, Model: d.Identity.Model,
		Firmware: d.Identity.Firmware, Serial: d.Identity.Serial, MAC: d.Identity.MAC,
	}
	if d.Err != nil {
		v.Error = d.Err.Error()
	}
	return v
}

func (c *cli) printScan(out []found, list []fleet.Found, asked int, took time.Duration, ports map[string]int, snippet bool) error {
	switch {
	case c.json():
		return c.printJSON(out)
	case snippet:
		c.say("%s", siteSnippet(list, ports))
	case len(out) > 0:
		g := newGrid("address", "driver", "make", "model", "firmware", "serial", "")
		for _, d := range out {
			driver := d.Driver
			if driver == "" {
				driver = "?"
			}
			g.add(d.Address, driver, d.Make, d.Model, d.Firmware, d.Serial, d.Error)
		}
		g.print(c.out, 0)
	}
	c.note("%s at %d addresses, in %s", count(len(out), "device"), asked, took.Round(100*time.Millisecond))
	return nil
}

// hosts returns the addresses of all ranges, each once, in order.
func hosts(ranges []string) ([]netip.Addr, error) {
	var out []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, r := range ranges {
		these, err := sitefile.Hosts(r)
		if err != nil {
			return nil, badInput("%w", err)
		}
		for _, a := range these {
			if !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		}
		if len(out) > sitefile.MaxAddresses {
			return nil, badInput("these ranges have more than %d addresses together; scan them in parts", sitefile.MaxAddresses)
		}
	}
	return out, nil
}

// portFlags reads "http=18080,rpc=14028".
func portFlags(s string) (map[string]int, error) {
	if s == "" {
		return nil, nil
	}
	known := map[string]bool{}
	for _, d := range all.Drivers() {
		for name := range d.Ports {
			known[name] = true
		}
	}
	out := map[string]int{}
	for _, pair := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n < 1 || n > 65535:
			return nil, badInput("--ports: %q is not NAME=PORT; write it like --ports http=18080,rpc=14028", pair)
		case !known[name]:
			return nil, badInput("--ports: no driver has a port called %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		out[name] = n
	}
	return out, nil
}
