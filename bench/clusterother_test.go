package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta1"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/gpuagent"
	"switchyard/emulate/gpus"
	"switchyard/emulate/kube"
	"switchyard/emulate/kube/control"
	"switchyard/site"
	"switchyard/unit"
)

// clusterVar tells this test binary to be an emulated GPU cluster and nothing else.
const clusterVar = "SWITCHYARD_BENCH_CLUSTER"

// The cluster: 2,000 machines of eight GPUs, a quarter of them for firm work, and 20,000 jobs of
// one GPU each, 4,000 of which wait.
const (
	clusterNodes   = 2000
	clusterFirm    = 500
	clusterJobs    = 20_000
	clusterGPU     = 8
	clusterKey     = "key-of-the-benchmark"
	clusterTimeout = 2 * time.Minute // of whatever is waited for
)

func nodeName(i int) string { return fmt.Sprintf("gpu%04d", i) }

// clusterDoors are where the other process's cluster is reached.
type clusterDoors struct {
	API    string
	CA     string // PEM
	Agents map[string]string
}

// clusterState is what became of it, as its own store says.
type clusterState struct {
	Running, Paused int // Workloads that hold quota, and those that are not active
	Capped          int // machines
	Held            bool
}

// TestClusterProcess is the other process: it emulates a cluster until its input ends. "renew"
// makes it anew on new addresses, "state" tells what became of it.
func TestClusterProcess(t *testing.T) {
	if os.Getenv(clusterVar) == "" {
		t.Skip("this is no test: the benchmark of clusters runs it as its other process")
	}
	say := json.NewEncoder(os.Stdout)
	var c *emulatedCluster
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var err error
		switch lines.Text() {
		case "renew":
			c.close()
			if c, err = newEmulatedCluster(); err == nil {
				err = say.Encode(c.doors)
			}
		case "state":
			err = say.Encode(c.state())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.close()
	os.Exit(0) // no word of the test's own on the output
}

// emulatedCluster is an API server with what Kueue and the kubelets do, and an agent a machine.
type emulatedCluster struct {
	gpus  *gpus.Cluster
	store *kube.Store
	doors clusterDoors
	ends  []func()
}

func (c *emulatedCluster) close() {
	if c == nil {
		return
	}
	for i := len(c.ends) - 1; i >= 0; i-- {
		c.ends[i]()
	}
}

func newEmulatedCluster() (*emulatedCluster, error) {
	m := gpus.Model{Name: "H100", Idle: 70 * unit.Watt, Full: 700 * unit.Watt}
	cfg := gpus.Config{ID: "ai", Seed: 1, Steady: true}
	for i := range clusterNodes {
		cfg.Nodes = append(cfg.Nodes, gpus.NodeConfig{Name: nodeName(i), Model: m, GPUs: clusterGPU, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt})
	}
	began := time.Now().Add(-20 * time.Minute) // the jobs ran for a while
	g, err := gpus.New(cfg, began)
	if err != nil {
		return nil, err
	}
	clk := clock.Anchored{Wall: time.Now(), Site: time.Now().UTC(), Rate: 1}
	srv := kube.New(kube.Config{Clock: clk, Tokens: map[string]time.Time{clusterKey: {}}})
	ctl, err := control.New(control.Config{Server: srv, Cluster: g})
	if err != nil {
		return nil, err
	}
	c := &emulatedCluster{gpus: g, store: srv.Store()}
	if err := c.fill(); err != nil {
		return nil, err
	}
	now := began
	for c.state().Running < clusterNodes*clusterGPU {
		if now = now.Add(time.Second); now.Sub(began) > 10*time.Minute {
			return nil, fmt.Errorf("after ten minutes %d jobs run", c.state().Running)
		}
		g.Step(now, true)
		ctl.Tick(now)
	}
	for i := range 5 { // their pods start
		ctl.Tick(now.Add(time.Duration(i) * time.Second))
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { ctl.Run(ctx, clk) })
	c.ends = append(c.ends, func() { stop(); wg.Wait() })
	c.serve(srv)
	return c, c.serveAgents()
}

// serve opens the API server's door: TLS and HTTP/2, as a real one's.
func (c *emulatedCluster) serve(srv *kube.Server) {
	s := httptest.NewUnstartedServer(srv)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	c.doors.API = s.URL
	c.doors.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	c.ends = append(c.ends, func() { _ = srv.Close(); s.CloseClientConnections(); s.Close() })
}

// serveAgents starts the program's own agent for each machine, behind a door of its own.
func (c *emulatedCluster) serveAgents() error {
	c.doors.Agents = map[string]string{}
	for _, n := range c.gpus.Nodes() {
		a, err := gpuagent.New(gpuagent.Config{Node: n.Name(), Driver: emulatedGPUs{n}})
		if err != nil {
			return err
		}
		s := httptest.NewServer(a.Handler(clusterKey))
		c.doors.Agents[n.Name()] = s.URL
		c.ends = append(c.ends, func() { s.CloseClientConnections(); s.Close() })
	}
	return nil
}

// fill makes the queues, and the jobs: firm ones first, so that they fill machines of their own.
func (c *emulatedCluster) fill() error {
	const gpu = corev1.ResourceName("nvidia.com/gpu")
	var errs []error
	create := func(r *kube.Resource, o kube.Object) {
		_, err := c.store.Create(r, o)
		errs = append(errs, err)
	}
	create(c.store.Flavors, &kueue.ResourceFlavor{ObjectMeta: metav1.ObjectMeta{Name: "h100"}})
	for _, q := range []struct {
		name string
		n    int64
	}{{"firm", clusterFirm * clusterGPU}, {"flex", (clusterNodes - clusterFirm) * clusterGPU}} {
		create(c.store.ClusterQueues, &kueue.ClusterQueue{ObjectMeta: metav1.ObjectMeta{Name: q.name}, Spec: kueue.ClusterQueueSpec{
			NamespaceSelector: &metav1.LabelSelector{},
			ResourceGroups: []kueue.ResourceGroup{{
				CoveredResources: []corev1.ResourceName{gpu},
				Flavors:          []kueue.FlavorQuotas{{Name: "h100", Resources: []kueue.ResourceQuota{{Name: gpu, NominalQuota: *resource.NewQuantity(q.n, resource.DecimalSI)}}}},
			}},
		}})
		create(c.store.LocalQueues, &kueue.LocalQueue{ObjectMeta: metav1.ObjectMeta{Name: q.name, Namespace: "default"}, Spec: kueue.LocalQueueSpec{ClusterQueue: kueue.ClusterQueueReference(q.name)}})
	}
	one, grace := corev1.ResourceList{gpu: resource.MustParse("1")}, int64(30)
	for i := range clusterJobs {
		queue := "flex"
		if i < clusterFirm*clusterGPU {
			queue = "firm"
		}
		create(c.store.Jobs, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{
				Name: fmt.Sprintf("train-%05d", i), Namespace: "default", Labels: map[string]string{"kueue.x-k8s.io/queue-name": queue},
				Annotations: map[string]string{control.ArgWork: "0s", control.ArgSave: "10s"},
			},
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: &grace,
				Containers:                    []corev1.Container{{Name: "main", Image: "train", Resources: corev1.ResourceRequirements{Requests: one, Limits: one}}},
			}}},
		})
	}
	return errors.Join(errs...)
}

