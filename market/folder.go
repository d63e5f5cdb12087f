package market

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchyard/market/iso"
)

// maxFiles bounds the reports of one folder.
const maxFiles = 20_000

// folder is a report on the disk, or a folder of them.
type folder struct {
	path  string
	files map[string]fileState // what was read, by name
}

type fileState struct {
	size int64
	at   time.Time
}

// open reads what is on the disk; it does nothing for an address.
func (f *reports[T]) open() error {
	if f.folder == nil {
		return nil
	}
	changed, err := f.folder.changed()
	if err != nil {
		return err
	}
	f.readFiles(changed)
	if f.table.Load() != nil {
		return nil
	}
	if w := f.wrong.Load(); w != nil && len(*w) > 0 {
		return errors.New((*w)[0])
	}
	return fmt.Errorf("%s: there is no report that holds what is asked for", f.source)
}

// watch reads files that are new or changed, until ctx ends.
func (f *reports[T]) watch(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if changed, err := f.folder.changed(); err == nil && len(changed) > 0 {
				f.readFiles(changed) // what went away ages
			}
		}
	}
}

// readFiles reads reports in the order of their names, so that a later one's figures count.
func (f *reports[T]) readFiles(paths []string) {
	var wrong []string
	var rows []iso.Row
	for _, p := range paths {
		report, err := f.readFile(p)
		if errors.Is(err, iso.ErrOther) {
			continue // a folder may hold reports of every sort
		}
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		wrong = append(wrong, report.Problems...)
		if rows = append(rows, report.Rows...); len(rows) > maxRows {
			wrong = append(wrong, fmt.Sprintf("%s: the rest is left out: more than %d rows", base(p), maxRows))
			break
		}
	}
	f.tell(append(wrong, f.take(rows)...))
}

func (f *reports[T]) readFile(path string) (*iso.Report, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, iso.MaxReport+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", base(path), err)
	}
	return iso.Read(base(path), data, f.o.Ask)
}

// changed returns the files that are new or changed since it was last asked.
func (d *folder) changed() ([]string, error) {
	paths := []string{d.path}
	st, err := os.Stat(d.path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		if paths, err = d.list(); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil || st.IsDir() {
			continue
		}
		now := fileState{st.Size(), st.ModTime()}
		if was, ok := d.files[p]; ok && was.size == now.size && was.at.Equal(now.at) {
			continue
		}
		d.files[p] = now
		out = append(out, p)
	}
	return out, nil
}

// list returns the reports of the folder by name.
func (d *folder) list() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".csv", ".zip", ".gz", ".json", ".xml":
			out = append(out, filepath.Join(d.path, e.Name()))
		}
	}
	if len(out) > maxFiles {
		return nil, fmt.Errorf("%s holds more than %d reports", d.path, maxFiles)
	}
	slices.Sort(out)
	return out, nil
}
