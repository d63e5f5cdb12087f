package whatsminer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// Info asks who the miner is and what its power limit is.
func (d *V3) Info(ctx context.Context) (site.Capabilities, error) {
	if err := d.who(ctx); err != nil {
		return site.Capabilities{}, err
	}
	if err := d.setting(ctx); errors.Is(err, driver.ErrUnreachable) {
		return site.Capabilities{}, err
	}
	if !d.nameplate.OK {
		if _, err := d.status(ctx); errors.Is(err, driver.ErrUnreachable) {
			return site.Capabilities{}, err
		}
	}
	return d.capabilities(true), nil
}

// who fills the identity from the whole device information.
func (d *V3) who(ctx context.Context) error {
	msg, err := d.ask(ctx, "get.device.info", "")
	if err != nil {
		return err
	}
	system, miner := msg.Object("system"), msg.Object("miner")
	if len(system) == 0 && len(miner) == 0 {
		return fmt.Errorf("%s: get.device.info tells neither system nor miner: %w", d.address, driver.ErrUnsupported)
	}
	d.identity = merge(d.identity, site.Identity{
		Make: maker, Model: miner.Text("type"), Firmware: system.Text("fwversion"),
		Serial: miner.Text("miner-sn"), MAC: msg.Object("network").Text("mac"),
	})
	if salt := msg.Text("salt"); salt != "" {
		d.salt = salt
	}
	return nil
}

// setting asks for the power limit and the share in force; a share of 0 is none.
func (d *V3) setting(ctx context.Context) error {
	msg, err := d.ask(ctx, "get.miner.setting", "")
	if err != nil {
		return err
	}
	if p := msg.Int("power-percent"); p.OK {
		if p.V == 0 {
			p.V = 100
		}
		d.percent = p
	}
	var s site.Sample
	d.limits(&s, msg.Float("power-limit"))
	return nil
}

// status asks for the summary and the boards, together.
func (d *V3) status(ctx context.Context) (hot, error) {
	msg, err := d.ask(ctx, "get.miner.status", "edevs+summary")
	if err != nil {
		return hot{}, err
	}
	h, err := parseStatusV3(msg)
	if err != nil {
		return hot{}, fmt.Errorf("%s: %w", d.address, err)
	}
	d.boards = h.boards
	var s site.Sample
	d.limits(&s, h.limit)
	return h.hot, nil
}

// Read polls the miner: its status, whether it works where that does not say, and at times
// one of what moves slowly.
func (d *V3) Read(ctx context.Context) (site.Sample, error) {
	asked := d.target.Now()
	was := d.elapsed
	h, errStatus := d.status(ctx)
	if errors.Is(errStatus, driver.ErrUnreachable) {
		return site.Sample{}, errStatus
	}
	var off site.Opt[bool]
	if d.look(h) {
		msg, err := d.ask(ctx, "get.device.info", "miner")
		if errors.Is(err, driver.ErrUnreachable) {
			return site.Sample{}, err
		}
		if w := msg.Object("miner").Bool("working"); w.OK {
			off = site.Some(!w.V)
		}
		if !h.limit.OK {
			h.limit = msg.Object("miner").Float("power-limit-set")
		}
	}
	if errStatus != nil { // a miner that was stopped may refuse to tell its status
		if !off.OK || !off.V {
			return site.Sample{}, errStatus
		}
		d.boards = nil
	}
	if d.elapsed < was { // it restarted: the salt may be another
		d.salt = ""
	}
	d.slow(ctx)
	s := d.sample(asked)
	s.State = state(off, h.rate, h.elapsed)
	d.saw(&s)
	s.Power, s.Hashrate, s.Fans, s.Intake, s.Uptime = h.power, h.rate, h.fans, h.intake, h.uptime
	d.limits(&s, h.limit)
	s.At = d.target.Now()
	d.polls++
	return s, nil
}

// slow reads what is due of what moves slowly; see V2.slow.
func (d *V3) slow(ctx context.Context) {
	if d.polls == 0 {
		_ = d.who(ctx)
	}
	if d.due(0) {
		_ = d.setting(ctx)
	}
	if d.due(1) {
		if msg, err := d.ask(ctx, "get.miner.status", "pools"); err == nil {
			d.pools = parsePoolsV3(msg)
		}
	}
	if d.due(2) {
		if msg, err := d.ask(ctx, "get.device.info", "error-code"); err == nil {
			v, _ := msg.Get("error-code")
			d.faults = errorCodes(v)
		}
	}
}

// hotV3 is a status with its boards.
type hotV3 struct {
	hot
	boards []site.Board
}

// parseStatusV3 reads "edevs+summary". Hashrates are in TH/s.
func parseStatusV3(msg rpc.Object) (hotV3, error) {
	o := msg.Object("summary")
	if len(o) == 0 {
		return hotV3{}, fmt.Errorf("no summary in the reply: %w", driver.ErrUnreachable)
	}
	h := hotV3{hot: hot{
		limit: o.Float("power-limit"), intake: temperature(o.Float("environment-temperature")),
		fans: fans(o, "fan-speed-in", "fan-speed-out"), power: power(o.Float("power-realtime", "power-5min")),
		rate:    tera(o, "hash-realtime", "hash-1min", "hash-average"),
		elapsed: seconds(o.Float("elapsed")), uptime: seconds(o.Float("bootup-time", "elapsed")),
	}}
	h.fans = cooled(h.fans, h.rate)
	var pcb rpc.Array
	if v, ok := o.Get("board-temperature"); ok {
		pcb, _ = v.(rpc.Array)
	}
	list := msg.Objects("edevs")
	for i, b := range list[:min(len(list), 16)] {
		board := site.Board{
			Hashrate: tera(b, "hash-realtime", "hash-average"),
			ChipTemp: temperature(b.Float("chip-temp-max")), Chips: chips(b, "effective-chips"), Working: b.Int("effective-chips").Or(1) > 0,
		}
		if i < len(pcb) {
			if t, ok := rpc.Float(pcb[i]); ok {
				board.PCBTemp = temperature(site.Some(t))
			}
		}
		h.boards = append(h.boards, board)
	}
	return h, nil
}

// tera reads a hashrate in TH/s, the unit of API 3 under every key.
func tera(o rpc.Object, keys ...string) site.Opt[unit.Hashrate] {
	f := o.Float(keys...)
	if !f.OK || f.V < 0 || f.V > 1e6 {
		return site.Opt[unit.Hashrate]{}
	}
	return site.Some(unit.Hashrate(f.V) * unit.TeraHash)
}

func parsePoolsV3(msg rpc.Object) []site.Pool {
	list := msg.Objects("pools")
	var out []site.Pool
	for _, o := range list[:min(len(list), 16)] {
		if url := o.Text("url"); url != "" {
			out = append(out, site.Pool{URL: strings.Clone(url), Worker: strings.Clone(o.Text("account", "user")), Active: o.Bool("stratum-active").Or(false)})
		}
	}
	return out
}

var (
	_ driver.Device = (*V2)(nil)
	_ driver.Device = (*V3)(nil)
)
