package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"switchyard/compute/kube/kueue"
)

// The pauses before a lost list or watch is tried again, in machine time, and how long a watch lasts.
const (
	retryFirst = 250 * time.Millisecond
	retryMost  = 15 * time.Second
	watchFor   = 5 * time.Minute // and up to as much again
	// retryAbsent is how often it is looked for what the server does not serve.
	retryAbsent = 30 * time.Second
)

// lister is what all typed clients can do.
type lister[L runtime.Object] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// sink takes what a feed hears.
type sink interface {
	// replace says that these are all there are in the scope.
	replace(scope string, all []runtime.Object)
	put(runtime.Object)
	drop(runtime.Object)
}

// feed keeps a table as the server has it: it lists once, then watches from there, and lists
// again only when the server no longer knows what happened since.
type feed struct {
	name  string
	scope string // a namespace; empty: all
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	sink  sink
	// optional: a server without it is no fault.
	optional    bool
	listTimeout time.Duration
	changed     func()
	stand       func(context.Context) // waits while events are not to be taken; nil: they always are

	mu     sync.Mutex
	err    error // why the last request went wrong; nil when it went well
	synced bool  // listed at least once
	absent bool
	kick   chan struct{}
}

func newFeed[L runtime.Object](name, scope string, c lister[L], s sink, timeout time.Duration, changed func()) *feed {
	return &feed{
		name: name, scope: scope, sink: s, listTimeout: 6 * timeout, changed: changed,
		list: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			l, err := c.List(ctx, o)
			if err != nil {
				return nil, err // never a typed nil
			}
			return l, nil
		},
		watch: c.Watch,
		err:   errors.New("not listed yet"),
		kick:  make(chan struct{}, 1),
	}
}

// run feeds the table until ctx ends.
func (f *feed) run(ctx context.Context) {
	version := "" // from which to watch; empty: list first
	last := "0"   // what a list must not be older than
	pause := retryFirst
	for ctx.Err() == nil {
		err := f.turn(ctx, &version, &last)
		switch {
		case err == nil:
			pause = retryFirst // the watch ended as it does after some minutes
			continue
		case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
			version = "" // too far behind: list again
		case isTooLarge(err):
			version, last = "", "" // the server was set back in time
		}
		f.note(err)
		wait := pause/2 + rand.N(pause)
		var foreign *kueue.VersionsError
		if f.optional && (apierrors.IsNotFound(err) || errors.As(err, &foreign)) {
			wait = retryAbsent
		}
		pause = min(2*pause, retryMost)
		select {
		case <-ctx.Done():
		case <-f.kick:
			pause = retryFirst
		case <-time.After(wait):
		}
	}
}

// turn lists if it must, then watches until the watch ends.
func (f *feed) turn(ctx context.Context, version, last *string) error {
	if *version == "" {
		v, err := f.relist(ctx, *last)
		if err != nil {
			return err
		}
		*version, *last = v, v
	}
	seconds := int64((watchFor + rand.N(watchFor)).Seconds())
	w, err := f.watch(ctx, metav1.ListOptions{ResourceVersion: *version, TimeoutSeconds: &seconds, AllowWatchBookmarks: true})
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.name, err)
	}
	defer w.Stop()
	f.note(nil)
	begun := time.Now()
	events := 0
	for {
		var ev watch.Event
		var ok bool
		if f.stand != nil {
			f.stand(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.kick:
			return nil // the server was lost and is back: this watch may be dead
		case ev, ok = <-w.ResultChan():
		}
		if !ok {
			if events == 0 && time.Since(begun) < time.Second {
				return fmt.Errorf("watch %s: it ended at once", f.name)
			}
			return nil
		}
		events++
		if err := f.take(ev, version); err != nil {
			return err
		}
		*last = *version
	}
}

// take puts one event into the table.
func (f *feed) take(ev watch.Event, version *string) error {
	if ev.Type == watch.Error {
		return fmt.Errorf("watch %s: %w", f.name, apierrors.FromObject(ev.Object))
	}
	m, err := meta.Accessor(ev.Object)
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.name, err)
	}
	switch ev.Type {
	case watch.Added, watch.Modified:
		f.sink.put(ev.Object)
	case watch.Deleted:
		f.sink.drop(ev.Object)
	}
	if v := m.GetResourceVersion(); v != "" {
		*version = v
	}
	if ev.Type != watch.Bookmark {
		f.changed()
	}
	return nil
}

