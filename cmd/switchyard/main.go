// Package main owns the command line of Switchyard: flags, what is printed and the exit
// code. The work is done in the rooms: app runs a site, api is asked over HTTP, dispatch clears.
//
// It never decides, never talks to a device except to scan, and never prints a secret but a
// token at the moment when it is made.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/mattn/go-isatty"
)

// version is set when the program is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	c := &cli{out: os.Stdout, err: os.Stderr, env: os.Getenv, terminal: isatty.IsTerminal(os.Stderr.Fd())}
	if c.terminal && isatty.IsTerminal(os.Stdin.Fd()) {
		c.in = os.Stdin
	}
	code := c.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
