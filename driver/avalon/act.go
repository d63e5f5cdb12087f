package avalon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// mode is a work mode; its number is its place in the list.
type mode struct {
	name  string
	power site.Opt[unit.Power]
}

// modes returns the work modes of the model, the lowest first.
func (d *device) modes() []mode {
	switch m := strings.ToLower(d.identity.Model); {
	case m == "q": // Canaan's published figures
		return []mode{{"eco", watts(800)}, {"standard", watts(1300)}, {"super", watts(1674)}}
	case strings.HasPrefix(m, "nano"), strings.HasPrefix(m, "mini"):
		return []mode{{name: "low"}, {name: "medium"}, {name: "high"}}
	}
	return []mode{{name: "normal"}, {name: "high"}}
}

func watts(w float64) site.Opt[unit.Power] { return site.Some(unit.Watts(w)) }

// order is one write.
type order struct {
	command string
	args    []string
	last    bool // the device may be gone before it answers
}

// send sends an order. Of a last one a connection that breaks after it went out, or closes
// without a byte, counts as acknowledged.
func (d *device) send(ctx context.Context, o order) (rpc.Reply, error) {
	payload, err := json.Marshal(rpc.Request{Command: o.command, Parameter: strings.Join(o.args, ",")})
	if err != nil {
		return rpc.Reply{}, fmt.Errorf("encode %s: %w", o.command, err)
	}
	dialled := false
	asked := d.t.Now()
	data, err := rpc.Exchange(ctx, func(ctx context.Context, address string) (net.Conn, error) {
		c, err := d.t.DialContext(ctx, address)
		dialled = err == nil
		return c, err
	}, d.addr, payload)
	broke := err != nil && dialled && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded)
	if o.last && (broke || err == nil && len(strings.Trim(string(data), "\x00\r\n ")) == 0) {
		return rpc.Reply{}, nil
	}
	var r rpc.Reply
	if err == nil {
		r, err = rpc.Parse(data)
	}
	if err == nil {
		if when := r.Status().When; when.OK && when.V > 0 {
			d.skew, d.skewAt = time.Unix(int64(when.V), 0).Add(time.Second).Sub(asked), asked
		}
		err = check(r.Status())
	}
	if err != nil {
		return r, fmt.Errorf("command %s: %w", o.command, err)
	}
	return r, nil
}

// check maps a status to the caller's next move: I with 118 and S with 119 are success.
func check(s rpc.Status) error {
	msg := strings.ToLower(s.Msg)
	switch {
	case s.Letter == "":
		return fmt.Errorf("a reply without a status: %w", driver.ErrUnreachable)
	case strings.Contains(msg, "unknown option"):
		return fmt.Errorf("code %d %q: %w", s.Code, s.Msg, driver.ErrUnsupported)
	case strings.Contains(msg, "password") && (s.Letter == "E" || strings.Contains(msg, "error") || strings.Contains(msg, "fail")):
		return fmt.Errorf("code %d: the password is not the device's: %w", s.Code, driver.ErrUnauthorized)
	case s.Letter == "I" && strings.Contains(msg, "fail"):
		return fmt.Errorf("code %d %q: %w", s.Code, s.Msg, driver.ErrRefused)
	}
	return s.Err()
}

// Stage sees to it that the difference of the clocks is known.
func (d *device) Stage(ctx context.Context) error {
	if d.ticks() {
		return nil
	}
	_, err := d.ask(ctx, "version")
	return d.wrap(err)
}

// ticks says whether the difference of the clocks is known.
func (d *device) ticks() bool {
	return !d.skewAt.IsZero() && d.t.Now().Sub(d.skewAt) < clockLife
}

// timed sends softoff or softon for a moment of the device's clock, once more where that had
// passed when it came: the device restarted and its clock with it.
func (d *device) timed(ctx context.Context, what string) error {
	for again := range 2 {
		if !d.ticks() {
			if _, err := d.ask(ctx, "version"); err != nil {
				return err
			}
		}
		moment := d.t.Now().Add(d.skew + lead).Unix()
		r, err := d.send(ctx, order{command: "ascset", args: []string{"0", what, "1:" + strconv.FormatInt(moment, 10)}, last: what == "softon"})
		when := r.Status().When
		if err != nil || !when.OK || int64(when.V) < moment && moment-int64(when.V) < 60 {
			return err
		}
		if again > 0 {
			return fmt.Errorf("%s for %d came when the device's clock said %d: %w", what, moment, when.V, driver.ErrRefused)
		}
	}
	return nil
}

// Apply puts the miner to sleep, or sets its work mode and wakes it.
func (d *device) Apply(ctx context.Context, want site.Setpoint) error {
	d.dirty = true
	if want.Mode == site.ModeSleep {
		if d.orders != nil && !d.sleeps() {
			return d.wrap(fmt.Errorf("its firmware has no softoff: %w", driver.ErrUnsupported))
		}
		return d.wrap(d.rest(ctx, "softoff", true))
	}
	return d.wrap(d.run(ctx, want.Power))
}

// rest puts the miner to sleep or wakes it. A refusal by one that is so already is none.
func (d *device) rest(ctx context.Context, what string, asleep bool) error {
	err := d.timed(ctx, what)
	if errors.Is(err, driver.ErrRefused) {
		if m, now := d.module(ctx); now == nil && m.asleep == site.Some(asleep) {
			return nil
		}
	}
	if err == nil {
		d.asleep = site.Some(asleep)
	}
	return err
}

