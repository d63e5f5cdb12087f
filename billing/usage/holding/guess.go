package holding

import (
	"time"

	"switchyard/billing/usage/labels"
	"switchyard/compute"
)

// place is a GPU on a node.
type place = labels.Place

// Tell takes whose work is on a node's GPUs, as its exporter or its agent names it: by pod, or by
// job. What is told of a GPU replaces what was; a node that tells of none is forgotten.
func (h *Holds) Tell(node string, at time.Time, gpus []compute.GPU) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.labels.Tell(node, at, gpus)
}

// told returns what a job holds where all of its GPUs are told of: by the engine, or by as many
// labels as it has GPUs of a node. Nil: they are not.
func (h *Holds) told(j compute.Job, key string, owner map[place]string) *heldJob {
	out := newHeld(j, key)
	for _, p := range j.Places {
		indices := p.Indices[:min(len(p.Indices), maxGPUs)]
		if len(indices) == 0 {
			if indices = h.labels.Of(j.ID, p.Node, owner); len(indices) != p.GPUs {
				return nil
			}
		}
		for _, i := range indices {
			out.Nodes, out.Indices = append(out.Nodes, p.Node), append(out.Indices, i)
		}
	}
	return out
}

// guess finds the GPUs of a job: those that the engine names, else those that are labelled as its
// own, then the first that no other job has.
func (h *Holds) guess(j compute.Job, key string, taken map[place]bool, owner map[place]string) *heldJob {
	out := newHeld(j, key)
	for _, p := range j.Places {
		left := min(p.GPUs, maxGPUs)
		add := func(i int) {
			taken[place{Node: p.Node, Index: i}] = true
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
		for _, i := range h.labels.Of(j.ID, p.Node, owner) {
			if left > 0 && !taken[place{Node: p.Node, Index: i}] {
				add(i)
			}
		}
		for i := 0; left > 0 && i < 2*maxGPUs; i++ {
			if !taken[place{Node: p.Node, Index: i}] {
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
		taken[place{Node: node, Index: j.Indices[i]}] = true
	}
}

func (j *heldJob) collides(taken map[place]bool) bool {
	for i, node := range j.Nodes {
		if taken[place{Node: node, Index: j.Indices[i]}] {
			return true
		}
	}
	return false
}
