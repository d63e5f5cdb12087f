package studycmd

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"switchyard/billing/contract"
	"switchyard/clock"
	"switchyard/market"
	"switchyard/sitefile"
	"switchyard/study/draft"
	"switchyard/study/figure"
)

// cut takes a history's key apart: "node_w:hall-a".
func cut(key string) (kind, id string) {
	kind, id, _ = strings.Cut(key, ":")
	return kind, id
}

// known are the values without their gaps.
func known(v []*float64) []float64 {
	out := make([]float64, 0, len(v))
	for _, x := range v {
		if x != nil {
			out = append(out, *x)
		}
	}
	return out
}

// contracts makes a lease of what each hosting tenant pays now.
func (p *plant) contracts(f *sitefile.File) error {
	for _, t := range f.Tenants {
		if t.Contract == "" {
			if l, ok := byRate(t.ID, or2(t.Name, t.ID), t.Rate.DollarsPerKWMonth(), p.from); ok {
				if t.Power == "included" {
					l.Kind = "gross"
				}
				p.leases = append(p.leases, l)
			}
			continue
		}
		k, err := contract.Load(f.Path(t.Contract))
		if err != nil {
			return fmt.Errorf("read the contract of %s: %w", t.ID, err)
		}
		if v, ok := k.At(p.now); ok && v.Colocation != nil {
			p.leases = append(p.leases, ofContract(t.ID, k, v))
		}
	}
	return nil
}

