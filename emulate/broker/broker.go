// Package broker owns an MQTT broker in the process, for the demo: nothing has to be installed.
//
// It never serves anything but loopback unless told to, never keeps anything on the disk, and
// is no broker for operation: everybody who connects may do everything.
//
// Concurrency: Start returns when the broker listens; Close may be called from anywhere, once.
package broker

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	maxClients = 64
	maxPacket  = 1 << 20 // bytes
)

// Broker is a running broker.
type Broker struct {
	server *mqtt.Server
	addr   string
}

// Start listens on address; port 0 finds a free one.
func Start(address string, log *slog.Logger) (*Broker, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", address) // Close ends it
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	able := mqtt.NewDefaultServerCapabilities()
	able.MaximumClients, able.MaximumPacketSize = maxClients, maxPacket
	s := mqtt.New(&mqtt.Options{Logger: log, Capabilities: able})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := s.AddListener(listeners.NewNet("tcp", l)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := s.Serve(); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	return &Broker{server: s, addr: l.Addr().String()}, nil
}

// Addr is the host and port that it listens on.
func (b *Broker) Addr() string { return b.addr }

// Close ends all connections and the broker.
func (b *Broker) Close() error { return b.server.Close() }
