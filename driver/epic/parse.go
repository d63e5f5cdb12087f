package epic

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

// most bounds the boards, fans and pools that are believed.
const most = 16

// parse reads a page; one that is a list becomes an object with the list as "list".
func parse(body []byte) (rpc.Object, error) {
	if start := strings.TrimLeft(string(body[:min(len(body), 16)]), " \t\r\n"); strings.HasPrefix(start, "[") {
		body = slices.Concat([]byte(`{"list":`), body, []byte("}"))
	}
	r, err := rpc.Parse(body)
	if err != nil {
		return nil, err
	}
	if r.Truncated {
		return nil, fmt.Errorf("cut short: %w", driver.ErrUnreachable)
	}
	return r.Object, nil
}

// able is what the page of capabilities tells.
type able struct {
	identity site.Identity // without MAC and firmware
	algo     string        // the algorithm that tunes to a power; empty if there is none
	watts    site.Opt[site.Range]
}

func parseAble(o rpc.Object) (able, error) {
	var a able
	name := o.Text("Model")
	if name == "" {
		return a, fmt.Errorf("capabilities name no model: %w", driver.ErrUnreachable)
	}
	a.identity.Make, a.identity.Model = driver.SplitBrand(name)
	if a.identity.Make == "" {
		a.identity.Make = "ePIC" // its own machines carry no other brand
	}
	if a.identity.Serial = o.Text("Miner Serial Number"); a.identity.Serial == "" {
		a.identity.Serial = o.Object("Control Board Version").Text("cpuSerial")
	}
	for _, p := range o.Objects("PerpetualTune") {
		algo := p.Text("algorithm")
		lo, hi := p.Float("min"), p.Float("max")
		if isPower(algo) && lo.OK && hi.OK && lo.V > 0 && lo.V <= hi.V && hi.V < 1e5 {
			a.algo = algo
			a.watts = site.Some(site.Range{Min: unit.Watts(lo.V), Max: unit.Watts(hi.V)})
		}
	}
	return a, nil
}

func isPower(algo string) bool { return strings.Contains(strings.ToLower(algo), "power") }

// tuning returns the power that the miner tunes to, and whether it tunes to a power at all.
func tuning(sum rpc.Object) (target site.Opt[unit.Power], toPower site.Opt[bool]) {
	tune := sum.Object("PerpetualTune")
	if running := tune.Bool("Running"); !running.OK || !running.V {
		return target, toPower
	}
	for _, m := range tune.Object("Algorithm") {
		stats, ok := m.Value.(rpc.Object)
		if !ok {
			continue
		}
		toPower = site.Some(isPower(m.Key))
		if w := stats.Float("Target"); toPower.V && w.OK && w.V > 0 && w.V < 1e5 {
			target = site.Some(unit.Watts(w.V))
		}
		break
	}
	return target, toPower
}

// fill writes what a summary tells into s; chips are the boards' hottest chips by index.
func fill(s *site.Sample, sum rpc.Object, chips map[int]float64) {
	s.Boards = boards(sum, chips)
	for _, b := range s.Boards {
		if b.Hashrate.OK {
			s.Hashrate = site.Some(s.Hashrate.V + b.Hashrate.V)
		}
	}
	status := sum.Object("Status")
	if !s.Hashrate.OK && strings.EqualFold(status.Text("Operating State"), "mining") { // the first versions tell no boards' rates
		if f := sum.Object("Session").Float("Average MHs"); f.OK && f.V > 0 && f.V < 1e13 {
			s.Hashrate = site.Some(unit.Hashrate(f.V) * unit.MegaHash)
		}
	}
	s.State = state(status, s.Hashrate)
	if w := sum.Object("Power Supply Stats").Float("Input Power"); w.OK && w.V > 0 && w.V < 1e5 {
		s.Power = site.Some(unit.Watts(w.V))
	}
	s.Target, _ = tuning(sum)
	if up := sum.Object("Session").Float("Uptime"); up.OK && up.V >= 0 && up.V < 1e9 {
		s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
	}
	s.Fans = fans(sum.Object("Fans Rpm"))
	stratum := sum.Object("Stratum")
	now := stratum.Int("Config Id")
	connected := stratum.Bool("IsPoolConnected").Or(false)
	for i, p := range sum.Objects("StratumConfigs") {
		if url := p.Text("pool"); url != "" && i < most {
			s.Pools = append(s.Pools, site.Pool{URL: url, Worker: p.Text("login"), Active: connected && now.OK && now.V == i})
		}
	}
	if e, ok := status.Get("Last Error"); ok {
		if text := describe(e); text != "" {
			s.Faults = append(s.Faults, text)
		}
	}
}

