package slurm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"switchyard/compute/slurm/gres"
	"switchyard/compute/slurm/loose"
)

// The most that one answer may hold: slurmrestd sends some 5 kB a job.
const (
	mostAnswer = 512 << 20
	mostItems  = loose.MostItems
)

// wireError is one of an answer's errors, in the two forms that it has.
type wireError struct {
	Description string       `json:"description"`
	Error       string       `json:"error"`
	Number      loose.Number `json:"error_number"`
	Errno       loose.Number `json:"errno"`
}

type wireJob struct {
	ID         loose.Number `json:"job_id"`
	ArrayID    loose.Number `json:"array_job_id"`
	ArrayTask  loose.Maybe  `json:"array_task_id"`
	ArrayTasks string       `json:"array_task_string"`
	Name       string       `json:"name"`
	Account    string       `json:"account"`
	Partition  string       `json:"partition"`
	State      loose.Words  `json:"job_state"`
	Reason     string       `json:"state_reason"`
	Why        string       `json:"state_description"`
	Priority   loose.Maybe  `json:"priority"`
	Hold       loose.Flag   `json:"hold"`
	Requeue    loose.Flag   `json:"requeue"`
	Batch      loose.Flag   `json:"batch_flag"`
	Nodes      string       `json:"nodes"`
	Gres       loose.Words  `json:"gres_detail"`
	Alloc      string       `json:"tres_alloc_str"`
	Req        string       `json:"tres_req_str"`
	PerJob     string       `json:"tres_per_job"`
	PerNode    string       `json:"tres_per_node"`
	Count      loose.Number `json:"node_count"`
	Submit     loose.Number `json:"submit_time"`
	Start      loose.Number `json:"start_time"`
	End        loose.Number `json:"end_time"`
	Deadline   loose.Number `json:"deadline"`
	Suspend    loose.Number `json:"suspend_time"`
	Restarts   loose.Number `json:"restart_cnt"`
	Comment    string       `json:"comment"`
	Admin      string       `json:"admin_comment"`
}

func (w wireJob) job() (job, error) {
	j := job{
		ID: strconv.FormatInt(int64(w.ID), 10), Name: w.Name, Account: w.Account, Partition: w.Partition,
		States: flags(w.State), Reason: w.Reason, Submitted: w.Submit.Time(), Started: w.Start.Time(),
		Ended: w.End.Time(), Deadline: w.Deadline.Time(), Suspended: w.Suspend.Time(),
		Restarts: w.Restarts.Count(), Comment: w.Comment, AdminComment: w.Admin,
		Requeue: !w.Requeue.OK || w.Requeue.V, Batch: !w.Batch.OK || w.Batch.V, Gres: w.Gres,
	}
	if w.ID <= 0 || len(j.States) == 0 {
		return job{}, errors.New("a job without job_id or job_state")
	}
	// An array's tasks are named by it: its last task has the array's own number, and by that
	// number Slurm would take all of them.
	if w.ArrayID > 0 {
		master := strconv.FormatInt(int64(w.ArrayID), 10)
		switch {
		case w.ArrayTasks != "":
			j.ID = arrayID(master, "["+w.ArrayTasks+"]")
		case w.ArrayTask.OK:
			j.ID = arrayID(master, strconv.FormatInt(int64(w.ArrayTask.V), 10))
		}
	}
	j.Held = w.Hold.V || w.Priority.OK && w.Priority.V == 0
	if j.GPUs = gres.TRES(w.Alloc); j.GPUs == 0 {
		j.GPUs = gres.TRES(w.Req)
	}
	// A job that requeuehold held has its owner's hold for a reason and says otherwise in words;
	// scontrol prints the words.
	if w.Why != "" {
		j.Reason = strings.ReplaceAll(w.Why, " ", "_")
	}
	var err error
	if j.Nodes, err = gres.Hosts(w.Nodes); err != nil {
		return job{}, fmt.Errorf("job %s: %w", j.ID, err)
	}
	j.settle()
	j.count(w.PerJob, w.PerNode, w.Count.Count())
	return j, nil
}

type wireNode struct {
	Name    string      `json:"name"`
	State   loose.Words `json:"state"`
	Flags   loose.Words `json:"state_flags"`
	Gres    string      `json:"gres"`
	Used    string      `json:"gres_used"`
	Version string      `json:"slurmd_version"`
	Newer   string      `json:"version"`
}

func (w wireNode) node() (node, error) {
	n := node{Name: w.Name, Flags: append(flags(w.State), flags(w.Flags)...)}
	if n.Name == "" || len(n.Flags) == 0 {
		return node{}, errors.New("a node without name or state")
	}
	n.GPUs, _ = gres.GPUs(w.Gres)
	n.Used, _ = gres.GPUs(w.Used)
	return n, nil
}

type wirePartition struct {
	Name  string      `json:"name"`
	State loose.Words `json:"state"`
	Newer struct {
		State loose.Words `json:"state"`
	} `json:"partition"`
}

func (w wirePartition) partition() (partition, error) {
	s := flags(append(w.State, w.Newer.State...))
	if w.Name == "" {
		return partition{}, errors.New("a partition without name")
	}
	if len(s) == 0 { // v0.0.36 does not tell
		return partition{Name: w.Name}, nil
	}
	return partition{Name: w.Name, State: s[0]}, nil
}

type wireReservation struct {
	Name  string `json:"name"`
	Nodes string `json:"node_list"`
}

func (w wireReservation) reservation() (reservation, error) {
	n, err := gres.Hosts(w.Nodes)
	if w.Name == "" || err != nil {
		return reservation{}, errors.Join(errors.New("a reservation without name or with a bad list"), err)
	}
	return reservation{Name: w.Name, Nodes: n}, nil
}

// answer is an answer of slurmrestd, or of a command asked for JSON: its one list is read item by
// item, so that a big cluster's text is never in memory as a whole.
type answer struct {
	Release string // Slurm's version
	Errors  []wireError
}

type wireMeta struct {
	Slurm struct {
		Release string `json:"release"`
	} `json:"Slurm"`
	Newer struct {
		Release string `json:"release"`
	} `json:"slurm"`
}

// decode reads an answer; each is called for every item of the list under key.
func decode(r io.Reader, key string, each func(*json.Decoder) error) (answer, error) {
	var a answer
	lim := &io.LimitedReader{R: r, N: mostAnswer}
	d := json.NewDecoder(lim)
	err := loose.Object(d, func(k string) error {
		switch k {
		case "meta":
			var m wireMeta
			if err := d.Decode(&m); err != nil {
				return err
			}
			a.Release = m.Slurm.Release + m.Newer.Release
			if m.Slurm.Release == m.Newer.Release { // keys match whatever their case
				a.Release = m.Slurm.Release
			}
			return nil
		case "errors":
			return d.Decode(&a.Errors)
		case key:
			return loose.List(d, each)
		}
		var skip json.RawMessage
		return d.Decode(&skip)
	})
	if err != nil && lim.N <= 0 {
		err = loose.ErrTooLong
	}
	return a, err
}

// collect makes the function that decode calls for each item of a list.
func collect[W, T any](into *[]T, turn func(W) (T, error)) func(*json.Decoder) error {
	return func(d *json.Decoder) error {
		var w W
		if err := d.Decode(&w); err != nil {
			return err
		}
		v, err := turn(w)
		if err != nil {
			return err
		}
		*into = append(*into, v)
		return nil
	}
}

func decodeJobs(r io.Reader) ([]job, answer, error) {
	var out []job
	a, err := decode(r, "jobs", collect(&out, wireJob.job))
	return out, a, err
}
