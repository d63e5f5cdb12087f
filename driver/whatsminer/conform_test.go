package whatsminer_test

import (
	"testing"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/whatsminer"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	emulated "switchyard/emulate/whatsminer"
)

// TestConformance speaks to emulated miners, which were written apart from the drivers.
func TestConformance(t *testing.T) {
	for _, drv := range whatsminer.Drivers() {
		k, serve := emulated.Make(), rig.Serve(emulated.Serve)
		if drv.Name == "whatsminer-v3" {
			k, serve = emulated.MakeV3(), emulated.ServeV3
		}
		t.Run(drv.Name, func(t *testing.T) {
			conform.Run(t, conform.Kit{Driver: drv, Staged: true, Power: true, Start: func(t *testing.T) conform.Fake {
				r := rig.One(t, k, serve, "M60S", func(m *plant.MinerConfig) { m.Password = "a-longer-one" })
				return conform.Fake{
					Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password), Now: r.Now},
					Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
				}
			}})
		})
	}
}
