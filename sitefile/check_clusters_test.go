package sitefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/strictyaml"
	"switchyard/unit"
)

const clustersDoc = `
site: {name: Test}
connection: {limit: 4 MW, meter: {address: 10.9.0.1, profile: generic}}
nodes:
  - {id: gpu-hall, limit: 900 kW, meter: {address: 10.9.0.2, profile: generic}}
  - {id: kube-hall, meter: {address: 10.9.0.3, profile: generic}}
  - {id: ai-hall, meter: {address: 10.9.0.4, profile: generic}}
  - {id: spare}
tenants:
  - {id: acme, node: ai-hall, firm: 1 MW, rate: 120 $/kW-month, penalty: 5000 $/MWh}
market: {price: {fixed: 40 $/MWh}}
clusters:
  - id: gpu
    node: gpu-hall
    slurm: {rest: "http://127.0.0.1:6820", user: sy, token: env:JWT, version: v0.0.38}
    gpus:
      - {model: H100, idle: 75 W, full: 700 W, labels: [h100], curve: [{power: 350 W, throughput: 80 %}, {power: 700 W, throughput: 100 %}]}
      - {model: A100, idle: 50 W, full: 400 W, least: 100 W}
    machines:
      - {names: "gpu[01-04]", model: H100, gpus: 8, idle: 800 W, full: 2 kW, off: 20 W}
      - {names: "old-a,old-b", model: A100, gpus: 4, idle: 500 W, full: 1 kW}
    agents: {url: "https://{node}:9700", token: env:AGENT, safe: 300 W}
    bmc: {hosts: {gpu01: "https://10.1.0.1", gpu02: "https://10.1.0.2", gpu03: "https://10.1.0.3", gpu04: "https://10.1.0.4", old-a: "https://10.1.0.5", old-b: "https://10.1.0.6"}, user: root, password: env:BMC}
    classes:
      - {name: inference, kind: firm, queues: [firm], penalty: 8000 $/MWh}
      - {name: mixed, kind: semi, queues: [semi], minimum: 8, penalty: 4000 $/MWh, value: 2 $, pause: 1h, every: 10m}
      - {name: steady, kind: cap, queues: [steady], slowdown: 20 %, value: 1.8 $}
      - {name: training, kind: pause, queues: [flex, long], pause: 4h, value: 1.2 $, signal: USR1, checkpoint: 45s}
      - {name: batch, kind: spot, queues: [spot], value: 0.4 $}
    tenants:
      - {id: beta, accounts: [beta, beta-dev], reserved: {H100: 16}}
      - {id: gamma, name: Gamma}
  - id: kube
    node: kube-hall
    kubernetes: {server: "https://10.2.0.1:6443", token: file:kube.token, namespaces: [team-a], nodes: hall=hall2}
    gpus: [{model: B200, idle: 100 W, full: 1 kW}]
    machines: [{names: "b[1-2]", model: B200, gpus: 8, idle: 1 kW, full: 3 kW}]
    classes: [{name: all, kind: spot, queues: [q], value: 1 $}]
`

func TestClustersAreChecked(t *testing.T) {
	f, err := Parse("site.yaml", []byte(clustersDoc), known)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := f.Cluster("gpu")
	if !ok || g.Name != "gpu" || g.Slurm.Poll != 2*time.Second || g.Effect != 30*time.Second || g.Hysteresis != 2*time.Minute {
		t.Errorf("%+v", g)
	}
	full := 4*(2*unit.Kilowatt+8*700*unit.Watt) + 2*(unit.Kilowatt+4*400*unit.Watt)
	if g.Nameplate() != full || g.Ramp != full || g.Restore != full/5 {
		t.Errorf("nameplate %v, ramp %v, restore %v; want %v", g.Nameplate(), g.Ramp, g.Restore, full)
	}
	if n := g.Nodes(); len(n) != 6 || n[3].Name != "gpu04" || n[4].Name != "old-a" || n[4].GPUs != 4 {
		t.Errorf("%+v", n)
	}
	if m, ok := g.ModelOf("old-b"); !ok || m.Model != "A100" {
		t.Errorf("%+v %v", m, ok)
	}
	if m, _ := g.Model("H100"); m.Least != 700*unit.Watt/3 || g.Agents.Lease != 2*time.Minute || g.Agents.SafeCap(m) != 300*unit.Watt {
		t.Errorf("%+v %+v", m, g.Agents)
	}
	if u, ok := g.Agents.Of("gpu03"); !ok || u != "https://gpu03:9700" {
		t.Errorf("%q %v", u, ok)
	}
	if k, ok := g.ClassOf("long"); !ok || k.Name != "training" || k.Sale != "interruptible" || k.Per != 24*time.Hour {
		t.Errorf("%+v", k)
	}
	if who, ok := g.TenantOf("beta-dev"); !ok || who.ID != "beta" || g.Tenants[1].Accounts[0] != "gamma" {
		t.Errorf("%+v", g.Tenants)
	}
	if k := f.Clusters[1].Kubernetes; k.GPUResource != "nvidia.com/gpu" || k.Timeout != 10*time.Second {
		t.Errorf("%+v", k)
	}
	if n := f.TenantNames(); len(n) != 3 || n["gamma"] != "Gamma" || n["beta"] != "beta" {
		t.Errorf("%v", n)
	}
}

