package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Times of watches, the machine's.
const (
	watchMost  = time.Hour
	bookmarks  = 15 * time.Second
	watchWrite = 30 * time.Second // for a client to take what it is sent
	batchMost  = 2000             // changes taken from the log at once
)

// forgot says whether changes after version rv are no longer known.
func (s *Store) forgot(r *Resource, rv uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return rv < s.tables[r].lost
}

// since returns the changes after version rv, at most batchMost, and what is closed at the next
// change. ok is false when some are no longer known.
func (s *Store) since(r *Resource, rv uint64) (some []change, newest uint64, wake <-chan struct{}, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[r]
	if rv < t.lost {
		return nil, s.rv, nil, false
	}
	from := sort.Search(len(t.log), func(i int) bool { return t.log[i].rv > rv })
	some = t.log[from:min(len(t.log), from+batchMost)] // entries of the log do not change
	return some, s.rv, t.wake, true
}

// stream is one watch.
type stream struct {
	s      *Server
	w      http.ResponseWriter
	ctl    *http.ResponseController
	sel    selector
	t      target
	buf    []byte
	cursor uint64
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	sel, err := newSelector(q, t)
	if err != nil {
		return err
	}
	if q.Get("sendInitialEvents") != "" {
		return apierrors.NewInvalid(metav1.Unversioned.WithKind("ListOptions").GroupKind(), "", field.ErrorList{
			field.Forbidden(field.NewPath("sendInitialEvents"), "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"),
		})
	}
	x := &stream{s: s, w: w, ctl: http.NewResponseController(w), sel: sel, t: t}
	var first []*entry
	switch rv := q.Get("resourceVersion"); rv {
	case "", "0":
		first, x.cursor = s.store.entries(t.res, t.ns)
	default:
		if x.cursor, err = strconv.ParseUint(rv, 10, 64); err != nil {
			return apierrors.NewBadRequest("resourceVersion: Invalid value: " + strconv.Quote(rv))
		}
	}
	most := watchMost
	if n, err := strconv.Atoi(q.Get("timeoutSeconds")); err == nil && n > 0 {
		most = min(most, time.Duration(n)*time.Second)
	}
	_ = x.ctl.SetReadDeadline(time.Time{}) // that of a request would end the watch
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for _, e := range first {
		if sel.wants(e) {
			x.add("ADDED", e.as(t))
		}
	}
	if x.flush() {
		x.run(r, most, q.Get("allowWatchBookmarks") == "true")
	}
	return nil
}

// run sends changes until the client goes, the time is over or the log has run away.
func (x *stream) run(r *http.Request, most time.Duration, marks bool) {
	end := time.NewTimer(most)
	defer end.Stop()
	mark := time.NewTicker(bookmarks)
	defer mark.Stop()
	for {
		regroup := x.s.regrouping()
		if !x.quiet(r) || !x.s.serves(x.t.res, x.t.version) {
			return
		}
		some, newest, wake, ok := x.s.store.since(x.t.res, x.cursor)
		if !ok {
			st := apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", x.cursor, newest)).Status()
			st.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
			b, _ := json.Marshal(st) // plain data
			x.add("ERROR", b)
			x.flush()
			return
		}
		if len(some) > 0 {
			for _, c := range some {
				x.change(c)
			}
			x.cursor = some[len(some)-1].rv
			if !x.flush() {
				return
			}
			continue
		}
		select {
		case <-wake:
		case <-regroup:
		case <-mark.C:
			if marks {
				x.bookmark(newest)
				if !x.flush() {
					return
				}
			}
		case <-end.C:
			if marks {
				x.bookmark(newest)
				x.flush()
			}
			return
		case <-r.Context().Done():
			return
		case <-x.s.stop:
			return
		}
	}
}

func (s *Server) regrouping() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.regroup
}

// quiet waits while the server hangs, and says whether to go on.
func (x *stream) quiet(r *http.Request) bool {
	x.s.mu.Lock()
	hangs, hung := x.s.faults.Hang, x.s.hung
	x.s.mu.Unlock()
	if !hangs {
		return true
	}
	select {
	case <-hung:
		return true
	case <-r.Context().Done():
	case <-x.s.stop:
	}
	return false
}

// change adds what a change is to this watch: an object may enter and leave what it selects.
func (x *stream) change(c change) {
	was, is := x.sel.wants(c.before), x.sel.wants(c.now)
	switch {
	case is && was:
		x.add("MODIFIED", c.now.as(x.t))
	case is:
		x.add("ADDED", c.now.as(x.t))
	case was && c.now != nil: // it no longer fits
		x.add("DELETED", c.now.as(x.t))
	case was:
		o := c.before.obj.DeepCopyObject().(Object)
		o.SetResourceVersion(strconv.FormatUint(c.rv, 10))
		b, _ := json.Marshal(o) // it was marshalled before
		x.add("DELETED", outward(x.t, b))
	}
}

func (x *stream) bookmark(rv uint64) {
	x.cursor = max(x.cursor, rv)
	x.add("BOOKMARK", fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d","creationTimestamp":null}}`, x.t.res.Kind, x.t.groupVersion(), rv))
}

func (x *stream) add(kind string, object []byte) {
	x.buf = append(x.buf, `{"type":"`...)
	x.buf = append(append(x.buf, kind...), `","object":`...)
	x.buf = append(append(x.buf, object...), "}\n"...)
	if len(x.buf) > 256<<10 {
		x.write()
	}
}

func (x *stream) write() bool {
	if len(x.buf) == 0 {
		return true
	}
	_ = x.ctl.SetWriteDeadline(time.Now().Add(watchWrite)) // it may know none
	_, err := x.w.Write(x.buf)
	x.buf = x.buf[:0]
	return err == nil
}

// flush sends what there is; a watch that is silent afterwards has no deadline.
func (x *stream) flush() bool {
	ok := x.write() && x.ctl.Flush() == nil
	_ = x.ctl.SetWriteDeadline(time.Time{}) // the same
	return ok
}
