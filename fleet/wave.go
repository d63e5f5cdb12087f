package fleet

import (
	"context"
	"sync"
	"time"
)

const (
	// hold is how long a poll stands back for commands at most, machine time: devices that do
	// not answer their commands must not keep the others from being read.
	hold = 3 * time.Second
	// stragglers is the part of a wave that its end does not wait for: one in so many. The
	// dead and the slow are a few in a hundred on any site.
	stragglers = 16
	// large is a wave after whose commands devices are not read at once: no firmware is
	// asleep yet, and thousands of such readings would delay those that can show it.
	large = 1000
)

// wave is the commands on their way. While there are some, polls wait: when a whole site is
// told to sleep, the first thousand acknowledgements would else start a thousand polls that
// take the processor and the network from the commands not yet told.
type wave struct {
	mu     sync.Mutex
	coming int           // givers that are not done
	left   int           // commands without an end
	all    int           // of this wave, also those with one
	over   chan struct{} // closed when hardly any is left; nil while there are none
}

// announce says that commands will be given in parts.
func (w *wave) announce() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open()
	w.coming++
}

// given says that all of what was announced was given.
func (w *wave) given() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coming--
	w.settle()
}

// begin counts a command that was handed over.
func (w *wave) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open()
	w.left++
	w.all++
}

// end counts a command that was answered, given up or replaced.
func (w *wave) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left--
	w.settle()
}

func (w *wave) open() {
	if w.left == 0 && w.coming == 0 {
		w.all = 0
	}
	if w.over == nil {
		w.over = make(chan struct{})
	}
}

func (w *wave) settle() {
	if w.over != nil && w.coming == 0 && w.left <= w.all/stragglers {
		close(w.over)
		w.over = nil
	}
}

// isLarge says whether the wave under way, or the last one, is a large one.
func (w *wave) isLarge() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all >= large
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
