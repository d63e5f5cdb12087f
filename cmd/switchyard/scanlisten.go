package main

import (
	"context"
	"fmt"
	"time"

	"switchyard/discover"
)

// heard is one device that reported by itself.
type heard struct {
	At      time.Time `json:"at"`
	Make    string    `json:"make"` // whose form the report had
	Address string    `json:"address"`
	From    string    `json:"from"` // where the datagram came from
	MAC     string    `json:"mac"`
}

// listen prints who reports by itself, as it comes, for so long.
func (c *cli) listen(ctx context.Context, lasts time.Duration) error {
	if lasts <= 0 || lasts > 24*time.Hour {
		return badInput("--for can be from 1s to 24h")
	}
	l, err := discover.Listen(ctx, "", nil)
	if err != nil {
		return fmt.Errorf("%w; another program that listens for miners may run on this machine", err)
	}
	if l.Deaf != nil {
		c.note("%v; the other makes are heard", l.Deaf)
	}
	c.note("listening for %s: press the IP report button of a device", lasts)
	within, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	out, seen := []heard{}, map[string]time.Time{}
	err = l.Run(within, func(r discover.Report) {
		if last, again := seen[r.MAC]; again && r.At.Sub(last) < 2*time.Second || len(seen) > 100_000 {
			return // one press is several datagrams
		}
		seen[r.MAC] = r.At
		h := heard{At: r.At.UTC(), Make: r.Make, Address: r.Said.String(), From: r.From.String(), MAC: r.MAC}
		out = append(out, h)
		if !c.json() {
			text := fmt.Sprintf("%s  %-15s  %s  %s", r.At.Format(time.TimeOnly), h.Address, h.MAC, h.Make)
			if h.From != h.Address {
				text += "  (sent from " + h.From + ")"
			}
			c.say("%s", text)
		}
	})
	if err != nil {
		return err
	}
	if c.json() {
		return c.printJSON(out)
	}
	c.note("%s reported", count(len(seen), "device"))
	return ctx.Err()
}
