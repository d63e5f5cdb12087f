package site

import (
	"fmt"
	"strings"

	"switchyard/unit"
)

// Act is something that a person tells a device beside its setpoint.
type Act uint8

// The acts.
const (
	ActReboot   Act = iota // restart the control board
	ActPools               // set the mining pools
	ActLED                 // let the locating light blink, or end it
	ActPassword            // change the device's password
	ActProfile             // choose one of the firmware's profiles by name
)

var actNames = [...]string{"reboot", "pools", "led", "password", "profile"}

// Acts returns all acts, in the order of their constants.
func Acts() []Act { return []Act{ActReboot, ActPools, ActLED, ActPassword, ActProfile} }

// String returns the act's name.
func (a Act) String() string { return actNames[min(int(a), len(actNames)-1)] }

// MarshalText writes the act's name.
func (a Act) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads an act's name.
func (a *Act) UnmarshalText(b []byte) error {
	for _, k := range Acts() {
		if k.String() == string(b) {
			*a = k
			return nil
		}
	}
	return fmt.Errorf("%q is no act; it can be %s", b, strings.Join(actNames[:], ", "))
}

// ActSet is a set of acts.
type ActSet uint16

// ActsOf makes a set.
func ActsOf(acts ...Act) ActSet {
	var s ActSet
	for _, a := range acts {
		s |= 1 << a
	}
	return s
}

// Has says whether the set holds a.
func (s ActSet) Has(a Act) bool { return s&(1<<a) != 0 }

// List returns the set's acts in order.
func (s ActSet) List() []Act {
	var all []Act
	for _, a := range Acts() {
		if s.Has(a) {
			all = append(all, a)
		}
	}
	return all
}

// Profile is one of the operating points that a firmware offers by name.
type Profile struct {
	Name string
	// Power and Hashrate are what the firmware says of it; unknown if it says nothing.
	Power    Opt[unit.Power]
	Hashrate Opt[unit.Hashrate]
}

// Outlet is one outlet of a power distribution unit, as one poll of the unit gave it.
type Outlet struct {
	Name   string          // as the unit numbers it: "1", "A12"
	Power  Opt[unit.Power] // drawn by what is plugged in
	Energy Opt[unit.Energy]
	On     Opt[bool]
}
