package fleet

import (
	"context"
	"fmt"

	"switchyard/driver"
	"switchyard/site"
)

// act is an action on its way to its device.
type act struct {
	ctx  context.Context
	what driver.Action
	done chan error // room for one
}

// Do has the device's actor carry out one action and waits for the device's answer. Wishes
// go first. It blocks on the network until ctx ends; an action whose turn did not come by
// then was not told. Its error wraps a driver error; a device that the fleet does not have,
// or whose driver takes no actions, is driver.ErrUnsupported.
func (f *Fleet) Do(ctx context.Context, id site.DeviceID, what driver.Action) error {
	a, ok := f.actors[id]
	if !ok {
		return fmt.Errorf("%s is no device of this site: %w", id, driver.ErrUnsupported)
	}
	d := act{ctx: ctx, what: what, done: make(chan error, 1)}
	select {
	case a.acts <- d:
		return <-d.done // it ends with ctx
	case <-ctx.Done():
		return fmt.Errorf("%s %s: its turn did not come: %w: %w", what.Act, id, ctx.Err(), driver.ErrUnreachable)
	}
}

// do carries out an action in the actor's own time.
func (a *actor) do(ctx context.Context, d act) error {
	op, ok := a.dev.(driver.Operator)
	if !ok {
		return fmt.Errorf("%s %s: driver %s takes no actions: %w", d.what.Act, a.id, a.spec.Driver.Name, driver.ErrUnsupported)
	}
	both, cancel := context.WithTimeout(d.ctx, a.spec.Timeout)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)() // the fleet stops
	if err := op.Do(both, d.what); err != nil {
		return fmt.Errorf("%s %s: %w", d.what.Act, a.id, err)
	}
	return nil
}

// Retarget tells the device's actor that the device has moved to another host; the next
// thing that is asked goes there. It returns false if there is no such device.
func (f *Fleet) Retarget(id site.DeviceID, host string) bool {
	a, ok := f.actors[id]
	if !ok {
		return false
	}
	a.move.Store(&host)
	a.now.Store(true)
	a.poke()
	return true
}

// follow opens the device anew where it has moved.
func (a *actor) follow() {
	host := a.move.Swap(nil)
	if host == nil || *host == a.spec.Target.Host {
		return
	}
	target := a.spec.Target
	target.Host = *host
	dev, err := a.spec.Driver.Open(target)
	if err != nil {
		a.f.opt.Log.Error("open a device at its new address", "device", a.id, "reason", err)
		return
	}
	_ = a.dev.Close() // it is not there any more
	a.dev, a.spec.Target = dev, target
	a.fails, a.lost = 0, true
}
