package sitefile

import (
	"time"

	"switchyard/sitefile/feed"
	"switchyard/unit"
)

// Feed is a market operator's own public report, read as the operator publishes it.
type Feed = feed.Feed

// Series is a price or a load over time: exactly one of CSV and Feed.
type Series struct {
	CSV    string `yaml:"csv"`    // path, .gz allowed
	Column string `yaml:"column"` // by header
	Feed   *Feed  `yaml:"feed"`
}

// Charges are what the power bill holds beyond energy.
type Charges struct {
	Demand     []DemandCharge     `yaml:"demand"`
	Coincident []CoincidentCharge `yaml:"coincident"`
}

// DemandCharge is on the highest mean power of an interval in a calendar month, site time zone.
type DemandCharge struct {
	Name     string            `yaml:"name"`
	Rate     unit.CapacityRate `yaml:"rate"`
	Interval time.Duration     `yaml:"interval"` // default 15m
	Daily    *Daily            `yaml:"daily"`    // hours that count; default all
	Weekdays bool              `yaml:"weekdays"` // only Monday to Friday counts
	Months   []int             `yaml:"months"`   // default all
}

// CoincidentCharge is on the power drawn while the grid's load peaks: ERCOT's 4CP is one peak
// interval of 15 minutes in each of June to September.
type CoincidentCharge struct {
	Name string `yaml:"name"`
	// Rate is per kW and year of the mean of the peaks' powers, in $/kW-month: 5 $/kW-month is 60 $/kW-year.
	Rate     unit.CapacityRate `yaml:"rate"`
	Months   []int             `yaml:"months"`   // default 6, 7, 8, 9
	Count    int               `yaml:"count"`    // peaks a month, on different days; default 1
	Interval time.Duration     `yaml:"interval"` // default 15m
	Load     *Series           `yaml:"load"`     // the grid's load, MW
}

// Purchase is power bought ahead.
type Purchase struct {
	Power unit.Power `yaml:"power"`
	Price unit.Price `yaml:"price"`
	From  time.Time  `yaml:"from"`
	To    time.Time  `yaml:"to"`
	Daily *Daily     `yaml:"daily"`
	// Sell says whether what is not used may be sold back, at the real-time price less SellFee; default true.
	Sell    *bool      `yaml:"sell"`
	SellFee unit.Price `yaml:"sell_fee"`
}

// ReserveProduct is a capacity product that the site may sell.
type ReserveProduct struct {
	Name     string        `yaml:"name"`
	Response time.Duration `yaml:"response"`
	Duration time.Duration `yaml:"duration"`
	Most     unit.Power    `yaml:"most"`
	// Price is paid per MW and hour held: a series or a fixed one.
	Price       *Series     `yaml:"price"`
	Fixed       *unit.Price `yaml:"fixed"`
	Performance unit.Ratio  `yaml:"performance"` // paid as delivered; default 100 %
	Call        unit.Ratio  `yaml:"call"`        // expected share really called; default 0
	// Sold lists what is committed: power by span.
	Sold []SoldReserve `yaml:"sold"`
	// Short is what a MWh sold and not held costs; default 1000 $/MWh.
	Short unit.Price `yaml:"short"`
}

// SoldReserve is a committed amount.
type SoldReserve struct {
	Power unit.Power `yaml:"power"`
	From  time.Time  `yaml:"from"`
	To    time.Time  `yaml:"to"`
}

// CurtailRight is a tenant's contract that lets the site take power back.
type CurtailRight struct {
	Power  unit.Power    `yaml:"power"`
	Hours  time.Duration `yaml:"hours"`  // a calendar year
	Notice time.Duration `yaml:"notice"` // default none
	Price  unit.Price    `yaml:"price"`  // paid to the tenant per MWh not drawn
}

// Work is flexible load with a deadline that the site file knows of.
type Work struct {
	ID     string      `yaml:"id"`
	Node   string      `yaml:"node"`
	Energy unit.Energy `yaml:"energy"`
	Power  unit.Power  `yaml:"power"`
	From   time.Time   `yaml:"from"`
	By     time.Time   `yaml:"by"`
	Value  unit.Price  `yaml:"value"`
	Late   unit.Price  `yaml:"late"`
	Slow   unit.Price  `yaml:"slow"`
}

// Minimum is the least power that the site is to draw.
type Minimum struct {
	Power   unit.Power `yaml:"power"`
	Penalty unit.Price `yaml:"penalty"` // per MWh lacking
}

// Ahead is how the hours ahead are scheduled.
type Ahead struct {
	Every   time.Duration `yaml:"every"`   // default 5m
	Horizon time.Duration `yaml:"horizon"` // 24h to 48h; default 36h
	Off     bool          `yaml:"off"`     // clear each interval by itself
}

// Signals are the grid's ways to reach the site.
type Signals struct {
	OpenADR []OpenADR `yaml:"openadr"`
	MQTT    []MQTT    `yaml:"mqtt"`
	Modbus  *Face     `yaml:"modbus"`
}

// LostSignal is what holds once a source has not been heard of for After.
type LostSignal struct {
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
	Client   *Credentials `yaml:"client"`
	TokenURL string       `yaml:"token_url"`
	Scope    string       `yaml:"scope"`
	VEN      string       `yaml:"ven"`      // the VEN's name; default the site's
	Programs []string     `yaml:"programs"` // by name; default all
	Targets  []string     `yaml:"targets"`
	Node     string       `yaml:"node"` // what its limits bound; default the connection
	// Levels are the limit of each SIMPLE level, 0 to 3; default: none, and for 3 only firm load.
	Levels map[int]unit.Power `yaml:"levels"`
	Poll   time.Duration      `yaml:"poll"` // default 30s
	// Webhook is the address that the VTN is to call, as it sees us; empty: polling only.
	// WebhookListen is where we listen for it. Signed by WebhookToken (a reference).
	Webhook       string     `yaml:"webhook"`
	WebhookListen string     `yaml:"webhook_listen"`
	WebhookToken  string     `yaml:"webhook_token"`
	Lost          LostSignal `yaml:"lost"`
}

// MQTT is a broker with topics that say what the site may draw.
type MQTT struct {
	Name        string       `yaml:"name"`
	Broker      string       `yaml:"broker"` // "tcp://host:1883", "ssl://host:8883"
	Credentials *Credentials `yaml:"credentials"`
	CA          string       `yaml:"ca"` // path of the broker's CA certificate
	Cert        string       `yaml:"cert"`
	Key         string       `yaml:"key"` // a reference to the client's key
	// Topic carries {"target": 0..100, "timestamp": …}: the percent of the flexible load that
	// may run. Status, if set, is where what became of it is told.
	Topic  string `yaml:"topic"`
	Status string `yaml:"status"`
	// DSX follows NVIDIA DSX Flex load targets instead: the identifier in its topics.
	DSX *DSX `yaml:"dsx"`
	// Node is what its limits bound; default the connection.
	Node string     `yaml:"node"`
	Lost LostSignal `yaml:"lost"`
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
	Listen string     `yaml:"listen"` // default 127.0.0.1:1502
	Unit   int        `yaml:"unit"`   // default 1
	Allow  []string   `yaml:"allow"`  // addresses that may write; default those that may connect: loopback
	Node   string     `yaml:"node"`
	Lost   LostSignal `yaml:"lost"` // default after 60s without a heartbeat once one was written: keep
}
