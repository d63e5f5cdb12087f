package study

import (
	"cmp"
	"math"
	"slices"

	"switchyard/study/input"
)

// plainMonth is a project's month: operating is EBITDA, held what customers paid ahead less what was credited.
type plainMonth struct {
	operating, held, interest, given, building, machines, sale, resale float64
}

// hour is one price of the file: how many hours it stands for, and its all-in price in them.
type hour struct{ hours, price float64 }

// prices are all hours of a month, one by one, on a path; an hour in which the spike begins is cut in two.
func (s *plain) prices(t int, p *plainPath) []hour {
	w := &s.f.Power
	curve, adder := s.f.Curve[s.calendar(t)], s.adder(t)
	each := s.hours(t) / float64(len(curve))
	calm := s.hours(t) - math.Min(w.SpikeHours.Is, s.hours(t))
	out := make([]hour, 0, len(curve)+1)
	for i, x := range curve {
		price := p.level[t]*x + adder
		quiet := math.Min(math.Max(calm-float64(i)*each, 0), each)
		if quiet > 0 {
			out = append(out, hour{quiet, price})
		}
		if quiet < each {
			out = append(out, hour{each - quiet, price + p.spike[t]})
		}
	}
	return out
}

func (s *plain) adder(t int) float64 {
	return s.f.Power.Adder.Is.DollarsPerMWh() * grown(float64(s.f.Power.Growth.Is), t)
}

// mean is the mean all-in price of a month; a path's are computed once.
func (s *plain) mean(t int, p *plainPath) float64 {
	for u := len(p.means); u < s.months; u++ {
		sum := 0.0
		for _, h := range s.prices(u, p) {
			sum += h.hours * h.price
		}
		p.means = append(p.means, sum/s.hours(u))
	}
	return p.means[t]
}

// charges are demand and peaks of a MW drawn in a month, where a share of the peaks is avoided.
func (s *plain) charges(t int, avoided float64) float64 {
	w := &s.f.Power
	return 1000 * grown(float64(w.Growth.Is), t) * (w.Demand.Is.DollarsPerKWMonth() + float64(w.Coincident.Is)/12*(1-avoided))
}

// blocks is what a hall's part of fixed-price power brings in a month, and its MW that are take or pay.
func (s *plain) blocks(t, hall int, p *plainPath) (dollars, covered float64) {
	part := s.part(hall)
	for i := range s.f.Power.Blocks {
		b := &s.f.Power.Blocks[i]
		if at := int(s.f.Start) + t; at < int(b.From) || at >= int(b.Until) {
			continue
		}
		mw, price := part*b.Power.Is.Megawatts(), b.Price.Is.DollarsPerMWh()
		if *b.Resale {
			dollars += mw * s.hours(t) * (s.mean(t, p) - s.adder(t) - price)
		} else {
			dollars -= mw * s.hours(t) * price
			covered += mw
		}
	}
	return dollars, covered
}

// part of a hall in the site's blocks.
func (s *plain) part(hall int) float64 {
	sum := 0.0
	for i := range s.f.Halls {
		sum += s.f.Halls[i].Power.Is.Megawatts()
	}
	return s.f.Halls[hall].Power.Is.Megawatts() / sum
}

// miners are machines that run, or rest, as one: a model, or what a higher mode of it adds.
type miners struct{ mw, full, hash, fee float64 }

// worth is what a MWh earns, after the pool's fee.
func (m *miners) worth(hashprice float64) float64 {
	return hashprice * m.hash * (1 - m.fee) / (24 * m.mw)
}

// age is how old a model's machines are in month t, just before they are renewed or after: months since, the
// $/TH that was paid for them, TH of all.
func (s *plain) age(m *input.Machines, t int, before bool) (since int, price, th float64) {
	since, price, th = 0, float64(m.Resale.Is), float64(m.Count)*m.Hash.TH()
	if m.Renew == nil {
		return since, price, th
	}
	every := int(m.Renew.Every)
	for at := every; at <= t; at += every {
		if at == t && before {
			break
		}
		k := math.Pow(1-float64(s.f.Bitcoin.Improvement.Is), float64(at)/12)
		since, price = at, float64(m.Renew.Price.Is)*k
		th = float64(m.Count) * m.Power.Watts() / (float64(m.Renew.Efficiency.Is) * k)
	}
	return since, price, th
}

