package shed

import (
	"cmp"
	"slices"

	"switchyard/compute"
	"switchyard/unit"
)

// kind orders blocks: what is given up first has the highest.
type kind uint8

const (
	kindKept  kind = iota // running work that may not be touched now: its pause is used up, it just began
	kindEmpty             // a node without work that waiting or paused jobs need, or that just had some
	kindPause             // a job that can be paused
	kindCap               // GPUs that can be capped
	kindIdle              // a node without work that nobody waits for
	kindStart             // a job that waits
)

// block is a part of the cluster's power with what giving it up takes.
type block struct {
	kind  kind
	power unit.Power
	value unit.Price
	act   compute.Act // that gives it up; for kindStart none: the queue is closed
	job   *compute.Job
	back  bool // it is given up now: having the power means to undo
}

// Survey is what a cluster draws and could do without, at a moment.
type Survey struct {
	c  *Cluster
	in Input
	// Base is drawn by machines that are awake, without work; Firm by them and by work that is never
	// shed; Flexible by all else that runs or would like to, uncapped.
	Base, Firm, Flexible unit.Power
	// Expected is what the cluster should draw under the acts in force; Falling what it draws
	// beyond that: jobs on their way out.
	Expected, Falling unit.Power

	blocks  []block       // what is given up first when power is short stands last
	stays   []compute.Act // in force, and not to be undone yet
	byQueue map[string]*compute.Terms
	claims  map[claim]answer
	nodes   map[string]*nodeWork
	levels  map[capAt]unit.Power // found already
	names   []string             // of nodes, in the inventory's order
}

// capAt is a model and the slowdown that is allowed.
type capAt struct {
	model string
	slow  unit.Ratio
}

// nodeWork is a node with the jobs on it.
type nodeWork struct {
	compute.Machine
	model compute.Model
	state compute.NodeState
	ours  bool
	used  int // GPUs at work
	going int // of them, those of jobs that are told to stop
	// slow is the least slowdown that all jobs on it allow.
	slow  unit.Ratio
	value unit.Money // of an hour of all work on it
	cap   unit.Power // in force; zero: none
	limit unit.Power // that its work bears; zero: none
	lost  unit.Ratio // of its work, held to limit
}

// Look makes the survey of a cluster.
func Look(c *Cluster, in Input) *Survey {
	s := &Survey{c: c, in: in, byQueue: map[string]*compute.Terms{}, claims: map[claim]answer{}, levels: map[capAt]unit.Power{}, nodes: make(map[string]*nodeWork, len(c.Machines))}
	if in.Busy <= 0 || in.Busy > 1 {
		s.in.Busy = 1
	}
	for i := range c.Terms {
		for _, q := range c.Terms[i].Queues {
			s.byQueue[q] = &c.Terms[i]
		}
	}
	s.weighAll()
	s.placeNodes()
	if in.View == nil || !in.View.Reachable {
		s.blind()
		return s
	}
	s.placeJobs()
	for _, n := range s.nodes {
		n.limit, n.lost = s.level(n)
	}
	s.idle()
	s.caps()
	s.jobs()
	slices.SortStableFunc(s.blocks, func(a, b block) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(b.value, a.value))
	})
	s.settle()
	return s
}

// blind plans a cluster that cannot be reached: it runs on, and may draw its nameplate.
func (s *Survey) blind() {
	for _, n := range s.nodes {
		s.Firm += n.Nameplate(n.model)
	}
	s.Firm = max(s.Firm, s.in.Draw.Or(0))
	s.Expected = s.Firm
}

func (s *Survey) placeNodes() {
	for _, m := range s.c.Machines {
		s.nodes[m.Name] = &nodeWork{Machine: m, model: s.c.Models[m.Model], slow: 1}
		s.names = append(s.names, m.Name)
	}
	if s.in.View == nil {
		return
	}
	for _, n := range s.in.View.Nodes {
		if w := s.nodes[n.Name]; w != nil {
			w.state, w.ours = n.State, n.Ours
			if s.in.Waking[n.Name] && !s.told(compute.Off, n.Name) && (n.State == compute.NodeOff || n.State == compute.NodeStopping) {
				w.state = compute.NodeStarting
			}
		}
	}
	for _, e := range s.in.Effects {
		if w := s.nodes[e.Act.Target]; w != nil && e.Act.Verb == compute.Hold && !e.Done.IsZero() && e.Undoing.IsZero() {
			w.cap = e.Act.Power
		}
	}
}

