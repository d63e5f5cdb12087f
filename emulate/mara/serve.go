package mara

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
)

// web keeps connections as the firmware's server does.
var web = face.Web{Idle: 30 * time.Second}

const (
	// maxBody bounds the body of a request, maxRequest an RPC request.
	maxBody    = 64 << 10
	maxRequest = 8 << 10
	// maxConns is how many connections the RPC port keeps.
	maxConns = 32
	// patience is how long an RPC connection may stay silent, machine time.
	patience = 10 * time.Second
	base     = "/kaonsu/v1/"
)

// Serve answers as the miner's firmware on the listeners "http" and "rpc"; either may be
// missing. It does not block. Close ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	for name := range listeners {
		if name != "http" && name != "rpc" {
			return nil, fmt.Errorf("serve mara: no port is called %q; there are http and rpc", name)
		}
	}
	d := &device{m: m, seed: fault.Hash(0x6d617261, m.ID()), work: workStock, tune: tunePower}
	var all face.Closers
	if l := listeners["http"]; l != nil {
		all = append(all, web.HTTP(l, d))
	}
	if l := listeners["rpc"]; l != nil {
		all = append(all, face.TCP(l, maxConns, d.rpc))
	}
	return all, nil
}

// device is one miner's firmware.
type device struct {
	m    *plant.Miner
	seed uint64

	mu     sync.Mutex
	work   string // the mode chosen last, but for sleep
	tune   string // what Auto tunes to
	target int    // W; 0: the model's nameplate
	// history is the log of changes of the mode, oldest first.
	history []object
}

// object is a JSON object that is answered.
type object map[string]any

// ServeHTTP answers one request.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		face.Vanish(w)
		return
	}
	if !d.proven(r.Header.Get("Authorization"), r.Method, r.URL.RequestURI(), v.At) {
		w.Header().Set("WWW-Authenticate", d.challenge(v.At))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, base)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	switch r.Method {
	case http.MethodGet:
		d.read(w, v, name, r.URL.Query().Get("type"))
	case http.MethodPost:
		d.order(w, v, name, body)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (d *device) read(w http.ResponseWriter, v plant.View, name, kind string) {
	switch name {
	case "brief":
		write(w, d.brief(v))
	case "overview":
		write(w, overview(v))
	case "hashboards":
		write(w, hashboards(v))
	case "fans":
		write(w, fans(v))
	case "pools":
		write(w, pools(v))
	case "miner_config":
		write(w, d.config(v))
	case "locate_miner":
		write(w, object{"blinking": v.LED})
	case "log":
		if kind != "miner_config_history" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		write(w, append([]object{}, d.history...))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (d *device) order(w http.ResponseWriter, v plant.View, name string, body []byte) {
	orders := map[string]func(plant.View, []byte) error{
		"miner_config": d.setConfig, "maintenance": d.maintain, "locate_miner": d.locate,
	}
	do, known := orders[name]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var err error = errBusy
	if !d.m.Refuses() {
		err = do(v, body)
	}
	switch {
	case err != nil:
		write(w, object{"error": true, "msg": err.Error()})
	case name == "locate_miner":
		write(w, object{"blinking": d.m.View().LED})
	default:
		write(w, object{"error": false, "msg": "success"})
	}
}

func write(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil { // only maps, slices, texts and finite numbers come here
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the client may be gone
}

// rpc answers one command of the RPC port; the connection ends with it.
func (d *device) rpc(c net.Conn) {
	body, err := face.ReadRequest(c, maxRequest, patience)
	if err != nil {
		return // nobody asked anything, or far too much
	}
	v := d.m.View()
	if v.Rebooting {
		return
	}
	b, err := json.Marshal(command(v, body))
	if err != nil {
		return // only maps, slices, texts and finite numbers come here
	}
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(append(b, '\n', 0)) // the client may be gone
}
