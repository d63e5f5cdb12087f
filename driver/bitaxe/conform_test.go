package bitaxe_test

import (
	"testing"

	"switchyard/driver"
	"switchyard/driver/bitaxe"
	"switchyard/driver/conform"
	emulated "switchyard/emulate/bitaxe"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
)

func TestConformance(t *testing.T) {
	old := func(c *plant.MinerConfig) { c.Make.Firmware = "v2.4.5" }
	for name, k := range map[string]struct {
		model  string
		change func(*plant.MinerConfig)
	}{"AxeOS": {"Gamma", nil}, "AxeOS without pause": {"Supra", old}, "NerdQAxe": {"NerdQAxe++", nil}} {
		t.Run(name, func(t *testing.T) {
			conform.Run(t, conform.Kit{Driver: bitaxe.Driver(), NoPassword: true, Power: true, Start: func(t *testing.T) conform.Fake {
				r := rig.One(t, emulated.Make(), emulated.Serve, k.model, k.change)
				return conform.Fake{
					Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
					Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
				}
			}})
		})
	}
}
