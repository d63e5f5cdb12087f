package proto

import (
	"fmt"
	"math"
	"strings"
	"time"

	"switchyard/emulate/plant"
)

type object = map[string]any

func terahash(v plant.View) float64 { return v.Hashrate.TH() }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// bounds are the least and the greatest power target in W.
func bounds(v plant.View) (low, high int64) {
	return int64(math.Ceil(v.Model.MinWatts.Watts())), int64(math.Floor(v.Model.MaxWatts.Watts()))
}

func watts(v plant.View) int64 {
	if v.Limit > 0 {
		return int64(math.Round(v.Limit.Watts()))
	}
	return int64(math.Round(v.Model.Nameplate.Watts()))
}

func target(v plant.View) object {
	low, high := bounds(v)
	return object{
		"power_target_watts": watts(v), "performance_mode": "MaximumHashrate", "balance_bays": false, "power_target_min_watts": low,
		"power_target_max_watts": high, "default_power_target_watts": int64(v.Model.Nameplate.Watts()), "hash_on_disconnect": false,
	}
}

// open answers what needs no login.
func (d *device) open(call string, v plant.View) (any, bool) {
	switch call {
	case "GET system":
		return system(v), true
	case "GET system/status":
		_, password := d.m.Credentials()
		return object{"onboarded": true, "password_set": password != ""}, true
	case "GET network":
		return object{"network-info": object{
			"dhcp": true, "gateway": "127.0.0.1", "hostname": hostname(v), "ip_address": v.IP, "mac": strings.ToUpper(v.MAC), "netmask": "255.255.255.0",
		}}, true
	case "GET pairing/info":
		return object{"mac": strings.ToUpper(v.MAC), "cb_sn": v.Serial}, true
	case "GET hardware":
		return hardware(v), true
	}
	return nil, false
}

// read answers what needs a token and changes nothing.
func (d *device) read(call, level string, v plant.View) (any, bool) {
	switch call {
	case "GET mining":
		return mining(v), true
	case "GET mining/target":
		return target(v), true
	case "GET telemetry":
		return telemetry(v, level), true
	case "GET cooling":
		return cooling(v), true
	case "GET pools":
		return pools(v), true
	case "GET errors":
		return faults(v), true
	}
	return nil, false
}

func hostname(v plant.View) string {
	return "proto-miner-" + strings.ToLower(strings.ReplaceAll(v.MAC[max(0, len(v.MAC)-5):], ":", ""))
}

func software(name, version string) object { return object{"name": name, "version": version} }

func system(v plant.View) object {
	fw := v.Firmware
	return object{"system-info": object{
		"board": "C3", "cb_sn": v.Serial, "hashboard_firmware": software("hashboard-fw", fw), "manufacturer": "Proto",
		"mining_driver_sw": software("mcdd", fw), "model": v.Model.Name,
		"os":                object{"git_hash": "abc123def456", "hostname": hostname(v), "name": "ProtoOS", "variant": "release", "version": fw},
		"pool_interface_sw": software("stratum-client", fw), "product_name": "Proto " + v.Model.Name, "soc": "STM32MP157F",
		"sw_update_status": object{"current_version": fw, "status": "current"}, "uptime_seconds": seconds(v.Uptime),
		"web_dashboard": software("miner-web", fw), "web_server": software("miner-api-server", fw),
	}}
}

func boardSerial(v plant.View, i int) string { return fmt.Sprintf("HB-%s-%d", v.Serial, i) }

func psuSerial(v plant.View, i int) string { return fmt.Sprintf("PSU-%s-%d", v.Serial, i) }

// psus is how many power supplies a rig has.
const psus = 3

func hardware(v plant.View) object {
	boards, fans, supplies := []object{}, []object{}, []object{}
	for i := range v.Boards {
		boards = append(boards, object{
			"board": "B4_128", "chip_id": "MC2", "hb_sn": boardSerial(v, i), "mining_asic": "MC2", "mining_asic_count": v.Model.ChipsPerBoard,
			"port": i, "slot": i + 1,
		})
	}
	for i := range v.Fans {
		fans = append(fans, object{"max_rpm": 6600, "min_rpm": 1000, "name": fmt.Sprint("Fan ", i+1), "slot": i + 1})
	}
	for i := range psus {
		supplies = append(supplies, object{
			"firmware": object{"app_version": "1.2.0", "bootloader_version": "1.0.0"}, "hw_revision": "v1.0", "manufacturer": "Chicony",
			"model": "S24", "psu_sn": psuSerial(v, i), "slot": i + 1,
		})
	}
	return object{"hardware-info": object{
		"cb-info":   object{"board_id": "8", "machine_name": "c3-p1", "serial_number": v.Serial},
		"fans-info": fans, "hashboards-info": boards, "psus-info": supplies,
	}}
}

func status(v plant.View) string {
	switch {
	case v.Mode == plant.ModeSleep && v.Hashrate > 0:
		return "PoweringOff"
	case v.Mode == plant.ModeSleep:
		return "Stopped"
	case v.State == plant.Faulty:
		return "Error"
	case v.State == plant.Starting:
		return "PoweringOn"
	}
	for _, b := range v.Boards {
		if b.Dead {
			return "DegradedMining"
		}
	}
	return "Mining"
}

// efficiency in J/TH; 0 while nothing is hashed.
func efficiency(v plant.View) float64 {
	if terahash(v) < 1 {
		return 0
	}
	return v.Power.Watts() / terahash(v)
}

