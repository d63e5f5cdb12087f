package kube

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchesStandBackWhileManyActsAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q quiet
		var ends []func()
		for range quietFrom - 1 {
			ends = append(ends, q.begin())
		}
		if q.on() {
			t.Error("few acts, and the watches stand back")
		}
		ends = append(ends, q.begin())
		if !q.on() {
			t.Error("many acts, and they do not")
		}
		begun := time.Now()
		q.wait(t.Context())
		if d := time.Since(begun); d < quietMost || d > quietMost+time.Second {
			t.Errorf("they stood back for %s", d)
		}
		ends = append(ends, q.begin())
		if q.on() {
			t.Error("they stand back again although the acts never ended")
		}
		for _, end := range ends {
			end()
		}
		for range quietFrom {
			ends = append(ends, q.begin())
		}
		if !q.on() {
			t.Error("not at the next time")
		}
		for _, end := range ends[quietFrom+1:] {
			end()
		}
		begun = time.Now()
		if q.wait(t.Context()); time.Since(begun) > 0 {
			t.Error("they stand back after the last act's end")
		}
	})
}
