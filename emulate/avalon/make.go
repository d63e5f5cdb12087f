package avalon

import (
	"fmt"
	"strings"
	"time"

	"switchyard/emulate/plant"
)

// Make returns what Avalon miners have in common.
func Make() *plant.Make {
	return &plant.Make{
		Driver: "avalon", Brand: "Avalon", Cut: []string{"canaan", "miner"},
		Ports: map[string]int{"rpc": 4028}, User: "root", Password: "root",
		Firmware: "24102401_25462b2",
		Serial:   func(h uint64) string { return fmt.Sprintf("02010000%08x", uint32(h)) }, //nolint:gosec // its low half
		Models: []plant.Row{
			{Name: "A1246", TH: 90, Watts: 3420, Standby: 15, Chips: 120, TellsPower: true},
			{Name: "A1346", TH: 110, Watts: 3300, Standby: 15, Chips: 136, TellsPower: true},
			{Name: "A1366", TH: 130, Watts: 3250, Standby: 15, Chips: 160, Fans: 2, TellsPower: true},
			{Name: "A1466", TH: 150, Watts: 3230, Standby: 15, Chips: 160, Fans: 2, TellsPower: true},
			{Name: "A1566", TH: 185, Watts: 3420, Standby: 15, Chips: 160, Fans: 2, TellsPower: true},
			{Name: "Q", TH: 90, Watts: 1674, Standby: 17, Boards: 1, Chips: 160, TellsPower: true},
			{Name: "Mini3", TH: 37.5, Watts: 800, Standby: 15, Boards: 1, Chips: 70, Fans: 1, TellsPower: true},
			{Name: "Nano3s", TH: 6, Watts: 140, Standby: 10, Boards: 1, Chips: 12, Fans: 1, TellsPower: true},
		},
		Shape: shape,
	}
}

func shape(m *plant.Model) {
	m.RampDown = 9 * time.Second // the order's own delay included
	m.MinWatts = m.Nameplate.Scale(0.4)
}

// home says whether it is one of the machines for homes, whose firmware is another.
func home(m plant.Model) bool {
	n := strings.ToLower(m.Name)
	return n == "q" || strings.HasPrefix(n, "nano") || strings.HasPrefix(n, "mini")
}

// modes returns what each work mode draws, as a share of nameplate.
func modes(m plant.Model) []float64 {
	if home(m) {
		return []float64{800.0 / 1674, 1300.0 / 1674, 1}
	}
	return []float64{0.85, 1}
}
