// Package conform owns the conformance suite of the device contract: what driver.Device and
// driver.Driver promise, checked against a fake device that the driver's test supplies.
// A driver joins with one call of Run; everything that can go wrong on the wire (nobody
// there, silence, garbage, a cut, a slow reply) the suite does itself, between the driver
// and its fake, through Target.Dial.
//
// It never talks to anything but loopback and never looks inside a driver.
//
// Concurrency: Run's subtests run one after another and count goroutines and sockets, so
// tests that call it must not be parallel. It blocks for a few seconds.
package conform

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// Fake is a device on loopback that a driver's test started; it ends with the test.
type Fake struct {
	// Target reaches it with the right credentials. Now, Device and Dial may be left empty.
	Target driver.Target
	// Obeys returns the setpoint that the device obeys now; nil where the device takes none.
	Obeys func() site.Setpoint
	// Settle lets the device's own time pass until it has done what it was told; nil where it
	// obeys at once.
	Settle func()
	// Acts returns the names of the acts that the device carried out, in order; nil where it
	// takes none. Profiles do not count: a reading shows them.
	Acts func() []string
}

// Kit is what a driver's test supplies.
type Kit struct {
	Driver driver.Driver
	// Start starts a healthy device that hashes at full power. Its readings must not change by
	// themselves, uptime aside. It must obey at once and keep its sockets open after a reply if the
	// real device does.
	Start func(t *testing.T) Fake
	// Bare starts a device that answers, but tells neither power nor hashrate. Nil where
	// the family cannot be so.
	Bare func(t *testing.T) Fake
	// NoPassword says that the family has no authentication: the checks of wrong
	// credentials are left out.
	NoPassword bool
	// ReadNeedsPassword says that Read, too, must report wrong credentials.
	ReadNeedsPassword bool
	// Power says that the healthy device tells its power.
	Power bool
	// Staged says that after Stage an Apply is one exchange.
	Staged bool
}

const (
	// Enough for any exchange with a fake on a loaded machine.
	patience = 20 * time.Second
	// What a device that does not answer is given.
	short = 300 * time.Millisecond
	// How much later than its deadline a call may return on a loaded machine.
	slack = 3 * time.Second
	// How long sockets and goroutines may take to go after Close.
	settle = 4 * time.Second

	wrongPassword = "wr0ng-pa55word-7f3a"
)

// Run checks k.Driver against the contract.
func Run(t *testing.T, k Kit) {
	t.Helper()
	checks := []struct {
		name string
		run  func(*testing.T, Kit)
	}{
		{"driver", checkDriver},
		{"info", checkInfo},
		{"read", checkRead},
		{"read unknown is not zero", checkBare},
		{"apply", checkApply},
		{"apply what it cannot", checkUnsupported},
		{"stage", checkStage},
		{"acts", checkActs},
		{"abilities", checkAbilities},
		{"wrong password", checkPassword},
		{"nobody there", checkDead},
		{"silent", checkSilent},
		{"cancelled", checkCancelled},
		{"garbage", checkGarbage},
		{"truncated", checkTruncated},
		{"slow", checkSlow},
		{"lost and found", checkReconnect},
		{"close", checkClose},
		{"probe", checkProbe},
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, k) })
	}
}

// bench is one device under test, with the wire between in the suite's hands.
type bench struct {
	t      *testing.T
	kit    Kit
	fake   Fake
	target driver.Target
	wire   *wire
}

func start(t *testing.T, k Kit, from func(*testing.T) Fake) *bench {
	t.Helper()
	f := from(t)
	b := &bench{t: t, kit: k, fake: f, target: f.Target, wire: &wire{inner: f.Target.Dial}}
	if b.target.Device == "" {
		b.target.Device = "conform-001"
	}
	if b.target.Now == nil {
		b.target.Now = time.Now
	}
	b.target.Dial = b.wire.dial
	return b
}

func (b *bench) open() driver.Device {
	b.t.Helper()
	d, err := b.kit.Driver.Open(b.target)
	if err != nil {
		b.t.Fatalf("Open: %v", err)
	}
	b.t.Cleanup(func() { _ = d.Close() })
	return d
}

func long(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// wantErr checks that err is want, and that it says nothing that it must not.
func (b *bench) wantErr(call string, err error, want ...error) {
	b.t.Helper()
	b.checkErr(call, err)
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	b.t.Errorf("%s: got %v, want an error that is %v", call, err, want)
}

// checkErr checks any error: it is one of the contract's and holds no secret.
func (b *bench) checkErr(call string, err error) {
	b.t.Helper()
	if err == nil {
		return
	}
	known := false
	for _, e := range []error{driver.ErrUnsupported, driver.ErrRefused, driver.ErrUnreachable, driver.ErrUnauthorized} {
		known = known || errors.Is(err, e)
	}
	if !known {
		b.t.Errorf("%s: error %q wraps none of the contract's errors", call, err)
	}
	for _, secret := range []string{string(b.target.Password), wrongPassword} {
		// Short factory passwords ("root") are words that an error may well contain.
		if len(secret) >= 6 && strings.Contains(err.Error(), secret) {
			b.t.Errorf("%s: error %q holds the password", call, err)
		}
	}
}

// calls runs the three network calls, each on a fresh device with a context of its own, and
// checks that each ends soon after its context does.
func (b *bench) calls(limit time.Duration, f func(name string, err error)) {
	b.t.Helper()
	for _, c := range []struct {
		name string
		call func(context.Context, driver.Device) error
	}{
		{"Info", func(ctx context.Context, d driver.Device) error { _, err := d.Info(ctx); return err }},
		{"Read", func(ctx context.Context, d driver.Device) error { _, err := d.Read(ctx); return err }},
		{"Apply", func(ctx context.Context, d driver.Device) error {
			return d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep})
		}},
	} {
		d := b.open()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		begun := time.Now()
		err := c.call(ctx, d)
		if took := time.Since(begun); took > limit+slack {
			b.t.Errorf("%s took %v with a deadline of %v", c.name, took, limit)
		}
		cancel()
		f(c.name, err)
	}
}
