package proto_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/driver/proto"
	"switchyard/emulate/plant"
	emulated "switchyard/emulate/proto"
	"switchyard/emulate/rig"
	"switchyard/site"
)

func start(t *testing.T) *rig.Rig {
	return rig.One(t, emulated.Make(), emulated.Serve, "Rig", func(c *plant.MinerConfig) { c.Password = "pr0to-secret" })
}

func target(r *rig.Rig) driver.Target {
	return driver.Target{Device: "p-001", Host: r.Host, Ports: r.Ports, User: r.User, Password: driver.Secret(r.Password), Now: time.Now}
}

func TestConformance(t *testing.T) {
	conform.Run(t, conform.Kit{Driver: proto.Driver(), ReadNeedsPassword: true, Staged: true, Power: true, Start: func(t *testing.T) conform.Fake {
		r := start(t)
		return conform.Fake{Target: target(r), Obeys: r.Obeys, Settle: r.Settle, Acts: r.Acts}
	}})
}

// TestTokensAreRefreshed: an access token's life is shorter than a shift.
func TestTokensAreRefreshed(t *testing.T) {
	r := start(t)
	d, err := proto.Driver().Open(target(r))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for range 12 { // twelve times four minutes
		s, err := d.Read(ctx)
		if err != nil || s.State != site.StateHashing || s.Identity.Model != "Rig" || len(s.Boards) != 9 || s.Boards[0].Chips.V != 128 || len(s.Fans) != 6 {
			t.Fatalf("%v: %+v", err, s)
		}
		r.Settle()
		r.Settle()
	}
}

// TestHTTPS: a target that names the port "https" is asked there.
func TestHTTPS(t *testing.T) {
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"system-info":{"manufacturer":"Proto","model":"Rig","cb_sn":"1","os":{"version":"1.8.2"}}}`)
	}))
	defer web.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	id, err := proto.Driver().Probe(ctx, driver.Target{Host: "127.0.0.1", Now: time.Now, Ports: map[string]int{"https": web.Listener.Addr().(*net.TCPAddr).Port}})
	if err != nil || id.Model != "Rig" || id.Serial != "1" {
		t.Errorf("%+v, %v", id, err)
	}
}
