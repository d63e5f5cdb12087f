package auradine

import (
	"fmt"
	"time"

	"switchyard/emulate/plant"
)

// Make returns what Teraflux miners have in common.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "auradine", Brand: "Teraflux", Cut: []string{"auradine"},
		Ports: map[string]int{"https": 8443, "http": 8080, "rpc": 4028},
		User:  "admin", Password: "admin",
		Firmware: "2.2.0",
		Serial:   func(h uint64) string { return fmt.Sprintf("AU%08d", h%1e8) },
		Models: []plant.Row{
			{Name: "AT1500", TH: 150, Watts: 2850, Standby: 55, Chips: 132, TellsPower: true},
			{Name: "AT2880", TH: 260, Watts: 4160, Standby: 58, Chips: 132, TellsPower: true},
			{Name: "AI3680", TH: 360, Watts: 6840, Standby: 58, Chips: 132, TellsPower: true},
			{Name: "AH3880", TH: 600, Watts: 8700, Standby: 58, Chips: 132, Fans: 2, TellsPower: true},
		},
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 60*time.Second, 180*time.Second, 10*time.Second
			m.MinWatts, m.MaxWatts = m.Nameplate.Scale(0.4), m.Nameplate.Scale(1.1)
		},
	}
}
