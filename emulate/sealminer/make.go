package sealminer

import (
	"fmt"
	"time"

	"switchyard/emulate/plant"
)

// Make returns what SealMiners have in common.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "sealminer", Brand: "SealMiner", Cut: []string{"bitdeer"},
		Ports: map[string]int{"http": 80, "rpc": 4028},
		User:  "seal", Password: "seal",
		Firmware: "2025091001",
		Serial:   func(h uint64) string { return fmt.Sprintf("S%015d", h%1e15) },
		Models: []plant.Row{
			{Name: "A2", TH: 226, Watts: 3729, Standby: 45, Chips: 153, TellsPower: true},
			{Name: "A2 Hyd", TH: 446, Watts: 7360, Standby: 50, Chips: 200, Fans: 1, TellsPower: true},
			{Name: "A2 Pro Air", TH: 255, Watts: 3790, Standby: 45, Chips: 153, TellsPower: true},
			{Name: "A2 Pro Hyd", TH: 500, Watts: 7450, Standby: 50, Chips: 200, Fans: 1, TellsPower: true},
			{Name: "A3 Air", TH: 260, Watts: 3640, Standby: 45, Chips: 153, TellsPower: true},
			{Name: "A3 Pro Air", TH: 290, Watts: 3625, Standby: 45, Chips: 153, TellsPower: true},
			{Name: "A3 Pro Hyd", TH: 660, Watts: 8250, Standby: 50, Chips: 200, Fans: 1, TellsPower: true},
		},
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 100*time.Second, 240*time.Second, 10*time.Second
		},
	}
}
