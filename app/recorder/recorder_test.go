package recorder

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/backtest/record"
	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/site"
	"switchyard/unit"
)

func tree(t *testing.T) *site.Tree {
	t.Helper()
	tr, err := site.NewTree([]site.Node{{ID: "connection", Parent: -1, Limit: 3 * unit.Megawatt}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestNobodyWaitsForTheRecord(t *testing.T) {
	path, tr := filepath.Join(t.TempDir(), "r.jsonl.gz"), tree(t)
	r, err := Open(path, tr, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	round := dispatch.Round{Tree: tr, Price: 40 * unit.DollarPerMWh, PriceKnown: true, Caps: []unit.Power{unit.Megawatt}, Firm: []site.Offer{dispatch.TenantOffer("ai", 0, unit.Megawatt/2, 1)}}
	var d dispatch.Decider
	for i := range queue + 7 { // nobody writes yet
		r.Round(time.Unix(int64(i), 0), site.PlanID(i), round, d.Decide(round).Awards)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	for end := time.Now().Add(20 * time.Second); len(r.lines) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the record is not written")
		}
	}
	stop()
	<-done
	r.Round(time.Unix(1e6, 0), 1, round, d.Decide(round).Awards)
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "7 decisions are missing") {
		t.Errorf("%v", err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	res, err := record.Replay(t.Context(), f)
	if err != nil || res.Rounds != queue+1 || res.Differing != 0 || res.Torn {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := Open(path, tr, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "name a new file") {
		t.Errorf("a record is written over: %v", err)
	}
}

func TestNoRecordIsNoTrouble(t *testing.T) {
	var r *Recorder
	r.Round(time.Time{}, 0, dispatch.Round{}, nil)
	r.Plan(time.Time{}, &schedule.Problem{}, &schedule.Plan{})
	r.Run(t.Context())
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
