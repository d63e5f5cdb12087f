package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"switchyard/compute"
	"switchyard/compute/kube/kueue"
)

// manager is what our writes are called in an object's managedFields.
const manager = "switchyard"

// call makes one request, with a deadline of its own and, where it helps, a second and third try.
func (e *Engine) call(ctx context.Context, f func(context.Context) error) error {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a request's turn: %w", ctx.Err())
	}
	for try := 1; ; try++ {
		c, cancel := context.WithTimeout(ctx, e.config.Timeout)
		err := f(c)
		cancel()
		if err == nil || try == 3 || !passing(err) || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// read returns an object as it is: as last watched, or asked for now.
func (e *Engine) read(ctx context.Context, r ref, fresh bool) (o object, cached bool, err error) {
	if !fresh && e.View().Reachable {
		if o, ok := e.watched(r); ok {
			return o, true, nil
		}
	}
	err = e.call(ctx, func(ctx context.Context) error {
		o, err = e.get(ctx, r)
		return err
	})
	return o, false, err
}

func (e *Engine) watched(r ref) (object, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	key := r.Name
	if r.NS != "" {
		key = r.NS + "/" + r.Name
	}
	switch r.Kind {
	case kindQueue:
		q, ok := e.queues.rows[key]
		return q.object, ok
	case kindWorkload:
		w, ok := e.workloads.rows[key]
		return w.object, ok
	case kindJob:
		j, ok := e.jobs.rows[key]
		return j.object, ok
	}
	n, ok := e.nodes.rows[key]
	return n.object, ok
}

func (e *Engine) get(ctx context.Context, r ref) (object, error) {
	var opts metav1.GetOptions
	switch r.Kind {
	case kindQueue:
		q, err := e.with.kueue.ClusterQueues().Get(ctx, r.Name)
		return read(q, err, e.config.readQueue, func(s queueSeen) object { return s.object })
	case kindWorkload:
		w, err := e.with.kueue.Workloads(r.NS).Get(ctx, r.Name)
		return read(w, err, e.config.readWorkload, func(s workloadSeen) object { return s.object })
	case kindJob:
		j, err := e.with.kube.BatchV1().Jobs(r.NS).Get(ctx, r.Name, opts)
		return read(j, err, e.config.readJob, func(s jobSeen) object { return s.object })
	case kindNode:
		n, err := e.with.kube.CoreV1().Nodes().Get(ctx, r.Name, opts)
		anyNode := Config{GPUResource: e.config.GPUResource, Machines: map[string]int{r.Name: 0}}
		return read(n, err, anyNode.readNode(nil), func(s nodeSeen) object { return s.object })
	}
	return object{}, fmt.Errorf("%w: no act changes a %s", compute.ErrUnsupported, r.Kind)
}

func read[S any](o runtime.Object, err error, from func(runtime.Object) (S, bool), part func(S) object) (object, error) {
	if err != nil {
		return object{}, err
	}
	s, _ := from(o)
	return part(s), nil
}

func isConflict(err error) bool { return apierrors.IsConflict(err) }

// write writes a knob and the marks, if the object is still as it was read.
func (e *Engine) write(ctx context.Context, o object, k knob, c change) error {
	spec := map[string]any{}
	if c.value != o.value(k) {
		switch k {
		case knobPolicy:
			spec[string(k)] = c.value
		case knobTaint:
			spec["taints"] = turnTaint(o.taints, c.value == "true")
		default:
			spec[string(k)] = c.value == "true"
		}
	}
	orNil := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	notes := map[string]any{NoteBy: orNil(c.marks.by), NoteWas: orNil(c.marks.was), NoteRequested: orNil(c.marks.asked)}
	if !c.saved.IsZero() {
		notes[NoteSaved] = c.saved.UTC().Format(time.RFC3339Nano)
	}
	body := map[string]any{"metadata": map[string]any{"annotations": notes, "resourceVersion": o.version}}
	if len(spec) > 0 {
		body["spec"] = spec
	}
	return e.patch(ctx, o.ref, body)
}

// turnTaint returns the taints with ours put on or taken off.
func turnTaint(ts []corev1.Taint, on bool) []corev1.Taint {
	out := []corev1.Taint{}
	for _, t := range ts {
		if t.Key != TaintKey || t.Effect != corev1.TaintEffectNoExecute {
			out = append(out, t)
		}
	}
	if on {
		now := metav1.Now()
		out = append(out, corev1.Taint{Key: TaintKey, Value: "true", Effect: corev1.TaintEffectNoExecute, TimeAdded: &now})
	}
	return out
}

// patch merges body into an object.
func (e *Engine) patch(ctx context.Context, r ref, body map[string]any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write a change to %s: %w", r, err)
	}
	opts := metav1.PatchOptions{FieldManager: manager}
	const how = types.MergePatchType
	return e.call(ctx, func(ctx context.Context) error {
		var err error
		switch r.Kind {
		case kindQueue:
			err = e.with.kueue.ClusterQueues().Merge(ctx, r.Name, b, opts)
		case kindWorkload:
			err = e.with.kueue.Workloads(r.NS).Merge(ctx, r.Name, b, opts)
		case kindJob:
			_, err = e.with.kube.BatchV1().Jobs(r.NS).Patch(ctx, r.Name, how, b, opts)
		case kindNode:
			_, err = e.with.kube.CoreV1().Nodes().Patch(ctx, r.Name, how, b, opts)
		default:
			_, err = e.with.kube.CoreV1().Pods(r.NS).Patch(ctx, r.Name, how, b, opts)
		}
		return err
	})
}

// find looks a job up that the watches do not know, or not yet.
func (e *Engine) find(ctx context.Context, id string) (ref, knob, error) {
	ns, name, ok := split(id)
	if !ok {
		if strings.Count(id, "/") == 2 {
			return ref{}, "", fmt.Errorf("%w: only Jobs and what Kueue queues can be paused", compute.ErrUnsupported)
		}
		return ref{}, "", fmt.Errorf("%w: %q is no job; jobs are called namespace/name", compute.ErrRefused, id)
	}
	w := &work{id: id, ns: ns}
	err := e.call(ctx, func(ctx context.Context) error {
		j, err := e.with.kube.BatchV1().Jobs(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s, _ := e.config.readJob(j)
		w.job = &s
		return nil
	})
	if apierrors.IsNotFound(err) {
		r := ref{kindWorkload, ns, name}
		_, _, err = e.read(ctx, r, true)
		return r, knobActive, err
	}
	if err != nil {
		return ref{}, "", err
	}
	err = e.call(ctx, func(ctx context.Context) error {
		l, err := e.with.kueue.Workloads(ns).List(ctx, metav1.ListOptions{LabelSelector: kueue.JobLabel + "=" + w.job.uid})
		if err != nil {
			return err
		}
		for i := range l.Items {
			if s, _ := e.config.readWorkload(&l.Items[i]); w.wl == nil || s.created.After(w.wl.created) {
				w.wl = &s
			}
		}
		return nil
	})
	if err != nil && !apierrors.IsNotFound(err) { // without Kueue there are none
		return ref{}, "", err
	}
	o, k, err := w.stopped()
	return o.ref, k, err
}
