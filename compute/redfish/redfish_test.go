package redfish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/site"
	"switchyard/unit"
)

// tree is a made-up controller: resources by path, written from DMTF's schema.
type tree struct {
	mu       sync.Mutex
	at       map[string]map[string]any
	system   string
	sessions map[string]bool
	basic    bool          // it has no sessions
	down     time.Duration // how long a graceful shutdown takes; below zero: for ever
	refuses  bool          // a graceful shutdown
	resets   []string
	patches  []string
	logins   int
	tag      string // that a change must bear
	hang     bool
}

func resource(text string) map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(text + ": " + err.Error())
	}
	return m
}

// newTree makes a controller of one system and one chassis; more are resources by path.
func newTree(system, chassis, parts string, more map[string]string) *tree {
	t := &tree{at: map[string]map[string]any{}, system: "/redfish/v1/Systems/" + system, sessions: map[string]bool{}}
	t.at["/redfish/v1/"] = resource(`{"@odata.id":"/redfish/v1/","RedfishVersion":"1.11.0","Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"},
		"SessionService":{"@odata.id":"/redfish/v1/SessionService"},"Links":{"Sessions":{"@odata.id":"/redfish/v1/SessionService/Sessions"}}}`)
	t.at["/redfish/v1/Systems"] = resource(fmt.Sprintf(`{"Members":[{"@odata.id":%q}]}`, t.system))
	t.at["/redfish/v1/Chassis"] = resource(fmt.Sprintf(`{"Members":[{"@odata.id":"/redfish/v1/Chassis/%s"}]}`, chassis))
	t.at[t.system] = resource(fmt.Sprintf(`{"Id":%q,"SystemType":"Physical","PowerState":"On","Links":{"Chassis":[{"@odata.id":"/redfish/v1/Chassis/%s"}]},
		"Actions":{"#ComputerSystem.Reset":{"target":"%s/Actions/ComputerSystem.Reset","ResetType@Redfish.AllowableValues":["On","ForceOff","GracefulShutdown"]}}}`, system, chassis, t.system))
	t.at["/redfish/v1/Chassis/"+chassis] = resource(parts)
	for path, text := range more {
		t.at[path] = resource(text)
	}
	return t
}

func (t *tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	t.mu.Lock()
	hang := t.hang
	t.mu.Unlock()
	if hang {
		<-r.Context().Done()
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fail := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":"Base.1.8.GeneralError","message":"see ExtendedInfo","@Message.ExtendedInfo":[{"MessageId":"X","Message":%q}]}}`, text)
	}
	path := r.URL.Path
	switch {
	case path == "/redfish/v1/SessionService/Sessions" && r.Method == "POST" && !t.basic:
		var in struct{ UserName, Password string }
		if json.Unmarshal(body, &in) != nil || in.Password != "s3cret" {
			fail(401, "the login is not good")
			return
		}
		t.logins++
		token := fmt.Sprint("token", t.logins)
		t.sessions[token] = true
		w.Header().Set("X-Auth-Token", token)
		w.Header().Set("Location", "/redfish/v1/SessionService/Sessions/"+token)
		w.WriteHeader(201)
		return
	case path != "/redfish/v1/":
		user, password, _ := r.BasicAuth()
		if !t.sessions[r.Header.Get("X-Auth-Token")] && (!t.basic || user != "root" || password != "s3cret") {
			fail(401, "no session")
			return
		}
	}
	at, ok := t.at[strings.TrimSuffix(path, "/")]
	if path == "/redfish/v1/" {
		at, ok = t.at[path], true
	}
	switch {
	case r.Method == "DELETE":
		delete(t.sessions, path[strings.LastIndex(path, "/")+1:])
		w.WriteHeader(204)
	case path == t.system+"/Actions/ComputerSystem.Reset" && r.Method == "POST":
		t.reset(fail, w, body)
	case !ok:
		fail(404, "no such resource")
	case r.Method == "PATCH":
		if t.tag != "" && r.Header.Get("If-Match") != t.tag {
			fail(412, "the ETag is missing")
			return
		}
		t.patches = append(t.patches, path+" "+string(body))
		merge(at, resource(string(body)))
		w.WriteHeader(204)
	default:
		if t.tag != "" {
			w.Header().Set("ETag", t.tag)
		}
		_ = json.NewEncoder(w).Encode(at)
	}
}

