package kube

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// serve does what a request asks for.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, verb string, t target) {
	var err error
	switch {
	case verb == http.MethodGet && t.name != "":
		err = s.get(w, t)
	case verb == http.MethodGet:
		err = s.list(w, r, t)
	case verb == "WATCH":
		err = s.watch(w, r, t)
	case verb == http.MethodPost && t.sub == "eviction":
		err = s.delete(w, r, t)
	case verb == http.MethodPost && t.name == "":
		err = s.post(w, r, t)
	case verb == http.MethodPut && t.name != "":
		err = s.replace(w, r, t)
	case verb == http.MethodPatch && t.name != "":
		err = s.patch(w, r, t)
	case verb == http.MethodDelete && t.name != "":
		err = s.delete(w, r, t)
	case verb == http.MethodDelete:
		err = s.deleteAll(w, r, t)
	default:
		err = apierrors.NewMethodNotSupported(t.res.resource(), strings.ToLower(verb))
	}
	if err != nil {
		fail(w, err)
	}
}

func (s *Server) get(w http.ResponseWriter, t target) error {
	e := s.store.entry(t.res, t.ns, t.name)
	if e == nil {
		return apierrors.NewNotFound(t.res.resource(), t.name)
	}
	answer(w, http.StatusOK, e.as(t))
	return nil
}

// selector is what a list or watch wants.
type selector struct {
	ns     string
	label  labels.Selector
	field  fields.Selector
	any    bool // it wants everything of its namespace
	nobody bool // of fields
}

func newSelector(q url.Values, t target) (selector, error) {
	l, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return selector{}, apierrors.NewBadRequest("unable to parse requirement: " + err.Error())
	}
	f, err := fields.ParseSelector(q.Get("fieldSelector"))
	if err != nil {
		return selector{}, apierrors.NewBadRequest(err.Error())
	}
	if t.name != "" {
		f = fields.AndSelectors(f, fields.OneTermEqualSelector("metadata.name", t.name))
	}
	known := fieldsOf(t.res.make())
	for _, req := range f.Requirements() {
		if _, ok := known[req.Field]; !ok {
			return selector{}, apierrors.NewBadRequest("field label not supported: " + req.Field)
		}
	}
	return selector{ns: t.ns, label: l, field: f, any: l.Empty() && f.Empty(), nobody: f.Empty()}, nil
}

// wants says whether the selector picks an entry; nil it never does.
func (q *selector) wants(e *entry) bool {
	if e == nil || q.ns != "" && e.obj.GetNamespace() != q.ns {
		return false
	}
	if q.any {
		return true
	}
	return q.label.Matches(labels.Set(e.obj.GetLabels())) && (q.nobody || q.field.Matches(fields.Set(fieldsOf(e.obj))))
}

