package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"switchyard/emulate/plant"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

// judge holds the plant's record and the orders that devices received against the books.
func (x *crash) judge(asleep map[string]time.Time, held string) {
	t := x.t
	t.Helper()
	rec := x.site.World().Record()
	if l, _ := rec.Load("ai"); l.Undelivered != 0 {
		t.Errorf("the firm tenant lacked %s", l.Undelivered)
	}
	x.judgeLimits(rec)
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, at := range asleep {
		if s := x.site.World().Miner(id).View().State; s != site.StateSleeping {
			t.Errorf("%s is %s: it was to stay asleep", id, s)
		}
		for _, o := range x.orders {
			if o.Device == id && o.At.After(at) {
				t.Errorf("%s was put to sleep at %s and told %v at %s", id, at.Format(time.TimeOnly), o.Mode, o.At.Format(time.TimeOnly))
			}
		}
	}
	ctx := context.Background()
	db, err := store.Open(ctx, x.file.Path(x.file.Store.Dir))
	if err != nil {
		t.Fatal(err)
	}
	x.judgeOrders(ctx, db, asleep, held)
	from, to := x.judgeEnergy(ctx, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkBooks(t, x.file, from, to)
}

// judgeLimits finds stretches above a limit that neither a dead controller, a limit just set nor a
// stalled machine explains.
func (x *crash) judgeLimits(rec plant.Record) {
	x.mu.Lock()
	stalls := slices.Clone(x.stalls)
	x.mu.Unlock()
	const recovery = 90 * time.Second
	for _, n := range rec.Nodes {
		for _, e := range n.Excursions {
			if e.Beyond <= 2*x.file.Control.Period {
				continue
			}
			excused := false
			for _, d := range x.dead {
				excused = excused || e.From.After(d.from.Add(-5*time.Second)) && e.To.Before(d.to.Add(recovery)) || e.From.Before(d.to) && e.To.Before(d.to.Add(recovery))
			}
			for _, o := range slices.Concat(x.over, stalls) {
				excused = excused || !e.From.Before(o.from.Add(-5*time.Second)) && e.To.Before(o.to.Add(recovery))
			}
			line := fmt.Sprintf("%s was above its limit of %s from %s for %s (%s beyond its curve), up to %s",
				n.Node, e.Limit, e.From.Format(time.TimeOnly), e.To.Sub(e.From), e.Beyond, e.Peak)
			if excused {
				x.t.Log("with no controller, or just after a limit was set or a stall:", line)
			} else {
				x.t.Error(line)
			}
		}
	}
}

// flight is how long an order may be on its way, in site time: a third of a real second.
const flight = 20 * time.Second

// judgeOrders: every order that a device received stands in the journal as a command, in the
// newest mode that it was commanded; only what the person did does not.
func (x *crash) judgeOrders(ctx context.Context, db *store.DB, asleep map[string]time.Time, held string) {
	t := x.t
	t.Helper()
	j := journal.OpenReader(db, journal.Options{})
	cmds, err := j.Between(ctx, noon, noon.Add(24*time.Hour), 10000, journal.KindCommand)
	if err != nil {
		t.Fatal(err)
	}
	byDevice := map[string][]journal.Entry{}
	for _, c := range cmds {
		byDevice[string(c.Device)] = append(byDevice[string(c.Device)], c)
		if c.Code == "" {
			t.Errorf("a command without a reason: %+v", c)
		}
	}
	ordered := 0
	modes := map[string]site.Mode{}
	for _, o := range x.orders {
		was, known := modes[o.Device]
		modes[o.Device] = o.Mode
		if at, ok := asleep[o.Device]; ok && o.Device != held && o.Mode == site.ModeSleep && at.Sub(o.At) < time.Minute && !o.At.After(at) {
			continue // the person
		}
		ordered++
		last, passing := "", false
		for _, c := range byDevice[o.Device] {
			if !c.At.After(o.At.Add(time.Second)) && o.At.Sub(c.At) < 6*time.Minute {
				// An order on the wire when the next command is written still arrives.
				passing = o.At.Sub(c.At) < flight && last == o.Mode.String()
				last = commanded(t, c)
			}
		}
		if last == "" || last != o.Mode.String() && !passing && (!known || was != o.Mode) {
			t.Errorf("%s was told %s at %s and the journal's newest command then is %q", o.Device, o.Mode, o.At.Format(time.TimeOnly), last)
		}
	}
	counts, err := j.Counts(ctx, noon, x.clk.Now().Add(-10*time.Minute))
	if err != nil || counts.Open > 0 {
		t.Errorf("commands without an end: %+v, %v", counts, err)
	}
	t.Logf("%d commands in the journal, %d orders reached devices; %+v", len(cmds), ordered, counts)
}

func commanded(t *testing.T, e journal.Entry) string {
	t.Helper()
	var d struct {
		Mode string `json:"mode"`
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		t.Fatal(err)
	}
	return d.Mode
}

// judgeEnergy: the intervals of the connection's meter sum to what its register rose by. It
// returns the time that is settled.
func (x *crash) judgeEnergy(ctx context.Context, db *store.DB) (from, to time.Time) {
	t := x.t
	t.Helper()
	var sum unit.Energy
	n := 0
	err := db.View(ctx, func(tx *store.Tx) error {
		var first, last, e int64
		if err := tx.QueryRow("SELECT MIN(start), MAX(start), COUNT(*) FROM billing_interval WHERE subject = 'meter:connection'").Scan(&first, &last, &n); err != nil {
			return err
		}
		from, to = time.Unix(first, 0).UTC().Add(5*time.Minute), time.Unix(last, 0).UTC().Add(5*time.Minute)
		err := tx.QueryRow("SELECT SUM(energy) FROM billing_interval WHERE subject = 'meter:connection' AND start >= ?", from.Unix()).Scan(&e)
		sum = unit.Energy(e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at := func(when time.Time) unit.Energy {
		i, _ := slices.BinarySearchFunc(x.meter, when, func(p meterPoint, w time.Time) int { return p.at.Compare(w) })
		if i == 0 || i >= len(x.meter) {
			t.Fatalf("no witness of %s", when)
		}
		a, b := x.meter[i-1], x.meter[i]
		return a.energy + unit.Energy(float64(b.energy-a.energy)*float64(when.Sub(a.at))/float64(max(b.at.Sub(a.at), 1)))
	}
	truth := at(to) - at(from)
	t.Logf("%d intervals from %s to %s: %s posted, %s by the register", n, from.Format(time.TimeOnly), to.Format(time.TimeOnly), sum, truth)
	// Only the two ends are uncertain: by what flows between two readings.
	if d := sum - truth; d > truth/250 || d < -truth/250 {
		t.Errorf("posted %s, and %s flowed", sum, truth)
	}
	if len(x.dead) != crashKills {
		t.Errorf("%d kills", len(x.dead))
	}
	return from, to
}
