package mara

import (
	"encoding/json"
	"fmt"
	"time"

	"switchyard/emulate/plant"
	"switchyard/site"
)

// ghs is a rate in GH/s.
func ghs(h float64) float64 { return h / 1e9 }

// status is the firmware's word for what it does.
func status(v plant.View) string {
	switch {
	case v.Mode == site.ModeSleep:
		return "Sleep"
	case v.State == site.StateFault:
		return "Failure"
	case v.Hashrate > 0:
		return "Mining"
	}
	return "Starting"
}

func (d *device) brief(v plant.View) object {
	o := object{
		"status": status(v), "status_long": status(v), "indicator": "", "indicator_long": "", "hashrate_unit": "TH/s",
		"hashrate_realtime": ghs(float64(v.Hashrate)) / 1e3, "hashrate_average": ghs(float64(v.HashrateAvg)) / 1e3,
		"hashrate_ideal": ghs(float64(v.Model.Hashrate)), "hashrate_ideal_unit": "GH/s",
		"elapsed": int(v.Elapsed / time.Second), "power_source": "EST", "power_indicator": 0,
	}
	if v.ReportsPower {
		o["power_consumption_estimated"] = int(v.Power.Watts())
	}
	hottest := 0.0
	for _, b := range v.Boards {
		hottest = max(hottest, b.ChipTemp)
	}
	o["temperature_max"] = hottest
	return o
}

func overview(v plant.View) object {
	return object{
		"model": "Antminer " + v.Model.Name, "model_extended": "Antminer " + v.Model.Name, "mac": v.MAC, "version_firmware": v.Firmware,
		"control_board": "CVCtrl", "serial_number": v.Serial, "hostname": "miner", "ip": v.IP, "uptime": int(v.Uptime / time.Second),
	}
}

func hashboards(v plant.View) object {
	all := []object{}
	for i, b := range v.Boards {
		o := object{
			"index": i, "asic_num": b.Chips, "asic_num_ideal": v.Model.ChipsPerBoard, "serial_number": fmt.Sprintf("%s%d", v.Serial, i),
			"hashrate_average": ghs(float64(b.Hashrate)), "hashrate_average_unit": "GH/s", "status": "Mining", "description": "",
			"temperature_pcb": []float64{b.PCBTemp - 6, b.PCBTemp}, "temperature_chip": []float64{b.ChipTemp - 8, b.ChipTemp},
		}
		if b.Dead {
			o["status"], o["temperature_pcb"], o["temperature_chip"] = "Failure", []float64{0, 0}, []float64{0, 0}
		}
		all = append(all, o)
	}
	return object{"hashboard_num_ideal": len(v.Boards), "hashboards": all}
}

func fans(v plant.View) object {
	all := []object{}
	for i, rpm := range v.Fans {
		all = append(all, object{"index": i, "current_speed": rpm, "max_speed": 7000})
	}
	return object{"fans": all}
}

func pools(v plant.View) []object {
	all := []object{}
	for i, p := range v.Pools {
		state := "Dead"
		if p.Active {
			state = "Alive"
		}
		all = append(all, object{"index": i, "url": p.URL, "user": p.Worker, "status": state, "priority": i, "accepted": 0, "rejected": 0})
	}
	return all
}

// request is what a client may say to the RPC port.
type request struct {
	Command string `json:"command"`
}

func parseRequest(body []byte) (request, error) {
	var q request
	if err := json.Unmarshal(body, &q); err != nil {
		return q, fmt.Errorf("read request: %w", err)
	}
	return q, nil
}

func rpcStatus(v plant.View, letter string, code int, msg string) []object {
	return []object{{"STATUS": letter, "When": v.At.Unix(), "Code": code, "Msg": msg, "Description": "kaonsu-old-api 1.0.0"}}
}

// command answers one RPC command: the firmware keeps what the maker's own tools read.
func command(v plant.View, body []byte) object {
	q, err := parseRequest(body)
	if err != nil {
		return object{"STATUS": rpcStatus(v, "E", 23, "Invalid JSON"), "id": 1}
	}
	head := object{"BMMiner": "MaraFW " + v.Firmware, "Type": "Antminer " + v.Model.Name, "Model": "Antminer " + v.Model.Name}
	switch q.Command {
	case "version":
		return object{"STATUS": rpcStatus(v, "S", 22, "CGMiner versions"), "VERSION": []object{head}, "id": 1}
	case "summary":
		return object{"STATUS": rpcStatus(v, "S", 11, "Summary"), "id": 1, "SUMMARY": []object{{
			"Elapsed": int(v.Elapsed / time.Second), "GHS 5s": ghs(float64(v.Hashrate)), "GHS av": ghs(float64(v.HashrateAvg)), "Accepted": 0,
		}}}
	case "stats":
		return object{"STATUS": rpcStatus(v, "S", 70, "CGMiner stats"), "id": 1, "STATS": []object{head, {
			"STATS": 0, "Elapsed": int(v.Elapsed / time.Second), "GHS 5s": ghs(float64(v.Hashrate)), "GHS av": ghs(float64(v.HashrateAvg)),
			"fan_num": len(v.Fans),
		}}}
	case "pools":
		list := []object{}
		for i, p := range v.Pools {
			list = append(list, object{"POOL": i, "URL": p.URL, "User": p.Worker, "Status": "Alive", "Priority": i, "Stratum Active": p.Active})
		}
		return object{"STATUS": rpcStatus(v, "S", 7, "Pool(s)"), "POOLS": list, "id": 1}
	}
	return object{"STATUS": rpcStatus(v, "E", 14, "Invalid command"), "id": 1}
}
