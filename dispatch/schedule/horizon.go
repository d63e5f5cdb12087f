package schedule

import "time"

// The grid of the horizon: fine while the machines are counted whole, coarse later.
const (
	fine   = 5 * time.Minute
	middle = 15 * time.Minute
	coarse = time.Hour

	// least is the shortest step worth deciding: a shorter one joins the next.
	least = time.Minute

	fineFor   = time.Hour
	middleFor = 6 * time.Hour
	// longest bounds a horizon: a week is far beyond what prices tell.
	longest = 7 * 24 * time.Hour
)

// Horizon returns the steps of a horizon that begins at from and lasts at least length (at
// most a week): 5 minutes for an hour, 15 minutes until six hours, hours after. They end on
// the clock's own marks, so the first step may be shorter, and a step is coarse only from
// the first mark of its length on. Prices and caps are for the caller to fill in.
func Horizon(from time.Time, length time.Duration) []Step {
	end := from.Add(min(max(length, fine), longest))
	var steps []Step
	for at := from; at.Before(end); {
		size := fine
		switch ahead := at.Sub(from); {
		case ahead >= middleFor && at.Truncate(coarse).Equal(at):
			size = coarse
		case ahead >= fineFor && at.Truncate(middle).Equal(at):
			size = middle
		}
		next := at.Truncate(size).Add(size)
		if next.Sub(at) < least {
			next = next.Add(size)
		}
		steps = append(steps, Step{Start: at, Length: next.Sub(at)})
		at = next
	}
	return steps
}
