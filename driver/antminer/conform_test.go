package antminer_test

import (
	"testing"

	"switchyard/driver"
	"switchyard/driver/antminer"
	"switchyard/driver/conform"
	emulated "switchyard/emulate/antminer"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
)

// TestConformance speaks to emulated miners, which were written apart from the driver: an
// old firmware that is down before it has answered a reboot, and a new one.
func TestConformance(t *testing.T) {
	for _, c := range []struct{ id, model string }{{"hall-001", "S19 Pro"}, {"hall-003", "S21"}} {
		t.Run(c.id+" "+c.model, func(t *testing.T) {
			conform.Run(t, conform.Kit{
				Driver: antminer.Driver(), Staged: true, Power: c.model != "S19 Pro",
				Start: func(t *testing.T) conform.Fake {
					r := rig.One(t, emulated.Make(), emulated.Serve, c.model, func(m *plant.MinerConfig) {
						m.ID, m.Password = c.id, "a-longer-one"
					})
					return conform.Fake{
						Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password), Now: r.Now},
						Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
					}
				},
			})
		})
	}
}
