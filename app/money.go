package app

import (
	"context"
	"sync"
	"time"

	"switchyard/app/delivery"
	"switchyard/app/tenants"
	"switchyard/billing"
	"switchyard/clock"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// bookkeeper settles closed intervals beside the control loop, so that the disk never keeps
// a decision waiting.
type bookkeeper struct {
	mu    sync.Mutex
	err   error     // of the last attempt
	done  time.Time // everything that starts before it is in the record
	asked time.Time // machine time of the last look for prices
	rests time.Time // machine time until which no checkpoint is due
}

// settle counts firm power that was not given since the last step.
func (c *control) settle(now time.Time, r *readings) {
	b := &c.a.books
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		c.alarm("books", "critical", "books", "intervals are not settled; they are kept and tried again: "+b.err.Error())
	} else {
		c.alarm("books", "", "", "")
	}
	all := make([]delivery.Tenant, 0, len(c.a.plant.Tenants))
	for i := range c.a.plant.Tenants {
		all = append(all, c.delivered(i, r))
	}
	c.a.delivery.Step(now, all)
}

// delivered is how a hosted tenant stands.
func (c *control) delivered(i int, r *readings) delivery.Tenant {
	t := &c.a.plant.Tenants[i]
	a, ok := c.awards[t.Load]
	return delivery.Tenant{Load: t.Load, Draw: r.power(t.Node), Award: a, Given: ok}
}

// keepBooks settles what closes until ctx ends.
func (a *App) keepBooks(ctx context.Context) {
	for clock.Sleep(ctx, clock.System(), 500*time.Millisecond) == nil {
		err := a.settleOnce(ctx, false)
		a.books.mu.Lock()
		was := a.books.err
		a.books.err = err
		a.books.mu.Unlock()
		if err != nil && was == nil {
			a.log.Error("intervals not settled; they are kept and tried again", "reason", err.Error())
		}
	}
}

// mostWait is the longest that the metering's checkpoint waits, machine time.
const mostWait = 10 * time.Second

// settleOnce settles every interval that is over, with the metering's checkpoint, and posts
// what waited for a price. With no interval over, the checkpoint of tens of thousands of
// meters is written only so often that it takes a twentieth of the time; last writes it anyway.
func (a *App) settleOnce(ctx context.Context, last bool) error {
	closes := billing.Closes(a.integ.Close(a.clk.Now()))
	began := time.Now()
	if len(closes) == 0 && !last && began.Before(a.books.rests) && a.books.err == nil {
		return nil
	}
	defer func() { a.books.rests = time.Now().Add(min(20*time.Since(began), mostWait)) }()
	for i := range closes {
		closes[i].Price, closes[i].Hashprice = a.prices(closes[i].Start)
		_, closes[i].Short = a.delivery.Of(closes[i].Start)
	}
	if err := a.delivery.Keep(ctx, a.db); err != nil { // before the intervals that it tells of are settled
		return err
	}
	doc, err := a.integ.Checkpoint()
	if err != nil {
		return err
	}
	if err := a.book.Settle(ctx, closes, doc); err != nil {
		return err
	}
	if err := a.attribute(ctx, closes); err != nil {
		return err
	}
	a.books.mu.Lock()
	a.books.done = a.integ.Next() // only this goroutine closes intervals
	a.books.mu.Unlock()
	if n := len(closes); n > 0 {
		through := closes[n-1].Start
		a.integ.Settled(through)
		a.delivery.Settled(through)
		a.profitToday(ctx)
	}
	if time.Since(a.books.asked) > 10*time.Second {
		a.books.asked = time.Now()
		if _, err := a.book.Reprice(ctx, 1000, a.prices); err != nil {
			return err
		}
		if _, err := a.tenants.Reprice(ctx, 1000, a.book.Price); err != nil {
			return err
		}
	}
	return nil
}

// openDelivery takes up what was wanted and not delivered where the last run stopped.
func (a *App) openDelivery(ctx context.Context) (err error) {
	loads := make([]site.LoadID, 0, len(a.plant.Tenants))
	for i := range a.plant.Tenants {
		loads = append(loads, a.plant.Tenants[i].Load)
	}
	a.delivery, err = delivery.Open(ctx, a.db, a.log, loads...)
	return err
}

// attribute tells what each tenant used of the intervals that were settled.
func (a *App) attribute(ctx context.Context, closes []billing.Close) error {
	all := make([]tenants.Closed, 0, len(closes))
	for i := range closes {
		c := tenants.Closed{Start: closes[i].Start, Records: closes[i].Records, Price: closes[i].Price}
		c.Delivery, _ = a.delivery.Of(c.Start)
		all = append(all, c)
	}
	return a.tenants.Close(ctx, all)
}