func mining(v plant.View) object {
	chips, boards, live := 0.0, 0.0, 0
	for _, b := range v.Boards {
		chips, boards = chips+b.ChipTemp/float64(len(v.Boards)), boards+b.PCBTemp/float64(len(v.Boards))
		if !b.Dead && v.State == plant.Hashing {
			live++
		}
	}
	s := object{
		"average_asic_temp_c": chips, "average_hashrate_ghs": v.HashrateAvg.TH() * 1000, "average_hb_efficiency_jth": efficiency(v),
		"average_hb_temp_c": boards, "hashboards_installed": len(v.Boards), "hashboards_mining": live, "hashrate_ghs": terahash(v) * 1000,
		"hw_errors": 0, "ideal_hashrate_ghs": v.Model.Hashrate.TH() * 1000, "mining_uptime_s": seconds(v.Elapsed), "power_efficiency_jth": efficiency(v),
		"power_target_watts": watts(v), "reboot_uptime_s": seconds(v.Uptime), "status": status(v),
	}
	if v.ReportsPower {
		s["power_usage_watts"] = v.Power.Watts()
	}
	return object{"mining-status": s}
}

func value(f float64, unit string) object { return object{"value": f, "unit": unit} }

const celsius = "°C"

// telemetry answers with the levels that were asked for.
func telemetry(v plant.View, level string) object {
	if level == "" {
		level = "miner"
	}
	has := func(name string) bool {
		for one := range strings.SplitSeq(level, ",") {
			if one == name {
				return true
			}
		}
		return false
	}
	out := object{"timestamp": v.At.UTC().Format(time.RFC3339)}
	if has("miner") {
		temp := 0.0
		for _, b := range v.Boards {
			temp += b.PCBTemp / float64(len(v.Boards))
		}
		miner := object{"efficiency": value(efficiency(v), "J/TH"), "hashrate": value(terahash(v), "TH/s"), "temperature": value(temp, celsius)}
		if v.ReportsPower {
			miner["power"] = value(v.Power.Watts(), "W")
		}
		out["miner"] = miner
	}
	if has("hashboard") || has("asic") {
		out["hashboards"] = hashboards(v, has("asic"))
	}
	if has("psu") {
		out["psus"] = supplies(v)
	}
	return out
}

func hashboards(v plant.View, asics bool) []object {
	boards := []object{}
	for i, b := range v.Boards {
		share := v.Power.Watts() * 0.94 / float64(len(v.Boards))
		one := object{
			"current": value(share/14, "A"), "efficiency": value(efficiency(v), "J/TH"), "hashrate": value(b.Hashrate.TH(), "TH/s"), "index": i,
			"power": value(share, "W"), "serial_number": boardSerial(v, i), "voltage": value(14, "V"),
			"temperature": object{"average": b.PCBTemp - 5, "inlet": math.Max(v.Intake+3, b.PCBTemp-12), "outlet": b.PCBTemp, "unit": celsius},
		}
		if asics {
			n := v.Model.ChipsPerBoard
			rates, temps := make([]float64, n), make([]float64, n)
			for k := range n {
				rates[k], temps[k] = b.Hashrate.TH()/float64(n), b.ChipTemp-float64(k%7)/2
			}
			one["asics"] = object{"hashrate": object{"unit": "TH/s", "values": rates}, "temperature": object{"unit": celsius, "values": temps}}
		}
		boards = append(boards, one)
	}
	return boards
}

func supplies(v plant.View) []object {
	all := []object{}
	for i := range psus {
		in := v.Power.Watts() / psus
		all = append(all, object{
			"current": object{"input": in / 240, "output": in * 0.94 / 14, "unit": "A"}, "index": i, "power": object{"input": in, "output": in * 0.94, "unit": "W"},
			"serial_number": psuSerial(v, i), "temperature": object{"ambient": v.Intake + 5, "average": v.Intake + 12, "hotspot": v.Intake + 20, "unit": celsius},
			"voltage": object{"input": 240.0, "output": 14.0, "unit": "V"},
		})
	}
	return all
}

func cooling(v plant.View) object {
	fans := []object{}
	for i, rpm := range v.Fans {
		fans = append(fans, object{"rpm": rpm, "slot": i + 1, "speed_percentage": min(rpm*100/6600, 100)})
	}
	return object{"cooling-status": object{"fan_mode": "Auto", "fans": fans, "speed_percentage": 60, "target_temperature_c": 50}}
}

func pools(v plant.View) object {
	all := []object{}
	for i, p := range v.Pools {
		state := "Idle"
		if p.Active {
			state = "Active"
		}
		all = append(all, object{
			"accepted": seconds(v.Elapsed) / 9, "connection_status": state, "difficulty": "1048576", "enabled": true, "id": i, "name": fmt.Sprint("Pool ", i+1),
			"priority": i, "rejected": 0, "status": state, "url": p.URL, "user": p.Worker,
		})
	}
	return object{"pools": all}
}

func faults(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		if b.Dead {
			all = append(all, object{
				"source": "hashboard", "slot": i + 1, "error_code": "HashboardNotDetected", "timestamp": v.At.Add(-v.Elapsed).Unix(),
				"message": fmt.Sprintf("Hashboard %d does not answer", i+1),
			})
		}
	}
	return all
}
