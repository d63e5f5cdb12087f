// Package slurmdemo owns the demonstration whose GPU cluster is run by a real Slurm on this
// machine: it starts Slurm, names it in the demonstration's site file, submits two tenants' jobs
// without end, and lets the emulated GPUs draw power as the jobs really run.
//
// It never tells the controller anything: that sees Slurm, the agents and the meters. It needs
// root and Debian's packages (Missing says which), and leaves no process and no file behind.
//
// Concurrency: Run blocks and may be called from one goroutine at a time.
package slurmdemo

import (
	"context"
	"fmt"
	"time"

	"switchyard/compute/slurm/slurmtest"
	"switchyard/demo"
	"switchyard/emulate/gpus"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
)

// Miners is how many miners stand beside four GPU nodes; MostNodes is how many nodes one machine
// can play.
const (
	Miners    = 120
	MostNodes = 16
)

const gpusPerNode = 8

// Missing says what this machine lacks for the demonstration; empty: nothing.
func Missing() string { return slurmtest.Missing(slurmtest.Options{}) }

// Run starts Slurm and runs the demonstration around it until ctx ends or the time asked for is
// over, then ends Slurm and all of its jobs. What the options leave open is chosen for Slurm,
// which knows only real time. It blocks.
func Run(ctx context.Context, o demo.Options) error {
	if o.Miners == 0 {
		o.Miners = Miners
	}
	n := demo.GPUNodes(o.Miners)
	switch {
	case o.Speed != 0 && o.Speed != 1:
		return fmt.Errorf("a real Slurm runs in real time: leave the speed at 1, not %g", o.Speed)
	case n > MostNodes:
		return fmt.Errorf("%d miners stand beside %d GPU nodes, and a real Slurm on one machine has at most %d: choose fewer", o.Miners, n, MostNodes)
	}
	if o.From.IsZero() && o.Prices == "" {
		o.From = time.Now().UTC()
	}
	want := slurmtest.Options{Nodes: n, GPUs: gpusPerNode, Boot: 5 * time.Second, Accounting: true}
	if slurmtest.Missing(want) != "" {
		want.Accounting = false // usage is then told from what is seen
	}
	fmt.Fprintf(o.Err, "starting Slurm: %d nodes of %d GPUs, in a folder of its own below /tmp\n", n, gpusPerNode)
	c, err := slurmtest.Start(want)
	if err != nil {
		return err
	}
	defer c.Stop()
	o.Speed, o.Emergencies, o.Watch = 1, emergencies, watch(c)
	o.Edit = func(f *sitefile.File) { rewrite(f, c) }
	o.GPUs = func(ctx context.Context, g *gpus.Cluster) {
		t := tenants{c: c, dice: newDice(o.Seed), log: o.Log}
		t.run(ctx, g)
	}
	return demo.Run(ctx, o)
}

// emergencies come soon and often: this demonstration cannot run faster than life. The hosting
// tenant draws half of its power, and what is left beside it and its ramp carries firm work only.
var emergencies = demo.Emergencies{First: 2 * time.Minute, Every: 10 * time.Minute, For: 2 * time.Minute, Ahead: 30 * time.Second, Share: 0.55}

func watch(c *slurmtest.Cluster) string {
	return fmt.Sprintf(`what to watch: after two minutes, and then every ten, the grid is short for two minutes. Mining yields first, then
the partition flex is closed, its jobs are paused after a checkpoint and empty nodes powered off, and all comes back;
the partition firm runs on. The page's Clusters and Events show each step and why. Slurm's own view:
           export SLURM_CONF=%s/etc/slurm.conf; squeue; scontrol show partition flex`, c.Dir())
}

// rewrite puts Slurm in the place of the emulated Kubernetes: the nodes by Slurm's names, its
// partitions and accounts, and times that suit jobs of some minutes.
func rewrite(f *sitefile.File, c *slurmtest.Cluster) {
	k, cfg := &f.Clusters[0], c.Config()
	f.Emulate.Tenants[f.Tenants[0].ID] = sitefile.Draw{Low: 0.5, High: 0.5}
	k.Kubernetes = nil
	k.Slurm = &cluster.Slurm{REST: cfg.REST, User: cfg.User, Commands: true, Conf: cfg.Conf, Poll: time.Second, Timeout: 10 * time.Second}
	k.BMC = nil // Slurm takes its nodes' power itself
	hosts, nodes := map[string]string{}, c.Nodes()
	for i, old := range k.Nodes() {
		hosts[nodes[i]] = k.Agents.Hosts[old.Name]
	}
	k.Agents.Hosts, k.Agents.Poll = hosts, 5*time.Second
	k.Machines[0].Names = fmt.Sprintf("gpu[1-%d]", len(nodes))
	k.GPUs[0].Labels = append(k.GPUs[0].Labels, "h100")
	for i := range k.Classes {
		switch t := &k.Classes[i]; t.Kind {
		case "firm":
			t.Queues = []string{"firm"}
		default:
			t.Queues, t.Signal = []string{"flex"}, "USR1"
			t.Checkpoint, t.Every, t.MinRun, t.Restart = saving, everySave, 20*time.Second, 10*time.Second
		}
	}
	accounts := c.Accounts()
	k.Tenants[0].Accounts = []string{accounts[0], accounts[2]} // serving, and some training of its own
	k.Tenants[1].Accounts = []string{accounts[1]}
	k.Effect, k.Hysteresis, k.Restore = 20*time.Second, 15*time.Second, 4*k.Restore
}
