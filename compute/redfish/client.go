// Package redfish owns the machines' own controllers (BMCs) as they speak Redfish: a node's power
// on and off, what all of it draws, and a limit on that where the controller offers one. It is
// written from DMTF's schema, and asks for what a controller has instead of its maker's name.
//
// It never forces a machine off that was not first asked to shut down, never picks one of
// several systems behind one controller, and takes a controller's 0 W of a running machine for
// what it is: not known.
//
// Concurrency: a Client is safe for concurrent use; it asks one controller one thing at a time,
// for they are slow, and its calls block.
package redfish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stmcginnis/gofish"
	"github.com/stmcginnis/gofish/common"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/endpoint"
)

// The bounds of a controller's answers.
const (
	maxAnswer  = 4 << 20 // bytes
	maxMembers = 64      // of a collection that are looked at
)

// Options are how controllers are spoken with. All times are machine time.
type Options struct {
	// Basic logs in with every request instead of keeping a session.
	Basic bool
	// Timeout is for one step, a few requests each: default 20 s.
	Timeout time.Duration
	// Grace is how long a machine may take to shut down by itself before it is forced off: default 3 min. Wait is
	// how long it may take to go off, or on, after it was made to: default 1 min. Poll is how often
	// its state is looked at meanwhile: default 3 s.
	Grace, Wait, Poll time.Duration
}

// Client speaks with the controllers of all nodes.
type Client struct {
	at    endpoint.Endpoint
	http  *http.Client
	clock clock.Clock
	o     Options

	mu   sync.Mutex
	bmcs map[string]*bmc
}

var _ compute.PowerSwitch = (*Client)(nil)

// bmc is what is kept of one controller; whoever holds its turn may change it.
type bmc struct {
	turn    chan struct{}
	session *gofish.Session
	system  string   // path
	chassis []string // paths
}

// NewClient makes a client of the controllers at an endpoint, whose user and password log in. An
// address may end in the path of a system ("10.0.0.5/redfish/v1/Systems/1") where its controller
// has several. Readings are dated by the clock (nil: the machine's).
func NewClient(e endpoint.Endpoint, c clock.Clock, o Options) *Client {
	if c == nil {
		c = clock.System()
	}
	for _, d := range []struct {
		of    *time.Duration
		value time.Duration
	}{{&o.Timeout, 20 * time.Second}, {&o.Grace, 3 * time.Minute}, {&o.Wait, time.Minute}, {&o.Poll, 3 * time.Second}} {
		if *d.of <= 0 {
			*d.of = d.value
		}
	}
	h := e.HTTP()
	h.Transport = bounded{h.Transport}
	return &Client{at: e, http: h, clock: c, o: o, bmcs: map[string]*bmc{}}
}

// bounded keeps connections, which gofish would end, and bounds answers.
type bounded struct{ http.RoundTripper }

// RoundTrip sends a request.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Close = false
	r.Header.Del("Connection")
	a, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(a.Body, maxAnswer), a.Body}
	return a, nil
}

// Close ends the sessions that are kept: controllers have few. It blocks on those controllers,
// each for as long as the timeout at the most.
func (c *Client) Close(ctx context.Context) {
	c.mu.Lock()
	bmcs := c.bmcs
	c.bmcs = map[string]*bmc{}
	c.mu.Unlock()
	var all sync.WaitGroup
	for node, b := range bmcs {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
			defer cancel()
			select {
			case b.turn <- struct{}{}:
				defer func() { <-b.turn }()
			case <-ctx.Done():
				return
			}
			if b.session == nil {
				return
			}
			if api, err := c.connect(ctx, node, b); err == nil {
				_ = api.Service.DeleteSession(b.session.ID) // it ends by itself else
			}
			b.session = nil
		})
	}
	all.Wait()
	c.http.CloseIdleConnections()
}

