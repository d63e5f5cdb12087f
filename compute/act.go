package compute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/unit"
)

// Verb is a kind of act.
type Verb string

// The verbs, in the order in which power is taken. Each has its reverse in Undo.
const (
	Close Verb = "close" // a queue starts nothing new (target: queue)
	Hold  Verb = "cap"   // a node's GPUs are held to Power each (target: node); by Capper, not by the Engine
	Stop  Verb = "pause" // a job saves its work and gives its GPUs back (target: job)
	Drain Verb = "drain" // every job of a queue is paused (target: queue)
	Fence Verb = "fence" // a node takes nothing new (target: node)
	Off   Verb = "off"   // a fenced node's power is taken (target: node)
)

// Act is one thing that is done to a cluster. Doing it twice is doing it once.
type Act struct {
	Verb   Verb   `json:"verb"`
	Target string `json:"target"`
	// Power caps each GPU, with Hold.
	Power unit.Power `json:"power,omitempty"`
	// Signal asks a job for a checkpoint, with Stop and Drain; Grace is how long it has to save
	// its work before it is stopped.
	Signal string        `json:"signal,omitempty"`
	Grace  time.Duration `json:"grace,omitempty"`
	Reason string        `json:"-"` // one sentence, for the engine's own record where it keeps one
}

// String prints the act for people.
func (a Act) String() string {
	if a.Verb == Hold {
		return fmt.Sprintf("%s %s to %s a GPU", a.Verb, a.Target, a.Power.Short())
	}
	return string(a.Verb) + " " + a.Target
}

// Key names what the act changes, so that a newer act on the same takes the older one's place.
func (a Act) Key() string { return string(a.Verb) + "/" + a.Target }

// Original is what stood before an act, as its engine wants it back: opaque to all others.
// It is kept on disk before the act is done.
type Original = json.RawMessage

// Engine is a cluster's scheduler.
type Engine interface {
	// Run keeps the view current until ctx ends, over lost connections and expired credentials,
	// with bounded retries. It blocks.
	Run(ctx context.Context) error
	// View returns the newest picture. It never blocks.
	View() *View
	// Original reads what an act would change, before it is done. It blocks on the engine.
	Original(ctx context.Context, a Act) (Original, error)
	// Do does an act and returns once the engine acknowledged it, which is not yet an effect.
	// With Stop and Drain it returns as soon as the checkpoint is asked for; the engine's
	// adapter stops the job when the grace is over or the job has saved its work, and a repeat
	// after a crash takes that up again. It blocks on the engine.
	Do(ctx context.Context, a Act) error
	// Undo sets what the act changed back to what it was. It blocks on the engine.
	Undo(ctx context.Context, a Act, o Original) error
}

// Accountant is an Engine that keeps its own account of GPU time.
type Accountant interface {
	// Usage returns what jobs used within [from, to). It blocks on the engine.
	Usage(ctx context.Context, from, to time.Time) ([]Usage, error)
}

// Capper holds the GPUs of nodes to a power. A cap is a lease: it is renewed by the caller, and
// where the renewal does not come the node falls to a safe cap by itself.
type Capper interface {
	// Cap holds each GPU of a node to p for the lease. It blocks on the node.
	Cap(ctx context.Context, node string, p unit.Power, lease time.Duration) error
	// Uncap lets a node's GPUs go to their full power.
	Uncap(ctx context.Context, node string) error
	// Read returns what a node's GPUs say of themselves; it blocks on the node.
	Read(ctx context.Context, node string) (Reading, error)
}

// PowerSwitch takes and gives a node's power through its own controller.
type PowerSwitch interface {
	PowerOff(ctx context.Context, node string) error
	PowerOn(ctx context.Context, node string) error
	// Powered says whether the node has power.
	Powered(ctx context.Context, node string) (bool, error)
}

// The errors that callers act on.
var (
	// ErrUnreachable: no answer in time; nothing is known to have happened.
	ErrUnreachable = errors.New("the cluster does not answer")
	// ErrRefused: it answered, and will not do it.
	ErrRefused = errors.New("refused")
	// ErrUnauthorized: the token or the certificate is not, or no longer, good.
	ErrUnauthorized = errors.New("not authorized")
	// ErrGone: the job, node or queue is not there any more.
	ErrGone = errors.New("not there any more")
	// ErrUnsupported: this engine, or this version of it, cannot do it.
	ErrUnsupported = errors.New("not supported")
)
