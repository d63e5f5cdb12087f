package whatsminer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// The factory's account and its password.
const (
	defaultAccountV3  = "super"
	defaultPasswordV3 = "super"
)

// V3 is one miner with API 3.x.
type V3 struct {
	memory
	address           string
	account, password string
	salt              string
	skew              time.Duration // the device's clock less ours
	line              hold
}

// OpenV3 makes a device and does no I/O.
func OpenV3(t driver.Target) *V3 {
	d := &V3{memory: memory{target: t}, address: t.Addr("api", PortV3), account: t.User, password: string(t.Password)}
	if d.account == "" {
		d.account = defaultAccountV3
	}
	if d.password == "" {
		d.password = defaultPasswordV3
	}
	d.identity = site.Identity{Make: maker, Model: t.Model}
	return d
}

// requestV3 is a command; Param is text or an object, the rest is of writes.
type requestV3 struct {
	Cmd     string `json:"cmd"`
	Param   any    `json:"param,omitempty"`
	TS      int64  `json:"ts,omitempty"`
	Account string `json:"account,omitempty"`
	Token   string `json:"token,omitempty"`
}

// call sends a request, learns the device's clock from the reply, and maps its code.
func (d *V3) call(ctx context.Context, r requestV3) (rpc.Object, error) {
	o, err := d.exchange(ctx, r)
	if err == nil {
		if when := o.Float("when"); when.OK && when.V > 0 && when.V < 1e11 {
			d.skew = time.Unix(int64(when.V), 0).Sub(d.target.Now())
		}
		err = checkV3(o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: command %s: %w", d.address, r.Cmd, err)
	}
	return o, nil
}

func checkV3(o rpc.Object) error {
	code := o.Int("code").Or(-1)
	kind := driver.ErrRefused // -1 failed, -3 a parameter is missing
	switch code {
	case 0:
		return nil
	case -2:
		kind = driver.ErrUnsupported
	case -4:
		kind = driver.ErrUnauthorized
	}
	return fmt.Errorf("code %d %q: %w", code, o.Text("msg"), kind)
}

// ask reads one section; the reply's msg holds it by its name.
func (d *V3) ask(ctx context.Context, cmd, param string) (rpc.Object, error) {
	r := requestV3{Cmd: cmd}
	if param != "" {
		r.Param = param
	}
	o, err := d.call(ctx, r)
	return o.Object("msg"), err
}

// digest is what the token of one write is cut from, and the key of its encrypted
// parameter: it holds for this command and this second only.
func digest(cmd, password, salt string, ts int64) [sha256.Size]byte {
	return sha256.Sum256([]byte(cmd + password + salt + strconv.FormatInt(ts, 10)))
}

// sign makes the token of one write.
func sign(cmd, password, salt string, ts int64) string {
	sum := digest(cmd, password, salt, ts)
	return base64.StdEncoding.EncodeToString(sum[:])[:8]
}

// write sends a signed command. Denied, it learns salt and clock anew and tries once more:
// both change when the miner restarts.
func (d *V3) write(ctx context.Context, cmd string, param any) error {
	return d.send(ctx, cmd, func(int64) (any, error) { return param, nil })
}

// writeSealed is write with an encrypted parameter.
func (d *V3) writeSealed(ctx context.Context, cmd string, param any) error {
	return d.send(ctx, cmd, func(ts int64) (any, error) {
		return sealParam(digest(cmd, d.password, d.salt, ts), param)
	})
}

func (d *V3) send(ctx context.Context, cmd string, param func(ts int64) (any, error)) error {
	d.tells()
	fresh := false
	for { // twice at most: the second time the salt is fresh
		if d.salt == "" {
			if err := d.getSalt(ctx); err != nil {
				return err
			}
			fresh = true
		}
		ts := d.target.Now().Add(d.skew).Unix()
		p, err := param(ts)
		if err != nil {
			return fmt.Errorf("%s: command %s: %w: %w", d.address, cmd, err, driver.ErrUnsupported)
		}
		_, err = d.call(ctx, requestV3{Cmd: cmd, Param: p, TS: ts, Account: d.account, Token: sign(cmd, d.password, d.salt, ts)})
		if !errors.Is(err, driver.ErrUnauthorized) {
			return err
		}
		d.salt = ""
		if fresh {
			return err
		}
	}
}

func (d *V3) getSalt(ctx context.Context) error {
	msg, err := d.ask(ctx, "get.device.info", "salt")
	if err != nil {
		return err
	}
	if d.salt = msg.Text("salt"); d.salt == "" {
		return fmt.Errorf("%s: get.device.info without a salt: %w", d.address, driver.ErrUnreachable)
	}
	return nil
}

// Stage gets the salt where it is not known.
func (d *V3) Stage(ctx context.Context) error {
	now := d.target.Now()
	if d.salt != "" || now.Sub(d.failed) < again {
		return nil
	}
	if err := d.getSalt(ctx); err != nil {
		d.failed = now
		return err
	}
	return nil
}

// Apply sleeps, wakes, or sets the share of the power limit.
func (d *V3) Apply(ctx context.Context, s site.Setpoint) error {
	if s.Mode == site.ModeSleep {
		return d.write(ctx, "set.miner.service", "stop")
	}
	percent := 100
	if s.Power.OK {
		if !d.nameplate.OK {
			if err := d.setting(ctx); err != nil {
				return err
			}
		}
		var err error
		if percent, err = d.share(s.Power.V); err != nil {
			return err
		}
	}
	off := d.off()
	if !off.OK || !off.V && d.percent.OK && d.percent.V == percent { // also that nothing is to be done is worth a look
		msg, err := d.ask(ctx, "get.device.info", "miner")
		if errors.Is(err, driver.ErrUnreachable) {
			return err
		}
		off = site.Opt[bool]{}
		if w := msg.Object("miner").Bool("working"); w.OK {
			off = site.Some(!w.V)
		}
	}
	if !off.OK || off.V {
		if err := d.write(ctx, "set.miner.service", "start"); err != nil {
			return err
		}
		// A start forgets the share; whether the firmware says so, the next polls ask.
		d.percent, d.hashing = site.Opt[int]{}, false
		if percent == 100 {
			return nil
		}
	}
	return d.setShare(ctx, percent)
}

// setShare sets the share unless the device says that it is in force.
func (d *V3) setShare(ctx context.Context, percent int) error {
	if !d.percent.OK {
		if err := d.setting(ctx); errors.Is(err, driver.ErrUnreachable) {
			return err
		}
	}
	if d.percent.OK && d.percent.V == percent {
		return nil
	}
	// The firmware reads the number only where it is text, whatever its document says.
	err := d.write(ctx, "set.miner.power_percent", map[string]string{"percent": strconv.Itoa(percent), "mode": "fast"})
	if err == nil {
		d.told(percent)
	}
	return err
}

// SetPowerLimit sets the power limit in watts, for good. Most firmwares restart the miner
// for it: ten minutes of ramp. It blocks on the network.
func (d *V3) SetPowerLimit(ctx context.Context, p unit.Power) error {
	return d.write(ctx, "set.miner.power_limit", int64(p/unit.Watt))
}

// Close ends the kept connection.
func (d *V3) Close() error {
	d.line.end()
	return nil
}

// ProbeV3 asks for the device's description.
func ProbeV3(ctx context.Context, t driver.Target) (site.Identity, error) {
	d := OpenV3(t)
	defer d.line.end()
	d.identity = site.Identity{Make: maker}
	if err := d.who(ctx); err != nil {
		if !errors.Is(err, driver.ErrUnreachable) {
			err = fmt.Errorf("no WhatsMiner: %w: %w", err, driver.ErrUnsupported)
		}
		return site.Identity{}, err
	}
	return d.identity, nil
}
