package usage

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"switchyard/billing/usage/counting"
	"switchyard/billing/usage/holding"
	"switchyard/site"
	"switchyard/telemetry"
	"switchyard/unit"
)

// In is one settlement interval as it was seen. Its order never matters.
type In struct {
	Site  *Site
	Start time.Time
	// Meters are the intervals of meters ("meter:" and the node) and of groups of miners.
	Meters   []telemetry.Interval
	Clusters []ClusterUse
	// Delivery is what the control loop knows of a tenant's power, by tenant; none: nothing happened.
	Delivery map[string]Delivery
	// Before are each tenant's critical energies of the two intervals before, the older first, for
	// the 15-minute mean; without them the row's Peak is the interval's own mean. A negative one is
	// none: the row has no Peak.
	Before map[string][2]unit.Energy
	Price  site.Opt[unit.Price]
}

// ClusterUse is what a cluster's machines and their engine told of an interval.
type ClusterUse struct {
	ID       string
	Machines []MachineUse // those not here told nothing
}

// What a cluster's machines and GPUs used, and who held them, is gathered in the folder holding.
type (
	MachineUse = holding.MachineUse
	GPUUse     = holding.GPUUse
	Hold       = holding.Hold
)

// Figure is an energy with how it was come by. Missing: not known, and Energy says nothing.
type Figure = counting.Figure

// Delivery is what was wanted of a tenant's feeder and not delivered.
type Delivery struct {
	Wanted, Short unit.Energy
	Down, Reduced time.Duration
}

// Out is one interval attributed: a row for each tenant, by name, and the site's balance.
type Out struct {
	Rows    []Row
	Balance Balance
	// Shares are the parts of the clusters' energy, by cluster and tenant, before they are brought
	// up to a meter; those of nothing are left out.
	Shares []Share
	// Late are the tenants whose energy may not be this interval's alone, by name: a meter that is
	// not read for a while tells of all that flowed once it is. Their rows have no Peak.
	Late []string
	// Notes say what a person should know: an account without a tenant, a reading that was not believed.
	Notes []string
}

// Share is a tenant's part of a cluster, as GPUs and machines tell it.
type Share struct {
	Cluster, Tenant string
	GPU             unit.Energy // of GPUs while it held them
	Host            unit.Energy // of the machines without their GPUs, by GPU time
	Idle            unit.Energy // of GPUs reserved for it that nobody used, with their part of the machines
	Critical        unit.Energy // all of it, at the cluster's meter
}

// Attribute says who used an interval's energy. It is pure: the same interval, in whatever
// order, gives the same answer. No tenant's figure is negative, the balance's parts sum to the
// meter exactly, and no figure is called better than the worst it was made of: one made with an
// estimate is estimated, and one of which nothing is known is missing.
func Attribute(in In) Out {
	w := newWork(in)
	for i := range w.s.clusters {
		w.clusters[i] = w.attributeCluster(i)
	}
	for i := w.s.tree.Len() - 1; i >= 0; i-- {
		w.settleNode(i)
	}
	w.spreadHouse()
	return w.out()
}

// work is one attribution under way.
type work struct {
	in       In
	s        *Site
	meters   map[string]telemetry.Interval
	clusters []clusterShares
	groups   []figureAt // as Site.groups
	nodes    []nodeWork
	tenants  []tenantWork // as Site.names
	bearers  []bearer     // who bears energy; each keeps its place from when its node is settled
	below    [][]int      // bearers at or below each node
	balance  Balance
	notes    []string
}

type figureAt struct {
	energy  unit.Energy
	quality site.Quality
}

type nodeWork struct {
	into    unit.Energy
	quality site.Quality
	told    bool  // its meter told of the interval
	waiting []int // tenants at or below it that no meter has told of yet; places in Site.tenants
}

type tenantWork struct {
	critical, losses, house unit.Energy
	known                   bool // anything at all is known of it
	late                    bool // what is known may be of other intervals
	quality                 site.Quality
	evidence                []string
	more                    int // that evidence leaves out
	gpus                    []GPUTime
}

