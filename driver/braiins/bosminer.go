package braiins

import (
	"context"
	"fmt"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/driver/rpc"
	"switchyard/site"
	"switchyard/unit"
)

// The firmware's cgminer-like port, 4028, is asked where nothing else answers: it tells and
// takes no orders here.

// bosminer asks over port 4028.
type bosminer struct {
	d              *device
	version, model string
}

func (b *bosminer) ask(ctx context.Context, command string) (rpc.Reply, error) {
	return rpc.Call(ctx, b.d.t.DialContext, b.d.t.Addr("rpc", rpc.Port), rpc.Request{Command: command})
}

// there says whether the mining program of this firmware answers.
func (b *bosminer) there(ctx context.Context) bool {
	r, err := b.ask(ctx, "version")
	if err != nil {
		return false
	}
	for _, v := range r.Objects("VERSION") {
		if s := v.Text("BOSminer+", "BOSminer", "BOSer"); s != "" {
			b.version = s
			return true
		}
	}
	return false
}

func (b *bosminer) identity(ctx context.Context) (site.Identity, error) {
	r, err := b.ask(ctx, "devdetails")
	if err != nil {
		return site.Identity{}, err
	}
	for _, v := range r.Objects("DEVDETAILS") {
		if _, model := driver.SplitBrand(v.Text("Model")); model != "" {
			b.model = model
		}
	}
	return b.known(), nil
}

// known is the identity as far as it was told; the site file's model fills in.
func (b *bosminer) known() site.Identity {
	id := site.Identity{Make: "Antminer", Model: b.model, Firmware: b.version}
	if id.Model == "" {
		_, id.Model = driver.SplitBrand(b.d.t.Model)
	}
	return id
}

func (b *bosminer) read(ctx context.Context, _, slow bool) (site.Sample, error) {
	r, err := b.ask(ctx, "summary+devs+temps+fans+tunerstatus")
	if err != nil {
		return site.Sample{}, err
	}
	s, ok := bosSample(r)
	if !ok {
		return s, fmt.Errorf("port %d tells nothing: %w", rpc.Port, driver.ErrUnreachable)
	}
	s.Pools = b.d.last.Pools
	if slow {
		if r, err := b.ask(ctx, "pools"); err == nil {
			s.Pools = bosPools(r)
		}
		if b.model == "" {
			_, _ = b.identity(ctx) // not told: the site file's stands
		}
	}
	s.Identity = b.known()
	return s, nil
}

// maxBoards bounds how many boards, fans and pools the port may tell of.
const maxBoards = 16

// bosSample reads the joined reply; false where there is no summary in it. The port does not
// tell a pause from a fault: without hashrate the state is unknown.
func bosSample(r rpc.Reply) (site.Sample, bool) {
	var s site.Sample
	list := r.Command("summary").Objects("SUMMARY")
	if len(list) == 0 {
		return s, false
	}
	s.Hashrate = list[0].Hashrate("MHS 5s", "MHS 1m", "MHS av")
	if s.Hashrate.OK && s.Hashrate.V > 0 {
		s.State = site.StateHashing
	}
	if up := list[0].Float("Elapsed"); up.OK && up.V > 0 && up.V < 1e9 {
		s.Uptime = site.Some(time.Duration(up.V * float64(time.Second)))
	}
	for _, t := range r.Command("tunerstatus").Objects("TUNERSTATUS") {
		s.Power = bosWatts(t.Float("ApproximateMinerPowerConsumption"))
		s.Target = bosWatts(t.Float("PowerLimit"))
	}
	for _, f := range r.Command("fans").Objects("FANS") {
		if rpm := f.Int("RPM"); rpm.OK && rpm.V >= 0 && rpm.V < 1e5 && len(s.Fans) < maxBoards {
			s.Fans = append(s.Fans, rpm.V)
		}
	}
	temps := map[string]rpc.Object{}
	for _, t := range r.Command("temps").Objects("TEMPS") {
		temps[t.Text("ID")] = t
	}
	for _, dev := range r.Command("devs").Objects("DEVS") {
		if len(s.Boards) == maxBoards {
			break
		}
		board := site.Board{Hashrate: dev.Hashrate("MHS 5s", "MHS 1m", "MHS av")}
		board.Working = board.Hashrate.OK && board.Hashrate.V > 0
		if t, ok := temps[dev.Text("ID")]; ok {
			chip, pcb := t.Float("Chip"), t.Float("Board")
			board.ChipTemp, board.PCBTemp = celsius(figureOf(chip)), celsius(figureOf(pcb))
		}
		s.Boards = append(s.Boards, board)
	}
	return s, true
}

func bosWatts(w site.Opt[float64]) site.Opt[unit.Power] {
	return (&watt{figureOf(w)}).known()
}

func figureOf(v site.Opt[float64]) *figure {
	if !v.OK {
		return nil
	}
	f := figure(v.V)
	return &f
}

func bosPools(r rpc.Reply) []site.Pool {
	var all []site.Pool
	for _, p := range r.Objects("POOLS") {
		if len(all) < maxBoards {
			active := p.Bool("Stratum Active").V || strings.EqualFold(p.Text("Status"), "Active")
			all = append(all, site.Pool{URL: p.Text("URL"), Worker: p.Text("User"), Active: active})
		}
	}
	return all
}
