package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/site"
	"switchyard/store"
)

// The errors of a Runner.
var (
	// ErrNotFound: there is no such rollout.
	ErrNotFound = errors.New("no such rollout")
	// ErrInvalid: the request makes no sense as it is; its text says what would.
	ErrInvalid = errors.New("invalid rollout")
)

const (
	maxOpen      = 20 // rollouts at once
	refreshEvery = 10 * time.Second
	tellTime     = 30 * time.Second // machine time for one device to acknowledge
)

// Options are what a Runner is made from. All but Told, Ended, Log and Parallel are needed.
type Options struct {
	Clock    clock.Clock
	Doer     Doer
	Holder   Holder
	Readings Readings
	// Secret returns the secret behind a reference. It is called the moment it is needed.
	Secret func(ref string) (string, error)
	// Told hears that a device is told something, by whom, and what: it may restart it.
	Told func(id site.DeviceID, at time.Time, who, what string)
	// Ended hears that a rollout ended.
	Ended func(r Rollout)
	Log   *slog.Logger
	// Parallel bounds how many devices one rollout tells at once; default 16.
	Parallel int
}

// Runner keeps rollouts and carries them out while Run runs.
type Runner struct {
	opt Options
	db  *store.DB

	mu   sync.Mutex
	open map[int64]*job
	ctx  context.Context // of Run, while it runs: Begin starts goroutines in it
	wg   sync.WaitGroup
}

// job is an open rollout. mu guards r; saving is held while it goes to the disk, so that an
// older state never follows a newer one.
type job struct {
	mu      sync.Mutex
	r       Rollout
	changed map[int]bool
	header  bool // the state itself changed
	saving  sync.Mutex
	kick    chan struct{}
	asked   time.Time // when readings were last asked for
}

