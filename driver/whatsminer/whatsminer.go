// Package whatsminer owns two drivers for MicroBT's stock firmware: "whatsminer" (API 1.x
// and 2.x, JSON on TCP 4028, encrypted writes) and "whatsminer-v3" (API 3.x, framed JSON on
// TCP 4433).
//
// Control is by share of the power limit (set_power_pct, "fast": it acts within seconds
// while the miner hashes). Watts (adjust_power_limit) would be exact and is not used: on
// most firmwares it restarts the miner, which then ramps up for minutes. SetPowerLimit does
// it on purpose. The share is lost when the miner restarts; the next Apply sets it again.
//
// Power is Power_RT (power-realtime) where it is told: plain Power is a mean over minutes,
// which would hide a shed that worked. Hashrate is "HS RT" (MH/s whatever its name says),
// the maker's realtime figure, in API 3 hash-realtime in TH/s.
//
// It never sends the password but encrypted to change it, never changes network or firmware,
// never retries on its own but once over an expired token, and takes no acknowledgement for
// success. Boards, pools, faults and identity move slowly: they are read at the first poll
// and then one of them every fourth; they may be a dozen polls old. Whether the miner was
// switched off is asked where its hashrate does not say that it was not, after a command,
// and every fourth poll: a routine poll of a hashing miner is one exchange.
//
// Apply is one exchange after Stage: the token of API 2 is kept for its half hour and
// renewed by a poll before it ends, the salt of API 3 until the miner restarts, and whether
// it is switched on is known from a reading of the last minute. Only a start with a share
// takes two. Acts are reboot, pools, LED and password. By the maker's document a password is
// letters, digits and underscores, on older firmwares at most eight; the miner says.
//
// Power off lasts until power on, across restarts of the control board: not documented, and
// so assumed. Firmwares before API 1.3 know no token: they are read and told nothing.
//
// SleepTime, WakeTime, Standby and MinPercent are assumptions, not published: power_off
// takes seconds, a cold start about ten minutes to full hashrate at the factory's
// frequency speed. Commands are those of the maker's documents 2.0.5 and 3.0.1; the
// encrypted parameters of API 3 are as the maker's own example makes them.
//
// Concurrency: a Device has one caller at a time. V2 keeps no connection; V3 keeps one for
// 20 s, in which the document allows 300, unless the firmware ends it after each exchange.
package whatsminer

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

const (
	maker = "WhatsMiner"
	// slowEvery is how many polls lie between two looks at something slow.
	slowEvery = 4
	// settled is how long a miner that does not hash yet counts as starting.
	settled = 20 * time.Minute
	// watchPolls is how many polls after a command look at whether it is switched on.
	watchPolls = 8
	// seenLife is how old a reading may be that Apply goes by, site time.
	seenLife = time.Minute
	// minPercent is the least share asked for: below, firmwares hash unsteadily or stop.
	minPercent = 30

	sleepTime = 30 * time.Second
	wakeTime  = 10 * time.Minute
	standby   = 40 * unit.Watt
)

// Drivers returns both drivers, the newer protocol first: a miner that speaks both is
// better spoken to in it.
func Drivers() []driver.Driver {
	acts := site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword)
	return []driver.Driver{
		{
			Name: "whatsminer-v3", About: "WhatsMiner stock firmware, API 3.x (TCP 4433): sleep and percent",
			Abilities: driver.Abilities{
				Devices: "WhatsMiner M50 to M70, API 3.x", Sleep: true, Percent: true, Power: "all", Auth: "account, salted token",
				Acts:  acts,
				Times: "assumed: see the driver", Checked: "emulator", Source: "the maker's API document 3.0.1",
			},
			Ports: map[string]int{"api": PortV3},
			Open:  func(t driver.Target) (driver.Device, error) { return OpenV3(t), nil },
			Probe: ProbeV3,
		},
		{
			Name: "whatsminer", About: "WhatsMiner stock firmware, API 1.x and 2.x (TCP 4028): sleep and percent",
			Abilities: driver.Abilities{
				Devices: "WhatsMiner M20 to M60, API 1.x and 2.x", Sleep: true, Percent: true, Power: "all", Auth: "token, AES",
				Acts:  acts,
				Times: "assumed: see the driver", Checked: "fixtures, emulator", Source: "the maker's API document 2.0.5",
			},
			Ports: map[string]int{"rpc": rpc.Port},
			Open:  func(t driver.Target) (driver.Device, error) { return OpenV2(t), nil },
			Probe: ProbeV2,
		},
	}
}

