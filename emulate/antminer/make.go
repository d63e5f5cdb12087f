package antminer

import (
	"fmt"

	"switchyard/emulate/plant"
)

// Make returns what Antminers with Bitmain's firmware have in common.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "antminer", Brand: "Antminer", Cut: []string{"bitmain"},
		Ports: map[string]int{"http": 80, "rpc": 4028},
		User:  "root", Password: "root",
		Firmware: "Fri Nov 15 14:20:00 CST 2024",
		Serial:   func(h uint64) string { return fmt.Sprintf("SMTTYRHBD%08X", uint32(h)) }, //nolint:gosec // its low half
		Models:   Models(),
	}
}

// Models returns Bitmain's machines, on which other firmwares run as well.
func Models() []plant.Row {
	return []plant.Row{
		{Name: "S19", TH: 95, Watts: 3250, Standby: 25, Chips: 76},
		{Name: "S19 Pro", TH: 110, Watts: 3250, Standby: 25, Chips: 114},
		{Name: "S19j Pro", TH: 104, Watts: 3068, Standby: 25, Chips: 126},
		{Name: "S19k Pro", TH: 120, Watts: 2760, Standby: 22, Chips: 77},
		{Name: "S19 XP", TH: 140, Watts: 3010, Standby: 25, Chips: 110},
		{Name: "T19", TH: 84, Watts: 3150, Standby: 25, Chips: 76},
		{Name: "S21", TH: 200, Watts: 3500, Standby: 28, Chips: 108, TellsPower: true},
		{Name: "S21 XP", TH: 270, Watts: 3645, Standby: 28, Chips: 91, TellsPower: true},
		{Name: "T21", TH: 190, Watts: 3610, Standby: 28, Chips: 108, TellsPower: true},
	}
}
