package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"switchyard/cmd/switchyard/ranges"
	"switchyard/discover"
	"switchyard/discover/groups"
	"switchyard/driver"
	"switchyard/driver/all"
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
	Ports    []int  `json:"ports"` // open ones of those that were tried
	Rack     string `json:"rack,omitempty"`
	Position string `json:"position,omitempty"`
	PDU      string `json:"pdu,omitempty"`
	Outlet   string `json:"outlet,omitempty"`
	Error    string `json:"error"`
}

type scanFlags struct {
	ports          string
	snippet        bool
	write, node    string
	racks          string
	user, password string
	each           time.Duration
	parallel       int
	listen         bool
	listenFor      time.Duration
}

func (c *cli) scanCmd() *cobra.Command {
	var in scanFlags
	cmd := &cobra.Command{
		Use:   "scan RANGE...",
		Short: "Find the devices at addresses and what they speak",
		Long: `Find who answers at addresses, and which of the known drivers each speaks. A RANGE is an address,
a range or a network; all together have at most ` + fmt.Sprint(sitefile.MaxAddresses) + ` addresses. With --listen it waits for devices to report
by themselves, such as by an Antminer's IP report button. Nothing is written to any device.`,
		Example: "  switchyard scan 10.20.0.0/16\n" +
			"  switchyard scan 10.20.10.0/24 --racks racks.csv --write site.yaml --node hall-a\n" +
			"  switchyard scan 127.20.10.1-127.20.10.120 --ports http=10080,rpc=14028 --site\n" +
			"  switchyard scan --listen --for 60s",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case in.listen && len(args) > 0:
				return badInput("--listen waits for any device; give it no range")
			case in.listen:
				return c.listen(cmd.Context(), in.listenFor)
			case len(args) == 0:
				return badInput("requires at least 1 arg, or --listen; see `switchyard scan --help`")
			}
			return c.scan(cmd.Context(), args, in)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.ports, "ports", "", "ports that are not the makers' standard ones, as NAME=PORT,...")
	f.BoolVar(&in.snippet, "site", false, "print what was found as groups for a site file")
	f.StringVar(&in.write, "write", "", "append what was found as groups to this site file; made if it is not there")
	f.StringVar(&in.node, "node", "", "the node that the groups hang below, for --site and --write")
	f.StringVar(&in.racks, "racks", "", "a rack map: CSV with device, address, mac or serial, and rack, position, pdu, outlet")
	f.StringVar(&in.user, "user", "", "user for devices that say who they are only after a login (default: the factory's)")
	f.StringVar(&in.password, "password", "", "its password, as env:NAME or file:PATH")
	f.DurationVar(&in.each, "timeout", 10*time.Second, "how long one device may take to say who it is")
	f.IntVar(&in.parallel, "parallel", 0, "the most connections at once (default: by the open files allowed, at most 4096)")
	f.BoolVar(&in.listen, "listen", false, "wait for devices to report by themselves")
	f.DurationVar(&in.listenFor, "for", time.Minute, "how long --listen waits")
	return cmd
}

func (c *cli) scan(ctx context.Context, args []string, in scanFlags) error {
	addrs, err := ranges.Hosts(args)
	if err != nil {
		return badInput("%w", err)
	}
	o, err := scanOptions(in)
	if err != nil {
		return err
	}
	rackMap, err := readRacks(in.racks)
	if err != nil {
		return err
	}
	style := groups.Style{Node: in.node, Ports: o.Replace, Has: ranges.Has, Credentials: in.credentials()}
	file, err := openGroups(in.write, style, addrs)
	if err != nil {
		return err
	}
	p := c.progress()
	o.Progress = func(v discover.Progress) { p.Tell("%s", scanLine(v)) }
	list, sum, err := discover.Scan(ctx, addrs, o)
	p.Done()
	if perr := c.printScan(list, rackMap, style, in); perr != nil {
		return perr
	}
	c.note("%s", scanSummary(sum))
	if err != nil {
		return fmt.Errorf("the scan was interrupted; what had answered by then is printed: %w", err)
	}
	if file == nil {
		return nil
	}
	n, devices, err := file.Add(list)
	if err != nil {
		return badInput("%w", err)
	}
	c.note("%s with %s written to %s; next: switchyard check %s", count(n, "group"), count(devices, "device"), file.Path(), file.Path())
	return nil
}

// credentials is how the login of the flags is written into a group.
func (in scanFlags) credentials() string {
	if in.password == "" {
		return ""
	}
	user := in.user
	if user == "" {
		user = "root"
	}
	return fmt.Sprintf("user: %q, password: %q", user, in.password)
}

// openGroups opens the file of --write before the scan, so that what is wrong with it is
// said at once; nil where nothing is to be written.
func openGroups(path string, style groups.Style, scanned []netip.Addr) (*groups.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := groups.Open(path, style, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()}, loadSite)
	if err == nil {
		err = f.HasAll(scanned)
	}
	switch {
	case errors.Is(err, groups.ErrNoNode):
		return nil, withCode(exitNotFound, "%w", err)
	case err != nil:
		return nil, badInput("%w", err)
	}
	return f, nil
}

