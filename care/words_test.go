package care

import (
	"slices"
	"testing"

	"switchyard/health"
	"switchyard/query"
	"switchyard/reconcile"
	"switchyard/site"
)

// What queries take as a state or an alert is what there is.
func TestQueriesKnowEveryStateAndRule(t *testing.T) {
	rules := health.SetOf(health.Rules()...).Names()
	if !slices.Equal(query.Rules(), rules) {
		t.Errorf("queries know the rules %v, and there are %v", query.Rules(), rules)
	}
	for s := site.StateUnknown; s <= site.StateFault; s++ {
		sample := site.Some(site.Sample{State: s})
		for _, st := range []*reconcile.DeviceStatus{nil, {Quarantined: true}, {Pending: true, Mode: site.ModeSleep}, {Pending: true, Mode: site.ModeRun}} {
			for _, unreachable := range []bool{false, true} {
				if got := CellState(sample, unreachable, st); !slices.Contains(query.States(), got) {
					t.Errorf("queries do not know the state %s", got)
				}
			}
		}
	}
}
