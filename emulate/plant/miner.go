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
	ID, Group string
	Make      *Make // required
	IP        string
	Node      int // index in the tree
	Model     Model
	// User and Password are what the site file says; an empty one is the factory's.
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
	cfg   MinerConfig
	who   View         // what never changes, for View
	dice  *fault.Dice  // throws of faces: refusals
	bias  float64      // from -1 to 1: of its sensor, as a share of what a fault allows
	watch func(Change) // nil, or told of every order
	mu    sync.Mutex   // guards what follows
	now   time.Time    // site time of the last step
	told  orders       // what the firmware believes
	obey  orders       // what the physics follows
	body  body
	// What persons set; nil as the factory, or the site file, has it.
	pools    []PoolView
	password *string
	led      bool
}

// Change is one order that reached a device, for tests that check what devices were told.
type Change struct {
	Device  string
	At      time.Time // site time of the step before
	Mode    site.Mode
	Limit   unit.Power
	Percent int // of nameplate
	// What the order was: "setpoint", "reboot", "pools", "led" or "password".
	What   string
	Reboot bool // What is "reboot"
}

// Sleep tells the miner to stop hashing and stay reachable.
func (m *Miner) Sleep() { m.tell(func(o *orders) { o.mode = site.ModeSleep }) }

// Wake tells the miner to hash.
func (m *Miner) Wake() { m.tell(func(o *orders) { o.mode = site.ModeRun }) }

// SetLimit tells the miner to draw at most p, which the physics keeps within the model's
// MinWatts and MaxWatts; 0 or less clears the limit.
func (m *Miner) SetLimit(p unit.Power) { m.tell(func(o *orders) { o.limit = max(p, 0) }) }

// SetPercent tells the miner to draw at most a share of its nameplate, 1 to 100.
func (m *Miner) SetPercent(percent int) {
	m.tell(func(o *orders) { o.percent = min(max(percent, 1), 100) })
}

// tell changes the orders. A lying miner believes them and does not follow.
func (m *Miner) tell(change func(*orders)) {
	m.mu.Lock()
	change(&m.told)
	if _, lies := m.cfg.Faults.Active(fault.Lying, m.now); !lies {
		change(&m.obey)
		m.body.retarget = true
	}
	m.mu.Unlock()
	m.saw("setpoint")
}

// saw tells the watch of an order.
func (m *Miner) saw(what string) {
	if m.watch == nil {
		return
	}
	m.mu.Lock()
	c := Change{
		Device: m.cfg.ID, At: m.now, Mode: m.told.mode, Limit: m.told.limit, Percent: m.told.percent,
		What: what, Reboot: what == "reboot",
	}
	m.mu.Unlock()
	m.watch(c)
}

// SetPools tells the miner which pools to work for, the first first. It takes a copy.
func (m *Miner) SetPools(pools []PoolView) {
	m.mu.Lock()
	m.pools = append([]PoolView(nil), pools...)
	m.mu.Unlock()
	m.saw("pools")
}

// SetLED makes the locating light blink, or end.
func (m *Miner) SetLED(on bool) {
	m.mu.Lock()
	m.led = on
	m.mu.Unlock()
	m.saw("led")
}

// SetPassword changes the password that the device accepts.
func (m *Miner) SetPassword(password string) {
	m.mu.Lock()
	m.password = &password
	m.mu.Unlock()
	m.saw("password")
}

// Reboot restarts the control board: hashing stops, the device is away for a while (see
// View.Rebooting) and then does what it was last told.
func (m *Miner) Reboot() {
	m.mu.Lock()
	if _, lies := m.cfg.Faults.Active(fault.Lying, m.now); !lies {
		m.body.restart()
	}
	m.mu.Unlock()
	m.saw("reboot")
}

// CheckPassword says whether the device accepts the login. A protocol without user names
// passes an empty user.
func (m *Miner) CheckPassword(user, pass string) bool {
	u, p := m.Credentials()
	return (user == "" || user == u) && pass == p
}

// Credentials returns the login the device has, for protocols that prove a password
// without sending it. With the wrong-password fault it is not the site file's.
func (m *Miner) Credentials() (user, password string) {
	m.mu.Lock()
	now, changed := m.now, m.password
	m.mu.Unlock()
	if _, wrong := m.cfg.Faults.Active(fault.WrongPassword, now); wrong {
		return m.cfg.User, "not-" + m.cfg.Password
	}
	if changed != nil {
		return m.cfg.User, *changed
	}
	return m.cfg.User, m.cfg.Password
}

// Refuses says whether the device refuses the present exchange (fault "refusing"). Ask
// once per command: each call throws the dice.
func (m *Miner) Refuses() bool {
	f, ok := m.cfg.Faults.Active(fault.Refusing, m.site())
	return ok && m.dice.Hit(f.Chance)
}

// Now returns the device's own clock: site time as of the last step, and its skew.
func (m *Miner) Now() time.Time { return m.skewed(m.site()) }

// Away says that the control board is down: rebooting, or without power.
func (m *Miner) Away() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body.away()
}

// Faults returns the device's faults, not to be written.
func (m *Miner) Faults() fault.Set { return m.cfg.Faults }

// Driver returns the name of the driver whose protocol the device speaks.
func (m *Miner) Driver() string { return m.cfg.Make.Driver }

// ID returns the device's name in the site.
func (m *Miner) ID() string { return m.cfg.ID }

// Group returns the name of the device's group.
func (m *Miner) Group() string { return m.cfg.Group }

// Truth returns what the miner truly draws and has drawn since the start, and its
// hashrate, whatever its firmware says.
func (m *Miner) Truth() (unit.Power, unit.Energy, unit.Hashrate) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.body.draw, m.body.energy.whole, unit.Hashrate(m.body.hash) * unit.TeraHash
}

func (m *Miner) site() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *Miner) skewed(t time.Time) time.Time {
	if f, ok := m.cfg.Faults.Active(fault.ClockSkew, t); ok {
		return t.Add(f.Delay)
	}
	return t
}
