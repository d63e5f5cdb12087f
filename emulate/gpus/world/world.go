// Package world owns the wiring of emulated GPU clusters: from a site file's clusters it makes
// the machines, serves their engines, exporters and controllers on the loopback addresses that
// the file names, and moves all of it with site time.
//
// It serves nothing beyond loopback, and never tells a controller anything but over the sockets.
// Clusters run by Slurm get everything but the engine: SetBusy of their GPUs says what works.
//
// Concurrency: Start returns once everything listens. Close may be called once, from anywhere,
// and waits for all goroutines.
package world

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"switchyard/clock"
	"switchyard/emulate/gpus"
	"switchyard/emulate/gpus/bmc"
	"switchyard/emulate/gpus/exporter"
	"switchyard/emulate/kube"
	"switchyard/emulate/kube/control"
	"switchyard/emulate/kube/mix"
	"switchyard/emulate/plant"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/sitefile/cluster"
)

// Options say how the clusters behave.
type Options struct {
	Seed uint64
	// Faults by the clusters' ids.
	Faults map[string][]gpus.Fault
	// Idle leaves the jobs to others: nobody submits any. Load is the flexible work that comes
	// otherwise, as a share of what the GPUs can do; default 1.2.
	Idle bool
	Load float64
	// Alone moves the clusters by the clock; otherwise the plant does that they are hung into.
	Alone bool
	// BootLeast and BootMost bound how long a node boots; default 5 and 15 minutes.
	BootLeast, BootMost time.Duration
}

// Cluster is one emulated cluster.
type Cluster struct {
	ID, Node string
	GPUs     *gpus.Cluster
	// Server and Control are nil for a cluster that Kubernetes does not run, or not on loopback.
	Server  *kube.Server
	Control *control.Control
	// API is the server's address; Exporters and BMCs are the nodes' that are served here.
	API             string
	Exporters, BMCs map[string]string
}

