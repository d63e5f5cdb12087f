package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"switchyard/clock"
	"switchyard/emulate/vtn"
	"switchyard/unit"
)

// The emergency of each day: when it begins, how long it lasts, and how long before it begins
// the utility announces it.
const (
	emergencyAt       = 16 * time.Hour
	emergencyFor      = 90 * time.Minute
	emergencyAnnounce = 90 * time.Minute
)

// lostPolls is after how many polls without an answer the utility counts as lost: on a fast
// clock a machine that is busy for some seconds is no loss.
const lostPolls = 20

// vtnClient is the name that the site has with the utility.
const vtnClient = "demonstration-site"

// utility is the grid's end of the demonstration: an emulated VTN on this machine which
// announces an emergency each afternoon of the site's time.
type utility struct {
	listener net.Listener
	secret   string
	hook     string // where the site listens for notifications
	limit    unit.Power
	when     Emergencies
	log      *slog.Logger

	clk    clock.Clock
	vtn    *vtn.VTN
	served io.Closer
}

// Files in the demonstration's folder that its site file refers to.
const (
	vtnSecret = "vtn.secret"
	hookToken = "webhook.token"
)

// openUtility finds an address for the VTN and writes the secrets that the site shares with it.
func (o Options) openUtility() (*utility, error) {
	u := &utility{limit: emergencyPower(o.Miners, !o.NoGPUs && o.Emergencies.Share == 0), when: o.Emergencies, log: o.Log}
	if u.when.Share > 0 {
		u.limit = u.limit.Scale(float64(u.when.Share))
	}
	for _, name := range []string{hookToken, vtnSecret} {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // it does not fail
		u.secret = hex.EncodeToString(b)
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(u.secret), 0o600); err != nil {
			return nil, fmt.Errorf("write the demonstration's secrets: %w", err)
		}
	}
	var err error
	if u.hook, err = loopback(); err != nil {
		return nil, err
	}
	u.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the emulated utility: %w", err)
	}
	return u, nil
}

// url is the VTN's base address.
func (u *utility) url() string { return "http://" + u.listener.Addr().String() + "/openadr3/3.1.0" }

// serve starts the VTN, whose stamps are the clock's.
func (u *utility) serve(clk clock.Clock) {
	u.clk = clk
	u.vtn = vtn.New(vtn.Config{Clock: clk, Challenge: true, Clients: []vtn.Client{{ID: vtnClient, Secret: u.secret}}})
	u.served = u.vtn.Serve(u.listener)
}

// Close ends the VTN, if it was started.
func (u *utility) Close() error {
	if u.served == nil {
		return u.listener.Close()
	}
	return u.served.Close()
}

// loopback finds an address of this machine that nobody listens on. Somebody else may take it
// before it is used: then the site polls, and says why.
func loopback() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find an address for notifications: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// run announces each day's emergency, from the day of from on, until ctx ends.
func (u *utility) run(ctx context.Context, from time.Time) {
	for e := range u.when.after(from) {
		if clock.Sleep(ctx, u.clk, e.from.Add(-u.when.ahead()).Sub(u.clk.Now())) != nil {
			return
		}
		if err := u.announce(e); err != nil {
			u.log.Error("the emulated utility cannot announce its emergency", "reason", err.Error())
			return
		}
	}
}

// announce makes the event of an emergency, in a utility's words: what the site may draw, and
// why, with a report of what it then drew.
func (u *utility) announce(e emergency) error {
	program, err := u.vtn.Program("Emergency load reduction", nil)
	if err != nil {
		return fmt.Errorf("make the program: %w", err)
	}
	payload := func(kind string, value any) vtn.Object {
		return vtn.Object{"type": kind, "values": []any{value}}
	}
	_, err = u.vtn.Push(vtn.Object{
		"programID": program, "eventName": "Reserves-are-short", "priority": 0,
		"intervalPeriod": vtn.Object{"start": e.from.UTC().Format(time.RFC3339), "duration": fmt.Sprintf("PT%dS", int(e.to.Sub(e.from).Seconds()))},
		"payloadDescriptors": []any{
			vtn.Object{"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "IMPORT_CAPACITY_LIMIT", "units": "KW"},
		},
		"reportDescriptors": []any{vtn.Object{"payloadType": "USAGE", "units": "KWH", "historical": true}},
		"intervals": []any{vtn.Object{"id": 0, "payloads": []any{
			payload("IMPORT_CAPACITY_LIMIT", u.limit.Watts()/1e3), payload("ALERT_GRID_EMERGENCY", "operating reserves are short"),
		}}},
	})
	return err
}

// emergency is when one holds.
type emergency struct{ from, to time.Time }

// Emergencies are when the grid runs short, in site time.
type Emergencies struct {
	// First begins so long after the demonstration does, and then comes one every Every; each lasts
	// For and is announced Ahead of it. Every zero: one each day, at a set time of the afternoon.
	First, Every, For, Ahead time.Duration
	// Share is what the connection may then draw, as a part of what the hosting tenant with its
	// ramp needs; zero: all of that.
	Share unit.Ratio
}

func (m Emergencies) ahead() time.Duration {
	if m.Every <= 0 {
		return emergencyAnnounce
	}
	return m.Ahead
}

// after are those that are not over at from, the demonstration's begin, without end.
func (m Emergencies) after(from time.Time) func(func(emergency) bool) {
	if m.Every <= 0 {
		return emergencies(from)
	}
	return func(yield func(emergency) bool) {
		for at := from.Add(m.First); yield(emergency{at, at.Add(m.For)}); at = at.Add(m.Every) {
		}
	}
}

// emergencies are those of each day that are not over at from, without end.
func emergencies(from time.Time) func(func(emergency) bool) {
	return func(yield func(emergency) bool) {
		for at := from.UTC().Truncate(24 * time.Hour).Add(emergencyAt); ; at = at.Add(24 * time.Hour) {
			if e := (emergency{at, at.Add(emergencyFor)}); e.to.After(from) && !yield(e) {
				return
			}
		}
	}
}

// tellRecord tells the plant's own record when the emergencies of a time hold, so that the
// record judges by them, whatever of them reached the site.
func (u *utility) tellRecord(w recorder, from time.Time, over time.Duration) error {
	n, every := 0, 24*time.Hour
	if u.when.Every > 0 {
		every = u.when.Every
	}
	for e := range u.when.after(from) {
		if n++; n > min(int(over/every)+2, 32) {
			return nil
		}
		if e.from.Before(from) {
			continue // nobody could keep to it before the site ran
		}
		err := errors.Join(w.SetRecordLimit("connection", u.limit, e.from), w.SetRecordLimit("connection", -1, e.to))
		if err != nil {
			return fmt.Errorf("tell the record of the emergency at %s: %w", e.from.Format(time.DateTime), err)
		}
	}
	return nil
}
