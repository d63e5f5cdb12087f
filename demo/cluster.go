package demo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/gpuagent"
	"switchyard/emulate/gpus"
	"switchyard/emulate/gpus/world"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/unit"
)

// The demonstration's GPU cluster: one node of eight H100 for so many miners, a tenant that
// serves models around the clock and one that trains when there is room.
const (
	minersPerNode = 30
	nodeIdle      = 1500 * unit.Watt // without its GPUs
	nodeFull      = 2600 * unit.Watt
	gpuFull       = 700 * unit.Watt
	clusterToken  = "cluster.token" // the file with the key to all of the cluster's doors
	clusterID     = "gpu"
)

// GPUNodes is how many GPU nodes stand beside so many miners.
func GPUNodes(miners int) int { return max(miners/minersPerNode, 2) }

// clusterPower is the most that the cluster draws.
func clusterPower(miners int) unit.Power {
	return unit.Power(GPUNodes(miners)) * (nodeFull + 8*gpuFull)
}

// gpuPlan is what the cluster's part of the site file is written from.
type gpuPlan struct {
	Nodes, Firm     int // nodes, and GPUs reserved for the firm tenant
	API, Door       string
	Agents, BMCs    map[string]string
	Exporters       map[string]string
	Limit           unit.Power
	Ramp, Restore   unit.Power
	Meter           string
	Idle, Full, GPU unit.Power
	Token           string
}

// planGPUs finds free loopback addresses for a cluster's API server, agents and controllers.
func planGPUs(miners int, a addressing) (*gpuPlan, error) {
	n := GPUNodes(miners)
	full := clusterPower(miners)
	p := &gpuPlan{
		Nodes: n, Firm: 8 * max(n*2/5, 1), Agents: map[string]string{}, BMCs: map[string]string{}, Exporters: map[string]string{}, Meter: a.meter(10), Token: clusterToken,
		Limit: roundUp(full.Scale(1.1), unit.Kilowatt), Ramp: roundUp(full.Scale(0.1), unit.Kilowatt), Restore: roundUp(full.Scale(0.25), unit.Kilowatt), Idle: nodeIdle, Full: nodeFull, GPU: gpuFull,
	}
	ports, err := freePorts(1 + 3*n)
	if err != nil {
		return nil, err
	}
	p.API = "http://" + ports[0]
	for i := range n {
		name := fmt.Sprintf("gpu-%02d", i+1)
		p.Agents[name], p.BMCs[name], p.Exporters[name] = "http://"+ports[1+i], "http://"+ports[1+n+i], "http://"+ports[1+2*n+i]
	}
	return p, nil
}

// freePorts returns so many loopback addresses that are free now.
func freePorts(n int) (out []string, err error) {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			err = errors.Join(err, l.Close())
		}
	}()
	for range n {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port for the GPU cluster: %w", err)
		}
		open = append(open, l)
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// writeGPUs writes the files that the cluster's part of the site file names: the token and the
// tenants' contracts.
func writeGPUs(dir string, p Plan) error {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	files := map[string]string{clusterToken: hex.EncodeToString(key) + "\n"}
	year := fmt.Sprintf("%d-01-01", p.Start.Year())
	for name, t := range map[string]*template.Template{"ai.yaml": hostingContract, "serve.yaml": servingContract, "lab.yaml": labContract} {
		var out strings.Builder
		if err := t.Execute(&out, map[string]any{"From": year, "Firm": firmPower(p.Miners), "Gross": firmPower(p.Miners).Scale(1.2), "Right": rightPower(p.Miners), "GPUs": p.GPUs.Firm}); err != nil {
			return err
		}
		files["contract-"+name] = out.String()
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the demonstration's %s: %w", name, err)
		}
	}
	return nil
}

var contractHead = `seller:
  name: Demonstration Site LLC
  address: [1 Substation Road, "Sweetwater, TX 79556"]
  pay: ["Example Bank, account 000123456, routing 011000015", "Reference: the invoice's number"]
currency: USD
timezone: UTC
`

var hostingContract = template.Must(template.New("ai").Parse(`# The hosting tenant's contract: power and space for its own machines.
tenant: ai
contract: DEMO-1
customer: {name: AI Tenant Inc., address: [200 Example Street, "Austin, TX 78701"]}
` + contractHead + `versions:
  - from: {{.From}}
    kind: colocation
    colocation:
      critical: {{.Firm}}
      gross: {{.Gross}}
      rate: 125 $/kW-month
      escalator: 3 %
      lease: modified
      power: {losses: true, adder: 2 $/MWh, pue_cap: 1.3, demand_share: true, coincident_share: true}
      overage: 150 $/kW-month
    sla:
      availability: 99.9 %
      credits: [{below: 99.9 %, credit: 3 %}, {below: 99 %, credit: 10 %}]
      cap: 30 %
      maintenance_notice: 168h
      maintenance_hours: 8h
    curtailment: {power: {{.Right}}, hours: 40h, notice: 30m, price: 250 $/MWh}
`))

var servingContract = template.Must(template.New("serve").Parse(`# A tenant that serves models on our GPUs, around the clock.
tenant: serve
contract: DEMO-2
customer: {name: Serving Co., address: [12 Model Way, "Denver, CO 80202"]}
` + contractHead + `versions:
  - from: {{.From}}
    kind: gpu-cloud
    gpu_cloud:
      reserved: [{model: H100, gpus: {{.GPUs}}, rate: 2.10 $}]
      on_demand: {H100: 2.80 $}
      interruptible: {H100: 1.70 $}
`))

