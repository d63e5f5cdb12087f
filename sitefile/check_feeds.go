package sitefile

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The operators whose reports are read, and what each needs.
var operators = []string{"nyiso", "ercot", "caiso", "pjm", "miso", "entsoe", "aemo", "octopus", "csv", "json"}

// mapped says whether the feed says itself how its reports are read.
func (d Feed) mapped() bool { return d.Operator == "csv" || d.Operator == "json" }

// feeds checks every feed of the file, and the series that belong to the market alone.
func (c *checker) feeds() {
	m := c.f.Market
	c.aheadSeries("market.day_ahead", m.DayAhead)
	c.aheadSeries("market.load", m.Load)
	c.feed("market.price.feed", "price", m.Price.Feed)
	c.seriesFeed("market.day_ahead", "day-ahead price", m.DayAhead)
	c.seriesFeed("market.load", "load", m.Load)
	for i, charge := range m.Charges.Coincident {
		c.seriesFeed(fmt.Sprintf("market.charges.coincident[%d].load", i), "load", charge.Load)
	}
	for i, r := range c.f.Reserves {
		c.seriesFeed(fmt.Sprintf("reserves[%d].price", i), "reserve", r.Price)
	}
}

func (c *checker) seriesFeed(path, what string, s *Series) {
	if s != nil {
		c.feed(path+".feed", what, s.Feed)
	}
}

// feed checks one feed; what is the word for what it gives.
func (c *checker) feed(path, what string, d *Feed) {
	if d == nil || !c.doc.Has(path) || c.doc.Faulty(path) {
		return
	}
	if !c.need(path+".operator", "one of "+strings.Join(operators, ", ")) {
		return
	}
	if c.oneOf(path+".operator", "operator", d.Operator, operators...); !slices.Contains(operators, d.Operator) {
		return
	}
	c.feedZone(path, what, d)
	c.feedAddress(path, what, d)
	c.feedMap(path, d)
	if what == "load" {
		c.without(path, "a load", "market")
	} else if c.doc.Has(path + ".market") {
		c.oneOf(path+".market", "market", d.Market, "real-time", "day-ahead")
	}
	if what != "reserve" {
		c.without(path, "a "+what, "product")
	}
	c.feedScale(path, what, d)
	if c.doc.Has(path + ".poll") {
		between(c, path+".poll", d.Poll, 10*time.Second, 24*time.Hour)
	}
}

