package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/dispatch"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/store"
)

// keep has the loop's state written, beside the loop, at most once a machine second, and at
// once when last is set. What happens in between is in the journal: commands are written
// there before they are sent.
func (c *control) keep(ctx context.Context, last bool) {
	select {
	case err := <-c.kept:
		c.keeping = false
		c.keptOr(err)
	default:
	}
	if !last && (!c.dirty || c.keeping || time.Since(c.savedAt) < time.Second) {
		return
	}
	c.savedAt, c.dirty = time.Now(), false
	if c.limitsWait {
		if err := c.keepLimits(ctx); err != nil {
			c.dirty = true
			c.storeFault(err)
			return
		}
		c.limitsWait = false
	}
	doc := stateDoc{Seq: c.a.journal.LastSeq(), Headroom: map[string]json.RawMessage{}}
	var err error
	if doc.Devices, err = json.Marshal(c.state); err == nil {
		for i, h := range c.headroom {
			if doc.Headroom[c.a.plant.Tenants[i].ID], err = json.Marshal(h); err != nil {
				break
			}
		}
	}
	switch {
	case err != nil:
		c.keptOr(err)
	case last:
		if c.keeping {
			<-c.kept // an older state must not follow this one
		}
		c.keptOr(c.putAfter(ctx, doc))
	default:
		c.keeping = true
		go func() { c.kept <- c.putAfter(ctx, doc) }()
	}
}

// keepTime bounds one writing of the state, machine time.
const keepTime = 30 * time.Second

// putAfter writes the state once the journal that it speaks of is in the database: a state
// that counts a command as confirmed must not outlive the confirmation.
func (c *control) putAfter(ctx context.Context, doc stateDoc) error {
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := c.a.journal.Settle(ctx); err != nil {
		return err
	}
	return c.put(ctx, doc)
}

// keptOr takes note of how the writing of the state went.
func (c *control) keptOr(err error) {
	switch {
	case err != nil:
		c.dirty = true
		c.storeFault(fmt.Errorf("keep the controller's state: %w", err))
	case !c.a.journal.Full():
		c.storeFault(nil)
	}
}

func (c *control) put(ctx context.Context, doc stateDoc) error {
	all, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	return c.a.db.PutState(ctx, stateKey, all)
}

// restore takes up what the last run kept: holds, limits, what each device was told, and the
// commands that went out after that was written.
func (c *control) restore(ctx context.Context) error {
	docs := map[string][]byte{limitsKey: nil, holdsKey: nil, stateKey: nil}
	for key := range docs {
		doc, err := c.a.db.GetState(ctx, key)
		if err != nil {
			return fmt.Errorf("take up %s: %w", key, err)
		}
		docs[key] = doc
	}
	if err := c.limits.Restore(docs[limitsKey]); err != nil {
		return err
	}
	var err error
	if c.holds, err = restoreHolds(docs[holdsKey]); err != nil {
		return err
	}
	var doc stateDoc
	if docs[stateKey] != nil {
		if err := json.Unmarshal(docs[stateKey], &doc); err != nil {
			return fmt.Errorf("take up the controller's state: %w", err)
		}
		if err := json.Unmarshal(doc.Devices, c.state); err != nil {
			return err
		}
	}
	for i := range c.headroom {
		if raw := doc.Headroom[c.a.plant.Tenants[i].ID]; raw != nil {
			h := dispatch.NewHeadroom(c.a.plant.Tenants[i].Firm, c.a.plant.Tenants[i].Ramp)
			if json.Unmarshal(raw, h) == nil { // learned margins are a help, not a condition
				c.headroom[i] = h
			}
		}
	}
	// Notes that were not on disk at a kill take their numbers with them, and what follows
	// gets them again: the mark must not stand before commands of this run.
	if last := c.a.journal.LastSeq(); doc.Seq > last {
		doc.Seq = last
		if err := c.put(ctx, doc); err != nil {
			return fmt.Errorf("keep the controller's state: %w", err)
		}
	}
	after, err := c.a.journal.After(ctx, doc.Seq, journal.KindCommand)
	if err != nil {
		return err
	}
	for _, e := range after {
		if cmd, ok := journal.CommandOf(e); ok {
			c.told = append(c.told, cmd)
		}
	}
	return nil
}

// leave does what the site file wants at an orderly stop, and keeps the state.
func (c *control) leave(ctx context.Context) {
	now := c.a.clk.Now()
	if c.a.plant.File.Lost.Controller == "shed" && c.ready {
		var cmds []site.Command
		for j := range c.status {
			if c.status[j].Sheddable {
				cmds = append(cmds, site.Command{
					Device: c.devices[j].ID, Setpoint: site.Setpoint{Mode: site.ModeSleep}, Plan: c.plan, At: now,
					Reason: site.Reasonf(site.ReasonLost, "", "the controller stops, and the site file wants flexible load asleep without it"),
				})
			}
		}
		c.send(ctx, cmds)
		c.told = append(c.told, cmds...)
		c.a.Quiet(ctx, now, 5*time.Second)
		c.acked = append(c.acked, c.a.inbox.Take()...)
		c.reconcile(now)
	}
	c.note(journal.Entry{At: now, Subject: "controller", Kind: journal.KindNote, Code: site.ReasonStart, Text: "the controller stops in order"})
	c.keepTruth(ctx)
	c.keep(ctx, true)
}

// storeFault raises or ends the alarm about the store; nil ends it. The site runs on: what
// could not be written waits in memory.
func (c *control) storeFault(err error) {
	switch {
	case err == nil:
		c.alarm("store", "", "", "")
	case errors.Is(err, context.Canceled): // the controller is told to stop, and writes once more when it has
	case errors.Is(err, store.ErrFull):
		c.alarm("store", "critical", "store", "the disk is full: the site runs on and its record waits in memory; free space in "+c.a.db.Dir())
	default:
		c.alarm("store", "critical", "store", "the store cannot be written: "+err.Error())
	}
}
