//go:build unix

package emulate

import (
	"math"
	"syscall"
)

// openFiles returns how many files this process may open; 0 when that cannot be told.
// The Go runtime has already raised the soft bound to the hard one.
func openFiles() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > math.MaxInt32 {
		return 0 // unknown or unbounded: binding will tell
	}
	return int(r.Cur)
}
