package discover

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// task is one address to be tried on some ports.
type task struct {
	at    int // in the list of addresses
	ports []int
	again bool // a second look at a silent address
	twice bool // at a silent port of an address that lives
	tries int  // that this machine had no room for
	began time.Time
}

// known is an address that answered, on which port.
type known struct {
	addr netip.Addr
	port int
}

const (
	maxTries = 6  // of a connection that this machine has no room for
	looks    = 3  // at silent addresses after the first; all but the first of them at those in doubt
	keepSome = 32 // known addresses, to see whether they still answer
)

// sweep is one scan under way. The goroutine of run hands out tasks; each task has its own,
// and so has each device that is asked.
type sweep struct {
	o     Options
	addrs []netip.Addr
	ask   chan int // addresses with open ports

	wg   sync.WaitGroup
	mu   sync.Mutex // guards what follows
	wake *sync.Cond // something ended, or may begin
	pace *pace

	next     int // fresh addresses handed out
	step     int // of the order in which they are
	urgent   []task
	later    []task // after the next tick
	tasks    int    // under way
	sockets  int
	sweeping bool // the first stage is not over

	alive   []bool
	counted []bool // as done
	open    map[int][]int
	silent  []silence
	heard   int       // silences before a known address answered last
	deafTo  time.Time // what began before and came to nothing is in doubt
	ring    []known
	ringAt  int
	asking  bool // a known address is being asked again
	results map[int]Found

	done, living int
	found        int // results that a driver fits
	sum          Summary
	meter        meter
}

// silence is an address that did not answer; in doubt where a known one did not either.
type silence struct {
	at    int
	doubt bool
}

func newSweep(addrs []netip.Addr, o Options) *sweep {
	s := &sweep{
		o: o, addrs: addrs, ask: make(chan int, len(addrs)), pace: newPace(o.Parallel), step: stride(len(addrs)),
		alive: make([]bool, len(addrs)), counted: make([]bool, len(addrs)), open: map[int][]int{}, results: map[int]Found{}, sweeping: true,
	}
	s.wake = sync.NewCond(&s.mu)
	s.sum.Asked = len(addrs)
	return s
}

// stride is a step that visits n addresses all over the range, each once: neighbours are
// far apart in time, so that no switch has to find a whole hall at once.
func stride(n int) int {
	for step := max(1, n*618/1000); ; step++ {
		if gcd(step, n) == 1 || n < 2 {
			return step
		}
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (s *sweep) run(ctx context.Context) []Found {
	if len(s.addrs) == 0 || len(s.o.Ports) == 0 {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); s.wake.Broadcast(); s.mu.Unlock() })
	defer stop()
	ticking, over := make(chan struct{}), make(chan struct{})
	go func() { defer close(ticking); s.tick(ctx, over) }()
	var askers sync.WaitGroup
	for range min(s.o.Asking, len(s.addrs)) {
		askers.Go(func() {
			for at := range s.ask {
				s.identify(ctx, at)
			}
		})
	}
	s.hand(ctx)
	for round := 1; round <= looks && s.lookAgain(round == 1); round++ {
		s.hand(ctx)
	}
	s.mu.Lock()
	s.sweeping = false
	s.mu.Unlock()
	close(s.ask)
	askers.Wait()
	close(over)
	<-ticking
	s.wg.Wait()
	out := make([]Found, 0, len(s.results))
	for at := range s.addrs {
		if f, ok := s.results[at]; ok {
			out = append(out, f)
		}
	}
	return out
}

// hand starts tasks while there are any and ctx lasts, and returns when all have ended.
func (s *sweep) hand(ctx context.Context) {
	s.meter.start(time.Now())
	for {
		t, ok := s.take(ctx)
		if !ok {
			return
		}
		if s.o.Rate > 0 && !s.hold(ctx, t) {
			s.end(t)
			continue
		}
		s.wg.Go(func() { s.look(ctx, t) })
	}
}

// take waits for room and returns the next task; false when there is nothing left to do.
func (s *sweep) take(ctx context.Context) (task, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if ctx.Err() != nil && s.tasks == 0 {
			return task{}, false
		}
		fresh := s.next < len(s.addrs)
		if ctx.Err() == nil && (fresh || len(s.urgent) > 0) {
			t := task{ports: s.o.Ports[:min(2, len(s.o.Ports))]}
			if len(s.urgent) > 0 {
				t = s.urgent[0]
			}
			if s.sockets == 0 || s.sockets+len(t.ports) <= int(s.pace.limit) {
				if len(s.urgent) > 0 {
					s.urgent = s.urgent[1:]
				} else {
					t.at = int(int64(s.next) * int64(s.step) % int64(len(s.addrs)))
					s.next++
				}
				s.tasks++
				s.sockets += len(t.ports)
				s.sum.Connects += len(t.ports)
				s.sum.Most = max(s.sum.Most, s.sockets)
				return t, true
			}
		} else if s.tasks == 0 && len(s.later) == 0 {
			return task{}, false
		}
		s.wake.Wait()
	}
}

