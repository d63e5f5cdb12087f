package fleet

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// The readings that follow the one at once after a command, site time after it. Most
// firmwares reach standby in six to fifteen seconds, and the command should be confirmed
// within two seconds of that; waking takes minutes, of which the first seconds tell whether
// the device has heard.
const look = 1250 * time.Millisecond

var (
	afterSleep = []time.Duration{
		6 * time.Second, 9 * time.Second, 9*time.Second + look, 9*time.Second + 2*look, 9*time.Second + 3*look, 9*time.Second + 4*look,
		9*time.Second + 5*look, 9*time.Second + 6*look, 9*time.Second + 7*look, 20 * time.Second, 25 * time.Second, 30 * time.Second,
	}
	afterRun = []time.Duration{time.Second, 3 * time.Second, 6 * time.Second, 9 * time.Second, 13 * time.Second, 19 * time.Second}
)

// watch is an actor's eye on what the last command does.
type watch struct {
	told  time.Time // when it was told; zero when nothing is watched
	sleep bool
	shift time.Duration // of the looks
	// took is how long the device needed to fall asleep when last seen; zero if never.
	took time.Duration
}

// on says that a command's outcome is awaited.
func (w *watch) on() bool { return !w.told.IsZero() }

// begin starts to watch a command told at now. The looks come shift later: those at thousands
// of devices told together are spread so that they do not come together.
func (w *watch) begin(m site.Mode, now time.Time, shift time.Duration) {
	w.told, w.sleep, w.shift = now, m == site.ModeSleep, shift
}

// saw takes a reading: one that shows the device asleep, as it was told, ends the watch. One
// that says so while its power still falls does not.
func (w *watch) saw(s site.Sample, caps *site.Capabilities) {
	if w.on() && w.sleep && s.State == site.StateSleeping && (!s.Power.OK || s.Power.V <= resting(caps)) {
		if d := s.At.Sub(w.told); d > time.Second { // else it was asleep before
			w.took = d
		}
		w.told = time.Time{}
	}
}

// resting is the most that a device draws asleep, as far as it said.
func resting(c *site.Capabilities) unit.Power {
	return c.Standby + max((c.Nameplate.Or(3*unit.Kilowatt)-c.Standby)/10, 50*unit.Watt)
}

// next returns the pause to the next poll, at most the usual one.
func (w *watch) next(now time.Time, usual time.Duration) time.Duration {
	if !w.on() {
		return usual
	}
	looks := afterRun
	if w.sleep {
		looks = afterSleep
	}
	since := now.Sub(w.told) - w.shift
	for _, at := range looks {
		// What the device needed the last time it will hardly undercut by much.
		if at > since && (!w.sleep || at >= min(w.took-look, looks[3])) {
			return min(usual, at-since)
		}
	}
	w.told = time.Time{}
	return usual
}
