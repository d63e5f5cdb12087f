package world_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"switchyard/clock"
	"switchyard/emulate/gpus"
	"switchyard/emulate/gpus/world"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
	"switchyard/unit"
)

// port finds an address that is free now.
func port(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func file(t *testing.T, scheme string) *sitefile.File {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &sitefile.File{
		Dir: dir, Connection: sitefile.Node{ID: "poi", Limit: 10 * unit.Megawatt}, Nodes: []sitefile.Node{{ID: "ai", Parent: "poi"}},
		Clusters: []cluster.Cluster{{
			ID: "ai-1", Node: "ai", Kubernetes: &cluster.Kubernetes{Server: scheme + "://" + port(t), Token: "file:token", Nodes: "hall=hall1"},
			GPUs:     []cluster.GPU{{Model: "H100", Idle: 70 * unit.Watt, Full: 700 * unit.Watt}},
			Machines: []cluster.Machine{{Names: "gpu[1-8]", Model: "H100", GPUs: 8, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt}},
			Exporter: &cluster.Endpoint{URL: "http://" + port(t) + "/{node}"},
			BMC:      &cluster.Endpoint{Hosts: map[string]string{"gpu1": scheme + "://" + port(t)}, User: "admin", Password: "file:token"},
			Classes:  []cluster.Class{{Name: "firm", Kind: "firm", Queues: []string{"firm"}}, {Name: "train", Kind: "pause", Queues: []string{"flex"}, Checkpoint: 20 * time.Second}, {Name: "spot", Kind: "spot"}},
			Tenants:  []cluster.Tenant{{ID: "acme", Reserved: map[string]int{"H100": 16}}, {ID: "lab"}},
		}},
	}
}

// TestAWholeCluster runs a made-up cluster for some minutes of site time below a plant's node.
func TestAWholeCluster(t *testing.T) {
	f := file(t, "https")
	clk := clock.Anchored{Wall: time.Now(), Site: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), Rate: 120}
	w, err := world.Start(context.Background(), f, clk, nil, world.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tree, err := f.Tree()
	if err != nil {
		t.Fatal(err)
	}
	p, err := plant.New(plant.Config{Tree: tree}, clk.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Hang(p); err != nil {
		t.Fatal(err)
	}
	c := w.Cluster("ai-1")
	k := kubernetes.NewForConfigOrDie(&rest.Config{Host: c.API, BearerToken: "good", TLSClientConfig: rest.TLSClientConfig{CAData: w.CA}})
	used := 0
	for end := time.Now().Add(20 * time.Second); used < 48 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		p.Step(clk.Now())
		pods, err := k.CoreV1().Pods("").List(context.Background(), metav1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			t.Fatal(err)
		}
		used = 0
		for _, o := range pods.Items {
			used += int(o.Spec.Containers[0].Resources.Requests.Name("nvidia.com/gpu", "").Value())
		}
	}
	if used < 48 {
		t.Fatalf("%d of 64 GPUs have work", used)
	}
	ai, _ := p.Record().Node(site.NodeID("ai"))
	for end := time.Now().Add(20 * time.Second); ai.Power < 25*unit.Kilowatt && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		p.Step(clk.Now()) // the programs read their data first
		ai, _ = p.Record().Node(site.NodeID("ai"))
	}
	if ai.Power < 25*unit.Kilowatt || ai.Power > 70*unit.Kilowatt || ai.PeakPower != 0 && ai.Power > ai.PeakPower {
		t.Errorf("the node takes %s", ai.Power)
	}
	res, err := http.Get(c.Exporters["gpu3"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if !strings.Contains(string(text), `Hostname="gpu3"`) || !strings.Contains(string(text), `pod="`) {
		t.Errorf("%.400s", text)
	}
	if len(c.BMCs) != 1 || len(c.Exporters) != 8 {
		t.Errorf("%v, %v", c.BMCs, c.Exporters)
	}
	if _, err := kubernetes.NewForConfigOrDie(&rest.Config{Host: c.API, BearerToken: "bad", TLSClientConfig: rest.TLSClientConfig{CAData: w.CA}}).CoreV1().Nodes().List(context.Background(), metav1.ListOptions{}); err == nil {
		t.Error("any token is taken")
	}
}

func TestWhatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*sitefile.File){
		"listen on":       func(f *sitefile.File) { f.Clusters = append(f.Clusters, f.Clusters[0]) },
		`GPU model "A1"`:  func(f *sitefile.File) { f.Clusters[0].Machines[0].Model = "A1" },
		"there is no GPU": func(f *sitefile.File) { f.Clusters[0].GPUs = nil },
		"read secret":     func(f *sitefile.File) { f.Clusters[0].Kubernetes.Token = "file:nothing" },
	} {
		f := file(t, "http")
		change(f)
		if w, err := world.Start(context.Background(), f, clock.System(), nil, world.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v, %v", want, w, err)
		}
	}
}

func TestSlurmClustersHaveNoEngineHere(t *testing.T) {
	f := file(t, "http")
	f.Clusters[0].Kubernetes, f.Clusters[0].Slurm = nil, &cluster.Slurm{Commands: true}
	w, err := world.Start(context.Background(), f, clock.System(), nil, world.Options{Alone: true, Faults: map[string][]gpus.Fault{"ai-1": {{Kind: gpus.BMCSlow, Every: time.Hour}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := w.Cluster("ai-1")
	if c.Server != nil || c.API != "" || len(c.Exporters) != 8 {
		t.Errorf("%+v", c)
	}
	if err := c.GPUs.SetBusy("gpu1", 0, 1); err != nil {
		t.Error(err)
	}
}