// without says that the keys mean nothing beside owner.
func (c *checker) without(path, owner string, keys ...string) {
	for _, k := range keys {
		if at := path + "." + k; c.doc.Has(at) {
			c.fault(at, "remove the key", "%s means nothing with %s", k, owner)
		}
	}
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// feedZone says that a zone must be there where the operator's reports hold many.
func (c *checker) feedZone(path, what string, d *Feed) {
	load := what == "load"
	hint := map[string]string{
		"nyiso":  `a zone or node as the report names it, such as "WEST" or "N.Y.C."`,
		"ercot":  `a hub, zone or node such as "HB_WEST" or "LZ_WEST"`,
		"caiso":  `a node such as "TH_NP15_GEN-APND"; of reserves a region such as "AS_CAISO_EXP"`,
		"pjm":    `the number of a pnode, such as 51288 for WESTERN HUB`,
		"miso":   `a node such as "INDIANA.HUB"`,
		"entsoe": `a bidding zone such as "DE_LU" or its code "10Y1001A1001A82H"`,
		"aemo":   `a region such as "NSW1"`,
	}[d.Operator]
	switch {
	case d.mapped() || d.Operator == "octopus":
		return // the filter or the address says which
	case load && d.Operator != "entsoe", what == "reserve" && (d.Operator == "ercot" || d.Operator == "pjm"):
		if load && d.Operator == "caiso" && !c.doc.Has(path+".zone") {
			c.need(path+".zone", `the area of the load, such as "CA ISO-TAC" for the whole`)
		}
		return
	}
	if !c.need(path+".zone", hint) {
		return
	}
	if d.Operator == "pjm" && d.URL == "" && !digits.MatchString(d.Zone) {
		c.fault(path+".zone", hint, "PJM's server finds a node by its number only, and %q is none", d.Zone)
	}
}

// errFolder is what mustExist says of a folder, which a feed may read.
var errFolder = errors.New("it is a folder")

var (
	blanks   = regexp.MustCompile(`\{[^{}]*\}`)
	keyNames = []string{"key", "apikey", "api_key", "token", "access_token", "securitytoken", "subscription-key", "password", "secret"}
)

func (c *checker) feedAddress(path, what string, d *Feed) {
	at := path + ".url"
	switch {
	case d.URL == "" && (d.mapped() || d.Operator == "octopus"):
		c.need(at, `an address, in which {date}, {day} and {zone} are filled in, or the path of a file or a folder`)
	case d.URL == "" && what == "reserve" && (d.Operator == "miso" || d.Operator == "entsoe"):
		c.fault(path+".operator", "take the price from a csv, or as fixed", "of %s no prices of reserves are read", d.Operator)
	case d.URL == "" && (d.Operator == "entsoe" || d.Operator == "pjm"):
		c.need(path+".token", `the operator wants a key of everybody; write "env:NAME" or "file:PATH"`)
	}
	if p, ok := d.Local(); ok {
		if err := c.exists(c.f.Path(p)); err != nil && !errors.Is(err, errFolder) {
			c.fault(at, "relative paths start at the site file's folder", "cannot read %s: %v", c.f.Path(p), err)
		}
	} else if d.URL != "" {
		c.url(at, d.URL)
		c.noKey(at, d.URL)
	}
	for _, p := range blanks.FindAllString(d.URL, -1) {
		if p != "{date}" && p != "{day}" && p != "{zone}" {
			c.fault(at, "{date} is like 20260701, {day} like 2026-07-01, {zone} the feed's zone", "%s is not filled in", p)
		}
	}
	if d.Token != "" && !isReference(d.Token) {
		c.fault(path+".token", `write "env:NAME" or "file:PATH"`, "a secret must not stand in the site file")
	}
}

// noKey says that a key must not stand in an address.
func (c *checker) noKey(path, s string) {
	u, err := url.Parse(s)
	if err != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(u.Query())) {
		if slices.Contains(keyNames, strings.ToLower(name)) {
			c.fault(path, `take it out and write token: "env:NAME" or "file:PATH"`, "a secret must not stand in the site file, and %s looks like one", name)
		}
	}
}

// feedMap checks how a csv or json feed is read.
func (c *checker) feedMap(path string, d *Feed) {
	if !d.mapped() {
		c.without(path, d.Operator+", whose format is known", "time", "price", "rows", "filter", "timezone", "time_format", "length", "ending")
		return
	}
	if d.Operator == "csv" {
		c.without(path, "csv", "rows")
		c.need(path+".time", "the column of the interval's start")
		c.need(path+".price", "the column of the figure")
	} else {
		c.need(path+".time", "the dotted path of the interval's start, below a row")
		c.need(path+".price", "the dotted path of the figure, below a row")
	}
	if d.TimeZone != "" {
		if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "Local" {
			c.fault(path+".timezone", `write a name of the IANA list, such as "America/Chicago" or "UTC"`, "unknown time zone %q", d.TimeZone)
		}
	}
	if f := d.TimeFormat; f != "" && (!strings.Contains(f, "06") || !strings.Contains(f, "15") && !strings.Contains(f, "03") && !strings.Contains(f, "3")) {
		c.fault(path+".time_format", `write how 2 January 2006, 15:04:05 looks there, such as "02.01.2006 15:04"`, "%q shows no year or no hour", f)
	}
	if c.doc.Has(path + ".length") {
		between(c, path+".length", d.Length, time.Minute, 24*time.Hour)
	} else if d.Ending {
		c.need(path+".length", "how long before the end an interval begins")
	}
}

// feedScale says that figures in another money or unit need a scale.
func (c *checker) feedScale(path, what string, d *Feed) {
	at := path + ".scale"
	if c.doc.Has(at) {
		if d.Scale <= 0 || d.Scale > 10_000 {
			c.fault(at, "what a figure is multiplied with to give $/MWh", "%v is out of range", d.Scale)
		}
		return
	}
	money := map[string]string{"entsoe": "euro (mostly)", "aemo": "Australian dollars"}[d.Operator]
	switch {
	case what == "load":
	case d.Operator == "octopus":
		c.need(at, "prices are in pence per kWh: 12.7 turns them into $/MWh at 1.27 $ a pound")
	case money != "":
		c.warn(path, "write scale, the dollars that one of them costs", "prices are in %s and are taken as $", money)
	}
}
