// Package sitefile owns the site file: its typed form, its strict checks with every fault
// reported together, and the commented example that `switchyard init` writes.
//
// It never opens a device, never reads a secret (it keeps references), and never applies
// half a file: Load returns a whole File or the faults.
//
// Concurrency: a File is plain data and is not written after Load.
package sitefile

import (
	"time"

	"switchyard/sitefile/cluster"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// File is a whole site file.
type File struct {
	Site       Site     `yaml:"site"`
	Clock      *Clock   `yaml:"clock"`
	Connection Node     `yaml:"connection"` // id defaults to "connection"
	Nodes      []Node   `yaml:"nodes"`
	Groups     []Group  `yaml:"groups"`
	Tenants    []Tenant `yaml:"tenants"`
	// Clusters are GPUs of ours, with the tenants who run jobs on them.
	Clusters []cluster.Cluster `yaml:"clusters"`
	Market   Market            `yaml:"market"`
	Limits   []Limit           `yaml:"limits"`
	Lost     Lost              `yaml:"lost"`
	// Ahead, Work, Minimum and Reserves are what the schedule of the coming hours knows of.
	Ahead    Ahead            `yaml:"schedule"`
	Work     []Work           `yaml:"work"`
	Minimum  *Minimum         `yaml:"minimum"`
	Reserves []ReserveProduct `yaml:"reserves"`
	Signals  Signals          `yaml:"signals"`
	Control  Control          `yaml:"control"`
	Store    Store            `yaml:"store"`
	API      API              `yaml:"api"`
	// PDUs are power distribution units that measure the miners plugged into them.
	PDUs []PDU `yaml:"pdus"`
	// Racks is the path of a rack map: CSV with the columns device (or address, mac, serial),
	// rack, position, pdu, outlet; empty: none.
	Racks     string    `yaml:"racks"`
	Discovery Discovery `yaml:"discovery"`
	Health    Health    `yaml:"health"`
	Notices   []Notice  `yaml:"notices"`
	Emulate   *Emulate  `yaml:"emulate"` // read by `switchyard emulate` and the demo only
	Dir       string    `yaml:"-"`       // the file's folder: relative paths start here
	// Warnings are what is allowed and yet looks like a slip, with line and key.
	Warnings strictyaml.Faults `yaml:"-"`
}

// Site names the site.
type Site struct {
	Name     string `yaml:"name"`
	Timezone string `yaml:"timezone"` // IANA name; default UTC; days of reports and months of rent are in it
}

// Clock makes site time run apart from the machine's, for rehearsals: site time was Site
// when the machine showed Wall, and runs Speed times as fast.
type Clock struct {
	Speed float64   `yaml:"speed"`
	Wall  time.Time `yaml:"wall"`
	Site  time.Time `yaml:"site"`
}

// Node is the connection or a node below it.
type Node struct {
	ID     string     `yaml:"id"`
	Name   string     `yaml:"name"`   // default: the id
	Parent string     `yaml:"parent"` // default: the connection
	Limit  unit.Power `yaml:"limit"`  // of the power entering it; required at the connection, else none if missing
	// Overload: short-time curve, each step {ratio: 110 %, for: 60s, rest: 10m}; a higher
	// ratio is borne for a shorter time. Sorted longest first by Parse.
	Overload []Overload `yaml:"overload"`
	Inrush   *Inrush    `yaml:"inrush"`
	Loss     unit.Ratio `yaml:"loss"`
	Meter    *Meter     `yaml:"meter"`
}

// Overload is one step of a node's short-time overload curve.
type Overload struct {
	Ratio unit.Ratio    `yaml:"ratio"`
	For   time.Duration `yaml:"for"`
	Rest  time.Duration `yaml:"rest"`
}

// Inrush is how much nameplate power may be started per window.
type Inrush struct {
	Power unit.Power    `yaml:"power"`
	Per   time.Duration `yaml:"per"`
}

// Meter is a Modbus TCP meter.
type Meter struct {
	Address string        `yaml:"address"` // IP
	Port    int           `yaml:"port"`    // default 502
	Unit    int           `yaml:"unit"`    // default 1
	Profile string        `yaml:"profile"` // a shipped profile's name or a path ending in .yaml
	Poll    time.Duration `yaml:"poll"`    // default control.period
	Stale   time.Duration `yaml:"stale"`   // default 3 polls
}

// Group is miners of one model in one hall.
type Group struct {
	ID     string `yaml:"id"`
	Name   string `yaml:"name"`
	Node   string `yaml:"node"`
	Driver string `yaml:"driver"` // a driver's name or "auto"
	Model  string `yaml:"model"`
	// Addresses: "10.0.0.7", "10.0.0.1-10.0.3.254", "10.0.4.0/24" (its hosts, without the
	// network's and the broadcast address), "127.0.0.1*300" (one address 300 times, for
	// ports that step). Their order numbers the miners.
	Addresses []string `yaml:"addresses"`
	// Ports replace the standard ones by name; "20000+" gives the i-th miner 20000+i (from 0).
	Ports       map[string]Port `yaml:"ports"`
	Credentials *Credentials    `yaml:"credentials"`
	// Nameplate and Hashrate per miner, for planning until it is measured.
	Nameplate unit.Power    `yaml:"nameplate"`
	Hashrate  unit.Hashrate `yaml:"hashrate"`
	Standby   unit.Power    `yaml:"standby"`
	PoolFee   unit.Ratio    `yaml:"pool_fee"`
	// RestartCost is lost hashing and wear of one stop and start, per miner.
	RestartCost unit.Money    `yaml:"restart_cost"`
	MinRest     time.Duration `yaml:"min_rest"`
	MinRun      time.Duration `yaml:"min_run"`
	// Ramp is how long a started miner draws power before it hashes; default: nothing, and
	// restart_cost counts the lost hashing. With ramp, restart_cost is the wear alone.
	Ramp    time.Duration `yaml:"ramp"`
	Poll    time.Duration `yaml:"poll"`    // default 15s
	Timeout time.Duration `yaml:"timeout"` // of one exchange, machine time; default 5s
	// Pools that these miners are to work for, the first first; empty: not checked.
	Pools []Pool `yaml:"pools"`
}

// Port is a port number, or the first of a row of them (Step).
type Port struct {
	Number int
	Step   bool
}

// Tenant is an AI tenant in hosting: its own machines, our power and space.
type Tenant struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	Node string `yaml:"node"` // the tenant's feeder; its meter is the tenant's meter
	// Firm is the contracted critical power, reserved whether drawn or not.
	Firm unit.Power        `yaml:"firm"`
	Rate unit.CapacityRate `yaml:"rate"`
	// Power says who pays for energy: "pass-through" (at cost with losses; the default) or "included".
	Power        string     `yaml:"power"`
	Availability unit.Ratio `yaml:"availability"` // promised, of the month's time; zero: nothing promised
	// Penalty per MWh of firm power not delivered: also the value of its offer.
	Penalty unit.Price `yaml:"penalty"`
	// Ramp is the fastest rise expected, power per minute, until more was seen; default firm per minute.
	Ramp unit.Power `yaml:"ramp"`
	// Fill says whether mining may use what the tenant leaves of its reservation; default true.
	Fill *bool `yaml:"fill"`
	// Curtail is the right to take power back; nil: none.
	Curtail *CurtailRight `yaml:"curtail"`
	// Contract is the path of its contract file, by which it is billed; empty: by the keys here.
	Contract string `yaml:"contract"`
}

