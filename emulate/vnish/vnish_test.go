package vnish_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"switchyard/emulate/rig"
	"switchyard/emulate/vnish"
	"switchyard/site"
	"switchyard/unit"
)

// client speaks to one emulated miner.
type client struct {
	t     *testing.T
	url   string
	token string
}

// ask returns the status and the object that is answered.
func (c *client) ask(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Close = true
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var o map[string]any
	_ = json.Unmarshal(data, &o) // some answers are empty, some are lists
	return resp.StatusCode, o
}

func start(t *testing.T) (*rig.Rig, *client) {
	r := rig.One(t, vnish.Make(), vnish.Serve, "S19", nil)
	return r, &client{t: t, url: "http://" + r.Host + ":" + strconv.Itoa(r.Ports["http"]) + "/api/v1/"}
}

func TestTokens(t *testing.T) {
	_, c := start(t)
	if code, _ := c.ask("POST", "mining/stop", ""); code != 401 {
		t.Errorf("without a token: %d", code)
	}
	if code, _ := c.ask("POST", "unlock", `{"pw":"wrong"}`); code != 403 {
		t.Errorf("wrong password: %d", code)
	}
	_, o := c.ask("POST", "unlock", `{"pw":"admin"}`)
	c.token, _ = o["token"].(string)
	if code, _ := c.ask("GET", "settings", ""); code != 200 || c.token == "" {
		t.Errorf("with a token: %d", code)
	}
	if code, _ := c.ask("POST", "settings", `{"password":{"current":"admin","pw":"other"}}`); code != 200 {
		t.Errorf("new password: %d", code)
	}
	if code, _ := c.ask("GET", "settings", ""); code != 401 {
		t.Errorf("after a new password: %d", code)
	}
}

func TestStopAndStart(t *testing.T) {
	r, c := start(t)
	_, o := c.ask("POST", "unlock", `{"pw":"admin"}`)
	c.token, _ = o["token"].(string)
	state := func() string {
		_, o := c.ask("GET", "status", "")
		s, _ := o["miner_state"].(string)
		return s
	}
	if got := state(); got != "mining" {
		t.Errorf("at first: %s", got)
	}
	if code, o := c.ask("POST", "mining/start", ""); code != 500 || o["err"] == nil {
		t.Errorf("start what runs: %d, %v", code, o)
	}
	if code, _ := c.ask("POST", "mining/stop", ""); code != 200 || state() != "shutting-down" {
		t.Errorf("stop: %d, %s", code, state())
	}
	r.Settle()
	if got := state(); got != "stopped" || r.Obeys().Mode != site.ModeSleep {
		t.Errorf("stopped: %s, %v", got, r.Obeys())
	}
}

// TestUntunedPresetTunes: choosing one starts a cycle, after which it is tuned.
func TestUntunedPresetTunes(t *testing.T) {
	r, c := start(t)
	_, o := c.ask("POST", "unlock", `{"pw":"admin"}`)
	c.token, _ = o["token"].(string)
	look := func() (state, status string) {
		_, s := c.ask("GET", "status", "")
		_, p := c.ask("GET", "perf-summary", "")
		state, _ = s["miner_state"].(string)
		now, _ := p["current_preset"].(map[string]any)
		status, _ = now["status"].(string)
		return state, status
	}
	c.ask("POST", "settings", `{"miner":{"overclock":{"preset":"2270"}}}`)
	if state, status := look(); state != "auto-tuning" || status != "untuned" {
		t.Errorf("chosen: %s, %s", state, status)
	}
	for range 6 {
		r.Settle()
	}
	if state, status := look(); state != "mining" || status != "tuned" || r.Obeys().Power != site.Some(2270*unit.Watt) {
		t.Errorf("later: %s, %s, %v", state, status, r.Obeys())
	}
	if code, _ := c.ask("POST", "settings", `{"miner":{"overclock":{"preset":"1"}}}`); code != 200 || r.Obeys().Power != site.Some(2270*unit.Watt) {
		t.Errorf("unknown preset: %d, %v", code, r.Obeys())
	}
}
