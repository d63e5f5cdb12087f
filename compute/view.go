package compute

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// NodeState is what a node can be used for.
type NodeState uint8

// The states of a node.
const (
	NodeUp       NodeState = iota // takes work
	NodeFenced                    // runs what it runs and takes nothing new
	NodeStopping                  // on its way to power off
	NodeOff                       // without power, by our order
	NodeStarting                  // booting
	NodeDown                      // does not answer its engine
)

var nodeStates = [...]string{"up", "fenced", "stopping", "off", "starting", "down"}

// String returns the state's name.
func (s NodeState) String() string { return nodeStates[min(int(s), len(nodeStates)-1)] }

// MarshalText writes the state's name.
func (s NodeState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Node is one machine as its engine tells of it.
type Node struct {
	Name  string
	State NodeState
	GPUs  int // that the engine says it has; the inventory may say otherwise
	Used  int // of them given to jobs
	// Ours says that we fenced it or took its power.
	Ours bool
}

// JobState is where a job stands.
type JobState uint8

// The states of a job.
const (
	JobPending  JobState = iota // waits for the engine to give it GPUs
	JobRunning                  // has them
	JobStopping                 // told to stop; draws power until the meter falls
	JobPaused                   // held back by us, its work saved as of its checkpoint
	JobFrozen                   // its processes are stopped and it still holds its GPUs
	JobDone                     // ended by itself, or its owner ended it
	JobFailed                   // ended with an error
)

var jobStates = [...]string{"pending", "running", "stopping", "paused", "frozen", "done", "failed"}

// String returns the state's name.
func (s JobState) String() string { return jobStates[min(int(s), len(jobStates)-1)] }

// MarshalText writes the state's name.
func (s JobState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Place is the part of a job on one node.
type Place struct {
	Node string
	GPUs int
	// Indices name the GPUs on the node, where the engine tells.
	Indices []int
}

// Job is one job, as its engine tells of it.
type Job struct {
	// ID is the engine's own and unique in its cluster: "1234" or "tenant-a/train-7".
	ID      string
	Name    string
	Account string // Slurm's account, Kubernetes's namespace: whose it is
	Queue   string // Slurm's partition, Kueue's ClusterQueue; empty: none
	State   JobState
	GPUs    int
	Places  []Place // where it runs
	// Submitted, Started (the present run) and Ended are site time; zero where they did not happen.
	Submitted, Started, Ended time.Time
	// Saved is when it last saved its work, as it or its engine told; unknown if nobody does.
	Saved site.Opt[time.Time]
	// Restarts counts how often it was started anew. Deadline is when it should be done; zero: none.
	Restarts int
	Deadline time.Time
	// Ours says that it is held because we paused it, and not by its owner.
	Ours bool
	// Claims are what the job says of itself by a label or its comment; nil: nothing.
	Claims *Claims
}

// Queue is where jobs wait: a Kueue ClusterQueue or a Slurm partition.
type Queue struct {
	Name string
	// Open says that it starts jobs.
	Open bool
	// Ours says that we closed it.
	Ours bool
	// GPUs is its own quota, Borrowed what its jobs use beyond it; zero where there is no quota.
	GPUs, Borrowed int
}

// View is a cluster as its engine last told of it.
type View struct {
	// At is when the engine was last heard of, site time. Reachable false: it does not answer;
	// the rest is as it was then, and the cluster runs on.
	At        time.Time
	Reachable bool
	Err       string // why it is not reachable
	Engine    string // "slurm 22.05.8", "kubernetes v1.36.3, kueue v0.14.0"
	Nodes     []Node
	Jobs      []Job // not those that ended more than an hour ago
	Queues    []Queue
	Notes     []string // what a person should know: accounting down, a node that changed
}

// Usage is what an engine's own accounting says that a job used in a stretch of time.
type Usage struct {
	Job, Account, Queue string
	From, To            time.Time
	GPUs                int
	// GPUTime is GPUs times the time that it had them within [From, To).
	GPUTime time.Duration
}

// Machine is one node of the inventory: what the site file says of it.
type Machine struct {
	Name  string
	Model string // of its GPUs
	GPUs  int
	// Idle is what it draws without its GPUs, awake; Full the same at full work. Off is what its
	// controller draws with the power off.
	Idle, Full, Off unit.Power
}

// Nameplate is the most that the machine draws with its GPUs uncapped.
func (m Machine) Nameplate(g Model) unit.Power { return m.Full + unit.Power(m.GPUs)*g.Full }
