package bitaxe

import (
	"fmt"
	"math"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// parse reads a body; a cut one is an error, since it may have lost what matters.
func parse(body []byte) (rpc.Object, error) {
	r, err := rpc.Parse(body)
	if err != nil {
		return nil, err
	}
	if r.Truncated {
		return nil, fmt.Errorf("the reply is cut: %w", driver.ErrUnreachable)
	}
	return r.Object, nil
}

// isInfo says whether o is this family's system/info, whatever its age.
func isInfo(o rpc.Object) bool {
	_, hash := o.Get("hashRate")
	_, power := o.Get("power")
	return o.Text("ASICModel") != "" && (hash || power || o.Text("stratumURL") != "")
}

// boards are the models by the first digits of AxeOS's boardVersion.
var boards = []struct{ version, model string }{
	{"10", "Max"},
	{"20", "Ultra"},
	{"30", "Hex"},
	{"40", "Supra"},
	{"60", "Gamma"},
	{"65", "GammaDuo"},
	{"70", "Supra Hex"},
	{"80", "GammaTurbo"},
}

// identity reads who it is; model is what system/asic calls it, if it was asked.
func identity(o rpc.Object, model string) site.Identity {
	id := site.Identity{Make: "Bitaxe", Model: o.Text("deviceModel"), Firmware: o.Text("version", "axeOSVersion"), MAC: o.Text("macAddr")}
	if id.Model == "" {
		id.Model = model
	}
	version := o.Text("boardVersion")
	for _, b := range boards {
		if id.Model == "" && len(version) == 3 && strings.HasPrefix(version, b.version) {
			id.Model = b.model
		}
	}
	if id.Model == "" {
		id.Model = o.Text("ASICModel")
	}
	if strings.HasPrefix(strings.ToLower(id.Model), "nerd") {
		id.Make = "NerdQAxe"
	}
	return id
}

func sample(o rpc.Object, model string) site.Sample {
	s := site.Sample{Identity: identity(o, model), Power: power(o), Hashrate: hashrate(o), Pools: pools(o), Faults: faults(o)}
	s.State = state(o, s)
	s.Profile = profile(o)
	if up := o.Float("uptimeSeconds"); up.OK && up.V > 0 && up.V < 1e9 {
		s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
	}
	if rpm := o.Float("fanrpm"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 {
		s.Fans = append(s.Fans, int(math.Round(rpm.V)))
	}
	if rpm := o.Float("fan2rpm"); rpm.OK && rpm.V > 0 && rpm.V < 1e5 { // 0 where there is no second one
		s.Fans = append(s.Fans, int(math.Round(rpm.V)))
	}
	board := site.Board{Hashrate: s.Hashrate, ChipTemp: celsius(o, "temp", "temp2"), PCBTemp: celsius(o, "vrTemp")}
	if chips := o.Int("asicCount"); chips.OK && chips.V >= 0 && chips.V < 1e4 {
		board.Chips = chips
	}
	board.Working = s.Hashrate.OK && s.Hashrate.V > 0
	if board.Hashrate.OK || board.ChipTemp.OK {
		s.Boards = []site.Board{board}
	}
	return s
}

// power is in W; 0 W is what a board without a sensor says: a device that answers draws some.
func power(o rpc.Object) site.Opt[unit.Power] {
	w := o.Float("power")
	if !w.OK || !(w.V > 0 && w.V < 1e4) {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(w.V))
}

// hashrate is in GH/s.
func hashrate(o rpc.Object) site.Opt[unit.Hashrate] {
	h := o.Float("hashRate", "hashRate_1m", "hashRate_10m")
	if !h.OK || !(h.V >= 0 && h.V < 1e9) {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(h.V) * unit.GigaHash)
}

// celsius is the highest of the temperatures; a sensor that is missing says 0 or less.
func celsius(o rpc.Object, keys ...string) site.Opt[float64] {
	var top site.Opt[float64]
	for _, k := range keys {
		if c := o.Float(k); c.OK && c.V > 0 && c.V < 200 && (!top.OK || c.V > top.V) {
			top = c
		}
	}
	return top
}

// leastJoules per TH is less than any chip needs: less power than that for its hashrate, and
// the hashrate is an old one.
const leastJoules = 8

// state joins what the miner does with what it says. The hashrate is a mean, which stays for
// some minutes after a pause, or after heat stopped the chips: then the power counts too.
func state(o rpc.Object, s site.Sample) site.State {
	paused := o.Bool("miningPaused").V
	old := (paused || len(s.Faults) > 0) && s.Power.OK && s.Power.V.Watts() < leastJoules*s.Hashrate.V.TH()
	switch {
	case s.Hashrate.OK && s.Hashrate.V > 0 && !old:
		return site.StateHashing
	case paused:
		return site.StateSleeping
	case len(s.Faults) > 0:
		return site.StateFault
	case s.Hashrate.OK:
		return site.StateStarting
	}
	return site.StateUnknown
}

func faults(o rpc.Object) []string {
	var all []string
	for _, k := range []string{"power_fault", "hardware_fault"} {
		if text := o.Text(k); text != "" && text != "0" {
			all = append(all, text)
		}
	}
	if o.Bool("overheat_mode").V {
		all = append(all, "overheat mode")
	}
	if o.Bool("shutdown").V {
		all = append(all, "shut down")
	}
	return all
}

// pools reads the first pool and the one to fall back on.
func pools(o rpc.Object) []site.Pool {
	fallen := o.Bool("isUsingFallbackStratum").V
	var all []site.Pool
	for i, k := range []string{"stratum", "fallbackStratum"} {
		host := o.Text(k + "URL")
		if host == "" {
			continue
		}
		p := site.Pool{URL: host, Worker: o.Text(k + "User"), Active: fallen == (i == 1)}
		if !strings.Contains(host, "://") {
			scheme := "stratum+tcp"
			if tls := o.Text(k + "TLS"); tls != "" && tls != "0" || o.Bool(k+"TLS").V {
				scheme = "stratum+ssl"
			}
			p.URL = scheme + "://" + host
			if port := o.Int(k + "Port"); port.OK && port.V > 0 {
				p.URL = fmt.Sprintf("%s:%d", p.URL, port.V)
			}
		}
		all = append(all, p)
	}
	return all
}

// maxOptions bounds how many settings a firmware may list.
const maxOptions = 64

// options are what system/asic offers.
type options struct {
	model           string
	mhz, millivolts []int
	voltage         int // the default one, in mV
}

func parseOptions(o rpc.Object) options {
	out := options{model: o.Text("deviceModel"), mhz: whole(o, "frequencyOptions"), millivolts: whole(o, "voltageOptions")}
	out.voltage = o.Int("defaultVoltage").Or(0)
	return out
}

// whole reads a list of whole numbers above 0.
func whole(o rpc.Object, key string) []int {
	v, _ := o.Get(key)
	list, _ := v.(rpc.Array)
	var all []int
	for _, e := range list[:min(len(list), maxOptions)] {
		if f, ok := rpc.Float(e); ok && f >= 1 && f < 1e5 && f == math.Trunc(f) {
			all = append(all, int(f))
		}
	}
	return all
}

// profiles are the frequencies at the default voltage.
func (p options) profiles() []site.Profile {
	if p.voltage <= 0 {
		return nil
	}
	var all []site.Profile
	for _, mhz := range p.mhz {
		all = append(all, site.Profile{Name: profileName(float64(mhz), p.voltage)})
	}
	return all
}

func profileName(mhz float64, millivolts int) string {
	return fmt.Sprintf("%.6g MHz, %d mV", mhz, millivolts)
}

// profile names the operating point in force.
func profile(o rpc.Object) string {
	mhz, millivolts := o.Float("frequency"), o.Int("coreVoltage")
	if !mhz.OK || mhz.V <= 0 || !millivolts.OK || millivolts.V <= 0 {
		return ""
	}
	return profileName(mhz.V, millivolts.V)
}