// World is all emulated clusters of a site.
type World struct {
	Clusters []*Cluster
	// CA is the certificate, in PEM, that all https addresses here are signed by; empty: none are.
	CA []byte

	file    *sitefile.File
	log     *slog.Logger
	secure  *tls.Config
	closers []io.Closer
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// Start makes the clusters of f, binds their addresses and moves them by clk until ctx ends or
// Close is called. When something cannot be bound, the error says what, and nothing listens.
func Start(ctx context.Context, f *sitefile.File, clk clock.Clock, log *slog.Logger, o Options) (*World, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	w := &World{file: f, log: log}
	ctx, w.cancel = context.WithCancel(ctx)
	for _, c := range f.Clusters {
		if err := w.add(ctx, c, clk, o); err != nil {
			return nil, errors.Join(fmt.Errorf("emulate cluster %s: %w", c.ID, err), w.Close())
		}
	}
	return w, nil
}

// Hang lets a plant move the clusters and feeds their power into its tree.
func (w *World) Hang(p *plant.World) error {
	tree, err := w.file.Tree()
	if err != nil {
		return err
	}
	for _, c := range w.Clusters {
		i, ok := tree.Index(site.NodeID(c.Node))
		if !ok {
			return fmt.Errorf("hang cluster %s: there is no node %q", c.ID, c.Node)
		}
		if err := p.AddFeed(plant.FeedConfig{ID: c.ID, Node: i, Feed: c.GPUs}); err != nil {
			return err
		}
	}
	return nil
}

// Cluster returns the cluster called id, or nil.
func (w *World) Cluster(id string) *Cluster {
	for _, c := range w.Clusters {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// Close stops everything and waits for it.
func (w *World) Close() error {
	w.cancel()
	var errs []error
	for _, c := range w.closers {
		errs = append(errs, c.Close())
	}
	w.wg.Wait()
	return errors.Join(errs...)
}

func (w *World) add(ctx context.Context, c cluster.Cluster, clk clock.Clock, o Options) error {
	cfg, err := gpus.FromSite(c, o.Seed)
	if err != nil {
		return err
	}
	cfg.Faults, cfg.BootLeast, cfg.BootMost = o.Faults[c.ID], o.BootLeast, o.BootMost
	g, err := gpus.New(cfg, clk.Now())
	if err != nil {
		return err
	}
	e := &Cluster{ID: c.ID, Node: c.Node, GPUs: g}
	w.Clusters = append(w.Clusters, e)
	if c.Kubernetes != nil && loopback(c.Kubernetes.Server) {
		if err := w.addKubernetes(ctx, e, c, clk, o); err != nil {
			return err
		}
	}
	if e.Exporters, err = w.addNodes(e, c.Exporter, func(n *gpus.Node) (http.Handler, error) { return exporter.Handler(n, o.Seed), nil }); err != nil {
		return err
	}
	if e.BMCs, err = w.addNodes(e, c.BMC, func(n *gpus.Node) (http.Handler, error) { return w.bmc(n, c.BMC) }); err != nil {
		return err
	}
	if o.Alone {
		w.wg.Go(func() { g.Run(ctx, clk) })
	}
	w.log.Info("emulated cluster listens", "cluster", c.ID, "nodes", len(cfg.Nodes), "api", e.API, "exporters", len(e.Exporters), "bmcs", len(e.BMCs))
	return nil
}

func (w *World) addKubernetes(ctx context.Context, e *Cluster, c cluster.Cluster, clk clock.Clock, o Options) error {
	k := c.Kubernetes
	tokens := map[string]time.Time{}
	if k.Token != "" {
		token, err := w.file.Secret(k.Token)
		if err != nil {
			return err
		}
		tokens[token] = time.Time{}
	}
	labels := map[string]string{}
	if name, value, ok := strings.Cut(k.Nodes, "="); ok {
		labels[name] = value
	}
	e.Server = kube.New(kube.Config{Clock: clk, Tokens: tokens, Seed: o.Seed, Log: w.log})
	var err error
	if e.Control, err = control.New(control.Config{Server: e.Server, Cluster: e.GPUs, GPUResource: k.GPUResource, Labels: labels}); err != nil {
		return err
	}
	u, err := url.Parse(k.Server)
	if err != nil {
		return fmt.Errorf("kubernetes.server: %w", err)
	}
	l, err := w.listen(u)
	if err != nil {
		return err
	}
	var secure *tls.Config
	if u.Scheme == "https" {
		if secure, err = w.certificate(); err != nil {
			return err
		}
	}
	e.API = u.Scheme + "://" + l.Addr().String()
	w.closers = append(w.closers, e.Server.Serve(l, secure))
	w.wg.Go(func() { e.Control.Run(ctx, clk) })
	if o.Idle {
		return nil
	}
	m, err := mix.New(mix.Config{Store: e.Server.Store(), Cluster: c, Seed: o.Seed, Load: o.Load}, clk.Now())
	if err != nil {
		return err
	}
	w.wg.Go(func() { m.Run(ctx, clk) })
	return nil
}

func (w *World) bmc(n *gpus.Node, at *cluster.Endpoint) (http.Handler, error) {
	o := bmc.Options{User: at.User}
	for _, ref := range []struct {
		from string
		to   *string
	}{{at.User, &o.User}, {at.Password, &o.Password}} {
		if !strings.HasPrefix(ref.from, "env:") && !strings.HasPrefix(ref.from, "file:") {
			continue
		}
		secret, err := w.file.Secret(ref.from)
		if err != nil {
			return nil, err
		}
		*ref.to = secret
	}
	return bmc.New(n, o), nil
}

// addNodes serves one handler a node where the endpoint names a loopback address for it; several
// nodes may share an address when their paths differ.
func (w *World) addNodes(e *Cluster, at *cluster.Endpoint, handler func(*gpus.Node) (http.Handler, error)) (map[string]string, error) {
	served := map[string]string{}
	if at == nil {
		return served, nil
	}
	byHost := map[string]*paths{}
	for _, n := range e.GPUs.Nodes() {
		address := at.Hosts[n.Name()]
		if address == "" {
			address = strings.ReplaceAll(at.URL, "{node}", n.Name())
		}
		if !loopback(address) {
			continue
		}
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("address of %s: %w", n.Name(), err)
		}
		h, err := handler(n)
		if err != nil {
			return nil, err
		}
		p := byHost[u.Host]
		if p == nil {
			p = &paths{}
			byHost[u.Host] = p
			if err := w.serve(u, p); err != nil {
				return nil, err
			}
		}
		if err := p.add(strings.TrimSuffix(u.Path, "/"), h); err != nil {
			return nil, fmt.Errorf("%s: %w", address, err)
		}
		served[n.Name()] = address
	}
	return served, nil
}

// paths is the handlers of one address, by the beginning of the path.
type paths struct {
	mu  sync.RWMutex
	all map[string]http.Handler
}

func (p *paths) add(path string, h http.Handler) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]http.Handler{}
	}
	if p.all[path] != nil {
		return errors.New("two nodes have the same address")
	}
	p.all[path] = h
	return nil
}

// ServeHTTP passes a request to the handler with the longest path that it begins with.
func (p *paths) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.RLock()
	best, path := p.all[""], ""
	for at, h := range p.all {
		if len(at) >= len(path) && at != "" && (r.URL.Path == at || strings.HasPrefix(r.URL.Path, at+"/")) {
			best, path = h, at
		}
	}
	p.mu.RUnlock()
	if best == nil {
		http.NotFound(w, r)
		return
	}
	best.ServeHTTP(w, r)
}

func (w *World) serve(u *url.URL, h http.Handler) error {
	l, err := w.listen(u)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug)}
	if u.Scheme == "https" {
		if srv.TLSConfig, err = w.certificate(); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	w.closers = append(w.closers, srv)
	w.wg.Go(func() {
		if srv.TLSConfig != nil {
			_ = srv.ServeTLS(l, "", "") // it ends by being closed
			return
		}
		_ = srv.Serve(l) // the same
	})
	return nil
}

func (w *World) listen(u *url.URL) (net.Listener, error) {
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"https": "443"}[u.Scheme]+map[string]string{"http": "80"}[u.Scheme])
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", host, err)
	}
	return l, nil
}

// loopback says whether an address is of this machine alone.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
