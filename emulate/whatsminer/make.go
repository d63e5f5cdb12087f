package whatsminer

import (
	"fmt"
	"time"

	"switchyard/emulate/plant"
)

// Make returns what WhatsMiners that speak the second protocol have in common.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "whatsminer", Brand: "WhatsMiner", Cut: []string{"microbt"},
		Ports: map[string]int{"rpc": 4028}, User: "admin", Password: "admin",
		Firmware: "20230911.12.Rel",
		Serial:   func(h uint64) string { return fmt.Sprintf("HTM32X%014d", h%1e14) },
		Models:   models(), Shape: shape,
	}
}

// MakeV3 returns what WhatsMiners that speak the third protocol have in common.
func MakeV3() *plant.Make {
	return &plant.Make{
		Driver: "whatsminer-v3", Brand: "WhatsMiner", Cut: []string{"microbt"},
		Ports: map[string]int{"api": 4433}, User: "super", Password: "super",
		Firmware: "20250214.16.Rel",
		Serial:   func(h uint64) string { return fmt.Sprintf("HTM38X%014d", h%1e14) },
		Models:   models(), Shape: shape,
	}
}

func models() []plant.Row {
	return []plant.Row{
		{Name: "M30S", TH: 88, Watts: 3344, Standby: 40, Chips: 148, Fans: 2, TellsPower: true},
		{Name: "M30S+", TH: 100, Watts: 3400, Standby: 40, Chips: 156, Fans: 2, TellsPower: true},
		{Name: "M30S++", TH: 112, Watts: 3472, Standby: 40, Chips: 111, Fans: 2, TellsPower: true},
		{Name: "M50", TH: 114, Watts: 3306, Standby: 42, Chips: 105, Fans: 2, TellsPower: true},
		{Name: "M50S", TH: 126, Watts: 3276, Standby: 42, Chips: 105, Fans: 2, TellsPower: true},
		{Name: "M60", TH: 172, Watts: 3423, Standby: 45, Chips: 156, Fans: 2, TellsPower: true},
		{Name: "M60S", TH: 186, Watts: 3441, Standby: 45, Chips: 156, Fans: 2, TellsPower: true},
	}
}

func shape(m *plant.Model) {
	m.Boot, m.RampUp, m.RampDown = 60*time.Second, 240*time.Second, 6*time.Second
	m.MinWatts = m.Nameplate.Scale(0.4)
}
