package usage

import (
	"errors"
	"fmt"
	"slices"

	"switchyard/compute"
	"switchyard/site"
	"switchyard/unit"
)

// Plan is what the attribution knows of a site before any reading.
type Plan struct {
	Tree     *site.Tree
	Groups   []Load // of miners
	Tenants  []Load // in colocation: each on its own node, whose meter is the tenant's
	Clusters []Cluster
	// Tolerance is how far a level's measured loss may lie from its named one and still count as
	// loss, as a share of the level's energy. Zero: the named losses alone are losses, as in the
	// day's report, and what differs stands in the remainder.
	Tolerance unit.Ratio
}

// Load is a group of miners, or a tenant in colocation.
type Load struct {
	ID, Node string
	Firm     unit.Power // of a tenant: by it tenants share what a meter tells of them together
}

// Cluster is GPUs of ours behind one meter, that of Node.
type Cluster struct {
	ID, Node string
	Machines []compute.Machine
	Models   []compute.Model // by the names that the machines use
	// Tenants run jobs on it; those who have GPUs reserved need not be named again.
	Tenants  []string
	Reserved []Reservation
	// Ceiling is the most that the meter may show for each MWh that the machines tell and still
	// be theirs (power supplies, switches, cooling behind the same meter); what is beyond is the
	// house's. Zero: 1.5.
	Ceiling float64
}

// Reservation is GPUs of a model held for a tenant, used or not.
type Reservation struct {
	Tenant, Model string
	GPUs          int
}

const (
	defaultCeiling = 1.5
	// maxGPUs and maxMachines bound a cluster, so that no sum of times or energies overflows.
	maxGPUs     = 64
	maxMachines = 100_000
)

// Site is a checked Plan, laid out for attribution. It is immutable.
type Site struct {
	tree      *site.Tree
	kids      [][]int
	tolerance float64
	groups    []load // sorted by id
	tenants   []load
	clusters  []cluster
	names     []string // of all tenants, sorted; their indices are used everywhere
	index     map[string]int
	direct    []bool // the node feeds a load itself
	serves    []bool // a load hangs at or below the node
}

type load struct {
	id, subject string // what its energy is recorded under
	node        int
	tenant      int // its index in names; -1: a group
	firm        unit.Power
}

type cluster struct {
	id       string
	node     int
	ceiling  float64
	machines []compute.Machine // sorted by name
	index    map[string]int
	models   []compute.Model // sorted by name; those that only machines or reservations name have no powers
	model    map[string]int
	reserved []reserved // sorted by tenant
}

type reserved struct{ tenant, model, gpus int }

