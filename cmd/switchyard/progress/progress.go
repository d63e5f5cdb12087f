// Package progress owns the line on a terminal that says how far something is.
//
// It never says anything before two seconds are over where nobody watches.
//
// Concurrency: a Line is safe for concurrent use.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Line tells how far something is: at once on a terminal, else from two seconds on, and then
// only what is new.
type Line struct {
	w        io.Writer
	terminal bool
	mu       sync.Mutex
	began    time.Time
	last     time.Time
	shown    bool
	text     string // of the last line
}

const after = 2 * time.Second

// New begins a Line on w now; terminal says that a person watches and lines can be overwritten.
func New(w io.Writer, terminal bool) *Line {
	now := time.Now()
	return &Line{w: w, terminal: terminal, began: now, last: now}
}

// Tell shows the line when it is time to.
func (p *Line) Tell(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, text := time.Now(), fmt.Sprintf(format, args...)
	switch {
	case p.terminal && (!p.shown || now.Sub(p.last) > 100*time.Millisecond):
		fmt.Fprint(p.w, "\r\x1b[K"+text)
	case !p.terminal && text != p.text && now.Sub(p.last) >= after:
		fmt.Fprintln(p.w, text)
	default:
		return
	}
	p.shown, p.last, p.text = true, now, text
}

// Done clears the line on a terminal.
func (p *Line) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
