package app

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/emulate"
	emulated "switchyard/emulate/plant"
)

// onOpenPorts is siteDoc on ports that anyone may open.
func onOpenPorts(extra string) string {
	return strings.NewReplacer(
		"profile: sunspec", "port: 15502, profile: sunspec",
		"driver: antminer,", "driver: antminer, ports: {http: 18080, rpc: 14028},",
		"driver: braiins,", "driver: braiins, ports: {http: 18080},",
	).Replace(siteDoc) + extra
}

// orders is what reached the miners, by whoever told it.
type orders struct {
	mu   sync.Mutex
	list []emulated.Change
}

func (o *orders) take(c emulated.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, c)
}

// stopped runs a site until mining runs, stops it in order, and returns what its miners were told.
func stopped(t *testing.T, doc string) []emulated.Change {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("this system has one loopback address only")
	}
	f := parse(t, doc)
	clk := clock.NewGoverned(summer, 60, 2*f.Control.Period)
	defer clk.Close()
	var told orders
	p, err := emulate.StartWatched(context.Background(), f, clk, slog.New(slog.DiscardHandler), told.take)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	var a *App
	a, err = New(t.Context(), Options{
		File: f, Clock: clk, Log: slog.New(slog.DiscardHandler),
		Pace: func(ctx context.Context, now time.Time) {
			a.Quiet(ctx, now, 250*time.Millisecond)
			clk.Allow(now.Add(f.Control.Period * 6 / 5))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); a.Live().Mode != "merit-order" || a.Live().Groups[0].States["hashing"] < 4 || a.Live().Groups[1].States["hashing"] < 3; {
		if time.Now().After(deadline) {
			t.Fatalf("mining never ran: %+v", a.Live().Groups)
		}
		time.Sleep(20 * time.Millisecond)
	}
	told.mu.Lock()
	told.list = nil
	told.mu.Unlock()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	told.mu.Lock()
	defer told.mu.Unlock()
	return told.list
}

func TestAnOrderlyStopShedsWhereTheSiteFileWantsIt(t *testing.T) {
	got := map[string]bool{}
	for _, c := range stopped(t, onOpenPorts("lost: {controller: shed}\n")) {
		got[c.Device] = true
	}
	if len(got) != 7 {
		t.Errorf("%d of 7 miners were told at the stop: %v", len(got), got)
	}
}

func TestAnOrderlyStopLeavesMinersAsTheyAre(t *testing.T) {
	if got := stopped(t, onOpenPorts("")); len(got) != 0 {
		t.Errorf("told at the stop: %+v", got)
	}
}
