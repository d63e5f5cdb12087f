package whatsminer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// What the plant does not model and no controller decides on: plausible figures that grow
// with the time since mining started.

const (
	shareDiff       = 65536
	secondsPerShare = 13
	chipMHz         = 600
)

func quoted(s string) []byte { return face.Quote(nil, s) }

func watt(w float64) unit.Power { return unit.Watts(w) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func shareCount(v plant.View) int64 { return seconds(v.Elapsed) / secondsPerShare }

// limitOf is the power limit in force: what it was told, or the most it may draw.
func limitOf(v plant.View) float64 {
	if v.Limit > 0 {
		return v.Limit.Watts()
	}
	return v.Model.MaxWatts.Watts()
}

// climate is what a device's sensors say over all boards, deg C.
type climate struct{ chipMin, chipMax, chipMean, pcbMax float64 }

func climateOf(v plant.View) climate {
	var c climate
	n := 0.0
	for _, b := range v.Boards {
		if b.Dead {
			continue
		}
		n++
		low := coolest(b)
		if n == 1 || low < c.chipMin {
			c.chipMin = low
		}
		c.chipMax = max(c.chipMax, b.ChipTemp)
		c.chipMean += mean(b)
		c.pcbMax = max(c.pcbMax, b.PCBTemp)
	}
	if n > 0 {
		c.chipMean /= n
	}
	return c
}

func coolest(b plant.BoardView) float64 {
	if b.Dead {
		return 0
	}
	return b.PCBTemp - 1
}

func mean(b plant.BoardView) float64 { return (coolest(b) + b.ChipTemp) / 2 }

// fan returns the speed of the first (in) or second (out) fan in rpm.
func fan(v plant.View, i int) int {
	if i < len(v.Fans) {
		return v.Fans[i]
	}
	return 0
}

// frequency is the mean clock of the chips in MHz.
func frequency(v plant.View) int {
	if v.Model.Hashrate <= 0 {
		return 0
	}
	return int(chipMHz * float64(v.Hashrate) / float64(v.Model.Hashrate))
}

func boardFrequency(v plant.View, b plant.BoardView) int {
	if b.Dead || b.Hashrate <= 0 {
		return 0
	}
	return frequency(v)
}

func boardSerial(v plant.View, i int) string { return v.Serial + "B" + strconv.Itoa(i) }

// hashing says whether the frequency search is over.
func hashing(v plant.View) bool { return v.State == plant.Hashing }

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// stamp writes a device time as the firmware does; empty for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05")
}

// number reads a figure that clients send as a number or as a string of digits.
func number(v any) (float64, error) {
	switch n := v.(type) {
	case float64:
		return n, nil
	case string:
		f, err := strconv.ParseFloat(n, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a number", n)
		}
		return f, nil
	}
	return 0, fmt.Errorf("%v is not a number", v)
}

// hostOf returns the host of a pool's URL, without scheme and port.
func hostOf(url string) string {
	if _, after, ok := strings.Cut(url, "://"); ok {
		url = after
	}
	host, _, _ := strings.Cut(url, ":")
	return host
}
