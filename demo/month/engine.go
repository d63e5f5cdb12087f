package month

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"switchyard/compute"
	"switchyard/emulate/gpus"
)

// kind is a stream of jobs alike.
type kind struct {
	account, queue string
	sizes          []int
	mean           time.Duration // of a run
	every          time.Duration // between two arrivals, on average
	short          float64       // the share of jobs that last some seconds
	again          float64       // the share that is stopped midway and started anew
	most           int           // GPUs at once; zero: no bound
}

func kinds() []kind {
	return []kind{
		{account: serve, queue: "serving", sizes: []int{2, 4, 8}, mean: 10 * time.Hour, every: 3 * time.Hour, most: 24},
		{account: serve, queue: "batch", sizes: []int{1, 2, 4}, mean: 25 * time.Minute, every: 5 * time.Minute, short: 0.3},
		{account: lab, queue: "spot", sizes: []int{1, 4, 8}, mean: 3 * time.Hour, every: 32 * time.Minute, again: 0.25},
		{account: "ops", queue: "batch", sizes: []int{1}, mean: 30 * time.Minute, every: 9 * time.Hour},
	}
}

// place is one GPU.
type place struct{ node, index int }

// run is a job from one start to its end.
type run struct {
	id             string
	kind           int
	size           int
	arrives        time.Time
	left           time.Duration // it still runs, once it has its GPUs
	places         []place
	started, ended time.Time
	until          time.Time // it ends then; with again it is started anew
	again          bool
	failed         bool
}

// engine is a scheduler of its own with an exact account: first come, first served.
type engine struct {
	kinds   []kind
	rng     *rand.Rand
	gpus    *gpus.Cluster
	next    []time.Time // arrival of each kind
	serial  int
	pending []*run
	live    []*run
	recent  []*run // ended within the hour
	account []run  // all that ended: the engine's own account
	free    [nodeN][gpuN]time.Time
	taken   [nodeN][gpuN]bool
	down    map[int]bool
	inUse   []int // by kind
}

func newEngine(seed uint64, c *gpus.Cluster, start time.Time) *engine {
	e := &engine{kinds: kinds(), rng: rand.New(rand.NewPCG(seed, 7)), gpus: c, down: map[int]bool{}} //nolint:gosec // a simulation is to be the same each time
	e.inUse = make([]int, len(e.kinds))
	for range e.kinds {
		e.next = append(e.next, start)
	}
	return e
}

func (e *engine) wait(mean time.Duration) time.Duration {
	return max(time.Duration(e.rng.ExpFloat64()*mean.Seconds())*time.Second, time.Second)
}

// step moves the engine to now: ends first, then arrivals, then whatever fits.
func (e *engine) step(now time.Time) {
	for _, r := range slices.Clone(e.live) {
		if !r.until.After(now) {
			e.end(r, r.until, false)
		}
	}
	e.boots()
	for k := range e.kinds {
		for !e.next[k].After(now) {
			e.arrive(k)
		}
	}
	for _, r := range slices.Clone(e.pending) {
		e.start(r, now)
	}
	e.recent = slices.DeleteFunc(e.recent, func(r *run) bool { return now.Sub(r.ended) > time.Hour })
}

func (e *engine) arrive(k int) {
	x := e.kinds[k]
	e.serial++
	r := &run{id: fmt.Sprint(4000 + e.serial), kind: k, size: x.sizes[e.rng.IntN(len(x.sizes))], arrives: e.next[k], left: e.wait(x.mean)}
	if e.rng.Float64() < x.short {
		r.left = time.Duration(5+e.rng.IntN(35)) * time.Second
	}
	r.again = e.rng.Float64() < x.again
	e.pending = append(e.pending, r)
	e.next[k] = e.next[k].Add(e.wait(x.every))
}

// start gives a job its GPUs if there are enough.
func (e *engine) start(r *run, now time.Time) {
	if r.arrives.After(now) || e.kinds[r.kind].most > 0 && e.inUse[r.kind]+r.size > e.kinds[r.kind].most {
		return
	}
	var at []place
	since := r.arrives
	for n := range nodeN {
		for g := range gpuN {
			if len(at) < r.size && !e.taken[n][g] && !e.down[n] {
				at = append(at, place{n, g})
				if e.free[n][g].After(since) {
					since = e.free[n][g]
				}
			}
		}
	}
	if len(at) < r.size {
		return
	}
	if now.Sub(since) > step { // it waited for what is known only now
		since = now
	}
	r.places, r.started = at, since
	r.until = since.Add(r.left)
	if r.again {
		r.until = since.Add(max(r.left/2, time.Second))
	}
	for _, p := range at {
		e.taken[p.node][p.index] = true
	}
	e.inUse[r.kind] += r.size
	e.live = append(e.live, r)
	e.pending = slices.DeleteFunc(e.pending, func(x *run) bool { return x == r })
	if r.until.After(now) { // else it is over before it could draw any power
		w := gpus.Work{ID: r.id, Load: 20 * time.Second, Every: 30 * time.Minute, Takes: 20 * time.Second}
		_ = e.gpus.Start(w, placesOf(at)) // a node that is away runs nothing, and its job holds it all the same
	}
}

