package slurmdemo

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"switchyard/compute/slurm/slurmtest"
	"switchyard/emulate/gpus"
)

// The jobs: how long a checkpoint takes, how often one is made unasked, and how many steps of a
// tenth of a second there are, at least and beyond.
const (
	saving     = 3 * time.Second
	everySave  = 45 * time.Second
	leastSteps = 1200
	moreSteps  = 1800
	busyShare  = 0.95 // of a GPU's time, by a job
	mostQueued = 4    // flexible jobs that wait
	lookEvery  = 500 * time.Millisecond
	sendEvery  = 5 * time.Second
)

// tenants submit jobs and let the emulated GPUs follow them.
type tenants struct {
	c    *slurmtest.Cluster
	dice *rand.Rand
	log  *slog.Logger
	off  map[string]bool // nodes without power, as last seen
}

func newDice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) } //nolint:gosec // which jobs come is no secret

// run begins with the firm tenant's service, which never ends, and returns when ctx does.
func (t *tenants) run(ctx context.Context, g *gpus.Cluster) {
	t.off = map[string]bool{}
	accounts := t.c.Accounts()
	t.submit(slurmtest.Job{Name: "serve", Account: accounts[0], Partition: "firm", Class: "serving", GPUs: gpusPerNode})
	look, send := time.NewTicker(lookEvery), time.NewTicker(sendEvery)
	defer look.Stop()
	defer send.Stop()
	t.fill(accounts[1:])
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			t.follow(g)
		case <-send.C:
			t.fill(accounts[1:])
		}
	}
}

// fill keeps some flexible jobs waiting, of one tenant and the other.
func (t *tenants) fill(accounts []string) {
	out, err := t.c.Command("squeue", "--noheader", "--partition=flex", "--states=PENDING", "--format=%i")
	if err != nil {
		t.log.Warn("Slurm does not tell which jobs wait", "reason", err.Error())
		return
	}
	for i := len(strings.Fields(out)); i < mostQueued; i++ {
		account := accounts[t.dice.IntN(len(accounts))]
		t.submit(slurmtest.Job{
			Name: "train", Account: account, Class: "training", GPUs: []int{2, 4, 4, 8}[t.dice.IntN(4)],
			Save: saving, Every: everySave, Steps: leastSteps + t.dice.IntN(moreSteps),
		})
	}
}

func (t *tenants) submit(j slurmtest.Job) {
	if _, err := t.c.Submit(j); err != nil {
		t.log.Warn("Slurm takes no job", "reason", err.Error())
	}
}

// follow lets each emulated GPU work as Slurm's jobs do, and each node have power as Slurm's own
// programs gave and took it.
func (t *tenants) follow(g *gpus.Cluster) {
	power, _ := os.ReadFile(filepath.Join(t.c.Dir(), "log", "power.log")) // there is none until then
	for _, n := range g.Nodes() {
		name := n.Name()
		if off := isOff(string(power), name); off != t.off[name] {
			t.off[name] = off
			if off {
				n.PowerOff()
			} else {
				n.PowerOn()
			}
		}
		for i := range n.Count() {
			share := 0.0
			if t.c.Busy(name, i) {
				share = busyShare
			}
			_ = g.SetBusy(name, i, share) // one without power does no work
		}
	}
}

// isOff says whether the newest line about a node, "1700000000.5 off gpu1", took its power.
func isOff(log, node string) bool {
	return strings.LastIndex(log, " off "+node+"\n") > strings.LastIndex(log, " on "+node+"\n")
}
