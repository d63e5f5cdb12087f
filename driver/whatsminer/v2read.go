package whatsminer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// Info asks who the miner is and what its power limit is.
func (d *V2) Info(ctx context.Context) (site.Capabilities, error) {
	if err := d.who(ctx); err != nil && !errors.Is(err, driver.ErrUnsupported) {
		return site.Capabilities{}, err
	}
	// A miner that sleeps may have no summary; its limit then stays as it was known.
	if _, err := d.summary(ctx); errors.Is(err, driver.ErrUnreachable) {
		return site.Capabilities{}, err
	}
	if !d.nameplate.OK {
		if st, err := d.ask(ctx, "status"); err == nil {
			var s site.Sample
			d.limits(&s, st.Object.Object("Msg").Float("power_limit_set"))
		}
	}
	if d.token == nil {
		_ = d.renew(ctx) // to learn whether there are tokens; what else went wrong is asked again
	}
	c := d.capabilities(d.api != 1 && !d.noShare)
	if d.noToken {
		c.Sleep, c.Percent, c.Acts = false, false, 0
	}
	return c, nil
}

// who fills the identity. Only get_version must answer; what else is told helps.
func (d *V2) who(ctx context.Context) error {
	r, err := d.ask(ctx, "get_version")
	if err != nil {
		if !errors.Is(err, driver.ErrUnreachable) {
			err = fmt.Errorf("no WhatsMiner: %w: %w", err, driver.ErrUnsupported)
		}
		return err
	}
	msg := r.Object.Object("Msg")
	firmware := msg.Text("fw_ver")
	if firmware == "" {
		return fmt.Errorf("%s: get_version without fw_ver: %w", d.address, driver.ErrUnsupported)
	}
	d.api = major(msg.Text("api_ver"))
	id := site.Identity{Make: maker, Firmware: firmware}
	if r, err := d.ask(ctx, "devdetails"); err == nil {
		for _, o := range r.Objects("DEVDETAILS") {
			if id.Model == "" {
				id.Model = o.Text("Model")
			}
		}
	}
	if r, err := d.ask(ctx, "get_miner_info"); err == nil {
		o := r.Object.Object("Msg")
		id.MAC, id.Serial = o.Text("mac"), o.Text("minersn", "miner-sn")
		if id.Model == "" {
			id.Model = o.Text("minertype", "miner_type", "model")
		}
	}
	d.identity = merge(d.identity, id)
	return nil
}

// summary asks for the summary and remembers what it tells of the device.
func (d *V2) summary(ctx context.Context) (hot, error) {
	r, err := d.ask(ctx, "summary")
	if err != nil {
		return hot{}, err
	}
	h, err := parseSummary(r)
	if err != nil {
		return hot{}, fmt.Errorf("%s: %w", d.address, err)
	}
	d.identity = merge(d.identity, h.identity)
	var s site.Sample
	d.limits(&s, h.limit)
	return h, nil
}

// switched says whether the miner was switched off, and notes the share where it is told.
func (d *V2) switched(r rpc.Reply) site.Opt[bool] {
	msg := r.Object.Object("Msg")
	if p := msg.Int("power_pct"); p.OK {
		d.percent = p
	}
	return msg.Bool("mineroff", "btmineroff")
}

// Read polls the miner: its summary, whether it is switched on where that does not say, and
// at times one of what moves slowly.
func (d *V2) Read(ctx context.Context) (site.Sample, error) {
	asked := d.target.Now()
	h, errSummary := d.summary(ctx)
	if errors.Is(errSummary, driver.ErrUnreachable) {
		return site.Sample{}, errSummary
	}
	var off site.Opt[bool]
	if d.look(h) {
		st, err := d.ask(ctx, "status")
		if errors.Is(err, driver.ErrUnreachable) {
			return site.Sample{}, err
		}
		off = d.switched(st)
		if !h.limit.OK {
			h.limit = st.Object.Object("Msg").Float("power_limit_set")
		}
	}
	if errSummary != nil && !off.OK {
		return site.Sample{}, errSummary
	}
	d.slow(ctx, h)
	s := d.sample(asked)
	s.State = state(off, h.rate, h.elapsed)
	if h.cut && !h.rate.OK && s.State != site.StateSleeping {
		s.State = site.StateUnknown // what would tell was cut off
	}
	d.saw(&s)
	s.Power, s.Hashrate, s.Fans, s.Intake, s.Uptime = h.power, h.rate, h.fans, h.intake, h.uptime
	d.limits(&s, h.limit)
	s.At = d.target.Now()
	d.polls++
	return s, nil
}

// Stage gets a token where there is none or it soon ends.
func (d *V2) Stage(ctx context.Context) error {
	now := d.target.Now()
	if d.noToken || d.token != nil && now.Add(stage).Before(d.token.until) || now.Sub(d.failed) < again {
		return nil
	}
	if err := d.renew(ctx); err != nil {
		d.failed = now
		return err
	}
	return nil
}

