package braiins

import (
	"fmt"
	"time"

	"switchyard/emulate/antminer"
	"switchyard/emulate/plant"
)

// Make returns what miners with Braiins OS have in common: Bitmain's machines, whose
// firmware knows their power.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "braiins", Brand: "Antminer", Cut: []string{"bitmain"},
		Ports: map[string]int{"http": 80}, More: []string{"grpc"}, User: "root",
		Firmware: "2025-03-12-0-6d7a5c54-25.03-plus",
		Serial:   func(h uint64) string { return fmt.Sprintf("SMTTYRHBD%08X", uint32(h)) }, //nolint:gosec // its low half
		Models:   antminer.Models(),
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 45*time.Second, 150*time.Second, 8*time.Second
			m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.3), m.Nameplate.Scale(1.1)
			m.ReportsPower = true
		},
	}
}
