package vnish

import (
	"fmt"
	"strings"
	"time"

	"switchyard/emulate/plant"
)

func hex32(h uint64) string { return fmt.Sprintf("%016x%016x", h, h*0x9e3779b97f4a7c15) }

func name(v plant.View) string { return v.Model.Make + " " + v.Model.Name }

// code is the model as the firmware numbers it: "s19jpro".
func code(v plant.View) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(v.Model.Name))
}

// uptime is that of the system, as its shell prints it.
func uptime(d time.Duration) string {
	minutes := int(d / time.Minute)
	days, hours, minutes := minutes/1440, minutes/60%24, minutes%60
	if days == 0 {
		return fmt.Sprintf("%2d:%02d", hours, minutes)
	}
	return fmt.Sprintf("%d days, %2d:%02d", days, hours, minutes)
}

func info(v plant.View) object {
	return object{
		"miner": name(v), "model": code(v), "fw_name": "Vnish", "fw_version": v.Firmware,
		"build_uuid": "00000000-0000-4000-8000-000000000000", "build_name": "vnishnet", "platform": "aml",
		"install_type": "nand", "build_time": "2025-06-01 10:00:00+00:00", "algorithm": "sha256d", "hr_measure": "GH/s",
		"system": object{
			"os": "GNU/Linux", "miner_name": code(v), "file_system_version": "", "mem_total": 233712, "mem_free": 173956,
			"mem_free_percent": 74, "mem_buf": 31928, "mem_buf_percent": 13, "uptime": uptime(v.Uptime),
			"network_status": object{
				"mac": strings.ToUpper(v.MAC), "dhcp": true, "ip": v.IP, "netmask": "255.255.255.0", "gateway": "192.0.2.1",
				"dns": []string{"192.0.2.1"}, "hostname": v.ID,
			},
		},
		"serial": v.Serial,
	}
}

func modelInfo(v plant.View) object {
	return object{
		"full_name": name(v), "model": code(v), "algorithm": "sha256d", "series": "x19", "platform": "aml", "install_type": "nand",
		"hr_measure": "GH/s", "serial": v.Serial,
		"chain":   object{"chips_per_chain": v.Model.ChipsPerBoard, "chips_per_domain": 2, "num_chains": v.Model.Boards},
		"cooling": object{"min_fan_pwm": 10, "min_target_temp": 20, "max_target_temp": 90},
		"overclock": object{
			"max_voltage": 1535, "min_voltage": 1200, "default_voltage": 1380, "max_freq": 1000, "min_freq": 50,
			"default_freq": 675, "warn_freq": 850, "max_voltage_stock_psu": 1500, "power_metering": false, "max_power_limit": 5000,
		},
	}
}

// state is what the firmware calls the miner's state.
func (d *device) state(v plant.View) object {
	d.mu.Lock()
	tuning, throttle := !d.tuning.IsZero(), d.throttle
	d.mu.Unlock()
	s := object{"miner_state": "mining", "miner_state_time": int(v.Elapsed / time.Second), "throttled": throttle}
	switch {
	case v.Mode == plant.ModeSleep && v.State != plant.Sleeping:
		s["miner_state"], s["miner_state_time"] = "shutting-down", 0
	case v.Mode == plant.ModeRun && v.State == plant.Sleeping:
		s["miner_state"], s["miner_state_time"] = "starting", 0
	case v.State == plant.Sleeping:
		s["miner_state"], s["miner_state_time"] = "stopped", 0
	case v.State == plant.Starting:
		s["miner_state"] = "initializing"
	case v.State == plant.Faulty:
		s["miner_state"], s["description"], s["failure_code"] = "failure", "All chains are broken", 1101
	case tuning:
		s["miner_state"] = "auto-tuning"
	}
	return s
}

func (d *device) status(v plant.View, unlocked bool) object {
	s := d.state(v)
	s["find_miner"], s["restart_required"], s["reboot_required"], s["unlocked"] = v.LED, false, false, unlocked
	return s
}

func temps(lo, hi float64) object { return object{"min": int(lo), "max": int(hi)} }

