package delivery

import (
	"context"
	"log/slog"

	"switchyard/site"
	"switchyard/store"
)

const stateKey = "app.delivery"

// Open makes a tracker that takes up what was wanted and not delivered where the last run stopped.
func Open(ctx context.Context, db *store.DB, log *slog.Logger, loads ...site.LoadID) (*Tracker, error) {
	d := New(loads...)
	doc, err := db.GetState(ctx, stateKey)
	if err != nil {
		return nil, err
	}
	if err := d.Restore(doc); err != nil {
		log.Warn("what tenants wanted begins anew", "reason", err.Error())
	}
	return d, nil
}

// Keep writes what was wanted and not delivered, so that a restart forgets no outage. It blocks on
// the disk.
func (d *Tracker) Keep(ctx context.Context, db *store.DB) error {
	if len(d.loads) == 0 {
		return nil
	}
	doc, err := d.Checkpoint()
	if err != nil {
		return err
	}
	return db.PutState(ctx, stateKey, doc)
}
