// Package record owns the record of decisions: rounds as the live site decided them, schedules
// as it planned them, written as lines of JSON, packed; and their replay through the same code.
//
// It never decides by rules of its own, never opens a file, and never keeps more than a line.
//
// Concurrency: a Writer belongs to one goroutine; Replay may go on beside others.
package record

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"switchyard/dispatch"
	"switchyard/dispatch/schedule"
	"switchyard/site"
	"switchyard/unit"
)

// line is one line of a record: exactly one of its parts is there.
type line struct {
	Version  int           `json:"version,omitempty"` // of the first line
	Nodes    []site.Node   `json:"nodes,omitempty"`
	Losses   []float64     `json:"losses,omitempty"` // of the nodes, all digits
	Round    *roundLine    `json:"round,omitempty"`
	Schedule *scheduleLine `json:"schedule,omitempty"`
}

type roundLine struct {
	At     time.Time   `json:"at"`
	Plan   site.PlanID `json:"plan"`
	Price  int64       `json:"price"`
	Adder  int64       `json:"adder,omitempty"`
	Known  bool        `json:"known"`
	Caps   []int64     `json:"caps"`
	Firm   []offerLine `json:"firm,omitempty"`
	Groups []groupLine `json:"groups,omitempty"`
	House  []offerLine `json:"house,omitempty"`
	// Flexible are the clusters' offers.
	Flexible []offerLine  `json:"flexible,omitempty"`
	Held     []heldLine   `json:"held,omitempty"`
	Awards   []site.Award `json:"awards"`
}

// Figures are kept as the numbers that they are: text for people rounds some of them.
type offerLine struct {
	Load   site.LoadID `json:"load"`
	Node   int         `json:"node"`
	Firm   bool        `json:"firm,omitempty"`
	Blocks [][3]int64  `json:"blocks,omitempty"` // power, value, held
	Fixed  int64       `json:"fixed,omitempty"`
}

type groupLine struct {
	Load      site.LoadID   `json:"load"`
	Node      int           `json:"node"`
	Machines  []machineLine `json:"machines,omitempty"`
	Hashprice int64         `json:"hashprice"`
	Fee       float64       `json:"fee,omitempty"`
	Switch    int64         `json:"switch,omitempty"`
	MinRun    int64         `json:"min_run,omitempty"`
	Guide     *[2]int64     `json:"guide,omitempty"` // keep, take
	Fixed     int64         `json:"fixed,omitempty"`
}

type machineLine struct {
	Power    int64   `json:"p"`
	Standby  int64   `json:"s,omitempty"`
	Hashrate float64 `json:"h"`
	Running  bool    `json:"r,omitempty"`
	Count    int     `json:"n,omitempty"`
}

type heldLine struct {
	Power int64         `json:"power"`
	Worth int64         `json:"worth"`
	Loads []site.LoadID `json:"loads"`
}

type scheduleLine struct {
	At      time.Time        `json:"at"`
	Problem schedule.Problem `json:"problem"`
	Method  schedule.Method  `json:"method"`
	Profit  int64            `json:"profit"`
	// First is the plan's guidance for its first step.
	First schedule.Guidance `json:"first"`
}

// version of the form.
const version = 1

// Writer writes a record.
type Writer struct {
	z   *gzip.Writer
	out *json.Encoder
}

// NewWriter begins a record of the decisions of one site. It writes at once, and blocks as
// long as out does.
func NewWriter(out io.Writer, tree *site.Tree) (*Writer, error) {
	z := gzip.NewWriter(out)
	w := &Writer{z: z, out: json.NewEncoder(z)}
	first := line{Version: version}
	for i := range tree.Len() {
		first.Nodes = append(first.Nodes, tree.Node(i))
		first.Losses = append(first.Losses, float64(tree.Node(i).Loss))
	}
	return w, w.write(first)
}

func (w *Writer) write(l line) error {
	if err := w.out.Encode(l); err != nil {
		return fmt.Errorf("record a decision: %w", err)
	}
	return nil
}

// Round writes a decision: what it rested on and what was awarded. All awards are written, in
// the order of the offers.
func (w *Writer) Round(at time.Time, plan site.PlanID, r dispatch.Round, awards []site.Award) error {
	l := &roundLine{At: at, Plan: plan, Price: int64(r.Price), Adder: int64(r.Adder), Known: r.PriceKnown, Awards: awards}
	for _, c := range r.Caps {
		l.Caps = append(l.Caps, int64(c))
	}
	l.Firm, l.House, l.Flexible = offersOut(r.Firm), offersOut(r.House), offersOut(r.Flexible)
	for _, g := range r.Groups {
		l.Groups = append(l.Groups, groupOut(g))
	}
	for _, h := range r.Held {
		l.Held = append(l.Held, heldLine{int64(h.Power), int64(h.Worth), h.Loads})
	}
	return w.write(line{Round: l})
}

