// Package cluster owns the words of GPU clusters in the site file: the keys of a cluster, its
// machines, engines, workload classes and tenants, their defaults and their checks.
//
// It never opens a connection, reads a file or shows a secret.
//
// Concurrency: all functions are pure but for what they tell the Reporter.
package cluster

import (
	"time"

	"switchyard/unit"
)

// Cluster is GPUs of ours behind one meter, run by Kubernetes or Slurm.
type Cluster struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"` // default: the id
	Node string `yaml:"node"` // what feeds it; its meter measures the cluster
	// Exactly one engine.
	Kubernetes *Kubernetes `yaml:"kubernetes"`
	Slurm      *Slurm      `yaml:"slurm"`
	// GPUs are the models, Machines the nodes, as rows of alike ones.
	GPUs     []GPU     `yaml:"gpus"`
	Machines []Machine `yaml:"machines"`
	// Agents reach the node agents (`switchyard agent gpu`), Exporter dcgm-exporter's metrics,
	// BMC the machines' own controllers (Redfish). What is nil is not used.
	Agents   *Endpoint `yaml:"agents"`
	Exporter *Endpoint `yaml:"dcgm_exporter"`
	BMC      *Endpoint `yaml:"bmc"`
	// Classes are the workload classes, firmest first.
	Classes []Class  `yaml:"classes"`
	Tenants []Tenant `yaml:"tenants"`
	// Ramp is the fastest rise of the firm part expected, power per minute; default all of it.
	Ramp unit.Power `yaml:"ramp"`
	// Effect is how long an act has until the meter must show it, beyond the grace of the jobs
	// it stops; then the next step is taken. Default 30s.
	Effect time.Duration `yaml:"effect"`
	// Restore is how much power is given back to it per minute at the most; default a fifth of
	// its nameplate. Hysteresis is how long room must have stood before anything is resumed; default 2m.
	Restore    unit.Power    `yaml:"restore"`
	Hysteresis time.Duration `yaml:"hysteresis"`
}

// Kubernetes reaches an API server with Kueue.
type Kubernetes struct {
	Kubeconfig string `yaml:"kubeconfig"` // path, relative to the site file
	Context    string `yaml:"context"`    // default the file's current one
	// Server, Token and CA reach it without a kubeconfig: Token is a reference (env:, file:), CA a path.
	Server string `yaml:"server"`
	Token  string `yaml:"token"`
	CA     string `yaml:"ca"`
	// Namespaces of the tenants' jobs; empty: all.
	Namespaces []string `yaml:"namespaces"`
	// GPUResource is what a GPU is called; default nvidia.com/gpu.
	GPUResource string `yaml:"gpu_resource"`
	// Nodes selects the machines by a label, "hall=hall1"; default: the names in machines.
	Nodes   string        `yaml:"nodes"`
	Timeout time.Duration `yaml:"timeout"` // of one request; default 10s
}

// Slurm reaches slurmrestd, the command line tools, or both: what the one cannot do the other does.
type Slurm struct {
	// REST is slurmrestd's address, "http://10.0.0.5:6820" or "unix:/run/slurmrestd.sock".
	REST string `yaml:"rest"`
	// Version of its interface, "v0.0.38"; default: the newest that it and we speak.
	Version string `yaml:"version"`
	User    string `yaml:"user"`
	Token   string `yaml:"token"` // a reference to a JWT; default: made by scontrol token where commands are allowed
	// Commands lets scontrol, squeue, sinfo, sacct and sacctmgr be run here; Bin is their folder,
	// Conf the slurm.conf that they use.
	Commands bool   `yaml:"commands"`
	Bin      string `yaml:"bin"`
	Conf     string `yaml:"conf"`
	// Poll is how often jobs and nodes are read: Slurm tells nobody by itself. Default 2s.
	Poll    time.Duration `yaml:"poll"`
	Timeout time.Duration `yaml:"timeout"` // default 10s
}

// GPU is a GPU model.
type GPU struct {
	Model string     `yaml:"model"`
	Idle  unit.Power `yaml:"idle"`
	Full  unit.Power `yaml:"full"`
	Least unit.Power `yaml:"least"` // lowest cap; default a third of full
	// Labels are what engines and exporters call it beside Model: "NVIDIA H100 80GB HBM3", "h100".
	Labels []string `yaml:"labels"`
	// Curve is throughput by cap, measured; default: see docs/clusters.md.
	Curve []Point `yaml:"curve"`
}

// Point is one point of a curve.
type Point struct {
	Power      unit.Power `yaml:"power"`
	Throughput unit.Ratio `yaml:"throughput"`
}

// Machine is a row of alike nodes.
type Machine struct {
	Names string     `yaml:"names"` // "gpu[1-4]", "node-a,node-b": Slurm's hostlist form
	Model string     `yaml:"model"`
	GPUs  int        `yaml:"gpus"`
	Idle  unit.Power `yaml:"idle"` // without its GPUs, awake
	Full  unit.Power `yaml:"full"` // without its GPUs, at full work
	Off   unit.Power `yaml:"off"`  // with the power off
}

// Endpoint is one service a machine: URL holds {node}, or Hosts names each by its node.
type Endpoint struct {
	URL   string            `yaml:"url"` // "https://{node}:9700"
	Hosts map[string]string `yaml:"hosts"`
	// Token, or User and Password, are references. CA is the path of a certificate to trust.
	Token    string        `yaml:"token"`
	User     string        `yaml:"user"`
	Password string        `yaml:"password"`
	CA       string        `yaml:"ca"`
	Poll     time.Duration `yaml:"poll"` // default 10s
	// Safe is the cap that an agent falls to when its lease ends, per GPU; Lease is how long.
	Safe  unit.Power    `yaml:"safe"`  // default three quarters of full
	Lease time.Duration `yaml:"lease"` // default 2m
}

// Class is a workload class.
type Class struct {
	Name   string   `yaml:"name"`
	Kind   string   `yaml:"kind"`   // firm, semi, cap, pause, spot
	Queues []string `yaml:"queues"` // ClusterQueues or partitions
	// Minimum is how many GPUs of a semi class are firm.
	Minimum  int           `yaml:"minimum"`
	Value    unit.Money    `yaml:"value"`    // of a GPU-hour
	Penalty  unit.Price    `yaml:"penalty"`  // per MWh of firm work not delivered
	Slowdown unit.Ratio    `yaml:"slowdown"` // most that a cap may cost
	Pause    time.Duration `yaml:"pause"`    // most that a job may be paused in each Per
	Per      time.Duration `yaml:"per"`      // default 24h
	Notice   time.Duration `yaml:"notice"`
	// Signal asks for a checkpoint, which takes Checkpoint and is made unasked every Every.
	Signal      string        `yaml:"signal"`
	Checkpoint  time.Duration `yaml:"checkpoint"`
	Every       time.Duration `yaml:"every"`
	MinRun      time.Duration `yaml:"min_run"`
	Restart     time.Duration `yaml:"restart"`
	RestartCost unit.Money    `yaml:"restart_cost"`
	// Sale is how its GPU time is sold: reserved, on-demand, interruptible; default by kind.
	Sale string `yaml:"sale"`
}

// Tenant is who runs jobs on the cluster.
type Tenant struct {
	ID       string   `yaml:"id"`
	Name     string   `yaml:"name"`
	Accounts []string `yaml:"accounts"` // Slurm accounts or Kubernetes namespaces; default the id
	// Contract is the path of its contract file.
	Contract string `yaml:"contract"`
	// Reserved is how many GPUs are held for it, by model: their idle power is the tenant's.
	Reserved map[string]int `yaml:"reserved"`
}
