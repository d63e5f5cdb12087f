// Package all owns the list of drivers, the only place that knows them all, and "auto":
// finding out which of them a device speaks.
//
// It never registers anything by itself: a driver is in the list or it is not there. It
// never writes to a device it only detects, and never keeps a verdict over an address: a
// Device opened as "auto" remembers its own.
//
// Concurrency: the functions are safe for concurrent use. Detect runs at most fanOut probes
// at a time and has ended all of them when it returns. A Device has one caller at a time.
package all

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/antminer"
	"switchyard/driver/auradine"
	"switchyard/driver/avalon"
	"switchyard/driver/bitaxe"
	"switchyard/driver/braiins"
	"switchyard/driver/cgminer"
	"switchyard/driver/epic"
	"switchyard/driver/luxos"
	"switchyard/driver/mara"
	"switchyard/driver/modbus"
	"switchyard/driver/proto"
	"switchyard/driver/sealminer"
	"switchyard/driver/snmp"
	"switchyard/driver/vnish"
	"switchyard/driver/whatsminer"
	"switchyard/site"
)

const (
	// fanOut bounds the probes of one device that run at a time: small boards bear few sockets.
	fanOut = 4
	// probeTime bounds one probe, machine time.
	probeTime = 5 * time.Second
	// grace is how long a better driver may still answer once one has matched that is not the
	// last resort.
	grace = time.Second
	// lastResort is the driver that matches whatever answers on the RPC port.
	lastResort = "cgminer"
)

// Drivers returns all drivers, the more particular before the more general: where a device
// answers to several, the first is the one to use.
func Drivers() []driver.Driver {
	last := cgminer.Driver()
	return append(append([]driver.Driver{
		mara.Driver(),
		antminer.Driver(),
		proto.Driver(),
		vnish.Driver(),
		braiins.Driver(),
		bitaxe.Driver(),
		epic.Driver(),
		auradine.Driver(),
		sealminer.Driver(),
		luxos.Driver(),
		avalon.Driver(),
		modbus.Driver(),
		snmp.Driver(),
	}, whatsminer.Drivers()...), last)
}

// Names returns the names of all drivers, without "auto".
func Names() []string {
	var names []string
	for _, d := range Drivers() {
		names = append(names, d.Name)
	}
	return names
}

// Ports returns the names of every driver's ports, those of "auto" too: what a site file may set.
func Ports() map[string][]string {
	out := map[string][]string{}
	for _, d := range append(Drivers(), Auto()) {
		names := append(slices.Collect(maps.Keys(d.Ports)), d.Others...)
		slices.Sort(names)
		out[d.Name] = slices.Compact(names)
	}
	return out
}

// ByName returns the driver of that name; "auto" is the one that detects.
func ByName(name string) (driver.Driver, bool) {
	if name == autoName {
		return Auto(), true
	}
	for _, d := range Drivers() {
		if d.Name == name {
			return d, true
		}
	}
	return driver.Driver{}, false
}

// Detect asks the device at the target which driver it speaks. It blocks on the network.
// ErrUnreachable: nobody answers; ErrUnsupported: somebody answers and no driver knows it;
// ErrUnauthorized: it is known and wants credentials before it says who it is.
func Detect(ctx context.Context, t driver.Target) (driver.Driver, site.Identity, error) {
	return detect(ctx, Drivers(), t)
}

type verdict struct {
	at       int // in the list of drivers
	identity site.Identity
	err      error
}

func detect(ctx context.Context, drivers []driver.Driver, t driver.Target) (driver.Driver, site.Identity, error) {
	ctx, cancel := context.WithCancel(ctx)
	verdicts := make(chan verdict, len(drivers))
	slots := make(chan struct{}, fanOut)
	waiting := map[int]bool{}
	for i, d := range drivers {
		if d.Probe == nil {
			continue
		}
		waiting[i] = true
		go func() {
			verdicts <- probe(ctx, slots, i, d, t)
		}()
	}
	c := collect(verdicts, waiting, slices.IndexFunc(drivers, func(d driver.Driver) bool { return d.Name == lastResort }))
	cancel()
	for range c.waiting {
		<-verdicts
	}
	if best := c.best; best != nil {
		return drivers[best.at], best.identity, nil
	}
	return driver.Driver{}, site.Identity{}, c.failure(t.Host, drivers)
}

// probe asks with one driver when a slot is free.
func probe(ctx context.Context, slots chan struct{}, at int, d driver.Driver, t driver.Target) verdict {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return verdict{at: at, err: fmt.Errorf("%w: %w", ctx.Err(), driver.ErrUnreachable)}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	id, err := d.Probe(ctx, t)
	return verdict{at: at, identity: id, err: err}
}

// collection is what the probes have said so far.
type collection struct {
	waiting map[int]bool // places in the list that have not answered
	best    *verdict
	errs    []verdict
}

// collect waits until no better match can come, or for the grace after the first match. That of
// the last resort, whose place in the list is given, says nothing of whether a particular driver
// will match, and begins no grace.
func collect(verdicts <-chan verdict, waiting map[int]bool, resort int) *collection {
	c := &collection{waiting: waiting}
	var late <-chan time.Time
	for c.open() {
		select {
		case v := <-verdicts:
			delete(c.waiting, v.at)
			if v.err != nil {
				c.errs = append(c.errs, v)
				continue
			}
			if c.best == nil || v.at < c.best.at {
				c.best = &v
			}
			if late == nil && v.at != resort {
				timer := time.NewTimer(grace)
				defer timer.Stop()
				late = timer.C
			}
		case <-late:
			return c
		}
	}
	return c
}

// open says whether an answer that still counts may come.
func (c *collection) open() bool {
	for at := range c.waiting {
		if c.best == nil || at < c.best.at {
			return true
		}
	}
	return false
}

// failure is the error of a device that no driver matched.
func (c *collection) failure(host string, drivers []driver.Driver) error {
	kind := driver.ErrUnreachable
	var said []string
	for _, v := range c.errs {
		switch {
		case errors.Is(v.err, driver.ErrUnauthorized):
			kind = driver.ErrUnauthorized
		case errors.Is(v.err, driver.ErrUnreachable):
			continue // that port is closed: it says nothing about the device
		case !errors.Is(kind, driver.ErrUnauthorized):
			kind = driver.ErrUnsupported
		}
		said = append(said, fmt.Sprintf("%s: %v", drivers[v.at].Name, v.err))
	}
	switch {
	case len(said) == 0:
		return fmt.Errorf("detect %s: nobody answers on any driver's port: %w", host, kind)
	case errors.Is(kind, driver.ErrUnauthorized):
		return fmt.Errorf("detect %s: it wants credentials (%s): %w", host, strings.Join(said, "; "), kind)
	}
	return fmt.Errorf("detect %s: no driver knows it (%s): %w", host, strings.Join(said, "; "), kind)
}
