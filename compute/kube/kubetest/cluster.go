//go:build unix

package kubetest

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kueue/client-go/clientset/versioned"
)

// Cluster is a running Kubernetes with Kueue and no machines yet but those that were asked for.
type Cluster struct {
	// Kubeconfig is the path of a file that lets one do everything; Controller that of the user
	// "switchyard", who may do what roles are bound to it and no more.
	Kubeconfig, Controller string
	// Server, CA (a path) and Token are the same as Controller's.
	Server, CA, Token string
	Kube              kubernetes.Interface
	Kueue             versioned.Interface

	dynamic dynamic.Interface
	t       testing.TB
	dir     string
	bin     string
	root    string
	ports   []int
	ca      []byte
	all     map[string]*process
}

// The places of the programs' ports in Cluster.ports.
const (
	portEtcd = iota
	portPeer
	portAPI
	portHealth
	portMetrics
	portHooks
	portKwok
	portCount
)

// Start starts a cluster with four machines gpu-1 to gpu-4 of eight GPUs each, with the label
// hall=hall1, and ends it with the test. It takes some ten seconds on two cores. The test is
// skipped where the programs are missing.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c := StartBare(t)
	c.AddNodes("gpu-", 4, 8)
	return c
}

// StartBare starts a cluster without machines.
func StartBare(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, bin: Binaries(t), root: root(t), ports: ports(t, portCount), all: map[string]*process{}}
	dir, err := os.MkdirTemp("", "kubetest-") // short: t.TempDir's name may be long
	if err != nil {
		t.Fatal(err)
	}
	c.dir = dir
	t.Cleanup(c.end)
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"prepare", c.prepare},
		{"etcd", c.startEtcd},
		{"the API server", c.StartAPI},
		{"the controllers", c.startControllers},
		{"Kueue", c.startKueue},
		{"kwok", c.startKwok},
	} {
		if err := step.run(ctx); err != nil {
			t.Fatalf("start a real Kubernetes: %s: %v", step.name, err)
		}
		t.Logf("%s after %s", step.name, time.Since(begun).Round(10*time.Millisecond))
	}
	return c
}

// end ends all programs, the API server last but etcd, and shows their last words after a failure.
func (c *Cluster) end() {
	for _, name := range []string{"kwok", "kueue", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"} {
		p := c.all[name]
		if p == nil {
			continue
		}
		p.kill() // nothing of it is kept
		if c.t.Failed() {
			c.t.Logf("%s said last:\n%s", name, p.tail(8))
		}
	}
	_ = os.RemoveAll(c.dir)
}

