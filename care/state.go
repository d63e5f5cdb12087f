package care

import (
	"switchyard/reconcile"
	"switchyard/site"
)

// CellState is how a miner's state is called on the maps and in lists: as it says itself, or
// quarantined, stale, stopping or starting.
func CellState(last site.Opt[site.Sample], unreachable bool, st *reconcile.DeviceStatus) string {
	switch {
	case st != nil && st.Quarantined:
		return "quarantined"
	case unreachable:
		return "stale"
	case !last.OK:
		return site.StateUnknown.String()
	case st != nil && st.Pending && st.Mode == site.ModeSleep && last.V.State == site.StateHashing:
		return "stopping"
	case st != nil && st.Pending && st.Mode == site.ModeRun && last.V.State == site.StateSleeping:
		return "starting"
	}
	return last.V.State.String()
}
