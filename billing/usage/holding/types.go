// Package holding owns who held which GPU for how long: gathered from an engine's views between two
// closes of an interval, corrected by what GPUs' readings tell, and put beside what the machines used.
//
// It never measures energy, never prices, and never calls a guess known.
//
// Concurrency: Holds are safe for concurrent use and block on nothing but a short lock.
package holding

import (
	"time"

	"switchyard/billing/usage/counting"
)

// Figure is an energy with how it was come by.
type Figure = counting.Figure

const (
	maxGPUs       = 64 // of a machine
	maxCheckpoint = 256 << 20
)

// MachineUse is one machine's energy, all of it and its GPUs'.
type MachineUse struct {
	Name   string
	Energy Figure
	GPUs   []GPUUse
	// Off says that its power was off for all of the interval and that it told nothing: it counts
	// with what its inventory says it draws so, and makes nobody's figure worse.
	Off bool
}

// GPUUse is one GPU's energy, and who held it for how long.
type GPUUse struct {
	Index  int
	Ref    string // the evidence: "gpu-1/GPU-3f…"
	Model  string // as the plan's models name it; empty: the machine's
	Energy Figure
	Holds  []Hold
}

// Hold is time for which a tenant's job held a GPU.
type Hold struct {
	Tenant string // one that the site does not know counts as the house
	Job    string // the evidence: "slurm 4711"
	For    time.Duration
	Sale   Sale // empty: on-demand
	// Guessed says that the engine told how many GPUs the job had on the machine and not which.
	Guessed bool
	// Assumed says that the engine did not tell of the job for so long that nobody knows whether
	// it still had the GPU.
	Assumed bool
}

// Sale is how GPU time is bought.
type Sale string

// The ways of buying GPU time.
const (
	Reserved      Sale = "reserved"
	OnDemand      Sale = "on-demand"
	Interruptible Sale = "interruptible"
)
