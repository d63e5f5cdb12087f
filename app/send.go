package app

import (
	"context"
	"time"

	"switchyard/app/calm"
	"switchyard/fleet"
	"switchyard/journal"
	"switchyard/site"
)

// settling is how long an award must stand before more is started for it: the usual time, but
// none for two minutes after a limit has ended. What comes back then was told by somebody and
// does not wander.
func (c *control) settling(now time.Time) time.Duration {
	if now.Sub(c.loosened) < 2*time.Minute {
		return -1
	}
	return 0
}

// firstPart is how many commands are journalled before the first of them goes out. Each
// further part is four times as long: the first devices are told while the disk still takes
// the rest, and a wave of thousands costs no more than a few syncs.
const firstPart = 128

// send writes the commands into the journal and then hands them to their actors, a part at a
// time. A journal that cannot be written does not keep a site above its limit: the commands
// go out, and the alarm says that the record waits.
func (c *control) send(ctx context.Context, cmds []site.Command) {
	if len(cmds) == 0 {
		return
	}
	if len(cmds) >= calm.From {
		c.a.calm.Hold()
	}
	ahead, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	defer c.a.fleet.CommandsComing()()
	for part, rest := firstPart, cmds; len(rest) > 0; part *= 4 {
		batch := rest[:min(part, len(rest))]
		rest = rest[len(batch):]
		entries := make([]journal.Entry, len(batch))
		for i, cmd := range batch {
			entries[i] = journal.CommandEntry(cmd, c.loadOf(cmd.Device))
		}
		if err := c.a.journal.AppendNow(ahead, entries...); err != nil {
			c.storeFault(err) // its end is told where the state is kept
		}
		for _, cmd := range batch {
			c.tell(cmd)
		}
	}
	c.a.commands.Add(int64(len(cmds)))
}

// tell hands a command to its device's actor. Another device that answers at its address is
// not told anything: the command comes back as one that did not reach.
func (c *control) tell(cmd site.Command) {
	if j, ok := c.a.plant.Index(cmd.Device); ok {
		c.toldAt[j] = cmd.At
	}
	c.a.inbox.Sent(cmd.Device)
	if err := c.a.places.Mine(cmd.Device); err != nil {
		c.a.inbox.Acked(fleet.Ack{Command: cmd, SentAt: cmd.At, At: cmd.At, Err: err})
		return
	}
	c.a.fleet.Wish(cmd)
}
