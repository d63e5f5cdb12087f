package avalon

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

// What no miner has more of.
const (
	maxModules = 8
	maxBoards  = 16
	maxFans    = 16
	maxPools   = 16
	maxFields  = 512
)

// fields reads a text of bracketed fields, "Temp[30] Fan1[5344]": the words before a bracket
// are the key, up to the next bracket goes the value. What the end cut off is left out.
func fields(text string) map[string]string {
	out := map[string]string{}
	for len(out) < maxFields {
		key, rest, ok := strings.Cut(text, "[")
		if !ok {
			return out
		}
		value, rest, ok := strings.Cut(rest, "]")
		if !ok {
			return out
		}
		if i := strings.LastIndexAny(key, "{}:,"); i >= 0 {
			key = key[i+1:]
		}
		key = strings.TrimSpace(key)
		if _, twice := out[key]; !twice && key != "" {
			out[key] = strings.TrimSpace(value)
		}
		text = rest
	}
	return out
}

// number reads a field's only or first number, also "72%".
func number(f map[string]string, key string) site.Opt[float64] {
	list := numbers(f, key)
	if len(list) == 0 {
		return site.Opt[float64]{}
	}
	return site.Some(list[0])
}

// numbers reads a field's numbers; one that is none ends them.
func numbers(f map[string]string, key string) []float64 {
	var out []float64
	for _, word := range strings.Fields(f[key]) {
		v, ok := rpc.Float(strings.TrimSuffix(word, "%"))
		if !ok || len(out) >= maxFields {
			break
		}
		out = append(out, v)
	}
	return out
}

// module is what the control modules tell, all of them together.
type module struct {
	model, serial string
	asleep        site.Opt[bool]
	softOff       site.Opt[bool]
	mode          site.Opt[int]
	rate          site.Opt[unit.Hashrate]
	power, target site.Opt[unit.Power]
	uptime        site.Opt[time.Duration]
	intake        site.Opt[float64]
	boards        []site.Board
	fans          []int
	faults        []string
	cut           bool
}

// parseStats reads the modules' texts: "MM ID0", "MM ID1" and so on, with ":Summary" on the
// home machines.
func parseStats(r rpc.Reply) (module, error) {
	all := module{cut: r.Truncated}
	found := 0
	for _, o := range r.Objects("STATS") {
		for _, m := range o {
			text, ok := m.Value.(string)
			if !ok || !strings.HasPrefix(strings.ToUpper(m.Key), "MM ID") || found >= maxModules {
				continue
			}
			f := fields(text)
			if len(f) < 4 {
				continue
			}
			one := parseModule(f, fields(o.Text("HBinfo")))
			if found++; found == 1 {
				one.cut = all.cut
				all = one
			} else {
				all.join(one)
			}
			if !all.uptime.OK {
				all.uptime = seconds(o.Float("Elapsed"))
			}
		}
	}
	if found == 0 {
		return module{}, fmt.Errorf("stats without a control module: %w", driver.ErrUnreachable)
	}
	if r.Truncated { // further modules may have been cut off: sums would be too low
		all.rate, all.power, all.target = site.Opt[unit.Hashrate]{}, site.Opt[unit.Power]{}, site.Opt[unit.Power]{}
		all.asleep, all.intake, all.faults = site.Opt[bool]{}, site.Opt[float64]{}, nil
	}
	return all, nil
}

// join adds another module of the same miner.
func (m *module) join(o module) {
	m.rate = sum(m.rate, o.rate)
	m.power, m.target = sum(m.power, o.power), sum(m.target, o.target)
	m.asleep = site.Opt[bool]{V: m.asleep.V && o.asleep.V, OK: m.asleep.OK && o.asleep.OK}
	m.boards = append(m.boards, o.boards...)
	m.boards = m.boards[:min(len(m.boards), maxBoards)]
	m.fans = append(m.fans, o.fans...)
	m.fans = m.fans[:min(len(m.fans), maxFans)]
	m.faults = append(m.faults, o.faults...)
}

// sum is unknown where one of both is.
func sum[T unit.Power | unit.Hashrate](a, b site.Opt[T]) site.Opt[T] {
	if !a.OK || !b.OK {
		return site.Opt[T]{}
	}
	return site.Some(a.V + b.V)
}

