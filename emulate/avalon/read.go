package avalon

import (
	"fmt"
	"strings"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

func mhs(h unit.Hashrate) float64 { return float64(h) / 1e6 }
func ghs(h unit.Hashrate) float64 { return float64(h) / 1e9 }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func quoted(s string) string { return string(face.Quote(nil, s)) }

// read answers the commands that change nothing; nil when it is none.
func (d *device) read(v plant.View, command string) []byte {
	switch command {
	case "version":
		return d.say(v, "S", 22, "CGMiner versions", d.version(v))
	case "summary":
		return d.say(v, "S", 11, "Summary", d.summary(v))
	case "stats", "estats":
		return d.say(v, "S", 70, "CGMiner stats", d.stats(v))
	case "litestats":
		if home(v.Model) {
			return d.say(v, "S", 70, "CGMiner stats", `"STATS":[{"MM ID0:Summary":`+quoted("'STATS':{"+d.module(v)+"}")+`}],`)
		}
	case "devs", "edevs":
		return d.say(v, "S", 9, "1 ASC(s)", fmt.Sprintf(`"DEVS":[{"ASC":0,"Name":"AVALON","ID":0,"Enabled":"Y","Status":"Alive","Temperature":0.0,`+
			`"MHS av":%.2f,"MHS 5s":%.2f,"MHS 1m":%.2f,"Device Elapsed":%d}],`, mhs(v.HashrateAvg), mhs(v.Hashrate), mhs(v.Hashrate), seconds(v.Uptime)))
	case "devdetails":
		return d.say(v, "S", 69, "Device Details", `"DEVDETAILS":[{"DEVDETAILS":0,"Name":"AVALON","ID":0,"Driver":"avalon","Kernel":"","Model":"","Device Path":""}],`)
	case "pools":
		return d.say(v, "S", 7, fmt.Sprintf("%d Pool(s)", len(v.Pools)), d.poolList(v))
	case "config":
		return d.say(v, "S", 33, "CGMiner config", fmt.Sprintf(`"CONFIG":[{"ASC Count":1,"PGA Count":0,"Pool Count":%d,"Strategy":"Failover",`+
			`"Log Interval":5,"Device Code":"AVALON","OS":"Linux","Hotplug":"None"}],`, len(v.Pools)))
	case "check":
		return d.say(v, "S", 72, "Check command", `"CHECK":[{"Exists":"N","Access":"N"}],`)
	}
	return nil
}

// plainModel is how the firmware calls the model: without the letter in front of the number.
func plainModel(v plant.View) string {
	if name := strings.TrimPrefix(v.Model.Name, "A"); name != "" && name[0] >= '0' && name[0] <= '9' {
		return name
	}
	return v.Model.Name
}

func (d *device) version(v plant.View) string {
	prod, fw := "AvalonMiner "+plainModel(v), fmt.Sprintf(`"VERSION":%s,`, quoted(v.Firmware))
	if home(v.Model) {
		prod, fw = "Avalon "+v.Model.Name, fmt.Sprintf(`"BVERSION":%s,"CGVERSION":%s,"LVERSION":%s,`, quoted(v.Firmware), quoted(v.Firmware), quoted(v.Firmware))
	}
	return fmt.Sprintf(`"VERSION":[{"CGMiner":"4.11.1","API":"3.7","PROD":%s,"MODEL":%s,"HWTYPE":"MM3v2_X3","SWTYPE":"MM319",%s"DNA":%s,"MAC":%s,"UPAPI":"2"}],`,
		quoted(prod), quoted(plainModel(v)), fw, quoted(v.Serial), quoted(strings.ReplaceAll(v.MAC, ":", "")))
}

func (d *device) summary(v plant.View) string {
	now := mhs(v.Hashrate)
	return fmt.Sprintf(`"SUMMARY":[{"Elapsed":%d,"MHS av":%.2f,"MHS 5s":%.2f,"MHS 1m":%.2f,"MHS 5m":%.2f,"MHS 15m":%.2f,"Found Blocks":0,"Accepted":%d,`+
		`"Rejected":0,"Hardware Errors":0,"Utility":1.4,"Stale":0,"Total MH":%.1f,"Last getwork":0,"Device Hardware%%":0.0}],`,
		seconds(v.Uptime), mhs(v.HashrateAvg), now, now, now, mhs(v.HashrateAvg), seconds(v.Elapsed)/40, mhs(v.HashrateAvg)*v.Elapsed.Seconds())
}

func (d *device) poolList(v plant.View) string {
	var b strings.Builder
	b.WriteString(`"POOLS":[`)
	for i, p := range v.Pools {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"POOL":%d,"URL":%s,"Status":"Alive","Priority":%d,"Quota":1,"Long Poll":"N","Getworks":0,"Accepted":0,"Rejected":0,`+
			`"User":%s,"Password":"x","Last Share Time":0,"Has Stratum":true,"Stratum Active":%t,"Stratum URL":%s,"Has GBT":false}`,
			i, quoted(p.URL), i, quoted(p.Worker), p.Active, quoted(p.URL))
	}
	return b.String() + "],"
}

// stats holds the modules' texts; a home machine has its boards' in a text of their own.
func (d *device) stats(v plant.View) string {
	head := fmt.Sprintf(`"STATS":0,"Elapsed":%d,"Calls":0,"Wait":0.0,"Max":0.0,"Min":99999999.0,`, seconds(v.Uptime))
	if home(v.Model) {
		return fmt.Sprintf(`"STATS":[{"ID":"AVALON0",%s"MM ID0:Summary":%s,"HBinfo":%s}],`, head,
			quoted("'STATS':{"+d.module(v)+"}"), quoted("'HB0':{"+chips(v)+"}"))
	}
	return fmt.Sprintf(`"STATS":[{"ID":"AVA100",%s"MM ID0":%s,"MM Count":1,"Smart Speed":1,"Nonce Mask":25}],`, head, quoted(d.module(v)+" "+chips(v)))
}

// chips lists the chips' temperatures.
func chips(v plant.View) string {
	var b strings.Builder
	for i, board := range v.Boards {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "PVT_T%d[", i)
		for range board.Chips {
			fmt.Fprintf(&b, " %.0f", board.ChipTemp)
		}
		b.WriteByte(']')
	}
	return b.String()
}

// each writes one figure a board.
func each(v plant.View, format string, f func(plant.BoardView) float64) string {
	var b strings.Builder
	for i, board := range v.Boards {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, format, f(board))
	}
	return b.String()
}

// module is the text of the control module.
func (d *device) module(v plant.View) string {
	d.mu.Lock()
	mode, offAt := d.mode, d.offAt
	d.mu.Unlock()
	work, softOff := "In Work", 0
	switch v.State {
	case plant.Sleeping:
		work, softOff = "In Idle", 5
	case plant.Starting:
		work = "In Init"
	}
	hottest := 0.0
	for _, b := range v.Boards {
		if work == "In Work" {
			hottest = max(hottest, b.ChipTemp)
		}
	}
	wall := v.Power.Watts()
	out, amps := wall*0.94, 0.0
	if softOff != 0 {
		out = 0
	} else {
		amps = out / 11.88
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Ver[%s-%s] DNA[%s] MEMFREE[1392832.1] NETFAIL[0 0 0 0 0 0 0 0] SYSTEMSTATU[Work: %s, Hash Board: %d ] Elapsed[%d] BOOTBY[0x04.00000000] ",
		plainModel(v), v.Firmware, v.Serial, work, len(v.Boards), seconds(v.Uptime))
	inlet := fmt.Sprintf("Temp[%.0f]", v.Intake)
	if home(v.Model) {
		inlet = fmt.Sprintf("ITemp[%.0f] HBITemp[%.0f] HBOTemp[%.0f]", v.Intake, v.Intake+1, v.Boards[0].PCBTemp)
	}
	fmt.Fprintf(&b, "HW[0] DH[1.3%%] %s TMax[%.0f] TAvg[%.0f] ", inlet, hottest, hottest*0.9)
	for i, rpm := range v.Fans {
		fmt.Fprintf(&b, "Fan%d[%d] ", i+1, rpm)
	}
	supply := fmt.Sprintf("0 1209 1188 %.0f %.0f 1188 %.0f", amps, out, wall)
	if strings.HasPrefix(strings.ToLower(v.Model.Name), "nano") {
		supply = fmt.Sprintf("0 0 27541 4 0 3756 %.0f", wall)
	}
	fmt.Fprintf(&b, "FanR[49%%] SoftOffTime[%d] Vo[296] PS[%s] ", offAt, supply)
	mean := each(v, "%.2f", func(b plant.BoardView) float64 { return ghs(b.Hashrate) })
	fmt.Fprintf(&b, "GHSspd[%.2f] DHspd[1.3%%] GHSmm[%.2f] GHSavg[%.2f] WU[2570548.05] Freq[345.94] Led[%d] MGHS[%s] ",
		ghs(v.Hashrate), ghs(v.Model.Hashrate), ghs(v.HashrateAvg), bit(v.LED), mean)
	if !home(v.Model) {
		fmt.Fprintf(&b, "MTmax[%s] MTavg[%s] ", each(v, "%.0f", func(b plant.BoardView) float64 { return b.ChipTemp }),
			each(v, "%.0f", func(b plant.BoardView) float64 { return b.PCBTemp }))
	}
	fmt.Fprintf(&b, "TA[%d] Core[A3197S] PING[31] POWS[0] SoftOFF[%d] ECHU[%s] ECMM[0] MPO[%.0f] ADJ[1] WORKMODE[%d] WORKLEVEL[0]",
		len(v.Boards)*v.Model.ChipsPerBoard, softOff, each(v, "%.0f", func(b plant.BoardView) float64 { return float64(16 * bit(b.Dead)) }),
		limitOf(v.Model, mode).Watts(), mode)
	return b.String()
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