// Open makes a Runner on the store and takes up the rollouts that had not ended; they go on
// when Run is called.
func Open(ctx context.Context, db *store.DB, opt Options) (*Runner, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Parallel <= 0 {
		opt.Parallel = 16
	}
	if err := migrate(ctx, db); err != nil {
		return nil, err
	}
	x := &Runner{opt: opt, db: db, open: map[int64]*job{}}
	err := db.View(ctx, func(t *store.Tx) error {
		ids, err := open(t)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r, _, err := load(t, id)
			if err != nil {
				return err
			}
			x.open[id] = newJob(r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take up the rollouts: %w", err)
	}
	return x, nil
}

func newJob(r Rollout) *job {
	return &job{r: r, changed: map[int]bool{}, kick: make(chan struct{}, 1)}
}

// Run carries out the open rollouts, and those that begin meanwhile, until ctx ends. It blocks.
func (x *Runner) Run(ctx context.Context) {
	x.mu.Lock()
	x.ctx = ctx
	for _, j := range x.open {
		x.wg.Go(func() { x.drive(ctx, j) })
	}
	x.mu.Unlock()
	<-ctx.Done()
	x.mu.Lock()
	x.ctx = nil
	x.mu.Unlock()
	x.wg.Wait()
}

// Begin keeps a rollout of the planned items on disk and starts it. Of r it takes the action,
// who, note, request, wave and bound.
func (x *Runner) Begin(ctx context.Context, r Rollout, items []Item) (Rollout, error) {
	if err := r.Action.Check(); err != nil {
		return Rollout{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	_, do, _ := Waves(items)
	if do == 0 {
		return Rollout{}, fmt.Errorf("%w: none of the devices can be told; the preview says why", ErrInvalid)
	}
	if r.Wave <= 0 {
		r.Wave = DefaultWave
	}
	if r.StopAfter <= 0 {
		r.StopAfter = DefaultStop(r.Wave)
	}
	if r.Request == nil {
		r.Request = []byte("null")
	}
	r.ID, r.Items, r.State, r.Reason = 0, slices.Clone(items), Running, ""
	r.Begun, r.Ended = x.opt.Clock.Now(), time.Time{}
	r.Text = r.Action.Sentence(do)
	r.count()
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.open) >= maxOpen {
		return Rollout{}, fmt.Errorf("%w: %d rollouts are open; stop one, or wait for it", ErrInvalid, len(x.open))
	}
	if err := insert(ctx, x.db, &r); err != nil {
		return Rollout{}, err
	}
	j := newJob(r)
	x.open[r.ID] = j
	if x.ctx != nil {
		run := x.ctx
		x.wg.Go(func() { x.drive(run, j) })
	}
	return j.copy(true), nil
}

// copy returns the rollout as it is now.
func (j *job) copy(items bool) Rollout {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.r
	r.Counts = maps.Clone(r.Counts)
	r.Items = nil
	if items {
		r.Items = slices.Clone(j.r.Items)
	}
	return r
}

// List returns the newest rollouts, newest first, without their items.
func (x *Runner) List(ctx context.Context, limit int) (out []Rollout, err error) {
	err = x.db.View(ctx, func(t *store.Tx) (err error) {
		out, err = list(t, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	for i := range out { // what runs may be further than the disk
		if j := x.job(out[i].ID); j != nil {
			out[i] = j.copy(false)
		}
	}
	return out, nil
}

func (x *Runner) job(id int64) *job {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.open[id]
}

// Get returns one rollout with its items.
func (x *Runner) Get(ctx context.Context, id int64) (r Rollout, err error) {
	if j := x.job(id); j != nil {
		return j.copy(true), nil
	}
	var ok bool
	err = x.db.View(ctx, func(t *store.Tx) (err error) {
		r, ok, err = load(t, id)
		return err
	})
	switch {
	case err != nil:
		return Rollout{}, fmt.Errorf("read rollout %d: %w", id, err)
	case !ok:
		return Rollout{}, fmt.Errorf("%w: %d", ErrNotFound, id)
	}
	return r, nil
}

// Busy returns the devices that an open rollout has not done with, and its number.
func (x *Runner) Busy() map[site.DeviceID]int64 {
	x.mu.Lock()
	jobs := slices.Collect(maps.Values(x.open))
	x.mu.Unlock()
	out := map[site.DeviceID]int64{}
	for _, j := range jobs {
		j.mu.Lock()
		for i := range j.r.Items {
			if it := &j.r.Items[i]; !it.State.final() {
				out[it.Device] = j.r.ID
			}
		}
		j.mu.Unlock()
	}
	return out
}

// Steer takes "pause", "resume" or "stop" from a person. It returns once that is on disk.
func (x *Runner) Steer(ctx context.Context, who string, id int64, what string) error {
	j := x.job(id)
	if j == nil {
		r, err := x.Get(ctx, id)
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: rollout %d is %s", ErrInvalid, id, r.State)
	}
	j.mu.Lock()
	old, oldReason := j.r.State, j.r.Reason
	switch {
	case what == "pause" && old == Running:
		j.r.State, j.r.Reason = Paused, "paused by "+who
	case what == "resume" && old == Paused:
		j.r.State, j.r.Reason = Running, ""
	case what == "stop" && old != Stopped:
		j.r.State, j.r.Reason = Stopped, "stopped by "+who
	case what != "pause" && what != "resume" && what != "stop":
		j.mu.Unlock()
		return fmt.Errorf("%w: a rollout is steered by pause, resume or stop, not %q", ErrInvalid, what)
	default:
		j.mu.Unlock()
		return fmt.Errorf("%w: rollout %d is %s", ErrInvalid, id, old)
	}
	j.header = true
	j.mu.Unlock()
	if err := x.save(ctx, j); err != nil {
		j.mu.Lock()
		j.r.State, j.r.Reason = old, oldReason
		j.mu.Unlock()
		return err
	}
	select {
	case j.kick <- struct{}{}:
	default:
	}
	return nil
}

// save writes what changed of a rollout.
func (x *Runner) save(ctx context.Context, j *job) error {
	j.saving.Lock()
	defer j.saving.Unlock()
	j.mu.Lock()
	if len(j.changed) == 0 && !j.header {
		j.mu.Unlock()
		return nil
	}
	head := j.r
	head.Items = nil
	rows := make([]placed, 0, len(j.changed))
	for p := range j.changed {
		rows = append(rows, placed{p, j.r.Items[p]})
	}
	was := j.changed
	j.changed, j.header = map[int]bool{}, false
	j.mu.Unlock()
	slices.SortFunc(rows, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	err := save(ctx, x.db, &head, rows)
	if err == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.Copy(j.changed, was)
	j.header = true
	return fmt.Errorf("keep rollout %d: %w", head.ID, err)
}

// set changes an item. The job's lock is held.
func (j *job) set(place int, s ItemState, reason string, now time.Time) {
	it := &j.r.Items[place]
	if it.State == s && it.Reason == reason {
		return
	}
	j.r.Counts[it.State]--
	j.r.Counts[s]++
	it.State, it.Reason, it.At = s, reason, now
	j.changed[place] = true
}

// drive carries one rollout out until it ends or ctx does.
func (x *Runner) drive(ctx context.Context, j *job) {
	pause := max(time.Second, time.Duration(x.opt.Clock.Speed()*float64(250*time.Millisecond)))
	said := false // that the disk takes nothing
	for ctx.Err() == nil {
		x.watch(j)
		ended := x.turn(j)
		err := x.save(ctx, j)
		switch {
		case err != nil && ctx.Err() == nil && !said:
			said = true
			x.opt.Log.Error("a rollout waits: it cannot be kept on disk", "reason", err.Error())
		case err == nil && ended:
			x.end(j)
			return
		case err == nil:
			said = false
			if batch := x.next(j); len(batch) > 0 && x.tell(ctx, j, batch) {
				continue
			}
		}
		timer := x.opt.Clock.NewTimer(pause)
		select {
		case <-timer.C():
		case <-j.kick:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := x.save(last, j); err != nil {
		x.opt.Log.Error("a rollout's last steps are not on disk", "reason", err.Error())
	}
}

func (x *Runner) end(j *job) {
	r := j.copy(true)
	x.mu.Lock()
	delete(x.open, r.ID)
	x.mu.Unlock()
	if x.opt.Ended != nil {
		x.opt.Ended(r)
	}
}

// watch looks at every device that was told and asks for readings where they are waited for.
func (x *Runner) watch(j *job) {
	now := x.opt.Clock.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	ask := now.Sub(j.asked) >= refreshEvery
	if ask {
		j.asked = now
	}
	for p := range j.r.Items {
		it := &j.r.Items[p]
		if it.State != Told {
			continue
		}
		o := j.r.Action.judge(it, x.opt.Readings.Reading(it.Device), now)
		j.set(p, o.state, o.reason, now)
		if ask && it.State == Told {
			x.opt.Doer.Refresh(it.Device)
		}
	}
}

// turn stops or ends the rollout where it is time to, and says that it has ended.
func (x *Runner) turn(j *job) (ended bool) {
	now := x.opt.Clock.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	c := j.r.Counts
	if j.r.State != Stopped && c[Failed] >= j.r.StopAfter && c[Pending] > 0 {
		j.r.State, j.header = Stopped, true
		j.r.Reason = fmt.Sprintf("%s failed, and the rollout stops after %d", plural(c[Failed], "device"), j.r.StopAfter)
	}
	if j.r.State == Stopped && c[Pending] > 0 {
		for p := range j.r.Items {
			if j.r.Items[p].State == Pending {
				j.set(p, Skipped, "not told: the rollout was stopped", now)
			}
		}
	}
	if c[Pending]+c[Told] > 0 {
		return false
	}
	if j.r.State != Stopped {
		j.r.State, j.r.Reason = Done, ""
	}
	if j.r.Ended.IsZero() {
		j.r.Ended, j.header = now, true
	}
	return true
}
