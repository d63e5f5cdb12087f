package proto

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// parse reads a page; a cut one is an error.
func parse(page string, body []byte) (rpc.Object, error) {
	r, err := rpc.Parse(body)
	if err == nil && r.Truncated {
		err = fmt.Errorf("the reply is cut: %w", driver.ErrUnreachable)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", page, err)
	}
	return r.Object, nil
}

// identity reads the page system.
func identity(o rpc.Object) (site.Identity, error) {
	s := o.Object("system-info")
	maker, model := s.Text("manufacturer"), s.Text("model")
	if product := s.Text("product_name"); model == "" {
		model = product
	}
	if rest, ok := strings.CutPrefix(model, "Proto "); ok {
		model = rest
		if maker == "" {
			maker = "Proto"
		}
	}
	if !strings.EqualFold(maker, "Proto") || model == "" {
		return site.Identity{}, fmt.Errorf("system names no Proto rig: %w", driver.ErrUnreachable)
	}
	return site.Identity{Make: "Proto", Model: model, Firmware: s.Object("os").Text("version"), Serial: s.Text("cb_sn")}, nil
}

// statusOf is the state that the rig says it is in.
func statusOf(status string) site.State {
	switch strings.ToLower(status) {
	case "mining", "degradedmining":
		return site.StateHashing
	case "poweringon", "uninitialized":
		return site.StateStarting
	case "poweringoff", "stopped", "curtailed":
		return site.StateSleeping
	case "error", "nopools":
		return site.StateFault
	}
	return site.StateUnknown
}

// sample joins the page mining with the telemetry.
func sample(status, tel rpc.Object) site.Sample {
	miner := tel.Object("miner")
	s := site.Sample{
		Hashrate: rate(miner.Object("hashrate")), Power: power(miner.Object("power"), "value"),
		Target: watts(status.Float("power_target_watts")), State: statusOf(status.Text("status")),
	}
	if !s.Power.OK {
		s.Power = inputs(tel.Objects("psus"))
	}
	if !s.Power.OK {
		s.Power = watts(status.Float("power_usage_watts"))
	}
	if ghs := status.Float("hashrate_ghs"); !s.Hashrate.OK && ghs.OK && ghs.V >= 0 {
		s.Hashrate = site.Some(unit.Hashrate(ghs.V) * unit.GigaHash)
	}
	for _, k := range []string{"mining_uptime_s", "reboot_uptime_s"} {
		if up := status.Float(k); !s.Uptime.OK && up.OK && up.V > 0 && up.V < 1e9 {
			s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
		}
	}
	// Its word is no confirmation, and mining without hashing is not yet mining.
	switch hashing := s.Hashrate.OK && s.Hashrate.V > 0; {
	case hashing && s.State != site.StateUnknown:
		s.State = site.StateHashing
	case s.State == site.StateHashing && s.Hashrate.OK:
		s.State = site.StateStarting
	}
	return s
}

// watts is a power above 0: a rig that answers draws some.
func watts(w site.Opt[float64]) site.Opt[unit.Power] {
	if !w.OK || !(w.V > 0 && w.V < 1e6) {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(w.V))
}

// power reads a figure with its unit beside it.
func power(o rpc.Object, key string) site.Opt[unit.Power] {
	w := o.Float(key)
	switch o.Text("unit") {
	case "W":
	case "kW":
		w.V *= 1000
	default:
		return site.Opt[unit.Power]{}
	}
	return watts(w)
}

// inputs sums what the power supplies take in; one that does not tell spoils the sum.
func inputs(psus []rpc.Object) site.Opt[unit.Power] {
	var sum unit.Power
	for _, p := range psus {
		in := power(p.Object("power"), "input")
		if !in.OK {
			return in
		}
		sum += in.V
	}
	if sum <= 0 {
		return site.Opt[unit.Power]{}
	}
	return site.Some(sum)
}

func rate(o rpc.Object) site.Opt[unit.Hashrate] {
	h := o.Float("value")
	scale, ok := rpc.Unit(o.Text("unit"))
	if !h.OK || !ok || !(h.V >= 0 && h.V < 1e12) {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(h.V) * scale)
}

