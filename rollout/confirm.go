package rollout

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/health"
	"switchyard/site"
	"switchyard/sitefile"
)

const (
	maxTries   = 3
	retryPause = 15 * time.Second
	restartGap = 90 * time.Second // firmwares round their uptime
	goingDown  = 3 * time.Minute  // a reboot that a reading does not show by then did not happen
)

// patience is how long a reading may take to show what was told.
func (k Kind) patience() time.Duration {
	switch k {
	case Reboot, Sleep, Wake:
		return 10 * time.Minute
	case Profile:
		return 5 * time.Minute
	}
	return 3 * time.Minute
}

// outcome is what the newest reading makes of a device that was told: Told is to wait on,
// Pending to be told again.
type outcome struct {
	state  ItemState
	reason string
}

// judge looks at a device that was told.
func (a Action) judge(it *Item, r Reading, now time.Time) outcome {
	fresh := r.Sample != nil && r.Sample.Asked.After(it.told)
	late := now.Sub(it.told) > a.Kind.patience()
	if a.Kind == LED {
		return a.judgeLED(it, now)
	}
	if fresh {
		shown, reason := a.shows(it, r)
		if shown {
			return outcome{Confirmed, reason}
		}
	}
	if a.Kind == Reboot {
		return judgeReboot(it, r, fresh, late)
	}
	switch {
	case a.Kind == Password && !it.acked.IsZero() && errors.Is(r.Err, driver.ErrUnauthorized) && r.Failed.After(it.acked):
		return outcome{Failed, "it acknowledged the new password and does not accept it"}
	case it.err != nil && now.Sub(it.told) >= retryPause:
		return it.again(it.err.Error())
	case it.acked.IsZero() && it.err == nil && fresh:
		// The controller stopped in between: nobody knows whether it was told, and its reading
		// shows that it does not have it.
		return outcome{Pending, "told before the controller stopped, and its reading does not show it"}
	case !late:
		return outcome{Told, it.Reason}
	case !fresh:
		return outcome{Failed, "told, and it gives no reading since" + because(r.Err)}
	}
	return a.overdue(it, r)
}

// judgeLED: nothing shows a light but the device's word.
func (a Action) judgeLED(it *Item, now time.Time) outcome {
	switch {
	case !it.acked.IsZero():
		return outcome{Confirmed, "acknowledged"}
	case it.err == nil:
		return outcome{Pending, "told before the controller stopped"}
	case now.Sub(it.told) >= retryPause:
		return it.again(it.err.Error())
	}
	return outcome{Told, it.Reason}
}

// judgeReboot never has a device restarted twice on a guess: only a reading that shows that
// it did not restart makes it be told again.
func judgeReboot(it *Item, r Reading, fresh, late bool) outcome {
	told := "acknowledged"
	if it.acked.IsZero() {
		told = "told, and not acknowledged"
	}
	switch up := fresh && r.Sample.Uptime.OK; {
	case up && !it.boot.IsZero() && it.told.Sub(it.boot) > 2*restartGap:
		if r.Sample.At.Sub(it.told) < goingDown { // its uptime went on
			return outcome{Told, it.Reason}
		}
		return it.again(told + "; its uptime shows that it did not restart")
	case !late:
		return outcome{Told, it.Reason}
	case !fresh:
		return outcome{Failed, told + ", and it gives no reading since" + because(r.Err)}
	case up:
		return outcome{Unknown, told + "; it had started shortly before, so its uptime does not show whether it restarted"}
	}
	return outcome{Unknown, told + "; its readings tell no uptime, so whether it restarted is not known"}
}

// again has a device told once more, or gives it up.
func (it *Item) again(why string) outcome {
	if it.tries < maxTries {
		return outcome{Pending, why}
	}
	return outcome{Failed, fmt.Sprintf("told %d times: %s", it.tries, why)}
}

// shows says whether a reading that was asked for after the device was told shows what was told.
func (a Action) shows(it *Item, r Reading) (ok bool, reason string) {
	s := r.Sample
	switch a.Kind {
	case Reboot:
		if !s.Uptime.OK {
			return false, ""
		}
		boot := s.At.Add(-s.Uptime.V)
		if it.boot.IsZero() {
			return boot.After(it.told.Add(-time.Minute)), "it started " + boot.Format("15:04:05") + " UTC"
		}
		return boot.Sub(it.boot) > restartGap, "it started " + boot.Format("15:04:05") + " UTC"
	case Pools:
		return a.poolsShown(it.Device, r), "its reading shows the pools"
	case Password:
		return !it.acked.IsZero() && s.Asked.After(it.acked), "it answers with the new password"
	case Profile:
		return strings.EqualFold(s.Profile, a.Profile), "its reading shows the profile"
	case Sleep:
		return s.State == site.StateSleeping, "its reading shows it asleep"
	case Wake:
		if it.acked.IsZero() {
			return false, ""
		}
		if r.Rests != "" {
			return true, "released; " + r.Rests
		}
		return s.State == site.StateHashing || s.State == site.StateStarting, "its reading shows it " + s.State.String()
	}
	return false, ""
}

func (a Action) poolsShown(id site.DeviceID, r Reading) bool {
	for _, want := range a.Pools {
		worker, found := sitefile.WorkerOf(want.Worker, id, r.Host), false
		for _, p := range r.Sample.Pools {
			found = found || health.SamePool(p.URL, want.URL) && (p.Worker == "" || p.Worker == worker)
		}
		if !found {
			return false
		}
	}
	return true
}

// overdue is a device that answers and does not show what it was told in time.
func (a Action) overdue(it *Item, r Reading) outcome {
	s := r.Sample
	switch a.Kind {
	case Pools:
		if len(s.Pools) == 0 {
			return outcome{Unknown, "acknowledged; its readings tell no pools"}
		}
		return it.again("its readings show " + s.Pools[0].URL + " as " + s.Pools[0].Worker)
	case Profile:
		if s.Profile == "" {
			return outcome{Unknown, "acknowledged; its readings tell no profile"}
		}
		return it.again(fmt.Sprintf("its readings show the profile %q", s.Profile))
	case Sleep:
		return outcome{Failed, "it is held asleep, and its readings show it " + s.State.String()}
	case Wake:
		return outcome{Failed, "it was released, and its readings show it " + s.State.String()}
	}
	return it.again("nothing shows it")
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
