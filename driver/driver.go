// Package driver owns the device contract: what a driver is, what it may be asked, how it
// says that something went wrong, and the transports that drivers share. Each vendor's
// driver lives in a folder of its own below this one and is known only to driver/all.
//
// It never decides what a device should do, never retries on its own account (the actor
// does), and never keeps a device's wish: Apply is idempotent.
//
// Concurrency: calls on one Device never overlap, its actor is the only caller. Two
// devices share nothing.
package driver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"time"

	"switchyard/site"
)

// Device is one device behind one address. Every call honours its context's deadline.
type Device interface {
	// Info asks what the device can do; it is called after a connection was lost and
	// otherwise rarely. It blocks on the network.
	Info(ctx context.Context) (site.Capabilities, error)
	// Read polls the device once. Fields the device did not tell stay unknown; a reply that
	// cannot be understood is an error and never a zero. It blocks on the network.
	Read(ctx context.Context) (site.Sample, error)
	// Apply tells the device what to do. It is idempotent and returns once the device has
	// acknowledged, which is no confirmation: the next Read is.
	Apply(ctx context.Context, s site.Setpoint) error
	// Close ends the connection; the Device is not used afterwards.
	Close() error
}

// The errors say what the caller does next; drivers wrap them with what was seen.
var (
	// ErrUnsupported: the device cannot do this; do not ask again.
	ErrUnsupported = errors.New("not supported by the device")
	// ErrRefused: the device understood and said no; asking again soon is pointless.
	ErrRefused = errors.New("refused by the device")
	// ErrUnreachable: no sensible reply came; try again, with a growing pause.
	ErrUnreachable = errors.New("unreachable")
	// ErrUnauthorized: the credentials are wrong; a person must act.
	ErrUnauthorized = errors.New("credentials not accepted")
)

// Secret is text that never appears in logs, errors or JSON.
type Secret string

// String hides the secret.
func (Secret) String() string { return "[hidden]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[hidden]" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[hidden]") }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("[hidden]"), nil }

// Target says where a device is and how to talk to it.
type Target struct {
	Device site.DeviceID
	Host   string // an IP address
	// Ports replaces a driver's standard ports by their names ("http", "rpc", "api", "modbus").
	Ports    map[string]int
	User     string
	Password Secret
	// Model is what the site file says the device is; empty leaves it to the device.
	Model string
	// Profile names the register map of a Modbus device.
	Profile string
	Unit    uint8 // Modbus unit id
	// Now returns site time. Required.
	Now func() time.Time
	// Dial opens connections; nil means net.Dialer. Tests and limits on sockets put theirs here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Addr returns "host:port" of the named port, with the driver's standard port as default.
func (t Target) Addr(name string, standard int) string {
	port := standard
	if p, ok := t.Ports[name]; ok {
		port = p
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(port))
}

// DialContext opens a TCP connection with the target's dialler.
func (t Target) DialContext(ctx context.Context, address string) (net.Conn, error) {
	if t.Dial != nil {
		return t.Dial(ctx, "tcp", address)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// Driver is one way of talking to one family of devices.
type Driver struct {
	// Name is what the site file calls it, such as "antminer".
	Name string
	// About is one line for people: makes, firmwares, protocol.
	About string
	// Abilities is what the family can do, for people.
	Abilities Abilities
	// Ports are the standard ports by name.
	Ports map[string]int
	// Others names further ports that a site file may give: without it nothing is tried there.
	Others []string
	// Open makes a Device and does no I/O.
	Open func(Target) (Device, error)
	// Probe asks, cheaply and without credentials where it can, whether the device at the
	// target is of this family, and returns who it is. ErrUnreachable: nobody there;
	// ErrUnsupported: somebody else. Nil for devices that cannot be told apart (meters).
	Probe func(context.Context, Target) (site.Identity, error)
}
