package studycmd

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchyard/driver"
	"switchyard/sitefile"
	"switchyard/study/draft"
	"switchyard/study/figure"
	"switchyard/unit"
)

var errNoMiners = errors.New("the site has no miners: there is no hall to decide on")

// plant is a site as its file or its controller tells it, before it becomes a draft.
type plant struct {
	name, from string // from: "site.yaml"
	now        time.Time
	limit      float64 // of the connection, W
	root       string
	held       float64 // firm power of tenants and of GPUs of ours, W
	halls      []hall
	power      draft.Power
	coin       draft.Bitcoin
	hashprice  float64 // $/PH/day; zero: not known
	leases     []draft.Lease
	notes      []string
	record     *record
}

// hall is a node that feeds miners.
type hall struct {
	node   string
	limit  float64 // W; zero: none
	groups []group
}

// group is miners of one model.
type group struct {
	id, model string
	count     int
	nameplate float64 // of one, W
	hash      float64 // of one, TH/s; zero: not told
	fee       string  // "1 %"; empty: not told
}

// track is what was seen of a node or a group, evenly spaced.
type track struct{ watts, hash []float64 } // hash in PH/s

// record is what the meters and miners showed.
type record struct {
	source   string
	from, to time.Time
	share    float64 // of the time that is there
	nodes    map[string]*track
	groups   map[string]*track
	price    []float64 // $/MWh
}

// fromFile is what a site file says.
func fromFile(f *sitefile.File, name string, now time.Time) *plant {
	p := &plant{name: f.Site.Name, from: name, now: now.In(f.Location()), limit: f.Connection.Limit.Watts(), root: f.Connection.ID}
	for _, n := range append([]sitefile.Node{f.Connection}, f.Nodes...) {
		h := hall{node: n.ID, limit: n.Limit.Watts()}
		for _, g := range f.Groups {
			if g.Node == n.ID {
				h.groups = append(h.groups, group{id: g.ID, model: g.Model, count: len(g.Targets()), nameplate: g.Nameplate.Watts(), hash: g.Hashrate.TH(), fee: g.PoolFee.String()})
			}
		}
		if len(h.groups) > 0 {
			p.halls = append(p.halls, h)
		}
	}
	for _, t := range f.Tenants {
		p.held += t.Firm.Watts()
	}
	for _, k := range f.Clusters {
		p.notes = append(p.notes, fmt.Sprintf("The GPU cluster %s is there already and is not decided on.", k.ID))
	}
	return p
}

// takeUp takes over what a running controller measured, and says whether there was anything.
func (p *plant) takeUp(live *plant) bool {
	took := false
	if live.record != nil && (p.record == nil || live.record.share*live.record.to.Sub(live.record.from).Hours() > p.record.share*p.record.to.Sub(p.record.from).Hours()) {
		p.record, took = live.record, true
	}
	if live.hashprice > 0 {
		p.hashprice, took = live.hashprice, true
	}
	return took
}

// draft makes the plain values of a draft.
func (p *plant) draft() (draft.Site, error) {
	s := draft.Site{Name: p.name, Start: nextMonth(p.now), Power: p.power, Bitcoin: p.coin, Leases: p.leases, Notes: p.notes}
	if len(p.halls) == 0 {
		return s, errNoMiners
	}
	if r := p.record; r != nil {
		s.Record = append(s.Record, r.told(p.root))
		s.MiningPUE = p.overhead()
		if s.Power.Prices == "" && !s.Power.Flat.Known() && len(r.price) > 0 {
			s.Power.Flat = draft.Measured(draft.Number(mean(r.price))+" $/MWh", "mean of the prices that "+r.source+" was settled by")
			if s.Power.Adder.Known() {
				s.Power.Adder = draft.Measured("0 $/MWh", "in the price already")
			}
		}
	}
	limit := p.limit
	if p.held > 0 && p.held < limit {
		limit -= p.held
		s.Notes = append(s.Notes, fmt.Sprintf("%s of the connection's %s is held for tenants who are there already; only the rest is decided on.", watts(p.held), watts(p.limit)))
	}
	s.Utility = draft.Value{Is: watts(limit), From: figure.Contract, Source: "limit of the connection in " + p.from}
	limits := p.shares(&s, limit)
	for i, h := range p.halls {
		s.Halls = append(s.Halls, p.hall(h, limits[i], s.MiningPUE))
	}
	p.network(&s.Bitcoin, s.Start)
	return s, nil
}

