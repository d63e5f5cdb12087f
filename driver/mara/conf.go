package mara

import (
	"encoding/json"
	"fmt"
	"math"

	"switchyard/driver"
	"switchyard/site"
	"switchyard/unit"
)

// The modes of the firmware.
const (
	workStock = "Stock"
	workFixed = "Fixed"
	workAuto  = "Auto"
	workSleep = "Sleep"

	tunePower = "PowerTarget"
)

// The keys of the configuration.
const (
	keyMode   = "mode"
	keyWork   = "work-mode-selector"
	keyTuner  = "concorde"
	keyTune   = "mode-select"
	keyTarget = "power-target"
	keyPools  = "pools"
	keyGroups = "pool-group"
)

// conf is the whole configuration, each value as the device wrote it.
type conf map[string]json.RawMessage

func parseConf(data []byte) (conf, error) {
	var c conf
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("read the configuration: %w: %w", err, driver.ErrUnreachable)
	}
	if len(c) == 0 {
		return nil, fmt.Errorf("the configuration is empty: %w", driver.ErrUnreachable)
	}
	return c, nil
}

// sub is the object under key; nil where there is none.
func (c conf) sub(key string) conf {
	var s conf
	if json.Unmarshal(c[key], &s) != nil {
		return nil
	}
	return s
}

func (c conf) text(key string) string {
	var s string
	if json.Unmarshal(c[key], &s) != nil {
		return ""
	}
	return s
}

// work is the mode; empty where the configuration has none.
func (c conf) work() string { return c.sub(keyMode).text(keyWork) }

// tunes says whether the firmware takes a power target.
func (c conf) tunes() bool {
	_, ok := c.sub(keyMode).sub(keyTuner)[keyTarget]
	return ok
}

// tuned is the power to which the mode Auto tunes; unknown where it tunes to another thing.
func (c conf) tuned() site.Opt[unit.Power] {
	tuner := c.sub(keyMode).sub(keyTuner)
	var watts float64
	if tuner.text(keyTune) != tunePower || json.Unmarshal(tuner[keyTarget], &watts) != nil || watts <= 0 || watts > 1e5 {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(watts))
}

// target is the power target in force.
func (c conf) target() site.Opt[unit.Power] {
	if c.work() != workAuto {
		return site.Opt[unit.Power]{}
	}
	return c.tuned()
}

// with returns the configuration in the mode work and, where there is a target, tuned to it.
func (c conf) with(work string, target site.Opt[unit.Power]) (conf, error) {
	mode := c.sub(keyMode).put(keyWork, work)
	if target.OK {
		tuner := mode.sub(keyTuner).put(keyTune, tunePower).put(keyTarget, int(math.Floor(target.V.Watts())))
		mode = mode.put(keyTuner, tuner)
	}
	out := c.put(keyMode, mode)
	if out.work() != work || target.OK && !out.tuned().OK {
		return nil, fmt.Errorf("lay out the configuration in mode %q: %w", work, driver.ErrUnsupported)
	}
	return out, nil
}

// put returns a copy with key set to v; what cannot be written leaves it as it is.
func (c conf) put(key string, v any) conf {
	out := make(conf, len(c)+1)
	for k, old := range c {
		out[k] = old
	}
	if b, err := json.Marshal(v); err == nil {
		out[key] = b
	}
	return out
}

// slot is one pool of the configuration.
type slot struct {
	URL   string `json:"url"`
	User  string `json:"user"`
	Pass  string `json:"pass"`
	Group int    `json:"gid"`
}

// withPools returns the configuration with these pools, in one group where it has groups.
func (c conf) withPools(pools []driver.Pool) conf {
	all := make([]slot, 0, len(pools))
	for _, p := range pools {
		all = append(all, slot{URL: p.URL, User: p.Worker, Pass: string(p.Password)})
	}
	out := c.put(keyPools, all)
	if c[keyGroups] != nil {
		out = out.put(keyGroups, []map[string]any{{"gid": 0, "alias": "", "percent": 100}})
	}
	return out
}
