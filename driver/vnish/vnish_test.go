package vnish_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/vnish"
	emulated "switchyard/emulate/vnish"

	"switchyard/emulate/rig"
)

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{
		Driver: vnish.Driver(), Power: true, Staged: true,
		Start: func(t *testing.T) conform.Fake {
			r := rig.One(t, emulated.Make(), emulated.Serve, "S19j Pro", nil)
			return conform.Fake{
				Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
				Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
			}
		},
		Bare: func(t *testing.T) conform.Fake {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"miner":{"miner_status":{"miner_state":"mining"},"hr_realtime":null,"power_consumption":0}}`
				if strings.HasSuffix(r.URL.Path, "/info") {
					body = `{"miner":"Antminer S19","fw_name":"Vnish","fw_version":"1.2.6","hr_measure":"GH/s"}`
				}
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(s.Close)
			host, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
			n, _ := strconv.Atoi(port)
			return conform.Fake{Target: driver.Target{Host: host, Ports: map[string]int{"http": n}}}
		},
	})
}
