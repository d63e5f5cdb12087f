package sealminer

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
var web = face.Web{Idle: 15 * time.Second, Requests: 100}

const (
	// maxBody bounds the body of a request, maxRequest an RPC request.
	maxBody    = 16 << 10
	maxRequest = 8 << 10
	// maxConns is how many connections the RPC port keeps.
	maxConns = 32
	// patience is how long an RPC connection may stay silent, machine time.
	patience = 10 * time.Second
	// maxSessions is how many are good at a time; the oldest goes first.
	maxSessions = 8
)

// Serve answers as the miner's firmware on the listeners "http" and "rpc"; either may be
// missing. It does not block. Close ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	for name := range listeners {
		if name != "http" && name != "rpc" {
			return nil, fmt.Errorf("serve sealminer: no port is called %q; there are http and rpc", name)
		}
	}
	d := &device{m: m, seed: fault.Hash(0x7365616c, m.ID()), mode: modeNormal}
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

	mu       sync.Mutex
	issued   uint64
	sessions []string
	mode     int
}

// object is a JSON object that is answered.
type object map[string]any

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
	b, err := json.Marshal(d.command(v, body))
	if err != nil {
		return // only maps, slices, texts and finite numbers come here
	}
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(append(b, '\n', 0)) // the client may be gone
}

// request is what a client may say to the RPC port.
type request struct {
	Command   string `json:"command"`
	Parameter string `json:"parameter"`
}

func parseRequest(body []byte) (request, error) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return q, fmt.Errorf("read request: %w", err)
	}
	return q, nil
}

func status(v plant.View, letter string, code int, msg string) []object {
	return []object{{"STATUS": letter, "When": v.At.Unix(), "Code": code, "Msg": msg, "Description": "bdminer 4.11.1"}}
}

// command answers one RPC command.
func (d *device) command(v plant.View, body []byte) object {
	q, err := parseRequest(body)
	if err != nil {
		return object{"STATUS": status(v, "E", 23, "Invalid JSON"), "id": 1}
	}
	switch q.Command {
	case "version":
		return object{"STATUS": status(v, "S", 22, "BDMiner versions"), "VERSION": []object{{"BDMiner": "4.11.1", "API": "3.7"}}, "id": 1}
	case "stats":
		return object{"STATUS": status(v, "S", 70, "BDMiner stats"), "STATS": []object{d.stats(v)}, "id": 1}
	case "summary":
		return object{"STATUS": status(v, "S", 11, "Summary"), "SUMMARY": []object{summary(v)}, "id": 1}
	case "pools":
		return object{"STATUS": status(v, "S", 7, "Pools"), "POOLS": pools(v), "id": 1}
	case "devdetails":
		return object{"STATUS": status(v, "S", 69, "Device Details"), "DEVDETAILS": []object{{"DEVDETAILS": 0, "Name": "A20", "ID": 0, "Model": v.Model.Name}}, "id": 1}
	case "ascset":
		return d.ascset(v, q.Parameter)
	case "restart":
		if !d.m.Refuses() {
			d.m.Wake()
		}
		return object{"STATUS": "RESTART"}
	}
	return object{"STATUS": status(v, "E", 14, "Invalid command"), "id": 1}
}

func (d *device) ascset(v plant.View, parameter string) object {
	switch {
	case d.m.Refuses():
		return object{"STATUS": status(v, "E", 120, "ASC 0 set failed: busy"), "id": 1}
	case parameter == "0,suspend":
		d.m.Sleep()
		return object{"STATUS": status(v, "S", 119, "ASC 0 set OK"), "id": 1}
	}
	return object{"STATUS": status(v, "E", 118, "ASC 0 set info: unknown option"), "id": 1}
}

// ServeHTTP answers one request of the web pages.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		d.forget()
		face.Vanish(w)
		return
	}
	name, in := strings.CutPrefix(r.URL.Path, "/cgi-bin/")
	name, is := strings.CutSuffix(name, ".php")
	if !in || !is {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	switch {
	case name == "login":
		d.login(w, body)
	case !d.good(r):
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><html><head><link rel="stylesheet" href="/assets/css/amazeui.min.css"></head><body>Login</body></html>`)
	default:
		d.page(w, name, body, v)
	}
}

func write(w http.ResponseWriter, o object) {
	b, err := json.Marshal(o)
	if err != nil { // only maps, slices, texts and finite numbers come here
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8") // the scripts never said what they print
	_, _ = w.Write(append(b, '\n'))                            // the client may be gone
}
