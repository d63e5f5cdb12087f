package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/compression"

	"switchyard/store"
)

const (
	metricPrefix = "switchyard_"
	mapEvery     = 10 * time.Second // machine time between hand-overs of full chunks to the disk
	ballastName  = "ballast"
	ballastSize  = 4 << 20
	maxSteps     = 20_000
	maxSeries    = 5_000
	maxQuery     = 16 << 10
)

// HistoryOptions set the history up; zero fields take the defaults.
type HistoryOptions struct {
	Log *slog.Logger
	// Retention is how much site time is kept, counted back from the newest sample; default 400 days.
	Retention time.Duration
	// MaxBytes bounds the closed blocks on disk; zero: no bound.
	MaxBytes int64
	// Reserve is the free disk space below which nothing more is written; default 64 MiB.
	Reserve int64
	// Lookback is how long a value stands in for the ones that follow it; default 90 s.
	Lookback time.Duration
}

// Point is one value of one series. The key is what the page calls it, such as "price_usd_mwh"
// or "node_w:hall-a"; in PromQL that is switchyard_node_w{id="hall-a"}.
type Point struct {
	Key   string
	Value float64 // a NaN is left out: a gap
}

// History is an open history. Times are site time and may lie in the past; for each series
// they must grow, and what comes out of order is left out and counted.
type History struct {
	opts   HistoryOptions
	dir    string
	db     *tsdb.DB
	engine *promql.Engine

	mu      sync.Mutex // one appender at a time, and the fields below
	refs    map[string]series
	skipped int64
	full    bool
	mapped  time.Time
}

type series struct {
	ref  storage.SeriesRef
	lset labels.Labels
}

// OpenHistory opens the history in dir, making it if it is not there. The store's lock must
// be held: the history takes none of its own.
func OpenHistory(dir string, o HistoryOptions) (*History, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Retention <= 0 {
		o.Retention = 400 * 24 * time.Hour
	}
	if o.Reserve <= 0 {
		o.Reserve = 64 << 20
	}
	if o.Lookback <= 0 {
		o.Lookback = 90 * time.Second
	}
	o.Log = quietly(o.Log) // the library tells its every move
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open history %s: %w", dir, store.Named(err, dir))
	}
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = o.Retention.Milliseconds()
	opts.MaxBytes = o.MaxBytes
	opts.MaxBlockDuration = (24 * time.Hour).Milliseconds()
	opts.NoLockfile = true
	opts.WALCompression = compression.Snappy
	opts.WALSegmentSize = 16 << 20
	opts.StripeSize = 512         // hundreds of series, not millions
	opts.OutOfOrderTimeWindow = 0 // nothing out of order: its chunks are written where a full disk would end the process
	db, err := tsdb.Open(dir, o.Log, nil, opts, nil)
	if err != nil {
		return nil, fmt.Errorf("open history %s: %w", dir, store.Named(err, dir))
	}
	h := &History{opts: o, dir: dir, db: db, refs: map[string]series{}, mapped: time.Now()}
	h.engine = promql.NewEngine(promql.EngineOpts{
		Logger: o.Log, MaxSamples: 5_000_000, Timeout: 30 * time.Second, LookbackDelta: 5 * time.Minute,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
	})
	h.stowBallast()
	return h, nil
}

// Close closes the history.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := errors.Join(h.engine.Close(), h.db.Close()); err != nil {
		return fmt.Errorf("close history: %w", store.Named(err, h.dir))
	}
	return nil
}

// Append takes the points of one moment of site time. It blocks on the disk, usually for
// microseconds. With less than the reserve of free space it writes nothing and returns
// store.ErrFull, once for each call; it goes on by itself when there is space again.
func (h *History) Append(at time.Time, points []Point) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.space(); err != nil {
		return fmt.Errorf("append to history: %w", err)
	}
	app := h.db.Appender(context.Background())
	ms := at.UnixMilli()
	for _, p := range points {
		if math.IsNaN(p.Value) {
			continue
		}
		s, ok := h.refs[p.Key]
		if !ok {
			lset, err := parseKey(p.Key)
			if err != nil {
				return errors.Join(fmt.Errorf("append to history: %w", err), app.Rollback())
			}
			s.lset = lset
		}
		ref, err := app.Append(s.ref, s.lset, ms, p.Value)
		switch {
		case errors.Is(err, storage.ErrOutOfOrderSample), errors.Is(err, storage.ErrOutOfBounds),
			errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
			h.skipped++
			continue
		case err != nil:
			return errors.Join(fmt.Errorf("append to history: %w", store.Named(err, h.dir)), app.Rollback())
		}
		s.ref = ref
		h.refs[p.Key] = s
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("append to history: %w", store.Named(err, h.dir))
	}
	if time.Since(h.mapped) >= mapEvery {
		h.mapped = time.Now()
		h.db.ForceHeadMMap()
	}
	return nil
}

// Skipped returns how many points came out of order and were left out.
func (h *History) Skipped() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.skipped
}

