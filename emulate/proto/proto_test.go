package proto

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/face/facetest"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
	"switchyard/unit"
)

type client struct {
	*device
	r     *rig.Rig
	token string
}

func miner(t testing.TB) *client {
	t.Helper()
	r := rig.One(t, Make(), Serve, "Rig", func(c *plant.MinerConfig) { c.Password = "letmein" })
	return &client{device: newDevice(r.Miner), r: r}
}

func (c *client) ask(method, path, body string) (int, string) {
	req := httptest.NewRequest(method, "/api/v1/"+path, strings.NewReader(body))
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// login takes a pair of tokens and returns the one to refresh with.
func (c *client) login(t testing.TB, password string) string {
	t.Helper()
	code, body := c.ask("POST", "auth/login", `{"password":"`+password+`"}`)
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &got); code != http.StatusOK || err != nil || got.Access == "" || got.Refresh == "" {
		t.Fatalf("%d %s %v", code, body, err)
	}
	c.token = got.Access
	return got.Refresh
}

func TestRepliesHaveTheShapeOfTheFixtures(t *testing.T) {
	c := miner(t)
	c.login(t, "letmein")
	for file, page := range map[string]string{
		"cooling": "cooling", "hardware": "hardware", "mining": "mining", "network": "network", "pools": "pools", "system": "system",
		"telemetry_full": "telemetry?level=miner,hashboard,psu",
	} {
		code, body := c.ask("GET", page, "")
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", page, code, body)
			continue
		}
		facetest.Compare(t, "proto-v1/"+file+".json", []byte(body))
	}
}

func TestTokens(t *testing.T) {
	c := miner(t)
	if code, _ := c.ask("GET", "mining", ""); code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", code)
	}
	if code, _ := c.ask("POST", "auth/login", `{"password":"wrong"}`); code != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", code)
	}
	refresh := c.login(t, "letmein")
	c.r.World.Step(c.r.World.Now().Add(accessLife))
	if code, _ := c.ask("GET", "mining", ""); code != http.StatusUnauthorized {
		t.Errorf("with an old token: %d", code)
	}
	if code, _ := c.ask("POST", "auth/refresh", `{"refresh_token":"`+c.token+`"}`); code != http.StatusUnauthorized {
		t.Errorf("refreshed with an access token: %d", code)
	}
	if code, body := c.ask("POST", "auth/refresh", `{"refresh_token":"`+refresh+`"}`); code != http.StatusOK || strings.Contains(body, "refresh_token") {
		t.Errorf("refresh: %d %s", code, body)
	}
	c.login(t, "letmein")
	if code, body := c.ask("PUT", "auth/change-password", `{"current_password":"letmein","new_password":"other"}`); code != http.StatusOK {
		t.Errorf("change: %d %s", code, body)
	}
	if code, _ := c.ask("GET", "mining", ""); code != http.StatusUnauthorized {
		t.Errorf("the token outlived its password: %d", code)
	}
	c.login(t, "other")
}

func TestOrders(t *testing.T) {
	c := miner(t)
	c.login(t, "letmein")
	low, high := bounds(c.m.View())
	for _, o := range []struct {
		method, page, body string
		code               int
	}{
		{"PUT", "mining/target", `{"power_target_watts":6000}`, 200},
		{"PUT", "mining/target", `{}`, 400},
		{"PUT", "mining/target", `{"power_target_watts":` + jsonOf(low-1) + `}`, 422},
		{"PUT", "mining/target", `{"power_target_watts":` + jsonOf(high+1) + `}`, 422},
		{"POST", "pools", `[{"url":"stratum+tcp://a:1","username":"w","priority":0}]`, 200},
		{"POST", "pools", `[{"url":"http://a:1","username":"w","priority":0}]`, 422},
		{"POST", "pools", `[]`, 400},
		{"POST", "pools", `[{"url":"` + strings.Repeat("x", maxBody) + `"}]`, 400},
		{"POST", "system/locate?enable=true", "", 202},
		{"POST", "mining/stop", "", 202},
		{"POST", "mining/dance", "", 404},
	} {
		if code, body := c.ask(o.method, o.page, o.body); code != o.code {
			t.Errorf("%s %.60s: %d %s", o.page, o.body, code, body)
		}
	}
	c.r.Settle()
	v := c.m.View()
	if v.Limit != 6000*unit.Watt || v.Mode != plant.ModeSleep || !v.LED || len(v.Pools) != 1 || status(v) != "Stopped" {
		t.Errorf("%v %v %v %v %v", v.Limit, v.Mode, v.LED, v.Pools, status(v))
	}
	if code, _ := c.ask("POST", "system/reboot", ""); code != 202 {
		t.Errorf("reboot: %d", code)
	}
	c.r.World.Step(c.r.World.Now().Add(time.Second))
	if !c.m.View().Rebooting {
		t.Error("it does not reboot")
	}
}

func jsonOf(n int64) string { b, _ := json.Marshal(n); return string(b) }

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"power_target_watts":3000}`), "a.b.c")
	f.Fuzz(func(t *testing.T, body []byte, token string) {
		var p struct{ Password *string }
		if err := parse(body, &p); err == nil && len(body) > maxBody {
			t.Error("a body too long was read")
		}
		if (tokens{seed: 1}).good("access", token, time.Unix(0, 0)) {
			t.Error("a made-up token is good")
		}
	})
}
