// Package story owns a whole site on a real engine, for tests: a connection with emulated miners
// and a hall of emulated GPUs whose work a real Slurm, or a real Kubernetes with Kueue, schedules.
// The GPUs draw power as the engine's jobs run, the controller is a process of its own that can be
// killed, and an operator's limit takes the site from all it does to firm work only, and back.
//
// It has no code but its tests', and never asserts how long something takes.
//
// Concurrency: a test's site belongs to the test; what moves the GPUs and watches the meter runs
// beside it until the test ends.
package story
