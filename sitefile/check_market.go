package sitefile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

func (c *checker) market() {
	p := c.f.Market.Price
	source := c.ExactlyOne("market.price", "csv", "url", "feed", "fixed", "made_up")
	c.Only("market.price", source, "csv", "column")
	c.Only("market.price", source, "url", "time_field", "price_field", "poll")
	switch source {
	case "fixed", "made_up":
		c.Only("market.price", source, "csv or url", "interval", "stale")
	case "feed":
		c.Only("market.price", source, "csv or url", "interval")
	}
	c.feeds()
	switch source {
	case "csv":
		c.File("market.price.csv", p.CSV)
	case "url":
		c.URL("market.price.url", p.URL)
	case "fixed":
		if p.Fixed != nil {
			check.Between(c.Check, "market.price.fixed", *p.Fixed, MinPrice, MaxPrice)
		}
	}
	if c.doc.Has("market.price.interval") {
		check.Between(c.Check, "market.price.interval", p.Interval, time.Minute, 24*time.Hour)
	}
	check.Between(c.Check, "market.price.poll", p.Poll, time.Second, 24*time.Hour)
	check.Between(c.Check, "market.price.stale", p.Stale, 0, 7*24*time.Hour)
	check.Between(c.Check, "market.price.adder", p.Adder, MinPrice, MaxPrice)
	if len(c.f.Groups) > 0 || c.doc.Has("market.bitcoin") {
		c.bitcoin()
	}
}

// The prices that the file and the feeds take for real; beyond them somebody erred. New
// York's real-time market has been below -2,000 $/MWh.
const (
	MinPrice = -5_000 * unit.DollarPerMWh
	MaxPrice = 20_000 * unit.DollarPerMWh
)

func (c *checker) bitcoin() {
	const path = "market.bitcoin"
	b := c.f.Market.Bitcoin
	source := c.ExactlyOne(path, "csv", "rpc", "hashprice")
	c.Only(path, source, "rpc", "credentials", "price_usd", "price_url", "price_field", "poll")
	switch source {
	case "csv":
		c.File(path+".csv", b.CSV)
	case "rpc":
		c.URL(path+".rpc", b.RPC)
		usd, feed := c.doc.Has(path+".price_usd"), c.doc.Has(path+".price_url")
		switch {
		case usd == feed:
			c.Fault(path, "write price_usd or price_url", "a Bitcoin node does not know the price in dollars: exactly one source of it is needed")
		case usd && b.PriceUSD <= 0:
			c.Fault(path+".price_usd", `write it like "65000 $"`, "%v is no price", b.PriceUSD)
		case feed:
			c.URL(path+".price_url", b.PriceURL)
		}
	case "hashprice":
		if h := b.Hashprice; h != nil && (*h <= 0 || *h > unit.DollarsPerPHDay(10_000)) {
			c.Fault(path+".hashprice", `write it like "50 $/PH/day"`, "%v is out of range", *h)
		}
	}
	c.Credentials(path+".credentials", b.Credentials)
	check.Between(c.Check, path+".poll", b.Poll, time.Second, 24*time.Hour)
	check.Between(c.Check, path+".stale", b.Stale, 0, 90*24*time.Hour)
}

func (c *checker) limits() {
	for i, l := range c.f.Limits {
		path := fmt.Sprintf("limits[%d]", i)
		node, ok := c.nodeRef(path+".node", l.Node)
		if c.Need(path+".power", `write it like "2 MW"`) && l.Power < 0 {
			c.Fault(path+".power", `write it like "2 MW"`, "%v is below zero", l.Power)
		}
		if ok {
			if n := c.nodeAt(node); n.Limit > 0 && l.Power >= n.Limit {
				c.Warn(path+".power", "", "the limit of %v changes nothing: %s has %v anyway", l.Power, n.ID, n.Limit)
			}
		}
		c.span(path, l.From, l.To)
		if l.Daily == nil {
			continue
		}
		c.clockTime(path+".daily.from", l.Daily.From)
		c.clockTime(path+".daily.to", l.Daily.To)
		if l.Daily.From != "" && l.Daily.From == l.Daily.To {
			c.Fault(path+".daily.to", "remove daily for a limit that always holds", "the limit ends when it begins")
		}
	}
}

