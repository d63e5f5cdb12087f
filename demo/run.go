// Package demo owns the demonstration: a made-up site whose devices are emulated on this
// machine, run by the very code that runs a real one, over real sockets and faster than life,
// and the summary that the emulated site's own record gives at the end.
//
// It never takes a short cut past the sockets: the controller knows nothing of the emulated
// devices but what they answer.
//
// Concurrency: Run blocks and may be called from one goroutine at a time.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"switchyard/app"
	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/emulate"
	"switchyard/emulate/gpus"
	"switchyard/emulate/plant"
	"switchyard/market"
	"switchyard/sitefile"
	"switchyard/unit"
)

// Options are what a demonstration is made from.
type Options struct {
	Miners    int
	Speed     float64   // site seconds per machine second
	Prices    string    // a price file; empty for made-up days
	From      time.Time // the first day; zero: the price file's first whole day, or today
	For       time.Duration
	Listen    string
	Hashprice float64 // $/PH/day
	Seed      uint64
	JSON      bool
	Out, Err  io.Writer
	Version   string
	Dir       string // where data is kept; empty: a folder that is removed at the end
	Log       *slog.Logger
	Record    string // new file for every decision; empty: none
	NoGPUs    bool   // leave the GPU cluster out
	// Edit, if set, changes the site file before it is used.
	Edit func(*sitefile.File)
	// GPUs, if set, runs beside the site until its ctx ends, with the emulated machines of the
	// GPU cluster: for an engine that is not emulated, whose jobs say which GPUs work.
	GPUs func(context.Context, *gpus.Cluster)
	// Emergencies are when the grid runs short; zero: each afternoon, on a site's own day.
	Emergencies Emergencies
	// Watch says what to look at, after the welcome.
	Watch string
}

// settleGrace is how long after the end the last interval is waited for, site time.
const settleGrace = 15 * time.Minute

