package demo

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/emulate"
	"switchyard/emulate/plant"
	"switchyard/emulate/vtn"
	"switchyard/journal"
	"switchyard/store"
)

// TestTheUtilityIsObeyed: the afternoon's emergency reaches the site as an OpenADR event
// before it begins, is kept to by the plant's own record, and reported back.
func TestTheUtilityIsObeyed(t *testing.T) { // not beside another: both would look for free addresses
	slow(t)
	o := Options{
		Dir: t.TempDir(), Miners: 24, Speed: 480, From: noon.Add(3*time.Hour + 30*time.Minute), For: 130 * time.Minute, Listen: "127.0.0.1:0", Seed: 3,
		Out: io.Discard, Err: io.Discard, Log: slog.New(slog.DiscardHandler),
	}
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	u, err := o.openUtility()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	f, err := o.site(u)
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewGoverned(o.From, o.Speed, 2*f.Control.Period)
	defer clk.Close()
	u.serve(clk)
	site, err := emulate.Start(context.Background(), f, clk, o.Log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = site.Close() }()
	cluster, err := o.openGPUs(context.Background(), f, clk, site.World())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Close() }()
	if err := o.play(context.Background(), f, clk, site, u); err != nil {
		t.Fatal(err)
	}
	keptTo(t, site.World().Record(), u)
	received(t, f.Path(f.Store.Dir), u)
	reports := u.vtn.All(vtn.Report)
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	doc, err := json.Marshal(reports[0])
	if err != nil || !strings.Contains(string(doc), `"USAGE"`) || strings.Contains(string(doc), "MISSING") {
		t.Errorf("report %s, %v", doc, err)
	}
	if n := u.vtn.Calls("GET /events"); n > 60 {
		t.Errorf("the utility was asked %d times in some twenty seconds", n)
	}
}

// keptTo holds the plant's record against the emergency: without it the connection would have
// carried more.
func keptTo(t *testing.T, rec plant.Record, u *utility) {
	t.Helper()
	n, _ := rec.Node("connection")
	if n.PeakPower <= u.limit {
		t.Errorf("a peak of %s: the limit of %s asked for nothing", n.PeakPower, u.limit)
	}
	for _, e := range n.Excursions {
		if e.Beyond > 10*time.Second {
			t.Errorf("above %s from %s for %s, up to %s", e.Limit, e.From.Format(time.TimeOnly), e.Beyond, e.Peak)
		}
	}
}

// received finds in the journal that the event came before it began.
func received(t *testing.T, dir string, u *utility) {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	j := journal.OpenReader(db, journal.Options{})
	told, err := j.Between(ctx, noon, noon.Add(24*time.Hour), 100, journal.KindSignal)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range told {
		if strings.Contains(e.Text, "ALERT_GRID_EMERGENCY") && strings.Contains(e.Text, "no more than "+u.limit.String()+" at connection") && e.At.Before(noon.Add(4*time.Hour-20*time.Minute)) {
			return
		}
	}
	t.Errorf("nothing was received before 15:40: %+v", told)
}
