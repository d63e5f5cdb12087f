package sitefile

import (
	"time"

	"switchyard/unit"
)

// Pool is a mining pool that a group's miners are to work for. In Worker "{device}" stands
// for the device's id and "{ip}" for the last two numbers of its address, "x" between them.
type Pool struct {
	URL    string `yaml:"url"`
	Worker string `yaml:"worker"`
	// Password of the pool, by reference; default "x", which most pools take.
	Password string `yaml:"password"`
}

// PDU is a power distribution unit whose outlets are read.
type PDU struct {
	ID      string `yaml:"id"`
	Node    string `yaml:"node"` // where it hangs in the tree
	Driver  string `yaml:"driver"`
	Address string `yaml:"address"`
	Port    int    `yaml:"port"`    // default 161
	Profile string `yaml:"profile"` // a shipped profile's name or a path ending in .yaml
	// Community of SNMP v2c, by reference; default "public".
	Community string        `yaml:"community"`
	Poll      time.Duration `yaml:"poll"` // default 15s
	// Outlets names the miner behind each outlet, as the unit calls it; a miner with two cords stands
	// at two. "gpu/gpu-01" is a machine of the cluster gpu. The rack map may name more.
	Outlets map[string]string `yaml:"outlets"`
}

// Discovery says how devices are found again whose address changed.
type Discovery struct {
	// Networks are searched, slowly, for devices that are lost; default: the groups' own addresses.
	Networks []string `yaml:"networks"`
	// Listen for the makers' "I am here" broadcasts; default false.
	Listen bool `yaml:"listen"`
	// Off: addresses are what the file says, whoever answers there.
	Off bool `yaml:"off"`
}

// Health sets the thresholds of the health rules; every zero has a default.
type Health struct {
	ChipTemp    float64       `yaml:"chip_temp"`    // deg C at which a chip is hot; default 100
	LowHashrate unit.Ratio    `yaml:"low_hashrate"` // of nameplate, at the power it was given; default 85 %
	Stale       time.Duration `yaml:"stale"`        // default 5m
	// After is how long a condition must hold before it counts, Clear how long it must be gone;
	// defaults 2m and 5m.
	After time.Duration `yaml:"after"`
	Clear time.Duration `yaml:"clear"`
	// Off names rules that are not wanted.
	Off []string `yaml:"off"`
}

// Notice sends alerts to people.
type Notice struct {
	Name string `yaml:"name"`
	// URL of the service, by reference since it holds its secret: "env:NAME" or "file:PATH" of a
	// shoutrrr address such as slack://token@channel.
	URL string `yaml:"url"`
	// Level is the least that is sent: "info", "warning" (the default) or "critical".
	Level string `yaml:"level"`
	// Every is how long notices are gathered into one; default 1m.
	Every time.Duration `yaml:"every"`
}
