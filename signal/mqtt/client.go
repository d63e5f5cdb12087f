// Package mqtt owns the plain curtailment topic: a percent of the flexible load that may
// run, with the time at which it was said, and a topic that tells what became of it.
//
// It never decides which load gives way, never takes an old message for a new one, and never
// counts firm load as flexible. See docs/signals.md.
//
// Concurrency: a Client is run once; nothing else may be called meanwhile.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"switchyard/signal"
	"switchyard/signal/link"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

const (
	// tick is how often what is due is looked after; a message does not wait for it.
	tick = 250 * time.Millisecond
	// firstReading is how long a target waits for the site to tell anything of its load.
	firstReading = 15 * time.Second
	// ahead is how far the sender's clock may run before ours.
	ahead = 5 * time.Minute
	// heardEvery is how often contact with the broker is noted, in site time.
	heardEvery = time.Second
	// repeats in a row, each within lost.after, make a feed of which silence is a loss.
	repeats = 3
	// defaultLost is lost.after where the site file has none. A message older than that is stale.
	defaultLost = 5 * time.Minute
)

// Client follows one curtailment topic. It is a signal.Source and a signal.Resumer.
type Client struct {
	cfg  sitefile.MQTT
	log  *slog.Logger
	link *link.Link

	signals []signal.Signal // what stands
	last    time.Time       // of the last target taken; zero: none yet
	percent float64         // of it
	have    bool            // a target was taken in this run
	basis   site.Opt[basis] // of the curtailment in force
	pending *target         // taken, and waiting for the first reading
	since   time.Time       // the first target came

	up       bool
	heard    time.Time // noted last
	message  time.Time // the last good message came, site time
	row      int       // good messages in a row within the gap
	verdict  verdict
	told     []byte // the last status, without its time
	toldTime time.Time
}

// basis is the site's capability at the moment a curtailment began. A limit is reckoned from
// it until the curtailment ends, so that it does not follow the load down.
type basis struct{ firm, flexible unit.Power }

var _ signal.Resumer = (*Client)(nil)