// Run runs the demonstration until ctx ends or the time asked for is over, and then prints
// the day's report.
func Run(ctx context.Context, o Options) error {
	if err := o.defaults(); err != nil {
		return err
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "switchyard-demo-")
		if err != nil {
			return fmt.Errorf("make a folder for the demonstration: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.Dir = dir
	}
	u, err := o.openUtility()
	if err != nil {
		return err
	}
	defer func() { _ = u.Close() }()
	f, err := o.site(u)
	if err != nil {
		return err
	}
	clk := clock.NewGoverned(o.From, o.Speed, 2*f.Control.Period)
	defer clk.Close()
	u.serve(clk)
	plant, err := emulate.Start(ctx, f, clk, o.Log)
	if err != nil {
		return err
	}
	defer func() { _ = plant.Close() }()
	cluster, err := o.openGPUs(ctx, f, clk, plant.World())
	if err != nil {
		return err
	}
	defer func() { _ = cluster.Close() }()
	return o.play(ctx, f, clk, plant, u)
}

// play runs the controller over the emulated site and reports.
func (o Options) play(ctx context.Context, f *sitefile.File, clk *clock.Governed, plant *emulate.Site, u *utility) error {
	run, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup // what plays the world around the site
	var a *app.App
	token := ""
	a, err := app.New(run, app.Options{
		File: f, Clock: clk, Log: o.Log, Version: o.Version, Notice: o.notice(), Held: clk.Held, Record: o.Record,
		Token: func(t string) { token = t },
		Pace: func(ctx context.Context, now time.Time) {
			a.Quiet(ctx, now, 250*time.Millisecond)
			clk.Allow(now.Add(f.Control.Period * 6 / 5))
		},
		Bound: func(addr net.Addr) {
			o.welcome(addr, token, f, plant)
			if token != "" {
				beside.Go(func() { o.oblige(run, "http://"+addr.String(), token, f.Tenants[0].ID, plant.World()) })
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if err := errors.Join(tellRecord(plant.World(), f, o.From, o.For), u.tellRecord(plant.World(), o.From, o.For)); err != nil {
		return err
	}
	beside.Go(func() { u.run(run, o.From) })
	defer func() { stop(); beside.Wait() }()
	done := make(chan error, 1)
	go func() { done <- a.Run(run); close(done) }() // closed: whoever asks after the end gets nil
	end := o.From.Add(o.For)
	record, over := o.wait(run, clk, a, plant.World(), end, done)
	if o.For > 0 && over == nil && ctx.Err() != nil {
		over = fmt.Errorf("interrupted at %s of the site's time, before the %s asked for were over: no report", clk.Now().Format("2006-01-02 15:04"), o.For)
	}
	if o.For > 0 && over == nil {
		s, err := o.summary(ctx, a, record, clk, end)
		stop()
		if err := errors.Join(err, <-done); err != nil {
			return err
		}
		return o.print(s)
	}
	stop()
	if over == nil {
		over = <-done
	}
	return over
}

// wait returns the plant's record as it stood when the time asked for was over, once that is
// settled, or no error when ctx ended in order.
func (o Options) wait(ctx context.Context, clk *clock.Governed, a *app.App, w *plant.World, end time.Time, done <-chan error) (record plant.Record, err error) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	said, tick := time.Now(), time.Now()
	for {
		select {
		case err := <-done:
			if err == nil && ctx.Err() == nil {
				err = errStopped
			}
			return record, err
		case <-look.C:
		}
		now := clk.Now()
		if o.For > 0 && !now.Before(end) {
			if record.To.IsZero() {
				record = w.Record() // what comes while the last interval settles is not asked for
			}
			if a.Settled(end) || now.After(end.Add(settleGrace)) {
				return record, nil
			}
		}
		if time.Since(tick) > 10*time.Second && o.For > 0 {
			tick = time.Now()
			fmt.Fprintf(o.Err, "%s  %3.0f %%  %s\n", now.Format("Mon 15:04"), 100*now.Sub(o.From).Seconds()/o.For.Seconds(), a.Live().Headline)
		}
		if held := clk.Held(); held < 0.95*o.Speed && time.Since(said) > 20*time.Second {
			said = time.Now()
			fmt.Fprintf(o.Err, "this machine holds %.0f times real time instead of %.0f: site time waits, nothing is skipped\n", held, o.Speed)
		}
		if ctx.Err() != nil {
			return record, <-done
		}
	}
}

var errStopped = errors.New("the demonstration stopped before its time was over")

func (o *Options) defaults() error {
	if o.Miners == 0 {
		o.Miners = 600
	}
	if o.Speed == 0 {
		o.Speed = 60
	}
	if !(o.Speed >= 0.1 && o.Speed <= 1000) {
		return fmt.Errorf("a speed of %v makes no sense: choose 0.1 to 1000", o.Speed)
	}
	if o.Hashprice == 0 {
		o.Hashprice = 50
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8418"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Prices == "" {
		if o.From.IsZero() {
			o.From = time.Now().UTC().Truncate(24 * time.Hour)
		}
		o.From = o.From.UTC().Truncate(5 * time.Minute)
		return nil
	}
	path, err := filepath.Abs(o.Prices)
	if err != nil {
		return err
	}
	o.Prices = path
	feed, err := market.OpenPriceFile(market.PriceFile{Path: path, Log: o.Log})
	if err != nil {
		return err
	}
	for _, p := range feed.Problems() {
		fmt.Fprintln(o.Err, "price file:", p)
	}
	first, last := feed.Covers()
	if o.From.IsZero() {
		o.From = first.Add(24*time.Hour - 1).Truncate(24 * time.Hour)
	}
	o.From = o.From.UTC()
	if o.From.Before(first) || !o.From.Before(last) {
		return fmt.Errorf("%s has prices from %s to %s; choose --from between them", path, first.Format(time.DateOnly), last.Format(time.DateOnly))
	}
	return nil
}

// site writes the site file into the folder and reads it back, as a user's would be.
func (o Options) site(u *utility) (*sitefile.File, error) {
	poll := 15 * time.Second
	if o.Speed > 30 { // a poll costs the machine the same however fast site time runs
		poll = min(time.Duration(o.Speed/2)*time.Second, time.Minute)
	}
	ahead, reserve, err := o.prices()
	if err != nil {
		return nil, err
	}
	var cluster *gpuPlan
	if !o.NoGPUs {
		if cluster, err = planGPUs(o.Miners, probe()); err != nil {
			return nil, err
		}
	}
	plan := Plan{
		Miners: o.Miners, Prices: o.Prices, DayAhead: ahead, Reserve: reserve, Hashprice: o.Hashprice, Start: o.From, Listen: o.Listen, Poll: poll,
		VTN: u.url(), Webhook: u.hook, Ask: ask(o.Speed), Jump: true, Seed: o.Seed, GPUs: cluster,
	}
	doc, err := Render(plan)
	if err != nil {
		return nil, err
	}
	if cluster != nil {
		if err := writeGPUs(o.Dir, plan); err != nil {
			return nil, err
		}
	}
	path := filepath.Join(o.Dir, "site.yaml")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		return nil, fmt.Errorf("write the demonstration's site file: %w", err)
	}
	f, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		return nil, err
	}
	if o.Edit != nil {
		o.Edit(f)
	}
	return f, nil
}

// ask is how often the site asks the utility, site time: once a minute, and not more than
// once a second of the machine's. Its notifications come at once.
func ask(speed float64) time.Duration {
	return max(time.Minute, time.Duration(speed)*time.Second)
}

func (o Options) notice() string {
	if o.Prices == "" {
		return "A demonstration: emulated devices, made-up prices"
	}
	return "A demonstration: emulated devices, recorded prices of " + filepath.Base(o.Prices)
}

func (o Options) welcome(addr net.Addr, token string, f *sitefile.File, plant *emulate.Site) {
	var miners int
	for _, g := range f.Groups {
		miners += len(g.Targets())
	}
	fmt.Fprintf(o.Err, "%s: %d miners behind %d sockets, a tenant of %s, a connection of %s, at %.0f times real time on %d cores\n",
		o.notice(), miners, plant.Sockets(), f.Tenants[0].Firm, f.Connection.Limit, o.Speed, runtime.NumCPU())
	fmt.Fprintf(o.Err, "the page:  http://%s/#token=%s\n", addr, token)
	fmt.Fprintf(o.Err, "the shell: export SWITCHYARD_URL=http://%s SWITCHYARD_TOKEN=%s\n", addr, token)
	if o.Watch != "" {
		fmt.Fprintln(o.Err, o.Watch)
	}
}

// tellRecord tells the plant's own record when the site file's daily limits hold, so that the
// record judges by them.
func tellRecord(w recorder, f *sitefile.File, from time.Time, span time.Duration) error {
	days := int(span/(24*time.Hour)) + 2
	for _, l := range f.Limits {
		if l.Daily == nil {
			continue
		}
		a, err := sitefile.ParseTimeOfDay(l.Daily.From)
		if err != nil {
			return err
		}
		b, err := sitefile.ParseTimeOfDay(l.Daily.To)
		if err != nil {
			return err
		}
		for d := range min(days, 32) {
			midnight := from.Truncate(24*time.Hour).AddDate(0, 0, d)
			for _, s := range []struct {
				at    time.Time
				power unit.Power
			}{{midnight.Add(a), l.Power}, {midnight.Add(b), -1}} {
				if s.at.Before(from) {
					continue
				}
				if err := w.SetRecordLimit(nodeID(l.Node), s.power, s.at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
