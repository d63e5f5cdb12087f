package studies

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"switchyard/api"
	"switchyard/api/studies"
	"switchyard/study"
)

// viewEnd is the end of the name of a study's view, which is written last: without it there is no
// such study.
const viewEnd = ".view.json"

// idForm is what an id looks like: nothing that could lead out of the folder.
var idForm = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}-[a-z0-9-]{1,50}$`)

func (s *Studies) path(id, end string) string { return filepath.Join(s.o.Dir, id+end) }

// newID makes an id of the time and a study's name; s.mu is held.
func (s *Studies) newID(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	words := strings.Trim(b.String(), "-")
	if words == "" {
		words = "study"
	}
	id := s.o.Now().UTC().Format("20060102-150405") + "-" + words
	for s.all[id] != nil {
		s.next++
		id = fmt.Sprintf("%s-%s-%d", s.o.Now().UTC().Format("20060102-150405"), words, s.next)
	}
	return id
}

// fileName is the base of a name that a person's machine gave, as faults call the file.
func fileName(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	name = filepath.Base(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name))
	if name == "." || name == "/" || name == "" {
		return "study.yaml"
	}
	return name
}

// keep writes a study that is done, and says in v what it has written.
func (s *Studies) keep(v *studies.View, i *item, r *study.Report) error {
	write := func(end string, fill func(io.Writer) error) error {
		var b bytes.Buffer
		if err := fill(&b); err != nil {
			return fmt.Errorf("write study %s: %w", v.ID, err)
		}
		if end != viewEnd { // which tells the size
			v.SizeBytes += int64(b.Len())
		}
		if v.SizeBytes > maxFile {
			return fmt.Errorf("study %s is longer than %d MiB", v.ID, maxFile>>20)
		}
		return s.put(v.ID, end, b.Bytes())
	}
	raw := func(w io.Writer) error { _, err := w.Write(i.data); return err }
	if err := write(".yaml", raw); err != nil {
		return err
	}
	if err := write(".json", func(w io.Writer) error { return indented(w, r) }); err != nil {
		return err
	}
	if err := write(".html", func(w io.Writer) error { return s.o.HTML(w, r) }); err != nil {
		return err
	}
	// The report is what counts: a workbook that cannot be made is told of and left out.
	if err := write(".xlsx", func(w io.Writer) error { return s.o.Sheet(w, i.file, r) }); err != nil {
		s.o.Log.Warn("a study has no workbook", "study", v.ID, "reason", err.Error())
	} else {
		v.Workbook = true
	}
	return write(viewEnd, func(w io.Writer) error { return indented(w, v) })
}

// put writes one of a study's files, whole or not at all.
func (s *Studies) put(id, end string, data []byte) error {
	if err := os.MkdirAll(s.o.Dir, 0o750); err != nil {
		return fmt.Errorf("keep study %s: %w", id, err)
	}
	part := s.path(id, end+".part")
	if err := os.WriteFile(part, data, 0o640); err != nil {
		return fmt.Errorf("keep study %s: %w", id, err)
	}
	if err := os.Rename(part, s.path(id, end)); err != nil {
		return fmt.Errorf("keep study %s: %w", id, err)
	}
	return nil
}

// erase removes what is kept of a study, if anything is.
func (s *Studies) erase(id string) error {
	for _, end := range []string{viewEnd, askedEnd, ".json", ".html", ".xlsx", ".yaml"} {
		if err := os.Remove(s.path(id, end)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove study %s: %w", id, err)
		}
	}
	return nil
}

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// restore reads the views of what is kept. One that cannot be read is left out and told.
func (s *Studies) restore() error {
	names, err := filepath.Glob(filepath.Join(s.o.Dir, "*"+viewEnd))
	if err != nil {
		return fmt.Errorf("look for studies: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		id := strings.TrimSuffix(filepath.Base(name), viewEnd)
		data, err := readBounded(name, 1<<20)
		var v studies.View
		if err == nil {
			err = json.Unmarshal(data, &v)
		}
		if err == nil && (v.ID != id || !idForm.MatchString(id) || v.State != done) {
			err = errors.New("it is not a study that was kept here")
		}
		if err != nil {
			s.o.Log.Warn("a study is left out", "study", id, "reason", err.Error())
			continue
		}
		if len(s.all) < mostKept {
			s.all[id] = &item{view: v}
		}
	}
	return nil
}

// Document reads one form of a study that is done.
func (s *Studies) Document(_ context.Context, id, format string) (studies.Document, error) {
	types := map[string]string{
		"json": "application/json", "html": "text/html; charset=utf-8", "yaml": "text/plain; charset=utf-8",
		"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}
	kind, ok := types[format]
	if !ok {
		return studies.Document{}, fmt.Errorf("%w: a study has no form %q", api.ErrInvalid, format)
	}
	s.mu.Lock()
	i := s.all[id]
	var v studies.View
	if i != nil {
		v = i.view
	}
	s.mu.Unlock()
	switch {
	case i == nil:
		return studies.Document{}, missing(id)
	case v.State != done:
		return studies.Document{}, fmt.Errorf("%w: study %s is %s, not done", api.ErrNotFound, id, v.State)
	}
	data, err := readBounded(s.path(id, "."+format), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return studies.Document{}, fmt.Errorf("study %s as %s: %w", id, format, api.ErrNotFound)
	}
	if err != nil {
		return studies.Document{}, fmt.Errorf("read study %s: %w", id, err)
	}
	return studies.Document{Type: kind, Name: id + "." + format, Body: data}, nil
}

// mostCompared is how many studies stand side by side.
const mostCompared = 6

// Compare draws several studies side by side.
func (s *Studies) Compare(ctx context.Context, ids []string) (studies.Document, error) {
	if len(ids) < 2 || len(ids) > mostCompared {
		return studies.Document{}, fmt.Errorf("%w: two to %d studies are compared, not %d", api.ErrInvalid, mostCompared, len(ids))
	}
	var all []*study.Report
	for _, id := range ids {
		doc, err := s.Document(ctx, id, "json")
		if err != nil {
			return studies.Document{}, err
		}
		var r study.Report
		if err := json.Unmarshal(doc.Body, &r); err != nil {
			return studies.Document{}, fmt.Errorf("read study %s: %w", id, err)
		}
		all = append(all, &r)
	}
	var b bytes.Buffer
	if err := s.o.Compare(&b, all); err != nil {
		return studies.Document{}, fmt.Errorf("compare studies: %w", err)
	}
	return studies.Document{Type: "text/html; charset=utf-8", Name: "compared.html", Body: b.Bytes()}, nil
}
