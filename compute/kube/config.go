package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"switchyard/clock"
	"switchyard/compute/kube/kueue"
	"switchyard/compute/kube/transport"
)

// Defaults of a Config.
const (
	DefaultGPUResource = "nvidia.com/gpu"
	DefaultTimeout     = 10 * time.Second
)

// Config says how a cluster is reached and what of it is ours. Secrets are resolved.
type Config struct {
	ID string // of the cluster, for the log
	// Kubeconfig is a path; Context default the file's current one.
	Kubeconfig, Context string
	// Server, with Token or TokenFile and CA (a path), reaches it without a kubeconfig. A token
	// file is read again when it may have changed, and at once after the server refused it.
	Server, Token, TokenFile, CA string
	// Namespaces of the tenants' jobs; empty: all. GPUs that pods of other namespaces use are
	// not seen when they are named.
	Namespaces []string
	// GPUResource is what a GPU is called; default DefaultGPUResource.
	GPUResource string
	// Nodes selects the machines by a label, "hall=hall1"; default: the names in Machines, and
	// without these all nodes that have GPUs.
	Nodes string
	// Timeout bounds one request, in machine time; default DefaultTimeout. A list of everything
	// may take six times as long.
	Timeout time.Duration
	// Machines are the nodes of the inventory with their number of GPUs.
	Machines map[string]int
}

// clients is how the engine speaks with the API server; tests put fakes there.
type clients struct {
	kube  kubernetes.Interface
	kueue *kueue.Client
	// ping asks for the server's version.
	ping func(context.Context) (string, error)
}

// Open checks the configuration and returns an Engine that begins to connect in Run. It reads
// files and does not touch the network. Errors name the key that is wrong, never a secret.
func Open(c Config, k clock.Clock, log *slog.Logger) (*Engine, error) {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	rc, err := c.rest()
	if err != nil {
		return nil, err
	}
	by := transport.NewServer(k)
	rc.Wrap(by.Watch)
	q, err := kueue.New(rc, c.Timeout)
	if err != nil {
		return nil, fmt.Errorf("reach cluster %s: %w", c.ID, err)
	}
	pc := rest.CopyConfig(rc)
	pc.ContentType = "application/vnd.kubernetes.protobuf"
	pc.AcceptContentTypes = pc.ContentType + ",application/json"
	kube, err := kubernetes.NewForConfig(pc)
	if err != nil {
		return nil, fmt.Errorf("reach cluster %s: %w", c.ID, err)
	}
	ping := func(ctx context.Context) (string, error) {
		return version(kube.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx))
	}
	e, err := open(c, clients{kube: kube, kueue: q, ping: ping}, k, log)
	if err == nil {
		e.times = transport.NewTimes(k, by)
	}
	return e, err
}

func open(c Config, with clients, k clock.Clock, log *slog.Logger) (*Engine, error) {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.GPUResource == "" {
		c.GPUResource = DefaultGPUResource
	}
	if c.Nodes != "" {
		if _, err := labels.Parse(c.Nodes); err != nil {
			return nil, fmt.Errorf("kubernetes.nodes: %q is no label selector, as \"hall=hall1\" is: %w", c.Nodes, err)
		}
	}
	return newEngine(c, with, k, log), nil
}

// rest returns the connection's settings.
func (c Config) rest() (*rest.Config, error) {
	var rc *rest.Config
	switch {
	case c.Kubeconfig != "" && c.Server != "":
		return nil, errors.New("kubernetes: kubeconfig and server are both given; give one")
	case c.Kubeconfig != "":
		var err error
		rc, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig},
			&clientcmd.ConfigOverrides{CurrentContext: c.Context}).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kubernetes.kubeconfig: read %s: %w", c.Kubeconfig, err)
		}
	case c.Server != "":
		rc = &rest.Config{Host: c.Server, BearerToken: c.Token, BearerTokenFile: c.TokenFile}
		rc.CAFile = c.CA
	default:
		return nil, errors.New("kubernetes: give kubeconfig, or server with token and ca")
	}
	rc.UserAgent = "switchyard"
	// Acts are bounded by slots and the server's own fairness; the client's default of five a
	// second would take minutes for a hall.
	rc.QPS = -1
	rc.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return impatient{next: next, patience: c.Timeout}
	})
	if path := rc.BearerTokenFile; path != "" {
		rc.BearerTokenFile, rc.BearerToken = "", "" // the file's is the newer one
		rc.Wrap(transport.NewTokenFile(path).Wrap)
	}
	return rc, nil
}

// impatient gives up a watch whose answer does not begin in time. Other requests have deadlines
// as a whole; a watch may last for minutes once it began.
type impatient struct {
	next     http.RoundTripper
	patience time.Duration
}

func (t impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") == "" {
		return t.next.RoundTrip(r)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(t.patience, func() {
		cancel(fmt.Errorf("no answer within %s: %w", t.patience, context.DeadlineExceeded))
	})
	res, err := t.next.RoundTrip(r.WithContext(ctx))
	timer.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	res.Body = &cancelBody{ReadCloser: res.Body, cancel: cancel}
	return res, nil
}

// cancelBody ends the request's context with its body.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *cancelBody) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}
