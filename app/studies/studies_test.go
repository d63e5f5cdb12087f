package studies

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/api"
	"switchyard/api/studies"
	"switchyard/strictyaml"
	"switchyard/study"
	"switchyard/study/input"
)

var now = time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)

// bench is a shelf with an engine that waits for leave.
type bench struct {
	*Studies
	leave chan error // one for each study that may end
	seen  chan string
}

func newBench(t *testing.T, dir string, beside ...string) *bench {
	t.Helper()
	b := &bench{leave: make(chan error), seen: make(chan string, 20)}
	s, err := Open(Options{
		Dir: dir, Version: "v9", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Beside: beside,
		Run: func(ctx context.Context, f *input.File, o study.Options) (*study.Report, error) {
			o.Progress("paths", 3, 9)
			b.seen <- f.Study
			select {
			case err := <-b.leave:
				if err != nil && err.Error() == "panic" {
					panic("out of range")
				}
				return report(f.Study, len(f.Hash)), err
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		Sheet: func(w io.Writer, f *input.File, r *study.Report) error {
			if f.Paths == 77 {
				return errors.New("no room")
			}
			_, err := io.WriteString(w, "PK "+f.Study)
			return err
		},
		HTML: func(w io.Writer, r *study.Report) error { _, err := io.WriteString(w, "<html>"+r.Study); return err },
		Compare: func(w io.Writer, rs []*study.Report) error {
			_, err := io.WriteString(w, rs[0].Study+"|"+rs[1].Study)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Studies = s
	return b
}

func report(name string, size int) *study.Report {
	return &study.Report{
		Study: name, Site: "North Creek", Months: size, Paths: 10, Seed: 4,
		Best:      []study.Choice{{Hall: "north", Title: "Mine on", NPV: study.Dist{Mean: 5, P10: 1, P90: 9}, Over: 0}},
		Portfolio: study.Portfolio{NPV: study.Dist{Mean: 7, P10: 2, P90: 12}, MiningOn: study.Dist{Mean: 3}},
		Findings:  []study.Finding{{Text: "look"}},
	}
}

// file is the example under another name.
func file(name string) studies.Request {
	return studies.Request{Name: "a.yaml", Text: strings.Replace(string(input.Example()), "study: North Creek", "study: "+name, 1)}
}

// until waits for a condition.
func (b *bench) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never %s: %+v", what, b.Studies.Studies())
}

func (b *bench) state(id string) string {
	for _, v := range b.Studies.Studies() {
		if v.ID == id {
			return v.State
		}
	}
	return "away"
}

func TestAStudyIsRunKeptAndReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "studies")
	b := newBench(t, dir)
	go b.Run(t.Context())
	v, err := b.Add(t.Context(), "eva", file("Ours & Theirs / 2"))
	if err != nil || v.State != waiting || v.ID != "20261020-120000-ours-theirs-2" || v.By != "eva" {
		t.Fatalf("%+v %v", v, err)
	}
	<-b.seen
	if got := b.Studies.Studies()[0]; got.State != running || got.Stage != "paths" || got.Done != 3 || got.Total != 9 {
		t.Errorf("%+v", got)
	}
	if _, err := b.Document(t.Context(), v.ID, "json"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("the report of one that runs: %v", err)
	}
	b.leave <- nil
	b.until(t, "done", func() bool { return b.state(v.ID) == done })
	want := b.Studies.Studies()
	if got := want[0]; got.NPV.P90 != 12 || got.Best[0].Title != "Mine on" || got.Findings != 1 || got.SizeBytes == 0 || got.Stage != "" {
		t.Errorf("%+v", got)
	}
	again := newBench(t, dir)
	if diff := cmp.Diff(want, again.Studies.Studies()); diff != "" {
		t.Errorf("read again (-kept +read):\n%s", diff)
	}
	for format, text := range map[string]string{"html": "<html>Ours & Theirs / 2", "yaml": file("Ours & Theirs / 2").Text, "xlsx": "PK Ours & Theirs / 2"} {
		if doc, err := again.Document(t.Context(), v.ID, format); err != nil || string(doc.Body) != text {
			t.Errorf("%s: %.60s %v", format, doc.Body, err)
		}
	}
	for _, id := range []string{"", "..", "../x", v.ID + "/../" + v.ID, "20261020-120000-none"} {
		if _, err := again.Document(t.Context(), id, "json"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
		if err := again.Remove(t.Context(), "eva", id); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("remove %q: %v", id, err)
		}
	}
	if _, err := again.Document(t.Context(), v.ID, "exe"); !errors.Is(err, api.ErrInvalid) {
		t.Error(err)
	}
	if err := again.Remove(t.Context(), "eva", v.ID); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 || len(again.Studies.Studies()) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Without its workbook a study is kept all the same.
func TestAWorkbookThatCannotBeMadeIsLeftOut(t *testing.T) {
	b := newBench(t, t.TempDir())
	go b.Run(t.Context())
	r := file("x")
	r.Text = strings.Replace(r.Text, "paths: 10000", "paths: 77", 1)
	v, err := b.Add(t.Context(), "eva", r)
	if err != nil {
		t.Fatal(err)
	}
	<-b.seen
	b.leave <- nil
	b.until(t, "done", func() bool { return b.state(v.ID) == done })
	if b.Studies.Studies()[0].Workbook {
		t.Error("a workbook is told of that is not there")
	}
	if _, err := b.Document(t.Context(), v.ID, "xlsx"); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	b := newBench(t, t.TempDir())
	go b.Run(t.Context())
	var ids []string
	add := func(name string) error {
		v, err := b.Add(t.Context(), "eva", file(name))
		ids = append(ids, v.ID)
		return err
	}
	if err := add("one"); err != nil {
		t.Fatal(err)
	}
	if got := <-b.seen; got != "one" {
		t.Fatal(got)
	}
	for range mostWaiting {
		if err := add("same"); err != nil {
			t.Fatal(err)
		}
	}
	if err := add("more"); !errors.Is(err, api.ErrUnavailable) {
		t.Errorf("a queue without end: %v", err)
	}
	if ids[1] == ids[2] {
		t.Errorf("two of one id: %s", ids[1])
	}
	// What runs is stopped by its removal, and the next begins.
	if err := b.Remove(t.Context(), "eva", ids[0]); err != nil {
		t.Fatal(err)
	}
	if got := <-b.seen; got != "same" {
		t.Fatal(got)
	}
	b.leave <- errors.New("no roots")
	b.until(t, "failed", func() bool { return len(b.failures()) == 1 })
	<-b.seen
	b.leave <- errors.New("panic")
	b.until(t, "broken off", func() bool { return len(b.failures()) == 2 })
	if f := b.failures(); !strings.Contains(strings.Join(f, ";"), "no roots") || !strings.Contains(strings.Join(f, ";"), "out of range") {
		t.Error(f)
	}
	for _, v := range b.Studies.Studies() {
		if left, _ := filepath.Glob(b.path(v.ID, ".*")); v.State == failed && len(left) > 0 {
			t.Errorf("left of what failed: %v", left)
		}
	}
}

func (b *bench) failures() []string {
	var out []string
	for _, v := range b.Studies.Studies() {
		if v.State == failed {
			out = append(out, v.Error)
		}
	}
	return out
}

func TestFaultsAndFiles(t *testing.T) {
	dir := t.TempDir()
	var prices strings.Builder
	prices.WriteString("time,rt_price_usd_mwh\n")
	for at := now.AddDate(-1, -1, 0); at.Before(now); at = at.Add(time.Hour) {
		prices.WriteString(at.Format(time.RFC3339) + ",40\n")
	}
	ours, secret := filepath.Join(dir, "rt.csv"), filepath.Join(dir, "secret.csv")
	for _, path := range []string{ours, secret} {
		if err := os.WriteFile(path, []byte(prices.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, dir, ours)
	with := func(path string) studies.Request {
		r := file("x")
		r.Text = strings.Replace(r.Text, "flat: 42 $/MWh # where there are none", "prices: "+path, 1)
		return r
	}
	var faults strictyaml.Faults
	r := file("x")
	r.Text = strings.Replace(r.Text, "years: 12", "yeers: 12", 1)
	r.Name = `C:\Users\eva\my study.yaml`
	if _, err := b.Add(t.Context(), "eva", r); !errors.As(err, &faults) || faults[0].File != "my study.yaml" {
		t.Errorf("%v", err)
	}
	for _, path := range []string{"secret.csv", secret, "../secret.csv", "/etc/passwd"} {
		if _, err := b.Add(t.Context(), "eva", with(path)); !errors.As(err, &faults) {
			t.Errorf("%s was read: %v", path, err)
		}
	}
	if _, err := b.Add(t.Context(), "eva", with("prices/rt.csv")); err != nil {
		t.Errorf("the site's own: %v", err)
	}
	brought := with("secret.csv")
	brought.Files = map[string]string{"secret.csv": prices.String()}
	if _, err := b.Add(t.Context(), "eva", brought); err != nil {
		t.Errorf("brought: %v", err)
	}
	many := file("x")
	many.Text = strings.Replace(many.Text, "paths: 10000", "paths: 900000", 1)
	if _, err := b.Add(t.Context(), "eva", many); err == nil {
		t.Error("900,000 paths were taken")
	}
}

// A file that was put into the folder by others is not a study.
func TestWhatIsNotAStudyIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"20261020-120000-a.view.json": "{", "20261020-120000-b.view.json": `{"id":"20261020-120000-c","state":"done"}`, "x.view.json": `{"id":"x","state":"done"}`,
		"20261020-120000-d.view.json": `{"id":"20261020-120000-d","state":"running"}`, "20261020-120000-e.view.json": `{"id":"20261020-120000-e","state":"done"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, dir)
	if all := b.Studies.Studies(); len(all) != 1 || all[0].ID != "20261020-120000-e" {
		t.Errorf("%+v", all)
	}
}

func TestCompare(t *testing.T) {
	b := newBench(t, t.TempDir())
	go b.Run(t.Context())
	var ids []string
	for _, name := range []string{"one", "two"} {
		v, err := b.Add(t.Context(), "eva", file(name))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
		<-b.seen
		b.leave <- nil
		b.until(t, "done", func() bool { return b.state(v.ID) == done })
	}
	if doc, err := b.Compare(t.Context(), ids); err != nil || string(doc.Body) != "one|two" {
		t.Errorf("%s %v", doc.Body, err)
	}
	if _, err := b.Compare(t.Context(), ids[:1]); !errors.Is(err, api.ErrInvalid) {
		t.Error(err)
	}
	if _, err := b.Compare(t.Context(), []string{ids[0], "no"}); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
}
