package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchyard/sitefile/check"
	"switchyard/strictyaml"
	"switchyard/unit"
)

// day and week are the bounds of most times.
const (
	day  = 24 * time.Hour
	week = 7 * day
)

// checks are those of the cluster at path.
type checks struct {
	check.Check
	c        *Cluster
	path     string
	machines map[string]string // path of each machine's row, by name
	models   []string
	unread   bool // a row's names are no list, so not all machines are known
}

// Check checks the cluster at path by itself: what it shares with the rest of the file is its
// caller's, such as its id, its node and the ids of its tenants.
func Check(to check.Reporter, path string, c *Cluster) {
	k := checks{Check: check.Check{To: to}, c: c, path: path, machines: map[string]string{}}
	k.engine()
	k.gpus()
	k.inventory()
	for _, key := range slices.Sorted(maps.Keys(c.endpoints())) {
		k.endpoint(path+"."+key, key, c.endpoints()[key])
	}
	k.classes()
	k.tenants()
	k.pace()
}

// pace checks how fast power is taken and given.
func (k checks) pace() {
	if k.c.Ramp < 0 {
		k.To.Fault(k.path+".ramp", "write the fastest rise of the firm part per minute", "%v is below zero", k.c.Ramp)
	}
	if k.To.Has(k.path+".restore") && k.c.Restore <= 0 {
		k.To.Fault(k.path+".restore", `power given back per minute, like "200 kW"`, "at %v a minute nothing would ever come back", k.c.Restore)
	}
	check.Between(k.Check, k.path+".effect", k.c.Effect, time.Second, 10*time.Minute)
	check.Between(k.Check, k.path+".hysteresis", k.c.Hysteresis, 0, time.Hour)
}

// engine says that one engine must be there and be reachable.
func (k checks) engine() {
	kube, slurm := k.To.Has(k.path+".kubernetes"), k.To.Has(k.path+".slurm")
	switch {
	case kube && slurm:
		k.To.Fault(k.path+".slurm", "write exactly one of kubernetes and slurm", "a cluster has one engine, and kubernetes is there too")
	case !kube && !slurm:
		k.To.Fault(k.path, "write exactly one of kubernetes and slurm", "the cluster has no engine")
	}
	if kube {
		k.kubernetes(k.path+".kubernetes", k.c.Kubernetes)
	}
	if slurm {
		k.slurm(k.path+".slurm", k.c.Slurm)
	}
}

var (
	selectorForm = regexp.MustCompile(`^[A-Za-z0-9_./-]+=[A-Za-z0-9_.-]*(,[A-Za-z0-9_./-]+=[A-Za-z0-9_.-]*)*$`)
	spaceForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	resourceForm = regexp.MustCompile(`^[a-z0-9.-]+/[A-Za-z0-9_.-]+$`)
	versionForm  = regexp.MustCompile(`^v0\.0\.[0-9]{2,3}$`)
)

func (k checks) kubernetes(path string, e *Kubernetes) {
	if e == nil {
		k.To.Fault(path, "write kubeconfig, or server and token", "nothing says how its API server is reached")
		return
	}
	file, server := k.To.Has(path+".kubeconfig"), k.To.Has(path+".server")
	switch {
	case file && server:
		k.To.Fault(path+".server", "write exactly one of kubeconfig and server", "kubeconfig names a server already")
	case !file && !server:
		k.To.Fault(path, "write kubeconfig, or server and token", "nothing says how its API server is reached")
	case file:
		k.To.File(path+".kubeconfig", e.Kubeconfig)
		k.without(path, "kubeconfig", "token", "ca")
	default:
		k.URL(path+".server", e.Server)
		k.encrypted(path+".server", e.Server, true)
		k.Need(path+".token", `write "env:NAME" or "file:PATH" of a service account's token`)
		k.without(path, "server", "context")
		if e.CA != "" {
			k.To.File(path+".ca", e.CA)
		}
	}
	k.Reference(path+".token", e.Token)
	for i, n := range e.Namespaces {
		if !spaceForm.MatchString(n) {
			k.To.Fault(fmt.Sprintf("%s.namespaces[%d]", path, i), "use lower-case letters, digits and -", "%q cannot be a namespace", n)
		}
	}
	if !resourceForm.MatchString(e.GPUResource) {
		k.To.Fault(path+".gpu_resource", `write it like "nvidia.com/gpu"`, "%q is no resource's name", e.GPUResource)
	}
	if k.To.Has(path+".nodes") && !selectorForm.MatchString(e.Nodes) {
		k.To.Fault(path+".nodes", `write it like "hall=hall1"`, "%q is no label and value", e.Nodes)
	}
	check.Between(k.Check, path+".timeout", e.Timeout, 100*time.Millisecond, 2*time.Minute)
}

