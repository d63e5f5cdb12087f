// Package fleetcmd owns the commands about the devices of a running controller: lists, fleet
// operations, health, repairs and silences.
//
// It never talks to a device and never decides: it asks the controller over HTTP and prints.
//
// Concurrency: one command runs per process, on the main goroutine, until it is done or its
// context ends.
package fleetcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"switchyard/api"
	"switchyard/unit"
)

// Console is what the commands need of the command line.
type Console struct {
	Out, Err io.Writer
	// Person is who can be asked at a terminal; nil: nobody.
	Person io.Reader
	// JSON says whether the answer is to be printed as JSON.
	JSON func() bool
	// Ask asks the controller once; body and into may be nil. Its errors carry their exit code.
	Ask func(ctx context.Context, method, path string, body, into any) error
	// BadInput makes the error of bad flags, arguments or values.
	BadInput func(format string, args ...any) error
	// Failed makes the end with exit code 1 of a command that has said all there is to say.
	Failed   func() error
	Progress func() Progress
}

// Progress tells on standard error how far something is.
type Progress interface {
	Tell(format string, args ...any)
	Done()
}

type console struct{ Console }

// Commands makes the commands.
func Commands(k Console) []*cobra.Command {
	c := &console{k}
	return []*cobra.Command{c.devicesCmd(), c.deviceCmd(), c.fleetCmd(), c.rolloutsCmd(), c.healthCmd(), c.repairsCmd(), c.silenceCmd()}
}

func (c *console) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.Ask(ctx, http.MethodGet, path, nil, into)
}

func (c *console) siteView(ctx context.Context) (v api.SiteView, err error) {
	err = c.get(ctx, "/api/v1/site", nil, &v)
	return v, err
}

func (c *console) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }

func (c *console) note(format string, args ...any) { fmt.Fprintf(c.Err, format+"\n", args...) }

func (c *console) printJSON(v any) error {
	e := json.NewEncoder(c.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// zone is the site's time zone; UTC where this machine does not know it.
func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}

// power prints watts for people; nil is unknown.
func power(w *float64) string {
	if w == nil {
		return "?"
	}
	return unit.Watts(*w).Short()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
