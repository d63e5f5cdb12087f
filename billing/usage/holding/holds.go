package holding

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"switchyard/billing/usage/labels"
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
	// Trusted is how old the last view may be as an interval closes before what ran on since is
	// marked as assumed; default 2 min. A site whose time runs faster than the engine's needs more.
	Trusted time.Duration
}

// Holds gather who held which GPU for how long, from an engine's views. They are bounded, and
// their state can be kept as JSON.
//
// A job holds its GPUs from its start until its end as the engine tells them, else as the views show
// it; a frozen job and one that is stopping hold theirs. While the engine is not reachable what
// ran is taken to run on. Which GPUs a job has is as its engine says, else as the GPUs' readings
// name it, else guessed; what is learned later corrects the intervals that are still open.
type Holds struct {
	owners Owners

	mu     sync.Mutex
	labels *labels.Book // whose work is on which GPU
	at     time.Time    // up to when everything is booked
	jobs   map[string]*heldJob
	spans  map[int64]map[place][]Hold // by interval's start, Unix seconds
	closed time.Time
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
	Booked  time.Time `json:"booked"` // since when its GPUs were booked; zero: not yet

	assumed bool // that it still holds them
}

const (
	maxFuture   = 24 * time.Hour // between two views; past it nothing is made up
	maxJobs     = 100_000
	maxOpen     = 300 // intervals: a day that nobody closed
	trustedView = 2 * time.Minute
)

// New makes Holds that have seen nothing.
func New(o Owners) *Holds {
	o.Trusted = cmp.Or(o.Trusted, trustedView)
	return &Holds{owners: o, labels: labels.New(), jobs: map[string]*heldJob{}, spans: map[int64]map[place][]Hold{}}
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
	ended := map[string]time.Time{}
	jobs := sortedJobs(v.Jobs)
	var holders, passed []compute.Job
	for _, j := range jobs {
		switch {
		case holding(j.State):
			if len(holders) < maxJobs {
				holders = append(holders, j)
			}
		case !j.Ended.IsZero():
			ended[keyOf(j)] = j.Ended.UTC()
			if h.jobs[keyOf(j)] == nil && j.Started.After(h.at) && j.Ended.After(j.Started) {
				passed = append(passed, j) // came and went between two views
			}
		}
	}
	now, taken := h.find(holders)
	for _, j := range passed {
		h.book(h.guess(j, "", maps.Clone(taken), nil), j.Started, j.Ended, false)
	}
	h.advance(at, now, ended)
}

func keyOf(j compute.Job) string { return j.ID + "@" + j.Started.UTC().Format(time.RFC3339Nano) }

// find finds the GPUs of all jobs that hold some: first of those that are told of, then of those
// that were found before, then of the others.
func (h *Holds) find(holders []compute.Job) (now map[string]*heldJob, taken map[place]bool) {
	now, taken = make(map[string]*heldJob, len(holders)), map[place]bool{}
	owner := h.labels.Whose(holders)
	for _, j := range holders {
		key := keyOf(j)
		if told := h.told(j, key, owner); told != nil {
			now[key] = h.changed(h.jobs[key], told)
			now[key].take(taken)
		}
	}
	for _, j := range holders {
		key := keyOf(j)
		if was := h.jobs[key]; now[key] == nil && was != nil && was.gpus() == countGPUs(j) && (!was.Guessed || !was.collides(taken)) {
			now[key] = was
			was.take(taken)
		}
	}
	for _, j := range holders {
		key := keyOf(j)
		if now[key] == nil {
			now[key] = h.changed(h.jobs[key], h.guess(j, key, taken, owner))
		}
	}
	return now, taken
}

// changed returns what a job holds as it is known now, and books what is open anew where that
// is not what was taken for it.
func (h *Holds) changed(was, is *heldJob) *heldJob {
	if was == nil || was.gpus() != is.gpus() {
		return is
	}
	if is.Guessed == was.Guessed && slices.Equal(was.Nodes, is.Nodes) && slices.Equal(was.Indices, is.Indices) {
		return was
	}
	if is.Booked = was.Booked; !was.Booked.IsZero() {
		from := later(was.Booked, h.at.Add(-maxOpen*telemetry.Length))
		h.book(was, from, h.at, true)
		h.book(is, from, h.at, false)
	}
	return is
}

