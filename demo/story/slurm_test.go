package story

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/compute/slurm/slurmtest"
	"switchyard/unit"
)

// slurmEngine is a real Slurm with the story's jobs.
type slurmEngine struct {
	c   *slurmtest.Cluster
	ids map[string]string // by the jobs' names here
}

func (e *slurmEngine) keys() (lines, prefix string) {
	cfg := e.c.Config()
	return fmt.Sprintf("    slurm: {rest: %q, user: %s, commands: true, conf: %q, poll: 500ms}\n", cfg.REST, cfg.User, cfg.Conf), "gpu"
}

func (e *slurmEngine) busy(node string, gpu int) bool { return e.c.Busy(node, gpu) }

// powered follows what Slurm's own programs did with a node's power.
func (e *slurmEngine) powered(node string) bool {
	log, err := os.ReadFile(filepath.Join(e.c.Dir(), "log", "power.log"))
	if err != nil {
		return true // nothing was done yet
	}
	return strings.LastIndex(string(log), " off "+node+"\n") <= strings.LastIndex(string(log), " on "+node+"\n")
}

// fields reads what scontrol shows, "Key=value Key=value", a row a map.
func (e *slurmEngine) fields(args ...string) ([]map[string]string, error) {
	out, err := e.c.Command("scontrol", append([]string{"-o", "-d", "show"}, args...)...)
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	for line := range strings.Lines(out) {
		row := map[string]string{}
		for _, word := range strings.Fields(line) {
			if key, value, ok := strings.Cut(word, "="); ok && row[key] == "" {
				row[key] = value
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (e *slurmEngine) jobs() (map[string]job, error) {
	rows, err := e.fields("jobs")
	if err != nil {
		return nil, err
	}
	out := map[string]job{}
	for name, id := range e.ids {
		for _, row := range rows {
			if row["JobId"] != id {
				continue
			}
			j := job{id: id, node: row["NodeList"], running: row["JobState"] == "RUNNING", started: row["StartTime"]}
			j.paused = row["JobState"] == "PENDING" && row["Priority"] == "0" // its reason may be the closed partition
			if _, err := fmt.Sscan(row["Restarts"], &j.restarts); err != nil {
				return nil, fmt.Errorf("job %s: restarts: %w", id, err)
			}
			out[name] = j
		}
	}
	return out, nil
}

func (e *slurmEngine) work(name string) slurmtest.Progress {
	p, _ := e.c.Progress(e.ids[name]) // no record yet is no work
	return p
}

func (e *slurmEngine) left() string {
	jobs, err := e.fields("jobs")
	if err != nil {
		return err.Error()
	}
	for _, j := range jobs {
		if j["Priority"] == "0" {
			return "job " + j["JobId"] + " is held"
		}
	}
	parts, err := e.fields("partitions")
	if err != nil {
		return err.Error()
	}
	for _, p := range parts {
		if p["State"] != "UP" {
			return fmt.Sprintf("partition %s is %s", p["PartitionName"], p["State"])
		}
	}
	out, err := e.c.Command("scontrol", "show", "reservations")
	if err != nil {
		return err.Error()
	}
	if !strings.Contains(out, "No reservations") {
		return "a reservation: " + out
	}
	nodes, err := e.fields("nodes")
	if err != nil {
		return err.Error()
	}
	for _, n := range nodes {
		if strings.ContainsAny(n["State"], "+*") || n["State"] == "DOWN" {
			return fmt.Sprintf("node %s is %s", n["NodeName"], n["State"])
		}
	}
	return ""
}

// words are what Slurm says of its nodes and their power, for a failure.
func (e *slurmEngine) words() string {
	out, _ := e.c.Command("sinfo", "-N", "-o", "%N %P %T %E")
	for _, f := range []string{"power.log", "slurmctld.log", "slurmd.gpu3.log", "slurmd.gpu4.log"} {
		b, _ := os.ReadFile(filepath.Join(e.c.Dir(), "log", f))
		out += fmt.Sprintf("-- %s\n%s\n", f, b[max(0, len(b)-12_000):])
	}
	for _, name := range flex {
		b, _ := os.ReadFile(filepath.Join(e.c.Dir(), "work", e.ids[name]+".log"))
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "step") {
				out += "job " + name + " " + line
			}
		}
	}
	return out
}

// TestStorySlurm: on a real Slurm of four nodes and 32 GPUs, an operator's limit takes the site
// from mining and AI to AI only, to capped, to paused, to firm work only, and back; then again
// with a controller that is killed in the middle of each step.
func TestStorySlurm(t *testing.T) {
	o := slurmtest.Options{Nodes: nodeCount, GPUs: perNode, Boot: 500 * time.Millisecond}
	if m := slurmtest.Missing(o); m != "" {
		t.Skip("no Slurm of our own without " + m)
	}
	if testing.Short() {
		t.Skip("takes some minutes")
	}
	c, err := slurmtest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	e := &slurmEngine{c: c, ids: map[string]string{}}
	for _, j := range []slurmtest.Job{
		{Name: "firm", Account: "tenanta", Partition: "firm", Class: "serving"},
		{Name: "a", Account: "tenanta", Save: 500 * time.Millisecond, Class: "training"},
		{Name: "b", Account: "tenantb", Save: 500 * time.Millisecond, Class: "training"},
		{Name: "c", Account: "tenantb", Save: 500 * time.Millisecond, Class: "training"},
	} {
		if e.ids[j.Name], err = c.Submit(j); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, e, "signal: USR1")
	r.tell(steps(unit.Watts(11_500), true))
	r.shutdown()
}
