// Package studies owns the investment studies that a running site keeps: their files beside the
// store, the queue of those that are to be run, and the run itself.
//
// It never decides about the site, and a study never waits for it nor it for a study: they run
// one at a time, on one core fewer than there are.
//
// Concurrency: a Studies is safe for concurrent use; one goroutine, that of Run, works the queue.
package studies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"switchyard/api"
	"switchyard/api/studies"
	"switchyard/sitefile"
	"switchyard/study"
	"switchyard/study/input"
	"switchyard/study/page"
	"switchyard/study/sheet"
)

// The bounds of what is kept and of what waits.
const (
	mostKept    = 60
	mostWaiting = 4
	longest     = 20 * time.Minute // of one run, machine time
	maxBeside   = 64 << 20         // of a file that a study names
	maxFile     = 64 << 20         // of one that is kept
	mostPaths   = 100_000          // of a run: more are for the command line
)

// The states of a study.
const (
	waiting     = "waiting"
	running     = "running"
	interrupted = "interrupted" // the controller stopped while it ran; it runs again
	done        = "done"
	failed      = "failed"
)

// Options are what the studies are made from.
type Options struct {
	Dir     string // they are kept there; it is made when the first one is asked for
	Version string
	Now     func() time.Time // site time
	Log     *slog.Logger
	// Beside lists files of the site that a study may name without bringing them: by their base
	// name, where they are.
	Beside []string
	// Run computes a study, HTML and Compare draw reports, Sheet makes a workbook; nil: the
	// engine's own.
	Run     func(ctx context.Context, f *input.File, o study.Options) (*study.Report, error)
	HTML    func(w io.Writer, r *study.Report) error
	Compare func(w io.Writer, rs []*study.Report) error
	Sheet   func(w io.Writer, f *input.File, r *study.Report) error
}

// Beside returns the files of a site that a study may name: its prices.
func Beside(f *sitefile.File) []string {
	if f.Market.Price.CSV == "" {
		return nil
	}
	return []string{f.Path(f.Market.Price.CSV)}
}

// Studies keeps and runs studies; it is an api.Studies.
type Studies struct {
	o    Options
	wake chan struct{}

	mu   sync.Mutex
	all  map[string]*item
	next int // gives each id a number of its own within a run
}

// item is one study; view is guarded by Studies.mu, the rest constant once made.
type item struct {
	view  studies.View
	file  *input.File
	data  []byte
	asked *asked             // nil: it is done or has failed, or is not yet on disk
	stop  context.CancelFunc // of the one that runs
}

// Open reads what is kept. What was waiting when the controller stopped waits again; what was running
// runs again from the beginning, twice at the most.
func Open(o Options) (*Studies, error) {
	if o.Run == nil {
		o.Run = study.Run
	}
	if o.HTML == nil {
		o.HTML = page.Write
	}
	if o.Compare == nil {
		o.Compare = page.Compare
	}
	if o.Sheet == nil {
		o.Sheet = sheet.Write
	}
	s := &Studies{o: o, wake: make(chan struct{}, 1), all: map[string]*item{}}
	if err := s.restore(); err != nil {
		return s, err
	}
	return s, s.resume()
}

// Studies returns all studies, the newest first.
func (s *Studies) Studies() []studies.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]studies.View, 0, len(s.all))
	for _, i := range s.all {
		out = append(out, i.view)
	}
	slices.SortFunc(out, func(a, b studies.View) int {
		return cmp.Or(b.Asked.Compare(a.Asked), strings.Compare(b.ID, a.ID))
	})
	return out
}

// Add checks a study file and queues it.
func (s *Studies) Add(_ context.Context, who string, r studies.Request) (studies.View, error) {
	name := fileName(r.Name)
	f, faults := input.Parse(name, []byte(r.Text), s.reader(r.Files))
	if err := faults.Err(); err != nil {
		return studies.View{}, err
	}
	if f.Paths > mostPaths {
		return studies.View{}, fmt.Errorf("%w: %d paths are more than the %d that a controller computes beside its work; `switchyard study` takes them", api.ErrInvalid, f.Paths, mostPaths)
	}
	i := &item{file: f, data: []byte(r.Text)}
	v, err := s.enter(i, who)
	if err != nil {
		return v, err
	}
	a := &asked{View: v, Name: name, Text: r.Text, Files: r.Files}
	s.note(a) // beside the lock, for the disk may be slow; until then the queue leaves it alone
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[v.ID] != i { // removed already
		return v, s.erase(v.ID)
	}
	i.asked = a
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
	return v, nil
}

