// Package snmp owns the driver of power distribution units, and of meters, over SNMP v2c: what a
// unit draws and what each of its outlets draws, by a Profile that is a strictly read YAML file
// and no Go. The shipped profiles follow the makers' public MIBs, which each of them names.
//
// It never writes an object, never switches an outlet, and never guesses: a figure that the unit
// does not have, marks as not available, or does not say how to scale is unknown. The community
// is sent in clear, as SNMP v2c does: keep such units on a network of their own.
//
// A wrong community cannot be told from a dead unit: agents do not answer it.
//
// Concurrency: a Device has one caller at a time; it opens a socket for each poll, without
// Target.Dial since SNMP goes over UDP. A Profile is not written once loaded and may be shared.
package snmp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// Port is SNMP's standard port.
const Port = 161

// Driver returns the driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "snmp",
		About: "Power distribution units and meters over SNMP v2c by a profile (Raritan PX, APC Rack PDU 2G, Server Technology, RFC 7460, your own)",
		Abilities: driver.Abilities{
			Devices: "PDUs with outlet metering, meters", Power: "all", Auth: "community", Checked: "emulator, specification",
			Source: "PDU2-MIB, PowerNet-MIB, Sentry4-MIB, RFC 7460",
		},
		Ports: map[string]int{"snmp": Port},
		Open:  func(t driver.Target) (driver.Device, error) { return Open(t) },
	}
}

// Device is one unit.
type Device struct {
	target   driver.Target
	profile  *Profile
	identity site.Identity
	outlets  []outlet // found at the first poll, and again when one is gone
	found    bool
}

// outlet is where one outlet stands and what it is called.
type outlet struct {
	index OID
	name  string
}

// Open makes a Device from the target's profile and does no I/O beyond reading that profile.
func Open(t driver.Target) (*Device, error) {
	if t.Profile == "" {
		return nil, fmt.Errorf("unit %s: no profile", t.Device)
	}
	p, err := LoadProfile(t.Profile)
	if err != nil {
		return nil, fmt.Errorf("unit %s: %w", t.Device, err)
	}
	return &Device{target: t, profile: p}, nil
}

// Info asks who the unit is and which outlets it has.
func (d *Device) Info(ctx context.Context) (site.Capabilities, error) {
	d.found = false
	c, err := open(ctx, d.target, d.profile.MaxOIDs)
	if err == nil {
		defer c.close()
		err = d.find(c)
	}
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("unit %s: %w", d.target.Device, err)
	}
	return site.Capabilities{Identity: d.identity}, nil
}

// Read polls the unit once.
func (d *Device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.target.Device, Asked: d.target.Now()}
	c, err := open(ctx, d.target, d.profile.MaxOIDs)
	if err == nil {
		defer c.close()
		err = d.poll(c, &s)
	}
	if err != nil {
		return site.Sample{}, fmt.Errorf("unit %s: %w", d.target.Device, err)
	}
	s.At, s.Identity = d.target.Now(), d.identity
	return s, nil
}

// find asks for what does not change.
func (d *Device) find(c *client) error {
	p := d.profile
	want := []OID{sysObject}
	for _, o := range []OID{p.Identity.Model, p.Identity.Serial, p.Identity.Firmware, p.Identity.MAC} {
		if o != "" {
			want = append(want, o)
		}
	}
	got, err := c.get(want)
	if err != nil {
		return err
	}
	if is := OID(got[sysObject].text); p.Object != "" && is != p.Object {
		if is == "" {
			return fmt.Errorf("it does not say what it is: %w", driver.ErrUnreachable)
		}
		if _, below := is.under(p.Object); !below {
			return fmt.Errorf("it says that it is %q and profile %s is for %s: %w", is, p.Name, p.Object, driver.ErrUnsupported)
		}
	}
	text := func(o OID) string { return got[o].text }
	d.identity = site.Identity{
		Make: p.Identity.Make, Model: text(p.Identity.Model), Serial: text(p.Identity.Serial),
		Firmware: text(p.Identity.Firmware), MAC: strings.ToUpper(cmp.Or(got[p.Identity.MAC].mac, text(p.Identity.MAC))),
	}
	d.outlets = nil
	if p.Outlets != nil {
		rows, err := c.walk(p.Outlets.Label)
		if err != nil {
			return err
		}
		for _, r := range rows {
			d.outlets = append(d.outlets, outlet{r.index, r.name()})
		}
		if len(rows) == 0 && p.Power == nil {
			return fmt.Errorf("profile %s asks for outlets that this unit does not have: %w", p.Name, driver.ErrUnsupported)
		}
	}
	d.found = true
	return nil
}

