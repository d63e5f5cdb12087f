package slurm

import (
	"slices"
	"strings"
	"time"

	"switchyard/compute"
)

// A job, node, partition or reservation as Slurm tells of it, by whichever way it came. Times are
// the machine's; states and flags are upper case.
type (
	job struct {
		ID                        string
		Name, Account, Partition  string
		States                    []string
		Reason                    string
		Held                      bool // priority 0: it will not be started
		Requeue, Batch            bool
		Nodes                     []string
		Gres                      []string // one a node, "gpu:h100:4(IDX:0-3)"
		GPUs                      int
		Submitted, Started, Ended time.Time
		Deadline                  time.Time
		Restarts                  int
		Comment, AdminComment     string
		Suspended                 time.Time // since when, if it is
	}
	node struct {
		Name  string
		Flags []string
		GPUs  int
		Used  int
	}
	partition struct {
		Name, State string
	}
	reservation struct {
		Name  string
		Nodes []string
	}
	// picture is all of it, as of one poll.
	picture struct {
		Version      string
		Jobs         []job
		Nodes        []node
		Partitions   []partition
		Reservations []reservation
	}
)

func (j job) is(states ...string) bool {
	return slices.ContainsFunc(j.States, func(s string) bool { return slices.Contains(states, s) })
}

// Every state that ends a job; those that a job may come back from (requeued) are not among them.
var (
	endedWell = []string{"COMPLETED", "CANCELLED"}
	endedBad  = []string{"FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED", "REVOKED"}
)

// over says that the job has ended for good.
func (j job) over() bool {
	return (j.is(endedWell...) || j.is(endedBad...)) && !j.is("PENDING")
}

func (j job) state(m marker) compute.JobState {
	switch {
	case j.is("COMPLETING"):
		return compute.JobStopping
	case j.is("SUSPENDED", "STOPPED"):
		return compute.JobFrozen
	case j.is("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"):
		if j.Held && m.paused() {
			return compute.JobPaused
		}
		return compute.JobPending
	case j.is(endedWell...):
		return compute.JobDone
	case j.is(endedBad...):
		return compute.JobFailed
	}
	if m.inForce(j) {
		return compute.JobStopping
	}
	return compute.JobRunning
}

// has says that a node has any of the flags.
func (n node) has(flags ...string) bool {
	return slices.ContainsFunc(n.Flags, func(s string) bool { return slices.Contains(flags, s) })
}

func (n node) state(fenced bool) compute.NodeState {
	switch {
	case n.has("POWERING_DOWN", "POWER_DOWN"):
		return compute.NodeStopping
	case !n.powered():
		return compute.NodeOff
	case n.has("POWERING_UP", "POWER_UP", "REBOOT_ISSUED"):
		return compute.NodeStarting
	case n.has("DOWN", "NOT_RESPONDING", "ERROR", "FAIL", "UNKNOWN", "FUTURE", "INVALID"): // FUTURE: no machine yet
		return compute.NodeDown
	case fenced || n.has("DRAIN", "DRAINED", "DRAINING", "MAINTENANCE", "MAINT"):
		return compute.NodeFenced
	}
	return compute.NodeUp
}

// powered says that Slurm neither took the node's power nor is about to, or that it was told to give
// it back. Told once more it would wait for ever for a node that is up already.
func (n node) powered() bool {
	return !n.has("POWERING_DOWN", "POWER_DOWN") && (!n.has("POWERED_DOWN") || n.has("POWER_UP", "POWERING_UP"))
}

const fencePrefix = "switchyard-"

// fencedNode returns the node that a reservation of ours keeps free.
func (r reservation) fencedNode() (string, bool) {
	n, ok := strings.CutPrefix(r.Name, fencePrefix)
	return n, ok && n != ""
}
