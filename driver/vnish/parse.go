package vnish

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

const (
	// most bounds the boards, fans and pools that are believed.
	most = 16
	// mostPresets bounds the presets.
	mostPresets = 64
	// mostJoules is more than a miner needs for a TH.
	mostJoules = 200
)

// info is what the page of that name tells.
type info struct {
	identity site.Identity
	scale    unit.Hashrate // of hr_realtime and its like; 0: not known
}

func parseInfo(o rpc.Object) (info, error) {
	var w info
	w.identity.Make, w.identity.Model = driver.SplitBrand(o.Text("miner", "model"))
	if w.identity.Model == "" || o.Text("fw_version") == "" {
		return info{}, fmt.Errorf("info names no miner or no firmware: %w", driver.ErrUnreachable)
	}
	if w.identity.Make == "" {
		w.identity.Make = "Antminer" // it runs on nothing else
	}
	w.identity.Firmware = strings.TrimSpace(o.Text("fw_name") + " " + o.Text("fw_version"))
	w.identity.MAC = o.Object("system").Object("network_status").Text("mac")
	if s := o.Text("serial"); !strings.EqualFold(s, "N/A") {
		w.identity.Serial = s
	}
	scale, ok := rpc.Unit(o.Text("hr_measure"))
	if !ok && bitcoin(o.Text("algorithm"), w.identity.Model) {
		scale = unit.GigaHash // the first versions, and some that say N/A
	}
	w.scale = scale
	return w, nil
}

// bitcoin says whether it hashes SHA-256: by the firmware's word, else by the model.
func bitcoin(algorithm, model string) bool {
	if algorithm != "" {
		return strings.EqualFold(algorithm, "sha256d")
	}
	m, ok := driver.FindModel(model)
	return ok && m.Algorithm == "sha256"
}

// fill writes what a summary and a status tell into s.
func fill(s *site.Sample, miner, status rpc.Object, scale unit.Hashrate) {
	s.Hashrate = rate(miner, scale, "hr_realtime")
	s.Power = power(miner)
	s.State = state(status.Text("miner_state"), s.Hashrate)
	if t := status.Float("miner_state_time"); s.State == site.StateHashing && t.OK && t.V > 0 && t.V < 1e9 {
		s.Uptime = site.Some(time.Duration(t.V * float64(time.Second)))
	}
	if strings.EqualFold(status.Text("miner_state"), "failure") {
		s.Faults = append(s.Faults, failure(status))
	}
	for _, c := range first(miner.Objects("chains")) {
		b, fault := board(c, scale)
		s.Boards = append(s.Boards, b)
		if fault != "" {
			s.Faults = append(s.Faults, fault)
		}
		if t := celsius(c.Float("inlet_water_temp")); t.OK && (!s.Intake.OK || t.V < s.Intake.V) {
			s.Intake = t
		}
	}
	for i, f := range first(miner.Object("cooling").Objects("fans")) {
		if rpm := f.Float("rpm"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
			s.Fans = append(s.Fans, int(math.Round(rpm.V)))
		}
		if strings.EqualFold(f.Text("status"), "lost") {
			s.Faults = append(s.Faults, "fan "+strconv.Itoa(i+1)+" lost")
		}
	}
	for _, p := range first(miner.Objects("pools")) {
		if kind := p.Text("pool_type"); kind != "" && kind != "UserPool" {
			continue // the developers' fee
		}
		if url := p.Text("url"); url != "" {
			s.Pools = append(s.Pools, site.Pool{URL: withScheme(url), Worker: p.Text("user"), Active: strings.EqualFold(p.Text("status"), "active")})
		}
	}
}

func first(all []rpc.Object) []rpc.Object { return all[:min(len(all), most)] }

// state joins what the firmware says with what it does: one that still hashes does not rest.
func state(word string, h site.Opt[unit.Hashrate]) site.State {
	hashes := h.OK && h.V > 0
	switch strings.ToLower(word) {
	case "failure", "failed", "broken":
		return site.StateFault
	case "initializing", "starting", "restarting":
		return site.StateStarting
	}
	if hashes {
		return site.StateHashing
	}
	switch strings.ToLower(word) {
	case "stopped", "paused", "idle", "shutting-down":
		return site.StateSleeping
	case "mining", "auto-tuning":
		if !h.OK {
			return site.StateHashing // by its own word: the rate is not told
		}
		return site.StateStarting
	}
	return site.StateUnknown
}

func failure(status rpc.Object) string {
	text := status.Text("description")
	if code := status.Text("failure_code"); code != "" {
		text = strings.TrimSpace(code + " " + text)
	}
	if text == "" {
		return "failure"
	}
	return text
}

