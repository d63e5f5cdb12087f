package sitefile

import (
	"fmt"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

// defaults sets what the file does not write; a written zero stays, for the checks to judge.
type defaults struct{ doc *strictyaml.Doc }

// or sets *v to value where the file has no key at path.
func or[T any](d defaults, path string, v *T, value T) {
	if !d.doc.Has(path) {
		*v = value
	}
}

// setDefaults fills in what the file leaves out.
func (f *File) setDefaults(doc *strictyaml.Doc) {
	d := defaults{doc}
	or(d, "site.timezone", &f.Site.Timezone, "UTC")
	or(d, "control.period", &f.Control.Period, 5*time.Second)
	or(d, "control.confirm", &f.Control.Confirm, time.Minute)
	or(d, "control.margin", &f.Control.Margin, unit.Ratio(0.01))
	or(d, "control.retries", &f.Control.Retries, 3)
	or(d, "connection.id", &f.Connection.ID, "connection")
	d.node("connection", &f.Connection, f.Control.Period)
	for i := range f.Nodes {
		path := fmt.Sprintf("nodes[%d]", i)
		or(d, path+".parent", &f.Nodes[i].Parent, f.Connection.ID)
		d.node(path, &f.Nodes[i], f.Control.Period)
	}
	for i := range f.Groups {
		g, path := &f.Groups[i], fmt.Sprintf("groups[%d]", i)
		or(d, path+".name", &g.Name, g.ID)
		or(d, path+".poll", &g.Poll, 15*time.Second)
		or(d, path+".timeout", &g.Timeout, 5*time.Second)
	}
	for i := range f.Tenants {
		t, path, yes := &f.Tenants[i], fmt.Sprintf("tenants[%d]", i), true
		or(d, path+".name", &t.Name, t.ID)
		or(d, path+".power", &t.Power, "pass-through")
		or(d, path+".ramp", &t.Ramp, t.Firm)
		or(d, path+".fill", &t.Fill, &yes)
	}
	d.pdus(f.PDUs)
	d.market(&f.Market)
	d.signals(&f.Signals)
	d.ahead(f)
	or(d, "lost.meter", &f.Lost.Meter, "nameplate")
	or(d, "lost.price", &f.Lost.Price, "hold")
	or(d, "lost.controller", &f.Lost.Controller, "keep")
	or(d, "store.dir", &f.Store.Dir, "data")
	or(d, "api.listen", &f.API.Listen, "127.0.0.1:8418")
	if f.Emulate != nil {
		d.emulate(f.Emulate)
	}
}

func (d defaults) node(path string, n *Node, period time.Duration) {
	or(d, path+".name", &n.Name, n.ID)
	if m := n.Meter; m != nil {
		path += ".meter"
		or(d, path+".port", &m.Port, 502)
		or(d, path+".unit", &m.Unit, 1)
		or(d, path+".poll", &m.Poll, period)
		or(d, path+".stale", &m.Stale, 3*m.Poll)
	}
}

func (d defaults) market(m *Market) {
	p, b := "market.price.", "market.bitcoin."
	or(d, p+"time_field", &m.Price.TimeField, "time")
	or(d, p+"price_field", &m.Price.PriceField, "price")
	or(d, p+"poll", &m.Price.Poll, time.Minute)
	stale := 15 * time.Minute
	if m.Price.Feed != nil {
		stale = 30 * time.Minute // operators publish an interval's price after it
	}
	or(d, p+"stale", &m.Price.Stale, stale)
	or(d, b+"price_field", &m.Bitcoin.PriceField, "price")
	or(d, b+"poll", &m.Bitcoin.Poll, 10*time.Minute)
	or(d, b+"stale", &m.Bitcoin.Stale, 48*time.Hour)
}

func (d defaults) emulate(e *Emulate) {
	or(d, "emulate.ramp", &e.Ramp, 1)
	for id, draw := range e.Tenants {
		path := strictyaml.Join("emulate.tenants", id)
		or(d, path+".low", &draw.Low, unit.Ratio(0.5))
		or(d, path+".high", &draw.High, unit.Ratio(1))
		or(d, path+".jump_time", &draw.JumpTime, time.Minute)
		e.Tenants[id] = draw
	}
	for i := range e.Faults {
		f, path := &e.Faults[i], fmt.Sprintf("emulate.faults[%d]", i)
		or(d, path+".chance", &f.Chance, unit.Ratio(1))
		if f.Group != "" {
			or(d, path+".share", &f.Share, unit.Ratio(1))
		}
	}
}
