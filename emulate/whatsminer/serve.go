package whatsminer

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"switchyard/emulate/face"
	"switchyard/emulate/fault"
	"switchyard/emulate/plant"
)

// Connections at a time: the documents say 10 for v3; v2 ends each after one exchange.
const (
	maxConnsV2 = 32
	maxConnsV3 = 10
)

const (
	maxPools = 3
	// maxPassword is the longest password, in bytes.
	maxPassword = 64
)

// Serve answers API v2 as the miner's firmware on the listener "rpc". It does not block.
// Close ends all goroutines and connections.
func Serve(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l, err := only("whatsminer", "rpc", listeners)
	if err != nil {
		return nil, err
	}
	d := newV2(m)
	return face.TCP(l, maxConnsV2, d.serve), nil
}

// ServeV3 answers API v3 as the miner's firmware on the listener "api". It does not block.
// Close ends all goroutines and connections.
func ServeV3(m *plant.Miner, listeners map[string]net.Listener) (io.Closer, error) {
	l, err := only("whatsminer-v3", "api", listeners)
	if err != nil {
		return nil, err
	}
	d := newV3(m)
	return face.TCP(l, maxConnsV3, d.serve), nil
}

func only(kind, port string, listeners map[string]net.Listener) (net.Listener, error) {
	l := listeners[port]
	if l == nil || len(listeners) != 1 {
		return nil, fmt.Errorf("serve %s: it listens on the port %q and no other", kind, port)
	}
	return l, nil
}

// patience is how long v2 waits for a request, machine time, as the documents say.
const patience = 10 * time.Second

// machine is what both APIs have of the firmware.
type machine struct {
	m    *plant.Miner
	seed uint64

	mu      sync.Mutex
	mode    string    // "low", "normal" or "high"
	offAt   time.Time // device time of the last power off; zero: it is on
	percent int       // last told; 100 after a restart of mining
}

func newMachine(m *plant.Miner) *machine {
	return &machine{m: m, seed: fault.Hash(0x776d, m.ID()), mode: "normal", percent: 100}
}

// modePercent is what the power modes draw, of nameplate.
var modePercent = map[string]int{"low": 75, "normal": 100, "high": 100}

// off stops mining.
func (x *machine) off() {
	x.mu.Lock()
	x.offAt = x.m.Now()
	x.mu.Unlock()
	x.m.Sleep()
}

// on starts mining, which forgets a power percentage.
func (x *machine) on() {
	x.mu.Lock()
	x.offAt = time.Time{}
	x.mu.Unlock()
	x.forgetPercent()
	x.m.Wake()
}

// limit sets the power limit in watts, which restarts mining.
func (x *machine) limit(watts float64) {
	x.forgetPercent()
	x.m.SetLimit(watt(watts))
}

// setMode changes the power mode; false when there is no such mode.
func (x *machine) setMode(mode string) bool {
	if modePercent[mode] == 0 {
		return false
	}
	x.mu.Lock()
	x.mode = mode
	x.mu.Unlock()
	x.tellPercent(modePercent[mode])
	return true
}

// setPercent changes the power while it hashes; before the frequency search is over it is
// acknowledged and has no effect.
func (x *machine) setPercent(percent int) {
	if x.m.View().State == plant.Hashing {
		x.mu.Lock()
		base := modePercent[x.mode]
		x.mu.Unlock()
		x.tellPercent(percent * base / 100)
	}
}

func (x *machine) forgetPercent() {
	x.mu.Lock()
	base := modePercent[x.mode]
	x.mu.Unlock()
	x.tellPercent(base)
}

func (x *machine) tellPercent(percent int) {
	x.mu.Lock()
	same := x.percent == percent
	x.percent = percent
	x.mu.Unlock()
	if !same {
		x.m.SetPercent(percent)
	}
}

// led lets the light blink, or leaves it to the firmware.
func (x *machine) led(auto bool, color string, period float64) bool {
	if !auto && (color != "red" && color != "green" || period <= 0) {
		return false
	}
	x.m.SetLED(!auto)
	return true
}

// pools sets those that have an address; there must be one.
func (x *machine) pools(all []plant.PoolView) bool {
	var set []plant.PoolView
	for _, p := range all {
		if p.URL != "" {
			set = append(set, p)
		}
	}
	if len(set) == 0 || len(set) > maxPools {
		return false
	}
	x.m.SetPools(set)
	return true
}

// password changes it for who knows the old one.
func (x *machine) password(old, now string) bool {
	if _, password := x.m.Credentials(); old != password || now == "" || len(now) > maxPassword {
		return false
	}
	x.m.SetPassword(now)
	return true
}

// reboot restarts the control board.
func (x *machine) reboot() {
	x.forgetPercent()
	x.m.Reboot()
}

// settings returns what the firmware has been told: mode and the time it was switched off.
func (x *machine) settings() (mode string, offAt time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.mode, x.offAt
}
