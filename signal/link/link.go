package link

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	keepAlive   = 15 * time.Second // a broker that went silent is noticed within this and pingWait
	pingWait    = 5 * time.Second
	dialWait    = 10 * time.Second
	ackWait     = 5 * time.Second // for a subscription or a message to be acknowledged
	farewell    = time.Second     // for what is still to be said when the program ends
	firstPause  = 250 * time.Millisecond
	longPause   = 30 * time.Second
	steadyAfter = 30 * time.Second // a connection that held so long starts the pauses anew
	maxIn       = 256              // messages not yet taken: the oldest goes first
	maxOut      = 64               // messages not yet sent: the oldest goes first
)

// Config is what a Link connects to.
type Config struct {
	Broker         string // "tcp://host:1883" or "ssl://host:8883"
	ClientID       string // the session's name at the broker: see ClientID
	User, Password string
	TLS            *tls.Config     // of an ssl broker; nil: the system's CAs
	Topics         map[string]byte // filter to quality of service
	// Will is published by the broker when the connection is lost, and by us when Run ends.
	Will *Message
	// MaxPayload is the longest payload in bytes; a longer one arrives cut to one byte more.
	MaxPayload int
	Log        *slog.Logger
}

// Message is one MQTT message.
type Message struct {
	Topic    string
	Payload  []byte
	QoS      byte
	Retained bool
	// Newest lets this message take the place of one on the same topic that is still waiting.
	Newest bool
}

// Event is what became of the connection, or a message.
type Event struct {
	Message *Message
	Up      bool  // subscribed
	Err     error // why it went down, or could not come up
	Dropped int   // messages that did not fit into the queue before this
}

// Link is one connection that mends itself.
type Link struct {
	cfg  Config
	wake chan struct{}
	more chan struct{}

	mu      sync.Mutex
	in      []Event
	dropped int
	out     []Message
}

// ClientID is a session's name that stays the same across restarts and differs between sites
// that follow different topics. It has 22 letters and digits, which every broker takes.
func ClientID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return "switchyard" + hex.EncodeToString(sum[:6])
}

// New returns a link that is not connected yet.
func New(cfg Config) (*Link, error) {
	if _, err := address(cfg.Broker); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Link{cfg: cfg, wake: make(chan struct{}, 1), more: make(chan struct{}, 1)}, nil
}

// address returns the broker's host and port.
func address(broker string) (string, error) {
	u, err := url.Parse(broker)
	if err != nil || u.Host == "" {
		return "", errors.New(`broker is not an address such as "tcp://broker.example:1883"`)
	}
	if u.User != nil {
		return "", errors.New("broker holds a user or password: they belong into credentials")
	}
	port := u.Port()
	switch u.Scheme {
	case "tcp", "mqtt":
		if port == "" {
			port = "1883"
		}
	case "ssl", "tls", "mqtts":
		if port == "" {
			port = "8883"
		}
	default:
		return "", fmt.Errorf("broker %s: the scheme is %q, not tcp or ssl", broker, u.Scheme)
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

func (l *Link) secure() bool {
	u, err := url.Parse(l.cfg.Broker)
	return err == nil && u.Scheme != "tcp" && u.Scheme != "mqtt"
}

// Wake says that Take has something. It is never closed.
func (l *Link) Wake() <-chan struct{} { return l.wake }

// Take returns what has come in since the last call, oldest first. It does not block.
func (l *Link) Take() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.in
	l.in = nil
	if l.dropped > 0 && len(in) > 0 {
		in[0].Dropped, l.dropped = l.dropped, 0
	}
	return in
}

// Publish queues m. It does not block; the oldest message waiting is dropped when there are
// more than 64, and what waits is sent after a reconnection.
func (l *Link) Publish(m Message) {
	l.mu.Lock()
	if m.Newest {
		for i := range l.out {
			if l.out[i].Topic == m.Topic {
				l.out = append(l.out[:i], l.out[i+1:]...)
				break
			}
		}
	}
	if len(l.out) >= maxOut {
		l.out = l.out[1:]
	}
	l.out = append(l.out, m)
	l.mu.Unlock()
	ring(l.more)
}

func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *Link) put(e Event) {
	l.mu.Lock()
	if len(l.in) >= maxIn {
		l.in = l.in[1:]
		l.dropped++
	}
	l.in = append(l.in, e)
	l.mu.Unlock()
	ring(l.wake)
}

// next returns the oldest message to send; it stays queued until sent.
func (l *Link) next() (Message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.out) == 0 {
		return Message{}, false
	}
	m := l.out[0]
	l.out = l.out[1:]
	return m, true
}

// again puts a message that could not be sent back in front.
func (l *Link) again(m Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.out) < maxOut {
		l.out = append([]Message{m}, l.out...)
	}
}

// Serve is Run, and calls event with all that comes in and due every tick: both in the
// caller's goroutine, one at a time. It blocks until ctx ends and the farewell is said.
func (l *Link) Serve(ctx context.Context, tick time.Duration, event func(Event), due func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			<-done
			return
		case <-l.wake:
			for _, e := range l.Take() {
				event(e)
			}
		case <-t.C:
			due()
		}
	}
}

