package dsx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	grid "switchyard/emulate/dsx"
	"switchyard/signal"
	"switchyard/signal/link"
	"switchyard/signal/signaltest"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const mw = unit.Megawatt

// meter is a feed with 2 MW firm and 8 MW flexible that draws p.
func meter(p unit.Power) signal.Meter {
	return signal.Meter{At: time.Now(), Power: site.Some(p), Firm: 2 * mw, Flexible: 8 * mw, ShedWithin: 20 * time.Second}
}

// config is a site with the feeds a (hall-1) and b (hall-2).
func config(t *testing.T, keySet []byte) sitefile.MQTT {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, keySet, 0o600); err != nil {
		t.Fatal(err)
	}
	return sitefile.MQTT{Name: "flex", Broker: "tcp://127.0.0.1:1", DSX: &sitefile.DSX{
		ISV: "acme", Agent: "site-1", Feeds: map[string]string{"a": "hall-1", "b": "hall-2"}, Keys: file, SignID: "agent-1",
	}}
}

// alone is a client that is given its messages by hand, and what signs them.
func alone(t *testing.T, sign string) (*Client, func(e map[string]any, data string) []byte) {
	t.Helper()
	key := ec(t, elliptic.P256())
	c, err := New(config(t, set(t, jose.JSONWebKey{Key: &key.PublicKey, KeyID: "isv"})), "", "", sign, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	return c, func(e map[string]any, data string) []byte {
		t.Helper()
		n++
		if e == nil {
			e = goodEvent()
			e["id"] = strings.Replace(e["id"].(string), "7e1c2c1e", strings.Repeat("0", 6)+string(rune('a'+n/10%6))+string(rune('0'+n%10)), 1)
			e["time"] = time.Now().UTC().Format(time.RFC3339Nano)
		}
		e["data"] = signed(t, jose.ES256, key, "isv", []byte(data))
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

func standing(u signal.Update) map[string]unit.Power {
	out := map[string]unit.Power{}
	for _, s := range u.Signals {
		out[string(s.Node)+" from "+s.From.Format("15:04")] = s.Power
	}
	return out
}

func TestTargetsBecomeLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, sign := alone(t, "")
		h := &signaltest.Host{}
		h.Set("hall-1", meter(8*mw))
		h.Set("hall-2", meter(8*mw))
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
		clock := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("15:04") }
		steps := []struct {
			name, data, problem string
			want                map[string]unit.Power
		}{
			{
				"all feeds, until replaced", `{"targets":[{"interval":{},"load_constraint":{"value":5,"unit":"megawatt"}}]}`, "",
				map[string]unit.Power{"hall-1 from " + clock(0): 5 * mw, "hall-2 from " + clock(0): 5 * mw},
			},
			{
				"one feed, later", `{"targets":[{"feed_tags":["b"],"interval":{"start_time":"` + at(time.Hour) + `","end_time":"` + at(2*time.Hour) + `"},"load_constraint":{"value":3000,"unit":"kilowatt"}}]}`, "",
				map[string]unit.Power{"hall-1 from " + clock(0): 5 * mw, "hall-2 from " + clock(0): 5 * mw, "hall-2 from " + clock(time.Hour): 3 * mw, "hall-2 from " + clock(2*time.Hour): 5 * mw},
			},
			{
				"a start in the past", `{"targets":[{"feed_tags":["a"],"interval":{"start_time":"` + at(-time.Hour) + `"},"load_constraint":{"value":4,"unit":"megawatt"}}]}`, "1h0m0s ago: it holds from now on",
				map[string]unit.Power{"hall-1 from " + clock(0): 4 * mw, "hall-2 from " + clock(0): 5 * mw, "hall-2 from " + clock(time.Hour): 3 * mw, "hall-2 from " + clock(2*time.Hour): 5 * mw},
			},
			{
				"an end before its start, and a good one", `{"targets":[{"interval":{},"load_constraint":null},{"interval":{"start_time":"` + at(time.Hour) + `","end_time":"` + at(time.Minute) + `"},"load_constraint":{"value":1,"unit":"megawatt"}}]}`, "target 2: it ends at",
				map[string]unit.Power{"hall-1 from " + clock(0): 4 * mw, "hall-2 from " + clock(0): 5 * mw, "hall-2 from " + clock(time.Hour): 3 * mw, "hall-2 from " + clock(2*time.Hour): 5 * mw},
			},
			{
				"a feed of somebody else's", `{"targets":[{"feed_tags":["z","a"],"interval":{},"load_constraint":null}]}`, `"z", which is not one of ours`,
				map[string]unit.Power{"hall-2 from " + clock(0): 5 * mw, "hall-2 from " + clock(time.Hour): 3 * mw, "hall-2 from " + clock(2*time.Hour): 5 * mw},
			},
			{
				"taken back, what is scheduled stays", `{"targets":[{"interval":{},"load_constraint":null}]}`, "",
				map[string]unit.Power{"hall-2 from " + clock(time.Hour): 3 * mw, "hall-2 from " + clock(2*time.Hour): 5 * mw},
			},
		}
		for _, s := range steps {
			before := len(h.Problems())
			c.event(h, message(c, sign(nil, s.data)))
			if diff := cmp.Diff(s.want, standing(h.Last().Update)); diff != "" {
				t.Errorf("%s: %s", s.name, diff)
			}
			if p := h.Problems()[before:]; s.problem == "" && len(p) > 0 || s.problem != "" && (len(p) != 1 || !strings.Contains(p[0], s.problem)) {
				t.Errorf("%s: problems %q, want %q", s.name, p, s.problem)
			}
		}
	})
}