// placeJobs notes on each node what its jobs allow.
func (s *Survey) placeJobs() {
	for i := range s.in.View.Jobs {
		j := &s.in.View.Jobs[i]
		if j.State != compute.JobRunning && j.State != compute.JobFrozen && j.State != compute.JobStopping {
			continue
		}
		t := s.terms(j)
		slow := t.Slowdown
		if t.Class == compute.Firm {
			slow = 0
		}
		for _, p := range j.Places {
			if n := s.nodes[p.Node]; n != nil {
				n.used += p.GPUs
				if s.told(compute.Stop, j.ID) || j.State == compute.JobStopping {
					n.going += p.GPUs
				}
				n.slow = min(n.slow, slow)
				n.value += t.Value * unit.Money(p.GPUs)
			}
		}
	}
}

// told says whether an act is in force or on its way.
func (s *Survey) told(v compute.Verb, target string) bool {
	if len(s.in.Effects) == 0 {
		return false
	}
	e, ok := s.in.Effects[compute.Act{Verb: v, Target: target}.Key()]
	return ok && e.Undoing.IsZero()
}

func (s *Survey) failing(v compute.Verb, target string) bool {
	return len(s.in.Failing) > 0 && s.in.Failing[compute.Act{Verb: v, Target: target}.Key()]
}

// awake says whether a node draws as a running machine does.
func (n *nodeWork) awake() bool { return n.state != compute.NodeOff }

// rest is what a node draws without work.
func (n *nodeWork) rest() unit.Power {
	if !n.awake() {
		return n.Off
	}
	return n.Idle + unit.Power(n.GPUs)*n.model.Idle
}

// gpu is what one GPU at work draws beyond idle, held to limit (zero: not held).
func (s *Survey) gpu(n *nodeWork, limit unit.Power) unit.Power {
	p := n.model.Idle + (n.model.Full - n.model.Idle).Scale(float64(s.in.Busy))
	if limit > 0 {
		p = min(p, limit)
	}
	return max(p-n.model.Idle, 0)
}

// host is what a machine draws beyond idle for so many GPUs at work.
func (n *nodeWork) host(gpus int) unit.Power {
	if n.GPUs <= 0 {
		return 0
	}
	return (n.Full - n.Idle).Scale(float64(gpus) / float64(n.GPUs))
}

// level is the cap that the work on a node bears, and what is lost of its work by it; zero where
// it bears none or the cap would change nothing.
func (s *Survey) level(n *nodeWork) (unit.Power, unit.Ratio) {
	if _, held := s.in.Held[n.Name]; held {
		return 0, 0
	}
	if !s.c.Caps || n.used == 0 || n.slow <= 0 || n.slow >= 1 || s.failing(compute.Hold, n.Name) {
		return 0, 0
	}
	at := capAt{n.Model, n.slow}
	limit, ok := s.levels[at]
	if !ok {
		limit = n.model.Cap(n.slow)
		s.levels[at] = limit
	}
	if s.gpu(n, limit) >= s.gpu(n, 0) {
		return 0, 0
	}
	return limit, 1 - n.model.Throughput(limit)
}

// idle offers nodes without work, where their power can be taken: those that nobody waits for
// at once, those that waiting and paused jobs need after everything else.
func (s *Survey) idle() {
	waiting := s.waiting()
	var free []*nodeWork
	for _, off := range []bool{false, true} { // what is awake serves those who wait first
		for _, name := range s.names {
			if n := s.nodes[name]; (n.state == compute.NodeOff) == off {
				s.Base += n.rest()
				if s.spare(n) {
					free = append(free, n)
				}
			}
		}
	}
	for _, n := range free {
		off := n.state == compute.NodeOff || s.told(compute.Off, n.Name)
		power := n.Idle + unit.Power(n.GPUs)*n.model.Idle - n.Off
		if power <= 0 {
			continue
		}
		if n.state != compute.NodeOff {
			s.Base -= power
		}
		// An hour of rest costs the chance, one in ten, that work comes and waits for the boot.
		lost := s.worth(n).Dollars() * s.c.boot().Hours() / 10
		b := block{kind: kindIdle, power: power, value: unit.DollarsPerMWh(lost / power.Megawatts()), act: compute.Act{Verb: compute.Off, Target: n.Name}, back: off}
		if waiting > 0 || !s.rested(n) {
			waiting -= n.GPUs
			b.kind, b.value = kindEmpty, s.c.Penalty()/4
		}
		s.blocks = append(s.blocks, b)
	}
}