// NewSite checks a plan and lays it out. All that is wrong is reported together.
func NewSite(p Plan) (*Site, error) {
	if p.Tree == nil {
		return nil, errors.New("lay out the site: it has no tree")
	}
	n := p.Tree.Len()
	s := &Site{
		tree: p.Tree, kids: make([][]int, n), tolerance: float64(p.Tolerance),
		index: map[string]int{}, direct: make([]bool, n), serves: make([]bool, n),
	}
	for i := 1; i < n; i++ {
		k := p.Tree.Node(i).Parent
		s.kids[k] = append(s.kids[k], i)
	}
	s.nameTenants(p)
	var errs []error
	place := func(what, id, node string) int {
		i, ok := p.Tree.Index(site.NodeID(node))
		if !ok {
			errs = append(errs, fmt.Errorf("%s %s hangs on node %q, which the site does not have", what, id, node))
			return 0
		}
		s.direct[i] = true
		for k := i; k >= 0; k = p.Tree.Node(k).Parent {
			s.serves[k] = true
		}
		return i
	}
	for _, g := range p.Groups {
		s.groups = append(s.groups, load{id: g.ID, subject: g.ID, node: place("group", g.ID, g.Node), tenant: -1})
	}
	for _, t := range p.Tenants {
		s.tenants = append(s.tenants, load{id: t.ID, node: place("tenant", t.ID, t.Node), tenant: s.index[t.ID], firm: max(t.Firm, 0)})
	}
	for _, c := range p.Clusters {
		at := place("cluster", c.ID, c.Node)
		out, err := s.layCluster(c)
		out.node = at
		s.clusters = append(s.clusters, out)
		errs = append(errs, err)
	}
	if p.Tolerance < 0 || p.Tolerance > 1 {
		errs = append(errs, fmt.Errorf("a tolerance of %s: it must lie between 0 and 100 %%", p.Tolerance))
	}
	byID := func(a, b load) int { return compareText(a.id, b.id) }
	slices.SortFunc(s.groups, byID)
	slices.SortFunc(s.tenants, byID)
	slices.SortFunc(s.clusters, func(a, b cluster) int { return compareText(a.id, b.id) })
	errs = append(errs, twice("group", s.groups), twice("tenant", s.tenants))
	for i := 1; i < len(s.clusters); i++ {
		if s.clusters[i].id == s.clusters[i-1].id {
			errs = append(errs, fmt.Errorf("cluster %s stands twice", s.clusters[i].id))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("lay out the site: %w", err)
	}
	return s, nil
}

func twice(what string, loads []load) error {
	for i := 1; i < len(loads); i++ {
		if loads[i].id == loads[i-1].id {
			return fmt.Errorf("%s %s stands twice", what, loads[i].id)
		}
	}
	return nil
}

func (s *Site) nameTenants(p Plan) {
	for _, t := range p.Tenants {
		s.names = append(s.names, t.ID)
	}
	for _, c := range p.Clusters {
		s.names = append(s.names, c.Tenants...)
		for _, r := range c.Reserved {
			s.names = append(s.names, r.Tenant)
		}
	}
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
	for i, name := range s.names {
		s.index[name] = i
	}
}

func (s *Site) layCluster(c Cluster) (cluster, error) {
	out := cluster{id: c.ID, ceiling: c.Ceiling, index: map[string]int{}, model: map[string]int{}}
	if out.ceiling == 0 {
		out.ceiling = defaultCeiling
	}
	var errs []error
	if out.ceiling < 1 {
		errs = append(errs, fmt.Errorf("cluster %s: a ceiling of %g: it must be 1 or more", c.ID, c.Ceiling))
	}
	if len(c.Machines) > maxMachines {
		errs = append(errs, fmt.Errorf("cluster %s: %d machines: at most %d can be attributed", c.ID, len(c.Machines), maxMachines))
	}
	out.machines = slices.Clone(c.Machines)
	slices.SortFunc(out.machines, func(a, b compute.Machine) int { return compareText(a.Name, b.Name) })
	models := slices.Clone(c.Models)
	named := func(name string) {
		if name != "" && !slices.ContainsFunc(models, func(m compute.Model) bool { return m.Name == name }) {
			models = append(models, compute.Model{Name: name})
		}
	}
	for i, m := range out.machines {
		if _, there := out.index[m.Name]; there {
			errs = append(errs, fmt.Errorf("cluster %s: machine %s stands twice", c.ID, m.Name))
		}
		if m.GPUs < 0 || m.GPUs > maxGPUs {
			errs = append(errs, fmt.Errorf("cluster %s: machine %s has %d GPUs: 0 to %d can be attributed", c.ID, m.Name, m.GPUs, maxGPUs))
		}
		out.index[m.Name] = i
		named(m.Model)
	}
	for _, r := range c.Reserved {
		if r.GPUs < 0 || r.Model == "" {
			errs = append(errs, fmt.Errorf("cluster %s: the reservation of %s must name a model and not be negative", c.ID, r.Tenant))
		}
		named(r.Model)
	}
	slices.SortFunc(models, func(a, b compute.Model) int { return compareText(a.Name, b.Name) })
	out.models = models
	for i, m := range models {
		out.model[m.Name] = i
	}
	for _, r := range c.Reserved {
		add := reserved{s.index[r.Tenant], out.model[r.Model], r.GPUs}
		if at := slices.IndexFunc(out.reserved, func(x reserved) bool { return x.tenant == add.tenant && x.model == add.model }); at >= 0 {
			out.reserved[at].gpus += add.gpus
			continue
		}
		out.reserved = append(out.reserved, add)
	}
	slices.SortFunc(out.reserved, func(a, b reserved) int {
		if a.tenant != b.tenant {
			return a.tenant - b.tenant
		}
		return a.model - b.model
	})
	return out, errors.Join(errs...)
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Tenants returns the names of all tenants, sorted: each has a row in each interval.
func (s *Site) Tenants() []string { return slices.Clone(s.names) }
