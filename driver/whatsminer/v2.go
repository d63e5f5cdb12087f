package whatsminer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// defaultPasswordV2 is the factory's, of the account "admin".
const defaultPasswordV2 = "admin"

// V2 is one miner with API 1.x or 2.x.
type V2 struct {
	memory
	address  string
	password string
	token    *token
	api      int // major version of the API; 0 until told
	devs     string
	noShare  bool // the firmware does not know set_power_pct
	noToken  bool // the firmware does not know get_token: it can be read only
}

// errExpired is code 135: the token is old, or was made with another password.
var errExpired = errors.New("token expired")

// OpenV2 makes a device and does no I/O.
func OpenV2(t driver.Target) *V2 {
	d := &V2{memory: memory{target: t}, address: t.Addr("rpc", rpc.Port), password: string(t.Password), devs: "edevs"}
	if d.password == "" {
		d.password = defaultPasswordV2
	}
	d.identity = site.Identity{Make: maker, Model: t.Model}
	return d
}

// check maps a status to the caller's next move.
func check(s rpc.Status) error {
	var kind error
	switch s.Code {
	case 131:
		return nil
	case 14:
		kind = driver.ErrUnsupported
	case 45: // permission denied: the API's writes are off, or the password is still the factory's
		kind = driver.ErrUnauthorized
	case 135:
		kind = errExpired
	case 23, 132, 136: // not JSON, command error, too many tokens for one IP
		kind = driver.ErrRefused
	default:
		if s.Letter == "S" || s.Letter == "I" || s.Letter == "W" {
			return nil
		}
		kind = driver.ErrRefused
		if s.Letter == "" {
			return fmt.Errorf("reply without a status: %w", driver.ErrUnreachable)
		}
	}
	return fmt.Errorf("code %d %q: %w", s.Code, s.Msg, kind)
}

// ask sends a read, which needs no token.
func (d *V2) ask(ctx context.Context, command string) (rpc.Reply, error) {
	r, err := d.exchange(ctx, []byte(`{"cmd":"`+command+`"}`)) // plain words all
	if err == nil && len(r.Object) == 0 {
		err = fmt.Errorf("empty reply: %w", driver.ErrUnreachable)
	}
	if err == nil {
		err = check(r.Status())
	}
	if err != nil {
		return r, fmt.Errorf("%s: command %s: %w", d.address, command, err)
	}
	return r, nil
}

// exchange returns a zero Reply where the device closed without a byte.
func (d *V2) exchange(ctx context.Context, payload []byte) (rpc.Reply, error) {
	text, err := rpc.ExchangeText(ctx, d.target.DialContext, d.address, payload)
	if err != nil || text == "" {
		return rpc.Reply{}, err
	}
	return rpc.ParseText(text)
}

// renew gets a token. The device gives only so many at a time (code 136), hence it is kept.
func (d *V2) renew(ctx context.Context) error {
	r, err := d.ask(ctx, "get_token")
	d.noToken = errors.Is(err, driver.ErrUnsupported)
	if err == nil {
		d.token, err = newToken(d.password, r.Object.Object("Msg"), d.target.Now())
	}
	return err
}

// write sends an encrypted command, with a new token once where the old one expired. A
// reply of no bytes counts as acknowledged: some firmwares answer so to commands that stop
// or restart the miner. Whether it obeyed is for the next reading to say.
func (d *V2) write(ctx context.Context, command string, parameters map[string]any) error {
	d.tells()
	fresh := false
	for { // twice at most: the second time the token is fresh
		if d.token == nil || !d.target.Now().Before(d.token.until) {
			if err := d.renew(ctx); err != nil {
				return err
			}
			fresh = true
		}
		err := d.once(ctx, command, parameters)
		if err == nil {
			return nil
		}
		old := errors.Is(err, errExpired) || errors.Is(err, driver.ErrUnauthorized)
		if old {
			d.token = nil // a restarted miner has other salts and cannot read what the old key wrote
		}
		switch {
		case old && !fresh:
			continue
		case errors.Is(err, errExpired):
			err = fmt.Errorf("a new token was not taken either: %w: %w", err, driver.ErrUnauthorized)
		}
		return fmt.Errorf("%s: command %s: %w", d.address, command, err)
	}
}

