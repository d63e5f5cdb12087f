package braiins

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"switchyard/emulate/face/facetest"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/unit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func world(t testing.TB, faults fault.Set) *plant.World {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 10 * unit.Megawatt}})
	if err != nil {
		t.Fatal(err)
	}
	model, _ := Make().Model("S21")
	c := plant.MinerConfig{
		ID: "hall-001", Group: "hall", Make: Make(), IP: "127.0.0.1", Model: model,
		User: "root", Password: "letmein", Faults: faults,
	}
	w, err := plant.New(plant.Config{Seed: 1, Tree: tree, Miners: []plant.MinerConfig{c}}, start)
	if err != nil {
		t.Fatal(err)
	}
	w.Step(start.Add(10 * time.Minute))
	return w
}

// rig is one miner that listens, and a client of it.
type rig struct {
	w      *plant.World
	m      *plant.Miner
	url    string
	token  string
	closer io.Closer
}

func serve(t testing.TB, faults fault.Set) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := world(t, faults)
	r := &rig{w: w, m: w.Miners()[0], url: "http://" + l.Addr().String()}
	if r.closer, err = Serve(r.m, map[string]net.Listener{"http": l}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func (r *rig) do(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	if r.token != "" {
		req.Header.Set("Authorization", r.token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (r *rig) login(t testing.TB) {
	t.Helper()
	status, body := r.do(t, "POST", "/api/v1/auth/login", `{"username":"root","password":"letmein"}`)
	var got struct {
		Token    string `json:"token"`
		TimeoutS int    `json:"timeout_s"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || got.Token == "" || got.TimeoutS != 3600 {
		t.Fatalf("login: %d %s %v", status, body, err)
	}
	r.token = got.Token
}

// ok asks with a token and wants an answer.
func (r *rig) ok(t testing.TB, method, path, body string) string {
	t.Helper()
	status, text := r.do(t, method, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

func (r *rig) later(d time.Duration) plant.View {
	r.w.Step(r.w.Now().Add(d))
	return r.m.View()
}

func TestRepliesHaveTheShapeOfTheFixtures(t *testing.T) {
	pages := map[string]string{
		"miner_details": "miner/details", "miner_stats": "miner/stats", "miner_hw_hashboards": "miner/hw/hashboards",
		"cooling_state": "cooling/state", "pools": "pools", "performance_tuner_state": "performance/tuner-state",
		"version": "version", "network": "network", "configuration_miner": "configuration/miner", "actions_locate": "actions/locate",
	}
	for folder, recent := range map[string]bool{"braiins-v25_07": false, "braiins-v26_04": true} {
		for file, path := range pages {
			t.Run(folder+"/"+file, func(t *testing.T) {
				d := newDevice(world(t, nil).Miners()[0])
				d.recent = recent
				facetest.Compare(t, folder+"/"+file+".json", []byte(getPage(t, d, path)))
			})
		}
		t.Run(folder+"/miner_errors", func(t *testing.T) {
			d := newDevice(world(t, fault.Set{{Kind: fault.DeadBoard}}).Miners()[0])
			text := getPage(t, d, "miner/errors")
			if folder == "braiins-v26_04" { // the first errors of both fixtures have no codes; the last of these has
				var want, have map[string][]map[string]any
				if err := json.Unmarshal(facetest.Fixture(t, folder+"/miner_errors.json"), &want); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(text), &have); err != nil || len(have["errors"]) != 1 {
					t.Fatalf("%v: %s", err, text)
				}
				for _, e := range want["errors"] {
					if len(e["error_codes"].([]any)) > 0 {
						compare(t, e, have["errors"][0])
						return
					}
				}
			}
		})
	}
}

func compare(t *testing.T, want, have any) {
	t.Helper()
	// Not every error names a component.
	want.(map[string]any)["components"] = []any{map[string]any{"name": "", "index": 0.0}}
	for _, d := range facetest.Differences(want, have) {
		t.Error(d)
	}
}

// getPage asks the handler itself.
func getPage(t *testing.T, d *device, path string) string {
	t.Helper()
	req := httptest.NewRequest("GET", prefix+path, nil)
	req.Header.Set("Authorization", d.sessions.open(d.m.Now()))
	w := httptest.NewRecorder()
	d.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func TestFirmwareAge(t *testing.T) {
	for firmware, want := range map[string]bool{"2025-08-06-0-3881c51d-25.07-plus": false, "2026-04-14-0-912d084c-26.04-plus": true, "": false, "x": false} {
		if got := isRecent(firmware); got != want {
			t.Errorf("%q: %t", firmware, got)
		}
	}
}

func TestAuthorization(t *testing.T) {
	r := serve(t, nil)
	for body, want := range map[string]int{
		`{"username":"root","password":"wrong"}`: 401, `{"username":"","password":"letmein"}`: 401,
		`{"username":"root"}`: 422, `{`: 422, `{"username":"` + strings.Repeat("x", maxBody) + `"}`: 422,
	} {
		if status, text := r.do(t, "POST", "/api/v1/auth/login", body); status != want {
			t.Errorf("login %.50s: %d %s", body, status, text)
		}
	}
	const page = "/api/v1/miner/details"
	if status, _ := r.do(t, "GET", page, ""); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, _ := r.do(t, "GET", "/api/v1/version", ""); status != 200 {
		t.Errorf("version: %d", status)
	}
	r.login(t)
	token := r.token
	r.token = "Bearer " + token
	if status, _ := r.do(t, "GET", page, ""); status != 401 {
		t.Errorf("with Bearer: %d", status)
	}
	r.token = token
	for range 3 { // each use renews it
		r.later(59 * time.Minute)
		r.ok(t, "GET", page, "")
	}
	r.later(time.Hour)
	if status, _ := r.do(t, "GET", page, ""); status != 401 {
		t.Errorf("after an idle hour: %d", status)
	}
	for path, want := range map[string]int{"/": 404, "/api/v1/nonsense": 404, "/api/v2/version": 404} {
		r.login(t)
		if status, _ := r.do(t, "GET", path, ""); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := r.do(t, "DELETE", page, ""); status != 405 {
		t.Errorf("delete: %d", status)
	}
}

func TestWrongPasswordFault(t *testing.T) {
	r := serve(t, fault.Set{{Kind: fault.WrongPassword}})
	if status, _ := r.do(t, "POST", "/api/v1/auth/login", `{"username":"root","password":"letmein"}`); status != 401 {
		t.Errorf("status %d", status)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	first := s.open(start)
	second := s.open(start)
	for range maxSessions - 1 {
		if !s.good(second, start) {
			t.Fatal("a used token was dropped")
		}
		s.open(start)
	}
	if s.good(first, start) || !s.good(second, start) || len(s.list) != maxSessions {
		t.Errorf("%d sessions; the first lives: %t", len(s.list), s.good(first, start))
	}
}

func statusOf(t testing.TB, r *rig) int {
	t.Helper()
	var got struct{ Status int }
	if err := json.Unmarshal([]byte(r.ok(t, "GET", "/api/v1/miner/details", "")), &got); err != nil {
		t.Fatal(err)
	}
	return got.Status
}

func TestPauseAndResume(t *testing.T) {
	r := serve(t, nil)
	r.login(t)
	if got := statusOf(t, r); got != statusNormal {
		t.Errorf("status %d", got)
	}
	for i, want := range []string{"false", "true"} {
		if got := r.ok(t, "PUT", "/api/v1/actions/pause", ""); got != want {
			t.Errorf("pause %d: %s", i, got)
		}
	}
	if v := r.later(2 * time.Minute); v.Power > 100*unit.Watt || statusOf(t, r) != statusPaused {
		t.Errorf("paused: %v", v.Power)
	}
	if got := r.ok(t, "GET", "/api/v1/miner/stats", ""); !strings.Contains(got, `"efficiency":null`) {
		t.Error(got)
	}
	if got := r.ok(t, "PUT", "/api/v1/actions/resume", ""); got != "false" {
		t.Error(got)
	}
	if v := r.later(20 * time.Minute); v.Hashrate < 170*unit.TeraHash || statusOf(t, r) != statusNormal {
		t.Errorf("resumed: %v", v.Hashrate)
	}
}

func TestStopAndStart(t *testing.T) {
	r := serve(t, nil)
	r.login(t)
	if got := r.ok(t, "PUT", "/api/v1/actions/stop", ""); got != "false" || statusOf(t, r) != statusNotStarted {
		t.Error(got)
	}
	if status, _ := r.do(t, "PUT", "/api/v1/actions/resume", ""); status != 400 || r.m.View().Mode != plant.ModeSleep {
		t.Errorf("resumed what was stopped: %d", status)
	}
	if got := r.ok(t, "PUT", "/api/v1/actions/start", ""); got != "false" || r.m.View().Mode != plant.ModeRun {
		t.Error(got)
	}
	if got := r.ok(t, "PUT", "/api/v1/actions/start", ""); got != "true" {
		t.Error(got)
	}
}

func TestPowerTarget(t *testing.T) {
	r := serve(t, nil)
	r.login(t)
	const page = "/api/v1/performance/power-target"
	if got := r.ok(t, "GET", page, ""); got != `{"watt":3500}` {
		t.Errorf("at first: %s", got)
	}
	if got := r.ok(t, "PUT", page, `{"watt":2500}`); got != `{"watt":2500}` {
		t.Errorf("set: %s", got)
	}
	if v := r.later(10 * time.Minute); v.Limit != 2500*unit.Watt || v.Power > 2600*unit.Watt || v.Power < 2400*unit.Watt {
		t.Errorf("limit %v, power %v", v.Limit, v.Power)
	}
	if got := r.ok(t, "GET", "/api/v1/performance/tuner-state", ""); !strings.Contains(got, `"current_target":{"watt":2500}`) {
		t.Error(got)
	}
	var c struct {
		Tuner struct {
			Target struct{ Min, Default, Max struct{ Watt int } } `json:"power_target"`
		} `json:"tuner_constraints"`
	}
	if err := json.Unmarshal([]byte(r.ok(t, "GET", "/api/v1/configuration/constraints", "")), &c); err != nil {
		t.Fatal(err)
	}
	low, high := c.Tuner.Target.Min.Watt, c.Tuner.Target.Max.Watt
	if low <= 0 || low >= 3500 || high <= 3500 || c.Tuner.Target.Default.Watt != 3500 {
		t.Errorf("constraints: %+v", c)
	}
	for body, want := range map[string]int{
		fmt.Sprintf(`{"watt":%d}`, low): 200, fmt.Sprintf(`{"watt":%d}`, low-1): 400, fmt.Sprintf(`{"watt":%d}`, high): 200,
		fmt.Sprintf(`{"watt":%d}`, high+1): 400, `{"watt":-1}`: 422, `{"watt":"3000"}`: 422, `{}`: 422, ``: 422,
	} {
		if status, text := r.do(t, "PUT", page, body); status != want {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

func TestRefuses(t *testing.T) {
	r := serve(t, fault.Set{{Kind: fault.Refusing, Chance: 1}})
	r.login(t)
	for path, body := range map[string]string{"actions/pause": "", "actions/reboot": "", "performance/power-target": `{"watt":2500}`} {
		if status, text := r.do(t, "PUT", "/api/v1/"+path, body); status != 400 {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if v := r.m.View(); v.Mode != plant.ModeRun || v.Limit != 0 {
		t.Errorf("a refused order was followed: %v %v", v.Mode, v.Limit)
	}
}

func TestReboot(t *testing.T) {
	r := serve(t, nil)
	r.login(t)
	if status, body := r.do(t, "PUT", "/api/v1/actions/reboot", ""); status != http.StatusNoContent || body != "" {
		t.Errorf("%d %s", status, body)
	}
	if v := r.later(time.Second); !v.Rebooting {
		t.Fatal("it does not reboot")
	}
	if resp, err := http.Get(r.url + "/api/v1/version"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("a device that boots answered %s", resp.Status)
	}
	r.later(10 * time.Minute)
	if status, _ := r.do(t, "GET", "/api/v1/miner/details", ""); status != 401 {
		t.Errorf("a token outlived the restart: %d", status)
	}
}

func TestLocate(t *testing.T) {
	r := serve(t, nil)
	r.login(t)
	if got := r.ok(t, "PUT", "/api/v1/actions/locate", "true"); got != "true" {
		t.Error(got)
	}
	if got := r.ok(t, "GET", "/api/v1/actions/locate", ""); got != "true" {
		t.Error(got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	r := serve(t, nil)
	for range 5 {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 2 {
		if err := r.closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i > 500 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := Serve(r.m, nil); err == nil {
		t.Error("it serves without a listener")
	}
}

func BenchmarkStats(b *testing.B) {
	d := newDevice(world(b, nil).Miners()[0])
	b.ReportAllocs()
	for b.Loop() {
		d.stats(d.m.View())
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"watt":3000}`))
	f.Add([]byte(`{"username":"root","password":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p struct {
			Watt               *int64
			Username, Password *string
		}
		if err := parse(body, &p); err == nil && len(body) > maxBody {
			t.Error("a body too long was read")
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("GET", "miner/details", "")
	f.Add("PUT", "performance/power-target", `{"watt":3000}`)
	d := newDevice(world(f, nil).Miners()[0])
	token := d.sessions.open(d.m.Now())
	f.Fuzz(func(t *testing.T, method, path, body string) {
		req, err := http.NewRequest(method, "/api/v1/"+path, strings.NewReader(body))
		if err != nil || path == "actions/reboot" {
			return
		}
		req.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, req)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	})
}
