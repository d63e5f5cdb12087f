package plant

import (
	"sync"
	"time"

	"switchyard/emulate/fault"
	"switchyard/site"
	"switchyard/unit"
)

// MinerConfig is one miner of the plant.
type MinerConfig struct {
	ID, Group, Driver string
	IP                string
	Node              int // index in the tree
	Model             Model
	// User and Password are what the site file says; empty means the factory's.
	User, Password string
	Faults         fault.Set
	// Asleep makes it start asleep; else it starts hashing at full power.
	Asleep bool
}

// orders is what a miner was told.
type orders struct {
	mode    site.Mode
	limit   unit.Power
	percent int
}

// Miner is one emulated miner. Its commands return at once; the physics follows.
type Miner struct {
	cfg  MinerConfig
	dice *fault.Dice // throws of faces: refusals

	mu   sync.Mutex
	now  time.Time // site time of the last step
	told orders    // what the firmware believes
	obey orders    // what the physics follows
}

// View returns a copy of what the firmware knows, true of the end of the last step.
func (m *Miner) View() View { return View{} }

// Sleep tells the miner to stop hashing and stay reachable.
func (m *Miner) Sleep() { m.tell(func(o *orders) { o.mode = site.ModeSleep }) }

// Wake tells the miner to hash.
func (m *Miner) Wake() { m.tell(func(o *orders) { o.mode = site.ModeRun }) }

// SetLimit tells the miner to draw at most p, within its model's range; 0 or less clears it.
func (m *Miner) SetLimit(p unit.Power) { m.tell(func(o *orders) { o.limit = max(p, 0) }) }

// SetPercent tells the miner to draw at most a share of its nameplate, 1 to 100.
func (m *Miner) SetPercent(percent int) {
	m.tell(func(o *orders) { o.percent = min(max(percent, 1), 100) })
}

// tell changes the orders. A lying miner believes them and does not follow.
func (m *Miner) tell(change func(*orders)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.told)
	if _, lies := m.cfg.Faults.Active(fault.Lying, m.now); !lies {
		change(&m.obey)
	}
}

// Reboot restarts the control board: hashing stops, the device is away for a while and
// then does what it was last told.
func (m *Miner) Reboot() {}

// CheckPassword says whether the device accepts the login. A device without a user's name
// in its protocol takes any user when user is empty.
func (m *Miner) CheckPassword(user, pass string) bool {
	u, p := m.Credentials()
	return (user == "" || user == u) && pass == p
}

// Credentials returns the login the device has, for protocols that prove a password
// without sending it. With the wrong-password fault it is not the site file's.
func (m *Miner) Credentials() (user, password string) { return m.cfg.User, m.cfg.Password }

// Refuses says whether the device refuses the present exchange (fault "refusing"). Ask
// once per command: each call throws the dice.
func (m *Miner) Refuses() bool {
	f, ok := m.cfg.Faults.Active(fault.Refusing, m.site())
	return ok && m.dice.Hit(f.Chance)
}

// Now returns the device's own clock: site time and its skew.
func (m *Miner) Now() time.Time { return m.site() }

func (m *Miner) site() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}
