package whatsminer

import (
	"fmt"
	"strconv"

	"switchyard/emulate/plant"
	"switchyard/unit"
)

const (
	platform   = "H616"
	apiVersion = "2.0.5"
	variant    = "VK30" // of the model: which chip and board
)

// mhs is a hashrate in MH/s, the unit of everything in v2.
func mhs(h unit.Hashrate) float64 { return float64(h) / 1e6 }

// read answers the commands that need no token; nil when cmd is none of them.
func (d *v2) read(v plant.View, cmd string) []byte {
	switch cmd {
	case "summary":
		return d.summary(v)
	case "devs", "edevs":
		return devs(v)
	case "devdetails":
		return devDetails(v)
	case "pools":
		return pools(v)
	case "get_version":
		return reply(v, codeOK, fmt.Sprintf(`{"api_ver":"%s","fw_ver":%s,"platform":"%s","chip":"K48"}`, apiVersion, quoted(v.Firmware), platform))
	case "get_psu":
		return reply(v, codeOK, fmt.Sprintf(`{"name":"P222B","hw_version":"","sw_version":"230208.220429","model":"P222B",`+
			`"iin":"%d","vin":"23000","pin":"%.0f","fan_speed":"6000","serial_no":%s,"vendor":"1","temp0":"41.5"}`,
			int(v.Power.Watts()/230*1000), v.Power.Watts(), quoted(v.Serial+"P")))
	case "get_miner_info":
		return reply(v, codeOK, fmt.Sprintf(`{"ip":%s,"proto":"dhcp","netmask":"255.255.255.0","gateway":"","dns":"","hostname":"WhatsMiner",`+
			`"mac":%s,"ledstat":"auto","minersn":%s,"powersn":%s}`, quoted(v.IP), quoted(v.MAC), quoted(v.Serial), quoted(v.Serial+"P")))
	case "status":
		return d.status(v)
	case "get_error_code":
		return reply(v, codeOK, errorCodes(v))
	}
	return nil
}

// deadBoard is the code that the maker's list gives a board that is not found, plus its slot.
const deadBoard = 530

func errorCodes(v plant.View) string {
	b := []byte(`{"error_code":[`)
	n := 0
	for i, board := range v.Boards {
		if board.Dead {
			b = fmt.Appendf(comma(b, n), `{"%d":"%s"}`, deadBoard+i, stamp(v.At.Add(-v.Elapsed)))
			n++
		}
	}
	return string(append(b, "]}"...))
}

func (d *v2) status(v plant.View) []byte {
	mode, offAt := d.settings()
	off, reason := "false", ""
	if v.Mode == plant.ModeSleep {
		off, reason = "true", "api command"
	}
	return reply(v, codeOK, fmt.Sprintf(`{"mineroff":"%s","mineroff_reason":"%s","mineroff_time":"%s","FirmwareVersion":%s,`+
		`"power_mode":"%s","power_limit_set":"%.0f","hash_percent":"0"}`, off, reason, stamp(offAt), quoted(v.Firmware), mode, v.Limit.Watts()))
}

// head opens a reply that comes from cgminer.
func head(b []byte, v plant.View, code int, msg string) []byte {
	return fmt.Appendf(b, `{"STATUS":[{"STATUS":"S","When":%d,"Code":%d,"Msg":"%s","Description":"cgminer 4.9.2"}],`, v.At.Unix(), code, msg)
}

// modeName writes a power mode as summary does.
func modeName(mode string) string {
	switch mode {
	case "low":
		return "Low"
	case "high":
		return "High"
	}
	return "Normal"
}

