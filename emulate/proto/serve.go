package proto

import (
	"encoding/json"
	"errors"
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
	"switchyard/unit"
)

var web = face.Web{Idle: 60 * time.Second}

// maxBody bounds the body of a request.
const maxBody = 16 << 10

// Serve answers as the rig's firmware on the listener "http". It does not block. Close ends
// all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["http"]
	if l == nil || len(listeners) != 1 {
		return nil, errors.New(`serve proto: it listens on the port "http" and no other`)
	}
	return web.HTTP(l, newDevice(m)), nil
}

// device is one rig's firmware.
type device struct {
	m *plant.Miner

	mu     sync.Mutex
	tokens tokens
}

func newDevice(m *plant.Miner) *device {
	return &device{m: m, tokens: tokens{seed: fault.Hash(0x70726f, m.ID())}}
}

const prefix = "/api/v1/"

// ServeHTTP answers one request.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		face.Vanish(w)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	call := r.Method + " " + path
	if !ok {
		say(w, http.StatusNotFound, "Not found")
		return
	}
	if reply, open := d.open(call, v); open {
		write(w, http.StatusOK, reply)
		return
	}
	switch call {
	case "POST auth/login", "POST auth/refresh":
		d.login(w, r, v, strings.TrimPrefix(path, "auth/"))
		return
	case "PUT auth/password":
		say(w, http.StatusForbidden, "Password is already set")
		return
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	d.mu.Lock()
	tokens := d.tokens
	d.mu.Unlock()
	if !bearer || !tokens.good("access", token, v.At) {
		say(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	if reply, known := d.read(call, r.URL.Query().Get("level"), v); known {
		write(w, http.StatusOK, reply)
		return
	}
	d.order(w, r, call, v)
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"Internal server error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

func say(w http.ResponseWriter, status int, message string) {
	write(w, status, map[string]string{"message": message})
}

// take reads a JSON body into v.
func take(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return parse(body, into)
}

func parse(body []byte, into any) error {
	if len(body) > maxBody {
		return face.ErrTooLong
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

// login answers with tokens: for the password both, for a refresh token an access token.
func (d *device) login(w http.ResponseWriter, r *http.Request, v plant.View, how string) {
	var p struct {
		Password     *string `json:"password"`
		RefreshToken *string `json:"refresh_token"`
	}
	if take(r, &p) != nil || how == "login" && p.Password == nil || how == "refresh" && p.RefreshToken == nil {
		say(w, http.StatusBadRequest, "Bad request")
		return
	}
	d.mu.Lock()
	tokens := d.tokens
	d.mu.Unlock()
	_, password := d.m.Credentials()
	switch {
	case password == "":
		say(w, http.StatusForbidden, "No password is set")
	case how == "login" && !d.m.CheckPassword("", *p.Password), how == "refresh" && !tokens.good("refresh", *p.RefreshToken, v.At):
		say(w, http.StatusUnauthorized, "Unauthorized")
	default:
		reply := map[string]string{"access_token": tokens.issue("access", v.At.Add(accessLife))}
		if how == "login" {
			reply["refresh_token"] = tokens.issue("refresh", v.At.Add(refreshLife))
		}
		write(w, http.StatusOK, reply)
	}
}

// order carries out what changes something.
func (d *device) order(w http.ResponseWriter, r *http.Request, call string, v plant.View) {
	var act func()
	switch call {
	case "POST mining/start":
		act = d.m.Wake
	case "POST mining/stop":
		act = d.m.Sleep
	case "POST system/reboot":
		act = d.m.Reboot
	case "POST system/locate":
		on := r.URL.Query().Get("enable") != "false"
		act = func() { d.m.SetLED(on) }
	case "PUT mining/target":
		d.setTarget(w, r, v)
		return
	case "POST pools":
		d.setPools(w, r)
		return
	case "PUT auth/change-password":
		d.setPassword(w, r)
		return
	default:
		say(w, http.StatusNotFound, "Not found")
		return
	}
	if d.m.Refuses() {
		say(w, http.StatusUnprocessableEntity, "Unprocessable entity")
		return
	}
	act()
	say(w, http.StatusAccepted, "Command accepted")
}

func (d *device) setTarget(w http.ResponseWriter, r *http.Request, v plant.View) {
	var p struct {
		Watts *int64 `json:"power_target_watts"`
	}
	low, high := bounds(v)
	switch err := take(r, &p); {
	case err != nil || p.Watts == nil:
		say(w, http.StatusBadRequest, "Bad request")
	case *p.Watts < low || *p.Watts > high || d.m.Refuses():
		say(w, http.StatusUnprocessableEntity, fmt.Sprintf("Power target must be between %d and %d", low, high))
	default:
		d.m.SetLimit(unit.Power(*p.Watts) * unit.Watt)
		write(w, http.StatusOK, target(d.m.View()))
	}
}

// maxPools is how many pools the firmware takes.
const maxPools = 3

func (d *device) setPools(w http.ResponseWriter, r *http.Request) {
	var p []struct {
		URL, Username string
		Priority      int
	}
	if take(r, &p) != nil || len(p) == 0 || len(p) > maxPools {
		say(w, http.StatusBadRequest, "Bad request")
		return
	}
	pools := make([]plant.PoolView, len(p))
	for i, one := range p {
		ok := strings.HasPrefix(one.URL, "stratum+tcp://") || strings.HasPrefix(one.URL, "stratum2+tcp://")
		if !ok || one.Priority < 0 || one.Priority >= len(p) || pools[one.Priority].URL != "" {
			say(w, http.StatusUnprocessableEntity, fmt.Sprintf("Pool %d is invalid", i))
			return
		}
		pools[one.Priority] = plant.PoolView{URL: one.URL, Worker: one.Username}
	}
	if d.m.Refuses() {
		say(w, http.StatusUnprocessableEntity, "Unprocessable entity")
		return
	}
	d.m.SetPools(pools)
	say(w, http.StatusOK, "Pools created")
}

func (d *device) setPassword(w http.ResponseWriter, r *http.Request) {
	var p struct {
		Current string `json:"current_password"`
		New     string `json:"new_password"`
	}
	switch {
	case take(r, &p) != nil || p.New == "":
		say(w, http.StatusBadRequest, "Bad request")
	case !d.m.CheckPassword("", p.Current):
		say(w, http.StatusUnauthorized, "Unauthorized")
	default:
		d.m.SetPassword(p.New)
		d.mu.Lock()
		d.tokens.epoch++
		d.mu.Unlock()
		say(w, http.StatusOK, "Password changed")
	}
}
