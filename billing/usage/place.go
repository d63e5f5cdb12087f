package usage

import (
	"switchyard/site"
	"switchyard/unit"
)

// placeCluster brings a cluster's parts up to its meter, which left it e.
func (w *work) placeCluster(k int, e unit.Energy, q site.Quality) unit.Energy {
	c, sh := &w.s.clusters[k], &w.clusters[k]
	sh.up = make([]unit.Energy, len(sh.tenants))
	if sh.silent {
		q = worse(q, site.Estimated)
	}
	if sh.sum > 0 {
		w.level("cluster:"+c.id, sh.sum, e, worse(q, sh.quality))
	}
	meter := "cluster " + c.id
	if id := w.s.tree.Node(c.node).Meter; id != "" {
		meter += " at " + string(id)
	}
	var sum, done unit.Energy
	for i := range sh.tenants {
		t := &sh.tenants[i]
		if !t.touched {
			continue
		}
		sum += t.gpu + t.host + t.idle
		up := part(e, sum, sh.sum)
		sh.up[i] = up - done
		done = up
		quality := worse(t.quality, q)
		if quality == site.Missing && t.known {
			quality = site.Estimated
		}
		evidence := append(append([]string{meter}, t.jobs...), t.evidence...)
		w.placeTenant(c.node, i, sh.up[i], quality, evidence...)
		w.tenants[i].more += t.more
	}
	if rest := e - done; rest != 0 {
		w.place(c.node, bearer{kind: byHouse, own: rest, spread: -1, worst: worse(q, sh.quality)})
	}
	return e
}

func (sh *clusterShares) list(s *Site, k int) []Share {
	var out []Share
	for i, t := range sh.tenants {
		if t.touched {
			out = append(out, Share{s.clusters[k].id, s.names[i], t.gpu, t.host, t.idle, sh.up[i]})
		}
	}
	return out
}
