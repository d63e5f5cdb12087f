package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchyard/driver"
	"switchyard/site"
)

func addresses(n int) []netip.Addr {
	out := make([]netip.Addr, n)
	for i := range out {
		out[i] = netip.AddrFrom4([4]byte{127, 9, byte(i / 250), byte(1 + i%250)})
	}
	return out
}

func TestScanFindsInOrderAndSaysHowFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addrs := addresses(1000)
		var running, most atomic.Int32
		detect := func(ctx context.Context, tg driver.Target) (driver.Driver, site.Identity, error) {
			n := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			last := netip.MustParseAddr(tg.Host).As4()[3]
			time.Sleep(time.Duration(last) * time.Millisecond) // the earlier ones do not answer first
			switch last % 10 {
			case 1:
				return driver.Driver{Name: "fake"}, site.Identity{Model: tg.Host}, nil
			case 2:
				return driver.Driver{}, site.Identity{}, fmt.Errorf("%w: http 401", driver.ErrUnauthorized)
			case 3:
				<-ctx.Done() // a silent address
				return driver.Driver{}, site.Identity{}, ctx.Err()
			}
			return driver.Driver{}, site.Identity{}, fmt.Errorf("%w: refused", driver.ErrUnreachable)
		}
		var steps [][2]int
		start := time.Now()
		got, err := Scan(t.Context(), addrs, detect, ScanOptions{
			Parallel: 100, Each: time.Second, Progress: func(done, found int) { steps = append(steps, [2]int{done, found}) },
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []Found
		for _, a := range addrs {
			switch a.As4()[3] % 10 {
			case 1:
				want = append(want, Found{Address: a, Driver: "fake", Identity: site.Identity{Model: a.String()}})
			case 2:
				want = append(want, Found{Address: a, Err: driver.ErrUnauthorized})
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateErrors(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		if n := most.Load(); n > 100 {
			t.Errorf("%d addresses were asked at once", n)
		}
		if took := time.Since(start); took > 12*time.Second {
			t.Errorf("it took %s: silent addresses are not cut off", took)
		}
		if len(steps) == 0 || steps[len(steps)-1] != [2]int{1000, 200} {
			t.Errorf("progress ended at %v", steps)
		}
		for i := 1; i < len(steps); i++ {
			if steps[i][0] < steps[i-1][0] || steps[i][1] < steps[i-1][1] {
				t.Errorf("progress went back: %v", steps)
			}
		}
	})
}

func TestScanEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		detect := func(ctx context.Context, tg driver.Target) (driver.Driver, site.Identity, error) {
			select {
			case <-time.After(time.Second):
				return driver.Driver{Name: "fake"}, site.Identity{}, nil
			case <-ctx.Done():
				return driver.Driver{}, site.Identity{}, ctx.Err()
			}
		}
		start := time.Now()
		got, err := Scan(ctx, addresses(100), detect, ScanOptions{Parallel: 10})
		if !errors.Is(err, context.DeadlineExceeded) || len(got) != 30 {
			t.Errorf("%d found, %v; three rounds of ten fit", len(got), err)
		}
		if took := time.Since(start); took != 3500*time.Millisecond {
			t.Errorf("it went on for %s", took)
		}
	})
}

func TestScanOfNothing(t *testing.T) {
	got, err := Scan(t.Context(), nil, nil, ScanOptions{})
	if len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
