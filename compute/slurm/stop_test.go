package slurm

import (
	"fmt"
	"testing"
	"time"
)

// A picture from before the question shows a checkpoint of an earlier run and no question: the job
// is not stopped for it, but once it saved anew or its grace is over.
func TestAnOldCheckpointStopsNoJob(t *testing.T) {
	asked := time.Unix(1_790_000_000, 0)
	old, next := asked.Add(-time.Minute), asked.Add(time.Second)
	for _, k := range []struct {
		name  string
		saved time.Time
		until time.Time
		due   bool
	}{
		{"an old checkpoint", old, time.Now().Add(time.Hour), false},
		{"a new one", next, time.Now().Add(time.Hour), true},
		{"the grace is over", old, time.Now().Add(-time.Second), true},
	} {
		m := marker{Asked: asked, Had: old}.with(byStop)
		for _, note := range []string{"", m.write("")} {
			e := &Engine{stops: map[string]*stop{"4": {by: byStop, until: k.until, asked: m}}}
			j := job{ID: "4", States: []string{"RUNNING"}, AdminComment: note, Comment: fmt.Sprintf("switchyard:saved=%d", k.saved.Unix())}
			if got := len(e.due(&picture{Jobs: []job{j}})) > 0; got != k.due {
				t.Errorf("%s, noted %q: due %v", k.name, note, got)
			}
		}
	}
}
