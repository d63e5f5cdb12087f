package api

import (
	"context"
	"errors"
	"time"
)

// Screens gives what the page shows now. Nothing blocks.
type Screens interface {
	Site() SiteView
	Live() LiveView
	Curve() CurveView
	// Map returns the cells of a group; ErrNotFound if there is no such group.
	Map(group string) (MapView, error)
}

// Records gives what was. Calls read the disk and honour the context.
type Records interface {
	History(ctx context.Context, from, to time.Time, step time.Duration) (HistoryView, error)
	Decisions(ctx context.Context, limit int) ([]Decision, error)
	// Why answers why a device was as it was at a time; ErrNotFound if there is no such device.
	Why(ctx context.Context, device string, at time.Time) (WhyView, error)
	// Report returns the profit and loss of a day "2006-01-02" in the site's time zone; empty means today.
	Report(ctx context.Context, date string) (ReportView, error)
}

// Operator takes what people want. A call returns once the wish is kept on disk, not once
// it is carried out; a limit holds even where the disk takes nothing, and its note says so. who is a person's or a token's name.
type Operator interface {
	SetLimit(ctx context.Context, who string, r LimitRequest) (LimitView, error)
	ClearLimit(ctx context.Context, who, id string) error
	// Hold holds devices or whole groups in a mode and returns how many devices.
	Hold(ctx context.Context, who string, r HoldRequest) (int, error)
	// Release lets a device or a whole group go and returns how many devices were held.
	Release(ctx context.Context, who, deviceOrGroup string) (int, error)
}

// Stream gives what happens as it happens.
type Stream interface {
	// Changed is closed when there is a newer Live than when it was asked for.
	Changed() <-chan struct{}
	// Follow returns decisions from now on until ctx ends; a reader that is too slow loses the oldest.
	Follow(ctx context.Context) <-chan Decision
}

// Auditor keeps a line of each change and each refused attempt.
type Auditor interface {
	Audit(ctx context.Context, who, what, outcome string)
}

// TokenStore keeps the hashed tokens as one small document.
type TokenStore interface {
	LoadTokens(ctx context.Context) ([]byte, error) // nil when there are none yet
	SaveTokens(ctx context.Context, doc []byte) error
}

// The errors that the API maps to HTTP answers; others are 500.
var (
	ErrNotFound = errors.New("not found")
	// ErrInvalid: the request makes no sense as it is; its text says what would.
	ErrInvalid = errors.New("invalid request")
	// ErrUnavailable: the store or another part is down just now.
	ErrUnavailable = errors.New("not available now")
)