func (k checks) slurm(path string, e *Slurm) {
	if e == nil || e.REST == "" && !e.Commands {
		k.To.Fault(path, `write rest, like "http://10.0.0.5:6820", or "commands: true" where scontrol runs here`, "nothing says how Slurm is reached")
		return
	}
	local := strings.HasPrefix(e.REST, "unix:")
	switch {
	case e.REST == "":
		k.without(path, "commands", "version", "token")
	case local:
		if !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(e.REST, "unix:"), "//"), "/") {
			k.To.Fault(path+".rest", `write it like "unix:/run/slurmrestd.sock"`, "%q names no socket", e.REST)
		}
	default:
		k.URL(path+".rest", e.REST)
		k.encrypted(path+".rest", e.REST, e.Token != "")
		k.Need(path+".user", "whom the token is for: slurmrestd wants a name with it")
		if !e.Commands {
			k.Need(path+".token", `write "env:NAME" or "file:PATH" of a JWT, or "commands: true" where scontrol may make one`)
		}
	}
	if !e.Commands {
		k.without(path, "rest alone; add commands: true", "bin", "conf")
	}
	if k.To.Has(path+".version") && !versionForm.MatchString(e.Version) {
		k.To.Fault(path+".version", `write it like "v0.0.38", or leave it out for the newest`, "%q is no version of slurmrestd's interface", e.Version)
	}
	k.Reference(path+".token", e.Token)
	if e.Conf != "" {
		k.To.File(path+".conf", e.Conf)
	}
	check.Between(k.Check, path+".poll", e.Poll, 200*time.Millisecond, 5*time.Minute)
	check.Between(k.Check, path+".timeout", e.Timeout, 100*time.Millisecond, 2*time.Minute)
}

// without says that the keys mean nothing beside owner.
func (k checks) without(path, owner string, keys ...string) {
	for _, key := range keys {
		if at := path + "." + key; k.To.Has(at) {
			k.To.Fault(at, "remove the key", "%s means nothing with %s", key, owner)
		}
	}
}

// encrypted warns where a secret would go over a network without encryption.
func (k checks) encrypted(path, address string, secret bool) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || !secret || u.Hostname() == "localhost" {
		return
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err != nil || !ip.IsLoopback() {
		k.To.Warn(path, "use https:// where it is offered", "what proves who we are goes without encryption")
	}
}

// gpus checks the models.
func (k *checks) gpus() {
	if k.Need(k.path+".gpus", `write the models, like "- {model: H100, idle: 75 W, full: 700 W}"`) && len(k.c.GPUs) == 0 {
		k.To.Fault(k.path+".gpus", `write the models, like "- {model: H100, idle: 75 W, full: 700 W}"`, "there is no model")
	}
	names := map[string]string{}
	for i := range k.c.GPUs {
		g, path := &k.c.GPUs[i], fmt.Sprintf("%s.gpus[%d]", k.path, i)
		if k.Need(path+".model", `name it, like "H100"`) {
			k.models = append(k.models, g.Model)
			k.own(path+".model", "model", g.Model, names)
		}
		for j, l := range g.Labels {
			if !strings.EqualFold(l, g.Model) {
				k.own(fmt.Sprintf("%s.labels[%d]", path, j), "label", l, names)
			}
		}
		full := k.Need(path+".full", `what one GPU draws at full work, like "700 W"`)
		idle := k.Need(path+".idle", `what one GPU draws without work, like "75 W"`)
		switch {
		case full && (g.Full < 10*unit.Watt || g.Full > 10*unit.Kilowatt):
			k.To.Fault(path+".full", "it is of one GPU, from 10 W to 10 kW", "%v is out of range", g.Full)
			continue
		case idle && g.Idle < 0:
			k.To.Fault(path+".idle", `write it like "75 W"`, "%v is below zero", g.Idle)
		case idle && full && g.Idle >= g.Full:
			k.To.Fault(path+".idle", "idle is without work and below full", "%v is not below the %v at full work", g.Idle, g.Full)
		}
		if full && k.To.Has(path+".least") && (g.Least <= 0 || g.Least >= g.Full) {
			k.To.Fault(path+".least", "the lowest cap that the driver takes, above zero and below full", "%v is not between 0 W and %v", g.Least, g.Full)
		}
		k.curve(path+".curve", g)
	}
}

