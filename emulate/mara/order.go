package mara

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/unit"
)

// The modes, and what the mode Auto tunes to.
const (
	workStock = "Stock"
	workFixed = "Fixed"
	workAuto  = "Auto"
	workSleep = "Sleep"

	tunePower = "PowerTarget"
	tuneHash  = "Hashrate"
)

// most bounds the log of changes.
const most = 50

type fail string

func (f fail) Error() string { return string(f) }

const (
	errBusy     = fail("busy")
	errMode     = fail("invalid work mode")
	errTarget   = fail("power target is out of range")
	errPassword = fail("wrong password")
	errType     = fail("unknown type")
)

// config is what a client may post of the configuration.
type config struct {
	Mode *struct {
		Work     string `json:"work-mode-selector"`
		Concorde struct {
			Tune  string  `json:"mode-select"`
			Power float64 `json:"power-target"`
		} `json:"concorde"`
	} `json:"mode"`
	Pools []struct {
		URL  string `json:"url"`
		User string `json:"user"`
	} `json:"pools"`
}

func parseConfig(body []byte) (config, error) {
	var c config
	if err := json.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if c.Mode == nil {
		return c, errMode
	}
	return c, nil
}

// config answers the whole configuration, which is posted back whole.
func (d *device) config(v plant.View) object {
	d.mu.Lock()
	defer d.mu.Unlock()
	work := d.work
	if v.Mode == site.ModeSleep {
		work = workSleep
	}
	target := d.target
	if target == 0 {
		target = int(v.Model.Nameplate.Watts())
	}
	list := []object{}
	for _, p := range v.Pools {
		list = append(list, object{"url": p.URL, "user": p.Worker, "pass": "x", "gid": 0})
	}
	return object{
		"mode": object{
			"work-mode-selector": work,
			"concorde":           object{"mode-select": d.tune, "power-target": target, "hash-target": int(v.Model.Hashrate.TH())},
			"fixed":              object{"frequency": "500", "voltage": "1380"},
		},
		"pool-group":     []object{{"gid": 0, "alias": "", "percent": 100}},
		"pools":          list,
		"general-config": object{"environment-profile": "AirCooling"},
		"version":        "1.0.0",
	}
}

func (d *device) setConfig(v plant.View, body []byte) error {
	c, err := parseConfig(body)
	if err != nil {
		return err
	}
	work, tune, watts := c.Mode.Work, c.Mode.Concorde.Tune, unit.Watts(c.Mode.Concorde.Power)
	limit := unit.Power(0)
	switch {
	case work != workStock && work != workFixed && work != workAuto && work != workSleep:
		return errMode
	case work == workAuto && tune == tunePower:
		if watts < v.Model.MinWatts || watts > v.Model.MaxWatts {
			return errTarget
		}
		limit = watts
	case tune != tunePower && tune != tuneHash:
		return errMode
	}
	same := len(c.Pools) == len(v.Pools)
	list := make([]plant.PoolView, 0, len(c.Pools))
	for i, p := range c.Pools {
		list = append(list, plant.PoolView{URL: p.URL, Worker: p.User})
		same = same && p.URL == v.Pools[i].URL && p.User == v.Pools[i].Worker
	}
	if !same {
		d.m.SetPools(list)
	}
	d.note(v, work)
	d.mu.Lock()
	d.tune, d.target = tune, int(watts.Watts())
	if work != workSleep {
		d.work = work
	}
	d.mu.Unlock()
	if work == workSleep {
		d.m.Sleep()
		return nil
	}
	d.m.SetLimit(limit)
	d.m.Wake()
	return nil
}

// note writes a change of the mode into the log.
func (d *device) note(v plant.View, work string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.work
	if v.Mode == site.ModeSleep {
		was = workSleep
	}
	if was == work {
		return
	}
	d.history = append(d.history, object{strconv.FormatInt(v.At.Unix(), 10): []object{
		{"type": "update", "path": []string{"Mode", "WorkModeSelector"}, "from": was, "to": work},
	}})
	d.history = d.history[max(0, len(d.history)-most):]
}

func (d *device) maintain(_ plant.View, body []byte) error {
	var p struct {
		Type   string
		Params struct{ CurPwd, NewPwd, ConfirmPwd string }
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return errType
	}
	switch p.Type {
	case "reboot":
		d.m.Reboot()
	case "passwd":
		user, _ := d.m.Credentials()
		if !d.m.CheckPassword(user, p.Params.CurPwd) || p.Params.NewPwd == "" || p.Params.NewPwd != p.Params.ConfirmPwd {
			return errPassword
		}
		d.m.SetPassword(p.Params.NewPwd)
	default:
		return errType
	}
	return nil
}

func (d *device) locate(_ plant.View, body []byte) error {
	var p struct{ Blinking *bool }
	if err := json.Unmarshal(body, &p); err != nil || p.Blinking == nil {
		return errors.New("blinking is true or false")
	}
	d.m.SetLED(*p.Blinking)
	return nil
}
