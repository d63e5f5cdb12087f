package antminer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
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

// rig is one miner that listens.
type rig struct {
	w    *plant.World
	m    *plant.Miner
	d    *device
	http string // addresses
	rpc  string
}

func world(t testing.TB, c plant.MinerConfig) *plant.World {
	t.Helper()
	tree, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 10 * unit.Megawatt}})
	if err != nil {
		t.Fatal(err)
	}
	c.Make, c.Group, c.IP = Make(), "hall", "127.0.0.1"
	if c.ID == "" {
		c.ID = "hall-001"
	}
	if c.Model.Name == "" {
		c.Model, _ = Make().Model("S19 Pro")
	}
	w, err := plant.New(plant.Config{Seed: 1, Tree: tree, Miners: []plant.MinerConfig{c}}, start)
	if err != nil {
		t.Fatal(err)
	}
	w.Step(start.Add(10 * time.Minute))
	return w
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serve(t testing.TB, c plant.MinerConfig) *rig {
	t.Helper()
	w := world(t, c)
	m := w.Miners()[0]
	h, r := listen(t), listen(t)
	closer, err := Serve(m, map[string]net.Listener{"http": h, "rpc": r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &rig{w: w, m: m, d: newDevice(m), http: h.Addr().String(), rpc: r.Addr().String()}
}

// ask sends one request to the RPC port and reads to the end.
func (r *rig) ask(t testing.TB, request string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", r.rpc, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var challenge = regexp.MustCompile(`^Digest realm="([^"]*)", nonce="([^"]*)", qop="auth"(, stale=true)?$`)

// authorization is what a browser would answer to a challenge.
func authorization(user, password, method, uri, nonce string) string {
	ha1 := md5hex(user, "antMiner Configuration", password)
	response := md5hex(ha1, nonce, "00000001", "0a4f113b", "auth", md5hex(method, uri))
	return fmt.Sprintf(`Digest username="%s", realm="antMiner Configuration", nonce="%s", uri="%s", qop=auth, nc=00000001, cnonce="0a4f113b", response="%s"`,
		user, nonce, uri, response)
}

func (r *rig) do(t testing.TB, method, path, body, auth string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+r.http+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// page asks for a page as a client that knows the password.
func (r *rig) page(t testing.TB, method, path, body string) string {
	t.Helper()
	resp, _ := r.do(t, method, path, "", "")
	c := challenge.FindStringSubmatch(resp.Header.Get("WWW-Authenticate"))
	if resp.StatusCode != http.StatusUnauthorized || c == nil {
		t.Fatalf("%s without authorization: %s %q", path, resp.Status, resp.Header.Get("WWW-Authenticate"))
	}
	resp, text := r.do(t, method, path, body, authorization("root", "root", method, path, c[2]))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", path, resp.Status, text)
	}
	return text
}

// repaired undoes the firmware's habits: the padding and the missing comma.
func repaired(reply string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimRight(reply, "\x00\n"), "}{", "},{"))
}

func TestRPCRepliesHaveTheShapeOfTheFixtures(t *testing.T) {
	for id := range 6 { // habits differ by id
		r := serve(t, plant.MinerConfig{ID: fmt.Sprintf("hall-%03d", id)})
		for _, name := range []string{"version", "summary", "stats", "devs", "pools"} {
			reply := repaired(r.ask(t, `{"command":"`+name+`"}`))
			if r.d.rateString {
				reply = regexp.MustCompile(`"GHS 5s":"([0-9.]+)"`).ReplaceAll(reply, []byte(`"GHS 5s":$1`))
			}
			facetest.Compare(t, "antminer-v2020/"+name+".json", reply)
		}
	}
}

func TestHabitsDifferAndStay(t *testing.T) {
	ends, commas := map[ending]bool{}, map[bool]bool{}
	for id := range 40 {
		w := world(t, plant.MinerConfig{ID: fmt.Sprintf("hall-%03d", id)})
		d := newDevice(w.Miners()[0])
		ends[d.end], commas[d.missComma] = true, true
		v, c := d.view()
		stats := string(d.command(v, c, "stats", false))
		if strings.Contains(stats, "}{") != d.missComma || json.Valid([]byte(stats)) == d.missComma {
			t.Fatalf("%d: missing comma is %t in %s", id, d.missComma, stats)
		}
		if again := newDevice(w.Miners()[0]); again.end != d.end || again.missComma != d.missComma {
			t.Fatal("a device changed its habits")
		}
	}
	if len(ends) != 3 || len(commas) != 2 {
		t.Errorf("endings %v, missing commas %v", ends, commas)
	}
}

func TestRPCRequests(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	for _, c := range []struct{ name, request, want string }{
		{"unknown", `{"command":"reboot"}`, `"Code":14,"Msg":"Invalid command"`},
		{"denied", `{"command":"quit"}`, `"Code":45`},
		{"no command", `{"parameter":"0"}`, `"Code":24`},
		{"not JSON", `{"command":`, `"Code":23,"Msg":"Invalid JSON"`},
		{"text", "summary|", "Code=14,Msg=Invalid command"},
		{"padded", "{\"command\":\"version\"}\n\x00", `"Code":22`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := r.ask(t, c.request); !strings.Contains(got, c.want) {
				t.Errorf("%s: %s", c.request, got)
			}
		})
	}
}

