package demo

import (
	"context"
	"slices"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// TestRestore sheds a whole site and lets it come back: no node above its limit by the
// plant's own record, no more started in any window than the allowance, and nine tenths of
// the power back in the time that the slowest allowed ramp gives, and a tenth more.
func TestRestore(t *testing.T) {
	slow(t)
	t.Parallel()
	const miners, atOnce = 120, 6
	r := rigOf(t, document(t, Plan{Miners: miners, Poll: 30 * time.Second}), func(f *sitefile.File) {
		for i := range f.Nodes {
			if n := &f.Nodes[i]; n.Inrush != nil {
				n.Inrush = &sitefile.Inrush{Power: nameplate(f, n.ID).Scale(atOnce + 0.5), Per: 30 * time.Second}
			}
		}
		// Only the allowances are to slow it down.
		f.Connection.Limit = f.Connection.Limit.Scale(1.3)
		for i := range f.Nodes {
			f.Nodes[i].Limit = f.Nodes[i].Limit.Scale(1.3)
		}
		f.Emulate.Faults = nil
		f.Emulate.Tenants["ai"] = sitefile.Draw{Low: 0.55, High: 0.55} // the limits stay as they are meanwhile
	})
	r.settled()
	before := r.mining()
	off, err := r.app.SetLimit(context.Background(), "test", api.LimitRequest{Node: "connection", PowerW: 0})
	if err != nil {
		t.Fatal(err)
	}
	r.await("all miners rest", 4*time.Minute, func() bool { return r.mining() < before/20 })
	r.pass(3 * time.Minute) // longer than the least rest
	r.mu.Lock()
	from := len(r.orders)
	r.mu.Unlock()
	began := r.clk.Now()
	if err := r.app.ClearLimit(context.Background(), "test", off.ID); err != nil {
		t.Fatal(err)
	}
	r.await("nine tenths of the power", time.Hour, func() bool { return r.mining() >= before.Scale(0.9) })
	took := r.clk.Now().Sub(began)
	allowed := r.slowestRamp(before)
	t.Logf("%s of %s back after %s; the slowest allowed ramp gives %s", r.mining().Short(), before.Short(), took.Round(time.Second), allowed.Round(time.Second))
	if took > allowed+allowed/10 {
		t.Errorf("nine tenths of the power took %s, more than a tenth above %s", took, allowed)
	}
	r.pass(3 * time.Minute)
	r.mu.Lock()
	orders := slices.Clone(r.orders[from:])
	r.mu.Unlock()
	for i := range r.file.Groups {
		g := &r.file.Groups[i]
		allowance := r.node(g.Node).Inrush
		// A command needs a moment on its way: two that are a window apart may arrive a little closer.
		window := allowance.Per - 2*r.file.Control.Period
		var starts []time.Time
		for _, o := range orders {
			if o.Mode == site.ModeRun && r.groupOf(o.Device) == g.ID {
				starts = append(starts, o.At)
			}
		}
		slices.SortFunc(starts, time.Time.Compare)
		most := 0
		for i := range starts {
			n := 0
			for n < len(starts)-i && starts[i+n].Sub(starts[i]) < window {
				n++
			}
			most = max(most, n)
		}
		t.Logf("%s: %d starts, at most %d within %s; the allowance is %d", g.ID, len(starts), most, window, int(allowance.Power/g.Nameplate))
		if unit.Power(most)*g.Nameplate > allowance.Power || len(starts) == 0 {
			t.Errorf("%s: %d miners of %s were started within %s with an allowance of %s", g.ID, most, g.Nameplate.Short(), window, allowance.Power.Short())
		}
	}
	r.check()
}

// nameplate is that of a miner at the node.
func nameplate(f *sitefile.File, node string) unit.Power {
	for _, g := range f.Groups {
		if g.Node == node {
			return g.Nameplate
		}
	}
	return 0
}

func (r *rig) node(id string) *sitefile.Node {
	for i := range r.file.Nodes {
		if r.file.Nodes[i].ID == id {
			return &r.file.Nodes[i]
		}
	}
	r.t.Fatalf("no node %s", id)
	return nil
}

func (r *rig) groupOf(device string) string {
	for _, g := range r.file.Groups {
		for _, a := range g.Targets() {
			if string(a.Device) == device {
				return g.ID
			}
		}
	}
	return ""
}

// mining is what the miners draw by the plant's own measure.
func (r *rig) mining() (sum unit.Power) {
	for _, m := range r.site.World().Miners() {
		p, _, _ := m.Truth()
		sum += p
	}
	return sum
}

// slowestRamp is how long nine tenths of the power take when the hall whose allowance is the
// tightest uses it in full from the first moment: its last window begins, and its slowest
// miner boots and ramps up. Emulated miners are up to 15 % slower than their model.
func (r *rig) slowestRamp(power unit.Power) time.Duration {
	var slowest time.Duration
	for i := range r.file.Groups {
		g := &r.file.Groups[i]
		in := r.node(g.Node).Inrush
		each := int(in.Power / g.Nameplate)
		var wake time.Duration
		awake := 0
		for _, m := range r.site.World().Miners() {
			if m.Group() == g.ID {
				model := m.View().Model
				wake = max(wake, (model.Boot+model.RampUp)*115/100)
				awake++
			}
		}
		windows := (awake*9/10 - 1) / each
		slowest = max(slowest, time.Duration(windows)*in.Per+wake)
	}
	return slowest
}
