package usage

import (
	"slices"
	"strings"
	"time"

	"switchyard/compute"
)

// label is whose work a GPU was last read to have on it.
type label struct {
	index           int
	space, pod, job string
	at              time.Time
}

// maxLabeled bounds the nodes whose labels are kept; those of more are dropped.
const maxLabeled = 20_000

// Tell takes whose work is on a node's GPUs, as its exporter or its agent names it: by pod, or by
// job. What is told of a GPU replaces what was; a node that tells of none is forgotten.
func (h *Holds) Tell(node string, at time.Time, gpus []compute.GPU) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.labels[node][:0]
	for i := range gpus {
		if g := &gpus[i]; (g.Pod != "" || g.Job != "") && len(list) < maxGPUs {
			list = append(list, label{g.Index, g.Namespace, g.Pod, g.Job, at.UTC()})
		}
	}
	switch _, known := h.labels[node]; {
	case len(list) == 0:
		delete(h.labels, node)
	case known || len(h.labels) < maxLabeled:
		h.labels[node] = list
	}
}

// of says whether a label is of a job: by its id, or by a pod of its namespace whose name is
// the job's, with what its controller appends to it.
func (l label) of(job string) bool {
	if l.pod == "" {
		return l.job == job
	}
	space, name, ok := strings.Cut(job, "/")
	if i := strings.LastIndexByte(name, '/'); i >= 0 { // what it is owned by stands between: "a/statefulset/web"
		name = name[i+1:]
	}
	rest, begins := strings.CutPrefix(l.pod, name)
	return ok && name != "" && begins && l.space == space && (rest == "" || rest[0] == '-')
}

// whose says which of the jobs each labelled GPU is of. A label from before a job's start is not
// of it. Where several jobs could be meant, such as train and train-1, it is the one of the
// longer name; a job that does not have as many GPUs then is not believed.
func (h *Holds) whose(jobs []compute.Job) map[place]string {
	if len(h.labels) == 0 {
		return nil
	}
	owner := map[place]string{}
	for i := range jobs {
		j := &jobs[i]
		for _, p := range j.Places {
			for _, l := range h.labels[p.Node] {
				at := place{p.Node, l.index}
				if was := owner[at]; len(was) < len(j.ID) && l.of(j.ID) && !l.at.Before(j.Started) {
					owner[at] = j.ID
				}
			}
		}
	}
	return owner
}

// told returns what a job holds where all of its GPUs are told of: by the engine, or by as many
// labels as it has GPUs of a node. Nil: they are not.
func (h *Holds) told(j compute.Job, key string, owner map[place]string) *heldJob {
	out := newHeld(j, key)
	for _, p := range j.Places {
		indices := p.Indices[:min(len(p.Indices), maxGPUs)]
		if len(indices) == 0 {
			if indices = h.labelled(j.ID, p.Node, owner); len(indices) != p.GPUs {
				return nil
			}
		}
		for _, i := range indices {
			out.Nodes, out.Indices = append(out.Nodes, p.Node), append(out.Indices, i)
		}
	}
	return out
}

// labelled returns the GPUs of a node that are labelled as a job's, in the order of their reading.
func (h *Holds) labelled(job, node string, owner map[place]string) (indices []int) {
	if len(owner) == 0 {
		return nil
	}
	for _, l := range h.labels[node] {
		if owner[place{node, l.index}] == job {
			indices = append(indices, l.index)
		}
	}
	return indices
}

// guess finds the GPUs of a job: those that the engine names, else those that are labelled as its
// own, then the first that no other job has.
func (h *Holds) guess(j compute.Job, key string, taken map[place]bool, owner map[place]string) *heldJob {
	out := newHeld(j, key)
	for _, p := range j.Places {
		left := min(p.GPUs, maxGPUs)
		add := func(i int) {
			taken[place{p.Node, i}] = true
			out.Nodes, out.Indices = append(out.Nodes, p.Node), append(out.Indices, i)
			left--
		}
		for _, i := range p.Indices[:min(len(p.Indices), maxGPUs)] {
			add(i)
		}
		if len(p.Indices) > 0 {
			continue
		}
		out.Guessed = out.Guessed || p.GPUs > 0
		for _, i := range h.labelled(j.ID, p.Node, owner) {
			if left > 0 && !taken[place{p.Node, i}] {
				add(i)
			}
		}
		for i := 0; left > 0 && i < 2*maxGPUs; i++ {
			if !taken[place{p.Node, i}] {
				add(i)
			}
		}
	}
	return out
}

func newHeld(j compute.Job, key string) *heldJob {
	out := &heldJob{Key: key, ID: j.ID, Account: j.Account, Queue: j.Queue}
	if !j.Started.IsZero() {
		out.Since = j.Started.UTC()
	}
	return out
}

func (j *heldJob) take(taken map[place]bool) {
	for i, node := range j.Nodes {
		taken[place{node, j.Indices[i]}] = true
	}
}

func (j *heldJob) collides(taken map[place]bool) bool {
	for i, node := range j.Nodes {
		if taken[place{node, j.Indices[i]}] {
			return true
		}
	}
	return false
}

// matters says whether it makes a difference to anybody which of a machine's GPUs those jobs had
// of which that is guessed. It makes none where all GPUs in question, those guessed or free for a
// part of the time, were held by one tenant for all of the time, or each by the same jobs for as
// long: exchanging them changes nobody's sum.
func (m *machineWork) matters() bool {
	var first []hold
	found, full, same := false, true, true
	for i := range m.gpus {
		g := &m.gpus[i]
		mine := m.holds[g.first:g.last]
		if g.free == 0 && !slices.ContainsFunc(mine, func(h hold) bool { return h.Guessed }) {
			continue
		}
		if !found {
			first, found = mine, true
		}
		full = full && g.free == 0 && len(mine) > 0 && !slices.ContainsFunc(mine, func(h hold) bool { return h.tenant != first[0].tenant })
		same = same && slices.EqualFunc(mine, first, func(a, b hold) bool { return a.tenant == b.tenant && a.Job == b.Job && a.For == b.For })
	}
	return found && !full && !same
}
