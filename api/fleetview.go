package api

import (
	"context"
	"strings"
	"time"
)

// Devices gives the miners one by one. Nothing blocks but DeviceHistory, which reads the disk, and
// Adopt, which writes it.
type Devices interface {
	// Devices returns the devices that match a query, in the order of sort; ErrInvalid where the
	// query is not understood, with what would be right.
	Devices(ctx context.Context, r DevicesRequest) (DevicesView, error)
	// Device returns one device; ErrNotFound if there is none of that name.
	Device(ctx context.Context, id string) (DeviceView, error)
	// DeviceHistory returns what one device told over time.
	DeviceHistory(ctx context.Context, id string, from, to time.Time, step time.Duration) (DeviceHistoryView, error)
	// Adopt takes the other machine that answers at a device's address for the device from now on;
	// ErrInvalid where there is none.
	Adopt(ctx context.Context, who, id, note string) (AdoptedView, error)
}

// Rollouts carries out fleet operations: one action on many devices, in waves.
type Rollouts interface {
	// Preview says for each device what would be done, or why not. It changes nothing.
	Preview(ctx context.Context, r RolloutRequest) (PreviewView, error)
	// Begin keeps the rollout on disk, starts it and returns at once.
	Begin(ctx context.Context, who string, r RolloutRequest) (RolloutView, error)
	// Rollouts returns the newest, newest first, without their devices.
	Rollouts(ctx context.Context, limit int) ([]RolloutView, error)
	// Rollout returns one with its devices; ErrNotFound if there is none.
	Rollout(ctx context.Context, id int64) (RolloutView, error)
	// Steer takes "pause", "resume" or "stop".
	Steer(ctx context.Context, who string, id int64, what string) error
}

// Care gives what is wrong with devices and takes what people know of it.
type Care interface {
	// HealthAlerts returns the alerts in force, worst first; silenced ones are marked.
	HealthAlerts(ctx context.Context) ([]HealthAlert, error)
	// Repairs is the list of devices that need hands, worst first.
	Repairs(ctx context.Context) ([]RepairView, error)
	// Repaired strikes a device off the repair list with a word on what was done.
	Repaired(ctx context.Context, who, device, note string) error
}

// Silences keeps what people do not want to hear of, and what is in maintenance.
type Silences interface {
	// Silences returns those in force.
	Silences(ctx context.Context) ([]SilenceView, error)
	// Silence keeps a silence and returns it with its id.
	Silence(ctx context.Context, who string, r SilenceRequest) (SilenceView, error)
	Unsilence(ctx context.Context, who string, id int64) error
}

// DevicesRequest asks for devices. GET /api/v1/devices
type DevicesRequest struct {
	Query  string // such as "model=S19* and hashrate<80%", or plain text that anything may contain; empty: all
	Sort   string // a field's name, "-" before it for descending; default: device
	Offset int
	Limit  int // at most 1000; default 100
}

// DevicesView is a page of devices.
type DevicesView struct {
	At      time.Time   `json:"at"`
	Total   int         `json:"total"` // that match
	Devices []DeviceRow `json:"devices"`
}

// DeviceRow is one device in a list.
type DeviceRow struct {
	ID          string   `json:"id"`
	Group       string   `json:"group"`
	Node        string   `json:"node"`
	Rack        string   `json:"rack"`
	Position    string   `json:"position"`
	Address     string   `json:"address"`
	Make        string   `json:"make"`
	Model       string   `json:"model"`
	Firmware    string   `json:"firmware"`
	Serial      string   `json:"serial"`
	MAC         string   `json:"mac"`
	State       string   `json:"state"` // as in the maps: hashing, starting, sleeping, fault, lost, ...
	PowerW      *float64 `json:"power_w"`
	PowerMethod string   `json:"power_method"`  // outlet, device, curve, nameplate
	PowerError  *float64 `json:"power_error_w"` // one standard deviation
	HashrateTHS *float64 `json:"hashrate_th_s"`
	HashratePct *float64 `json:"hashrate_percent"` // of nameplate
	ChipC       *float64 `json:"chip_c"`           // hottest chip
	UptimeS     *float64 `json:"uptime_s"`
	AgeS        *float64 `json:"age_s"` // of the reading
	Alerts      []string `json:"alerts"`
	Held        string   `json:"held"`        // by whom; empty: nobody
	Maintenance bool     `json:"maintenance"` // alerts are silenced, the market leaves it alone
}

