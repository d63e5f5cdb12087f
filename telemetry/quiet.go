package telemetry

import (
	"context"
	"log/slog"
)

// quiet passes on only what is a warning or worse: for libraries that tell their every move.
type quiet struct{ slog.Handler }

func quietly(log *slog.Logger) *slog.Logger { return slog.New(quiet{log.Handler()}) }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }
