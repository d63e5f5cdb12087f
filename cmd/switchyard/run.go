package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"switchyard/app"
	"switchyard/clock"
	"switchyard/sitefile"
	"switchyard/store"
)

// logFlags say how the log looks; it goes to standard error.
type logFlags struct{ format, level string }

func (l *logFlags) add(cmd *cobra.Command, level string) {
	l.format, l.level = "text", level
	cmd.Flags().Var(&choice{&l.format, []string{"text", "json"}}, "log-format", "how log lines look")
	cmd.Flags().Var(&choice{&l.level, []string{"debug", "info", "warn", "error"}}, "log-level", "the least level that is logged")
}

func (l *logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.level)) // one of the flag's choices
	opt := &slog.HandlerOptions{Level: level}
	if l.format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

func (c *cli) runCmd() *cobra.Command {
	var logs logFlags
	var record string
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a site",
		Long: `Run the site of a site file until it is told to stop (Ctrl-C, or a TERM signal): devices are
then left as the file's lost.controller says. The first start on a new store prints a token
for the page and the API, once.`,
		Example: "  switchyard run site.yaml --log-format json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runSite(cmd.Context(), args[0], record, &logs) },
	}
	recordFlag(cmd, &record)
	logs.add(cmd, "info")
	return cmd
}

// recordFlag adds the flag that has decisions recorded.
func recordFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "record", "", "new `file` that every decision and plan is written to, packed (day.jsonl.gz): backtest --recorded decides them again")
}

func (c *cli) runSite(ctx context.Context, path, record string, logs *logFlags) (err error) {
	f, err := loadSite(path)
	if err != nil {
		return err
	}
	log := logs.logger(c.err)
	for _, w := range f.Warnings {
		log.Warn("site file", "reason", w.Error())
	}
	clk := siteClock(f)
	a, err := app.New(ctx, app.Options{
		File: f, Clock: clk, Log: log, Version: version, Notice: notice(f, clk),
		Token: c.showToken, Bound: c.showAddress, Record: record,
	})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("another controller runs on this site's store: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.Run(ctx)
}

// notice is what every screen must say: that the prices are made up, or that site time is not
// the machine's.
func notice(f *sitefile.File, clk clock.Clock) string {
	var parts []string
	if f.Market.Price.MadeUp != nil {
		parts = append(parts, "made-up prices")
	}
	if _, ok := clk.(clock.Anchored); ok {
		parts = append(parts, fmt.Sprintf("site time runs %.4gx as fast as the machine's", clk.Speed()))
	}
	if len(parts) == 0 {
		return ""
	}
	return "A rehearsal: " + strings.Join(parts, "; ")
}

// showToken prints the first token of a store.
func (c *cli) showToken(token string) {
	if c.json() {
		_ = c.printJSON(map[string]string{"token": token, "name": "first", "role": "admin"}) // the address follows
		return
	}
	c.say("The first token of this store, an admin's. It is shown this once; keep it:\n\n  %s\n", token)
}

func (c *cli) showAddress(addr net.Addr) {
	if c.json() {
		_ = c.printJSON(map[string]string{"url": "http://" + addr.String()})
		return
	}
	c.say("The page and the API are at http://%s (Ctrl-C stops in order)", addr)
}