// Market says where prices and the Bitcoin network's figures come from.
type Market struct {
	Price   Price   `yaml:"price"`
	Bitcoin Bitcoin `yaml:"bitcoin"`
	// DayAhead is the day-ahead price, the base of the forecast; nil: not known.
	DayAhead *Series `yaml:"day_ahead"`
	// Load is the grid's load, MW, for coincident peaks and the forecast; nil: not known.
	Load    *Series    `yaml:"load"`
	Charges Charges    `yaml:"charges"`
	Blocks  []Purchase `yaml:"blocks"`
}

// Price is the power price source: exactly one of CSV, URL, Feed, Fixed and MadeUp.
type Price struct {
	Feed *Feed  `yaml:"feed"` // a market operator's own report
	CSV  string `yaml:"csv"`  // path, .gz allowed
	// Column of the price, by header; default: the first whose name holds "rt_price", else "price".
	Column string `yaml:"column"`
	// Interval that one price holds: of the file's rows, by default the commonest distance
	// between them; of the URL's prices, by default 5m.
	Interval time.Duration `yaml:"interval"`
	URL      string        `yaml:"url"` // HTTP JSON
	// TimeField and PriceField are dotted paths in the JSON; defaults "time" and "price".
	TimeField  string        `yaml:"time_field"`
	PriceField string        `yaml:"price_field"`
	Poll       time.Duration `yaml:"poll"` // default 1m
	Fixed      *unit.Price   `yaml:"fixed"`
	// MadeUp makes days of plausible 5-minute prices from this seed, for rehearsals; every screen says so.
	MadeUp *uint64 `yaml:"made_up"`
	// Stale is how long after the end of its interval a price still counts; default 15m, of a feed 30m.
	Stale time.Duration `yaml:"stale"`
	// Adder is added to every price: delivery and taxes.
	Adder unit.Price `yaml:"adder"`
}

