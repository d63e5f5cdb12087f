package rollout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/site"
)

var newPools = Action{Kind: Pools, Pools: []Pool{{URL: "stratum+tcp://new.example:3333", Worker: "acme.{device}"}, {URL: "stratum+tcp://b.example:3333", Worker: "acme.{ip}", PasswordRef: "env:NEW"}}}

func TestActionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		a    Action
		says string
	}{
		{Action{Kind: Reboot}, ""},
		{Action{Kind: Sleep}, ""},
		{newPools, ""},
		{Action{Kind: "explode"}, `"explode" is no action; it can be reboot, pools`},
		{Action{Kind: Pools}, "name one to 3 pools"},
		{Action{Kind: Pools, Pools: make([]Pool, 4)}, "name one to 3 pools"},
		{Action{Kind: Pools, Pools: []Pool{{URL: "https://x", Worker: "a"}}}, "pool 1: pools speak stratum"},
		{Action{Kind: Pools, Pools: []Pool{{URL: "stratum+tcp://x:1", Worker: "{mac}"}}}, "{mac} stands for nothing"},
		{Action{Kind: Pools, Pools: []Pool{{URL: "stratum+tcp://x:1", Worker: "a", PasswordRef: "hunter2"}}}, "a secret itself is not taken"},
		{Action{Kind: Password, PasswordRef: "hunter2"}, "a secret itself is not taken"},
		{Action{Kind: Password, PasswordRef: "env:NEW"}, ""},
		{Action{Kind: Profile}, "name the profile"},
	} {
		err := c.a.Check()
		if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%+v: %v, want %q", c.a, err, c.says)
		}
	}
}

func TestThePlanSaysWhatIsSkippedAndWhy(t *testing.T) {
	can := func(acts ...site.Act) site.Opt[site.Capabilities] {
		return site.Some(site.Capabilities{Sleep: true, Acts: site.ActsOf(acts...), Profiles: []site.Profile{{Name: "eco"}}})
	}
	devices := []Candidate{
		{ID: "a", Caps: can(site.ActReboot, site.ActProfile)},
		{ID: "b"},
		{ID: "c", Caps: can(site.ActReboot), Lost: "connection refused"},
		{ID: "d", Caps: can(site.ActLED)},
		{ID: "e", Caps: can(site.ActReboot, site.ActProfile), Asleep: "eva"},
		{ID: "f", Caps: can(site.ActReboot), Busy: "rollout 3"},
		{ID: "g", Caps: can(site.ActReboot)},
	}
	show := func(a Action, wave int) string {
		var out []string
		for _, it := range Plan(a, wave, devices) {
			s := fmt.Sprintf("%s:%d", it.Device, it.Wave)
			if it.State == Skipped {
				s = string(it.Device) + ":" + it.Reason
			}
			out = append(out, s)
		}
		return strings.Join(out, "; ")
	}
	const lost = "b:it was never reached, so what it can do is not known; c:it does not answer: connection refused; "
	for _, c := range []struct {
		a    Action
		want string
	}{
		{Action{Kind: Reboot}, "a:1; " + lost + "d:its firmware or its driver cannot do it (reboot); e:1; f:rollout 3 has it in hand; g:2"},
		{Action{Kind: Profile, Profile: "eco"}, "a:1; " + lost + "d:its firmware or its driver cannot do it (profile); e:1; f:rollout 3 has it in hand; g:its firmware or its driver cannot do it (profile)"},
		{Action{Kind: Profile, Profile: "turbo"}, `a:it has no profile "turbo"; ` + lost + `d:its firmware or its driver cannot do it (profile); e:it has no profile "turbo"; f:rollout 3 has it in hand; g:its firmware or its driver cannot do it (profile)`},
		{Action{Kind: Sleep}, "a:1; " + lost + "d:1; e:it is asleep already, by eva; f:rollout 3 has it in hand; g:2"},
		{Action{Kind: Wake}, "a:nobody holds it asleep; it follows the market; " + lost + "d:nobody holds it asleep; it follows the market; e:1; f:rollout 3 has it in hand; g:nobody holds it asleep; it follows the market"},
	} {
		if got := show(c.a, 2); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.a.Kind, got, c.want)
		}
	}
	if waves, do, skip := Waves(Plan(Action{Kind: Reboot}, 2, devices)); waves != 2 || do != 3 || skip != 4 {
		t.Errorf("%d waves, %d to do, %d skipped", waves, do, skip)
	}
}

