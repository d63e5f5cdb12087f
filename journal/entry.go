// Package journal owns the record of what was decided and what came of it: awards,
// commands with their acknowledgements and confirmations, holds, limits, quarantines and
// audit lines, in the order in which they happened; and the answer to "why is this device
// as it is".
//
// It never decides, never talks to a device, and never keeps the control loop waiting for
// the disk unless the caller asks for that with Flush or AppendNow.
//
// Concurrency: a Journal is safe for concurrent use. Append never blocks; one goroutine
// writes batches. Flush, AppendNow and the queries block on the disk and honour their context.
package journal

import (
	"encoding/json"
	"time"

	"switchyard/site"
)

// Kind is what an entry tells.
type Kind string

// The kinds.
const (
	KindAward      Kind = "award"      // a load was given power; Subject is the load
	KindCommand    Kind = "command"    // a device is told something; Subject is its load
	KindAck        Kind = "ack"        // the device acknowledged
	KindConfirm    Kind = "confirm"    // a reading shows that it obeyed
	KindFail       Kind = "fail"       // the command came to nothing; Code or Text names why
	KindQuarantine Kind = "quarantine" // it does not obey: its watts count as stuck
	KindRelease    Kind = "release"    // out of quarantine, or a person let go of it
	KindLimit      Kind = "limit"      // a limit was set, ended or cleared
	KindSignal     Kind = "signal"     // the grid asked for something, changed it, took it back, or was refused
	KindPlan       Kind = "schedule"   // how the hours ahead are planned, when that changes
	KindHold       Kind = "hold"       // a person holds it
	KindLost       Kind = "lost"       // a feed, a meter or a part was lost
	KindRestore    Kind = "restore"    // and came back
	KindNote       Kind = "note"       // for people; the first to go when the queue is full
	KindAudit      Kind = "audit"      // who changed what
)

// Entry is one line of the journal.
type Entry struct {
	Seq     int64     // given by Append; grows, never reused
	At      time.Time // site time; Append puts Wall for a zero one
	Wall    time.Time // machine time; Append fills a zero one in
	Plan    site.PlanID
	Subject string // load, node, device or person
	Device  site.DeviceID
	Kind    Kind
	Code    site.Code
	Text    string          // one sentence, with the figures
	Detail  json.RawMessage // for machines; may be nil
}