func (t *tree) reset(fail func(int, string), w http.ResponseWriter, body []byte) {
	var in struct{ ResetType string }
	_ = json.Unmarshal(body, &in)
	t.resets = append(t.resets, in.ResetType)
	state := func(s string) { t.at[t.system]["PowerState"] = s }
	switch {
	case in.ResetType == "GracefulShutdown" && t.refuses:
		fail(409, "no operating system answers")
		return
	case in.ResetType == "GracefulShutdown" && t.down >= 0:
		state("PoweringOff")
		time.AfterFunc(t.down, func() { t.mu.Lock(); defer t.mu.Unlock(); state("Off") })
	case in.ResetType == "ForceOff":
		state("Off")
	case in.ResetType == "On":
		state("On")
	}
	w.WriteHeader(204)
}

// merge patches as a controller does: objects into objects, the objects of arrays in order.
func merge(into, from map[string]any) {
	for k, v := range from {
		switch v := v.(type) {
		case map[string]any:
			if old, ok := into[k].(map[string]any); ok {
				merge(old, v)
				continue
			}
		case []any:
			if old, ok := into[k].([]any); ok && len(old) >= len(v) {
				for i := range v {
					merge(old[i].(map[string]any), v[i].(map[string]any))
				}
				continue
			}
		}
		into[k] = v
	}
}

// The four are like makers' controllers in what they have, in their own words.
func idrac() *tree {
	return newTree("System.Embedded.1", "System.Embedded.1", `{"Power":{"@odata.id":"/redfish/v1/Chassis/System.Embedded.1/Power"},"EnvironmentMetrics":{"@odata.id":"/redfish/v1/Chassis/System.Embedded.1/EnvironmentMetrics"}}`, map[string]string{
		"/redfish/v1/Chassis/System.Embedded.1/Power":                             `{"PowerControl":[{"PowerConsumedWatts":6120,"PowerCapacityWatts":8400,"PowerLimit":{"LimitException":"HardPowerOff","LimitInWatts":null}}]}`,
		"/redfish/v1/Chassis/System.Embedded.1/EnvironmentMetrics":                `{"PowerWatts":{"DataSourceUri":"/redfish/v1/Chassis/System.Embedded.1/Sensors/SystemBoardPwrConsumption"},"EnergykWh":{"DataSourceUri":"/redfish/v1/Chassis/System.Embedded.1/Sensors/SystemBoardEnergy","Reading":null}}`,
		"/redfish/v1/Chassis/System.Embedded.1/Sensors/SystemBoardPwrConsumption": `{"ReadingType":"Power","ReadingUnits":"W","Reading":6122}`,
		"/redfish/v1/Chassis/System.Embedded.1/Sensors/SystemBoardEnergy":         `{"ReadingType":"EnergykWh","Reading":1234.5}`,
	})
}

func ilo() *tree {
	t := newTree("1", "1", `{"Power":{"@odata.id":"/redfish/v1/Chassis/1/Power"}}`, map[string]string{
		"/redfish/v1/Chassis/1/Power": `{"PowerControl":[{"@odata.id":"#PowerControl/0","PowerConsumedWatts":3411.5,"PowerLimit":{"LimitInWatts":5000}}],"PowerSupplies":[]}`,
	})
	t.tag = `W/"7A1B"`
	return t
}

