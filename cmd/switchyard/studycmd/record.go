package studycmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"time"

	"switchyard/api"
	"switchyard/billing"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/telemetry"
)

// errNoRecord: the site file's store holds nothing yet, or is not here.
var errNoRecord = errors.New("no record is here yet")

// stored reads what the site's store has measured in the last days.
func (c *console) stored(ctx context.Context, p *plant, f *sitefile.File, days int) (err error) {
	dir := f.Path(f.Store.Dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return errNoRecord
	}
	db, err := store.OpenReader(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tree, err := f.Tree()
	if err != nil {
		return err
	}
	book, err := billing.OpenReader(db, billing.Contracts{Zone: f.Location(), Tree: tree, Groups: f.Groups, Tenants: f.Tenants, Clusters: f.Clusters})
	if err != nil {
		return err
	}
	line := c.Progress()
	defer line.Done()
	to := telemetry.Span(p.now)
	r := &record{
		source: fmt.Sprintf("the record of %s", count(days, "day")), from: to.AddDate(0, 0, -days).In(p.now.Location()), to: to.In(p.now.Location()),
		nodes: map[string]*track{}, groups: map[string]*track{},
	}
	r.expect(f)
	have, all := 0, 0
	for at := r.from.UTC(); at.Before(to); at = at.Add(telemetry.Length) {
		if all%288 == 0 {
			line.Tell("reading the record of %s", at.In(p.now.Location()).Format(time.DateOnly))
		}
		all++
		found, err := book.Records(ctx, at)
		if err != nil {
			return err
		}
		if r.take(found) {
			have++
			if price, err := book.Price(ctx, at); err != nil {
				return err
			} else if price.OK {
				r.price = append(r.price, price.V.DollarsPerMWh())
			}
		}
	}
	if have == 0 {
		return errNoRecord
	}
	r.share = float64(have) / float64(all)
	p.record = r
	return nil
}

// expect makes room for the meters and groups of a site file.
func (r *record) expect(f *sitefile.File) {
	for _, n := range append([]sitefile.Node{f.Connection}, f.Nodes...) {
		if n.Meter != nil {
			r.nodes[n.ID] = &track{}
		}
	}
	for _, g := range f.Groups {
		r.groups[g.ID] = &track{}
	}
}

// take adds an interval, of what was measured through most of it, and says whether there was any.
func (r *record) take(found []telemetry.Interval) bool {
	by := map[string]telemetry.Interval{}
	for _, x := range found {
		if all := x.Measured + x.Estimated + x.Missing; all > 0 && x.Measured >= all/10*9 {
			by[x.Subject] = x
		}
	}
	hours := telemetry.Length.Hours()
	for id, t := range r.nodes {
		if x, ok := by[string(sitefile.MeterID(id))]; ok {
			t.watts = append(t.watts, x.Energy.MegawattHours()*1e6/hours)
		}
	}
	for id, t := range r.groups {
		if x, ok := by[id]; ok {
			t.watts = append(t.watts, x.Energy.MegawattHours()*1e6/hours)
			t.hash = append(t.hash, x.Hashes/telemetry.Length.Seconds())
		}
	}
	return len(by) > 0
}

// asked makes a plant of what a running controller says.
func (c *console) asked(ctx context.Context, days int) (*plant, error) {
	ask, err := c.Controller()
	if err != nil {
		return nil, err
	}
	var v api.SiteView
	if err := ask(ctx, "/api/v1/site", nil, &v); err != nil {
		return nil, err
	}
	var live api.LiveView
	if err := ask(ctx, "/api/v1/live", nil, &live); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(v.Timezone)
	if err != nil {
		zone = time.UTC
	}
	p := ofViews(v, live, zone)
	step := 900 * max(1, (days+30)/31) // so that a year is no longer an answer than a month
	q := url.Values{
		"from": {live.At.AddDate(0, 0, -days).UTC().Format(time.RFC3339)}, "to": {live.At.UTC().Format(time.RFC3339)}, "step": {strconv.Itoa(step)},
	}
	var h api.HistoryView
	if err := ask(ctx, "/api/v1/history", q, &h); err != nil {
		return nil, err
	}
	p.record = ofHistory(h, days, zone)
	return p, nil
}

// ofViews is what the controller says of the site and of now.
func ofViews(v api.SiteView, live api.LiveView, zone *time.Location) *plant {
	p := &plant{name: v.Name, from: "the running site", now: live.At.In(zone)}
	for _, n := range v.Nodes {
		h := hall{node: n.ID}
		if n.LimitW != nil {
			h.limit = *n.LimitW
		}
		if n.Parent == "" {
			p.root, p.limit = n.ID, h.limit
		}
		for _, g := range v.Groups {
			if g.Node == n.ID && g.Devices > 0 {
				h.groups = append(h.groups, group{id: g.ID, model: g.Model, count: g.Devices, nameplate: g.NameplateW / float64(g.Devices)})
			}
		}
		if len(h.groups) > 0 {
			p.halls = append(p.halls, h)
		}
	}
	for _, t := range v.Tenants {
		p.held += t.FirmW
		if l, ok := byRate(t.ID, t.Name, t.RateUSD, "the running site"); ok {
			p.leases = append(p.leases, l)
		}
	}
	if live.HashpriceUSD != nil {
		p.hashprice = *live.HashpriceUSD
	}
	if v.Notice != "" {
		p.notes = append(p.notes, "The site says of itself: "+v.Notice+".")
	}
	return p
}

// ofHistory makes a record of the charts' history; nil where there is none.
func ofHistory(h api.HistoryView, days int, zone *time.Location) *record {
	if len(h.Times) == 0 {
		return nil
	}
	r := &record{
		source: fmt.Sprintf("the running site's history of %s", count(days, "day")), nodes: map[string]*track{}, groups: map[string]*track{},
		from: time.Unix(h.Times[0], 0).In(zone), to: time.Unix(h.Times[len(h.Times)-1], 0).In(zone),
	}
	at := func(m map[string]*track, id string) *track {
		if m[id] == nil {
			m[id] = &track{}
		}
		return m[id]
	}
	most := 0
	for _, s := range h.Series {
		values := known(s.Values)
		kind, id := cut(s.Key)
		switch kind {
		case "node_w":
			at(r.nodes, id).watts = values
			most = max(most, len(values))
		case "group_w":
			at(r.groups, id).watts = values
			most = max(most, len(values))
		case "group_ph_s":
			at(r.groups, id).hash = values
		case "price_usd_mwh":
			r.price = values
		}
	}
	if most == 0 {
		return nil
	}
	r.share = float64(most) / float64(len(h.Times))
	return r
}
