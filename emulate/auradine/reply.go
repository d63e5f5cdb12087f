package auradine

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"switchyard/emulate/plant"
)

func mhs(h float64) float64 { return h / 1e6 }

// reading answers a GET: what the RPC port tells, and more.
func (d *device) reading(w http.ResponseWriter, v plant.View, name string) {
	var o object
	switch name {
	case "mode":
		o = done(v, 540, "Operating mode", "Mode", d.modes(v))
	case "psu":
		o = done(v, 570, "PSU status", "PSU", []object{psu(v)})
	case "fan":
		o = done(v, 510, "Total fans: "+strconv.Itoa(len(v.Fans)), "Fan", fans(v))
	case "led":
		o = done(v, 530, "Total LEDs 2", "LED", []object{led(v)})
	case "temperature":
		o = done(v, 590, "System temperature", "Temperature", temperatures(v))
	case "ipreport":
		o = done(v, 620, "IP Report", "IPReport", []object{ipReport(v)})
	default:
		o = d.told(v, name)
	}
	write(w, http.StatusOK, o)
}

// told answers a command of the RPC port.
func (d *device) told(v plant.View, name string) object {
	switch name {
	case "version":
		return done(v, 22, "GCMiner versions", "VERSION", []object{{"GCMiner": v.Firmware, "API": "1.0"}})
	case "summary":
		return done(v, 11, "Summary", "SUMMARY", []object{summary(v)})
	case "devs":
		return done(v, 9, strconv.Itoa(len(v.Boards))+" Dev(s)", "DEVS", devs(v))
	case "devdetails":
		return done(v, 69, "Device Details", "DEVDETAILS", []object{{"DEVDETAILS": 1, "Name": "ASICBoard", "ID": 1, "Driver": "Auradine", "Model": v.Model.Name}})
	case "pools":
		return done(v, 7, strconv.Itoa(len(v.Pools))+" Pool(s)", "POOLS", pools(v))
	}
	return failed(v, 14, "Invalid command")
}

func summary(v plant.View) object {
	shares := int(v.Elapsed / (12 * time.Second))
	o := object{
		"Elapsed": int(v.Elapsed / time.Second), "MHS av": mhs(float64(v.HashrateAvg)), "MHS 5s": mhs(float64(v.Hashrate)), "MHS 1m": mhs(float64(v.Hashrate)),
		"MHS 5m": mhs(float64(v.HashrateAvg)), "MHS 15m": mhs(float64(v.HashrateAvg)), "Accepted": shares, "Rejected": 0, "Hardware Errors": 0,
		"Utility": 5.0, "Total MH": int64(mhs(float64(v.HashrateAvg)) * v.Elapsed.Seconds()), "Last getwork": 0, "ThsThrottle": v.Model.Hashrate.TH(),
	}
	if v.ReportsPower {
		o["Wattage"] = int(v.Power.Watts())
	}
	return o
}

func devs(v plant.View) []object {
	all := []object{}
	for i, b := range v.Boards {
		state := "Alive"
		if b.Dead {
			state = "Dead"
		}
		all = append(all, object{
			"DEV": i + 1, "Name": "ASICBoard", "ID": i + 1, "Enabled": !b.Dead, "Status": state, "Temperature": b.PCBTemp,
			"MHS 5s": mhs(float64(b.Hashrate)), "Accepted": 0, "Rejected": 0,
		})
	}
	return all
}

func pools(v plant.View) []object {
	all := []object{}
	for i, p := range v.Pools {
		all = append(all, object{
			"POOL": i, "URL": p.URL, "Status": "Alive", "Priority": i, "Quota": 1, "Accepted": 0, "Rejected": 0, "User": p.Worker, "Stratum Active": p.Active,
		})
	}
	return all
}

// modes is the operating mode; watts and hashrate are told of custom only.
func (d *device) modes(v plant.View) []object {
	d.mu.Lock()
	mode, ths := d.mode, d.ths
	d.mu.Unlock()
	o := object{"Mode": mode, "Sleep": "off", "FansInStandby": "off", "persistStandby": "off"}
	if v.Mode == plant.ModeSleep {
		o["Sleep"] = "on"
	}
	switch {
	case mode == "custom" && ths:
		o["Tune"], o["Ths"] = "ths", v.Model.Hashrate.TH()*float64(v.Percent)/100
	case mode == "custom":
		o["Tune"], o["Power"] = "power", int(v.Limit.Watts())
	}
	return []object{o}
}

func psu(v plant.View) object {
	o := object{
		"VoutSet": "11.50V", "Vin": "245.00V", "Vout": "11.53V", "FanSpeed1": "4052.00 RPM", "FanSpeed2": "4144.00 RPM",
		"PoutMax": fmt.Sprintf("%.2fW", v.Model.MaxWatts.Watts()),
	}
	if v.ReportsPower {
		o["PowerIn"], o["PowerOut"] = fmt.Sprintf("%.2fW", v.Power.Watts()), fmt.Sprintf("%.2fW", v.Power.Watts()*0.95)
	}
	return o
}

func fans(v plant.View) []object {
	all := []object{}
	for i, rpm := range v.Fans {
		all = append(all, object{"ID": i + 1, "Speed": rpm, "Target": rpm, "Max": 7700})
	}
	return all
}

func led(v plant.View) object {
	o := object{"Code": codeNormal, "LED1": 1, "LED2": 1, "Msg": "Normal"}
	switch {
	case v.LED:
		o["Code"], o["Msg"] = codeLocate, "Locate miner"
	case v.State == plant.Faulty:
		o["Code"], o["Msg"] = codeBoard, "Hashboard issue"
	case v.State == plant.Sleeping:
		o["Code"], o["Msg"] = codeStandby, "Standby"
	}
	return o
}

func temperatures(v plant.View) []object {
	all := []object{{"ID": 0, "Name": "Control Board", "BoardTemp": []object{{"ID": 0, "Temperature": v.Intake + 3}}, "ChipTemp": nil}}
	for i, b := range v.Boards {
		var chips []object
		if !b.Dead {
			chips = []object{{"ID": 0, "Temperature": b.ChipTemp}, {"ID": 1, "Temperature": b.ChipTemp - 3}}
		}
		all = append(all, object{
			"ID": i + 1, "Name": "Hash Board " + strconv.Itoa(i+1), "ChipTemp": chips,
			"BoardTemp": []object{{"ID": 0, "Temperature": v.Intake + 1}, {"ID": 1, "Temperature": b.PCBTemp}},
		})
	}
	return all
}

func ipReport(v plant.View) object {
	serials := []string{}
	for i := range v.Boards {
		serials = append(serials, v.Serial+"HB"+strconv.Itoa(i))
	}
	return object{
		"command": "ipreport", "SerialNo": v.Serial, "ip": v.IP, "mac": v.MAC, "model": v.Model.Name, "version": v.Firmware, "hostname": v.ID,
		"CBSerialNo": v.Serial, "ChassisSerialNo": v.Serial, "HBSerialNo": serials, "InternalType": "T0",
	}
}