// bearer is one use at one place: a tenant's, the miners' or the house's.
type bearer struct {
	kind   bearerKind
	tenant int         // of a tenant
	own    unit.Energy // as metered in its place
	at     unit.Energy // brought up to the highest level so far
	spread int         // of a house that is shared: the node below which all have a part; else -1
	worst  site.Quality
}

type bearerKind uint8

const (
	byTenant bearerKind = iota
	byMining
	byHouse
)

func newWork(in In) *work {
	s := in.Site
	n := s.tree.Len()
	w := &work{
		in: in, s: s, meters: make(map[string]telemetry.Interval, len(in.Meters)), clusters: make([]clusterShares, len(s.clusters)),
		nodes: make([]nodeWork, n), tenants: make([]tenantWork, len(s.names)), below: make([][]int, n),
		balance: Balance{Start: in.Start.UTC()}, groups: make([]figureAt, len(s.groups)),
	}
	for _, m := range in.Meters {
		if m.Start.Equal(in.Start) {
			w.meters[m.Subject] = m
		}
	}
	for i, g := range s.groups {
		r, ok := w.meters[g.subject]
		w.groups[i] = figureAt{max(r.Energy, 0), site.Missing}
		if ok {
			w.groups[i].quality = r.Quality()
		}
	}
	return w
}

func (w *work) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(w.notes) < maxNotes && !slices.Contains(w.notes, text) {
		w.notes = append(w.notes, text)
	}
}

const maxNotes = 50

// settleNode takes a node's meter, shares what it tells among the loads that hang on it
// directly, and brings all that is below it up to it.
func (w *work) settleNode(i int) {
	node, nw := w.s.tree.Node(i), &w.nodes[i]
	var kids unit.Energy
	nw.quality = site.Measured
	for _, k := range w.s.kids[i] {
		kids += w.nodes[k].into
		nw.waiting = append(nw.waiting, w.nodes[k].waiting...)
		w.below[i] = append(w.below[i], w.below[k]...)
		if !w.nodes[k].told {
			nw.quality = worse(nw.quality, site.Estimated)
		}
	}
	for k, t := range w.s.tenants {
		if t.node == i {
			nw.waiting = append(nw.waiting, k)
		}
	}
	r, there := w.meters[string(node.Meter)]
	switch {
	case node.Meter == "":
		w.unmetered(i, kids)
	case !there || r.Quality() == site.Missing:
		w.lostMeter(i, kids)
	default:
		nw.into, nw.quality, nw.told = r.Energy, r.Quality(), true
		w.metered(i, kids)
	}
	if i == 0 {
		w.balance.Meter, w.balance.Quality = nw.into, nw.quality
		for _, k := range nw.waiting { // no meter up to the connection tells of them
			w.missTenant(k)
		}
	}
}

// unmetered takes what is known below a node as its energy, with its named loss.
func (w *work) unmetered(i int, kids unit.Energy) {
	nw := &w.nodes[i]
	below := kids + w.loadsAsTold(i)
	loss := unit.Energy(0)
	if share := float64(w.s.tree.Node(i).Loss); share > 0 && share < 1 && below > 0 {
		loss = unit.Energy(unit.Power(below).Scale(1/(1-share))) - below
	}
	nw.quality = site.Estimated
	nw.into = below + w.lose(i, loss)
}

// lostMeter counts a node whose meter is silent as what is known below it: what else flowed
// stands in the remainder above, and comes when the meter's register is read again.
func (w *work) lostMeter(i int, kids unit.Energy) {
	nw := &w.nodes[i]
	nw.into, nw.quality = kids+w.loadsAsTold(i), site.Missing
	for _, k := range nw.waiting {
		w.missTenant(k)
	}
	nw.waiting = nil
	if i == 0 {
		nw.into = 0 // nothing was bought as far as the meter says
	}
	if w.s.tree.Node(i).Loss > 0 || w.s.tolerance > 0 { // whose losses would be in their figures
		for _, b := range w.below[i] {
			w.bearers[b].worst = worse(w.bearers[b].worst, site.Estimated)
		}
	}
}

