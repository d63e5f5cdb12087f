package auradine

import (
	"fmt"
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

// profiles are the modes that can be chosen by name.
func profiles() []string { return []string{"eco", "normal", "turbo"} }

// mode is the operating mode.
type mode struct {
	name   string
	sleep  bool
	target site.Opt[unit.Power] // where it is tuned to a power
}

// parseMode reads the mode; unknown where it does not tell whether it sleeps. A firmware
// that tells both a power and a hashrate, and not which it is tuned to, tells no target.
func parseMode(o rpc.Object) site.Opt[mode] {
	sleep := o.Bool("Sleep")
	if !sleep.OK {
		return site.Opt[mode]{}
	}
	m := mode{name: strings.ToLower(o.Text("Mode")), sleep: sleep.V}
	tune := strings.ToLower(o.Text("Tune"))
	byPower := tune == "power" || tune == "" && !o.Float("Ths").OK
	if w := o.Float("Power"); m.name == "custom" && byPower && w.OK && w.V > 0 && w.V < 1e5 {
		m.target = site.Some(unit.Watts(w.V))
	}
	return site.Some(m)
}

// fillSummary writes what the summary tells into s.
func fillSummary(s *site.Sample, o rpc.Object) {
	s.Hashrate = o.Hashrate("MHS 5s", "MHS 1m", "MHS av")
	s.Power = figure(o, "Wattage")
	if up := o.Float("Elapsed"); up.OK && up.V >= 0 && up.V < 1e9 {
		s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
	}
}

// figure reads watts, which may end in their unit. What is not above 0 W is unknown: a
// miner that answers draws some.
func figure(o rpc.Object, key string) site.Opt[unit.Power] {
	w, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimRight(o.Text(key), " wW")), 64)
	if err != nil || !(w > 0 && w < 1e5) {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(w))
}

// psuPower is what enters the power supply.
func psuPower(o rpc.Object) site.Opt[unit.Power] { return figure(o, "PowerIn") }

func boards(devs []rpc.Object) []site.Board {
	var all []site.Board
	for _, o := range devs[:min(len(devs), most)] {
		b := site.Board{Hashrate: o.Hashrate("MHS 5s", "MHS 1m", "MHS av"), PCBTemp: celsius(o.Float("Temperature"))}
		alive := o.Bool("Enabled").Or(true) && !strings.EqualFold(o.Text("Status"), "dead")
		b.Working = alive && b.Hashrate.OK && b.Hashrate.V > 0
		all = append(all, b)
	}
	return all
}

// heat adds the hottest sensors of each board, which are numbered from 1; 0 is the control
// board.
func heat(all []site.Board, temps []rpc.Object) {
	for _, o := range temps {
		id := o.Int("ID")
		if !id.OK || id.V < 1 || id.V > len(all) {
			continue
		}
		b := &all[id.V-1]
		b.ChipTemp = hottest(b.ChipTemp, o.Objects("ChipTemp"))
		b.PCBTemp = hottest(b.PCBTemp, o.Objects("BoardTemp"))
	}
}

func hottest(t site.Opt[float64], sensors []rpc.Object) site.Opt[float64] {
	for _, o := range sensors {
		if c := celsius(o.Float("Temperature")); c.OK && (!t.OK || c.V > t.V) {
			t = c
		}
	}
	return t
}

// celsius leaves out what a lost sensor says: 0, -1 and nonsense.
func celsius(t site.Opt[float64]) site.Opt[float64] {
	if !t.OK || t.V == 0 || t.V == -1 || t.V < -50 || t.V > 200 {
		return site.Opt[float64]{}
	}
	return t
}

func fans(list []rpc.Object) []int {
	var all []int
	for _, o := range list[:min(len(list), most)] {
		if rpm := o.Float("Speed"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
			all = append(all, int(rpm.V))
		}
	}
	return all
}

func pools(list []rpc.Object) []site.Pool {
	var all []site.Pool
	for _, o := range list[:min(len(list), most)] {
		if url := o.Text("URL"); url != "" {
			all = append(all, site.Pool{URL: url, Worker: o.Text("User"), Active: o.Bool("Stratum Active").Or(false)})
		}
	}
	return all
}

// complaint is the status light's message where its code means trouble. 2 is normal, 3 the
// locating light, 12 to 16 are tuning, standby, resetting, warming and upgrading.
func complaint(o rpc.Object) []string {
	code := o.Int("Code")
	if !code.OK || code.V == 2 || code.V == 3 || code.V >= 12 && code.V <= 16 || code.V > 100 || code.V < 1 {
		return nil
	}
	text := o.Text("Msg", "DisplayMsg")
	return []string{strings.TrimSpace(strconv.Itoa(code.V) + " " + text)}
}

// report reads the identity from an IP report.
func report(o rpc.Object) (site.Identity, error) {
	id := site.Identity{Make: "Auradine", Model: o.Text("model"), Firmware: o.Text("version"), Serial: o.Text("SerialNo"), MAC: o.Text("mac")}
	if id.Model == "" {
		return site.Identity{}, fmt.Errorf("the report names no model: %w", driver.ErrUnreachable)
	}
	if brand, model := driver.SplitBrand(id.Model); brand != "" {
		id.Make, id.Model = brand, model
	}
	return id, nil
}
