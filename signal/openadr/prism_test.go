package openadr

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/signal"
	"switchyard/signal/openadr/event"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Specification returns the path of the published interface of a version, or skips.
func Specification(t testing.TB, version string) string {
	t.Helper()
	name := map[string]string{"3.1": "openadr-3.1.0.yaml", "3.0": "openadr-3.0.1.yaml"}[version]
	path, err := filepath.Abs("../../../shared/specs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("../shared/specs/" + name + " is missing")
	}
	return path
}

// StartPrism starts the mock server, or the proxy, that is made from the published interface,
// and returns its address. Without it (make peers) the test is skipped.
func StartPrism(t testing.TB, mode, spec string, more ...string) string {
	t.Helper()
	binary, err := filepath.Abs("../../tools/prism/node_modules/.bin/prism")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("tools/prism is not installed: make peers")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close() // its port is taken by the server
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, append([]string{mode, "-h", "127.0.0.1", "-p", port, spec}, more...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Skipf("tools/prism does not start: %v", err)
	}
	ready := make(chan string, 1)
	var log strings.Builder
	var mu sync.Mutex
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			mu.Lock()
			log.WriteString(s.Text() + "\n")
			mu.Unlock()
			if strings.Contains(s.Text(), "Prism is listening") {
				ready <- s.Text()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	select {
	case <-ready:
	case <-time.After(time.Minute):
		mu.Lock()
		defer mu.Unlock()
		t.Fatalf("tools/prism does not come up:\n%s", log.String())
	}
	return "http://127.0.0.1:" + port
}

// Recorder keeps what was asked for, and what the server made of it.
type Recorder struct {
	Bearer string // set where no token is asked for
	mu     sync.Mutex
	Calls  []Call
}

// Call is one exchange.
type Call struct {
	Method, Path string
	Status       int
	Violations   []Violation
}

// Violation is where a request or an answer is not what the specification says.
type Violation struct {
	Location []string `json:"location"`
	Code     string   `json:"code"`
	Message  string   `json:"message"`
}

// RoundTrip passes a request on and notes it.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.Bearer != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	c := Call{Method: req.Method, Path: req.URL.Path, Status: resp.StatusCode}
	if h := resp.Header.Get("sl-violations"); h != "" {
		if err := json.Unmarshal([]byte(h), &c.Violations); err != nil {
			c.Violations = []Violation{{Message: h}}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Calls = append(r.Calls, c)
	return resp, nil
}

// All returns what was noted so far.
func (r *Recorder) All() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.Calls)
}

// Client is an HTTP client that is recorded.
func (r *Recorder) Client() *http.Client {
	return &http.Client{Transport: r, Timeout: 30 * time.Second}
}

type still struct{}

func (still) Put(signal.Update)              {}
func (still) Heard(string, time.Time, error) {}
func (still) Now() time.Time                 { return clock.System().Now() }
func (still) Meter() signal.Meter {
	return signal.Meter{At: clock.System().Now(), Power: site.Some(6 * unit.Megawatt), Limit: site.Some(8 * unit.Megawatt), Flexible: unit.Megawatt, Firm: unit.Megawatt}
}

