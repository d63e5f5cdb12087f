package mara

import (
	"fmt"
	"time"

	"switchyard/emulate/antminer"
	"switchyard/emulate/plant"
)

// Make returns what miners with MARA's firmware have in common: Bitmain's machines, whose
// firmware estimates their power.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "mara", Brand: "Antminer", Cut: []string{"bitmain"},
		Ports: map[string]int{"http": 80, "rpc": 4028}, User: "root", Password: "root",
		Firmware: "rel 3.14_584",
		Serial:   func(h uint64) string { return fmt.Sprintf("MARTYRHBD%08X", uint32(h)) }, //nolint:gosec // its low half
		Models:   antminer.Models(),
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 60*time.Second, 180*time.Second, 10*time.Second
			m.ReportsPower = true
		},
	}
}