func TestEventsThatAreRefused(t *testing.T) {
	c, sign := alone(t, "")
	h := &signaltest.Host{}
	const five = `{"targets":[{"interval":{},"load_constraint":{"value":5,"unit":"megawatt"}}]}`
	c.event(h, message(c, sign(nil, five)))
	if len(h.Last().Signals) != 2 {
		t.Fatalf("%+v", h.Last())
	}
	again := sign(nil, `{"targets":[{"interval":{},"load_constraint":{"value":4,"unit":"megawatt"}}]}`)
	c.event(h, message(c, again))
	n := len(h.Updates())
	c.event(h, message(c, again))
	if len(h.Updates()) != n {
		t.Error("an event that came twice was taken twice")
	}
	old := func(d time.Duration) map[string]any {
		e := goodEvent()
		e["time"] = time.Now().Add(d).UTC().Format(time.RFC3339Nano)
		return e
	}
	for want, raw := range map[string][]byte{
		"before that of the last": sign(old(-time.Minute), five),
		"more than 24h":           sign(old(-25*time.Hour), five),
		"ahead of our clock":      sign(old(time.Hour), five),
		"names no target":         sign(nil, `{}`),
		"not JSON or not ours":    []byte("<html>"),
	} {
		before := len(h.Problems())
		c.event(h, message(c, raw))
		p := h.Problems()[before:]
		if len(p) != 1 || !strings.HasPrefix(p[0], "load target refused: ") || want != "not JSON or not ours" && !strings.Contains(p[0], want) {
			t.Errorf("%s: %q", want, p)
		}
		if s := h.Last().Signals; len(s) != 2 || s[0].Power != 4*mw {
			t.Errorf("%s changed what stands: %+v", want, s)
		}
	}
}

func TestResume(t *testing.T) {
	c, sign := alone(t, "")
	h := &signaltest.Host{}
	c.event(h, message(c, sign(nil, `{"targets":[{"interval":{},"feed_tags":["a"],"load_constraint":{"value":5,"unit":"megawatt"}}]}`)))
	stood := h.Last().Signals
	c2, sign2 := alone(t, "")
	c2.Resume(append(stood, signal.Signal{ID: "of another version", Kind: signal.Limit}))
	c2.event(h, message(c2, sign2(nil, `{"targets":[{"interval":{},"feed_tags":["b"],"load_constraint":{"value":3,"unit":"megawatt"}}]}`)))
	got := h.Last().Signals
	if len(got) != 2 || got[0].ID != stood[0].ID || got[0].Power != 5*mw || got[1].Power != 3*mw {
		t.Errorf("%+v", got)
	}
}

