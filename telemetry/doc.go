// Package telemetry owns what the site's devices have said: the newest reading of each as
// an immutable snapshot, the energy and the hashes of each five-minute interval, and the
// history, in a Prometheus TSDB inside the process.
//
// It never asks a device, never decides, and never turns a reading that did not come into
// a zero: time without readings is estimated and marked, or missing and marked.
//
// Concurrency: a Hub, an Integrator and a History are safe for concurrent use. Hub and
// Integrator work in memory and block on nothing but a short lock; a Snapshot is immutable.
// History blocks on the disk and belongs off the control path.
package telemetry
