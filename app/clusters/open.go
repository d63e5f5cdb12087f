package clusters

import (
	"context"
	"errors"
	"strings"
	"time"

	"switchyard/compute"
	"switchyard/compute/dcgm"
	"switchyard/compute/endpoint"
	"switchyard/compute/gpuagent"
	"switchyard/compute/kube"
	"switchyard/compute/redfish"
	"switchyard/compute/slurm"
	"switchyard/sitefile/cluster"
)

// agentTime bounds one call of an agent, machine time: a cap must be on its way in seconds.
const agentTime = 3 * time.Second

// reach opens a cluster as the site file says.
func (c *Clusters) reach(def cluster.Cluster) (Reach, error) {
	var r Reach
	var err error
	switch {
	case def.Kubernetes != nil:
		r.Engine, err = c.kubernetes(def)
	case def.Slurm != nil:
		r.Engine, err = c.slurm(def)
	default:
		err = errors.New("it has no engine: name kubernetes or slurm")
	}
	if err != nil {
		return r, err
	}
	return r, c.reachMachines(def, &r)
}

func (c *Clusters) kubernetes(def cluster.Cluster) (compute.Engine, error) {
	f, k := c.opt.Plant.File, def.Kubernetes
	cfg := kube.Config{
		ID: def.ID, Context: k.Context, Server: k.Server, Namespaces: k.Namespaces, GPUResource: k.GPUResource,
		Nodes: k.Nodes, Timeout: k.Timeout, Machines: map[string]int{},
	}
	if k.Kubeconfig != "" {
		cfg.Kubeconfig = f.Path(k.Kubeconfig)
	}
	if k.CA != "" {
		cfg.CA = f.Path(k.CA)
	}
	if path, ok := strings.CutPrefix(k.Token, "file:"); ok {
		cfg.TokenFile = f.Path(path) // read again whenever it changes
	} else if k.Token != "" {
		var err error
		if cfg.Token, err = f.Secret(k.Token); err != nil {
			return nil, err
		}
	}
	for _, n := range def.Nodes() {
		cfg.Machines[n.Name] = n.GPUs
	}
	e, err := kube.Open(cfg, c.opt.Clock, c.opt.Log)
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (c *Clusters) slurm(def cluster.Cluster) (compute.Engine, error) {
	f, s := c.opt.Plant.File, def.Slurm
	cfg := slurm.Config{REST: s.REST, Version: s.Version, User: s.User, Commands: s.Commands, Bin: s.Bin, Conf: s.Conf, Poll: s.Poll, Timeout: s.Timeout}
	if s.Token != "" {
		var err error
		if cfg.Token, err = f.Secret(s.Token); err != nil {
			return nil, err
		}
	}
	e, err := slurm.Open(cfg, c.opt.Clock, c.opt.Log)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// reachMachines opens the ways to the machines themselves. Of several that measure, the node's
// agent is asked first, then the exporter, then the machine's own controller.
func (c *Clusters) reachMachines(def cluster.Cluster, r *Reach) error {
	type meter = func(ctx context.Context, node string) (compute.Reading, error)
	var meters []meter
	if def.Agents != nil {
		e, err := endpoint.Open(c.opt.Plant.File, def.Agents)
		if err != nil {
			return err
		}
		client := gpuagent.NewClient(e, c.opt.Clock, agentTime)
		r.Caps = client
		meters = append(meters, client.Read)
	}
	if def.Exporter != nil {
		e, err := endpoint.Open(c.opt.Plant.File, def.Exporter)
		if err != nil {
			return err
		}
		meters = append(meters, dcgm.NewClient(e, c.opt.Clock, agentTime).Read)
	}
	var host meter
	if def.BMC != nil {
		e, err := endpoint.Open(c.opt.Plant.File, def.BMC)
		if err != nil {
			return err
		}
		client := redfish.NewClient(e, c.opt.Clock, redfish.Options{})
		r.Power, host = client, client.Read
	}
	if len(meters) > 0 || host != nil {
		r.Meter = func(ctx context.Context, node string) (compute.Reading, error) { return read(ctx, node, meters, host) }
	}
	return nil
}

// read takes the GPUs from the first source that answers and the whole machine from its own
// controller.
func read(ctx context.Context, node string, gpus []func(context.Context, string) (compute.Reading, error), host func(context.Context, string) (compute.Reading, error)) (compute.Reading, error) {
	var out compute.Reading
	var errs []error
	ok := false
	for _, m := range gpus {
		r, err := m(ctx, node)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out, ok = r, true
		break
	}
	if host != nil {
		r, err := host(ctx, node)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !ok:
			return r, nil
		default:
			out.Power, out.Energy = r.Power, r.Energy
			out.Source += "+" + r.Source
		}
	}
	if !ok {
		return out, errors.Join(errs...)
	}
	return out, nil
}