func placesOf(at []place) []gpus.Place {
	var out []gpus.Place
	for _, p := range at {
		name := nodeName(p.node)
		if n := len(out); n > 0 && out[n-1].Node == name {
			out[n-1].GPUs = append(out[n-1].GPUs, p.index)
			continue
		}
		out = append(out, gpus.Place{Node: name, GPUs: []int{p.index}})
	}
	return out
}

func nodeName(n int) string { return fmt.Sprintf("gpu%d", n+1) }

// end takes a job's GPUs from it.
func (e *engine) end(r *run, at time.Time, failed bool) {
	r.ended, r.failed = at, failed
	e.gpus.Kill(r.id)
	e.gpus.Forget(r.id)
	for _, p := range r.places {
		e.taken[p.node][p.index], e.free[p.node][p.index] = false, at
	}
	e.inUse[r.kind] -= r.size
	e.live = slices.DeleteFunc(e.live, func(x *run) bool { return x == r })
	e.account = append(e.account, *r)
	if r.again && !failed {
		again := &run{id: r.id, kind: r.kind, size: r.size, left: r.left - at.Sub(r.started), arrives: at.Add(time.Duration(1+e.rng.IntN(600)) * time.Second)}
		again.left = max(again.left, time.Second)
		e.pending = append(e.pending, again)
		return // its end is told no more: the same job waits again
	}
	e.recent = append(e.recent, r)
}

// powerCycle takes a node's power and gives it again: its jobs fail, and its counters start anew.
func (e *engine) powerCycle(n int, now time.Time) {
	e.down[n] = true
	for _, r := range slices.Clone(e.live) {
		if slices.ContainsFunc(r.places, func(p place) bool { return p.node == n }) {
			e.end(r, now, true)
		}
	}
	e.gpus.Node(nodeName(n)).ForceRestart()
}

func (e *engine) boots() {
	for n := range e.down {
		if e.gpus.Node(nodeName(n)).State() == gpus.On {
			delete(e.down, n)
		}
	}
}

// view is the cluster as an engine's adapter tells of it.
func (e *engine) view(now time.Time) compute.View {
	v := compute.View{At: now, Reachable: true, Engine: "slurm 22.05.8"}
	for n := range nodeN {
		x := compute.Node{Name: nodeName(n), GPUs: gpuN}
		if e.down[n] {
			x.State = compute.NodeDown
		}
		v.Nodes = append(v.Nodes, x)
	}
	for _, r := range e.pending {
		v.Jobs = append(v.Jobs, e.job(r, compute.JobPending))
	}
	for _, r := range e.live {
		v.Jobs = append(v.Jobs, e.job(r, compute.JobRunning))
	}
	for _, r := range e.recent {
		state := compute.JobDone
		if r.failed {
			state = compute.JobFailed
		}
		v.Jobs = append(v.Jobs, e.job(r, state))
	}
	return v
}

func (e *engine) job(r *run, s compute.JobState) compute.Job {
	k := e.kinds[r.kind]
	j := compute.Job{ID: r.id, Name: k.queue, Account: k.account, Queue: k.queue, State: s, GPUs: r.size, Submitted: r.arrives}
	if s == compute.JobPending {
		return j
	}
	j.Started, j.Ended = r.started, r.ended
	for _, p := range placesOf(r.places) {
		j.Places = append(j.Places, compute.Place{Node: p.Node, GPUs: len(p.GPUs), Indices: p.GPUs})
	}
	return j
}

// GPUHours is the GPU time of one month by how it is sold, in hours.
type GPUHours struct {
	Reserved, OnDemand, Interruptible float64
}

const reservedGPUs = 16

// hours is what the engine's own account says that a tenant used within s. Within each interval the
// tenant's jobs use what is reserved for it first: those of the reserved queue, then on demand, then
// interruptible ones. What the reserved queue uses beyond it was had on demand.
func (e *engine) hours(tenant string, s span, now time.Time) GPUHours {
	var out GPUHours
	used := map[int64]*[3]time.Duration{} // by interval and queue
	runs := slices.Clone(e.account)
	for _, r := range e.live {
		x := *r
		x.ended = now
		runs = append(runs, x)
	}
	for _, r := range runs {
		k := e.kinds[r.kind]
		from, to := later(r.started, s.from), earlier(r.ended, s.to)
		if k.account != tenant || !from.Before(to) {
			continue
		}
		queue := slices.Index([]string{"serving", "batch", "spot"}, k.queue)
		for at := from; at.Before(to); {
			start := at.UTC().Truncate(length)
			end := earlier(start.Add(length), to)
			if used[start.Unix()] == nil {
				used[start.Unix()] = &[3]time.Duration{}
			}
			used[start.Unix()][queue] += time.Duration(r.size) * end.Sub(at)
			at = end
		}
	}
	held := time.Duration(0)
	if tenant == serve {
		held = reservedGPUs * length
	}
	for _, start := range slices.Sorted(maps.Keys(used)) {
		u, left := used[start], held
		for queue := range u {
			in := min(u[queue], left)
			left -= in
			out.Reserved += in.Hours()
			if over := (u[queue] - in).Hours(); queue == 2 {
				out.Interruptible += over
			} else {
				out.OnDemand += over
			}
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
