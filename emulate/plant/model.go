package plant

import (
	"strings"
	"time"

	"switchyard/unit"
)

// Model is one model of miner under one make's firmware.
type Model struct {
	Make, Name string // "Antminer", "S21"

	Hashrate  unit.Hashrate // at nameplate
	Nameplate unit.Power    // at the wall
	Standby   unit.Power    // asleep, reachable

	Boards, ChipsPerBoard, Fans int

	// Boot is from the wish to run to the first power of the hashboards, RampUp from
	// standby to nameplate after it, RampDown from nameplate to standby.
	RampUp, RampDown, Boot time.Duration
	// Inrush is the step at the end of Boot, as a share of nameplate.
	Inrush unit.Ratio
	// MinWatts and MaxWatts bound the power limits that the hardware can follow.
	MinWatts, MaxWatts unit.Power
	// ReportsPower says whether the firmware tells its power.
	ReportsPower bool
}

// row is a line of the model table. Hashrate and nameplate are the makers' published
// figures; chips and fans are of the usual board revision and differ between revisions.
type row struct {
	name        string
	th, watts   float64
	standby     float64
	chips, fans int
	tellsPower  bool
}

var antminers = []row{
	{"S19", 95, 3250, 25, 76, 4, false},
	{"S19 Pro", 110, 3250, 25, 114, 4, false},
	{"S19j Pro", 104, 3068, 25, 126, 4, false},
	{"S19k Pro", 120, 2760, 22, 77, 4, false},
	{"S19 XP", 140, 3010, 25, 110, 4, false},
	{"T19", 84, 3150, 25, 76, 4, false},
	{"S21", 200, 3500, 28, 108, 4, true},
	{"S21 XP", 270, 3645, 28, 91, 4, true},
	{"T21", 190, 3610, 28, 108, 4, true},
}

var whatsminers = []row{
	{"M30S", 88, 3344, 40, 148, 2, true},
	{"M30S+", 100, 3400, 40, 156, 2, true},
	{"M30S++", 112, 3472, 40, 111, 2, true},
	{"M50", 114, 3306, 42, 105, 2, true},
	{"M50S", 126, 3276, 42, 105, 2, true},
	{"M60", 172, 3423, 45, 156, 2, true},
	{"M60S", 186, 3441, 45, 156, 2, true},
}

// Lookup returns the model called name as it behaves under the firmware that a driver
// speaks to ("antminer", "whatsminer", "whatsminer-v3", "braiins"). The make's name, case,
// spaces and hyphens do not count. False means that the table does not know the model.
func Lookup(driver, name string) (Model, bool) {
	table := antminers
	if strings.HasPrefix(driver, "whatsminer") {
		table = whatsminers
	}
	for _, r := range table {
		if plain(r.name) == plain(name) {
			return r.model(driver), true
		}
	}
	return Generic(driver, name, 0, 0), false
}

// Generic returns a model made of a site file's figures, for models that the table does
// not know. Zero figures become those of a machine of 100 TH/s and 3,250 W.
func Generic(driver, name string, h unit.Hashrate, nameplate unit.Power) Model {
	if h <= 0 {
		h = 100 * unit.TeraHash
	}
	if nameplate <= 0 {
		nameplate = 3250 * unit.Watt
	}
	if name == "" {
		name = "unknown"
	}
	return row{name, h.TH(), nameplate.Watts(), 30, 100, 4, false}.model(driver)
}

func plain(name string) string {
	s := strings.ToLower(name)
	for _, word := range []string{"bitmain", "antminer", "microbt", "whatsminer", " ", "-", "_"} {
		s = strings.ReplaceAll(s, word, "")
	}
	return s
}

// model gives a row the behaviour of its firmware. The makers publish no ramp times; these
// are of the order that operators report, and a test may scale them.
func (r row) model(driver string) Model {
	m := Model{
		Make: "Antminer", Name: r.name, Hashrate: unit.Hashrate(r.th) * unit.TeraHash,
		Nameplate: unit.Watts(r.watts), Standby: unit.Watts(r.standby),
		Boards: 3, ChipsPerBoard: r.chips, Fans: r.fans, Inrush: 0.25,
		MaxWatts: unit.Watts(r.watts), ReportsPower: r.tellsPower,
	}
	switch {
	case strings.HasPrefix(driver, "whatsminer"):
		m.Make = "WhatsMiner"
		m.Boot, m.RampUp, m.RampDown = 60*time.Second, 240*time.Second, 6*time.Second
		m.MinWatts = m.Nameplate.Scale(0.4)
	case driver == "braiins":
		m.Boot, m.RampUp, m.RampDown = 45*time.Second, 150*time.Second, 8*time.Second
		m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.3), m.Nameplate.Scale(1.1)
		m.ReportsPower = true
	default:
		m.Boot, m.RampUp, m.RampDown = 75*time.Second, 180*time.Second, 10*time.Second
		m.MinWatts = m.Nameplate.Scale(0.5)
	}
	return m
}

// StandardPorts returns the ports on which devices of a driver's kind listen unless the
// site file says otherwise, by name; nil for an unknown driver.
func StandardPorts(driver string) map[string]int {
	switch driver {
	case "antminer":
		return map[string]int{"http": 80, "rpc": 4028}
	case "whatsminer":
		return map[string]int{"rpc": 4028}
	case "whatsminer-v3":
		return map[string]int{"api": 4433}
	case "braiins":
		return map[string]int{"http": 80}
	case "modbus":
		return map[string]int{"modbus": 502}
	}
	return nil
}

// FactoryLogin returns the user and password that a make's devices leave the factory with.
func FactoryLogin(driver string) (user, password string) {
	switch driver {
	case "whatsminer":
		return "admin", "admin"
	case "whatsminer-v3":
		return "super", "super"
	case "braiins":
		return "root", ""
	}
	return "root", "root"
}
