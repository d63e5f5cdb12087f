//go:build unix

package discover

import (
	"math"
	"syscall"
)

// openFiles returns how many files this process may open; 0 when that cannot be told.
func openFiles() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > math.MaxInt32 {
		return 0
	}
	return int(r.Cur)
}