var labContract = template.Must(template.New("lab").Parse(`# A tenant that trains on our GPUs when there is room.
tenant: lab
contract: DEMO-3
customer: {name: Training Lab, address: [7 Gradient Street, "Boulder, CO 80301"]}
` + contractHead + `versions:
  - from: {{.From}}
    kind: gpu-cloud
    gpu_cloud:
      on_demand: {H100: 2.60 $}
      interruptible: {H100: 1.60 $}
      storage: {tb: 40, rate: 20 $}
`))

// gpuSite is the emulated cluster with the agents on its nodes.
type gpuSite struct {
	world   *world.World
	stop    context.CancelFunc
	agents  []chan error
	outside sync.WaitGroup
}

// outsideBoot is how long a node boots whose engine is not emulated and does not wait longer.
const outsideBoot = 10 * time.Second

// openGPUs makes the clusters of the site file, hangs them into the plant, and starts the agent on
// each node, and what moves them from outside. Nothing is made where the file has none.
func (o Options) openGPUs(ctx context.Context, f *sitefile.File, clk clock.Clock, p *plant.World) (*gpuSite, error) {
	g := &gpuSite{stop: func() {}}
	if len(f.Clusters) == 0 {
		return g, nil
	}
	opt := world.Options{Seed: o.Seed}
	if o.GPUs != nil {
		opt.BootLeast, opt.BootMost = outsideBoot, outsideBoot
	}
	w, err := world.Start(ctx, f, clk, o.Log, opt)
	if err != nil {
		return nil, err
	}
	g.world = w
	if err := w.Hang(p); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	run, stop := context.WithCancel(ctx)
	g.stop = stop
	for i := range f.Clusters {
		if err := g.serveAgents(run, f, i, clk, o.Log); err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	if o.GPUs != nil {
		g.outside.Go(func() { o.GPUs(run, w.Clusters[0].GPUs) })
	}
	return g, nil
}

func (g *gpuSite) serveAgents(ctx context.Context, f *sitefile.File, i int, clk clock.Clock, log *slog.Logger) error {
	def := &f.Clusters[i]
	if def.Agents == nil {
		return nil
	}
	token, err := f.Secret(def.Agents.Token)
	if err != nil {
		return err
	}
	for name, url := range def.Agents.Hosts {
		n := g.world.Cluster(def.ID).GPUs.Node(name)
		if n == nil {
			return fmt.Errorf("agent of %s: the cluster has no such node", name)
		}
		a, err := gpuagent.New(gpuagent.Config{Node: name, Driver: gpuDriver{n}, Clock: clk, SafePower: def.Agents.Safe, Log: log})
		if err != nil {
			return err
		}
		done := make(chan error, 1)
		g.agents = append(g.agents, done)
		up := make(chan struct{})
		go func() {
			done <- a.Serve(ctx, gpuagent.Listen{Addr: strings.TrimPrefix(url, "http://"), Token: token}, false, func(net.Addr) { close(up) })
		}()
		select {
		case <-up:
		case err := <-done:
			return fmt.Errorf("agent of %s: %w", name, err)
		}
	}
	return nil
}

// Close stops the agents and the cluster, and waits for them.
func (g *gpuSite) Close() error {
	g.stop()
	g.outside.Wait()
	for _, done := range g.agents {
		select {
		case <-done:
		case <-time.After(5 * time.Second):
		}
	}
	if g.world == nil {
		return nil
	}
	return g.world.Close()
}

// gpuDriver is the emulated GPUs of a node as the agent's driver library would show them.
type gpuDriver struct{ n *gpus.Node }

func (gpuDriver) Name() string   { return "emulated" }
func (d gpuDriver) Close() error { return nil }

func (d gpuDriver) GPUs(context.Context) ([]compute.GPU, error) {
	all, err := d.n.GPUs()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", compute.ErrUnreachable, err)
	}
	out := make([]compute.GPU, 0, len(all))
	for i := range all {
		g := &all[i]
		o := compute.GPU{Index: g.Index, UUID: g.UUID, Model: g.Product, Namespace: g.Owner.Namespace, Pod: g.Owner.Pod}
		if g.Lost {
			o.Faults = []string{fmt.Sprintf("XID %d: fallen off the bus", g.XID)}
			out = append(out, o)
			continue
		}
		o.Power, o.Use, o.Temp = site.Some(g.Power), site.Some(g.Use), site.Some(g.Temp)
		o.Energy = site.Some(unit.Energy(g.Energy / 3600)) // mJ in a mWh
		o.Limit, o.Default, o.Least, o.Most = site.Some(g.Limit), site.Some(g.Default), site.Some(g.Least), site.Some(g.Most)
		out = append(out, o)
	}
	return out, nil
}

func (d gpuDriver) SetLimit(_ context.Context, g compute.GPU, p unit.Power) error {
	if _, err := d.n.SetLimit(g.Index, p); err != nil {
		return fmt.Errorf("%w: %w", compute.ErrRefused, err)
	}
	return nil
}

// GPUDriver returns the emulated GPUs of a node as an agent's driver library would show them.
func GPUDriver(n *gpus.Node) gpuagent.Driver { return gpuDriver{n} }
