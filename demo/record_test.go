package demo

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/backtest/record"
)

// TestARecordedDayIsDecidedAgain: what the running site decided and planned comes out again,
// to the last milliwatt and word, where the same code decides its record.
func TestARecordedDayIsDecidedAgain(t *testing.T) {
	t.Parallel()
	if !probe().rows {
		t.Skip("this system has one loopback address only")
	}
	path := filepath.Join(t.TempDir(), "day.jsonl.gz")
	o := Options{Miners: 12, Speed: 240, For: 40 * time.Minute, Listen: "127.0.0.1:0", Out: io.Discard, Err: io.Discard, Record: path}
	if err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := record.Replay(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	if r.Rounds < 400 || r.Differing != 0 || r.Schedules < 4 || r.PlansDiffer != 0 || r.Torn || r.To.Sub(r.From) < 39*time.Minute {
		t.Errorf("%+v", r)
	}
	if err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a record was written over: %v", err)
	}
}