func (d *V2) once(ctx context.Context, command string, parameters map[string]any) error {
	body := map[string]any{"cmd": command}
	for k, v := range parameters {
		body[k] = v
	}
	payload, err := d.token.seal(body)
	if err != nil {
		return err
	}
	r, err := d.exchange(ctx, payload)
	if err != nil || len(r.Object) == 0 && !r.Truncated {
		return err
	}
	enc := r.Text("enc")
	if enc == "" {
		s := r.Status()
		if s.Code == 23 || strings.Contains(s.Msg, "enc json") {
			// What we encrypt is JSON; that it came out as none means another key.
			return fmt.Errorf("code %d %q, the password is not the device's: %w", s.Code, s.Msg, driver.ErrUnauthorized)
		}
		return check(s)
	}
	plain, err := d.token.unseal(enc)
	if err != nil {
		return err
	}
	if r, err = rpc.Parse(plain); err != nil {
		return err
	}
	return check(r.Status())
}

// Apply sleeps, wakes, or sets the share of the power limit.
func (d *V2) Apply(ctx context.Context, s site.Setpoint) error {
	if s.Mode == site.ModeSleep {
		// Else the miner stops before it has answered.
		return d.write(ctx, "power_off", map[string]any{"respbefore": "true"})
	}
	if s.Power.OK && (d.noShare || d.api == 1) {
		return fmt.Errorf("%s: this firmware knows no power percentage: %w", d.address, driver.ErrUnsupported)
	}
	percent := 100
	if s.Power.OK {
		if !d.nameplate.OK {
			if _, err := d.summary(ctx); err != nil {
				return err
			}
		}
		var err error
		if percent, err = d.share(s.Power.V); err != nil {
			return err
		}
	}
	off := d.off()
	if !off.OK || !off.V && d.inForce(percent) { // also that nothing is to be done is worth a look
		st, err := d.ask(ctx, "status")
		if errors.Is(err, driver.ErrUnreachable) {
			return err
		}
		off = d.switched(st)
	}
	if !off.OK || off.V {
		if err := d.write(ctx, "power_on", nil); err != nil {
			return err
		}
		d.percent, d.hashing = site.Some(100), false // a start forgets the share
	}
	return d.setShare(ctx, percent)
}

// inForce says whether the share is known to be in force. A firmware that knows no share is
// at full power.
func (d *V2) inForce(percent int) bool {
	return d.percent.OK && d.percent.V == percent || percent == 100 && (d.noShare || d.api == 1)
}

// setShare sets the share unless it is known to be in force.
func (d *V2) setShare(ctx context.Context, percent int) error {
	if d.inForce(percent) {
		return nil
	}
	parameters := map[string]any{"percent": strconv.Itoa(percent)}
	err := d.write(ctx, "set_power_pct", parameters)
	if errors.Is(err, driver.ErrUnsupported) {
		err = d.write(ctx, "set_power_pct_v2", parameters)
		if d.noShare = errors.Is(err, driver.ErrUnsupported); d.noShare && percent == 100 {
			return nil
		}
	}
	if err == nil {
		d.told(percent)
	}
	return err
}

// SetPowerLimit sets the power limit in watts, for good. Most firmwares restart the miner
// for it: ten minutes of ramp. It blocks on the network.
func (d *V2) SetPowerLimit(ctx context.Context, p unit.Power) error {
	return d.write(ctx, "adjust_power_limit", map[string]any{"power_limit": strconv.FormatInt(int64(p/unit.Watt), 10)})
}

// Close has nothing to end.
func (d *V2) Close() error { return nil }

// ProbeV2 asks for the API's version, which only this maker's firmware has.
func ProbeV2(ctx context.Context, t driver.Target) (site.Identity, error) {
	d := OpenV2(t)
	d.identity = site.Identity{Make: maker}
	if err := d.who(ctx); err != nil {
		return site.Identity{}, err
	}
	return d.identity, nil
}