func scanOptions(in scanFlags) (discover.Options, error) {
	ports, err := ranges.Ports(in.ports)
	if err != nil {
		return discover.Options{}, badInput("%w", err)
	}
	if in.each <= 0 || in.each > time.Minute || in.parallel < 0 || in.parallel > 65536 {
		return discover.Options{}, badInput("--timeout can be up to 1m and --parallel from 1 to 65536")
	}
	o := discover.Options{
		Detect: all.Detect, Ports: discover.Ports(all.Drivers(), ports), Replace: ports,
		User: in.user, Each: in.each, Parallel: in.parallel,
	}
	if in.password != "" {
		secret, err := (&sitefile.File{}).Secret(in.password)
		if err != nil {
			return o, badInput("--password: %w", err)
		}
		o.Password = driver.Secret(secret)
	}
	return o, nil
}

// scanLine is how far a scan has come.
func scanLine(p discover.Progress) string {
	s := fmt.Sprintf("scan: %d of %d addresses tried, %d answer, %s", p.Done, p.Total, p.Living, count(p.Found, "device"))
	if p.Rate > 0 {
		s += fmt.Sprintf("; %.0f addresses/s, %s left", p.Rate, p.Left.Round(time.Second))
	}
	return s
}

func scanSummary(sum discover.Summary) string {
	s := fmt.Sprintf("%s at %d addresses, of which %d answered, in %s", count(sum.Found, "device"), sum.Asked, sum.Living, sum.Took.Round(100*time.Millisecond))
	if sum.Unknown > 0 {
		s += fmt.Sprintf("; %d more have open ports and no driver could ask them who they are", sum.Unknown)
	}
	if sum.Unasked > 0 {
		s += fmt.Sprintf("\n%d addresses could not be tried: this machine ran out of open files, buffers or ports; give it more (`ulimit -n`) or a smaller --parallel, and scan again", sum.Unasked)
	}
	return s
}

func describeFound(d discover.Found, place discover.Place) found {
	v := found{
		Address: d.Address.String(), Driver: d.Driver, Make: d.Identity.Make, Model: d.Identity.Model,
		Firmware: d.Identity.Firmware, Serial: d.Identity.Serial, MAC: d.Identity.MAC, Ports: d.Ports,
		Rack: place.Rack, Position: place.Position, PDU: place.PDU, Outlet: place.Outlet,
	}
	if d.Err != nil {
		v.Error = d.Err.Error()
	}
	return v
}

func (c *cli) printScan(list []discover.Found, rackMap *discover.Racks, style groups.Style, in scanFlags) error {
	out := make([]found, 0, len(list))
	for _, d := range list {
		place, _ := rackMap.Find("", d.Address, d.Identity)
		out = append(out, describeFound(d, place))
	}
	switch {
	case c.json():
		return c.printJSON(out)
	case in.snippet:
		c.say("%s", style.Text(list))
	case len(out) > 0:
		head := []string{"address", "driver", "make", "model", "firmware", "serial", "mac"}
		if rackMap != nil {
			head = append(head, "rack", "position", "outlet")
		}
		g := newGrid(append(head, "")...)
		for i, d := range out {
			name := d.Driver
			if name == "" {
				name = "?"
			}
			row := []string{d.Address, name, d.Make, d.Model, d.Firmware, d.Serial, d.MAC}
			if rackMap != nil {
				outlet := d.Outlet
				if d.PDU != "" {
					outlet = d.PDU + "/" + outlet
				}
				row = append(row, d.Rack, d.Position, outlet)
			}
			g.add(append(row, whyUnknown(list[i]))...)
		}
		g.print(c.out, 0)
	}
	return nil
}

// whyUnknown says in a few words why nobody could be told; the JSON has all of it.
func whyUnknown(d discover.Found) string {
	switch {
	case d.Err == nil:
		return ""
	case errors.Is(d.Err, driver.ErrUnauthorized):
		return "it wants a login: --user, --password"
	case errors.Is(d.Err, driver.ErrUnsupported):
		return fmt.Sprintf("open %v, and no driver knows it", d.Ports)
	case errors.Is(d.Err, driver.ErrUnreachable):
		return fmt.Sprintf("open %v, and nothing that a driver understands", d.Ports)
	}
	return d.Err.Error()
}

// readRacks reads the rack map of --racks; nil where there is none.
func readRacks(path string) (*discover.Racks, error) {
	if path == "" {
		return nil, nil
	}
	in, err := os.Open(path)
	if err != nil {
		return nil, badInput("read rack map: %w", err)
	}
	defer in.Close()
	r, err := discover.ReadRacks(path, in)
	if err != nil {
		return nil, badInput("%w", err)
	}
	return r, nil
}