func TestClustersThatAreWrong(t *testing.T) {
	for _, c := range []struct{ old, with, says string }{
		{"node: gpu-hall\n", "node: gpu-hal\n", `clusters[0].node: there is no node "gpu-hal"; did you mean "gpu-hall"?`},
		{"node: gpu-hall\n", "node: spare\n", "clusters[0].node: the node spare has no meter, and its meter is the cluster's; give spare a meter"},
		{"node: gpu-hall\n", "node: ai-hall\n", "the tenant on tenants[0] (acme) draws through the same meter; give the cluster a metered node of its own"},
		{"node: kube-hall\n", "node: gpu-hall\n", "clusters[1].node: the cluster on clusters[0] (gpu) draws through the same meter"},
		{"- id: kube\n", "- id: acme\n", `the id "acme" is taken by the one on line 10`},
		{"- {id: gamma, name: Gamma}", "- {id: acme}", `clusters[0].tenants[1].id: the id "acme" is taken`},
		{"kubernetes: {", "slurm: {commands: true}\n    kubernetes: {", "clusters[1].slurm: a cluster has one engine, and kubernetes is there too"},
		{`    slurm: {rest: "http://127.0.0.1:6820", user: sy, token: env:JWT, version: v0.0.38}` + "\n", "", "clusters[0]: the cluster has no engine; write exactly one of kubernetes and slurm"},
		{`{rest: "http://127.0.0.1:6820", user: sy, token: env:JWT, version: v0.0.38}`, "{timeout: 5s}", "nothing says how Slurm is reached"},
		{"user: sy, ", "", "clusters[0].slurm.user: user is missing"},
		{"token: env:JWT, ", "", "clusters[0].slurm.token: token is missing"},
		{"token: env:JWT", "token: eyJhbGciOi", "clusters[0].slurm.token: a secret must not stand in the site file"},
		{"version: v0.0.38", "version: 22.05", `"22.05" is no version of slurmrestd's interface`},
		{"version: v0.0.38", "poll: 10ms", "clusters[0].slurm.poll: 10ms is out of range; it can be from 200ms to 5m"},
		{"version: v0.0.38", "conf: slurm.conf", "conf means nothing with rest alone; add commands: true"},
		{`server: "https://10.2.0.1:6443", `, "", "clusters[1].kubernetes: nothing says how its API server is reached; write kubeconfig, or server and token"},
		{`server: "https://10.2.0.1:6443"`, "kubeconfig: kube.yaml", "token means nothing with kubeconfig"},
		{"nodes: hall=hall2", "nodes: hall2", `"hall2" is no label and value; write it like "hall=hall1"`},
		{"namespaces: [team-a]", "namespaces: [Team_A]", `"Team_A" cannot be a namespace`},
		{`"gpu[01-04]"`, `"gpu[04-01]"`, `clusters[0].machines[0].names: the range "04-01" runs backwards; write it like`},
		{`"old-a,old-b"`, `"old-a,gpu03"`, "the machine gpu03 stands at clusters[0].machines[0].names already"},
		{`"gpu[01-04]"`, `"gpu[1-30000]"`, "the list names more than the 20000 machines allowed"},
		{"model: A100, gpus: 4", "model: A10, gpus: 4", `there is no GPU model "A10"; did you mean "A100"?`},
		{"model: A100, gpus: 4", "model: A100, gpus: 24", "24 is out of range; it can be from 1 to 16"},
		{"gpus: 4, idle: 500 W", "gpus: 4, idle: 5 kW", "clusters[0].machines[1].idle: 5 kW is not between 0 W and 1 kW"},
		{"idle: 50 W, full: 400 W", "idle: 450 W, full: 400 W", "450 W is not below the 400 W at full work"},
		{"full: 400 W", "full: 400 kW", "400 kW is out of range; it is of one GPU, from 10 W to 10 kW"},
		{"least: 100 W", "least: 400 W", "clusters[0].gpus[1].least: 400 W is not between 0 W and 400 W"},
		{"{power: 350 W, throughput: 80 %}", "{power: 700 W, throughput: 80 %}", "clusters[0].gpus[0].curve[1]: 700 W is not above the 700 W before it"},
		{"{power: 350 W, throughput: 80 %}", "{power: 350 W, throughput: 180 %}", "a throughput of 180 % is out of range"},
		{", {power: 700 W, throughput: 100 %}]", "]", "it ends at 80 % for 350 W and not at full; end it with {power: 700 W, throughput: 100 %}"},
		{"model: A100, idle", "model: h100, idle", `"h100" stands at clusters[0].gpus[0].model already`},
		{`url: "https://{node}:9700"`, `url: "https://10.1.0.1:9700"`, "every machine would be reached at"},
		{`url: "https://{node}:9700", `, "", "clusters[0].agents: nothing says where it is"},
		{`old-b: "https://10.1.0.6"`, `old-c: "https://10.1.0.6"`, `there is no machine "old-c"`},
		{"safe: 300 W", "safe: 90 W", "90 W is not between the 233.333 W and the 700 W of H100"},
		{"safe: 300 W", "lease: 20s", "20s is less than three polls of 10s; a lease must outlast two renewals that are lost"},
		{"password: env:BMC", "password: calvin", "clusters[0].bmc.password: a secret must not stand in the site file"},
		{"user: root, ", "safe: 300 W, user: root, ", "safe means nothing with bmc: only agents hold caps"},
		{"kind: firm", "kind: solid", `unknown kind of class "solid"; it can be one of firm, semi, cap, pause, spot`},
		{"queues: [firm], penalty: 8000 $/MWh", "queues: [firm]", `clusters[0].classes[0].penalty: penalty is missing; for each MWh of firm work not delivered, like "5000 $/MWh"`},
		{"queues: [firm], penalty", "queues: [firm], slowdown: 5 %, penalty", "slowdown means nothing with a class that is firm"},
		{"minimum: 8, ", "", "clusters[0].classes[1].minimum: minimum is missing"},
		{"minimum: 8", "minimum: 80", "80 is not between 1 and 40"},
		{", pause: 1h, every: 10m", "", "nothing says how the rest of it bends"},
		{"pause: 1h, every: 10m", "pause: 1h", "nothing says how its jobs save their work before a pause"},
		{"slowdown: 20 %, ", "", "clusters[0].classes[2].slowdown: slowdown is missing"},
		{"slowdown: 20 %", "slowdown: 100 %", "100 % is not above 0 % and below 100 %"},
		{"pause: 4h, ", "", "clusters[0].classes[3].pause: pause is missing"},
		{"pause: 4h, ", "pause: 30h, ", "30h is not within the 24h of per"},
		{", checkpoint: 45s", "", "clusters[0].classes[3].checkpoint: checkpoint is missing; how long saving takes"},
		{"signal: USR1", "signal: SIGUSR1", `unknown signal "SIGUSR1"`},
		{"queues: [flex, long]", "queues: [flex, semi]", "the queue semi stands at clusters[0].classes[1].queues[0] already; let each queue be of one class"},
		{"value: 0.4 $", "sale: spot", "clusters[0].classes[4].value: value is missing"},
		{"kind: spot, queues: [spot]", "kind: cap, slowdown: 10 %, queues: [spot]", "cap is firmer than the pause before it; write the firmest class first"},
		{"accounts: [beta, beta-dev]", "accounts: [gamma]", `the account "gamma" stands at clusters[0].tenants[0].accounts[0] already`},
		{"reserved: {H100: 16}", "reserved: {H100: 33}", "33 GPUs of H100 are reserved, and there are 32"},
		{"reserved: {H100: 16}", "reserved: {H200: 16}", `there is no GPU model "H200"; did you mean "H100"?`},
		{"node: kube-hall\n", "node: kube-hall\n    restore: 0 W\n", "at 0 W a minute nothing would ever come back"},
		{"node: kube-hall\n", "node: kube-hall\n    effect: 1h\n", "clusters[1].effect: 1h is out of range"},
	} {
		if !strings.Contains(clustersDoc, c.old) {
			t.Errorf("%q is not in the document", c.old)
		}
		_, err := Parse("site.yaml", []byte(strings.Replace(clustersDoc, c.old, c.with, 1)), known)
		var faults strictyaml.Faults
		if !errors.As(err, &faults) || !strings.Contains(err.Error(), c.says) || len(faults) > 2 {
			t.Errorf("%s:\n%v\nwant %s", c.with, err, c.says)
		}
	}
}

