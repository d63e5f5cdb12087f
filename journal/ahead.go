package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"switchyard/site"
	"switchyard/store"
)

// A command's record must be on disk before the command goes out, and thousands of rows with
// their indexes take the database a tenth of a second that a site above its limit does not
// have. So AppendNow writes its entries to a small file beside the database first, one after
// the other with one sync; the writer brings them into the database when the wave is over,
// and empties the file. What a kill leaves in the file is brought in at the next Open.

const (
	aheadName = "journal.ahead"
	// aheadMost bounds the file; beyond it AppendNow waits for the database.
	aheadMost = 64 << 20
	// recordMost bounds one record in the file.
	recordMost = maxText + maxDetail + 8<<10
	// calm is how long after a wave the database waits for the next part of it; waveMost is
	// the longest that it waits in all. Machine time.
	calm     = time.Second
	waveMost = 5 * time.Second
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// aheadFile is the file before the database. One goroutine writes it, since a disk may hang
// for longer than its caller can wait.
type aheadFile struct {
	f    *os.File
	size int64
	last int64 // number of the last entry in it
	jobs chan aheadJob
	quit chan struct{}
	done chan struct{}
}

// aheadJob is entries to write, or, without any, the word that all up to written are in the
// database.
type aheadJob struct {
	entries []Entry
	written int64
	result  chan error // room for one; nil for a word
}

func aheadPath(db *store.DB) string { return filepath.Join(db.Dir(), aheadName) }

// openAhead opens the file and returns what it holds.
func openAhead(path string) (*aheadFile, []Entry, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	left, err := readAhead(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	a := &aheadFile{f: f, jobs: make(chan aheadJob, 16), quit: make(chan struct{}), done: make(chan struct{})}
	return a, left, nil
}

// start empties the file, whose entries are in the database now, and takes jobs from then on.
func (a *aheadFile) start() error {
	if err := a.f.Truncate(0); err != nil {
		return err
	}
	go a.run()
	return nil
}

func (a *aheadFile) run() {
	defer close(a.done)
	var buf []byte
	for {
		var j aheadJob
		select {
		case j = <-a.jobs:
		case <-a.quit:
			select {
			case j = <-a.jobs: // what came before the end
			default:
				return
			}
		}
		if j.result == nil {
			a.forget(j.written)
			continue
		}
		buf = buf[:0]
		for _, e := range j.entries {
			buf = appendRecord(buf, e)
		}
		j.result <- a.write(buf, j.entries[len(j.entries)-1].Seq)
		if cap(buf) > 1<<20 {
			buf = nil
		}
	}
}

func (a *aheadFile) write(buf []byte, last int64) error {
	if a.size+int64(len(buf)) > aheadMost {
		return errAheadFull
	}
	_, err := a.f.WriteAt(buf, a.size)
	if err == nil {
		err = a.f.Sync()
	}
	if err != nil {
		_ = a.f.Truncate(a.size) // half a record at the end is skipped when it is read
		return err
	}
	a.size += int64(len(buf))
	a.last = last
	return nil
}

// errAheadFull says that the database has to take the entries itself.
var errAheadFull = errors.New("the file before the database is full")

// forget empties the file when all that it holds is in the database.
func (a *aheadFile) forget(written int64) {
	if a.size > 0 && written >= a.last && a.f.Truncate(0) == nil {
		a.size = 0
	}
}

func (a *aheadFile) close() error {
	close(a.quit)
	<-a.done
	return a.f.Close()
}

// put writes entries to the file and waits for it, no longer than ctx.
func (a *aheadFile) put(ctx context.Context, entries []Entry) error {
	job := aheadJob{entries: entries, result: make(chan error, 1)}
	select {
	case a.jobs <- job:
	case <-a.done:
		return errAheadFull // the journal was closed: the database has the entries, or has told why not
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-job.result:
		return err
	case <-a.done:
		return errAheadFull
	case <-ctx.Done():
		return ctx.Err()
	}
}

// appendRecord encodes an entry: the length and the checksum of what follows, then the
// numbers and the texts, each with its length.
func appendRecord(b []byte, e Entry) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.AppendVarint(b, e.Seq)
	b = binary.AppendVarint(b, nanos(e.At))
	b = binary.AppendVarint(b, nanos(e.Wall))
	b = binary.AppendVarint(b, int64(e.Plan))
	for _, s := range [...]string{e.Subject, string(e.Device), string(e.Kind), string(e.Code), e.Text} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = append(b, e.Detail...)
	body := b[start+8:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body))) //nolint:gosec // texts and details are bounded
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli))
	return b
}

