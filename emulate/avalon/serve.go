package avalon

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

const (
	// maxRequest bounds a request, maxConns the connections: the firmware bears few.
	maxRequest = 8 << 10
	maxConns   = 16
	poolSlots  = 3
	// patience is how long a connection may stay silent, machine time.
	patience = 10 * time.Second
	// soon is how far ahead an order may be to be taken up at once, device time.
	soon = time.Minute
)

const (
	codeInvalid = 14
	codeInfo    = 118
	codeSet     = 119
	codeFailed  = 120
)

// Serve answers as the miner's firmware on the listener "rpc". It does not block. Close ends
// all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["rpc"]
	if l == nil || len(listeners) != 1 {
		return nil, fmt.Errorf("serve avalon: it listens on the port %q and no other", "rpc")
	}
	return face.TCP(l, maxConns, newDevice(m).serve), nil
}

// device is the firmware of one miner.
type device struct {
	m      *plant.Miner
	silent bool // a habit: a wake-up closes the connection without a word
	cold   bool // a habit: the clock was never set

	mu      sync.Mutex
	mode    int
	offAt   int64 // device clock, Unix seconds; of the last order
	pending func()
	due     int64            // when pending is to be done
	pools   []plant.PoolView // that count from the next start on; nil: none
}

func newDevice(m *plant.Miner) *device {
	seed := fault.Hash(0x6176616c, m.ID())
	d := &device{m: m, silent: seed>>8&1 == 1, cold: seed>>9&1 == 1}
	d.mode = len(modes(m.View().Model)) - 1
	return d
}

// clock is the device's, Unix seconds: one that was never set counts from its start.
func (d *device) clock(v plant.View) int64 {
	if d.cold {
		return int64(v.Uptime / time.Second)
	}
	return v.At.Unix()
}

// serve answers one request; the connection ends with it.
func (d *device) serve(c net.Conn) {
	body, err := face.ReadRequest(c, maxRequest, patience)
	if err != nil {
		return // nobody asked anything, or far too much
	}
	v := d.m.View()
	if v.Rebooting {
		return
	}
	d.tick(v)
	reply, after := d.answer(d.m.View(), body)
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	if reply != nil {
		_, _ = c.Write(append(reply, 0)) // the client may be gone
	}
	if after != nil {
		after()
	}
}

// tick carries out an order whose time has come.
func (d *device) tick(v plant.View) {
	d.mu.Lock()
	do := d.pending
	if do != nil && d.clock(v) < d.due {
		do = nil
	}
	if do != nil {
		d.pending = nil
	}
	d.mu.Unlock()
	if do != nil {
		do()
	}
}

// at orders do for a moment of the device's clock.
func (d *device) at(v plant.View, moment int64, do func()) {
	now := d.clock(v)
	d.mu.Lock()
	d.pending, d.due = nil, moment
	if moment > now+int64(soon/time.Second) {
		d.pending = do
		do = nil
	}
	d.mu.Unlock()
	if do != nil && moment > now { // one that has passed is ignored
		do()
	}
}

// answer returns the reply, nil for silence, and what is to be done once it is written.
func (d *device) answer(v plant.View, body []byte) ([]byte, func()) {
	var r struct {
		Command   string `json:"command"`
		Parameter string `json:"parameter"`
	}
	if len(body) > 0 && body[0] != '{' {
		return fmt.Appendf(nil, "STATUS=E,When=%d,Code=%d,Msg=Invalid command,Description=cgminer 4.11.1|", d.clock(v), codeInvalid), nil
	}
	if json.Unmarshal(body, &r) != nil {
		return d.say(v, "E", 23, "Invalid JSON", ""), nil
	}
	if reply := d.read(v, r.Command); reply != nil {
		return reply, nil
	}
	args := strings.Split(r.Parameter, ",")
	switch r.Command {
	case "ascset":
		if args[0] != "0" || len(args) < 2 {
			return d.say(v, "E", 107, "Invalid ASC id "+args[0]+" - range is 0 - 0", ""), nil
		}
		if args[1] != "help" && d.m.Refuses() {
			return d.say(v, "E", codeFailed, "ASC 0 set failed: busy", ""), nil
		}
		return d.ascset(v, args[1], args[2:])
	case "setpool":
		return d.setPool(v, args), nil
	case "restart":
		return d.say(v, "I", 42, "RESTART", ""), d.reboot
	}
	return d.say(v, "E", codeInvalid, "Invalid command", ""), nil
}

