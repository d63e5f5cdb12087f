package cgminer

import (
	"fmt"
	"strings"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/plant"
	"switchyard/unit"
)

const (
	slots      = 16 // places for boards in stats
	firstBoard = 6  // place of the first
	fanSlots   = 8
)

func mhs(h unit.Hashrate) float64 { return float64(h) / 1e6 }
func ghs(h unit.Hashrate) float64 { return float64(h) / 1e9 }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func quoted(s string) string { return string(face.Quote(nil, s)) }

func version(v plant.View) string {
	if v.Model.Name == nameless {
		return `"VERSION":[{"CGMiner":"4.10.0","API":"3.7"}],`
	}
	return fmt.Sprintf(`"VERSION":[{"BMMiner":"2.0.0","API":"3.1","Miner":"16.8.1.3","CompileTime":%s,"Type":%s}],`,
		quoted(v.Firmware), quoted("Antminer "+v.Model.Name))
}

// now writes the present hashrate in GH/s, as a text where the firmware does.
func (d *device) now(h unit.Hashrate) string {
	if d.texts {
		return fmt.Sprintf(`"%.2f"`, ghs(h))
	}
	return fmt.Sprintf("%.2f", ghs(h))
}

func (d *device) summary(v plant.View) string {
	if v.Model.Name == nameless {
		return fmt.Sprintf(`"SUMMARY":[{"Elapsed":%d,"MHS av":%.2f,"MHS 5s":%.2f,"MHS 1m":%.2f,"Found Blocks":0,"Accepted":%d,"Rejected":0,"Total MH":%.1f}],`,
			seconds(v.Elapsed), mhs(v.HashrateAvg), mhs(v.Hashrate), mhs(v.Hashrate), seconds(v.Elapsed)/20, mhs(v.HashrateAvg)*v.Elapsed.Seconds())
	}
	return fmt.Sprintf(`"SUMMARY":[{"Elapsed":%d,"GHS 5s":%s,"GHS av":%.2f,"Found Blocks":0,"Getworks":%d,"Accepted":%d,"Rejected":0,"Hardware Errors":3,`+
		`"Utility":4.2,"Total MH":%.1f,"Last getwork":%d}],`,
		seconds(v.Elapsed), d.now(v.Hashrate), ghs(v.HashrateAvg), seconds(v.Elapsed)/40, seconds(v.Elapsed)/20, mhs(v.HashrateAvg)*v.Elapsed.Seconds(), v.At.Unix())
}

// stats is the layout with numbered keys. The comma between its two objects is missing, as on
// the real ones.
func (d *device) stats(v plant.View) string {
	if v.Model.Name == nameless {
		return `"STATS":[{"STATS":0,"ID":"ASC0","Elapsed":1,"Calls":0,"Wait":0.0,"Max":0.0,"Min":99999999.0}],`
	}
	var b strings.Builder
	fmt.Fprintf(&b, `"STATS":[{"BMMiner":"2.0.0","Miner":"16.8.1.3","CompileTime":%s,"Type":%s}{"STATS":0,"ID":"BC50","Elapsed":%d,"Calls":0,"Wait":0.000000,`+
		`"Max":0.000000,"Min":99999999.000000,"GHS 5s":%s,"GHS av":%.2f,"miner_count":%d,"frequency":"550","fan_num":%d,`,
		quoted(v.Firmware), quoted("Antminer "+v.Model.Name), seconds(v.Elapsed), d.now(v.Hashrate), ghs(v.HashrateAvg), len(v.Boards), len(v.Fans))
	for i := 1; i <= fanSlots; i++ {
		rpm := 0
		if n := i/3 - 1; i%3 == 0 && n < len(v.Fans) { // at 3 and 6
			rpm = v.Fans[n]
		}
		fmt.Fprintf(&b, `"fan%d":%d,`, i, rpm)
	}
	each := func(format string, f func(plant.BoardView) any, none any) {
		for i := 1; i <= slots; i++ {
			if n := i - firstBoard; n >= 0 && n < len(v.Boards) && !v.Boards[n].Dead {
				fmt.Fprintf(&b, format, i, f(v.Boards[n]))
				continue
			}
			fmt.Fprintf(&b, format, i, none)
		}
	}
	fmt.Fprintf(&b, `"temp_num":%d,`, len(v.Boards))
	each(`"temp%d":%v,`, func(b plant.BoardView) any { return int(b.PCBTemp) }, 0)
	each(`"temp2_%d":%v,`, func(b plant.BoardView) any { return int(b.ChipTemp) }, 0)
	fmt.Fprintf(&b, `"total_rateideal":%.2f,"total_acn":%d,"total_rate":%.2f,"temp_max":0,"no_matching_work":3,`, ghs(v.Model.Hashrate), 0, ghs(v.Hashrate))
	each(`"chain_acn%d":%v,`, func(b plant.BoardView) any { return b.Chips }, 0)
	each(`"chain_acs%d":"%v",`, func(b plant.BoardView) any { return strings.Repeat(" oooooooo", b.Chips/8) }, "")
	each(`"chain_rate%d":"%v",`, func(b plant.BoardView) any { return fmt.Sprintf("%.2f", ghs(b.Hashrate)) }, "")
	fmt.Fprintf(&b, `"miner_version":"16.8.1.3","miner_id":%s}],`, quoted(v.Serial))
	return b.String()
}

func devs(v plant.View) string {
	var b strings.Builder
	b.WriteString(`"DEVS":[`)
	for i, board := range v.Boards {
		if i > 0 {
			b.WriteByte(',')
		}
		state, rate := "Alive", 0.0
		if board.Dead {
			state = "Dead"
		}
		if v.Model.Name == nameless { // the others never fill it
			rate = mhs(board.Hashrate)
		}
		fmt.Fprintf(&b, `{"ASC":%d,"Name":"BTM","ID":%d,"Enabled":"Y","Status":"%s","Temperature":%.2f,"MHS av":%.2f,"MHS 5s":%.2f,"Device Elapsed":%d}`,
			i, i, state, board.PCBTemp, rate, rate, seconds(v.Elapsed))
	}
	return b.String() + "],"
}

func (d *device) pools(v plant.View) string {
	d.mu.Lock()
	active := min(d.active, len(v.Pools)-1)
	d.mu.Unlock()
	var b strings.Builder
	b.WriteString(`"POOLS":[`)
	for i, p := range v.Pools {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"POOL":%d,"URL":%s,"Status":"Alive","Priority":%d,"Quota":1,"Long Poll":"N","Accepted":0,"Rejected":0,"User":%s,"Last Share Time":"0:00:05",`+
			`"Diff":"16.4K","Has Stratum":true,"Stratum Active":%t,"Stratum URL":%s,"Has GBT":false,"Pool Stale%%":0.0000}`,
			i, quoted(p.URL), i, quoted(p.Worker), i == active && v.State == plant.Hashing, quoted(p.URL))
	}
	return b.String() + "],"
}
