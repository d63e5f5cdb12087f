package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchyard/api"
	"switchyard/journal"
	"switchyard/site"
)

const limitsKey = "app.limits"

// SetLimit sets an operator's limit. The loop acts on it at once, and it is on disk when the
// call returns; where the disk takes nothing it holds all the same, and its note says so.
func (a *App) SetLimit(ctx context.Context, who string, r api.LimitRequest) (api.LimitView, error) {
	var view api.LimitView
	err := a.inLoop(ctx, func(c *control) error {
		now := a.clk.Now()
		m, err := c.limits.Add(now, who, r)
		if err != nil {
			return err
		}
		view = limitView(m, now)
		if firm := c.a.plant.FirmBelow(m.Node); m.Power < firm {
			view.Note = strings.TrimSpace(fmt.Sprintf("%s (below the %s contracted there: firm load is not shed, so the node may stay above it)", view.Note, firm.Short()))
		}
		if err := c.keepLimits(ctx); err != nil {
			// Safety before the record: a limit holds from now on, and is written when it can be.
			c.limitsWait, c.dirty = true, true
			c.storeFault(err)
			view.Note = strings.TrimSpace(view.Note + " (in force, and not kept over a restart yet: " + err.Error() + ")")
		}
		c.note(journal.LimitEntry(now, m, who, "set"))
		return nil
	})
	return view, err
}

// ClearLimit ends an operator's limit.
func (a *App) ClearLimit(ctx context.Context, who, id string) error {
	return a.inLoop(ctx, func(c *control) error {
		before := slices.Clone(c.limits.Manual)
		m, err := c.limits.Clear(id)
		if err != nil {
			return err
		}
		if err := c.keepLimits(ctx); err != nil {
			c.limits.Manual = before
			return err
		}
		c.loosened = a.clk.Now()
		c.note(journal.LimitEntry(c.loosened, m, who, "cleared"))
		return nil
	})
}

func (c *control) keepLimits(ctx context.Context) error {
	doc, err := c.limits.Doc()
	if err != nil {
		return err
	}
	if err := c.a.db.PutState(ctx, limitsKey, doc); err != nil {
		return fmt.Errorf("%w: keep the limits: %w", api.ErrUnavailable, err)
	}
	return nil
}

func limitView(m site.Limit, now time.Time) api.LimitView {
	v := api.LimitView{
		ID: m.ID, Node: string(m.Node), PowerW: m.Power.Watts(), From: m.From, By: m.By, Note: m.Note,
		Active: m.In(now), Manual: strings.HasPrefix(m.ID, "op-"),
	}
	if !m.To.IsZero() {
		v.To = &m.To
	}
	return v
}
