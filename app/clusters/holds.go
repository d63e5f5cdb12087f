package clusters

import (
	"sync"
	"time"

	"switchyard/billing/usage"
	"switchyard/compute"
	"switchyard/sitefile/cluster"
	"switchyard/telemetry"
)

// holds adds up who held which GPUs, by interval. Times are the engine's own starts and ends, so
// that they come to what its accounting says.
type holds struct {
	def  cluster.Cluster
	mu   sync.Mutex
	last time.Time
	open map[time.Time]map[place]time.Duration // by interval's start
}

// place is a part of a job on a machine; gpu is -1 where the engine does not tell which.
type place struct {
	node string
	gpu  int
	job  string
	who  string
	sale usage.Sale
}

// maxOpen bounds how many intervals wait to be settled: a day of them.
const maxOpen = 288

func newHolds(def cluster.Cluster) *holds {
	return &holds{def: def, open: map[time.Time]map[place]time.Duration{}}
}

// see takes up the engine's picture: from the last one to now each job held its GPUs for as long
// as it ran.
func (h *holds) see(now time.Time, v *compute.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := h.last
	if h.last = now; v == nil || from.IsZero() || !now.After(from) || now.Sub(from) > 15*time.Minute {
		return
	}
	for i := range v.Jobs {
		j := &v.Jobs[i]
		if len(j.Places) == 0 || j.Started.IsZero() {
			continue
		}
		a, b := from, now
		if j.Started.After(a) {
			a = j.Started
		}
		if !j.Ended.IsZero() && j.Ended.Before(b) {
			b = j.Ended
		}
		h.add(j, a, b)
	}
}

func (h *holds) add(j *compute.Job, from, to time.Time) {
	who := ""
	if t, ok := h.def.TenantOf(j.Account); ok {
		who = t.ID
	}
	sale := h.sale(j)
	for from.Before(to) {
		start := telemetry.Span(from)
		end := start.Add(telemetry.Length)
		if end.After(to) {
			end = to
		}
		m := h.open[start]
		if m == nil {
			if len(h.open) >= maxOpen {
				return
			}
			m = map[place]time.Duration{}
			h.open[start] = m
		}
		for _, p := range j.Places {
			for k := range p.GPUs {
				at := place{node: p.Node, gpu: -1 - k, job: j.ID, who: who, sale: sale}
				if k < len(p.Indices) {
					at.gpu = p.Indices[k]
				}
				m[at] += end.Sub(from)
			}
		}
		from = end
	}
}

// sale is how the GPU time of a job's class is sold.
func (h *holds) sale(j *compute.Job) usage.Sale {
	k, ok := h.def.ClassOf(j.Queue)
	switch {
	case ok && k.Sale != "":
		return usage.Sale(k.Sale)
	case ok && (k.Kind == "firm" || k.Kind == "semi"):
		return usage.Reserved
	case ok && (k.Kind == "pause" || k.Kind == "spot"):
		return usage.Interruptible
	}
	return usage.OnDemand
}

// taken returns who held what in the interval that starts at start.
func (h *holds) taken(start time.Time) map[place]time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open[start]
}

// settled lets go of intervals that start at or before through.
func (h *holds) settled(through time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.open {
		if !s.After(through) {
			delete(h.open, s)
		}
	}
}
