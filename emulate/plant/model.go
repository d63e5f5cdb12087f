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

// Row is a line of a make's table. Hashrate and nameplate are the makers' published
// figures; chips and fans are of the usual board revision and differ between revisions.
// Zero fields are those of most machines: 3 boards, 100 chips, 4 fans, 30 W asleep.
type Row struct {
	Name                string
	TH, Watts, Standby  float64
	Boards, Chips, Fans int
	TellsPower          bool
}

// Make is what the emulated devices behind one driver's name have in common: ports, factory
// settings, and how their firmware shapes a model's behaviour. It is not written once made.
type Make struct {
	Driver string         // the name that a site file gives the protocol, such as "antminer"
	Brand  string         // how a model's name begins, such as "Antminer"
	Ports  map[string]int // standard ports by name
	// More are the names of ports that it listens on only where a site file names them.
	More []string
	// User and Password are those of the factory.
	User, Password string
	Firmware       string
	// Serial makes a serial number of the maker's form from a number that is the device's own.
	Serial func(h uint64) string
	// Cut are words that do not count in a model's name, beside the brand; lower case.
	Cut    []string
	Models []Row
	// Shape sets what the firmware decides of a model: ramp times, the range of its power
	// targets, whether it tells power. The model comes with ramps of the usual order, targets
	// from half of nameplate, and the row's word on power. Makers publish no ramp times; they
	// are of the order that operators report, and a site file may scale them. Nil: as it comes.
	Shape func(*Model)
}

// Model returns the model called name as it behaves under this make's firmware. Brand,
// case, blanks and hyphens do not count. False means that the table does not know it; then
// the model is Generic's.
func (k *Make) Model(name string) (Model, bool) {
	for _, r := range k.Models {
		if k.plain(r.Name) == k.plain(name) {
			return k.shape(r), true
		}
	}
	return k.Generic(name, 0, 0), false
}

// Generic returns a model made of a site file's figures, for models that the table does
// not know. Zero figures become those of a machine of 100 TH/s and 3,250 W.
func (k *Make) Generic(name string, h unit.Hashrate, nameplate unit.Power) Model {
	if h <= 0 {
		h = 100 * unit.TeraHash
	}
	if nameplate <= 0 {
		nameplate = 3250 * unit.Watt
	}
	if name == "" {
		name = "unknown"
	}
	return k.shape(Row{Name: name, TH: h.TH(), Watts: nameplate.Watts()})
}

func (k *Make) plain(name string) string {
	s := strings.ToLower(name)
	for _, word := range append([]string{strings.ToLower(k.Brand), " ", "-", "_"}, k.Cut...) {
		if word != "" {
			s = strings.ReplaceAll(s, word, "")
		}
	}
	return s
}

func (k *Make) shape(r Row) Model {
	m := Model{
		Make: k.Brand, Name: r.Name, Hashrate: unit.Hashrate(r.TH) * unit.TeraHash,
		Nameplate: unit.Watts(r.Watts), Standby: unit.Watts(r.Standby),
		Boards: r.Boards, ChipsPerBoard: r.Chips, Fans: r.Fans, Inrush: 0.25, ReportsPower: r.TellsPower,
		Boot: 75 * time.Second, RampUp: 180 * time.Second, RampDown: 10 * time.Second,
	}
	if m.Standby == 0 {
		m.Standby = min(30*unit.Watt, m.Nameplate.Scale(0.2))
	}
	if m.Boards == 0 {
		m.Boards = 3
	}
	if m.ChipsPerBoard == 0 {
		m.ChipsPerBoard = 100
	}
	if m.Fans == 0 {
		m.Fans = 4
	}
	m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.5), m.Nameplate
	if k.Shape != nil {
		k.Shape(&m)
	}
	return m
}
