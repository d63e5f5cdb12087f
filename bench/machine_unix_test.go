//go:build unix

package bench

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// cpu returns the processor time that this process has used, its system calls included.
func cpu() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// checkFiles stops a benchmark that would run out of open files, and says what helps.
func checkFiles(b *testing.B, need int) {
	b.Helper()
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err == nil && r.Cur < uint64(need) {
		b.Fatalf("this process may open %d files and the benchmark needs %d: raise the bound with `ulimit -n %d`", r.Cur, need, need)
	}
}

// resident returns this process's resident memory in bytes; 0 where the system does not tell.
func resident() int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}