// New returns a client of the topic that cfg names; paths in cfg are whole and its Key is the
// key itself (link.Resolve sees to both). It reads the certificates and does not touch the network.
func New(cfg sitefile.MQTT, user, password string, log *slog.Logger) (*Client, error) {
	if cfg.Topic == "" {
		return nil, fmt.Errorf("mqtt %s: %w", cfg.Name, errors.New("topic is missing"))
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	secure, err := link.TLS(cfg)
	if err != nil {
		return nil, fmt.Errorf("mqtt %s: %w", cfg.Name, err)
	}
	c := &Client{cfg: cfg, log: log, verdict: verdict{State: "none"}}
	conf := link.Config{
		Broker: cfg.Broker, ClientID: link.ClientID(cfg.Name, cfg.Topic, cfg.Status, user), User: user, Password: password,
		TLS: secure, Topics: map[string]byte{cfg.Topic: 1}, MaxPayload: maxPayload, Log: log.With("source", cfg.Name),
	}
	if cfg.Status != "" {
		conf.Will = &link.Message{Topic: cfg.Status, Payload: offline(cfg.Name), QoS: 1, Retained: true}
	}
	if c.link, err = link.New(conf); err != nil {
		return nil, fmt.Errorf("mqtt %s: %w", cfg.Name, err)
	}
	return c, nil
}

// Name is the client's name in the site file.
func (c *Client) Name() string { return c.cfg.Name }

// Resume takes up what stood before a restart, until the topic says something newer.
func (c *Client) Resume(signals []signal.Signal) {
	c.signals = signals
	for _, s := range signals {
		if s.From.After(c.last) {
			c.last = s.From
		}
	}
}

// Run follows the topic until ctx ends.
func (c *Client) Run(ctx context.Context, h signal.Host) error {
	c.link.Serve(ctx, tick, func(e link.Event) { c.event(h, e) }, func() { c.due(h) })
	return nil
}

func (c *Client) event(h signal.Host, e link.Event) {
	if e.Dropped > 0 {
		c.problem(h, fmt.Sprintf("%d messages came too fast and were not read", e.Dropped))
	}
	switch {
	case e.Message != nil:
		c.take(h, e.Message.Payload, e.Message.Retained)
	case e.Up:
		c.up, c.told = true, nil
		c.contact(h)
	case e.Err != nil:
		c.up = false
		h.Heard(c.cfg.Name, h.Now(), e.Err)
	}
	c.status(h)
}

// due does what time brings.
func (c *Client) due(h signal.Host) {
	if c.pending != nil {
		c.apply(h, *c.pending)
	}
	if now := h.Now(); c.up && now.Sub(c.heard).Abs() >= heardEvery {
		c.contact(h)
	}
	c.status(h)
}

// gap is the silence after which the source counts as lost, and the age from which a message
// counts as stale.
func (c *Client) gap() time.Duration {
	if c.cfg.Lost.After > 0 {
		return c.cfg.Lost.After
	}
	return defaultLost
}

// contact notes that the counterpart is there: the broker, or, of a publisher that has shown
// to repeat itself, that publisher.
func (c *Client) contact(h signal.Host) {
	now := h.Now()
	c.heard = now
	if silent := now.Sub(c.message); c.row >= repeats && silent >= c.gap() {
		h.Heard(c.cfg.Name, now, fmt.Errorf("the broker is there, and its topic %s is silent for %s", c.cfg.Topic, silent.Round(time.Second)))
		return
	} else if c.row >= repeats && silent > heardEvery {
		return // neither heard nor missed yet
	}
	h.Heard(c.cfg.Name, now, nil)
}

// take reads a message and does what it says, or says why not.
func (c *Client) take(h signal.Host, payload []byte, retained bool) {
	now := h.Now()
	t, err := parse(payload)
	if err == nil {
		err = c.judge(t, now, retained)
	}
	if err != nil {
		c.verdict = verdict{State: "refused", Reason: err.Error(), At: now}
		c.problem(h, "message refused: "+err.Error())
		return
	}
	if t.at.IsZero() {
		t.at = now
	}
	again := c.have && t.percent == c.percent && c.pending == nil
	if !retained { // what the broker kept is no sign of a publisher
		c.count(now, again)
	}
	h.Heard(c.cfg.Name, now, nil)
	if again {
		c.last = t.at
		c.verdict = verdict{State: "accepted", Target: &t.percent, Said: t.at, At: now}
		return // the same again: the limit stands as it was reckoned
	}
	c.apply(h, t)
}

// count finds out whether the publisher repeats itself.
func (c *Client) count(now time.Time, again bool) {
	switch gap := now.Sub(c.message); {
	case !c.message.IsZero() && gap >= c.gap():
		c.row = 1
	case again || c.row == 0:
		c.row++
	}
	c.message = now
}

// judge says what speaks against a target's time.
func (c *Client) judge(t target, now time.Time, retained bool) error {
	stale := c.gap()
	switch age := now.Sub(t.at); {
	case t.at.IsZero():
		return nil
	case age < -ahead:
		return fmt.Errorf("its timestamp %s is %s ahead of our clock", stamp(t.at), (-age).Round(time.Second))
	case t.at.Before(c.last):
		return fmt.Errorf("its timestamp %s is before the last one taken, %s", stamp(t.at), stamp(c.last))
	case age > stale && !retained:
		// A retained message is what the broker holds to be the newest, whenever that was.
		return fmt.Errorf("its timestamp %s is %s old, more than %s", stamp(t.at), age.Round(time.Second), stale)
	}
	return nil
}

// apply turns a target into a limit: the firm load, and the target's percent of the flexible
// load's nameplate, as both stood when the curtailment began.
func (c *Client) apply(h signal.Host, t target) {
	if t.percent < 100 && !c.basis.OK {
		m, ok := signal.MeterAt(h, site.NodeID(c.cfg.Node))
		if !ok {
			c.pending, c.last = nil, t.at
			c.verdict = verdict{State: "refused", Reason: "node " + c.cfg.Node + " cannot be metered", At: h.Now()}
			c.problem(h, fmt.Sprintf("target %s refused: what load is flexible below %s is not known", trim(t.percent), c.cfg.Node))
			return
		}
		if c.since.IsZero() {
			c.since = h.Now()
		}
		if !m.Known() && h.Now().Sub(c.since) < firstReading {
			c.pending, c.last = &t, t.at // what is not known is not 0
			c.verdict = verdict{State: "accepted", Reason: "waits for the first reading of the site", Target: &t.percent, Said: t.at, At: h.Now()}
			return
		}
		c.basis = site.Some(basis{m.Firm, m.Able()})
	}
	c.pending, c.have, c.percent, c.last, c.signals = nil, true, t.percent, t.at, nil
	if t.percent == 100 {
		c.basis = site.Opt[basis]{}
	} else {
		c.signals = []signal.Signal{c.limit(t, h.Now())}
	}
	c.verdict = verdict{State: "accepted", Target: &t.percent, Said: t.at, At: h.Now()}
	c.put(h)
}

func (c *Client) limit(t target, now time.Time) signal.Signal {
	b := c.basis.V
	from := t.at
	if from.After(now) {
		from = now
	}
	return signal.Signal{
		ID: "target", Source: c.cfg.Name, Kind: signal.Limit, Node: site.NodeID(c.cfg.Node), From: from,
		Power: b.firm + unit.Power(math.Floor(float64(b.flexible)*t.percent/100)),
		Note:  fmt.Sprintf("%s %% of %s flexible over %s firm", trim(t.percent), b.flexible.Short(), b.firm.Short()),
	}
}

// put says what stands.
func (c *Client) put(h signal.Host, problems ...string) {
	h.Put(signal.Update{Source: c.cfg.Name, At: h.Now(), Signals: c.signals, Problems: problems})
}

// problem says what was refused; what stands stays.
func (c *Client) problem(h signal.Host, line string) {
	c.log.Debug(line, "source", c.cfg.Name)
	c.put(h, line)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func trim(percent float64) string { return fmt.Sprintf("%.4g", percent) }
