// Package modbus owns the meter driver: power and energy over Modbus TCP, by a register map
// (Profile) that is a strictly read YAML file and no Go. See docs/meters.md.
//
// It never writes a register, never guesses a value that the meter marks as unknown (or a
// register that the meter does not have), and never repairs an energy register that wrapped
// or restarted: it reports the register and, in Capabilities, where it wraps.
//
// A reading is refused, with driver.ErrUnreachable, while the profile's heartbeat register
// stands still: a gateway that repeats old figures is worse than none.
//
// Concurrency: a Device has one caller at a time and keeps one connection; a Profile is not
// written once loaded and may be shared.
package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// Port is Modbus TCP's standard port.
const Port = 502

// Driver returns the meter driver.
func Driver() driver.Driver {
	return driver.Driver{
		Name:  "modbus",
		About: "Meters over Modbus TCP by a register profile (SunSpec, Schneider PM5000, your own)",
		Abilities: driver.Abilities{
			Devices: "Meters", Power: "all", Auth: "none", Checked: "emulator, an independent client", Source: "the register profiles",
		},
		Ports: map[string]int{"modbus": Port},
		Open:  func(t driver.Target) (driver.Device, error) { return Open(t) },
	}
}

// Device is one meter.
type Device struct {
	target  driver.Target
	profile *Profile
	client  client
	chain   *found // where the chain's model stands; nil until walked

	beat      uint64 // the heartbeat's last value
	beatMoved time.Time
}

// Reading is all that one poll of a meter gave.
type Reading struct {
	Power  site.Opt[unit.Power]  // positive when consumed
	Energy site.Opt[unit.Energy] // import register
	// Frequency in Hz, Voltage in V, PowerFactor as the meter counts it.
	Frequency, Voltage, PowerFactor site.Opt[float64]
	// Faults say what was read and not believed.
	Faults []string
}

// Open makes a Device from the target's profile and does no I/O beyond reading that profile.
func Open(t driver.Target) (*Device, error) {
	if t.Profile == "" {
		return nil, fmt.Errorf("meter %s: no profile", t.Device)
	}
	p, err := LoadProfile(t.Profile)
	if err != nil {
		return nil, fmt.Errorf("meter %s: %w", t.Device, err)
	}
	unitID := t.Unit
	if unitID == 0 {
		unitID = 1
	}
	return &Device{
		target: t, profile: p,
		client: client{dial: t.DialContext, address: t.Addr("modbus", Port), unit: unitID},
	}, nil
}

// Info finds the registers anew and says at which energy the register wraps.
func (d *Device) Info(ctx context.Context) (site.Capabilities, error) {
	d.chain = nil
	m, r, err := d.image(ctx)
	if err != nil {
		return site.Capabilities{}, fmt.Errorf("meter %s: %w", d.target.Device, err)
	}
	c := site.Capabilities{Identity: d.identity()}
	if r.Energy != nil && r.Energy.Wraps > 0 {
		if f, ok := m.factor(r.Energy); ok {
			c.EnergyWraps = unit.WattHours(float64(r.Energy.Wraps) * f / 1e3)
		}
	}
	return c, nil
}

func (d *Device) identity() site.Identity {
	if d.chain != nil {
		return d.chain.identity
	}
	return site.Identity{}
}

// Read polls the meter once: as few requests as its registers allow.
func (d *Device) Read(ctx context.Context) (site.Sample, error) {
	s := site.Sample{Device: d.target.Device, Asked: d.target.Now()}
	r, err := d.Measure(ctx)
	if err != nil {
		return site.Sample{}, err
	}
	s.At = d.target.Now()
	s.Identity, s.Power, s.Energy, s.Faults = d.identity(), r.Power, r.Energy, r.Faults
	return s, nil
}

