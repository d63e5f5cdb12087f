package fleet

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/driver"
	"switchyard/site"
)

// takes is an Apply that lasts.
func takes(d time.Duration) func(context.Context, site.Setpoint) error {
	return func(context.Context, site.Setpoint) error {
		time.Sleep(d)
		return nil
	}
}

// waveAt starts a fleet of one slow and three quick devices, tells all of them to sleep and
// returns how long after that the quick ones were read.
func waveAt(t *testing.T, slow time.Duration) []time.Duration {
	t.Helper()
	fakes := map[site.DeviceID]*fake{"slow": {apply: takes(slow)}}
	ids := []site.DeviceID{"slow"}
	for i := range 3 {
		id := site.DeviceID(fmt.Sprintf("quick-%d", i))
		fakes[id] = &fake{apply: takes(10 * time.Millisecond)}
		ids = append(ids, id)
	}
	start := time.Now()
	f, _, end := run(t, 256, fakes, ids...)
	defer end()
	time.Sleep(20 * time.Second) // all were read once
	told := time.Since(start)
	for _, id := range ids {
		f.Wish(wish(id, site.ModeSleep, 1))
	}
	time.Sleep(5 * time.Second)
	var out []time.Duration
	for _, id := range ids[1:] {
		for _, at := range fakes[id].seen("read") {
			if at > told {
				out = append(out, at-told)
				break
			}
		}
	}
	return out
}

func TestPollsWaitForAWaveOfCommands(t *testing.T) {
	for _, c := range []struct {
		name       string
		slow, want time.Duration
	}{
		{"until the last is answered", 300 * time.Millisecond, 300 * time.Millisecond},
		{"but not for ever", 4 * time.Second, 10*time.Millisecond + hold},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := waveAt(t, c.slow)
				if len(got) != 3 {
					t.Fatalf("%d of 3 devices were read after the wave", len(got))
				}
				for _, at := range got {
					if at != c.want {
						t.Errorf("read %v after the wave began, not %v", at, c.want)
					}
				}
			})
		})
	}
}

func TestAWaveInPartsIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := map[site.DeviceID]*fake{"a": {}}
		f, s, end := run(t, 256, fakes, "a")
		defer end()
		time.Sleep(20 * time.Second)
		before, _ := s.count("a")
		given := f.CommandsComing()
		f.Wish(wish("a", site.ModeSleep, 1))
		synctest.Wait()
		if now, _ := s.count("a"); now != before || len(s.answered()) != 1 {
			t.Errorf("between two parts of a wave the device was read %d times and answered %d commands; want 0 and 1", now-before, len(s.answered()))
		}
		given()
		synctest.Wait()
		if now, _ := s.count("a"); now != before+1 {
			t.Errorf("after the wave the device was read %d times, not once", now-before)
		}
	})
}

func TestAMeterDoesNotWaitForCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := map[site.DeviceID]*fake{"meter": {}, "miner": {}}
		f, s, end := run(t, 256, fakes, "meter", "miner")
		defer end()
		time.Sleep(20 * time.Second)
		given := f.CommandsComing()
		defer given()
		meter, _ := s.count("meter")
		miner, _ := s.count("miner")
		f.Refresh("meter")
		f.Refresh("miner")
		synctest.Wait()
		if now, _ := s.count("meter"); now != meter+1 {
			t.Error("the meter waited for a wave of commands")
		}
		if now, _ := s.count("miner"); now != miner {
			t.Error("the miner did not wait for a wave of commands")
		}
	})
}

func TestALargeWave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fakes := map[site.DeviceID]*fake{}
		var ids []site.DeviceID
		for i := range large {
			id := site.DeviceID(fmt.Sprintf("m-%04d", i))
			ids = append(ids, id)
			fakes[id] = &fake{apply: takes(10 * time.Millisecond)}
			switch {
			case i < large/20:
				fakes[id].apply = takes(timeout) // a straggler
			case i < large/10:
				fakes[id].apply = func(context.Context, site.Setpoint) error { return driver.ErrUnreachable }
			}
		}
		f, _, end := run(t, 256, fakes, ids...)
		defer end()
		time.Sleep(20 * time.Second)
		before := map[site.DeviceID]int{}
		for _, id := range ids {
			before[id] = len(fakes[id].seen("read"))
			f.Wish(wish(id, site.ModeSleep, 1))
		}
		time.Sleep(time.Second) // the stragglers are still on their way
		failed, heard := fakes[ids[large/20]], fakes[ids[large-1]]
		if n := len(failed.seen("read")) - before[ids[large/20]]; n != 1 {
			t.Errorf("a device that did not acknowledge was read %d times, not once: polls wait for stragglers", n)
		}
		if n := len(heard.seen("read")) - before[ids[large-1]]; n != 0 {
			t.Errorf("a device that acknowledged was read %d times within a second of a large wave", n)
		}
		time.Sleep(7 * time.Second)
		if n := len(heard.seen("read")) - before[ids[large-1]]; n != 1 {
			t.Errorf("a device that acknowledged was read %d times within eight seconds", n)
		}
	})
}
