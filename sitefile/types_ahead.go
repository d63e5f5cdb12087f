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
	// Settled lists the peaks as the grid's operator published them, by their first moment: a month
	// is billed to tenants once all of its peaks, Count of them, are here.
	Settled []time.Time `yaml:"settled"`
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
	// Call says who tells the tenant when the schedule would use the right: "ask" a person does
	// (the default), "auto" the site itself, "never" nobody, and the schedule leaves it alone.
	Call string `yaml:"call"`
}

// Who calls a curtailment: see CurtailRight.Call.
const (
	CallAsk   = "ask"
	CallAuto  = "auto"
	CallNever = "never"
)

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
