package luxos

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
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
	maxJoined  = 16
	maxConns   = 32
	maxPools   = 16
	// patience is how long a connection may stay silent, machine time.
	patience = 10 * time.Second
	// life is how long a session lasts after its last use, device time.
	life = time.Minute
)

// The codes. Above 400: chosen.
const (
	codeInvalid = 14
	codeBadJSON = 23
	codeBusy    = 410
	codeSession = 411
	codeRefused = 412
)

// Serve answers as the miner's firmware on the listener "rpc". It does not block. Close ends
// all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["rpc"]
	if l == nil || len(listeners) != 1 {
		return nil, fmt.Errorf("serve luxos: it listens on the port %q and no other", "rpc")
	}
	return face.TCP(l, maxConns, newDevice(m).serve), nil
}

// device is the firmware of one miner.
type device struct {
	m    *plant.Miner
	seed uint64
	end  string // what replies end with

	mu       sync.Mutex
	made     uint64 // sessions so far
	id       string // of the session; empty: none
	used     time.Time
	profile  string
	atm      bool
	ceiling  string // the profile above which ATM does not go
	pools    []plant.PoolView
	nextPool int
}

func newDevice(m *plant.Miner) *device {
	seed := fault.Hash(0x6c7578, m.ID())
	d := &device{m: m, seed: seed, profile: defaultName, ceiling: defaultName, atm: seed>>9&1 == 1}
	if seed>>8&1 == 1 {
		d.end = "\x00"
	}
	return d
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
	reply, after := d.answer(v, body)
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(append(reply, d.end...)) // the client may be gone
	if after != nil {
		after()
	}
}

// request is what a client may say.
type request struct {
	Command   string `json:"command"`
	Parameter any    `json:"parameter"` // text; some clients send a bare number
}

// answer returns the reply and what is to be done once it is written, if anything.
func (d *device) answer(v plant.View, body []byte) ([]byte, func()) {
	var r request
	if len(body) > 0 && body[0] != '{' {
		return fmt.Appendf(nil, "STATUS=E,When=%d,Code=%d,Msg=Invalid command,Description=%s|", v.At.Unix(), codeInvalid, described(v)), nil
	}
	if json.Unmarshal(body, &r) != nil {
		return encode(fail(v, codeBadJSON, "Invalid JSON")), nil
	}
	names := strings.Split(r.Command, "+")
	if len(names) == 1 {
		var args []string
		if r.Parameter != nil {
			args = strings.Split(fmt.Sprint(r.Parameter), ",")
		}
		reply, after := d.command(v, r.Command, args)
		return encode(reply), after
	}
	if len(names) > maxJoined || r.Parameter != nil {
		return encode(fail(v, codeInvalid, "Invalid command")), nil
	}
	all := object{"id": 1}
	for _, name := range names { // joined commands have no parameters, so none writes
		part, _ := d.command(v, name, nil)
		delete(part, "id")
		all[name] = []object{part}
	}
	return encode(all), nil
}

// object is a JSON object; its keys are written in alphabetical order, as the firmware does.
type object map[string]any

func encode(o object) []byte {
	b, err := json.Marshal(o)
	if err != nil { // everything in it has a JSON form
		return []byte("{}")
	}
	return b
}

func described(v plant.View) string { return "LUXminer " + v.Firmware + "-57b389c7" }

func say(v plant.View, letter string, code int, msg string) object {
	return object{
		"STATUS": []object{{"Code": code, "Description": described(v), "Msg": msg, "STATUS": letter, "When": v.At.Unix()}},
		"id":     1,
	}
}

func fail(v plant.View, code int, msg string) object { return say(v, "E", code, msg) }

// done is a reply with one section.
func done(v plant.View, code int, msg, section string, content ...object) object {
	o := say(v, "S", code, msg)
	if content == nil {
		content = []object{}
	}
	o[section] = content
	return o
}
