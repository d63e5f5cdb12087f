package story

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"switchyard/app"
	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/sitefile"
)

// runEnv names the site file that this test binary runs as a controller, in a process of its own
// that can be killed.
const runEnv = "SWITCHYARD_STORY_RUN"

func TestMain(m *testing.M) {
	if path := os.Getenv(runEnv); path != "" {
		if err := controller(path); err != nil {
			fmt.Fprintln(os.Stderr, "controller:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func load(path string) (*sitefile.File, error) {
	return sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
}

// controller runs the site of a file as `switchyard run` does.
func controller(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f, err := load(path)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{
		File: f, Clock: clock.System(), Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Token: func(t string) { fmt.Println("token", t) },
		Bound: func(addr net.Addr) { fmt.Println("bound", addr) },
	})
	if err != nil {
		return err
	}
	if err := a.Run(ctx); err != nil {
		return err
	}
	return a.Close()
}
