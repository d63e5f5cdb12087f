package mara

import (
	"fmt"
	"math"
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
	// awakePower is what no sleeping miner draws.
	awakePower = 500 * unit.Watt
	// mostTH is the rate above which a number without a unit must be GH/s.
	mostTH = 5000
	// listKey is the key under which parse hands over a page that is a list.
	listKey = "list"
)

// parse reads a page. Some releases wrap the object in "data"; a page may be a list.
func parse(data []byte) (rpc.Object, error) {
	text := strings.TrimSpace(string(data))
	if strings.HasPrefix(text, "[") {
		text = `{"` + listKey + `":` + text + `}`
	}
	r, err := rpc.ParseText(text)
	if err == nil && r.Truncated {
		err = fmt.Errorf("cut short: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return nil, err
	}
	v, _ := r.Get("data")
	switch v := v.(type) {
	case rpc.Object:
		return v, nil
	case rpc.Array:
		return rpc.Object{{Key: listKey, Value: v}}, nil
	}
	return r.Object, nil
}

// restful is the mode that the log of changes says the miner had before it was last put to
// sleep; empty where the log has none. The newest change is last.
func restful(o rpc.Object) string {
	entries := o.Objects(listKey)
	for i := len(entries) - 1; i >= 0; i-- {
		for _, m := range entries[i] {
			changes := rpc.Object{m}.Objects(m.Key)
			for k := len(changes) - 1; k >= 0; k-- {
				if from := wentToSleep(changes[k]); from != "" {
					return from
				}
			}
		}
	}
	return ""
}

// wentToSleep returns the mode from which a change put the miner to sleep, if it is one.
func wentToSleep(change rpc.Object) string {
	v, _ := change.Get("path")
	path, _ := v.(rpc.Array)
	if len(path) != 2 || path[0] != any("Mode") || path[1] != any("WorkModeSelector") || change.Text("to") != workSleep {
		return ""
	}
	for _, work := range []string{workStock, workAuto, workFixed} {
		if change.Text("from") == work {
			return work
		}
	}
	return ""
}

// named says whether a text names the firmware.
func named(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "marafw") || strings.Contains(s, "kaonsu")
}

// version reads the RPC port's version.
func version(r rpc.Reply, host string) (site.Identity, error) {
	var v rpc.Object
	if list := r.Objects("VERSION"); len(list) > 0 {
		v = list[0]
	}
	firmware := v.Text("BMMiner", "Miner")
	if !named(firmware) && !named(r.Status().Description) {
		return site.Identity{}, fmt.Errorf("probe %s: not MARA's firmware: %w", host, driver.ErrUnsupported)
	}
	id := model(v.Text("Model", "Type"))
	id.Firmware = firmware
	return id, nil
}

func model(name string) site.Identity {
	brand, rest := driver.SplitBrand(name)
	return site.Identity{Make: brand, Model: rest}
}

func identity(o rpc.Object) site.Identity {
	id := model(o.Text("model", "model_extended"))
	id.Firmware, id.Serial, id.MAC = o.Text("version_firmware"), o.Text("serial_number"), o.Text("mac")
	return id
}

// rate reads a rate in the unit that stands beside it: of its own, or of all the page's. An
// unknown unit makes it unknown.
func rate(o rpc.Object, key string, without unit.Hashrate, common string) site.Opt[unit.Hashrate] {
	f := o.Float(key)
	if !f.OK || f.V < 0 || f.V > 1e12 {
		return site.Opt[unit.Hashrate]{}
	}
	name := o.Text(key+"_unit", common)
	u, ok := rpc.Unit(name)
	if name == "" {
		u, ok = without, true
		if u == unit.TeraHash && f.V >= mostTH {
			u = unit.GigaHash
		}
	}
	if !ok {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(f.V * float64(u)))
}