// enter takes a study into the list, where there is room.
func (s *Studies) enter(i *item, who string) (studies.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queued := 0
	for _, i := range s.all {
		if i.view.State == waiting {
			queued++
		}
	}
	switch {
	case queued >= mostWaiting:
		return studies.View{}, fmt.Errorf("%w: %d studies wait already; try again when one is done", api.ErrUnavailable, queued)
	case len(s.all) >= mostKept:
		return studies.View{}, fmt.Errorf("%w: %d studies are kept already; remove one first", api.ErrInvalid, len(s.all))
	}
	f := i.file
	i.view = studies.View{
		ID: s.newID(f.Study), Name: f.Study, Site: f.Site.Name, Note: f.Note, By: who, Asked: s.o.Now().UTC(), State: waiting,
		Start: f.Start.String(), Months: 12 * f.Years, Paths: f.Paths, Seed: f.Seed, Assumed: len(f.Assumed),
	}
	s.all[i.view.ID] = i
	return i.view, nil
}

// reader gives a study the files that were brought with it, and those of the site by their name;
// nothing else on this machine.
func (s *Studies) reader(brought map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if text, ok := brought[name]; ok {
			return []byte(text), nil
		}
		base := filepath.Base(name)
		if text, ok := brought[base]; ok {
			return []byte(text), nil
		}
		for _, path := range s.o.Beside {
			if filepath.Base(path) == base {
				return readBounded(path, maxBeside)
			}
		}
		return nil, fmt.Errorf("bring %s with the study: the controller has no file of this name for it: %w", base, fs.ErrNotExist)
	}
}

func readBounded(path string, most int64) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, most+1))
}

// Remove takes a study away.
func (s *Studies) Remove(_ context.Context, _, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.all[id]
	if i == nil {
		return missing(id)
	}
	if i.stop != nil {
		i.stop()
	}
	if err := s.erase(id); err != nil {
		return err
	}
	delete(s.all, id)
	return nil
}

func missing(id string) error { return fmt.Errorf("study %q: %w", id, api.ErrNotFound) }

// Run works the queue until ctx ends.
func (s *Studies) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if i := s.pick(); i != nil {
			s.work(ctx, i)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
	}
}

// pick returns the study that has waited longest, now running; nil: none waits.
func (s *Studies) pick() *item {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.all))
	slices.SortStableFunc(ids, func(a, b string) int { return s.all[a].view.Asked.Compare(s.all[b].view.Asked) })
	for _, id := range ids {
		if i := s.all[id]; i.asked != nil && (i.view.State == waiting || i.view.State == interrupted) {
			i.view.State = running
			return i
		}
	}
	return nil
}

// work runs one study and keeps it. Where life ends while it runs, it is kept as asked for.
func (s *Studies) work(life context.Context, i *item) {
	ctx, cancel := context.WithTimeout(life, longest)
	defer cancel()
	s.mu.Lock()
	i.stop = cancel
	s.mu.Unlock()
	i.asked.Begun++
	s.note(i.asked)
	began := time.Now()
	r, err := s.compute(ctx, i)
	s.mu.Lock()
	v := i.view
	s.mu.Unlock()
	v.Stage, v.Done, v.Total, v.TookS = "", 0, 0, time.Since(began).Seconds()
	if err == nil {
		v.State = done
		summarise(&v, r)
		err = s.keep(&v, i, r) // drawing takes seconds, in which others may look
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i.stop = nil
	switch {
	case s.all[v.ID] != i:
		_ = s.erase(v.ID) // removed while it ran
		return
	case err != nil && life.Err() != nil:
		v.State, v.Interrupted = interrupted, i.asked.Begun
		i.view = v
		return
	case err != nil:
		_ = s.erase(v.ID) // what failed is what is told
		v.State, v.Error = failed, err.Error()
		s.o.Log.Warn("a study failed", "study", v.ID, "reason", err.Error())
	default:
		s.forget(v.ID)
	}
	i.view, i.file, i.data, i.asked = v, nil, nil, nil
}

// compute runs the engine. A fault of the engine fails the study and not the controller, as far as
// it shows on this goroutine.
func (s *Studies) compute(ctx context.Context, i *item) (r *study.Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the study broke off: %v", p)
		}
	}()
	r, err = s.o.Run(ctx, i.file, study.Options{
		Version: s.o.Version, Command: "a running controller", Workers: max(1, runtime.NumCPU()-1),
		Progress: func(what string, done, total int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			i.view.Stage, i.view.Done, i.view.Total = what, done, total
		},
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("it took longer than %s: ask for fewer paths", longest)
	}
	return r, err
}

// summarise puts what a report says in short into the view.
func summarise(v *studies.View, r *study.Report) {
	v.Paths, v.Seed, v.Findings, v.Assumed = r.Paths, r.Seed, len(r.Findings), len(r.Assumed)
	spread := func(d study.Dist) studies.Spread { return studies.Spread{Mean: d.Mean, P10: d.P10, P90: d.P90} }
	npv, mine := spread(r.Portfolio.NPV), spread(r.Portfolio.MiningOn)
	v.NPV, v.MiningOn = &npv, &mine
	for _, b := range r.Best {
		v.Best = append(v.Best, studies.Best{Hall: b.Hall, Title: b.Title, NPV: spread(b.NPV), Over: b.Over})
	}
}
