// Package signal owns what the grid asks of the site: a price, a limit or a reserve, each with
// a lifetime, whoever sent it and by whichever protocol; how overlapping ones combine; and
// what holds when a sender is lost.
//
// How they combine, at each moment:
//   - Limits of different sources all hold: at a node the lowest counts. Of one source's limits
//     at one node the highest priority counts, and the lowest of those that share it.
//   - Of prices one counts, and it stands in place of the market's: the highest priority's, of
//     those the one that begins last, of those the one of the source that the site file names
//     first. Where none stands, the market's price does.
//   - Reserves of one name add up.
//   - An emergency yields to nothing: an emergency limit counts whatever a higher priority says
//     (and cannot loosen what that says), an emergency price goes before all others.
//   - A source that is lost keeps what it said, is released from it, or limits the connection,
//     as the site file chose. It is missed once it was not heard of for as long as is allowed.
//
// What is over vanishes. A signal that makes no sense is refused with one clear line, and the
// others of its update hold; one that can be obeyed safely is obeyed and the line says how.
//
// It never decides which load gives way and never tells a device anything.
//
// Concurrency: a Book is safe for concurrent use; a Source is run once.
package signal

import (
	"context"
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// Kind is what a signal is: there are no others.
type Kind string

// The kinds.
const (
	Price   Kind = "price"   // what a MWh costs meanwhile
	Limit   Kind = "limit"   // no more than Power enters the node
	Reserve Kind = "reserve" // so much Power must be able to drop within Within, for at least For
)

// Signal is one thing asked for, for a time.
type Signal struct {
	// ID is stable for as long as the sender means the same thing: a newer one of the same
	// source and ID replaces it.
	ID     string
	Source string // the source's name in the site file
	Kind   Kind
	Node   site.NodeID // of a limit; empty means the connection
	Power  unit.Power  // of a limit or a reserve
	Price  unit.Price  // of a price; of a reserve, what is paid per MW and hour
	Within time.Duration
	For    time.Duration
	// From and To bound its life. To zero means until it is replaced or taken back.
	From, To time.Time
	// Priority orders signals of one source that overlap: 0 is the highest, as in OpenADR.
	Priority int
	// Name is a reserve's product: reserves of one name add up, whoever asks. Empty stands for
	// the source's name.
	Name string
	// Ramp is the fastest change asked for, power per minute; zero means at once.
	Ramp unit.Power
	// Emergency marks an alert that a person must see.
	Emergency bool
	Note      string // for people: what the sender said
}

// Update is what a source now says, all of it: what it no longer names is taken back.
type Update struct {
	Source   string
	At       time.Time
	Signals  []Signal
	Problems []string // what was refused, a clear line each
}

// Meter is what a source may tell its counterpart of the site.
type Meter struct {
	At         time.Time
	Power      site.Opt[unit.Power] // entering the connection
	Limit      site.Opt[unit.Power] // in force at the connection
	Flexible   unit.Power           // that can be shed now
	Nameplate  unit.Power           // of all flexible load, running or not; zero where it is not told
	ShedWithin time.Duration        // in which that is down
	Firm       unit.Power
	Complies   bool // not above the limit in force
}

// Host is what a source sees of the site that it serves.
type Host interface {
	// Put takes over what a source says now. It is no sign of life (a source may say that a
	// limit's time is over while its counterpart is lost): Heard is. It never blocks.
	Put(Update)
	// Heard notes that the source was heard of at t, or that its counterpart could not be
	// reached. It never blocks.
	Heard(source string, t time.Time, err error)
	// Meter is the newest state of the site. It never blocks.
	Meter() Meter
	// Now is site time.
	Now() time.Time
}

// Source brings signals over one protocol.
type Source interface {
	// Name is its name in the site file.
	Name() string
	// Run brings them until ctx ends, and then returns nil. Lost connections are its own to mend.
	Run(ctx context.Context, h Host) error
}
