package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/compute"
	"switchyard/compute/endpoint"
	"switchyard/compute/gpuagent"
	"switchyard/compute/kube"
	clustershed "switchyard/compute/shed"
	"switchyard/site"
	"switchyard/store"
	"switchyard/unit"
)

// clusterPauses is how many jobs the limit pauses, about; beyond the caps of all machines with
// flexible work.
const clusterPauses = 3000

// clusterAtOnce is how many of the baseline's requests are under way at once.
const clusterAtOnce = 64

// BenchmarkShedCluster is from a limit to the last write's acknowledgement at 2,000 machines and
// 20,000 jobs: the queue closed, 1,500 machines capped, some 3,000 jobs paused. See
// docs/benchmarks.md.
func BenchmarkShedCluster(b *testing.B) {
	other := startCluster(b)
	var ours, first, kept, bare, spent, bareSpent, looks, views []time.Duration
	var acts int
	for b.Loop() {
		r := newClusterRound(b, other.renew())
		wants := r.shed()
		acts = len(wants)
		ours, first = append(ours, time.Duration(r.last.Load())), append(first, time.Duration(r.first.Load()))
		kept, spent = append(kept, r.kept), append(spent, r.cpu)
		looks, views = append(looks, r.look), append(views, time.Duration(r.viewBytes))
		checkCluster(b, other.state(), wants)
		r.close()

		d := other.renew()
		took, used := bareShed(b, d, wants)
		bare, bareSpent = append(bare, took), append(bareSpent, used)
		checkCluster(b, other.state(), wants)
	}
	ms := func(d []time.Duration) float64 { return float64(mid(d).Microseconds()) / 1e3 }
	b.ReportMetric(0, "ns/op") // a round is mostly the making of the cluster
	b.ReportMetric(float64(acts), "writes")
	b.ReportMetric(ms(ours), "last_ms")
	b.ReportMetric(ms(first), "first_ms")
	b.ReportMetric(ms(kept), "kept_ms")
	b.ReportMetric(ms(bare), "bare_last_ms")
	b.ReportMetric(ms(ours)/ms(bare), "last_ratio_x")
	b.ReportMetric(ms(spent), "cpu_ms")
	b.ReportMetric(ms(bareSpent), "bare_cpu_ms")
	b.ReportMetric(ms(looks), "look_ms")
	b.ReportMetric(float64(mid(views))/(1<<20), "view_MiB")
}

