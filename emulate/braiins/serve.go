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

// Serve answers as the miner's firmware on the listeners "http" and "grpc", or on one of
// them: firmware before 25.05 has gRPC alone. It does not block. Close ends all goroutines
// and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	d := newDevice(m)
	var all face.Closers
	for name, l := range listeners {
		switch name {
		case "http":
			all = append(all, web.HTTP(l, d))
		case "grpc":
			all = append(all, serveGRPC(d, l))
		default:
			return nil, errors.Join(fmt.Errorf("serve braiins: it has no port %q", name), all.Close())
		}
	}
	if len(all) == 0 {
		return nil, errors.New(`serve braiins: it listens on the ports "http", "grpc" or both`)
	}
	return all, nil
}

// device is one miner's firmware.
type device struct {
	m      *plant.Miner
	seed   uint64
	recent bool // 26 or newer

	sessions sessions
	mu       sync.Mutex
	stopped  bool   // the mining program is not running; else it is paused at most
	up, down uint32 // s: quick ramping as it was set; 0: it was not
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
		write(w, d.constraints(v))
	case "configuration/miner":
		write(w, d.configuration(v))
	case "actions/locate":
		write(w, strconv.AppendBool(nil, v.LED))
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
		d.m.SetLED(on)
		write(w, strconv.AppendBool(nil, on))
	case "auth/password":
		var p struct{ Password *string }
		if read(r, &p) != nil || p.Password == nil {
			fail(w, http.StatusBadRequest, "password is required")
			return
		}
		d.setPassword(*p.Password)
		w.WriteHeader(http.StatusNoContent)
	case "pools/batch":
		d.putPools(w, r)
	case "performance/quick-ramping":
		d.putRamping(w, r)
	case "actions/pause", "actions/resume", "actions/stop", "actions/start", "actions/restart", "actions/reboot":
		already, why := d.action(strings.TrimPrefix(path, "actions/"), v)
		switch {
		case why != "":
			fail(w, http.StatusBadRequest, why)
		case path == "actions/reboot":
			w.WriteHeader(http.StatusNoContent)
		default:
			write(w, strconv.AppendBool(nil, already))
		}
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

// setPassword changes the password, which ends all sessions.
func (d *device) setPassword(password string) {
	d.m.SetPassword(password)
	d.sessions.forget()
}

func (d *device) putPools(w http.ResponseWriter, r *http.Request) {
	var groups []struct {
		Name  string
		Pools []struct{ URL, User string }
	}
	if read(r, &groups) != nil {
		fail(w, http.StatusUnprocessableEntity, "a list of groups is required")
		return
	}
	var pools []plant.PoolView
	for _, g := range groups {
		for _, p := range g.Pools {
			pools = append(pools, plant.PoolView{URL: p.URL, Worker: p.User})
		}
	}
	if why := d.setPools(pools); why != "" {
		fail(w, http.StatusBadRequest, why)
		return
	}
	write(w, d.pools(d.m.View()))
}

// setPools replaces the pools, or says what is wrong with them.
func (d *device) setPools(pools []plant.PoolView) (why string) {
	if len(pools) == 0 {
		return "no pools"
	}
	for _, p := range pools {
		if !strings.Contains(p.URL, "://") {
			return "a pool's URL has no scheme"
		}
	}
	if d.m.Refuses() {
		return "failed precondition"
	}
	d.m.SetPools(pools)
	return ""
}

func (d *device) putRamping(w http.ResponseWriter, r *http.Request) {
	var p struct {
		Up   *uint32 `json:"up_s"`
		Down *uint32 `json:"down_s"`
	}
	if !d.recent {
		fail(w, http.StatusNotFound, "not found")
		return
	}
	if read(r, &p) != nil || p.Up == nil || p.Down == nil {
		fail(w, http.StatusUnprocessableEntity, "up_s and down_s are required")
		return
	}
	if why := d.setRamping(*p.Up, *p.Down); why != "" {
		fail(w, http.StatusBadRequest, why)
		return
	}
	write(w, fmt.Appendf(nil, `{"up_s":%d,"down_s":%d}`, *p.Up, *p.Down))
}

// setRamping keeps the times of quick ramping, or says what is wrong with them.
func (d *device) setRamping(up, down uint32) (why string) {
	for _, s := range []uint32{up, down} {
		if s < rampLeast || s > rampMost {
			return fmt.Sprintf("quick ramping time %d s is out of range %d s to %d s", s, rampLeast, rampMost)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up, d.down = up, down
	return ""
}

func (d *device) setTarget(w http.ResponseWriter, r *http.Request, v plant.View) {
	var p struct {
		Watt *int64 `json:"watt"`
	}
	if err := read(r, &p); err != nil || p.Watt == nil || *p.Watt < 0 {
		fail(w, http.StatusUnprocessableEntity, "watt is required")
		return
	}
	if why := d.limit(*p.Watt, v); why != "" {
		fail(w, http.StatusBadRequest, why)
		return
	}
	write(w, powerReply(*p.Watt))
}

// limit sets the power target, or says what is wrong with it.
func (d *device) limit(watts int64, v plant.View) (why string) {
	low, high := bounds(v)
	switch {
	case watts < low || watts > high:
		return fmt.Sprintf("power target %d W is out of range %d W to %d W", watts, low, high)
	case d.m.Refuses():
		return "failed precondition"
	}
	d.m.SetLimit(unit.Power(watts) * unit.Watt)
	return ""
}

// action carries out one action. already says that it was so before; why it is refused is
// empty where it is not.
func (d *device) action(name string, v plant.View) (already bool, why string) {
	d.mu.Lock()
	stopped := d.stopped
	d.mu.Unlock()
	asleep := v.Mode == plant.ModeSleep
	if d.m.Refuses() {
		return false, "failed precondition"
	}
	switch name {
	case "pause", "resume":
		if stopped {
			return false, "bosminer is not running"
		}
		already = asleep == (name == "pause")
	case "stop":
		already = stopped
	case "start":
		already = !stopped
	case "restart":
		return !stopped, ""
	case "reboot":
		d.restarted()
		d.m.Reboot()
		return false, ""
	}
	d.order(name, already)
	return already, ""
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