func (c *emulatedCluster) state() (s clusterState) {
	all := c.store.List(c.store.Workloads, "")
	for _, o := range all {
		w := o.(*kueue.Workload)
		if w.Status.Admission != nil {
			s.Running++
		}
		if w.Spec.Active != nil && !*w.Spec.Active {
			s.Paused++
		}
	}
	for _, n := range c.gpus.Nodes() {
		if all, err := n.GPUs(); err == nil && all[0].Limit < all[0].Default {
			s.Capped++
		}
	}
	if q, ok := c.store.Get(c.store.ClusterQueues, "", "flex").(*kueue.ClusterQueue); ok && q.Spec.StopPolicy != nil {
		s.Held = *q.Spec.StopPolicy == kueue.Hold
	}
	return s
}

// emulatedGPUs are a machine's GPUs as the agent's driver library would show them.
type emulatedGPUs struct{ n *gpus.Node }

func (emulatedGPUs) Name() string { return "emulated" }
func (emulatedGPUs) Close() error { return nil }

func (d emulatedGPUs) GPUs(context.Context) ([]compute.GPU, error) {
	all, err := d.n.GPUs()
	if err != nil {
		return nil, err
	}
	out := make([]compute.GPU, len(all))
	for i := range all {
		g := &all[i]
		out[i] = compute.GPU{
			Index: g.Index, UUID: g.UUID, Model: g.Product, Power: site.Some(g.Power), Energy: site.Some(unit.Energy(g.Energy / 3600)), Use: site.Some(g.Use),
			Limit: site.Some(g.Limit), Default: site.Some(g.Default), Least: site.Some(g.Least), Most: site.Some(g.Most),
		}
	}
	return out, nil
}

func (d emulatedGPUs) SetLimit(_ context.Context, g compute.GPU, p unit.Power) error {
	_, err := d.n.SetLimit(g.Index, p)
	return err
}

// otherCluster is the other process as the benchmark sees it.
type otherCluster struct {
	b   *testing.B
	in  io.WriteCloser
	out *json.Decoder
}

func startCluster(b *testing.B) *otherCluster {
	b.Helper()
	checkFiles(b, 3*clusterNodes+1000)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run", "^TestClusterProcess$", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), clusterVar+"=1")
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { // its input ends: so does it
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &otherCluster{b, in, json.NewDecoder(out)}
}

func (o *otherCluster) ask(what string, answer any) {
	o.b.Helper()
	if _, err := io.WriteString(o.in, what+"\n"); err != nil {
		o.b.Fatal(err)
	}
	if err := o.out.Decode(answer); err != nil {
		o.b.Fatalf("the emulated cluster ended or said what is no answer; its reason stands above: %v", err)
	}
}

func (o *otherCluster) renew() (d clusterDoors) {
	o.b.Helper()
	o.ask("renew", &d)
	return d
}

func (o *otherCluster) state() (s clusterState) {
	o.b.Helper()
	o.ask("state", &s)
	return s
}

// authorized sends requests with the cluster's key.
type authorized struct{ next http.RoundTripper }

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+clusterKey)
	return a.next.RoundTrip(r)
}
