package gpus

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Work is what a job does, as its program was started. Durations are site time, and progress is
// counted in time at full speed.
type Work struct {
	ID string
	// Total is all there is to do; zero: it never ends.
	Total time.Duration
	// Load is how long a start takes until there is progress: reading data and the last save.
	Load time.Duration
	// Takes is how long saving takes; zero: it cannot save. Every is the time between two saves
	// that it makes unasked; zero: it makes none. OnTerm says that it saves when told to stop.
	Every, Takes time.Duration
	OnTerm       bool
	// Activity is how hard it works the GPUs, 0 to 1; zero means 1.
	Activity float64
}

// Place is GPUs of one node.
type Place struct {
	Node string
	GPUs []int
}

// Phase is what a job does at a moment.
type Phase uint8

// The phases of a job.
const (
	Waiting Phase = iota // has no GPUs
	Loading
	Working
	Saving
)

// String returns the phase's name.
func (p Phase) String() string {
	return [...]string{"waiting", "loading", "working", "saving"}[min(int(p), 3)]
}

// Progress is how far a job has come, in time at full speed.
type Progress struct {
	Done, Saved time.Duration
	// Lost sums what was done and not saved when it was stopped.
	Lost time.Duration
	// Worked is Done and Lost together: nothing else is made.
	Worked  time.Duration
	SavedAt time.Time // zero: never
	Starts  int
	Saves   int
	Phase   Phase
	Stopped bool // told to stop, and still there
	Over    bool // all is done
}

// EventKind is what happened to a job.
type EventKind uint8

// The kinds of events.
const (
	Saved    EventKind = iota // its work is saved as of At
	Exited                    // it ended because it was told to
	Killed                    // it was ended hard
	Failed                    // it ended by an error: a GPU or a node was lost
	Finished                  // all is done
)

// Event is something that happened to a job.
type Event struct {
	Job  string
	Kind EventKind
	At   time.Time
}

// Figures of how jobs work their GPUs, as traces of training show it: most of a step computes,
// the rest waits for the network at half the power; saving leaves the GPUs all but idle.
const (
	dipShare     = 0.5
	loadActivity = 0.15
	saveActivity = 0.04
)

// run is a job, with or without GPUs.
type run struct {
	work     Work
	progress Progress
	places   []Place
	gpus     []*gpu
	nodes    []*node // of gpus
	cycle    float64 // s of one step of work
	share    float64 // of it that computes
	offset   float64 // s
	left     time.Duration
	pending  time.Duration // done when the save began
	next     time.Duration // until it saves unasked
	asked    bool
	stopping bool
	grace    time.Duration
	activity float64
	use      float64
	thru     cached
}

// cached is the throughput under the caps that it was worked out for.
type cached struct {
	caps  uint64 // the cluster's count of changes
	speed float64
}

// The errors of starting a job.
var (
	ErrTaken   = errors.New("the GPU has other work")
	ErrRunning = errors.New("the job has GPUs already")
)

// Start gives a job its GPUs, all at once. It goes on from what it saved last.
func (c *Cluster) Start(w Work, places []Place) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[w.ID]
	if r == nil {
		rng := seedOf(c.seed, "work "+w.ID)
		r = &run{cycle: 9 + 16*rng.float(), share: 0.78 + 0.08*rng.float(), offset: 30 * rng.float()}
	}
	if len(r.gpus) > 0 {
		return fmt.Errorf("start %s: %w", w.ID, ErrRunning)
	}
	if w.Activity <= 0 || w.Activity > 1 {
		w.Activity = 1
	}
	var gs []*gpu
	var ns []*node
	for _, p := range places {
		n := c.byName[p.Node]
		switch {
		case n == nil:
			return fmt.Errorf("start %s: %w: %s", w.ID, ErrNoGPU, p.Node)
		case n.state != On:
			return fmt.Errorf("start %s on %s: %w: %s", w.ID, p.Node, ErrAway, n.state)
		}
		for _, i := range p.GPUs {
			switch {
			case i < 0 || i >= len(n.gpus):
				return fmt.Errorf("start %s on %s: GPU %d: %w", w.ID, p.Node, i, ErrNoGPU)
			case n.gpus[i].lost:
				return fmt.Errorf("start %s on %s: GPU %d: %w", w.ID, p.Node, i, ErrLost)
			case n.gpus[i].run != nil || slices.Contains(gs, &n.gpus[i]):
				return fmt.Errorf("start %s on %s: GPU %d: %w", w.ID, p.Node, i, ErrTaken)
			}
			gs, ns = append(gs, &n.gpus[i]), append(ns, n)
		}
	}
	if len(gs) == 0 {
		return fmt.Errorf("start %s: it has no GPUs: %w", w.ID, ErrNoGPU)
	}
	r.work, r.gpus, r.nodes, r.places = w, gs, ns, places
	r.progress.Starts++
	r.progress.Phase, r.left, r.next = Loading, w.Load, w.Every
	r.asked, r.stopping, r.progress.Stopped, r.thru = false, false, false, cached{}
	for _, g := range gs {
		g.run = r
	}
	c.runs[w.ID] = r
	c.live = append(c.live, r)
	return nil
}

