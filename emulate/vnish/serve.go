package vnish

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/site"
)

// web keeps connections as the firmware's server does.
var web = face.Web{Idle: 5 * time.Second}

const (
	// maxBody bounds the body of a request.
	maxBody = 16 << 10
	// maxSessions is how many tokens are good at a time; the oldest goes first.
	maxSessions = 8

	prefix = "/api/v1/"
)

// Serve answers as the miner's firmware on the listener "http". It does not block. Close
// ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["http"]
	if l == nil || len(listeners) != 1 {
		return nil, errors.New(`serve vnish: it listens on the port "http" and no other`)
	}
	return web.HTTP(l, newDevice(m)), nil
}

// device is one miner's firmware.
type device struct {
	m    *plant.Miner
	seed uint64

	mu       sync.Mutex
	tokens   []string
	issued   uint64
	presets  []preset
	current  string    // the preset's name
	tuning   time.Time // device time at which the tuning cycle ends; zero: none
	throttle int       // per cent of the preset's work
}

func newDevice(m *plant.Miner) *device {
	v := m.View()
	d := &device{m: m, seed: fault.Hash(0x766e6973, v.ID), presets: factoryPresets(v.Model), throttle: 100}
	for _, p := range d.presets {
		if p.watts > 0 && p.watts <= v.Model.Nameplate.Watts()+1 {
			d.current = p.Name
		}
	}
	return d
}

// object is a JSON object that is answered.
type object map[string]any

// ServeHTTP answers one request.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		d.mu.Lock()
		d.tokens = nil
		d.mu.Unlock()
		face.Vanish(w)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	d.finishTuning(v.At)
	switch r.Method + " " + path {
	case "POST unlock":
		d.unlock(w, body)
	case "GET info":
		write(w, http.StatusOK, info(v))
	case "GET model":
		write(w, http.StatusOK, modelInfo(v))
	case "GET summary":
		write(w, http.StatusOK, object{"miner": d.summary(v)})
	case "GET status":
		write(w, http.StatusOK, d.status(v, d.good(r)))
	case "GET perf-summary":
		write(w, http.StatusOK, d.perfSummary())
	case "POST find-miner":
		d.find(w, v, body)
	default:
		if !d.good(r) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		d.privileged(w, r.Method+" "+path, body, v)
	}
}

// privileged answers what needs a token.
func (d *device) privileged(w http.ResponseWriter, what string, body []byte, v plant.View) {
	switch what {
	case "GET autotune/presets":
		d.mu.Lock()
		all := append([]preset(nil), d.presets...)
		d.mu.Unlock()
		write(w, http.StatusOK, all)
	case "GET settings":
		write(w, http.StatusOK, d.settings(v))
	case "POST settings":
		d.setSettings(w, body)
	case "POST mining/stop", "POST mining/pause":
		d.mining(w, v, plant.ModeSleep)
	case "POST mining/start", "POST mining/resume":
		d.mining(w, v, plant.ModeRun)
	case "POST mining/throttle":
		d.setThrottle(w, body)
	case "POST system/reboot":
		if d.refused(w) {
			return
		}
		write(w, http.StatusOK, object{"after": 3})
		d.m.Reboot()
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func write(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // only maps, slices, texts and finite numbers come here
		code, b = http.StatusInternalServerError, []byte(`{"err":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(b) // the client may be gone
}

func fail(w http.ResponseWriter, text string) {
	write(w, http.StatusInternalServerError, object{"err": text})
}

// refused answers for a device that refuses.
func (d *device) refused(w http.ResponseWriter) bool {
	if !d.m.Refuses() {
		return false
	}
	fail(w, "CGMiner err: Cgminer error busy")
	return true
}

// good says whether the request bears a token, behind "Bearer" or not.
func (d *device) good(r *http.Request) bool {
	told := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.tokens {
		if told == t {
			return true
		}
	}
	return false
}

func (d *device) unlock(w http.ResponseWriter, body []byte) {
	var said struct {
		Password string `json:"pw"`
	}
	if json.Unmarshal(body, &said) != nil || !d.m.CheckPassword("", said.Password) {
		write(w, http.StatusForbidden, object{"unlock_timeout": nil})
		return
	}
	d.mu.Lock()
	d.issued++
	token := hex32(fault.Hash(d.seed+d.issued, "token"))
	d.tokens = append(d.tokens, token)
	d.tokens = d.tokens[max(0, len(d.tokens)-maxSessions):]
	d.mu.Unlock()
	write(w, http.StatusOK, object{"token": token})
}

// mining stops or starts, unless that is what it does already.
func (d *device) mining(w http.ResponseWriter, v plant.View, mode site.Mode) {
	if v.Mode == mode {
		word := "pause"
		if mode == plant.ModeRun {
			word = "resume"
		}
		fail(w, "CGMiner err: Cgminer error failed-to-activate-"+word+"-mode ")
		return
	}
	if d.refused(w) {
		return
	}
	if mode == plant.ModeSleep {
		d.m.Sleep()
	} else {
		d.m.Wake()
	}
	w.WriteHeader(http.StatusOK)
}

// find switches the locating light as told, or over where the request tells nothing.
func (d *device) find(w http.ResponseWriter, v plant.View, body []byte) {
	var said struct {
		On *bool `json:"on"`
	}
	on := !v.LED
	if json.Unmarshal(body, &said) == nil && said.On != nil {
		on = *said.On
	}
	d.m.SetLED(on)
	write(w, http.StatusOK, object{"on": on})
}
