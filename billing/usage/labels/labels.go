// Package labels owns whose work each GPU was last read to have on it, by the pods and jobs that
// exporters and agents name, and which of an engine's jobs that is.
//
// It never guesses: a GPU that is not labelled, or whose label fits no job, is nobody's here.
//
// Concurrency: a Book belongs to one goroutine at a time.
package labels

import (
	"strings"
	"time"

	"switchyard/compute"
)

// Place is a GPU on a node.
type Place struct {
	Node  string
	Index int
}

// Book is the labels of all nodes.
type Book struct{ labels map[string][]label }

// New makes a Book that knows nothing.
func New() *Book { return &Book{labels: map[string][]label{}} }

// mostGPUs bounds the labels of one node.
const mostGPUs = 64

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
func (b *Book) Tell(node string, at time.Time, gpus []compute.GPU) {
	list := b.labels[node][:0]
	for i := range gpus {
		if g := &gpus[i]; (g.Pod != "" || g.Job != "") && len(list) < mostGPUs {
			list = append(list, label{g.Index, g.Namespace, g.Pod, g.Job, at.UTC()})
		}
	}
	switch _, known := b.labels[node]; {
	case len(list) == 0:
		delete(b.labels, node)
	case known || len(b.labels) < maxLabeled:
		b.labels[node] = list
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

// Whose says which of the jobs each labelled GPU is of. A label from before a job's start is not
// of it. Where several jobs could be meant, such as train and train-1, it is the one of the
// longer name; a job that does not have as many GPUs then is not believed.
func (b *Book) Whose(jobs []compute.Job) map[Place]string {
	if len(b.labels) == 0 {
		return nil
	}
	owner := map[Place]string{}
	for i := range jobs {
		j := &jobs[i]
		for _, p := range j.Places {
			for _, l := range b.labels[p.Node] {
				at := Place{p.Node, l.index}
				if was := owner[at]; len(was) < len(j.ID) && l.of(j.ID) && !l.at.Before(j.Started) {
					owner[at] = j.ID
				}
			}
		}
	}
	return owner
}

// Of returns the GPUs of a node that are labelled as a job's, in the order of their reading.
func (b *Book) Of(job, node string, owner map[Place]string) (indices []int) {
	if len(owner) == 0 {
		return nil
	}
	for _, l := range b.labels[node] {
		if owner[Place{node, l.index}] == job {
			indices = append(indices, l.index)
		}
	}
	return indices
}
