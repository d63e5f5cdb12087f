package sealminer

import (
	"strconv"
	"time"

	"switchyard/emulate/plant"
)

func mhs(h float64) float64 { return h / 1e6 }

// pmState is the firmware's word for what its power management does.
func pmState(v plant.View) string {
	switch {
	case v.Mode == plant.ModeSleep:
		return "Suspend"
	case v.State == plant.Starting || v.State == plant.Sleeping:
		return "Booting"
	}
	return "Running"
}

func (d *device) stats(v plant.View) object {
	rate, rated := mhs(float64(v.Hashrate)), mhs(float64(v.Model.Hashrate))
	o := object{
		"STATS": 0, "ID": "A20", "Elapsed": int(v.Elapsed / time.Second), "Calls": 0, "Wait": 0.0, "Max": 0.0, "Min": 99999999.0,
		"Model": v.Model.Name, "ASIC": "Seal02-V1", "Firmware": v.Firmware, "Software Version": "4.11.1-08690-gd309fbe0", "IP": v.IP, "MAC": v.MAC,
		"Ctrl Board": "taurus_air_v1.1", "Ctrl Board SN": v.Serial, "Debug": true, "PM State": pmState(v), "Chip Count": v.Model.ChipsPerBoard * len(v.Boards),
		"Bad Chip Count": 0, "Mining Mode": d.modeName(), "Temp": 70, "Error Chip": "", "Stratum Disconnect": false, "Error Code": "",
		"Tune Status": "Fine Tuning Done", "Liquid Cooling": liquid(v), "System Uptime": int(v.Uptime / time.Second), "Target Ctrl Temp": 70,
		"MHS(Rated)": rated, "MHS(Ideal)": rated, "MHS(Sample)": rate, "MHS(30s)": rate, "MHS(1m)": rate, "MHS(Avg)": mhs(float64(v.HashrateAvg)),
		"Power Limit": int(v.Model.Nameplate.Watts()), "PSU Model": "BTPSU04KSA-03.00", "PSU Error": "0x00000000", "PSU Fan Speed": 4408,
		"PSU Temp AMB": int(v.Intake), "PSU Efficiency": 0.92, "Fan Count": len(v.Fans), "Board Count": len(v.Boards),
	}
	if v.ReportsPower {
		o["PSU Input Power"], o["PSU Output Power"] = int(v.Power.Watts()), int(v.Power.Watts()*0.92)
	}
	for i, rpm := range v.Fans {
		o[strconv.Itoa(i)+" PWM"], o[strconv.Itoa(i)+" Speed"] = 112, rpm
	}
	for i, b := range v.Boards {
		n := strconv.Itoa(i)
		o[n+" SN"], o[n+" Online"], o[n+" Bad Chip Count"] = v.Serial+n, !b.Dead, 0
		o[n+" Chip Count"], o[n+" MHS(Ideal)"], o[n+" MHS(Sample)"] = b.Chips, rated/float64(len(v.Boards)), mhs(float64(b.Hashrate))
		for t, off := range []float64{15, 18, 0, 2} {
			o[n+" Temp "+strconv.Itoa(t)] = int(b.PCBTemp - off)
		}
	}
	if v.State == plant.Faulty {
		o["Error Code"] = "0x0203"
	}
	return o
}

func summary(v plant.View) object {
	return object{
		"Elapsed": int(v.Elapsed / time.Second), "MHS av": mhs(float64(v.HashrateAvg)), "MHS 5s": mhs(float64(v.Hashrate)), "MHS 1m": mhs(float64(v.Hashrate)),
		"Accepted": int(v.Elapsed / (12 * time.Second)), "Rejected": 0, "Hardware Errors": 0, "Last getwork": v.At.Unix(),
	}
}

func pools(v plant.View) []object {
	all := []object{}
	for i, p := range v.Pools {
		all = append(all, object{
			"POOL": i, "URL": p.URL, "Status": "Alive", "Priority": i, "Quota": 1, "Long Poll": "N", "Getworks": 84, "Accepted": 0, "Rejected": 0,
			"User": p.Worker, "Has Stratum": true, "Stratum Active": p.Active, "Stratum URL": p.URL, "Best Share": 0,
		})
	}
	return all
}