// DeviceView is one device with all that is known of it. GET /api/v1/devices/{id}
type DeviceView struct {
	DeviceRow
	Driver     string        `json:"driver"`
	NameplateW *float64      `json:"nameplate_w"`
	TargetW    *float64      `json:"target_w"` // the power limit that the firmware says it obeys
	IntakeC    *float64      `json:"intake_c"`
	Profile    string        `json:"profile"`
	Profiles   []ProfileView `json:"profiles"`
	Acts       []string      `json:"acts"`  // what it can be told: reboot, pools, led, password, profile
	Style      string        `json:"style"` // watts, percent, mode, read-only
	Boards     []BoardView   `json:"boards"`
	FansRPM    []int         `json:"fans_rpm"`
	Pools      []PoolView    `json:"pools"`
	Faults     []string      `json:"faults"` // as the firmware names them
	Outlet     string        `json:"outlet"` // "pdu-1/12"; empty: none
	Error      string        `json:"error"`  // of the last poll that gave nothing; empty if the newest was good
	Health     []HealthAlert `json:"health"`
}

// AdoptedView says which machine a device was and which it is. POST /api/v1/devices/{id}/adopt
type AdoptedView struct {
	Device string      `json:"device"`
	Was    MachineView `json:"was"`
	Is     MachineView `json:"is"`
}

// MachineView is who a machine says it is; empty fields are not known.
type MachineView struct {
	Make   string `json:"make"`
	Model  string `json:"model"`
	Serial string `json:"serial"`
	MAC    string `json:"mac"`
}

// String names the machine for people.
func (m MachineView) String() string {
	who := strings.TrimSpace(m.Make + " " + m.Model)
	for _, mark := range [][2]string{{"MAC", m.MAC}, {"serial number", m.Serial}} {
		if mark[1] != "" {
			who = strings.TrimPrefix(who+", "+mark[0]+" "+mark[1], ", ")
		}
	}
	if who == "" {
		return "a machine that never told who it is"
	}
	return who
}

// ProfileView is one operating point that the firmware offers.
type ProfileView struct {
	Name        string   `json:"name"`
	PowerW      *float64 `json:"power_w"`
	HashrateTHS *float64 `json:"hashrate_th_s"`
}

// BoardView is one hashboard.
type BoardView struct {
	HashrateTHS *float64 `json:"hashrate_th_s"`
	ChipC       *float64 `json:"chip_c"`
	PCBC        *float64 `json:"pcb_c"`
	Chips       *int     `json:"chips"`
	Working     bool     `json:"working"`
}

// PoolView is one mining pool.
type PoolView struct {
	URL    string `json:"url"`
	Worker string `json:"worker"`
	Active bool   `json:"active"`
}

// DeviceHistoryView is what one device told, evenly spaced. GET /api/v1/devices/{id}/history
type DeviceHistoryView struct {
	Device  string       `json:"device"`
	T       []int64      `json:"t"` // seconds since 1970
	PowerW  []*float64   `json:"power_w"`
	TargetW []*float64   `json:"target_w"`
	HashTHS []*float64   `json:"hashrate_th_s"`
	ChipC   []*float64   `json:"chip_c"` // hottest of all boards
	BoardC  [][]*float64 `json:"board_c"`
}

// RolloutRequest asks for one action on many devices. POST /api/v1/rollouts/preview, POST /api/v1/rollouts
type RolloutRequest struct {
	Action string `json:"action" enum:"reboot,pools,led,password,profile,sleep,wake"`
	// Query chooses the devices; all parts that are given must hold.
	Query   string   `json:"query,omitempty" maxLength:"2000"`
	Devices []string `json:"devices,omitempty" maxItems:"100000"`
	// What the action needs.
	Pools       []PoolRequest `json:"pools,omitempty" maxItems:"3"`
	On          bool          `json:"on,omitempty"`
	PasswordRef string        `json:"password_ref,omitempty" maxLength:"500" doc:"env:NAME or file:PATH on the controller; a secret itself is not taken"`
	Profile     string        `json:"profile,omitempty" maxLength:"200"`
	// Wave is how many devices are told at a time; the next wave begins when this one is confirmed
	// or given up. Default 50.
	Wave int `json:"wave,omitempty" minimum:"0" maximum:"10000"`
	// StopAfter is how many failures stop the rollout; default: a tenth of a wave, at least 3.
	StopAfter int    `json:"stop_after,omitempty" minimum:"0" maximum:"100000"`
	Note      string `json:"note,omitempty" maxLength:"1000"`
}

