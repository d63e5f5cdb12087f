// Package recorder owns a running site's record of its decisions: rounds and plans go into a
// file beside the loop, for `switchyard backtest --recorded` to decide again.
//
// It never keeps the loop waiting and never decides anything. Where the disk is slower than the
// site, the newest decisions are left out of the record and counted.
//
// Concurrency: Round and Plan may be called from any goroutine and do not block; Run is one
// goroutine; Close is called once, after Run has returned. All do nothing on a nil Recorder.
package recorder

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"switchyard/backtest/record"
	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/site"
)

const (
	// queue bounds the decisions that wait for the disk: some minutes of them.
	queue = 256
	// flushEvery is how much of a record a kill may cost, machine time.
	flushEvery = 5 * time.Second
)

// Recorder writes decisions to a file.
type Recorder struct {
	log   *slog.Logger
	file  *os.File
	out   *bufio.Writer
	w     *record.Writer
	lines chan func(*record.Writer) error
	lost  atomic.Int64
	err   error // of the first write that failed: Run's, and then Close's
}

// Open begins a record of the decisions on a tree, in a new file.
func Open(path string, tree *site.Tree, log *slog.Logger) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("record decisions: %s is there already; name a new file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("record decisions: %w", err)
	}
	r := &Recorder{log: log, file: f, out: bufio.NewWriterSize(f, 1<<16), lines: make(chan func(*record.Writer) error, queue)}
	if r.w, err = record.NewWriter(r.out, tree); err != nil {
		return nil, errors.Join(fmt.Errorf("record decisions: %w", err), f.Close())
	}
	return r, nil
}

// Round records a decision; neither the round nor the awards are changed afterwards.
func (r *Recorder) Round(at time.Time, plan site.PlanID, round dispatch.Round, awards []site.Award) {
	r.put(func(w *record.Writer) error { return w.Round(at, plan, round, awards) })
}

// Plan records a plan and its problem; neither is changed afterwards.
func (r *Recorder) Plan(at time.Time, p *schedule.Problem, plan *schedule.Plan) {
	r.put(func(w *record.Writer) error { return w.Schedule(at, *p, plan) })
}

func (r *Recorder) put(line func(*record.Writer) error) {
	if r == nil {
		return
	}
	select {
	case r.lines <- line:
	default:
		if r.lost.Add(1) == 1 {
			r.log.Warn("the record of decisions has gaps: the disk is slower than the site", "file", r.file.Name())
		}
	}
}

// Run writes until ctx ends.
func (r *Recorder) Run(ctx context.Context) {
	if r == nil {
		return
	}
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-r.lines:
			r.write(line)
		case <-flush.C:
			if r.err == nil {
				r.keep(errors.Join(r.w.Flush(), r.out.Flush()))
			}
		}
	}
}

func (r *Recorder) write(line func(*record.Writer) error) {
	if r.err == nil {
		r.keep(line(r.w))
	}
}

// keep notes the first write that failed: nothing is written after it.
func (r *Recorder) keep(err error) {
	if err != nil {
		r.err = err
		r.log.Error("the record of decisions ends here", "file", r.file.Name(), "reason", err)
	}
}

// Close writes what waits and ends the record. It says what went wrong with it, and what is
// missing from it.
func (r *Recorder) Close() error {
	if r == nil {
		return nil
	}
	for {
		select {
		case line := <-r.lines:
			r.write(line)
			continue
		default:
		}
		break
	}
	err := errors.Join(r.err, r.w.Close(), r.out.Flush(), r.file.Close())
	if n := r.lost.Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d decisions are missing from %s: the disk was slower than the site", n, r.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("record decisions: %w", err)
	}
	return nil
}
