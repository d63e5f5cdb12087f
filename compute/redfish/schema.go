package redfish

import (
	"fmt"
	"strings"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// The parts of DMTF's schema that are read. Figures are pointers: null and absent are not zero.

type link struct {
	ID string `json:"@odata.id"`
}

type collection struct {
	Members []link `json:"Members"`
}

type system struct {
	ID         string `json:"Id"`
	SystemType string `json:"SystemType"`
	PowerState string `json:"PowerState"`
	Links      struct {
		Chassis []link `json:"Chassis"`
	} `json:"Links"`
	Actions struct {
		Reset *struct {
			Target  string   `json:"target"`
			Allowed []string `json:"ResetType@Redfish.AllowableValues"`
		} `json:"#ComputerSystem.Reset"`
	} `json:"Actions"`
}

type chassis struct {
	Power          *link `json:"Power"`
	PowerSubsystem *link `json:"PowerSubsystem"`
	Environment    *link `json:"EnvironmentMetrics"`
	Controls       *link `json:"Controls"`
}

// sensor is a Sensor or an excerpt of one.
type sensor struct {
	Reading *float64 `json:"Reading"`
	Source  string   `json:"DataSourceUri"`
}

type environment struct {
	Power  *sensor  `json:"PowerWatts"`
	Energy *sensor  `json:"EnergykWh"`
	Joules *sensor  `json:"EnergyJoules"`
	Limit  *control `json:"PowerLimitWatts"`
}

// control is a Control or an excerpt of one.
type control struct {
	Type    string   `json:"ControlType"`
	Units   string   `json:"SetPointUnits"`
	Context string   `json:"PhysicalContext"`
	Mode    *string  `json:"ControlMode"`
	Set     *float64 `json:"SetPoint"`
	Least   *float64 `json:"AllowableMin"`
	Most    *float64 `json:"AllowableMax"`
}

type powerControl struct {
	Consumed *float64 `json:"PowerConsumedWatts"`
	Limit    *struct {
		Watts *float64 `json:"LimitInWatts"`
	} `json:"PowerLimit"`
}

type power struct {
	Control []powerControl `json:"PowerControl"`
}

type subsystem struct {
	Supplies *link `json:"PowerSupplies"`
}

type supply struct {
	Metrics *link `json:"Metrics"`
	Status  struct {
		State string `json:"State"`
	} `json:"Status"`
}

type supplyMetrics struct {
	Input  *sensor `json:"InputPowerWatts"`
	Energy *sensor `json:"EnergykWh"`
}

// find learns the node's system and its chassis, once.
func (t *talk) find() (system, error) {
	var s system
	if t.bmc.system == "" {
		path, err := t.only()
		if err != nil {
			return system{}, err
		}
		t.bmc.system = path
	}
	if _, err := t.get(t.bmc.system, &s); err != nil {
		return system{}, err
	}
	t.bmc.chassis = nil
	for _, l := range s.Links.Chassis[:min(len(s.Links.Chassis), maxMembers)] {
		t.bmc.chassis = append(t.bmc.chassis, l.ID)
	}
	if len(t.bmc.chassis) > 0 {
		return s, nil
	}
	var all collection
	if _, err := t.get("/redfish/v1/Chassis", &all); err != nil {
		return s, nil //nolint:nilerr // a machine whose chassis is not told can still be switched
	}
	for _, l := range all.Members[:min(len(all.Members), maxMembers)] {
		t.bmc.chassis = append(t.bmc.chassis, l.ID)
	}
	return s, nil
}

// only returns the path of the one machine behind a controller: a system that can be switched and is
// no board of accelerators within another.
func (t *talk) only() (string, error) {
	var all collection
	if _, err := t.get("/redfish/v1/Systems", &all); err != nil {
		return "", err
	}
	var found []string
	for _, l := range all.Members[:min(len(all.Members), maxMembers)] {
		var s system
		if _, err := t.get(l.ID, &s); err != nil {
			return "", err
		}
		physical := s.SystemType == "" || s.SystemType == "Physical"
		if physical && s.Actions.Reset != nil && !strings.HasPrefix(s.ID, "HGX_") {
			found = append(found, l.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("node %s: its controller has no system that can be switched: %w", t.node, compute.ErrUnsupported)
	}
	return "", fmt.Errorf("node %s: its controller has %d systems: name the node's own in hosts, as ADDRESS%s: %w", t.node, len(found), found[0], compute.ErrUnsupported)
}

// reading returns a sensor's figure, from the sensor itself where the excerpt has none.
func (t *talk) reading(s *sensor) site.Opt[float64] {
	if s == nil {
		return site.Opt[float64]{}
	}
	if s.Reading == nil && s.Source != "" {
		var full sensor
		if _, err := t.get(s.Source, &full); err == nil {
			s = &full
		}
	}
	if s.Reading == nil || *s.Reading < 0 || *s.Reading > 1e12 {
		return site.Opt[float64]{}
	}
	return site.Some(*s.Reading)
}

func watts(v site.Opt[float64]) site.Opt[unit.Power] {
	if !v.OK || v.V > 1e6 {
		return site.Opt[unit.Power]{}
	}
	return site.Some(unit.Watts(v.V))
}
