// Package feed owns the words of a market operator's feed in the site file: its keys, and what
// each operator needs of them.
//
// It never reads a report, opens a file or shows a secret.
//
// Concurrency: all functions are pure but for what they tell the Reporter.
package feed

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchyard/strictyaml"
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

// Local returns the path that the feed's url names, if it is one: "file:reports", or a plain
// path; else it is an address of HTTP, or empty.
func (d Feed) Local() (path string, ok bool) {
	if path, ok := strings.CutPrefix(d.URL, "file:"); ok {
		return strings.TrimPrefix(path, "//"), true
	}
	u, err := url.Parse(d.URL)
	return d.URL, d.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https")
}

// mapped says whether the feed says itself how its reports are read.
func (d Feed) mapped() bool { return d.Operator == "csv" || d.Operator == "json" }

// operators are those whose reports are read.
var operators = []string{"nyiso", "ercot", "caiso", "pjm", "miso", "entsoe", "aemo", "octopus", "csv", "json"}

// Reporter is told what is wrong, by the path of the key.
type Reporter interface {
	Has(path string) bool // whether the file has the key
	Fault(path, suggestion, format string, args ...any)
	Warn(path, suggestion, format string, args ...any)
	Address(path, s string) // s must be an address of HTTP
	File(path, p string)    // p must be a file or a folder that can be read
}

type check struct{ to Reporter }

// Check checks the feed at path; what is the word for what it gives: "price", "day-ahead
// price", "load" or "reserve".
func Check(to Reporter, path, what string, d *Feed) {
	c := check{to}
	if !c.need(path+".operator", "one of "+strings.Join(operators, ", ")) || !c.oneOf(path+".operator", "operator", d.Operator, operators...) {
		return
	}
	c.zone(path, what, d)
	c.address(path, what, d)
	c.mapping(path, d)
	if what == "load" {
		c.without(path, "a load", "market")
	} else if to.Has(path + ".market") {
		c.oneOf(path+".market", "market", d.Market, "real-time", "day-ahead")
	}
	if what != "reserve" {
		c.without(path, "a "+what, "product")
	}
	c.scale(path, what, d)
	if to.Has(path + ".poll") {
		c.between(path+".poll", d.Poll, 10*time.Second, 24*time.Hour)
	}
}

// need says that the key must be there; false if it is not.
func (c check) need(path, suggestion string) bool {
	if c.to.Has(path) {
		return true
	}
	c.to.Fault(path, suggestion, "%s is missing", path[strings.LastIndexByte(path, '.')+1:])
	return false
}

// oneOf says that the value must be one of the words; false if it is not.
func (c check) oneOf(path, what, value string, words ...string) bool {
	if slices.Contains(words, value) {
		return true
	}
	c.to.Fault(path, strictyaml.Suggest(value, words), "unknown %s %q", what, value)
	return false
}

func (c check) between(path string, v, low, high time.Duration) {
	if v < low || v > high {
		c.to.Fault(path, "it can be from "+strictyaml.Duration(low)+" to "+strictyaml.Duration(high), "%s is out of range", strictyaml.Duration(v))
	}
}

// without says that the keys mean nothing beside owner.
func (c check) without(path, owner string, keys ...string) {
	for _, k := range keys {
		if at := path + "." + k; c.to.Has(at) {
			c.to.Fault(at, "remove the key", "%s means nothing with %s", k, owner)
		}
	}
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// zone says that a zone must be there where the operator's reports hold many.
func (c check) zone(path, what string, d *Feed) {
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
		if load && d.Operator == "caiso" && !c.to.Has(path+".zone") {
			c.need(path+".zone", `the area of the load, such as "CA ISO-TAC" for the whole`)
		}
		return
	}
	if !c.need(path+".zone", hint) {
		return
	}
	if d.Operator == "pjm" && d.URL == "" && !digits.MatchString(d.Zone) {
		c.to.Fault(path+".zone", hint, "PJM's server finds a node by its number only, and %q is none", d.Zone)
	}
}