// memory is what both devices remember between polls.
type memory struct {
	target    driver.Target
	polls     int
	identity  site.Identity
	boards    []site.Board
	pools     []site.Pool
	faults    []string
	nameplate site.Opt[unit.Power] // the power limit at 100 %
	percent   site.Opt[int]        // the share in force, as told or as set
	hashing   bool                 // at the last poll
	watch     int                  // polls that look at whether it is switched on
	elapsed   time.Duration        // at the last poll
	seen      seen
	failed    time.Time // when staging failed last
}

// seen is what the last poll told of whether the miner is switched on; a command ends it.
type seen struct {
	at  time.Time
	off site.Opt[bool]
}

// saw notes what a poll told.
func (m *memory) saw(s *site.Sample) {
	m.seen = seen{at: m.target.Now()}
	switch s.State {
	case site.StateSleeping:
		m.seen.off = site.Some(true)
	case site.StateHashing:
		m.seen.off = site.Some(false)
	case site.StateUnknown, site.StateStarting, site.StateFault:
	}
	m.hashing = s.State == site.StateHashing
	m.watch = max(m.watch-1, 0)
}

// off says whether the miner is switched off as far as a recent poll told.
func (m *memory) off() site.Opt[bool] {
	if m.target.Now().Sub(m.seen.at) > seenLife {
		return site.Opt[bool]{}
	}
	return m.seen.off
}

// tells notes that the miner is being told something: what was seen counts no more.
func (m *memory) tells() { m.seen, m.watch = seen{}, watchPolls }

// look says whether this poll must ask if the miner is switched on: its own figures do not
// say so, or something may have changed.
func (m *memory) look(h hot) bool {
	restarted := h.elapsed.OK && h.elapsed.V < m.elapsed
	if m.elapsed = h.elapsed.Or(m.elapsed); restarted {
		m.percent = site.Opt[int]{}
	}
	sure := h.rate.OK && h.rate.V > 0 && h.limit.OK && !h.cut
	return !sure || restarted || !m.hashing || m.watch > 0 || m.polls%slowEvery == 0
}

// told notes an acknowledged share. Before it hashes a miner acknowledges one and does not
// keep it: that one is not taken for set, so that the next Apply sends it again.
func (m *memory) told(percent int) {
	if m.percent = site.Some(percent); !m.hashing {
		m.percent = site.Opt[int]{}
	}
}

// slowItems is how many slow-moving things a device is asked for in turn.
const slowItems = 3

// due says whether slow item i is to be read at this poll: all at the first, then one every
// slowEvery polls.
func (m *memory) due(i int) bool {
	return m.polls == 0 || m.polls%slowEvery == 0 && m.polls/slowEvery%slowItems == i
}

// sample begins a sample with what is remembered.
func (m *memory) sample(asked time.Time) site.Sample {
	return site.Sample{
		Device: m.target.Device, Asked: asked, Identity: m.identity,
		Boards: m.boards, Pools: m.pools, Faults: m.faults,
	}
}

// limits fills the power limit and the target from the limit that the firmware tells.
func (m *memory) limits(s *site.Sample, watts site.Opt[float64]) {
	if !watts.OK || watts.V <= 0 || watts.V > 1e6 {
		return
	}
	m.nameplate = site.Some(unit.Watts(watts.V))
	s.Target = m.nameplate
	if p := m.percent; p.OK && p.V > 0 && p.V <= 200 {
		s.Target = site.Some(m.nameplate.V.Scale(float64(p.V) / 100))
	}
}

// share turns a cap into the whole per cent of the nameplate that does not exceed it.
func (m *memory) share(limit unit.Power) (int, error) {
	if !m.nameplate.OK {
		return 0, fmt.Errorf("the miner has not told its power limit: %w", driver.ErrRefused)
	}
	percent := int(min(limit*100/m.nameplate.V, 100))
	if percent < minPercent {
		return 0, fmt.Errorf("%s is %d %% of %s, and at least %d %% can be asked for: %w",
			limit, percent, m.nameplate.V, minPercent, driver.ErrRefused)
	}
	return percent, nil
}

