package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
)

// logLength is how many changes of a resource a watch may lie behind before it is told 410.
const logLength = 32_768

// Change is one change of an object. Now is nil when it is gone, Before nil when it is new.
type Change struct {
	Resource    *Resource
	Now, Before Object
}

// Store keeps objects.
type Store struct {
	Resources
	now func() time.Time

	mu     sync.RWMutex
	rv     uint64
	tables map[*Resource]*table
	hooks  []func(Change)
	admit  func(*Resource, Object)
}

type table struct {
	items map[string]*entry
	log   []change
	lost  uint64        // version of the newest change that is no longer in the log
	wake  chan struct{} // closed at the next change
}

// entry is one version of one object, not written any more.
type entry struct {
	obj  Object
	key  string
	rv   uint64
	once sync.Once
	raw  []byte

	newer  sync.Once
	newRaw []byte // in the newer form
}

type change struct {
	rv          uint64
	now, before *entry
}

func newStore(now func() time.Time) *Store {
	s := &Store{Resources: newResources(), now: now, rv: 1, tables: map[*Resource]*table{}}
	for _, r := range s.all() {
		s.tables[r] = &table{items: map[string]*entry{}, wake: make(chan struct{})}
	}
	return s
}

// json returns the object as JSON, worked out when first wanted.
func (e *entry) json() []byte {
	e.once.Do(func() {
		b, err := json.Marshal(e.obj)
		if err != nil { // typed objects that were decoded from JSON
			b = []byte(`{}`)
		}
		e.raw = b
	})
	return e.raw
}

func keyOf(ns, name string) string {
	if ns == "" {
		return name
	}
	return ns + "/" + name
}

// Hook calls fn after every change from now on, in order, while the Store is locked.
func (s *Store) Hook(fn func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, fn)
}

// Admit calls fn with every object before it is made, as a defaulting webhook.
func (s *Store) Admit(fn func(*Resource, Object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admit = fn
}

// Get returns an object, or nil. It is shared: not to be written.
func (s *Store) Get(r *Resource, ns, name string) Object {
	if e := s.entry(r, ns, name); e != nil {
		return e.obj
	}
	return nil
}

func (s *Store) entry(r *Resource, ns, name string) *entry {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tables[r].items[keyOf(ns, name)]
}

// Count returns how many objects of a kind there are.
func (s *Store) Count(r *Resource) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.tables[r].items)
}

// List returns the objects of a namespace (empty: all) by name. They are shared: not to be written.
func (s *Store) List(r *Resource, ns string) []Object {
	all, _ := s.entries(r, ns)
	out := make([]Object, len(all))
	for i, e := range all {
		out[i] = e.obj
	}
	return out
}

// entries returns a namespace's entries by key, and the version at which they are.
func (s *Store) entries(r *Resource, ns string) ([]*entry, uint64) {
	s.mu.RLock()
	t := s.tables[r]
	all := make([]*entry, 0, len(t.items))
	for _, e := range t.items {
		if ns == "" || e.obj.GetNamespace() == ns {
			all = append(all, e)
		}
	}
	rv := s.rv
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *entry) int { return strings.Compare(a.key, b.key) })
	return all, rv
}

// commit puts a version in the place of another; now nil removes it. The lock is held.
func (s *Store) commit(r *Resource, before *entry, now Object) *entry {
	s.rv++
	t := s.tables[r]
	c := change{rv: s.rv, before: before}
	told := Change{Resource: r}
	if before != nil {
		told.Before = before.obj
	}
	if now != nil {
		now.SetResourceVersion(strconv.FormatUint(s.rv, 10))
		now.GetObjectKind().SetGroupVersionKind(r.kind())
		c.now = &entry{obj: now, key: keyOf(now.GetNamespace(), now.GetName()), rv: s.rv}
		t.items[c.now.key] = c.now
		told.Now = now
	} else {
		delete(t.items, before.key)
	}
	t.log = append(t.log, c)
	if len(t.log) >= 2*logLength {
		t.lost = t.log[len(t.log)-logLength-1].rv
		t.log = slices.Clone(t.log[len(t.log)-logLength:])
	}
	close(t.wake)
	t.wake = make(chan struct{})
	for _, fn := range s.hooks {
		fn(told)
	}
	return c.now
}

// Compact forgets all past changes: a watch from before now is told 410.
func (s *Store) Compact() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		t.log, t.lost = nil, s.rv
	}
}

// Create makes an object, with its defaults.
func (s *Store) Create(r *Resource, o Object) (Object, error) {
	e, err := s.create(r, o.DeepCopyObject().(Object))
	if err != nil {
		return nil, err
	}
	return e.obj, nil
}