// advance books [h.at, at) for what held GPUs in it.
func (h *Holds) advance(at time.Time, now map[string]*heldJob, ended map[string]time.Time) {
	for key, j := range h.jobs {
		if n := now[key]; n != nil && n.Booked.Equal(j.Booked) && n.gpus() == j.gpus() {
			j = n // where its GPUs are is known better
		}
		to := at
		if end, ok := ended[key]; ok && now[key] == nil && end.Before(at) {
			to = end
		}
		h.begin(j, to)
	}
	for key, j := range now {
		if h.jobs[key] == nil && !j.Since.IsZero() {
			h.begin(j, at)
		}
	}
	h.jobs, h.at = now, at
}

// begin books a job from where the books stand, or from its start where that is later.
func (h *Holds) begin(j *heldJob, to time.Time) {
	from := later(h.at, j.Since)
	if j.Booked.IsZero() {
		j.Booked = from
	}
	h.book(j, from, to, false)
}

func holding(s compute.JobState) bool {
	return s == compute.JobRunning || s == compute.JobStopping || s == compute.JobFrozen
}

// sortedJobs returns jobs by start and id, so that places are guessed the same each time.
func sortedJobs(jobs []compute.Job) []compute.Job {
	out := slices.Clone(jobs)
	slices.SortFunc(out, func(a, b compute.Job) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.ID, b.ID))
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

// book gives a job's GPUs the time [from, to), interval by interval; what is closed stays so.
// With back it takes it away again.
func (h *Holds) book(j *heldJob, from, to time.Time, back bool) {
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
		end := start.Add(telemetry.Length)
		if end.After(to) {
			end = to
		}
		span := h.spans[start.Unix()]
		if span == nil && !back {
			span = map[place][]Hold{}
			h.spans[start.Unix()] = span
		}
		held := end.Sub(at)
		if back {
			held = -held
		}
		for i, node := range j.Nodes {
			if span == nil {
				break
			}
			p := place{Node: node, Index: j.Indices[i]}
			span[p] = addHold(span[p], Hold{Tenant: tenant, Job: job, For: held, Sale: sale, Guessed: j.Guessed, Assumed: j.assumed})
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
			if x.For += h.For; x.For <= 0 {
				return slices.Delete(to, i, i+1)
			}
			x.Guessed, x.Assumed = x.Guessed || h.Guessed && h.For > 0, x.Assumed || h.Assumed
			return to
		}
	}
	if h.For <= 0 {
		return to
	}
	return append(to, h)
}

// Close puts who held what in the interval from start into the machines' GPUs, adding machines
// and GPUs that told nothing themselves, and lets go of the interval. Where the last view is
// from before the interval's end, what ran then is taken to have run on; where it is older than
// Owners.Trusted that is marked as assumed.
func (h *Holds) Close(start time.Time, machines []MachineUse) []MachineUse {
	h.mu.Lock()
	defer h.mu.Unlock()
	start = start.UTC()
	end := start.Add(telemetry.Length)
	if !h.at.IsZero() && end.Sub(h.at) > maxFuture {
		h.at = start // away for long: what ran meanwhile nobody knows
	}
	if !h.at.IsZero() && h.at.Before(end) {
		stale := end.Sub(h.at) > h.owners.Trusted
		for _, j := range h.jobs {
			run := *j
			run.assumed = stale
			h.book(&run, later(h.at, j.Since), end, false)
			if j.Booked.IsZero() {
				j.Booked = later(h.at, j.Since)
			}
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
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(a.Index, b.Index)) })
	for _, p := range places {
		i, ok := at[p.Node]
		if !ok {
			i = len(machines)
			at[p.Node] = i
			machines = append(machines, MachineUse{Name: p.Node, Energy: Figure{Quality: site.Missing}})
		}
		m := &machines[i]
		k := slices.IndexFunc(m.GPUs, func(g GPUUse) bool { return g.Index == p.Index })
		if k < 0 {
			k = len(m.GPUs)
			m.GPUs = append(m.GPUs, GPUUse{Index: p.Index, Ref: fmt.Sprintf("%s/%d", p.Node, p.Index), Energy: Figure{Quality: site.Missing}})
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
			s.Spans[start] = append(s.Spans[start], placeHolds{p.Node, p.Index, holds})
		}
		slices.SortFunc(s.Spans[start], func(a, b placeHolds) int {
			return cmp.Or(strings.Compare(a.Node, b.Node), cmp.Compare(a.Index, b.Index))
		})
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
			spans[start][place{Node: p.Node, Index: p.Index}] = p.Holds
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
