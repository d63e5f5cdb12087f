package epic

import (
	"strconv"
	"time"

	"switchyard/emulate/plant"
)

const poolLatency = 21.5 // ms

// state is the firmware's word.
func state(v plant.View) string {
	switch {
	case v.State == plant.Faulty:
		return "Idling"
	case v.Mode == plant.ModeSleep && v.State != plant.Sleeping:
		return "Stopping"
	case v.Mode == plant.ModeRun && v.State == plant.Sleeping:
		return "Initializing"
	case v.State == plant.Sleeping:
		return "Idling"
	case v.State == plant.Starting:
		return "Initializing"
	}
	return "Mining"
}

func (d *device) status(v plant.View) object {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	s := object{"Operating State": state(v), "Last Command": last, "Last Command Result": nil, "Last Error": nil}
	if v.State == plant.Faulty {
		s["Last Error"] = object{"Chainbreak": []int{0, 1, 2}}
	}
	return s
}

func mhs(h float64) float64 { return h / 1e6 }

func (d *device) summary(v plant.View) object {
	d.mu.Lock()
	unique := d.unique
	d.mu.Unlock()
	s := object{
		"Status": d.status(v), "Hostname": v.ID, "PresetInfo": object{"Target Power": 0}, "Software": v.Firmware, "OS Type": "Linux",
		"Mining":  object{"Coin": "BTC", "Algorithm": "SHA-256"},
		"Session": session(v), "HBs": boards(v), "HBStatus": boardStatus(v), "Fans": object{"Fans Speed": 70, "Fan Mode": object{"Auto": object{"Target Temperature": 60, "Idle Speed": 20}}},
		"Fans Rpm":             fans(v),
		"Misc":                 object{"Locate Miner State": v.LED, "Shutdown Temp": 95.0, "Critical Temp": 100.0},
		"PerpetualTune":        object{"Running": true, "Algorithm": d.algorithm(v)},
		"Power Supply Stats":   supply(v),
		"IdleOnConnectionLost": true, "Overdrive": false, "Disable Board On Failure": false,
	}
	stratum := object{
		"Config Id": 0, "Current Pool": "", "Current User": "", "IsPoolConnected": false, "Average Latency": poolLatency,
		"Worker Unique Id": unique, "Worker Unique Id Variant": "IpAddress",
	}
	configs := []object{}
	for i, p := range v.Pools {
		configs = append(configs, object{"pool": p.URL, "login": p.Worker, "password": "x"})
		if p.Active {
			stratum["Config Id"], stratum["Current Pool"], stratum["Current User"], stratum["IsPoolConnected"] = i, p.URL, p.Worker, true
		}
	}
	s["Stratum"], s["StratumConfigs"] = stratum, configs
	if v.State == plant.Sleeping {
		s["HBs"] = nil
	}
	return s
}

// supply is null where the supply tells the control board nothing.
func supply(v plant.View) any {
	if !v.ReportsPower {
		return nil
	}
	return object{
		"Input Voltage": 230.0, "Output Voltage": 14.2, "Input Current": v.Power.Watts() / 230, "Output Current": v.Power.Watts() / 15,
		"Input Power": v.Power.Watts(), "Output Power": v.Power.Watts() * 0.95, "Target Voltage": 14200,
	}
}

func session(v plant.View) object {
	shares := int(v.Elapsed / (12 * time.Second))
	return object{
		"Startup Timestamp": v.At.Add(-v.Uptime).Unix(), "Startup String": v.At.Add(-v.Uptime).UTC().Format(time.DateTime), "Uptime": int(v.Uptime / time.Second),
		"WorkReceived": shares, "Active HBs": len(v.Boards), "Average MHs": mhs(float64(v.HashrateAvg)), "LastAverageMHs": nil,
		"Accepted": shares, "Rejected": 0, "Submitted": shares, "Difficulty": 524288.0,
	}
}

func boards(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		if b.Dead {
			continue
		}
		all = append(all, object{
			"Index": i, "Input Voltage": 14.2, "Output Voltage": 0.3, "Input Current": 70.0, "Output Current": 70.0,
			"Input Power": v.Power.Watts() / float64(len(v.Boards)), "Output Power": v.Power.Watts() / float64(len(v.Boards)),
			"Temperature": b.PCBTemp, "Core Clock": []float64{525}, "Core Clock Avg": 525.0, "Hashrate": []float64{mhs(float64(b.Hashrate)), 99.5, 1},
		})
	}
	return all
}

func boardStatus(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		all = append(all, object{"Index": i, "Enabled": !b.Dead, "Detected": true})
	}
	return all
}

func fans(v plant.View) object {
	all := object{}
	for i, rpm := range v.Fans {
		all["Fans Speed "+strconv.Itoa(i+1)] = rpm
	}
	return all
}

// algorithm is the one in force with its target.
func (d *device) algorithm(v plant.View) object {
	d.mu.Lock()
	algo, target := d.algo, d.target
	d.mu.Unlock()
	stats := object{"Optimized": true, "Target": int64(target.Watts()), "Throttle Target": nil, "Min Throttle Target": nil, "Throttle Step": nil, "Unit": "W"}
	if algo != "Power" {
		stats["Target"], stats["Unit"] = int64(v.Model.Hashrate.TH()), "TH/s"
	}
	return object{algo: stats}
}

func (d *device) tune(v plant.View) object {
	all := d.algorithm(v)
	for name := range all {
		return object{"Enable": true, "Running": true, "Current Algorithm": name, "Algorithms": all}
	}
	return object{}
}

func capabilities(v plant.View) object {
	serials := []string{}
	for i := range v.Boards {
		serials = append(serials, v.Serial+"B"+strconv.Itoa(i))
	}
	lo, hi := watts(v)
	return object{
		"Model": v.Model.Make + " " + v.Model.Name, "Model Subtype": "", "Chip Type": "BM1362", "Max HBs": len(v.Boards), "Coins": []string{"BTC"},
		"Control Board Version": object{"cpuHardware": "ePIC UMC", "cpuSerial": v.Serial}, "Board Serial Numbers": serials, "Display": []string{},
		"Default Clock": 525, "Default Voltage": 14200, "Default Hashrate": v.Model.Hashrate.TH(),
		"Performance Estimator": object{"Chip Count": v.Model.ChipsPerBoard, "Hashes Per Second Per Chip": 500.0},
		"PerpetualTune": []object{
			{"algorithm": "ChipTune", "name": "Chip Tune", "description": "tunes each chip to a hashrate", "min": 20, "max": int64(v.Model.Hashrate.TH() * 1.2)},
			{"algorithm": "Power", "name": "Power Tune", "description": "tunes to a power", "min": lo, "max": hi},
		},
		"Psu Info":         object{"PSU Type": 116, "FW": 1, "Min Vout": 11877, "Max Vout": 15182, "True Power": true},
		"Temp Sensor Info": object{"Type": "Chip", "Count": 4},
		"Tune Presets":     []object{{"voltage": 13800, "clk": 525, "hashrate": v.Model.Hashrate.TH(), "power": int64(v.Model.Nameplate.Watts())}},
	}
}

// hashrate is by board and chip, in MH/s.
func hashrate(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		total := mhs(float64(b.Hashrate))
		all = append(all, object{"Index": i, "Data": [][]float64{}, "Total": []float64{total, 99.5, 1}})
	}
	return all
}

func chipTemps(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		if !b.Dead {
			all = append(all, object{"Index": i, "Data": []float64{b.ChipTemp - 6, b.ChipTemp, b.ChipTemp - 3}, "Total": 0.0})
		}
	}
	return all
}
