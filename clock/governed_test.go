package clock

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func governed(t *testing.T, rate float64, lead time.Duration) *Governed {
	t.Helper()
	g := NewGoverned(noon, rate, lead)
	t.Cleanup(g.Close)
	return g
}

func TestGovernedNeverPassesItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := governed(t, 60, 10*time.Second)
		if !g.Now().Equal(noon) || g.Speed() != 60 {
			t.Errorf("it starts at %s with speed %v", g.Now(), g.Speed())
		}
		limit, last := noon.Add(10*time.Second), noon
		for i := range 500 {
			time.Sleep(time.Duration(i%7) * 20 * time.Millisecond)
			now := g.Now()
			if now.After(limit) || now.Before(last) {
				t.Fatalf("look %d: %s after %s, limit %s", i, now, last, limit)
			}
			last = now
			if i%3 == 0 {
				limit = limit.Add(5 * time.Second)
				g.Allow(limit)
			}
			g.Allow(limit.Add(-time.Minute)) // an earlier limit is ignored
		}
		if last.Sub(noon) < 500*time.Second {
			t.Errorf("it reached only %s", last)
		}
	})
}

func TestGovernedDoesNotLeapAfterStandingStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := governed(t, 60, 10*time.Second)
		time.Sleep(time.Hour) // the follower was away
		if got := g.Now(); !got.Equal(noon.Add(10 * time.Second)) {
			t.Fatalf("it stands at %s", got)
		}
		g.Allow(noon.Add(24 * time.Hour))
		if got := g.Now(); !got.Equal(noon.Add(10 * time.Second)) {
			t.Errorf("it leapt to %s", got)
		}
		time.Sleep(time.Second)
		if got := g.Now(); !got.Equal(noon.Add(70 * time.Second)) {
			t.Errorf("a second later it is %s", got)
		}
		// Held says what was lost: 70 site seconds in an hour and a second.
		if got, want := g.Held(), 70.0/3601; got < want*0.999 || got > want*1.001 {
			t.Errorf("held %v, want %v", got, want)
		}
	})
}

func TestGovernedHoldsItsSpeedWithAQuickFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := governed(t, 240, 10*time.Second)
		if g.Held() != 240 {
			t.Errorf("held %v before any time went by", g.Held())
		}
		for g.Now().Before(noon.Add(time.Hour)) {
			timer := g.NewTimer(5 * time.Second)
			<-timer.C()
			g.Allow(g.Now().Add(6 * time.Second))
		}
		if got := g.Held(); got < 239 || got > 241 {
			t.Errorf("held %v", got)
		}
	})
}

func TestGovernedTimersFireInOrderAndOnce(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) { fireInOrder(t, rand.New(rand.NewPCG(seed, 1))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func fireInOrder(t *testing.T, r *rand.Rand) {
	g := governed(t, 60, time.Second)
	type fired struct{ due, told time.Time }
	var mu sync.Mutex
	var order []fired
	var stopped []Timer
	var wg sync.WaitGroup
	alive, end := 0, make(chan struct{})
	for range 1 + r.IntN(40) {
		d := time.Duration(r.IntN(300)-5) * time.Second
		due := g.Now().Add(d)
		timer := g.NewTimer(d)
		if d > time.Second && r.IntN(3) == 0 {
			timer.Stop()
			timer.Stop() // twice is no harm
			stopped = append(stopped, timer)
			continue
		}
		alive++
		wg.Go(func() {
			for {
				select {
				case at := <-timer.C():
					mu.Lock()
					order = append(order, fired{due, at})
					mu.Unlock()
				case <-end:
					return
				}
			}
		})
	}
	for limit := noon; limit.Before(noon.Add(400 * time.Second)); limit = limit.Add(7 * time.Second) {
		g.Allow(limit)
		time.Sleep(200 * time.Millisecond) // 12 s of site time if it may: it reaches each limit
	}
	time.Sleep(time.Minute)
	close(end)
	wg.Wait()
	if len(order) != alive {
		t.Errorf("%d of %d timers fired", len(order), alive)
	}
	for i, f := range order {
		if late := f.told.Sub(f.due); late < 0 || late > 7*time.Second {
			t.Errorf("due %s, fired %s", f.due, f.told)
		}
		if i > 0 && f.told.Before(order[i-1].told) {
			t.Errorf("%s fired after %s", f.told, order[i-1].told)
		}
	}
	for _, s := range stopped {
		if len(s.C()) != 0 {
			t.Error("a stopped timer fired")
		}
	}
}

func TestGovernedTimerBeyondTheLimitWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := governed(t, 60, 10*time.Second)
		timer := g.NewTimer(30 * time.Second)
		time.Sleep(time.Minute)
		if len(timer.C()) != 0 {
			t.Fatal("it fired beyond the limit")
		}
		g.Allow(noon.Add(30 * time.Second)) // exactly to its time
		time.Sleep(time.Second)
		synctest.Wait()
		if len(timer.C()) != 1 {
			t.Fatal("it did not fire at the limit")
		}
		if at := <-timer.C(); !at.Equal(noon.Add(30 * time.Second)) {
			t.Errorf("it fired at %s", at)
		}
		timer.Stop() // after it fired: no harm
	})
}

func TestGovernedEarlierTimerOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := governed(t, 1, time.Hour)
		late := g.NewTimer(10 * time.Minute)
		time.Sleep(time.Second)
		soon := g.NewTimer(time.Second)
		start := time.Now()
		<-soon.C()
		if took := time.Since(start); took < time.Second || took > time.Second+time.Millisecond {
			t.Errorf("a second took %s", took)
		}
		if len(late.C()) != 0 {
			t.Error("the later one fired too")
		}
		late.Stop()
		time.Sleep(time.Hour)
		if len(late.C()) != 0 {
			t.Error("it fired although it was stopped")
		}
	})
}

func TestGovernedInParallel(t *testing.T) {
	// On the machine's own time: nothing here depends on how long it takes.
	g := governed(t, 1000, time.Second)
	stop := make(chan struct{})
	var follower, users sync.WaitGroup
	follower.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				g.Allow(g.Now().Add(time.Second))
			}
		}
	})
	for k := range 8 {
		users.Go(func() {
			for i := range 200 {
				timer := g.NewTimer(time.Duration(k*i%17) * 50 * time.Millisecond)
				if i%3 == 0 {
					timer.Stop()
					continue
				}
				<-timer.C()
			}
		})
	}
	users.Wait()
	close(stop)
	follower.Wait()
}