func parseModule(f, boards map[string]string) module {
	m := module{
		serial: f["DNA"], uptime: seconds(number(f, "Elapsed")), intake: temperature(number(f, "Temp")), faults: parseFaults(f),
	}
	if ver, _, ok := strings.Cut(f["Ver"], "-"); ok {
		m.model = modelName(ver)
		if len(ver) == 7 && strings.Trim(ver, "0123456789") == "" { // before the A10: the model, year and month
			m.model = modelName(ver[:3])
		}
	}
	if !m.intake.OK {
		m.intake = temperature(number(f, "ITemp"))
	}
	if v := number(f, "SoftOFF"); v.OK {
		m.softOff = site.Some(v.V != 0)
	}
	work := strings.ToLower(f["SYSTEMSTATU"])
	switch {
	case strings.Contains(work, "in idle"):
		m.asleep = site.Some(true)
	case work != "":
		m.asleep = site.Some(false)
	case m.softOff.OK || f["WORKMODE"] != "" || f["Elapsed"] == "":
		m.asleep = m.softOff
	default: // a firmware of before the A11, which knows no sleep
		m.asleep = site.Some(false)
	}
	if v := number(f, "WORKMODE"); v.OK && v.V == math.Trunc(v.V) && v.V >= 0 && v.V < 16 {
		m.mode = site.Some(int(v.V))
	}
	if v := number(f, "GHSspd"); v.OK && v.V >= 0 && v.V < 1e8 {
		m.rate = site.Some(unit.Hashrate(v.V) * unit.GigaHash)
	}
	m.power = parsePower(f, strings.HasPrefix(strings.ToLower(m.model), "nano"))
	if v := number(f, "MPO"); v.OK && v.V > 0 && v.V < 1e5 {
		m.target = site.Some(unit.Watts(v.V))
	}
	for i := 1; i <= maxFans; i++ {
		if v := number(f, "Fan"+strconv.Itoa(i)); v.OK && v.V >= 0 && v.V < 1e5 {
			m.fans = append(m.fans, int(math.Round(v.V)))
		}
	}
	if v := number(f, "Fan"); m.fans == nil && v.OK && v.V >= 0 && v.V < 1e5 {
		m.fans = []int{int(math.Round(v.V))}
	}
	m.boards = parseBoards(f, boards, m.asleep)
	if hot := temperature(number(f, "TMax")); len(m.boards) == 0 && hot.OK && m.asleep.OK { // told as one
		m.boards = []site.Board{{Hashrate: m.rate, ChipTemp: hot, Working: m.asleep.V || !m.rate.OK || m.rate.V > 0}}
	}
	return m
}

// parsePower reads the supply. The order of PS is error, volts of the controller, volts,
// amperes and watts of the boards, set volts, watts at the wall; volts are in hundredths.
func parsePower(f map[string]string, nano bool) site.Opt[unit.Power] {
	if v := number(f, "WALLPOWER"); v.OK && v.V > 0 && v.V < 1e5 {
		return site.Some(unit.Watts(v.V))
	}
	ps := numbers(f, "PS")
	if nano { // watts are sixth or, where that holds the set volts in millivolts, seventh
		for i := 5; i < min(len(ps), 7); i++ {
			if ps[i] > 0 && ps[i] < 1000 {
				return site.Some(unit.Watts(ps[i]))
			}
		}
		return site.Opt[unit.Power]{}
	}
	if len(ps) < 5 {
		return site.Opt[unit.Power]{}
	}
	volts, amps, watts := ps[2]/100, ps[3], ps[4]
	// Amperes are whole: half of one, and some per cent, may be missing.
	fits := math.Abs(volts*amps-watts) <= volts+0.1*watts
	switch {
	case !fits || watts < 0 || watts > 1e5:
		return site.Opt[unit.Power]{}
	case len(ps) >= 7 && ps[6] >= watts && (ps[6] <= 1.4*watts || amps == 0 && ps[6] < 300) && ps[6] > 0:
		return site.Some(unit.Watts(ps[6]))
	case watts > 0:
		return site.Some(unit.Watts(watts))
	}
	return site.Opt[unit.Power]{}
}

