package braiins

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// web keeps connections as the firmware's server does.
var web = face.Web{Idle: 30 * time.Second}

// maxBody bounds the body of a request.
const maxBody = 4 << 10

// Serve answers as the miner's firmware on the listener "http". It does not block. Close
// ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["http"]
	if l == nil || len(listeners) != 1 {
		return nil, errors.New(`serve braiins: it listens on the port "http" and no other`)
	}
	return web.HTTP(l, newDevice(m)), nil
}

// device is one miner's firmware.
type device struct {
	m      *plant.Miner
	seed   uint64
	recent bool // 26 or newer

	sessions sessions
	mu       sync.Mutex
	stopped  bool // the mining program is not running; else it is paused at most
	locate   bool
}

func newDevice(m *plant.Miner) *device {
	seed := fault.Hash(0x627261, m.ID())
	return &device{m: m, seed: seed, recent: isRecent(m.View().Firmware), sessions: sessions{seed: seed}}
}

// isRecent reads the year of "2026-04-14-0-912d084c-26.04-plus".
func isRecent(firmware string) bool {
	year, err := strconv.Atoi(firmware[:min(4, len(firmware))])
	return err == nil && year >= 2026
}

const prefix = "/api/v1/"

// ServeHTTP answers one request.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		d.restarted()
		face.Vanish(w)
		return
	}
	w.Header().Set("Date", v.At.UTC().Format(http.TimeFormat)) // the device's clock, right or wrong
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	switch {
	case !ok:
		fail(w, http.StatusNotFound, "not found")
	case path == "auth/login":
		d.login(w, r, v)
	case path == "version" && r.Method == http.MethodGet:
		write(w, versionReply(d.recent))
	case !d.sessions.good(r.Header.Get("Authorization"), v.At):
		fail(w, http.StatusUnauthorized, "unauthorized")
	case r.Method == http.MethodGet:
		d.get(w, path, v)
	case r.Method == http.MethodPut:
		d.put(w, r, path, v)
	default:
		fail(w, http.StatusMethodNotAllowed, "method not allowed")
	}
}

func write(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(body) // the client may be gone
}

var jsonType = []string{"application/json"}

func fail(w http.ResponseWriter, status int, msg string) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(append(face.Quote([]byte(`{"message":`), msg), '}')) // the client may be gone
}

// read takes a JSON body into v and says what is wrong with it, if anything.
func read(r *http.Request, into any) error {
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

func (d *device) login(w http.ResponseWriter, r *http.Request, v plant.View) {
	if r.Method != http.MethodPost {
		fail(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	var p struct{ Username, Password *string }
	switch err := read(r, &p); {
	case err != nil || p.Username == nil || p.Password == nil:
		fail(w, http.StatusUnprocessableEntity, "username and password are required")
	case *p.Username == "" || !d.m.CheckPassword(*p.Username, *p.Password):
		fail(w, http.StatusUnauthorized, "invalid credentials")
	default:
		write(w, fmt.Appendf(nil, `{"token":"%s","timeout_s":%d}`, d.sessions.open(v.At), int(tokenIdle/time.Second)))
	}
}

func (d *device) get(w http.ResponseWriter, path string, v plant.View) {
	switch path {
	case "miner/details":
		write(w, d.details(v))
	case "miner/stats":
		write(w, d.stats(v))
	case "miner/hw/hashboards":
		write(w, d.hashboards(v))
	case "miner/errors":
		write(w, minerErrors(v))
	case "cooling/state":
		write(w, cooling(v))
	case "pools", "pools/":
		write(w, d.pools(v))
	case "network", "network/":
		write(w, network(v))
	case "performance/tuner-state":
		write(w, tunerState(v))
	case "performance/power-target":
		write(w, powerReply(target(v)))
	case "configuration/constraints":
		write(w, constraints(v))
	case "configuration/miner":
		write(w, configuration(v))
	case "actions/locate":
		d.mu.Lock()
		on := d.locate
		d.mu.Unlock()
		write(w, strconv.AppendBool(nil, on))
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

func (d *device) put(w http.ResponseWriter, r *http.Request, path string, v plant.View) {
	switch path {
	case "performance/power-target":
		d.setTarget(w, r, v)
	case "actions/locate":
		var on bool
		if read(r, &on) != nil {
			fail(w, http.StatusUnprocessableEntity, "a boolean is required")
			return
		}
		d.mu.Lock()
		d.locate = on
		d.mu.Unlock()
		write(w, strconv.AppendBool(nil, on))
	case "actions/pause", "actions/resume", "actions/stop", "actions/start", "actions/restart", "actions/reboot":
		if d.m.Refuses() {
			fail(w, http.StatusBadRequest, "failed precondition")
			return
		}
		d.action(w, strings.TrimPrefix(path, "actions/"), v)
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

func (d *device) setTarget(w http.ResponseWriter, r *http.Request, v plant.View) {
	var p struct {
		Watt *int64 `json:"watt"`
	}
	low, high := bounds(v)
	switch err := read(r, &p); {
	case err != nil || p.Watt == nil || *p.Watt < 0:
		fail(w, http.StatusUnprocessableEntity, "watt is required")
	case *p.Watt < low || *p.Watt > high:
		fail(w, http.StatusBadRequest, fmt.Sprintf("power target %d W is out of range %d W to %d W", *p.Watt, low, high))
	case d.m.Refuses():
		fail(w, http.StatusBadRequest, "failed precondition")
	default:
		d.m.SetLimit(unit.Power(*p.Watt) * unit.Watt)
		write(w, powerReply(*p.Watt))
	}
}

// action carries out one action. The reply says whether it was so already.
func (d *device) action(w http.ResponseWriter, name string, v plant.View) {
	d.mu.Lock()
	stopped := d.stopped
	d.mu.Unlock()
	asleep := v.Mode == plant.ModeSleep
	var already bool
	switch name {
	case "pause", "resume":
		if stopped {
			fail(w, http.StatusBadRequest, "bosminer is not running")
			return
		}
		already = asleep == (name == "pause")
	case "stop":
		already = stopped
	case "start":
		already = !stopped
	case "restart":
		write(w, strconv.AppendBool(nil, !stopped))
		return
	case "reboot":
		d.restarted()
		d.m.Reboot()
		w.WriteHeader(http.StatusNoContent)
		return
	}
	d.order(name, already)
	write(w, strconv.AppendBool(nil, already))
}

// restarted forgets what lives in memory only.
func (d *device) restarted() {
	d.sessions.forget()
	d.mu.Lock()
	d.stopped = false
	d.mu.Unlock()
}

func (d *device) order(name string, already bool) {
	if name == "stop" || name == "start" {
		d.mu.Lock()
		d.stopped = name == "stop"
		d.mu.Unlock()
	}
	switch {
	case already:
	case name == "pause" || name == "stop":
		d.m.Sleep()
	default:
		d.m.Wake()
	}
}
