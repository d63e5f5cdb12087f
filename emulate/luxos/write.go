package luxos

import (
	"fmt"
	"strconv"
	"strings"

	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// command answers one command; after is done once the reply is written.
func (d *device) command(v plant.View, name string, args []string) (reply object, after func()) {
	if reply := d.read(v, name); reply != nil {
		return reply, nil
	}
	switch name {
	case "logon":
		return d.logon(v), nil
	case "session":
		return done(v, 319, "Session information", "SESSION", object{"SessionID": d.active(v)}), nil
	case "kill":
		d.drop()
		return say(v, "S", 318, "Session killed"), nil
	case "addpool", "removepool", "switchpool", "enablepool", "disablepool":
		if d.m.Refuses() {
			return fail(v, codeRefused, "Command refused"), nil
		}
		return d.poolCommand(v, name, args), nil
	case "logoff", "curtail", "profileset", "atmset", "ledset", "rebootdevice", "resetminer":
	default:
		return fail(v, codeInvalid, "Invalid command"), nil
	}
	if len(args) == 0 || !d.use(v, args[0]) {
		return fail(v, codeSession, "Invalid session ID"), nil
	}
	if d.m.Refuses() {
		return fail(v, codeRefused, "Command refused"), nil
	}
	return d.write(v, name, args[1:])
}

// logon makes a session unless there is one.
func (d *device) logon(v plant.View) object {
	if d.active(v) != "" {
		return fail(v, codeBusy, "Another session is active")
	}
	d.mu.Lock()
	d.made++
	d.id, d.used = newID(fault.Hash(d.seed, strconv.FormatUint(d.made, 10))), v.At
	id := d.id
	d.mu.Unlock()
	return done(v, 316, "Session created", "SESSION", object{"SessionID": id})
}

// newID writes eight letters and digits, as the firmware does.
func newID(h uint64) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 8)
	for i := range b {
		b[i] = letters[h%uint64(len(letters))]
		h /= 13
	}
	return string(b)
}

// active returns the session that has not lapsed, or "".
func (d *device) active(v plant.View) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.id != "" && v.At.Sub(d.used) >= life {
		d.id = ""
	}
	return d.id
}

// use says whether id is the session's, and keeps it alive.
func (d *device) use(v plant.View, id string) bool {
	if id == "" || d.active(v) != id {
		return false
	}
	d.mu.Lock()
	d.used = v.At
	d.mu.Unlock()
	return true
}

func (d *device) drop() {
	d.mu.Lock()
	d.id = ""
	d.mu.Unlock()
}

// write carries out one command of the session's holder.
func (d *device) write(v plant.View, name string, args []string) (object, func()) {
	first := ""
	if len(args) > 0 {
		first = args[0]
	}
	switch name {
	case "logoff":
		d.drop()
		return say(v, "S", 317, "Session deleted"), nil
	case "curtail":
		switch first {
		case "sleep":
			d.m.Sleep()
			return done(v, 335, "Curtailment command sent", "CURTAIL", object{"Action": "sleep mode"}), nil
		case "wakeup":
			d.m.Wake()
			return done(v, 335, "Curtailment command sent", "CURTAIL", object{"Action": "wake up"}), nil
		}
	case "profileset":
		if p, ok := find(v.Model, first); ok {
			d.set(p)
			return done(v, 321, "Profile Set", "PROFILE", object{"Board": 0, "FrequencyStep": 5, "Profile": p.name, "VoltageStep": 0.05}), nil
		}
	case "atmset":
		if d.setATM(v, args) {
			return say(v, "S", 340, "ATM configuration set"), nil
		}
	case "ledset":
		if len(args) == 2 && (first == "red" || first == "green") && strings.Contains(" on off blink auto ", " "+args[1]+" ") {
			d.m.SetLED(args[1] == "blink")
			return say(v, "S", 332, "LED set"), nil
		}
	case "rebootdevice", "resetminer":
		d.drop()
		return say(v, "S", 336, "Reboot scheduled"), d.m.Reboot
	}
	return fail(v, codeRefused, "Invalid parameter"), nil
}

// set makes a profile the one in force.
func (d *device) set(p profile) {
	d.mu.Lock()
	d.profile = p.name
	d.mu.Unlock()
	d.m.SetLimit(unit.Watts(p.watts))
}

func (d *device) setATM(v plant.View, args []string) bool {
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		switch key {
		case "enabled":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return false
			}
			d.mu.Lock()
			d.atm = on
			d.mu.Unlock()
		case "max_profile":
			p, ok := find(v.Model, value)
			if !ok && value != "" {
				return false
			}
			d.mu.Lock()
			d.ceiling = p.name
			d.mu.Unlock()
		default:
			return false
		}
	}
	return len(args) > 0
}

// poolCommand changes the list of pools. Their numbers are their places.
func (d *device) poolCommand(v plant.View, name string, args []string) object {
	pools := d.poolList(v)
	if name == "addpool" {
		if len(args) < 2 || args[0] == "" || len(pools) >= maxPools {
			return fail(v, 53, "Missing addpool details")
		}
		d.setPools(append(pools, plant.PoolView{URL: args[0], Worker: args[1]}))
		return say(v, "S", 55, fmt.Sprintf("Added pool %d: '%s'", len(pools), args[0]))
	}
	n := -1
	if len(args) > 0 {
		if i, err := strconv.Atoi(args[0]); err == nil {
			n = i
		}
	}
	if n < 0 || n >= len(pools) {
		return fail(v, 26, "Invalid pool id")
	}
	p := pools[n]
	switch name {
	case "removepool":
		if len(pools) == 1 {
			return fail(v, 66, "Cannot remove last pool")
		}
		d.mu.Lock()
		if n < d.nextPool {
			d.nextPool--
		}
		d.mu.Unlock()
		d.setPools(append(pools[:n:n], pools[n+1:]...))
		return say(v, "S", 68, "Removed pool")
	case "switchpool":
		d.mu.Lock()
		d.nextPool = n
		d.mu.Unlock()
		return say(v, "S", 27, fmt.Sprintf("Switching to pool %d: '%s'", n, p.URL))
	}
	return say(v, "S", 47, "Pool changed")
}

// poolList returns the pools; the plant's until somebody changed them.
func (d *device) poolList(v plant.View) []plant.PoolView {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pools == nil {
		d.pools = append([]plant.PoolView(nil), v.Pools...)
	}
	return append([]plant.PoolView(nil), d.pools...)
}

func (d *device) setPools(pools []plant.PoolView) {
	d.mu.Lock()
	d.pools = append([]plant.PoolView(nil), pools...)
	d.nextPool = min(d.nextPool, len(pools)-1)
	d.mu.Unlock()
	d.m.SetPools(pools)
}
