package vnish

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchyard/emulate/plant"
	"switchyard/unit"
)

// tuningTime is how long a tuning cycle takes, device time.
const tuningTime = 10 * time.Minute

// preset is one operating point, as the list of presets tells it.
type preset struct {
	Name   string `json:"name"`
	Pretty string `json:"pretty"`
	Status string `json:"status"`
	Modded bool   `json:"modded_psu_required"`

	watts float64 // 0: "disabled", which is the stock clock
}

// disabled is the preset that leaves the machine at its stock clock.
const disabled = "disabled"

// factoryPresets are "disabled" and a ladder by watts, of which some are tuned.
func factoryPresets(m plant.Model) []preset {
	all := []preset{{Name: disabled, Pretty: "Disabled", Status: "untuned"}}
	for _, step := range []struct {
		share float64
		tuned bool
	}{{0.4, false}, {0.5, true}, {0.6, true}, {0.7, false}, {0.8, true}, {0.9, true}, {1, true}, {1.1, false}, {1.2, false}} {
		w := math.Floor(m.Nameplate.Watts()*step.share/10) * 10
		th := m.Hashrate.TH() * math.Pow(step.share, 0.85)
		p := preset{Name: strconv.Itoa(int(w)), Pretty: fmt.Sprintf("%.0f watt ~ %.0f TH", w, th), Status: "untuned", Modded: step.share > 1.15, watts: w}
		if step.tuned {
			p.Status = "tuned"
		}
		all = append(all, p)
	}
	return all
}

// choose makes a preset the one in force; false where there is none of that name.
func (d *device) choose(name string, at time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.presets {
		if p.Name != name {
			continue
		}
		d.current, d.tuning = name, time.Time{}
		if p.Status == "untuned" && p.watts > 0 {
			d.tuning = at.Add(tuningTime)
		}
		d.m.SetLimit(unit.Watts(p.watts))
		return true
	}
	return false
}

// finishTuning marks the preset in force as tuned once its cycle is over.
func (d *device) finishTuning(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tuning.IsZero() || at.Before(d.tuning) {
		return
	}
	d.tuning = time.Time{}
	for i := range d.presets {
		if d.presets[i].Name == d.current {
			d.presets[i].Status = "tuned"
		}
	}
}

// pool is a pool of the settings.
type pool struct {
	URL  string `json:"url"`
	User string `json:"user"`
	Pass string `json:"pass"`
}

// input is the part of the settings that the emulated device takes.
type input struct {
	Miner *struct {
		Overclock *struct {
			Preset *string `json:"preset"`
		} `json:"overclock"`
		Pools *[]pool `json:"pools"`
	} `json:"miner"`
	Password *struct {
		Current string `json:"current"`
		New     string `json:"pw"`
	} `json:"password"`
}

// parseSettings reads the body of a POST of the settings.
func parseSettings(body []byte) (input, error) {
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fmt.Errorf("read settings: %w", err)
	}
	if in.Miner != nil && in.Miner.Pools != nil && len(*in.Miner.Pools) > 3 {
		return in, fmt.Errorf("read settings: %d pools, at most 3", len(*in.Miner.Pools))
	}
	return in, nil
}

// setSettings stores what the settings name. As devices do, it says the same whether an
// unknown preset was named or not.
func (d *device) setSettings(w http.ResponseWriter, body []byte) {
	in, err := parseSettings(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if d.refused(w) {
		return
	}
	if p := in.Password; p != nil {
		if !d.m.CheckPassword("", p.Current) {
			fail(w, "Wrong password")
			return
		}
		d.m.SetPassword(p.New)
		d.mu.Lock()
		d.tokens = nil
		d.mu.Unlock()
	}
	if in.Miner != nil {
		if o := in.Miner.Overclock; o != nil && o.Preset != nil {
			d.choose(*o.Preset, d.m.Now())
		}
		if in.Miner.Pools != nil {
			d.setPools(*in.Miner.Pools)
		}
	}
	write(w, http.StatusOK, object{"restart_required": false, "reboot_required": false})
}

func (d *device) setPools(told []pool) {
	var all []plant.PoolView
	for _, p := range told {
		if p.URL == "" {
			continue
		}
		if !strings.Contains(p.URL, "://") {
			p.URL = "stratum+tcp://" + p.URL
		}
		all = append(all, plant.PoolView{URL: p.URL, Worker: p.User})
	}
	d.m.SetPools(all)
}

func (d *device) setThrottle(w http.ResponseWriter, body []byte) {
	var said struct {
		Percent int `json:"percent"`
	}
	if json.Unmarshal(body, &said) != nil || said.Percent < 20 || said.Percent > 100 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if d.refused(w) {
		return
	}
	d.mu.Lock()
	d.throttle = said.Percent
	d.mu.Unlock()
	d.m.SetPercent(said.Percent)
	write(w, http.StatusOK, object{"restart_required": false, "reboot_required": false})
}