func (d *device) run(ctx context.Context, limit site.Opt[unit.Power]) error {
	if d.orders == nil {
		if err := d.who(ctx); err != nil {
			return err
		}
	}
	want, err := d.wanted(limit)
	if err != nil {
		return err
	}
	if _, err := d.module(ctx); err != nil { // what it does now
		return err
	}
	late := false
	if want.OK && d.mode != want {
		err := d.setMode(ctx, want.V)
		late = errors.Is(err, driver.ErrRefused) && d.asleep.Or(false) // it may take it only awake
		if err != nil && !late {
			return err
		}
	}
	if d.asleep.Or(false) {
		if err := d.rest(ctx, "softon", false); err != nil {
			return err
		}
	}
	if late {
		return d.setMode(ctx, want.V)
	}
	return nil
}

// wanted returns the mode for a cap, or for full power; unknown leaves it as it is.
func (d *device) wanted(limit site.Opt[unit.Power]) (site.Opt[int], error) {
	best := site.Opt[int]{}
	rated := false
	for i, m := range d.modes() {
		if !m.power.OK || !d.orders["workmode"] {
			continue
		}
		rated = true
		if above := d.full.OK && i > d.full.V; !above && (!limit.OK || m.power.V <= limit.V) {
			best = site.Some(i)
		}
	}
	switch {
	case !limit.OK && d.full.OK:
		return d.full, nil
	case !limit.OK:
		return best, nil
	case !rated:
		return best, fmt.Errorf("no mode of its has known watts: %w", driver.ErrUnsupported)
	case !best.OK:
		return best, fmt.Errorf("no mode draws as little as %v: %w", limit.V, driver.ErrRefused)
	}
	return best, nil
}

// setMode sets the work mode. Older firmwares have no word "set" in the order.
func (d *device) setMode(ctx context.Context, n int) error {
	number := strconv.Itoa(n)
	_, err := d.send(ctx, order{command: "ascset", args: []string{"0", "workmode", "set", number}})
	if errors.Is(err, driver.ErrRefused) {
		if _, old := d.send(ctx, order{command: "ascset", args: []string{"0", "workmode", number}}); old == nil {
			err = nil
		}
	}
	if err == nil {
		d.mode = site.Some(n)
	}
	return err
}

// Do reboots, sets pools, the password or the work mode, or lets the light blink.
func (d *device) Do(ctx context.Context, a driver.Action) error {
	d.dirty = true
	if d.orders == nil {
		if err := d.who(ctx); err != nil {
			return d.wrap(err)
		}
	}
	switch a.Act {
	case site.ActReboot:
		return d.wrap(d.reboot(ctx))
	case site.ActPools:
		return d.wrap(d.setPools(ctx, a.Pools))
	case site.ActLED:
		if d.orders["led"] {
			state := "1-0"
			if a.On {
				state = "1-1"
			}
			_, err := d.send(ctx, order{command: "ascset", args: []string{"0", "led", state}})
			return d.wrap(err)
		}
	case site.ActPassword:
		if d.orders["password"] {
			return d.wrap(d.setPassword(ctx, string(a.Password)))
		}
	case site.ActProfile:
		for i, m := range d.modes() {
			if m.name == a.Profile && d.orders["workmode"] {
				err := d.setMode(ctx, i)
				if err == nil {
					d.full = site.Some(i)
				}
				return d.wrap(err)
			}
		}
		if d.orders["workmode"] {
			return d.wrap(fmt.Errorf("it has no mode %q: %w", a.Profile, driver.ErrRefused))
		}
	}
	return d.wrap(fmt.Errorf("act %s: %w", a.Act, driver.ErrUnsupported))
}

func (d *device) reboot(ctx context.Context) error {
	_, err := d.send(ctx, order{command: "ascset", args: []string{"0", "reboot", "0"}, last: true})
	if err == nil {
		d.skewAt = time.Time{} // its clock may start anew
	}
	return err
}

// secret returns the password, or the factory's.
func (d *device) secret() string {
	if d.password == "" {
		return d.user()
	}
	return d.password
}

// user is the name of the web pages' account: the home machines have another.
func (d *device) user() string {
	if d.t.User != "" {
		return d.t.User
	}
	if m := strings.ToLower(d.identity.Model); m == "q" || strings.HasPrefix(m, "nano") || strings.HasPrefix(m, "mini") {
		return "admin"
	}
	return "root"
}

func (d *device) setPassword(ctx context.Context, password string) error {
	if password == "" || strings.ContainsAny(password+d.secret(), ",") {
		return fmt.Errorf("an empty password, or one with a comma, cannot be sent: %w", driver.ErrRefused)
	}
	if _, err := d.send(ctx, order{command: "ascset", args: []string{"0", "password", d.secret(), password}}); err != nil {
		return err
	}
	d.password = password
	return nil
}

// setPools stores the pools and lets them count by a reboot. Asleep the miner stays so: it
// takes them when it wakes.
func (d *device) setPools(ctx context.Context, pools []driver.Pool) error {
	if len(pools) == 0 || len(pools) > 3 {
		return fmt.Errorf("%d pools, it takes 1 to 3: %w", len(pools), driver.ErrRefused)
	}
	for _, p := range pools {
		if strings.ContainsAny(p.URL+p.Worker+string(p.Password)+d.secret(), ",") {
			return fmt.Errorf("a comma in a pool or a password cannot be sent: %w", driver.ErrRefused)
		}
	}
	if _, err := d.module(ctx); err != nil {
		return err
	}
	for i, p := range pools {
		args := []string{d.user(), d.secret(), strconv.Itoa(i), p.URL, p.Worker, string(p.Password)}
		if _, err := d.send(ctx, order{command: "setpool", args: args}); err != nil {
			return err
		}
	}
	if !d.asleep.OK || d.asleep.V {
		return nil
	}
	return d.reboot(ctx)
}