// Bitcoin is the source of hashprice: exactly one of CSV, RPC and Hashprice.
type Bitcoin struct {
	CSV string `yaml:"csv"` // path, the columns of a daily network table
	// RPC is a Bitcoin node's JSON-RPC address; Price is then needed too, by PriceUSD or PriceURL.
	RPC         string          `yaml:"rpc"`
	Credentials *Credentials    `yaml:"credentials"`
	PriceUSD    unit.Money      `yaml:"price_usd"`
	PriceURL    string          `yaml:"price_url"`
	PriceField  string          `yaml:"price_field"`
	Poll        time.Duration   `yaml:"poll"` // default 10m
	Hashprice   *unit.Hashprice `yaml:"hashprice"`
	Stale       time.Duration   `yaml:"stale"` // default 48h
}

// Limit is a standing or timed limit that the site file sets on a node.
type Limit struct {
	Node  string     `yaml:"node"`
	Power unit.Power `yaml:"power"`
	From  time.Time  `yaml:"from"`
	To    time.Time  `yaml:"to"`
	Daily *Daily     `yaml:"daily"`
	Note  string     `yaml:"note"`
}

// Daily repeats a limit every day, in the site's time zone, "16:00" to "18:30".
type Daily struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// Lost says what to do when a part of the controller's eyes is lost.
type Lost struct {
	// Meter: "nameplate" (count the nameplate of all that is awake below it; the default),
	// or "shed" (all flexible load below it sleeps until the meter is back).
	Meter string `yaml:"meter"`
	// Price: "hold" (no economic switching until it is back; the default), "run" or "shed".
	Price string `yaml:"price"`
	// Controller: what devices are told on an orderly stop: "keep" (the default) or "shed".
	Controller string `yaml:"controller"`
}

// Control is the control loop's pace and margins.
type Control struct {
	Period  time.Duration `yaml:"period"`  // default 5s
	Margin  unit.Ratio    `yaml:"margin"`  // kept free below every limit; default 1 %
	Confirm time.Duration `yaml:"confirm"` // a command not confirmed after this counts as failed once; default 60s plus the firmware's own time
	Retries int           `yaml:"retries"` // before quarantine; default 3
}

// Store says where the ledger, the journal and the history live.
type Store struct {
	Dir string `yaml:"dir"` // default "data", beside the site file
}

// API says where the page and the API listen.
type API struct {
	Listen string `yaml:"listen"` // default 127.0.0.1:8418
}

// Emulate sets up the emulated devices of this site.
type Emulate struct {
	Seed uint64 `yaml:"seed"`
	// Tenants' draws, by tenant id; default: wander between half and all of firm.
	Tenants map[string]Draw `yaml:"tenants"`
	Faults  []Fault         `yaml:"faults"`
	// Time scale of ramps: 1 is the firmware's own.
	Ramp float64 `yaml:"ramp"`
}

// Draw is how an emulated tenant draws power.
type Draw struct {
	Low  unit.Ratio `yaml:"low"`  // of firm; default 50 %
	High unit.Ratio `yaml:"high"` // default 100 %
	// Jump: every so often (mean) the draw goes from low to high within JumpTime; zero: never.
	Jump     time.Duration `yaml:"jump"`
	JumpTime time.Duration `yaml:"jump_time"` // default 60s
	At       []Jump        `yaml:"at"`        // jumps at given times of the day, for tests
}

// Jump sets an emulated tenant's draw to a share of firm at a time of day, within For.
type Jump struct {
	At  string        `yaml:"at"` // "13:05", site time zone
	To  unit.Ratio    `yaml:"to"`
	For time.Duration `yaml:"for"`
}

// Fault makes emulated devices misbehave.
type Fault struct {
	// Kind: late, lost, half-open, garbled, refusing, lying, clock-skew, dead-board, wrong-password,
	// mute-power, biased-power, or for meters frozen, register-reset.
	Kind string `yaml:"kind"`
	// Devices by id ("s21-004", "meter:hall-a"); or Share of Group.
	Devices []string      `yaml:"devices"`
	Group   string        `yaml:"group"`
	Share   unit.Ratio    `yaml:"share"`
	Delay   time.Duration `yaml:"delay"`  // late: machine time; clock-skew: site time; required for these two
	Chance  unit.Ratio    `yaml:"chance"` // lost, garbled, refusing: of exchanges; default 100 %
	// By is how far the sensors of biased-power read off at most: each device is off by a share of
	// its own between -By and By. Required there.
	By   unit.Ratio `yaml:"by"`
	From time.Time  `yaml:"from"`
	To   time.Time  `yaml:"to"`
}