// spare says whether a node has no work and its power can be taken, or was taken by us.
func (s *Survey) spare(n *nodeWork) bool {
	if _, held := s.in.Held[n.Name]; held {
		return false
	}
	if !s.c.Switch || n.GPUs == 0 || n.used > 0 || s.failing(compute.Off, n.Name) {
		return false
	}
	// What was told to go off is on its way or there, whatever its engine calls that.
	return n.state == compute.NodeUp || s.told(compute.Off, n.Name) || n.ours && (n.state == compute.NodeOff || n.state == compute.NodeFenced)
}

// rested says whether a node had no work for so long that its power may be taken before anything
// else; one that just lost its work is the last resort.
func (s *Survey) rested(n *nodeWork) bool {
	return n.state == compute.NodeOff || s.told(compute.Off, n.Name) || s.in.Rested == nil || s.in.Rested(n.Name)
}

// worth is what an hour of work on all of a node's GPUs earns at the best class's rate.
func (s *Survey) worth(n *nodeWork) (most unit.Money) {
	for _, t := range s.c.Terms {
		most = max(most, t.Value)
	}
	return most * unit.Money(n.GPUs)
}

// waiting is how many GPUs jobs wait for beyond those that are free beside others' work.
func (s *Survey) waiting() int {
	n := 0
	for i := range s.in.View.Jobs {
		if j := &s.in.View.Jobs[i]; j.State == compute.JobPending || j.State == compute.JobPaused && j.Ours {
			n += j.GPUs
		}
	}
	for _, w := range s.nodes {
		if w.state == compute.NodeUp && w.used > 0 {
			n -= w.GPUs - w.used
		}
	}
	return max(n, 0)
}

// caps offers what capping each node's GPUs saves.
func (s *Survey) caps() {
	for _, name := range s.names {
		n := s.nodes[name]
		limit, lost := n.limit, n.lost
		if limit == 0 {
			continue
		}
		power := unit.Power(n.used-n.going) * (s.gpu(n, 0) - s.gpu(n, limit))
		if power <= 0 { // all of its work is on its way out: a cap holds until it is gone
			if n.cap > 0 {
				s.stays = append(s.stays, compute.Act{Verb: compute.Hold, Target: name, Power: n.cap})
			}
			continue
		}
		value := unit.DollarsPerMWh(n.value.Dollars() * float64(lost) / power.Megawatts())
		s.blocks = append(s.blocks, block{
			kind: kindCap, power: power, value: value, back: n.cap > 0 && n.cap <= limit,
			act: compute.Act{Verb: compute.Hold, Target: name, Power: limit},
		})
	}
}

// power is what a job draws beyond its nodes' rest: in all, and with its nodes capped as far as
// they bear it.
func (s *Survey) power(j *compute.Job) (full, capped unit.Power) {
	for _, p := range j.Places {
		n := s.nodes[p.Node]
		if n == nil {
			continue
		}
		limit := n.limit
		full += unit.Power(p.GPUs)*s.gpu(n, 0) + n.host(p.GPUs)
		capped += unit.Power(p.GPUs)*s.gpu(n, limit) + n.host(p.GPUs)
	}
	return full, capped
}

// typical is what a job that has no place yet will draw: by the inventory's first machine with GPUs.
func (s *Survey) typical(j *compute.Job) unit.Power {
	for _, name := range s.names {
		if n := s.nodes[name]; n.GPUs > 0 {
			return unit.Power(j.GPUs) * (s.gpu(n, 0) + n.host(1))
		}
	}
	return 0
}

// Rise is the most by which the cluster could draw more without an act of ours: free GPUs that
// take work, and GPUs at work that draw less than they may.
func (s *Survey) Rise() (p unit.Power) {
	for _, n := range s.nodes {
		if n.state != compute.NodeUp && n.state != compute.NodeStarting {
			continue
		}
		full := n.model.Full
		if n.cap > 0 {
			full = min(full, n.cap)
		}
		p += unit.Power(n.GPUs-n.used)*(full-n.model.Idle) + n.host(n.GPUs-n.used)
		p += unit.Power(n.used) * max(full-n.model.Idle-s.gpu(n, n.cap), 0)
	}
	return max(p, 0)
}