// A contract that is named must be there, which only Load can see.
func TestContractFilesMustBeThere(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(clustersDoc, "name: Gamma}", "contract: gamma.yaml}", 1)
	text = strings.Replace(text, "{id: acme, ", "{id: acme, contract: acme.yaml, ", 1)
	path := filepath.Join(dir, "site.yaml")
	for name, data := range map[string]string{"site.yaml": text, "acme.yaml": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Load(path, known)
	if err == nil || !strings.Contains(err.Error(), "clusters[0].tenants[1].contract: cannot read") || strings.Contains(err.Error(), "acme.yaml") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gamma.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, known); err != nil {
		t.Error(err)
	}
}

// What is commented out in the example is right once it is not.
func TestExampleCluster(t *testing.T) {
	text := string(Example())
	for _, block := range []string{"  # - id: gpu-hall", "# clusters:"} {
		start := strings.Index(text, block)
		if start < 0 {
			t.Fatalf("the example no longer holds %q", block)
		}
		end := start + strings.Index(text[start:], "\n\n")
		lines := strings.Split(text[start:end], "\n")
		for i, l := range lines {
			lines[i] = strings.Replace(l, "# ", "", 1)
		}
		text = text[:start] + strings.Join(lines, "\n") + text[end:]
	}
	f, err := Parse("site.yaml", []byte(text), known)
	if err != nil || len(f.Clusters) != 1 || len(f.Clusters[0].Nodes()) != 32 {
		t.Errorf("%v", err)
	}
}
