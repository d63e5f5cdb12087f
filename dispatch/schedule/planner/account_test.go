package planner

import (
	"math"
	"testing"

	"switchyard/dispatch/schedule"
	"switchyard/dispatch/schedule/linear"
)

// TestAccountAgreesWithTheProgram holds the account of a solution, which knows of no program,
// against the program's own figure for it.
func TestAccountAgreesWithTheProgram(t *testing.T) {
	pl := New()
	defer pl.Close()
	if _, err := linear.New(); err != nil {
		t.Skip(err)
	}
	pl.from = schedule.MILP
	for seed := range uint64(300) {
		p := seeded(seed).small(t)
		clean, _ := p.Sound()
		f := newFigures(&clean)
		r := pl.solve(f)
		if r.method != schedule.MILP {
			t.Fatalf("seed %d: %s, %q", seed, r.method, r.notes)
		}
		want := 0.0
		for j, x := range r.x {
			want -= pl.model.Cost[j] * x / scale
		}
		for i := range f.classes {
			want -= f.classes[i].sunk
		}
		for _, d := range f.demand {
			want += d.rate * d.soFar
		}
		for t := range f.steps {
			want += f.block[t] * f.spot[t] * f.len[t]
		}
		if got := f.account(r.s).weighed; math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
			t.Errorf("seed %d: the account says $%.9f, the program $%.9f", seed, got, want)
		}
	}
}