func board(c rpc.Object, scale unit.Hashrate) (site.Board, string) {
	b := site.Board{
		Hashrate: rate(c, scale, "hashrate_rt", "hr_realtime"),
		ChipTemp: hottest(c, "chip_temp"), PCBTemp: hottest(c, "pcb_temp"),
	}
	if chips := c.Object("chip_statuses"); chips != nil {
		if n := chips.Int("red").Or(0) + chips.Int("orange").Or(0) + chips.Int("grey").Or(0); n > 0 && n < 10000 {
			b.Chips = site.Some(n)
		}
	}
	status := c.Object("status")
	b.Working = b.Hashrate.OK && b.Hashrate.V > 0
	switch word := strings.ToLower(status.Text("state")); word {
	case "failure", "disconnected":
		b.Working = false
		return b, strings.TrimSpace("board " + c.Text("id") + " " + word + ": " + status.Text("description", "failure_message"))
	case "disabled":
		b.Working = false
	}
	return b, ""
}

func rate(o rpc.Object, scale unit.Hashrate, keys ...string) site.Opt[unit.Hashrate] {
	f := o.Float(keys...)
	if !f.OK || f.V < 0 || f.V > 1e12 || scale == 0 {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(f.V) * scale)
}

// power is unknown at 0 W: a miner that answers draws some. power_usage held watts before
// 1.2 and J/TH after it, so it counts only where there is no power_consumption and only as what
// no miner needs for a TH.
func power(o rpc.Object) site.Opt[unit.Power] {
	w, least := o.Float("power_consumption"), 0.0
	if !w.OK {
		w, least = o.Float("power_usage"), mostJoules
	}
	if !w.OK || w.V <= least || w.V >= 1e5 {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(w.V))
}

// hottest is the range's upper end; the board's sensors one by one in 1.2's first versions.
func hottest(c rpc.Object, key string) site.Opt[float64] {
	if t := celsius(c.Object(key).Float("max")); t.OK {
		return t
	}
	var top site.Opt[float64]
	for _, s := range first(c.Objects(key + "_sens")) {
		if t := celsius(s.Float("temp")); t.OK && (!top.OK || t.V > top.V) {
			top = t
		}
	}
	return top
}

// celsius leaves out what a lost sensor says: 0, -1 and nonsense.
func celsius(t site.Opt[float64]) site.Opt[float64] {
	if !t.OK || t.V == 0 || t.V == -1 || t.V < -50 || t.V > 200 {
		return site.Opt[float64]{}
	}
	return t
}

const tcp = "stratum+tcp://"

// withScheme names the scheme that the firmware takes for granted.
func withScheme(url string) string {
	if strings.Contains(url, "://") {
		return url
	}
	return tcp + url
}

// preset is one operating point.
type preset struct {
	name, pretty string
	watts        unit.Power // 0: not named by watts
	tuned        bool
	modded       bool // needs a changed power supply
}

// parsePresets reads the list of presets, which some versions wrap into an object.
func parsePresets(body []byte) ([]preset, error) {
	if trimmed := strings.TrimLeft(string(body[:min(len(body), 16)]), " \t\r\n"); strings.HasPrefix(trimmed, "[") {
		body = slices.Concat([]byte(`{"presets":`), body, []byte("}"))
	}
	r, err := rpc.Parse(body)
	if err != nil {
		return nil, err
	}
	if _, ok := r.Get("presets"); !ok || r.Truncated {
		return nil, fmt.Errorf("no list of presets: %w", driver.ErrUnreachable)
	}
	all := []preset{}
	for _, o := range r.Objects("presets") {
		p := preset{name: o.Text("name"), pretty: o.Text("pretty"), tuned: strings.EqualFold(o.Text("status"), "tuned"), modded: o.Bool("modded_psu_required").Or(false)}
		if p.name == "" || len(all) == mostPresets {
			continue
		}
		p.watts = watts(p.name, p.pretty)
		all = append(all, p)
	}
	return all, nil
}

// watts reads "2600", else "2600 watt ~ 100 TH"; 0 where neither tells.
func watts(name, pretty string) unit.Power {
	f, err := strconv.ParseFloat(name, 64)
	if words := strings.Fields(pretty); err != nil && len(words) > 1 && strings.HasPrefix(strings.ToLower(words[1]), "w") {
		f, err = strconv.ParseFloat(words[0], 64)
	}
	if err != nil || !(f >= 1 && f < 1e5) {
		return 0
	}
	return unit.Watts(f)
}

func (p preset) profile() site.Profile {
	out := site.Profile{Name: p.name}
	if p.watts > 0 {
		out.Power = site.Some(p.watts)
	}
	if _, after, ok := strings.Cut(p.pretty, "~"); ok {
		if words := strings.Fields(after); len(words) == 2 {
			f, err := strconv.ParseFloat(words[0], 64)
			if scale, ok := rpc.Unit(words[1]); ok && err == nil && f > 0 && f < 1e9 {
				out.Hashrate = site.Some(unit.Hashrate(f) * scale)
			}
		}
	}
	return out
}
