package plant

import (
	"fmt"
	"math"
	"time"

	"switchyard/emulate/fault"
	"switchyard/site"
	"switchyard/unit"
)

// identity fills what of a View never changes.
func identity(c *MinerConfig, seed uint64) View {
	h := fault.Hash(seed, "identity "+c.ID)
	v := View{
		ID: c.ID, IP: c.IP, Model: c.Model, ReportsPower: c.Model.ReportsPower,
		MAC: fmt.Sprintf("02:%02x:%02x:%02x:%02x:%02x", byte(h), byte(h>>8), byte(h>>16), byte(h>>24), byte(h>>32)),
		Pools: []PoolView{
			{URL: "stratum+tcp://pool.example:3333", Worker: "switchyard." + c.ID, Active: true},
			{URL: "stratum+tcp://pool2.example:3333", Worker: "switchyard." + c.ID},
		},
	}
	v.Firmware = c.Make.Firmware
	if c.Make.Serial != nil {
		v.Serial = c.Make.Serial(h)
	}
	return v
}

// View returns a copy of what the firmware knows, true of the end of the last step. It
// does not block longer than one miner's step takes.
func (m *Miner) View() View {
	m.mu.Lock()
	now, told, b, pools, led := m.now, m.told, m.body, m.pools, m.led
	m.mu.Unlock()
	v := m.who
	if pools == nil {
		pools = v.Pools
	}
	v.Pools, v.LED = append([]PoolView(nil), pools...), led
	v.At = m.skewed(now)
	v.Mode, v.Limit, v.Percent = told.mode, told.limit, told.percent
	v.State = b.state()
	v.Rebooting = b.away()
	v.Power, v.ReportsPower = m.sensed(b, now)
	v.Hashrate = unit.Hashrate(b.hash*(1+b.jit)) * unit.TeraHash
	v.Uptime = now.Sub(b.upSince)
	if b.phase == running && now.After(b.runSince) {
		v.Elapsed = now.Sub(b.runSince)
		v.HashrateAvg = unit.Hashrate((b.work-b.runWork)/v.Elapsed.Seconds()) * unit.TeraHash
	}
	v.Intake = round1(b.intake)
	v.Boards = b.boardViews(v.Hashrate, m.who.Model.ChipsPerBoard)
	v.Fans = b.fans(m.who.Model.Fans)
	for i := range v.Pools {
		v.Pools[i].Active = i == 0 && v.State == Hashing
	}
	return v
}

// sensed is what the device's own sensor says of its draw, and whether the firmware tells it.
func (m *Miner) sensed(b body, now time.Time) (unit.Power, bool) {
	if _, mute := m.cfg.Faults.Active(fault.MutePower, now); mute {
		return 0, false
	}
	p := float64(b.draw) * b.sensor
	if f, off := m.cfg.Faults.Active(fault.BiasedPower, now); off {
		p *= 1 + f.By*m.bias
	}
	return unit.Power(p), m.who.ReportsPower
}

func (b *body) state() site.State {
	switch {
	case b.phase == booting:
		return Starting
	case b.phase == running && b.dead >= b.boards:
		return Faulty
	case b.phase == running && b.hash < 0.02*b.hashFull:
		return Starting
	case b.phase == running:
		return Hashing
	}
	return Sleeping
}

// boardViews shares the hashrate and the heat among the boards, each a little different.
func (b *body) boardViews(h unit.Hashrate, chips int) []BoardView {
	views := make([]BoardView, b.boards)
	live := max(b.boards-b.dead, 1)
	load := math.Max(b.power-b.standby, 0) / b.nameplate
	for i := range views {
		off := float64(i) - float64(b.boards-1)/2 // the last one sits in warmer air
		views[i] = BoardView{
			Hashrate: h / unit.Hashrate(live), Chips: chips,
			PCBTemp: round1(b.temp + 1.5*off), ChipTemp: round1(b.temp + 1.5*off + 16*load),
		}
		if i >= b.boards-b.dead {
			views[i] = BoardView{Dead: true, PCBTemp: round1(b.intake + 4)}
		}
	}
	return views
}

// fans returns speeds that follow the boards' temperature; asleep they idle.
func (b *body) fans(n int) []int {
	fans := make([]int, n)
	for i := range fans {
		rpm := 1000.0
		switch b.phase {
		case unpowered:
			rpm = 0
		case booting:
			rpm = 6000
		case running, stopping:
			rpm = min(max(1800+110*(b.temp-25), 1800), 6600)
		}
		fans[i] = int(rpm/30)*30 + 30*(i%2)
		if rpm == 0 {
			fans[i] = 0
		}
	}
	return fans
}

func round1(t float64) float64 { return math.Round(t*10) / 10 }

// ambient returns the air outside in deg C at a local time of day: coolest at four in the
// morning, warmest at four in the afternoon.
func ambient(t time.Time, zone *time.Location) float64 {
	l := t.In(zone)
	hour := float64(l.Hour()) + float64(l.Minute())/60 + float64(l.Second())/3600
	return 20 + 7*math.Sin((hour-10)/24*2*math.Pi)
}
