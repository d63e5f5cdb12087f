package gpuagent

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"switchyard/site"
	"switchyard/unit"
)

// exposition is Prometheus's text, family by family.
type exposition struct{ strings.Builder }

func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// label escapes a label's value.
func label(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, ""))
}

func (a *Agent) serveMetrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), reading)
	defer cancel()
	s, err := a.Status(ctx)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(expose(s))) // whoever asked has gone
}

// expose writes a status as metrics; what is not known has no line.
func expose(s Status) string {
	var e exposition
	power := func(o site.Opt[unit.Power]) site.Opt[float64] {
		return site.Opt[float64]{V: o.V.Watts(), OK: o.OK}
	}
	for _, f := range []struct {
		name, kind, help string
		of               func(i int) site.Opt[float64]
	}{
		{"switchyard_gpu_power_watts", "gauge", "Power that the GPU draws.", func(i int) site.Opt[float64] { return power(s.GPUs[i].Power) }},
		{"switchyard_gpu_energy_joules_total", "counter", "Energy since the driver was loaded.", func(i int) site.Opt[float64] {
			return site.Opt[float64]{V: float64(s.GPUs[i].Energy.V) * 3.6, OK: s.GPUs[i].Energy.OK}
		}},
		{"switchyard_gpu_limit_watts", "gauge", "Power limit in force.", func(i int) site.Opt[float64] { return power(s.GPUs[i].Limit) }},
		{"switchyard_gpu_default_limit_watts", "gauge", "Power limit that the GPU boots with.", func(i int) site.Opt[float64] { return power(s.GPUs[i].Default) }},
		{"switchyard_gpu_utilization_ratio", "gauge", "Share of its time with work on it.", func(i int) site.Opt[float64] { return s.GPUs[i].Use }},
		{"switchyard_gpu_temperature_celsius", "gauge", "Temperature of the GPU.", func(i int) site.Opt[float64] { return s.GPUs[i].Temp }},
		{"switchyard_gpu_faults", "gauge", "How many faults the GPU has.", func(i int) site.Opt[float64] { return site.Some(float64(len(s.GPUs[i].Faults))) }},
	} {
		e.family(f.name, f.kind, f.help)
		for i, g := range s.GPUs {
			if v := f.of(i); v.OK {
				fmt.Fprintf(&e, "%s{gpu=\"%d\",uuid=\"%s\",model=\"%s\"} %g\n", f.name, g.Index, label(g.UUID), label(g.Model), v.V)
			}
		}
	}
	e.family("switchyard_agent_mode", "gauge", "What the GPUs are held to: the mode's line is 1.")
	for _, m := range []Mode{ModeNone, ModeCap, ModeSafe} {
		v := 0
		if m == s.Mode {
			v = 1
		}
		fmt.Fprintf(&e, "switchyard_agent_mode{mode=\"%s\"} %d\n", m, v)
	}
	e.family("switchyard_agent_lease_seconds", "gauge", "What is left of the lease.")
	fmt.Fprintf(&e, "switchyard_agent_lease_seconds %g\n", s.Left.Seconds())
	for _, f := range []struct {
		name, help string
		v          int
	}{
		{"switchyard_agent_changes_total", "Caps set, renewed and lifted.", s.count.changes},
		{"switchyard_agent_leases_expired_total", "Leases that ended unrenewed.", s.count.expired},
		{"switchyard_agent_limit_errors_total", "Limits that the driver did not take.", s.count.failed},
		{"switchyard_agent_read_errors_total", "Readings that failed as a whole.", s.count.unread},
	} {
		e.family(f.name, "counter", f.help)
		fmt.Fprintf(&e, "%s %d\n", f.name, f.v)
	}
	return e.String()
}
