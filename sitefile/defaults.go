package sitefile

import (
	"fmt"
	"time"

	"switchyard/sitefile/check"
	"switchyard/sitefile/cluster"
	"switchyard/sitefile/signals"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// defaults sets what the file does not write; a written zero stays, for the checks to judge.
type defaults struct{ doc *strictyaml.Doc }

// setDefaults fills in what the file leaves out.
func (f *File) setDefaults(doc *strictyaml.Doc) {
	d := defaults{doc}
	check.Or(d.doc, "site.timezone", &f.Site.Timezone, "UTC")
	check.Or(d.doc, "control.period", &f.Control.Period, 5*time.Second)
	check.Or(d.doc, "control.confirm", &f.Control.Confirm, time.Minute)
	check.Or(d.doc, "control.margin", &f.Control.Margin, unit.Ratio(0.01))
	check.Or(d.doc, "control.retries", &f.Control.Retries, 3)
	check.Or(d.doc, "connection.id", &f.Connection.ID, "connection")
	d.node("connection", &f.Connection, f.Control.Period)
	for i := range f.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		check.Or(d.doc, path+".parent", &f.Nodes[i].Parent, f.Connection.ID)
		d.node(path, &f.Nodes[i], f.Control.Period)
	}
	for i := range f.Groups {
		g, path := &f.Groups[i], fmt.Sprintf("groups[%d]", i)
		check.Or(d.doc, path+".name", &g.Name, g.ID)
		check.Or(d.doc, path+".poll", &g.Poll, 15*time.Second)
		check.Or(d.doc, path+".timeout", &g.Timeout, 5*time.Second)
	}
	for i := range f.Tenants {
		t, path, yes := &f.Tenants[i], fmt.Sprintf("tenants[%d]", i), true
		check.Or(d.doc, path+".name", &t.Name, t.ID)
		check.Or(d.doc, path+".power", &t.Power, "pass-through")
		check.Or(d.doc, path+".ramp", &t.Ramp, t.Firm)
		check.Or(d.doc, path+".fill", &t.Fill, &yes)
	}
	d.pdus(f.PDUs)
	d.market(&f.Market)
	signals.Defaults(doc, &f.Signals)
	cluster.Defaults(doc, f.Clusters)
	d.ahead(f)
	check.Or(d.doc, "lost.meter", &f.Lost.Meter, "nameplate")
	check.Or(d.doc, "lost.price", &f.Lost.Price, "hold")
	check.Or(d.doc, "lost.controller", &f.Lost.Controller, "keep")
	check.Or(d.doc, "store.dir", &f.Store.Dir, "data")
	check.Or(d.doc, "api.listen", &f.API.Listen, "127.0.0.1:8418")
	if f.Emulate != nil {
		d.emulate(f.Emulate)
	}
}

func (d defaults) node(path string, n *Node, period time.Duration) {
	check.Or(d.doc, path+".name", &n.Name, n.ID)
	if m := n.Meter; m != nil {
		path += ".meter"
		check.Or(d.doc, path+".port", &m.Port, 502)
		check.Or(d.doc, path+".unit", &m.Unit, 1)
		check.Or(d.doc, path+".poll", &m.Poll, period)
		check.Or(d.doc, path+".stale", &m.Stale, 3*m.Poll)
	}
}

func (d defaults) market(m *Market) {
	p, b := "market.price.", "market.bitcoin."
	check.Or(d.doc, p+"time_field", &m.Price.TimeField, "time")
	check.Or(d.doc, p+"price_field", &m.Price.PriceField, "price")
	check.Or(d.doc, p+"poll", &m.Price.Poll, time.Minute)
	stale := 15 * time.Minute
	if m.Price.Feed != nil {
		stale = 30 * time.Minute // operators publish an interval's price after it
	}
	check.Or(d.doc, p+"stale", &m.Price.Stale, stale)
	check.Or(d.doc, b+"price_field", &m.Bitcoin.PriceField, "price")
	check.Or(d.doc, b+"poll", &m.Bitcoin.Poll, 10*time.Minute)
	check.Or(d.doc, b+"stale", &m.Bitcoin.Stale, 48*time.Hour)
}

func (d defaults) emulate(e *Emulate) {
	check.Or(d.doc, "emulate.ramp", &e.Ramp, 1)
	for id, draw := range e.Tenants {
		path := strictyaml.Join("emulate.tenants", id)
		check.Or(d.doc, path+".low", &draw.Low, unit.Ratio(0.5))
		check.Or(d.doc, path+".high", &draw.High, unit.Ratio(1))
		check.Or(d.doc, path+".jump_time", &draw.JumpTime, time.Minute)
		e.Tenants[id] = draw
	}
	for i := range e.Faults {
		f, path := &e.Faults[i], fmt.Sprintf("emulate.faults[%d]", i)
		check.Or(d.doc, path+".chance", &f.Chance, unit.Ratio(1))
		if f.Group != "" {
			check.Or(d.doc, path+".share", &f.Share, unit.Ratio(1))
		}
	}
}