// Measure polls the meter once and returns everything the profile names. It blocks on the network.
func (d *Device) Measure(ctx context.Context) (Reading, error) {
	m, r, err := d.image(ctx)
	if err == nil {
		err = d.alive(m, r.Heartbeat)
	}
	if err != nil {
		return Reading{}, fmt.Errorf("meter %s: %w", d.target.Device, err)
	}
	out := Reading{Frequency: m.value(r.Frequency), Voltage: m.value(r.Voltage), PowerFactor: m.value(r.PowerFactor)}
	if v := m.value(r.Power); v.OK {
		out.power(v.V, d.profile)
	}
	switch v := m.value(r.Energy); {
	case v.OK && (v.V < 0 || v.V >= 1<<63):
		out.Faults = append(out.Faults, fmt.Sprintf("energy register reads %.0f mWh", v.V))
	case v.OK:
		out.Energy = site.Some(unit.WattHours(v.V / 1e3))
	}
	if !out.Power.OK && len(out.Faults) == 0 {
		out.Faults = append(out.Faults, "the meter says that its power is not known")
	}
	return out, nil
}

func (r *Reading) power(milliwatts float64, p *Profile) {
	w := unit.Watts(milliwatts / 1e3)
	if p.Sign == Export {
		w = -w
	}
	if p.Sane != nil && (w < p.Sane.Min || w > p.Sane.Max) {
		r.Faults = append(r.Faults, fmt.Sprintf("power %s is outside %s to %s", w, p.Sane.Min, p.Sane.Max))
		return
	}
	r.Power = site.Some(w)
}

// image reads all registers of the map.
func (d *Device) image(ctx context.Context) (image, *Registers, error) {
	m, regs := image{profile: d.profile}, d.profile.Registers
	if d.profile.Chain != nil {
		if d.chain == nil {
			f, err := d.walk(ctx)
			if err != nil {
				return image{}, nil, err
			}
			d.chain = &f
		}
		m.base, regs = d.chain.base, &d.chain.model.Registers
	}
	want := regs.spans(m.base, d.profile.Kind)
	if d.chain != nil { // the model's own ID, so that a chain that moved is noticed
		want = append(want, span{kind: d.profile.Kind.or(Holding), at: m.base, count: 1})
	}
	m.spans = plan(want, d.profile.gap(), d.profile.MaxRead)
	for i := range m.spans {
		s := &m.spans[i]
		if s.at+s.count > 1<<16 {
			return image{}, nil, fmt.Errorf("register %d is over the last address: %w", s.at+s.count-1, driver.ErrRefused)
		}
		data, err := d.client.read(ctx, s.kind, uint16(s.at), s.count)
		if err != nil {
			return image{}, nil, d.explain(err)
		}
		s.data = data
	}
	if d.chain != nil {
		if id := m.words(kindDefault, 0, 1); id == nil || binary.BigEndian.Uint16(id) != d.chain.id {
			d.chain = nil
			return image{}, nil, fmt.Errorf("SunSpec model is no longer at %d: %w", m.base, driver.ErrUnreachable)
		}
	}
	return m, regs, nil
}

// explain adds what a person should look at.
func (d *Device) explain(err error) error {
	var said exception
	if errors.As(err, &said) && said == 2 {
		return fmt.Errorf("profile %s asks for registers that this meter does not have: %w", d.profile.Name, err)
	}
	return err
}

// alive refuses readings while the heartbeat stands still.
func (d *Device) alive(m image, h *Heartbeat) error {
	if h == nil {
		return nil
	}
	beat, ok := m.raw(h.Kind, h.Address, h.Type)
	if !ok {
		return fmt.Errorf("heartbeat was not read: %w", driver.ErrUnreachable)
	}
	now := d.target.Now()
	if d.beatMoved.IsZero() || beat != d.beat {
		d.beat, d.beatMoved = beat, now
		return nil
	}
	if still := now.Sub(d.beatMoved); still >= h.StaleAfter {
		return fmt.Errorf("frozen: heartbeat register %d has read %d for %s: %w", h.Address, beat, still.Round(time.Second), driver.ErrUnreachable)
	}
	return nil
}

// Apply is not for meters.
func (d *Device) Apply(context.Context, site.Setpoint) error {
	return fmt.Errorf("meter %s: %w", d.target.Device, driver.ErrUnsupported)
}

// Close ends the connection.
func (d *Device) Close() error { return d.client.close() }
