package auradine_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/auradine"
	"switchyard/emulate/rig"
	"switchyard/site"
	"switchyard/unit"
)

// client speaks to one emulated miner over HTTPS or HTTP.
type client struct {
	t     *testing.T
	base  string
	token string
	http  http.Client
}

func newClient(t *testing.T, r *rig.Rig, scheme string) *client {
	c := &client{t: t, base: scheme + "://" + r.Host + ":" + strconv.Itoa(r.Ports[scheme]) + "/"}
	c.http.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the device signed it itself
	return c
}

func (c *client) ask(method, name, body string) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+name, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Token", c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	var o map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, o
}

func (c *client) login(password string) bool {
	_, o := c.ask("POST", "token", `{"command":"token","user":"admin","password":"`+password+`"}`)
	list, _ := o["Token"].([]any)
	if len(list) == 0 {
		return false
	}
	c.token, _ = list[0].(map[string]any)["Token"].(string)
	return c.token != ""
}

func TestOrders(t *testing.T) {
	for _, scheme := range []string{"https", "http"} {
		r := rig.One(t, auradine.Make(), auradine.Serve, "AT2880", nil)
		c := newClient(t, r, scheme)
		if code, _ := c.ask("POST", "mode", `{"sleep":"on"}`); code != 401 || r.Obeys().Mode != site.ModeRun {
			t.Errorf("%s: without a token: %d", scheme, code)
		}
		if c.login("wrong") || !c.login("admin") {
			t.Fatalf("%s: logins", scheme)
		}
		for _, o := range []struct {
			body string
			want site.Setpoint
		}{
			{`{"command":"mode","sleep":"on"}`, site.Setpoint{Mode: site.ModeSleep}},
			{`{"sleep":"off"}`, site.Setpoint{}},
			{`{"mode":"custom","tune":"power","power":3000}`, site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}},
			{`{"mode":"custom","tune":"power","power":1}`, site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}},
			{`{"mode":"normal"}`, site.Setpoint{}},
		} {
			if c.ask("POST", "mode", o.body); r.Obeys() != o.want {
				t.Errorf("%s %s: obeys %v, want %v", scheme, o.body, r.Obeys(), o.want)
			}
		}
		r.World.Step(r.Now().Add(2 * time.Hour))
		if code, _ := c.ask("GET", "mode", ""); code != 401 {
			t.Errorf("%s: a token of two hours: %d", scheme, code)
		}
	}
}

func TestRPCNeedsNoToken(t *testing.T) {
	r := rig.One(t, auradine.Make(), auradine.Serve, "AT2880", nil)
	for command, want := range map[string]string{"summary": `"MHS 5s":`, "devs": `"DEVS":`, "version": `"GCMiner":`, "pools": `"Stratum Active":`, "quit": `"STATUS":"E"`} {
		conn, err := net.Dial("tcp", net.JoinHostPort(r.Host, strconv.Itoa(r.Ports["rpc"])))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, `{"command":"`+command+`"}`)
		got, err := io.ReadAll(conn)
		_ = conn.Close()
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %s, %v", command, got, err)
		}
	}
}
