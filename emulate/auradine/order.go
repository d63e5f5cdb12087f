package auradine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"switchyard/emulate/plant"
	"switchyard/unit"
)

// command is what a client may say, over HTTP or RPC.
type command struct {
	Command  string  `json:"command"`
	User     string  `json:"user"`
	Password string  `json:"password"`
	Old      string  `json:"old"`
	New      string  `json:"new"`
	Code     *int    `json:"code"`
	Mode     string  `json:"mode"`
	Sleep    string  `json:"sleep"`
	Tune     string  `json:"tune"`
	Power    float64 `json:"power"`
	Ths      float64 `json:"ths"`
	Pools    []struct {
		URL  string `json:"url"`
		User string `json:"user"`
	} `json:"pools"`
}

func parseCommand(body []byte) (command, error) {
	var c command
	if len(body) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("read command: %w", err)
	}
	return c, nil
}

// order carries out a POST.
func (d *device) order(w http.ResponseWriter, v plant.View, name string, c command) {
	orders := map[string]func(plant.View, command) error{
		"mode": d.setMode, "led": d.setLED, "updatepools": d.setPools, "password": d.setPassword, "restart": nil,
	}
	do, known := orders[name]
	switch {
	case !known:
		write(w, http.StatusNotFound, failed(v, 14, "Invalid command"))
		return
	case d.m.Refuses():
		write(w, http.StatusOK, failed(v, 541, "Miner is busy"))
		return
	case do == nil:
		write(w, http.StatusOK, done(v, 550, "Restarting", "", nil))
		d.m.Reboot()
		return
	}
	if err := do(v, c); err != nil {
		write(w, http.StatusOK, failed(v, 541, err.Error()))
		return
	}
	v = d.m.View()
	if name == "mode" {
		write(w, http.StatusOK, done(v, 540, "Operating mode", "Mode", d.modes(v)))
		return
	}
	write(w, http.StatusOK, done(v, 540, "OK", "", nil))
}

func (d *device) setMode(v plant.View, c command) error {
	switch c.Sleep {
	case "on":
		d.m.Sleep()
	case "off":
		d.m.Wake()
	case "":
	default:
		return errors.New("sleep is on or off")
	}
	shares := map[string]int{"eco": 75, "normal": 100, "turbo": 100}
	share, fixed := shares[c.Mode]
	watts := unit.Watts(c.Power)
	switch {
	case c.Mode == "":
		return nil
	case fixed:
		d.m.SetLimit(0)
		d.m.SetPercent(share)
	case c.Mode == "custom" && c.Tune == "power":
		if watts < v.Model.MinWatts || watts > v.Model.MaxWatts {
			return errors.New("power is out of range")
		}
		d.m.SetPercent(100)
		d.m.SetLimit(watts)
	case c.Mode == "custom" && c.Tune == "ths" && c.Ths > 0:
		d.m.SetLimit(0)
		d.m.SetPercent(int(100 * c.Ths / v.Model.Hashrate.TH()))
	default:
		return errors.New("no such mode")
	}
	d.mu.Lock()
	d.mode, d.ths = c.Mode, c.Tune == "ths"
	d.mu.Unlock()
	return nil
}

// The codes of the locating light.
const (
	codeNormal  = 2
	codeLocate  = 3
	codeStandby = 13
	codeBoard   = 10
)

func (d *device) setLED(_ plant.View, c command) error {
	if c.Code == nil {
		return errors.New("no code")
	}
	d.m.SetLED(*c.Code == codeLocate)
	return nil
}

func (d *device) setPools(_ plant.View, c command) error {
	if len(c.Pools) == 0 || len(c.Pools) > 3 {
		return errors.New("1 to 3 pools")
	}
	var all []plant.PoolView
	for _, p := range c.Pools {
		all = append(all, plant.PoolView{URL: p.URL, Worker: p.User})
	}
	d.m.SetPools(all)
	return nil
}

func (d *device) setPassword(_ plant.View, c command) error {
	if c.New == "" || !d.m.CheckPassword(c.User, c.Old) {
		return errors.New("old password is wrong")
	}
	d.m.SetPassword(c.New)
	d.forget()
	return nil
}