// used is what used machines fetch in month t over what is expected.
func (s *plain) used(t int, p *plainPath) float64 {
	if s.usual == nil {
		s.usual = s.expected().hashprice
	}
	return math.Pow(p.hashprice[t]/s.usual[t], s.f.Bitcoin.Resale.Is)
}

// sold is what all machines of a hall fetch in month t.
func (s *plain) sold(hall, t int) float64 {
	sum := 0.0
	for i := range s.f.Halls[hall].Fleet {
		m := &s.f.Halls[hall].Fleet[i]
		since, price, th := s.age(m, t, true)
		sum += price * th * math.Exp(-float64(m.Decay.Is)*float64(t-since)/12)
	}
	return sum
}

// fleet is what works in a hall in month t, the most efficient first. Modes of the tests' files each add less
// than the one below.
func (s *plain) fleet(hall, t int) []miners {
	var out []miners
	for i := range s.f.Halls[hall].Fleet {
		m := &s.f.Halls[hall].Fleet[i]
		_, _, th := s.age(m, t, false)
		mw := float64(m.Count) * m.Power.Megawatts() * s.f.Site.MiningPUE.Is
		power, hash := 0.0, 0.0
		for _, mode := range append(slices.Clone(m.Curve), input.Mode{Hash: m.Hash, Power: m.Power}) {
			p, h := float64(mode.Power)/float64(m.Power), float64(mode.Hash)/float64(m.Hash)
			up := float64(m.Uptime.Is)
			out = append(out, miners{mw: mw * up * (p - power), full: mw * (p - power), hash: th / 1000 * up * (h - hash), fee: float64(m.Fee.Is)})
			power, hash = p, h
		}
	}
	slices.SortStableFunc(out, func(a, b miners) int { return cmp.Compare(b.worth(1), a.worth(1)) })
	return out
}

// mining is what a hall earns by mining, month by month.
func (s *plain) mining(hall int, p *plainPath) []plainMonth {
	out := make([]plainMonth, s.months)
	h := &s.f.Halls[hall]
	for t := range out {
		m := &out[t]
		blocks, covered := s.blocks(t, hall, p)
		m.operating = blocks
		if len(h.Fleet) > 0 {
			m.operating -= h.Upkeep.Is.DollarsPerKWMonth() * 1000 * h.Power.Is.Megawatts() * stepped(float64(s.f.Inflation.Is), t)
		}
		hours := s.prices(t, p)
		mean := s.mean(t, p)
		for _, k := range s.fleet(hall, t) {
			free := math.Min(covered, k.mw)
			covered -= free
			m.operating += math.Max(0, s.margin(&k, t, free, mean, p.hashprice[t], hours))
		}
		for i := range h.Fleet {
			k := &h.Fleet[i]
			if r := k.Renew; r != nil && t > 0 && t%int(r.Every) == 0 {
				_, price, th := s.age(k, t, false)
				m.machines -= price * th
				since, price, th := s.age(k, t, true)
				m.resale += price * th * math.Exp(-float64(k.Decay.Is)*float64(t-since)/12) * s.used(t, p)
			}
		}
	}
	return out
}

// margin of some miners in a month after charges, if they do not rest all month: hour by hour with prices
// known, and all or nothing without, mixed by what the site captures.
func (s *plain) margin(k *miners, t int, free, mean, hashprice float64, hours []hour) float64 {
	worth, capture := k.worth(hashprice), float64(s.f.Power.Capture.Is)
	knows := (k.mw - free) * capture
	blind := (k.mw - free) * (1 - capture)
	mwh, cost := 0.0, 0.0
	for _, h := range hours {
		if h.price <= worth {
			mwh += knows * h.hours
			cost += knows * h.hours * h.price
		}
		if mean <= worth {
			mwh += blind * h.hours
			cost += blind * h.hours * h.price
		}
	}
	if adder := s.adder(t); free > 0 && adder <= worth {
		mwh += free * s.hours(t)
		cost += free * s.hours(t) * adder
	}
	if mwh == 0 {
		return 0
	}
	paid := s.f.Power.Programmes.Is.DollarsPerKWMonth() * 1000 / s.hours(t)
	return mwh*(worth+paid) - cost - k.full*s.charges(t, float64(s.f.Power.Avoided.Is))
}
