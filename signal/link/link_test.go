package link_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/signal/link"
	"switchyard/signal/signaltest"
	"switchyard/sitefile"
)

// open starts a link and returns it with the function that awaits the next event that is wanted.
func open(t *testing.T, cfg link.Config) (*link.Link, func(what string, want func(link.Event) bool) link.Event) {
	t.Helper()
	l, err := link.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	var waiting []link.Event
	return l, func(what string, want func(link.Event) bool) link.Event {
		t.Helper()
		timeout := time.After(10 * time.Second)
		for {
			for i, e := range waiting {
				if want(e) {
					waiting = waiting[i+1:]
					return e
				}
			}
			waiting = nil
			select {
			case <-l.Wake():
				waiting = l.Take()
			case <-timeout:
				t.Fatalf("%s did not come", what)
			}
		}
	}
}

func up(e link.Event) bool      { return e.Up }
func down(e link.Event) bool    { return e.Err != nil }
func message(e link.Event) bool { return e.Message != nil }

func TestTheBrokerIsKilledAndComesBack(t *testing.T) {
	b := signaltest.Start(t)
	cfg := func(id string) link.Config {
		return link.Config{Broker: "tcp://" + b.Addr, ClientID: link.ClientID(t.Name(), id), Topics: map[string]byte{"x/" + id: 1}, MaxPayload: 100}
	}
	_, receiver := open(t, cfg("a"))
	sender, sent := open(t, cfg("b"))
	receiver("the connection", up)
	sent("the connection", up)
	sender.Publish(link.Message{Topic: "x/a", Payload: []byte("one"), QoS: 1})
	if e := receiver("a message", message); string(e.Message.Payload) != "one" {
		t.Errorf("payload %q", e.Message.Payload)
	}
	sender.Publish(link.Message{Topic: "x/a", Payload: make([]byte, 5000), QoS: 1})
	if e := receiver("a long message", message); len(e.Message.Payload) != 101 {
		t.Errorf("a long payload arrived with %d bytes", len(e.Message.Payload))
	}
	b.Kill()
	if e := receiver("the loss", down); !strings.Contains(e.Err.Error(), b.Addr) {
		t.Errorf("loss: %v", e.Err)
	}
	sent("the loss", down)
	sender.Publish(link.Message{Topic: "x/a", Payload: []byte("old"), QoS: 1, Newest: true})
	sender.Publish(link.Message{Topic: "x/a", Payload: []byte("two"), QoS: 1, Newest: true})
	b.Restart()
	if e := receiver("what waited", message); string(e.Message.Payload) != "two" {
		t.Errorf("payload %q: the newest alone was to be sent", e.Message.Payload)
	}
}

func TestASessionKeepsWhatComesWhileAway(t *testing.T) {
	b := signaltest.Start(t)
	cfg := link.Config{Broker: "tcp://" + b.Addr, ClientID: link.ClientID(t.Name()), Topics: map[string]byte{"x": 1}, MaxPayload: 100}
	l, err := link.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	<-l.Wake()
	cancel()
	<-done
	sender, sent := open(t, link.Config{Broker: cfg.Broker, ClientID: "sender", MaxPayload: 100})
	sent("the connection", up)
	sender.Publish(link.Message{Topic: "x", Payload: []byte("while away"), QoS: 1})
	time.Sleep(200 * time.Millisecond)
	_, next := open(t, cfg)
	if e := next("what was kept", message); string(e.Message.Payload) != "while away" {
		t.Errorf("payload %q", e.Message.Payload)
	}
}

func TestTheWillIsSaidAtALossAndAtTheEnd(t *testing.T) {
	b := signaltest.Start(t)
	_, watch := open(t, link.Config{Broker: "tcp://" + b.Addr, ClientID: "watch", Topics: map[string]byte{"will": 1}, MaxPayload: 100})
	watch("the connection", up)
	l, err := link.New(link.Config{
		Broker: "tcp://" + b.Addr, ClientID: "one", MaxPayload: 100,
		Will: &link.Message{Topic: "will", Payload: []byte("gone"), QoS: 1, Retained: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	<-l.Wake()
	cancel()
	<-done
	if e := watch("the will", message); string(e.Message.Payload) != "gone" {
		t.Errorf("payload %q", e.Message.Payload)
	}
}

func TestTLSWithAClientsCertificate(t *testing.T) {
	c := signaltest.Certify(t)
	b := signaltest.Start(t, "allow_anonymous true", "cafile "+c.CA, "certfile "+c.ServerCert, "keyfile "+c.ServerKey, "require_certificate true")
	f := &sitefile.File{Dir: filepath.Dir(c.CA)}
	cfg, _, err := link.Resolve(f, sitefile.MQTT{Name: "grid", CA: filepath.Base(c.CA), Cert: c.ClientCert, Key: "file:" + c.ClientKey})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := link.TLS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, next := open(t, link.Config{Broker: "ssl://" + b.Addr, ClientID: "one", TLS: conf, Topics: map[string]byte{"x": 1}, MaxPayload: 100})
	next("the connection", up)

	_, next = open(t, link.Config{Broker: "ssl://" + b.Addr, ClientID: "two", TLS: &tls.Config{MinVersion: tls.VersionTLS12}, MaxPayload: 100})
	if e := next("a refusal", down); !strings.Contains(e.Err.Error(), "certificate") {
		t.Errorf("a broker that nobody vouches for: %v", e.Err)
	}
	cfg.Key = "no key"
	if _, err := link.TLS(cfg); err == nil || strings.Contains(err.Error(), "no key") {
		t.Errorf("a bad key: %v", err)
	}
}

func TestAWrongPasswordIsSaidAndNotShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("someone:$7$101$bm90IGEgaGFzaA==$bm90IGEgaGFzaA==\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := signaltest.Start(t, "allow_anonymous false", "password_file "+file)
	_, next := open(t, link.Config{Broker: "tcp://" + b.Addr, ClientID: "one", User: "someone", Password: "hunter2", MaxPayload: 100})
	e := next("a refusal", down)
	if text := e.Err.Error(); !strings.Contains(text, "uthor") || strings.Contains(text, "hunter2") {
		t.Errorf("error %q", text)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "not an address",
		"broker":                "not an address",
		"ws://broker":           "scheme",
		"tcp://u:hunter2@host/": "credentials",
	} {
		_, err := link.New(link.Config{Broker: in})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestABrokerThatIsNotThereIsToldOfOnce(t *testing.T) {
	var told bytes.Buffer
	l, err := link.New(link.Config{Broker: "tcp://127.0.0.1:1", ClientID: "one", Log: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	times := 0
	l.Serve(ctx, time.Hour, func(e link.Event) {
		if times++; e.Err == nil {
			t.Errorf("%+v", e)
		}
		if times == 3 {
			cancel()
		}
	}, func() { t.Error("an hour went by") })
	if n := strings.Count(told.String(), "\n"); times != 3 || n != 1 || !strings.Contains(told.String(), "broker lost") {
		t.Errorf("after %d times: %s", times, told.String())
	}
}