// loadsAsTold places the groups and the clusters of a node as they tell themselves.
func (w *work) loadsAsTold(i int) unit.Energy {
	told := w.groupsOf(i)
	sum := w.placeGroups(i, told, told, site.Estimated)
	for k, c := range w.s.clusters {
		if c.node == i {
			sum += w.placeCluster(k, w.clusters[k].sum, site.Estimated)
		}
	}
	return sum
}

// metered shares out what a node's meter tells.
func (w *work) metered(i int, kids unit.Energy) {
	nw := &w.nodes[i]
	if len(w.s.kids[i]) == 0 && !w.s.direct[i] {
		// A metered place without loads is the house: a cooling plant, an office.
		w.place(i, bearer{kind: byHouse, own: max(nw.into, 0), spread: max(w.s.tree.Node(i).Parent, 0), worst: nw.quality})
		return
	}
	rest := nw.into - kids
	loss := unit.Energy(0)
	if w.s.direct[i] {
		rest = w.shareHall(i, rest)
	} else {
		loss = w.lossOf(i, rest)
	}
	// What no meter told of is what is left, up to what was contracted.
	if waiting := nw.waiting; len(waiting) > 0 {
		w.byDifference(i, waiting, max(rest-loss, 0))
		nw.waiting = nil
	}
	w.lose(i, loss)
}

// lossOf returns how much of what a level shows beyond its parts is loss.
func (w *work) lossOf(i int, rest unit.Energy) unit.Energy {
	into := float64(max(w.nodes[i].into, 0))
	named := float64(w.s.tree.Node(i).Loss) * into
	low, high := named-w.s.tolerance*into, named+w.s.tolerance*into
	return unit.Energy(math.Round(min(max(float64(rest), low), high)))
}

// shareHall shares a metered node's own energy among the groups and clusters on it; what is left is the
// tenants' of the node, or the house's. It returns what it left unshared: something only where
// tenants wait for it, or where the meter shows less than what flows on.
func (w *work) shareHall(i int, avail unit.Energy) unit.Energy {
	nw := &w.nodes[i]
	mining := w.groupsOf(i)
	var machines unit.Energy
	alone := -1
	clusters := 0
	for k, c := range w.s.clusters {
		if c.node == i {
			machines += w.clusters[k].sum
			alone = k
			clusters++
		}
	}
	have := max(avail, 0)
	own := len(nw.waiting) > 0
	if over := mining + machines - have; over > 0 && over > have/20 {
		w.note("meter of %s: it shows less than what hangs on it tells together; all of it was scaled down", w.s.tree.Node(i).ID)
	}
	if clusters == 1 && mining == 0 && !own {
		up := min(have, unit.Energy(unit.Power(machines).Scale(w.s.clusters[alone].ceiling)))
		q := nw.quality
		if machines == 0 {
			q = site.Missing
		}
		w.placeCluster(alone, up, q)
		w.placeHouse(i, have-up)
		return avail - have
	}
	if mining+machines > have { // the meter rules over what devices say of themselves
		given := part(have, mining, mining+machines)
		w.placeGroups(i, mining, given, site.Estimated)
		w.placeClusters(i, machines, have-given, clusters)
		return avail - have
	}
	w.placeGroups(i, mining, mining, nw.quality)
	w.placeClusters(i, machines, machines, clusters)
	if own {
		return avail - mining - machines
	}
	w.placeHouse(i, have-mining-machines)
	return avail - have
}

func (w *work) placeClusters(i int, told, given unit.Energy, n int) {
	if n == 0 {
		return
	}
	var sum, done unit.Energy
	for k, c := range w.s.clusters {
		if c.node != i {
			continue
		}
		sum += w.clusters[k].sum
		up := part(given, sum, told)
		w.placeCluster(k, up-done, site.Estimated)
		done = up
	}
}

func (w *work) placeHouse(i int, e unit.Energy) {
	if e != 0 {
		w.place(i, bearer{kind: byHouse, own: e, spread: i, worst: w.nodes[i].quality})
	}
}

