package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/app"
	"switchyard/driver/all"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/strictyaml"
)

// tenth gives a tenth of every group a fault.
func tenth(kind string, change func(*sitefile.Fault)) func(*sitefile.File) {
	return func(f *sitefile.File) {
		for _, g := range f.Groups {
			x := sitefile.Fault{Kind: kind, Group: g.ID, Share: 0.1}
			if change != nil {
				change(&x)
			}
			f.Emulate.Faults = append(f.Emulate.Faults, x)
		}
	}
}

// both applies two changes.
func both(a, b func(*sitefile.File)) func(*sitefile.File) {
	return func(f *sitefile.File) { a(f); b(f) }
}

// impatient gives up an exchange after half a second of machine time, so that a test need
// not wait for the default of five.
func impatient(f *sitefile.File) {
	for i := range f.Groups {
		f.Groups[i].Timeout = 500 * time.Millisecond
	}
}

func TestNoFault(t *testing.T) {
	r := newRig(t, nil)
	r.settled()
	r.follows()
	if n := len(r.app.Live().Alerts); n > 0 {
		t.Errorf("alarms without a fault: %+v", r.app.Live().Alerts)
	}
	r.check()
}

func TestFaultWrongPassword(t *testing.T) {
	r := newRig(t, tenth("wrong-password", nil))
	r.settled()
	r.alert(10*time.Minute, "hall-a-miners", "1 of 12", "credentials")
	r.alert(10*time.Minute, "hall-c-miners", "1 of 7", "credentials")
	r.follows() // a WhatsMiner tells its readings to anybody: only an order shows it
	r.alert(10*time.Minute, "hall-b-miners", "1 of 11", "credentials")
	r.check()
}

func TestFaultLateInTime(t *testing.T) {
	r := newRig(t, tenth("late", func(f *sitefile.Fault) { f.Delay = 60 * time.Millisecond }))
	r.settled()
	r.follows()
	r.check()
}

func TestFaultTooLate(t *testing.T) {
	r := newRig(t, both(impatient, tenth("late", func(f *sitefile.Fault) { f.Delay = 800 * time.Millisecond })))
	r.settled()
	for _, g := range r.file.Groups {
		r.alert(60*time.Minute, g.ID, "1 of", "1 unreachable", "no answer in time")
	}
	r.follows()
	r.check()
}

func TestFaultLost(t *testing.T) {
	r := newRig(t, tenth("lost", nil))
	r.settled()
	for _, g := range r.file.Groups {
		r.alert(20*time.Minute, g.ID, "1 of", "1 unreachable")
	}
	r.follows()
	r.check()
}

// TestFaultSometimesLost loses a third of all exchanges of every miner: retries carry it.
func TestFaultSometimesLost(t *testing.T) {
	slow(t)
	r := newRig(t, func(f *sitefile.File) {
		for _, g := range f.Groups {
			f.Emulate.Faults = append(f.Emulate.Faults, sitefile.Fault{Kind: "lost", Group: g.ID, Share: 1, Chance: 0.3})
		}
	})
	r.settled()
	r.follows()
	r.check()
}

func TestFaultHalfOpen(t *testing.T) {
	r := newRig(t, both(impatient, tenth("half-open", nil)))
	r.settled()
	for _, g := range r.file.Groups {
		r.alert(60*time.Minute, g.ID, "1 of", "1 unreachable", "no answer in time")
	}
	r.follows()
	r.check()
}

func TestFaultGarbled(t *testing.T) {
	r := newRig(t, both(impatient, tenth("garbled", nil)))
	r.settled()
	r.follows()
	t.Log(r.app.Live().Alerts)
	r.check()
}

func TestFaultRefusing(t *testing.T) {
	r := newRig(t, tenth("refusing", nil))
	r.settled()
	r.follows()
	r.said(time.Minute, "quarantine", "", "refused")
	r.alert(time.Minute, "hall-b-miners", "1 in quarantine", "refused")
	r.check()
}