func supermicro() *tree {
	t := newTree("1", "1", `{"Power":{"@odata.id":"/redfish/v1/Chassis/1/Power"},"PowerSubsystem":{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem"}}`, map[string]string{
		"/redfish/v1/Chassis/1/Power":                                  `{"PowerControl":[{"PowerConsumedWatts":0}]}`,
		"/redfish/v1/Chassis/1/PowerSubsystem":                         `{"PowerSupplies":{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies"}}`,
		"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies":           `{"Members":[{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/1"},{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/2"},{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/3"}]}`,
		"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/1":         `{"Metrics":{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/1/Metrics"}}`,
		"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/2":         `{"Metrics":{"@odata.id":"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/2/Metrics"}}`,
		"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/3":         `{"Status":{"State":"Absent"}}`,
		"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/1/Metrics": `{"InputPowerWatts":{"Reading":2700}}`,
		"/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/2/Metrics": `{"InputPowerWatts":{"Reading":2811}}`,
	})
	t.basic = true
	delete(t.at["/redfish/v1/"], "SessionService")
	delete(t.at["/redfish/v1/"], "Links")
	return t
}

func dgx() *tree {
	t := newTree("DGX", "DGX", `{"EnvironmentMetrics":{"@odata.id":"/redfish/v1/Chassis/DGX/EnvironmentMetrics"},"Controls":{"@odata.id":"/redfish/v1/Chassis/DGX/Controls"}}`, map[string]string{
		"/redfish/v1/Chassis/DGX/EnvironmentMetrics": `{"PowerWatts":{"Reading":9712.25},"EnergyJoules":{"Reading":7.2e9}}`,
		"/redfish/v1/Chassis/DGX/Controls":           `{"Members":[{"@odata.id":"/redfish/v1/Chassis/DGX/Controls/Percent"},{"@odata.id":"/redfish/v1/Chassis/DGX/Controls/GPU"},{"@odata.id":"/redfish/v1/Chassis/DGX/Controls/Node"}]}`,
		"/redfish/v1/Chassis/DGX/Controls/Percent":   `{"ControlType":"Power","SetPointUnits":"%","SetPoint":50,"PhysicalContext":"Chassis"}`,
		"/redfish/v1/Chassis/DGX/Controls/GPU":       `{"ControlType":"Power","SetPointUnits":"W","SetPoint":700,"PhysicalContext":"GPU"}`,
		"/redfish/v1/Chassis/DGX/Controls/Node":      `{"ControlType":"Power","SetPointUnits":"W","ControlMode":"Disabled","SetPoint":10200,"AllowableMin":4500,"AllowableMax":10200,"PhysicalContext":"Chassis"}`,
		"/redfish/v1/Systems/HGX_Baseboard_0":        `{"Id":"HGX_Baseboard_0","SystemType":"Physical","PowerState":"On","Actions":{"#ComputerSystem.Reset":{"target":"/never"}}}`,
	})
	t.at["/redfish/v1/Systems"] = resource(`{"Members":[{"@odata.id":"/redfish/v1/Systems/HGX_Baseboard_0"},{"@odata.id":"/redfish/v1/Systems/DGX"}]}`)
	return t
}

func open(t *testing.T, bmc *tree, path string) *Client {
	t.Helper()
	s := httptest.NewServer(bmc)
	c := NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": s.URL + path}, User: "root", Password: "s3cret"}, nil,
		Options{Timeout: 2 * time.Second, Grace: 500 * time.Millisecond, Wait: 500 * time.Millisecond, Poll: 10 * time.Millisecond})
	t.Cleanup(func() { c.Close(t.Context()); s.Close() })
	return c
}

func TestReadings(t *testing.T) {
	for _, c := range []struct {
		name   string
		bmc    *tree
		power  float64
		energy site.Opt[unit.Energy]
	}{
		{"iDRAC-like", idrac(), 6122, site.Some(1234500 * unit.WattHour)},
		{"iLO-like", ilo(), 3411.5, site.Opt[unit.Energy]{}},
		{"Supermicro-like", supermicro(), 5511, site.Opt[unit.Energy]{}},
		{"DGX-like", dgx(), 9712.25, site.Some(2 * unit.MegawattHour)},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := open(t, c.bmc, "")
			for range 2 { // the second on the same session
				r, err := k.Read(t.Context(), "gpu1")
				if err != nil || !r.Power.OK || r.Power.V.Watts() != c.power || r.Energy != c.energy || r.Source != "redfish" {
					t.Errorf("%+v, %v", r, err)
				}
			}
			if c.bmc.logins > 1 {
				t.Errorf("%d sessions for two readings", c.bmc.logins)
			}
			if on, err := k.Powered(t.Context(), "gpu1"); !on || err != nil {
				t.Error(on, err)
			}
		})
	}
}

