package usage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/telemetry"
)

// Owners says whose a job is and how its GPU time is sold.
type Owners struct {
	// Tenants by account or namespace; a job of another's account is nobody's, and the house's.
	Tenants map[string]string
	// Sales by queue or partition; a queue not named sells on demand.
	Sales map[string]Sale
	// Engine begins a job's evidence: "slurm 4711".
	Engine string
}

// Holds gather who held which GPU for how long, from an engine's views. They are bounded, and
// their state can be kept as JSON.
//
// A job holds its GPUs from its start until its end as the engine tells them, else as the views show
// it; a frozen job and one that is stopping hold theirs. While the engine is not reachable what
// ran is taken to run on.
type Holds struct {
	owners Owners

	mu     sync.Mutex
	at     time.Time // up to when everything is booked
	jobs   map[string]*heldJob
	spans  map[int64]map[place][]Hold // by interval's start, Unix seconds
	closed time.Time
}

// place is one GPU of a machine.
type place struct {
	node  string
	index int
}

// heldJob is a job as it holds GPUs.
type heldJob struct {
	Key     string    `json:"key"` // its id, and its start: a job that is started anew is another
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Queue   string    `json:"queue"`
	Since   time.Time `json:"since"` // zero: not told
	Nodes   []string  `json:"nodes"` // with Indices, one for each GPU
	Indices []int     `json:"indices"`
	Guessed bool      `json:"guessed,omitempty"`
}

const (
	maxFuture   = 24 * time.Hour // between two views; past it nothing is made up
	maxJobs     = 100_000
	maxOpen     = 300 // intervals: a day that nobody closed
	trustedView = 2 * time.Minute
)

// NewHolds makes Holds that have seen nothing.
func NewHolds(o Owners) *Holds {
	return &Holds{owners: o, jobs: map[string]*heldJob{}, spans: map[int64]map[place][]Hold{}}
}

// Observe takes a view. One that is not reachable or older than the last changes nothing.
func (h *Holds) Observe(v compute.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := v.At.UTC()
	if !v.Reachable || at.IsZero() || !at.After(h.at) {
		return
	}
	if h.at.IsZero() || at.Sub(h.at) > maxFuture {
		h.at = at // nothing is made up
	}
	now := map[string]*heldJob{}
	ended := map[string]time.Time{}
	taken := map[place]bool{}
	jobs := sortedJobs(v.Jobs)
	var passed []compute.Job
	for _, j := range jobs {
		key := j.ID + "@" + j.Started.UTC().Format(time.RFC3339Nano)
		if !holding(j.State) {
			if !j.Ended.IsZero() {
				ended[key] = j.Ended.UTC()
			}
			if !j.Ended.IsZero() && h.jobs[key] == nil && j.Started.After(h.at) && j.Ended.After(j.Started) {
				passed = append(passed, j) // came and went between two views
			}
			continue
		}
		if len(now) >= maxJobs {
			break
		}
		if was := h.jobs[key]; was != nil && was.gpus() == countGPUs(j) {
			now[key] = was
			was.take(taken)
		}
	}
	for _, j := range jobs {
		key := j.ID + "@" + j.Started.UTC().Format(time.RFC3339Nano)
		if holding(j.State) && now[key] == nil && len(now) < maxJobs {
			now[key] = h.hold(j, key, taken)
		}
	}
	for _, j := range passed {
		h.book(h.hold(j, "", maps.Clone(taken)), j.Started, j.Ended)
	}
	h.advance(at, now, ended)
}

// advance books [h.at, at) for what held GPUs in it.
func (h *Holds) advance(at time.Time, now map[string]*heldJob, ended map[string]time.Time) {
	for key, j := range h.jobs {
		to := at
		if end, ok := ended[key]; ok && now[key] == nil && end.Before(at) {
			to = end
		}
		h.book(j, later(h.at, j.Since), to)
	}
	for key, j := range now {
		if h.jobs[key] == nil && !j.Since.IsZero() {
			h.book(j, later(h.at, j.Since), at)
		}
	}
	h.jobs, h.at = now, at
}

