package bench

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// huge is the size of a site that one controller should still bear.
const huge = 30_000

// watchFor is how long a running site is watched.
const watchFor = time.Minute

// pulse watches when each device is spoken to.
type pulse struct {
	mu    sync.Mutex
	beats map[string]*beat // by host
}

type beat struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
	polls   int
}

func (p *pulse) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address)
	p.mu.Lock()
	b := p.beats[host]
	if b == nil {
		b = &beat{}
		p.beats[host] = b
	}
	p.mu.Unlock()
	return &felt{Conn: c, b: b}, nil
}

type felt struct {
	net.Conn
	b *beat
}

func (c *felt) Write(p []byte) (int, error) {
	c.b.mu.Lock()
	now := time.Now()
	if gap := now.Sub(c.b.last); !c.b.last.IsZero() && gap > time.Second { // else the same poll
		c.b.longest = max(c.b.longest, gap)
		c.b.polls++
	}
	c.b.last = now
	c.b.mu.Unlock()
	return c.Conn.Write(p)
}

// begin forgets what was felt before.
func (p *pulse) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.beats {
		b.mu.Lock()
		b.longest, b.polls = 0, 0
		b.mu.Unlock()
	}
}

// worst returns the longest time that any device was not spoken to, also until now, and how
// many polls there were.
func (p *pulse) worst() (longest time.Duration, polls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.beats {
		b.mu.Lock()
		longest = max(longest, b.longest, time.Since(b.last))
		polls += b.polls
		b.mu.Unlock()
	}
	return longest, polls
}

// BenchmarkPolled30000 watches a controller of 30,000 mixed miners that it polls every 15 s,
// for a minute: the cores that it uses, what it holds, and how much later than its turn any
// poll came. Its baseline is what the benchmarks of one poll give.
func BenchmarkPolled30000(b *testing.B) {
	all := plan{miners: huge, halls: mixed()}.write(b)
	startDevices(b, all, huge)
	interval, err := time.ParseDuration(poll)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p := &pulse{beats: map[string]*beat{}}
		c := startControllerBy(b, all.site, p.dial)
		c.awake(huge)
		time.Sleep(2 * interval) // the start's work is over
		p.begin()
		before, began := cpu(), time.Now()
		peak := 0
		for time.Since(began) < watchFor {
			time.Sleep(time.Second)
			peak = max(peak, resident())
		}
		used, took := cpu()-before, time.Since(began)
		longest, polls := p.worst()
		c.stop()
		b.ReportMetric(used.Seconds()/took.Seconds(), "cores")
		b.ReportMetric(float64(peak)/1e6, "resident_MB")
		b.ReportMetric(float64(polls)/took.Seconds(), "polls_per_s")
		b.ReportMetric(max(longest-interval, 0).Seconds(), "latest_poll_s")
		b.ReportMetric(used.Seconds()*1e6/float64(polls), "cpu_us_per_poll")
		b.ReportMetric(0, "ns/op")
	}
}
