package slurm

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/compute/slurm/gres"
)

// Slurm's own text, as scontrol prints it one object a block. Its times are Unix seconds, because
// the commands run with SLURM_TIME_FORMAT=%s.
//
// People choose a job's name, its comment and its paths, and could write "Partition=firm" into
// them: a line that begins with one of those keys is theirs to its end, and the first value of a
// key holds.

// free are the keys whose value people choose; it runs to the end of its line.
var free = map[string]bool{
	"JobName": true, "Comment": true, "AdminComment": true, "SystemComment": true, "Command": true,
	"WorkDir": true, "StdErr": true, "StdIn": true, "StdOut": true, "Reason": true, "Extra": true, "OS": true,
}

// blocks cuts scontrol's output at blank lines.
func blocks(s string) []string {
	var out []string
	for b := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if b = strings.Trim(b, "\n"); strings.TrimSpace(b) != "" {
			out = append(out, b)
		}
	}
	return out
}

// fields reads one block; repeated keys are listed in order.
func fields(block string) map[string][]string {
	out := make(map[string][]string)
	for line := range strings.SplitSeq(block, "\n") {
		rest := strings.TrimLeft(line, " \t")
		for rest != "" {
			k, after, ok := strings.Cut(rest, "=")
			if !ok {
				break
			}
			if i := strings.LastIndexByte(k, ' '); i >= 0 {
				k = k[i+1:] // text between two fields, "2 of 3"
			}
			if free[k] && (k != "Reason" || !strings.Contains(after, "Dependency=")) { // a job's Reason is one word
				out[k] = append(out[k], strings.TrimSuffix(after, " "))
				break
			}
			v, more, _ := strings.Cut(after, " ")
			out[k] = append(out[k], v)
			rest = strings.TrimLeft(more, " ")
		}
	}
	return out
}

func first(f map[string][]string, key string) string {
	if v := f[key]; len(v) > 0 && v[0] != "(null)" && v[0] != "N/A" {
		return v[0]
	}
	return ""
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<31 {
		return 0
	}
	return n
}

