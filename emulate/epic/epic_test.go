package epic_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"switchyard/emulate/epic"
	"switchyard/emulate/rig"
	"switchyard/site"
	"switchyard/unit"
)

// asker speaks to one emulated miner.
func asker(t *testing.T, r *rig.Rig) func(method, path, body string) (int, map[string]any) {
	return func(method, path, body string) (int, map[string]any) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+r.Host+":"+strconv.Itoa(r.Ports["http"])+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var o map[string]any
		_ = json.Unmarshal(data, &o) // some answers are lists
		return resp.StatusCode, o
	}
}

func TestOrders(t *testing.T) {
	r := rig.One(t, epic.Make(), epic.Serve, "S19", nil)
	ask := asker(t, r)
	tell := func(path, param, password string) (bool, bool) {
		_, o := ask("POST", path, `{"param":`+param+`,"password":"`+password+`"}`)
		done, ok := o["result"].(bool)
		return done, ok
	}
	for _, c := range []struct {
		path, param, password string
		want                  bool
		obeys                 site.Setpoint
	}{
		{"/authenticate", "null", "wrong", false, site.Setpoint{}},
		{"/authenticate", "null", "letmein", true, site.Setpoint{}},
		{"/miner", `"Stop"`, "wrong", false, site.Setpoint{}},
		{"/miner", `"Stop"`, "letmein", true, site.Setpoint{Mode: site.ModeSleep}},
		{"/miner", `"Sleep"`, "letmein", false, site.Setpoint{Mode: site.ModeSleep}},
		{"/miner", `"Autostart"`, "letmein", true, site.Setpoint{}},
		{"/perpetualtune/algo", `{"algo":"Power","target":2000}`, "letmein", true, site.Setpoint{Power: site.Some(2 * unit.Kilowatt)}},
		{"/perpetualtune/algo", `{"algo":"Power","target":200}`, "letmein", false, site.Setpoint{Power: site.Some(2 * unit.Kilowatt)}},
		{"/password", `"new"`, "letmein", true, site.Setpoint{Power: site.Some(2 * unit.Kilowatt)}},
		{"/identify", "true", "letmein", false, site.Setpoint{Power: site.Some(2 * unit.Kilowatt)}},
		{"/identify", "true", "new", true, site.Setpoint{Power: site.Some(2 * unit.Kilowatt)}},
	} {
		done, ok := tell(c.path, c.param, c.password)
		if !ok || done != c.want || r.Obeys() != c.obeys {
			t.Errorf("%+v: %v, %v, obeys %v", c, done, ok, r.Obeys())
		}
	}
	if code, _ := ask("POST", "/nothing", "{}"); code != 404 {
		t.Errorf("unknown order: %d", code)
	}
}

func TestStates(t *testing.T) {
	r := rig.One(t, epic.Make(), epic.Serve, "S19", nil)
	ask := asker(t, r)
	state := func() any {
		_, o := ask("GET", "/summary", "")
		status, _ := o["Status"].(map[string]any)
		return status["Operating State"]
	}
	if got := state(); got != "Mining" {
		t.Errorf("at first %v", got)
	}
	ask("POST", "/miner", `{"param":"Stop","password":"letmein"}`)
	if got := state(); got != "Stopping" {
		t.Errorf("told to stop: %v", got)
	}
	r.Settle()
	if got := state(); got != "Idling" {
		t.Errorf("stopped: %v", got)
	}
}