// parseBoards reads one figure a board. Asleep the mean hashrates stay: they are not taken.
func parseBoards(f, info map[string]string, asleep site.Opt[bool]) []site.Board {
	rates, hot := numbers(f, "MGHS"), numbers(f, "MTmax")
	awake := asleep.OK && !asleep.V
	var out []site.Board
	for i, ghs := range rates[:min(len(rates), maxBoards)] {
		b := site.Board{Working: !awake || ghs > 0}
		if awake && ghs >= 0 && ghs < 1e8 {
			b.Hashrate = site.Some(unit.Hashrate(ghs) * unit.GigaHash)
		}
		if i < len(hot) {
			b.ChipTemp = temperature(site.Some(hot[i]))
		} else if len(rates) == 1 {
			b.ChipTemp, b.PCBTemp = temperature(number(f, "TMax")), temperature(number(f, "HBOTemp"))
		}
		key := "PVT_T" + strconv.Itoa(i)
		chips := numbers(f, key)
		if chips == nil && len(rates) == 1 {
			chips = numbers(info, key)
		}
		if n := 0; chips != nil {
			for _, t := range chips {
				if t > 0 { // one that does not answer says 0 or less
					n++
				}
			}
			b.Chips = site.Some(n)
		}
		out = append(out, b)
	}
	return out
}

// parseFaults reads the error registers that are not zero.
func parseFaults(f map[string]string) []string {
	var out []string
	for _, key := range []string{"ECHU", "ECMM", "FanErr"} {
		list := numbers(f, key)
		for i, v := range list[:min(len(list), maxBoards)] {
			switch {
			case v == 0:
			case len(list) > 1:
				out = append(out, fmt.Sprintf("%s%d %.0f", key, i, v))
			default:
				out = append(out, fmt.Sprintf("%s %.0f", key, v))
			}
		}
	}
	if v := number(f, "PS"); v.OK && v.V > 0 && len(numbers(f, "PS")) >= 5 {
		out = append(out, fmt.Sprintf("PS %.0f", v.V))
	}
	if bus := f["POW_I2C"]; bus != "" && !strings.EqualFold(bus, "OK") {
		out = append(out, "POW_I2C "+bus)
	}
	return out
}

// parseVersion reads who the miner is.
func parseVersion(o rpc.Object) site.Identity {
	id := site.Identity{
		Make: maker, Model: modelName(o.Text("PROD")), Firmware: o.Text("VERSION", "LVERSION", "CGVERSION", "BVERSION"), Serial: o.Text("DNA"), MAC: macAddress(o.Text("MAC")),
	}
	if model := o.Text("MODEL"); id.Model == "" || strings.EqualFold(id.Model, "nano") && model != "" {
		id.Model = modelName(model)
	}
	return id
}

// modelName cuts the brand off, and gives a number its letter: "AvalonMiner 1246" is A1246.
func modelName(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	for _, brand := range []string{"canaan ", "avalonminer", "avalon"} {
		if len(s) >= len(brand) && strings.EqualFold(s[:len(brand)], brand) {
			s = strings.TrimLeft(s[len(brand):], " -")
		}
	}
	if s != "" && s[0] >= '1' && s[0] <= '9' {
		s = "A" + s
	}
	return s
}

// macAddress writes twelve bare digits with colons.
func macAddress(s string) string {
	if len(s) != 12 || strings.ContainsAny(s, ":-") {
		return s
	}
	return strings.Join([]string{s[:2], s[2:4], s[4:6], s[6:8], s[8:10], s[10:]}, ":")
}

// parseHelp reads the list of orders from "ASC 0 set info: help|voltage|...|"; nil where it is none.
func parseHelp(msg string) map[string]bool {
	_, list, ok := strings.Cut(msg, "info:")
	if !ok || !strings.Contains(list, "|") {
		return nil
	}
	out := map[string]bool{}
	for _, order := range strings.Split(list, "|") {
		if order = strings.TrimSpace(order); order != "" && len(out) < maxFields {
			out[order] = true
		}
	}
	return out
}

func parsePools(r rpc.Reply) []site.Pool {
	var out []site.Pool
	for _, o := range r.Objects("POOLS") {
		if url := o.Text("URL"); url != "" && len(out) < maxPools {
			out = append(out, site.Pool{URL: url, Worker: o.Text("User"), Active: o.Bool("Stratum Active").Or(false)})
		}
	}
	return out
}

// temperature reads degrees; 0 and what no sensor that works says (-273) are unknown.
func temperature(f site.Opt[float64]) site.Opt[float64] {
	if !f.OK || f.V == 0 || f.V == -1 || f.V < -40 || f.V > 200 {
		return site.Opt[float64]{}
	}
	return f
}

// seconds reads a count of seconds, at most a century.
func seconds(f site.Opt[float64]) site.Opt[time.Duration] {
	if !f.OK || f.V < 0 || f.V > 100*365*86400 {
		return site.Opt[time.Duration]{}
	}
	return site.Some(time.Duration(f.V * float64(time.Second)))
}
