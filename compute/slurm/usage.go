package slurm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/slurm/gres"
	"switchyard/compute/slurm/loose"
)

// ErrOwnRecord comes with usage that was counted by our own polling, because Slurm's accounting
// did not tell: a run shorter than a poll is missing from it, and what ran before this process.
var ErrOwnRecord = errors.New("counted by polling, not by Slurm's accounting")

// run is one run of a job, machine time; a job that was requeued has several.
type run struct {
	Job, Account, Partition string
	GPUs                    int
	Start, End              time.Time // End zero: it goes on
}

const sacctFields = "JobID,Account,Partition,State,Start,End,AllocTRES"

// Usage returns what jobs used within [from, to), site time, by Slurm's accounting. A job holds its
// GPUs from start to end, also while somebody suspends it. Where the accounting does not answer the
// usage is our own record's and the error says so, wrapping ErrOwnRecord and the cause. It blocks.
func (e *Engine) Usage(ctx context.Context, from, to time.Time) ([]compute.Usage, error) {
	if !to.After(from) {
		return nil, nil
	}
	runs, err := e.sacct(ctx, from, to)
	if e.cmd != nil {
		e.setAccounting(err)
	}
	if err != nil {
		return e.usage(e.seen.runs(), from, to), fmt.Errorf("usage of %s to %s: %w: %w",
			from.Format(time.RFC3339), to.Format(time.RFC3339), ErrOwnRecord, err)
	}
	return e.usage(runs, from, to), nil
}

func (e *Engine) sacct(ctx context.Context, from, to time.Time) ([]run, error) {
	if e.cmd == nil {
		return nil, fmt.Errorf("sacct: commands are not allowed; set commands: true: %w", compute.ErrUnsupported)
	}
	var runs []run
	err := e.cmd.stream(ctx, func(r io.Reader) error {
		var err error
		runs, err = parseSacct(r)
		return err
	}, "sacct", "--allusers", "--allocations", "--duplicates", "--noheader", "--parsable2",
		"--starttime=uts"+strconv.FormatInt(e.times.toWall(from).Unix(), 10),
		"--endtime=uts"+strconv.FormatInt(e.times.toWall(to).Unix()+1, 10),
		"--format="+sacctFields)
	if err != nil {
		return nil, fmt.Errorf("slurmdbd, Slurm's accounting: %w", err)
	}
	return runs, nil
}

// parseSacct reads one run a line. What never started, and what has no GPU, is left out.
func parseSacct(r io.Reader) ([]run, error) {
	var out []run
	sc := bufio.NewScanner(io.LimitReader(r, mostAnswer))
	sc.Buffer(nil, 64<<10)
	for n := 1; sc.Scan(); n++ {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		f := strings.Split(sc.Text(), "|")
		if len(f) != 7 {
			return nil, fmt.Errorf("sacct, line %d: %d fields where 7 were asked for", n, len(f))
		}
		u := run{Job: f[0], Account: f[1], Partition: f[2], Start: epoch(f[4]), End: epoch(f[5]), GPUs: gres.TRES(f[6])}
		if u.GPUs == 0 || u.Start.IsZero() || strings.HasPrefix(f[3], "PENDING") {
			continue
		}
		if !u.End.IsZero() && u.End.Before(u.Start) {
			return nil, fmt.Errorf("sacct, line %d: job %s ends before it starts", n, u.Job)
		}
		if len(out) == mostItems {
			return nil, loose.ErrTooLong
		}
		out = append(out, u)
	}
	return out, sc.Err()
}

// usage clips runs to [from, to). A run that goes on is counted up to now.
func (e *Engine) usage(runs []run, from, to time.Time) []compute.Usage {
	now := e.clk.Now()
	var out []compute.Usage
	for _, r := range runs {
		start, end := e.times.toSite(r.Start), e.times.toSite(r.End)
		if end.IsZero() {
			end = now
		}
		if start.Before(from) {
			start = from
		}
		if end.After(to) {
			end = to
		}
		if d := end.Sub(start); d > 0 {
			out = append(out, compute.Usage{
				Job: r.Job, Account: r.Account, Queue: r.Partition, From: start, To: end,
				GPUs: r.GPUs, GPUTime: d * time.Duration(r.GPUs),
			})
		}
	}
	slices.SortFunc(out, func(a, b compute.Usage) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return strings.Compare(a.Job, b.Job)
	})
	return out
}

func (e *Engine) setAccounting(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.accounting = ""
	if err != nil {
		e.accounting = err.Error()
	}
}

// watchAccounting asks every minute of site time whether Slurm's accounting answers, so that a
// person is told before an invoice needs it.
func (e *Engine) watchAccounting(ctx context.Context) {
	every := max(time.Minute, time.Duration(float64(5*time.Second)*e.clk.Speed()))
	for {
		_, err := e.cmd.run(ctx, "sacctmgr", "--noheader", "--parsable2", "show", "cluster", "format=cluster")
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err = fmt.Errorf("slurmdbd: %w", err)
		}
		e.setAccounting(err)
		if clock.Sleep(ctx, e.clk, every) != nil {
			return
		}
	}
}

// mostSeen is how many runs our own record holds; the oldest that have ended go first.
const mostSeen = 50_000

// seen is our own record of runs, from polling.
type seen struct {
	mu    sync.Mutex
	going map[string]*run // by job
	ended []run
}

func newSeen() *seen { return &seen{going: make(map[string]*run)} }

// note takes up one picture, as of a machine time.
func (s *seen) note(p *picture, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := make(map[string]bool, len(p.Jobs))
	for _, j := range p.Jobs {
		if j.GPUs == 0 || j.Started.IsZero() {
			continue
		}
		r := s.going[j.ID]
		if r != nil && !r.Start.Equal(j.Started) {
			s.end(j.ID, j.Started) // started anew between two polls
			r = nil
		}
		if j.over() {
			if r != nil {
				end := j.Ended
				if end.IsZero() {
					end = at
				}
				s.end(j.ID, end)
			}
			continue
		}
		now[j.ID] = true
		if r == nil && len(s.going) < mostSeen {
			s.going[j.ID] = &run{Job: j.ID, Account: j.Account, Partition: j.Partition, GPUs: j.GPUs, Start: j.Started}
		}
	}
	for id := range s.going {
		if !now[id] {
			s.end(id, at)
		}
	}
}

func (s *seen) end(id string, at time.Time) {
	r := *s.going[id]
	delete(s.going, id)
	if r.End = at; at.Before(r.Start) {
		r.End = r.Start
	}
	if len(s.ended) >= mostSeen {
		s.ended = slices.Delete(s.ended, 0, mostSeen/10)
	}
	s.ended = append(s.ended, r)
}

func (s *seen) runs() []run {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.ended)
	for _, r := range s.going {
		out = append(out, *r)
	}
	return out
}