// name is what an outlet is called: its label, or its index where that says nothing.
func (r row) name() string {
	switch {
	case r.text != "":
		return r.text
	case r.number.OK:
		return fmt.Sprintf("%.0f", r.number.V)
	}
	return string(r.index)
}

// poll asks for what changes.
func (d *Device) poll(c *client, s *site.Sample) error {
	if !d.found {
		if err := d.find(c); err != nil {
			return err
		}
	}
	p := d.profile
	var want []OID
	for _, v := range []*Value{p.Power, p.Energy} {
		if v != nil && !v.Sum {
			want = append(want, v.objects("")...)
		}
	}
	for _, o := range d.outlets {
		want = append(want, p.Outlets.objects(o.index)...)
	}
	slices.Sort(want)
	got, err := c.get(slices.Compact(want))
	if err != nil {
		return err
	}
	if err := d.whole(c, got, s); err != nil {
		return err
	}
	gone := len(d.outlets) > 0
	for _, o := range d.outlets {
		out, there := p.Outlets.read(got, o)
		gone = gone && !there
		if there {
			s.Outlets = append(s.Outlets, out)
		}
	}
	if gone {
		d.found = false // they may have been numbered anew
		if p.Power == nil {
			return fmt.Errorf("profile %s asks for outlets' power, which this unit does not measure: %w", p.Name, driver.ErrUnsupported)
		}
	}
	if p.Power == nil {
		s.Power = sum(s.Outlets)
	}
	if !s.Power.OK && len(s.Outlets) == 0 {
		s.Faults = append(s.Faults, "the unit says that its power is not known")
	}
	return nil
}

// whole reads what enters the unit.
func (d *Device) whole(c *client, got map[OID]raw, s *site.Sample) error {
	figure := func(v *Value) (site.Opt[float64], error) {
		if v == nil || !v.Sum {
			return v.of(got, ""), nil
		}
		rows, err := c.walk(v.OID)
		total := site.Opt[float64]{OK: len(rows) > 0}
		for _, r := range rows {
			one := v.scaled(r.number, v.Scale*perUnit(v.Unit))
			total.V, total.OK = total.V+one.V, total.OK && one.OK
		}
		return total, err
	}
	power, err := figure(d.profile.Power)
	if err != nil {
		return err
	}
	energy, err := figure(d.profile.Energy)
	if err != nil {
		return err
	}
	if power.OK {
		s.Power = site.Some(unit.Watts(power.V))
	}
	if energy.OK && energy.V >= 0 {
		s.Energy = site.Some(unit.WattHours(energy.V))
	}
	return nil
}

// objects lists what is asked for one outlet.
func (o *Outlets) objects(index OID) []OID {
	all := append(o.Power.objects(index), o.Energy.objects(index)...)
	if o.State != nil {
		all = append(all, o.State.OID.at(index, o.State.Suffix))
	}
	return all
}

// read works out one outlet; false where the unit does not measure it.
func (o *Outlets) read(got map[OID]raw, at outlet) (site.Outlet, bool) {
	out := site.Outlet{Name: at.name}
	if p := o.Power.of(got, at.index); p.OK && p.V >= 0 {
		out.Power = site.Some(unit.Watts(p.V))
	}
	if e := o.Energy.of(got, at.index); e.OK && e.V >= 0 {
		out.Energy = site.Some(unit.WattHours(e.V))
	}
	if s := o.State; s != nil {
		is := got[s.OID.at(at.index, s.Suffix)].number
		switch {
		case is.OK && slices.Contains(s.On, int64(is.V)):
			out.On = site.Some(true)
		case is.OK && slices.Contains(s.Off, int64(is.V)):
			out.On = site.Some(false)
		}
	}
	return out, got[o.Power.OID.at(at.index, o.Power.Suffix)].there
}

// sum is the power of all outlets; unknown where one of them is.
func sum(outlets []site.Outlet) site.Opt[unit.Power] {
	total := site.Opt[unit.Power]{OK: len(outlets) > 0}
	for _, o := range outlets {
		total.V, total.OK = total.V+o.Power.V, total.OK && o.Power.OK
	}
	if !total.OK {
		return site.Opt[unit.Power]{}
	}
	return total
}

// Apply is not for these devices.
func (d *Device) Apply(context.Context, site.Setpoint) error {
	return fmt.Errorf("unit %s: %w", d.target.Device, driver.ErrUnsupported)
}

// Close has nothing to end: a socket lives for one poll.
func (d *Device) Close() error { return nil }