func (w *work) groupsOf(i int) unit.Energy {
	var sum unit.Energy
	for k, g := range w.s.groups {
		if g.node == i {
			sum += w.groups[k].energy
		}
	}
	return sum
}

// placeGroups places the mining of a node: told by the devices, and what of it the meter leaves.
func (w *work) placeGroups(i int, told, given unit.Energy, q site.Quality) unit.Energy {
	if told == 0 {
		return 0
	}
	w.place(i, bearer{kind: byMining, own: given, spread: -1, worst: q})
	return given
}

// byDifference gives the tenants of a meter what it leaves: all of it where the meter is theirs,
// and what they share, or what is below it without meters of their own, up to their firm power.
func (w *work) byDifference(i int, waiting []int, rest unit.Energy) {
	slices.Sort(waiting)
	whose := func(k int) bool { return w.s.tenants[k].node == i }
	alone := len(waiting) == 1 && whose(waiting[0]) && !w.hasOthers(i)
	late := w.nodes[i].quality != site.Measured
	for _, k := range w.s.kids[i] {
		alone = alone && w.nodes[k].told
		late = late || !w.nodes[k].told && w.s.tree.Node(k).Meter != ""
	}
	var firm, sum int64
	for _, k := range waiting {
		firm += max(int64(w.s.tenants[k].firm), 1)
	}
	most := unit.Power(firm).Over(telemetry.Length)
	if !slices.ContainsFunc(waiting, whose) { // what no load explains is the level's remainder, or a hall's house
		if w.s.direct[i] {
			w.placeHouse(i, max(rest-most, 0))
		}
		rest = min(rest, most)
	}
	var done unit.Energy
	for _, k := range waiting {
		t := &w.s.tenants[k]
		sum += max(int64(t.firm), 1)
		up := part(rest, unit.Energy(sum), unit.Energy(firm))
		q, how := site.Estimated, "by difference at "+string(w.s.tree.Node(i).Meter)
		if alone {
			q, how = w.nodes[i].quality, string(w.s.tree.Node(i).Meter)
		}
		w.placeTenant(i, t.tenant, up-done, q, how)
		w.tenants[t.tenant].late = w.tenants[t.tenant].late || late
		done = up
	}
}

// hasOthers says whether anything but tenants hangs on a node or below it.
func (w *work) hasOthers(i int) bool {
	at := func(l []load) bool { return slices.ContainsFunc(l, func(l load) bool { return l.node == i }) }
	return at(w.s.groups) || slices.ContainsFunc(w.s.clusters, func(c cluster) bool { return c.node == i })
}

func (w *work) missTenant(k int) {
	t := &w.tenants[w.s.tenants[k].tenant]
	t.quality, t.late = site.Missing, true
	t.evidence = append(t.evidence, "no meter told of "+string(w.s.tree.Node(w.s.tenants[k].node).ID))
}

func (w *work) placeTenant(i, tenant int, e unit.Energy, q site.Quality, evidence ...string) {
	t := &w.tenants[tenant]
	t.critical += e
	t.quality = worse(t.quality, q)
	t.known = t.known || q != site.Missing
	t.evidence = append(t.evidence, evidence...)
	w.place(i, bearer{kind: byTenant, tenant: tenant, own: e, spread: -1, worst: q})
}

func (w *work) place(i int, b bearer) {
	b.at = b.own
	w.bearers = append(w.bearers, b)
	w.below[i] = append(w.below[i], len(w.bearers)-1)
}

// worse returns the worse of two qualities.
func worse(a, b site.Quality) site.Quality { return max(a, b) }

// part returns e x n / of rounded half up, through 128 bits; n beyond of counts as of. e and n must
// not be negative. Differences of it for growing n sum to e exactly and are never negative.
func part(e, n, of unit.Energy) unit.Energy {
	if e <= 0 || n <= 0 || of <= 0 {
		return 0
	}
	if n >= of {
		return e
	}
	hi, lo := bits.Mul64(uint64(e), uint64(n))
	q, r := bits.Div64(hi, lo, uint64(of)) // hi < of, since e < 2^63 and n < of
	if r >= uint64(of)-r {
		q++
	}
	return unit.Energy(q)
}
