package all

import (
	"switchyard/driver/modbus"
	"switchyard/driver/snmp"
)

// Profiles returns the names of the shipped register maps of meters, sorted.
func Profiles() []string { return modbus.Profiles() }

// CheckProfile reads the register map of that name or path and returns what is wrong with
// it, a strictyaml.Faults where its content is. It blocks on the disk.
func CheckProfile(nameOrPath string) error {
	_, err := modbus.LoadProfile(nameOrPath)
	return err
}

// UnitProfiles returns the names of the shipped SNMP profiles of power distribution units, sorted.
func UnitProfiles() []string { return snmp.Profiles() }

// CheckUnitProfile reads the SNMP profile of that name or path and returns what is wrong with
// it, a strictyaml.Faults where its content is. It blocks on the disk.
func CheckUnitProfile(nameOrPath string) error {
	_, err := snmp.LoadProfile(nameOrPath)
	return err
}
