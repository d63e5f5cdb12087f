package store

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// The errors that callers act on.
var (
	// ErrFull: the disk (or the bound set on the store) is full; nothing was changed, and
	// the same call works once there is space.
	ErrFull = errors.New("the disk is full")
	// ErrLocked: another controller runs on the same store.
	ErrLocked = errors.New("the store is in use")
)

// LowSpace is how many free bytes count as none when the database reports an I/O error
// without saying which: a failed write of the log's index looks so.
const lowSpace = 256 << 10

// Named returns err as ErrFull where the disk is the cause, and unchanged otherwise.
// Owners that write files of their own beside the store use it too.
func Named(err error, dir string) error { return named(err, dir) }

func named(err error, dir string) error {
	if err == nil || errors.Is(err, ErrFull) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w (folder %s): %w", ErrFull, dir, err)
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return err
	}
	switch se.Code() & 0xff {
	case lib.SQLITE_FULL:
		return fmt.Errorf("%w (folder %s): %w", ErrFull, dir, err)
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN:
		if free, ferr := Free(dir); ferr == nil && free < lowSpace {
			return fmt.Errorf("%w (folder %s, %d bytes left): %w", ErrFull, dir, free, err)
		}
	}
	return err
}

func busy(err error) bool {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return false
	}
	c := se.Code() & 0xff
	return c == lib.SQLITE_BUSY || c == lib.SQLITE_LOCKED
}