func (d *v2) summary(v plant.View) []byte {
	mode, _ := d.settings()
	now, avg, shares := mhs(v.Hashrate), mhs(v.HashrateAvg), shareCount(v)
	c, up := climateOf(v), hashing(v)
	b := head(make([]byte, 0, 2560), v, 11, "Summary")
	b = fmt.Appendf(b, `"SUMMARY":[{"Elapsed":%d,"MHS av":%.2f,"MHS 5s":%.2f,"MHS 1m":%.2f,"MHS 5m":%.2f,"MHS 15m":%.2f,"HS RT":%.2f,`+
		`"Found Blocks":0,"Getworks":%d,"Accepted":%d,"Rejected":%d,"Hardware Errors":%d,"Utility":%.2f,"Discarded":%d,"Stale":0,`+
		`"Get Failures":0,"Local Work":%d,"Remote Failures":0,"Network Blocks":20,"Total MH":%.1f,"Work Utility":%.2f,`+
		`"Difficulty Accepted":%d.0,"Difficulty Rejected":%d.0,"Difficulty Stale":0.0,"Best Share":%d,`,
		seconds(v.Elapsed), avg, now, now, now, avg, now,
		shares/3, shares, shares/500, seconds(v.Elapsed)/150, 60.0/secondsPerShare, shares*262,
		shares*34000, avg*v.Elapsed.Seconds(), avg/18000, shares*shareDiff, shares/500*shareDiff, shares*17591)
	b = fmt.Appendf(b, `"Temperature":%.1f,"freq_avg":%d,"Fan Speed In":%d,"Fan Speed Out":%d,"Voltage":%d,`,
		c.pcbMax, frequency(v), fan(v, 0), fan(v, 1), 1180*bit(up))
	if v.ReportsPower {
		b = fmt.Appendf(b, `"Power":%.0f,"Power_RT":%.0f,"Power Rate":%.2f,"Power Current":%d,`,
			v.Power.Watts(), v.Power.Watts(), efficiency(v), int(v.Power.Watts()/13))
	}
	b = fmt.Appendf(b, `"Power Mode":"%s","Power Limit":%.0f,"Power Fanspeed":%d,`, modeName(mode), limitOf(v), 9060)
	b = fmt.Appendf(b, `"Chip Temp Min":%.2f,"Chip Temp Max":%.2f,"Chip Temp Avg":%.2f,"Env Temp":%.1f,"Liquid Cooling":false,`+
		`"Factory GHS":%.0f,"Target Freq":%d,"Target MHS":%.0f,"Uptime":%d,"Hash Stable":%t,"Hash Stable Cost Seconds":%d,`+
		`"Hash Deviation%%":0.1061,"Upfreq Complete":%d,"Error Code Count":%d,"Factory Error Code Count":0,"Security Mode":0,`,
		c.chipMin, c.chipMax, c.chipMean, v.Intake, mhs(v.Model.Hashrate)/1e3, chipMHz, mhs(v.Model.Hashrate),
		seconds(v.Uptime), up, 1538*bit(up), bit(up), deadBoards(v))
	b = fmt.Appendf(b, `"CB Platform":"ALLWINNER_%s","CB Version":"V10","Chip Data":"K48A12-22101821   BINV04-192101D","MAC":%s,`+
		`"Firmware Version":%s,"Device Hardware%%":0.0110,"Device Rejected%%":0.0000,"Pool Rejected%%":0.0000,"Pool Stale%%":0.0000,`+
		`"Last getwork":0`, platform, quoted(v.MAC), quoted("'"+v.Firmware+"'"))
	for i, n := 0, 0; i < len(v.Boards); i++ {
		if v.Boards[i].Dead {
			b = fmt.Appendf(b, `,"Error Code %d":%d`, n, deadBoard+i)
			n++
		}
	}
	return append(b, `}],"id":1}`...)
}

func efficiency(v plant.View) float64 {
	if v.Hashrate.TH() < 1 {
		return 0
	}
	return v.Power.Watts() / v.Hashrate.TH()
}

func deadBoards(v plant.View) (n int) {
	for _, b := range v.Boards {
		n += bit(b.Dead)
	}
	return n
}