// hold keeps to the rate; false where ctx ended meanwhile.
func (s *sweep) hold(ctx context.Context, t task) bool {
	if t.tries > 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(float64(time.Second) / s.o.Rate))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *sweep) end(t task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks--
	s.sockets -= len(t.ports)
	s.wake.Broadcast()
}

// look tries the ports of a task, all at once.
func (s *sweep) look(ctx context.Context, t task) {
	defer s.end(t)
	s.mu.Lock()
	timeout := s.pace.timeout()
	s.mu.Unlock()
	if t.again || t.twice {
		timeout = firstTimeout
	}
	t.began = time.Now()
	out := make([]outcome, len(t.ports))
	took := make([]time.Duration, len(t.ports))
	dial := func(i int) {
		began := time.Now()
		out[i] = try(ctx, s.o.Dial, s.addrs[t.at], t.ports[i], timeout)
		took[i] = time.Since(began)
	}
	var wg sync.WaitGroup
	for i := 1; i < len(t.ports); i++ {
		wg.Go(func() { dial(i) })
	}
	dial(0)
	wg.Wait()
	if ctx.Err() == nil {
		s.judge(t, out, took)
	}
}

// judge takes what came of a task and decides what the address needs next.
func (s *sweep) judge(t task, out []outcome, took []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left, quiet []int // ports that this machine had no room for, and those that said nothing
	gone := false
	for i, o := range out {
		switch o {
		case open, refused:
			s.pace.answered(took[i])
			if !s.alive[t.at] {
				s.alive[t.at] = true
				s.living++
			}
			s.remember(known{s.addrs[t.at], t.ports[i]})
			if o == open {
				s.open[t.at] = append(s.open[t.at], t.ports[i])
			}
		case short:
			s.pace.short()
			left = append(left, t.ports[i])
		case away:
			gone = true
		case silent:
			quiet = append(quiet, t.ports[i])
		}
	}
	first := min(2, len(s.o.Ports))
	switch {
	case left != nil && t.tries < maxTries:
		s.later = append(s.later, task{at: t.at, ports: append(left, quiet...), again: t.again, twice: t.twice, tries: t.tries + 1})
	case left != nil && !s.alive[t.at]:
		s.sum.Unasked++
		s.count(t.at)
	case s.alive[t.at] && quiet != nil && !t.twice:
		s.urgent = append(s.urgent, task{at: t.at, ports: quiet, twice: true})
	case s.alive[t.at] && len(s.o.Ports) > first && slices.Contains(s.o.Ports[:first], t.ports[0]):
		s.urgent = append(s.urgent, task{at: t.at, ports: s.o.Ports[first:]})
	case s.alive[t.at]:
		if len(s.open[t.at]) > 0 {
			s.ask <- t.at // it has room for all
		} else {
			s.count(t.at)
		}
	case gone:
		s.count(t.at)
	default:
		s.count(t.at) // a second look counts no more
		s.silent = append(s.silent, silence{at: t.at, doubt: t.began.Before(s.deafTo)})
	}
}

// count counts an address as done, once.
func (s *sweep) count(at int) {
	if !s.counted[at] {
		s.counted[at] = true
		s.done++
	}
}

// remember keeps some addresses that answered, from all over the range.
func (s *sweep) remember(k known) {
	if len(s.ring) < keepSome {
		s.ring = append(s.ring, k)
		return
	}
	s.ringAt = (s.ringAt + 1) % keepSome
	s.ring[s.ringAt] = k
}

// lookAgain makes tasks of the silent addresses that deserve a second look: those that fell
// silent while known ones did not answer either, and at the first time the neighbours of
// the living, as far as that takes no longer than againTime. It says whether there are any.
func (s *sweep) lookAgain(first bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace.careful()
	nets := map[netip.Prefix]int{}
	for at, alive := range s.alive {
		if alive {
			nets[neighbours(s.addrs[at])]++
		}
	}
	var list []silence
	for _, q := range s.silent {
		if q.doubt || first && nets[neighbours(s.addrs[q.at])] > 0 {
			list = append(list, q)
		}
	}
	slices.SortStableFunc(list, func(a, b silence) int {
		if a.doubt != b.doubt {
			if a.doubt {
				return -1
			}
			return 1
		}
		return cmp.Compare(nets[neighbours(s.addrs[b.at])], nets[neighbours(s.addrs[a.at])])
	})
	ports := s.o.Ports[:min(2, len(s.o.Ports))]
	room := int(againTime.Seconds() / firstTimeout.Seconds() * s.pace.limit / float64(len(ports)))
	for i, q := range list {
		if i >= room && !q.doubt {
			list = list[:i]
			break
		}
		s.urgent = append(s.urgent, task{at: q.at, ports: ports, again: true})
	}
	s.sum.Again += len(list)
	s.silent, s.heard = nil, 0
	return len(list) > 0
}

// neighbours is the network of 256 addresses around an address.
func neighbours(a netip.Addr) netip.Prefix {
	bits := 24
	if !a.Is4() {
		bits = 120
	}
	p, _ := a.Prefix(bits) // the bits fit
	return p
}
