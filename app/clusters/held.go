package clusters

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/store"
)

// Hold is a person's word on a node.
type Hold struct {
	Mode string    `json:"mode"` // keep, fence
	By   string    `json:"by"`
	Note string    `json:"note"`
	At   time.Time `json:"at"`
}

func (x *one) holdsKey() string { return "clusters.holds." + x.def.ID }

// restore takes up what people held before.
func (x *one) restore(ctx context.Context, db *store.DB) error {
	doc, err := db.GetState(ctx, x.holdsKey())
	if err != nil || doc == nil {
		return err
	}
	if err := json.Unmarshal(doc, &x.held); err != nil {
		return fmt.Errorf("take up the nodes that are held: %w", err)
	}
	return nil
}

// heldNow says which nodes are held, with true those that are fenced.
func (x *one) heldNow() map[string]bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.held) == 0 {
		return nil
	}
	out := make(map[string]bool, len(x.held))
	for n, h := range x.held {
		out[n] = h.Mode == "fence"
	}
	return out
}

// keepHeld writes the holds and then takes them over.
func (c *Clusters) keepHeld(ctx context.Context, x *one, change func(map[string]Hold)) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := maps.Clone(x.held)
	if next == nil {
		next = map[string]Hold{}
	}
	change(next)
	doc, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := c.opt.DB.PutState(ctx, x.holdsKey(), doc); err != nil {
		return fmt.Errorf("%w: keep the held nodes: %w", api.ErrUnavailable, err)
	}
	x.held = next
	return nil
}

func (c *Clusters) find(id string) (*one, error) {
	for _, x := range c.all {
		if x.def.ID == id {
			return x, nil
		}
	}
	return nil, fmt.Errorf("cluster %q: %w", id, api.ErrNotFound)
}

// HoldNodes keeps nodes as a person wants them.
func (c *Clusters) HoldNodes(ctx context.Context, who, id string, r api.NodeHold) (int, error) {
	x, err := c.find(id)
	if err != nil {
		return 0, err
	}
	if r.Mode != "keep" && r.Mode != "fence" {
		return 0, fmt.Errorf("%w: %q is no way to hold a node; it can be keep or fence", api.ErrInvalid, r.Mode)
	}
	known := map[string]bool{}
	for _, m := range x.c.Machines {
		known[m.Name] = true
	}
	for _, n := range r.Nodes {
		if !known[n] {
			return 0, fmt.Errorf("node %q of cluster %s: %w", n, id, api.ErrNotFound)
		}
	}
	now := c.opt.Clock.Now()
	err = c.keepHeld(ctx, x, func(held map[string]Hold) {
		for _, n := range r.Nodes {
			held[n] = Hold{Mode: r.Mode, By: who, Note: r.Note, At: now}
		}
	})
	if err != nil {
		return 0, err
	}
	for _, n := range r.Nodes {
		c.opt.Note(journal.Entry{At: now, Subject: string(x.flex), Device: DeviceOf(id, n), Kind: journal.KindHold, Text: fmt.Sprintf("%s holds it: %s%s", who, r.Mode, journal.Because(r.Note))})
	}
	return len(r.Nodes), nil
}

// ReleaseNode lets a held node go.
func (c *Clusters) ReleaseNode(ctx context.Context, who, id, node string) error {
	x, err := c.find(id)
	if err != nil {
		return err
	}
	was := false
	if err := c.keepHeld(ctx, x, func(held map[string]Hold) {
		_, was = held[node]
		delete(held, node)
	}); err != nil {
		return err
	}
	if !was {
		return fmt.Errorf("node %q of cluster %s is not held: %w", node, id, api.ErrNotFound)
	}
	c.opt.Note(journal.Entry{At: c.opt.Clock.Now(), Subject: string(x.flex), Device: DeviceOf(id, node), Kind: journal.KindRelease, Text: who + " let it go"})
	return nil
}