func or2(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// leaseID names a lease like a tenant's; options named after it are ids of at most 48 letters too.
func leaseID(tenant string) string { return "like-" + tenant[:min(len(tenant), 36)] }

// byRate is a lease of which no more than the rent is known.
func byRate(id, name string, rate float64, from string) (draft.Lease, bool) {
	return draft.Lease{
		ID: leaseID(id), Tenant: name, Kind: "modified", Notes: []string{"One more lease like that of " + name + ", who is here already."},
		Rate: draft.Value{Is: draft.Number(rate) + " $/kW-month", From: figure.Contract, Source: "rate of " + id + " in " + from},
	}, rate > 0
}

// ofContract is a lease on the terms of a contract that runs.
func ofContract(id string, k *contract.Contract, v contract.Version) draft.Lease {
	source := k.Number
	if source == "" {
		source = "the contract of " + id
	}
	source += ", " + v.From.String()
	is := func(s string) draft.Value { return draft.Value{Is: s, From: figure.Contract, Source: source} }
	sp := v.Colocation
	l := draft.Lease{
		ID: leaseID(id), Tenant: or2(k.Customer.Name, id), Kind: sp.Lease, Rate: is(sp.Rate.String()), Escalator: is(sp.Escalator.String()),
		Notes: []string{"One more lease on the terms of " + or2(k.Customer.Name, id) + ", who is here already."},
	}
	if l.Kind == "" {
		l.Kind = "modified"
	}
	last := k.Versions[len(k.Versions)-1]
	if !last.To.IsZero() {
		if months := (last.To.Year-v.Start.Year)*12 + int(last.To.Month) - int(v.Start.Month); months > 0 {
			l.Term = is(figure.Months(months).String())
		}
	}
	if pre := v.Prepayment; pre != nil {
		l.Notes = append(l.Notes, "That contract has a prepayment: prepaid and credit_cap say the like.")
	}
	return l
}

// market takes what power costs and what hashing earns from the site file's market section; to is
// the study file's folder.
func (p *plant) market(f *sitefile.File, to string) {
	m := &f.Market
	w := &p.power
	switch {
	case m.Price.CSV != "":
		w.Prices, w.Column, w.Source = relative(to, f.Path(m.Price.CSV)), m.Price.Column, "the prices that "+p.from+" goes by"
	case m.Price.Fixed != nil:
		w.Flat = draft.Value{Is: m.Price.Fixed.String(), From: figure.Contract, Source: "market.price.fixed in " + p.from}
	case m.Price.MadeUp != nil:
		p.notes = append(p.notes, "Prices are made up in "+p.from+": put real ones in their place.")
	default:
		p.notes = append(p.notes, "Prices come from a feed in "+p.from+": `prices:` takes a CSV of a year or more of them.")
	}
	if m.Price.Adder != 0 {
		w.Adder = draft.Value{Is: m.Price.Adder.String(), From: figure.Contract, Source: "market.price.adder in " + p.from}
	}
	p.charges(m.Charges)
	p.purchases(m.Blocks)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	k, err := market.Open(f, clock.System(), quiet)
	if err != nil {
		p.notes = append(p.notes, "Bitcoin's figures could not be read: "+oneLine(err)+".")
		return
	}
	p.hashing(k)
}

func (p *plant) charges(c sitefile.Charges) {
	var demand, coincident float64
	var names, peaks []string
	for _, d := range c.Demand {
		share := 1.0
		if len(d.Months) > 0 {
			share = float64(len(d.Months)) / 12
		}
		demand += d.Rate.DollarsPerKWMonth() * share
		names = append(names, or2(d.Name, "demand charge"))
	}
	for _, x := range c.Coincident {
		coincident += 12 * x.Rate.DollarsPerKWMonth()
		peaks = append(peaks, or2(x.Name, "coincident-peak charge"))
	}
	if demand > 0 {
		p.power.Demand = draft.Value{Is: draft.Number(demand) + " $/kW-month", From: figure.Contract, Source: strings.Join(names, ", ") + " in " + p.from}
	}
	if coincident > 0 {
		p.power.Coincident = draft.Value{Is: draft.Number(coincident) + " $", From: figure.Contract, Source: strings.Join(peaks, ", ") + " in " + p.from}
	}
}

// purchases are the blocks that are not over when the study begins.
func (p *plant) purchases(all []sitefile.Purchase) {
	for i, b := range all {
		if !b.To.IsZero() && !b.To.After(p.now) {
			continue
		}
		source := fmt.Sprintf("market.blocks[%d] in %s", i, p.from)
		is := func(s string) draft.Value { return draft.Value{Is: s, From: figure.Contract, Source: source} }
		x := draft.Block{Power: is(b.Power.String()), Price: is(b.Price.String()), Keep: b.Sell != nil && !*b.Sell}
		if !b.From.IsZero() && b.From.After(p.now) {
			x.From = figure.MonthOf(b.From.Year(), b.From.Month())
		}
		if !b.To.IsZero() {
			end := b.To.In(p.now.Location())
			x.Until = figure.MonthOf(end.Year(), end.Month())
			if x.Until <= nextMonth(p.now) {
				continue
			}
		}
		if b.Daily != nil {
			p.notes = append(p.notes, fmt.Sprintf("%s is of %s to %s alone: a study's blocks are of all hours, so it is left out.", source, b.Daily.From, b.Daily.To))
			continue
		}
		p.power.Blocks = append(p.power.Blocks, x)
	}
}

// hashing takes the newest figures of the Bitcoin network that are there.
func (p *plant) hashing(m *market.Market) {
	q := m.Hashprice(p.now)
	if !q.Known {
		all := m.Hashprices(p.now.AddDate(-15, 0, 0), p.now)
		for i := len(all) - 1; i >= 0 && !q.Known; i-- {
			q = all[i]
		}
	}
	if !q.Known {
		return
	}
	p.hashprice = q.Hashprice.DollarsPerPHDay()
	p.coin.Hashprice = draft.Value{Is: q.Hashprice.String(), From: figure.Published, Source: q.Source}
	if q.BitcoinPrice > 0 && q.BTCPerPHDay > 0 {
		source := or2(q.Source, "the Bitcoin table of "+p.from) + ", " + q.From.UTC().Format(time.DateOnly)
		p.coin.Price = draft.Value{Is: draft.Number(float64(int(q.BitcoinPrice.Dollars()))) + " $", From: figure.Published, Source: source}
		p.coin.Difficulty = draft.Value{Is: exponent(difficulty(q.BTCPerPHDay, nextMonth(p.now))), From: figure.Published, Source: source + ", from bitcoin earned per PH/s"}
	}
}

// network makes the draft's difficulty such that hashing earns what the site says it does, where
// that is all that is known.
func (p *plant) network(b *draft.Bitcoin, start figure.Month) {
	if b.Difficulty.Known() || p.hashprice <= 0 {
		return
	}
	const price = 90_000 // only its ratio to the difficulty counts for what hashing earns today
	b.Price = draft.Assumed("90 $k", "believed; write today's price")
	b.Difficulty = draft.Assumed(exponent(difficulty(p.hashprice/price, start)), fmt.Sprintf("so that hashing earns the %.2f $/PH/day that %s says, at the price above", p.hashprice, p.from))
}

// feesABlock is what a draft assumes of fees, in bitcoin.
const feesABlock = 0.03

// difficulty at which a PH/s earns so many bitcoin a day.
func difficulty(perPH float64, at figure.Month) float64 {
	reward := float64(market.Subsidy(draft.HeightAt(at)))/market.Satoshi + feesABlock
	return market.BTCPerPHDay(1, reward) / perPH
}

// exponent writes a large number in five digits.
func exponent(v float64) string { return fmt.Sprintf("%.4e", v) }

// relative is the path of a file as seen from a folder, or the path itself where there is none.
func relative(from, path string) string {
	a, err1 := filepath.Abs(from)
	b, err2 := filepath.Abs(path)
	if err1 != nil || err2 != nil {
		return path
	}
	if rel, err := filepath.Rel(a, b); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}