func TestEachActionIsConfirmedByAReading(t *testing.T) {
	for _, c := range []struct {
		a    Action
		says string
	}{
		{Action{Kind: Reboot}, "it started "},
		{newPools, "its reading shows the pools"},
		{Action{Kind: LED, On: true}, "acknowledged"},
		{Action{Kind: Password, PasswordRef: "env:NEW"}, "it answers with the new password"},
		{Action{Kind: Profile, Profile: "eco"}, "its reading shows the profile"},
		{Action{Kind: Sleep}, "its reading shows it asleep"},
		{Action{Kind: Wake}, "its reading shows it hashing"},
	} {
		bubble(t, 3, func(y *yard) {
			items := Plan(c.a, 2, y.candidates())
			for i := range items { // also of what a plan would skip
				items[i] = Item{Device: idOf(i), Wave: i/2 + 1, State: Pending}
			}
			r, err := y.x.Begin(y.Context(), Rollout{Action: c.a, By: "eva", Wave: 2}, items)
			if err != nil {
				y.Fatal(err)
			}
			r = y.after(time.Minute, r.ID)
			y.counts(r, map[ItemState]int{Confirmed: 3})
			if r.State != Done || r.Ended.IsZero() || !strings.HasPrefix(r.Items[2].Reason, c.says) || r.StopAfter != 3 {
				y.Errorf("%s: %+v", c.a.Kind, r)
			}
		})
	}
}

func TestSecretsAndTemplatesAreFilledInAtTheMomentOfUse(t *testing.T) {
	bubble(t, 1, func(y *yard) {
		id := y.begin(newPools, 0, 0)
		y.counts(y.after(10*time.Second, id), map[ItemState]int{Confirmed: 1})
		want := []driver.Pool{{URL: "stratum+tcp://new.example:3333", Worker: "acme.d-01", Password: "x"}, {URL: "stratum+tcp://b.example:3333", Worker: "acme.4x17", Password: "s3cret"}}
		if diff := cmp.Diff(want, y.got[0].Pools); diff != "" {
			y.Errorf("pools (-want +got):\n%s", diff)
		}
		id = y.begin(Action{Kind: Password, PasswordRef: "env:NEW"}, 0, 0)
		y.after(10*time.Second, id)
		if y.got[1].Password != "s3cret" {
			y.Error("the password was not told")
		}
		id = y.begin(Action{Kind: Password, PasswordRef: "env:GONE"}, 0, 0)
		r := y.after(10*time.Second, id)
		y.counts(r, map[ItemState]int{Failed: 1})
		if !strings.Contains(r.Items[0].Reason, "env:GONE") || len(y.got) != 2 {
			y.Errorf("without the secret: %+v, told %d times", r.Items[0], len(y.got))
		}
		files, err := filepath.Glob(filepath.Join(y.db.Dir(), "*"))
		if err != nil || len(files) == 0 {
			y.Fatal(files, err)
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, []byte("s3cret")) {
				y.Errorf("%s holds the secret, or cannot be read: %v", name, err)
			}
		}
	})
}

func TestWavesWaitForEachOther(t *testing.T) {
	bubble(t, 10, func(y *yard) {
		for i := range 10 {
			y.toys[idOf(i)].down, y.toys[idOf(i)].takes = time.Minute, 3*time.Second
		}
		id := y.begin(Action{Kind: Reboot}, 6, 0)
		y.after(30*time.Second, id)
		if n := len(y.take()); n != 6 || y.top != 4 {
			y.Errorf("%d told in the first wave, %d at once; want 6, 4", n, y.top)
		}
		y.counts(y.get(id), map[ItemState]int{Told: 6, Pending: 4})
		y.counts(y.after(time.Minute, id), map[ItemState]int{Confirmed: 6, Told: 4})
		if n := len(y.take()); n != 4 {
			y.Errorf("%d told in the second wave", n)
		}
		r := y.after(3*time.Minute, id)
		y.counts(r, map[ItemState]int{Confirmed: 10})
		list, err := y.x.List(y.Context(), 10)
		if err != nil || len(list) != 1 || list[0].Counts[Confirmed] != 10 || list[0].Items != nil || list[0].Text != "Reboot 10 devices" || list[0].By != "eva" || string(list[0].Request) != "{}" {
			y.Errorf("list %+v, %v", list, err)
		}
	})
}

