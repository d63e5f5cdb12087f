package bitaxe

import (
	"maps"
	"math"
	"strings"
	"time"

	"switchyard/emulate/plant"
)

// gigahash is a hashrate in GH/s.
func gigahash(h float64) float64 { return h / 1e9 }

// info is the answer to system/info, in the firmware's own words.
func (d *device) info(v plant.View) map[string]any {
	d.mu.Lock()
	mhz, millivolts := d.mhz, d.millivolts
	d.mu.Unlock()
	actual := millivolts + 6
	if v.Mode == plant.ModeSleep {
		actual = 0
	}
	all := map[string]any{
		"ASICModel": d.chip.asic, "autofanspeed": 1, "coreVoltage": millivolts, "coreVoltageActual": actual,
		"fanspeed": 35, "freeHeap": 8443612, "frequency": mhz,
		"hostname": strings.ToLower(v.Model.Make), "invertscreen": 0, "macAddr": strings.ToUpper(v.MAC),
		"runningPartition": "ota_0", "sharesAccepted": int(v.Elapsed / (20 * time.Second)), "sharesRejected": 0, "smallCoreCount": 2040,
		"ssid": "site", "uptimeSeconds": int(v.Uptime / time.Second), "version": v.Firmware, "voltage": 5175, "wifiStatus": "Connected!",
		"hashRate": gigahash(float64(v.Hashrate)), "vrTemp": 0.0, "temp": 0.0, "fanrpm": 0,
	}
	if len(v.Boards) > 0 {
		all["temp"], all["vrTemp"] = v.Boards[0].ChipTemp, v.Boards[0].PCBTemp
	}
	if v.ReportsPower {
		all["power"], all["current"] = v.Power.Watts(), math.Round(v.Power.Watts()/5.175*1000)
	}
	if len(v.Fans) > 0 {
		all["fanrpm"] = v.Fans[0]
	}
	d.addPools(all, v)
	switch {
	case d.nerd:
		maps.Copy(all, d.nerdInfo(v))
	case d.pauses:
		maps.Copy(all, d.newInfo(v))
		all["actualFrequency"] = mhz
	default:
		maps.Copy(all, d.oldInfo())
	}
	return all
}

func (d *device) addPools(all map[string]any, v plant.View) {
	for i, key := range []string{"stratum", "fallbackStratum"} {
		url, user := "", ""
		if i < len(v.Pools) {
			url, user = v.Pools[i].URL, v.Pools[i].Worker
		}
		host, port := split(url)
		all[key+"URL"], all[key+"Port"], all[key+"User"] = host, port, user
	}
	all["isUsingFallbackStratum"] = 0
	if d.nerd {
		all["isUsingFallbackStratum"] = false
	}
}

// oldInfo is what AxeOS 2.4 and its neighbours tell besides.
func (d *device) oldInfo() map[string]any {
	return map[string]any{
		"asicCount": 1, "bestDiff": "483k", "bestSessionDiff": "0", "boardVersion": d.chip.board, "flipscreen": 1, "idfVersion": "v5.4",
		"invertfanpolarity": 1, "overheat_mode": 0, "stratumDiff": 0,
	}
}

// newInfo is what AxeOS that can pause tells besides, as far as a controller may care.
func (d *device) newInfo(v plant.View) map[string]any {
	fan2 := 0
	if len(v.Fans) > 1 {
		fan2 = v.Fans[1]
	}
	now := gigahash(float64(v.Hashrate))
	return map[string]any{
		"apEnabled": 0, "axeOSVersion": v.Firmware, "bestDiff": 483000, "bestSessionDiff": 0, "blockFound": 0,
		"boardVersion": d.chip.board, "display": "SSD1306 (128x32)", "errorPercentage": 0.1, "expectedHashrate": gigahash(float64(v.Model.Hashrate)),
		"fan2rpm": fan2, "hashRate_1m": now, "hashRate_10m": now, "hashRate_1h": gigahash(float64(v.HashrateAvg)), "idfVersion": "v5.5.1",
		"ipv4": v.IP, "ipv6": "", "isPSRAMAvailable": 1, "manualFanSpeed": 100, "maxPower": int(v.Model.Nameplate.Watts() * 2), "minFanSpeed": 25,
		"miningPaused": v.Mode == plant.ModeSleep, "nominalVoltage": 5, "overclockEnabled": 0, "overheat_mode": 0, "poolDifficulty": 1000,
		"resetReason": "Software reset via esp_restart", "responseTime": 21.5, "sharesRejectedReasons": []any{}, "stratumTLS": 0,
		"fallbackStratumTLS": 0, "temp2": -1, "temptarget": 60, "wifiRSSI": -52,
	}
}

// nerdInfo is what a NerdQAxe tells besides.
func (d *device) nerdInfo(v plant.View) map[string]any {
	now := gigahash(float64(v.Hashrate))
	return map[string]any{
		"asicCount": v.Model.ChipsPerBoard, "deviceModel": v.Model.Name, "hostip": v.IP, "maxPower": 130, "minPower": 30,
		"maxVoltage": 13, "minVoltage": 11, "hashRateTimestamp": v.At.UnixMilli(), "hashRate_10m": now, "hashRate_1h": gigahash(float64(v.HashrateAvg)),
		"hashRate_1d": gigahash(float64(v.HashrateAvg)), "bestDiff": "12.3M", "bestSessionDiff": "1.2M", "defaultCoreVoltage": d.chip.millivolts,
		"defaultFrequency": d.chip.mhz, "isStratumConnected": true, "poolDifficulty": 1000, "pidTargetTemp": 55, "overheat_temp": 70,
		"lastResetReason": "POWERON", "jobInterval": 1200, "stratumDifficulty": 1000, "voltage": 12.1,
	}
}

// asic is the answer to system/asic: what may be chosen.
func (d *device) asic(v plant.View) map[string]any {
	var mhz, millivolts []int
	for _, step := range []int{-75, -50, -25, 0, 25, 50} {
		mhz = append(mhz, d.chip.mhz+step)
	}
	for _, step := range []int{-100, -50, 0, 50} {
		millivolts = append(millivolts, d.chip.millivolts+step)
	}
	return map[string]any{
		"ASICModel": d.chip.asic, "deviceModel": v.Model.Name, "swarmColor": "green", "asicCount": v.Model.ChipsPerBoard,
		"defaultFrequency": d.chip.mhz, "frequencyOptions": mhz, "defaultVoltage": d.chip.millivolts, "voltageOptions": millivolts,
	}
}
