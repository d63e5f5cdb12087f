// Package crew owns what machines can do: work, rest for their least time, start with a ramp
// in which they draw power and do not hash.
//
// It never knows money or limits: it lets be done what can be done, and counts it.
//
// Concurrency: a Crew belongs to one goroutine.
package crew

import "time"

// Cohort is machines of a group that came into their state at the same time.
type Cohort struct {
	N     int
	Since int64 // Unix seconds
}

// Physics is what machines need: at least so long at work and at rest, and so long after a
// start until they hash.
type Physics struct{ Run, Rest, Ramp time.Duration }

// Crew is a group's machines: who works and who rests, the longest first.
type Crew struct {
	p             Physics
	work, resting []Cohort
	running       int
}

// New has all machines at work, for long enough to be free to do anything.
func New(count int, p Physics, now int64) Crew {
	old := now - int64(max(p.Run, p.Rest, p.Ramp)/time.Second) - 1
	return Crew{p: p, work: []Cohort{{count, old}}, running: count}
}

// Running is how many machines are at work, those that do not hash yet among them.
func (c *Crew) Running() int { return c.running }

// Working and Resting are the machines by how long they have been so, the longest first. They
// are not to be written, and good until the next move.
func (c *Crew) Working() []Cohort { return c.work }
func (c *Crew) Resting() []Cohort { return c.resting }

// free returns how many of the machines have been in their state for the least time.
func free(cs []Cohort, now int64, least time.Duration) (n int) {
	for _, c := range cs {
		if now-c.Since < int64(least/time.Second) {
			break
		}
		n += c.N
	}
	return n
}

// Stoppable and Startable are how many machines are free to stop and to start.
func (c *Crew) Stoppable(now int64) int { return free(c.work, now, c.p.Run) }
func (c *Crew) Startable(now int64) int { return free(c.resting, now, c.p.Rest) }

// To brings as many machines to work as wanted, as far as least times allow, and returns how
// many started. Those that have been in their state the longest move first.
func (c *Crew) To(wanted int, now int64) (started int) {
	switch d := wanted - c.running; {
	case d > 0:
		started = min(d, c.Startable(now))
		c.resting = take(c.resting, started)
		c.work = put(c.work, started, now, max(c.p.Run, c.p.Ramp))
		c.running += started
	case d < 0:
		c.sleep(min(-d, c.Stoppable(now)), now)
	}
	return started
}

// Force stops machines down to a number whatever their least run: a limit does not wait.
func (c *Crew) Force(to int, now int64) {
	if n := c.running - to; n > 0 {
		c.sleep(n, now)
	}
}

func (c *Crew) sleep(n int, now int64) {
	c.work = take(c.work, n)
	c.resting = put(c.resting, n, now, c.p.Rest)
	c.running -= n
}

// take removes n machines from the front.
func take(cs []Cohort, n int) []Cohort {
	for n > 0 {
		k := min(n, cs[0].N)
		cs[0].N -= k
		n -= k
		if cs[0].N == 0 {
			cs = append(cs[:0], cs[1:]...)
		}
	}
	return cs
}

// put adds n machines at the back, and makes one cohort of all that are past the longest time
// that matters, so that a crew never holds more cohorts than its least times have intervals.
func put(cs []Cohort, n int, now int64, matters time.Duration) []Cohort {
	if n == 0 {
		return cs
	}
	past := now - int64(matters/time.Second)
	for len(cs) > 1 && cs[1].Since <= past {
		cs[1].N += cs[0].N
		cs = append(cs[:0], cs[1:]...)
	}
	return append(cs, Cohort{n, now})
}

// Worked returns the machine-seconds of hashing in [from, to): a machine that started draws
// its power at once and hashes after its ramp.
func (c *Crew) Worked(from, to int64) int64 {
	ramp := int64(c.p.Ramp / time.Second)
	var sum int64
	for _, k := range c.work {
		if begin := max(from, k.Since+ramp); begin < to {
			sum += int64(k.N) * (to - begin)
		}
	}
	return sum
}