// orders are the options of ascset that it lists.
func orders(v plant.View) string {
	if home(v.Model) {
		return "help|voltage|fan-spd|lcd|hash-sn-read|workmode|worklevel|work_mode_lvl|reboot|softon|softoff|filter-clean|frequency|loop|password|qr_auth|time|"
	}
	return "help|hashpower|voltage|fan-spd|led|loop|hash-sn-read|workmode|worklevel|reboot|softon|softoff|frequency|password|target-temp|"
}

func (d *device) ascset(v plant.View, option string, args []string) ([]byte, func()) {
	info := func(s string) []byte { return d.say(v, "I", codeInfo, "ASC 0 set info: "+s, "") }
	set := d.say(v, "S", codeSet, "ASC 0 set OK", "")
	bad := d.say(v, "E", codeFailed, "ASC 0 set failed: invalid value", "")
	first := ""
	if len(args) > 0 {
		first = args[0]
	}
	if !strings.Contains("|"+orders(v), "|"+option+"|") {
		return d.say(v, "E", codeFailed, "ASC 0 set failed: Unknown option: "+option, ""), nil
	}
	switch option {
	case "help":
		return info(orders(v)), nil
	case "softoff", "softon":
		_, text, _ := strings.Cut(first, ":")
		moment, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !strings.HasPrefix(first, "1:") {
			return bad, nil
		}
		if option == "softoff" {
			d.mu.Lock()
			d.offAt = moment
			d.mu.Unlock()
			d.at(v, moment, d.m.Sleep)
			return info("success softoff:" + text), nil
		}
		d.at(v, moment, d.wake)
		if d.silent {
			return nil, nil
		}
		return info("success softon:" + text), nil
	case "workmode":
		if len(args) != 2 || first != "set" || !d.setMode(v, args[1]) {
			return bad, nil
		}
	case "led":
		if first != "1-1" && first != "1-0" {
			return bad, nil
		}
		d.m.SetLED(first == "1-1")
	case "password":
		if len(args) != 2 || !d.m.CheckPassword("", first) {
			return d.say(v, "E", codeFailed, "ASC 0 set failed: old password error", ""), nil
		}
		d.m.SetPassword(args[1])
		return info("success password"), nil
	case "reboot":
		return info("success reboot"), d.reboot
	}
	return set, nil
}

func (d *device) setMode(v plant.View, text string) bool {
	shares := modes(v.Model)
	mode, err := strconv.Atoi(text)
	if err != nil || mode < 0 || mode >= len(shares) {
		return false
	}
	d.mu.Lock()
	d.mode = mode
	d.mu.Unlock()
	d.m.SetLimit(limitOf(v.Model, mode))
	return true
}

// limitOf is what a mode draws.
func limitOf(m plant.Model, mode int) unit.Power {
	return unit.Watts(float64(int(m.Nameplate.Scale(modes(m)[mode]).Watts())))
}

// setPool keeps a pool for the next start. The password goes with it.
func (d *device) setPool(v plant.View, args []string) []byte {
	if len(args) != 6 {
		return d.say(v, "E", 124, "Missing setpool details", "")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil || n < 0 || n >= poolSlots {
		return d.say(v, "E", 26, "Invalid pool id", "")
	}
	if !d.m.CheckPassword("", args[1]) {
		return d.say(v, "E", 126, "Invalid user or password", "")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pools == nil {
		d.pools = append(d.pools, v.Pools...)
	}
	for len(d.pools) <= n {
		d.pools = append(d.pools, plant.PoolView{})
	}
	d.pools[n] = plant.PoolView{URL: args[3], Worker: args[4]}
	return d.say(v, "S", 125, "Set pool ok, it counts after a restart", "")
}

func (d *device) wake() {
	d.started()
	d.m.Wake()
}

func (d *device) reboot() {
	d.started()
	d.m.Reboot()
}

// started lets the pools count that were set before.
func (d *device) started() {
	d.mu.Lock()
	var pools []plant.PoolView
	for _, p := range d.pools {
		if p.URL != "" {
			pools = append(pools, p)
		}
	}
	d.pools = nil
	d.mu.Unlock()
	if pools != nil {
		d.m.SetPools(pools)
	}
}

// say is a reply with what follows the status, if anything.
func (d *device) say(v plant.View, letter string, code int, msg, rest string) []byte {
	b := fmt.Appendf(nil, `{"STATUS":[{"STATUS":"%s","When":%d,"Code":%d,"Msg":`, letter, d.clock(v), code)
	b = face.Quote(b, msg)
	return append(append(b, `,"Description":"cgminer 4.11.1"}],`+rest...), `"id":1}`...)
}
