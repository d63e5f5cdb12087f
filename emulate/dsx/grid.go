// Package dsx owns the grid side of NVIDIA DSX Flex: an ISV that signs and publishes load
// targets, and hears the agent's power states and breaches, verified.
//
// It never measures or sheds anything, and shares no code with the agent: both follow the
// published interface, so that an error in one shows.
//
// Concurrency: a Grid is safe for concurrent use; the handlers are called one at a time.
package dsx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/go-jose/go-jose/v4"
)

const answer = 5 * time.Second // for the broker to acknowledge

// Config is who the grid side is.
type Config struct {
	Broker         string // "tcp://127.0.0.1:1883"
	User, Password string
	ISV, Agent     string // the identifiers in the topics
	// Key signs; nil makes one. KeyID is its kid, default "isv-1".
	Key   *ecdsa.PrivateKey
	KeyID string
	// AgentKeys verify what the agent says; empty: it is not verified.
	AgentKeys jose.JSONWebKeySet
	// OnState and OnAlert get verified data; they must not block.
	OnState func(Message)
	OnAlert func(Message)
	// Now is the grid's time; nil: the machine's.
	Now func() time.Time
}

// Message is something the agent said.
type Message struct {
	Event json.RawMessage // the whole CloudEvent
	Data  json.RawMessage // what was signed in it
	Err   error           // the signature does not hold, or it is no event
}

// Power is a value with its unit: watt, kilowatt or megawatt.
type Power struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Target is one load target. A nil Limit takes back what holds.
type Target struct {
	From, To   time.Time // zero: now, and until replaced
	Feeds      []string  // empty: all
	Limit      *Power
	BestEffort bool
}

// Grid is an ISV at a broker.
type Grid struct {
	cfg    Config
	client mqtt.Client
	signer jose.Signer
}

// Dial connects the grid side. It blocks until it is subscribed or ctx ends.
func Dial(ctx context.Context, cfg Config) (*Grid, error) {
	if cfg.KeyID == "" {
		cfg.KeyID = "isv-1"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Key == nil {
		var err error
		if cfg.Key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
	}
	g := &Grid{cfg: cfg}
	var err error
	g.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: cfg.Key, KeyID: cfg.KeyID}}, nil)
	if err != nil {
		return nil, fmt.Errorf("grid's key: %w", err)
	}
	o := mqtt.NewClientOptions().AddBroker(cfg.Broker).SetClientID("isv-" + cfg.ISV + "-" + token(4)).
		SetUsername(cfg.User).SetPassword(cfg.Password).SetConnectTimeout(answer).SetWriteTimeout(answer).
		SetMaxReconnectInterval(time.Second).SetOnConnectHandler(g.listen)
	g.client = mqtt.NewClient(o)
	if err := wait(ctx, g.client.Connect()); err != nil {
		g.client.Disconnect(0)
		return nil, fmt.Errorf("connect to %s: %w", cfg.Broker, err)
	}
	return g, nil
}

// listen subscribes, at the start and after each reconnection.
func (g *Grid) listen(c mqtt.Client) {
	agent := "grid/v1/dsx-flex-agent/" + g.cfg.Agent
	for topic, to := range map[string]func(Message){agent + "/powerstate/status": g.cfg.OnState, agent + "/powerbreach": g.cfg.OnAlert} {
		if to != nil {
			c.Subscribe(topic, 2, func(_ mqtt.Client, m mqtt.Message) { to(g.read(m.Payload())) })
		}
	}
}

// KeySet returns the JWK set with which the grid's targets are verified.
func (g *Grid) KeySet() ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &g.cfg.Key.PublicKey, KeyID: g.cfg.KeyID, Algorithm: "ES256", Use: "sig"}}}
	return json.Marshal(set)
}

// Set publishes targets as one command and returns its correlation ID. It blocks until the
// broker has it or ctx ends.
func (g *Grid) Set(ctx context.Context, targets ...Target) (string, error) {
	type interval struct {
		Start string `json:"start_time,omitempty"`
		End   string `json:"end_time,omitempty"`
	}
	type one struct {
		Interval interval        `json:"interval"`
		Feeds    []string        `json:"feed_tags,omitempty"`
		Limit    *Power          `json:"load_constraint"`
		Strategy map[string]bool `json:"strategy"`
	}
	var list []one
	for _, t := range targets {
		list = append(list, one{interval{text(t.From), text(t.To)}, t.Feeds, t.Limit, map[string]bool{"best_effort": t.BestEffort}})
	}
	data, err := json.Marshal(map[string]any{"targets": list})
	if err != nil {
		return "", err
	}
	signed, err := g.Sign(data)
	if err != nil {
		return "", err
	}
	e := g.Envelope(signed)
	id, _ := e["correlationid"].(string)
	return id, g.Publish(ctx, e)
}

func text(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Sign returns data as a JWS in compact form.
func (g *Grid) Sign(data []byte) (string, error) {
	jws, err := g.signer.Sign(data)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return jws.CompactSerialize()
}

// Envelope returns the CloudEvent of a load target with that data.
func (g *Grid) Envelope(data any) map[string]any {
	return map[string]any{
		"specversion": "1.0.2", "id": uuid(), "source": "//grid/v1/isv/" + g.cfg.ISV, "type": "grid.loadtarget.set.v1",
		"time": text(g.cfg.Now()), "datacontenttype": "application/json", "subject": "loadtarget",
		"correlationid": uuid(), "traceparent": "00-" + token(16) + "-" + token(8) + "-01", "data": data,
	}
}

// Publish sends an event as it is, right or wrong. It blocks until the broker has it or ctx ends.
func (g *Grid) Publish(ctx context.Context, e map[string]any) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := wait(ctx, g.client.Publish("grid/v1/isv/"+g.cfg.ISV+"/loadtarget/set", 1, false, body)); err != nil {
		return fmt.Errorf("publish a load target: %w", err)
	}
	return nil
}

// Close ends the connection.
func (g *Grid) Close() { g.client.Disconnect(100) }

// read opens what the agent said.
func (g *Grid) read(payload []byte) Message {
	m := Message{Event: payload}
	var e struct {
		Data string `json:"data"`
	}
	if m.Err = json.Unmarshal(payload, &e); m.Err != nil {
		return m
	}
	jws, err := jose.ParseSignedCompact(e.Data, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		m.Err = err
		return m
	}
	if len(g.cfg.AgentKeys.Keys) == 0 {
		m.Data = jws.UnsafePayloadWithoutVerification()
		return m
	}
	m.Data, m.Err = jws.Verify(g.cfg.AgentKeys)
	return m
}

func wait(ctx context.Context, t mqtt.Token) error {
	timer := time.NewTimer(answer)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("no answer within %s", answer)
	}
}

func token(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// uuid makes a random UUID, version 4.
func uuid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