// prices returns what an interval cost and earned: the mean of its minutes, known only when
// each of them is. A stale price is good enough to steer by, and not to bill by.
func (a *App) prices(start time.Time) (price site.Opt[unit.Price], hashprice site.Opt[unit.Hashprice]) {
	const minutes = int(telemetry.Length / time.Minute)
	var sum unit.Price
	price.OK = true
	for m := range minutes {
		q := a.price(start.Add(time.Duration(m) * time.Minute))
		price.OK = price.OK && q.Known && !q.Stale
		sum += q.Price
	}
	price.V = sum / unit.Price(minutes)
	if h := a.market.Hashprice(start); h.Known && !h.Stale {
		hashprice = site.Some(h.Hashprice)
	}
	return price, hashprice
}

func (a *App) profitToday(ctx context.Context) {
	now := a.clk.Now().In(a.plant.Zone)
	y, m, d := now.Date()
	p, err := a.book.Profit(ctx, time.Date(y, m, d, 0, 0, 0, 0, a.plant.Zone), now)
	if err == nil {
		a.dayProfit.Store(ptr(p.Dollars()))
	}
}

// Settled says whether every interval before t is in the record.
func (a *App) Settled(t time.Time) bool {
	a.books.mu.Lock()
	defer a.books.mu.Unlock()
	return !a.books.done.IsZero() && !a.books.done.Before(t)
}

// record puts the site's figures into the history, at most every fifteen seconds of site time.
func (c *control) record(now time.Time, r *readings, bounds []unit.Power) {
	if now.Sub(c.history) < 15*time.Second {
		return
	}
	c.history = now
	t := c.a.plant.Tree
	var pts []telemetry.Point
	add := func(key string, v float64) { pts = append(pts, telemetry.Point{Key: key, Value: v}) }
	price, hp := c.a.price(now), c.a.market.Hashprice(now)
	if price.Known {
		add("price_usd_mwh", price.Price.DollarsPerMWh())
	}
	if hp.Known {
		add("hashprice_usd_ph_day", hp.Hashprice.DollarsPerPHDay())
	}
	for i := range t.Len() {
		id := string(t.Node(i).ID)
		if p := r.power(i); p.OK {
			add("node_w:"+id, p.V.Watts())
		}
		if bounds[i] >= 0 {
			add("limit_w:"+id, bounds[i].Watts())
		}
	}
	var mining float64
	for i := range c.a.plant.Groups {
		g := &c.a.plant.Groups[i]
		var power unit.Power
		var hash unit.Hashrate
		for j := g.First; j < g.First+g.Count; j++ {
			power += c.status[j].Counted
			if d := &c.devices[j]; d.Last.OK && !d.Unreachable {
				hash += d.Last.V.Hashrate.Or(0)
			}
		}
		add("group_w:"+g.ID, power.Watts())
		add("group_ph_s:"+g.ID, hash.PH())
		if hp.Known {
			mining += hp.Hashprice.Revenue(hash, time.Hour).Dollars() * (1 - float64(g.PoolFee))
		}
	}
	var hosting float64
	for i := range c.a.plant.Tenants {
		tn := &c.a.plant.Tenants[i]
		if p := r.power(tn.Node); p.OK {
			add("tenant_w:"+tn.ID, p.V.Watts())
			if tn.Power == "pass-through" && price.Known {
				hosting += p.V.Megawatts() * price.Price.DollarsPerMWh()
			}
		}
		add("reserve_w:"+tn.ID, c.reserve[i].Watts())
		hosting += tn.Rate.Rent(tn.Firm, time.Hour, monthLength(now.In(c.a.plant.Zone))).Dollars()
	}
	if hp.Known {
		add("earn_usd_hour:mining", mining)
	}
	add("earn_usd_hour:hosting", hosting)
	if p := r.power(0); p.OK && price.Known {
		add("cost_usd_hour:energy", p.V.Megawatts()*price.Price.DollarsPerMWh())
	}
	if err := c.a.history.Append(now, pts); err != nil {
		c.alarm("history", "warning", "history", "charts have a gap: "+err.Error())
		return
	}
	c.alarm("history", "", "", "")
}

func powerWatts(p unit.Power) float64 { return p.Watts() }
func hashTH(h unit.Hashrate) float64  { return h.TH() }

// float turns a value that may be unknown into a number or null.
func float[T any](o site.Opt[T], f func(T) float64) *float64 {
	if !o.OK {
		return nil
	}
	return ptr(f(o.V))
}

func (a *App) speed() float64 {
	if a.opt.Held != nil {
		return a.opt.Held()
	}
	return a.clk.Speed()
}

// Period returns the length of a control period.
func (a *App) Period() time.Duration { return a.plant.File.Control.Period }

// Counters returns what was counted since the start, for the metrics.
func (a *App) Counters() map[string]int64 {
	return map[string]int64{
		"commands": a.commands.Load(), "polls": a.inbox.Polls.Load(), "poll_failures": a.inbox.Fails.Load(), "journal_lost": a.journal.Lost(),
	}
}
