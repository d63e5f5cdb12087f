package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"switchyard/driver"
	"switchyard/site"
)

const (
	maxModels  = 64 // of one chain; the longest known has under 30
	endOfChain = 0xFFFF
	common     = 1 // the model that says who the device is
)

// found is where a chain's meter model stands.
type found struct {
	base     int // address of its ID register
	id       uint16
	model    *Model
	identity site.Identity
}

// walk finds "SunS" and follows the chain to the first listed meter model.
func (d *Device) walk(ctx context.Context) (found, error) {
	base, err := d.sunS(ctx)
	if err != nil {
		return found{}, err
	}
	var f found
	var seen []string
	at := base + 2
	for range maxModels {
		if at+2 > 1<<16 {
			break
		}
		head, err := d.client.read(ctx, d.profile.Kind.or(Holding), uint16(at), 2)
		if err != nil {
			return found{}, fmt.Errorf("SunSpec chain at %d: %w", at, err)
		}
		id, length := binary.BigEndian.Uint16(head), int(binary.BigEndian.Uint16(head[2:]))
		if id == endOfChain {
			break
		}
		if id == common && length >= 65 {
			if f.identity, err = d.common(ctx, at); err != nil {
				return found{}, err
			}
		}
		if m := d.profile.Chain.find(id); m != nil {
			f.base, f.id, f.model = at, id, m
			return f, nil
		}
		seen = append(seen, fmt.Sprint(id))
		at += 2 + length
	}
	return found{}, fmt.Errorf("%s: no meter model in the SunSpec chain (models %s): %w", d.client.address, strings.Join(seen, ", "), driver.ErrRefused)
}

// sunS returns the address of the chain's marker.
func (d *Device) sunS(ctx context.Context) (int, error) {
	for _, base := range d.profile.Chain.Bases {
		mark, err := d.client.read(ctx, d.profile.Kind.or(Holding), base, 2)
		var said exception
		switch {
		case err == nil && string(mark) == "SunS":
			return int(base), nil
		case err != nil && !errors.As(err, &said):
			return 0, err
		case err != nil && !errors.Is(err, driver.ErrRefused):
			return 0, err // busy or behind a silent gateway: no verdict
		}
	}
	return 0, fmt.Errorf("%s: no SunSpec marker at %v; is the profile right for this meter: %w", d.client.address, d.profile.Chain.Bases, driver.ErrRefused)
}

// common reads make, model, version and serial of the common model at its ID register.
func (d *Device) common(ctx context.Context, at int) (site.Identity, error) {
	data, err := d.client.read(ctx, d.profile.Kind.or(Holding), uint16(at+2), 64)
	if err != nil {
		return site.Identity{}, fmt.Errorf("SunSpec common model: %w", err)
	}
	text := func(from, n int) string { return printable(data[2*from : 2*(from+n)]) }
	return site.Identity{Make: text(0, 16), Model: text(16, 16), Firmware: text(40, 8), Serial: text(48, 16)}, nil
}

// printable keeps what a person can read of a register string.
func printable(b []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, string(b)))
}

func (c *Chain) find(id uint16) *Model {
	for i := range c.Models {
		for _, m := range c.Models[i].IDs {
			if m == id {
				return &c.Models[i]
			}
		}
	}
	return nil
}
