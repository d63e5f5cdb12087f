package mara_test

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"switchyard/emulate/mara"
	"switchyard/emulate/rig"
	"switchyard/site"
	"switchyard/unit"
)

func ask(t *testing.T, r *rig.Rig, password, method, name, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+net.JoinHostPort(r.Host, strconv.Itoa(r.Ports["http"]))+"/kaonsu/v1/"+name, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{Transport: &digest.Transport{Username: "root", Password: password}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestOrders(t *testing.T) {
	r := rig.One(t, mara.Make(), mara.Serve, "S21", nil)
	post := func(mode, tune string, watts int) string {
		_, said := ask(t, r, "root", "POST", "miner_config",
			`{"mode":{"work-mode-selector":"`+mode+`","concorde":{"mode-select":"`+tune+`","power-target":`+strconv.Itoa(watts)+`}}}`)
		return said
	}
	if code, _ := ask(t, r, "wrong", "POST", "miner_config", `{}`); code != 401 {
		t.Errorf("wrong password: %d", code)
	}
	for _, o := range []struct {
		mode, tune string
		watts      int
		said       string
		want       site.Setpoint
	}{
		{"Sleep", "PowerTarget", 3500, `"error":false`, site.Setpoint{Mode: site.ModeSleep}},
		{"Auto", "PowerTarget", 3000, `"error":false`, site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}},
		{"Auto", "PowerTarget", 1, `"error":true`, site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}},
		{"Off", "PowerTarget", 3000, `"error":true`, site.Setpoint{Power: site.Some(3 * unit.Kilowatt)}},
		{"Stock", "PowerTarget", 3000, `"error":false`, site.Setpoint{}},
	} {
		if said := post(o.mode, o.tune, o.watts); !strings.Contains(said, o.said) || r.Obeys() != o.want {
			t.Errorf("%+v: %s, obeys %v", o, said, r.Obeys())
		}
	}
	_, log := ask(t, r, "root", "GET", "log?type=miner_config_history", "")
	if want := `"from":"Stock","path":["Mode","WorkModeSelector"],"to":"Sleep"`; !strings.Contains(log, want) || strings.Count(log, "update") != 3 {
		t.Errorf("log %s", log)
	}
	if _, said := ask(t, r, "root", "POST", "maintenance", `{"type":"passwd","params":{"curPwd":"root","newPwd":"n","confirmPwd":"n"}}`); !strings.Contains(said, `"error":false`) {
		t.Errorf("password: %s", said)
	}
	if code, _ := ask(t, r, "root", "GET", "brief", ""); code != 401 {
		t.Errorf("the old password: %d", code)
	}
}

// TestNonceGrowsOld: after ten minutes a nonce proves nothing any more.
func TestNonceGrowsOld(t *testing.T) {
	r := rig.One(t, mara.Make(), mara.Serve, "S21", nil)
	const uri = "/kaonsu/v1/brief"
	address := "http://" + net.JoinHostPort(r.Host, strconv.Itoa(r.Ports["http"])) + uri
	get := func(authorization string) *http.Response {
		req, err := http.NewRequest("GET", address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	ch, err := digest.FindChallenge(get("").Header)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := digest.Digest(ch, digest.Options{Method: "GET", URI: uri, Count: 1, Username: "root", Password: "root"})
	if err != nil {
		t.Fatal(err)
	}
	if got := get(proof.String()).StatusCode; got != 200 {
		t.Errorf("fresh: %d", got)
	}
	r.World.Step(r.Now().Add(11 * time.Minute))
	if got := get(proof.String()).StatusCode; got != 401 {
		t.Errorf("old: %d", got)
	}
}

func TestRPCOnlyReads(t *testing.T) {
	r := rig.One(t, mara.Make(), mara.Serve, "S21", nil)
	for command, want := range map[string]string{
		"version": `"BMMiner":"MaraFW`, "summary": `"GHS 5s":`, "stats": `"STATS":`, "pools": `"Stratum Active":`, "restart": `"STATUS":"E"`,
	} {
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
