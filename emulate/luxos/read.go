package luxos

import (
	"fmt"
	"strconv"
	"time"

	"switchyard/emulate/plant"
	"switchyard/unit"
)

func mhs(h unit.Hashrate) float64 { return float64(h) / 1e6 }
func ghs(h unit.Hashrate) float64 { return float64(int(float64(h)/1e7)) / 100 }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// state is what the firmware was told beside the setpoint.
func (d *device) state() (profile, ceiling string, atm bool, active int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.profile, d.ceiling, d.atm, d.nextPool
}

// read answers the commands that change nothing and need no session; nil when it is none.
func (d *device) read(v plant.View, name string) object {
	profile, ceiling, atm, active := d.state()
	switch name {
	case "version":
		return done(v, 22, "LUXminer versions", "VERSION", object{
			"API": "3.7", "CompileTime": "Tue Apr  8 22:05:35 UTC 2025", "LUXminer": v.Firmware + "-57b389c7",
			"Miner": v.Firmware, "Type": v.Model.Make + " " + v.Model.Name,
		})
	case "config":
		return done(v, 33, "LUXminer config", "CONFIG", config(v, profile, atm))
	case "summary":
		return done(v, 11, "Summary", "SUMMARY", summary(v))
	case "power":
		return done(v, 311, "Power usage", "POWER", object{"PSU": false, "Watts": int(v.Power.Watts())})
	case "profiles":
		return done(v, 320, fmt.Sprintf("%d Profile(s)", highestStep-lowestStep+1), "PROFILES", profileList(v)...)
	case "atm":
		return done(v, 339, "ATM configuration values", "ATM", object{
			"Enabled": atm, "MaxProfile": ceiling, "MinProfile": "", "PostRampMinutes": 15, "StartupMinutes": 15, "TempWindow": 5.0,
		})
	case "limits":
		return done(v, 322, "Limits", "LIMITS", object{"FrequencyMin": 50, "FrequencyMax": 1175, "VoltageMin": 11.5, "VoltageMax": 15.0})
	case "devs", "edevs":
		return done(v, 9, fmt.Sprintf("%d ASC(s)", len(v.Boards)), "DEVS", devs(v, profile)...)
	case "temps":
		return temps(v)
	case "fans":
		o := done(v, 202, fmt.Sprintf("%d Fan(s)", len(v.Fans)), "FANS", fans(v)...)
		o["FANCTRL"] = []object{{"MinFans": 3, "PowerOffSpeed": 20}}
		return o
	case "stats", "estats":
		return stats(v)
	case "pools":
		list := d.poolList(v)
		return done(v, 7, fmt.Sprintf("%d Pool(s)", len(list)), "POOLS", pools(v, list, active)...)
	case "events":
		return done(v, 357, "Miner Events", "EVENTS", events(v)...)
	}
	return nil
}

func config(v plant.View, profile string, atm bool) object {
	curtail := "None"
	if v.Mode == plant.ModeSleep {
		curtail = "Sleep"
	}
	step := "0"
	if p, ok := find(v.Model, profile); ok {
		step = strconv.Itoa(p.step)
	}
	led := "auto"
	if v.LED {
		led = "blink"
	}
	return object{
		"ASC Count": len(v.Boards), "BcastAddr": "10.0.255.255", "ControlBoardType": "cvitek", "Cooling": "Air", "CurtailMode": curtail,
		"DHCP": true, "Gateway": "10.0.0.1", "GreenLed": "auto", "Hostname": v.ID, "Hotplug": "None", "IPAddr": v.IP, "ImmersionMode": false,
		"IsAtmEnabled": atm, "IsPowerSupplyOn": v.State != plant.Sleeping, "IsSingleVoltage": true, "IsTuning": v.State == plant.Starting,
		"Log Interval": 0, "MACAddr": v.MAC, "Model": v.Model.Make + " " + v.Model.Name, "NameplateTHS": v.Model.Hashrate.TH(),
		"Netmask": "255.255.0.0", "OS": "LuxOS", "PGA Count": 0, "PSULabel": "APW121215e", "Pool Count": len(v.Pools), "Profile": profile,
		"ProfileStep": step, "RedLed": led, "SerialNumber": v.Serial, "Strategy": "Failover", "SystemStatus": "Normal",
	}
}

func summary(v plant.View) object {
	shares := seconds(v.Elapsed) / 13
	return object{
		"Accepted": shares, "Best Share": 32768, "Device Hardware%": 0.0, "Device Rejected%": 0.0, "Difficulty Accepted": shares * 32768,
		"Difficulty Rejected": 0, "Discarded": 0, "Elapsed": seconds(v.Elapsed), "Found Blocks": 0,
		"GHS 5s": ghs(v.Hashrate), "GHS 1m": ghs(v.Hashrate), "GHS 5m": ghs(v.Hashrate), "GHS 15m": ghs(v.HashrateAvg),
		"GHS 30m": ghs(v.HashrateAvg), "GHS 24h": ghs(v.HashrateAvg), "GHS av": ghs(v.HashrateAvg), "Hardware Errors": 0,
		"Last getwork": v.At.Unix(), "Rejected": 0, "Stale": 0, "Total MH": mhs(v.HashrateAvg) * v.Elapsed.Seconds(), "Utility": 4.6,
	}
}

