package auradine

import (
	"crypto/tls"
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
	// maxBody bounds the body of a request.
	maxBody = 16 << 10
	// maxRequest bounds an RPC request, maxConns the connections of its port.
	maxRequest = 8 << 10
	maxConns   = 32
	// patience is how long an RPC connection may stay silent, machine time.
	patience = 10 * time.Second
	// tokenLife is how long a token is good, device time.
	tokenLife = time.Hour
	// maxTokens is how many are good at a time; the oldest goes first.
	maxTokens = 8
)

// Serve answers as the miner's firmware on the listeners "https", "http" and "rpc"; any may
// be missing. It does not block. Close ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	d := &device{m: m, seed: fault.Hash(0x617572, m.ID()), mode: "normal"}
	var all face.Closers
	for name, l := range listeners {
		switch name {
		case "https":
			all = append(all, web.HTTP(tls.NewListener(l, selfSigned(m.View().Serial)), d))
		case "http":
			all = append(all, web.HTTP(l, d))
		case "rpc":
			all = append(all, face.TCP(l, maxConns, d.rpc))
		default:
			_ = all.Close() // the error below says enough
			return nil, fmt.Errorf("serve auradine: no port is called %q; there are https, http and rpc", name)
		}
	}
	return all, nil
}

// device is one miner's firmware.
type device struct {
	m    *plant.Miner
	seed uint64

	mu     sync.Mutex
	issued uint64
	tokens []token
	mode   string // "eco", "normal", "turbo" or "custom"
	ths    bool   // custom tunes to a hashrate, else to a power
}

type token struct {
	text string
	at   time.Time
}

// object is a JSON object that is answered.
type object map[string]any

// ServeHTTP answers one command.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		d.forget()
		face.Vanish(w)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		write(w, http.StatusRequestEntityTooLarge, failed(v, 23, "Request too large"))
		return
	}
	c, err := parseCommand(body)
	switch {
	case r.Method == http.MethodPost && err != nil:
		write(w, http.StatusBadRequest, failed(v, 23, "Invalid JSON"))
	case name == "token" && r.Method == http.MethodPost:
		d.login(w, v, c)
	case !d.good(r.Header.Get("Token"), v.At):
		write(w, http.StatusUnauthorized, failed(v, 45, "Invalid or expired token"))
	case r.Method == http.MethodPost:
		d.order(w, v, name, c)
	default:
		d.reading(w, v, name)
	}
}

func write(w http.ResponseWriter, code int, o object) {
	b, err := json.Marshal(o)
	if err != nil { // only maps, slices, texts and finite numbers come here
		code, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(b) // the client may be gone
}

func status(v plant.View, letter string, code int, msg string) []object {
	return []object{{"STATUS": letter, "When": v.At.Unix(), "Code": code, "Msg": msg, "Description": v.Firmware}}
}

func failed(v plant.View, code int, msg string) object {
	return object{"STATUS": status(v, "E", code, msg), "id": 1}
}

func done(v plant.View, code int, msg, key string, value any) object {
	o := object{"STATUS": status(v, "S", code, msg), "id": 1}
	if key != "" {
		o[key] = value
	}
	return o
}

func (d *device) login(w http.ResponseWriter, v plant.View, c command) {
	if c.User == "" || !d.m.CheckPassword(c.User, c.Password) {
		write(w, http.StatusUnauthorized, failed(v, 45, "Invalid user or password"))
		return
	}
	d.mu.Lock()
	d.issued++
	t := token{text: fmt.Sprintf("eyJ%016x", fault.Hash(d.seed+d.issued, "token")), at: v.At}
	d.tokens = append(d.tokens, t)
	d.tokens = d.tokens[max(0, len(d.tokens)-maxTokens):]
	d.mu.Unlock()
	write(w, http.StatusOK, done(v, 640, "Token", "Token", []object{{"Name": "Token", "When": v.At.Unix(), "Token": t.text}}))
}

func (d *device) good(text string, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tokens {
		if t.text == text && at.Sub(t.at) < tokenLife {
			return true
		}
	}
	return false
}

func (d *device) forget() {
	d.mu.Lock()
	d.tokens = nil
	d.mu.Unlock()
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
	o := failed(v, 23, "Invalid JSON")
	if q, err := parseCommand(body); err == nil {
		o = d.told(v, q.Command)
	}
	b, err := json.Marshal(o)
	if err != nil {
		return // only maps, slices, texts and finite numbers come here
	}
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return
	}
	_, _ = c.Write(b) // the client may be gone
}
