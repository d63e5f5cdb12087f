package telemetry

import (
	"time"

	"switchyard/unit"
)

// House learns what a metered node draws that none of the known loads explains: cooling,
// light, losses beyond the stated ones. The least of the last ten minutes is taken, since
// readings of different moments differ while loads ramp.
type House struct {
	least [10]unit.Power
	at    [10]int64 // minute of each
}

// Observe takes what the meter shows beyond the known loads at a moment.
func (h *House) Observe(now time.Time, rest unit.Power) {
	m := now.Unix() / 60
	k := m % int64(len(h.least))
	if h.at[k] != m {
		h.at[k], h.least[k] = m, rest
	}
	h.least[k] = min(h.least[k], rest)
}

// Power returns the least of the last ten minutes, never below zero; zero until half of them were seen.
func (h *House) Power(now time.Time) unit.Power {
	m := now.Unix() / 60
	var out unit.Power
	n := 0
	for k, at := range h.at {
		if m-at < int64(len(h.least)) {
			if n == 0 || h.least[k] < out {
				out = h.least[k]
			}
			n++
		}
	}
	if n < len(h.least)/2 {
		return 0
	}
	return max(out, 0)
}
