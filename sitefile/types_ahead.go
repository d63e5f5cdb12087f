package sitefile

import (
	"time"

	"switchyard/unit"
)

// Feed is a market operator's own public report, read as the operator publishes it.
type Feed struct {
	// Operator: nyiso, ercot, caiso, pjm, miso, entsoe, aemo, octopus, csv or json. The last two are
	// mapped by the fields below, the others by the operator's format.
	Operator string `yaml:"operator"`
	// Zone is the zone, hub or node as the operator writes it: "WEST", "LZ_WEST", "DE_LU", "NSW1".
	Zone string `yaml:"zone"`
	// URL replaces the operator's own address, or is a pattern in which {date} (20060102),
	// {day} (2006-01-02) and {zone} are filled in; a path or "file:" reads a file or a folder of reports.
	URL string `yaml:"url"`
	// Token is a reference to a key or token that the operator asks for.
	Token string `yaml:"token"`
	// Market is "real-time" or "day-ahead"; default by the feed's place: reserves and day_ahead
	// are day-ahead, the price is real-time.
	Market string `yaml:"market"`
	// Product is a reserve as the operator calls it; default the reserve's name.
	Product string `yaml:"product"`
	// Time, Price and Filter map a csv or json feed: the columns or dotted paths of an interval's
	// start and price; Rows is the dotted path of a JSON answer's list; Filter keeps rows whose
	// field has a value. TimeZone and TimeFormat read times without an offset; Length is the interval's.
	Time       string            `yaml:"time"`
	Price      string            `yaml:"price"`
	Rows       string            `yaml:"rows"`
	Filter     map[string]string `yaml:"filter"`
	TimeZone   string            `yaml:"timezone"`
	TimeFormat string            `yaml:"time_format"`
	Length     time.Duration     `yaml:"length"`
	Ending     bool              `yaml:"ending"` // times mark the end of the interval
	// Scale turns the feed's unit into $/MWh: 10 for pence per kWh at one dollar a pound. Default 1.
	Scale float64       `yaml:"scale"`
	Poll  time.Duration `yaml:"poll"` // default a fifth of the interval, at least a minute
}

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
