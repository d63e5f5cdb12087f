// Package gpus owns the physics of an emulated GPU cluster: GPUs whose power follows their work
// and their cap, nodes that boot and are switched off, jobs that make progress, save their work
// and lose what they did not save, and the faults of all of them.
//
// It never opens a socket, never reads a clock (Step is told the time) and never places a job:
// an engine does, an emulated one (emulate/kube) or a real one, of which SetBusy tells.
//
// Simplifications: a job works in step on all its GPUs, so that it is as fast as its slowest
// one; throughput under a cap is the model's curve whatever phase the job is in; power is active
// power only.
//
// Concurrency: Step has one caller at a time, usually the plant. Everything else is safe to call
// at any time from any goroutine and never blocks for long. What Watch was given is called while
// the cluster is locked: it must not block and must not call the cluster.
package gpus
