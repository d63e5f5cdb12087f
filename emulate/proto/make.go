package proto

import (
	"fmt"
	"time"

	"switchyard/emulate/plant"
)

// Make returns what Proto rigs have in common. They are delivered without a password.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "proto", Brand: "Proto", Ports: map[string]int{"http": 80}, User: "admin", Firmware: "1.8.2",
		Serial: func(h uint64) string { return fmt.Sprintf("2526CB%010d", h%1e10) },
		Models: []plant.Row{{Name: "Rig", TH: 819, Watts: 12000, Standby: 60, Boards: 9, Chips: 128, Fans: 6}},
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 30*time.Second, 150*time.Second, 8*time.Second
			m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.25), m.Nameplate.Scale(1.1)
			m.ReportsPower = true
		},
	}
}
