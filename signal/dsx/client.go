// Package dsx owns the site's side of NVIDIA DSX Flex: load targets, signed, as CloudEvents
// over MQTT, become limits of nodes; power states and breaches are told, signed by us.
//
// It never believes a target before its signature is verified, never decides which load gives
// way, and never lets a key into a log or an error. See docs/signals.md.
//
// Concurrency: a Client is run once; nothing else may be called meanwhile.
package dsx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"switchyard/signal"
	"switchyard/signal/link"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	// tick is how often transitions are looked for; a command does not wait for it.
	tick = 250 * time.Millisecond
	// heardEvery is how often contact with the broker is noted, in site time.
	heardEvery = time.Second
	// ahead and stale bound an event's time around ours.
	ahead = 5 * time.Minute
	stale = 24 * time.Hour
	// seenIDs is how many events are remembered, so that one delivered twice counts once.
	seenIDs = 1024
	// mostSpans bounds the targets of one feed.
	mostSpans = 256
)

// Client is a DSX Flex agent for one site. It is a signal.Source and a signal.Resumer.
type Client struct {
	cfg    sitefile.MQTT
	log    *slog.Logger
	link   *link.Link
	keys   *keys
	signer *signer // nil: nothing can be told
	topic  string  // of load targets
	source string  // of load targets
	feeds  []*feed // by tag

	up     bool
	heard  time.Time
	newest time.Time // of the commands taken
	seen   map[string]bool
	order  []string // of seen, oldest first
	trace  [2]string
	said   time.Time // the last power state
}

var _ signal.Resumer = (*Client)(nil)

// New returns an agent for the feeds that cfg.DSX names; paths in cfg are whole (link.Resolve
// sees to that). sign is our own private key in PEM form; without one the targets are
// followed, and nothing is told. It reads the key files and does not touch the network.
func New(cfg sitefile.MQTT, user, password, sign string, log *slog.Logger) (*Client, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, log: log, seen: map[string]bool{}}
	if err := c.open(user, password, sign); err != nil {
		return nil, fmt.Errorf("mqtt %s: %w", cfg.Name, err)
	}
	return c, nil
}

func (c *Client) open(user, password, sign string) error {
	d := c.cfg.DSX
	if d == nil {
		return errors.New("dsx is missing")
	}
	for name, v := range map[string]string{"isv": d.ISV, "agent": d.Agent} {
		if v == "" || strings.ContainsAny(v, "/+#\x00") {
			return fmt.Errorf("dsx.%s %q is no single level of a topic", name, v)
		}
	}
	if len(d.Feeds) == 0 {
		return errors.New("dsx.feeds names no feed")
	}
	at := map[string]string{}
	for tag, node := range d.Feeds {
		if other, twice := at[node]; twice {
			// Two limits of one node would count as the lower one, and not as their sum.
			return fmt.Errorf("dsx.feeds: %q and %q are both at node %q: each needs a node of its own", min(tag, other), max(tag, other), node)
		}
		at[node] = tag
		c.feeds = append(c.feeds, &feed{tag: tag, node: site.NodeID(node)})
	}
	slices.SortFunc(c.feeds, func(a, b *feed) int { return strings.Compare(a.tag, b.tag) })
	var err error
	if c.keys, err = openKeys(d.Keys); err != nil {
		return err
	}
	if sign == "" {
		c.log.Warn("no signing key: load targets are followed, power states and breaches are not told", "source", c.cfg.Name)
	} else if c.signer, err = openSigner(sign, d.SignID); err != nil {
		return err
	}
	secure, err := link.TLS(c.cfg)
	if err != nil {
		return err
	}
	c.topic, c.source = namespace+"isv/"+d.ISV+"/loadtarget/set", "//"+namespace+"isv/"+d.ISV
	c.link, err = link.New(link.Config{
		Broker: c.cfg.Broker, ClientID: link.ClientID(c.cfg.Name, d.ISV, d.Agent, user), User: user, Password: password,
		TLS: secure, Topics: map[string]byte{c.topic: 1}, MaxPayload: maxPayload, Log: c.log.With("source", c.cfg.Name),
	})
	return err
}

// Name is the agent's name in the site file.
func (c *Client) Name() string { return c.cfg.Name }

// Resume takes up the targets that stood before a restart: load targets are not repeated.
func (c *Client) Resume(signals []signal.Signal) {
	for _, s := range signals {
		tag, correlation, ok := splitID(s.ID)
		i := slices.IndexFunc(c.feeds, func(f *feed) bool { return f.tag == tag })
		if !ok || i < 0 || s.Kind != signal.Limit {
			continue
		}
		c.feeds[i].targets = lay(c.feeds[i].targets, target{from: s.From, to: s.To, power: s.Power, correlation: correlation}, false)
	}
}

// Run follows the load targets until ctx ends.
func (c *Client) Run(ctx context.Context, h signal.Host) error {
	c.link.Serve(ctx, tick, func(e link.Event) { c.event(h, e) }, func() { c.due(h) })
	return nil
}

func (c *Client) event(h signal.Host, e link.Event) {
	if e.Dropped > 0 {
		c.put(h, fmt.Sprintf("%d messages came too fast and were not read", e.Dropped))
	}
	switch {
	case e.Message != nil && e.Message.Topic == c.topic:
		if err := c.take(h, e.Message.Payload); err != nil {
			c.log.Debug("load target refused", "source", c.cfg.Name, "error", err)
			c.put(h, "load target refused: "+err.Error())
		}
	case e.Up:
		c.up = true
		c.contact(h)
		c.state(h, nil, periodic, "")
	case e.Err != nil:
		c.up = false
		h.Heard(c.cfg.Name, h.Now(), e.Err)
	}
}

