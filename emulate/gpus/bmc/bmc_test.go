package bmc_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/redfish"

	"switchyard/emulate/gpus"
	"switchyard/emulate/gpus/bmc"
	"switchyard/unit"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func cluster(t testing.TB) *gpus.Cluster {
	m := gpus.Model{Name: "h100", Product: "NVIDIA H100 80GB HBM3", Idle: 70 * unit.Watt, Full: 700 * unit.Watt, Least: 200 * unit.Watt}
	c, err := gpus.New(gpus.Config{ID: "c", Nodes: []gpus.NodeConfig{{Name: "gpu1", Model: m, GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt, Off: 30 * unit.Watt}}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGofish drives the controller with an ordinary client, by a session and by Basic.
func TestGofish(t *testing.T) {
	for _, basic := range []bool{false, true} {
		c := cluster(t)
		s := httptest.NewServer(bmc.New(c.Node("gpu1"), bmc.Options{User: "admin", Password: "pw"}))
		defer s.Close()
		if _, err := gofish.Connect(gofish.ClientConfig{Endpoint: s.URL, Username: "admin", Password: "no"}); err == nil {
			t.Error("a wrong password gets a session")
		}
		cl, err := gofish.Connect(gofish.ClientConfig{Endpoint: s.URL, Username: "admin", Password: "pw", BasicAuth: basic})
		if err != nil {
			t.Fatal(err)
		}
		systems, err := cl.Service.Systems()
		if err != nil || len(systems) != 1 || systems[0].PowerState != redfish.OnPowerState {
			t.Fatalf("%v, %v", systems, err)
		}
		chassis, err := cl.Service.Chassis()
		if err != nil || len(chassis) != 1 {
			t.Fatal(err)
		}
		c.Step(noon.Add(time.Minute), true)
		p, err := chassis[0].Power()
		if err != nil || p.PowerControl[0].PowerConsumedWatts < 1500 || p.PowerControl[0].PowerConsumedWatts > 1620 {
			t.Errorf("%+v, %v", p, err)
		}
		env, err := chassis[0].EnvironmentMetrics()
		if err != nil || env.PowerWatts.Reading != p.PowerControl[0].PowerConsumedWatts || env.EnergykWh.Reading < 0.024 {
			t.Errorf("%+v, %v", env, err)
		}
		if err := systems[0].Reset(redfish.ForceOffResetType); err != nil {
			t.Fatal(err)
		}
		c.Step(noon.Add(2*time.Minute), true)
		if c.Node("gpu1").State() != gpus.Off {
			t.Error("it is not off")
		}
		if systems, err = cl.Service.Systems(); err != nil || systems[0].PowerState != redfish.OffPowerState {
			t.Errorf("%v", err)
		}
		if err := systems[0].Reset(redfish.OnResetType); err != nil || c.Node("gpu1").State() != gpus.Booting {
			t.Errorf("%v", err)
		}
		if err := systems[0].Reset("Nmi"); err == nil {
			t.Error("any reset is taken")
		}
		cl.Logout()
	}
}

func TestLimits(t *testing.T) {
	c := cluster(t)
	b := bmc.New(c.Node("gpu1"), bmc.Options{})
	patch := func(body string) int {
		r := httptest.NewRequest(http.MethodPatch, "/redfish/v1/Systems/1/Processors/GPU_3/EnvironmentMetrics", bytes.NewBufferString(body))
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Code
	}
	for body, want := range map[string]int{
		`{"PowerLimitWatts":{"SetPoint":400}}`: 200, `{"PowerLimitWatts":{"SetPoint":100}}`: 400, `{"PowerLimitWatts":{"SetPoint":701}}`: 400, `{}`: 400, `{`: 400,
	} {
		if got := patch(body); got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
	if g, _ := c.Node("gpu1").GPU(3); g.Limit != 400*unit.Watt {
		t.Errorf("limit %s", g.Limit)
	}
	c.Node("gpu1").PowerOff()
	if got := patch(`{"PowerLimitWatts":{"SetPoint":400}}`); got != 503 {
		t.Errorf("off: %d", got)
	}
}

func FuzzServe(f *testing.F) {
	c := cluster(f)
	f.Add("PATCH", "/redfish/v1/Systems/1/Processors/GPU_3/EnvironmentMetrics", []byte(`{"PowerLimitWatts":{"SetPoint":1e999}}`))
	f.Add("POST", "/redfish/v1/SessionService/Sessions", []byte(`{"UserName":"a"}`))
	f.Add("POST", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", []byte(`{"ResetType":"On"}`))
	f.Add("GET", "/redfish/v1/Systems/1/Processors/GPU_-1", []byte{})
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		r, err := http.NewRequest(method, "http://x/", bytes.NewReader(body))
		if err != nil {
			return
		}
		r.URL.Path = path
		bmc.New(c.Node("gpu1"), bmc.Options{}).ServeHTTP(httptest.NewRecorder(), r)
	})
}
