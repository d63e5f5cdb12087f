package openadr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"switchyard/clock"
	"switchyard/signal"
	"switchyard/signal/openadr/event"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Options are what a Client needs beyond the site file's words: secrets already read, and
// what the rest of the program lends it.
type Options struct {
	Site             string       // the site's name: the VEN's if the site file gives none
	ClientID, Secret string       // OAuth2 client credentials; both empty: no token is asked for
	WebhookToken     string       // what the VTN must show when it calls us
	Resource         string       // the resource that reports tell of; empty: the node, or "site"
	Log              *slog.Logger // nil: none
	Clock            clock.Clock  // of polls and reports; nil: the machine's
	HTTP             *http.Client // nil: one of our own
}

// Client is a VEN that follows one VTN. It is a signal.Source.
type Client struct {
	cfg  sitefile.OpenADR
	opt  Options
	id   identity
	net  *transport
	hook *hook // nil: polling only

	// What follows belongs to Run's goroutine.
	programs     map[string]program
	programsNext time.Time // when they are to be read again
	events       map[string]*followed
	refusals     map[string]refusal
	over         map[string]uint64 // events that are past, by the mark of what they came as
	tooMany      string
	enrolled     enrolment
	metering     metering
	fails        int       // polls in a row
	heard        time.Time // of the last good poll, site time
	failing      error
	firm         unit.Power
	said         event.Combined
	lines        []string
	told         map[string]bool // problems that were logged
	started      time.Time
	jobs         chan job
	reportErr    string
	sent         int

	status atomic.Pointer[Status]
}

var _ signal.Source = (*Client)(nil)

// Status is what a person may want to know of a client.
type Status struct {
	VEN, Resource string
	Enrolled      bool
	Programs      []string  // that are followed
	Events        int       // that are followed
	Heard         time.Time // of the last good answer, site time
	Error         string    // why the VTN cannot be followed now
	Notified      bool      // the VTN calls us; otherwise only polls bring news
	Offered       string    // what else the VTN would notify by
	Ignored       []string  // payload types that are understood and not used
	Reports       int       // that were sent
}

// defaultPoll is how often the VTN is asked where the site file does not say.
const defaultPoll = 30 * time.Second

// firstRetry and longestPause bound the time to the next poll after failed ones.
const (
	firstRetry   = 5 * time.Second
	longestPause = 2 * time.Minute
)

// New returns a client of the VTN that cfg names. It does not touch the network.
func New(cfg sitefile.OpenADR, opt Options) (*Client, error) {
	wrong := func(format string, args ...any) (*Client, error) {
		return nil, fmt.Errorf("openadr %s: %w", cfg.Name, fmt.Errorf(format, args...))
	}
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return wrong("url must be the VTN's address, as \"https://vtn.example/openadr3/3.1.0\"")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return wrong("url must be an address alone: credentials stand under client")
	}
	old := false
	switch cfg.Version {
	case "", "3.1", "3.1.0", "3.1.1":
	case "3.0", "3.0.0", "3.0.1":
		old = true
	default:
		return wrong("version %q is not known; there are 3.1 and 3.0", cfg.Version)
	}
	for level, p := range cfg.Levels {
		if level < 0 || level > 3 || p < 0 {
			return wrong("levels must be 0 to 3 with a power of zero or more")
		}
	}
	if cfg.TokenURL != "" {
		if u, err := url.Parse(cfg.TokenURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return wrong("token_url must be an address")
		}
	}
	if opt.ClientID == "" && opt.Secret != "" {
		return wrong("client has a secret and no id")
	}
	if cfg.Webhook != "" && (cfg.WebhookListen == "" || opt.WebhookToken == "") {
		return wrong("webhook needs webhook_listen, where the VTN's calls arrive, and webhook_token")
	}
	if cfg.Poll <= 0 {
		cfg.Poll = defaultPoll
	}
	c := &Client{cfg: cfg, opt: opt}
	c.defaults(base, old)
	return c, nil
}

func (c *Client) defaults(base *url.URL, old bool) {
	if c.opt.Log == nil {
		c.opt.Log = slog.New(slog.DiscardHandler)
	}
	if c.opt.Clock == nil {
		c.opt.Clock = clock.System()
	}
	if c.opt.HTTP == nil {
		c.opt.HTTP = newHTTP()
	}
	c.id = identity{old: old, ven: c.cfg.VEN, resource: c.opt.Resource, targets: c.cfg.Targets}
	for _, name := range []string{c.opt.Site, "switchyard"} {
		if c.id.ven == "" {
			c.id.ven = name
		}
	}
	for _, name := range []string{c.cfg.Node, "site"} {
		if c.id.resource == "" {
			c.id.resource = name
		}
	}
	c.net = &transport{base: base, http: c.opt.HTTP, spent: []int{http.StatusUnauthorized}}
	if old { // its interface knows no 401
		c.net.spent = append(c.net.spent, http.StatusForbidden)
	}
	if c.opt.ClientID != "" {
		c.net.tokens = &tokens{
			base: base, http: c.opt.HTTP, id: c.opt.ClientID, secret: c.opt.Secret,
			scope: c.cfg.Scope, fixed: c.cfg.TokenURL, discover: !old,
		}
	}
	if c.cfg.Webhook != "" {
		c.hook = newHook(c.opt.WebhookToken)
	}
	c.programs, c.events = map[string]program{}, map[string]*followed{}
	c.refusals, c.over, c.told = map[string]refusal{}, map[string]uint64{}, map[string]bool{}
	c.enrolled.subscribed = map[string]string{}
	c.jobs = make(chan job, maxJobs)
	c.status.Store(&Status{VEN: c.id.ven, Resource: c.id.resource})
}

