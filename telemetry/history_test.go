//go:build linux

package telemetry

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"switchyard/store"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql"
)

func history(t *testing.T, dir string, o HistoryOptions) *History {
	t.Helper()
	h, err := OpenHistory(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func fill(t *testing.T, h *History, from time.Time, n int, step time.Duration) {
	t.Helper()
	for i := range n {
		at := from.Add(time.Duration(i) * step)
		if err := h.Append(at, []Point{{"price_usd_mwh", float64(i)}, {"node_w:hall a", 2e6}, {"group_w:g", math.NaN()}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHistoryOfYearsAgoIsKeptOverReopening(t *testing.T) {
	dir := t.TempDir()
	h := history(t, dir, HistoryOptions{Lookback: time.Minute})
	day := time.Date(2016, 5, 17, 0, 0, 0, 0, time.UTC)
	fill(t, h, day, 2*24*60, time.Minute) // two days: blocks are made
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = history(t, dir, HistoryOptions{Lookback: time.Minute})
	defer func() { _ = h.Close() }()
	if err := h.Append(day.Add(time.Hour), []Point{{"price_usd_mwh", 1}}); err != nil {
		t.Errorf("a point out of order = %v, want it left out", err)
	}
	if h.Skipped() != 1 {
		t.Errorf("Skipped = %d, want 1", h.Skipped())
	}
	from := day.Add(48*time.Hour - 5*time.Minute)
	times, tracks, err := h.Range(t.Context(), from, from.Add(10*time.Minute), 2*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := []Track{
		{"node_w:hall a", []float64{2e6, 2e6, 2e6, nan, nan}},
		{"price_usd_mwh", []float64{2875.5, 2877.5, 2879, nan, nan}},
	}
	equal := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
	if diff := cmp.Diff(want, tracks, equal); diff != "" {
		t.Error(diff)
	}
	if len(times) != 5 || !times[1].Equal(from.Add(2*time.Minute)) {
		t.Errorf("times %v", times)
	}
	_, tracks, err = h.Range(t.Context(), day, day.Add(3*time.Minute), 30*time.Second, "price_usd_mwh")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Track{{"price_usd_mwh", []float64{0, 0, 1, 1, 2, 2}}}, tracks, equal); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryByPromQL(t *testing.T) {
	h := history(t, t.TempDir(), HistoryOptions{})
	defer func() { _ = h.Close() }()
	day := time.Date(2016, 5, 17, 0, 0, 0, 0, time.UTC)
	fill(t, h, day, 60, time.Minute)
	v, err := h.Query(t.Context(), `switchyard_node_w{id="hall a"} / 1e6`, day.Add(30*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil || string(text) != `[{"metric":{"id":"hall a"},"value":[1463445000,"2"]}]` {
		t.Errorf("Query = %s, %v", text, err)
	}
	m, err := h.QueryRange(t.Context(), `max_over_time(switchyard_price_usd_mwh[10m])`, day.Add(20*time.Minute), day.Add(40*time.Minute), 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	matrix, ok := m.(promql.Matrix)
	if !ok || len(matrix) != 1 || len(matrix[0].Floats) != 3 || matrix[0].Floats[2].F != 40 {
		t.Errorf("QueryRange = %v", m)
	}
	if _, err := h.Query(t.Context(), `sum(`, day); err == nil {
		t.Error("half an expression was evaluated")
	}
}

func TestHistoryRefusesWhatItCannotKeep(t *testing.T) {
	h := history(t, t.TempDir(), HistoryOptions{})
	defer func() { _ = h.Close() }()
	for _, key := range []string{"", "Node", "node w", "node_w:", "node_w:a\nb"} {
		if err := h.Append(noon, []Point{{key, 1}}); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
	if _, _, err := h.Range(t.Context(), noon, noon.Add(365*24*time.Hour), time.Second); err == nil {
		t.Error("31 million steps were given")
	}
}

func TestHistoryOnAFullDiskStopsAndGoesOn(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=40m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h := history(t, filepath.Join(disk, "history"), HistoryOptions{Reserve: 8 << 20})
	day := time.Date(2016, 5, 17, 0, 0, 0, 0, time.UTC)
	fill(t, h, day, 500, time.Minute) // full chunks that the disk has not seen
	free, err := store.Free(disk)
	if err != nil {
		t.Fatal(err)
	}
	hog := filepath.Join(disk, "hog")
	if err := os.WriteFile(hog, make([]byte, free-1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	at := day.Add(500 * time.Minute)
	for range 3 {
		if err := h.Append(at, []Point{{"price_usd_mwh", 1}}); !errors.Is(err, store.ErrFull) {
			t.Fatalf("Append on a full disk = %v, want ErrFull", err)
		}
	}
	if _, tracks, err := h.Range(t.Context(), day, at, time.Hour); err != nil || len(tracks) != 2 {
		t.Errorf("reading on a full disk: %v, %v", tracks, err)
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	if err := h.Append(at, []Point{{"price_usd_mwh", 77}}); err != nil {
		t.Fatalf("Append after there is space again: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = history(t, filepath.Join(disk, "history"), HistoryOptions{Reserve: 8 << 20})
	defer func() { _ = h.Close() }()
	_, tracks, err := h.Range(t.Context(), at, at.Add(time.Minute), time.Minute, "price_usd_mwh")
	if err != nil || len(tracks) != 1 || tracks[0].Values[0] != 77 {
		t.Errorf("after reopening: %v, %v", tracks, err)
	}
}

func BenchmarkHistoryAppend100(b *testing.B) {
	h, err := OpenHistory(b.TempDir(), HistoryOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	points := make([]Point, 100)
	for i := range points {
		points[i] = Point{Key: "node_w:n" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Value: 1}
	}
	n := 0
	for b.Loop() {
		n++
		if err := h.Append(noon.Add(time.Duration(n)*10*time.Second), points); err != nil {
			b.Fatal(err)
		}
	}
}
