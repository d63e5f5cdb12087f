package luxos

import (
	"fmt"
	"strings"
	"time"

	"switchyard/emulate/antminer"
	"switchyard/emulate/plant"
)

// Make returns what Antminers with LuxOS have in common. It tells the power of all of them.
func Make() *plant.Make {
	models := antminer.Models()
	for i := range models {
		models[i].TellsPower = true
	}
	return &plant.Make{
		Driver: "luxos", Brand: "Antminer", Cut: []string{"bitmain", "luxos"},
		Ports:    map[string]int{"rpc": 4028},
		Firmware: "2025.4.8.220305",
		Serial:   func(h uint64) string { return fmt.Sprintf("JYZZB0UBD%08X", uint32(h)) }, //nolint:gosec // its low half
		Models:   models, Shape: shape,
	}
}

func shape(m *plant.Model) {
	m.RampDown, m.RampUp = 5*time.Second, 200*time.Second
	m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.25), m.Nameplate.Scale(1.2)
}

// The steps of the profiles, of 25 MHz each, around the default.
const (
	lowestStep  = -16
	highestStep = 4
	baseMHz     = 545
	stepMHz     = 25
	defaultName = "default"
)

// profile is one operating point.
type profile struct {
	name  string
	step  int
	mhz   int
	watts float64
	th    float64
}

// profiles returns the operating points of a model, the lowest first. Power falls faster than
// the frequency, because the voltage falls too.
func profiles(m plant.Model) []profile {
	var all []profile
	for step := lowestStep; step <= highestStep; step++ {
		mhz := baseMHz + step*stepMHz
		share := float64(mhz) / baseMHz
		p := profile{name: fmt.Sprintf("%dMHz", mhz), step: step, mhz: mhz, th: m.Hashrate.TH() * share}
		p.watts = float64(int(m.Nameplate.Watts() * share * (0.75 + 0.25*share)))
		if step == 0 {
			p.name, p.watts = defaultName, m.Nameplate.Watts()
		}
		all = append(all, p)
	}
	return all
}

// find returns the profile of that name, in any case.
func find(m plant.Model, name string) (profile, bool) {
	for _, p := range profiles(m) {
		if strings.EqualFold(p.name, name) {
			return p, true
		}
	}
	return profile{}, false
}