// readAhead reads the records up to the first that is not whole: what a cut left.
func readAhead(r io.ReaderAt) ([]Entry, error) {
	data, err := io.ReadAll(io.NewSectionReader(r, 0, aheadMost))
	if err != nil {
		return nil, err
	}
	var all []Entry
	for len(data) >= 8 {
		n, sum := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
		data = data[8:]
		if n > recordMost || int(n) > len(data) || crc32.Checksum(data[:n], castagnoli) != sum {
			break
		}
		e, ok := decodeRecord(data[:n])
		if !ok {
			break
		}
		all = append(all, e)
		data = data[n:]
	}
	return all, nil
}

func decodeRecord(b []byte) (e Entry, ok bool) {
	var nums [4]int64
	for i := range nums {
		v, n := binary.Varint(b)
		if n <= 0 {
			return e, false
		}
		nums[i], b = v, b[n:]
	}
	var texts [5]string
	for i := range texts {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > uint64(len(b)-n) {
			return e, false
		}
		texts[i], b = string(b[n:n+int(v)]), b[n+int(v):] //nolint:gosec // not above len(b)
	}
	e = Entry{
		Seq: nums[0], At: fromNanos(nums[1]), Wall: fromNanos(nums[2]), Plan: site.PlanID(nums[3]),
		Subject: texts[0], Device: site.DeviceID(texts[1]), Kind: Kind(texts[2]), Code: site.Code(texts[3]), Text: texts[4],
	}
	if len(b) > 0 {
		e.Detail = append(e.Detail, b...)
	}
	return e, true
}

// newer keeps the entries whose number is above seq, in order.
func newer(all []Entry, seq int64) []Entry {
	var kept []Entry
	for _, e := range all {
		if e.Seq > seq {
			kept = append(kept, e)
			seq = e.Seq
		}
	}
	return kept
}

// takeAhead brings what a kill left in the file into the database and makes the file ready.
func (j *Journal) takeAhead(ctx context.Context) error {
	a, left, err := openAhead(aheadPath(j.db))
	if err != nil {
		return fmt.Errorf("open %s: %w", aheadName, store.Named(err, j.db.Dir()))
	}
	if left = newer(left, j.seq); len(left) > 0 {
		for rest := left; len(rest) > 0 && err == nil; {
			part := rest[:min(len(rest), 16*batchSize)]
			rest = rest[len(part):]
			err = j.db.Tx(ctx, func(t *store.Tx) error { return insert(t, part) })
		}
		if err != nil {
			return errors.Join(fmt.Errorf("bring in %s: %w", aheadName, err), a.f.Close())
		}
		j.seq = left[len(left)-1].Seq
		for _, e := range left {
			j.plan = max(j.plan, e.Plan)
		}
		j.log.Info("entries of the last run brought in", "entries", len(left))
	}
	if err := a.start(); err != nil {
		return errors.Join(fmt.Errorf("empty %s: %w", aheadName, err), a.f.Close())
	}
	j.ahead = a
	return nil
}

// peekAhead lets a reader see what the database does not hold yet.
func (j *Journal) peekAhead() {
	f, err := os.Open(aheadPath(j.db))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var left []Entry
	if err == nil {
		left, err = readAhead(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		j.log.Warn("the newest entries are not shown", "reason", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	var last int64
	err = j.db.View(ctx, func(t *store.Tx) error {
		return t.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM journal_entry").Scan(&last)
	})
	if err == nil {
		j.pending = newer(left, last)
	}
}