func holding(s compute.JobState) bool {
	return s == compute.JobRunning || s == compute.JobStopping || s == compute.JobFrozen
}

// sortedJobs returns jobs by start and id, so that places are guessed the same each time.
func sortedJobs(jobs []compute.Job) []compute.Job {
	out := slices.Clone(jobs)
	slices.SortFunc(out, func(a, b compute.Job) int {
		return cmp.Or(a.Started.Compare(b.Started), compareText(a.ID, b.ID))
	})
	return out
}

func countGPUs(j compute.Job) int {
	n := 0
	for _, p := range j.Places {
		n += p.GPUs
	}
	return n
}

func (j *heldJob) gpus() int { return len(j.Indices) }

func (j *heldJob) take(taken map[place]bool) {
	for i, node := range j.Nodes {
		taken[place{node, j.Indices[i]}] = true
	}
}

// hold finds the GPUs of a job: those that the engine names, else the first that no other job has.
func (h *Holds) hold(j compute.Job, key string, taken map[place]bool) *heldJob {
	out := &heldJob{Key: key, ID: j.ID, Account: j.Account, Queue: j.Queue}
	if !j.Started.IsZero() {
		out.Since = j.Started.UTC()
	}
	for _, p := range j.Places {
		for _, i := range p.Indices[:min(len(p.Indices), maxGPUs)] {
			out.Nodes, out.Indices = append(out.Nodes, p.Node), append(out.Indices, i)
			taken[place{p.Node, i}] = true
		}
		if len(p.Indices) > 0 {
			continue
		}
		out.Guessed = out.Guessed || p.GPUs > 0
		for i, left := 0, min(p.GPUs, maxGPUs); left > 0 && i < 2*maxGPUs; i++ {
			if at := (place{p.Node, i}); !taken[at] {
				taken[at] = true
				out.Nodes, out.Indices = append(out.Nodes, p.Node), append(out.Indices, i)
				left--
			}
		}
	}
	return out
}

// book gives a job's GPUs the time [from, to), interval by interval; what is closed stays so.
func (h *Holds) book(j *heldJob, from, to time.Time) {
	from, to = later(from.UTC(), h.closed), to.UTC()
	sale := h.owners.Sales[j.Queue]
	if sale == "" {
		sale = OnDemand
	}
	job := j.ID
	if h.owners.Engine != "" {
		job = h.owners.Engine + " " + j.ID
	}
	tenant := h.owners.Tenants[j.Account]
	for at := from; at.Before(to); {
		start := telemetry.Span(at)
		end := start.Add(length)
		if end.After(to) {
			end = to
		}
		span := h.spans[start.Unix()]
		if span == nil {
			span = map[place][]Hold{}
			h.spans[start.Unix()] = span
		}
		for i, node := range j.Nodes {
			p := place{node, j.Indices[i]}
			span[p] = addHold(span[p], Hold{Tenant: tenant, Job: job, For: end.Sub(at), Sale: sale, Guessed: j.Guessed})
		}
		at = end
	}
	for len(h.spans) > maxOpen { // nobody closes them: the oldest are given up
		oldest := int64(1<<63 - 1)
		for s := range h.spans {
			oldest = min(oldest, s)
		}
		delete(h.spans, oldest)
	}
}

func addHold(to []Hold, h Hold) []Hold {
	for i := range to {
		if x := &to[i]; x.Tenant == h.Tenant && x.Job == h.Job && x.Sale == h.Sale {
			x.For += h.For
			x.Guessed = x.Guessed || h.Guessed
			return to
		}
	}
	return append(to, h)
}

