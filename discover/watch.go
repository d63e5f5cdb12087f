package discover

import (
	"context"
	"time"
)

// tick keeps the pace, asks known addresses again and reports, until over is closed.
func (s *sweep) tick(ctx context.Context, over <-chan struct{}) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-over:
			s.report(time.Now())
			return
		case <-t.C:
		}
		s.mu.Lock()
		s.pace.tick(float64(s.sockets) >= 0.7*s.pace.limit-2)
		s.urgent = append(s.urgent, s.later...)
		s.later = nil
		if s.sweeping && !s.asking && len(s.ring) > 0 && ctx.Err() == nil {
			k := s.ring[0]
			s.ring = append(s.ring[1:], k)
			s.asking = true
			timeout := s.pace.timeout()
			s.wg.Go(func() { s.check(ctx, k, timeout) })
		}
		s.wake.Broadcast()
		s.mu.Unlock()
		s.report(time.Now())
	}
}

// check asks a known address again. While none answers, silence of others proves nothing.
func (s *sweep) check(ctx context.Context, k known, timeout time.Duration) {
	began := time.Now()
	out := try(ctx, s.o.Dial, k.addr, k.port, timeout)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = false
	switch {
	case ctx.Err() != nil:
	case out == short:
		s.pace.short()
	case out == open, out == refused:
		if s.pace.deaf > 0 {
			s.deafTo = began
		}
		s.pace.checked(true)
		s.heard = len(s.silent)
	default:
		s.pace.checked(false)
		s.deafTo = began.Add(time.Hour) // until one answers
		for i := min(s.heard, len(s.silent)); i < len(s.silent); i++ {
			s.silent[i].doubt = true
		}
		for i, r := range s.ring { // it may have gone away: the next one tells
			if r == k {
				s.ring = append(s.ring[:i], s.ring[i+1:]...)
				break
			}
		}
	}
}

func (s *sweep) report(now time.Time) {
	s.mu.Lock()
	p := Progress{
		Done: s.done, Total: len(s.addrs), Living: s.living, Found: s.found, Parallel: int(s.pace.limit),
	}
	p.Rate, p.Left = s.meter.read(now, p.Done, p.Total)
	s.mu.Unlock()
	if s.o.Progress != nil {
		s.o.Progress(p)
	}
}

func (s *sweep) summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Living, s.sum.Found, s.sum.Unknown = s.living, s.found, len(s.results)-s.found
	return s.sum
}

// meter tells the rate of late: over the last few seconds, so that it follows the pace.
type meter struct {
	at   [12]time.Time
	done [12]int
	n    int
}

// start begins with now, once.
func (m *meter) start(now time.Time) {
	if m.n == 0 {
		m.at[0], m.n = now, 1
	}
}

// read takes how many are done and returns how many a second, and how long the rest takes.
func (m *meter) read(now time.Time, done, total int) (rate float64, left time.Duration) {
	if m.n == 0 {
		return 0, 0
	}
	i := m.n % len(m.at)
	m.at[i], m.done[i] = now, done
	m.n++
	oldest := max(0, m.n-len(m.at)) % len(m.at)
	took := now.Sub(m.at[oldest]).Seconds()
	if took <= 0 || done <= m.done[oldest] {
		return 0, 0
	}
	rate = float64(done-m.done[oldest]) / took
	return rate, time.Duration(float64(total-done) / rate * float64(time.Second))
}