func (c *Client) contact(h signal.Host) {
	c.heard = h.Now()
	h.Heard(c.cfg.Name, c.heard, nil)
}

// due does what time brings: transitions, breaches, the heartbeat.
func (c *Client) due(h signal.Host) {
	now := h.Now()
	if c.up && now.Sub(c.heard).Abs() >= heardEvery {
		c.contact(h)
	}
	for _, f := range c.feeds {
		c.follow(h, f, now)
	}
	if now.Sub(c.said).Abs() >= heartbeat {
		c.state(h, nil, periodic, "")
	}
}

// take verifies and reads a command and lays its targets over what stands.
func (c *Client) take(h signal.Host, payload []byte) error {
	now := h.Now()
	e, signed, err := readEvent(payload, c.source)
	if err != nil {
		return err
	}
	data, err := c.keys.verify(signed)
	if err != nil {
		return err
	}
	// Nothing of the message was believed until here.
	switch {
	case c.seen[e.ID]:
		return nil // delivered twice
	case e.at.After(now.Add(ahead)):
		return fmt.Errorf("its time %s is %s ahead of our clock", iso(e.at), e.at.Sub(now).Round(time.Second))
	case now.Sub(e.at) > stale:
		return fmt.Errorf("its time %s is more than %s ago", iso(e.at), stale)
	case e.at.Before(c.newest):
		return fmt.Errorf("its time %s is before that of the last command, %s", iso(e.at), iso(c.newest))
	}
	requests, err := readTargets(data, now)
	if err != nil {
		return err
	}
	c.remember(e.ID)
	c.newest, c.trace = e.at, [2]string{e.TraceParent, e.TraceState}
	touched, problems := c.lay(requests, e.CorrelationID, now)
	c.put(h, problems...)
	h.Heard(c.cfg.Name, now, nil)
	c.state(h, touched, targetSet, e.CorrelationID)
	for _, f := range c.feeds {
		c.follow(h, f, now)
	}
	return nil
}

func (c *Client) remember(id string) {
	c.seen[id] = true
	if c.order = append(c.order, id); len(c.order) > seenIDs {
		delete(c.seen, c.order[0])
		c.order = c.order[1:]
	}
}

// lay gives the requests to the feeds they name and says what was not done as asked.
func (c *Client) lay(rs []request, correlation string, now time.Time) (touched []*feed, problems []string) {
	for _, r := range rs {
		feeds, unknown := c.named(r.feeds)
		if len(unknown) > 0 {
			problems = append(problems, fmt.Sprintf("load target names feed %s, which is not one of ours", show(strings.Join(unknown, ", "))))
		}
		if late := now.Sub(r.from); !r.from.IsZero() && late > latePast && !r.clear {
			problems = append(problems, fmt.Sprintf("load target begins at %s, %s ago: it holds from now on", iso(r.from), late.Round(time.Second)))
		}
		t := target{from: r.from, to: r.to, power: r.power, correlation: correlation, best: r.best}
		if t.from.Before(now) {
			t.from = now
		}
		for _, f := range feeds {
			next := prune(lay(f.targets, t, r.clear), now)
			if len(next) > mostSpans {
				problems = append(problems, fmt.Sprintf("feed %s has more than %d targets: the newest is not taken", f.tag, mostSpans))
				continue
			}
			f.targets = next
			if !slices.Contains(touched, f) {
				touched = append(touched, f)
			}
		}
	}
	return touched, problems
}

// named returns the feeds of a target; all for none named.
func (c *Client) named(tags []string) (out []*feed, unknown []string) {
	if len(tags) == 0 {
		return c.feeds, nil
	}
	for _, tag := range tags {
		i := slices.IndexFunc(c.feeds, func(f *feed) bool { return f.tag == tag })
		if i < 0 {
			unknown = append(unknown, tag)
		} else if !slices.Contains(out, c.feeds[i]) {
			out = append(out, c.feeds[i])
		}
	}
	return out, unknown
}

// put says which limits stand.
func (c *Client) put(h signal.Host, problems ...string) {
	u := signal.Update{Source: c.cfg.Name, At: h.Now(), Problems: problems}
	for _, f := range c.feeds {
		for _, t := range f.targets {
			u.Signals = append(u.Signals, signal.Signal{
				ID: joinID(f.tag, t.correlation, t.from), Source: c.cfg.Name, Kind: signal.Limit, Node: f.node,
				Power: t.power, From: t.from, To: t.to, Note: f.note(t),
			})
		}
	}
	h.Put(u)
}

func (f *feed) note(t target) string {
	if t.best {
		return fmt.Sprintf("feed %s to %s, best effort", f.tag, t.power.Short())
	}
	return fmt.Sprintf("feed %s to %s", f.tag, t.power.Short())
}

func joinID(tag, correlation string, from time.Time) string {
	return fmt.Sprintf("%s/%s/%d", tag, correlation, from.UnixMilli())
}

func splitID(id string) (tag, correlation string, ok bool) {
	last := strings.LastIndexByte(id, '/')
	if last < 0 {
		return "", "", false
	}
	mid := strings.LastIndexByte(id[:last], '/')
	if mid < 0 || !isID(id[mid+1:last]) {
		return "", "", false
	}
	return id[:mid], id[mid+1 : last], true
}

// megawatts is a power as the interface writes it.
func megawatts(p unit.Power) quantity {
	return quantity{Value: max(p.Megawatts(), 0), Unit: "megawatt"}
}