// PoolRequest is one pool of a rollout; {device} and {ip} in Worker are filled in.
type PoolRequest struct {
	URL         string `json:"url" maxLength:"500"`
	Worker      string `json:"worker" maxLength:"500"`
	PasswordRef string `json:"password_ref,omitempty" maxLength:"500"`
}

// PreviewView says what a rollout would do.
type PreviewView struct {
	Do    int           `json:"do"`
	Skip  int           `json:"skip"`
	Waves int           `json:"waves"`
	Text  string        `json:"text"` // one sentence
	Why   []SkipCount   `json:"why"`  // reasons of skipping, commonest first
	Items []RolloutItem `json:"items"`
}

// SkipCount counts the devices skipped for one reason.
type SkipCount struct {
	Reason  string `json:"reason"`
	Devices int    `json:"devices"`
}

// RolloutView is a rollout. GET /api/v1/rollouts, GET /api/v1/rollouts/{id}
type RolloutView struct {
	ID      int64          `json:"id"`
	Action  string         `json:"action"`
	Text    string         `json:"text"` // what, on what, one sentence
	By      string         `json:"by"`
	Note    string         `json:"note"`
	Begun   time.Time      `json:"begun"`
	Ended   *time.Time     `json:"ended"`
	State   string         `json:"state"`  // running, paused, stopped, done
	Reason  string         `json:"reason"` // why it is paused or stopped
	Counts  map[string]int `json:"counts"` // devices by the state of their item
	Total   int            `json:"total"`
	Items   []RolloutItem  `json:"items,omitempty"`
	Request RolloutRequest `json:"request"`
}

// RolloutItem is one device of a rollout.
type RolloutItem struct {
	Device string     `json:"device"`
	Wave   int        `json:"wave"`  // from 1; 0: skipped
	State  string     `json:"state"` // pending, told, confirmed, failed, skipped, unknown
	Reason string     `json:"reason"`
	At     *time.Time `json:"at"`
}

// HealthAlert is one thing that is wrong with one device, or with many for one cause.
type HealthAlert struct {
	ID       string    `json:"id"`
	Rule     string    `json:"rule"`     // dead-board, hot, fan, low-hashrate, wrong-pool, flapping, stale, ...
	Severity string    `json:"severity"` // info, warning, critical
	Device   string    `json:"device"`
	Group    string    `json:"group"`
	Since    time.Time `json:"since"`
	Text     string    `json:"text"` // what was seen, with figures
	Todo     string    `json:"todo"` // what would help
	Silenced string    `json:"silenced"`
}

// RepairView is one device that needs hands.
type RepairView struct {
	Device   string        `json:"device"`
	Group    string        `json:"group"`
	Rack     string        `json:"rack"`
	Position string        `json:"position"`
	Address  string        `json:"address"`
	Model    string        `json:"model"`
	Serial   string        `json:"serial"`
	Since    time.Time     `json:"since"`
	Seen     []HealthAlert `json:"seen"`
	LostUSD  *float64      `json:"lost_usd_day"` // what it would earn and does not, at today's hashprice
}

// SilenceRequest asks for silence about some devices. POST /api/v1/silences
type SilenceRequest struct {
	Query string   `json:"query,omitempty" maxLength:"2000" doc:"devices, as in the list of devices"`
	Rules []string `json:"rules,omitempty" maxItems:"50" doc:"empty: all rules"`
	// For is how long, in seconds; 0: until ended.
	For  int    `json:"for_s,omitempty" minimum:"0" maximum:"31536000"`
	Note string `json:"note" maxLength:"1000"`
	// Maintenance also has the market leave the devices as they are.
	Maintenance bool `json:"maintenance,omitempty"`
}

// SilenceView is a silence in force.
type SilenceView struct {
	ID          int64      `json:"id"`
	Query       string     `json:"query"`
	Rules       []string   `json:"rules"`
	By          string     `json:"by"`
	Note        string     `json:"note"`
	From        time.Time  `json:"from"`
	To          *time.Time `json:"to"`
	Maintenance bool       `json:"maintenance"`
	Devices     int        `json:"devices"` // that it covers now
}
