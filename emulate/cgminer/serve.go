package cgminer

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
)

const (
	// maxRequest bounds a request, maxJoined the commands in one, maxConns the connections.
	maxRequest = 8 << 10
	maxJoined  = 8
	maxConns   = 16
	maxPools   = 8
	// patience is how long a connection may stay silent, machine time.
	patience = 10 * time.Second
)

// Serve answers as the miner's firmware on the listener "rpc". It does not block. Close ends
// all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["rpc"]
	if l == nil || len(listeners) != 1 {
		return nil, fmt.Errorf("serve cgminer: it listens on the port %q and no other", "rpc")
	}
	return face.TCP(l, maxConns, newDevice(m).serve), nil
}

// device is the firmware of one miner.
type device struct {
	m          *plant.Miner
	privileged bool // its configuration grants writes
	texts      bool // a habit: hashrates of the last seconds are texts

	mu     sync.Mutex
	active int // the pool that was switched to
}

func newDevice(m *plant.Miner) *device {
	seed := fault.Hash(0x6267, m.ID())
	return &device{m: m, privileged: seed>>8&1 == 1, texts: seed>>9&1 == 1}
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
	reply := append(d.answer(v, body), 0)
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(reply) // the client may be gone
}

func (d *device) answer(v plant.View, body []byte) []byte {
	var r struct {
		Command   string `json:"command"`
		Parameter string `json:"parameter"`
	}
	if len(body) > 0 && body[0] != '{' {
		return fmt.Appendf(nil, "STATUS=E,When=%d,Code=14,Msg=Invalid command,Description=cgminer 4.9.0|", v.At.Unix())
	}
	if json.Unmarshal(body, &r) != nil {
		return status(v, "E", 23, "Invalid JSON", "")
	}
	names := strings.Split(r.Command, "+")
	if len(names) == 1 {
		return d.command(v, r.Command, r.Parameter)
	}
	b := []byte{'{'}
	seen := map[string]bool{}
	for _, name := range names[:min(len(names), maxJoined)] {
		if !seen[name] {
			seen[name] = true
			b = append(face.Quote(b, name), ":["...)
			b = append(append(b, d.command(v, name, "")...), "],"...)
		}
	}
	return append(b, `"id":1}`...)
}

// command answers one command.
func (d *device) command(v plant.View, name, parameter string) []byte {
	switch name {
	case "version":
		return status(v, "S", 22, "CGMiner versions", version(v))
	case "summary":
		return status(v, "S", 11, "Summary", d.summary(v))
	case "stats":
		return status(v, "S", 70, "CGMiner stats", d.stats(v))
	case "devs":
		return status(v, "S", 9, strconv.Itoa(len(v.Boards))+" ASC(s)", devs(v))
	case "pools":
		return status(v, "S", 7, strconv.Itoa(len(v.Pools))+" Pool(s)", d.pools(v))
	case "privileged", "addpool", "removepool", "switchpool", "save", "restart", "quit":
		if !d.privileged {
			return status(v, "E", 45, "Access denied to '"+name+"' command", "")
		}
		return d.write(v, name, parameter)
	}
	return status(v, "E", 14, "Invalid command", "")
}

func (d *device) write(v plant.View, name, parameter string) []byte {
	args := split(parameter)
	n, err := strconv.Atoi(args[0])
	known := err == nil && n >= 0 && n < len(v.Pools)
	switch {
	case name == "privileged":
		return status(v, "S", 46, "Privileged access OK", "")
	case d.m.Refuses():
		return status(v, "E", 69, "Refused", "")
	case name == "save":
		return status(v, "S", 44, "Configuration saved to file", "")
	case name == "addpool":
		if len(args) != 3 || len(v.Pools) >= maxPools {
			return status(v, "E", 53, "Missing addpool details", "")
		}
		d.m.SetPools(append(v.Pools, plant.PoolView{URL: args[0], Worker: args[1]}))
		return status(v, "S", 55, "Added pool "+strconv.Itoa(len(v.Pools)), "")
	case name == "switchpool" && known:
		d.mu.Lock()
		d.active = n
		d.mu.Unlock()
		return status(v, "S", 27, "Switching to pool "+args[0], "")
	case name == "removepool" && known:
		d.mu.Lock()
		defer d.mu.Unlock()
		if n == d.active {
			return status(v, "E", 67, "Cannot remove active pool "+args[0], "")
		}
		if n < d.active {
			d.active--
		}
		d.m.SetPools(append(v.Pools[:n:n], v.Pools[n+1:]...))
		return status(v, "S", 68, "Removed pool "+args[0], "")
	case name == "switchpool", name == "removepool":
		return status(v, "E", 26, "Invalid pool id", "")
	}
	return status(v, "S", 42, "Restart", "")
}

// split splits a parameter at its commas; a backslash takes the next letter as it is.
func split(s string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == ',':
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(out, b.String())
}

// status is a reply with what follows the status, if anything.
func status(v plant.View, letter string, code int, msg, rest string) []byte {
	b := fmt.Appendf(nil, `{"STATUS":[{"STATUS":"%s","When":%d,"Code":%d,"Msg":`, letter, v.At.Unix(), code)
	b = face.Quote(b, msg)
	return append(append(b, `,"Description":"cgminer 4.9.0"}],`+rest...), `"id":1}`...)
}