// Schedule writes a plan and the problem that it solves.
func (w *Writer) Schedule(at time.Time, p schedule.Problem, plan *schedule.Plan) error {
	p.Tree = nil
	return w.write(line{Schedule: &scheduleLine{At: at, Problem: p, Method: plan.Method, Profit: int64(plan.Profit), First: plan.Guidance(0)}})
}

// Flush hands on what is written, so that a reader finds it.
func (w *Writer) Flush() error { return w.z.Flush() }

// Close ends the record, not what it is written to.
func (w *Writer) Close() error { return w.z.Close() }

func offersOut(in []site.Offer) (out []offerLine) {
	for _, o := range in {
		l := offerLine{Load: o.Load, Node: o.Node, Firm: o.Class == site.Firm, Fixed: int64(o.Fixed)}
		for _, b := range o.Blocks {
			x := [3]int64{int64(b.Power), int64(b.Value)}
			if b.Held {
				x[2] = 1
			}
			l.Blocks = append(l.Blocks, x)
		}
		out = append(out, l)
	}
	return out
}

func groupOut(g dispatch.Group) groupLine {
	l := groupLine{
		Load: g.Load, Node: g.Node, Hashprice: int64(g.Terms.Hashprice), Fee: float64(g.Terms.Fee),
		Switch: int64(g.Terms.SwitchCost), MinRun: int64(g.Terms.MinRun), Fixed: int64(g.Terms.Fixed),
	}
	if t := g.Terms.Guide; t != nil {
		l.Guide = &[2]int64{int64(t.Keep), int64(t.Take)}
	}
	for _, m := range g.Machines {
		l.Machines = append(l.Machines, machineLine{int64(m.Power), int64(m.Standby), float64(m.Hashrate), m.Running, m.Count})
	}
	return l
}

func offersIn(in []offerLine) (out []site.Offer) {
	for _, l := range in {
		o := site.Offer{Load: l.Load, Node: l.Node, Class: site.Flexible, Fixed: unit.Power(l.Fixed)}
		if l.Firm {
			o.Class = site.Firm
		}
		for _, b := range l.Blocks {
			o.Blocks = append(o.Blocks, site.Block{Power: unit.Power(b[0]), Value: unit.Price(b[1]), Held: b[2] != 0})
		}
		out = append(out, o)
	}
	return out
}

func (l groupLine) group() dispatch.Group {
	g := dispatch.Group{Load: l.Load, Node: l.Node, Terms: dispatch.MiningTerms{
		Hashprice: unit.Hashprice(l.Hashprice), Fee: unit.Ratio(l.Fee), SwitchCost: unit.Money(l.Switch),
		MinRun: time.Duration(l.MinRun), Fixed: unit.Power(l.Fixed),
	}}
	if l.Guide != nil {
		g.Terms.Guide = &dispatch.Guide{Keep: unit.Price(l.Guide[0]), Take: unit.Price(l.Guide[1])}
	}
	for _, m := range l.Machines {
		g.Machines = append(g.Machines, dispatch.Machine{Power: unit.Power(m.Power), Standby: unit.Power(m.Standby), Hashrate: unit.Hashrate(m.Hashrate), Running: m.Running, Count: m.Count})
	}
	return g
}

func (l *roundLine) round(tree *site.Tree) dispatch.Round {
	r := dispatch.Round{Tree: tree, Price: unit.Price(l.Price), Adder: unit.Price(l.Adder), PriceKnown: l.Known, Firm: offersIn(l.Firm), House: offersIn(l.House), Flexible: offersIn(l.Flexible)}
	for _, c := range l.Caps {
		r.Caps = append(r.Caps, unit.Power(c))
	}
	for _, g := range l.Groups {
		r.Groups = append(r.Groups, g.group())
	}
	for _, h := range l.Held {
		r.Held = append(r.Held, dispatch.Held{Power: unit.Power(h.Power), Worth: unit.Price(h.Worth), Loads: h.Loads})
	}
	return r
}

// The bounds of what is read.
const (
	maxLine  = 64 << 20
	maxNodes = 100_000
)

// errForm is a record that is not one.
var errForm = errors.New("it does not begin as a record of decisions does")

// parse takes up one line of a record.
func (l *line) parse(b []byte) error {
	*l = line{}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(l); err != nil {
		return fmt.Errorf("no line of a record: %w", err)
	}
	return nil
}
