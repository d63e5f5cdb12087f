package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"switchyard/compute"
)

// original is what an act of ours is to go back to.
type original struct {
	Ref   ref    `json:"ref"`
	UID   string `json:"uid"`
	Knob  knob   `json:"knob"`
	Value string `json:"value"`
}

// maxOriginal bounds an Original that is read back, in bytes.
const maxOriginal = 16 << 10

// parseOriginal reads what stood before an act; nothing: the caller has no record of it.
func parseOriginal(b compute.Original, v compute.Verb) (original, error) {
	var o original
	if len(b) == 0 {
		return o, nil
	}
	if len(b) > maxOriginal {
		return o, fmt.Errorf("read what stood before: %d bytes are too many", len(b))
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return o, fmt.Errorf("read what stood before: %w", err)
	}
	if o.Ref.Kind == "" || !o.Knob.valid(o.Value) || !slices.Contains(o.Knob.verbs(), v) {
		return o, fmt.Errorf("read what stood before: %w: it is no record of a %s", compute.ErrRefused, v)
	}
	return o, nil
}

// Original returns what an act would change, as the watches show it or, where they do not, as the
// API server says now; then it blocks on it. Where an act of ours is in force already, it is what
// stood before that. A watch may be behind: what counts first is what the act itself writes on
// the object, of the very version that it changes, and this is for when that is gone.
func (e *Engine) Original(ctx context.Context, a compute.Act) (compute.Original, error) {
	r, k, err := e.subject(ctx, a)
	if err != nil {
		return nil, told(a.String(), err)
	}
	o, _, err := e.read(ctx, r, false)
	if err != nil {
		return nil, told(a.String(), err)
	}
	value := o.value(k)
	if acts := o.marks.ours(k); len(acts) > 0 {
		if base, ok := o.marks.base(k); ok && k.want(base, acts, o.marks.asked != "") == value {
			value = base
		}
	}
	return json.Marshal(original{Ref: r, UID: o.uid, Knob: k, Value: value})
}

// Do does an act; see docs/kubernetes.md for what that is. With a Stop or a Drain that asks jobs
// to save their work first it returns once they are asked, and Run ends it. It blocks on the API
// server.
func (e *Engine) Do(ctx context.Context, a compute.Act) error {
	defer e.quiet.begin()()
	r, k, err := e.subject(ctx, a)
	if err != nil {
		return told(a.String(), err)
	}
	if (a.Verb == compute.Stop || a.Verb == compute.Drain) && a.Grace > 0 {
		pods, err := e.asking(ctx, a)
		if err != nil {
			return told(a.String(), err)
		}
		if len(pods) > 0 {
			return told(a.String(), e.ask(ctx, a, r, k, pods))
		}
	}
	return told(a.String(), e.turn(ctx, r, k, func(o object) change { return do(o.marks, k, a.Verb, o.value(k), "") }))
}

// Undo sets what an act changed back. What somebody else changed since is left as it is, and a
// note in the View says so. It blocks on the API server.
func (e *Engine) Undo(ctx context.Context, a compute.Act, b compute.Original) error {
	defer e.quiet.begin()()
	e.waits.remove(a.Key())
	was, err := parseOriginal(b, a.Verb)
	if err != nil {
		return told("undo "+a.String(), err)
	}
	r, k := was.Ref, was.Knob
	if r.Kind == "" {
		if r, k, err = e.subject(ctx, a); err != nil {
			return told("undo "+a.String(), err)
		}
	}
	var asked string
	err = e.turn(ctx, r, k, func(o object) change {
		if was.UID != "" && o.uid != "" && o.uid != was.UID {
			return change{note: "it was made anew since; left as it is"}
		}
		asked = o.marks.asked
		return undo(o.marks, k, a.Verb, o.value(k), was.Value)
	})
	if err == nil && asked != "" {
		err = e.unask(ctx, a, asked)
	}
	return told("undo "+a.String(), err)
}

// subject returns the object and the knob that an act turns.
func (e *Engine) subject(ctx context.Context, a compute.Act) (ref, knob, error) {
	if a.Target == "" {
		return ref{}, "", fmt.Errorf("%w: it names no target", compute.ErrRefused)
	}
	switch a.Verb {
	case compute.Close, compute.Drain:
		return ref{Kind: kindQueue, Name: a.Target}, knobPolicy, nil
	case compute.Fence:
		return ref{Kind: kindNode, Name: a.Target}, knobCordon, nil
	case compute.Off:
		return ref{Kind: kindNode, Name: a.Target}, knobTaint, nil
	case compute.Stop:
		if w := e.picture.Load().work[a.Target]; w != nil {
			o, k, err := w.stopped()
			return o.ref, k, err
		}
		return e.find(ctx, a.Target)
	}
	return ref{}, "", fmt.Errorf("%w: Kubernetes has no such act", compute.ErrUnsupported)
}

// maxTries bounds how often a write is decided anew because the object changed meanwhile.
const maxTries = 8

// turn reads an object, lets decide say what to change and writes it, all anew where somebody
// else wrote in between. The watched state is good enough to decide a write on, for the write
// names its version; that there is nothing to write is decided on a fresh reading.
func (e *Engine) turn(ctx context.Context, r ref, k knob, decide func(object) change) error {
	fresh := false
	for try := 0; ; try++ {
		o, cached, err := e.read(ctx, r, fresh)
		if err != nil {
			return err
		}
		c := decide(o)
		if !c.write && cached {
			fresh = true
			continue
		}
		if c.note != "" {
			e.tell(r.String() + ": " + c.note)
		}
		if !c.write {
			return nil
		}
		err = e.write(ctx, o, k, c)
		if !isConflict(err) {
			return err
		}
		if try == maxTries {
			return fmt.Errorf("%w: it was changed by others %d times in between: %w", compute.ErrRefused, maxTries, err)
		}
		fresh = true
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 20 * time.Millisecond):
		}
	}
}

// tell keeps a note for people.
func (e *Engine) tell(text string) {
	e.notices.add(e.clock.Now(), text)
	e.log.Info(text, "device", e.config.ID)
	e.poke()
}
