package sitefile

import (
	"fmt"
	"strings"
)

// discovery checks how devices are found again, and that the rack map is there.
func (c *checker) discovery() {
	d, total := c.f.Discovery, 0
	seen := map[span]int{}
	for i, s := range d.Networks {
		at := fmt.Sprintf("discovery.networks[%d]", i)
		sp, err := parseSpan(s)
		switch {
		case err != nil:
			message, suggestion, _ := strings.Cut(err.Error(), "; ")
			c.Fault(at, suggestion, "%s", message)
			continue
		case sp.same && sp.n > 1:
			c.Fault(at, `write a network like "10.0.4.0/24" or a range`, "%q is one address many times", s)
			continue
		case sp.n > MaxAddresses:
			c.Fault(at, "write smaller networks", "%q has more than the %d addresses that are searched", s, MaxAddresses)
			continue
		}
		if first, twice := seen[sp]; twice {
			c.Warn(at, "", "the same addresses as in networks[%d]", first)
			continue
		}
		seen[sp] = i
		if total += sp.n; total > MaxAddresses {
			c.Fault(at, "search the networks that miners are in", "the networks have more than the %d addresses that are searched", MaxAddresses)
			break
		}
	}
	if d.Off && (d.Listen || len(d.Networks) > 0) {
		c.Warn("discovery.off", "take out one or the other", "nothing is searched and nobody is listened to while it is off")
	}
	if c.f.Racks != "" {
		c.File("racks", c.f.Racks)
	}
}
