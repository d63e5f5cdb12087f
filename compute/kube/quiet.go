package kube

import (
	"context"
	"sync"
	"time"
)

// Bounds of standing back, in machine time.
const (
	quietFrom = 16              // acts under way at once from which the watches stand back
	quietMost = 4 * time.Second // and for how long at the most, from the first of them on
	quietLook = 5 * time.Millisecond
)

// quiet lets the watches stand back while many acts are under way. Each act on a job brings some
// ten changes of its objects, and reading those of the first thousand jobs would take the
// processor's time from the writes of the second. They are not lost: they wait in the
// connection, or the server ends the watch, which is then taken up from where it was.
type quiet struct {
	mu    sync.Mutex
	acts  int
	until time.Time // zero: there were few acts since the last time that there were none
}

// begin says that an act is under way until the func that it returns is called.
func (q *quiet) begin() (end func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.acts++; q.acts >= quietFrom && q.until.IsZero() {
		q.until = time.Now().Add(quietMost)
	}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.acts--; q.acts == 0 {
			q.until = time.Time{}
		}
	}
}

func (q *quiet) on() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Now().Before(q.until)
}

// wait returns when the watches need not stand back, or when ctx ends.
func (q *quiet) wait(ctx context.Context) {
	for q.on() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(quietLook):
		}
	}
}
