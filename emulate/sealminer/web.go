package sealminer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
)

// The firmware's numbers of its modes.
const (
	modeLow    = 0
	modeNormal = 2
	modeHigh   = 3
	modeCustom = 5
)

func (d *device) login(w http.ResponseWriter, body []byte) {
	form, err := url.ParseQuery(string(body))
	user := form.Get("username")
	if err != nil || user == "" || !d.m.CheckPassword(user, form.Get("origin_pwd")) {
		write(w, object{"state": 1, "msg": "username or password error"})
		return
	}
	d.mu.Lock()
	d.issued++
	id := fmt.Sprintf("%016x", fault.Hash(d.seed+d.issued, "session"))
	d.sessions = append(d.sessions, id)
	d.sessions = d.sessions[max(0, len(d.sessions)-maxSessions):]
	d.mu.Unlock()
	w.Header().Set("Set-Cookie", "PHPSESSID="+id+"; path=/")
	write(w, object{"state": 0, "msg": "success"})
}

// good says whether the request's cookie is that of a session.
func (d *device) good(r *http.Request) bool {
	c, err := r.Cookie("PHPSESSID")
	d.mu.Lock()
	defer d.mu.Unlock()
	return err == nil && slices.Contains(d.sessions, c.Value)
}

func (d *device) forget() {
	d.mu.Lock()
	d.sessions = nil
	d.mu.Unlock()
}

// page answers a request with a session.
func (d *device) page(w http.ResponseWriter, name string, body []byte, v plant.View) {
	pages := map[string]func([]byte) object{
		"mining_setting": d.setMining, "led_conf": d.setLED, "set_miner_poolconf": d.setPools, "update_passwd": d.setPassword,
		"set_mining_mode": d.setMode,
		"reboot": func([]byte) object {
			d.m.Reboot()
			return object{"result": 0}
		},
	}
	do, order := pages[name]
	switch {
	case name == "get_system_info":
		write(w, d.systemInfo(v))
	case name == "miner-psu-status":
		write(w, object{"Online": 1, "Power": int(v.Power.Watts()), "Voltage": 15.67, "Current": 206, "Temp": int(v.Intake), "StatusCode": "0x0000"})
	case !order:
		w.WriteHeader(http.StatusNotFound)
	case d.m.Refuses():
		write(w, object{"result": 1, "msg": "busy"})
	default:
		write(w, do(body))
	}
}

func (d *device) setMining(body []byte) object {
	var p struct {
		On *int `json:"params_data"`
	}
	if json.Unmarshal(body, &p) != nil || p.On == nil || *p.On < 0 || *p.On > 1 {
		return object{"result": 1}
	}
	if *p.On == 1 {
		d.m.Wake()
	} else {
		d.m.Sleep()
	}
	return object{"status": 0, "result": 0}
}

func (d *device) setLED(body []byte) object {
	var p struct{ Key, Value string }
	if json.Unmarshal(body, &p) != nil || p.Key != "led" {
		return object{"result": 1}
	}
	d.m.SetLED(p.Value == "on")
	return object{"result": 0}
}

func (d *device) setPools(body []byte) object {
	p, err := parsePools(body)
	if err != nil {
		return object{"result": false, "api": false, "fileWrite": false, "msg": "bad json"}
	}
	d.m.SetPools(p)
	return object{"result": true, "api": true, "fileWrite": true, "msg": "ok"}
}

// parsePools reads poolurl1, pooluser1 and so on; empty places are left out.
func parsePools(body []byte) ([]plant.PoolView, error) {
	var p map[string]string
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("read pools: %w", err)
	}
	var all []plant.PoolView
	for _, n := range []string{"1", "2", "3"} {
		if u := p["poolurl"+n]; u != "" {
			all = append(all, plant.PoolView{URL: u, Worker: p["pooluser"+n]})
		}
	}
	return all, nil
}

func (d *device) setPassword(body []byte) object {
	var p struct {
		User    string `json:"user_name"`
		Old     string `json:"origin_pwd"`
		New     string `json:"new_pwd"`
		Confirm string `json:"confirm_pwd"`
	}
	if json.Unmarshal(body, &p) != nil || p.New == "" || p.New != p.Confirm || !d.m.CheckPassword(p.User, p.Old) {
		return object{"result": 1, "msg": "password error"}
	}
	d.m.SetPassword(p.New)
	d.forget()
	return object{"result": 0}
}

func (d *device) setMode(body []byte) object {
	var p struct {
		Mode *int `json:"miningMode"`
	}
	shares := map[int]int{modeLow: 80, modeNormal: 100, modeHigh: 100}
	if json.Unmarshal(body, &p) != nil || p.Mode == nil {
		return object{"result": 1}
	}
	share, known := shares[*p.Mode]
	if !known {
		return object{"result": 1, "msg": "no such mode"}
	}
	d.m.SetPercent(share)
	d.mu.Lock()
	d.mode = *p.Mode
	d.mu.Unlock()
	return object{"result": 0}
}

func (d *device) systemInfo(v plant.View) object {
	d.mu.Lock()
	mode := d.mode
	d.mu.Unlock()
	led := "off"
	if v.LED {
		led = "on"
	}
	return object{
		"low_power": modeLow, "normal": modeNormal, "high_performance": modeHigh, "custom": modeCustom, "firmware_version": v.Firmware,
		"ctrl_version": "taurus_air_v1.1", "miner_type": v.Model.Name, "brand": "Sealminer", "psu_model": "boco_v2.0", "macaddr": v.MAC,
		"ipaddress": v.IP, "DHCP": "true", "miningMode": fmt.Sprint(mode), "nomalPowerRatio": nil, "ratedHashrate": 0, "crtl_sn": v.Serial,
		"systemTime": v.At.UTC().Format("Mon Jan _2 15:04:05 UTC 2006"), "upgrade_result": "0\n", "tuning_done": 0, "led": led,
	}
}

// modeName is the mode as the RPC port names it.
func (d *device) modeName() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return map[int]string{modeLow: "Low Power", modeNormal: "Normal", modeHigh: "High Performance"}[d.mode]
}

func liquid(v plant.View) bool { return strings.Contains(v.Model.Name, "Hyd") }
