package site

import "fmt"

// UnmarshalText reads a mode's name: holds are kept as text.
func (m *Mode) UnmarshalText(b []byte) error {
	for _, k := range []Mode{ModeRun, ModeSleep} {
		if k.String() == string(b) {
			*m = k
			return nil
		}
	}
	return fmt.Errorf("%q is no mode; it can be run or sleep", b)
}
