package plant

import (
	"time"

	"switchyard/site"
	"switchyard/unit"
)

// The modes and states a face may see; the same words as everywhere.
const (
	ModeRun   = site.ModeRun
	ModeSleep = site.ModeSleep

	Hashing  = site.StateHashing
	Starting = site.StateStarting
	Sleeping = site.StateSleeping
	Faulty   = site.StateFault
)

// View is what a miner's firmware knows of itself at one moment: what its face may tell.
type View struct {
	// At is the device's own clock, with its skew.
	At  time.Time
	ID  string
	MAC string // "02:00:5e:00:01:11"
	IP  string // the address it listens on, without port

	Serial   string
	Model    Model
	Firmware string

	// Mode is what the device was last told and believes, also when it lies.
	Mode  site.Mode
	State site.State
	// Rebooting says that the control board is down: a face answers nothing.
	Rebooting bool

	// Power entering the device, by its own sensor: within 1 % of the truth, or as far off as a
	// fault makes it; 0 with the mute-power fault.
	Power       unit.Power
	Hashrate    unit.Hashrate
	HashrateAvg unit.Hashrate // mean since the mining process started (Elapsed)

	Limit   unit.Power // the power limit or target it was told; 0: none
	Percent int        // of nameplate it was told; 100: all

	Boards []BoardView
	Fans   []int   // rpm
	Intake float64 // deg C

	Uptime  time.Duration // since the control board booted
	Elapsed time.Duration // since the mining process started; 0 while asleep
	Pools   []PoolView
	// LED says that the locating light blinks.
	LED bool
	// ReportsPower says whether this firmware tells its power at all.
	ReportsPower bool
}

// BoardView is one hashboard.
type BoardView struct {
	Hashrate unit.Hashrate
	ChipTemp float64 // hottest chip, deg C
	PCBTemp  float64 // deg C
	Chips    int     // that answer
	Dead     bool
}

// PoolView is one pool the miner is set to.
type PoolView struct {
	URL, Worker string
	Active      bool
}
