// Package plant owns the physics of an emulated site: miners that boot, ramp, heat up and
// hash, tenants whose draw wanders, meters that sum what hangs below a node plus losses,
// and a record of what truly happened, kept apart from anything a controller reads.
//
// It never opens a socket, never reads a clock (Step is told the time) and never decides
// what a device should do: devices are told by their faces, tenants obey nobody.
//
// Simplifications, all on the safe side of what a controller must handle: power is active
// power only, three equal phases, meters without error; a step of site time is at most a
// second, and lags are integrated by implicit Euler, which never overshoots.
//
// Concurrency: Step has one caller at a time. Everything else is safe to call at any time
// from any goroutine; a View is a copy, true of the end of one step.
package plant