// celsius bounds a temperature; a sensor that is missing says 0 or nonsense.
func celsius(c site.Opt[float64]) site.Opt[float64] {
	if !c.OK || c.V == 0 || c.V == -1 || c.V < -50 || c.V > 200 {
		return site.Opt[float64]{}
	}
	return c
}

// maxBoards bounds how many boards and fans a rig may tell of.
const maxBoards = 32

// boards reads the telemetry's boards; intake is the coolest of their inlets.
func boards(tel rpc.Object, chips map[string]int) (all []site.Board, intake site.Opt[float64]) {
	list := tel.Objects("hashboards")
	for _, b := range list[:min(len(list), maxBoards)] {
		temp := b.Object("temperature")
		out := site.Board{Hashrate: rate(b.Object("hashrate"))}
		for _, k := range []string{"outlet", "average"} {
			if c := celsius(temp.Float(k)); c.OK && (!out.PCBTemp.OK || c.V > out.PCBTemp.V) {
				out.PCBTemp = c
			}
		}
		v, _ := b.Object("asics").Object("temperature").Get("values")
		values, _ := v.(rpc.Array)
		for _, e := range values {
			f, ok := rpc.Float(e)
			if c := celsius(site.Opt[float64]{V: f, OK: ok}); c.OK && (!out.ChipTemp.OK || c.V > out.ChipTemp.V) {
				out.ChipTemp = c
			}
		}
		if n, ok := chips[b.Text("serial_number")]; ok {
			out.Chips = site.Some(n)
		}
		out.Working = out.Hashrate.OK && out.Hashrate.V > 0
		if in := celsius(temp.Float("inlet")); in.OK && (!intake.OK || in.V < intake.V) {
			intake = in
		}
		all = append(all, out)
	}
	return all, intake
}

// chips reads from the page hardware how many chips each board has.
func chips(o rpc.Object) map[string]int {
	all := map[string]int{}
	list := o.Object("hardware-info").Objects("hashboards-info")
	for _, b := range list[:min(len(list), maxBoards)] {
		if n := b.Int("mining_asic_count"); n.OK && n.V >= 0 && n.V < 1e4 && b.Text("hb_sn") != "" {
			all[b.Text("hb_sn")] = n.V
		}
	}
	return all
}

func fans(o rpc.Object) []int {
	var all []int
	list := o.Object("cooling-status").Objects("fans")
	for _, f := range list[:min(len(list), maxBoards)] {
		if rpm := f.Float("rpm"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
			all = append(all, int(math.Round(rpm.V)))
		}
	}
	return all
}

func pools(o rpc.Object) []site.Pool {
	var all []site.Pool
	list := o.Objects("pools")
	for _, p := range list[:min(len(list), maxBoards)] {
		all = append(all, site.Pool{URL: p.Text("url"), Worker: p.Text("user", "username"), Active: strings.EqualFold(p.Text("status"), "Active")})
	}
	return all
}

// targets reads the bounds and the default of the power target.
func targets(o rpc.Object) (r site.Opt[site.Range], full site.Opt[unit.Power]) {
	low, high := watts(o.Float("power_target_min_watts")), watts(o.Float("power_target_max_watts"))
	if low.OK && high.OK && low.V <= high.V {
		r = site.Some(site.Range{Min: low.V, Max: high.V})
	}
	full = watts(o.Float("default_power_target_watts"))
	if !full.OK {
		full = high
	}
	return r, full
}

// maxFaults bounds how many are told.
const maxFaults = 16

// faults reads the page errors; false where it is none.
func faults(body []byte) ([]string, bool) {
	var list []struct {
		Message string
		Code    string `json:"error_code"`
	}
	if json.Unmarshal(body, &list) != nil || list == nil {
		return nil, false
	}
	var all []string
	for _, e := range list[:min(len(list), maxFaults)] {
		text := strings.TrimSpace(e.Code + ": " + e.Message)
		if e.Code == "" || e.Message == "" {
			text = strings.TrimSpace(e.Code + e.Message)
		}
		if text == "" {
			continue
		}
		all = append(all, text)
	}
	return all, true
}
