// Package notify owns telling people: notices are gathered for a while, put into one message
// and sent to the services that the site file names (chat, mail, webhooks), through shoutrrr.
//
// It never keeps a caller waiting, never shows a service's address (it holds a secret) and
// never decides what is worth a notice. Where a service does not take a message it is tried
// again for some ten minutes and then given up, which the log says; what waits meanwhile is
// bounded: the oldest of the least level goes first, and the next message says how many went.
// A service hears of an end only where it heard of the beginning; what came and went before it
// was sent is one line.
//
// Concurrency: a Notifier is safe for concurrent use. Run has one goroutine a service, so one
// that hangs keeps no other.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"switchyard/sitefile"
)

// Notice is one thing that people are to be told of.
type Notice struct {
	ID      string // the same for the beginning and the end
	Level   string // info, warning or critical
	At      time.Time
	Subject string // a device, a node, a group
	Text    string // what was seen, with figures
	Todo    string // what would help; may be empty
	Over    bool   // it is over

	brief bool // it is over before anybody was told
}

const (
	defaultEvery = time.Minute
	queueSize    = 1000 // notices that wait, a service
	maxUnheard   = 20_000
	maxLines     = 40   // of a message
	maxMessage   = 3500 // bytes; chat services take some 4,000
	maxLine      = 400  // bytes of a notice
	attempts     = 8
	firstPause   = 5 * time.Second
	longestPause = 5 * time.Minute
	sendTime     = 20 * time.Second
	maxHung      = 3 // exchanges that a service never ended
)

// Options are what a Notifier is made from.
type Options struct {
	Site    string // its name, at the head of each message
	Notices []sitefile.Notice
	// Secret returns what is behind a reference. It is called the moment it is needed.
	Secret func(ref string) (string, error)
	Zone   *time.Location // of the times in messages; nil is UTC
	Log    *slog.Logger
}

// Notifier sends notices.
type Notifier struct {
	opt      Options
	services []*service
	send     func(address, message string) error
}

// service is one place where notices go.
type service struct {
	sitefile.Notice
	mu    sync.Mutex
	queue []Notice
	// unheard are the beginnings that the service never heard of, so that it does not hear of
	// their ends.
	unheard map[string]bool
	fault   string // why it cannot be told anything; empty: nothing is known of that
	lost    int    // that were left out since the last message
	kick    chan struct{}
	hung    chan struct{} // holds one for each exchange under way
}

// New makes a Notifier; without notices in the site file it tells nobody.
func New(o Options) *Notifier {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	n := &Notifier{opt: o, send: sendWithShoutrrr}
	for _, s := range o.Notices {
		if s.Every <= 0 {
			s.Every = defaultEvery
		}
		if s.Level == "" {
			s.Level = "warning"
		}
		n.services = append(n.services, &service{Notice: s, kick: make(chan struct{}, 1), hung: make(chan struct{}, maxHung), unheard: map[string]bool{}})
	}
	return n
}

// rank orders levels, the least first.
func rank(level string) int { return slices.Index(sitefile.NoticeLevels(), level) }

// Tell takes a notice for every service whose level it reaches. It returns at once.
func (n *Notifier) Tell(x Notice) {
	for _, s := range n.services {
		s.put(x)
	}
}