// Save asks a job to save its work and says whether it will: it runs, and can.
func (c *Cluster) Save(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[id]
	if r == nil || len(r.gpus) == 0 || r.work.Takes <= 0 {
		return false
	}
	r.asked = true
	return true
}

// Terminate tells a job to stop, as SIGTERM does, and ends it hard when the grace is over. A job
// that saves when told so ends as soon as it has; any other takes the whole grace.
func (c *Cluster) Terminate(id string, grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[id]
	switch {
	case r == nil || len(r.gpus) == 0:
	case grace <= 0:
		c.endRun(r, c.now, Killed)
	case !r.stopping:
		r.stopping, r.progress.Stopped, r.grace = true, true, grace
		r.asked = r.asked || r.work.OnTerm && r.work.Takes > 0
	default:
		r.grace = min(r.grace, grace)
	}
}

// Kill ends a job at once: what it did not save is lost.
func (c *Cluster) Kill(id string) { c.Terminate(id, 0) }

// Progress returns how far a job has come, and whether it is known.
func (c *Cluster) Progress(id string) (Progress, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[id]
	if r == nil {
		return Progress{}, false
	}
	p := r.progress
	p.Worked = p.Done + p.Lost
	return p, true
}

// Forget drops a job without GPUs: its files are gone.
func (c *Cluster) Forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.runs[id]; r != nil && len(r.gpus) == 0 {
		delete(c.runs, id)
	}
}

// Speed returns how fast a job works at this moment, 1 at full speed and 0 while it does not.
func (c *Cluster) Speed(id string) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.runs[id]; r != nil && r.progress.Phase == Working {
		return r.speed(c.caps)
	}
	return 0
}

// speed is the throughput of the slowest GPU.
func (r *run) speed(caps uint64) float64 {
	if r.thru.caps == caps && r.thru.speed > 0 {
		return r.thru.speed
	}
	speed := 1.0
	for i, g := range r.gpus {
		speed = min(speed, r.nodes[i].model.Throughput(wattage(g.limit)))
	}
	r.thru = cached{caps, speed}
	return speed
}

// stepRun moves a job by dt.
func (c *Cluster) stepRun(r *run, dt time.Duration) {
	p := &r.progress
	switch p.Phase {
	case Loading:
		r.activity, r.use = loadActivity*r.work.Activity, 0.2
		if r.left -= dt; r.left <= 0 {
			p.Phase = Working
		}
	case Working:
		p.Done += time.Duration(float64(dt) * r.speed(c.caps))
		r.activity, r.use = c.wiggle(r), 0.99*r.work.Activity
		if r.work.Total > 0 && p.Done >= r.work.Total {
			p.Done, p.Saved, p.SavedAt, p.Over = r.work.Total, r.work.Total, c.now, true
			c.endRun(r, c.now, Finished)
			return
		}
		r.next -= dt
		if r.asked || r.work.Every > 0 && r.work.Takes > 0 && r.next <= 0 {
			p.Phase, r.left, r.pending, r.asked = Saving, r.work.Takes, p.Done, false
			r.next = r.work.Every
		}
	case Saving:
		r.activity, r.use = saveActivity, 0.05
		if r.left -= dt; r.left <= 0 {
			p.Phase, p.Saved, p.SavedAt = Working, r.pending, c.now
			p.Saves++
			c.tell(Event{r.work.ID, Saved, c.now})
			if r.stopping && r.work.OnTerm {
				c.endRun(r, c.now, Exited)
				return
			}
		}
	}
	if r.stopping {
		if r.grace -= dt; r.grace <= 0 {
			c.endRun(r, c.now, Killed)
		}
	}
}

// wiggle is how hard a job works its GPUs at this moment: in step on all of them.
func (c *Cluster) wiggle(r *run) float64 {
	if c.steady {
		return r.work.Activity
	}
	at := r.offset + float64(r.progress.Done.Milliseconds())/1000
	if at -= float64(int(at/r.cycle)) * r.cycle; at > r.share*r.cycle {
		return dipShare * r.work.Activity
	}
	return r.work.Activity
}

// endRun takes a job's GPUs from it; what it did not save is lost.
func (c *Cluster) endRun(r *run, now time.Time, how EventKind) {
	p := &r.progress
	p.Lost += p.Done - p.Saved
	p.Done = p.Saved
	p.Phase, p.Stopped, r.stopping, r.asked = Waiting, false, false, false
	for _, g := range r.gpus {
		g.run = nil
		g.owner = Owner{}
	}
	r.gpus, r.nodes, r.places = nil, nil, nil
	if i := slices.Index(c.live, r); i >= 0 {
		c.live = slices.Delete(c.live, i, i+1)
	}
	c.tell(Event{r.work.ID, how, now})
}

func (c *Cluster) tell(e Event) {
	if c.watch != nil {
		c.watch(e)
	}
}
