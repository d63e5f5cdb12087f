package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"switchyard/emulate"
	"switchyard/sitefile"
)

func (c *cli) emulateCmd() *cobra.Command {
	var logs logFlags
	cmd := &cobra.Command{
		Use:   "emulate FILE",
		Short: "Play the devices of a site file",
		Long: `Play every miner, meter and PDU of a site file: each listens on its own address and ports and
answers as its firmware does, with the faults that the file's emulate section names. A
controller run on the same file, with the same clock section, finds a whole site.`,
		Example: "  switchyard emulate rehearsal.yaml",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.emulate(cmd.Context(), args[0], &logs) },
	}
	logs.add(cmd, "warn")
	return cmd
}

// emulated is what listens, as JSON.
type emulated struct {
	Sockets int             `json:"sockets"`
	Groups  []emulatedGroup `json:"groups"`
	Meters  []emulatedMeter `json:"meters"`
	PDUs    []emulatedPDU   `json:"pdus"`
}

type emulatedGroup struct {
	ID     string         `json:"id"`
	Driver string         `json:"driver"`
	Miners int            `json:"miners"`
	First  string         `json:"first"`
	Last   string         `json:"last"`
	Ports  map[string]int `json:"ports"` // of the first, where the file replaces the standard ones
}

type emulatedMeter struct {
	Node    string `json:"node"`
	Address string `json:"address"`
	Profile string `json:"profile"`
}

type emulatedPDU struct {
	ID      string `json:"id"`
	Node    string `json:"node"`
	Address string `json:"address"`
	Profile string `json:"profile"`
	Outlets int    `json:"outlets"` // that feed a miner
}

func (c *cli) emulate(ctx context.Context, path string, logs *logFlags) error {
	f, err := loadSite(path)
	if err != nil {
		return err
	}
	clk := siteClock(f)
	s, err := emulate.Start(ctx, f, clk, logs.logger(c.err))
	if err != nil {
		return err
	}
	out := listening(f, s.Sockets())
	if c.json() {
		if err := c.printJSON(out); err != nil {
			return fmt.Errorf("%w; %w", err, s.Close())
		}
	} else {
		c.printListening(out)
	}
	p := c.progress()
	for tick := time.NewTicker(30 * time.Second); ; {
		select {
		case <-tick.C:
			p.Tell("emulate: site time %s", clk.Now().In(f.Location()).Format("2006-01-02 15:04:05 MST"))
			continue
		case <-ctx.Done():
			tick.Stop()
		}
		break
	}
	p.Done()
	return s.Close()
}

func listening(f *sitefile.File, sockets int) emulated {
	out := emulated{Sockets: sockets, Groups: []emulatedGroup{}, Meters: []emulatedMeter{}, PDUs: []emulatedPDU{}}
	for _, g := range f.Groups {
		v := emulatedGroup{ID: g.ID, Driver: g.Driver, Ports: map[string]int{}}
		targets := g.Targets()
		if v.Miners = len(targets); v.Miners > 0 {
			v.First, v.Last = targets[0].Host, targets[v.Miners-1].Host
			maps.Copy(v.Ports, targets[0].Ports)
		}
		out.Groups = append(out.Groups, v)
	}
	for _, n := range append([]sitefile.Node{f.Connection}, f.Nodes...) {
		if n.Meter != nil {
			out.Meters = append(out.Meters, emulatedMeter{n.ID, fmt.Sprintf("%s:%d", n.Meter.Address, n.Meter.Port), n.Meter.Profile})
		}
	}
	for _, u := range f.PDUs {
		out.PDUs = append(out.PDUs, emulatedPDU{u.ID, u.Node, net.JoinHostPort(u.Address, strconv.Itoa(u.Port)), u.Profile, len(u.Outlets)})
	}
	return out
}

func (c *cli) printListening(e emulated) {
	g := newGrid("group", ">miners", "driver", "addresses", "ports")
	for _, x := range e.Groups {
		ports := "standard"
		if len(x.Ports) > 0 {
			ports = ""
			for _, name := range slices.Sorted(maps.Keys(x.Ports)) {
				ports += fmt.Sprintf("%s=%d ", name, x.Ports[name])
			}
		}
		g.add(x.ID, fmt.Sprint(x.Miners), x.Driver, x.First+" to "+x.Last, ports)
	}
	g.print(c.out, 0)
	c.say("")
	g = newGrid("meter of", "address", "profile")
	for _, x := range e.Meters {
		g.add(x.Node, x.Address, x.Profile)
	}
	g.print(c.out, 0)
	if len(e.PDUs) > 0 {
		c.say("")
	}
	g = newGrid("PDU", "node", "address", "profile", ">outlets")
	for _, x := range e.PDUs {
		g.add(x.ID, x.Node, x.Address, x.Profile, strconv.Itoa(x.Outlets))
	}
	g.print(c.out, 0)
	c.say("\n%s listening; Ctrl-C stops them", count(e.Sockets, "socket"))
}
