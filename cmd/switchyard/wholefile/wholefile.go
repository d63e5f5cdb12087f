// Package wholefile owns how a command writes a file: it is whole or not there.
//
// It never leaves a part of a file under the name that was asked for.
//
// Concurrency: Write is safe for concurrent use; of two for one path the last stays.
package wholefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write fills a file beside path and gives it path's name once it is whole; a file that was there
// is replaced then, and stays where fill or the disk fails.
func Write(path string, fill func(io.Writer) error) (err error) {
	out, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // the error before counts
		}
	}()
	if err := fill(out); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := errors.Join(out.Chmod(0o644), out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(out.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