func (c *Cluster) run(ctx context.Context, name string, args ...string) error {
	p, err := start(ctx, c.dir, filepath.Join(c.bin, name), args...)
	if err == nil {
		c.all[name] = p
	}
	return err
}

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) url(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", c.ports[port]) }

// kubeconfig is a kubeconfig's form: server, CA in base64, token.
const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %q}}]
users: [{name: u, user: {token: %q}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

func (c *Cluster) prepare(context.Context) error {
	ca, err := certificates(c.dir)
	if err != nil {
		return err
	}
	c.ca, c.CA = ca, c.path("tls.crt")
	c.Server, c.Token = fmt.Sprintf("https://127.0.0.1:%d", c.ports[portAPI]), "controllertoken"
	c.Kubeconfig, c.Controller = c.path("kubeconfig"), c.path("controller")
	b64 := base64.StdEncoding.EncodeToString(ca)
	for name, text := range map[string]string{
		c.Kubeconfig:         fmt.Sprintf(kubeconfig, c.Server, b64, "admintoken"),
		c.Controller:         fmt.Sprintf(kubeconfig, c.Server, b64, c.Token),
		c.path("tokens.csv"): "admintoken,admin,1,system:masters\n" + c.Token + ",switchyard,2,\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	rc, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	rc.QPS = -1
	return c.clients(rc)
}

func (c *Cluster) clients(rc *rest.Config) (err error) {
	if c.Kube, err = kubernetes.NewForConfig(rc); err != nil {
		return err
	}
	if c.Kueue, err = versioned.NewForConfig(rc); err != nil {
		return err
	}
	c.dynamic, err = dynamic.NewForConfig(rc)
	return err
}

func (c *Cluster) startEtcd(ctx context.Context) error {
	client, peer := c.url(portEtcd), c.url(portPeer)
	err := c.run(ctx, "etcd", "--data-dir", c.path("etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--unsafe-no-fsync")
	if err != nil {
		return err
	}
	return c.answers(ctx, "etcd", client+"/health")
}

// StartAPI starts the API server, or starts it again after KillAPI, and waits until it is ready.
func (c *Cluster) StartAPI(ctx context.Context) error {
	err := c.run(ctx, "kube-apiserver", "--etcd-servers="+c.url(portEtcd), "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", c.ports[portAPI]), "--tls-cert-file="+c.CA, "--tls-private-key-file="+c.path("tls.key"),
		"--service-cluster-ip-range=10.0.0.0/24", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.path("sa.pub"), "--service-account-signing-key-file="+c.path("sa.key"),
		"--token-auth-file="+c.path("tokens.csv"), "--authorization-mode=RBAC", "--allow-privileged=true",
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none")
	if err != nil {
		return err
	}
	return c.until(ctx, "kube-apiserver", func() bool {
		b, err := c.Kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil && string(b) == "ok"
	})
}

// KillAPI ends the API server at once, as a crash would.
func (c *Cluster) KillAPI() { c.all["kube-apiserver"].kill() }

// HangAPI makes the API server answer nothing while its connections stay open; WakeAPI ends that.
func (c *Cluster) HangAPI() { c.all["kube-apiserver"].signal(syscall.SIGSTOP) }

// WakeAPI lets the API server go on after HangAPI.
func (c *Cluster) WakeAPI() { c.all["kube-apiserver"].signal(syscall.SIGCONT) }

func (c *Cluster) startControllers(ctx context.Context) error {
	err := c.run(ctx, "kube-controller-manager", "--kubeconfig="+c.Kubeconfig, "--service-account-private-key-file="+c.path("sa.key"),
		"--use-service-account-credentials=false", "--leader-elect=false", "--controllers=*,-cloud-node-lifecycle-controller",
		"--secure-port=0", "--node-monitor-grace-period=40s")
	if err == nil {
		err = c.run(ctx, "kube-scheduler", "--kubeconfig="+c.Kubeconfig, "--leader-elect=false", "--secure-port=0")
	}
	if err != nil {
		return err
	}
	return c.until(ctx, "kube-controller-manager", func() bool {
		_, err := c.Kube.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// kueueConfig is Kueue's configuration: the ports of health, metrics and webhooks, and the folder
// of the certificate.
const kueueConfig = `apiVersion: config.kueue.x-k8s.io/v1beta1
kind: Configuration
health: {healthProbeBindAddress: "127.0.0.1:%d"}
metrics: {bindAddress: "127.0.0.1:%d"}
webhook: {port: %d, host: 127.0.0.1, certDir: %q}
leaderElection: {leaderElect: false}
internalCertManagement: {enable: false}
clientConnection: {qps: 500, burst: 1000}
manageJobsWithoutQueueName: false
integrations: {frameworks: ["batch/job"]}
`

func (c *Cluster) startKueue(ctx context.Context) error {
	src, err := module(ctx, c.root, "kueue", "sigs.k8s.io/kueue")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(src, "config/components/crd/bases/*.yaml"))
	if err != nil {
		return err
	}
	crds, err := documents(files...)
	if err == nil {
		err = c.Apply(ctx, crds...)
	}
	if err != nil {
		return err
	}
	// Kueue ends at once when a kind of its own is not served yet.
	err = c.until(ctx, "kube-apiserver", func() bool {
		l, err := c.Kube.Discovery().ServerResourcesForGroupVersion("kueue.x-k8s.io/v1beta1")
		if err != nil {
			return false
		}
		kinds := map[string]bool{}
		for _, r := range l.APIResources {
			kinds[r.Kind] = true
		}
		for _, o := range crds {
			kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
			version, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
			if len(version) > 0 && !kinds[kind] && servesBeta(version) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf(kueueConfig, c.ports[portHealth], c.ports[portMetrics], c.ports[portHooks], c.dir)
	if err := os.WriteFile(c.path("kueue.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	err = c.run(ctx, "kueue", "--config="+c.path("kueue.yaml"), "--kubeconfig="+c.Kubeconfig, "--feature-gates=VisibilityOnDemand=false", "--zap-log-level=info")
	if err == nil {
		err = c.answers(ctx, "kueue", c.url(portHealth)+"/readyz")
	}
	if err != nil {
		return err
	}
	hooks, err := documents(filepath.Join(src, "config/components/webhook/manifests.yaml"))
	if err == nil {
		err = webhooks(hooks, c.ports[portHooks], c.ca)
	}
	if err != nil {
		return err
	}
	return c.Apply(ctx, hooks...)
}

// servesBeta says that one of a kind's versions is v1beta1.
func servesBeta(versions []any) bool {
	for _, v := range versions {
		if m, ok := v.(map[string]any); ok && m["name"] == "v1beta1" {
			return true
		}
	}
	return false
}

// answers waits until a program's address answers with 200.
func (c *Cluster) answers(ctx context.Context, name, url string) error {
	return c.until(ctx, name, func() bool {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// until waits for a program to be as wanted, and gives up when it ended.
func (c *Cluster) until(ctx context.Context, name string, ok func() bool) error {
	for !ok() {
		if p := c.all[name]; p != nil && p.dead() {
			return fmt.Errorf("%s ended: %s", name, strings.TrimSpace(p.tail(5)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", name, ctx.Err(), c.all[name].tail(5))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}
