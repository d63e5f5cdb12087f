package sitefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// loadID checks a group's or tenant's id; both are loads and share the names.
func (c *checker) loadID(path, id string) {
	if !c.ID(path+".id", id) {
		return
	}
	if other, twice := c.loads[id]; twice {
		line, _ := c.doc.At(other + ".id")
		c.Fault(path+".id", "give each group, tenant and cluster its own id", "the id %q is taken by the one on line %d", id, line)
		return
	}
	c.loads[id] = path
}

func (c *checker) groups() {
	for i := range c.f.Groups {
		g, path := &c.f.Groups[i], fmt.Sprintf("groups[%d]", i)
		c.loadID(path, g.ID)
		c.nodeRef(path+".node", g.Node)
		c.driver(path+".driver", g.Driver)
		c.Credentials(path+".credentials", g.Credentials)
		c.groupAddresses(path, g)
		c.groupPorts(path, g)
		c.groupPower(path, g)
		check.Between(c.Check, path+".pool_fee", g.PoolFee, 0, 0.5)
		check.Between(c.Check, path+".restart_cost", g.RestartCost, 0, 1000*unit.Dollar)
		check.Between(c.Check, path+".min_rest", g.MinRest, 0, 24*time.Hour)
		check.Between(c.Check, path+".min_run", g.MinRun, 0, 24*time.Hour)
		check.Between(c.Check, path+".poll", g.Poll, time.Second, 10*time.Minute)
		check.Between(c.Check, path+".timeout", g.Timeout, 100*time.Millisecond, time.Minute)
	}
}

func (c *checker) driver(path, driver string) {
	names := append(slices.Clone(c.known.Drivers), "auto")
	if c.Need(path, strictyaml.Suggest("", names)) && c.known.Drivers != nil {
		c.OneOf(path, "driver", driver, names...)
	}
}

// groupPower checks the figures that planning and the safe state rest upon.
func (c *checker) groupPower(path string, g *Group) {
	power := c.Need(path+".nameplate", `power of one miner at full work, like "3500 W"`)
	if power && g.Nameplate <= 0 {
		c.Fault(path+".nameplate", `write it like "3500 W"`, "%v is no nameplate power", g.Nameplate)
		return
	}
	work := c.Need(path+".hashrate", `hashrate of one miner at full work, like "200 TH/s"`)
	if work && g.Hashrate <= 0 {
		c.Fault(path+".hashrate", `write it like "200 TH/s"`, "%v is no hashrate", g.Hashrate)
		return
	}
	if g.Standby < 0 || power && g.Standby >= g.Nameplate {
		c.Fault(path+".standby", "write what one miner draws asleep", "%v is not between zero and the nameplate", g.Standby)
	}
	if e := unit.EfficiencyOf(g.Nameplate, g.Hashrate); power && work && (e < 5 || e > 150) {
		c.Warn(path+".nameplate", "both are for one miner", "%v for %v is %.4g J/TH, which no miner is", g.Nameplate, g.Hashrate, float64(e))
	}
}

func (c *checker) groupAddresses(path string, g *Group) {
	if !c.Need(path+".addresses", `write it like "addresses: [10.0.0.1-10.0.0.99]"`) {
		return
	}
	if len(g.Addresses) == 0 {
		c.Fault(path+".addresses", `write it like "[10.0.0.1-10.0.0.99]"`, "the group has no miners")
	}
	total := 0
	for i, s := range g.Addresses {
		at := fmt.Sprintf("%s.addresses[%d]", path, i)
		sp, err := parseSpan(s)
		if err != nil {
			message, suggestion, _ := strings.Cut(err.Error(), "; ")
			c.Fault(at, suggestion, "%s", message)
			continue
		}
		if total += sp.n; total > MaxAddresses {
			c.Fault(at, "divide the group", "a group has at most %d miners", MaxAddresses)
			return
		}
	}
	c.miners += total
	for _, name := range slices.Sorted(maps.Keys(g.Ports)) {
		if p := g.Ports[name]; p.Of(total-1) > 65535 {
			at := strictyaml.Join(path+".ports", name)
			c.Fault(at, fmt.Sprintf("begin at %d or below", 65535-total+1), "the last of %d ports from %d on is above 65535", total, p.Number)
		}
	}
}

// groupPorts checks that the driver knows the ports that the group sets.
func (c *checker) groupPorts(path string, g *Group) {
	names, ok := c.known.Ports[g.Driver]
	if !ok {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(g.Ports)) {
		if slices.Contains(names, name) {
			continue
		}
		hint := strictyaml.Suggest(name, names)
		if len(names) == 1 {
			hint = fmt.Sprintf("its port is called %q", names[0])
		}
		c.Fault(strictyaml.Join(path+".ports", name), hint, "the driver %s has no port %q", g.Driver, name)
	}
}

