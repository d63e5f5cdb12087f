package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// next returns the places of the devices that are told now: the next of the first wave that
// is not done with.
func (x *Runner) next(j *job) []int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.r.State != Running {
		return nil
	}
	wave := 0
	var out []int
	for p := range j.r.Items {
		it := &j.r.Items[p]
		if it.State.final() || wave > 0 && it.Wave > wave {
			continue
		}
		if wave == 0 || it.Wave < wave {
			wave, out = it.Wave, out[:0]
		}
		if it.State == Pending {
			out = append(out, p)
		}
	}
	if j.r.Action.Kind.byHold() {
		return out // nobody waits for a device
	}
	return out[:min(len(out), x.opt.Parallel)]
}

// tell marks devices as told, on disk first, and tells them. It returns false where the disk
// takes nothing: then nothing was told.
func (x *Runner) tell(ctx context.Context, j *job, batch []int) bool {
	now := x.opt.Clock.Now()
	j.mu.Lock()
	if j.r.State != Running { // a person was faster
		j.mu.Unlock()
		return true
	}
	action := j.r.Action
	before := make([]Item, len(batch))
	ids := make([]site.DeviceID, len(batch))
	for i, p := range batch {
		it := &j.r.Items[p]
		before[i], ids[i] = *it, it.Device
		it.told, it.acked, it.err, it.boot = now, time.Time{}, nil, time.Time{}
		it.tries++
		if s := x.opt.Readings.Reading(it.Device).Sample; s != nil && s.Uptime.OK {
			it.boot = s.At.Add(-s.Uptime.V)
		}
		j.set(p, Told, "", now)
		j.changed[p] = true
	}
	who, note := j.r.By, fmt.Sprintf("rollout %d", j.r.ID)
	if j.r.Note != "" {
		note += ": " + j.r.Note
	}
	j.mu.Unlock()
	if err := x.save(ctx, j); err != nil {
		j.mu.Lock()
		for i, p := range batch {
			j.set(p, before[i].State, before[i].Reason, before[i].At)
			j.r.Items[p] = before[i]
		}
		j.mu.Unlock()
		x.opt.Log.Error("a rollout waits: it cannot be kept on disk", "reason", err.Error())
		return false
	}
	errs := x.tellAll(ctx, action, who, note, ids)
	if ctx.Err() != nil {
		return true // whether they were told is found out after the restart
	}
	now = x.opt.Clock.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, p := range batch {
		j.answered(p, errs[i], now)
	}
	return true
}

// answered takes a device's answer. The job's lock is held.
func (j *job) answered(p int, err error, now time.Time) {
	it := &j.r.Items[p]
	switch {
	case err == nil:
		it.acked = now
		j.set(p, Told, "acknowledged; waiting for the reading that shows it", now)
	case errors.Is(err, driver.ErrUnsupported), errors.Is(err, driver.ErrRefused), errors.Is(err, driver.ErrUnauthorized), errors.Is(err, errSecret):
		j.set(p, Failed, err.Error(), now)
	default:
		it.err = err
		j.set(p, Told, err.Error(), now)
	}
	j.changed[p] = true
}

var errSecret = errors.New("the secret cannot be read")

func (x *Runner) tellAll(ctx context.Context, a Action, who, note string, ids []site.DeviceID) []error {
	errs := make([]error, len(ids))
	if a.Kind.byHold() {
		var err error
		if a.Kind == Sleep {
			err = x.opt.Holder.Sleep(ctx, who, note, ids)
		} else {
			err = x.opt.Holder.Wake(ctx, who, ids)
		}
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { errs[i] = x.tellOne(ctx, a, who, note, id) })
	}
	wg.Wait()
	return errs
}

func (x *Runner) tellOne(ctx context.Context, a Action, who, note string, id site.DeviceID) error {
	what, err := a.resolve(id, x.opt.Readings.Reading(id).Host, x.opt.Secret)
	if err != nil {
		return fmt.Errorf("%w: %w", errSecret, err)
	}
	if x.opt.Told != nil {
		x.opt.Told(id, x.opt.Clock.Now(), who, fmt.Sprintf("%s %s (%s)", a.verb(), id, note))
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	return x.opt.Doer.Do(ctx, id, what)
}
