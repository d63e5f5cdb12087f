package clock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The tests run in bubbles whose time moves only when everything waits, so a busy machine
// changes nothing.

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func TestSystemIsTheMachinesTimeInUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := System()
		if !c.Now().Equal(time.Now()) || c.Now().Location() != time.UTC || c.Speed() != 1 {
			t.Errorf("now %s, speed %v", c.Now(), c.Speed())
		}
		start := time.Now()
		if err := Sleep(t.Context(), c, time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("a minute took %s: %v", time.Since(start), err)
		}
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := Sleep(ctx, Anchored{Wall: start, Site: noon, Rate: 60}, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestAnchoredClocksAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Anchored{Wall: time.Now(), Site: noon, Rate: 240}
		zone := time.FixedZone("far", 9*3600)
		time.Sleep(7 * time.Second)
		b := Anchored{Wall: a.Wall.In(zone).Round(0), Site: a.Site.In(zone), Rate: 240} // as another process reads it from a file
		for range 100 {
			time.Sleep(317 * time.Millisecond)
			if !a.Now().Equal(b.Now()) || b.Now().Location() != time.UTC {
				t.Fatalf("%s and %s", a.Now(), b.Now())
			}
		}
		if got, want := a.Now().Sub(noon), 240*(7*time.Second+31700*time.Millisecond); got != want {
			t.Errorf("%s of site time went by, not %s", got, want)
		}
		start := time.Now()
		timer := a.NewTimer(time.Hour)
		<-timer.C()
		if got := time.Since(start); got != 15*time.Second || a.Speed() != 240 {
			t.Errorf("an hour at 240 times real time took %s", got)
		}
		stopped := a.NewTimer(time.Minute)
		stopped.Stop()
		time.Sleep(time.Minute)
		select {
		case <-stopped.C():
			t.Error("a stopped timer fired")
		default:
		}
	})
}

func TestAnAnchorYearsAgoIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := Anchored{Wall: time.Now().AddDate(-3, 0, 0), Site: noon, Rate: 1}
		before := a.Now()
		time.Sleep(time.Second)
		if d := a.Now().Sub(before) - time.Second; d.Abs() > time.Microsecond {
			t.Errorf("a second is off by %s", d)
		}
	})
}