func (d *device) summary(v plant.View) object {
	gh, mean := float64(v.Hashrate)/1e9, float64(v.HashrateAvg)/1e9
	stock := float64(v.Model.Hashrate) / 1e9
	s := object{
		"miner_status": d.state(v), "miner_type": name(v) + " (Vnish " + v.Firmware + ")",
		"hr_stock": stock, "average_hashrate": mean / 1e3, "instant_hashrate": gh / 1e3,
		"hr_realtime": gh, "hr_nominal": stock, "hr_average": mean,
		"pcb_temp": temps(40, 60), "chip_temp": temps(50, 75),
		"hw_errors_percent": 0.0, "hr_error": 0.0, "hw_errors": 0, "devfee_percent": 2.8, "devfee": gh * 0.028,
		"pools": pools(v), "cooling": cooling(v), "chains": chains(v),
		"found_blocks": 0, "best_share": 198441277, "restart_count": 0,
		"psu": object{"psu_power_metering": false},
	}
	if v.ReportsPower {
		s["power_consumption"], s["power_usage"], s["power_efficiency"] = int(v.Power.Watts()), int(v.Power.Watts()), 29.5
	}
	return s
}

func pools(v plant.View) []object {
	all := []object{}
	for i, p := range v.Pools {
		status := "working"
		if p.Active {
			status = "active"
		}
		all = append(all, object{
			"id": i, "url": strings.TrimPrefix(p.URL, "stratum+tcp://"), "pool_type": "UserPool", "user": p.Worker, "status": status,
			"asic_boost": true, "diff": "131K", "accepted": int(v.Elapsed / (12 * time.Second)), "rejected": 0, "stale": 0,
			"ls_diff": 131072.0, "ls_time": "0:00:11", "diffa": 0.0, "ping": 19,
		})
	}
	return append(all, object{
		"id": len(all), "url": "DevFee", "pool_type": "DevFee", "user": "DevFee", "status": "working", "asic_boost": false, "diff": "2.05K",
		"accepted": 0, "rejected": 0, "stale": 0, "ls_diff": 0.0, "ls_time": "0", "diffa": 0.0, "ping": 0,
	})
}

func cooling(v plant.View) object {
	fans := []object{}
	for i, rpm := range v.Fans {
		status := "ok"
		if rpm == 0 {
			status = "lost"
		}
		fans = append(fans, object{"id": i, "rpm": rpm, "status": status, "max_rpm": 7200})
	}
	return object{"fan_num": len(fans), "fans": fans, "settings": object{"mode": object{"name": "auto", "param": 60}}, "fan_duty": 70}
}

func chains(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		state := object{"state": "mining"}
		switch {
		case b.Dead:
			state = object{"state": "failure", "description": "Chain break"}
		case v.State == plant.Sleeping:
			state = object{"state": "stopped"}
		case v.State == plant.Starting:
			state = object{"state": "initializing"}
		}
		gh := float64(b.Hashrate) / 1e9
		all = append(all, object{
			"id": i + 1, "frequency": 525.0, "voltage": 13600, "power_consumption": int(v.Power.Watts()) / max(len(v.Boards), 1),
			"hashrate_ideal": gh, "hashrate_rt": gh, "hashrate_percentage": 100.0, "hr_error": 0.0, "hw_errors": 0,
			"pcb_temp": temps(b.PCBTemp-8, b.PCBTemp), "chip_temp": temps(b.ChipTemp-8, b.ChipTemp),
			"chip_statuses": object{"red": 0, "orange": 0, "grey": b.Chips}, "status": state,
		})
	}
	return all
}

func (d *device) inForce() preset {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.presets {
		if p.Name == d.current {
			return p
		}
	}
	return preset{Name: disabled, Pretty: "Disabled", Status: "untuned"}
}

func (d *device) perfSummary() object {
	return object{
		"current_preset":  d.inForce(),
		"preset_switcher": object{"enabled": false, "top_preset": nil, "decrease_temp": 75, "rise_temp": 55, "check_time": 300},
	}
}

func (d *device) settings(v plant.View) object {
	told := make([]pool, 3)
	for i, p := range v.Pools {
		if i < len(told) {
			told[i] = pool{URL: strings.TrimPrefix(p.URL, "stratum+tcp://"), User: p.Worker, Pass: "x"}
		}
	}
	return object{
		"miner": object{
			"pools":     told,
			"cooling":   object{"mode": object{"name": "auto", "param": 60}, "fan_min_count": 4},
			"overclock": object{"modded_psu": false, "preset": d.inForce().Name, "globals": object{"volt": 1380, "freq": 675}, "chains": []object{}},
			"misc":      object{"restore_miner_state_on_reboot": false, "quick_start": false},
		},
		"ui": object{"theme": "auto"}, "regional": object{"timezone": object{"current": "GMT"}},
		"network": object{"hostname": v.ID, "dhcp": true, "ipaddress": v.IP, "netmask": "255.255.255.0", "gateway": "192.0.2.1", "dnsservers": []string{}},
	}
}
