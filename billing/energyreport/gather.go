package energyreport

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"switchyard/billing"
	"switchyard/billing/usage"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
)

// Gather reads a month of a site from its store: balances and rows of the usage record, and the
// miners' work of the settled intervals. An interval that was settled and is not in the usage
// record is attributed by its meters alone; tell (nil: nobody) is told of each day. It blocks
// on the disk. Factors, contracts and the facility are for the caller to add.
func Gather(ctx context.Context, db *store.DB, f *sitefile.File, month time.Time, tell func(day time.Time)) (Input, error) {
	zone := f.Location()
	from := time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, zone)
	in := Input{Site: f.Site.Name, Month: from.Format("2006-01"), Zone: zone, From: from, To: from.AddDate(0, 1, 0)}
	tree, err := f.Tree()
	if err != nil {
		return in, err
	}
	book, err := billing.OpenReader(db, billing.Contracts{Zone: zone, Tree: tree, Groups: f.Groups, Tenants: f.Tenants, Clusters: f.Clusters})
	if err != nil {
		return in, err
	}
	record := usage.OpenReader(db)
	have, err := record.Balances(ctx, in.From, in.To)
	if err != nil {
		return in, err
	}
	site, err := usage.NewSite(PlanOf(f))
	if err != nil {
		return in, err
	}
	g := gatherer{in: &in, have: map[int64]bool{}, site: site, made: map[string][]usage.Row{}}
	for _, b := range have {
		g.have[b.Start.Unix()] = true
	}
	for _, m := range f.Groups {
		in.Groups = append(in.Groups, Group{ID: m.ID, Model: m.Model, Units: len(m.Targets()), Nameplate: m.Nameplate})
	}
	day := time.Time{}
	for at := telemetry.Span(in.From); at.Before(in.To); at = at.Add(telemetry.Length) {
		if d := at.Truncate(24 * time.Hour); tell != nil && !d.Equal(day) {
			day = d
			tell(at.In(zone))
		}
		records, err := book.Records(ctx, at)
		if err != nil {
			return in, err
		}
		g.interval(at, records)
	}
	in.Balances = append(have, g.balances...)
	slices.SortFunc(in.Balances, func(a, b usage.Balance) int { return a.Start.Compare(b.Start) })
	if n := len(g.balances); n > 0 {
		in.Notes = append(in.Notes, fmt.Sprintf("%d intervals were attributed by their meters alone", n))
		if len(f.Clusters) > 0 {
			in.Notes = append(in.Notes, "what clusters used in those stands with the house")
		}
	}
	in.Rows = g.rows(record.Rows(ctx, usage.Question{From: in.From, To: in.To}))
	return in, nil
}

// PlanOf is a site file's plan without its clusters' machines: what meters alone can attribute.
func PlanOf(f *sitefile.File) usage.Plan {
	tree, err := f.Tree()
	if err != nil {
		return usage.Plan{} // NewSite says that it has no tree
	}
	p := usage.Plan{Tree: tree}
	for _, g := range f.Groups {
		p.Groups = append(p.Groups, usage.Load{ID: g.ID, Node: g.Node})
	}
	for _, t := range f.Tenants {
		p.Tenants = append(p.Tenants, usage.Load{ID: t.ID, Node: t.Node, Firm: t.Firm})
	}
	for _, c := range f.Clusters {
		p.Clusters = append(p.Clusters, usage.Cluster{ID: c.ID, Node: c.Node})
	}
	return p
}

type gatherer struct {
	in       *Input
	have     map[int64]bool
	site     *usage.Site
	balances []usage.Balance
	made     map[string][]usage.Row // by tenant
}

func (g *gatherer) interval(at time.Time, records []telemetry.Interval) {
	if len(records) == 0 {
		return
	}
	for i := range g.in.Groups {
		group := &g.in.Groups[i]
		for _, r := range records {
			if r.Subject == group.ID {
				group.Hashes += r.Hashes
				group.Seconds += telemetry.Length.Seconds()
			}
		}
	}
	if g.have[at.Unix()] {
		return
	}
	out := usage.Attribute(usage.In{Site: g.site, Start: at, Meters: records})
	out.Balance.Levels = nil
	g.balances = append(g.balances, out.Balance)
	for _, r := range out.Rows {
		r.Evidence = nil // a month of them would stand in memory
		g.made[r.Tenant] = append(g.made[r.Tenant], r)
	}
}

// rows are those of the record, and behind each tenant's those that were made.
func (g *gatherer) rows(kept iter.Seq2[usage.Row, error]) iter.Seq2[usage.Row, error] {
	return func(yield func(usage.Row, error) bool) {
		done := map[string]bool{}
		last := ""
		more := func(tenant string) bool {
			done[tenant] = true
			for _, r := range g.made[tenant] {
				if !yield(r, nil) {
					return false
				}
			}
			return true
		}
		for r, err := range kept {
			if err != nil {
				yield(r, err)
				return
			}
			if last != "" && last != r.Tenant && !more(last) {
				return
			}
			last = r.Tenant
			if !yield(r, nil) {
				return
			}
		}
		if last != "" && !more(last) {
			return
		}
		names := make([]string, 0, len(g.made))
		for name := range g.made {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if !done[name] && !more(name) {
				return
			}
		}
	}
}
