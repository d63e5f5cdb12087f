package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// kinds of classes, firmest first; sales are the ways of buying GPU time.
var (
	kinds   = []string{"firm", "semi", "cap", "pause", "spot"}
	sales   = []string{"reserved", "on-demand", "interruptible"}
	signals = []string{"USR1", "USR2", "TERM", "INT", "HUP", "QUIT", "CONT", "URG", "WINCH"}
)

// endpoint checks a service that each machine has.
func (k checks) endpoint(path, key string, e *Endpoint) {
	switch one, each := k.To.Has(path+".url"), k.To.Has(path+".hosts"); {
	case one && each:
		k.To.Fault(path+".hosts", "write exactly one of url and hosts", "url says where every machine's is")
	case !one && !each:
		k.To.Fault(path, `write url, like "https://{node}:9700", or hosts`, "nothing says where it is")
	case one:
		k.endpointURL(path+".url", e)
	default:
		k.hosts(path+".hosts", e)
	}
	k.Reference(path+".token", e.Token)
	k.Credentials(path, &check.Credentials{User: e.User, Password: e.Password})
	if e.Token != "" && e.User != "" {
		k.To.Fault(path+".user", "remove one of them", "token proves who we are already")
	}
	if e.CA != "" {
		k.To.File(path+".ca", e.CA)
	}
	check.Between(k.Check, path+".poll", e.Poll, time.Second, 10*time.Minute)
	if key != agentsKey {
		k.without(path, key+": only agents hold caps", "safe", "lease")
		return
	}
	check.Between(k.Check, path+".lease", e.Lease, 3*time.Second, time.Hour)
	if e.Lease < 3*e.Poll {
		k.To.Fault(path+".lease", "a lease must outlast two renewals that are lost", "%s is less than three polls of %s", strictyaml.Duration(e.Lease), strictyaml.Duration(e.Poll))
	}
	if !k.To.Has(path + ".safe") {
		return
	}
	for _, g := range k.c.GPUs {
		if e.Safe < g.Least || e.Safe > g.Full {
			k.To.Fault(path+".safe", "write a cap that every model takes", "%v is not between the %v and the %v of %s", e.Safe, g.Least, g.Full, g.Model)
			return
		}
	}
}

func (k checks) endpointURL(path string, e *Endpoint) {
	if !strings.Contains(e.URL, "{node}") && len(k.machines) > 1 {
		k.To.Fault(path, `write it like "https://{node}:9700"; {node} is the machine's name`, "every machine would be reached at %q", e.URL)
		return
	}
	plain := strings.ReplaceAll(e.URL, "{node}", "node")
	k.URL(path, plain)
	k.encrypted(path, plain, e.Token != "" || e.User != "")
}

func (k checks) hosts(path string, e *Endpoint) {
	names := slices.Sorted(maps.Keys(e.Hosts))
	for _, n := range names {
		at := strictyaml.Join(path, n)
		if _, ok := k.machines[n]; !ok && !k.unread && len(k.machines) > 0 {
			k.To.Fault(at, strictyaml.Suggest(n, slices.Sorted(maps.Keys(k.machines))), "there is no machine %q", n)
			continue
		}
		k.URL(at, e.Hosts[n])
	}
	missing := 0
	for n := range k.machines {
		if _, ok := e.Hosts[n]; !ok {
			missing++
		}
	}
	if missing > 0 && len(names) > 0 {
		k.To.Warn(path, "", "%d of %d machines stand without an address here", missing, len(k.machines))
	}
	if len(names) > 0 {
		k.encrypted(path, e.Hosts[names[0]], e.Token != "" || e.User != "")
	}
}

// classes checks the workload classes.
func (k checks) classes() {
	const hint = `write them like "- {name: flex, kind: pause, queues: [flex], value: 1.2 $, pause: 4h, every: 30m}"`
	if k.Need(k.path+".classes", hint) && len(k.c.Classes) == 0 {
		k.To.Fault(k.path+".classes", hint, "there is no class, so no job would be known")
	}
	names, queues, last := map[string]string{}, map[string]string{}, -1
	for i := range k.c.Classes {
		c, path := &k.c.Classes[i], fmt.Sprintf("%s.classes[%d]", k.path, i)
		if k.ID(path+".name", c.Name) {
			k.own(path+".name", "name", c.Name, names)
		}
		if k.Need(path+".kind", strictyaml.Suggest("", kinds)) && k.OneOf(path+".kind", "kind of class", c.Kind, kinds...) {
			at := slices.Index(kinds, c.Kind)
			if at < last {
				k.To.Fault(path+".kind", "write the firmest class first", "%s is firmer than the %s before it", c.Kind, kinds[last])
			}
			last = max(last, at)
			k.terms(path, c)
		}
		if k.Need(path+".queues", "the ClusterQueues or partitions whose jobs are of this class") && len(c.Queues) == 0 {
			k.To.Fault(path+".queues", "the ClusterQueues or partitions whose jobs are of this class", "the class has no queue")
		}
		for j, q := range c.Queues {
			at := fmt.Sprintf("%s.queues[%d]", path, j)
			if other, twice := queues[q]; twice {
				k.To.Fault(at, "let each queue be of one class", "the queue %s stands at %s already", q, other)
			} else if strings.TrimSpace(q) == "" {
				k.To.Fault(at, "write what the engine calls it", "the queue has no name")
			}
			queues[q] = at
		}
		k.times(path, c)
	}
}

