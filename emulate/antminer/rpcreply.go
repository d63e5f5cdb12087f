package antminer

import (
	"fmt"
	"strconv"

	"switchyard/emulate/plant"
)

// rpcHead opens a reply of the RPC port.
func rpcHead(b []byte, v plant.View, code int, msg string) []byte {
	return fmt.Appendf(b, `{"STATUS":[{"STATUS":"S","When":%d,"Code":%d,"Msg":"%s","Description":"cgminer 1.0.0"}],`,
		v.At.Unix(), code, msg)
}

func rpcVersion(v plant.View) []byte {
	b := rpcHead(make([]byte, 0, 512), v, 22, "CGMiner versions")
	return fmt.Appendf(b, `"VERSION":[{"BMMiner":"1.0.0","API":"3.1","Miner":"%s","CompileTime":%s,"Type":%s}],"id":1}`,
		minerVersion, quoted(v.Firmware), quoted(model(v)))
}

// rate writes the present hashrate in GH/s, as a string where the firmware does.
func (d *device) rate(h float64) string {
	s := strconv.FormatFloat(ghs(h), 'f', 2, 64)
	if d.rateString {
		return `"` + s + `"`
	}
	return s
}

func (d *device) rpcSummary(v plant.View) []byte {
	shares, mean := shareCount(v), ghs(float64(v.HashrateAvg))
	b := rpcHead(make([]byte, 0, 1024), v, 11, "Summary")
	return fmt.Appendf(b, `"SUMMARY":[{"Elapsed":%d,"GHS 5s":%s,"GHS av":%.2f,"GHS 30m":%.2f,"Found Blocks":0,`+
		`"Getwork":%d,"Accepted":%d,"Rejected":%d,"Hardware Errors":%d,"Utility":%.2f,"Discarded":%d,"Stale":1,`+
		`"Get Failures":1,"Local Work":%d,"Remote Failures":0,"Network Blocks":82,"Total MH":%.4f,"Work Utility":%.2f,`+
		`"Difficulty Accepted":%d.00000000,"Difficulty Rejected":%d.00000000,"Difficulty Stale":0.00000000,"Best Share":%d,`+
		`"Device Hardware%%":0.0000,"Device Rejected%%":0.0000,"Pool Rejected%%":0.0000,"Pool Stale%%":0.0000,"Last getwork":%d}],"id":1}`,
		seconds(v.Elapsed), d.rate(float64(v.Hashrate)), mean, mean,
		shares, shares, shares/400, hardwareErrors(v), 60.0/secondsPerShare, shares*1100,
		shares*1117, float64(v.HashrateAvg)/1e6*v.Elapsed.Seconds(), mean*14,
		shares*shareDiff, shares/400*shareDiff, bestShare(v), v.At.Unix())
}

// legacySlots is how many boards, and sensors of a board, the old layout has room for.
const legacySlots = 4

// rpcStats is the layout with numbered keys that firmware has had since the first
// Antminers. Places without a board, and dead boards, hold zeros and empty strings.
func (d *device) rpcStats(v plant.View) []byte {
	b := rpcHead(make([]byte, 0, 4096), v, 70, "CGMiner stats")
	b = fmt.Appendf(b, `"STATS":[{"BMMiner":"1.0.0","Miner":"%s","CompileTime":%s,"Type":%s}`,
		minerVersion, quoted(v.Firmware), quoted(model(v)))
	if !d.missComma {
		b = append(b, ',')
	}
	mean := ghs(float64(v.HashrateAvg))
	b = fmt.Appendf(b, `{"STATS":0,"ID":"BTM_SOC0","Elapsed":%d,"Calls":0,"Wait":0.000000,"Max":0.000000,"Min":99999999.000000,`+
		`"GHS 5s":%s,"GHS av":%.2f,"rate_30m":%.2f,"Mode":2,"miner_count":%d,"frequency":%d,"fan_num":%d,`,
		seconds(v.Elapsed), d.rate(float64(v.Hashrate)), mean, mean, len(v.Boards), boardFrequency(v), len(v.Fans))
	for i, rpm := range v.Fans {
		b = fmt.Appendf(b, `"fan%d":%d,`, i+1, rpm)
	}
	b = fmt.Appendf(b, `"temp_num":%d,`, live(v))
	var chips, hottest int
	for i := range max(legacySlots, len(v.Boards)) {
		b = legacyBoard(b, v, i)
		if i < len(v.Boards) {
			chips += v.Boards[i].Chips
			hottest = max(hottest, int(v.Boards[i].ChipTemp))
		}
	}
	return fmt.Appendf(b, `"total_rateideal":%.2f,"total_freqavg":%d,"total_acn":%d,"total rate":%.2f,"temp_max":%d,`+
		`"no_matching_work":%d,"rate_unit":"GH","miner_version":"%s","miner_id":"%016x"}],"id":1}`,
		ghs(float64(v.Model.Hashrate)), boardFrequency(v), chips, mean, hottest, hardwareErrors(v), minerVersion, d.seed)
}

