package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/store"
)

// write is the journal's one writer: a batch every 50 ms, or sooner when one is full or
// somebody waits; after an error a pause of a second.
func (j *Journal) write() {
	defer close(j.done)
	tick := time.NewTicker(batchWait)
	defer tick.Stop()
	retain := time.NewTicker(retainEvery)
	defer retain.Stop()
	for {
		select {
		case <-tick.C:
			if j.waving() {
				continue
			}
		case <-retain.C:
			j.retain()
		case <-j.kick:
			if j.waving() {
				continue
			}
		case <-j.stop:
			_ = j.drain() // Close says what could not be written
			return
		}
		if j.drain() == nil {
			continue
		}
		if !j.pause() {
			_ = j.drain()
			return
		}
	}
}

// retain removes what is older than the journal keeps. What cannot be removed now is removed
// an hour later; an error only says so.
func (j *Journal) retain() {
	j.mu.Lock()
	newest := j.newest
	j.mu.Unlock()
	if newest.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	if n, err := j.Prune(ctx, newest.Add(-j.keep), j.rows); err != nil {
		j.log.Warn("old journal entries not removed", "reason", err.Error())
	} else if n > 0 {
		j.log.Info("old journal entries removed", "entries", n)
	}
}

// pause waits a second, or until somebody waits for the disk, who is told at once how
// things stand; it says whether the journal goes on.
func (j *Journal) pause() bool {
	t := time.NewTimer(retryWait)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-j.stop:
			return false
		case <-j.kick:
			j.mu.Lock()
			n := len(j.waiters)
			j.mu.Unlock()
			if n > 0 {
				return true
			}
		}
	}
}

// drain writes batches until nothing waits or one cannot be written.
func (j *Journal) drain() error {
	for {
		j.mu.Lock()
		j.noteDropped()
		// A waiter's entries go in one transaction, so that it pays for one sync.
		n := len(j.pending)
		if len(j.waiters) == 0 {
			n = min(n, batchSize)
		}
		batch := append([]Entry(nil), j.pending[:min(n, 16*batchSize)]...)
		j.mu.Unlock()
		if len(batch) == 0 {
			j.settle(j.lastWritten(), nil)
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), writeTime)
		err := j.db.Tx(ctx, func(t *store.Tx) error { return insert(t, batch) })
		cancel()
		if err != nil {
			j.failed(err)
			return err
		}
		j.wrote(batch)
	}
}

func (j *Journal) lastWritten() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending) == 0 {
		j.written = j.seq
	}
	return j.written
}

const columns = "seq, at, wall, plan, subject, device, kind, code, text, detail"

// rowsAtOnce is how many entries one statement inserts: the driver parses a statement anew
// each time it runs.
const rowsAtOnce = 32

func insert(t *store.Tx, batch []Entry) error {
	plan := site.PlanID(0)
	for len(batch) > 0 {
		n := min(len(batch), rowsAtOnce)
		args := make([]any, 0, 10*n)
		for _, e := range batch[:n] {
			args = append(args, e.Seq, nanos(e.At), nanos(e.Wall), int64(e.Plan), e.Subject, string(e.Device),
				string(e.Kind), string(e.Code), e.Text, []byte(e.Detail))
			plan = max(plan, e.Plan)
		}
		const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		_, err := t.Exec("INSERT INTO journal_entry ("+columns+") VALUES "+row+strings.Repeat(", "+row, n-1), args...)
		if err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
		batch = batch[n:]
	}
	return raisePlan(t, plan)
}

const planKey = "journal.plan"

// raisePlan keeps the greatest plan where retention does not reach it.
func raisePlan(t *store.Tx, plan site.PlanID) error {
	have, err := lastPlan(t)
	if err != nil || plan <= have {
		return err
	}
	return t.PutState(planKey, strconv.AppendInt(nil, int64(plan), 10))
}

func lastPlan(t *store.Tx) (site.PlanID, error) {
	data, err := t.GetState(planKey)
	if err != nil || data == nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the last plan: %w", err)
	}
	return site.PlanID(n), nil
}

// wrote takes the batch off the queue. Entries may have been dropped from the queue while
// it was being written, so it goes by number.
func (j *Journal) wrote(batch []Entry) {
	last := batch[len(batch)-1].Seq
	j.mu.Lock()
	i := 0
	for i < len(j.pending) && j.pending[i].Seq <= last {
		i++
	}
	j.pending = append(j.pending[:0], j.pending[i:]...)
	j.written = last
	if len(j.pending) == 0 {
		j.written = j.seq
		if cap(j.pending) > 4*batchSize {
			j.pending = nil
		}
	}
	was := j.full
	j.full = false
	written := j.written
	j.mu.Unlock()
	if was {
		j.log.Info("the journal is written again: there is space on the disk")
	}
	j.settle(written, nil)
	j.inDatabase()
}

// inDatabase tells the file before the database what it no longer needs to hold.
func (j *Journal) inDatabase() {
	j.mu.Lock()
	done, written := len(j.pending) == 0, j.written
	j.mu.Unlock()
	if !done || j.ahead == nil {
		return
	}
	select {
	case j.ahead.jobs <- aheadJob{written: written}:
	default: // it is busy; the next time does as well
	}
}

// failed keeps the entries and tells whoever waits. A full disk is said once, not at every attempt.
func (j *Journal) failed(err error) {
	full := errors.Is(err, store.ErrFull)
	j.mu.Lock()
	said := j.full && full
	j.full = full
	waiting := len(j.pending)
	j.mu.Unlock()
	if !said {
		j.log.Error("the journal cannot be written; entries are kept in memory until it can", "reason", err, "waiting", waiting)
	}
	j.settle(-1, err)
}

// settle answers the waiters up to written, or all of them with err.
func (j *Journal) settle(written int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	kept := j.waiters[:0]
	for _, w := range j.waiters {
		switch {
		case err != nil:
			w.done <- fmt.Errorf("flush journal: %w", err)
		case w.seq <= written:
			w.done <- nil
		default:
			kept = append(kept, w)
		}
	}
	clear(j.waiters[len(kept):])
	j.waiters = kept
}

// noteDropped writes into the journal itself that something is missing from it, once
// there is room for that line.
func (j *Journal) noteDropped() {
	if j.dropped == 0 || len(j.pending) >= j.bound/2 {
		return
	}
	e := Entry{
		Kind: KindLost, Subject: "journal", Code: site.ReasonLost, Wall: time.Now(),
		Text: fmt.Sprintf("%d entries are missing before this line: the journal's queue was full", j.dropped),
	}
	e.At = e.Wall
	if n := len(j.pending); n > 0 {
		e.At = j.pending[n-1].At
	}
	j.dropped = 0
	j.seq++
	e.Seq = j.seq
	j.pending = append(j.pending, e)
	for s := range j.subs {
		s.offer(e)
	}
}