func TestFailuresStopTheRollout(t *testing.T) {
	bubble(t, 20, func(y *yard) {
		for _, i := range []int{0, 2, 5} {
			y.toys[idOf(i)].err = fmt.Errorf("no: %w", driver.ErrRefused)
		}
		y.toys[idOf(1)].down = time.Minute
		id := y.begin(Action{Kind: Reboot}, 8, 2)
		r := y.after(2*time.Second, id)
		if r.State != Stopped || r.Reason != "2 devices failed, and the rollout stops after 2" || !r.Ended.IsZero() {
			y.Errorf("after two failures: %s %q, ended %s", r.State, r.Reason, r.Ended)
		}
		r = y.after(3*time.Minute, id)
		y.counts(r, map[ItemState]int{Failed: 2, Confirmed: 2, Skipped: 16})
		if r.State != Stopped || r.Ended.IsZero() || r.Items[19].Reason != "not told: the rollout was stopped" {
			y.Errorf("in the end: %+v", r)
		}
		if got := y.take(); len(got) != 4 {
			y.Errorf("told %v", got)
		}
	})
}

func TestWhatDoesNotComeAboutIsToldAgainAndGivenUp(t *testing.T) {
	bubble(t, 6, func(y *yard) {
		y.toys["d-01"].deafFor = 2
		y.toys["d-02"].deafFor = 9
		y.toys["d-03"].lies = true
		y.toys["d-04"].mute = true
		y.toys["d-05"].lostAck = true
		y.toys["d-06"].readErr = errors.New("connection refused")
		id := y.begin(newPools, 0, 100)
		r := y.after(30*time.Minute, id)
		y.counts(r, map[ItemState]int{Confirmed: 2, Failed: 3, Unknown: 1})
		for i, want := range []string{
			"its reading shows the pools", "told 3 times: d-02: unreachable", "told 3 times: its readings show stratum+tcp://old.example:1 as old",
			"acknowledged; its readings tell no pools", "its reading shows the pools", "told, and it gives no reading since: connection refused",
		} {
			if r.Items[i].Reason != want {
				y.Errorf("%s: %s, want %s", r.Items[i].Device, r.Items[i].Reason, want)
			}
		}
		n := map[string]int{}
		for _, s := range y.take() {
			n[s]++
		}
		want := map[string]int{"pools d-01": 3, "pools d-02": 3, "pools d-03": 3, "pools d-04": 1, "pools d-05": 1, "pools d-06": 1}
		if diff := cmp.Diff(want, n); diff != "" {
			y.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestAPasswordThatIsNotAccepted(t *testing.T) {
	bubble(t, 2, func(y *yard) {
		y.toys["d-01"].takes = time.Second
		id := y.begin(Action{Kind: Password, PasswordRef: "env:NEW"}, 1, 0)
		y.after(1500*time.Millisecond, id)
		y.mu.Lock()
		y.toys["d-02"].readErr = fmt.Errorf("read: %w", driver.ErrUnauthorized)
		y.mu.Unlock()
		r := y.after(time.Minute, id)
		if r.Items[1].State != Failed || !strings.Contains(r.Items[1].Reason, "does not accept it") {
			y.Errorf("%+v", r.Items)
		}
	})
}

func TestARebootIsNotRepeatedOnAGuess(t *testing.T) {
	bubble(t, 6, func(y *yard) {
		y.toys["d-01"].lostAck = true                            // happened, and the answer was lost
		y.toys["d-02"].lostAck, y.toys["d-02"].mute = true, true // and no uptime tells
		y.toys["d-03"].deafFor = 1                               // did not happen, and its uptime says so
		y.toys["d-04"].lies = true                               // acknowledged, and never happens
		y.toys["d-05"].down = time.Hour                          // does not come back
		y.toys["d-06"].booted = time.Now().Add(-time.Minute)     // just started: its uptime tells little
		y.toys["d-06"].lies = true
		id := y.begin(Action{Kind: Reboot}, 0, 100)
		r := y.after(50*time.Minute, id)
		for i, want := range []string{
			"confirmed it started", "unknown told, and not acknowledged; its readings tell no uptime", "confirmed it started",
			"failed told 3 times: acknowledged; its uptime shows that it did not restart", "failed acknowledged, and it gives no reading since: unreachable",
			"unknown acknowledged; it had started shortly before",
		} {
			if got := string(r.Items[i].State) + " " + r.Items[i].Reason; !strings.HasPrefix(got, want) {
				y.Errorf("%s: %s, want %s", r.Items[i].Device, got, want)
			}
		}
		n := map[string]int{}
		for _, s := range y.take() {
			n[s]++
		}
		want := map[string]int{"reboot d-01": 1, "reboot d-02": 1, "reboot d-03": 2, "reboot d-04": 3, "reboot d-05": 1, "reboot d-06": 1}
		if diff := cmp.Diff(want, n); diff != "" {
			y.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// TestAKilledControllerGoesOn ends the runner while devices are being told, and takes the
// rollout up again from the disk.
func TestAKilledControllerGoesOn(t *testing.T) {
	bubble(t, 8, func(y *yard) {
		for i := range 8 {
			y.toys[idOf(i)].takes = 10 * time.Second
		}
		id := y.begin(Action{Kind: Reboot}, 4, 0)
		y.after(5*time.Second, id)
		y.stop() // the four are under way: their answers are lost
		y.mu.Lock()
		y.told = nil
		y.toys["d-01"].booted = time.Now() // it did restart
		y.toys["d-02"].booted = time.Now()
		for i := range 8 {
			y.toys[idOf(i)].takes = 0
		}
		y.mu.Unlock()
		time.Sleep(time.Minute)
		y.start()
		r := y.after(30*time.Second, id)
		if got := y.take(); len(got) != 0 {
			y.Errorf("told before a reading shows that it must be: %v", got)
		}
		y.counts(r, map[ItemState]int{Confirmed: 2, Told: 2, Pending: 4})
		r = y.after(10*time.Minute, id)
		y.counts(r, map[ItemState]int{Confirmed: 8})
		want := []string{"reboot d-03", "reboot d-04", "reboot d-05", "reboot d-06", "reboot d-07", "reboot d-08"}
		if diff := cmp.Diff(want, y.take()); diff != "" {
			y.Errorf("told after the restart (-want +got):\n%s", diff)
		}
	})
	// What is idempotent is told again where the first reading does not show it.
	bubble(t, 4, func(y *yard) {
		for i := range 4 {
			y.toys[idOf(i)].takes = 10 * time.Second
		}
		id := y.begin(newPools, 0, 0)
		y.after(5*time.Second, id)
		y.stop()
		y.mu.Lock()
		y.told = nil
		y.toys["d-01"].pools = []site.Pool{{URL: "new.example:3333", Worker: "acme.d-01"}, {URL: "b.example:3333", Worker: "acme.4x17"}}
		y.mu.Unlock()
		y.start()
		y.counts(y.after(time.Minute, id), map[ItemState]int{Confirmed: 4})
		if diff := cmp.Diff([]string{"pools d-02", "pools d-03", "pools d-04"}, y.take()); diff != "" {
			y.Errorf("told after the restart (-want +got):\n%s", diff)
		}
	})
}

func TestSteering(t *testing.T) {
	bubble(t, 12, func(y *yard) {
		for i := range 12 {
			y.toys[idOf(i)].down = 30 * time.Second
		}
		id := y.begin(Action{Kind: Reboot}, 4, 0)
		y.after(5*time.Second, id)
		steer := func(what, says string) {
			y.Helper()
			err := y.x.Steer(y.Context(), "bob", id, what)
			if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || !errors.Is(err, ErrInvalid)) {
				y.Errorf("%s: %v, want %q", what, err, says)
			}
		}
		steer("pause", "")
		steer("pause", "is paused")
		steer("restart", "pause, resume or stop")
		r := y.after(5*time.Minute, id)
		y.counts(r, map[ItemState]int{Confirmed: 4, Pending: 8})
		if r.State != Paused || r.Reason != "paused by bob" {
			y.Errorf("%s %q", r.State, r.Reason)
		}
		if busy := y.x.Busy(); len(busy) != 8 || busy["d-12"] != id {
			y.Errorf("busy %v", busy)
		}
		y.stop() // and it stays paused
		y.start()
		y.counts(y.after(5*time.Minute, id), map[ItemState]int{Confirmed: 4, Pending: 8})
		steer("resume", "")
		y.after(5*time.Second, id)
		steer("stop", "")
		r = y.after(5*time.Minute, id)
		y.counts(r, map[ItemState]int{Confirmed: 8, Skipped: 4})
		if r.State != Stopped || r.Reason != "stopped by bob" || r.Ended.IsZero() {
			y.Errorf("%+v", r)
		}
		steer("resume", "is stopped")
		if err := y.x.Steer(y.Context(), "bob", 99, "stop"); !errors.Is(err, ErrNotFound) {
			y.Error(err)
		}
	})
}

func TestSleepAndWakeGoThroughHolds(t *testing.T) {
	bubble(t, 3, func(y *yard) {
		id := y.begin(Action{Kind: Sleep}, 2, 0)
		y.counts(y.after(time.Minute, id), map[ItemState]int{Confirmed: 3})
		want := []string{"eva sleeps [d-01 d-02]: rollout 1: because", "eva sleeps [d-03]: rollout 1: because"}
		if diff := cmp.Diff(want, y.holds); diff != "" {
			y.Errorf("holds (-want +got):\n%s", diff)
		}
		y.toys["d-02"].rests = "its group is given less than all"
		y.toys["d-03"].lies = true
		for i := range 3 {
			y.toys[idOf(i)].state = site.StateSleeping
		}
		items := []Item{{Device: "d-01", Wave: 1, State: Pending}, {Device: "d-02", Wave: 1, State: Pending}, {Device: "d-03", Wave: 1, State: Pending}}
		r, err := y.x.Begin(y.Context(), Rollout{Action: Action{Kind: Wake}, By: "eva"}, items)
		if err != nil {
			y.Fatal(err)
		}
		r = y.after(15*time.Minute, r.ID)
		if !slices.Contains(y.holds, "eva wakes [d-01 d-02 d-03]") {
			y.Errorf("a wave is not woken at once: %q", y.holds)
		}
		for i, want := range []string{"its reading shows it hashing", "released; its group is given less than all", "it was released, and its readings show it sleeping"} {
			if r.Items[i].Reason != want {
				y.Errorf("%+v, want %s", r.Items[i], want)
			}
		}
		y.holdErr = errors.New("the disk is full")
		id = y.begin(Action{Kind: Sleep}, 0, 100)
		y.after(20*time.Second, id)
		y.mu.Lock()
		y.holdErr = nil
		y.toys["d-03"].lies = false
		y.mu.Unlock()
		y.counts(y.after(time.Minute, id), map[ItemState]int{Confirmed: 3})
	})
}

func TestWhatCannotBegin(t *testing.T) {
	bubble(t, 1, func(y *yard) {
		if _, err := y.x.Begin(y.Context(), Rollout{Action: Action{Kind: "odd"}}, Plan(Action{Kind: Reboot}, 0, y.candidates())); !errors.Is(err, ErrInvalid) {
			y.Error(err)
		}
		if _, err := y.x.Begin(y.Context(), Rollout{Action: Action{Kind: Reboot}}, Plan(Action{Kind: Reboot}, 0, []Candidate{{ID: "x"}})); !errors.Is(err, ErrInvalid) {
			y.Error(err)
		}
		if _, err := y.x.Get(y.Context(), 1); !errors.Is(err, ErrNotFound) {
			y.Error(err)
		}
	})
}

// TestNothingIsToldThatIsNotOnDisk fills the store up: a device that is told and not noted
// would be told again after a kill.
func TestNothingIsToldThatIsNotOnDisk(t *testing.T) {
	bubble(t, 2, func(y *yard) {
		y.stop()
		id := y.begin(Action{Kind: Reboot}, 1, 0)
		ctx, cancel := context.WithCancel(context.Background())
		j := y.x.job(id)
		cancel() // nothing can be kept with an ended context
		if y.x.tell(ctx, j, []int{0}) {
			y.Error("it says that it told")
		}
		if got := y.take(); len(got) != 0 || y.get(id).Items[0].State != Pending {
			y.Errorf("told %v, item %+v", got, y.get(id).Items[0])
		}
		synctest.Wait()
	})
}
