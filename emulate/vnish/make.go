package vnish

import (
	"fmt"
	"time"

	"switchyard/emulate/antminer"
	"switchyard/emulate/plant"
)

// Make returns what miners with VNish have in common: Bitmain's machines, whose firmware
// estimates their power.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "vnish", Brand: "Antminer", Cut: []string{"bitmain"},
		Ports: map[string]int{"http": 80}, User: "admin", Password: "admin",
		Firmware: "1.3.4",
		Serial:   func(h uint64) string { return fmt.Sprintf("VNSTYRHBD%08X", uint32(h)) }, //nolint:gosec // its low half
		Models:   antminer.Models(),
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 60*time.Second, 150*time.Second, 8*time.Second
			m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.4), m.Nameplate.Scale(1.25)
			m.ReportsPower = true
		},
	}
}