func (m *memory) capabilities(percent bool) site.Capabilities {
	return site.Capabilities{
		Identity: m.identity, Sleep: true, Percent: percent, MinPercent: minPercent,
		Nameplate: m.nameplate, Standby: standby, SleepTime: sleepTime, WakeTime: wakeTime,
		Acts: site.ActsOf(site.ActReboot, site.ActPools, site.ActLED, site.ActPassword),
	}
}

// state is the miner's state from what it says of itself: whether it was switched off, its
// hashrate, and how long the mining process runs.
func state(off site.Opt[bool], rate site.Opt[unit.Hashrate], elapsed site.Opt[time.Duration]) site.State {
	switch {
	case off.OK && off.V:
		return site.StateSleeping
	case rate.OK && rate.V > 0:
		return site.StateHashing
	case !rate.OK && !off.OK:
		return site.StateUnknown
	case !rate.OK || !elapsed.OK || elapsed.V < settled:
		return site.StateStarting // switched on, and btminer says nothing of its work yet
	}
	return site.StateFault
}

// seconds reads a count of seconds, at most a century.
func seconds(f site.Opt[float64]) site.Opt[time.Duration] {
	if !f.OK || f.V < 0 || f.V > 100*365*86400 {
		return site.Opt[time.Duration]{}
	}
	return site.Some(time.Duration(f.V * float64(time.Second)))
}

// power reads watts; what no miner draws is unknown, and so is 0: one that answers draws some.
func power(f site.Opt[float64]) site.Opt[unit.Power] {
	if !f.OK || f.V <= 0 || f.V > 1e6 {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(f.V))
}

// temperature reads degrees; what no sensor that works says is unknown, 0 and -1 among it.
func temperature(f site.Opt[float64]) site.Opt[float64] {
	if !f.OK || f.V == 0 || f.V == -1 || f.V < -60 || f.V > 200 {
		return site.Opt[float64]{}
	}
	return f
}

// fans reads speeds in the order of keys; absent ones are left out.
func fans(o rpc.Object, keys ...string) []int {
	var out []int
	for _, k := range keys {
		if f := o.Float(k); f.OK && f.V >= 0 && f.V < 1e5 {
			out = append(out, int(math.Round(f.V)))
		}
	}
	return out
}

// cooled leaves out fans that stand still while the miner hashes: those with water or oil tell
// them all the same.
func cooled(rpm []int, rate site.Opt[unit.Hashrate]) []int {
	if rate.OK && rate.V > 0 && !slices.ContainsFunc(rpm, func(n int) bool { return n > 0 }) {
		return nil
	}
	return rpm
}

// chips reads how many chips of a board answer.
func chips(o rpc.Object, key string) site.Opt[int] {
	n := o.Int(key)
	if !n.OK || n.V < 0 || n.V > 10000 {
		return site.Opt[int]{}
	}
	return n
}

// errorCodes reads a list of codes in any of its shapes: numbers, texts, or objects whose
// keys are codes and whose values are times.
func errorCodes(v any) []string {
	list, _ := v.(rpc.Array)
	var out []string
	add := func(code string) {
		if n, err := strconv.Atoi(strings.TrimSpace(code)); err == nil && n > 0 && len(out) < 64 {
			out = append(out, strconv.Itoa(n))
		}
	}
	for _, e := range list {
		switch e := e.(type) {
		case rpc.Number:
			add(string(e))
		case string:
			add(e)
		case rpc.Object:
			for _, m := range e {
				add(m.Key)
			}
		}
	}
	return out
}

// major returns the leading number of an API version such as "2.0.5" or "whatsminer v1.4.0".
func major(version string) int {
	i := strings.IndexAny(version, "0123456789")
	if i < 0 {
		return 0
	}
	v := 0
	for ; i < len(version) && version[i] >= '0' && version[i] <= '9' && v < 1000; i++ {
		v = 10*v + int(version[i]-'0')
	}
	return v
}

// merge keeps what was known where the new reading does not tell, and where it tells the
// same: its texts are parts of the whole reply, which so need not be kept.
func merge(old, now site.Identity) site.Identity {
	for _, f := range []struct {
		to   *string
		from string
	}{{&now.Make, old.Make}, {&now.Model, old.Model}, {&now.Firmware, old.Firmware}, {&now.Serial, old.Serial}, {&now.MAC, old.MAC}} {
		if *f.to == "" || *f.to == f.from {
			*f.to = f.from
		} else {
			*f.to = strings.Clone(*f.to)
		}
	}
	return now
}
