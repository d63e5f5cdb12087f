package whatsminer

import (
	"encoding/json"
	"fmt"
	"strings"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

// get answers the commands that need no token.
func (d *v3) get(v plant.View, r requestV3) []byte {
	var param string
	if len(r.Param) > 0 && json.Unmarshal(r.Param, &param) != nil {
		return v3Say(v, v3Item, "invalid param", r.Cmd)
	}
	switch r.Cmd {
	case "get.device.info":
		return d.deviceInfo(v, param)
	case "get.miner.status":
		b := []byte{'{'}
		asked := "+" + param + "+"
		for _, name := range statusSections { // each once, however often it is named
			if strings.Contains(asked, "+"+name+"+") {
				b = append(append(append(comma(b, len(b)-1), '"'), name...), `":`...)
				b = append(b, status(v, name)...)
			}
		}
		return v3Reply(v, v3OK, append(b, '}'), r.Cmd)
	case "get.miner.setting":
		return v3Reply(v, v3OK, d.setting(v), r.Cmd)
	}
	return v3Say(v, v3Invalid, "invalid command", r.Cmd)
}

var statusSections = []string{"summary", "pools", "edevs"}

var infoSections = []string{"network", "miner", "system", "power", "salt", "error-code"}

func (d *v3) deviceInfo(v plant.View, param string) []byte {
	const cmd = "get.device.info"
	b := []byte{'{'}
	for _, name := range infoSections {
		if param == "" || param == name {
			b = append(face.Quote(comma(b, len(b)-1), name), ':')
			b = append(b, d.infoSection(v, name)...)
		}
	}
	if len(b) == 1 {
		return v3Say(v, v3Item, "invalid param", cmd)
	}
	return v3Reply(v, v3OK, append(b, '}'), cmd)
}

func (d *v3) infoSection(v plant.View, name string) []byte {
	switch name {
	case "network":
		return fmt.Appendf(nil, `{"ip":%s,"proto":"dhcp","netmask":"255.255.255.0","dns":"","mac":%s,"gateway":"","hostname":"WhatsMiner"}`,
			quoted(v.IP), quoted(v.MAC))
	case "miner":
		return minerInfo(v)
	case "system":
		return fmt.Appendf(nil, `{"api":"3.0.1","platform":"%s","fwversion":%s,"control-board-version":"CB6V10","btrom":"1","apiswitch":"1","ledstatus":"auto"}`,
			platform, quoted(v.Firmware))
	case "power":
		return fmt.Appendf(nil, `{"type":"P222B","mode":"1","hwversion":"R00033","swversion":"20230208_P00031","model":"P222B","iin":%.1f,"vin":230.0,`+
			`"vout":%d,"pin":%.0f,"fanspeed":6000,"temp0":%.1f,"sn":%s,"vendor":"1"}`,
			v.Power.Watts()/230, 1209*bit(hashing(v)), v.Power.Watts(), v.Intake+12, quoted(v.Serial+"P"))
	case "salt":
		return quoted(d.salt)
	}
	b := []byte{'['} // error-code
	for i, board := range v.Boards {
		if board.Dead {
			b = fmt.Appendf(comma(b, len(b)-1), `{"%d":"%s","reason":"Slot%d not found."}`, deadBoard+i, stamp(v.At.Add(-v.Elapsed)), i)
		}
	}
	return append(b, ']')
}

func minerInfo(v plant.View) []byte {
	b := fmt.Appendf(nil, `{"working":"%t","type":%s,"hash-board":"K48","cointype":"BTC/BCH/BSV","pool-strategy":"FAILOVER","heatmode":"",`+
		`"hash-percent":"","eeprom-liquid-cooling":"0-0-0","fast-boot":"disable","board-num":"%d",`,
		v.Mode == plant.ModeRun, quoted(v.Model.Name+"_"+variant), len(v.Boards))
	for i := range v.Boards {
		b = fmt.Appendf(b, `"pcbsn%d":%s,`, i, quoted(boardSerial(v, i)))
	}
	limit := ""
	if v.Limit > 0 {
		limit = fmt.Sprintf("%.0f", v.Limit.Watts())
	}
	return fmt.Appendf(b, `"miner-sn":%s,"power-limit-set":"%s","web-pool":1}`, quoted(v.Serial), limit)
}

// status is one section of get.miner.status.
func status(v plant.View, name string) []byte {
	switch name {
	case "summary":
		return statusSummary(v)
	case "pools":
		return statusPools(v)
	}
	return statusBoards(v)
}

func statusSummary(v plant.View) []byte {
	c := climateOf(v)
	now, avg := v.Hashrate.TH(), v.HashrateAvg.TH()
	b := fmt.Appendf(make([]byte, 0, 1024), `{"elapsed":%d,"bootup-time":%d,"freq-avg":%d,"target-freq":0,"factory-hash":%.3f,"hash-average":%.3f,`+
		`"hash-1min":%.3f,"hash-15min":%.3f,"hash-realtime":%.3f,`,
		seconds(v.Elapsed), seconds(v.Uptime), frequency(v), v.Model.Hashrate.TH(), avg, now, avg, now)
	if v.ReportsPower {
		b = fmt.Appendf(b, `"power-rate":%.3f,"power-5min":%.3f,"power-realtime":%.0f,`, efficiency(v), v.Power.Watts(), v.Power.Watts())
	}
	b = fmt.Appendf(b, `"environment-temperature":%.1f,"board-temperature":[`, v.Intake)
	for i, board := range v.Boards {
		b = fmt.Appendf(comma(b, i), "%.1f", board.PCBTemp)
	}
	return fmt.Appendf(b, `],"chip-temp-min":%.1f,"chip-temp-avg":%.1f,"chip-temp-max":%.1f,"power-limit":%.0f,"up-freq-finish":%d,`+
		`"fan-speed-in":%d,"fan-speed-out":%d}`, c.chipMin, c.chipMean, c.chipMax, limitOf(v), bit(hashing(v)), fan(v, 0), fan(v, 1))
}

func statusPools(v plant.View) []byte {
	b := []byte{'['}
	for i, p := range v.Pools {
		last := int64(0)
		if p.Active {
			last = v.At.Unix()
		}
		b = fmt.Appendf(comma(b, i), `{"id":%d,"url":%s,"status":"alive","account":%s,"stratum-active":%t,"reject-rate":0.000,"last-share-time":%d}`,
			i+1, quoted(p.URL), quoted(p.Worker), p.Active, last)
	}
	return append(b, ']')
}

func statusBoards(v plant.View) []byte {
	n := unit.Hashrate(max(len(v.Boards), 1))
	b := []byte{'['}
	for i, board := range v.Boards {
		b = fmt.Appendf(comma(b, i), `{"id":%d,"slot":%d,"hash-average":%.3f,"factory-hash":%.3f,"freq":%d,"effective-chips":%d,`+
			`"chip-temp-min":%.1f,"chip-temp-avg":%.1f,"chip-temp-max":%.1f}`,
			i, i, board.Hashrate.TH(), (v.Model.Hashrate / n).TH(), boardFrequency(v, board), board.Chips,
			coolest(board), mean(board), board.ChipTemp)
	}
	return append(b, ']')
}

func (d *v3) setting(v plant.View) []byte {
	mode, _ := d.settings()
	return fmt.Appendf(nil, `{"power-limit":%.0f,"upfreq-speed":0,"power-mode":"%s","fast-boot":"disable","target-freq":0,`+
		`"fast-mining":"disable","power":%.0f,"power-percent":%d}`, limitOf(v), mode, v.Limit.Watts(), v.Percent)
}
