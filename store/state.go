package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// PutState keeps value under key, in place of what was there.
func (db *DB) PutState(ctx context.Context, key string, value []byte) error {
	return db.Tx(ctx, func(t *Tx) error { return t.PutState(key, value) })
}

// PutState keeps value under key as part of the transaction.
func (t *Tx) PutState(key string, value []byte) error {
	_, err := t.Exec(`INSERT INTO store_state (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, key, value)
	if err != nil {
		return fmt.Errorf("keep state %s: %w", key, err)
	}
	return nil
}

// GetState returns what was last kept under key; nil if nothing was.
func (db *DB) GetState(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := db.View(ctx, func(t *Tx) (err error) {
		value, err = t.GetState(key)
		return err
	})
	return value, err
}

// GetState returns what was last kept under key; nil if nothing was.
func (t *Tx) GetState(key string) ([]byte, error) {
	var value []byte
	err := t.QueryRow("SELECT value FROM store_state WHERE name = ?", key).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read state %s: %w", key, err)
	}
	return value, nil
}

// DeleteState forgets key; it is no error if nothing was kept under it.
func (db *DB) DeleteState(ctx context.Context, key string) error {
	return db.Tx(ctx, func(t *Tx) error {
		_, err := t.Exec("DELETE FROM store_state WHERE name = ?", key)
		return err
	})
}
