package antminer

import (
	"strconv"
	"strings"

	"switchyard/emulate/plant"
)

// What the plant does not model and no controller decides on: plausible figures that grow
// with the time since the mining program started.

const (
	poolSlots = 3
	shareDiff = 524288
	// secondsPerShare is how often the pool's difficulty lets a share through.
	secondsPerShare = 12
)

func shareCount(v plant.View) int64 { return seconds(v.Elapsed) / secondsPerShare }

func hardwareErrors(v plant.View) int64 { return seconds(v.Elapsed) / 90 }

func bestShare(v plant.View) int64 {
	if n := shareCount(v); n > 0 {
		return n * 3_181_469
	}
	return 0
}

// poolAt returns slot i of the three, its state and its accepted shares.
func poolAt(v plant.View, i int) (plant.PoolView, string, int64) {
	if i >= len(v.Pools) || v.Pools[i].URL == "" {
		return plant.PoolView{}, "Dead", 0
	}
	if v.Pools[i].Active {
		return v.Pools[i], "Alive", shareCount(v)
	}
	return v.Pools[i], "Alive", 0
}

func difficulty(shares int64) string {
	if shares == 0 {
		return ""
	}
	return "524K"
}

func lastDiff(shares int64) int64 {
	if shares == 0 {
		return 0
	}
	return shareDiff
}

func lastTime(shares int64) string {
	if shares == 0 {
		return "0"
	}
	return "0:00:03"
}

// frequency is the clock of a board's chips in MHz.
func frequency(b plant.BoardView) int {
	if b.Dead || b.Chips == 0 || b.Hashrate <= 0 {
		return 0
	}
	return 525
}

// chipMap is longer than any board's.
var chipMap = strings.Repeat(" ooo", 256)

// asics draws a board's chips as the firmware does, three to a group.
func asics(chips int) string {
	n := chips / 3 * 4
	if chips%3 > 0 {
		n += 1 + chips%3
	}
	return chipMap[:min(n, len(chipMap))]
}

func boardSerial(v plant.View, i int) string { return v.Serial + "B" + strconv.Itoa(i) }

// hostOf returns the host of a pool's URL, without scheme and port.
func hostOf(url string) string {
	if _, after, ok := strings.Cut(url, "://"); ok {
		url = after
	}
	host, _, _ := strings.Cut(url, ":")
	return host
}
