package sitefile

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/sitefile/signals"
	"switchyard/strictyaml"
)

// checker holds what the checks of one file share. A check says nothing about a key that
// already has a fault, so that one slip gives one line.
type checker struct {
	check.Check
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
	c.clusters()
	c.firmBelow()
	c.addresses()
	c.pdus()
	c.market()
	c.limits()
	c.ahead()
	c.control()
	c.care()
	c.discovery()
	signals.Check(c, &c.f.Signals, c.f.Connection.Limit)
	c.emulate()
}

func (c *checker) Fault(path, suggestion, format string, args ...any) {
	if c.doc.Faulty(path) {
		return
	}
	c.faults = append(c.faults, c.doc.Fault(path, suggestion, format, args...))
}

func (c *checker) Warn(path, suggestion, format string, args ...any) {
	c.warnings = append(c.warnings, c.doc.Fault(path, suggestion, format, args...))
}

// file says that a path must name a file that can be read.
func (c *checker) File(path, name string) {
	if err := c.exists(c.f.Path(name)); err != nil {
		c.Fault(path, "relative paths start at the site file's folder", "cannot read %s: %v", c.f.Path(name), err)
	}
}

// clockTime says that the text must be a time of day such as "16:30".
func (c *checker) clockTime(path, s string) {
	if !c.Need(path, `write it like "16:30"`) {
		return
	}
	if _, err := ParseTimeOfDay(s); err != nil {
		c.Fault(path, `write it like "16:30"`, "%q is not a time of day", s)
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
	if c.Need("site.name", `write it like "name: North Creek"`) && strings.TrimSpace(c.f.Site.Name) == "" {
		c.Fault("site.name", "", "the name is empty")
	}
	if _, err := time.LoadLocation(c.f.Site.Timezone); err != nil || c.f.Site.Timezone == "Local" {
		c.Fault("site.timezone", `write a name of the IANA list, such as "America/Chicago" or "UTC"`, "unknown time zone %q", c.f.Site.Timezone)
	}
}

func (c *checker) clock() {
	k := c.f.Clock
	if k == nil {
		return
	}
	if c.Need("clock.speed", "site seconds per machine second, such as 60") && (k.Speed <= 0 || k.Speed > 100_000) {
		c.Fault("clock.speed", "it can be from above 0 to 100000", "%v is out of range", k.Speed)
	}
	c.Need("clock.wall", "the machine's time at which site time was clock.site")
	c.Need("clock.site", "the site's time at clock.wall")
}

func (c *checker) control() {
	k, l := c.f.Control, c.f.Lost
	check.Between(c.Check, "control.period", k.Period, time.Second, 5*time.Minute)
	check.Between(c.Check, "control.margin", k.Margin, 0, 0.5)
	check.Between(c.Check, "control.confirm", k.Confirm, time.Second, time.Hour)
	check.Between(c.Check, "control.retries", k.Retries, 0, 100)
	c.OneOf("lost.meter", "choice", l.Meter, "nameplate", "shed")
	c.OneOf("lost.price", "choice", l.Price, "hold", "run", "shed")
	c.OneOf("lost.controller", "choice", l.Controller, "keep", "shed")
	host, port, err := net.SplitHostPort(c.f.API.Listen)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 0 || n > 65535 {
		c.Fault("api.listen", `write it like "127.0.0.1:8418"`, "%q is not an address and a port", c.f.API.Listen)
	} else if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		c.Warn("api.listen", "put a proxy with TLS before it, or listen on 127.0.0.1", "the API can be reached from other machines without encryption")
	}
	c.ports()
}
