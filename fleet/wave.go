package fleet

import (
	"context"
	"sync"
	"time"
)

// hold is how long a poll stands back for commands at most, machine time: a device that
// does not answer its command must not keep the others from being read.
const hold = time.Second

// wave is the commands on their way. While there are some, polls wait: when a whole site is
// told to sleep, the first thousand acknowledgements would else start a thousand polls that
// take the processor and the network from the commands not yet told.
type wave struct {
	mu   sync.Mutex
	left int
	over chan struct{} // closed when none is left; nil while there are none
}

// begin counts a command that was handed over.
func (w *wave) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left++; w.over == nil {
		w.over = make(chan struct{})
	}
}

// end counts a command that was answered, given up or replaced.
func (w *wave) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left--; w.left == 0 {
		close(w.over)
		w.over = nil
	}
}

// wait returns true when no command is on its way or most (machine time) is over, and false
// as soon as the actor is wanted for something else.
func (w *wave) wait(ctx context.Context, kick <-chan struct{}, most time.Duration) bool {
	w.mu.Lock()
	over := w.over
	w.mu.Unlock()
	if over == nil {
		return true
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-t.C:
		return true
	case <-kick:
		return false
	case <-ctx.Done():
		return false
	}
}
