// Package signals owns the words of the grid's ways to the site in the site file: the keys of
// OpenADR, MQTT and Modbus, their defaults and their checks.
//
// It never opens a connection, reads a file or shows a secret.
//
// Concurrency: all functions are pure but for what they tell the Reporter.
package signals

import (
	"time"

	"switchyard/sitefile/check"
	"switchyard/unit"
)

// Signals are the grid's ways to reach the site.
type Signals struct {
	OpenADR []OpenADR `yaml:"openadr"`
	MQTT    []MQTT    `yaml:"mqtt"`
	Modbus  *Face     `yaml:"modbus"`
}

// Lost is what holds once a source has not been heard of for After.
type Lost struct {
	After time.Duration `yaml:"after"` // default: by source
	// Then: "keep" what it said last until each ends (the default), "release" it all, or
	// "limit" the connection to Limit.
	Then  string     `yaml:"then"`
	Limit unit.Power `yaml:"limit"`
}

// OpenADR is a VTN that the site's VEN follows.
type OpenADR struct {
	Name    string `yaml:"name"`
	URL     string `yaml:"url"`     // base address, as "https://vtn.example/openadr3/3.1.0"
	Version string `yaml:"version"` // "3.1" (default) or "3.0"
	// Client are OAuth2 client credentials (user is the client id); TokenURL is asked for, default by the VTN.
	Client   *check.Credentials `yaml:"client"`
	TokenURL string             `yaml:"token_url"`
	Scope    string             `yaml:"scope"`
	VEN      string             `yaml:"ven"`      // the VEN's name; default the site's
	Programs []string           `yaml:"programs"` // by name; default all
	Targets  []string           `yaml:"targets"`
	Node     string             `yaml:"node"` // what its limits bound; default the connection
	// Levels are the limit of each SIMPLE level, 0 to 3; default: none, and for 3 only firm load.
	Levels map[int]unit.Power `yaml:"levels"`
	Poll   time.Duration      `yaml:"poll"` // default 30s
	// Webhook is the address that the VTN is to call, as it sees us; empty: polling only.
	// WebhookListen is where we listen for it. Signed by WebhookToken (a reference).
	Webhook       string `yaml:"webhook"`
	WebhookListen string `yaml:"webhook_listen"`
	WebhookToken  string `yaml:"webhook_token"`
	Lost          Lost   `yaml:"lost"`
}

// MQTT is a broker with topics that say what the site may draw.
type MQTT struct {
	Name        string             `yaml:"name"`
	Broker      string             `yaml:"broker"` // "tcp://host:1883", "ssl://host:8883"
	Credentials *check.Credentials `yaml:"credentials"`
	CA          string             `yaml:"ca"` // path of the broker's CA certificate
	Cert        string             `yaml:"cert"`
	Key         string             `yaml:"key"` // a reference to the client's key
	// Topic carries {"target": 0..100, "timestamp": …}: the percent of the flexible load that
	// may run. Status, if set, is where what became of it is told.
	Topic  string `yaml:"topic"`
	Status string `yaml:"status"`
	// DSX follows NVIDIA DSX Flex load targets instead: the identifier in its topics.
	DSX *DSX `yaml:"dsx"`
	// Node is what its limits bound; default the connection.
	Node string `yaml:"node"`
	Lost Lost   `yaml:"lost"`
}

// DSX is a DSX Flex agent's place in the topics.
type DSX struct {
	ISV    string            `yaml:"isv"`    // whose load targets are followed
	Agent  string            `yaml:"agent"`  // our own identifier
	Feeds  map[string]string `yaml:"feeds"`  // feed tag to node
	Keys   string            `yaml:"keys"`   // path of the JWK set that signs load targets
	Sign   string            `yaml:"sign"`   // reference to our own private key (PEM)
	SignID string            `yaml:"key_id"` // its kid
}

// Face is the Modbus TCP server for a plant controller or an RTU.
type Face struct {
	Listen string   `yaml:"listen"` // default 127.0.0.1:1502
	Unit   int      `yaml:"unit"`   // default 1
	Allow  []string `yaml:"allow"`  // addresses that may write; default those that may connect: loopback
	Node   string   `yaml:"node"`
	Lost   Lost     `yaml:"lost"` // default after 60s without a heartbeat once one was written: keep
}
