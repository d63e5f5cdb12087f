package all

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"switchyard/driver"
	"switchyard/site"
)

const autoName = "auto"

// Auto returns the driver whose devices find out at their first use which driver they need.
func Auto() driver.Driver { return auto(Drivers()) }

func auto(drivers []driver.Driver) driver.Driver {
	ports := map[string]int{}
	var others []string
	for i := len(drivers) - 1; i >= 0; i-- { // of equal names the first driver's wins
		if drivers[i].Probe != nil {
			maps.Copy(ports, drivers[i].Ports)
			others = append(others, drivers[i].Others...)
		}
	}
	return driver.Driver{
		Name:  autoName,
		About: "Detects make and protocol at first use",
		Ports: ports, Others: others,
		Open: func(t driver.Target) (driver.Device, error) {
			return &autoDevice{drivers: drivers, target: t}, nil
		},
		Probe: func(ctx context.Context, t driver.Target) (site.Identity, error) {
			_, id, err := detect(ctx, drivers, t)
			return id, err
		},
	}
}

// autoDevice is a device whose driver is not known before it was asked.
type autoDevice struct {
	drivers []driver.Driver
	target  driver.Target
	device  driver.Device // nil until detected
}

// found returns the device under its driver; each call detects until one matched.
func (d *autoDevice) found(ctx context.Context) (driver.Device, error) {
	if d.device != nil {
		return d.device, nil
	}
	drv, _, err := detect(ctx, d.drivers, d.target)
	if err != nil {
		return nil, err
	}
	if d.device, err = drv.Open(d.target); err != nil {
		d.device = nil
		return nil, fmt.Errorf("open %s as %s: %w", d.target.Device, drv.Name, err)
	}
	return d.device, nil
}

// Info asks what the device can do. A device that no longer answers to its driver may have
// been replaced by another make: it is detected anew at the next call.
func (d *autoDevice) Info(ctx context.Context) (site.Capabilities, error) {
	dev, err := d.found(ctx)
	if err != nil {
		return site.Capabilities{}, err
	}
	c, err := dev.Info(ctx)
	if errors.Is(err, driver.ErrUnsupported) || errors.Is(err, driver.ErrUnreachable) {
		_ = d.Close()
	}
	return c, err
}

// Read polls the device.
func (d *autoDevice) Read(ctx context.Context) (site.Sample, error) {
	dev, err := d.found(ctx)
	if err != nil {
		return site.Sample{}, err
	}
	return dev.Read(ctx)
}

// Apply tells the device what to do.
func (d *autoDevice) Apply(ctx context.Context, s site.Setpoint) error {
	dev, err := d.found(ctx)
	if err != nil {
		return err
	}
	return dev.Apply(ctx, s)
}

// Do carries out an action, where the device's driver takes any.
func (d *autoDevice) Do(ctx context.Context, a driver.Action) error {
	dev, err := d.found(ctx)
	if err != nil {
		return err
	}
	if op, ok := dev.(driver.Operator); ok {
		return op.Do(ctx, a)
	}
	return fmt.Errorf("its driver takes no actions: %w", driver.ErrUnsupported)
}

// Stage brings in what the next Apply will need, once the device is known.
func (d *autoDevice) Stage(ctx context.Context) error {
	if st, ok := d.device.(driver.Stager); ok {
		return st.Stage(ctx)
	}
	return nil
}

// Close ends what is open.
func (d *autoDevice) Close() error {
	if d.device == nil {
		return nil
	}
	err := d.device.Close()
	d.device = nil
	return err
}
