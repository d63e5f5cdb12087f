package antminer

import (
	"fmt"
	"strconv"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
)

// Versions that the firmware tells of its mining program and kernel.
const (
	minerVersion = "49.0.1.3"
	kernel       = "Linux 4.9.113 #1 SMP PREEMPT Thu Oct 9 18:55:45 CST 2025"
)

func quoted(s string) []byte { return face.Quote(nil, s) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func systemInfo(v plant.View) []byte {
	return fmt.Appendf(make([]byte, 0, 768), `{
"minertype":%s,
"nettype":"DHCP",
"netdevice":"eth0",
"macaddr":%s,
"hostname":"Antminer",
"ipaddress":%s,
"netmask":"255.255.255.0",
"gateway":"",
"dnsservers":"",
"system_mode":"GNU/Linux",
"system_kernel_version":"%s",
"system_filesystem_version":%s,
"firmware_type":"Release",
"serinum":%s
}
`, quoted(model(v)), quoted(v.MAC), quoted(v.IP), kernel, quoted(v.Firmware), quoted(v.Serial))
}

func networkInfo(v plant.View) []byte {
	return fmt.Appendf(make([]byte, 0, 512), `{
"nettype":"DHCP",
"netdevice":"eth0",
"macaddr":%s,
"ipaddress":%s,
"netmask":"255.255.255.0",
"conf_nettype":"DHCP",
"conf_hostname":"Antminer",
"conf_ipaddress":"",
"conf_netmask":"",
"conf_gateway":"",
"conf_dnsservers":""
}
`, quoted(v.MAC), quoted(v.IP))
}

// webHead opens a reply of the pages that ask the mining program.
func webHead(b []byte, v plant.View, what string) []byte {
	return fmt.Appendf(b, `{"STATUS":{"STATUS":"S","when":%d,"Msg":"%s","api_version":"1.0.0"},`+
		`"INFO":{"miner_version":"%s","CompileTime":%s,"type":%s},`,
		v.At.Unix(), what, minerVersion, quoted(v.Firmware), quoted(model(v)))
}

// ghs returns a hashrate in GH/s.
func ghs(h float64) float64 { return h / 1e9 }

// rates appends the hashrates that summary and stats share.
func rates(b []byte, v plant.View) []byte {
	now, mean := ghs(float64(v.Hashrate)), ghs(float64(v.HashrateAvg))
	return fmt.Appendf(b, `"elapsed":%d,"rate_5s":%.2f,"rate_30m":%.2f,"rate_avg":%.2f,"rate_ideal":%.2f,"rate_unit":"GH/s"`,
		seconds(v.Elapsed), now, mean, mean, ghs(float64(v.Model.Hashrate)))
}

func webSummary(v plant.View) []byte {
	b := webHead(make([]byte, 0, 1024), v, "summary")
	b = rates(append(b, `"SUMMARY":[{`...), v)
	b = fmt.Appendf(b, `,"hw_all":%d,"bestshare":%d,"status":[`, hardwareErrors(v), bestShare(v))
	check := func(name, msg string, ok bool) {
		code, state := 0, "s"
		if ok {
			msg = ""
		} else {
			code, state = -1, "e"
		}
		b = fmt.Appendf(b, `{"type":"%s","status":"%s","code":%d,"msg":"%s"},`, name, state, code, msg)
	}
	check("rate", "Low hashrate", v.State != plant.Faulty)
	check("network", "Pool connection failed", true)
	check("fans", "Fan speed low", true)
	check("temp", "Temperature too high", true)
	return append(b[:len(b)-1], "]}]}\n"...)
}

// webStats is the body of stats.cgi, and of RPC stats for those who ask with new_api.
func webStats(v plant.View, what string, c conf, watts bool) []byte {
	b := webHead(make([]byte, 0, 2048), v, what)
	b = rates(append(b, `"STATS":[{`...), v)
	b = fmt.Appendf(b, `,"chain_num":%d,"fan_num":%d,"fan":[`, len(v.Boards), len(v.Fans))
	for i, rpm := range v.Fans {
		b = comma(b, i)
		b = strconv.AppendInt(b, int64(rpm), 10)
	}
	b = fmt.Appendf(b, `],"hwp_total":0.0012,"miner-mode":%d,"freq-level":%s,`, c.mode, digits(c.freqLevel, "100"))
	if watts {
		b = fmt.Appendf(b, `"watt":%.0f,`, v.Power.Watts())
	}
	b = append(b, `"chain":[`...)
	for i := range v.Boards {
		b = webChain(comma(b, i), v, i)
	}
	return append(b, "]}]}\n"...)
}

func webChain(b []byte, v plant.View, i int) []byte {
	board := v.Boards[i]
	ideal := ghs(float64(v.Model.Hashrate)) / float64(max(len(v.Boards), 1))
	b = fmt.Appendf(b, `{"index":%d,"freq_avg":%d,"rate_ideal":%.2f,"rate_real":%.2f,"asic_num":%d,`,
		i, frequency(board), ideal, ghs(float64(board.Hashrate)), board.Chips)
	if board.Dead {
		b = append(b, `"asic":"","temp_pic":[0,0,0,0],"temp_pcb":[0,0,0,0],"temp_chip":[0,0,0,0],`...)
	} else {
		pcb, chip := int(board.PCBTemp), int(board.ChipTemp)
		b = fmt.Appendf(b, `"asic":"%s","temp_pic":[%d,%d,%d,%d],"temp_pcb":[%d,%d,%d,%d],"temp_chip":[%d,%d,%d,%d],`,
			asics(board.Chips), pcb-10, pcb-10, pcb-12, pcb-12, pcb, pcb, pcb-2, pcb-2, chip, chip, chip-3, chip-3)
	}
	return fmt.Appendf(b, `"hw":%d,"eeprom_loaded":%t,"sn":%s,"hwp":0.0012,"tpl":[[0,0],[0,0]]}`,
		hardwareErrors(v)/int64(len(v.Boards)), !board.Dead, quoted(boardSerial(v, i)))
}

func webPools(v plant.View) []byte {
	b := append(webHead(make([]byte, 0, 1536), v, "pools"), `"POOLS":[`...)
	for i := range poolSlots {
		p, state, shares := poolAt(v, i)
		b = fmt.Appendf(comma(b, i), `{"index":%d,"url":%s,"user":%s,"status":"%s","priority":%d,"getworks":%d,`+
			`"accepted":%d,"rejected":%d,"discarded":%d,"stale":0,"diff":"%s","diff1":0,"diffa":%d,"diffr":%d,"diffs":0,`+
			`"lsdiff":%d,"lstime":"%s"}`,
			i, quoted(p.URL), quoted(p.Worker), state, i, shares, shares, shares/400, shares*1100, difficulty(shares),
			shares*shareDiff, shares/400*shareDiff, lastDiff(shares), lastTime(shares))
	}
	return append(b, "]}\n"...)
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// digits returns s when it is a number, else the other.
func digits(s, other string) string {
	if _, err := strconv.Atoi(s); err != nil {
		return other
	}
	return s
}
