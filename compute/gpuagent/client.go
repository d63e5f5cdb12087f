package gpuagent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/unit"
)

// Client speaks with the agents of all nodes.
type Client struct {
	call  endpoint.Caller
	clock clock.Clock
}

var _ compute.Capper = (*Client)(nil)

// NewClient makes a client of the agents at an endpoint. Readings are dated by the clock (nil: the
// machine's); timeout is for one call with its retries, in machine time, and zero means 10 s.
func NewClient(e endpoint.Endpoint, c clock.Clock, timeout time.Duration) *Client {
	if c == nil {
		c = clock.System()
	}
	return &Client{call: endpoint.Caller{Endpoint: e, HTTP: e.HTTP(), Timeout: timeout, Limit: maxAnswer}, clock: c}
}

// Close lets go of the connections that are kept.
func (c *Client) Close() { c.call.HTTP.CloseIdleConnections() }

func (c *Client) ask(ctx context.Context, node, method, path string, body any) ([]byte, error) {
	r := endpoint.Request{Method: method, Path: path, Header: map[string]string{nodeHeader: node}}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", node, err)
		}
		r.Body, r.Header["Content-Type"] = b, "application/json"
	}
	return c.call.Call(ctx, node, r)
}

// Cap holds each GPU of a node to p for the lease. GPUs that are lost are left out; one that
// answers and is not held is an error. It blocks on the node.
func (c *Client) Cap(ctx context.Context, node string, p unit.Power, lease time.Duration) error {
	_, err := c.Set(ctx, node, p, lease, "")
	return err
}

// Set is Cap with a reason for the agent's record; it returns what became of each GPU, also with
// the error that some are not held. It blocks on the node.
func (c *Client) Set(ctx context.Context, node string, p unit.Power, lease time.Duration, reason string) (Outcome, error) {
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	b, err := c.ask(ctx, node, http.MethodPut, "/v1/cap", capBody{p.Watts(), lease.Seconds(), reason})
	return outcome(node, b, err)
}

// Uncap gives a node's GPUs the limits back that they had before the first cap. It blocks on the node.
func (c *Client) Uncap(ctx context.Context, node string) error {
	b, err := c.ask(ctx, node, http.MethodDelete, "/v1/cap", nil)
	_, err = outcome(node, b, err)
	return err
}

func outcome(node string, b []byte, err error) (Outcome, error) {
	if err != nil {
		return Outcome{}, err
	}
	o, err := decodeHeld(b)
	if err != nil {
		return Outcome{}, fmt.Errorf("node %s: its answer cannot be read: %w: %w", node, err, compute.ErrUnsupported)
	}
	if err := o.Refused(); err != nil {
		return o, fmt.Errorf("node %s: %w", node, err)
	}
	return o, nil
}

// Status returns how a node's agent stands. It blocks on the node.
func (c *Client) Status(ctx context.Context, node string) (Status, error) {
	b, err := c.ask(ctx, node, http.MethodGet, "/v1/gpus", nil)
	if err != nil {
		return Status{}, err
	}
	s, err := decodeStatus(b)
	if err != nil {
		return Status{}, fmt.Errorf("node %s: its answer cannot be read: %w: %w", node, err, compute.ErrUnsupported)
	}
	return s, nil
}

// Read returns what a node's GPUs say of themselves. It blocks on the node.
func (c *Client) Read(ctx context.Context, node string) (compute.Reading, error) {
	asked := c.clock.Now()
	s, err := c.Status(ctx, node)
	if err != nil {
		return compute.Reading{}, err
	}
	s.Node = node
	return s.reading(asked, c.clock.Now()), nil
}
