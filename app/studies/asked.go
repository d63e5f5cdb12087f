package studies

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"switchyard/api/studies"
	"switchyard/study/input"
)

// askedEnd is the end of the name of what is kept of a study until it is done or has failed.
const askedEnd = ".asked.json"

// mostRuns is how often a study is begun: once, and twice more where the controller stopped while it
// ran. It may be the study that stops it.
const mostRuns = 3

// asked is a study that was asked for, with all that it takes to run it from the beginning.
type asked struct {
	View  studies.View      `json:"view"`
	Name  string            `json:"name"`
	Text  string            `json:"text"`
	Files map[string]string `json:"files,omitempty"`
	Begun int               `json:"begun"` // how often it was begun
}

// note keeps what was asked for, so that a controller that stops does not lose it. Where that cannot be
// written the study runs all the same.
func (s *Studies) note(a *asked) {
	data, err := json.Marshal(a)
	if err == nil {
		err = s.put(a.View.ID, askedEnd, data)
	}
	if err != nil {
		s.o.Log.Warn("a study would be lost if the controller stopped", "study", a.View.ID, "reason", err.Error())
	}
}

// forget removes what was asked for, once the study is kept itself.
func (s *Studies) forget(id string) {
	if err := os.Remove(s.path(id, askedEnd)); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.o.Log.Warn("what was asked for is left behind", "study", id, "reason", err.Error())
	}
}

// resume takes up what waited or ran when the controller stopped.
func (s *Studies) resume() error {
	names, err := filepath.Glob(filepath.Join(s.o.Dir, "*"+askedEnd))
	if err != nil {
		return fmt.Errorf("look for studies: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		id := strings.TrimSuffix(filepath.Base(name), askedEnd)
		if s.all[id] != nil { // it stopped between the two
			s.forget(id)
			continue
		}
		data, err := readBounded(name, maxFile)
		var a asked
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		if err == nil && (a.View.ID != id || !idForm.MatchString(id)) {
			err = errors.New("it is not a study that was kept here")
		}
		if err != nil {
			s.o.Log.Warn("a study is left out", "study", id, "reason", err.Error())
			continue
		}
		if len(s.all) < mostKept {
			s.all[id] = s.again(&a)
		}
	}
	return nil
}

// again is a study as it is found at a start: to be run, from the beginning, or given up.
func (s *Studies) again(a *asked) *item {
	i := &item{view: a.View, data: []byte(a.Text), asked: a}
	v := &i.view
	v.State, v.Interrupted = waiting, a.Begun
	switch {
	case a.Begun >= mostRuns:
		v.State, v.Error = failed, fmt.Sprintf("the controller stopped while it ran, %d times: it is not begun again by itself; remove it, and run it with fewer paths", a.Begun)
		s.o.Log.Warn("a study is given up", "study", v.ID, "interrupted", a.Begun)
		return i
	case a.Begun > 0:
		v.State = interrupted
		s.o.Log.Info("a study is run again from the beginning", "study", v.ID, "interrupted", a.Begun)
	}
	f, faults := input.Parse(a.Name, i.data, s.reader(a.Files))
	if err := faults.Err(); err != nil {
		v.State, v.Error = failed, "it cannot be run again: "+err.Error()
		return i
	}
	i.file = f
	return i
}
