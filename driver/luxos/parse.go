package luxos

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// What no miner has more of.
const (
	maxBoards   = 16
	maxPools    = 32
	maxProfiles = 128
	maxEvents   = 32
)

func equal(a, b string) bool { return strings.EqualFold(a, b) }

func firmwareName(version string) string { return "LuxOS " + version }

// hot is what a summary and the power tell.
type hot struct {
	rate   site.Opt[unit.Hashrate]
	power  site.Opt[unit.Power]
	uptime site.Opt[time.Duration]
}

// parseHot reads summary and power; told says that there was a summary.
func parseHot(parts map[string]rpc.Reply) (h hot, told bool) {
	r := parts["summary"]
	if list := r.Objects("SUMMARY"); len(list) > 0 && len(list[0]) > 0 {
		o := list[0]
		told = true
		h.rate = o.Hashrate("GHS 5s", "MHS 5s", "THS 5s")
		if !h.rate.OK && !r.Truncated { // else what was cut off may have been the better figure
			h.rate = o.Hashrate("GHS 1m", "MHS 1m", "GHS 5m", "MHS 5m")
		}
		h.uptime = seconds(o.Float("Elapsed"))
	}
	power := parts["power"]
	for _, o := range power.Objects("POWER") {
		if w := o.Float("Watts"); w.OK && w.V > 0 && w.V < 1e6 { // 0: it does not know
			h.power = site.Some(unit.Watts(w.V))
		}
	}
	return h, told
}

// config is what the configuration tells of the miner's state.
type config struct {
	identity site.Identity
	asleep   site.Opt[bool] // told to curtail
	supply   site.Opt[bool] // of the hashboards
	atm      site.Opt[bool]
	tuning   bool
	profile  string
	system   string
}

// parseConfig reads the configuration; false where there is none.
func parseConfig(r rpc.Reply) (config, bool) {
	list := r.Objects("CONFIG")
	if len(list) == 0 || len(list[0]) == 0 {
		return config{}, false
	}
	o := list[0]
	c := config{
		supply: o.Bool("IsPowerSupplyOn"), atm: o.Bool("IsAtmEnabled"), tuning: o.Bool("IsTuning").Or(false),
		profile: o.Text("Profile"), system: o.Text("SystemStatus"),
	}
	if mode := strings.ToLower(o.Text("CurtailMode")); mode != "" {
		c.asleep = site.Some(mode != "none" && mode != "off" && !strings.Contains(mode, "wake"))
	}
	c.identity.Make, c.identity.Model = driver.SplitBrand(o.Text("Model"))
	c.identity.Serial, c.identity.MAC = o.Text("SerialNumber"), o.Text("MACAddr")
	if said := r.Status().Description; strings.HasPrefix(said, "LUXminer ") {
		c.identity.Firmware = firmwareName(strings.TrimPrefix(said, "LUXminer "))
	}
	// What tells sleep may be in the part that was cut off.
	return c, !r.Truncated || c.asleep.OK && c.supply.OK
}

// point is one profile.
type point struct {
	name  string
	power site.Opt[unit.Power]
	rate  site.Opt[unit.Hashrate]
}

// parseProfiles reads the profiles, ascending by watts. Their hashrate is in TH/s, as the
// firmware's documentation says; the key does not.
func parseProfiles(r rpc.Reply) []point {
	var out []point
	for _, o := range r.Objects("PROFILES") {
		p := point{name: o.Text("Profile Name", "Name", "Profile")}
		if w := o.Float("Watts"); w.OK && w.V > 0 && w.V < 1e6 {
			p.power = site.Some(unit.Watts(w.V))
		}
		if h := o.Float("Hashrate"); h.OK && h.V > 0 && h.V < 1e5 {
			p.rate = site.Some(unit.Hashrate(h.V) * unit.TeraHash)
		}
		if p.name != "" && len(out) < maxProfiles {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b point) int { return int(a.power.V/unit.Watt - b.power.V/unit.Watt) })
	return out
}