// page is where a list in pages goes on.
type page struct {
	Version uint64 `json:"v"`
	After   string `json:"a"`
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	sel, err := newSelector(q, t)
	if err != nil {
		return err
	}
	all, rv := s.store.entries(t.res, t.ns)
	picked := all[:0]
	for _, e := range all {
		if sel.wants(e) {
			picked = append(picked, e)
		}
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	if q.Get("resourceVersion") == "0" {
		limit = 0 // as a list from the cache
	}
	meta := metav1.ListMeta{ResourceVersion: strconv.FormatUint(rv, 10)}
	if c := q.Get("continue"); c != "" {
		var p page
		b, err := base64.RawURLEncoding.DecodeString(c)
		if err != nil || json.Unmarshal(b, &p) != nil {
			return apierrors.NewBadRequest("continue key is not valid")
		}
		if s.store.forgot(t.res, p.Version) {
			return apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result.")
		}
		meta.ResourceVersion = strconv.FormatUint(p.Version, 10)
		rv = p.Version
		for len(picked) > 0 && picked[0].key <= p.After {
			picked = picked[1:]
		}
	}
	if limit > 0 && len(picked) > limit {
		left := int64(len(picked) - limit)
		b, _ := json.Marshal(page{rv, picked[limit-1].key}) // plain data
		meta.Continue, meta.RemainingItemCount = base64.RawURLEncoding.EncodeToString(b), &left
		picked = picked[:limit]
	}
	writeList(w, t, meta, picked)
	return nil
}

// writeList sends a list without building it in memory.
func writeList(w http.ResponseWriter, t target, meta metav1.ListMeta, all []*entry) {
	m, _ := json.Marshal(meta) // plain data
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"kind":"%sList","apiVersion":%q,"metadata":%s,"items":[`, t.res.Kind, t.groupVersion(), m)
	buf := make([]byte, 0, 64<<10)
	for i, e := range all {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf = append(buf, e.as(t)...); len(buf) > 48<<10 {
			if _, err := w.Write(buf); err != nil {
				return // the client is gone
			}
			buf = buf[:0]
		}
	}
	_, _ = w.Write(append(buf, "]}"...)) // the same
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, t target) error {
	o, err := s.read(w, r, t)
	if err != nil {
		return err
	}
	if t.res.Namespaced {
		if o.GetNamespace() != "" && o.GetNamespace() != t.ns {
			return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
		}
		o.SetNamespace(t.ns)
	}
	if o.GetResourceVersion() != "" {
		return apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	e, err := s.store.create(t.res, o)
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, e.as(t))
	return nil
}

func (s *Server) read(w http.ResponseWriter, r *http.Request, t target) (Object, error) {
	b, media, err := body(w, r)
	if err != nil {
		return nil, err
	}
	switch {
	case media == "application/json", media == "":
		return decode(t, b)
	case media == protobuf && t.res.native:
		return decodeProto(t.res, b)
	}
	return nil, unsupported(t.res)
}

func (s *Server) replace(w http.ResponseWriter, r *http.Request, t target) error {
	o, err := s.read(w, r, t)
	if err != nil {
		return err
	}
	e, err := s.store.update(t.res, t.ns, t.name, t.sub, o)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, e.as(t))
	return nil
}

func (s *Server) patch(w http.ResponseWriter, r *http.Request, t target) error {
	b, media, err := body(w, r)
	if err != nil {
		return err
	}
	e, made, err := s.store.patch(t.res, t.ns, t.name, patchRequest{kind: types.PatchType(media), body: b, manager: r.URL.Query().Get("fieldManager"), sub: t.sub, as: t})
	if err != nil {
		return err
	}
	code := http.StatusOK
	if made {
		code = http.StatusCreated
	}
	answer(w, code, e.as(t))
	return nil
}

func deleteOptions(w http.ResponseWriter, r *http.Request, evict bool) (*metav1.DeleteOptions, error) {
	b, media, err := body(w, r)
	if err != nil {
		return nil, err
	}
	o := &metav1.DeleteOptions{}
	switch {
	case len(b) == 0:
	case media == protobuf:
		if err := unpack(b, o); err != nil || evict {
			return nil, apierrors.NewBadRequest("the delete options cannot be read")
		}
	default:
		into := any(o)
		if evict {
			into = &struct {
				DeleteOptions *metav1.DeleteOptions `json:"deleteOptions"`
			}{o}
		}
		if err := json.Unmarshal(b, into); err != nil {
			return nil, apierrors.NewBadRequest("the delete options cannot be read: " + err.Error())
		}
	}
	if g := r.URL.Query().Get("gracePeriodSeconds"); g != "" {
		n, err := strconv.ParseInt(g, 10, 64)
		if err != nil {
			return nil, apierrors.NewBadRequest("gracePeriodSeconds is no number")
		}
		o.GracePeriodSeconds = &n
	}
	return o, nil
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, t target) error {
	o, err := deleteOptions(w, r, t.sub == "eviction")
	if err != nil {
		return err
	}
	gone, err := s.store.Delete(t.res, t.ns, t.name, o)
	if err != nil {
		return err
	}
	if t.sub == "eviction" || gone.GetDeletionTimestamp() == nil && t.res != s.store.Pods {
		code := http.StatusOK
		if t.sub == "eviction" {
			code = http.StatusCreated
		}
		b, _ := json.Marshal(metav1.Status{ // plain data
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess,
			Details: &metav1.StatusDetails{Name: t.name, Group: t.res.Group, Kind: t.res.Name, UID: gone.GetUID()},
		})
		answer(w, code, b)
		return nil
	}
	b, err := json.Marshal(gone)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, outward(t, b))
	return nil
}

func (s *Server) deleteAll(w http.ResponseWriter, r *http.Request, t target) error {
	sel, err := newSelector(r.URL.Query(), t)
	if err != nil {
		return err
	}
	o, err := deleteOptions(w, r, false)
	if err != nil {
		return err
	}
	all, rv := s.store.entries(t.res, t.ns)
	var gone []*entry
	for _, e := range all {
		if sel.wants(e) {
			if _, err := s.store.Delete(t.res, e.obj.GetNamespace(), e.obj.GetName(), o); err == nil {
				gone = append(gone, e)
			}
		}
	}
	writeList(w, t, metav1.ListMeta{ResourceVersion: strconv.FormatUint(rv, 10)}, gone)
	return nil
}