// own says that names must not stand twice, whatever their case.
func (k checks) own(path, what, name string, names map[string]string) {
	low := strings.ToLower(name)
	if strings.TrimSpace(name) == "" {
		k.To.Fault(path, "write what it is called, or remove it", "the %s is empty", what)
	} else if other, twice := names[low]; twice {
		k.To.Fault(path, "let each name one thing", "%q stands at %s already", name, other)
	} else {
		names[low] = path
	}
}

// curve says that a curve must rise and end at full.
func (k checks) curve(path string, g *GPU) {
	if len(g.Curve) == 0 {
		return
	}
	last := Point{}
	for i, p := range g.Curve {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case p.Power <= 0 || p.Power > g.Full:
			k.To.Fault(at, "a cap is above zero and at most full", "%v is not between 0 W and %v", p.Power, g.Full)
			return
		case p.Throughput <= 0 || p.Throughput > 1:
			k.To.Fault(at, "it is the share of the work done uncapped, above 0 % and at most 100 %", "a throughput of %v is out of range", p.Throughput)
			return
		case i > 0 && p.Power <= last.Power:
			k.To.Fault(at, "write the lowest cap first", "%v is not above the %v before it", p.Power, last.Power)
			return
		case i > 0 && p.Throughput < last.Throughput:
			k.To.Fault(at, "a higher cap does no less work", "%v at %v is less than the %v before it", p.Throughput, p.Power, last.Throughput)
			return
		}
		last = p
	}
	if last.Power != g.Full || last.Throughput != 1 {
		k.To.Fault(path, fmt.Sprintf("end it with {power: %v, throughput: 100 %%}", g.Full), "it ends at %v for %v and not at full", last.Throughput, last.Power)
	}
}

// inventory checks the machines.
func (k *checks) inventory() {
	const hint = `write them like "- {names: gpu[1-4], model: H100, gpus: 8, idle: 800 W, full: 2 kW}"`
	if k.Need(k.path+".machines", hint) && len(k.c.Machines) == 0 {
		k.To.Fault(k.path+".machines", hint, "there is no machine")
	}
	for i := range k.c.Machines {
		m, path := &k.c.Machines[i], fmt.Sprintf("%s.machines[%d]", k.path, i)
		k.names(path+".names", m.Names)
		if k.Need(path+".model", strictyaml.Suggest("", k.models)) && !slices.Contains(k.models, m.Model) {
			k.To.Fault(path+".model", strictyaml.Suggest(m.Model, k.models), "there is no GPU model %q", m.Model)
		}
		if k.Need(path+".gpus", "how many GPUs each machine has, 1 to 16") {
			check.Between(k.Check, path+".gpus", m.GPUs, 1, 16)
		}
		if k.Need(path+".full", `what one machine draws at full work without its GPUs, like "2 kW"`) && (m.Full <= 0 || m.Full > 50*unit.Kilowatt) {
			k.To.Fault(path+".full", "it is of one machine without its GPUs, at most 50 kW", "%v is out of range", m.Full)
		}
		if k.Need(path+".idle", `what one machine draws awake without its GPUs, like "800 W"`) && (m.Idle < 0 || m.Idle > m.Full) {
			k.To.Fault(path+".idle", "it is at most what it draws at full work", "%v is not between 0 W and %v", m.Idle, m.Full)
		}
		if m.Off < 0 || m.Off > m.Idle {
			k.To.Fault(path+".off", "what its controller draws with the power off, at most idle", "%v is not between 0 W and %v", m.Off, m.Idle)
		}
	}
}

// names checks the list of a row, whose machines must stand nowhere else.
func (k *checks) names(path, list string) {
	if !k.Need(path, `write it like "gpu[1-4]"`) {
		return
	}
	names, err := Names(list)
	if err != nil {
		k.unread = true
		message, hint, _ := strings.Cut(err.Error(), "; ")
		k.To.Fault(path, hint, "%s", message)
		return
	}
	for _, n := range names {
		if other, twice := k.machines[n]; twice {
			k.To.Fault(path, "let each machine stand in one row", "the machine %s stands at %s already", n, other)
			return
		}
		k.machines[n] = path
	}
	if len(k.machines) > MaxMachines {
		k.To.Fault(path, "divide the cluster", "a cluster has at most %d machines", MaxMachines)
	}
}
