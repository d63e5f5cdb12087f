package bmc

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"switchyard/emulate/gpus"
	"switchyard/unit"
)

func watts(w float64) unit.Power { return unit.Watts(w) }

func link(path string) object { return object{"@odata.id": root + path} }

func collection(kind, name string, members ...string) object {
	links := []object{}
	for _, m := range members {
		links = append(links, link(m))
	}
	return object{"@odata.type": "#" + kind + "." + kind, "Name": name, "Members": links, "Members@odata.count": len(links)}
}

func (b *BMC) service() object {
	return object{
		"@odata.id": root, "@odata.type": "#ServiceRoot.v1_11_0.ServiceRoot", "Id": "RootService", "Name": "Root Service", "RedfishVersion": "1.15.0",
		"Product": "emulated BMC", "Vendor": "emulated", "UUID": "00000000-0000-4000-8000-" + fmt.Sprintf("%012x", len(b.node.Name())),
		"Systems": link("/Systems"), "Chassis": link("/Chassis"), "Managers": link("/Managers"), "SessionService": link("/SessionService"),
		"Links": object{"Sessions": link("/SessionService/Sessions")},
	}
}

// resource returns what is at a path below the root, or nil.
func (b *BMC) resource(path string) object {
	switch path {
	case "/Systems":
		return collection("ComputerSystemCollection", "Computer Systems", "/Systems/1")
	case "/Systems/1":
		return b.system()
	case "/Systems/1/Processors":
		var all []string
		for i := range b.node.Count() {
			all = append(all, fmt.Sprint("/Systems/1/Processors/GPU_", i))
		}
		return collection("ProcessorCollection", "Processors", all...)
	case "/Chassis":
		return collection("ChassisCollection", "Chassis", "/Chassis/1")
	case "/Chassis/1":
		return object{
			"@odata.type": "#Chassis.v1_20_0.Chassis", "Id": "1", "Name": "Chassis", "ChassisType": "RackMount", "PowerState": b.powerState(), "Status": b.status(),
			"Power": link("/Chassis/1/Power"), "EnvironmentMetrics": link("/Chassis/1/EnvironmentMetrics"), "Links": object{"ComputerSystems": []object{link("/Systems/1")}},
		}
	case "/Chassis/1/Power":
		return b.power()
	case "/Chassis/1/EnvironmentMetrics":
		return object{
			"@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics", "Id": "EnvironmentMetrics", "Name": "Chassis Environment Metrics",
			"PowerWatts": object{"Reading": round(b.node.Power().Watts())}, "EnergykWh": object{"Reading": b.node.Energy().MegawattHours() * 1000},
		}
	case "/Managers":
		return collection("ManagerCollection", "Managers", "/Managers/1")
	case "/Managers/1":
		return object{"@odata.type": "#Manager.v1_15_0.Manager", "Id": "1", "Name": "Manager", "ManagerType": "BMC", "FirmwareVersion": "1.0.0", "PowerState": "On"}
	case "/SessionService":
		return object{"@odata.type": "#SessionService.v1_1_8.SessionService", "Id": "SessionService", "Name": "Session Service", "ServiceEnabled": true, "SessionTimeout": 1800, "Sessions": link("/SessionService/Sessions")}
	case "/SessionService/Sessions":
		b.mu.Lock()
		defer b.mu.Unlock()
		var all []string
		for _, s := range b.sessions {
			all = append(all, "/SessionService/Sessions/"+s.id)
		}
		return collection("SessionCollection", "Session Collection", all...)
	}
	if strings.HasPrefix(path, "/Systems/1/Processors/GPU_") {
		return b.processor(path)
	}
	return nil
}

// round gives whole watts, as power supplies tell them.
func round(w float64) float64 { return float64(int64(w + 0.5)) }

func (b *BMC) powerState() string {
	switch b.node.State() {
	case gpus.On:
		return "On"
	case gpus.Booting:
		return "PoweringOn"
	case gpus.Stopping:
		return "PoweringOff"
	}
	return "Off"
}

func (b *BMC) status() object {
	if b.node.State() == gpus.On {
		return object{"State": "Enabled", "Health": "OK"}
	}
	return object{"State": "StandbyOffline", "Health": "OK"}
}

func (b *BMC) system() object {
	return object{
		"@odata.type": "#ComputerSystem.v1_16_0.ComputerSystem", "Id": "1", "Name": b.node.Name(), "HostName": b.node.Name(), "SystemType": "Physical",
		"PowerState": b.powerState(), "Status": b.status(), "Processors": link("/Systems/1/Processors"), "Links": object{"Chassis": []object{link("/Chassis/1")}},
		"Actions": object{"#ComputerSystem.Reset": object{
			"target": root + "/Systems/1/Actions/ComputerSystem.Reset", "ResetType@Redfish.AllowableValues": slices.Sorted(maps.Keys(b.resets())),
		}},
	}
}

func (b *BMC) power() object {
	c := b.node.Config()
	most := c.Full + unit.Power(c.GPUs)*c.Model.Full
	return object{
		"@odata.type": "#Power.v1_7_1.Power", "Id": "Power", "Name": "Power",
		"PowerControl": []object{{
			"@odata.id": root + "/Chassis/1/Power#/PowerControl/0", "MemberId": "0", "Name": "System Power Control",
			"PowerConsumedWatts": round(b.node.Power().Watts()), "PowerCapacityWatts": round(most.Watts()), "Status": object{"State": "Enabled", "Health": "OK"},
		}},
		"PowerControl@odata.count": 1,
	}
}

// processor returns a GPU, or its environment's metrics.
func (b *BMC) processor(path string) object {
	i, ok := gpuOf(path)
	if !ok || i < 0 || i >= b.node.Count() {
		return nil
	}
	base := fmt.Sprint("/Systems/1/Processors/GPU_", i)
	g, err := b.node.GPU(i)
	switch path {
	case base:
		o := object{
			"@odata.type": "#Processor.v1_18_0.Processor", "Id": fmt.Sprint("GPU_", i), "Name": fmt.Sprint("GPU ", i), "ProcessorType": "GPU", "Manufacturer": "NVIDIA",
			"Model": b.node.Config().Model.Product, "EnvironmentMetrics": link(base + "/EnvironmentMetrics"), "Status": object{"State": "Absent"},
		}
		if err == nil {
			o["UUID"], o["SerialNumber"], o["Status"] = strings.TrimPrefix(g.UUID, "GPU-"), g.Serial, object{"State": "Enabled", "Health": "OK"}
		}
		return o
	case base + "/EnvironmentMetrics":
		o := object{"@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics", "Id": "EnvironmentMetrics", "Name": fmt.Sprintf("GPU %d Environment Metrics", i)}
		if err != nil { // what is not known is null
			o["PowerWatts"], o["PowerLimitWatts"] = object{"Reading": nil}, object{"SetPoint": nil}
			return o
		}
		o["PowerWatts"] = object{"Reading": g.Power.Watts()}
		o["EnergyJoules"] = object{"Reading": float64(g.Energy) / 1000}
		o["TemperatureCelsius"] = object{"Reading": round(g.Temp)}
		o["PowerLimitWatts"] = object{
			"SetPoint": g.Limit.Watts(), "DefaultSetPoint": g.Default.Watts(), "AllowableMin": g.Least.Watts(), "AllowableMax": g.Most.Watts(), "ControlMode": "Automatic",
		}
		return o
	}
	return nil
}
