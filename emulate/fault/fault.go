// Package fault owns the ways in which emulated devices misbehave: which device suffers
// which fault when, and a listener whose connections come late, are lost, stay half open
// or carry garbled bytes.
//
// It never knows a device's protocol or physics: faults of behaviour (refusing, lying, a
// dead board) are only listed here and acted out by the plant and the faces.
//
// Concurrency: a Set is plain data, not written once planned. A Dice and a Listener are
// safe for concurrent use.
package fault

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"switchyard/sitefile"
)

// Kind names a fault as the site file does.
type Kind string

// The kinds of fault.
const (
	Late          Kind = "late"           // the first byte of every reply comes Delay later, machine time
	Lost          Kind = "lost"           // a request is read and the connection closed without an answer
	HalfOpen      Kind = "half-open"      // a connection is accepted and never answered
	Garbled       Kind = "garbled"        // bytes of replies are flipped or cut off
	Refusing      Kind = "refusing"       // commands are understood and refused
	Lying         Kind = "lying"          // commands are acknowledged and not followed
	ClockSkew     Kind = "clock-skew"     // the device's clock is Delay ahead (or behind), site time
	DeadBoard     Kind = "dead-board"     // one hashboard is dead
	WrongPassword Kind = "wrong-password" // the device has another password than the site file says
	Frozen        Kind = "frozen"         // a meter repeats its last reading
	RegisterReset Kind = "register-reset" // a meter's energy register starts again at zero at From
	MutePower     Kind = "mute-power"     // the firmware tells no power
	BiasedPower   Kind = "biased-power"   // the device's power sensor reads off, by a share of its own within +-By
)

// Kinds returns all kinds, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{Late, Lost, HalfOpen, Garbled, Refusing, Lying, ClockSkew, DeadBoard, WrongPassword, Frozen, RegisterReset, MutePower, BiasedPower}
}

// Fault is one fault of one device.
type Fault struct {
	Kind  Kind
	Delay time.Duration // late: machine time; clock-skew: site time
	// Chance is the share of exchanges that suffer (lost, garbled, refusing); 1 is each of them.
	Chance   float64
	By       float64   // biased-power: the most that a sensor reads off, as a share
	From, To time.Time // site time; zero: always, for ever
}

// In says whether the fault is active at site time t.
func (f Fault) In(t time.Time) bool {
	return !t.Before(f.From) && (f.To.IsZero() || t.Before(f.To))
}

// Set is all faults of one device.
type Set []Fault

// Active returns the first fault of a kind that is active at site time t.
func (s Set) Active(k Kind, t time.Time) (Fault, bool) {
	for _, f := range s {
		if f.Kind == k && f.In(t) {
			return f, true
		}
	}
	return Fault{}, false
}

// Has says whether the set holds a fault of a kind, active or not.
func (s Set) Has(k Kind) bool {
	return slices.ContainsFunc(s, func(f Fault) bool { return f.Kind == k })
}

// Plan says which device suffers which faults. groups names every group's devices in
// order. A share of a group is chosen by seed: the same devices for the same seed, the
// place of the fault in the file and the group.
func Plan(seed uint64, faults []sitefile.Fault, groups map[string][]string) (map[string]Set, error) {
	plan := map[string]Set{}
	for i, f := range faults {
		k := Kind(f.Kind)
		if !slices.Contains(Kinds(), k) {
			return nil, fmt.Errorf("fault %d: unknown kind %q; there are %v", i+1, f.Kind, Kinds())
		}
		one := Fault{Kind: k, Delay: f.Delay, Chance: float64(f.Chance), By: float64(f.By), From: f.From, To: f.To}
		if one.Chance <= 0 {
			one.Chance = 1
		}
		ids := f.Devices
		if f.Group != "" {
			all, ok := groups[f.Group]
			if !ok {
				return nil, fmt.Errorf("fault %d: there is no group %q", i+1, f.Group)
			}
			ids = append(slices.Clone(ids), choose(seed, i, all, float64(f.Share))...)
		}
		for _, id := range ids {
			plan[id] = append(plan[id], one)
		}
	}
	return plan, nil
}

// choose picks the share of ids with the smallest hashes, at least one.
func choose(seed uint64, salt int, ids []string, share float64) []string {
	if share <= 0 || share >= 1 || len(ids) == 0 {
		return ids // no share said: all of them
	}
	n := max(1, int(math.Round(share*float64(len(ids)))))
	order := slices.Clone(ids)
	slices.SortStableFunc(order, func(a, b string) int {
		x, y := Hash(seed, fmt.Sprint(salt, a)), Hash(seed, fmt.Sprint(salt, b))
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return order[:n]
}

// Hash mixes a seed and a name into a number that is the same in every run.
func Hash(seed uint64, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash's Write does not fail
	x := h.Sum64() ^ (seed * 0x9e3779b97f4a7c15)
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}
