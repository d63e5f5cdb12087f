package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/site"
)

const holdsKey = "app.holds"

// holds is what people hold. It belongs to the control loop; every change is on disk
// before the loop acts on it.
type holds map[site.DeviceID]site.Hold

func restoreHolds(doc []byte) (holds, error) {
	h := holds{}
	if doc == nil {
		return h, nil
	}
	if err := json.Unmarshal(doc, &h); err != nil {
		return nil, fmt.Errorf("read the stored holds: %w", err)
	}
	return h, nil
}

// devices returns the miner of that name, or all miners of the group of that name.
func (a *App) devices(name string) ([]site.DeviceID, error) {
	if ids := a.plant.Devices(name); ids != nil {
		return ids, nil
	}
	return nil, fmt.Errorf("%q is neither a miner nor a group: %w; `switchyard status` lists the groups, and miners are called like %q", name, api.ErrNotFound, a.plant.Example())
}

// Hold holds devices in a mode until they are released.
func (a *App) Hold(ctx context.Context, who string, r api.HoldRequest) (int, error) {
	mode := site.ModeRun
	switch r.Mode {
	case "sleep":
		mode = site.ModeSleep
	case "run":
	default:
		return 0, fmt.Errorf("%w: a hold is in the mode run or sleep, not %q", api.ErrInvalid, r.Mode)
	}
	named := map[site.DeviceID]bool{} // a device may be named by itself and by its group
	err := a.inLoop(ctx, func(c *control) error {
		next := maps.Clone(c.holds)
		now := a.clk.Now()
		for _, name := range r.Devices {
			ids, err := a.devices(name)
			if err != nil {
				return err
			}
			for _, id := range ids {
				next[id] = site.Hold{Device: id, Mode: mode, By: who, Note: r.Note, At: now}
				named[id] = true
			}
		}
		if err := c.keepHolds(ctx, next); err != nil {
			return err
		}
		for _, name := range r.Devices {
			c.note(journal.HoldEntry(now, name, fmt.Sprintf("%s holds %s in mode %s%s", who, name, mode, journal.Because(r.Note))))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(named), nil
}

// Release lets devices go: they follow the market again.
func (a *App) Release(ctx context.Context, who, name string) (int, error) {
	var n int
	err := a.inLoop(ctx, func(c *control) error {
		ids, err := a.devices(name)
		if err != nil {
			return err
		}
		gone, err := c.letGo(ctx, ids)
		if err != nil {
			return err
		}
		if n = len(gone); n == 0 {
			return fmt.Errorf("nothing to release: %w: no person holds %s", api.ErrInvalid, name)
		}
		c.note(journal.HoldEntry(a.clk.Now(), name, fmt.Sprintf("%s lets %s go", who, name)))
		return nil
	})
	return n, err
}

// ReleaseMany lets all those of the named miners go that a person holds, at once, and returns
// how many. That nobody holds one is no error; that there is none of that name is.
func (a *App) ReleaseMany(ctx context.Context, who string, miners []site.DeviceID) (int, error) {
	var n int
	err := a.inLoop(ctx, func(c *control) error {
		for _, id := range miners {
			if _, ok := a.plant.Index(id); !ok {
				return fmt.Errorf("%q is no miner: %w", id, api.ErrNotFound)
			}
		}
		gone, err := c.letGo(ctx, miners)
		if err != nil {
			return err
		}
		n = len(gone)
		now := a.clk.Now()
		for _, id := range gone {
			c.note(journal.HoldEntry(now, string(id), fmt.Sprintf("%s lets %s go", who, id)))
		}
		return nil
	})
	return n, err
}

// letGo releases those of the miners that a person holds and returns them.
func (c *control) letGo(ctx context.Context, ids []site.DeviceID) (gone []site.DeviceID, err error) {
	next := maps.Clone(c.holds)
	for _, id := range ids {
		if _, held := next[id]; held || c.byHand(id) {
			gone = append(gone, id)
		}
		delete(next, id)
	}
	if len(gone) == 0 {
		return nil, nil
	}
	if err := c.keepHolds(ctx, next); err != nil {
		return nil, err
	}
	c.released = append(c.released, gone...)
	return gone, nil
}

func (c *control) keepHolds(ctx context.Context, next holds) error {
	doc, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := c.a.db.PutState(ctx, holdsKey, doc); err != nil {
		return fmt.Errorf("%w: nothing was changed: %w", api.ErrUnavailable, err)
	}
	c.holds = next
	return nil
}