// parseBoards joins what devs, temps and stats tell of the boards, by their number.
func parseBoards(parts map[string]rpc.Reply) []site.Board {
	byID := map[int]site.Board{}
	devs, temps, stats := parts["devs"], parts["temps"], parts["stats"]
	for i, o := range devs.Objects("DEVS") {
		id := o.Int("ID", "ASC").Or(i)
		if id < 0 || id >= maxBoards {
			continue
		}
		status := o.Text("Status")
		byID[id] = site.Board{
			Hashrate: o.Hashrate("MHS 5s", "GHS 5s", "MHS 1m", "GHS 1m"), PCBTemp: temperature(o.Float("Temperature")),
			Working: (status == "" || equal(status, "Alive")) && o.Text("Enabled") != "N" && !o.Bool("IsUserShutdown").Or(false),
		}
	}
	if devs.Truncated {
		return nil // some may be missing, and would seem to be others
	}
	for i, o := range temps.Objects("TEMPS") {
		id := o.Int("ID", "TEMP").Or(i)
		b, ok := byID[id]
		if !ok {
			continue
		}
		for _, m := range o { // as many corners as the model has sensors
			key := strings.ToLower(m.Key)
			t := temperature(o.Float(m.Key))
			switch {
			case !t.OK || key == "id" || key == "temp":
			case strings.Contains(key, "chip"):
				b.ChipTemp = hotter(b.ChipTemp, t)
			default:
				b.PCBTemp = hotter(b.PCBTemp, t)
			}
		}
		byID[id] = b
	}
	for _, o := range stats.Objects("STATS") {
		for id, b := range byID {
			if n := o.Int(fmt.Sprintf("chain_acn%d", id+1)); n.OK && n.V >= 0 {
				b.Chips = n
				byID[id] = b
			}
		}
	}
	var out []site.Board
	for id := range maxBoards {
		if b, ok := byID[id]; ok {
			out = append(out, b)
		}
	}
	return out
}

func hotter(a, b site.Opt[float64]) site.Opt[float64] {
	if !a.OK || b.V > a.V {
		return b
	}
	return a
}

// temperature reads degrees; 0 and what no sensor that works says are unknown.
func temperature(f site.Opt[float64]) site.Opt[float64] {
	if !f.OK || f.V == 0 || f.V == -1 || f.V < -40 || f.V > 200 {
		return site.Opt[float64]{}
	}
	return f
}

func parseFans(r rpc.Reply) []int {
	var out []int
	for _, o := range r.Objects("FANS") {
		if f := o.Float("RPM"); f.OK && f.V >= 0 && f.V < 1e5 && len(out) < maxBoards {
			out = append(out, int(math.Round(f.V)))
		}
	}
	if r.Truncated {
		return nil
	}
	return out
}

// pool is a pool with the number that commands call it by.
type pool struct {
	site.Pool
	number int
}

func parsePools(r rpc.Reply) []pool {
	var out []pool
	for i, o := range r.Objects("POOLS") {
		if url := o.Text("URL"); url != "" && len(out) < maxPools {
			out = append(out, pool{
				Pool:   site.Pool{URL: url, Worker: o.Text("User"), Active: o.Bool("Stratum Active").Or(false)},
				number: o.Int("POOL").Or(i),
			})
		}
	}
	return out
}

// parseEvents reads what the firmware complains of, each once: its code, with the number of
// the board or fan that it names.
func parseEvents(r rpc.Reply) []string {
	var out []string
	for _, o := range r.Objects("EVENTS") {
		said := o.Text("Code")
		if said == "" {
			said = o.Text("Description")
		}
		if id, target := o.Int("ID"), o.Text("Target"); id.OK && target != "" {
			said = fmt.Sprintf("%s %s %d", said, strings.ToLower(target), id.V)
		}
		if said != "" && len(out) < maxEvents && !slices.Contains(out, said) {
			out = append(out, said)
		}
	}
	return out
}

// seconds reads a count of seconds, at most a century.
func seconds(f site.Opt[float64]) site.Opt[time.Duration] {
	if !f.OK || f.V < 0 || f.V > 100*365*86400 {
		return site.Opt[time.Duration]{}
	}
	return site.Some(time.Duration(f.V * float64(time.Second)))
}