// hall is a hall of the draft; limit is its power, pue what it draws over its machines.
func (p *plant) hall(h hall, limit draft.Value, pue draft.Value) draft.Hall {
	out := draft.Hall{ID: h.node, Power: limit}
	over := 1.03
	if v, err := strconv.ParseFloat(pue.Is, 64); err == nil {
		over = v
	}
	drawn := 0.0
	for _, g := range h.groups {
		m, each := p.machines(g)
		if each == 0 {
			out.Notes = append(out.Notes, fmt.Sprintf("%s of %q in %s are left out: nobody says what they draw.", count(g.count, "machine"), g.model, g.id))
			continue
		}
		drawn += float64(g.count) * each * over
		out.Fleet = append(out.Fleet, m)
	}
	w := parseWatts(limit.Is)
	switch {
	case !limit.Known():
		out.Power = draft.Assumed(watts(math.Ceil(drawn/1e3)*1e3), "what its machines draw, with the hall's overhead: "+h.node+" has no limit in "+p.from)
	case drawn > w:
		for i := range out.Fleet {
			all := out.Fleet[i].Count
			out.Fleet[i].Count = int(float64(all) * w / drawn)
			out.Notes = append(out.Notes, fmt.Sprintf("%d of its %d %s: no more run at once within %s.", out.Fleet[i].Count, all, out.Fleet[i].Model, limit.Is))
		}
		out.Fleet = slices.DeleteFunc(out.Fleet, func(m draft.Machines) bool { return m.Count == 0 })
	}
	if r := p.record; r != nil && r.nodes[h.node] != nil && len(r.nodes[h.node].watts) > 0 {
		w := r.nodes[h.node].watts
		out.Notes = append(out.Notes, fmt.Sprintf("Metered: %s in the mean, %s in the twentieth part of the time that was highest.", watts(mean(w)), watts(quantile(w, 0.95))))
	}
	return out
}

// parseWatts reads what watts printed; zero of nothing.
func parseWatts(s string) float64 {
	p, err := unit.ParsePower(s)
	if err != nil {
		return 0
	}
	return p.Watts()
}

func (h hall) nameplate() float64 {
	sum := 0.0
	for _, g := range h.groups {
		sum += float64(g.count) * g.nameplate
	}
	return sum
}

// machines are a group's and the power of one, as measured where they ran long enough to show it,
// else by the site file or the table of models; zero: nobody knows.
func (p *plant) machines(g group) (draft.Machines, float64) {
	out := draft.Machines{Model: or2(g.model, g.id), Count: g.count, From: figure.Published, How: "nameplate in " + p.from + ", not measured"}
	if g.fee != "" {
		out.Fee = draft.Value{Is: g.fee, From: figure.Contract, Source: "pool_fee of " + g.id + " in " + p.from}
	}
	if m, ok := driver.LookupModel(g.model); ok && g.hash <= 0 {
		g.nameplate, g.hash = m.Power.Watts(), m.Hashrate.TH()
		out.How = "the table of models, not measured"
	}
	power, hash := g.nameplate, g.hash
	if r := p.record; r != nil && r.groups[g.id] != nil && g.count > 0 {
		t := r.groups[g.id]
		high, did := quantile(t.watts, 0.95)/float64(g.count), quantile(t.hash, 0.95)*1000/float64(g.count)
		switch {
		case high <= 0 || did <= 0:
		case high < g.nameplate/2:
			out.How += fmt.Sprintf(": in %s no more than %s a machine was seen, since most slept or are away", r.source, watts(high))
		default:
			power, hash, out.From = high, did, figure.Measured
			out.How = fmt.Sprintf("%s over %s, %.3g J/TH, in the twentieth part of %s in which they drew most",
				watts(high*float64(g.count)), count(g.count, "machine"), high/did, r.source)
		}
	}
	if power <= 0 || hash <= 0 {
		return out, 0
	}
	power, hash = round(power), round(hash)
	out.Hash, out.Power = draft.Number(hash)+" TH/s", draft.Number(power)+" W"
	return out, power
}