// heard collects what an agent says, verified and checked by the interface's schemas.
type heard struct {
	t       *testing.T
	schemas schemas
	states  chan map[string]feedState
	alerts  chan breachAlert
}

func (l *heard) state(m grid.Message) {
	var s snapshot
	l.check(m, "PowerStateStatusEvent", "PowerStateStatusData", &s)
	l.states <- s.Feeds
}

func (l *heard) alert(m grid.Message) {
	var a breachAlert
	l.check(m, "PowerBreachAlertEvent", "PowerBreachAlertData", &a)
	l.alerts <- a
}

func (l *heard) check(m grid.Message, envelope, data string, into any) {
	if m.Err != nil {
		l.t.Errorf("%s: %v", envelope, m.Err)
		return
	}
	if wrong := l.schemas.check(envelope, m.Event); len(wrong) > 0 {
		l.t.Errorf("%s: %q", m.Event, wrong)
	}
	if wrong := l.schemas.check(data, m.Data); len(wrong) > 0 {
		l.t.Errorf("%s: %q", m.Data, wrong)
	}
	if err := json.Unmarshal(m.Data, into); err != nil {
		l.t.Error(err)
	}
}

// trigger awaits a power state of feed a with that trigger.
func (l *heard) trigger(want string) feedState {
	l.t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		select {
		case s := <-l.states:
			if s["a"].Event == want {
				return s["a"]
			}
		case <-timeout:
			l.t.Fatalf("no power state for %s", want)
		}
	}
}

func (l *heard) breach(want string) breachAlert {
	l.t.Helper()
	select {
	case a := <-l.alerts:
		if a.Status != want {
			l.t.Fatalf("breach %s, want %s", a.Status, want)
		}
		return a
	case <-time.After(15 * time.Second):
		l.t.Fatalf("no breach alert %s", want)
	}
	return breachAlert{}
}

func message(c *Client, payload []byte) link.Event {
	return link.Event{Message: &link.Message{Topic: c.topic, Payload: payload}}
}

// world is an agent and a grid side at one broker.
func world(t *testing.T, h *signaltest.Host) (*signaltest.Broker, *grid.Grid, *heard) {
	t.Helper()
	told(t, h)
	l := &heard{t: t, schemas: loadSchemas(t), states: make(chan map[string]feedState, 1000), alerts: make(chan breachAlert, 10)}
	b := signaltest.Start(t)
	ours, theirs := ec(t, elliptic.P256()), ec(t, elliptic.P256())
	g := dial(t, b, l, ours, theirs)
	keySet, err := g.KeySet()
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, keySet)
	cfg.Broker = "tcp://" + b.Addr
	c, err := New(cfg, "", "", pemOf(t, ours), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return b, g, l
}

func dial(t *testing.T, b *signaltest.Broker, l *heard, ours, theirs *ecdsa.PrivateKey) *grid.Grid {
	t.Helper()
	g, err := grid.Dial(t.Context(), grid.Config{
		Broker: "tcp://" + b.Addr, ISV: "acme", Agent: "site-1", Key: theirs, OnState: l.state, OnAlert: l.alert,
		AgentKeys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &ours.PublicKey, KeyID: "agent-1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// told adds what the site was told to a failure.
func told(t *testing.T, h *signaltest.Host) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("problems %q, last heard %+v, %d updates, the last %+v", h.Problems(), h.LastHeard(), len(h.Updates()), h.Last())
		}
	})
}