func (s *Store) create(r *Resource, o Object) (*entry, error) {
	if o.GetName() == "" && o.GetGenerateName() != "" {
		o.SetName(o.GetGenerateName() + utilrand.String(5))
	}
	if err := check(r, o); err != nil {
		return nil, err
	}
	o.SetUID(types.UID(uuid.NewString()))
	o.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	o.SetDeletionTimestamp(nil)
	o.SetGeneration(1)
	o.SetSelfLink("")
	if r.status && r != s.Nodes {
		part(o, "Status").SetZero()
	}
	setDefaults(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[r]
	if t.items[keyOf(o.GetNamespace(), o.GetName())] != nil {
		return nil, apierrors.NewAlreadyExists(r.resource(), o.GetName())
	}
	if ns := o.GetNamespace(); r.Namespaced && s.tables[s.Namespaces].items[ns] == nil {
		return nil, apierrors.NewNotFound(s.Namespaces.resource(), ns)
	}
	if s.admit != nil {
		s.admit(r, o)
	}
	if r.most > 0 && len(t.items) >= r.most {
		s.dropOldest(r, t)
	}
	return s.commit(r, nil, o), nil
}

func (s *Store) dropOldest(r *Resource, t *table) {
	var oldest *entry
	for _, e := range t.items {
		if oldest == nil || e.rv < oldest.rv {
			oldest = e
		}
	}
	s.commit(r, oldest, nil)
}

// Mutate changes spec, status and metadata of an object in one go, as the parts of the cluster do
// among themselves; fn gets a copy. An object that fn leaves as it was gets no new version.
func (s *Store) Mutate(r *Resource, ns, name string, fn func(Object) error) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cur := s.tables[r].items[keyOf(ns, name)]
	if cur == nil {
		return nil, apierrors.NewNotFound(r.resource(), name)
	}
	o := cur.obj.DeepCopyObject().(Object)
	if err := fn(o); err != nil {
		return nil, err
	}
	e := s.replace(r, cur, o)
	return e.obj, nil
}

// replace commits a new version, if it is one, with the generation that it has. The lock is held.
func (s *Store) replace(r *Resource, cur *entry, o Object) *entry {
	o.SetGeneration(cur.obj.GetGeneration())
	if spec := part(o, "Spec"); spec.IsValid() && !equality.Semantic.DeepEqual(spec.Interface(), part(cur.obj, "Spec").Interface()) {
		o.SetGeneration(o.GetGeneration() + 1)
	}
	if equality.Semantic.DeepEqual(o, cur.obj) {
		return cur
	}
	if o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) == 0 && len(cur.obj.GetFinalizers()) > 0 && r != s.Pods {
		s.commit(r, cur, nil)
		return cur
	}
	return s.commit(r, cur, o)
}

// Remove takes an object away, whatever its grace; one that is not there is no error.
func (s *Store) Remove(r *Resource, ns, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.tables[r].items[keyOf(ns, name)]; e != nil {
		s.commit(r, e, nil)
	}
}

// Delete deletes an object as a client does: with finalizers or grace it stays a while.
func (s *Store) Delete(r *Resource, ns, name string, o *metav1.DeleteOptions) (Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cur := s.tables[r].items[keyOf(ns, name)]
	if cur == nil {
		return nil, apierrors.NewNotFound(r.resource(), name)
	}
	if p := o.Preconditions; p != nil {
		if p.UID != nil && *p.UID != cur.obj.GetUID() || p.ResourceVersion != nil && *p.ResourceVersion != cur.obj.GetResourceVersion() {
			return nil, apierrors.NewConflict(r.resource(), name, fmt.Errorf("the precondition does not hold"))
		}
	}
	grace := graceOf(cur.obj, o)
	if grace <= 0 && len(cur.obj.GetFinalizers()) == 0 {
		s.commit(r, cur, nil)
		return cur.obj, nil
	}
	if was := cur.obj.GetDeletionGracePeriodSeconds(); cur.obj.GetDeletionTimestamp() != nil && (was == nil || *was <= grace) {
		return cur.obj, nil // it goes as soon already
	}
	next := cur.obj.DeepCopyObject().(Object)
	at := metav1.NewTime(s.now().Add(time.Duration(grace) * time.Second).Truncate(time.Second))
	next.SetDeletionTimestamp(&at)
	next.SetDeletionGracePeriodSeconds(&grace)
	return s.commit(r, cur, next).obj, nil
}