func (c *checker) tenants() {
	for i := range c.f.Tenants {
		t, path := &c.f.Tenants[i], fmt.Sprintf("tenants[%d]", i)
		c.loadID(path, t.ID)
		if node, ok := c.nodeRef(path+".node", t.Node); ok {
			c.tenantNode(path, i, node)
		}
		if c.Need(path+".firm", `the contracted power, like "1.8 MW"`) && t.Firm <= 0 {
			c.Fault(path+".firm", `write it like "1.8 MW"`, "%v is no contracted power", t.Firm)
		}
		if c.Need(path+".rate", `the rent, like "120 $/kW-month"`) && t.Rate < 0 {
			c.Fault(path+".rate", `write it like "120 $/kW-month"`, "%v is below zero", t.Rate)
		}
		if c.Need(path+".penalty", `for each MWh not delivered, like "5000 $/MWh"`) && t.Penalty <= 0 {
			c.Fault(path+".penalty", `write it like "5000 $/MWh"`, "%v is no penalty", t.Penalty)
		}
		c.OneOf(path+".power", "way to bill energy", t.Power, "pass-through", "included")
		check.Between(c.Check, path+".availability", t.Availability, 0, 1)
		if t.Ramp < 0 {
			c.Fault(path+".ramp", "write the fastest rise per minute", "%v is below zero", t.Ramp)
		}
	}
}

// tenantNode checks that the node's meter measures this tenant and nothing else.
func (c *checker) tenantNode(path string, tenant, node int) {
	n, firm := c.nodeAt(node), c.f.Tenants[tenant].Firm
	if n.Meter == nil && !c.doc.Has(c.nodePath(node)+".meter") {
		c.Fault(path+".node", fmt.Sprintf("give %s a meter", n.ID), "the node %s has no meter, and its meter is the tenant's", n.ID)
	}
	if n.Limit > 0 && firm > n.Limit {
		c.Fault(path+".firm", "raise the node's limit or contract less", "the firm power of %v is above the %v that the node %s may carry", firm, n.Limit, n.ID)
	}
	for i, o := range c.f.Tenants[:tenant] {
		if c.below(o.Node, node) {
			c.Fault(path+".node", "give each tenant a metered node of its own", "the tenant on tenants[%d] (%s) draws through the same meter", i, o.ID)
		}
	}
	var mixed []string
	for _, g := range c.f.Groups {
		if c.below(g.Node, node) {
			mixed = append(mixed, g.ID)
		}
	}
	if len(mixed) > 0 {
		c.Fault(path+".node", "give the tenant a metered node of its own", "miners draw through the same meter: %s", strings.Join(mixed, ", "))
	}
}

// below says whether the node called id is the node at index top or hangs below it.
func (c *checker) below(id string, top int) bool {
	for hops := 0; hops <= len(c.f.Nodes); hops++ {
		i, ok := c.nodes[id]
		switch {
		case !ok:
			return false
		case i == top:
			return true
		case i < 0:
			return false
		}
		id = c.f.Nodes[i].Parent
	}
	return false
}

// claim is a socket that an entry of the file means; port 0 is the driver's standard ports.
type claim struct {
	host string
	port int
	unit int // Modbus unit, so that meters behind one gateway may share its socket; else -1
}

// addresses checks that no socket is meant twice. Each pair of keys is reported once.
func (c *checker) addresses() {
	if c.miners > MaxMiners {
		c.Fault("groups", "divide the site", "the site has more than the %d miners allowed", MaxMiners)
		return
	}
	taken, said := map[claim]string{}, map[[2]string]bool{}
	take := func(k claim, path, what string) {
		other, twice := taken[k]
		if !twice {
			taken[k] = path
			return
		}
		if pair := [2]string{other, path}; !said[pair] {
			said[pair] = true
			line, _ := c.doc.At(other)
			hint := "give every device its own address or its own ports"
			if k.port > 0 {
				what = fmt.Sprintf("%s port %d", what, k.port)
			}
			c.Fault(path, hint, "%s already stands on line %d (%s)", what, line, other)
		}
	}
	for i := -1; i < len(c.f.Nodes); i++ {
		if m := c.nodeAt(i).Meter; m != nil && m.Address != "" {
			take(claim{m.Address, m.Port, m.Unit}, c.nodePath(i)+".meter.address", m.Address)
		}
	}
	for i := -1; i < len(c.f.Nodes); i++ { // a gateway's socket is no miner's
		if m := c.nodeAt(i).Meter; m != nil {
			taken[claim{m.Address, m.Port, -1}] = c.nodePath(i) + ".meter.address"
		}
	}
	for i := range c.f.Groups {
		c.groupClaims(i, take)
	}
}

func (c *checker) groupClaims(group int, take func(k claim, path, what string)) {
	g, path := c.f.Groups[group], fmt.Sprintf("groups[%d].addresses", group)
	if c.doc.Faulty(path) || c.doc.Faulty(fmt.Sprintf("groups[%d].ports", group)) {
		return
	}
	i := 0
	for k, s := range g.Addresses {
		at := fmt.Sprintf("%s[%d]", path, k)
		sp, err := parseSpan(s)
		if err != nil || i+sp.n > MaxAddresses {
			return
		}
		for a, end := sp.first, i+sp.n; i < end; i++ {
			host := a.String()
			if len(g.Ports) == 0 {
				take(claim{host, 0, -1}, at, host)
			}
			for _, name := range slices.Sorted(maps.Keys(g.Ports)) {
				take(claim{host, g.Ports[name].Of(i), -1}, at, host)
			}
			if !sp.same {
				a = a.Next()
			}
		}
	}
}
