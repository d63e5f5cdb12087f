package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/kube/kueue"
	"switchyard/compute/kube/transport"
)

// How the picture is kept, in machine time.
const (
	heartbeat  = 5 * time.Second       // between two questions whether the server is alive
	gatherFor  = 50 * time.Millisecond // changes within it make one picture, or more where one takes long
	gatherMost = 2 * time.Second
	idlePaint  = 30 * time.Second // a picture is made anew even if nothing changed: jobs age
	maxSlots   = 32               // requests for acts at once
)

// Engine is a Kubernetes cluster with Kueue.
type Engine struct {
	config  Config
	with    clients
	clock   clock.Clock
	times   transport.Times
	log     *slog.Logger
	notices notices
	record  record
	slots   chan struct{}

	mu        sync.RWMutex // of the tables
	nodes     *table[nodeSeen]
	pods      *table[podSeen]
	jobs      *table[jobSeen]
	workloads *table[workloadSeen]
	queues    *table[queueSeen]
	locals    *table[localSeen]

	feeds   []*feed
	kueue   *feed // tells whether Kueue is there
	dirty   chan struct{}
	picture atomic.Pointer[picture]

	beat struct {
		sync.Mutex
		err  error
		at   time.Time // site time of the last answer
		wall time.Time // the same by the machine
		// lost is the last answer before the newest silence, back when that ended, machine time.
		lost, back time.Time
		version    string
	}
	waits       waits
	quiet       quiet
	foreignTold string // of a Kueue that is not understood; Run's
}

var (
	_ compute.Engine     = (*Engine)(nil)
	_ compute.Accountant = (*Engine)(nil)
)

func newEngine(c Config, with clients, k clock.Clock, log *slog.Logger) *Engine {
	e := &Engine{
		config: c, with: with, clock: k, times: transport.NewTimes(k, nil), log: log,
		slots: make(chan struct{}, maxSlots), dirty: make(chan struct{}, 1),
	}
	e.beat.err = errors.New("not heard of yet")
	e.waits.init()
	var sel labels.Selector
	if c.Nodes != "" {
		sel, _ = labels.Parse(c.Nodes) // checked by open
	}
	e.nodes = newTable(&e.mu, c.readNode(sel))
	e.pods = newTable(&e.mu, c.readPod)
	e.jobs = newTable(&e.mu, c.readJob)
	e.workloads = newTable(&e.mu, c.readWorkload)
	e.queues = newTable(&e.mu, c.readQueue)
	e.locals = newTable(&e.mu, readLocal)
	e.nodes.over = e.nodeChanged
	e.pods.over = e.podChanged
	e.pods.left = e.podLeft
	e.makeFeeds()
	e.picture.Store(&picture{view: &compute.View{Err: "not heard of yet"}, work: map[string]*work{}})
	return e
}

func (e *Engine) makeFeeds() {
	t := e.config.Timeout
	core, batch, queued := e.with.kube.CoreV1(), e.with.kube.BatchV1(), e.with.kueue
	e.feeds = append(e.feeds, newFeed("nodes", "", core.Nodes(), e.nodes, t, e.told))
	e.kueue = newFeed("cluster queues", "", queued.ClusterQueues(), e.queues, t, e.told)
	e.feeds = append(e.feeds, e.kueue)
	spaces := e.config.Namespaces
	if len(spaces) == 0 {
		spaces = []string{""}
	}
	for _, ns := range spaces {
		e.feeds = append(e.feeds,
			newFeed("pods", ns, core.Pods(ns), e.pods, t, e.told),
			newFeed("jobs", ns, batch.Jobs(ns), e.jobs, t, e.told),
			newFeed("workloads", ns, queued.Workloads(ns), e.workloads, t, e.told),
			newFeed("local queues", ns, queued.LocalQueues(ns), e.locals, t, e.told))
	}
	for _, f := range e.feeds {
		switch f.name {
		case "cluster queues", "workloads", "local queues":
			f.optional = true
		}
		f.stand = e.quiet.wait
	}
}

// poke asks for a new picture; it does not block.
func (e *Engine) poke() {
	select {
	case e.dirty <- struct{}{}:
	default:
	}
}

// told notes that the server told of a change, which is a sign of life, and asks for a new picture.
// It does not block.
func (e *Engine) told() {
	e.beat.Lock()
	if e.beat.err == nil {
		e.beat.at = e.clock.Now()
	}
	e.beat.Unlock()
	e.poke()
}

