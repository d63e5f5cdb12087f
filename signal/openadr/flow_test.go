package openadr_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/emulate/vtn"
	"switchyard/signal"
	"switchyard/signal/openadr"
	"switchyard/signal/signaltest"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	secret    = "s3cret-of-the-ven"
	hookToken = "t0ken-of-the-webhook"
)

// host is the site that a client serves.
type host struct {
	mu      sync.Mutex
	updates []signal.Update
	heard   []error
	meter   signal.Meter
	clock   clock.Clock
	news    chan struct{}
}

func newHost() *host {
	return &host{clock: clock.System(), news: make(chan struct{}, 1000), meter: signal.Meter{
		Power: site.Some(6 * unit.Megawatt), Flexible: 4 * unit.Megawatt, Firm: 2 * unit.Megawatt,
	}}
}

func (h *host) Put(u signal.Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.updates = append(h.updates, u)
	select {
	case h.news <- struct{}{}:
	default:
	}
}

func (h *host) Heard(_ string, _ time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, err)
	select {
	case h.news <- struct{}{}:
	default:
	}
}

func (h *host) Meter() signal.Meter {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.meter
	m.At = h.clock.Now()
	return m
}

func (h *host) Now() time.Time { return h.clock.Now() }

func (h *host) last() signal.Update {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.updates) == 0 {
		return signal.Update{}
	}
	return h.updates[len(h.updates)-1]
}

func (h *host) lastHeard() (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.heard) == 0 {
		return 0, nil
	}
	return len(h.heard), h.heard[len(h.heard)-1]
}

// await waits until is holds of the newest update.
func (h *host) await(t *testing.T, what string, is func(signal.Update) bool) signal.Update {
	t.Helper()
	deadline := time.After(2 * time.Minute) // only what never comes is that late, also on a busy machine
	for {
		if u := h.last(); is(u) {
			return u
		}
		select {
		case <-h.news:
		case <-deadline:
			_, err := h.lastHeard()
			t.Fatalf("%s did not come; the last update is %+v, heard %v", what, h.last(), err)
		}
	}
}

// stand is a VTN and a client of it.
type stand struct {
	vtn    *vtn.VTN
	url    string
	host   *host
	client *openadr.Client
	log    *syncBuffer
	stop   func()
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// serve starts a VTN of a version.
func serve(t *testing.T, version string, change ...func(*vtn.Config)) *stand {
	t.Helper()
	cfg := vtn.Config{Version: version, Clients: []vtn.Client{{ID: "ven-1", Secret: secret}, {ID: "bl", Secret: "bl", Business: true}, {ID: "ven-2", Secret: "other"}}}
	for _, f := range change {
		f(&cfg)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{vtn: vtn.New(cfg), host: newHost(), log: &syncBuffer{}, url: "http://" + l.Addr().String() + "/openadr3/" + version}
	closer := s.vtn.Serve(l)
	t.Cleanup(func() { _ = closer.Close() })
	return s
}

// follow starts a client of the stand's VTN.
func (s *stand) follow(t *testing.T, version string, change ...func(*sitefile.OpenADR, *openadr.Options)) {
	t.Helper()
	cfg := sitefile.OpenADR{Name: "grid", URL: s.url, Version: version, Poll: 50 * time.Millisecond, Levels: map[int]unit.Power{1: 5 * unit.Megawatt}}
	opt := openadr.Options{Site: "north", ClientID: "ven-1", Secret: secret, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	for _, f := range change {
		f(&cfg, &opt)
	}
	c, err := openadr.New(cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	s.client = c
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, s.host) }()
	var once sync.Once
	s.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("run: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("the client does not end")
			}
		})
	}
	t.Cleanup(func() {
		s.stop()
		s.host.mu.Lock()
		defer s.host.mu.Unlock()
		all := s.log.String() + fmt.Sprint(s.host.updates, s.host.heard)
		for _, word := range []string{secret, hookToken} {
			if strings.Contains(all, word) {
				t.Errorf("a secret stands in a log, an error or an update:\n%s", all)
			}
		}
	})
}

func (s *stand) push(t *testing.T, e vtn.Object) string {
	t.Helper()
	id, err := s.vtn.Push(e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// event is an event of one interval.
func event(start time.Time, length, kind string, value any) vtn.Object {
	return vtn.Object{
		"intervalPeriod": vtn.Object{"start": start.UTC().Format(time.RFC3339Nano), "duration": length},
		"intervals":      []any{vtn.Object{"id": 0, "payloads": []any{vtn.Object{"type": kind, "values": []any{value}}}}},
	}
}

func limits(u signal.Update) []unit.Power {
	var out []unit.Power
	for _, s := range u.Signals {
		if s.Kind == signal.Limit {
			out = append(out, s.Power)
		}
	}
	return out
}

func limited(to ...unit.Power) func(signal.Update) bool {
	return func(u signal.Update) bool { return !u.At.IsZero() && slices.Equal(limits(u), to) }
}

func webhook(t *testing.T) func(*sitefile.OpenADR, *openadr.Options) {
	return func(c *sitefile.OpenADR, o *openadr.Options) {
		c.Poll = time.Hour // what comes sooner comes by a notification
		c.WebhookListen = freeAddress(t)
		c.Webhook = "http://" + c.WebhookListen + "/hook"
		c.WebhookToken = "env:X"
		o.WebhookToken = hookToken
	}
}

func versions(t *testing.T, f func(t *testing.T, version string)) {
	for _, v := range []string{"3.1", "3.0"} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			f(t, v)
		})
	}
}