// mid is the median.
func mid(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

// checkCluster holds what was wanted against what the other process has.
func checkCluster(b *testing.B, s clusterState, wants []clustershed.Want) {
	b.Helper()
	var want clusterState
	for _, w := range wants {
		switch w.Act.Verb {
		case compute.Hold:
			want.Capped++
		case compute.Stop:
			want.Paused++
		case compute.Close:
			want.Held = true
		}
	}
	want.Running = s.Running
	if s != want {
		b.Fatalf("the cluster came to %+v, not to %+v", s, want)
	}
}

// clusterRound is one controller's side of a cluster, from its start to its end.
type clusterRound struct {
	b      *testing.B
	c      clustershed.Cluster
	engine *kube.Engine
	agents *gpuagent.Client
	runner *clustershed.Runner
	db     *store.DB
	stop   context.CancelFunc
	wg     sync.WaitGroup

	begun       time.Time
	first, last atomic.Int64 // acknowledgements, ns after begun
	done        atomic.Int64 // how many there were

	kept, cpu, look time.Duration
	viewBytes       int
}

// newClusterRound connects to the cluster and to each agent, and waits for the whole picture.
func newClusterRound(b *testing.B, d clusterDoors) *clusterRound {
	b.Helper()
	before := liveHeap()
	r := &clusterRound{b: b, c: clusterPlan()}
	dir := b.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(d.CA), 0o600); err != nil {
		b.Fatal(err)
	}
	log, machines := slog.New(slog.DiscardHandler), map[string]int{}
	for _, m := range r.c.Machines {
		machines[m.Name] = m.GPUs
	}
	var err error
	if r.engine, err = kube.Open(kube.Config{ID: "ai", Server: d.API, CA: ca, Token: clusterKey, Machines: machines}, clock.System(), log); err != nil {
		b.Fatal(err)
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(b.Context())
	r.wg.Go(func() { _ = r.engine.Run(ctx) })
	r.waitFor("the whole picture", func() bool {
		running := 0
		for i := range r.engine.View().Jobs {
			if r.engine.View().Jobs[i].State == compute.JobRunning {
				running++
			}
		}
		return running == clusterNodes*clusterGPU && len(r.engine.View().Jobs) == clusterJobs
	})
	r.viewBytes = liveHeap() - before
	if r.db, err = store.Open(ctx, dir); err != nil {
		b.Fatal(err)
	}
	r.agents = gpuagent.NewClient(endpoint.Endpoint{Hosts: d.Agents, Token: clusterKey}, clock.System(), 3*time.Second)
	r.runner, err = clustershed.Open(ctx, &r.c, clustershed.Tools{Engine: r.engine, Caps: r.agents, Lease: time.Hour}, r.db, clock.System(), log, func(e clustershed.Event) {
		if e.Kind == clustershed.EventDone {
			at := int64(time.Since(r.begun))
			r.first.CompareAndSwap(0, at)
			for was := r.last.Load(); at > was && !r.last.CompareAndSwap(was, at); was = r.last.Load() {
			}
			r.done.Add(1)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	r.wg.Go(func() { r.runner.Run(ctx) })
	inParallel(slices.Collect(names(d.Agents)), func(n string) { // as the reading of each machine does every ten seconds
		if _, err := r.agents.Read(ctx, n); err != nil {
			b.Error(err)
		}
	})
	runtime.GC()
	return r
}

func names(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := range clusterNodes {
			if _, ok := m[nodeName(i)]; ok && !yield(nodeName(i)) {
				return
			}
		}
	}
}

// clusterPlan is what the site file would say of the cluster.
func clusterPlan() clustershed.Cluster {
	c := clustershed.Cluster{
		ID: "ai", Caps: true, Effect: 30 * time.Second, Restore: unit.Megawatt, Hysteresis: time.Minute,
		Models: map[string]compute.Model{"H100": {Name: "H100", Idle: 70 * unit.Watt, Full: 700 * unit.Watt, Least: 200 * unit.Watt}},
		Terms: []compute.Terms{
			{Name: "serving", Class: compute.Firm, Queues: []string{"firm"}, Value: unit.Dollar * 21 / 10, Penalty: 20_000 * unit.DollarPerMWh},
			{
				Name: "training", Class: compute.Pause, Queues: []string{"flex"}, Value: unit.Dollar * 16 / 10, Slowdown: 0.25, Pause: 4 * time.Hour, Per: 24 * time.Hour,
				Checkpoint: compute.Checkpoint{Takes: 10 * time.Second, Every: 10 * time.Minute},
			},
		},
	}
	for i := range clusterNodes {
		c.Machines = append(c.Machines, compute.Machine{Name: nodeName(i), Model: "H100", GPUs: clusterGPU, Idle: unit.Kilowatt, Full: 2 * unit.Kilowatt})
	}
	return c
}

func (r *clusterRound) survey() *clustershed.Survey {
	now := time.Now()
	return clustershed.Look(&r.c, clustershed.Input{
		At: now, View: r.engine.View(), Draw: site.Some(r.c.Nameplate()), Busy: 1,
		Effects: r.runner.Effects(), Failing: r.runner.Failing(now), Paused: r.runner.Paused(now),
	})
}

// limit finds, beforehand, the power that pauses about so many jobs.
func (r *clusterRound) limit() unit.Power {
	s := r.survey()
	low, high := unit.Power(0), s.Flexible
	for range 40 {
		at := low + (high-low)/2
		n := 0
		for _, w := range s.Decide(at, true).Wants {
			if w.Act.Verb == compute.Stop {
				n++
			}
		}
		if n > clusterPauses {
			low = at
		} else {
			high = at
		}
	}
	return high
}

// shed gives the limit and returns what was written once all of it is acknowledged and kept.
func (r *clusterRound) shed() []clustershed.Want {
	r.b.Helper()
	allowed := r.limit()
	used := cpu()
	r.begun = time.Now()
	s := r.survey()
	s.Offers("ai:firm", "ai", 0)
	d := s.Decide(allowed, true)
	r.look = time.Since(r.begun)
	r.runner.Want(time.Now(), 1, site.Reason{Code: site.ReasonLimit, Text: "the limit"}, d.Wants)
	r.waitFor("the last write", func() bool { return int(r.done.Load()) >= len(d.Wants) && r.runner.Idle() })
	r.kept, r.cpu = time.Since(r.begun), cpu()-used
	for k, e := range r.runner.Effects() {
		if e.Done.IsZero() || e.Tries > 0 {
			r.b.Fatalf("%s is not done: %+v", k, e)
		}
	}
	return d.Wants
}

func (r *clusterRound) waitFor(what string, ok func() bool) {
	r.b.Helper()
	for end := time.Now().Add(clusterTimeout); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.b.Fatalf("waited %s for %s: %s", clusterTimeout, what, r.engine.View().Err)
		}
	}
}

func (r *clusterRound) close() {
	r.stop()
	r.wg.Wait()
	r.agents.Close()
	_ = r.db.Close()
}

// liveHeap is what is in use after a collection, in bytes.
func liveHeap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func inParallel[T any](all []T, f func(T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, clusterAtOnce)
	for _, x := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(x)
		})
	}
	wg.Wait()
}