// Run keeps the view current, and ends the pauses that wait for a checkpoint, until ctx ends. It
// blocks, and returns ctx's error.
func (e *Engine) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { e.listen(ctx) })
	for _, f := range e.feeds {
		wg.Go(func() { f.run(ctx) })
	}
	tick := time.NewTicker(idlePaint)
	defer tick.Stop()
	for ctx.Err() == nil {
		begun := time.Now()
		e.publish()
		// Of tens of thousands of jobs a picture takes a good part of a second's work: while much
		// changes, four fifths of the time are others'.
		gather := min(max(gatherFor, 4*time.Since(begun)), gatherMost)
		due, cancel := e.nextWait()
		select {
		case <-ctx.Done():
		case <-e.dirty:
			select { // more is likely to come
			case <-ctx.Done():
			case <-time.After(gather):
			}
		case <-due:
		case <-tick.C:
		}
		cancel()
		e.endWaits(ctx, &wg)
	}
	wg.Wait()
	return ctx.Err()
}

func (e *Engine) publish() {
	was := e.picture.Load().view
	p := e.paint()
	e.picture.Store(p)
	if e.everSynced() {
		e.record.begin(e.byServer(time.Now()))
	}
	if text := e.foreign(); text != e.foreignTold {
		if e.foreignTold = text; text != "" {
			e.log.Error("the cluster's queues cannot be read or changed", "device", e.config.ID, "reason", text)
		}
	}
	switch {
	case was.Reachable && !p.view.Reachable:
		e.log.Warn("the cluster does not answer; it is taken to run on as it was", "device", e.config.ID, "reason", p.view.Err)
	case !was.Reachable && p.view.Reachable:
		e.log.Info("the cluster answers", "device", e.config.ID, "nodes", len(p.view.Nodes), "jobs", len(p.view.Jobs))
	}
}

// foreign says which versions a Kueue answers with that is not understood; empty: none such.
func (e *Engine) foreign() string {
	var foreign *kueue.VersionsError
	if _, err := e.with.kueue.Spoken(); errors.As(err, &foreign) {
		return foreign.Error()
	}
	return ""
}

// View returns the newest picture. It never blocks.
func (e *Engine) View() *compute.View { return e.picture.Load().view }

// listen asks the server for a sign of life every few seconds. When it comes back after a
// silence all feeds ask again at once, for their watches may be dead.
func (e *Engine) listen(ctx context.Context) {
	for ctx.Err() == nil {
		c, cancel := context.WithTimeout(ctx, e.config.Timeout)
		v, err := e.with.ping(c)
		cancel()
		if ctx.Err() != nil {
			return
		}
		e.beat.Lock()
		was := e.beat.err
		e.beat.err = err
		if was == nil && err != nil {
			e.beat.lost = e.beat.wall
		}
		returned := was != nil && err == nil
		if returned {
			e.beat.back = time.Now()
		}
		if err == nil {
			e.beat.version, e.beat.at, e.beat.wall = v, e.clock.Now(), time.Now()
		}
		e.beat.Unlock()
		if returned {
			for _, f := range e.feeds {
				f.again()
			}
		}
		e.poke()
		pause := heartbeat
		if err != nil {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// health says whether the picture is current, and why not.
func (e *Engine) health() (ok bool, why, engine string) {
	e.beat.Lock()
	err, v := e.beat.err, e.beat.version
	e.beat.Unlock()
	engine = "kubernetes"
	if v != "" {
		engine += " " + v
	}
	if v, err := e.with.kueue.Spoken(); err == nil {
		engine += ", kueue " + v
	}
	for _, f := range e.feeds {
		if _, ferr := f.state(); ferr != nil && err == nil {
			err = ferr
		}
	}
	if err != nil {
		return false, told("ask the API server", err).Error(), engine
	}
	return true, "", engine
}

// everSynced says that each table was filled at least once.
func (e *Engine) everSynced() bool {
	for _, f := range e.feeds {
		if ok, _ := f.state(); !ok {
			return false
		}
	}
	return true
}

// heard returns when the server last answered, in site time.
func (e *Engine) heard() time.Time {
	e.beat.Lock()
	defer e.beat.Unlock()
	return e.beat.at
}

// nodeChanged says so when a node has not as many GPUs as before. The tables are locked.
func (e *Engine) nodeChanged(before, now *nodeSeen) {
	if before == nil || before.gpus == now.gpus {
		return
	}
	text := fmt.Sprintf("node %s had %d GPUs and now says %d", now.ref.Name, before.gpus, now.gpus)
	e.notices.add(e.clock.Now(), text)
	e.log.Warn(text, "device", e.config.ID, "node", now.ref.Name)
}

// version reads the answer to /version.
func version(b []byte, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if len(b) > 1<<16 {
		return "", fmt.Errorf("read the API server's version: %d bytes are too many", len(b))
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return "", fmt.Errorf("read the API server's version: %w", err)
	}
	if v.GitVersion == "" || len(v.GitVersion) > 64 {
		return "", errors.New("read the API server's version: the answer is no API server's")
	}
	return v.GitVersion, nil
}
