package sitefile

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"switchyard/site"
	"switchyard/sitefile/check"
	"switchyard/unit"
)

// MaxPools is how many pools a miner takes.
const MaxPools = 3

// HealthRules returns the names of the health rules, which health.off may name.
func HealthRules() []string {
	return []string{"dead-board", "hot", "fan", "low-hashrate", "wrong-pool", "flapping", "stale", "not-hashing", "fault", "stranger"}
}

// NoticeLevels returns the levels of a notice, the least first.
func NoticeLevels() []string { return []string{"info", "warning", "critical"} }

// care checks what keeps devices well: health, notices and the groups' pools.
func (c *checker) care() {
	h := c.f.Health
	check.WhenSet(c.Check, "health.chip_temp", h.ChipTemp, 40, 150)
	if c.doc.Has("health.low_hashrate") && h.LowHashrate == 0 {
		c.Fault("health.low_hashrate", `to be told nothing of it write "off: [low-hashrate]"`, "no hashrate is below zero")
	} else {
		check.WhenSet(c.Check, "health.low_hashrate", h.LowHashrate, unit.Ratio(0), 1)
	}
	check.WhenSet(c.Check, "health.stale", h.Stale, 10*time.Second, 24*time.Hour)
	check.WhenSet(c.Check, "health.after", h.After, time.Second, 24*time.Hour)
	check.WhenSet(c.Check, "health.clear", h.Clear, time.Second, 24*time.Hour)
	for i, name := range h.Off {
		c.OneOf(fmt.Sprintf("health.off[%d]", i), "health rule", name, HealthRules()...)
	}
	names := map[string]string{}
	for i := range c.f.Notices {
		c.notice(fmt.Sprintf("notices[%d]", i), &c.f.Notices[i], names)
	}
	for i := range c.f.Groups {
		c.pools(fmt.Sprintf("groups[%d].pools", i), c.f.Groups[i].Pools)
	}
}

func (c *checker) notice(path string, n *Notice, names map[string]string) {
	if c.ID(path+".name", n.Name) {
		if other, twice := names[n.Name]; twice {
			c.Fault(path+".name", "give each its own name", "the name %q is taken by %s", n.Name, other)
		}
		names[n.Name] = path
	}
	const hint = `write "env:NAME" or "file:PATH" of an address such as slack://token@channel`
	if c.Need(path+".url", hint) && !check.IsReference(n.URL) {
		c.Fault(path+".url", hint, "the address holds a secret, which must not stand in the site file")
	} else if c.known.Address != nil && c.doc.Has(path+".url") {
		if err := c.known.Address(c.f, n.URL); err != nil {
			c.Warn(path+".url", "where the controller runs it must be there", "%v", err)
		}
	}
	if c.doc.Has(path + ".level") {
		c.OneOf(path+".level", "level", n.Level, NoticeLevels()...)
	}
	check.WhenSet(c.Check, path+".every", n.Every, time.Second, 24*time.Hour)
}

func (c *checker) pools(path string, pools []Pool) {
	if len(pools) > MaxPools {
		c.Fault(path, "leave out the last ones", "a miner takes at most %d pools", MaxPools)
	}
	for i := range pools {
		p, at := &pools[i], fmt.Sprintf("%s[%d]", path, i)
		if c.Need(at+".url", `write it like "stratum+tcp://pool.example:3333"`) {
			if err := CheckPoolURL(p.URL); err != nil {
				message, hint, _ := strings.Cut(err.Error(), "; ")
				c.Fault(at+".url", hint, "%s", message)
			}
		}
		if c.Need(at+".worker", `write it like "account.{device}"`) {
			if err := CheckWorker(p.Worker); err != nil {
				message, hint, _ := strings.Cut(err.Error(), "; ")
				c.Fault(at+".worker", hint, "%s", message)
			}
		}
		if p.Password != "" && !check.IsReference(p.Password) {
			c.Fault(at+".password", `write "env:NAME" or "file:PATH"`, "a secret must not stand in the site file")
		}
	}
}

// CheckPoolURL says what is wrong with a pool's address; nil if nothing is.
func CheckPoolURL(s string) error {
	const hint = `; write it like "stratum+tcp://pool.example:3333"`
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme == "" || strings.ContainsAny(s, " \t\r\n\"'`,") {
		return fmt.Errorf("%q is not a pool's address"+hint, s)
	}
	if !strings.HasPrefix(u.Scheme, "stratum") {
		return fmt.Errorf("pools speak stratum and not %s"+hint, u.Scheme)
	}
	if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" {
		return fmt.Errorf("the pool's port is missing in %q"+hint, s)
	}
	if u.User != nil {
		return fmt.Errorf("the worker stands in its own key, not in the address" + hint)
	}
	return nil
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// CheckWorker says what is wrong with a worker's template; nil if nothing is.
func CheckWorker(s string) error {
	if strings.TrimSpace(s) == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q is no worker; write it like %q", s, "account.{device}")
	}
	for _, p := range placeholder.FindAllString(s, -1) {
		if p != "{device}" && p != "{ip}" {
			return fmt.Errorf("%s stands for nothing; it can be {device} or {ip}", p)
		}
	}
	return nil
}

// WorkerOf fills the worker's template in for one device: "{device}" with its id, "{ip}" with
// the last two numbers of its address and an "x" between them.
func WorkerOf(template string, id site.DeviceID, host string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	return strings.NewReplacer("{device}", string(id), "{ip}", shortIP(host)).Replace(template)
}

func shortIP(host string) string {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return strconv.Itoa(int(b[2])) + "x" + strconv.Itoa(int(b[3]))
	}
	b := a.As16()
	return fmt.Sprintf("%02x%02xx%02x%02x", b[12], b[13], b[14], b[15])
}