// shares are the halls' powers: their limits, or their share of the connection where those are more
// than there is. A hall without a limit has none here.
func (p *plant) shares(s *draft.Site, limit float64) []draft.Value {
	out, sum := make([]draft.Value, len(p.halls)), 0.0
	for i, h := range p.halls {
		sum += or(h.limit, h.nameplate()*1.05)
		if h.limit > 0 {
			out[i] = draft.Assumed(watts(h.limit), "limit of "+h.node+" in "+p.from)
		}
	}
	if sum <= limit {
		return out
	}
	s.Notes = append(s.Notes, fmt.Sprintf("The halls' limits add up to %s, more than the %s that there is: each has its share of it here.", watts(sum), watts(limit)))
	for i, h := range p.halls {
		share := math.Floor(or(h.limit, h.nameplate()*1.05)/sum*limit/1000) * 1000
		out[i] = draft.Assumed(watts(share), "its share of the connection, by the halls' limits in "+p.from)
	}
	return out
}

func or(v, other float64) float64 {
	if v > 0 {
		return v
	}
	return other
}

// overhead is what metered mining halls draw over what their machines do.
func (p *plant) overhead() draft.Value {
	var all, machines float64
	var names []string
	for _, h := range p.halls {
		meter := p.record.nodes[h.node]
		if meter == nil || len(meter.watts) == 0 {
			continue
		}
		below := 0.0
		for _, g := range h.groups {
			t := p.record.groups[g.id]
			if t == nil || len(t.watts) == 0 {
				below = math.NaN()
				break
			}
			below += mean(t.watts)
		}
		if below > 0 {
			all, machines, names = all+mean(meter.watts), machines+below, append(names, h.node)
		}
	}
	pue := all / machines
	if machines == 0 || pue < 1 || pue > 1.5 {
		return draft.Value{} // meters that disagree prove nothing
	}
	return draft.Measured(draft.Number(math.Round(pue*1e4)/1e4), "meters of "+strings.Join(names, ", ")+" over their machines, in "+p.record.source)
}

// told says of the record how long and how whole it is.
func (r *record) told(root string) string {
	text := fmt.Sprintf("Measured by %s: %s to %s, %.0f %% of the time is there.", r.source, r.from.Format(time.DateOnly), r.to.Format(time.DateOnly), 100*r.share)
	if t := r.nodes[root]; t != nil && len(t.watts) > 0 {
		text += fmt.Sprintf(" The connection drew %s in the mean and %s at most.", watts(mean(t.watts)), watts(slices.Max(t.watts)))
	}
	return text
}

// nextMonth is the month after t.
func nextMonth(t time.Time) figure.Month { return figure.MonthOf(t.Year(), t.Month()) + 1 }

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// quantile of some values; zero of none.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return s[int(q*float64(len(s)-1))]
}

// round keeps four digits.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// watts prints power for a file, in kW or MW.
func watts(w float64) string {
	w = round(w)
	if math.Abs(w) >= 1e6 {
		return draft.Number(round(w/1e6)) + " MW"
	}
	if math.Abs(w) >= 1e4 {
		return draft.Number(round(w/1e3)) + " kW"
	}
	return draft.Number(round(w)) + " W"
}
