package luxos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
)

const (
	// life is how long a session is taken for good after its last use: the firmware ends it
	// after 60 s of its own clock.
	life = 55 * time.Second
	// renewAt is the age at which Stage makes a new one: polls may be half a minute apart.
	renewAt = 25 * time.Second
	// stale is how long the same stranger's session must have been seen to be ended for acts.
	stale = 3 * time.Minute
)

// session is the lock that writes carry.
type session struct {
	id    string
	used  time.Time // site time
	other string    // a stranger's, seen since
	since time.Time
}

// order is one write.
type order struct {
	command string
	args    []string
	urgent  bool // it may end a stranger's session
	last    bool // the device may be gone before it answers
}

func (d *device) call(ctx context.Context, command string, args ...string) (rpc.Reply, error) {
	return d.send(ctx, order{command: command, args: args})
}

// send sends a command and reads its reply. Of a last one a connection that breaks after the
// command went out, or closes without a byte, counts as acknowledged.
func (d *device) send(ctx context.Context, o order) (rpc.Reply, error) {
	payload, err := json.Marshal(rpc.Request{Command: o.command, Parameter: strings.Join(o.args, ",")})
	if err != nil {
		return rpc.Reply{}, fmt.Errorf("encode command %s: %w", o.command, err)
	}
	dialled := false
	data, err := rpc.Exchange(ctx, func(ctx context.Context, address string) (net.Conn, error) {
		c, err := d.t.DialContext(ctx, address)
		dialled = err == nil
		return c, err
	}, d.addr, payload)
	broke := err != nil && dialled && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded)
	if o.last && (broke || err == nil && len(data) == 0) {
		return rpc.Reply{}, nil
	}
	var r rpc.Reply
	if err == nil {
		r, err = rpc.Parse(data)
	}
	if err == nil {
		s := r.Status()
		if err = s.Err(); err == nil && s.Letter == "" {
			err = fmt.Errorf("a reply without a status: %w", driver.ErrUnreachable)
		}
	}
	if err != nil {
		return r, fmt.Errorf("command %s: %w", o.command, err)
	}
	return r, nil
}

// write sends a command under the session, and once more under a new one where it was refused
// under a kept one: somebody may have ended that.
func (d *device) write(ctx context.Context, o order) error {
	made := false
	args := o.args
	for { // twice at most
		if d.session.id == "" || d.t.Now().Sub(d.session.used) > life {
			if err := d.logon(ctx, o.urgent); err != nil {
				return fmt.Errorf("command %s: %w", o.command, err)
			}
			made = true
		}
		o.args = append([]string{d.session.id}, args...)
		_, err := d.send(ctx, o)
		if err == nil {
			d.session.used = d.t.Now()
			return nil
		}
		if errors.Is(err, driver.ErrUnsupported) || errors.Is(err, driver.ErrUnreachable) {
			return err
		}
		d.session.id = ""
		if made {
			return err
		}
	}
}

// logon makes a session. urgent ends a stranger's.
func (d *device) logon(ctx context.Context, urgent bool) error {
	d.session.id = ""
	err := d.create(ctx)
	if err == nil || !errors.Is(err, driver.ErrRefused) {
		return err
	}
	r, asked := d.call(ctx, "session")
	if asked != nil {
		return asked
	}
	holder := ""
	for _, o := range r.Objects("SESSION") {
		holder = o.Text("SessionID")
	}
	if now := d.t.Now(); holder != d.session.other {
		d.session.other, d.session.since = holder, now
	}
	if holder != "" {
		if seen := d.t.Now().Sub(d.session.since); !urgent && seen < stale {
			return fmt.Errorf("somebody else's session is active, seen for %v: %w", seen.Round(time.Second), err)
		}
		_, err := d.call(ctx, "kill")
		switch {
		case errors.Is(err, driver.ErrUnreachable):
			return err
		case err != nil: // a firmware that does not end it: it is a lock without a key
			return d.adopt(holder)
		}
	}
	return d.create(ctx)
}

// adopt goes on with a session that somebody else made.
func (d *device) adopt(id string) error {
	d.session = session{id: id, used: d.t.Now()}
	return nil
}

func (d *device) create(ctx context.Context) error {
	r, err := d.call(ctx, "logon")
	if err != nil {
		return err
	}
	for _, o := range r.Objects("SESSION") {
		if id := o.Text("SessionID"); id != "" {
			d.session = session{id: id, used: d.t.Now()}
			return nil
		}
	}
	return fmt.Errorf("logon gave no session: %w", driver.ErrUnreachable)
}

// Stage keeps a session ready, and the profiles. A stranger's session is left alone.
func (d *device) Stage(ctx context.Context) error {
	if len(d.points) == 0 {
		parts, err := d.ask(ctx, "profiles", "atm")
		if err != nil {
			return d.wrap(err)
		}
		d.knowProfiles(parts)
	}
	age := d.t.Now().Sub(d.session.used)
	if d.session.id != "" && age < renewAt {
		return nil
	}
	if d.session.id != "" && age <= life { // nothing but a new one is sure to prolong it
		id := d.session.id
		d.session.id = ""
		if _, err := d.call(ctx, "logoff", id); errors.Is(err, driver.ErrUnreachable) {
			return d.wrap(err)
		}
	}
	if err := d.create(ctx); err != nil {
		return d.wrap(err)
	}
	return nil
}