// put queues a notice, if the service is to hear of it. The end of what waits to be told
// makes one line of both.
func (s *service) put(x Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.Over && s.unheard[x.ID] {
		delete(s.unheard, x.ID)
		return
	}
	if rank(x.Level) < rank(s.Level) {
		if !x.Over {
			s.missed(x)
		}
		return
	}
	delete(s.unheard, x.ID)
	if i := slices.IndexFunc(s.queue, func(q Notice) bool { return q.ID == x.ID }); i >= 0 {
		old := s.queue[i]
		s.queue = slices.Delete(s.queue, i, i+1)
		x.brief = x.Over && (!old.Over || old.brief)
		if !x.Over && old.Over && !old.brief {
			return // it is on again before its end was told: nothing is new
		}
	}
	if len(s.queue) >= queueSize {
		least := 0
		for i, q := range s.queue {
			if rank(q.Level) < rank(s.queue[least].Level) {
				least = i
			}
		}
		s.lost++
		if rank(x.Level) < rank(s.queue[least].Level) {
			s.missed(x)
			return // it would be the first to go
		}
		s.missed(s.queue[least])
		s.queue = slices.Delete(s.queue, least, least+1)
	}
	s.queue = append(s.queue, x)
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// missed notes that a service does not hear of a notice. The lock is held.
func (s *service) missed(x Notice) {
	if !x.Over && len(s.unheard) < maxUnheard {
		s.unheard[x.ID] = true
	}
}

// Run sends until ctx ends. It blocks. What waits then is sent once more, for a few seconds.
func (n *Notifier) Run(ctx context.Context) {
	for _, f := range n.Check() {
		n.opt.Log.Warn("people are not told: a notice cannot be sent", "service", f.Service, "reason", f.Text)
	}
	var wg sync.WaitGroup
	for _, s := range n.services {
		wg.Go(func() { n.serve(ctx, s) })
	}
	wg.Wait()
}

func (n *Notifier) serve(ctx context.Context, s *service) {
	for {
		select {
		case <-s.kick:
		case <-ctx.Done():
			n.last(ctx, s)
			return
		}
		if !pause(ctx, s.Every) {
			n.last(ctx, s)
			return
		}
		n.deliver(ctx, s)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// last sends what waits at the stop, once.
func (n *Notifier) last(ctx context.Context, s *service) {
	message, _ := n.take(s)
	if message == "" {
		return
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := n.try(end, s, message); err != nil {
		n.opt.Log.Warn("the last notice was not sent", "service", s.Name, "reason", err.Error())
	}
}

// deliver sends one message, again and again for some time.
func (n *Notifier) deliver(ctx context.Context, s *service) {
	message, told := n.take(s)
	if message == "" {
		return
	}
	wait := firstPause
	for try := 1; ; try++ {
		err := n.try(ctx, s, message)
		switch {
		case err == nil:
			s.setFault("")
			return
		case ctx.Err() != nil:
			return
		case try == attempts:
			n.opt.Log.Error("notices were given up", "service", s.Name, "notices", len(told), "reason", err.Error())
			s.mu.Lock()
			s.lost += len(told)
			for _, x := range told {
				s.missed(x)
			}
			s.mu.Unlock()
			return
		case try == 1:
			s.setFault("it did not take a message: " + err.Error())
			n.opt.Log.Warn("a notice was not sent; it is tried again", "service", s.Name, "reason", err.Error())
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, longestPause)
	}
}

// try sends once and waits no longer than it should take. A service that never answers holds
// a goroutine; after a few it is not asked again.
func (n *Notifier) try(ctx context.Context, s *service, message string) error {
	address, err := n.opt.Secret(s.URL)
	if err != nil {
		return err
	}
	select {
	case s.hung <- struct{}{}:
	default:
		return fmt.Errorf("%d messages are on their way to it and never came back", maxHung)
	}
	done := make(chan error, 1)
	go func() {
		done <- n.send(address, message)
		<-s.hung
	}()
	t := time.NewTimer(sendTime)
	defer t.Stop()
	select {
	case err := <-done:
		return scrub(err, address)
	case <-t.C:
		return fmt.Errorf("it did not answer within %s", sendTime)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take makes one message of all that waits, the worst first, and returns the notices too. Past
// a message's length they are only counted.
func (n *Notifier) take(s *service) (message string, told []Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return "", nil
	}
	slices.SortStableFunc(s.queue, func(a, b Notice) int {
		if a.Over != b.Over {
			if a.Over {
				return 1
			}
			return -1
		}
		return rank(b.Level) - rank(a.Level)
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", n.opt.Site, plural(len(s.queue), "notice"))
	if s.lost > 0 {
		fmt.Fprintf(&b, " (%d more were left out)", s.lost)
	}
	for i, x := range s.queue {
		line := "\n" + n.line(x)
		if i >= maxLines || i > 0 && b.Len()+len(line) > maxMessage {
			fmt.Fprintf(&b, "\nand %d more: `switchyard health` lists them", len(s.queue)-i)
			break
		}
		b.WriteString(line)
	}
	told, s.lost, s.queue = s.queue, 0, nil
	return b.String(), told
}

func (n *Notifier) line(x Notice) string {
	head := strings.ToUpper(x.Level)
	if x.Over {
		head = "over"
		if x.brief {
			head = "came and went"
		}
	}
	s := fmt.Sprintf("%s %s %s: %s", x.At.In(n.opt.Zone).Format("15:04"), head, x.Subject, x.Text)
	if x.Todo != "" && !x.Over {
		s += " (" + x.Todo + ")"
	}
	return cut(strings.Join(strings.Fields(s), " "), maxLine)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cut bounds a text, between characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