// boards are those that the firmware found, in the order of their places.
func boards(sum rpc.Object, chips map[int]float64) []site.Board {
	byIndex := map[int]site.Board{}
	for _, h := range sum.Objects("HBs") {
		i := h.Int("Index")
		if !i.OK || i.V < 0 || i.V >= most {
			continue
		}
		b := site.Board{Hashrate: first(h, "Hashrate"), PCBTemp: celsius(h.Float("Temperature"))}
		if t, ok := chips[i.V]; ok {
			b.ChipTemp = site.Some(t)
		}
		b.Working = b.Hashrate.OK && b.Hashrate.V > 0
		byIndex[i.V] = b
	}
	for _, h := range sum.Objects("HBStatus") {
		i := h.Int("Index")
		if !i.OK || i.V < 0 || i.V >= most || !h.Bool("Detected").Or(true) {
			continue
		}
		b := byIndex[i.V]
		b.Working = b.Working && h.Bool("Enabled").Or(true)
		byIndex[i.V] = b
	}
	var all []site.Board
	for i := range most {
		if b, ok := byIndex[i]; ok {
			all = append(all, b)
		}
	}
	return all
}

// first is the first of a list of figures: the hashrate in MH/s, before its shares.
func first(o rpc.Object, key string) site.Opt[unit.Hashrate] {
	v, _ := o.Get(key)
	if list, ok := v.(rpc.Array); ok && len(list) > 0 {
		if f, ok := rpc.Float(list[0]); ok && f >= 0 && f < 1e13 {
			return site.Some(unit.Hashrate(f) * unit.MegaHash)
		}
	}
	return site.Opt[unit.Hashrate]{}
}

func celsius(t site.Opt[float64]) site.Opt[float64] {
	if !t.OK || t.V == 0 || t.V == -1 || t.V < -50 || t.V > 200 {
		return site.Opt[float64]{}
	}
	return t
}

// parseChips reads the hottest chip of each board.
func parseChips(o rpc.Object) map[int]float64 {
	hottest := map[int]float64{}
	for _, b := range o.Objects("list") {
		i := b.Int("Index")
		v, _ := b.Get("Data")
		list, _ := v.(rpc.Array)
		if !i.OK || i.V < 0 || i.V >= most {
			continue
		}
		for _, e := range list {
			f, ok := rpc.Float(e)
			t := celsius(site.Opt[float64]{V: f, OK: ok})
			if old, seen := hottest[i.V]; t.OK && (!seen || t.V > old) {
				hottest[i.V] = t.V
			}
		}
	}
	return hottest
}

// fans reads "Fans Speed 1" and so on.
func fans(o rpc.Object) []int {
	var all []int
	for i := 1; i <= most; i++ {
		if rpm := o.Float("Fans Speed " + strconv.Itoa(i)); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
			all = append(all, int(math.Round(rpm.V)))
		}
	}
	return all
}

// state joins what the firmware says with what it does.
func state(status rpc.Object, h site.Opt[unit.Hashrate]) site.State {
	hashes := h.OK && h.V > 0
	failed := false
	if e, ok := status.Get("Last Error"); ok {
		failed = describe(e) != ""
	}
	stopped := strings.Contains(strings.ToLower(status.Text("Last Command")), "stop")
	switch word := strings.ToLower(status.Text("Operating State")); {
	case word == "idling" && failed && !stopped:
		return site.StateFault
	case hashes && (word == "mining" || word == "adjustingclockvoltage" || word == "stopping" || word == "idling"):
		return site.StateHashing
	case word == "idling", word == "stopping":
		return site.StateSleeping
	case word == "mining" && !h.OK:
		return site.StateHashing // by its own word: the rate is not told
	case word == "mining", word == "adjustingclockvoltage", word == "initializing", word == "loading",
		word == "preinitcooldown", word == "rebooting", word == "softrebooting", word == "testing", word == "updatingfirmware":
		return site.StateStarting
	case hashes:
		return site.StateHashing
	}
	return site.StateUnknown
}

// describe puts an error into words: it is a text, or an object whose key names it.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case rpc.Object:
		if len(v) > 0 {
			return strings.TrimSpace(v[0].Key + " " + values(v[0].Value, 0))
		}
	}
	return ""
}

// values writes an error's particulars, the first few of them.
func values(v any, depth int) string {
	switch v := v.(type) {
	case string:
		return v
	case rpc.Number:
		return string(v)
	case rpc.Array:
		var all []string
		for _, e := range v[:min(len(v), 8)] {
			if depth < 2 {
				all = append(all, values(e, depth+1))
			}
		}
		return strings.TrimSpace(strings.Join(all, " "))
	}
	return ""
}