func TestAnEventsLife(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		s := serve(t, version)
		s.follow(t, version)
		s.host.await(t, "the first answer", func(u signal.Update) bool { return !u.At.IsZero() && u.Source == "grid" })
		now := time.Now().UTC()
		id := s.push(t, event(now, "PT1H", "IMPORT_CAPACITY_LIMIT", 3000))
		u := s.host.await(t, "the limit", limited(3*unit.Megawatt))
		if got := u.Signals[0]; got.Source != "grid" || got.Node != "" || !got.To.Equal(now.Add(time.Hour)) || !strings.Contains(got.Note, "IMPORT_CAPACITY_LIMIT; event "+id) || !strings.HasPrefix(got.ID, id+"/0/") {
			t.Errorf("signal %+v", got)
		}
		if err := s.vtn.Change(id, event(now, "PT1H", "IMPORT_CAPACITY_LIMIT", 2500)); err != nil {
			t.Fatal(err)
		}
		s.host.await(t, "the change", limited(2500*unit.Kilowatt))

		bad := event(now, "PT1H", "IMPORT_CAPACITY_LIMIT", nil)
		if err := s.vtn.Change(id, bad); err != nil {
			t.Fatal(err)
		}
		u = s.host.await(t, "the problem", func(u signal.Update) bool { return len(u.Problems) > 0 })
		if !slices.Equal(limits(u), []unit.Power{2500 * unit.Kilowatt}) || !strings.Contains(u.Problems[0], "null") || !strings.Contains(u.Problems[0], "its earlier version is") {
			t.Errorf("a change that cannot be read gives %+v", u)
		}
		price := s.push(t, event(now, "PT1H", "PRICE", 0.05))
		s.host.await(t, "the price", func(u signal.Update) bool {
			return len(u.Signals) == 2 && slices.ContainsFunc(u.Signals, func(x signal.Signal) bool { return x.Kind == signal.Price && x.Price == unit.DollarsPerMWh(50) })
		})
		for _, id := range []string{id, price} {
			if err := s.vtn.Withdraw(id); err != nil {
				t.Fatal(err)
			}
		}
		u = s.host.await(t, "the end", func(u signal.Update) bool { return len(u.Signals) == 0 })
		if len(u.Problems) != 0 {
			t.Errorf("problems stay: %q", u.Problems)
		}
	})
}

func TestItRegistersOnce(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		s := serve(t, version)
		for range 3 {
			s.follow(t, version, webhook(t), func(c *sitefile.OpenADR, _ *openadr.Options) {
				c.Webhook = "http://127.0.0.1:9/always-the-same" // the listener's port differs
			})
			s.host.await(t, "registration", func(signal.Update) bool { return s.client.Status().Enrolled })
			if version == "3.0" {
				if _, err := s.vtn.Program("demo", nil); err != nil { // 3.0 subscribes to a program
					t.Fatal(err)
				}
			}
			s.stop()
		}
		if got := s.vtn.All(vtn.VEN); len(got) != 1 || got[0]["venName"] != "north" {
			t.Errorf("VENs %v", got)
		}
		if got := s.vtn.All(vtn.Resource); len(got) != 1 || got[0]["resourceName"] != "site" || got[0]["venID"] != s.vtn.All(vtn.VEN)[0]["id"] {
			t.Errorf("resources %v", got)
		}
		if got := s.vtn.All(vtn.Subscription); len(got) != 1 {
			t.Errorf("subscriptions %v", got)
		}
	})
}

// TestHowFastASignalIs measures from the VTN's taking an event over to the update.
func TestHowFastASignalIs(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		s := serve(t, version, func(c *vtn.Config) { c.Challenge = true })
		program, err := s.vtn.Program("demo", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.follow(t, version, webhook(t))
		s.host.await(t, "the subscription", func(signal.Update) bool { return s.client.Status().Notified })
		var took []time.Duration
		for i := range 10 {
			began := time.Now()
			e := event(began, "PT1H", "SIMPLE", 3)
			if i%2 == 1 {
				e = event(began, "PT1H", "SIMPLE", 1)
			}
			e["programID"] = program
			id := s.push(t, e)
			s.host.await(t, "the level", limited([]unit.Power{2 * unit.Megawatt, 5 * unit.Megawatt}[i%2]))
			took = append(took, time.Since(began))
			if err := s.vtn.Withdraw(id); err != nil {
				t.Fatal(err)
			}
			s.host.await(t, "its end", limited())
		}
		signaltest.Typical(t, "a signal by webhook", 250*time.Millisecond, took)
	})
}

