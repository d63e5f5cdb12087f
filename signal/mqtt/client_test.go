package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"switchyard/signal"
	"switchyard/signal/signaltest"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const mw = unit.Megawatt

// meter is a site with 3 MW firm and 9 MW flexible that draws p.
func meter(p unit.Power) signal.Meter {
	return signal.Meter{At: time.Now(), Power: site.Some(p), Firm: 3 * mw, Flexible: 9 * mw, ShedWithin: 20 * time.Second, Complies: true}
}

// alone is a client that is given its messages by hand.
func alone(t *testing.T, cfg sitefile.MQTT) *Client {
	t.Helper()
	cfg.Name, cfg.Broker, cfg.Topic = "grid", "tcp://127.0.0.1:1", "curtail"
	c, err := New(cfg, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func say(percent float64, at time.Time) []byte {
	return fmt.Appendf(nil, `{"target":%v,"timestamp":%q}`, percent, at.Format(time.RFC3339Nano))
}

func limits(u signal.Update) (out []unit.Power) {
	for _, s := range u.Signals {
		out = append(out, s.Power)
	}
	return out
}

func TestATargetIsReckonedFromWhatStoodWhenTheCurtailmentBegan(t *testing.T) {
	c, h := alone(t, sitefile.MQTT{}), &signaltest.Host{}
	h.Set("", meter(12*mw))
	at := time.Now().Add(-time.Minute)
	take := func(percent float64) signaltest.Put {
		at = at.Add(time.Second)
		c.take(h, say(percent, at), false)
		return h.Last()
	}
	if u := take(40); len(u.Signals) != 1 || u.Signals[0].Power != 6600*unit.Kilowatt || u.Signals[0].Kind != signal.Limit || !u.Signals[0].To.IsZero() {
		t.Fatalf("40 %%: %+v", u)
	}
	// The load falls, and with it what can be shed: the limit does not follow.
	h.Set("", signal.Meter{At: time.Now(), Power: site.Some(6 * mw), Firm: 3 * mw, Flexible: 3 * mw})
	n := len(h.Updates())
	take(40)
	if len(h.Updates()) != n {
		t.Errorf("the same target again was put again: %+v", h.Last())
	}
	for _, want := range []struct {
		percent float64
		limit   unit.Power
	}{{20, 4800 * unit.Kilowatt}, {0, 3 * mw}, {50, 7500 * unit.Kilowatt}} {
		if got := limits(take(want.percent).Update); len(got) != 1 || got[0] != want.limit {
			t.Errorf("%v %%: %v, want %v", want.percent, got, want.limit)
		}
	}
	if u := take(100); len(u.Signals) != 0 {
		t.Errorf("100 %%: %+v", u)
	}
	if got := limits(take(50).Update); len(got) != 1 || got[0] != 4500*unit.Kilowatt {
		t.Errorf("a new curtailment takes the site as it is then: %v", got)
	}
	take(100)
	h.Set("", signal.Meter{At: time.Now(), Power: site.Some(6 * mw), Firm: 3 * mw, Flexible: 3 * mw, Nameplate: 10 * mw})
	if got := limits(take(50).Update); len(got) != 1 || got[0] != 8*mw {
		t.Errorf("what rests for other reasons counts with its nameplate: %v", got)
	}
	if p := h.Problems(); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
}

func TestALimitOfANodeIsReckonedFromThatNode(t *testing.T) {
	c, h := alone(t, sitefile.MQTT{Node: "hall-1"}), &signaltest.Host{}
	h.Set("", meter(12*mw))
	c.take(h, []byte("50"), false)
	if p := h.Problems(); len(h.Last().Signals) > 0 || len(p) != 1 || !strings.Contains(p[0], "hall-1") {
		t.Errorf("a node that nobody knows: %+v", h.Last())
	}
	h.Set("hall-1", signal.Meter{At: time.Now(), Firm: mw, Flexible: 2 * mw})
	c.take(h, []byte("50"), false)
	if s := h.Last().Signals; len(s) != 1 || s[0].Node != "hall-1" || s[0].Power != 2*mw {
		t.Errorf("%+v", h.Last())
	}
}

func TestATargetWaitsForTheFirstReading(t *testing.T) {
	c, h := alone(t, sitefile.MQTT{}), &signaltest.Host{}
	h.Set("", signal.Meter{At: time.Now(), Firm: 3 * mw})
	c.take(h, []byte("50"), true)
	if len(h.Updates()) != 0 {
		t.Fatalf("a limit from nothing: %+v", h.Last())
	}
	c.due(h)
	h.Set("", meter(12*mw))
	c.due(h)
	if got := limits(h.Last().Update); len(got) != 1 || got[0] != 7500*unit.Kilowatt {
		t.Errorf("limits %v", got)
	}
}

func TestOldMessagesAreRefused(t *testing.T) {
	c, h := alone(t, sitefile.MQTT{}), &signaltest.Host{}
	h.Set("", meter(12*mw))
	now := time.Now()
	cases := []struct {
		what     string
		payload  []byte
		retained bool
		problem  string // empty: taken
		limits   int
	}{
		{"stale", say(0, now.Add(-6*time.Minute)), false, "6m", 0},
		{"stale but retained", say(10, now.Add(-11*time.Minute)), true, "", 1},
		{"of the future", say(100, now.Add(time.Hour)), false, "ahead of our clock", 1},
		{"fresh", say(20, now.Add(-time.Minute)), false, "", 1},
		{"out of order", say(100, now.Add(-2*time.Minute)), false, "before the last one", 1},
		{"out of order, retained", say(100, now.Add(-2*time.Minute)), true, "before the last one", 1},
		{"nonsense", []byte("{}"), false, "missing", 1},
		{"too long", make([]byte, maxPayload+1), false, "bytes", 1},
		{"released", say(100, now), false, "", 0},
	}
	for _, k := range cases {
		before := len(h.Problems())
		c.take(h, k.payload, k.retained)
		new := h.Problems()[before:]
		switch {
		case k.problem == "" && len(new) > 0, k.problem != "" && (len(new) != 1 || !strings.Contains(new[0], k.problem)):
			t.Errorf("%s: problems %q, want %q", k.what, new, k.problem)
		case len(h.Last().Signals) != k.limits:
			t.Errorf("%s: %+v, want %d limits", k.what, h.Last().Signals, k.limits)
		}
	}
}

func TestARestartKeepsWhatStood(t *testing.T) {
	c, h := alone(t, sitefile.MQTT{}), &signaltest.Host{}
	h.Set("", meter(5*mw))
	stood := signal.Signal{ID: "target", Kind: signal.Limit, Power: 5 * mw, From: time.Now().Add(-time.Minute)}
	c.Resume([]signal.Signal{stood})
	c.take(h, []byte("nonsense"), false)
	c.take(h, say(100, stood.From.Add(-time.Second)), true)
	if got := limits(h.Last().Update); len(h.Updates()) != 2 || len(got) != 1 || got[0] != 5*mw {
		t.Errorf("%+v", h.Updates())
	}
	c.take(h, say(100, stood.From.Add(time.Second)), true)
	if u := h.Last(); len(u.Signals) != 0 {
		t.Errorf("%+v", u)
	}
}

func TestAPublisherThatRepeatsItselfIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := alone(t, sitefile.MQTT{Lost: sitefile.LostSignal{After: time.Minute}}), &signaltest.Host{}
		h.Set("", meter(12*mw))
		c.up = true
		wait := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(tick) {
				c.due(h)
			}
		}
		c.take(h, say(50, time.Now()), false)
		wait(10 * time.Minute)
		if e := h.LastHeard(); e.Err != nil || time.Since(e.At) > 2*time.Second {
			t.Errorf("one that spoke once: %+v", e)
		}
		for range 4 {
			c.take(h, say(50, time.Now()), false)
			wait(30 * time.Second)
		}
		last := h.LastHeard()
		if last.Err != nil || time.Since(last.At) < 28*time.Second {
			t.Errorf("only its messages count: %+v, %s ago", last, time.Since(last.At))
		}
		wait(31 * time.Second)
		if e := h.LastHeard(); e.Err == nil || !strings.Contains(e.Err.Error(), "silent") {
			t.Errorf("silence: %+v", e)
		}
		c.take(h, say(50, time.Now()), false)
		if e := h.LastHeard(); e.Err != nil {
			t.Errorf("back: %+v", e)
		}
	})
}

