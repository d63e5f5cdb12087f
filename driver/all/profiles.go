package all

import "switchyard/driver/modbus"

// Profiles returns the names of the shipped register maps of meters, sorted.
func Profiles() []string { return modbus.Profiles() }

// CheckProfile reads the register map of that name or path and returns what is wrong with
// it, a strictyaml.Faults where its content is. It blocks on the disk.
func CheckProfile(nameOrPath string) error {
	_, err := modbus.LoadProfile(nameOrPath)
	return err
}
