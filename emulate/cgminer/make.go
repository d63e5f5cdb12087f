package cgminer

import (
	"fmt"
	"time"

	"switchyard/emulate/plant"
)

// nameless is the model whose version names no type.
const nameless = "nameless"

// Make returns what the old machines have in common.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "cgminer", Brand: "Antminer", Cut: []string{"bitmain"},
		Ports:    map[string]int{"rpc": 4028},
		Firmware: "Fri Nov 17 17:37:49 CST 2017",
		Serial:   func(h uint64) string { return fmt.Sprintf("%016x", h) },
		Models: []plant.Row{
			{Name: "S7", TH: 4.73, Watts: 1293, Chips: 45, Fans: 2},
			{Name: "S9", TH: 13.5, Watts: 1323, Chips: 63, Fans: 2},
			{Name: "S9i", TH: 14, Watts: 1320, Chips: 63, Fans: 2},
			{Name: "S9j", TH: 14.5, Watts: 1350, Chips: 63, Fans: 2},
			{Name: "T9+", TH: 10.5, Watts: 1432, Chips: 54, Fans: 2},
			{Name: nameless, TH: 25, Watts: 2200, Chips: 80, Fans: 2},
		},
		Shape: func(m *plant.Model) { m.RampUp = 150 * time.Second },
	}
}
