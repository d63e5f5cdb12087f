package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/api/tenancy"
)

// clusters registers the GPU clusters and what people may do with their nodes.
func (s Site) clusters(a huma.API) {
	read(s, a, "/api/v1/clusters", "clusters", "The GPU clusters now", func(context.Context, *struct{}) ([]ClusterView, error) {
		all := some(s.Clusters.Clusters())
		for i := range all {
			all[i] = all[i].Whole()
		}
		return all, nil
	})
	type byID struct {
		ID    string `path:"id" maxLength:"48"`
		Limit int    `query:"limit" minimum:"1" maximum:"50000" default:"2000"`
	}
	read(s, a, "/api/v1/clusters/{id}/jobs", "cluster-jobs", "A cluster's jobs, those held back first, then what runs", func(_ context.Context, in *byID) ([]ClusterJob, error) {
		all, err := s.Clusters.ClusterJobs(in.ID)
		jobs := tenancy.First(all, in.Limit)
		for i := range jobs {
			jobs[i].Nodes = some(jobs[i].Nodes)
		}
		return some(jobs), err
	})
	type hold struct {
		ID   string `path:"id" maxLength:"48"`
		Body NodeHold
	}
	change(s, a, operation(http.MethodPost, "/api/v1/clusters/{id}/holds", "hold-nodes", "Keep nodes of a cluster as they are, or let nothing new onto them", Operates),
		func(in *hold) string { return fmt.Sprintf("hold %v of %s: %s", in.Body.Nodes, in.ID, in.Body.Mode) },
		func(ctx context.Context, who string, in *hold) (count, error) {
			n, err := s.Clusters.HoldNodes(ctx, who, in.ID, in.Body)
			return count{n}, err
		})
	type byNode struct {
		ID   string `path:"id" maxLength:"48"`
		Node string `path:"node" maxLength:"253"`
	}
	change(s, a, operation(http.MethodDelete, "/api/v1/clusters/{id}/holds/{node}", "release-node", "Release a held node of a cluster", Operates),
		func(in *byNode) string { return "release " + in.Node + " of " + in.ID },
		func(ctx context.Context, who string, in *byNode) (struct{}, error) {
			return struct{}{}, s.Clusters.ReleaseNode(ctx, who, in.ID, in.Node)
		})
}
