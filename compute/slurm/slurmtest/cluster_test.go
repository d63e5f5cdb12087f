package slurmtest

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestAClusterRunsJobsAndLeavesNothing(t *testing.T) {
	if m := Missing(Options{}); m != "" {
		t.Skip("no Slurm of our own without " + m)
	}
	c, err := Start(Options{Nodes: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	id, err := c.Submit(Job{Nodes: 2, GPUs: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.until(10*time.Second, "steps", func() bool { p, _ := c.Progress(id); return p.Step > 3 }); err != nil {
		t.Fatal(err, c.lastWords())
	}
	if err := c.until(10*time.Second, "the second node's GPUs", func() bool { return c.Busy("gpu2", 2) }); err != nil {
		t.Fatal(err)
	}
	if !c.Busy("gpu1", 0) || c.Busy("gpu1", 3) || c.Busy("gpu2", 7) {
		t.Error("the wrong GPUs are busy")
	}
	if _, err := c.Command("scancel", "--full", "--signal=USR1", id); err != nil {
		t.Fatal(err)
	}
	if err := c.until(10*time.Second, "a checkpoint", func() bool { p, _ := c.Progress(id); return p.Saved > 3 }); err != nil {
		t.Fatal(err)
	}
	var out string
	if err := c.until(10*time.Second, "the job's word that it saved", func() bool { // it saves first, and tells then
		out, _ = c.Command("scontrol", "show", "job", id)
		return strings.Contains(out, "Comment=switchyard:class=pause,saved=")
	}); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	dir := c.Dir()
	c.Stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there", dir)
	}
	if c.Busy("gpu1", 0) {
		t.Error("a job outlived its cluster")
	}
}
