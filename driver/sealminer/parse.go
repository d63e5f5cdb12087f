package sealminer

import (
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
	brand = "SealMiner"
	// most bounds the boards, fans and pools that are believed.
	most = 16
	// sensors is how many temperatures a board has.
	sensors = 4
	// awake is what no suspended miner draws.
	awake = 500 * unit.Watt
)

// modes are the firmware's modes that can be chosen by name.
func modes() []string { return []string{"low_power", "normal", "high_performance"} }

func identity(st rpc.Object) site.Identity {
	id := site.Identity{
		Make: brand, Model: st.Text("Model"), Firmware: st.Text("Firmware"), Serial: st.Text("Ctrl Board SN"), MAC: st.Text("MAC"),
	}
	if make, model := driver.SplitBrand(id.Model); make == brand {
		id.Model = model
	}
	return id
}

// fill writes what stats tell into s.
func fill(s *site.Sample, st rpc.Object) {
	s.Hashrate = mega(st, "MHS(Sample)", "MHS(30s)", "MHS(1m)", "MHS(Avg)")
	s.Power = watts(st, "PSU Input Power")
	s.Target = watts(st, "Power Limit")
	s.State = state(st, s.Hashrate, s.Power)
	s.Boards = boards(st)
	s.Profile = strings.ReplaceAll(strings.ToLower(st.Text("Mining Mode")), " ", "_")
	for i := range count(st, "Fan Count") {
		if rpm := st.Float(strconv.Itoa(i) + " Speed"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
			s.Fans = append(s.Fans, int(math.Round(rpm.V)))
		}
	}
	s.Intake = celsius(st.Float("PSU Temp AMB"))
	for _, key := range []string{"Elapsed", "System Uptime"} {
		if up := st.Float(key); up.OK && up.V > 0 && up.V < 1e9 && !s.Uptime.OK {
			s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
		}
	}
	s.Faults = faults(st)
}

// mega reads a rate whose key names MH/s.
func mega(o rpc.Object, keys ...string) site.Opt[unit.Hashrate] {
	if f := o.Float(keys...); f.OK && f.V >= 0 && f.V < 1e13 {
		return site.Some(unit.Hashrate(f.V) * unit.MegaHash)
	}
	return site.Opt[unit.Hashrate]{}
}

// watts is unknown at 0: a miner that answers draws some, and a limit of none is none.
func watts(o rpc.Object, key string) site.Opt[unit.Power] {
	if w := o.Float(key); w.OK && w.V > 0 && w.V < 1e5 {
		return site.Some(unit.Watts(w.V))
	}
	return site.Opt[unit.Power]{}
}

func celsius(t site.Opt[float64]) site.Opt[float64] {
	if !t.OK || t.V == 0 || t.V == -1 || t.V < -50 || t.V > 200 {
		return site.Opt[float64]{}
	}
	return t
}

func count(o rpc.Object, key string) int { return min(max(o.Int(key).Or(0), 0), most) }

// resting says whether the firmware's word is that it was told to rest.
func resting(st rpc.Object) bool {
	word := strings.ToLower(st.Text("PM State"))
	for _, w := range []string{"suspend", "stop", "sleep", "standby", "idle"} {
		if strings.Contains(word, w) {
			return true
		}
	}
	return false
}

// state joins what the firmware says with what the miner does. Rates are means and may stay
// a while: a miner that says it rests does not while it draws the power of work.
func state(st rpc.Object, h site.Opt[unit.Hashrate], p site.Opt[unit.Power]) site.State {
	hashes := h.OK && h.V > 0
	word := strings.ToLower(st.Text("PM State"))
	switch {
	case resting(st) && hashes && p.OK && p.V > awake:
		return site.StateHashing
	case resting(st):
		return site.StateSleeping
	case hashes:
		return site.StateHashing
	case st.Text("Error Code") != "":
		return site.StateFault
	case word == "" || !h.OK && word == "running":
		return site.StateUnknown
	}
	return site.StateStarting
}

func boards(st rpc.Object) []site.Board {
	var all []site.Board
	for i := range count(st, "Board Count") {
		n := strconv.Itoa(i) + " "
		b := site.Board{Hashrate: mega(st, n+"MHS(Sample)")}
		if chips := st.Int(n + "Chip Count"); chips.OK && chips.V >= 0 && chips.V < 10000 {
			b.Chips = site.Some(max(chips.V-st.Int(n+"Bad Chip Count").Or(0), 0))
		}
		for t := range sensors {
			if c := celsius(st.Float(n + "Temp " + strconv.Itoa(t))); c.OK && (!b.PCBTemp.OK || c.V > b.PCBTemp.V) {
				b.PCBTemp = c
			}
		}
		b.Working = st.Bool(n+"Online").Or(true) && b.Hashrate.OK && b.Hashrate.V > 0
		all = append(all, b)
	}
	return all
}

func faults(st rpc.Object) []string {
	var all []string
	if code := st.Text("Error Code"); code != "" {
		all = append(all, "error "+code)
	}
	if code := st.Text("PSU Error"); strings.Trim(code, "0xX") != "" {
		all = append(all, "power supply "+code)
	}
	if st.Bool("Stratum Disconnect").Or(false) {
		all = append(all, "no pool is connected")
	}
	for i := range count(st, "Board Count") {
		n := strconv.Itoa(i)
		if bad := st.Int(n + " Bad Chip Count").Or(0); bad > 0 {
			all = append(all, "board "+n+": "+strconv.Itoa(bad)+" bad chips")
		}
		if on := st.Bool(n + " Online"); on.OK && !on.V {
			all = append(all, "board "+n+" is not online")
		}
	}
	return all
}

func parsePools(list []rpc.Object) []site.Pool {
	var all []site.Pool
	for _, o := range list[:min(len(list), most)] {
		if url := o.Text("URL"); url != "" {
			all = append(all, site.Pool{URL: url, Worker: o.Text("User"), Active: o.Bool("Stratum Active").Or(false)})
		}
	}
	return all
}