// relist reads all there is and returns the version to watch from.
func (f *feed) relist(ctx context.Context, notOlder string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, f.listTimeout)
	defer cancel()
	l, err := f.list(ctx, metav1.ListOptions{ResourceVersion: notOlder})
	if err != nil {
		return "", fmt.Errorf("list %s: %w", f.name, err)
	}
	m, err := meta.ListAccessor(l)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", f.name, err)
	}
	all, err := meta.ExtractList(l)
	if err != nil {
		return "", fmt.Errorf("list %s: %w", f.name, err)
	}
	f.sink.replace(f.scope, all)
	f.mu.Lock()
	f.synced, f.absent = true, false
	f.mu.Unlock()
	f.changed()
	return m.GetResourceVersion(), nil
}

// note keeps how the last request went.
func (f *feed) note(err error) {
	f.mu.Lock()
	if f.optional && apierrors.IsNotFound(err) {
		f.absent, f.synced, err = true, true, nil
	}
	was := f.err
	f.err = err
	f.mu.Unlock()
	if (was == nil) != (err == nil) {
		f.changed()
	}
}

// state says whether the table was ever filled, and why it is not kept current.
func (f *feed) state() (synced bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.synced, f.err
}

// gone says that the server does not serve this.
func (f *feed) gone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.absent
}

// again makes the feed ask the server now; it does not block.
func (f *feed) again() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// isTooLarge says that the server has not seen the version that we have.
func isTooLarge(err error) bool {
	var s apierrors.APIStatus
	if !errors.As(err, &s) || s.Status().Details == nil {
		return false
	}
	for _, c := range s.Status().Details.Causes {
		if c.Type == metav1.CauseTypeResourceVersionTooLarge {
			return true
		}
	}
	return false
}

// table holds the rows of one kind, behind the engine's lock.
type table[T any] struct {
	mu   *sync.RWMutex
	rows map[string]T
	// read makes a row; false: of no interest to us.
	read func(runtime.Object) (T, bool)
	// left is told of rows that went away; sure says that it was seen, not only found out later.
	left func(row T, sure bool)
	// over is told of each row that is put, with the one before it.
	over func(before *T, now *T)
}

func newTable[T any](mu *sync.RWMutex, read func(runtime.Object) (T, bool)) *table[T] {
	return &table[T]{mu: mu, rows: map[string]T{}, read: read}
}

func (t *table[T]) put(o runtime.Object) {
	row, ok := t.read(o)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(keyOf(o), row, ok)
}

func (t *table[T]) set(key string, row T, ok bool) {
	before, had := t.rows[key]
	if !ok {
		delete(t.rows, key)
		return
	}
	if t.over != nil {
		if had {
			t.over(&before, &row)
		} else {
			t.over(nil, &row)
		}
	}
	t.rows[key] = row
}

func (t *table[T]) drop(o runtime.Object) {
	row, ok := t.read(o)
	t.mu.Lock()
	defer t.mu.Unlock()
	key := keyOf(o)
	if _, had := t.rows[key]; had && ok {
		t.set(key, row, ok) // its last state
	}
	t.leave(key, true)
}

func (t *table[T]) leave(key string, sure bool) {
	row, had := t.rows[key]
	if !had {
		return
	}
	if t.left != nil {
		t.left(row, sure)
	}
	delete(t.rows, key)
}

func (t *table[T]) replace(scope string, all []runtime.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := make(map[string]bool, len(all))
	for _, o := range all {
		key := keyOf(o)
		seen[key] = true
		row, ok := t.read(o)
		t.set(key, row, ok)
	}
	for key := range t.rows {
		if !seen[key] && inScope(key, scope) {
			t.leave(key, false)
		}
	}
}

func inScope(key, scope string) bool {
	return scope == "" || len(key) > len(scope) && key[:len(scope)] == scope && key[len(scope)] == '/'
}

// keyOf returns "namespace/name", or the name of what has no namespace.
func keyOf(o runtime.Object) string {
	m, err := meta.Accessor(o)
	if err != nil {
		return ""
	}
	if m.GetNamespace() == "" {
		return m.GetName()
	}
	return m.GetNamespace() + "/" + m.GetName()
}