// epoch reads Unix seconds; zero for "Unknown", "None" and what else is no time.
func epoch(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// parseJobs reads what "scontrol -d show jobs" prints.
func parseJobs(s string) ([]job, error) {
	var out []job
	for _, b := range blocks(s) {
		if strings.HasPrefix(b, "No jobs") {
			continue
		}
		f := fields(b)
		if first(f, "JobId") == "" || first(f, "JobState") == "" {
			return nil, fmt.Errorf("scontrol show jobs: no JobId and JobState in %.80q", b)
		}
		j := job{
			ID: first(f, "JobId"), Name: first(f, "JobName"), Account: first(f, "Account"),
			Partition: first(f, "Partition"), States: []string{first(f, "JobState")},
			Reason: first(f, "Reason"), Held: first(f, "Priority") == "0",
			Requeue: first(f, "Requeue") == "1", Batch: first(f, "BatchFlag") != "0",
			Submitted: epoch(first(f, "SubmitTime")), Started: epoch(first(f, "StartTime")),
			Ended: epoch(first(f, "EndTime")), Deadline: epoch(first(f, "Deadline")),
			Restarts: number(first(f, "Restarts")), Comment: first(f, "Comment"),
			AdminComment: first(f, "AdminComment"), Suspended: epoch(first(f, "SuspendTime")),
		}
		if a, t := first(f, "ArrayJobId"), first(f, "ArrayTaskId"); a != "" && t != "" {
			j.ID = arrayID(a, t)
		}
		if t := first(f, "TRES"); t != "" {
			j.GPUs = gres.TRES(t)
		} else {
			j.GPUs = max(gres.TRES(first(f, "AllocTRES")), gres.TRES(first(f, "ReqTRES")))
		}
		if err := j.place(f["Nodes"], f["GRES"], first(f, "NodeList")); err != nil {
			return nil, fmt.Errorf("job %s: %w", j.ID, err)
		}
		j.settle()
		nodes, _, _ := strings.Cut(first(f, "NumNodes"), "-")
		j.count(first(f, "TresPerJob"), first(f, "TresPerNode"), number(nodes))
		out = append(out, j)
	}
	return out, nil
}

// place spreads a job over its nodes: scontrol tells one gres text for each row of alike nodes.
func (j *job) place(rows, held []string, list string) error {
	var err error
	if len(rows) == 0 {
		j.Nodes, err = gres.Hosts(list)
		return err
	}
	for i, row := range rows {
		names, err := gres.Hosts(row)
		if err != nil {
			return err
		}
		g := ""
		if i < len(held) {
			g = held[i]
		}
		for _, n := range names {
			if len(j.Nodes) >= gres.MostHosts {
				return fmt.Errorf("more than %d nodes", gres.MostHosts)
			}
			j.Nodes, j.Gres = append(j.Nodes, n), append(j.Gres, g)
		}
	}
	return nil
}

// settle clears what a state does not have: a pending job's start is a guess, a running one's end
// its time limit.
func (j *job) settle() {
	if j.is("PENDING") {
		j.Started, j.Ended = time.Time{}, time.Time{}
		if !j.is("COMPLETING") {
			j.Nodes, j.Gres = nil, nil
		}
	}
	if !j.over() {
		j.Ended = time.Time{}
	}
	if !j.is("SUSPENDED") {
		j.Suspended = time.Time{}
	}
}

// count counts a job's GPUs where Slurm does not track them as a TRES (AccountingStorageTRES without
// gres/gpu): those it has, else those that it asked for.
func (j *job) count(perJob, perNode string, nodes int) {
	if j.GPUs > 0 {
		return
	}
	for _, g := range j.Gres {
		n, _ := gres.GPUs(g)
		j.GPUs += n
	}
	if j.GPUs == 0 {
		j.GPUs, _ = gres.GPUs(perJob)
	}
	if j.GPUs == 0 {
		n, _ := gres.GPUs(perNode)
		j.GPUs = n * min(max(nodes, 1), gres.MostHosts)
	}
}

func arrayID(master, task string) string { return master + "_" + task }

// parseNodes reads what "scontrol -d show nodes" prints.
func parseNodes(s string) ([]node, string, error) {
	var out []node
	version := ""
	for _, b := range blocks(s) {
		f := fields(b)
		n := node{Name: first(f, "NodeName")}
		if n.Name == "" || first(f, "State") == "" {
			return nil, "", fmt.Errorf("scontrol show nodes: no NodeName and State in %.80q", b)
		}
		n.Flags = flags(strings.Split(first(f, "State"), "+"))
		n.GPUs, _ = gres.GPUs(first(f, "Gres"))
		if n.Used, _ = gres.GPUs(first(f, "GresUsed")); n.Used == 0 {
			n.Used = gres.TRES(first(f, "AllocTRES"))
		}
		out = append(out, n)
		if v := first(f, "Version"); v != "" {
			version = v
		}
	}
	return out, version, nil
}

// flags brings a node's states to one form: scontrol marks some with a sign at their end.
func flags(in []string) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		if s = strings.ToUpper(strings.Trim(s, " *$@#~!%^-")); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// parsePartitions reads what "scontrol show partitions" prints.
func parsePartitions(s string) ([]partition, error) {
	var out []partition
	for _, b := range blocks(s) {
		f := fields(b)
		p := partition{Name: first(f, "PartitionName"), State: strings.ToUpper(first(f, "State"))}
		if p.Name == "" || p.State == "" {
			return nil, fmt.Errorf("scontrol show partitions: no PartitionName and State in %.80q", b)
		}
		out = append(out, p)
	}
	return out, nil
}

// parseReservations reads what "scontrol show reservations" prints.
func parseReservations(s string) ([]reservation, error) {
	var out []reservation
	for _, b := range blocks(s) {
		f := fields(b)
		r := reservation{Name: first(f, "ReservationName")}
		if r.Name == "" {
			if strings.HasPrefix(b, "No reservations") {
				continue
			}
			return nil, fmt.Errorf("scontrol show reservations: no ReservationName in %.80q", b)
		}
		var err error
		if r.Nodes, err = gres.Hosts(first(f, "Nodes")); err != nil {
			return nil, fmt.Errorf("reservation %s: %w", r.Name, err)
		}
		out = append(out, r)
	}
	return out, nil
}