func TestTooLongARequestIsNotAnswered(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	c, err := net.Dial("tcp", r.rpc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, `{"command":"`+strings.Repeat("x", maxRequest)+`"}`) // it may be cut off
	if b, _ := io.ReadAll(c); len(b) > 0 {
		t.Errorf("answered %s", b)
	}
}

func TestJoinedCommands(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	var got map[string]any
	if err := json.Unmarshal(repaired(r.ask(t, `{"command":"summary+version+nonsense+summary"}`)), &got); err != nil {
		t.Fatal(err)
	}
	summary := got["summary"].([]any)[0].(map[string]any)["SUMMARY"].([]any)[0].(map[string]any)
	if len(got) != 4 || summary["Elapsed"].(float64) <= 0 || got["id"].(float64) != 1 {
		t.Errorf("joined reply: %v", got)
	}
}

func TestRequestInPieces(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	c, err := net.Dial("tcp", r.rpc)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, piece := range []string{`{"comm`, `and":"ver`, `sion"}`} {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if b, err := io.ReadAll(c); err != nil || !bytes.Contains(b, []byte("Antminer S19 Pro")) {
		t.Errorf("%s %v", b, err)
	}
}

func TestDigest(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	const path = "/cgi-bin/get_system_info.cgi"
	g := digester{secret: r.d.seed}
	good := g.nonce(r.m.Now())
	for _, c := range []struct {
		name, auth string
		status     int
		stale      bool
	}{
		{"right", authorization("root", "root", "GET", path, good), 200, false},
		{"wrong password", authorization("root", "toor", "GET", path, good), 401, false},
		{"wrong user", authorization("admin", "root", "GET", path, good), 401, false},
		{"other page", authorization("root", "root", "GET", "/cgi-bin/reboot.cgi", good), 400, false},
		{"other method", authorization("root", "root", "POST", path, good), 401, false},
		{"made-up nonce", authorization("root", "root", "GET", path, "0123:4567"), 401, true},
		{"old nonce", authorization("root", "root", "GET", path, g.nonce(r.m.Now().Add(-nonceLife-time.Second))), 401, true},
		{"nonce still good", authorization("root", "root", "GET", path, g.nonce(r.m.Now().Add(-nonceLife+time.Second))), 200, false},
		{"basic", "Basic cm9vdDpyb290", 401, false},
		{"cut short", `Digest username="root`, 400, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := r.do(t, "GET", path, "", c.auth)
			if resp.StatusCode != c.status {
				t.Fatalf("status %d, not %d: %s", resp.StatusCode, c.status, body)
			}
			if got := strings.HasSuffix(resp.Header.Get("WWW-Authenticate"), "stale=true"); got != c.stale {
				t.Errorf("stale is %t: %q", got, resp.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestDigestVector(t *testing.T) { // RFC 2617, section 3.5
	ha1 := md5hex("Mufasa", "testrealm@host.com", "Circle Of Life")
	got := md5hex(ha1, "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b", "auth", md5hex("GET", "/dir/index.html"))
	if got != "6629fae49393a05397450978507c4ef1" {
		t.Error(got)
	}
}

func TestWebPages(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	facetest.Compare(t, "antminer-v2020/system_info.json", []byte(r.page(t, "GET", "/cgi-bin/get_system_info.cgi", "")))
	for _, name := range []string{"summary", "stats", "pools", "get_miner_conf", "get_network_info", "get_blink_status"} {
		text := r.page(t, "GET", "/cgi-bin/"+name+".cgi", "")
		if !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON: %s", name, text)
		}
	}
	if text := r.page(t, "GET", "/cgi-bin/stats.cgi", ""); strings.Contains(text, "watt") || !strings.Contains(text, `"rate_unit":"GH/s"`) {
		t.Errorf("stats: %s", text)
	}
}

func TestBlink(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	if got := r.page(t, "POST", "/cgi-bin/blink.cgi", `{"blink":true}`); !strings.Contains(got, "B000") {
		t.Error(got)
	}
	if got := r.page(t, "GET", "/cgi-bin/get_blink_status.cgi", ""); !strings.Contains(got, "true") {
		t.Error(got)
	}
	if got := r.page(t, "POST", "/cgi-bin/blink.cgi", `{"blink":false}`); !strings.Contains(got, "B100") {
		t.Error(got)
	}
}

func confOf(t *testing.T, r *rig) map[string]any {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal([]byte(r.page(t, "GET", "/cgi-bin/get_miner_conf.cgi", "")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSleepByConfiguration(t *testing.T) {
	for id := range 4 { // modes as strings and as numbers
		r := serve(t, plant.MinerConfig{ID: fmt.Sprintf("hall-%03d", id)})
		c := confOf(t, r)
		c["miner-mode"], c["bitmain-work-mode"] = 1, 1
		body, _ := json.Marshal(c)
		if got := r.page(t, "POST", "/cgi-bin/set_miner_conf.cgi", string(body)); !strings.Contains(got, `"stats":"success"`) {
			t.Fatal(got)
		}
		if got := fmt.Sprint(confOf(t, r)["bitmain-work-mode"]); got != "0" {
			t.Errorf("mode %s is shown before the reload", got)
		}
		now := r.w.Now()
		r.w.Step(now.Add(2 * time.Second))
		if got := fmt.Sprint(confOf(t, r)["bitmain-work-mode"]); got != "1" {
			t.Errorf("mode %s is shown after the reload", got)
		}
		r.w.Step(now.Add(2 * time.Minute))
		stats := repaired(r.ask(t, `{"command":"summary"}`))
		if v := r.m.View(); v.Mode != plant.ModeSleep || v.Power > 100*unit.Watt || !regexp.MustCompile(`"GHS 5s":"?0\.00`).Match(stats) {
			t.Errorf("not asleep: %v %v %s", v.Mode, v.Power, stats)
		}
		if got := confOf(t, r)["pools"].([]any)[0].(map[string]any)["url"]; got == "" {
			t.Error("the pools were lost")
		}
		r.page(t, "POST", "/cgi-bin/set_miner_conf.cgi", strings.ReplaceAll(string(body), `-mode":1`, `-mode":0`))
		r.w.Step(now.Add(20 * time.Minute))
		if v := r.m.View(); v.Mode != plant.ModeRun || v.Hashrate < 100*unit.TeraHash {
			t.Errorf("not awake: %v %v", v.Mode, v.Hashrate)
		}
	}
}

func TestConfigurationIsStoredWhole(t *testing.T) {
	r := serve(t, plant.MinerConfig{})
	r.page(t, "POST", "/cgi-bin/set_miner_conf.cgi", `{"miner-mode":"1"}`)
	r.w.Step(r.w.Now().Add(2 * time.Second))
	if got := confOf(t, r)["pools"].([]any)[0].(map[string]any)["url"]; got != "" {
		t.Errorf("pool %v survived a configuration without pools", got)
	}
	if got := r.ask(t, `{"command":"pools"}`); strings.Contains(got, "pool.example") {
		t.Errorf("the RPC port knows a pool that is gone: %s", got)
	}
}

func TestRefusedAndBadConfigurations(t *testing.T) {
	r := serve(t, plant.MinerConfig{Faults: fault.Set{{Kind: fault.Refusing, Chance: 1}}})
	for _, body := range []string{`{"miner-mode":1}`, `{"miner-mode":7}`, `[`, "", strings.Repeat(" ", maxConf+1)} {
		if got := r.page(t, "POST", "/cgi-bin/set_miner_conf.cgi", body); !strings.Contains(got, `"stats":"error"`) {
			t.Errorf("%.40q: %s", body, got)
		}
	}
	if v := r.m.View(); v.Mode != plant.ModeRun {
		t.Error("a refused order was followed")
	}
}

func TestNewFirmwareTellsItsPower(t *testing.T) {
	s21, _ := Make().Model("S21")
	r := serve(t, plant.MinerConfig{Model: s21})
	if got := r.ask(t, `{"command":"stats"}`); strings.Contains(got, "watt") {
		t.Errorf("power without asking: %s", got)
	}
	var got struct {
		STATS []struct {
			Watt  float64 `json:"watt"`
			Rate  float64 `json:"rate_5s"`
			Chain []any   `json:"chain"`
		}
	}
	if err := json.Unmarshal(repaired(r.ask(t, `{"command":"stats","new_api":true}`)), &got); err != nil {
		t.Fatal(err)
	}
	if s := got.STATS[0]; s.Watt < 3400 || s.Watt > 3600 || s.Rate < 170e3 || len(s.Chain) != 3 {
		t.Errorf("stats: %+v", s)
	}
	old := serve(t, plant.MinerConfig{})
	if got := old.ask(t, `{"command":"stats","new_api":true}`); strings.Contains(got, "watt") || !strings.Contains(got, "chain_acn1") {
		t.Errorf("old firmware: %s", got)
	}
}

func TestDeadBoard(t *testing.T) {
	r := serve(t, plant.MinerConfig{Faults: fault.Set{{Kind: fault.DeadBoard}}})
	if got := r.ask(t, `{"command":"stats"}`); !strings.Contains(got, `"chain_acn3":0`) || !strings.Contains(got, `"chain_acn1":114`) {
		t.Error(got)
	}
}

func TestReboot(t *testing.T) {
	var r *rig
	for i := 0; r == nil || r.d.abrupt; i++ {
		r = serve(t, plant.MinerConfig{ID: fmt.Sprintf("hall-%03d", i)})
	}
	r.page(t, "GET", "/cgi-bin/reboot.cgi", "")
	r.w.Step(r.w.Now().Add(time.Second))
	if !r.m.View().Rebooting {
		t.Fatal("it does not reboot")
	}
	if got := r.ask(t, `{"command":"version"}`); got != "" {
		t.Errorf("a device that boots answered %s", got)
	}
	if resp, err := http.Get("http://" + r.http + "/"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("a device that boots answered %s", resp.Status)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	w := world(t, plant.MinerConfig{})
	h, p := listen(t), listen(t)
	closer, err := Serve(w.Miners()[0], map[string]net.Listener{"http": h, "rpc": p})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []net.Listener{h, p, h, p} { // silent connections
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for range 2 {
		if err := closer.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i > 500 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := Serve(w.Miners()[0], map[string]net.Listener{"api": nil}); err == nil {
		t.Error("an unknown port was accepted")
	}
}

func TestClockSkew(t *testing.T) {
	r := serve(t, plant.MinerConfig{Faults: fault.Set{{Kind: fault.ClockSkew, Delay: time.Hour}}})
	resp, _ := r.do(t, "GET", "/", "", "")
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if ahead := at.Sub(r.w.Now()); err != nil || ahead != time.Hour {
		t.Errorf("the page's date is %v ahead, %v", ahead, err)
	}
	if got := r.ask(t, `{"command":"version"}`); !strings.Contains(got, fmt.Sprintf(`"When":%d,`, r.w.Now().Add(time.Hour).Unix())) {
		t.Error(got)
	}
	r.page(t, "GET", "/cgi-bin/summary.cgi", "") // nonces are made and checked by the same clock
}
