package bitaxe

import (
	"strings"
	"time"

	"switchyard/emulate/plant"
)

// Make returns what Bitaxes and NerdQAxes have in common. The power is the board's, at its
// input; a mains adapter takes some 10 % more.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "bitaxe", Brand: "Bitaxe", Cut: []string{"axeos"},
		Ports: map[string]int{"http": 80}, Firmware: "v2.13.1",
		Models: []plant.Row{
			{Name: "Max", TH: 0.4, Watts: 15, Standby: 3, Boards: 1, Chips: 1, Fans: 1},
			{Name: "Ultra", TH: 0.5, Watts: 13, Standby: 3, Boards: 1, Chips: 1, Fans: 1},
			{Name: "Supra", TH: 0.7, Watts: 14, Standby: 3, Boards: 1, Chips: 1, Fans: 1},
			{Name: "Gamma", TH: 1.2, Watts: 17, Standby: 3, Boards: 1, Chips: 1, Fans: 1},
			{Name: "GammaTurbo", TH: 2.15, Watts: 36, Standby: 4, Boards: 1, Chips: 2, Fans: 2},
			{Name: "NerdAxe", TH: 1.2, Watts: 18, Standby: 3, Boards: 1, Chips: 1, Fans: 1},
			{Name: "NerdQAxe+", TH: 2.5, Watts: 58, Standby: 6, Boards: 1, Chips: 4, Fans: 1},
			{Name: "NerdQAxe++", TH: 4.8, Watts: 76, Standby: 6, Boards: 1, Chips: 4, Fans: 1},
			{Name: "NerdOCTAXE-G", TH: 9.6, Watts: 160, Standby: 8, Boards: 1, Chips: 8, Fans: 2},
		},
		Shape: func(m *plant.Model) {
			m.Boot, m.RampUp, m.RampDown = 5*time.Second, 20*time.Second, 3*time.Second
			m.ReportsPower = true
			if strings.HasPrefix(m.Name, "Nerd") {
				m.Make = "NerdAxe"
			}
		},
	}
}

// chip is what the firmware knows of a model's hardware.
type chip struct {
	asic, board     string
	mhz, millivolts int // the maker's setting
}

func chipOf(model string) chip {
	switch model {
	case "Max":
		return chip{"BM1397", "102", 425, 1400}
	case "Ultra":
		return chip{"BM1366", "204", 485, 1200}
	case "Supra":
		return chip{"BM1368", "401", 490, 1166}
	case "NerdQAxe+":
		return chip{"BM1368", "", 490, 1200}
	case "GammaTurbo":
		return chip{"BM1370", "801", 525, 1150}
	case "NerdAxe", "NerdQAxe++", "NerdOCTAXE-G":
		return chip{"BM1370", "", 600, 1150}
	}
	return chip{"BM1370", "601", 525, 1150}
}
