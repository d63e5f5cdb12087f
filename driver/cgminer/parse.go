package cgminer

import (
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

// What no miner has more of.
const (
	maxBoards = 16
	maxFans   = 16
	maxPools  = 32
)

// programs are the keys under which firmwares write the name and version of the program.
func programs() []string {
	return []string{"LUXminer", "BOSer", "BOSminer+", "BOSminer", "VNish", "xminer", "BTMiner", "BMMiner", "SGMiner", "Miner Version", "CGMiner"}
}

// parseIdentity reads version and stats; false where neither names anything.
func parseIdentity(parts map[string]rpc.Reply) (site.Identity, bool) {
	id := site.Identity{Make: "cgminer"}
	found := false
	version, stats := parts["version"], parts["stats"]
	for _, o := range append(version.Objects("VERSION"), stats.Objects("STATS")...) {
		for _, key := range programs() {
			if v := o.Text(key); v != "" && id.Firmware == "" {
				found = true
				id.Firmware = strings.TrimSpace(key + " " + strings.TrimPrefix(v, strings.ToLower(key)+" "))
				if build := o.Text("Miner"); build != "" && build != v {
					id.Firmware += ", " + build
				}
			}
		}
		if kind := o.Text("Type", "PROD", "Model"); kind != "" && id.Model == "" {
			found = true
			if brand, model := driver.SplitBrand(kind); brand != "" {
				id.Make, id.Model = brand, model
			} else {
				id.Model = kind
			}
		}
		if mac := o.Text("MAC"); mac != "" && id.MAC == "" {
			id.MAC = mac
		}
		if serial := o.Text("DNA", "miner_id"); serial != "" && id.Serial == "" {
			id.Serial = serial
		}
	}
	return id, found
}

// reading is what summary and stats tell.
type reading struct {
	rate   site.Opt[unit.Hashrate]
	power  site.Opt[unit.Power]
	uptime site.Opt[time.Duration]
	boards []site.Board
	fans   []int
	cut    bool
}

// rateKeys are the hashrates from the newest to the oldest mean.
func rateKeys() []string {
	var keys []string
	for _, span := range []string{"5s", "1m", "5m", "av"} {
		for _, u := range []string{"GHS ", "MHS ", "THS ", "KHS ", "PHS "} {
			keys = append(keys, u+span)
		}
	}
	return keys
}

// parseReading reads summary and stats; false where there is neither.
func parseReading(parts map[string]rpc.Reply) (reading, bool) {
	summary, stats := parts["summary"], parts["stats"]
	h := reading{cut: summary.Truncated || stats.Truncated}
	names := newUnits(stats)
	found := false
	for _, o := range summary.Objects("SUMMARY") {
		if len(o) == 0 {
			continue
		}
		found = true
		h.rate = names.rate(o, h.cut)
		h.uptime = seconds(o.Float("Elapsed", "Uptime"))
		h.power = power(o, "Power_RT", "Power Realtime", "Power")
		for _, key := range []string{"Fan Speed In", "Fan Speed Out"} {
			if f := o.Float(key); f.OK && f.V >= 0 && f.V < 1e5 {
				h.fans = append(h.fans, int(math.Round(f.V)))
			}
		}
	}
	for _, o := range stats.Objects("STATS") {
		if len(o) < 4 {
			continue
		}
		found = true
		if !h.rate.OK {
			h.rate = names.rate(o, h.cut)
		}
		if !h.uptime.OK {
			h.uptime = seconds(o.Float("Elapsed"))
		}
		if !h.power.OK {
			h.power = power(o, "total_power", "power", "Power", "chain_power")
		}
		if boards := chains(o, names, h); h.boards == nil {
			h.boards = boards
		}
		if fans := numberedFans(o, stats.Truncated); h.fans == nil {
			h.fans = fans
		}
	}
	return h, found
}

// units is what stats says of the unit of its figures.
type units struct {
	told  bool          // there is a rate_unit
	scale unit.Hashrate // 0: of something that is no hash
	// prefix is how the keys beside it begin ("GHS "): those keys name the wrong unit where the
	// two differ, in the summary too.
	prefix string
}

func newUnits(stats rpc.Reply) units {
	for _, o := range stats.Objects("STATS") {
		if name := o.Text("rate_unit"); name != "" {
			u := units{told: true}
			u.scale, _ = rpc.Unit(name)
			for _, key := range rateKeys() {
				if _, ok := o.Get(key); ok {
					u.prefix = key[:4]
					break
				}
			}
			return u
		}
	}
	return units{}
}

// rate returns the newest hashrate of an object. Of one that was cut off only the newest
// counts: a better figure may be in what is missing.
func (u units) rate(o rpc.Object, cut bool) site.Opt[unit.Hashrate] {
	for _, key := range rateKeys() {
		f := o.Float(key)
		if !f.OK || f.V < 0 || cut && !strings.HasSuffix(key, "5s") {
			continue
		}
		scale, ok := rpc.KeyUnit(key)
		if u.told && (u.scale == 0 || strings.HasPrefix(key, u.prefix) && u.prefix != "") {
			scale, ok = u.scale, u.scale > 0
		}
		if !ok {
			return site.Opt[unit.Hashrate]{}
		}
		return site.Some(unit.Hashrate(f.V) * scale)
	}
	return site.Opt[unit.Hashrate]{}
}

// board scales the figure of one board, whose key names no unit: it has that of its neighbours.
func (u units) board(o rpc.Object, key string) site.Opt[unit.Hashrate] {
	f := o.Float(key)
	scale := u.scale
	if !u.told {
		if _, ok := o.Get("GHS 5s"); ok {
			scale = unit.GigaHash
		} else if _, ok := o.Get("MHS 5s"); ok {
			scale = unit.MegaHash
		}
	}
	if !f.OK || f.V < 0 || scale <= 0 {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(f.V) * scale)
}

// chains reads the boards of the layout with numbered keys. A place whose chain has no chips
// has no board.
func chains(o rpc.Object, u units, h reading) []site.Board {
	var out []site.Board
	for n := 1; n <= maxBoards; n++ {
		i := strconv.Itoa(n)
		chips := o.Int("chain_acn" + i)
		if !chips.OK || chips.V <= 0 || chips.V > 10000 {
			continue
		}
		b := site.Board{
			Chips: chips, Hashrate: u.board(o, "chain_rate"+i),
			ChipTemp: hottest(o, "temp_chip"+i, "temp2_"+i), PCBTemp: hottest(o, "temp_pcb"+i, "temp"+i),
		}
		idle := h.rate.OK && h.rate.V == 0
		b.Working = idle || !b.Hashrate.OK || b.Hashrate.V > 0
		out = append(out, b)
	}
	return out
}

// hottest reads the highest temperature under keys: a number, or several joined by "-".
func hottest(o rpc.Object, keys ...string) site.Opt[float64] {
	var best site.Opt[float64]
	for _, key := range keys {
		text := o.Text(key)
		words := strings.Split(text, "-")
		if _, one := rpc.Float(text); one { // it may be below zero
			words = []string{text}
		}
		for _, word := range words {
			if t, ok := rpc.Float(word); ok && t > 0 && t <= 200 && (!best.OK || t > best.V) {
				best = site.Some(t)
			}
		}
	}
	return best
}

// numberedFans reads fan1, fan2 and so on. Places without a fan say 0; fan_num tells how many
// there should be, so that one that stands still is not lost.
func numberedFans(o rpc.Object, cut bool) []int {
	var out []int
	seen := 0
	for n := 1; n <= maxFans; n++ {
		f := o.Float("fan" + strconv.Itoa(n))
		if !f.OK || f.V < 0 || f.V >= 1e5 {
			continue
		}
		seen++
		if f.V > 0 {
			out = append(out, int(math.Round(f.V)))
		}
	}
	want := o.Int("fan_num").Or(len(out))
	for len(out) < min(want, seen) && !cut {
		out = append(out, 0)
	}
	return out
}

// parseDevs reads one board a device. A list whose rates are all zero although the miner
// hashes is one that the firmware never fills.
func parseDevs(r rpc.Reply, total site.Opt[unit.Hashrate]) []site.Board {
	var out []site.Board
	sum := unit.Hashrate(0)
	for _, o := range r.Objects("DEVS") {
		if len(out) >= maxBoards {
			break
		}
		status := o.Text("Status")
		b := site.Board{
			Hashrate: units{}.rate(o, false), PCBTemp: hottest(o, "Temperature", "temp"), ChipTemp: hottest(o, "Chip Temp Max"),
			Working: (status == "" || strings.EqualFold(status, "Alive")) && o.Text("Enabled") != "N",
		}
		if n := o.Int("Effective Chips", "Chips", "chips"); n.OK && n.V >= 0 && n.V < 10000 {
			b.Chips = n
		}
		sum += b.Hashrate.V
		out = append(out, b)
	}
	if sum == 0 && total.OK && total.V > 0 {
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
		if url := o.Text("URL", "Stratum URL"); url != "" && len(out) < maxPools {
			out = append(out, pool{
				Pool:   site.Pool{URL: url, Worker: o.Text("User"), Active: o.Bool("Stratum Active").Or(false)},
				number: o.Int("POOL").Or(i),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b pool) int { return a.number - b.number })
	return out
}

// power reads watts; 0 and what no miner draws are unknown.
func power(o rpc.Object, keys ...string) site.Opt[unit.Power] {
	for _, key := range keys {
		if w := o.Float(key); w.OK && w.V > 0 && w.V < 1e5 {
			return site.Some(unit.Watts(w.V))
		}
	}
	return site.Opt[unit.Power]{}
}

// seconds reads a count of seconds, at most a century.
func seconds(f site.Opt[float64]) site.Opt[time.Duration] {
	if !f.OK || f.V < 0 || f.V > 100*365*86400 {
		return site.Opt[time.Duration]{}
	}
	return site.Some(time.Duration(f.V * float64(time.Second)))
}
