package sitefile

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// checker holds what the checks of one file share. A check says nothing about a key that
// already has a fault, so that one slip gives one line.
type checker struct {
	doc      *strictyaml.Doc
	f        *File
	known    Known
	exists   func(path string) error
	faults   strictyaml.Faults
	warnings strictyaml.Faults
	nodes    map[string]int    // index in f.Nodes by id; -1 for the connection
	loads    map[string]string // path of each group and tenant by id
	miners   int
}

func (c *checker) all() {
	c.site()
	c.clock()
	c.tree()
	c.groups()
	c.tenants()
	c.firmBelow()
	c.addresses()
	c.pdus()
	c.market()
	c.limits()
	c.ahead()
	c.control()
	c.care()
	c.discovery()
	c.signals()
	c.emulate()
}

func (c *checker) fault(path, suggestion, format string, args ...any) {
	if c.doc.Faulty(path) {
		return
	}
	c.faults = append(c.faults, c.doc.Fault(path, suggestion, format, args...))
}

func (c *checker) warn(path, suggestion, format string, args ...any) {
	c.warnings = append(c.warnings, c.doc.Fault(path, suggestion, format, args...))
}

// need says that the key must be there; false if it is not.
func (c *checker) need(path, suggestion string) bool {
	if c.doc.Has(path) {
		return true
	}
	key := path[strings.LastIndexByte(path, '.')+1:]
	c.fault(path, suggestion, "%s is missing", key)
	return false
}

// oneOf says that the value must be one of the allowed words.
func (c *checker) oneOf(path, what, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.fault(path, strictyaml.Suggest(value, allowed), "unknown %s %q", what, value)
	}
}

// between says that the quantity must lie in the closed range.
func between[T int | float64 | time.Duration | unit.Power | unit.Money | unit.Price | unit.Ratio](c *checker, path string, v, low, high T) {
	if v < low || v > high {
		c.fault(path, "it can be from "+plain(low)+" to "+plain(high), "%s is out of range", plain(v))
	}
}

func plain(v any) string {
	if d, ok := v.(time.Duration); ok {
		return strictyaml.Duration(d)
	}
	return fmt.Sprint(v)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$`)

func (c *checker) id(path, id string) bool {
	if !c.need(path, `name it, with letters, digits, "-", "_" and "."`) {
		return false
	}
	if !idForm.MatchString(id) {
		c.fault(path, `use at most 48 letters, digits, "-", "_" and "."`, "%q cannot be an id", id)
		return false
	}
	return true
}

// file says that a path must name a file that can be read.
func (c *checker) file(path, name string) {
	if err := c.exists(c.f.Path(name)); err != nil {
		c.fault(path, "relative paths start at the site file's folder", "cannot read %s: %v", c.f.Path(name), err)
	}
}

func (c *checker) url(path, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		c.fault(path, `write it like "https://prices.example/now.json"`, "%q is not an HTTP address", s)
		return
	}
	if _, secret := u.User.Password(); secret {
		c.fault(path, "take it out of the address", "a password stands in the address")
	}
}

func (c *checker) credentials(path string, k *Credentials) {
	if k == nil {
		return
	}
	if k.Password != "" && !isReference(k.Password) {
		c.fault(path+".password", `write "env:NAME" or "file:PATH"`, "a secret must not stand in the site file")
	}
	if k.User != "" && k.Password == "" {
		c.need(path+".password", `write "env:NAME" or "file:PATH"`)
	}
}

// clockTime says that the text must be a time of day such as "16:30".
func (c *checker) clockTime(path, s string) {
	if !c.need(path, `write it like "16:30"`) {
		return
	}
	if _, err := ParseTimeOfDay(s); err != nil {
		c.fault(path, `write it like "16:30"`, "%q is not a time of day", s)
	}
}

// ParseTimeOfDay reads "16:30" as the time since midnight; "24:00" is the day's end.
func ParseTimeOfDay(s string) (time.Duration, error) {
	if s == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		return 0, fmt.Errorf("%q is not a time of day; write it like %q", s, "16:30")
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

func (c *checker) site() {
	if c.need("site.name", `write it like "name: North Creek"`) && strings.TrimSpace(c.f.Site.Name) == "" {
		c.fault("site.name", "", "the name is empty")
	}
	if _, err := time.LoadLocation(c.f.Site.Timezone); err != nil || c.f.Site.Timezone == "Local" {
		c.fault("site.timezone", `write a name of the IANA list, such as "America/Chicago" or "UTC"`, "unknown time zone %q", c.f.Site.Timezone)
	}
}

func (c *checker) clock() {
	k := c.f.Clock
	if k == nil {
		return
	}
	if c.need("clock.speed", "site seconds per machine second, such as 60") && (k.Speed <= 0 || k.Speed > 100_000) {
		c.fault("clock.speed", "it can be from above 0 to 100000", "%v is out of range", k.Speed)
	}
	c.need("clock.wall", "the machine's time at which site time was clock.site")
	c.need("clock.site", "the site's time at clock.wall")
}

func (c *checker) control() {
	k, l := c.f.Control, c.f.Lost
	between(c, "control.period", k.Period, time.Second, 5*time.Minute)
	between(c, "control.margin", k.Margin, 0, 0.5)
	between(c, "control.confirm", k.Confirm, time.Second, time.Hour)
	between(c, "control.retries", k.Retries, 0, 100)
	c.oneOf("lost.meter", "choice", l.Meter, "nameplate", "shed")
	c.oneOf("lost.price", "choice", l.Price, "hold", "run", "shed")
	c.oneOf("lost.controller", "choice", l.Controller, "keep", "shed")
	host, port, err := net.SplitHostPort(c.f.API.Listen)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 0 || n > 65535 {
		c.fault("api.listen", `write it like "127.0.0.1:8418"`, "%q is not an address and a port", c.f.API.Listen)
	} else if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		c.warn("api.listen", "put a proxy with TLS before it, or listen on 127.0.0.1", "the API can be reached from other machines without encryption")
	}
	c.ports()
}