// Name is the client's name in the site file.
func (c *Client) Name() string { return c.cfg.Name }

// Status returns the newest state. It does not block.
func (c *Client) Status() Status { return *c.status.Load() }

// Run follows the VTN until ctx ends, and then returns nil. It blocks.
func (c *Client) Run(ctx context.Context, h signal.Host) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.insecure() {
		c.opt.Log.Warn("the VTN is spoken to in the clear: the specification asks for https", "source", c.cfg.Name)
	}
	var notices <-chan notice
	var closed <-chan error
	if c.hook != nil {
		var err error
		if closed, err = c.hook.listen(ctx, c.cfg.WebhookListen); err != nil {
			c.enrolled.hookErr = err
		} else {
			notices = c.hook.notices
		}
	}
	results := make(chan result, maxJobs)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.deliver(ctx, results)
	}()
	c.started = h.Now()
	poll, tick := c.opt.Clock.NewTimer(0), c.opt.Clock.NewTimer(0)
	for {
		select {
		case <-ctx.Done():
			poll.Stop()
			tick.Stop()
			<-gone
			return nil
		case <-poll.C():
			c.poll(ctx, h)
			c.attend(ctx, h, notices != nil)
			poll = c.opt.Clock.NewTimer(c.wait())
		case <-tick.C():
			c.tick(h)
			tick = c.opt.Clock.NewTimer(sampleEvery)
		case n := <-notices:
			c.noticed(ctx, h, n, notices)
		case r := <-results:
			c.settled(r, h)
		case err := <-closed:
			closed = nil
			c.enrolled.hookErr = err
		}
	}
}

// insecure says whether the VTN is spoken to in the clear over a network.
func (c *Client) insecure() bool {
	ip := net.ParseIP(c.net.base.Hostname())
	return c.net.base.Scheme == "http" && c.net.base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// wait is the time to the next poll: sooner after a failed one, then ever longer.
func (c *Client) wait() time.Duration {
	d := c.cfg.Poll
	if c.fails > 0 {
		d = min(d, firstRetry)
		for range min(c.fails-1, 8) {
			d *= 2
		}
		d = min(d, longestPause)
	}
	return d - d/20 + jitter(d/10)
}

// attend looks after registration and subscriptions when it is time.
func (c *Client) attend(ctx context.Context, h signal.Host, listening bool) {
	now := h.Now()
	if c.failing != nil || now.Before(c.enrolled.next) {
		return
	}
	first := !c.enrolled.tried
	c.enrolled.tried = true
	c.enrolled.next = now.Add(again)
	if c.enrolled.err = c.hide(c.enroll(ctx)); c.enrolled.err != nil && !final(c.enrolled.err) {
		c.enrolled.next = now.Add(min(again, 2*c.cfg.Poll))
	}
	if first {
		c.notifiers(ctx)
	}
	if listening {
		if c.enrolled.hookErr = c.subscribe(ctx); c.enrolled.hookErr != nil && !final(c.enrolled.hookErr) {
			c.enrolled.next = now.Add(min(again, 2*c.cfg.Poll))
		}
	}
	if ctx.Err() != nil {
		return
	}
	if first { // what is granted to a VEN may only show once it is registered
		c.poll(ctx, h)
		return
	}
	c.publish(h, true)
}

// tick samples the site, makes the reports that are due, and says again what has changed with
// time or with the firm load.
func (c *Client) tick(h signal.Host) {
	now, m := h.Now(), h.Meter()
	c.metering.take(m, now)
	if !c.heard.IsZero() && (m.Firm != c.firm || now.After(c.said.Edge)) {
		c.publish(h, false)
	}
	c.report(h, now)
}

// publish works out what the events say and tells the host. Unless always, only news is told.
func (c *Client) publish(h signal.Host, always bool) {
	now := h.Now()
	c.firm = h.Meter().Firm
	events := c.sorted()
	said := event.Combine(held(events), site.NodeID(c.cfg.Node), c.firm, now)
	for i := range said.Signals {
		said.Signals[i].Source = c.cfg.Name
	}
	event.Steady(now, c.said.Signals, said.Signals)
	lines := c.problems(events, said.Problems)
	c.log(lines)
	if always || !reflect.DeepEqual(said.Signals, c.said.Signals) || !reflect.DeepEqual(lines, c.lines) {
		h.Put(signal.Update{Source: c.cfg.Name, At: c.heard, Signals: said.Signals, Problems: lines})
	}
	c.said, c.lines = said, lines
	c.show(events)
}

// log writes each problem once, and again only after it had gone.
func (c *Client) log(lines []string) {
	now := map[string]bool{}
	for _, l := range lines {
		now[l] = true
		if !c.told[l] {
			c.opt.Log.Warn(l, "source", c.cfg.Name)
		}
	}
	c.told = now
}

// hide takes our secrets out of an error's text: a VTN may repeat what it was sent.
func (c *Client) hide(err error) error {
	if err == nil {
		return nil
	}
	s := err.Error()
	for _, secret := range []string{c.opt.Secret, c.opt.WebhookToken} {
		if len(secret) > 3 && strings.Contains(s, secret) {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	if s == err.Error() {
		return err
	}
	return errors.New(s)
}