func TestFaultLying(t *testing.T) {
	liar := "hall-a-miners-004"
	r := newRig(t, func(f *sitefile.File) {
		f.Control.Retries = 1
		f.Emulate.Faults = []sitefile.Fault{{Kind: "lying", Devices: []string{liar}}}
	})
	r.settled()
	r.follows()
	if _, err := r.app.Hold(context.Background(), "test", api.HoldRequest{Devices: []string{liar}, Mode: "sleep"}); err != nil {
		t.Fatal(err)
	}
	r.said(20*time.Minute, "fail", liar, "after it said yes, it is hashing", "told again")
	r.said(20*time.Minute, "quarantine", liar, "told 2 times to sleep")
	r.alert(time.Minute, "hall-a-miners", "1 in quarantine")
	r.check()
}

func TestFaultClockSkew(t *testing.T) {
	r := newRig(t, tenth("clock-skew", func(f *sitefile.Fault) { f.Delay = 37 * time.Minute }))
	r.settled()
	r.follows()
	t.Log(r.app.Live().Alerts)
	r.check()
}

func TestFaultDeadBoard(t *testing.T) {
	r := newRig(t, func(f *sitefile.File) {
		tenth("dead-board", nil)(f)
		// A miner that is put to sleep for its poor efficiency shows nothing of its boards.
		f.Connection.Limit = f.Connection.Limit.Scale(1.5)
		for i := range f.Nodes {
			f.Nodes[i].Limit = f.Nodes[i].Limit.Scale(1.5)
		}
	})
	r.settled()
	for _, g := range r.file.Groups {
		r.await("an alert about the dead board in "+g.ID, 20*time.Minute, func() bool {
			return slices.ContainsFunc(r.app.Live().Alerts, func(a api.Alert) bool {
				return strings.HasPrefix(a.Subject, g.ID) && strings.HasPrefix(a.Text, "dead-board")
			})
		})
	}
	r.follows()
	r.check()
}

func TestFaultFrozenMeter(t *testing.T) {
	slow(t)
	for _, node := range []string{"connection", "hall-b", "ai-hall"} {
		t.Run(node, func(t *testing.T) {
			r := newRig(t, func(f *sitefile.File) {
				f.Emulate.Faults = []sitefile.Fault{{Kind: "frozen", Devices: []string{"meter:" + node}, From: noon.Add(8 * time.Minute), To: noon.Add(30 * time.Minute)}}
			})
			r.settled()
			r.alert(15*time.Minute, node, "lost")
			r.await("the meter is back", 30*time.Minute, func() bool { return r.clk.Now().After(noon.Add(31*time.Minute)) && len(r.app.Live().Alerts) == 0 })
			r.follows()
			r.check()
		})
	}
}