var (
	blanks   = regexp.MustCompile(`\{[^{}]*\}`)
	keyNames = []string{"key", "apikey", "api_key", "token", "access_token", "securitytoken", "subscription-key", "password", "secret"}
)

func (c check) address(path, what string, d *Feed) {
	at := path + ".url"
	switch {
	case d.URL == "" && (d.mapped() || d.Operator == "octopus"):
		c.need(at, `an address, in which {date}, {day} and {zone} are filled in, or the path of a file or a folder`)
	case d.URL == "" && what == "reserve" && (d.Operator == "miso" || d.Operator == "entsoe"):
		c.to.Fault(path+".operator", "take the price from a csv, or as fixed", "of %s no prices of reserves are read", d.Operator)
	case d.URL == "" && (d.Operator == "entsoe" || d.Operator == "pjm"):
		c.need(path+".token", `the operator wants a key of everybody; write "env:NAME" or "file:PATH"`)
	}
	if p, ok := d.Local(); ok {
		c.to.File(at, p)
	} else if d.URL != "" {
		c.to.Address(at, d.URL)
		c.noKey(at, d.URL)
	}
	for _, p := range blanks.FindAllString(d.URL, -1) {
		if p != "{date}" && p != "{day}" && p != "{zone}" {
			c.to.Fault(at, "{date} is like 20260701, {day} like 2026-07-01, {zone} the feed's zone", "%s is not filled in", p)
		}
	}
	if t := d.Token; t != "" && !strings.HasPrefix(t, "env:") && !strings.HasPrefix(t, "file:") {
		c.to.Fault(path+".token", `write "env:NAME" or "file:PATH"`, "a secret must not stand in the site file")
	}
}

// noKey says that a key must not stand in an address.
func (c check) noKey(path, s string) {
	u, err := url.Parse(s)
	if err != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(u.Query())) {
		if slices.Contains(keyNames, strings.ToLower(name)) {
			c.to.Fault(path, `take it out and write token: "env:NAME" or "file:PATH"`, "a secret must not stand in the site file, and %s looks like one", name)
		}
	}
}

// mapping checks how a csv or json feed is read.
func (c check) mapping(path string, d *Feed) {
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
			c.to.Fault(path+".timezone", `write a name of the IANA list, such as "America/Chicago" or "UTC"`, "unknown time zone %q", d.TimeZone)
		}
	}
	if f := d.TimeFormat; f != "" && (!strings.Contains(f, "06") || !strings.Contains(f, "15") && !strings.Contains(f, "03") && !strings.Contains(f, "3")) {
		c.to.Fault(path+".time_format", `write how 2 January 2006, 15:04:05 looks there, such as "02.01.2006 15:04"`, "%q shows no year or no hour", f)
	}
	if c.to.Has(path + ".length") {
		c.between(path+".length", d.Length, time.Minute, 24*time.Hour)
	} else if d.Ending {
		c.need(path+".length", "how long before the end an interval begins")
	}
}

// scale says that figures in another money or unit need a scale.
func (c check) scale(path, what string, d *Feed) {
	at := path + ".scale"
	if c.to.Has(at) {
		if d.Scale <= 0 || d.Scale > 10_000 {
			c.to.Fault(at, "what a figure is multiplied with to give $/MWh", "%v is out of range", d.Scale)
		}
		return
	}
	money := map[string]string{"entsoe": "euro (mostly)", "aemo": "Australian dollars"}[d.Operator]
	switch {
	case what == "load":
	case d.Operator == "octopus":
		c.need(at, "prices are in pence per kWh: 12.7 turns them into $/MWh at 1.27 $ a pound")
	case money != "":
		c.to.Warn(path, "write scale, the dollars that one of them costs", "prices are in %s and are taken as $", money)
	}
}
