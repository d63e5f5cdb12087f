package antminer

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"switchyard/driver"
	"switchyard/site"
)

// mode is the firmware's number for how it works.
type mode int

// The modes. High is called HEM on some models.
const (
	modeNormal mode = 0
	modeSleep  mode = 1
	modeHigh   mode = 2
	modeLow    mode = 3
)

// profile is the mode's name as a profile; sleep is none.
func (m mode) profile() string {
	switch m {
	case modeNormal:
		return "normal"
	case modeHigh:
		return "high"
	case modeLow:
		return "low"
	case modeSleep:
	}
	return ""
}

// conf is the whole configuration, each value as the device wrote it.
type conf map[string]json.RawMessage

const (
	keyWork = "bitmain-work-mode" // what the pages read
	keyMode = "miner-mode"        // what they post
	keyPool = "pools"
)

// early says whether the pages that wrote it are those of 2019: they knew a voltage, and
// nothing of what later pages write beside it.
func (c conf) early() bool {
	for _, key := range []string{keyMode, "bitmain-freq-level", "freq-level", "bitmain-ccdelay", "bitmain-pwth"} {
		if c[key] != nil {
			return false
		}
	}
	return c["bitmain-voltage"] != nil
}

// mode returns the mode; unknown means that the firmware has none or it cannot be read.
func (c conf) mode() site.Opt[mode] {
	for _, key := range []string{keyWork, keyMode} {
		raw := strings.Trim(string(c[key]), `" `)
		if n, err := strconv.Atoi(raw); err == nil && n >= 0 && !c.early() {
			return site.Some(mode(n))
		}
	}
	return site.Opt[mode]{}
}

// pools returns the configured pools; which of them is active is not told here.
func (c conf) pools() []site.Pool {
	var raw []struct{ URL, User string }
	if json.Unmarshal(c[keyPool], &raw) != nil {
		return nil
	}
	var all []site.Pool
	for _, p := range raw {
		if p.URL != "" {
			all = append(all, site.Pool{URL: p.URL, Worker: p.User})
		}
	}
	return all
}

// with returns the configuration with the mode under both its names, each in the type in
// which the device wrote it, else as a number. Some firmwares read the frequency level back
// under a name of its own and forget it otherwise.
func (c conf) with(m mode) conf {
	out := make(conf, len(c)+3)
	for k, v := range c {
		out[k] = v
	}
	for _, key := range []string{keyWork, keyMode} {
		if bytes.HasPrefix(c[key], []byte(`"`)) {
			out[key] = json.RawMessage(strconv.Quote(strconv.Itoa(int(m))))
		} else {
			out[key] = json.RawMessage(strconv.Itoa(int(m)))
		}
	}
	if level, ok := c["bitmain-freq-level"]; ok && c["freq-level"] == nil {
		out["freq-level"] = level
	}
	return out
}

// slots is how many pools a miner has room for; the pages post all of them.
const slots = 3

// slot is one pool of the configuration.
type slot struct {
	URL  string `json:"url"`
	User string `json:"user"`
	Pass string `json:"pass"`
}

func slotsOf(pools []driver.Pool) []slot {
	all := make([]slot, slots)
	for i, p := range pools[:min(len(pools), slots)] {
		all[i] = slot{URL: p.URL, User: p.Worker, Pass: string(p.Password)}
	}
	return all
}

// holds says whether the configuration's pools are these, passwords and all.
func (c conf) holds(want []slot) bool {
	var has []slot
	if json.Unmarshal(c[keyPool], &has) != nil {
		return false
	}
	for len(has) < slots {
		has = append(has, slot{})
	}
	for i := range want {
		if has[i] != want[i] {
			return false
		}
	}
	return true
}

// samePools compares addresses and workers, not which one is active.
func samePools(a, b []site.Pool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].URL != b[i].URL || a[i].Worker != b[i].Worker {
			return false
		}
	}
	return true
}

// encode writes JSON as the devices' scripts want it: "&" and its like stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