func devs(v plant.View) []byte {
	at, n := v.At.Unix(), int64(max(len(v.Boards), 1))
	shares := shareCount(v) / n
	share := v.HashrateAvg / unit.Hashrate(n)
	b := append(head(make([]byte, 0, 4096), v, 9, strconv.Itoa(len(v.Boards))+" ASC(s)"), `"DEVS":[`...)
	for i, board := range v.Boards {
		now, avg := mhs(board.Hashrate), mhs(share)
		if board.Dead {
			avg = 0
		}
		b = fmt.Appendf(comma(b, i), `{"ASC":%d,"Name":"SM","ID":%d,"Slot":%d,"Enabled":"Y","Status":"%s","Temperature":%.2f,`+
			`"Chip Frequency":%d,"Frequency":%d.0,"Fan Speed In":%d,"Fan Speed Out":%d,"MHS av":%.2f,"MHS 5s":%.2f,"MHS 1m":%.2f,`+
			`"MHS 5m":%.2f,"MHS 15m":%.2f,"Accepted":%d,"Rejected":%d,"Hardware Errors":%d,"Utility":%.2f,"Last Share Pool":0,`+
			`"Last Share Time":%d,"Total MH":%.1f,"Diff1 Work":%d,"Difficulty Accepted":%d.0,"Difficulty Rejected":0.0,`+
			`"Last Share Difficulty":%d.0,"Last Valid Work":%d,"Device Hardware%%":0.0072,"Device Rejected%%":0.0000,"Device Elapsed":%d,`,
			i, i, i, alive(board), board.PCBTemp, boardFrequency(v, board), boardFrequency(v, board), fan(v, 0), fan(v, 1), avg, now, now,
			now, avg, shares, shares/500, seconds(v.Elapsed)/500, 20.0/secondsPerShare,
			at, avg*v.Elapsed.Seconds(), shares*263, shares*shareDiff, shareDiff, at, seconds(v.Elapsed))
		b = fmt.Appendf(b, `"Upfreq Complete":%d,"Effective Chips":%d,"PCB SN":%s,"Chip Data":"K48A12-22101821","Chip Temp Min":%.2f,`+
			`"Chip Temp Max":%.2f,"Chip Temp Avg":%.2f,"Factory GHS":%.0f,"chip_vol_diff":9}`,
			bit(hashing(v) && !board.Dead), board.Chips, quoted(boardSerial(v, i)), coolest(board), board.ChipTemp, mean(board),
			mhs(v.Model.Hashrate)/1e3/float64(n))
	}
	return append(b, `],"id":1}`...)
}

func devDetails(v plant.View) []byte {
	b := append(head(make([]byte, 0, 512), v, 69, "Device Details"), `"DEVDETAILS":[`...)
	for i := range v.Boards {
		b = fmt.Appendf(comma(b, i), `{"DEVDETAILS":%d,"Name":"SM","ID":%d,"Driver":"bitmicro","Kernel":"","Model":%s}`,
			i, i, quoted(v.Model.Name+variant))
	}
	return append(b, `],"id":1}`...)
}

func alive(b plant.BoardView) string {
	if b.Dead {
		return "Dead"
	}
	return "Alive"
}

func pools(v plant.View) []byte {
	at := v.At.Unix()
	b := append(head(make([]byte, 0, 3072), v, 7, strconv.Itoa(len(v.Pools))+" Pool(s)"), `"POOLS":[`...)
	for i, p := range v.Pools {
		shares, last, diff := int64(0), int64(0), 0
		if p.Active {
			shares, last, diff = shareCount(v), at, shareDiff
		}
		b = fmt.Appendf(comma(b, i), `{"POOL":%d,"URL":%s,"Status":"Alive","Priority":%d,"Quota":1,"Long Poll":"N","Getworks":%d,`+
			`"Accepted":%d,"Rejected":%d,"Works":%d,"Discarded":%d,"Stale":0,"Get Failures":0,"Remote Failures":0,"User":%s,`+
			`"Last Share Time":%d,"Diff1 Shares":%d,"Proxy Type":"","Proxy":"","Difficulty Accepted":%d.0,"Difficulty Rejected":0.0,`+
			`"Difficulty Stale":0.0,"Last Share Difficulty":%d.0,"Work Difficulty":0.0,"Has Stratum":true,"Stratum Active":%t,`+
			`"Stratum URL":%s,"Stratum Difficulty":%d.0,"Has GBT":false,"Best Share":%d,"Pool Rejected%%":0.0000,"Pool Stale%%":0.0000,`+
			`"Bad Work":%d,"Current Block Height":%d,"Current Block Version":536870912}`,
			i+1, quoted(p.URL), i, shares/3, shares, shares/500, shares*34000, shares*262, quoted(p.Worker),
			last, shares*267, shares*shareDiff, diff, p.Active, quoted(hostOf(p.URL)), diff, shares*17591, shares/120, 920127*bit(p.Active))
	}
	return append(b, `],"id":1}`...)
}
