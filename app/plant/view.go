package plant

import (
	"switchyard/api"
	"switchyard/site"
)

// View is the site as its screens know it: what does not change while the controller runs.
// capabilities is what a device last said it can do.
func (p *Plant) View(capabilities func(site.DeviceID) site.Opt[site.Capabilities]) api.SiteView {
	v := api.SiteView{Name: p.File.Site.Name, Timezone: p.File.Site.Timezone}
	for i := range p.Tree.Len() {
		n := p.Tree.Node(i)
		info := api.NodeInfo{ID: string(n.ID), Name: n.Name, HasMeter: n.Meter != ""}
		if n.Parent >= 0 {
			info.Parent = string(p.Tree.Node(n.Parent).ID)
		}
		if n.Limit > 0 {
			limit := n.Limit.Watts()
			info.LimitW = &limit
		}
		v.Nodes = append(v.Nodes, info)
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		info := api.GroupInfo{ID: g.ID, Name: g.Name, Node: g.Group.Node, Model: g.Model, Driver: g.Driver, Devices: g.Count, Style: "unknown"}
		for _, m := range p.Miners[g.First : g.First+g.Count] {
			info.NameplateW += m.Nameplate.Watts()
			if caps := capabilities(m.ID); caps.OK && info.Style == "unknown" {
				info.Style = caps.V.Style()
			}
		}
		v.Groups = append(v.Groups, info)
	}
	for i := range p.Tenants {
		t := &p.Tenants[i]
		v.Tenants = append(v.Tenants, api.TenantInfo{
			ID: t.ID, Name: t.Name, Node: t.Tenant.Node, FirmW: t.Firm.Watts(), RateUSD: t.Rate.DollarsPerKWMonth(), Availability: float64(t.Availability),
		})
	}
	return v
}