// fillBrief writes what the page brief tells into s.
func fillBrief(s *site.Sample, o rpc.Object) {
	for _, key := range []string{"hashrate_realtime", "hashrate_realtime_10m", "hashrate_average"} {
		if _, ok := o.Get(key); ok {
			s.Hashrate = rate(o, key, unit.TeraHash, "hashrate_unit")
			break
		}
	}
	if w := o.Float("power_consumption_estimated"); w.OK && w.V > 0 && w.V < 1e5 {
		s.Power = site.Some(unit.Watts(w.V))
	}
	if up := o.Float("elapsed"); up.OK && up.V > 0 && up.V < 1e9 {
		s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
	}
	s.State = state(o.Text("status"), s.Hashrate, s.Power)
	if s.State == site.StateFault {
		long := o.Text("status_long", "status")
		s.Faults = append(s.Faults, long)
	}
}

// state joins what the firmware says with what the miner does. Rates are means and may stay
// a while: a miner that says it rests does not while it draws the power of work.
func state(status string, h site.Opt[unit.Hashrate], p site.Opt[unit.Power]) site.State {
	word := strings.ToLower(status)
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(word, w) {
				return true
			}
		}
		return false
	}
	hashes := h.OK && h.V > 0
	switch {
	case says("sleep", "pause", "curtail", "stop", "idle", "suspend"):
		if hashes && p.OK && p.V > awakePower {
			return site.StateHashing
		}
		return site.StateSleeping
	case says("fail", "fatal", "critical"):
		return site.StateFault
	case hashes:
		return site.StateHashing
	case !h.OK:
		return site.StateUnknown
	}
	return site.StateStarting
}

// boards reads the boards and what is wrong with them.
func boards(o rpc.Object) ([]site.Board, []string) {
	var all []site.Board
	var wrong []string
	for i, row := range firstOf(o.Objects("hashboards"), most) {
		b := site.Board{
			Hashrate: rate(row, "hashrate_average", unit.GigaHash, "hashrate_unit"),
			PCBTemp:  hottest(row, "temperature_pcb"), ChipTemp: hottest(row, "temperature_chip"),
		}
		if chips := row.Int("asic_num"); chips.OK && chips.V >= 0 && chips.V < 10000 {
			b.Chips = site.Some(chips.V)
		}
		b.Working = b.Hashrate.OK && b.Hashrate.V > 0
		all = append(all, b)
		n := "board " + strconv.Itoa(i)
		if status := row.Text("status"); strings.Contains(strings.ToLower(status), "fail") {
			wrong = append(wrong, strings.TrimSpace(n+": "+status+" "+row.Text("description")))
		}
		if ideal := row.Int("asic_num_ideal"); ideal.OK && b.Chips.OK && b.Chips.V < ideal.V && ideal.V < 10000 {
			wrong = append(wrong, fmt.Sprintf("%s: %d of %d chips answer", n, b.Chips.V, ideal.V))
		}
	}
	return all, wrong
}

// hottest is the highest of the temperatures, which are a list, or an object of several.
func hottest(o rpc.Object, key string) site.Opt[float64] {
	var top site.Opt[float64]
	take := func(v any) {
		t, ok := rpc.Float(v)
		if ok && t > 0 && t < 200 && (!top.OK || t > top.V) {
			top = site.Some(t)
		}
	}
	switch v, _ := o.Get(key); v := v.(type) {
	case rpc.Array:
		for _, t := range v {
			take(t)
		}
	case rpc.Object:
		for _, m := range v {
			take(m.Value)
		}
	default:
		take(v)
	}
	return top
}

func fans(o rpc.Object) []int {
	var all []int
	for _, row := range firstOf(o.Objects("fans"), most) {
		if rpm := row.Float("current_speed", "rpm", "speed"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
			all = append(all, int(math.Round(rpm.V)))
		}
	}
	return all
}

// pools reads the pools; the active one is the first by priority of those that are alive.
func pools(o rpc.Object) []site.Pool {
	list := o.Objects(listKey)
	if list == nil {
		list = o.Objects("pools")
	}
	var all []site.Pool
	active, best := -1, 0
	for _, row := range firstOf(list, most) {
		url := row.Text("url")
		if url == "" {
			continue
		}
		if p := row.Int("priority").Or(len(all)); row.Text("status") == "Alive" && (active < 0 || p < best) {
			active, best = len(all), p
		}
		all = append(all, site.Pool{URL: url, Worker: row.Text("user")})
	}
	if active >= 0 {
		all[active].Active = true
	}
	return all
}

func firstOf(list []rpc.Object, n int) []rpc.Object { return list[:min(len(list), n)] }
