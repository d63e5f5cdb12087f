package clusters

import (
	"context"
	"errors"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// cord is an outlet of a power distribution unit.
type cord struct {
	unit   site.DeviceID
	outlet string
}

// fed is what an outlet last said.
type fed struct {
	asked, at time.Time
	power     site.Opt[unit.Power]
	energy    site.Opt[unit.Energy]
}

// cordsOf returns which outlets feed which machines of a cluster: "gpu/gpu-01" in the site file.
func cordsOf(f *sitefile.File, id string) map[cord]string {
	out := map[cord]string{}
	for _, u := range f.PDUs {
		for outlet, device := range u.Outlets {
			if machine, ok := strings.CutPrefix(device, id+"/"); ok {
				out[cord{sitefile.PDUID(u.ID), outlet}] = machine
			}
		}
	}
	return out
}

// Outlets takes a reading of a power distribution unit; it may be called from many goroutines.
func (c *Clusters) Outlets(s site.Sample) {
	for _, x := range c.all {
		g := x.gauge
		for _, o := range s.Outlets {
			k := cord{s.Device, o.Name}
			if _, ok := g.cords[k]; !ok {
				continue
			}
			g.mu.Lock()
			g.fed[k] = fed{asked: s.Asked, at: s.At, power: o.Power, energy: o.Energy}
			g.mu.Unlock()
		}
	}
}

var errUnfed = errors.New("its outlets have not been read yet")

// outlets adds up what the outlets of a machine say: all of them must have been read within two
// minutes, since a machine that lost a cord draws more from the other.
func (g *gauge) outlets(node string) (compute.Reading, bool) {
	r := compute.Reading{Node: node, Source: "pdu"}
	now := g.clk.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	var power unit.Power
	var energy unit.Energy
	counts := true
	for k, machine := range g.cords {
		if machine != node {
			continue
		}
		f, ok := g.fed[k]
		if !ok || !f.power.OK || now.Sub(f.at) > 2*time.Minute {
			return r, false
		}
		if n == 0 || f.at.Before(r.At) {
			r.Asked, r.At = f.asked, f.at
		}
		n++
		power += f.power.V
		energy += f.energy.V
		counts = counts && f.energy.OK
	}
	if n == 0 {
		return r, false
	}
	r.Power = site.Some(power)
	if counts {
		r.Energy = site.Some(energy)
	}
	return r, true
}

// measure reads a machine; where nothing else tells what all of it draws, its outlets do.
func (g *gauge) measure(ctx context.Context, node string) (compute.Reading, error) {
	var r compute.Reading
	err := errUnfed
	if g.x.reach.Meter != nil {
		r, err = g.x.reach.Meter(ctx, node)
	}
	if err == nil && r.Power.OK || len(g.cords) == 0 {
		return r, err
	}
	by, ok := g.outlets(node)
	switch {
	case !ok:
		return r, err
	case err == nil:
		by.GPUs, by.Lease, by.Source = r.GPUs, r.Lease, r.Source+"+pdu"
	}
	return by, nil //nolint:nilerr // its outlets told what nothing else did
}
