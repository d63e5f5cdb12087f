package calm

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestCalmPutsEverythingBack(t *testing.T) {
	percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(1<<40)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
	var c Calm
	c.Hold()
	c.Hold() // a second part of the same wave
	if now := debug.SetMemoryLimit(-1); now >= 1<<40 {
		t.Errorf("a wave may take memory up to %d bytes", now)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		over := c.timer == nil
		c.mu.Unlock()
		if over {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the collector is still held back")
		}
	}
	if p, l := debug.SetGCPercent(77), debug.SetMemoryLimit(-1); p != 77 || l != 1<<40 {
		t.Errorf("afterwards the percentage is %d and the limit %d", p, l)
	}
	c.Release() // a late call changes nothing
}