// bareWrite is a request whose bytes are known beforehand.
type bareWrite struct {
	method, url, kind string
	body              []byte
	agent             bool
}

// bareShed is the baseline: the same writes by net/http alone, on connections that are open, with
// as many under way at once; it decides nothing and keeps no record.
func bareShed(b *testing.B, d clusterDoors, wants []clustershed.Want) (took, used time.Duration) {
	b.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(d.CA))
	api := &http.Client{Transport: authorized{&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}}
	agents := &http.Client{Transport: authorized{&http.Transport{MaxIdleConnsPerHost: 2}}}
	defer agents.CloseIdleConnections()
	defer api.CloseIdleConnections()
	writes := bareWrites(b, api, d, wants)
	send := func(w bareWrite) {
		q, err := http.NewRequestWithContext(b.Context(), w.method, w.url, bytes.NewReader(w.body))
		if err != nil {
			b.Error(err)
			return
		}
		q.Header.Set("Content-Type", w.kind)
		client := api
		if w.agent {
			client = agents
		}
		a, err := client.Do(q)
		if err != nil {
			b.Error(err)
			return
		}
		defer a.Body.Close()
		if _, err := io.Copy(io.Discard, a.Body); err != nil || a.StatusCode != http.StatusOK {
			b.Errorf("%s %s: %s, %v", w.method, w.url, a.Status, err)
		}
	}
	inParallel(slices.Collect(names(d.Agents)), func(n string) { send(bareWrite{method: http.MethodGet, url: d.Agents[n] + "/v1/gpus", agent: true}) })
	runtime.GC()
	used, begun := cpu(), time.Now()
	inParallel(writes, send)
	return time.Since(begun), cpu() - used
}

// bareWrites makes the requests; which Workload is a job's is looked up now.
func bareWrites(b *testing.B, api *http.Client, d clusterDoors, wants []clustershed.Want) []bareWrite {
	b.Helper()
	const merge, base = "application/merge-patch+json", "/apis/kueue.x-k8s.io/v1beta1/"
	a, err := api.Get(d.API + base + "workloads")
	if err != nil {
		b.Fatal(err)
	}
	defer a.Body.Close()
	var list struct {
		Items []struct {
			Metadata struct {
				Namespace, Name string
				OwnerReferences []struct{ Name string }
			}
		}
	}
	if err := json.NewDecoder(a.Body).Decode(&list); err != nil {
		b.Fatal(err)
	}
	of := map[string]string{}
	for _, w := range list.Items {
		of[w.Metadata.Namespace+"/"+w.Metadata.OwnerReferences[0].Name] = w.Metadata.Name
	}
	var out []bareWrite
	mark := func(act, was, spec string) []byte {
		return fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q,%q:%q}},"spec":{%s}}`, kube.NoteBy, act, kube.NoteWas, was, spec)
	}
	for _, w := range wants {
		switch w.Act.Verb {
		case compute.Close:
			out = append(out, bareWrite{http.MethodPatch, d.API + base + "clusterqueues/" + w.Act.Target, merge, mark("close", `{"stopPolicy":"None"}`, `"stopPolicy":"Hold"`), false})
		case compute.Stop:
			out = append(out, bareWrite{http.MethodPatch, d.API + base + "namespaces/default/workloads/" + of[w.Act.Target], merge, mark("pause", `{"active":"true"}`, `"active":false`), false})
		case compute.Hold:
			body := fmt.Appendf(nil, `{"power_w":%g,"lease_s":3600,"reason":""}`, w.Act.Power.Watts())
			out = append(out, bareWrite{http.MethodPut, d.Agents[w.Act.Target] + "/v1/cap", "application/json", body, true})
		}
	}
	return out
}
