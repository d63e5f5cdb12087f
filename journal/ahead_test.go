package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/site"
	"switchyard/store"
)

func orders(n int) []Entry {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var all []Entry
	for i := range n {
		all = append(all, CommandEntry(site.Command{
			Device: site.DeviceID(fmt.Sprintf("s21-%03d", i)), Setpoint: site.Setpoint{Mode: site.ModeSleep}, Plan: 7, At: at,
			Reason: site.Reasonf(site.ReasonLimit, "tx-1", "tx-1 is above its limit"),
		}, "s21"))
	}
	return all
}

func TestWhatAKillLeavesIsBroughtIn(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := Open(t.Context(), db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := orders(300)
	for _, part := range [][]Entry{want[:100], want[100:]} {
		if err := j.AppendNow(t.Context(), part...); err != nil {
			t.Fatal(err)
		}
	}
	// The file as it stands when the call returns is what a kill would leave.
	left, err := os.ReadFile(aheadPath(db))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(aheadPath(db)); err != nil || len(now) > 0 {
		t.Errorf("after an orderly end %d bytes are left, %v", len(now), err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		left []byte
		want int
	}{
		"whole":           {left, 300},
		"cut in a record": {left[:len(left)-20], 299},
		"one bit wrong":   {flipped(left, len(left)-20), 299},
		"nothing":         {nil, 0},
	} {
		t.Run(name, func(t *testing.T) { broughtIn(t, c.left, c.want, want) })
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 4
	return b
}

// broughtIn opens a new store with what was left beside it.
func broughtIn(t *testing.T, left []byte, n int, want []Entry) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// A first life, so that the database has its tables.
	first, err := Open(t.Context(), db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(aheadPath(db), left, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := OpenReader(db, Options{}).Feed(t.Context(), 1000, KindCommand); err != nil || len(got) != n {
		t.Errorf("a reader sees %d entries of %d: %v", len(got), n, err)
	}
	for range 2 { // the second time there is nothing to bring in
		j, err := Open(t.Context(), db, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := j.After(t.Context(), 0, KindCommand)
		if err != nil || len(got) != n {
			t.Fatalf("%d entries of %d: %v", len(got), n, err)
		}
		for i := range got {
			w := want[i]
			w.Seq, w.Wall = got[i].Seq, got[i].Wall
			if diff := cmp.Diff(w, got[i]); diff != "" {
				t.Fatalf("entry %d (-want +got):\n%s", i, diff)
			}
		}
		if n > 0 && (j.LastSeq() != got[n-1].Seq || j.LastPlan() != 7) {
			t.Errorf("it goes on from number %d, plan %d", j.LastSeq(), j.LastPlan())
		}
		if seq, err := j.Append(want[0]); err != nil || n > 0 && seq != got[n-1].Seq+1 {
			t.Errorf("the next number is %d, %v", seq, err)
		}
		j.discard()
	}
}

// discard ends the journal's writer as a kill does: what is queued is lost.
func (j *Journal) discard() {
	j.mu.Lock()
	j.pending, j.closed = nil, true
	j.mu.Unlock()
	close(j.stop)
	<-j.done
	_ = j.ahead.close()
}

func TestTheFileIsEmptiedAndBounded(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	j, err := Open(t.Context(), db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.AppendNow(t.Context(), orders(50)...); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	empty := func() bool {
		s, err := os.Stat(aheadPath(db))
		return err == nil && s.Size() == 0
	}
	for end := time.Now().Add(20 * time.Second); !empty(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what is in the database is still in the file")
		}
	}
	if err := j.ahead.put(t.Context(), []Entry{{Seq: 9}}); err != nil {
		t.Fatal(err)
	}
	done := j.ahead
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := done.put(t.Context(), orders(1)); err == nil {
		t.Error("a closed file takes entries")
	}
	done.size = aheadMost - 10
	if err := done.write(make([]byte, 11), 1); !errors.Is(err, errAheadFull) {
		t.Errorf("beyond the bound: %v", err)
	}
}

func TestAHangingDiskDoesNotHoldTheCaller(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	j, err := Open(t.Context(), db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	// A file whose goroutine never takes a job.
	j.ahead = &aheadFile{f: j.ahead.f, jobs: make(chan aheadJob), quit: j.ahead.quit, done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := j.AppendNow(ctx, orders(1)...); err == nil {
		t.Error("no error although nothing was written")
	}
	if j.LastSeq() == 0 {
		t.Error("the entry is not queued")
	}
	close(j.ahead.done)
}

func FuzzReadAhead(f *testing.F) {
	var b []byte
	for _, e := range orders(3) {
		b = appendRecord(b, e)
	}
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add([]byte("\xff\xff\xff\x7f0000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := readAhead(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		for _, e := range all {
			again = appendRecord(again, e)
		}
		if back, err := readAhead(bytes.NewReader(again)); err != nil || len(back) != len(all) {
			t.Errorf("%d entries come back as %d, %v", len(all), len(back), err)
		}
	})
}
