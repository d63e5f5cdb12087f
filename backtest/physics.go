package backtest

import "time"

// cohort is machines of a group that came into their state at the same time.
type cohort struct {
	n     int
	since int64 // Unix seconds
}

// crew is a group's machines: who runs and who rests, the longest first. It knows nothing of
// money: it only lets be done what the machines can do.
type crew struct {
	g         *group
	run, rest []cohort
	running   int
}

// newCrew has all machines at work, for long enough to be free to do anything.
func newCrew(g *group, now int64) crew {
	old := now - int64(max(g.run, g.rest, g.ramp)/time.Second) - 1
	return crew{g: g, run: []cohort{{g.count, old}}, running: g.count}
}

// free returns how many of the machines have been in their state for the least time.
func free(cs []cohort, now int64, least time.Duration) (n int) {
	for _, c := range cs {
		if now-c.since < int64(least/time.Second) {
			break
		}
		n += c.n
	}
	return n
}

// stoppable and startable are how many machines are free to stop and to start.
func (c *crew) stoppable(now int64) int { return free(c.run, now, c.g.run) }
func (c *crew) startable(now int64) int { return free(c.rest, now, c.g.rest) }

// to brings as many machines to work as wanted, as far as least times allow, and returns how
// many started. Those that have been in their state the longest move first.
func (c *crew) to(wanted int, now int64) (started int) {
	switch d := wanted - c.running; {
	case d > 0:
		started = min(d, c.startable(now))
		c.rest = take(c.rest, started)
		c.run = put(c.run, started, now, max(c.g.run, c.g.ramp))
		c.running += started
	case d < 0:
		c.sleep(min(-d, c.stoppable(now)), now)
	}
	return started
}

// force stops machines whatever their least run: a limit does not wait.
func (c *crew) force(to int, now int64) {
	if n := c.running - to; n > 0 {
		c.sleep(n, now)
	}
}

func (c *crew) sleep(n int, now int64) {
	c.run = take(c.run, n)
	c.rest = put(c.rest, n, now, c.g.rest)
	c.running -= n
}

// take removes n machines from the front.
func take(cs []cohort, n int) []cohort {
	for n > 0 {
		k := min(n, cs[0].n)
		cs[0].n -= k
		n -= k
		if cs[0].n == 0 {
			cs = append(cs[:0], cs[1:]...)
		}
	}
	return cs
}

// put adds n machines at the back, and makes one cohort of all that are past the longest time
// that matters, so that a crew never holds more cohorts than its least times have intervals.
func put(cs []cohort, n int, now int64, matters time.Duration) []cohort {
	if n == 0 {
		return cs
	}
	past := now - int64(matters/time.Second)
	for len(cs) > 1 && cs[1].since <= past {
		cs[1].n += cs[0].n
		cs = append(cs[:0], cs[1:]...)
	}
	return append(cs, cohort{n, now})
}

// worked returns the machine-seconds of hashing in [from, to): a machine that started draws
// its power at once and hashes after its ramp.
func (c *crew) worked(from, to int64) int64 {
	ramp := int64(c.g.ramp / time.Second)
	var sum int64
	for _, k := range c.run {
		if begin := max(from, k.since+ramp); begin < to {
			sum += int64(k.n) * (to - begin)
		}
	}
	return sum
}
