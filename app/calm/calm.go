// Package calm owns the garbage collector's settings: thrift for a large site, and holding
// back while thousands of commands are on their way.
//
// It never leaves a setting changed for longer than that, and never overrules a person's own.
//
// Concurrency: a Calm is safe for concurrent use; Thrift is called once.
package calm

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// From is how many commands make a wave during which no garbage is collected.
	From = 1000
	// calmTime is how long after its last part a wave may still be on its way, machine time.
	calmTime = time.Second
	// calmRoom is how much memory a wave may take before it is collected all the same.
	calmRoom = 256 << 20
)

// A large site's memory is mostly what stands still: what is known of each device. There the
// collector runs when a half has come on top of it, not as much again.
const (
	largeSite        = 5000 // miners
	largeSitePercent = 50
)

// Thrift sets the collector up for the size of the site, where the person who started the
// program has not, and returns what puts it back.
func Thrift(miners int) (back func()) {
	if miners < largeSite || os.Getenv("GOGC") != "" {
		return func() {}
	}
	percent := debug.SetGCPercent(largeSitePercent)
	return func() { debug.SetGCPercent(percent) }
}

// Calm holds the garbage collector back while a whole site is told to shed: a collection is
// a tenth of the work just then, and would come in the middle of it. The memory that it may
// take meanwhile is bounded, and everything is as before a second later.
type Calm struct {
	mu      sync.Mutex
	timer   *time.Timer // nil while nothing is held back
	percent int
	limit   int64
}

// Hold begins, or goes on, holding back.
func (c *Calm) Hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Reset(calmTime)
		return
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.limit = debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + calmRoom) //nolint:gosec // bytes of this process
	c.percent = debug.SetGCPercent(-1)
	c.timer = time.AfterFunc(calmTime, c.Release)
}

// Release ends it.
func (c *Calm) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer == nil {
		return
	}
	c.timer.Stop()
	c.timer = nil
	debug.SetGCPercent(c.percent)
	debug.SetMemoryLimit(c.limit)
}
