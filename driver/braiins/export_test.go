package braiins

import (
	"context"

	"switchyard/driver"
)

// Ramping asks a device what quick ramping it is set to; nil where it does not say.
func Ramping(ctx context.Context, d driver.Device) map[string]uint32 {
	var c configuration
	if d.(*device).api.get(ctx, "configuration/miner", &c) != nil || c.Boards == nil {
		return nil
	}
	return map[string]uint32{"quick_ramping_time_up_s": *c.Boards.Up, "quick_ramping_time_down_s": *c.Boards.Down}
}