// step does a few requests with a node's controller, in its turn. A session that the controller
// forgot is begun anew, once; no answer is asked for again, twice: so do must be idempotent.
func (c *Client) step(ctx context.Context, node string, do func(*talk) error) error {
	c.mu.Lock()
	b := c.bmcs[node]
	if b == nil {
		b = &bmc{turn: make(chan struct{}, 1)}
		c.bmcs[node] = b
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return fmt.Errorf("node %s: its controller is busy with another request: %w", node, compute.ErrUnreachable)
	}
	const attempts = 3
	for i := 1; ; i++ {
		had := b.session != nil
		api, err := c.connect(ctx, node, b)
		if err == nil {
			err = do(&talk{api: api, ctx: ctx, bmc: b, node: node})
		}
		again := errors.Is(err, compute.ErrUnreachable)
		if errors.Is(err, compute.ErrUnauthorized) && had {
			b.session, again = nil, true
		}
		if err == nil || !again || i == attempts || ctx.Err() != nil {
			return err
		}
		pause(ctx, time.Duration(i)*200*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// connect makes gofish's client for one step: it holds one context for all its requests.
func (c *Client) connect(ctx context.Context, node string, b *bmc) (*gofish.APIClient, error) {
	address, err := c.at.Address(node)
	if err != nil {
		return nil, err
	}
	root := address
	if i := strings.Index(address, "/redfish/"); i >= 0 {
		root, b.system = address[:i], address[i:]
	}
	config := gofish.ClientConfig{
		Endpoint: root, Username: c.at.User, Password: c.at.Password, Session: b.session, HTTPClient: c.http, BasicAuth: c.o.Basic,
	}
	api, err := gofish.ConnectContext(ctx, config)
	if err != nil && !c.o.Basic && (errors.Is(told(ctx, err), compute.ErrUnsupported) || strings.Contains(err.Error(), "no target provided")) {
		config.BasicAuth = true // it has no sessions
		api, err = gofish.ConnectContext(ctx, config)
	}
	if err != nil {
		return nil, fmt.Errorf("node %s: speak with its controller at %s: %w", node, root, told(ctx, err))
	}
	if s, err := api.GetSession(); err == nil && !c.o.Basic {
		b.session = s
	}
	return api, nil
}

// talk is one step with one controller.
type talk struct {
	api  *gofish.APIClient
	ctx  context.Context //nolint:containedctx // gofish's client holds it too, for one step
	bmc  *bmc
	node string
}

// told maps gofish's errors to compute's.
func told(ctx context.Context, err error) error {
	var e *common.Error
	if !errors.As(err, &e) || e.HTTPReturnedStatusCode == 0 {
		return endpoint.Failure(ctx, err)
	}
	text := e.Message
	for _, i := range e.ExtendedInfos {
		if i.Message != "" {
			text = i.Message
			break
		}
	}
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return endpoint.Status(e.HTTPReturnedStatusCode, text)
}

// get reads a resource, and returns its ETag where it has one.
func (t *talk) get(path string, into any) (tag string, err error) {
	if !strings.HasPrefix(path, "/redfish/") || strings.Contains(path, "..") {
		return "", fmt.Errorf("node %s: its controller names %.80q, which is no path of Redfish: %w", t.node, path, compute.ErrUnsupported)
	}
	a, err := t.api.Get(path)
	if err != nil {
		return "", fmt.Errorf("node %s: read %s: %w", t.node, path, told(t.ctx, err))
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		return "", fmt.Errorf("node %s: read %s: %w", t.node, path, endpoint.Failure(t.ctx, err))
	}
	if err := json.Unmarshal(b, into); err != nil {
		return "", fmt.Errorf("node %s: read %s: it is not as Redfish's schema says: %w: %w", t.node, path, err, compute.ErrUnsupported)
	}
	return a.Header.Get("ETag"), nil
}

// send posts or patches a resource.
func (t *talk) send(method, path, tag string, body any) error {
	headers := map[string]string{}
	if tag != "" {
		headers["If-Match"] = tag
	}
	do := t.api.PatchWithHeaders
	if method == http.MethodPost {
		do = t.api.PostWithHeaders
	}
	a, err := do(path, body, headers)
	if err != nil {
		return fmt.Errorf("node %s: change %s: %w", t.node, path, told(t.ctx, err))
	}
	return a.Body.Close()
}