// site runs a client against a broker.
func runAgainst(t *testing.T, b *signaltest.Broker, cfg sitefile.MQTT, h *signaltest.Host) (stop func()) {
	t.Helper()
	cfg.Name, cfg.Broker = "grid", "tcp://"+b.Addr
	c, err := New(cfg, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx, h) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, b *signaltest.Broker, id string) paho.Client {
	t.Helper()
	p := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + b.Addr).SetClientID(id).SetConnectRetry(true).SetConnectRetryInterval(50 * time.Millisecond))
	if tok := p.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { p.Disconnect(50) })
	return p
}

func publish(t *testing.T, p paho.Client, payload []byte, retained bool) {
	t.Helper()
	if tok := p.Publish("curtail", 1, retained, payload); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func TestAgainstMosquitto(t *testing.T) {
	b := signaltest.Start(t)
	h := &signaltest.Host{}
	h.Set("", meter(12*mw))
	stop := runAgainst(t, b, sitefile.MQTT{Topic: "curtail", Status: "status"}, h)
	until(t, "the connection", func() bool { return !h.LastHeard().At.IsZero() && h.LastHeard().Err == nil })

	grid := dial(t, b, "the grid")
	statuses := make(chan map[string]any, 1000)
	listen := func(p paho.Client) {
		p.Subscribe("status", 1, func(_ paho.Client, m paho.Message) {
			var s map[string]any
			if err := json.Unmarshal(m.Payload(), &s); err != nil {
				t.Errorf("status %q: %v", m.Payload(), err)
			}
			statuses <- s
		}).Wait()
	}
	listen(grid)
	status := func(what string, ok func(map[string]any) bool) map[string]any {
		t.Helper()
		for timeout := time.After(15 * time.Second); ; {
			select {
			case s := <-statuses:
				if ok(s) {
					return s
				}
			case <-timeout:
				t.Fatalf("the status %s did not come", what)
			}
		}
	}

	sent := time.Now()
	publish(t, grid, say(40, sent), true)
	until(t, "the limit", func() bool { return len(h.Last().Signals) == 1 })
	t.Logf("%s from publishing to Put", h.Last().Came.Sub(sent))
	s := status("accepted", func(s map[string]any) bool { return s["state"] == "accepted" })
	if s["target"] != 40.0 || s["power_kw"] != 12000.0 || s["complies"] != true || s["online"] != true || s["limit_kw"] != nil {
		t.Errorf("status %v", s)
	}
	publish(t, grid, []byte(`{"target":-5}`), false)
	if s := status("refused", func(s map[string]any) bool { return s["state"] == "refused" }); !strings.Contains(s["reason"].(string), "-5") {
		t.Errorf("status %v", s)
	}
	if got := limits(h.Last().Update); len(got) != 1 || got[0] != 6600*unit.Kilowatt {
		t.Errorf("a refused message changed what stands: %v", got)
	}
	publish(t, grid, make([]byte, 1<<20), false)
	until(t, "the refusal of a long message", func() bool {
		p := h.Problems()
		return len(p) > 1 && strings.Contains(p[len(p)-1], "more than 4096 bytes")
	})

	b.Kill()
	until(t, "the loss", func() bool { return h.LastHeard().Err != nil })
	b.Restart()
	until(t, "the connection", func() bool { return h.LastHeard().Err == nil })
	if got := limits(h.Last().Update); len(got) != 1 || got[0] != 6600*unit.Kilowatt {
		t.Errorf("after a broker's restart: %v", got)
	}
	grid = dial(t, b, "the grid again")
	listen(grid)
	publish(t, grid, say(0, time.Now()), true)
	until(t, "the limit after the restart", func() bool { got := limits(h.Last().Update); return len(got) == 1 && got[0] == 3*mw })
	stop()
	status("offline", func(s map[string]any) bool { return s["online"] == false })

	// Another run finds the retained target.
	h = &signaltest.Host{}
	h.Set("", meter(3*mw))
	runAgainst(t, b, sitefile.MQTT{Topic: "curtail", Status: "status"}, h)
	until(t, "the retained target", func() bool { got := limits(h.Last().Update); return len(got) == 1 && got[0] == 3*mw })
}

// TestLatency holds the part of a second that belongs to the source.
func TestLatency(t *testing.T) {
	b := signaltest.Start(t)
	h := &signaltest.Host{}
	h.Set("", meter(12*mw))
	runAgainst(t, b, sitefile.MQTT{Topic: "curtail"}, h)
	grid := dial(t, b, "the grid")
	until(t, "the connection", func() bool { return !h.LastHeard().At.IsZero() && h.LastHeard().Err == nil })
	var took []time.Duration
	for i := range 50 {
		sent := time.Now()
		publish(t, grid, say(float64(i), sent), false)
		want := 3*mw + unit.Power(math.Floor(float64(9*mw)*float64(i)/100))
		until(t, "a limit", func() bool { got := limits(h.Last().Update); return len(got) == 1 && got[0] == want })
		took = append(took, h.Last().Came.Sub(sent))
	}
	signaltest.Typical(t, "from publishing to Put", 250*time.Millisecond, took)
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]sitefile.MQTT{
		"topic":   {Broker: "tcp://x"},
		"broker":  {Topic: "t"},
		"cert":    {Topic: "t", Broker: "ssl://x", Cert: "c"},
		"missing": {Topic: "t", Broker: "ssl://x", CA: "/missing/ca.pem"},
	} {
		cfg.Name = "grid"
		if _, err := New(cfg, "u", "hunter2", nil); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "grid") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
