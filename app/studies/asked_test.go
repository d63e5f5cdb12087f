package studies

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/api/studies"
)

// life is a controller's: its shelf with the queue at work, until it is ended.
func life(t *testing.T, dir string) (b *bench, end func()) {
	t.Helper()
	b = newBench(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() { defer close(gone); b.Run(ctx) }()
	return b, func() { cancel(); <-gone }
}

func (b *bench) view(id string) (v studies.View) {
	for _, v := range b.Studies.Studies() {
		if v.ID == id {
			return v
		}
	}
	return v
}

// asking is the example with hourly prices that are brought with it.
func asking(name string) studies.Request {
	var prices strings.Builder
	prices.WriteString("time,rt_price_usd_mwh\n")
	for at := now.AddDate(-1, -1, 0); at.Before(now); at = at.Add(time.Hour) {
		prices.WriteString(at.Format(time.RFC3339) + ",40\n")
	}
	r := file(name)
	r.Text = strings.Replace(r.Text, "flat: 42 $/MWh # where there are none", "prices: own.csv", 1)
	r.Files = map[string]string{"own.csv": prices.String()}
	return r
}

// What runs when the controller stops runs again from the beginning at the next start, what waits waits
// again, each with the files that were brought; and what is done is kept as it is.
func TestAStudyOutlivesTheController(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "studies")
	b, end := life(t, dir)
	first, err := b.Add(t.Context(), "eva", asking("one"))
	if err != nil {
		t.Fatal(err)
	}
	<-b.seen
	second, err := b.Add(t.Context(), "eva", asking("two"))
	if err != nil {
		t.Fatal(err)
	}
	end()
	if v := b.view(first.ID); v.State != interrupted || v.Interrupted != 1 || v.Error != "" {
		t.Errorf("at the end: %+v", v)
	}

	b = newBench(t, dir) // nothing works the queue yet
	if v := b.view(first.ID); v.State != interrupted || v.Interrupted != 1 || v.By != "eva" || !v.Asked.Equal(first.Asked) || v.Stage != "" {
		t.Errorf("at the next start: %+v", v)
	}
	if v := b.view(second.ID); v.State != waiting || v.Interrupted != 0 {
		t.Errorf("what waited: %+v", v)
	}

	b, end = life(t, dir)
	for n, id := range []string{first.ID, second.ID} {
		name := <-b.seen
		if v := b.view(id); v.State != running || v.Interrupted != 1-n || name != v.Name {
			t.Errorf("%s runs, and %+v", name, v)
		}
		b.leave <- nil
		b.until(t, "done", func() bool { return b.state(id) == done })
	}
	end()
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+askedEnd)); len(left) > 0 {
		t.Errorf("left of what is done: %v", left)
	}
	b = newBench(t, dir)
	if v := b.view(first.ID); v.State != done || v.Interrupted != 1 || b.state(second.ID) != done {
		t.Errorf("kept: %+v", b.Studies.Studies())
	}
}

// A study that takes the controller with it is not begun for ever; it stays in sight until it is removed.
func TestAStudyIsBegunThreeTimesAtMost(t *testing.T) {
	dir := t.TempDir()
	b, end := life(t, dir)
	v, err := b.Add(t.Context(), "eva", file("heavy"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range mostRuns {
		if got := <-b.seen; got != "heavy" || b.view(v.ID).Interrupted != n {
			t.Fatalf("begun %d times: %+v", n+1, b.view(v.ID))
		}
		end()
		b, end = life(t, dir)
	}
	for range 2 {
		if got := b.view(v.ID); got.State != failed || got.Interrupted != mostRuns || !strings.Contains(got.Error, "3 times") {
			t.Errorf("given up: %+v", got)
		}
		end()
		if len(b.seen) > 0 {
			t.Error("it was begun once more")
		}
		b, end = life(t, dir)
	}
	defer end()
	if err := b.Remove(t.Context(), "eva", v.ID); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What another release can no longer read is told, and what is no request is left alone.
func TestWhatCannotBeRunAgainIsTold(t *testing.T) {
	dir := t.TempDir()
	const at = "20261020-120000-"
	for name, text := range map[string]string{
		at + "a": "{", at + "b": `{"view":{"id":"` + at + `c"}}`,
		at + "d": `{"view":{"id":"` + at + `d","name":"old"},"name":"old.yaml","text":"study: old\nyeers: 3\n","begun":1}`,
		at + "e": `{"view":{"id":"` + at + `e"}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+askedEnd), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, at+"e"+viewEnd), []byte(`{"id":"`+at+`e","state":"done"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, dir)
	if all := b.Studies.Studies(); len(all) != 2 || b.state(at+"e") != done || !strings.Contains(b.view(at+"d").Error, "yeers") {
		t.Errorf("%+v", all)
	}
	if _, err := os.Stat(filepath.Join(dir, at+"e"+askedEnd)); err == nil {
		t.Error("what was asked for of a study that is done is left behind")
	}
}
