package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2016, 5, 17, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, o Options) (*Journal, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	j, err := Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, db
}

func put(t *testing.T, j *Journal, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if _, err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

func at(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }

func command(s int, device site.DeviceID, plan site.PlanID, mode site.Mode) Entry {
	return CommandEntry(site.Command{
		Device: device, Setpoint: site.Setpoint{Mode: mode}, Plan: plan, At: at(s),
		Reason: site.Reasonf(site.ReasonPrice, "", "120 $/MWh is above its value of 61 $/MWh"),
	}, "s21")
}

func TestEntriesComeBackAsTheyWent(t *testing.T) {
	j, _ := open(t, Options{})
	want := Entry{
		At: noon, Wall: noon.Add(time.Hour), Plan: 7, Subject: "s21", Device: "s21-001", Kind: KindCommand,
		Code: site.ReasonLimit, Text: "sleep", Detail: []byte(`{"a":1}`),
	}
	put(t, j, want)
	want.Seq = 1
	for _, when := range []string{"queued or not", "on disk"} {
		got, err := j.Feed(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Entry{want}, got); diff != "" {
			t.Fatalf("%s: %s", when, diff)
		}
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFeedIsNewestFirstOfTheKindsWanted(t *testing.T) {
	j, _ := open(t, Options{})
	for i := range 20 {
		k := KindNote
		if i%2 == 0 {
			k = KindAward
		}
		put(t, j, Entry{At: at(i), Kind: k, Text: fmt.Sprint(i)})
		if i == 11 {
			if err := j.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := j.Feed(t.Context(), 6, KindAward)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range got {
		texts = append(texts, e.Text)
	}
	if diff := cmp.Diff([]string{"18", "16", "14", "12", "10", "8"}, texts); diff != "" {
		t.Error(diff)
	}
	some, err := j.Between(t.Context(), at(3), at(6), 10)
	if err != nil || len(some) != 3 || some[0].Text != "3" {
		t.Errorf("Between = %v, %v", some, err)
	}
}

func TestNumbersAndPlansGrowOverRestarts(t *testing.T) {
	j, db := open(t, Options{})
	put(t, j, Entry{At: noon, Kind: KindNote, Plan: 41}, Entry{At: noon, Kind: KindAward, Plan: 40})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(Entry{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	j, err := Open(t.Context(), db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p := j.LastPlan(); p != 41 {
		t.Errorf("LastPlan = %d, want 41", p)
	}
	if n, err := j.Prune(t.Context(), at(3600), 0); err != nil || n != 1 {
		t.Errorf("Prune = %d, %v, want 1", n, err)
	}
	if seq, _ := j.Append(Entry{Kind: KindNote}); seq != 3 {
		t.Errorf("next number %d, want 3", seq)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = Open(t.Context(), db, Options{}); err != nil || j.LastPlan() != 41 {
		t.Errorf("after pruning LastPlan = %d, %v, want 41", j.LastPlan(), err)
	}
	_ = j.Close()
}

func TestAppendNowIsOnDiskWhenItReturns(t *testing.T) {
	j, db := open(t, Options{})
	var entries []Entry
	for i := range 2000 {
		entries = append(entries, command(i, site.DeviceID(fmt.Sprintf("s21-%03d", i)), 1, site.ModeSleep))
	}
	if err := j.AppendNow(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	other := OpenReader(db, Options{}) // sees only the disk
	got, err := other.Feed(t.Context(), maxFeed)
	if err != nil || len(got) != 2000 {
		t.Fatalf("on disk: %d entries, %v; want 2000", len(got), err)
	}
}

func TestQueueKeepsCommandsAndDropsNotes(t *testing.T) {
	made, db := open(t, Options{})
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	j := newJournal(db, Options{Queue: 8}) // nobody writes yet
	for i := range 6 {
		put(t, j, Entry{Kind: KindNote, Text: fmt.Sprint("note ", i)})
	}
	put(t, j, Entry{Kind: KindAward, Text: "award"})
	for i := range 15 {
		put(t, j, Entry{Kind: KindCommand, Text: fmt.Sprint("command ", i)})
	}
	if got := j.Lost(); got != 7 {
		t.Errorf("Lost = %d, want the 6 notes and the award", got)
	}
	if _, err := j.Append(Entry{Kind: KindNote}); !errors.Is(err, ErrOverflow) {
		t.Errorf("a note on a queue full of commands = %v, want ErrOverflow", err)
	}
	put(t, j, Entry{Kind: KindCommand, Text: "the last that fits"})
	if _, err := j.Append(Entry{Kind: KindCommand}); !errors.Is(err, ErrOverflow) {
		t.Errorf("a command past twice the bound = %v, want ErrOverflow", err)
	}
	go j.write()
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, j, Entry{Kind: KindNote, At: noon})
	got, err := j.Feed(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	commands, told := 0, false
	for _, e := range got {
		if e.Kind == KindCommand {
			commands++
		}
		told = told || e.Kind == KindLost && strings.HasPrefix(e.Text, "9 entries are missing")
	}
	if commands != 16 {
		t.Errorf("%d commands came through, want 16", commands)
	}
	if !told {
		t.Errorf("the journal does not say what it lost: %v", got)
	}
	_ = j.Close()
}

type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func TestFullDiskLosesNothingAndIsSaidOnce(t *testing.T) {
	var lines logged
	j, db := open(t, Options{Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err := db.SetMaxBytes(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 4000)
	for i := range 200 {
		put(t, j, Entry{Kind: KindCommand, At: at(i), Text: text})
	}
	for range 3 {
		if err := j.Flush(t.Context()); !errors.Is(err, store.ErrFull) {
			t.Fatalf("Flush on a full disk = %v, want ErrFull", err)
		}
	}
	if !j.Full() {
		t.Error("Full says no")
	}
	got, err := j.Feed(t.Context(), 1000)
	if err != nil || len(got) != 200 {
		t.Fatalf("with a full disk the feed has %d, %v; want 200", len(got), err)
	}
	if err := db.SetMaxBytes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for { // the writer pauses a second after a failure
		if err := j.Flush(t.Context()); err == nil {
			break
		}
	}
	if other, err := OpenReader(db, Options{}).Feed(t.Context(), 1000); err != nil || len(other) != 200 {
		t.Fatalf("after space is back the disk has %d, %v; want 200", len(other), err)
	}
	lines.mu.Lock()
	defer lines.mu.Unlock()
	errs := 0
	for _, l := range lines.lines {
		if strings.Contains(l, "level=ERROR") {
			errs++
		}
	}
	if errs != 1 {
		t.Errorf("a full disk was said %d times, want once:\n%s", errs, strings.Join(lines.lines, ""))
	}
}

func TestSlowSubscriberLosesTheOldest(t *testing.T) {
	j, _ := open(t, Options{})
	s := j.Subscribe()
	for i := range subscription + 10 {
		put(t, j, Entry{Kind: KindNote, Text: fmt.Sprint(i)})
	}
	if e := <-s.C(); e.Text != "10" {
		t.Errorf("the oldest left is %s, want 10", e.Text)
	}
	if s.Lost() != 10 {
		t.Errorf("Lost = %d, want 10", s.Lost())
	}
	s.Cancel()
	s.Cancel()
	put(t, j, Entry{Kind: KindNote})
	n := 0
	for range s.C() {
		n++
	}
	if n != subscription-1 {
		t.Errorf("%d entries were left, want %d", n, subscription-1)
	}
}

func TestCountsAndUnconfirmed(t *testing.T) {
	j, _ := open(t, Options{})
	put(t, j,
		command(0, "s21-001", 1, site.ModeSleep), // confirmed
		command(0, "s21-002", 1, site.ModeSleep), // fails
		command(0, "s21-003", 1, site.ModeSleep), // superseded
		command(0, "s21-004", 1, site.ModeSleep), // open
		Entry{At: at(1), Kind: KindAck, Device: "s21-001"},
		Entry{At: at(1), Kind: KindAck, Device: "s21-004"},
		Entry{At: at(2), Kind: KindConfirm, Device: "s21-001"},
		Entry{At: at(3), Kind: KindFail, Device: "s21-002", Text: "refused"},
		command(4, "s21-003", 2, site.ModeRun), // quarantined
		Entry{At: at(9), Kind: KindQuarantine, Device: "s21-003", Text: "lies"},
		Entry{At: at(10), Kind: KindCommand, Device: "s21-009", Text: "outside"},
	)
	got, err := j.Counts(t.Context(), at(0), at(10))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Counts{Commands: 5, Confirmed: 1, Failed: 2, Superseded: 1, Open: 1}, got); diff != "" {
		t.Error(diff)
	}
	open, err := j.Unconfirmed(t.Context(), at(0), at(10))
	if err != nil || len(open) != 1 || open[0].Device != "s21-004" {
		t.Errorf("Unconfirmed = %v, %v", open, err)
	}
	for to, want := range map[int]int{10: 0, 11: 1} {
		if n, err := j.Unreasoned(t.Context(), at(0), at(to)); err != nil || n != want {
			t.Errorf("Unreasoned to %d = %d, %v; want %d", to, n, err, want)
		}
	}
}

func TestWhy(t *testing.T) {
	j, _ := open(t, Options{})
	put(t, j,
		Entry{At: at(0), Plan: 4, Subject: "s21", Kind: KindAward, Text: "s21 gets 1 MW"},
		command(0, "s21-001", 4, site.ModeRun),
		Entry{At: at(5), Device: "s21-001", Kind: KindConfirm, Text: "draws 3.4 kW"},
		Entry{At: at(10), Plan: 5, Subject: "s21", Kind: KindAward, Text: "s21 gets nothing: 120 $/MWh is above 61"},
		command(10, "s21-001", 5, site.ModeSleep),
		Entry{At: at(11), Device: "s21-001", Kind: KindAck, Text: "acknowledged"},
	)
	kinds := func(a Answer) (out []string) {
		for _, s := range a.Steps {
			out = append(out, fmt.Sprintf("%s@%s", s.Kind, s.At.Sub(noon)))
			if s.At.IsZero() {
				out[len(out)-1] = s.Kind + "@-"
			}
		}
		return out
	}
	tests := []struct {
		name  string
		q     Question
		steps []string
		text  string
	}{
		{
			"now",
			Question{Device: "s21-001"},
			[]string{"award@10s", "reason@10s", "plan@10s", "command@10s", "ack@11s", "confirm@-"},
			"acknowledged, not yet confirmed",
		},
		{
			"then",
			Question{Device: "s21-001", At: at(7)},
			[]string{"award@0s", "reason@0s", "plan@0s", "command@0s", "confirm@5s"},
			"confirmed by a reading at 2016-05-17 12:00:05",
		},
		{
			"just told",
			Question{Device: "s21-001", At: at(10)},
			[]string{"award@10s", "reason@10s", "plan@10s", "command@10s", "ack@-", "confirm@-"},
			"not acknowledged yet",
		},
		{"never told", Question{Device: "s21-002", Load: "s21", At: at(7)}, []string{"award@0s"}, "has been told nothing"},
		{"before all", Question{Device: "s21-001", At: at(-1)}, nil, "has been told nothing"},
	}
	for _, flushed := range []bool{false, true} {
		if flushed {
			if err := j.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range tests {
			got, err := j.Why(t.Context(), tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.steps, kinds(got)); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
			if !strings.Contains(got.Text, tt.text) {
				t.Errorf("%s: answer %q does not say %q", tt.name, got.Text, tt.text)
			}
		}
	}
}

// What befell a device of late stands among the steps: where it is, and who answers in its place.
func TestWhyShowsTheNewestNote(t *testing.T) {
	j, _ := open(t, Options{})
	const day = 24 * 60 * 60
	put(t, j,
		Entry{At: at(0), Device: "s21-001", Kind: KindNote, Text: "another device answers"},
		Entry{At: at(5), Device: "s21-001", Kind: KindNote, Text: "found again"},
		command(10, "s21-001", 5, site.ModeSleep),
		Entry{At: at(11), Device: "s21-001", Kind: KindNote, Code: site.ReasonHold, Text: "eva: reboot"},
		Entry{At: at(12), Device: "s21-002", Kind: KindNote, Text: "another's"},
		Entry{At: at(30), Device: "s21-001", Kind: KindNote, Text: "another device answers again"},
		Entry{At: at(30), Device: "s21-003", Kind: KindNote, Text: "never told"},
	)
	for _, flushed := range []bool{false, true} {
		if flushed {
			if err := j.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			device site.DeviceID
			at     int
			want   string
		}{
			{"s21-001", 4, "note another device answers"},
			{"s21-001", 20, "note found again, reason, plan, command, ack, confirm"},
			{"s21-001", 40, "reason, plan, command, note another device answers again, ack, confirm"},
			{"s21-001", 29 + day, "reason, plan, command, note another device answers again, ack, confirm"},
			{"s21-001", 30 + day, "reason, plan, command, ack, confirm"},
			{"s21-003", 40, "note never told"},
			{"s21-004", 40, ""},
		} {
			a, err := j.Why(t.Context(), Question{Device: c.device, At: at(c.at)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range a.Steps {
				if got = append(got, s.Kind); s.Kind == "note" {
					got[len(got)-1] += " " + s.Text
				}
			}
			if steps := strings.Join(got, ", "); steps != c.want {
				t.Errorf("%s at %d (on disk: %v): %s, want %s", c.device, c.at, flushed, steps, c.want)
			}
		}
	}
}

func TestWhyNamesReasonPowerAndFailure(t *testing.T) {
	j, _ := open(t, Options{})
	c := site.Command{
		Device: "b-1", Plan: 9, At: noon, Reason: site.Reasonf(site.ReasonLimit, "hall", "hall's limit of 1 MW binds"),
		Setpoint: site.Setpoint{Power: site.Some(2500 * unit.Watt)},
	}
	put(t, j, CommandEntry(c, "b"), Entry{At: at(3), Device: "b-1", Kind: KindFail, Text: "refused: pool is down"})
	got, err := j.Why(t.Context(), Question{Device: "b-1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{noon, "reason", "hall's limit of 1 MW binds"},
		{noon, "plan", "plan 9"},
		{noon, "command", "b-1: run at 2.5 kW, because hall's limit of 1 MW binds"},
		{at(3), "fail", "refused: pool is down"},
	}
	if diff := cmp.Diff(want, got.Steps); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got.Text, "it failed: refused") {
		t.Errorf("answer %q", got.Text)
	}
}

func TestPruneByRowsKeepsAudit(t *testing.T) {
	j, _ := open(t, Options{})
	put(t, j, Entry{Kind: KindAudit, At: at(0), Text: "made a token"})
	for i := range 50 {
		put(t, j, Entry{Kind: KindNote, At: at(i)})
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Prune(t.Context(), time.Time{}, 10); err != nil || n != 40 {
		t.Errorf("Prune = %d, %v, want 40", n, err)
	}
	if got, err := j.Feed(t.Context(), 100, KindAudit); err != nil || len(got) != 1 {
		t.Errorf("audit lines after pruning: %v, %v", got, err)
	}
}

func TestFlushHonoursItsContext(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	j := newJournal(db, Options{}) // nobody writes
	put(t, j, Entry{Kind: KindNote})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush = %v", err)
	}
}

func BenchmarkAppendNow2000(b *testing.B) {
	db, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	j, err := Open(b.Context(), db, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	var entries []Entry
	for i := range 2000 {
		entries = append(entries, command(i, site.DeviceID(fmt.Sprintf("s21-%04d", i)), 1, site.ModeSleep))
	}
	for b.Loop() {
		if err := j.AppendNow(b.Context(), entries...); err != nil {
			b.Fatal(err)
		}
	}
}
