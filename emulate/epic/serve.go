package epic

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
	"switchyard/unit"
)

// web keeps connections as the firmware's server does.
var web = face.Web{Idle: 30 * time.Second}

// maxBody bounds the body of a request.
const maxBody = 16 << 10

// Serve answers as the miner's firmware on the listener "http". It does not block. Close
// ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l := listeners["http"]
	if l == nil || len(listeners) != 1 {
		return nil, errors.New(`serve epic: it listens on the port "http" and no other`)
	}
	d := &device{m: m, last: "autostart", algo: "Power", target: m.View().Model.Nameplate}
	return web.HTTP(l, d), nil
}

// device is one miner's firmware.
type device struct {
	m *plant.Miner

	mu     sync.Mutex
	last   string     // the last command
	algo   string     // of the perpetual tune
	target unit.Power // of the algorithm Power
	unique bool       // append an id to the worker's name
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
	switch r.Method + " " + r.URL.Path {
	case "GET /summary":
		write(w, d.summary(v))
	case "GET /capabilities":
		write(w, capabilities(v))
	case "GET /network":
		write(w, object{"dhcp": object{"address": v.IP, "netmask": "255.255.255.0", "gateway": "192.0.2.1", "dns": "192.0.2.1", "mac_address": strings.ToUpper(v.MAC)}})
	case "GET /hashrate":
		write(w, hashrate(v))
	case "GET /temps/chip":
		write(w, chipTemps(v))
	case "GET /perpetualtune":
		write(w, d.tune(v))
	default:
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		d.order(w, r, v)
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

// answer says what became of an order.
func answer(w http.ResponseWriter, err error) {
	if err != nil {
		write(w, object{"result": false, "error": err.Error()})
		return
	}
	write(w, object{"result": true, "error": nil})
}

// request is the body of an order.
type request struct {
	Param    json.RawMessage `json:"param"`
	Password string          `json:"password"`
}

func parseRequest(body []byte) (request, error) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return q, fmt.Errorf("bad request: %w", err)
	}
	return q, nil
}

// order carries out a POST.
func (d *device) order(w http.ResponseWriter, r *http.Request, v plant.View) {
	orders := map[string]func(json.RawMessage, plant.View) error{
		"/authenticate": func(json.RawMessage, plant.View) error { return nil },
		"/miner":        d.miner, "/perpetualtune/algo": d.setAlgo, "/coin": d.coin,
		"/identify": d.identify, "/password": d.password, "/reboot": nil,
	}
	do, known := orders[r.URL.Path]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	q, err := parseRequest(body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case !d.m.CheckPassword("", q.Password):
		answer(w, errors.New("Incorrect password")) //nolint:staticcheck // the device's words
	case r.URL.Path != "/authenticate" && d.m.Refuses():
		answer(w, errors.New("Miner is busy")) //nolint:staticcheck // the device's words
	case do == nil:
		answer(w, nil)
		d.m.Reboot()
	default:
		answer(w, do(q.Param, v))
	}
}

func (d *device) miner(param json.RawMessage, _ plant.View) error {
	var what string
	_ = json.Unmarshal(param, &what) // an empty word is refused below
	switch what {
	case "Stop":
		d.m.Sleep()
	case "Autostart":
		d.m.Wake()
	default:
		return errors.New("unknown state")
	}
	d.mu.Lock()
	d.last = strings.ToLower(what)
	d.mu.Unlock()
	return nil
}

func (d *device) setAlgo(param json.RawMessage, v plant.View) error {
	var p struct {
		Algo   string `json:"algo"`
		Target int64  `json:"target"`
	}
	if err := json.Unmarshal(param, &p); err != nil || p.Algo != "Power" && p.Algo != "ChipTune" {
		return errors.New("unknown algorithm")
	}
	lo, hi := watts(v)
	if p.Algo == "Power" && (p.Target < lo || p.Target > hi) {
		return fmt.Errorf("target must be within %d and %d", lo, hi)
	}
	d.mu.Lock()
	d.algo = p.Algo
	if p.Algo == "Power" {
		d.target = unit.Watts(float64(p.Target))
	}
	d.mu.Unlock()
	if p.Algo == "Power" {
		d.m.SetLimit(unit.Watts(float64(p.Target)))
	} else {
		d.m.SetLimit(0)
	}
	return nil
}

// watts is the range of the algorithm Power.
func watts(v plant.View) (lo, hi int64) {
	return int64(v.Model.MinWatts.Watts()), int64(v.Model.MaxWatts.Watts())
}

func (d *device) coin(param json.RawMessage, _ plant.View) error {
	var p struct {
		Coin    string `json:"coin"`
		Configs []struct {
			Pool  string `json:"pool"`
			Login string `json:"login"`
		} `json:"stratum_configs"`
		Unique bool `json:"unique_id"`
	}
	if err := json.Unmarshal(param, &p); err != nil || p.Coin != "BTC" || len(p.Configs) == 0 || len(p.Configs) > 3 {
		return errors.New("bad coin config")
	}
	var pools []plant.PoolView
	for _, c := range p.Configs {
		if !strings.Contains(c.Pool, "://") {
			return errors.New("pool is no uri")
		}
		pools = append(pools, plant.PoolView{URL: c.Pool, Worker: c.Login})
	}
	d.mu.Lock()
	d.unique = p.Unique
	d.mu.Unlock()
	d.m.SetPools(pools)
	return nil
}

func (d *device) identify(param json.RawMessage, _ plant.View) error {
	var on bool
	if err := json.Unmarshal(param, &on); err != nil {
		return errors.New("param is no bool")
	}
	d.m.SetLED(on)
	return nil
}

func (d *device) password(param json.RawMessage, _ plant.View) error {
	var p string
	if err := json.Unmarshal(param, &p); err != nil || p == "" {
		return errors.New("param is no password")
	}
	d.m.SetPassword(p)
	return nil
}
