package signaltest

import (
	"slices"
	"testing"
	"time"
)

// Typical faults a test whose signals commonly took longer than most: the middle one of all.
// A source that polled, slept or gathered would be late each time. The slowest one is told and
// not judged: it is as long as the machine let the test wait for a processor.
func Typical(t testing.TB, what string, most time.Duration, took []time.Duration) {
	t.Helper()
	slices.Sort(took)
	middle, worst := took[len(took)/2], took[len(took)-1]
	t.Logf("%s, %d times: commonly %s, worst %s", what, len(took), middle, worst)
	if middle > most {
		t.Errorf("%s commonly takes %s, want at most %s", what, middle, most)
	}
}
