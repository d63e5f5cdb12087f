package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/clock"
	"switchyard/driver"
	"switchyard/site"
	"switchyard/store"
)

// toy is a device that does what it is told, or not.
type toy struct {
	booted  time.Time
	pools   []site.Pool
	profile string
	state   site.State

	err      error         // of every exchange
	lies     bool          // acknowledges and does nothing
	mute     bool          // tells no uptime, pools or profile
	deafFor  int           // so many exchanges get no answer, and do nothing
	lostAck  bool          // does it, and the answer is lost
	takes    time.Duration // to acknowledge
	downTill time.Time     // gives no readings until then
	down     time.Duration // after a restart
	readErr  error
	rests    string
}

// fleet is toys that are told and read.
type fleet struct {
	mu       sync.Mutex
	toys     map[site.DeviceID]*toy
	told     []string // "reboot d-1"
	now, top int      // being told at once
	holds    []string
	holdErr  error
	secrets  map[string]string
	got      []driver.Action
}

func newFleet(n int) *fleet {
	f := &fleet{toys: map[site.DeviceID]*toy{}, secrets: map[string]string{"env:NEW": "s3cret"}}
	for i := range n {
		f.toys[idOf(i)] = &toy{booted: time.Now().Add(-48 * time.Hour), state: site.StateHashing, profile: "normal", pools: []site.Pool{{URL: "stratum+tcp://old.example:1", Worker: "old"}}}
	}
	return f
}

func idOf(i int) site.DeviceID { return site.DeviceID(fmt.Sprintf("d-%02d", i+1)) }

func (f *fleet) Do(ctx context.Context, id site.DeviceID, a driver.Action) error {
	f.mu.Lock()
	t := f.toys[id]
	f.now++
	f.top = max(f.top, f.now)
	f.mu.Unlock()
	select {
	case <-time.After(t.takes):
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now--
	f.told, f.got = append(f.told, fmt.Sprintf("%s %s", a.Act, id)), append(f.got, a)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), driver.ErrUnreachable)
	case t.err != nil:
		return t.err
	case t.deafFor > 0:
		t.deafFor--
		return fmt.Errorf("%s: %w", id, driver.ErrUnreachable)
	}
	if !t.lies {
		t.do(a)
	}
	if t.lostAck {
		t.lostAck = false
		return fmt.Errorf("%s: the answer was lost: %w", id, driver.ErrUnreachable)
	}
	return nil
}

func (t *toy) do(a driver.Action) {
	switch a.Act {
	case site.ActReboot:
		t.booted = time.Now().Add(t.down)
		t.downTill = t.booted
	case site.ActPools:
		t.pools = nil
		for i, p := range a.Pools {
			t.pools = append(t.pools, site.Pool{URL: p.URL, Worker: p.Worker, Active: i == 0})
		}
	case site.ActProfile:
		t.profile = a.Profile
	}
}

func (f *fleet) Refresh(site.DeviceID) {}

func (f *fleet) Sleep(_ context.Context, who, note string, ids []site.DeviceID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds = append(f.holds, fmt.Sprintf("%s sleeps %v: %s", who, ids, note))
	for _, id := range ids {
		if f.holdErr == nil && !f.toys[id].lies {
			f.toys[id].state = site.StateSleeping
		}
	}
	return f.holdErr
}

func (f *fleet) Wake(_ context.Context, who string, ids []site.DeviceID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds = append(f.holds, fmt.Sprintf("%s wakes %v", who, ids))
	for _, id := range ids {
		if t := f.toys[id]; t.rests == "" && !t.lies {
			t.state = site.StateHashing
		}
	}
	return f.holdErr
}

func (f *fleet) Reading(id site.DeviceID) Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, now := f.toys[id], time.Now().UTC()
	if t.readErr != nil {
		return Reading{Err: t.readErr, Failed: now}
	}
	if now.Before(t.downTill) {
		return Reading{Err: driver.ErrUnreachable, Failed: now}
	}
	s := &site.Sample{Device: id, Asked: now, At: now, State: t.state}
	if !t.mute {
		s.Uptime, s.Pools, s.Profile = site.Some(now.Sub(t.booted)), slices.Clone(t.pools), t.profile
	}
	return Reading{Sample: s, Host: "10.0.4.17", Rests: t.rests}
}

// take returns what was told since the last call, in order.
func (f *fleet) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.told
	f.told = nil
	slices.Sort(out)
	return out
}

func (f *fleet) options() Options {
	return Options{
		Clock: clock.System(), Doer: f, Holder: f, Readings: f, Parallel: 4,
		Secret: func(ref string) (string, error) {
			if s, ok := f.secrets[ref]; ok {
				return s, nil
			}
			return "", errors.New("read secret " + ref + ": it is empty or not set")
		},
	}
}

// candidates are all toys, able to do everything.
func (f *fleet) candidates() []Candidate {
	out := make([]Candidate, len(f.toys))
	caps := site.Capabilities{Sleep: true, Acts: site.ActsOf(site.Acts()...), Profiles: []site.Profile{{Name: "eco"}, {Name: "normal"}}}
	for i := range out {
		out[i] = Candidate{ID: idOf(i), Caps: site.Some(caps)}
	}
	return out
}

// yard is a runner with its fleet on a store, in a bubble of time.
type yard struct {
	*testing.T
	*fleet
	db   *store.DB
	x    *Runner
	stop func() // stops the runner and waits for it
}

// bubble runs f in a bubble of time with a fleet of n. The store is opened outside it.
func bubble(t *testing.T, n int, f func(y *yard)) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	synctest.Test(t, func(t *testing.T) {
		y := &yard{T: t, fleet: newFleet(n), db: db}
		y.start()
		defer func() { y.stop() }()
		f(y)
	})
}

// start opens the runner and lets it run, as a controller does when it starts.
func (y *yard) start() {
	y.Helper()
	var err error
	if y.x, err = Open(y.Context(), y.db, y.options()); err != nil {
		y.Fatal(err)
	}
	ctx, cancel := context.WithCancel(y.Context())
	ended := make(chan struct{})
	x := y.x
	go func() {
		defer close(ended)
		x.Run(ctx)
	}()
	y.stop = func() {
		cancel()
		<-ended
	}
	synctest.Wait()
}

func (y *yard) begin(a Action, wave, stopAfter int) int64 {
	y.Helper()
	r, err := y.x.Begin(y.Context(), Rollout{Action: a, By: "eva", Note: "because", Wave: wave, StopAfter: stopAfter, Request: []byte(`{}`)}, Plan(a, wave, y.candidates()))
	if err != nil {
		y.Fatal(err)
	}
	return r.ID
}

func (y *yard) get(id int64) Rollout {
	y.Helper()
	r, err := y.x.Get(y.Context(), id)
	if err != nil {
		y.Fatal(err)
	}
	return r
}

// after lets time pass and returns the rollout then.
func (y *yard) after(d time.Duration, id int64) Rollout {
	y.Helper()
	time.Sleep(d)
	synctest.Wait()
	return y.get(id)
}

func (y *yard) counts(r Rollout, want map[ItemState]int) {
	y.Helper()
	for _, s := range []ItemState{Pending, Told, Confirmed, Failed, Skipped, Unknown} {
		if r.Counts[s] != want[s] {
			y.Errorf("%d devices %s, want %d; rollout %s %q, items %+v", r.Counts[s], s, want[s], r.State, r.Reason, r.Items)
			return
		}
	}
}