// space keeps the TSDB from meeting a full disk: where its own goroutine writes full chunks
// it ends the process when it cannot. So writing stops while there is some space left, what
// is full is written at once, and a ballast file is given up to make room for that.
func (h *History) space() error {
	free, err := store.Free(h.dir)
	if err != nil {
		return err
	}
	if free >= h.opts.Reserve {
		if h.full && free >= h.opts.Reserve+2*ballastSize {
			h.full = false
			h.stowBallast()
			h.db.EnableCompactions()
			h.opts.Log.Info("history is written again: there is space on the disk", "free_bytes", free)
		}
		if !h.full {
			return nil
		}
	}
	if !h.full {
		h.full = true
		h.db.DisableCompactions()
		if err := os.Remove(filepath.Join(h.dir, ballastName)); err != nil && !errors.Is(err, os.ErrNotExist) {
			h.opts.Log.Warn("the history's ballast could not be given up", "reason", err)
		}
		if left, err := store.Free(h.dir); err == nil && left >= ballastSize/2 {
			h.db.ForceHeadMMap()
		}
	}
	return fmt.Errorf("%w (folder %s): %d MiB are left and %d MiB are kept free", store.ErrFull, h.dir, free>>20, h.opts.Reserve>>20)
}

// stowBallast puts the ballast file in its place, if there is space enough. It is written,
// not only sized: a sparse file would hold no space.
func (h *History) stowBallast() {
	path := filepath.Join(h.dir, ballastName)
	if st, err := os.Stat(path); err == nil && st.Size() == ballastSize {
		return
	}
	if free, err := store.Free(h.dir); err != nil || free < h.opts.Reserve+2*ballastSize {
		return
	}
	noise := make([]byte, ballastSize)
	for i := range noise {
		noise[i] = byte(i * 131 >> 3)
	}
	if err := os.WriteFile(path, noise, 0o640); err != nil {
		h.opts.Log.Warn("the history's ballast could not be written", "reason", err)
	}
}

var (
	metric = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
	ident  = regexp.MustCompile(`^[^\x00-\x1f]{1,200}$`)
)

// parseKey makes labels of a key: "node_w:hall-a" is switchyard_node_w{id="hall-a"}.
func parseKey(key string) (labels.Labels, error) {
	name, id, has := strings.Cut(key, ":")
	if !metric.MatchString(name) || has && !ident.MatchString(id) {
		return labels.EmptyLabels(), fmt.Errorf("%q is not a series' key such as \"node_w:hall-a\"", key)
	}
	if !has {
		return labels.FromStrings(labels.MetricName, metricPrefix+name), nil
	}
	return labels.FromStrings(labels.MetricName, metricPrefix+name, "id", id), nil
}

func keyOf(l labels.Labels) string {
	key := strings.TrimPrefix(l.Get(labels.MetricName), metricPrefix)
	if id := l.Get("id"); id != "" {
		key += ":" + id
	}
	return key
}

// Track is one series over evenly spaced times; a NaN is a gap.
type Track struct {
	Key    string
	Values []float64
}

// Range returns the series of [from, to) in steps, at most 20,000 of them, by key: each
// value is the mean of the samples in its step, or the last one before it where the step has
// none and that is no older than the lookback. No keys means all series.
func (h *History) Range(ctx context.Context, from, to time.Time, step time.Duration, keys ...string) (times []time.Time, tracks []Track, err error) {
	if step <= 0 || !from.Before(to) || to.Sub(from)/step > maxSteps {
		return nil, nil, fmt.Errorf("read history: from %s to %s in steps of %s is not a range of 1 to %d steps", from.Format(time.RFC3339), to.Format(time.RFC3339), step, maxSteps)
	}
	for t := from; t.Before(to); t = t.Add(step) {
		times = append(times, t)
	}
	q, err := h.db.Querier(from.Add(-h.opts.Lookback).UnixMilli(), to.UnixMilli()-1)
	if err != nil {
		return nil, nil, fmt.Errorf("read history: %w", err)
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	set := q.Select(ctx, true, nil, labels.MustNewMatcher(labels.MatchRegexp, labels.MetricName, metricPrefix+".+"))
	var it chunkenc.Iterator
	for set.Next() {
		key := keyOf(set.At().Labels())
		if len(keys) > 0 && !slices.Contains(keys, key) {
			continue
		}
		if len(tracks) == maxSeries {
			return nil, nil, fmt.Errorf("read history: more than %d series; name the ones that are wanted", maxSeries)
		}
		it = set.At().Iterator(it)
		values, err := h.resample(it, from, step, len(times))
		if err != nil {
			return nil, nil, fmt.Errorf("read history of %s: %w", key, err)
		}
		tracks = append(tracks, Track{Key: key, Values: values})
	}
	if err := set.Err(); err != nil {
		return nil, nil, fmt.Errorf("read history: %w", err)
	}
	return times, tracks, nil
}

func (h *History) resample(it chunkenc.Iterator, from time.Time, step time.Duration, n int) ([]float64, error) {
	sums, counts, lastAt, lastV := make([]float64, n), make([]int, n), make([]int64, n), make([]float64, n)
	start, width := from.UnixMilli(), max(step.Milliseconds(), 1)
	before, beforeV := int64(math.MinInt64), 0.0
	for it.Next() == chunkenc.ValFloat {
		t, v := it.At()
		if t < start {
			before, beforeV = t, v
			continue
		}
		i := int((t - start) / width)
		if i >= n {
			break
		}
		sums[i] += v
		counts[i]++
		lastAt[i], lastV[i] = t, v
	}
	out := make([]float64, n)
	for i := range out {
		switch at := start + int64(i)*width; {
		case counts[i] > 0:
			out[i] = sums[i] / float64(counts[i])
			before, beforeV = lastAt[i], lastV[i]
		case before > math.MinInt64 && at-before <= h.opts.Lookback.Milliseconds():
			out[i] = beforeV
		default:
			out[i] = math.NaN()
		}
	}
	return out, it.Err()
}
