package epic

import (
	"fmt"
	"time"

	"switchyard/emulate/antminer"
	"switchyard/emulate/plant"
)

// Make returns what miners with ePIC's firmware have in common: Bitmain's machines, whose
// power supply is read.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "epic", Brand: "Antminer", Cut: []string{"bitmain"},
		Ports: map[string]int{"http": 4028}, Password: "letmein",
		Firmware: "PowerPlay-BM v1.30.0",
		Serial:   func(h uint64) string { return fmt.Sprintf("EPCTYRHBD%08X", uint32(h)) }, //nolint:gosec // its low half
		Models:   antminer.Models(),
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 60*time.Second, 170*time.Second, 6*time.Second
			m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.35), m.Nameplate.Scale(1.2)
			m.ReportsPower = true
		},
	}
}
