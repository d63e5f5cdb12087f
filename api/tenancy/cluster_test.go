package tenancy

import (
	"strings"
	"testing"
)

func TestFirstJobsAreThoseHeldBack(t *testing.T) {
	jobs := []ClusterJob{
		{ID: "done", State: "done", GPUs: 90},
		{ID: "waits", State: "pending", GPUs: 64},
		{ID: "small", State: "running", GPUs: 8},
		{ID: "large", State: "running", GPUs: 32},
		{ID: "slow", State: "running", GPUs: 16, Slowed: 0.1},
		{ID: "paused", State: "paused"},
		{ID: "stops", State: "stopping"},
	}
	ids := func(n int) string {
		var out []string
		for _, j := range First(jobs, n) {
			out = append(out, j.ID)
		}
		return strings.Join(out, " ")
	}
	if got := ids(20); got != "stops paused slow large small waits done" {
		t.Error(got)
	}
	if got := ids(3); got != "stops paused slow" || jobs[0].ID != "done" {
		t.Error(got)
	}
}