// Run keeps the connection until ctx ends, and then says farewell. It blocks.
func (l *Link) Run(ctx context.Context) {
	pause, told := firstPause, false
	for ctx.Err() == nil {
		began := time.Now()
		reached, err := l.session(ctx)
		if ctx.Err() != nil {
			break
		}
		l.put(Event{Err: err})
		if time.Since(began) > steadyAfter {
			pause = firstPause
		}
		// Spread, so that many sites do not come back to a broker at one instant.
		wait := pause/2 + rand.N(pause)
		level := slog.LevelDebug // the first time is told, what follows is more of the same
		if reached || !told {
			level, told = slog.LevelWarn, true
		}
		l.cfg.Log.Log(ctx, level, "broker lost", "broker", l.cfg.Broker, "error", err, "again", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		pause = min(2*pause, longPause)
	}
}

// session is one connection from its beginning to its end, and whether it came to be.
func (l *Link) session(ctx context.Context) (reached bool, err error) {
	lost := make(chan error, 1)
	client := paho.NewClient(l.options(ctx, lost))
	if err := wait(ctx, client.Connect(), dialWait+ackWait); err != nil {
		client.Disconnect(0)
		return false, fmt.Errorf("connect to %s: %w", l.cfg.Broker, err)
	}
	defer client.Disconnect(100)
	if err := l.subscribe(ctx, client); err != nil {
		return false, err
	}
	l.cfg.Log.Info("broker reached", "broker", l.cfg.Broker)
	l.put(Event{Up: true})
	ring(l.more)
	for {
		select {
		case <-ctx.Done():
			l.goodbye(client)
			return true, nil
		case err := <-lost:
			return true, fmt.Errorf("%s: connection lost: %w", l.cfg.Broker, err)
		case <-l.more:
			err := l.flush(ctx, client, ackWait)
			if ctx.Err() != nil {
				l.goodbye(client)
				return true, nil
			}
			if err != nil {
				return true, fmt.Errorf("publish to %s: %w", l.cfg.Broker, err)
			}
		}
	}
}

func (l *Link) options(ctx context.Context, lost chan<- error) *paho.ClientOptions {
	o := paho.NewClientOptions().AddBroker(l.cfg.Broker).SetClientID(l.cfg.ClientID).
		SetProtocolVersion(4).SetCleanSession(false).SetAutoReconnect(false).SetOrderMatters(true).
		SetKeepAlive(keepAlive).SetPingTimeout(pingWait).SetConnectTimeout(dialWait).SetWriteTimeout(ackWait).
		SetUsername(l.cfg.User).SetPassword(l.cfg.Password)
	if w := l.cfg.Will; w != nil {
		o.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retained)
	}
	// One handler for everything: a persistent session delivers before we have subscribed again.
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		l.put(Event{Message: &Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()}})
	})
	o.SetConnectionLostHandler(func(_ paho.Client, err error) {
		select {
		case lost <- err:
		default:
		}
	})
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return l.dial(ctx) })
	return o
}

func (l *Link) dial(ctx context.Context) (net.Conn, error) {
	addr, err := address(l.cfg.Broker)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	var conn net.Conn
	if l.secure() {
		conn, err = (&tls.Dialer{Config: l.cfg.TLS}).DialContext(ctx, "tcp", addr)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	return cut(conn, l.cfg.MaxPayload), nil
}

func (l *Link) subscribe(ctx context.Context, client paho.Client) error {
	if len(l.cfg.Topics) == 0 {
		return nil
	}
	token := client.SubscribeMultiple(l.cfg.Topics, nil)
	if err := wait(ctx, token, ackWait); err != nil {
		return fmt.Errorf("subscribe at %s: %w", l.cfg.Broker, err)
	}
	if t, ok := token.(*paho.SubscribeToken); ok {
		for topic, code := range t.Result() {
			if code == 0x80 {
				return fmt.Errorf("%s does not let us subscribe to %s", l.cfg.Broker, topic)
			}
		}
	}
	return nil
}

// flush sends what waits.
func (l *Link) flush(ctx context.Context, client paho.Client, limit time.Duration) error {
	for {
		m, ok := l.next()
		if !ok {
			return nil
		}
		if err := wait(ctx, client.Publish(m.Topic, m.QoS, m.Retained, m.Payload), limit); err != nil {
			l.again(m)
			return err
		}
	}
}

// goodbye sends what waits and the will, which a broker keeps to itself after a proper end.
func (l *Link) goodbye(client paho.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if w := l.cfg.Will; w != nil {
		l.Publish(*w)
	}
	if err := l.flush(ctx, client, farewell); err != nil {
		l.cfg.Log.Debug("farewell not sent", "broker", l.cfg.Broker, "error", err)
	}
}

func wait(ctx context.Context, t paho.Token, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("no answer within %s", limit)
	}
}