// terms checks what each kind needs and what means nothing with it.
func (k checks) terms(path string, c *Class) {
	class := "a class that is " + c.Kind
	switch c.Kind {
	case "firm":
		k.without(path, class+": it bends by its tenant's contract alone", "slowdown", "pause", "per", "minimum", "signal", "checkpoint")
	case "semi":
		k.Need(path+".minimum", "how many of its GPUs are firm")
		if !k.To.Has(path+".pause") && !k.To.Has(path+".slowdown") {
			k.To.Fault(path, "write pause, slowdown or both; or choose firm", "nothing says how the rest of it bends")
		}
	case "cap":
		k.Need(path+".slowdown", `the most that a cap may cost, like "20 %"`)
		k.without(path, class, "pause", "per", "minimum", "signal", "checkpoint")
	case "pause":
		k.Need(path+".pause", `the most that a job may be paused in each per, like "4h"`)
		k.without(path, class, "minimum")
	case "spot":
		k.without(path, class+": it may be stopped at any time", "pause", "per", "minimum")
	}
	if c.Kind == "firm" || c.Kind == "semi" {
		if k.Need(path+".penalty", `for each MWh of firm work not delivered, like "5000 $/MWh"`) && c.Penalty <= 0 {
			k.To.Fault(path+".penalty", `write it like "5000 $/MWh"`, "%v is no penalty", c.Penalty)
		}
	} else {
		k.without(path, class, "penalty")
	}
	if c.Kind != "firm" {
		k.Need(path+".value", `what a GPU-hour of its work earns, like "1.20 $"`)
	}
	if k.To.Has(path+".pause") && (c.Kind == "pause" || c.Kind == "semi") && c.Signal == "" && !k.To.Has(path+".every") {
		k.To.Fault(path, `write signal, which asks for a checkpoint ("USR1"), or every, where jobs save by themselves`, "nothing says how its jobs save their work before a pause")
	}
	if total := k.total(); k.To.Has(path+".minimum") && c.Kind == "semi" && (c.Minimum < 1 || total > 0 && c.Minimum > total) {
		k.To.Fault(path+".minimum", "it is of the cluster's GPUs", "%d is not between 1 and %d", c.Minimum, max(total, 1))
	}
}

func (k checks) total() (n int) {
	for _, some := range k.c.Count() {
		n += some
	}
	return n
}

// times checks the figures that are of one form with every kind.
func (k checks) times(path string, c *Class) {
	if k.To.Has(path+".slowdown") && (c.Slowdown <= 0 || c.Slowdown >= 1) {
		k.To.Fault(path+".slowdown", `write the most that a cap may cost, like "20 %"`, "%v is not above 0 %% and below 100 %%", c.Slowdown)
	}
	check.Between(k.Check, path+".value", c.Value, 0, 1000*unit.Dollar)
	check.Between(k.Check, path+".per", c.Per, time.Minute, 31*day)
	if k.To.Has(path+".pause") && (c.Pause <= 0 || c.Pause > c.Per) {
		k.To.Fault(path+".pause", "it is above zero and at most per", "%s is not within the %s of per", strictyaml.Duration(c.Pause), strictyaml.Duration(c.Per))
	}
	if c.Signal != "" {
		k.OneOf(path+".signal", "signal", c.Signal, signals...)
		k.Need(path+".checkpoint", `how long saving takes, as measured, like "45s"`)
	} else if k.To.Has(path+".checkpoint") && !k.To.Has(path+".every") {
		k.Need(path+".signal", `what asks for the checkpoint, like "USR1"`)
	}
	check.Between(k.Check, path+".notice", c.Notice, 0, day)
	check.Between(k.Check, path+".checkpoint", c.Checkpoint, 0, time.Hour)
	check.WhenSet(k.Check, path+".every", c.Every, time.Second, week)
	check.Between(k.Check, path+".min_run", c.MinRun, 0, week)
	check.Between(k.Check, path+".restart", c.Restart, 0, 4*time.Hour)
	check.Between(k.Check, path+".restart_cost", c.RestartCost, 0, 1_000_000*unit.Dollar)
	k.OneOf(path+".sale", "way to sell GPU time", c.Sale, sales...)
}

// tenants checks who runs jobs; that their ids are their own in the whole file is the caller's.
func (k checks) tenants() {
	accounts, held := map[string]string{}, map[string]int{}
	count := k.c.Count()
	for i := range k.c.Tenants {
		t, path := &k.c.Tenants[i], fmt.Sprintf("%s.tenants[%d]", k.path, i)
		if k.To.Has(path+".accounts") && len(t.Accounts) == 0 {
			k.To.Fault(path+".accounts", "write its Slurm accounts or Kubernetes namespaces", "the tenant has no account, so no job is its own")
		}
		for j, a := range t.Accounts {
			at := fmt.Sprintf("%s.accounts[%d]", path, j)
			if other, twice := accounts[a]; twice {
				k.To.Fault(at, "let each account be of one tenant", "the account %q stands at %s already", a, other)
			} else if strings.TrimSpace(a) == "" {
				k.To.Fault(at, "write what the engine calls it", "the account has no name")
			}
			accounts[a] = at
		}
		if t.Contract != "" {
			k.To.File(path+".contract", t.Contract)
		} else {
			k.To.Warn(path, "write contract, the path of its contract file", "what %s uses is metered and not billed", t.ID)
		}
		for _, m := range slices.Sorted(maps.Keys(t.Reserved)) {
			at := strictyaml.Join(path+".reserved", m)
			held[m] += t.Reserved[m]
			switch n, ok := count[m]; {
			case !slices.Contains(k.models, m):
				k.To.Fault(at, strictyaml.Suggest(m, k.models), "there is no GPU model %q", m)
			case t.Reserved[m] < 1:
				k.To.Fault(at, "write how many GPUs are held for it", "%d GPUs are none", t.Reserved[m])
			case ok && held[m] > n:
				k.To.Fault(at, "reserve less, or add machines", "%d GPUs of %s are reserved, and there are %d", held[m], m, n)
			}
		}
	}
}
