// Package rollout owns fleet operations: one action on many devices, in waves. A rollout is
// kept on disk before the first device is told and after every step, so that it goes on
// where it stopped, whatever ended the controller.
//
// A device that was told is not done: the next reading that shows it is. After a stop of the
// controller a device that was told and not confirmed is looked at first, and a reboot is
// told again only if a reading shows that it did not happen.
//
// It never chooses devices, never keeps a secret (only where it is found), and never puts a
// device to sleep by itself: sleep and wake go through the operator's holds.
//
// Concurrency: a Runner is safe for concurrent use. Each open rollout has one goroutine, which
// tells a bounded number of devices at once. Calls block on the disk and honour their context.
package rollout

import (
	"context"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// Kind is what is done.
type Kind string

// The kinds.
const (
	Reboot   Kind = "reboot"
	Pools    Kind = "pools"
	LED      Kind = "led"
	Password Kind = "password"
	Profile  Kind = "profile"
	Sleep    Kind = "sleep"
	Wake     Kind = "wake"
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Reboot, Pools, LED, Password, Profile, Sleep, Wake} }

// byHold says whether it is a hold that is set or lifted, for a whole wave at once.
func (k Kind) byHold() bool { return k == Sleep || k == Wake }

// Action is what is done, with what it needs. It holds no secrets, only references.
type Action struct {
	Kind        Kind   `json:"kind"`
	Pools       []Pool `json:"pools,omitempty"`
	On          bool   `json:"on,omitempty"`           // LED
	PasswordRef string `json:"password_ref,omitempty"` // "env:NAME" or "file:PATH"
	Profile     string `json:"profile,omitempty"`
}

// Pool is one pool; {device} and {ip} in Worker are filled in for each device.
type Pool struct {
	URL         string `json:"url"`
	Worker      string `json:"worker"`
	PasswordRef string `json:"password_ref,omitempty"` // empty: "x", which most pools take
}

// State is how far a rollout is.
type State string

// The states of a rollout.
const (
	Running State = "running"
	Paused  State = "paused"  // nobody else is told; who was told is watched
	Stopped State = "stopped" // for good
	Done    State = "done"
)

// ItemState is how far one device is.
type ItemState string

// The states of a device.
const (
	Pending   ItemState = "pending"
	Told      ItemState = "told"
	Confirmed ItemState = "confirmed"
	Failed    ItemState = "failed"
	Skipped   ItemState = "skipped"
	Unknown   ItemState = "unknown" // acknowledged, and no reading can show what came of it
)

func (s ItemState) final() bool { return s != Pending && s != Told }

// Item is one device of a rollout. Times are site time.
type Item struct {
	Device site.DeviceID
	Wave   int // from 1; 0: skipped
	State  ItemState
	Reason string
	At     time.Time // of its last change; zero: none yet

	told  time.Time // when it was last told
	acked time.Time // when it acknowledged that; zero: it did not, or nobody knows
	boot  time.Time // when it had started, as it said before it was told; zero: not known
	tries int
	err   error // of the last attempt; it does not outlive the process
}

// Rollout is one action on many devices.
type Rollout struct {
	ID           int64
	Action       Action
	By, Note     string
	Text         string // what, on what, one sentence
	Request      []byte // as it was asked for: JSON that only its owner reads
	Begun, Ended time.Time
	State        State
	Reason       string // why it is paused or stopped
	Wave         int    // devices told at a time
	StopAfter    int    // failures that stop it
	Items        []Item // nil in a list
	Counts       map[ItemState]int
}

// The defaults of a rollout.
const DefaultWave = 50

// DefaultStop is how many failures stop a rollout of waves of that size.
func DefaultStop(wave int) int { return max(3, wave/10) }

// Doer tells devices.
type Doer interface {
	// Do carries out one action and returns once the device acknowledged it; its error wraps
	// a driver error. It blocks on the network.
	Do(ctx context.Context, id site.DeviceID, a driver.Action) error
	// Refresh asks for a reading soon.
	Refresh(id site.DeviceID)
}

// Holder puts devices to sleep and lets them go, as a person does. Its calls return once
// that is kept on disk.
type Holder interface {
	Sleep(ctx context.Context, who, note string, ids []site.DeviceID) error
	Wake(ctx context.Context, who string, ids []site.DeviceID) error
}

// Readings gives what is known of a device now. It does not block.
type Readings interface {
	Reading(id site.DeviceID) Reading
}

// Reading is the newest that is known of a device.
type Reading struct {
	Sample *site.Sample // the last good one, which nobody writes; nil if none came
	Err    error        // of the newest poll, if it failed, and when
	Failed time.Time
	Host   string // its address now
	// Rests says why it may sleep though nobody holds it, such as by its award; empty if it should not.
	Rests string
}