// TestFaultRegisterReset: the register of the connection's meter starts at zero again within
// an interval. What was drawn is still billed, as an estimate.
func TestFaultRegisterReset(t *testing.T) {
	slow(t)
	r := newRig(t, func(f *sitefile.File) {
		f.Emulate.Faults = []sitefile.Fault{{Kind: "register-reset", Devices: []string{"meter:connection"}, From: noon.Add(12 * time.Minute)}}
	})
	r.settled()
	r.await("the next intervals", time.Hour, func() bool { return r.app.Settled(noon.Add(20 * time.Minute)) })
	whole, err := r.app.SpanReport(context.Background(), noon.Add(10*time.Minute), noon.Add(15*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if p := whole.RemainderPercent(); p > 1 || p < -1 {
		t.Errorf("the interval of the reset has a remainder of %.2f %%: %s", p, whole.Text())
	}
	t.Log(whole.Text())
	r.follows()
	r.check()
}

// TestPriceFileWithBadLines: the lines are named, the rest is used, and in the gap nothing is
// switched for money.
func TestPriceFileWithBadLines(t *testing.T) {
	slow(t)
	var b strings.Builder
	b.WriteString("interval_start,rt_price_usd_per_mwh\n")
	for i := range 60 {
		at := noon.Add(time.Duration(i) * 5 * time.Minute)
		switch {
		case i == 1:
			b.WriteString("this is no row\n")
		case i == 3:
			fmt.Fprintf(&b, "%s,abc\n", at.Format(time.RFC3339))
		case i == 4:
			b.WriteString("2026-13-45T99:00:00Z,20\n")
		case i >= 5 && i < 7: // nothing at all
		default:
			fmt.Fprintf(&b, "%s,%d\n", at.Format(time.RFC3339), 15+i%10)
		}
	}
	path := filepath.Join(t.TempDir(), "prices.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(f *sitefile.File) { f.Market.Price = sitefile.Price{CSV: path, Stale: 5 * time.Minute} })
	t.Log(r.log.String())
	r.settled()
	r.alert(time.Minute, "market", "3 problems", "prices.csv:3")
	text := r.alert(2*time.Hour, "price", "no power price")
	if !strings.Contains(text, "hold") {
		t.Errorf("it does not name the rule: %s", text)
	}
	if m := r.app.Live().Mode; m != "hold" {
		t.Errorf("mode %s", m)
	}
	r.await("the price is back", 2*time.Hour, func() bool { return r.app.Live().Mode == "merit-order" })
	r.follows()
	for _, want := range []string{"prices.csv:3", "prices.csv:5", "prices.csv:6"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("%s is not in the log: %s", want, r.log)
		}
	}
	r.check()
}

func TestSiteFileWithFiveFaults(t *testing.T) {
	doc := document(t, Plan{Miners: 30, Poll: 30 * time.Second})
	for from, to := range map[string]string{
		"driver: whatsminer\n":    "driver: whatsmnier\n",
		"parent: tx-2\n":          "parent: tx-9\n",
		"pool_fee: 1 %":           "pool_fee: 1 kW",
		"control: {period: 5s":    "control: {perod: 5s",
		"    firm: ":              "    frim: ",
		"profile: generic}\n":     "profile: generic}\n",
		"timezone: UTC":           "timezone: UTC",
		"lost: {meter: nameplate": "lost: {meter: nameplate",
	} {
		doc = strings.Replace(doc, from, to, 1)
	}
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	var faults strictyaml.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("%v", err)
	}
	t.Logf("\n%v", err)
	for _, want := range []string{`did you mean "whatsminer"`, "tx-9", "pool_fee", `did you mean "period"`, `did you mean "firm"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the faults", want)
		}
	}
	for _, f := range faults {
		if f.Line == 0 || f.Message == "" || f.File == "" {
			t.Errorf("a fault without file, line or words: %+v", f)
		}
	}
}

// TestSecondController: the store is one controller's; the other is told which process has it.
func TestSecondController(t *testing.T) {
	r := newRig(t, func(f *sitefile.File) { f.API.Listen = "127.0.0.1:0" })
	r.settled()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runEnv+"="+filepath.Join(r.dir, "site.yaml"))
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("a second controller ran")
	}
	t.Logf("%s", out)
	if want := fmt.Sprint(os.Getpid()); !strings.Contains(string(out), want) || !strings.Contains(string(out), "in use") {
		t.Errorf("it does not name the process %s: %s", want, out)
	}
	if _, err := app.New(context.Background(), app.Options{File: r.file, Clock: r.clk, Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("in the same process: %v", err)
	}
	r.follows()
	r.check()
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	err = Run(context.Background(), Options{
		Miners: 12, For: time.Minute, Listen: l.Addr().String(), Out: io.Discard, Err: io.Discard,
	})
	if err == nil {
		t.Fatal("it ran")
	}
	t.Log(err)
	for _, want := range []string{l.Addr().String(), "in use", "api.listen"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