// Close puts who held what in the interval from start into the machines' GPUs, adding machines
// and GPUs that told nothing themselves, and lets go of the interval. Where the last view is
// from before the interval's end, what ran then is taken to have run on; beyond two minutes
// that is marked as guessed.
func (h *Holds) Close(start time.Time, machines []MachineUse) []MachineUse {
	h.mu.Lock()
	defer h.mu.Unlock()
	start = start.UTC()
	end := start.Add(length)
	if !h.at.IsZero() && end.Sub(h.at) > maxFuture {
		h.at = start // away for long: what ran meanwhile nobody knows
	}
	if !h.at.IsZero() && h.at.Before(end) {
		stale := end.Sub(h.at) > trustedView
		for _, j := range h.jobs {
			run := *j
			run.Guessed = run.Guessed || stale
			h.book(&run, later(h.at, j.Since), end)
		}
		h.at = end
	}
	at := map[string]int{}
	for i := range machines {
		at[machines[i].Name] = i
	}
	span := h.spans[start.Unix()]
	for s := range h.spans {
		if s <= start.Unix() {
			delete(h.spans, s)
		}
	}
	h.closed = later(h.closed, end)
	places := make([]place, 0, len(span))
	for p := range span {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(compareText(a.node, b.node), cmp.Compare(a.index, b.index)) })
	for _, p := range places {
		i, ok := at[p.node]
		if !ok {
			i = len(machines)
			at[p.node] = i
			machines = append(machines, MachineUse{Name: p.node, Energy: Figure{Quality: site.Missing}})
		}
		m := &machines[i]
		k := slices.IndexFunc(m.GPUs, func(g GPUUse) bool { return g.Index == p.index })
		if k < 0 {
			k = len(m.GPUs)
			m.GPUs = append(m.GPUs, GPUUse{Index: p.index, Ref: fmt.Sprintf("%s/%d", p.node, p.index), Energy: Figure{Quality: site.Missing}})
		}
		m.GPUs[k].Holds = span[p]
	}
	return machines
}

// holdsState is what a checkpoint holds.
type holdsState struct {
	Version int                    `json:"version"`
	At      time.Time              `json:"at"`
	Closed  time.Time              `json:"closed"`
	Jobs    map[string]*heldJob    `json:"jobs"`
	Spans   map[int64][]placeHolds `json:"spans"`
}

type placeHolds struct {
	Node  string `json:"node"`
	Index int    `json:"index"`
	Holds []Hold `json:"holds"`
}

// Checkpoint returns the whole state as JSON.
func (h *Holds) Checkpoint() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := holdsState{Version: 1, At: h.at, Closed: h.closed, Jobs: h.jobs, Spans: map[int64][]placeHolds{}}
	for start, span := range h.spans {
		for p, holds := range span {
			s.Spans[start] = append(s.Spans[start], placeHolds{p.node, p.index, holds})
		}
		slices.SortFunc(s.Spans[start], func(a, b placeHolds) int { return cmp.Or(compareText(a.Node, b.Node), cmp.Compare(a.Index, b.Index)) })
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of GPU time: %w", err)
	}
	return data, nil
}

// Restore takes up the state of a checkpoint in place of what is there. One that is damaged is
// an error, and changes nothing.
func (h *Holds) Restore(data []byte) error {
	if len(data) > maxCheckpoint {
		return fmt.Errorf("restore GPU time: %d bytes are more than %d", len(data), maxCheckpoint)
	}
	var s holdsState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("restore GPU time: %w", err)
	}
	if s.Version != 1 || len(s.Jobs) > maxJobs || len(s.Spans) > maxOpen {
		return fmt.Errorf("restore GPU time: version %d with %d jobs and %d intervals: this program knows version 1, %d and %d",
			s.Version, len(s.Jobs), len(s.Spans), maxJobs, maxOpen)
	}
	spans := map[int64]map[place][]Hold{}
	for start, list := range s.Spans {
		spans[start] = map[place][]Hold{}
		for _, p := range list {
			spans[start][place{p.Node, p.Index}] = p.Holds
		}
	}
	for id, j := range s.Jobs {
		if j == nil || len(j.Nodes) != len(j.Indices) {
			return fmt.Errorf("restore GPU time: job %s has no places", id)
		}
	}
	if s.Jobs == nil {
		s.Jobs = map[string]*heldJob{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.closed, h.jobs, h.spans = s.At.UTC(), s.Closed.UTC(), s.Jobs, spans
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
