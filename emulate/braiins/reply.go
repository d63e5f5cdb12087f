package braiins

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// The numbers of the API's enumerations.
const (
	statusNotStarted = 1
	statusNormal     = 2
	statusPaused     = 3

	tunerStable = 2
	tunerTuning = 3

	modePowerTarget = 1
	locationChip    = 1
)

func quoted(s string) []byte { return face.Quote(nil, s) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// ghs is a hashrate in GH/s.
func ghs(h unit.Hashrate) float64 { return float64(h) / 1e9 }

// target is the power target in W: what was set, or the sticker's.
func target(v plant.View) int64 {
	if v.Limit > 0 {
		return int64(math.Round(v.Limit.Watts()))
	}
	return int64(math.Round(v.Model.Nameplate.Watts()))
}

// bounds are the least and the greatest power target in W.
func bounds(v plant.View) (low, high int64) {
	return int64(math.Ceil(v.Model.MinWatts.Watts())), int64(math.Floor(v.Model.MaxWatts.Watts()))
}

func powerReply(watts int64) []byte { return fmt.Appendf(nil, `{"watt":%d}`, watts) }

func versionReply(recent bool) []byte {
	if recent {
		return []byte(`{"major":1,"minor":3,"patch":0}`)
	}
	return []byte(`{"major":1,"minor":0,"patch":0}`)
}

// running says whether the mining program runs, and the status that the API gives it.
func (d *device) running(v plant.View) (bool, int) {
	d.mu.Lock()
	stopped := d.stopped
	d.mu.Unlock()
	switch {
	case stopped:
		return false, statusNotStarted
	case v.Mode == plant.ModeSleep:
		return true, statusPaused
	}
	return true, statusNormal
}

func (d *device) details(v plant.View) []byte {
	up, status := d.running(v)
	mining := int64(0)
	if up {
		mining = max(seconds(v.Uptime)-40, 1) // pausing does not end the program
	}
	name := v.Model.Make + " " + v.Model.Name
	return fmt.Appendf(make([]byte, 0, 1024), `{"uid":"%016x","miner_identity":{"brand":1,"model":0,"name":%s,"miner_model":%s},`+
		`"platform":4,"bos_mode":4,"bos_version":{"current":%s,"major":"2022-09-13-0-11012d53-22.08-plus","bos_plus":true},`+
		`"hostname":"Antminer","mac_address":%s,"system_uptime":%d,"sticker_hashrate":{"gigahash_per_second":%.1f},`+
		`"bosminer_uptime_s":%d,"system_uptime_s":%d,"status":%d,"kernel_version":"4.9.113",`+
		`"psu_info":{"version":193,"fw_version":6920,"serial_number":%s,"model_name":"APW171215a/c","min_voltage":{"volt":12.0},"max_voltage":{"volt":15.0}},`+
		`"control_board_soc_family":3,"serial_number":%s}`,
		d.seed, quoted(name), quoted(name), quoted(v.Firmware), quoted(v.MAC), seconds(v.Uptime), ghs(v.Model.Hashrate),
		mining, seconds(v.Uptime), status, quoted(v.Serial+"P"), quoted(v.Serial))
}

// spans are the times that hashrates are averaged over; the long ones have known the
// mean since the start only.
var spans = []struct {
	name string
	long bool
}{
	{"last_5s", false},
	{"last_15s", false},
	{"last_30s", false},
	{"last_1m", false},
	{"last_5m", false},
	{"last_15m", true},
	{"last_30m", true},
	{"last_1h", true},
	{"last_24h", true},
	{"since_restart", true},
}

// solver appends the statistics of a board or of the miner: an object without its braces.
func (d *device) solver(b []byte, best int64, nominal, now, mean unit.Hashrate) []byte {
	b = fmt.Appendf(b, `"best_share":%d,"found_blocks":0,"error_hashrate":{"megahash_per_second":0.0},"nominal_hashrate":{"gigahash_per_second":%.6f},`,
		best, ghs(nominal))
	b = append(d.bestText(b, best), `"real_hashrate":{`...)
	for i, s := range spans {
		h := now
		if s.long {
			h = mean
		}
		b = append(append(append(comma(b, i), '"'), s.name...), `":{"gigahash_per_second":`...)
		b = append(strconv.AppendFloat(b, ghs(h), 'f', 6, 64), '}')
	}
	return append(b, '}')
}

// bestText repeats the best share as text, as firmware from 26 on does.
func (d *device) bestText(b []byte, best int64) []byte {
	if d.recent {
		b = fmt.Appendf(b, `"best_share_str":"%d",`, best)
	}
	return b
}

func (d *device) stats(v plant.View) []byte {
	shares := shareCount(v)
	b := append(make([]byte, 0, 1536), `{"miner_stats":{`...)
	b = append(d.solver(b, bestShare(shares), nominal(v), v.Hashrate, v.HashrateAvg), `},"pool_stats":{`...)
	b = d.poolStats(b, v, shares)
	b = fmt.Appendf(b, `},"power_stats":{"approximated_consumption":{"watt":%.0f},"efficiency":`, v.Power.Watts())
	if v.Hashrate.TH() < 1 {
		return append(b, "null}}"...)
	}
	return fmt.Appendf(b, `{"joule_per_terahash":%.6f}}}`, v.Power.Watts()/v.Hashrate.TH())
}

// nominal is the hashrate that the chips' clocks would give.
func nominal(v plant.View) unit.Hashrate { return v.Hashrate * 1.004 }

func (d *device) poolStats(b []byte, v plant.View, shares int64) []byte {
	last := "null"
	if shares > 0 {
		last = fmt.Sprintf(`{"seconds":%d,"nanos":%d}`, v.At.Unix()-3, v.At.Nanosecond())
	}
	b = d.bestText(b, bestShare(shares))
	return fmt.Appendf(b, `"accepted_shares":%d,"rejected_shares":%d,"stale_shares":0,"last_difficulty":%d,"best_share":%d,`+
		`"generated_work":%d,"last_share_time":%s`, shares, shares/600, shareDiff, bestShare(shares), shares*1700526, last)
}

func (d *device) hashboards(v plant.View) []byte {
	b := append(make([]byte, 0, 5120), `{"hashboards":[`...)
	n := unit.Hashrate(max(len(v.Boards), 1))
	for i, board := range v.Boards {
		id, mean := i+1, v.HashrateAvg/n
		hertz, volt := 0.0, 0.0
		switch {
		case board.Dead:
			mean = 0
		case v.Mode == plant.ModeRun:
			volt = 13.738725
			hertz = 545e6 * float64(board.Hashrate) / float64(max(v.Model.Hashrate/n, 1))
		}
		b = fmt.Appendf(comma(b, i), `{"id":"%d","enabled":%t,"chips_count":%d,"current_voltage":{"volt":%.6f},"current_frequency":{"hertz":%.1f},`+
			`"highest_chip_temp":{"id":%d,"location":%d,"temperature":{"degree_c":%.1f}},"board_temp":{"degree_c":%.1f},`+
			`"lowest_inlet_temp":{"degree_c":%.1f},"highest_outlet_temp":{"degree_c":%.1f},"board_name":"BHB68601","model":"BHB68601",`+
			`"chip_type":"BM1368","serial_number":%s,"stats":{`,
			id, !board.Dead, board.Chips, volt, hertz, id, locationChip, board.ChipTemp, board.PCBTemp,
			math.Max(v.Intake+3, board.PCBTemp-14), board.PCBTemp, quoted(v.Serial+"B"+strconv.Itoa(i)))
		b = append(d.solver(b, bestShare(shareCount(v))/int64(id), board.Hashrate*1.004, board.Hashrate, mean), "}}"...)
	}
	return append(b, "]}"...)
}

func minerErrors(v plant.View) []byte {
	b := []byte(`{"errors":[`)
	n := 0
	for i, board := range v.Boards {
		if board.Dead {
			b = fmt.Appendf(comma(b, n), `{"timestamp":"%s","message":"Tuner error: Disabled hashboard %d {HB:%d}: Hashchip: no response",`+
				`"error_codes":[{"code":"H1","hint":"Check the cables of the hashboard.","reason":"Hashboard does not answer"}],`+
				`"components":[{"name":"Hashboard","index":%d}]}`,
				v.At.Add(-v.Elapsed).UTC().Format("2006-01-02T15:04:05.000000Z"), i+1, i+1, i+1)
			n++
		}
	}
	return append(b, "]}"...)
}

func cooling(v plant.View) []byte {
	b := append(make([]byte, 0, 512), `{"fans":[`...)
	for i, rpm := range v.Fans {
		b = fmt.Appendf(comma(b, i), `{"position":%d,"rpm":%d,"target_speed_ratio":%.2f}`, i, rpm, math.Min(float64(rpm)/6600, 1))
	}
	hot := 0.0
	for _, board := range v.Boards {
		hot = math.Max(hot, math.Max(board.ChipTemp, board.PCBTemp))
	}
	return fmt.Appendf(b, `],"highest_temperature":{"id":null,"location":%d,"temperature":{"degree_c":%.1f}}}`, locationChip, hot)
}

func (d *device) pools(v plant.View) []byte {
	b := append(make([]byte, 0, 1024), `[{`...)
	if d.recent {
		b = append(b, `"uid":"0",`...)
	}
	b = append(b, `"name":"Default","strategy":{"quota":{"value":1}},"pools":[`...)
	for i, p := range v.Pools {
		shares := int64(0)
		if p.Active {
			shares = shareCount(v)
		}
		b = fmt.Appendf(comma(b, i), `{"uid":"pool%012x","url":%s,"user":%s,"enabled":true,"alive":true,"active":%t,"stats":{`,
			(d.seed+uint64(i))&0xffffffffffff, quoted(p.URL), quoted(p.Worker), p.Active)
		b = append(d.poolStats(b, v, shares), "}}"...)
	}
	return append(b, "]}]"...)
}

func network(v plant.View) []byte {
	return fmt.Appendf(nil, `{"name":"eth0","mac_address":%s,"hostname":"Antminer","protocol":1,"dns_servers":["127.0.0.1"],`+
		`"networks":[{"address":%s,"netmask":"255.255.255.0"}],"default_gateway":"127.0.0.1"}`, quoted(v.MAC), quoted(v.IP))
}

func tunerState(v plant.View) []byte {
	state := tunerStable
	if v.State == plant.Starting {
		state = tunerTuning
	}
	t := target(v)
	return fmt.Appendf(nil, `{"overall_tuner_state":%d,"mode_state":{"powertargetmodestate":{"current_target":{"watt":%d},`+
		`"profile":{"created":null,"target":{"watt":%d},"measured_hashrate":{"gigahash_per_second":%.6f},"estimated_power_consumption":{"watt":%.0f}}}}}`,
		state, t, t, ghs(nominal(v)), v.Power.Watts())
}

func (d *device) configuration(v plant.View) []byte {
	b := fmt.Appendf(nil, `{"pool_groups":[],"tuner":{"enabled":true,"tuner_mode":%d,"power_target":{"watt":%d},"hashrate_target":null}`,
		modePowerTarget, target(v))
	d.mu.Lock()
	up, down := d.up, d.down
	d.mu.Unlock()
	if down > 0 {
		b = fmt.Appendf(b, `,"hashboard_config":{"quick_ramping_time_up_s":%d,"quick_ramping_time_down_s":%d}`, up, down)
	}
	return append(b, '}')
}

// The bounds and the default of quick ramping in s; chosen, as the maker publishes none.
const (
	rampLeast    = 2
	rampStandard = 60
	rampMost     = 600
)

func (d *device) constraints(v plant.View) []byte {
	low, high := bounds(v)
	sticker := v.Model.Hashrate.TH()
	boards := "null"
	if d.recent {
		boards = fmt.Sprintf(`{"hashboard_ids":["1","2","3"],"quick_ramping_time_s":{"default":%d,"min":%d,"max":%d}}`, rampStandard, rampLeast, rampMost)
	}
	return fmt.Appendf(nil, `{"tuner_constraints":{"power_target":{"default":{"watt":%.0f},"min":{"watt":%d},"max":{"watt":%d}},`+
		`"hashrate_target":{"default":{"terahash_per_second":%.1f},"min":{"terahash_per_second":%.1f},"max":{"terahash_per_second":%.1f}},`+
		`"enabled":{"default":true},"default_mode":%d},"cooling_constraints":null,"dps_constraints":null,"hashboards_constraints":%s}`,
		v.Model.Nameplate.Watts(), low, high, sticker, sticker*0.3, sticker*1.1, modePowerTarget, boards)
}

// What the plant does not model and no controller decides on: plausible figures that grow
// with the time since mining started.

const (
	shareDiff       = 524288
	secondsPerShare = 9
)

func shareCount(v plant.View) int64 { return seconds(v.Elapsed) / secondsPerShare }

func bestShare(shares int64) int64 { return shares * 588514 }