// legacyBoard appends the keys of board i, which may not be there.
func legacyBoard(b []byte, v plant.View, i int) []byte {
	n := i + 1
	if i >= len(v.Boards) || v.Boards[i].Dead {
		b = fmt.Appendf(b, `"freq%d":0,"chain_acn%d":0,"chain_acs%d":"","chain_hw%d":0,"chain_rate%d":"",`, n, n, n, n, n)
		b = fmt.Appendf(b, `"temp_pcb%d":"0-0-0-0","temp_chip%d":"0-0-0-0","temp_pic%d":"0-0-0-0",`, n, n, n)
		if n < legacySlots {
			b = fmt.Appendf(b, `"temp%d":0,"temp2_%d":0,`, n, n)
		}
		return b
	}
	board := v.Boards[i]
	pcb, chip := int(board.PCBTemp), int(board.ChipTemp)
	b = fmt.Appendf(b, `"freq%d":%d,"chain_acn%d":%d,"chain_acs%d":"%s","chain_hw%d":%d,"chain_rate%d":"%.2f",`,
		n, frequency(board), n, board.Chips, n, asics(board.Chips), n, hardwareErrors(v)/3, n, ghs(float64(board.Hashrate)))
	b = fmt.Appendf(b, `"temp_pcb%d":"%d-%d-%d-%d","temp_chip%d":"%d-%d-%d-%d","temp_pic%d":"%d-%d-%d-%d",`,
		n, pcb, pcb, pcb-2, pcb-2, n, chip, chip, chip-3, chip-3, n, pcb-10, pcb-10, pcb-12, pcb-12)
	if n < legacySlots {
		b = fmt.Appendf(b, `"temp%d":%d,"temp2_%d":%d,`, n, pcb, n, chip)
	}
	return b
}

func live(v plant.View) (n int) {
	for _, b := range v.Boards {
		if !b.Dead {
			n++
		}
	}
	return n
}

func boardFrequency(v plant.View) int {
	f := 0
	for _, b := range v.Boards {
		f = max(f, frequency(b))
	}
	return f
}

// rpcDevs is as little as the firmware tells: one device whose rates it never fills.
func rpcDevs(v plant.View) []byte {
	shares, at := shareCount(v), v.At.Unix()
	b := rpcHead(make([]byte, 0, 1024), v, 9, "1 ASC(s)")
	return fmt.Appendf(b, `"DEVS":[{"ASC":0,"Name":"BTM_SOC","ID":0,"Enabled":"Y","Status":"Alive","Tenperature":0.00,`+
		`"MHS av":0.00,"MHS 5s":0.00,"Accepted":%d,"Rejected":%d,"Hardware Errors":0,"Utility":0.00,"Last Share Pool":0,`+
		`"Last Share Time":%d,"Total MH":0.0000,"Diff1 Work":0,"Difficulty Accepted":%d,"Difficulty Rejected":%d,`+
		`"Last Share Difficulty":%d,"Last Valid Work":%d,"Device Hardware%%":0.0000,"Device Rejected%%":0.0000,"Device Elapsed":%d}],"id":1}`,
		shares, shares/400, at, shares*shareDiff, shares/400*shareDiff, lastDiff(shares), at, seconds(v.Elapsed))
}

func rpcPools(v plant.View) []byte {
	b := append(rpcHead(make([]byte, 0, 2048), v, 7, strconv.Itoa(poolSlots)+" Pool(s)"), `"POOLS":[`...)
	for i := range poolSlots {
		p, state, shares := poolAt(v, i)
		host := ""
		if p.Active {
			host = hostOf(p.URL)
		}
		b = fmt.Appendf(comma(b, i), `{"POOL":%d,"URL":%s,"Status":"%s","Priority":%d,"Quota":1,"Long Poll":"N","Getworks":%d,`+
			`"Accepted":%d,"Rejected":%d,"Discarded":%d,"Stale":0,"Get Failures":0,"Remote Failures":0,"User":%s,`+
			`"Last Share Time":"%s","Diff":"%s","Diff1 Shares":0,"Proxy Type":"","Proxy":"","Difficulty Accepted":%d.00000000,`+
			`"Difficulty Rejected":%d.00000000,"Difficulty Stale":0.00000000,"Last Share Difficulty":%d.00000000,"Has Stratum":true,`+
			`"Stratum Active":%t,"Stratum URL":%s,"Has GBT":false,"Best Share":%d.00000000,"Pool Rejected%%":0.0000,"Pool Stale%%%%":0.0000}`,
			i, quoted(p.URL), state, i, shares, shares, shares/400, shares*1100, quoted(p.Worker), lastTime(shares), difficulty(shares),
			shares*shareDiff, shares/400*shareDiff, lastDiff(shares), p.Active, quoted(host), shares*3_181_469)
	}
	return append(b, `],"id":1}`...)
}
