package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

// tries bounds how often a patch starts again because another write came between.
const tries = 8

// decode reads an object in the version that a request names.
func decode(t target, body []byte) (Object, error) {
	r := t.res
	var head metav1.TypeMeta
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, apierrors.NewBadRequest("the body is no JSON object: " + err.Error())
	}
	if head.Kind != "" && head.Kind != r.Kind || head.APIVersion != "" && head.APIVersion != t.groupVersion() {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: the kind or version does not match", head.Kind, head.APIVersion, r.Kind))
	}
	o := r.make()
	if err := json.Unmarshal(inward(t, body), o); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s cannot be handled: %v", r.Kind, err))
	}
	return o, nil
}

// update puts o in the place of an object; sub is "status" or empty.
func (s *Store) update(r *Resource, ns, name, sub string, o Object) (*entry, error) {
	if o.GetName() != name {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", o.GetName(), name))
	}
	if !r.native && o.GetResourceVersion() == "" {
		return nil, apierrors.NewConflict(r.resource(), name, errors.New("metadata.resourceVersion: must be specified for an update"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(r, keyOf(ns, name), sub, o)
}

// put is update under the lock.
func (s *Store) put(r *Resource, key, sub string, o Object) (*entry, error) {
	cur := s.tables[r].items[key]
	if cur == nil {
		return nil, apierrors.NewNotFound(r.resource(), o.GetName())
	}
	if rv := o.GetResourceVersion(); rv != "" && rv != cur.obj.GetResourceVersion() {
		return nil, apierrors.NewConflict(r.resource(), o.GetName(), errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	if uid := o.GetUID(); uid != "" && uid != cur.obj.GetUID() {
		return nil, apierrors.NewConflict(r.resource(), o.GetName(), fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s", uid, cur.obj.GetUID()))
	}
	next := o
	if sub == "status" {
		next = cur.obj.DeepCopyObject().(Object)
		part(next, "Status").Set(part(o, "Status"))
	} else {
		if r.status {
			part(next, "Status").Set(part(cur.obj.DeepCopyObject().(Object), "Status"))
		}
		if err := check(r, next); err != nil {
			return nil, err
		}
	}
	keep(next, cur.obj, r)
	return s.replace(r, cur, next), nil
}

// keep holds what no client may change.
func keep(next, cur Object, r *Resource) {
	next.SetUID(cur.GetUID())
	next.SetNamespace(cur.GetNamespace())
	next.SetName(cur.GetName())
	next.SetCreationTimestamp(cur.GetCreationTimestamp())
	next.SetDeletionTimestamp(cur.GetDeletionTimestamp())
	next.SetDeletionGracePeriodSeconds(cur.GetDeletionGracePeriodSeconds())
	next.SetResourceVersion(cur.GetResourceVersion())
	next.GetObjectKind().SetGroupVersionKind(r.kind())
}

// patchRequest is a patch as it came.
type patchRequest struct {
	kind    types.PatchType
	body    []byte
	manager string
	sub     string
	as      target
}

// patch changes an object by a patch; made says that an apply made it.
func (s *Store) patch(r *Resource, ns, name string, p patchRequest) (e *entry, made bool, err error) {
	if p.kind == types.ApplyPatchType {
		if p.manager == "" {
			return nil, false, apierrors.NewBadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch")
		}
		if p.body, err = yaml.YAMLToJSON(p.body); err != nil {
			return nil, false, apierrors.NewBadRequest("error decoding YAML: " + err.Error())
		}
	}
	for range tries {
		cur := s.entry(r, ns, name)
		if cur == nil {
			if p.kind == types.ApplyPatchType && p.sub == "" {
				return s.applyNew(r, ns, name, p)
			}
			return nil, false, apierrors.NewNotFound(r.resource(), name)
		}
		o, pinned, err := patched(r, cur, p)
		if err != nil {
			return nil, false, err
		}
		if p.kind == types.ApplyPatchType {
			managed(o, p, s.now())
		}
		if !pinned {
			o.SetResourceVersion(cur.obj.GetResourceVersion())
		}
		o.SetName(name)
		s.mu.Lock()
		e, err = s.put(r, keyOf(ns, name), p.sub, o)
		s.mu.Unlock()
		if err == nil || pinned || !apierrors.IsConflict(err) {
			return e, false, err
		}
	}
	return nil, false, apierrors.NewConflict(r.resource(), name, errors.New("too many writes at once; try again"))
}

// applyNew makes the object that an apply found missing.
func (s *Store) applyNew(r *Resource, ns, name string, p patchRequest) (*entry, bool, error) {
	o, err := decode(p.as, p.body)
	if err != nil {
		return nil, false, err
	}
	o.SetName(name)
	o.SetNamespace(ns)
	managed(o, p, s.now())
	e, err := s.create(r, o)
	return e, true, err
}

// patched returns the object with the patch in it; pinned says that the patch names the version
// that it is for.
func patched(r *Resource, cur *entry, p patchRequest) (o Object, pinned bool, err error) {
	var raw []byte
	switch p.kind {
	case types.JSONPatchType:
		var ops jsonpatch.Patch
		if ops, err = jsonpatch.DecodePatch(p.body); err == nil {
			if len(ops) > 10_000 {
				return nil, false, apierrors.NewRequestEntityTooLargeError("the JSON patch has more than 10,000 operations")
			}
			raw, err = ops.Apply(cur.as(p.as))
		}
		if errors.Is(err, jsonpatch.ErrTestFailed) {
			return nil, false, apierrors.NewInvalid(r.kind().GroupKind(), cur.obj.GetName(), nil)
		}
	case types.MergePatchType:
		raw, err = jsonpatch.MergePatch(cur.as(p.as), p.body)
	case types.StrategicMergePatchType:
		if !r.native {
			return nil, false, unsupported(r)
		}
		raw, err = strategicpatch.StrategicMergePatch(cur.as(p.as), p.body, r.make())
	case types.ApplyPatchType:
		raw, err = applied(cur.as(p.as), p.body)
	default:
		return nil, false, unsupported(r)
	}
	if err != nil {
		return nil, false, apierrors.NewBadRequest("the patch cannot be applied: " + err.Error())
	}
	if o, err = decode(p.as, raw); err != nil {
		return nil, false, err
	}
	return o, p.kind != types.JSONPatchType && names(p.body) != "" || o.GetResourceVersion() != cur.obj.GetResourceVersion(), nil
}

// names returns the version that a patch is for.
func names(body []byte) string {
	var head struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(body, &head) // it was read before
	return head.Metadata.ResourceVersion
}

// managed records who applied.
func managed(o Object, p patchRequest, now time.Time) {
	m := metav1.ManagedFieldsEntry{Manager: p.manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: p.as.groupVersion(), FieldsType: "FieldsV1", Subresource: p.sub}
	all := o.GetManagedFields()
	for i := range all {
		if all[i].Manager == m.Manager && all[i].Operation == m.Operation && all[i].Subresource == m.Subresource {
			return
		}
	}
	m.Time = &metav1.Time{Time: now.Truncate(time.Second)}
	o.SetManagedFields(append(all, m))
}

// applied merges what is applied into an object: maps by their keys, lists of objects that have a
// name or a type by that, all else whole.
func applied(cur, patch []byte) ([]byte, error) {
	var a, b map[string]any
	for _, x := range []struct {
		raw []byte
		to  *map[string]any
	}{{cur, &a}, {patch, &b}} {
		d := json.NewDecoder(bytes.NewReader(x.raw))
		d.UseNumber()
		if err := d.Decode(x.to); err != nil {
			return nil, err
		}
	}
	mergeMaps(a, b)
	return json.Marshal(a)
}

func mergeMaps(into, from map[string]any) {
	for k, v := range from {
		switch v := v.(type) {
		case map[string]any:
			if m, ok := into[k].(map[string]any); ok {
				mergeMaps(m, v)
				continue
			}
		case []any:
			if l, ok := into[k].([]any); ok {
				into[k] = mergeLists(l, v)
				continue
			}
		}
		into[k] = v
	}
}

func mergeLists(into, from []any) []any {
	out := append([]any(nil), into...)
	for _, v := range from {
		m, ok := v.(map[string]any)
		by := "name"
		if ok && m["name"] == nil {
			by = "type"
		}
		if !ok || m[by] == nil {
			return from
		}
		found := false
		for _, w := range out {
			have, ok := w.(map[string]any)
			if !ok {
				return from
			}
			if have[by] == m[by] {
				mergeMaps(have, m)
				found = true
				break
			}
		}
		if !found {
			out = append(out, m)
		}
	}
	return out
}

func unsupported(r *Resource) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 415, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request was in an unknown format for " + r.Name + " - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
	}}
}