func profileList(v plant.View) []object {
	var all []object
	for _, p := range profiles(v.Model) {
		all = append(all, object{
			"CanRestore": true, "Frequency": p.mhz, "HasOverrides": false, "Hashrate": float64(int(p.th*10)) / 10, "IsDynamic": true,
			"IsTuned": p.step == 0, "Profile Name": p.name, "Step": strconv.Itoa(p.step), "Voltage": 13.5 + 0.15*float64(p.step), "Watts": int(p.watts),
		})
	}
	return all
}

// devs lists the last board first: the firmware does not sort them.
func devs(v plant.View, profile string) []object {
	var all []object
	for i := len(v.Boards) - 1; i >= 0; i-- {
		b, status := v.Boards[i], "Alive"
		if b.Dead {
			status = "Dead"
		}
		all = append(all, object{
			"ASC": i, "Board": "BHB56903", "Connector": fmt.Sprintf("J%d", 7+i), "Enabled": "Y", "ID": i, "IsRamping": v.State == plant.Starting,
			"IsUserShutdown": false, "MHS 15m": mhs(b.Hashrate), "MHS 1m": mhs(b.Hashrate), "MHS 5m": mhs(b.Hashrate), "MHS 5s": mhs(b.Hashrate),
			"MHS av": mhs(b.Hashrate), "Name": "", "Profile": profile, "Rejected": 0, "SerialNumber": fmt.Sprintf("%sB%d", v.Serial, i),
			"Status": status, "Temperature": b.PCBTemp,
		})
	}
	return all
}

func temps(v plant.View) object {
	var all []object
	for i, b := range v.Boards {
		if !b.Dead {
			all = append(all, object{
				"BottomLeft": b.PCBTemp, "BottomRight": b.PCBTemp - 12, "ID": i, "TEMP": i, "TopLeft": b.PCBTemp - 1, "TopRight": b.PCBTemp - 13,
			})
		}
	}
	o := done(v, 201, fmt.Sprintf("%d Temp(s)", len(all)), "TEMPS", all...)
	o["METADATA"] = []object{{
		"BottomLeft": object{"Label": "Board Exhaust (bottom)"}, "BottomRight": object{"Label": "Board Intake (bottom)"},
		"TopLeft": object{"Label": "Board Exhaust (top)"}, "TopRight": object{"Label": "Board Intake (top)"},
	}}
	return o
}

func fans(v plant.View) []object {
	var all []object
	for i, rpm := range v.Fans {
		all = append(all, object{"FAN": fmt.Sprintf("FAN%d", i+1), "ID": i, "RPM": rpm, "Speed": min(rpm/66, 100)})
	}
	return all
}

func stats(v plant.View) object {
	s := object{
		"Elapsed": seconds(v.Elapsed), "GHS 5s": ghs(v.Hashrate), "GHS av": ghs(v.HashrateAvg), "ID": "BTM_SOC0", "STATS": 0,
		"miner_count": len(v.Boards), "rate_unit": "GH", "fan_num": len(v.Fans), "total_rateideal": ghs(v.Model.Hashrate),
	}
	for i, b := range v.Boards {
		s[fmt.Sprintf("chain_acn%d", i+1)] = b.Chips
		s[fmt.Sprintf("chain_rate%d", i+1)] = fmt.Sprintf("%.2f", ghs(b.Hashrate))
		s[fmt.Sprintf("temp%d", i+1)] = b.PCBTemp
	}
	for i, rpm := range v.Fans {
		s[fmt.Sprintf("fan%d", i+1)] = rpm
	}
	who := object{"CompileTime": "Tue Apr  8 22:05:35 UTC 2025", "Miner": v.Firmware, "Type": v.Model.Make + " " + v.Model.Name}
	return done(v, 70, "LUXminer stats", "STATS", who, s)
}

func pools(v plant.View, list []plant.PoolView, active int) []object {
	var all []object
	for i, p := range list {
		all = append(all, object{
			"GROUP": 0, "POOL": i, "Priority": i, "Quota": 1.0, "Status": "Alive", "Stratum Active": i == active && v.State == plant.Hashing,
			"Stratum URL": p.URL, "URL": p.URL, "User": p.Worker, "Accepted": 0, "Rejected": 0, "Stale": 0,
		})
	}
	return all
}

// events lists the boards that do not hash.
func events(v plant.View) []object {
	var all []object
	for i, b := range v.Boards {
		if b.Dead {
			all = append(all, object{
				"Code": "REBOOT_NOT_HASHING", "CreatedAt": v.At.Add(-time.Minute).UTC().Format(time.RFC3339),
				"Description": "Board reboot due to it not hashing.", "ID": i, "Target": "BOARD",
			})
		}
	}
	return all
}
