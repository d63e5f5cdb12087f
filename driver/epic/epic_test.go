package epic_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/epic"
	emulated "switchyard/emulate/epic"
	"switchyard/emulate/rig"
)

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{
		Driver: epic.Driver(), Power: true, Staged: true,
		Start: func(t *testing.T) conform.Fake {
			r := rig.One(t, emulated.Make(), emulated.Serve, "S19j Pro", nil)
			return conform.Fake{
				Target: driver.Target{Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password)},
				Obeys:  r.Obeys, Settle: r.Settle, Acts: r.Acts,
			}
		},
		Bare: func(t *testing.T) conform.Fake {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"Status":{"Operating State":"Mining"},"HBs":null,"Power Supply Stats":{"Input Power":0}}`
				if r.URL.Path == "/capabilities" {
					body = `{"Model":"Antminer S19 XP"}`
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
