// Package modbus owns the site's Modbus TCP server: registers in which a plant controller or
// a utility's RTU writes a limit and a heartbeat, and reads the site's power and what it can shed.
//
// It never decides which load gives way, never takes half of a write, and never shows an
// unknown power as 0.
//
// Concurrency: a Face is run once; it serves each connection on its own goroutine.
package modbus

import (
	"context"
	"log/slog"

	"switchyard/signal"
	"switchyard/sitefile"
)

// Name is the face's name as a source.
const Name = "modbus"

// Face is the Modbus TCP server. It is a signal.Source.
type Face struct {
	cfg sitefile.Face
	log *slog.Logger
}

var _ signal.Source = (*Face)(nil)

// New returns a server for cfg. It does not listen yet.
func New(cfg sitefile.Face, log *slog.Logger) (*Face, error) {
	return &Face{cfg: cfg, log: log}, nil
}

// Name is the source's name.
func (f *Face) Name() string { return Name }

// Run serves until ctx ends.
func (f *Face) Run(ctx context.Context, _ signal.Host) error {
	<-ctx.Done()
	return nil
}