func TestAgainstMosquitto(t *testing.T) {
	h := &signaltest.Host{}
	h.Set("hall-1", meter(9*mw))
	h.Set("hall-2", meter(9*mw))
	b, g, l := world(t, h)
	s := l.trigger(periodic)
	if s.Metadata.Minimum.Value != 2 || s.Metadata.Maximum.Value != 10 || s.Load.Value != 9 || !s.Compliant || s.Started != "" || len(s.Targets) > 0 {
		t.Errorf("at rest: %+v", s)
	}

	sent := time.Now()
	id, err := g.Set(t.Context(), grid.Target{Feeds: []string{"a"}, Limit: &grid.Power{Value: 5, Unit: "megawatt"}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the limit", func() bool { return len(h.Last().Signals) == 1 })
	t.Logf("%s from publishing to Put", h.Last().Came.Sub(sent))
	if x := h.Last().Signals[0]; x.Node != "hall-1" || x.Power != 5*mw || x.Kind != signal.Limit || !x.To.IsZero() {
		t.Errorf("%+v", x)
	}
	if s = l.trigger(targetSet); len(s.Targets) != 1 || s.Targets[0].Correlation != id || !s.Targets[0].Active || s.Compliant {
		t.Errorf("set: %+v", s)
	}
	if s = l.trigger(startRampDown); !s.InFlight || s.Started == "" {
		t.Errorf("on its way: %+v", s)
	}
	h.Set("hall-1", meter(4900*unit.Kilowatt))
	if s = l.trigger(endRampDown); s.InFlight || !s.Compliant || s.Load.Value != 4.9 {
		t.Errorf("down: %+v", s)
	}

	b.Kill()
	until(t, "the loss", func() bool { return h.LastHeard().Err != nil })
	b.Restart()
	until(t, "the connection", func() bool { return h.LastHeard().Err == nil })
	if len(h.Last().Signals) != 1 {
		t.Errorf("after the broker's restart: %+v", h.Last())
	}
	var again string
	until(t, "a command after the restart", func() bool {
		again, err = g.Set(t.Context(), grid.Target{})
		return err == nil
	})
	until(t, "the end", func() bool { return len(h.Last().Signals) == 0 })
	if again == id {
		t.Error("one correlation for two commands")
	}
	if s = l.trigger(startRampUp); !s.InFlight || len(s.Targets) > 0 {
		t.Errorf("up: %+v", s)
	}
	h.Set("hall-1", meter(9900*unit.Kilowatt))
	if s = l.trigger(endRampUp); s.InFlight {
		t.Errorf("up again: %+v", s)
	}
	h.Advance(heartbeat)
	if s = l.trigger(periodic); s.Started != "" || s.Event != periodic {
		t.Errorf("heartbeat: %+v", s)
	}

	for what, e := range map[string]map[string]any{
		"unsigned": g.Envelope(map[string]any{"targets": []any{}}), "forged": g.Envelope("eyJhbGciOiJub25lIn0.e30."),
	} {
		n := len(h.Problems())
		if err := g.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		until(t, "the refusal of one "+what, func() bool { return len(h.Problems()) == n+1 })
	}
}

func TestABreach(t *testing.T) {
	h := &signaltest.Host{}
	h.Set("hall-1", meter(9*mw))
	h.Set("hall-2", meter(9*mw))
	_, g, l := world(t, h)
	l.trigger(periodic)
	id, err := g.Set(t.Context(), grid.Target{Feeds: []string{"a"}, Limit: &grid.Power{Value: 5000, Unit: "kilowatt"}})
	if err != nil {
		t.Fatal(err)
	}
	l.trigger(startRampDown)
	h.Set("hall-1", meter(5500*unit.Kilowatt))
	h.Advance(29 * time.Second)
	time.Sleep(3 * tick)
	if len(l.alerts) > 0 {
		t.Fatalf("a breach while the site may still be on its way: %+v", <-l.alerts)
	}
	h.Advance(2 * time.Second)
	a := l.breach("active")
	if a.Severity != "warning" || a.Load.Value != 5.5 || a.Target.Correlation != id || a.Feed != "a" || len(a.Hints) != 1 || len(a.Actions) == 0 {
		t.Errorf("active: %+v", a)
	}
	h.Set("hall-1", meter(7*mw))
	h.Advance(escalate)
	if e := l.breach("escalated"); e.Breach.ID != a.Breach.ID || e.Severity != "critical" {
		t.Errorf("escalated: %+v", e)
	}
	m := meter(0)
	m.Power = site.Opt[unit.Power]{}
	h.Set("hall-1", m)
	time.Sleep(3 * tick)
	if len(l.alerts) > 0 {
		t.Fatalf("a lost meter ended a breach: %+v", <-l.alerts)
	}
	h.Set("hall-1", meter(4*mw))
	if e := l.breach("resolved"); e.Breach.ID != a.Breach.ID || e.Breach.Resolved == "" || len(e.Actions) > 0 || len(e.Hints) > 0 {
		t.Errorf("resolved: %+v", e)
	}
}

func TestLatency(t *testing.T) {
	h := &signaltest.Host{}
	_, g, _ := world(t, h)
	until(t, "the connection", func() bool { return !h.LastHeard().At.IsZero() && h.LastHeard().Err == nil })
	var took []time.Duration
	for i := range 50 {
		sent := time.Now()
		if _, err := g.Set(t.Context(), grid.Target{Limit: &grid.Power{Value: float64(i + 1), Unit: "megawatt"}}); err != nil {
			t.Fatal(err)
		}
		until(t, "a limit", func() bool { s := h.Last().Signals; return len(s) == 2 && s[0].Power == unit.Power(i+1)*mw })
		took = append(took, h.Last().Came.Sub(sent))
	}
	signaltest.Typical(t, "from publishing to Put", 250*time.Millisecond, took)
}

func TestTheGridsTargetsFitTheInterface(t *testing.T) {
	s := loadSchemas(t)
	b := signaltest.Start(t)
	g, err := grid.Dial(t.Context(), grid.Config{Broker: "tcp://" + b.Addr, ISV: "acme", Agent: "site-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	raw, err := json.Marshal(g.Envelope("a.b.c"))
	if err != nil {
		t.Fatal(err)
	}
	if wrong := s.check("LoadTargetSetEvent", raw); len(wrong) > 0 {
		t.Errorf("%s: %q", raw, wrong)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	key := ec(t, elliptic.P256())
	good := config(t, set(t, jose.JSONWebKey{Key: &key.PublicKey, KeyID: "a"}))
	for want, change := range map[string]func(*sitefile.MQTT, *sitefile.DSX, *string){
		"dsx is missing":  func(c *sitefile.MQTT, _ *sitefile.DSX, _ *string) { c.DSX = nil },
		"dsx.isv":         func(_ *sitefile.MQTT, d *sitefile.DSX, _ *string) { d.ISV = "" },
		"dsx.agent":       func(_ *sitefile.MQTT, d *sitefile.DSX, _ *string) { d.Agent = "a/#" },
		"names no feed":   func(_ *sitefile.MQTT, d *sitefile.DSX, _ *string) { d.Feeds = nil },
		"node of its own": func(_ *sitefile.MQTT, d *sitefile.DSX, _ *string) { d.Feeds = map[string]string{"a": "x", "b": "x"} },
		"keys is missing": func(_ *sitefile.MQTT, d *sitefile.DSX, _ *string) { d.Keys = "" },
		"read key set":    func(_ *sitefile.MQTT, d *sitefile.DSX, _ *string) { d.Keys = "/missing.json" },
		"PEM":             func(_ *sitefile.MQTT, _ *sitefile.DSX, s *string) { *s = "hunter2" },
		"broker":          func(c *sitefile.MQTT, _ *sitefile.DSX, _ *string) { c.Broker = "" },
	} {
		cfg, d, sign := good, *good.DSX, ""
		cfg.DSX = &d
		change(&cfg, &d, &sign)
		if cfg.DSX != nil {
			cfg.DSX = &d
		}
		if _, err := New(cfg, "u", "hunter2", sign, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