func TestZeroWattsOfARunningMachineAreNotKnown(t *testing.T) {
	bmc := supermicro()
	bmc.at["/redfish/v1/Chassis/1/PowerSubsystem/PowerSupplies/2/Metrics"] = resource(`{"InputPowerWatts":{"Reading":null}}`)
	if r, err := open(t, bmc, "").Read(t.Context(), "gpu1"); !errors.Is(err, compute.ErrUnsupported) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestPowerOffIsGracefulFirst(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*tree)
		want string
		err  error
	}{
		{"it goes by itself", func(b *tree) { b.down = 50 * time.Millisecond }, "GracefulShutdown", nil},
		{"it does not go", func(b *tree) { b.down = -1 }, "GracefulShutdown ForceOff", nil},
		{"nothing listens", func(b *tree) { b.refuses = true }, "GracefulShutdown ForceOff", nil},
		{"it is off already", func(b *tree) { b.at[b.system]["PowerState"] = "Off" }, "", nil},
		{"it is on its way", func(b *tree) { b.at[b.system]["PowerState"] = "PoweringOff" }, "ForceOff", nil},
		{"it does not say", func(b *tree) { b.at[b.system]["PowerState"] = nil }, "", compute.ErrUnreachable},
		{"it offers no shutdown", func(b *tree) {
			b.at[b.system]["Actions"] = resource(`{"#ComputerSystem.Reset":{"target":"/x","ResetType@Redfish.AllowableValues":["ForceOff"]}}`)
		}, "", compute.ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := dgx()
			c.set(b)
			k := open(t, b, "")
			for range 2 { // twice is once
				if err := k.PowerOff(t.Context(), "gpu1"); !errors.Is(err, c.err) {
					t.Error(err)
				}
			}
			if got := strings.Join(b.resets, " "); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
			if c.err != nil {
				return
			}
			if on, err := k.Powered(t.Context(), "gpu1"); on || err != nil {
				t.Error(on, err)
			}
			for range 2 {
				if err := k.PowerOn(t.Context(), "gpu1"); err != nil {
					t.Error(err)
				}
			}
			if got := strings.Join(b.resets, " "); got != strings.TrimSpace(c.want+" On") {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name       string
		bmc        *tree
		ask, got   float64
		patch      string
		lift, none string
	}{
		{"iDRAC-like", idrac(), 5000.9, 5000, `{"PowerControl":[{"PowerLimit":{"LimitInWatts":5000}}]}`, `{"PowerControl":[{"PowerLimit":{"LimitInWatts":null}}]}`, ""},
		{"iLO-like", ilo(), 4000, 4000, `{"PowerControl":[{"PowerLimit":{"LimitInWatts":4000}}]}`, `{"PowerControl":[{"PowerLimit":{"LimitInWatts":null}}]}`, ""},
		{"DGX-like", dgx(), 3000, 4500, `{"ControlMode":"Automatic","SetPoint":4500}`, `{"ControlMode":"Disabled"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := open(t, c.bmc, "")
			l, err := k.SetLimit(t.Context(), "gpu1", site.Some(unit.Watts(c.ask)))
			if err != nil || !l.Set.OK || l.Set.V.Watts() != c.got {
				t.Fatalf("%+v, %v", l, err)
			}
			if l, err = k.SetLimit(t.Context(), "gpu1", site.Opt[unit.Power]{}); err != nil || l.Set.OK {
				t.Fatalf("%+v, %v", l, err)
			}
			if len(c.bmc.patches) != 2 || !strings.HasSuffix(c.bmc.patches[0], " "+c.patch) || !strings.HasSuffix(c.bmc.patches[1], " "+c.lift) {
				t.Errorf("%q", c.bmc.patches)
			}
		})
	}
	if _, err := open(t, supermicro(), "").Limit(t.Context(), "gpu1"); !errors.Is(err, compute.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := open(t, idrac(), "").SetLimit(t.Context(), "gpu1", site.Some(unit.Power(0))); !errors.Is(err, compute.ErrRefused) {
		t.Error(err)
	}
}

func TestControllersThatAreHard(t *testing.T) {
	t.Run("a forgotten session", func(t *testing.T) {
		b := ilo()
		k := open(t, b, "")
		for range 2 {
			if _, err := k.Read(t.Context(), "gpu1"); err != nil {
				t.Fatal(err)
			}
			b.mu.Lock()
			clear(b.sessions) // it restarted
			b.mu.Unlock()
		}
		if b.logins != 2 {
			t.Errorf("%d logins", b.logins)
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		s := httptest.NewServer(ilo())
		defer s.Close()
		k := NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": s.URL}, User: "root", Password: "wrong"}, nil, Options{})
		if _, err := k.Read(t.Context(), "gpu1"); !errors.Is(err, compute.ErrUnauthorized) || strings.Contains(err.Error(), "wrong") || !strings.Contains(err.Error(), "the login is not good") {
			t.Error(err)
		}
	})
	t.Run("two systems", func(t *testing.T) {
		b := dgx()
		b.at["/redfish/v1/Systems/HGX_Baseboard_0"]["Id"] = "Node2"
		if err := open(t, b, "").PowerOff(t.Context(), "gpu1"); !errors.Is(err, compute.ErrUnsupported) || !strings.Contains(err.Error(), "has 2 systems") {
			t.Error(err)
		}
		if on, err := open(t, b, "/redfish/v1/Systems/DGX").Powered(t.Context(), "gpu1"); !on || err != nil {
			t.Error(on, err)
		}
	})
	t.Run("it hangs", func(t *testing.T) {
		b := ilo()
		b.hang = true
		k := open(t, b, "")
		k.o.Timeout = 200 * time.Millisecond
		if _, err := k.Read(t.Context(), "gpu1"); !errors.Is(err, compute.ErrUnreachable) || !strings.Contains(err.Error(), "gpu1") {
			t.Error(err)
		}
		b.mu.Lock()
		b.hang = false
		b.mu.Unlock()
	})
	t.Run("no Redfish", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
		defer s.Close()
		k := NewClient(endpoint.Endpoint{Hosts: map[string]string{"gpu1": s.URL}}, nil, Options{Timeout: time.Second})
		if _, err := k.Read(t.Context(), "gpu1"); err == nil {
			t.Error("html was read")
		}
	})
}

func FuzzResources(f *testing.F) {
	f.Add([]byte(`{"Id":"1","PowerState":"On","Links":{"Chassis":[{"@odata.id":"/redfish/v1/Chassis/1"}]}}`))
	f.Add([]byte(`{"PowerControl":[{"PowerConsumedWatts":-5,"PowerLimit":{"LimitInWatts":1e400}}]}`))
	f.Add([]byte(`{"PowerWatts":{"Reading":1e300},"PowerLimitWatts":{"SetPoint":-1,"ControlMode":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s system
		var p power
		var e environment
		if json.Unmarshal(b, &s) == nil {
			_, _ = s.on("n")
		}
		if json.Unmarshal(b, &p) == nil && len(p.Control) > 0 {
			if v := watts((&talk{}).reading(&sensor{Reading: p.Control[0].Consumed})); v.V < 0 {
				t.Errorf("%v", v)
			}
		}
		if json.Unmarshal(b, &e) == nil && e.Limit != nil {
			if l := e.Limit.limit(); l.Set.V < 0 || l.Least.V < 0 {
				t.Errorf("%+v", l)
			}
		}
	})
}