// everyCall makes the client say all that it can say to a VTN.
func everyCall(t *testing.T, base, version string, rec *Recorder, tokens bool) {
	t.Helper()
	cfg := sitefile.OpenADR{
		Name: "grid", URL: base, Version: version, VEN: "VEN-999", TokenURL: base + "/auth/token", Scope: "read_targets", Targets: []string{"group-1", "group-2"},
		Webhook: "https://myserver.com/send/callback/here", WebhookListen: "127.0.0.1:0",
	}
	opt := Options{WebhookToken: "hook", HTTP: rec.Client()}
	if tokens {
		opt.ClientID, opt.Secret = "ven_client_99", "ven_secret_99"
	}
	c, err := New(cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// What comes back need not make sense: what is asked must.
	note := func(what string, err error) {
		if err != nil {
			t.Logf("%s: %v", what, err)
		}
	}
	if tokens {
		where := &tokens2{c.net.tokens}
		note("the token's address", where.ask(ctx))
	}
	note("events", c.fetch(ctx, still{}))
	note("an event", c.refresh(ctx, still{}, "object-999"))
	note("registration", c.enroll(ctx))
	c.enrolled.ven, c.enrolled.resource = "object-999", "object-999"
	for _, name := range []string{"VEN-999", "north hall"} { // the mock knows the first
		c.id.ven, c.id.resource = name, name
		c.programs = map[string]program{"object-999": {ID: "object-999", Name: "ResTOU"}}
		note("registration as "+name, c.enroll(ctx))
		note("subscription as "+name, c.subscribe(ctx))
		c.cfg.Programs = []string{"ResTOU"}
		note("subscription to a program as "+name, c.subscribe(ctx))
		note("events of a program", c.fetch(ctx, still{}))
		c.programsNext = time.Time{}
		c.cfg.Programs = nil
	}
	c.notifiers(ctx)
	for _, j := range everyReport(t, c) {
		note("report "+j.body.Name, c.deliverOne(ctx, j))
	}
}

// tokens2 asks for the token's address the way a client without token_url does.
type tokens2 struct{ *tokens }

func (t *tokens2) ask(ctx context.Context) error {
	fixed := t.fixed
	t.fixed = ""
	_, err := t.find(ctx)
	t.fixed = fixed
	return err
}

// everyReport makes a report of each type, looking back and ahead and at any time, over
// intervals that were and were not measured.
func everyReport(t *testing.T, c *Client) []job {
	t.Helper()
	now := time.Now()
	var wants []string
	for _, kind := range []string{"USAGE", "DEMAND", "READING", "OPERATING_STATE", "SIMPLE_LEVEL", "SETPOINT", "LOAD_SHED_DELTA_AVAILABLE", "UP_REGULATION_AVAILABLE"} {
		wants = append(wants, fmt.Sprintf(`{"payloadType":%q}`, kind), fmt.Sprintf(`{"payloadType":%q,"aggregate":true,"frequency":0,"readingType":"PEAK"}`, kind))
	}
	raw := fmt.Sprintf(`{"id":"object-999","programID":"object-999","intervalPeriod":{"start":%q,"duration":"PT15M"},"reportDescriptors":[%s],
		"intervals":[{"id":0,"payloads":[]},{"id":1,"payloads":[{"type":"SIMPLE","values":[2]}]}]}`, now.Add(-30*time.Minute).UTC().Format(time.RFC3339), strings.Join(wants, ","))
	e, err := event.Parse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.hold(e, 1, now)
	if err != nil || len(f.reports) != len(wants) {
		t.Fatalf("%d reports, %v, %q", len(f.reports), err, f.wants)
	}
	for i := range 80 {
		m := still{}.Meter()
		m.At = now.Add(-time.Duration(80-i) * sampleEvery)
		c.metering.take(m, m.At)
	}
	c.events[e.ID] = f
	var all []job
	for _, o := range f.reports {
		j, ok := c.make(f, o, c.siteNow(still{}, now.Add(time.Minute)))
		if !ok {
			t.Fatalf("report %d is not due", o.place)
		}
		j.check = len(all) == 0
		all = append(all, j)
	}
	return all
}

// calls are all calls that the client makes, but for its token.
func calls(version string) []string {
	if version == "3.0" {
		return []string{
			"GET /events", "GET /events/object-999", "GET /programs", "GET /reports", "GET /subscriptions", "GET /vens", "GET /vens/object-999/resources",
			"POST /reports", "POST /subscriptions", "POST /vens", "POST /vens/object-999/resources", "PUT /subscriptions/object-999",
		}
	}
	return []string{
		"GET /events", "GET /events/object-999", "GET /notifiers", "GET /programs", "GET /reports", "GET /resources", "GET /subscriptions", "GET /vens",
		"POST /reports", "POST /resources", "POST /subscriptions", "POST /vens", "PUT /subscriptions/object-999",
	}
}

// TestAgainstTheSpecificationsMock: a mock server generated from the published interface
// accepts everything that the client says: with the answers of its examples, with an error for
// each answer that breaks its own schemas (in 3.1 a VEN's and a resource's do), and with
// answers made up at random, none of which may break the client.
func TestAgainstTheSpecificationsMock(t *testing.T) {
	for _, version := range []string{"3.1", "3.0"} {
		for _, mode := range []string{"examples", "--errors", "-d"} {
			t.Run(version+" "+mode, func(t *testing.T) {
				t.Parallel()
				spec := Specification(t, version)
				if mode == "examples" {
					base := StartPrism(t, "mock", spec)
					rec := &Recorder{}
					everyCall(t, base, version, rec, true)
					want := append(calls(version), "POST /auth/token")
					if version == "3.1" {
						want = append(want, "GET /auth/server")
					}
					judge(t, rec, want)
					catches(t, base)
					return
				}
				base := StartPrism(t, "mock", spec, mode)
				rec := &Recorder{Bearer: "any"}
				for range map[string]int{"--errors": 1, "-d": 5}[mode] {
					everyCall(t, base, version, rec, false)
				}
				judge(t, rec, nil)
				catches(t, base)
			})
		}
	}
}

// catches makes sure that the mock would notice a wrong request.
func catches(t *testing.T, base string) {
	t.Helper()
	rec := &Recorder{Bearer: "any"}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/reports", `{"clientName":"x","resources":[]}`},
		{"GET", "/events?limit=51", ""},
		{"POST", "/subscriptions", `{"clientName":"x","programID":"a","objectOperations":[{"objects":["EVENTS"],"operations":["CREATE"],"callbackUrl":"http://x"}]}`},
	} {
		req, err := http.NewRequest(c.method, base+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := rec.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status counts
		if resp.StatusCode < 400 {
			t.Errorf("%s %s was accepted: the mock does not check requests", c.method, c.path)
		}
	}
}

// judge fails on every request that was refused or is not what the specification says. What
// the mock finds wrong with its own answers is none of the client's doing.
func judge(t *testing.T, rec *Recorder, want []string) {
	t.Helper()
	made := map[string]int{}
	for _, c := range rec.All() {
		made[c.Method+" "+c.Path]++
		own := len(c.Violations) > 0
		for _, v := range c.Violations {
			if len(v.Location) == 0 || v.Location[0] != "response" {
				t.Errorf("%s %s: %s at %v", c.Method, c.Path, v.Message, v.Location)
				own = false
			}
		}
		if c.Status >= 400 && !own {
			t.Errorf("%s %s: status %d", c.Method, c.Path, c.Status)
		}
	}
	for _, w := range want {
		if made[w] == 0 {
			t.Errorf("%s was never asked", w)
		}
		delete(made, w)
	}
	if want != nil && len(made) > 0 {
		t.Errorf("calls that the test does not expect: %v", made)
	}
	t.Logf("%d calls", len(rec.All()))
}
