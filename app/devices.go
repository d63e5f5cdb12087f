package app

import (
	"context"
	"path/filepath"
	"time"

	"switchyard/api"
	"switchyard/app/places"
	"switchyard/app/points"
	"switchyard/app/truth"
	"switchyard/care"
	"switchyard/driver"
	"switchyard/journal"
	"switchyard/notify"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

const truthKey = "app.truth"

// openDevices makes what is there for devices one by one: where they are, what they draw, and
// what people do for them. The fleet is made between the two.
func (a *App) openDevices(ctx context.Context) (err error) {
	if a.places, err = places.Open(ctx, places.Options{
		Plant: a.plant, DB: a.db, Hub: a.hub, Log: a.log, Tell: a.tellOf,
		Retarget: func(id site.DeviceID, host string) bool { return a.fleet.Retarget(id, host) },
	}); err != nil {
		return err
	}
	doc, err := a.db.GetState(ctx, truthKey)
	if err != nil {
		return err
	}
	if a.truth, err = truth.New(a.plant, a.places.Outlets, doc); err != nil {
		return err
	}
	a.points, err = points.Open(filepath.Join(a.db.Dir(), "devices"), points.Options{Plant: a.plant, Hub: a.hub, Truth: a.truth, Clock: a.clk, Log: a.log})
	return err
}

func (a *App) openCare(ctx context.Context) (err error) {
	f := a.opt.File
	a.notifier = notify.New(notify.Options{Site: f.Site.Name, Notices: f.Notices, Secret: f.Secret, Zone: a.plant.Zone, Log: a.log})
	a.care, err = care.Open(ctx, care.Options{
		File: f, Miners: care.Miners(f, a.plant.Tree), DB: a.db, Clock: a.clk, Log: a.log, Hub: a.hub, Loop: a, Fleet: guarded{a}, Operator: a,
		Places: a.places, Estimates: a.truth, Histories: a.points, Teller: a.notifier,
		Note: func(e journal.Entry) {
			if _, err := a.journal.Append(e); err != nil {
				a.log.Error("journal entry not kept", "reason", err, "device", string(e.Device))
			}
		},
		Alarms: func() []api.Alert {
			if s := a.screen.Load(); s != nil {
				return s.own
			}
			return nil
		},
		Hashprice: func() site.Opt[unit.Hashprice] {
			q := a.market.Hashprice(a.clk.Now())
			return site.Opt[unit.Hashprice]{V: q.Hashprice, OK: q.Known}
		},
	})
	return err
}

// guarded is the fleet, which tells nothing to another device that answers at an address.
type guarded struct{ a *App }

// Do carries out an action, where the device is at its address.
func (g guarded) Do(ctx context.Context, id site.DeviceID, what driver.Action) error {
	if err := g.a.places.Mine(id); err != nil {
		return err
	}
	return g.a.fleet.Do(ctx, id, what)
}

// Refresh asks for a poll of the device soon.
func (g guarded) Refresh(id site.DeviceID) { g.a.fleet.Refresh(id) }

// Capabilities returns what the device last said it can do.
func (g guarded) Capabilities(id site.DeviceID) site.Opt[site.Capabilities] {
	return g.a.fleet.Capabilities(id)
}

// tellOf puts what a person should know of a device into the journal.
func (a *App) tellOf(id site.DeviceID, text string) {
	a.log.Warn("device", "device", string(id), "reason", text)
	e := journal.Entry{At: a.clk.Now(), Subject: string(a.plant.LoadOf(id)), Device: id, Kind: journal.KindNote, Text: string(id) + ": " + text}
	if _, err := a.journal.Append(e); err != nil {
		a.log.Error("journal entry not kept", "reason", err, "device", string(id))
	}
}

// CareScreen returns what the care of devices needs of the newest step.
func (a *App) CareScreen() care.Screen {
	s := a.screen.Load()
	if s == nil {
		return care.Screen{}
	}
	return care.Screen{Status: s.status, Told: s.told, Holds: s.holds}
}

// estimate brings the figures of what each miner draws up to this step, and keeps what was
// learned every ten minutes.
func (c *control) estimate(ctx context.Context, now time.Time, snap *telemetry.Snapshot, r *readings) {
	meters := make([]truth.Meter, len(r.value))
	for i := range meters {
		meters[i] = truth.Meter{Power: r.power(i), At: r.at[i]}
	}
	c.a.truth.Step(now, snap, meters, func(j int) time.Time { return c.toldAt[j] })
	if time.Since(c.learned) < 10*time.Minute {
		return
	}
	c.learned = time.Now()
	c.keepTruth(ctx)
}

func (c *control) keepTruth(ctx context.Context) {
	doc, err := c.a.truth.Doc()
	if err == nil {
		err = c.a.db.PutState(ctx, truthKey, doc)
	}
	if err != nil { // it is learned again
		c.a.log.Warn("what was learned of the miners' power is not kept", "reason", err)
	}
}
