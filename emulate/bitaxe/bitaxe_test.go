package bitaxe

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchyard/emulate/face/facetest"
	"switchyard/emulate/plant"
	"switchyard/emulate/rig"
)

// miner is a device whose handler is asked itself.
func miner(t testing.TB, model, firmware string) (*device, *rig.Rig) {
	t.Helper()
	r := rig.One(t, Make(), Serve, model, func(c *plant.MinerConfig) {
		if firmware != "" {
			c.Make.Firmware = firmware
		}
	})
	return newDevice(r.Miner), r
}

func (d *device) ask(method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestOldFirmwareHasTheShapeOfTheFixture(t *testing.T) {
	d, _ := miner(t, "Supra", "v2.4.5")
	code, body := d.ask("GET", "/api/system/info", "")
	if code != http.StatusOK {
		t.Fatal(code, body)
	}
	facetest.Compare(t, "bitaxe-v2_0_0/system_info.json", []byte(body))
	for _, path := range []string{"pause", "resume", "identify"} {
		if code, _ := d.ask("POST", "/api/system/"+path, ""); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestPauseEndsWithARestart(t *testing.T) {
	d, r := miner(t, "Gamma", "")
	if code, body := d.ask("POST", "/api/system/pause", ""); code != 200 || r.Miner.View().Mode != plant.ModeSleep {
		t.Errorf("%d %s", code, body)
	}
	r.Settle()
	var info struct {
		Paused bool    `json:"miningPaused"`
		Power  float64 `json:"power"`
		Hash   float64 `json:"hashRate"`
	}
	_, body := d.ask("GET", "/api/system/info", "")
	if err := json.Unmarshal([]byte(body), &info); err != nil || !info.Paused || info.Power > 4 || info.Power < 2 || info.Hash != 0 {
		t.Errorf("%v: %+v", err, info)
	}
	if code, body := d.ask("POST", "/api/system/restart", ""); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	if v := r.Miner.View(); v.Mode != plant.ModeRun {
		t.Error("the pause outlived the restart")
	}
}

func TestIdentifyIsASwitch(t *testing.T) {
	d, r := miner(t, "Gamma", "")
	for i, want := range []bool{true, false, true} {
		if _, body := d.ask("POST", "/api/system/identify", ""); r.Miner.View().LED != want || strings.Contains(body, "no longer") == want {
			t.Errorf("call %d: %s", i+1, body)
		}
	}
}

func TestPatch(t *testing.T) {
	d, r := miner(t, "NerdQAxe++", "")
	code, body := d.ask("PATCH", "/api/system", `{"stratumURL":"a.example","stratumPort":3334,"stratumUser":"w","fallbackStratumURL":"","frequency":300}`)
	v := r.Miner.View()
	if code != 200 || v.Pools[0].URL != "stratum+tcp://a.example:3334" || v.Pools[0].Worker != "w" || v.Pools[1].URL != "" || v.Percent != 50 {
		t.Errorf("%d %q: %+v, %d %%", code, body, v.Pools, v.Percent)
	}
	for _, bad := range []string{"", "{", `{"stratumPort":0}`, `{"frequency":"fast"}`, `{"hostname":"` + strings.Repeat("x", maxBody) + `"}`} {
		if code, _ := d.ask("PATCH", "/api/system", bad); code != http.StatusBadRequest {
			t.Errorf("%.40s: %d", bad, code)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"stratumURL":"a","stratumPort":3333,"frequency":525}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var s settings
		if parse(body, &s) == nil && s.StratumPort != nil && (*s.StratumPort < 1 || *s.StratumPort > 65535) {
			t.Error("a port out of range")
		}
		if s.StratumURL != nil {
			split(*s.StratumURL)
		}
	})
}
