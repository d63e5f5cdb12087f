package bitaxe

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
	"switchyard/emulate/plant"
)

var web = face.Web{Idle: 10 * time.Second}

// maxBody bounds the body of a request, as the firmware's scratch buffer does.
const maxBody = 10 << 10

// hello is how long the device says "Hi!" once it was told to.
const hello = 30 * time.Second

// Serve answers as the miner's firmware on the listener "http". It does not block. Close
// ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["http"]
	if l == nil || len(listeners) != 1 {
		return nil, errors.New(`serve bitaxe: it listens on the port "http" and no other`)
	}
	return web.HTTP(l, newDevice(m)), nil
}

// device is one miner's firmware.
type device struct {
	m      *plant.Miner
	chip   chip
	nerd   bool // its firmware is the NerdQAxe's
	pauses bool // it knows pause, resume and identify

	mu              sync.Mutex
	mhz, millivolts int
	hi              time.Time // device time until which it says "Hi!"
}

func newDevice(m *plant.Miner) *device {
	v := m.View()
	d := &device{m: m, chip: chipOf(v.Model.Name), nerd: strings.HasPrefix(v.Model.Name, "Nerd")}
	d.pauses = !d.nerd && pauses(v.Firmware)
	d.mhz, d.millivolts = d.chip.mhz, d.chip.millivolts
	return d
}

// pauses reads "v2.13.1".
func pauses(firmware string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(firmware, "v%d.%d", &major, &minor)
	return n == 2 && (major > 2 || major == 2 && minor >= 13)
}

// ServeHTTP answers one request.
func (d *device) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := d.m.View()
	if v.Rebooting {
		face.Vanish(w)
		return
	}
	if d.nerd {
		w.Header().Set("Connection", "close") // its sockets are few
	}
	switch call := r.Method + " " + r.URL.Path; {
	case call == "GET /api/system/info":
		write(w, d.info(v))
	case (d.pauses || d.nerd) && call == "GET /api/system/asic":
		write(w, d.asic(v))
	case call == "POST /api/system/restart":
		d.restart(w)
	case call == "PATCH /api/system":
		d.patch(w, r)
	case d.pauses && call == "POST /api/system/identify":
		d.identify(w, v)
	case d.pauses && call == "POST /api/system/pause":
		d.order(w, "Mining paused", d.m.Sleep)
	case d.pauses && call == "POST /api/system/resume":
		d.order(w, "Mining resumed", d.m.Wake)
	case r.Method == http.MethodGet: // as a captive portal has it
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "Redirect to the captive portal") // the client may be gone
	default:
		http.Error(w, "Nothing matches the given URI", http.StatusNotFound)
	}
}

func write(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client may be gone
}

// order carries out a command and answers with a message.
func (d *device) order(w http.ResponseWriter, message string, do func()) {
	if d.m.Refuses() {
		http.Error(w, "Wrong API input", http.StatusBadRequest)
		return
	}
	do()
	write(w, map[string]string{"message": message})
}

// restart forgets a pause: it lives in memory only.
func (d *device) restart(w http.ResponseWriter) {
	if d.pauses {
		d.order(w, "System will restart shortly.", func() {
			d.m.Wake()
			d.m.Reboot()
		})
		return
	}
	if d.m.Refuses() {
		http.Error(w, "Wrong API input", http.StatusBadRequest)
		return
	}
	d.m.Reboot()
	_, _ = io.WriteString(w, "System will restart shortly.") // the client may be gone
}

// identify begins to say "Hi!", or ends it.
func (d *device) identify(w http.ResponseWriter, v plant.View) {
	d.mu.Lock()
	defer d.mu.Unlock()
	on, message, until := true, `The device says "Hi!" for 30 seconds.`, v.At.Add(hello)
	if v.At.Before(d.hi) {
		on, message, until = false, `The device no longer says "Hi!".`, time.Time{}
	}
	d.order(w, message, func() {
		d.hi = until
		d.m.SetLED(on)
	})
}

// settings are those that a PATCH may hold and that matter here.
type settings struct {
	StratumURL, StratumUser                 *string
	FallbackStratumURL, FallbackStratumUser *string
	StratumPort, FallbackStratumPort        *int
	Frequency, CoreVoltage                  *float64
}

func (d *device) patch(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	var s settings
	if err != nil || len(body) > maxBody || parse(body, &s) != nil || d.m.Refuses() {
		http.Error(w, "Wrong API input", http.StatusBadRequest)
		return
	}
	d.setPools(s)
	d.mu.Lock()
	if s.Frequency != nil && *s.Frequency >= 1 {
		d.mhz = int(*s.Frequency)
	}
	if s.CoreVoltage != nil && *s.CoreVoltage >= 1 {
		d.millivolts = int(*s.CoreVoltage)
	}
	mhz := d.mhz
	d.mu.Unlock()
	if s.Frequency != nil {
		d.m.SetPercent(100 * mhz / d.chip.mhz)
	}
	if d.pauses {
		write(w, map[string]string{"status": "success"})
	}
}

// parse reads settings and says what is wrong with them, if anything.
func parse(body []byte, s *settings) error {
	if err := json.Unmarshal(body, s); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	for _, p := range []*int{s.StratumPort, s.FallbackStratumPort} {
		if p != nil && (*p < 1 || *p > 65535) {
			return fmt.Errorf("port %d", *p)
		}
	}
	return nil
}

// setPools takes over what the settings hold of the two pools.
func (d *device) setPools(s settings) {
	pools := d.m.View().Pools
	for len(pools) < 2 {
		pools = append(pools, plant.PoolView{})
	}
	changed := false
	for i, p := range []struct {
		url, user *string
		port      *int
	}{{s.StratumURL, s.StratumUser, s.StratumPort}, {s.FallbackStratumURL, s.FallbackStratumUser, s.FallbackStratumPort}} {
		host, port := split(pools[i].URL)
		if p.url != nil {
			host, _, changed = *p.url, 0, true
		}
		if p.port != nil {
			port, changed = *p.port, true
		}
		if p.user != nil {
			pools[i].Worker, changed = *p.user, true
		}
		if host == "" {
			pools[i].URL = ""
			continue
		}
		pools[i].URL = fmt.Sprintf("stratum+tcp://%s:%d", host, port)
	}
	if changed {
		d.m.SetPools(pools)
	}
}

// split cuts a pool's URL into the host and the port, which the firmware keeps apart.
func split(url string) (host string, port int) {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		rest = url
	}
	host, digits, _ := strings.Cut(rest, ":")
	if _, err := fmt.Sscanf(digits, "%d", &port); err != nil {
		port = 3333
	}
	return host, port
}
