package kube

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"switchyard/compute"
)

// turned is an object with one knob, for the laws.
type turned struct {
	m     marks
	value string
}

func (o *turned) apply(c change) {
	if c.write {
		o.value, o.m = c.value, c.marks
	}
}

func TestEachActsWriteAndItsReverse(t *testing.T) {
	for _, c := range []struct {
		knob        knob
		verb        compute.Verb
		before, set string
	}{
		{knobPolicy, compute.Close, policyNone, policyHold},
		{knobPolicy, compute.Drain, policyNone, policyDrain},
		{knobPolicy, compute.Drain, policyHold, policyDrain},
		{knobActive, compute.Stop, "true", "false"},
		{knobSuspend, compute.Stop, "false", "true"},
		{knobCordon, compute.Fence, "false", "true"},
		{knobTaint, compute.Off, "false", "true"},
	} {
		o := turned{value: c.before}
		o.apply(do(o.m, c.knob, c.verb, o.value, ""))
		if o.value != c.set || !o.m.holds(c.knob, c.verb, o.value) {
			t.Errorf("%s: %s became %s, marks %+v", c.verb, c.before, o.value, o.m)
		}
		if again := do(o.m, c.knob, c.verb, o.value, ""); again.write {
			t.Errorf("%s writes a second time: %+v", c.verb, again)
		}
		o.apply(undo(o.m, c.knob, c.verb, o.value, c.before))
		if o.value != c.before || o.m != (marks{}) {
			t.Errorf("undo %s left %s, marks %+v", c.verb, o.value, o.m)
		}
		if again := undo(o.m, c.knob, c.verb, o.value, c.before); again.write || again.note != "" {
			t.Errorf("undo %s twice: %+v", c.verb, again)
		}
	}
}

func TestWhatAPersonSetStays(t *testing.T) {
	o := turned{value: policyHold} // held by a person
	if c := do(o.m, knobPolicy, compute.Close, o.value, ""); c.write {
		t.Errorf("a queue that a person holds is marked: %+v", c)
	}
	if c := undo(o.m, knobPolicy, compute.Close, o.value, policyHold); c.write || c.note != "" {
		t.Errorf("and opened: %+v", c)
	}
	o = turned{value: policyNone}
	o.apply(do(o.m, knobPolicy, compute.Close, o.value, ""))
	o.value = policyDrain // by a person
	c := undo(o.m, knobPolicy, compute.Close, o.value, policyNone)
	if c.value != policyDrain || c.marks.by != "" || c.note == "" {
		t.Errorf("undo over a person's change: %+v", c)
	}
	// Who takes our mark off takes the object over.
	o = turned{value: "false"}
	if c := undo(o.m, knobActive, compute.Stop, o.value, "true"); c.write || c.note == "" {
		t.Errorf("undo without our mark: %+v", c)
	}
}

func TestARequestLeavesTheJobRunningUntilItIsOver(t *testing.T) {
	o := turned{value: "true"}
	o.apply(do(o.m, knobActive, compute.Stop, o.value, "2026-03-02T12:00:00Z"))
	if o.value != "true" || o.m.asked == "" || !o.m.holds(knobActive, compute.Stop, o.value) {
		t.Errorf("asked: %+v", o)
	}
	stopped := o
	stopped.apply(do(o.m, knobActive, compute.Stop, o.value, ""))
	if stopped.value != "false" || stopped.m.asked != "" {
		t.Errorf("stopped: %+v", stopped)
	}
	o.apply(undo(o.m, knobActive, compute.Stop, o.value, "true"))
	if o.value != "true" || o.m != (marks{}) {
		t.Errorf("taken back: %+v", o)
	}
}

// TestActsInAnyOrderComeBack is the law of marks: whatever acts are done and undone in whatever
// order and number, with none left in force the knob is where it was and no mark is left.
func TestActsInAnyOrderComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom([]string{policyNone, policyHold, policyDrain}).Draw(t, "base")
		o := turned{value: base}
		verbs := knobPolicy.verbs()
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 3), 0, 12).Draw(t, "steps") {
			v := verbs[step%2]
			if step < 2 {
				asked := rapid.SampledFrom([]string{"", "2026-03-02T12:00:00Z"}).Draw(t, "asked")
				if v == compute.Close {
					asked = ""
				}
				o.apply(do(o.m, knobPolicy, v, o.value, asked))
			} else {
				o.apply(undo(o.m, knobPolicy, v, o.value, base))
			}
			if acts := o.m.ours(knobPolicy); len(acts) > 0 && knobPolicy.want(base, acts, o.m.asked != "") != o.value {
				t.Fatalf("acts %v in force over %s, and it stands at %s", acts, base, o.value)
			}
		}
		slices.Reverse(verbs)
		for _, v := range verbs {
			o.apply(undo(o.m, knobPolicy, v, o.value, base))
		}
		if o.value != base || o.m.by != "" || o.m.was != "" {
			t.Fatalf("it was %s and is %s, marks %+v", base, o.value, o.m)
		}
	})
}

func FuzzMarks(f *testing.F) {
	f.Add("close,drain", `{"stopPolicy":"None"}`, "2026-03-02T12:00:00Z", "Hold")
	f.Add("pause", `{"active":"maybe"}`, "yesterday", "false")
	f.Add(",,,", `null`, "", "")
	f.Add("off", `[1,2]`, "0001-01-01T00:00:00Z", "true")
	f.Fuzz(func(t *testing.T, by, was, asked, value string) {
		m := marks{by: by, was: was, asked: asked}
		if at, ok := parseTime(asked); ok && at.IsZero() {
			t.Fatalf("%q is read as no time", asked)
		}
		for _, k := range []knob{knobPolicy, knobActive, knobSuspend, knobCordon, knobTaint} {
			if !k.valid(value) {
				continue // the API server lets no other through
			}
			for _, v := range k.verbs() {
				o := turned{m, value}
				o.apply(do(o.m, k, v, o.value, ""))
				if !k.valid(o.value) {
					t.Fatalf("%s set %s to %q", v, k, o.value)
				}
				o.apply(undo(o.m, k, v, o.value, ""))
				if !k.valid(o.value) || slices.Contains(o.m.ours(k), v) {
					t.Fatalf("undo %s set %s to %q, marks %+v", v, k, o.value, o.m)
				}
			}
		}
	})
}

func FuzzOriginal(f *testing.F) {
	f.Add([]byte(`{"ref":{"kind":"Workload","namespace":"a","name":"b"},"uid":"1","knob":"active","value":"true"}`))
	f.Add([]byte(`{"ref":7}`))
	f.Add([]byte(``))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseOriginal(b, compute.Stop) })
}

func FuzzVersion(f *testing.F) {
	f.Add([]byte(`{"gitVersion":"v1.36.3"}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := version(b, nil); err == nil && (v == "" || len(v) > 64) {
			t.Fatalf("the version is %q", v)
		}
	})
}
