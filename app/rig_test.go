package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/sitefile"
)

// siteDoc is a small site: two halls of miners and a tenant on one transformer.
const siteDoc = `
site: {name: Test, timezone: America/Chicago}
connection:
  name: grid connection
  limit: 100 kW
  overload: [{ratio: 110 %, for: 60s, rest: 10m}]
  meter: {address: 127.77.9.1, profile: sunspec}
nodes:
  - {id: hall-a, name: Hall A, limit: 40 kW}
  - {id: hall-b, name: Hall B, limit: 40 kW, overload: [{ratio: 120 %, for: 20s, rest: 10m}]}
  - {id: ai-hall, limit: 60 kW, meter: {address: 127.77.9.2, profile: sunspec}}
groups:
  - {id: s21, node: hall-a, driver: antminer, model: Antminer S21, addresses: [127.77.1.1-127.77.1.4], nameplate: 3500 W, hashrate: 200 TH/s, standby: 50 W, pool_fee: 1 %}
  - {id: s19, node: hall-b, driver: braiins, model: Antminer S19j Pro, addresses: [127.77.2.1-127.77.2.3], nameplate: 3000 W, hashrate: 100 TH/s, standby: 20 W}
tenants:
  - {id: ai, node: ai-hall, firm: 50 kW, rate: 120 $/kW-month, penalty: 3000 $/MWh, availability: 99 %, ramp: 20 kW}
market:
  price: {fixed: 20 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
limits:
  - {node: connection, power: 80 kW, from: 2026-06-01T00:00:00Z, to: 2026-10-01T00:00:00Z, daily: {from: "16:00", to: "18:30"}, note: summer peak}
  - {node: hall-a, power: 30 kW, from: 2026-07-04T00:00:00Z}
store: {dir: data}
api: {listen: "127.0.0.1:0"}
`

// hands is a clock that a test sets; its timers never fire.
type hands struct {
	mu  sync.Mutex
	now time.Time
	// torn says that the test has closed the store: closing it again fails.
	torn bool
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) set(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = t
}

func (*hands) Speed() float64 { return 1 }

func (*hands) NewTimer(time.Duration) clock.Timer { return clock.System().NewTimer(time.Hour) }

func parse(t *testing.T, doc string) *sitefile.File {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// still makes an App whose loop is the test itself and whose devices nobody reaches. Requests
// of people are served by a goroutine that does nothing else until the test ends.
func still(t *testing.T, f *sitefile.File, at time.Time) (*App, *hands) {
	t.Helper()
	clk := &hands{now: at}
	a, err := New(t.Context(), Options{
		File: f, Clock: clk, Log: slog.New(slog.DiscardHandler),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no network in this test")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			select {
			case r := <-a.requests:
				r(a.ctl)
			case <-end:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(end)
		<-served
		if err := a.Close(); err != nil && !clk.torn {
			t.Error(err)
		}
	})
	return a, clk
}

var summer = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) // 07:00 in Chicago