func TestByPollingAlone(t *testing.T) {
	s := serve(t, "3.1")
	s.follow(t, "3.1", func(c *sitefile.OpenADR, _ *openadr.Options) { c.Poll = 200 * time.Millisecond })
	s.host.await(t, "registration", func(signal.Update) bool { return s.client.Status().Enrolled })
	var took []time.Duration
	for range 5 {
		began := time.Now()
		id := s.push(t, event(began, "PT1H", "SIMPLE", 3))
		s.host.await(t, "the level", limited(2*unit.Megawatt))
		took = append(took, time.Since(began))
		if err := s.vtn.Withdraw(id); err != nil {
			t.Fatal(err)
		}
		s.host.await(t, "its end", limited())
	}
	signaltest.Typical(t, "a signal by polling every 200 ms", 500*time.Millisecond, took)
}

// TestTheFirmLoadIsFollowed: level 3 means the firm load, whatever it becomes.
func TestTheFirmLoadIsFollowed(t *testing.T) {
	s := serve(t, "3.1")
	s.push(t, event(time.Now(), "PT1H", "SIMPLE", 3))
	s.follow(t, "3.1")
	s.host.await(t, "the level", limited(2*unit.Megawatt))
	s.host.mu.Lock()
	s.host.meter.Firm = unit.Megawatt
	s.host.mu.Unlock()
	s.host.await(t, "the new firm load", limited(unit.Megawatt))
}

func TestTheNotifierIsChecked(t *testing.T) {
	s := serve(t, "3.1", func(c *vtn.Config) { c.MQTT = "mqtts://broker.example" })
	var address string
	s.follow(t, "3.1", webhook(t), func(c *sitefile.OpenADR, _ *openadr.Options) { address = c.Webhook })
	s.host.await(t, "the subscription", func(signal.Update) bool { return s.client.Status().Notified })
	if got := s.client.Status().Offered; got != "MQTT at mqtts://broker.example: offered, not used" {
		t.Errorf("offered: %q", got)
	}
	before := s.vtn.Calls("GET /events")
	call := func(method, query, token, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, address+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	event := `{"objectType":"EVENT","operation":"CREATE","object":{"id":"made-up","intervals":[{"id":0,"payloads":[{"type":"SIMPLE","values":[3]}]}]}}`
	for _, c := range []struct {
		method, query, token, body string
		status                     int
	}{
		{"POST", "", "", event, 401},
		{"POST", "", "Bearer wrong", event, 401},
		{"POST", "", "Basic " + hookToken, event, 401},
		{"POST", "", "Bearer " + hookToken, "{", 400},
		{"POST", "", "Bearer " + hookToken, `"` + strings.Repeat("x", 2<<20) + `"`, 413},
		{"PUT", "", "Bearer " + hookToken, event, 405},
		{"GET", "", "", "", 400},
		{"GET", "?echo=" + strings.Repeat("x", 600), "", "", 400},
		{"GET", "?echo=abc", "", "", 200},
	} {
		if got, body := call(c.method, c.query, c.token, c.body); got != c.status || c.query == "?echo=abc" && body != "abc" {
			t.Errorf("%s %.20s %s: %d %q, want %d", c.method, c.query, c.token, got, body, c.status)
		}
	}
	if got := s.vtn.Calls("GET /events"); got != before || s.vtn.Calls("GET /events/made-up") != 0 {
		t.Errorf("calls without the token made us ask the VTN")
	}
	if got, _ := call("POST", "", "Bearer "+hookToken, event); got != 200 {
		t.Errorf("the VTN's own notification: %d", got)
	}
	deadline := time.Now().Add(5 * time.Second)
	for s.vtn.Calls("GET /events/made-up") == 0 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if s.vtn.Calls("GET /events/made-up") != 1 {
		t.Errorf("the event was asked for %d times", s.vtn.Calls("GET /events/made-up"))
	}
	if got := limits(s.host.last()); len(got) != 0 {
		t.Errorf("a made-up event was believed: %v", got)
	}
	for range 500 { // a flood does not become a flood of calls
		if got, _ := call("POST", "", "Bearer "+hookToken, event); got != 200 {
			t.Fatalf("flood: %d", got)
		}
	}
	time.Sleep(150 * time.Millisecond)
	if n := s.vtn.Calls("GET /events/made-up") + s.vtn.Calls("GET /events"); n > 100 {
		t.Errorf("500 notifications made %d calls", n)
	}
}