// span says that a time that ends must end after it begins.
func (c *checker) span(path string, from, to time.Time) {
	if !to.IsZero() && !to.After(from) {
		c.Fault(path+".to", "let it end after it begins", "%s is not after %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
}

func (c *checker) emulate() {
	e := c.f.Emulate
	if e == nil {
		return
	}
	if e.Ramp <= 0 || e.Ramp > 1000 {
		c.Fault("emulate.ramp", "1 is the firmware's own", "%v is out of range", e.Ramp)
	}
	var tenants []string
	for _, t := range c.f.Tenants {
		tenants = append(tenants, t.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(e.Tenants)) {
		path := strictyaml.Join("emulate.tenants", id)
		if !slices.Contains(tenants, id) {
			c.Fault(path, strictyaml.Suggest(id, tenants), "there is no tenant %q", id)
		}
		c.draw(path, e.Tenants[id])
	}
	for i, f := range e.Faults {
		c.emulatedFault(fmt.Sprintf("emulate.faults[%d]", i), f)
	}
}

func (c *checker) draw(path string, d Draw) {
	check.Between(c.Check, path+".low", d.Low, 0, 1.5)
	check.Between(c.Check, path+".high", d.High, 0, 1.5)
	if d.High < d.Low {
		c.Fault(path+".high", "let high be at least low", "%v is below the low of %v", d.High, d.Low)
	}
	check.Between(c.Check, path+".jump", d.Jump, 0, 7*24*time.Hour)
	check.Between(c.Check, path+".jump_time", d.JumpTime, time.Second, time.Hour)
	for i, j := range d.At {
		at := fmt.Sprintf("%s.at[%d]", path, i)
		c.clockTime(at+".at", j.At)
		check.Between(c.Check, at+".to", j.To, 0, 1.5)
		check.Between(c.Check, at+".for", j.For, 0, 24*time.Hour)
	}
}

func (c *checker) emulatedFault(path string, f Fault) {
	kinds := []string{"late", "lost", "half-open", "garbled", "refusing", "lying", "clock-skew", "dead-board", "wrong-password", "mute-power", "biased-power", "frozen", "register-reset"}
	if c.Need(path+".kind", strictyaml.Suggest("", kinds)) {
		c.OneOf(path+".kind", "kind of fault", f.Kind, kinds...)
	}
	if f.Kind == "late" || f.Kind == "clock-skew" {
		c.Need(path+".delay", `write it like "2s"`)
	}
	if f.Kind == "biased-power" {
		c.Need(path+".by", `write it like "by: 10 %"`)
	}
	check.Between(c.Check, path+".by", f.By, 0, 0.9)
	check.Between(c.Check, path+".chance", f.Chance, 0, 1)
	check.Between(c.Check, path+".share", f.Share, 0, 1)
	c.span(path, f.From, f.To)
	source := c.ExactlyOne(path, "devices", "group")
	c.Only(path, source, "group", "share")
	if source == "group" {
		if _, ok := c.f.Group(f.Group); !ok {
			c.Fault(path+".group", strictyaml.Suggest(f.Group, c.groupNames()), "there is no group %q", f.Group)
		}
	}
	for i, d := range f.Devices {
		c.device(fmt.Sprintf("%s.devices[%d]", path, i), d)
	}
}

func (c *checker) groupNames() []string {
	var out []string
	for _, g := range c.f.Groups {
		out = append(out, g.ID)
	}
	return out
}

// device says that the id must be a metered node's meter or a miner of a group.
func (c *checker) device(path, id string) {
	if node, ok := strings.CutPrefix(id, "meter:"); ok {
		if i, there := c.nodes[node]; !there {
			c.Fault(path, strictyaml.Suggest(node, c.nodeNames()), "there is no node %q", node)
		} else if c.nodeAt(i).Meter == nil {
			c.Fault(path, "", "the node %s has no meter", node)
		}
		return
	}
	cut := strings.LastIndexByte(id, '-')
	g, ok := c.f.Group(id[:max(cut, 0)])
	if cut < 0 || !ok {
		c.Fault(path, `write it like "s21-004" or "meter:hall-a"`, "there is no device %q", id)
		return
	}
	targets := g.Targets()
	if n, err := strconv.Atoi(id[cut+1:]); err != nil || n < 1 || n > len(targets) || string(targets[n-1].Device) != id {
		hint := "the group has no miners"
		if len(targets) > 0 {
			hint = fmt.Sprintf("the group has %s to %s", targets[0].Device, targets[len(targets)-1].Device)
		}
		c.Fault(path, hint, "there is no device %q", id)
	}
}
