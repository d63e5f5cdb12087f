package slurm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The most that one answer may hold: slurmrestd sends some 5 kB a job.
const (
	mostAnswer = 512 << 20
	mostItems  = 200_000
)

var errTooLong = errors.New("the answer is longer than is read here")

// number32 is a number as the versions write it: 5, null, "5", {"set":true,"infinite":false,"number":5}.
type number32 int64

func (n *number32) UnmarshalJSON(b []byte) error {
	*n = 0
	b = bytes.TrimSpace(b)
	if len(b) == 0 || string(b) == "null" || string(b) == "false" {
		return nil
	}
	if b[0] == '{' {
		var o struct {
			Set, Infinite bool
			Number        json.Number
		}
		if err := json.Unmarshal(b, &o); err != nil {
			return err
		}
		if o.Set && !o.Infinite {
			*n = number32(whole(o.Number.String()))
		}
		return nil
	}
	*n = number32(whole(strings.Trim(string(b), `"`)))
	return nil
}

func whole(s string) int64 {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > -1e15 && f < 1e15 {
		return int64(f)
	}
	return 0
}

func (n number32) time() time.Time {
	if n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(n), 0).UTC()
}

func (n number32) count() int { return int(min(max(n, 0), 1<<31)) }

// words is a list of names, or one name.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	*w = nil
	b = bytes.TrimSpace(b)
	if len(b) == 0 || string(b) == "null" {
		return nil
	}
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		if s != "" {
			*w = words{s}
		}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*w = list
	return nil
}

// wireError is one of an answer's errors, in the two forms that it has.
type wireError struct {
	Description string   `json:"description"`
	Error       string   `json:"error"`
	Number      number32 `json:"error_number"`
	Errno       number32 `json:"errno"`
}

type wireJob struct {
	ID         number32  `json:"job_id"`
	ArrayID    number32  `json:"array_job_id"`
	ArrayTask  *number32 `json:"array_task_id"`
	ArrayTasks string    `json:"array_task_string"`
	Name       string    `json:"name"`
	Account    string    `json:"account"`
	Partition  string    `json:"partition"`
	State      words     `json:"job_state"`
	Reason     string    `json:"state_reason"`
	Why        string    `json:"state_description"`
	Priority   *number32 `json:"priority"`
	Hold       *bool     `json:"hold"`
	Requeue    *bool     `json:"requeue"`
	Batch      *bool     `json:"batch_flag"`
	Nodes      string    `json:"nodes"`
	Gres       words     `json:"gres_detail"`
	Alloc      string    `json:"tres_alloc_str"`
	Req        string    `json:"tres_req_str"`
	PerJob     string    `json:"tres_per_job"`
	PerNode    string    `json:"tres_per_node"`
	Count      number32  `json:"node_count"`
	Submit     number32  `json:"submit_time"`
	Start      number32  `json:"start_time"`
	End        number32  `json:"end_time"`
	Deadline   number32  `json:"deadline"`
	Suspend    number32  `json:"suspend_time"`
	Restarts   number32  `json:"restart_cnt"`
	Comment    string    `json:"comment"`
	Admin      string    `json:"admin_comment"`
}

func (w wireJob) job() (job, error) {
	j := job{
		ID: strconv.FormatInt(int64(w.ID), 10), Name: w.Name, Account: w.Account, Partition: w.Partition,
		States: flags(w.State), Reason: w.Reason, Submitted: w.Submit.time(), Started: w.Start.time(),
		Ended: w.End.time(), Deadline: w.Deadline.time(), Suspended: w.Suspend.time(),
		Restarts: w.Restarts.count(), Comment: w.Comment, AdminComment: w.Admin,
		Requeue: w.Requeue == nil || *w.Requeue, Batch: w.Batch == nil || *w.Batch, Gres: w.Gres,
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
		case w.ArrayTask != nil:
			j.ID = arrayID(master, strconv.FormatInt(int64(*w.ArrayTask), 10))
		}
	}
	j.Held = w.Hold != nil && *w.Hold || w.Priority != nil && *w.Priority == 0
	if j.GPUs = tresGPUs(w.Alloc); j.GPUs == 0 {
		j.GPUs = tresGPUs(w.Req)
	}
	// A job that requeuehold held has its owner's hold for a reason and says otherwise in words;
	// scontrol prints the words.
	if w.Why != "" {
		j.Reason = strings.ReplaceAll(w.Why, " ", "_")
	}
	var err error
	if j.Nodes, err = hosts(w.Nodes); err != nil {
		return job{}, fmt.Errorf("job %s: %w", j.ID, err)
	}
	j.settle()
	j.count(w.PerJob, w.PerNode, w.Count.count())
	return j, nil
}

type wireNode struct {
	Name    string `json:"name"`
	State   words  `json:"state"`
	Flags   words  `json:"state_flags"`
	Gres    string `json:"gres"`
	Used    string `json:"gres_used"`
	Version string `json:"slurmd_version"`
	Newer   string `json:"version"`
}

func (w wireNode) node() (node, error) {
	n := node{Name: w.Name, Flags: append(flags(w.State), flags(w.Flags)...)}
	if n.Name == "" || len(n.Flags) == 0 {
		return node{}, errors.New("a node without name or state")
	}
	n.GPUs, _ = gpus(w.Gres)
	n.Used, _ = gpus(w.Used)
	return n, nil
}

type wirePartition struct {
	Name  string `json:"name"`
	State words  `json:"state"`
	Newer struct {
		State words `json:"state"`
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
	n, err := hosts(w.Nodes)
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
	err := object(d, func(k string) error {
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
			return list(d, each)
		}
		var skip json.RawMessage
		return d.Decode(&skip)
	})
	if err != nil && lim.N <= 0 {
		err = errTooLong
	}
	return a, err
}

func object(d *json.Decoder, each func(key string) error) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		k, ok := t.(string)
		if !ok {
			return fmt.Errorf("a key that is no text: %v", t)
		}
		if err := each(k); err != nil {
			return fmt.Errorf("%.40s: %w", k, err)
		}
	}
	return delim(d, '}')
}

func list(d *json.Decoder, each func(*json.Decoder) error) error {
	t, err := d.Token()
	if err != nil || t == nil { // null: nothing to list
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf("%v where a list should be", t)
	}
	for i := 0; d.More(); i++ {
		if i == mostItems {
			return errTooLong
		}
		if err := each(d); err != nil {
			return err
		}
	}
	return delim(d, ']')
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %v should be", t, want)
	}
	return nil
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
