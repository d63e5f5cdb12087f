package dispatch

import (
	"strconv"

	"switchyard/site"
	"switchyard/unit"
)

// explain writes the awards with their reasons. All texts are cut from one string: ten
// thousand small ones would cost more than the clearing itself.
func (c *Clearer) explain(p Problem, r *Result) {
	c.text, c.marks = c.text[:0], append(c.marks[:0], 0)
	for i := range p.Offers {
		o, t := &p.Offers[i], &c.tally[i]
		a := &r.Awards[i]
		a.Load, a.Power, a.Full = o.Load, t.given, t.asked
		a.Urgent = t.cut > 0
		a.Reason.Code, a.Reason.Node = c.reason(p, o, t)
		c.marks = append(c.marks, len(c.text))
	}
	all := string(c.text)
	for i := range r.Awards {
		r.Awards[i].Reason.Text = all[c.marks[i]:c.marks[i+1]]
	}
}

// reason appends the text of one award's reason and returns its code and node.
func (c *Clearer) reason(p Problem, o *site.Offer, t *tally) (site.Code, site.NodeID) {
	switch {
	case t.asked == 0:
		c.say("asks for nothing")
		return site.ReasonValue, ""
	case t.lost:
		c.say("its node (index ")
		c.text = strconv.AppendInt(c.text, int64(o.Node), 10)
		c.say(") is not in the tree")
		return site.ReasonLimit, ""
	case t.cut > 0:
		return site.ReasonLimit, c.limitReason(p, o, t)
	case o.Class == site.Firm:
		c.power("contracted: ", t.given, " reserved")
		return site.ReasonFirm, ""
	case !p.PriceKnown:
		c.say("the price is not known: judged by the limits alone")
		return site.ReasonLost, ""
	case t.dear == 0:
		c.price2("worth ", t.low, counted(o), relation(t.low, p.Price+p.Adder), p.Price)
		c.adder(p)
		return site.ReasonValue, ""
	case t.given == 0:
		c.price2("worth ", t.best, counted(o), relation(t.best, p.Price+p.Adder), p.Price)
		c.adder(p)
		return site.ReasonPrice, ""
	}
	c.power("", t.given, " of ")
	c.power("", t.asked, " is worth the price of ")
	c.text = p.Price.AppendShort(c.text)
	c.adder(p)
	c.price2(" $/MWh; the best left out is worth ", t.best, "", "", 0)
	return site.ReasonPrice, ""
}

// limitReason appends "hall-a's limit of 1.5 MW binds: 210 kW of 900 kW given".
func (c *Clearer) limitReason(p Problem, o *site.Offer, t *tally) site.NodeID {
	node := p.Tree.Node(int(t.node))
	name := node.Name
	if name == "" {
		name = string(node.ID)
	}
	c.say(name)
	c.power("'s limit of ", capOf(p, int(t.node)), " binds: ")
	c.power("", t.given, " of ")
	c.power("", t.given+t.cut, " given")
	if o.Class == site.Firm {
		c.say(", though contracted")
	}
	if t.dear > 0 {
		c.power("; ", t.dear, " more is not worth the price")
	}
	return node.ID
}

func (c *Clearer) say(s string) { c.text = append(c.text, s...) }

func (c *Clearer) power(before string, p unit.Power, after string) {
	c.say(before)
	c.text = p.AppendShort(c.text)
	c.say(after)
}

// price2 appends a price and, unless relate is empty, how it stands to a second one.
func (c *Clearer) price2(before string, v unit.Price, between, relate string, p unit.Price) {
	c.say(before)
	c.text = v.AppendShort(c.text)
	c.say(between)
	if relate == "" {
		return
	}
	c.say(relate)
	c.text = p.AppendShort(c.text)
}

// counted says what a value is of. A machine that rests may be worth less than nothing to start,
// which would puzzle whoever knows what it earns.
func counted(o *site.Offer) string {
	if o.Guided {
		return " $/MWh with restarts and the hours ahead counted, "
	}
	return " $/MWh, "
}

// adder appends " and 412.00 for the hours ahead" where there is an adder.
func (c *Clearer) adder(p Problem) {
	if p.Adder == 0 {
		return
	}
	c.say(" and ")
	c.text = p.Adder.AppendShort(c.text)
	c.say(" for the hours ahead")
}

func relation(v, p unit.Price) string {
	switch {
	case v > p:
		return "above the price of "
	case v < p:
		return "below the price of "
	}
	return "at the price of "
}