// slow reads what is due of what moves slowly. What does not come is asked for again when
// it is next due; the reading is whole without it.
func (d *V2) slow(ctx context.Context, h hot) {
	if d.polls == 0 {
		_ = d.who(ctx)
	}
	if d.due(0) {
		r, err := d.ask(ctx, d.devs)
		if errors.Is(err, driver.ErrUnsupported) && d.devs == "edevs" {
			d.devs = "devs"
			r, err = d.ask(ctx, d.devs)
		}
		if err == nil && !r.Truncated {
			d.boards = parseDevs(r)
		}
	}
	if d.due(1) {
		if r, err := d.ask(ctx, "pools"); err == nil && !r.Truncated {
			d.pools = parsePools(r)
		}
	}
	if h.codes != nil { // the summary names them: newer, and for nothing
		d.faults = *h.codes
	} else if d.due(2) {
		if r, err := d.ask(ctx, "get_error_code"); err == nil && !r.Truncated {
			v, _ := r.Object.Object("Msg").Get("error_code")
			d.faults = errorCodes(v)
		}
	}
}

// hot is what a summary tells.
type hot struct {
	identity        site.Identity
	power           site.Opt[unit.Power]
	rate            site.Opt[unit.Hashrate]
	limit           site.Opt[float64] // W
	intake          site.Opt[float64]
	fans            []int
	uptime, elapsed site.Opt[time.Duration]
	codes           *[]string // nil where the summary does not tell
	cut             bool      // the end of the summary was missing
}

// parseSummary reads a summary of API 1 or 2. Newer firmwares put it into Msg.
func parseSummary(r rpc.Reply) (hot, error) {
	o := r.Object.Object("Msg")
	if list := r.Objects("SUMMARY"); len(list) > 0 {
		o = list[0]
	}
	if len(o) == 0 {
		return hot{}, fmt.Errorf("no summary in the reply: %w", driver.ErrUnreachable)
	}
	h := hot{
		identity: site.Identity{Make: maker, Model: o.Text("Miner Type"), MAC: o.Text("MAC"), Firmware: o.Text("Firmware Version")},
		limit:    o.Float("Power Limit"), intake: temperature(o.Float("Env Temp")), fans: fans(o, "Fan Speed In", "Fan Speed Out"),
		uptime: seconds(o.Float("Uptime", "Elapsed")), elapsed: seconds(o.Float("Elapsed")),
		power: power(o.Float("Power_RT")), rate: mega(o, "HS RT"), cut: r.Truncated,
	}
	if r.Truncated { // what was cut off may have been the better figure
		return h, nil
	}
	if !h.power.OK {
		h.power = power(o.Float("Power"))
	}
	if !h.rate.OK {
		h.rate = mega(o, "MHS 5s", "MHS 1m", "MHS 5m", "MHS av")
	}
	h.fans = cooled(h.fans, h.rate)
	if n := o.Int("Error Code Count"); n.OK {
		codes := rpc.Array{}
		for i := range min(max(n.V, 0), 64) {
			if v, ok := o.Get(fmt.Sprintf("Error Code %d", i)); ok {
				codes = append(codes, v)
			}
		}
		found := errorCodes(codes)
		h.codes = &found
	}
	return h, nil
}

// mega reads a hashrate in MH/s, the unit of API 1 and 2 under every key.
func mega(o rpc.Object, keys ...string) site.Opt[unit.Hashrate] {
	f := o.Float(keys...)
	if !f.OK || f.V < 0 || f.V > 1e12 {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(f.V) * unit.MegaHash)
}

// parseDevs reads the boards. A board's mean of 5 s swings by a fifth, so the minute is preferred.
func parseDevs(r rpc.Reply) []site.Board {
	list := r.Objects("DEVS")
	if len(list) == 0 {
		list = r.Objects("Msg")
	}
	var out []site.Board
	for _, o := range list[:min(len(list), 16)] {
		status := o.Text("Status")
		out = append(out, site.Board{
			Hashrate: mega(o, "HS RT", "MHS 1m", "MHS 5m", "MHS 5s", "MHS av"),
			ChipTemp: temperature(o.Float("Chip Temp Max")), PCBTemp: temperature(o.Float("Temperature")),
			Chips:   chips(o, "Effective Chips"),
			Working: (status == "" || status == "Alive") && o.Text("Enabled") != "N" && o.Int("Effective Chips").Or(1) > 0,
		})
	}
	return out
}

func parsePools(r rpc.Reply) []site.Pool {
	list := r.Objects("POOLS")
	if len(list) == 0 {
		list = r.Objects("Msg")
	}
	var out []site.Pool
	for _, o := range list[:min(len(list), 16)] {
		if url := o.Text("URL"); url != "" {
			out = append(out, site.Pool{URL: strings.Clone(url), Worker: strings.Clone(o.Text("User")), Active: o.Bool("Stratum Active").Or(false)})
		}
	}
	return out
}
