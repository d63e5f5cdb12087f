package driver

import (
	"context"

	"switchyard/site"
)

// Pool is one mining pool that a device is to be told.
type Pool struct {
	URL, Worker string
	Password    Secret
}

// Action is an act with what it needs.
type Action struct {
	Act   site.Act
	Pools []Pool // ActPools: the first is tried first; at most three
	On    bool   // ActLED
	// Password is the new one of ActPassword. The device keeps using the target's own until
	// the act succeeded, and the new one from then on.
	Password Secret
	Profile  string // ActProfile: the name of one of Capabilities.Profiles
}

// Operator is a Device that takes actions. A driver that can carry out none leaves it out.
type Operator interface {
	// Do carries out one action and returns once the device has acknowledged it; all but a
	// reboot are idempotent. An act that is not among Capabilities.Acts is ErrUnsupported. A
	// reboot whose connection breaks after the request was written counts as acknowledged. It
	// blocks on the network.
	Do(ctx context.Context, a Action) error
}

// Stager is a Device whose Apply needs something beforehand: a session, a token, a nonce, the
// configuration that is to be posted back.
type Stager interface {
	// Stage brings in whatever the next Apply would have to ask for and is missing or soon
	// stale, so that Apply is one exchange; with all of it at hand it returns at once and
	// without I/O. The actor calls it after a poll. A failure hurts nothing: Apply then asks
	// for itself. It blocks on the network.
	Stage(ctx context.Context) error
}

// Abilities is what a family of devices can do as a whole, for people: the page of miners is
// made from it. What one device can do, its Info says.
type Abilities struct {
	// Devices names the models and firmwares, such as "S17 to S21, firmware of 2019 and later".
	Devices string
	// Sleep, Watts, Percent and Profiles are the kinds of setpoints that at least some take.
	Sleep, Watts, Percent, Profiles bool
	Acts                            site.ActSet
	// Power says whose power readings there are: "all", "some" or "none".
	Power string
	// Auth is how it wants to be logged in to, such as "digest", "token", "none".
	Auth string
	// Times says what is known of the time to sleep and to wake, and from where.
	Times string
	// Checked says what the driver was checked against: "fixtures", "specification", "emulator".
	Checked string
	// Source is where the protocol is described: a document's or a public project's name.
	Source string
}
