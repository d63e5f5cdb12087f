package openadr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"switchyard/clock"
	"switchyard/signal"
	"switchyard/sitefile"
)

// Options are what a Client needs beyond the site file's words: secrets already read, and
// what the rest of the program lends it.
type Options struct {
	Site             string       // the site's name: the VEN's if the site file gives none
	ClientID, Secret string       // OAuth2 client credentials; both empty: no token is asked for
	WebhookToken     string       // what the VTN must show when it calls us
	Log              *slog.Logger // nil: none
	Clock            clock.Clock  // of polls and reports; nil: the machine's
	HTTP             *http.Client // nil: one of our own
}

// Client is a VEN that follows one VTN. It is a signal.Source.
type Client struct {
	cfg sitefile.OpenADR
	opt Options
}

var _ signal.Source = (*Client)(nil)

// New returns a client of the VTN that cfg names. It does not touch the network.
func New(cfg sitefile.OpenADR, opt Options) (*Client, error) {
	if cfg.URL == "" {
		return nil, fmt.Errorf("openadr %s: %w", cfg.Name, errors.New("url is missing"))
	}
	return &Client{cfg: cfg, opt: opt}, nil
}

// Name is the client's name in the site file.
func (c *Client) Name() string { return c.cfg.Name }

// Run follows the VTN until ctx ends.
func (c *Client) Run(ctx context.Context, _ signal.Host) error {
	<-ctx.Done()
	return nil
}
