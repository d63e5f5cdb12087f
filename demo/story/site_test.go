package story

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/compute/gpuagent"
	"switchyard/compute/slurm/slurmtest"
	"switchyard/demo"
	"switchyard/emulate"
	"switchyard/emulate/gpus"
	"switchyard/emulate/gpus/world"
	"switchyard/emulate/plant"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

// The site's parts.
const (
	clusterID = "gpu"
	nodeCount = 4
	perNode   = 8
	miners    = 12
	soon      = 90 * time.Second // far more than anything here takes
)

// engine is a real engine with the story's jobs on it: firm, a, b and c, of a node each.
type engine interface {
	// keys are the engine's lines of the site file; prefix begins its nodes' names.
	keys() (lines, prefix string)
	// busy says whether a job works on a GPU.
	busy(node string, gpu int) bool
	// jobs are the jobs by their names here.
	jobs() (map[string]job, error)
	// work is what a job did, from its own record.
	work(name string) slurmtest.Progress
	// left tells what the controller's acts left changed in the engine; empty: nothing.
	left() string
}

// switches is an engine that takes the power of its nodes itself.
type switches interface{ powered(node string) bool }

type job struct {
	id       string // as the controller calls it
	node     string
	running  bool
	paused   bool // held by the controller
	started  string
	restarts int
}

const document = `site: {name: Story, timezone: UTC}
connection:
  name: Grid connection
  limit: 130 kW
  meter: {address: @ROW@.0.1, port: 502, profile: sunspec}
nodes:
  - {id: hall-a, name: Hall A, limit: 55 kW, meter: {address: @ROW@.0.2, port: 502, profile: generic}}
  - {id: gpu-hall, name: GPU hall, limit: 40 kW, meter: {address: @ROW@.0.3, port: 502, profile: generic}}
groups:
  - id: miners # made up: of the emulated firmwares this one sleeps and wakes fastest
    name: Quick miners
    node: hall-a
    driver: bitaxe
    model: Quick 3500
    addresses: ["@ROW@.1.1-@ROW@.1.12"]
    nameplate: 3.5 kW
    hashrate: 200 TH/s
    standby: 30 W
    restart_cost: 0.001 $
    min_rest: 5s
    min_run: 5s
    poll: 2s
clusters:
  - id: gpu
    name: GPU cloud
    node: gpu-hall
@ENGINE@
    gpus: [{model: H100, idle: 70 W, full: 700 W, least: 200 W, labels: [h100, "NVIDIA H100 80GB HBM3"]}]
    machines: [{names: "@NODES@[1-4]", model: H100, gpus: 8, idle: 1500 W, full: 2600 W, off: 40 W}]
    agents:
      token: "file:agents.token"
      poll: 2s
      lease: 60s
      hosts:
@AGENTS@
    classes:
      - {name: serving, kind: firm, queues: [firm], value: 2.10 $, penalty: 20000 $/MWh}
      - name: training
        kind: pause
        queues: [flex]
        value: 1.60 $
        slowdown: 25 %
        pause: 4h
        per: 24h
        checkpoint: 2s
        @SAVING@
        min_run: 1s
        restart: 3s
    tenants:
      - {id: alpha, name: Alpha AI, accounts: [tenanta, tenant-a]}
      - {id: beta, name: Beta Labs, accounts: [tenantb, tenant-b]}
    effect: 10s
    restore: 600 kW
    hysteresis: 5s
market:
  price: {fixed: 20 $/MWh}
  bitcoin: {hashprice: 50 $/PH/day}
control: {period: 1s, margin: 1 %, confirm: 5s}
lost: {meter: nameplate, price: hold, controller: keep}
store: {dir: data}
api: {listen: "127.0.0.1:0"}
emulate: {seed: 7, ramp: 0.5}
`

// rig is the site in this process and its controller in another.
type rig struct {
	t      *testing.T
	eng    engine
	path   string
	file   *sitefile.File
	plant  *emulate.Site
	gpus   *gpus.Cluster
	prefix string
	token  string
	url    string
	cmd    *exec.Cmd
	log    lockedBuffer
	firm   job // as it was at first
	limit  string

	mu     sync.Mutex
	bound  unit.Power // that must not be passed now; zero: none
	beyond string     // the first time that it was
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b.Bytes()[max(0, l.b.Len()-6000):])
}

// newRig starts a site around an engine; its controller is not launched yet.
// saving are the keys of how its flexible jobs save their work.
func newRig(t *testing.T, eng engine, saving string) *rig {
	t.Helper()
	r := &rig{t: t, eng: eng}
	dir := t.TempDir()
	r.path = filepath.Join(dir, "site.yaml")
	var keys, agents string
	keys, r.prefix = eng.keys()
	for i, port := range ports(t, nodeCount) {
		agents += fmt.Sprintf("        %s%d: \"http://127.0.0.1:%d\"\n", r.prefix, i+1, port)
	}
	doc := strings.NewReplacer(
		"@ROW@", fmt.Sprintf("127.%d", 30+os.Getpid()%60), "@ENGINE@", strings.TrimRight(keys, "\n"), "@NODES@", r.prefix,
		"@AGENTS@", strings.TrimRight(agents, "\n"), "@SAVING@", saving).Replace(document)
	for name, text := range map[string]string{r.path: doc, filepath.Join(dir, "agents.token"): "a token of the agents\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if r.file, err = load(r.path); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	if r.plant, err = emulate.Start(ctx, r.file, clock.System(), log); err != nil {
		t.Fatal(err)
	}
	w, err := world.Start(ctx, r.file, clock.System(), log, world.Options{Seed: 7, BootLeast: time.Second, BootMost: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Hang(r.plant.World()); err != nil {
		t.Fatal(err)
	}
	r.gpus = w.Cluster(clusterID).GPUs
	var beside sync.WaitGroup
	r.agents(ctx, &beside)
	beside.Go(func() { r.move(ctx) })
	t.Cleanup(func() {
		if r.cmd != nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
		stop()
		beside.Wait()
		_, _ = w.Close(), r.plant.Close()
		if t.Failed() {
			t.Logf("the controller's last words:\n%s", r.log.tail())
		}
	})
	return r
}

// ports returns free ports of the loopback.
func ports(t *testing.T, n int) []int {
	t.Helper()
	out := make([]int, n)
	for i := range out {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at the end, so that none comes twice
		out[i] = l.Addr().(*net.TCPAddr).Port
	}
	return out
}

// agents runs an agent on each node.
func (r *rig) agents(ctx context.Context, beside *sync.WaitGroup) {
	r.t.Helper()
	def := r.file.Clusters[0].Agents
	token, err := r.file.Secret(def.Token)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, n := range r.gpus.Nodes() {
		a, err := gpuagent.New(gpuagent.Config{Node: n.Name(), Driver: demo.GPUDriver(n), SafePower: def.Safe})
		if err != nil {
			r.t.Fatal(err)
		}
		up := make(chan struct{})
		beside.Go(func() {
			err := a.Serve(ctx, gpuagent.Listen{Addr: strings.TrimPrefix(def.Hosts[n.Name()], "http://"), Token: token}, false, func(net.Addr) { close(up) })
			if err != nil && ctx.Err() == nil {
				r.t.Errorf("the agent of %s ended: %v", n.Name(), err)
			}
		})
		select {
		case <-up:
		case <-time.After(soon):
			r.t.Fatalf("the agent of %s does not listen", n.Name())
		}
	}
}

// move lets the GPUs follow the engine's jobs and its power switch, and watches what enters the
// site.
func (r *rig) move(ctx context.Context) {
	sw, _ := r.eng.(switches)
	for round := 0; ctx.Err() == nil; round++ {
		if round%5 == 0 {
			for _, n := range r.gpus.Nodes() {
				if sw != nil && !sw.powered(n.Name()) {
					if n.State() != gpus.Off {
						n.PowerOff()
					}
					continue
				}
				if n.State() == gpus.Off {
					n.PowerOn()
				}
				for i := range perNode {
					load := 0.0
					if r.eng.busy(n.Name(), i) {
						load = 1
					}
					_ = r.gpus.SetBusy(n.Name(), i, load) // a node that boots works on nothing
				}
			}
		}
		p := r.truth()
		r.mu.Lock()
		if r.bound > 0 && p > r.bound && r.beyond == "" {
			r.beyond = fmt.Sprintf("%s were drawn at %s", p, time.Now().Format(time.StampMilli))
		}
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// truth is what enters the site now, by the plant's own measure.
func (r *rig) truth() unit.Power {
	n, _ := r.plant.World().Record().Node("connection")
	return n.Power
}

// watch lets nobody draw more than p from now on; zero ends it. It returns when p was passed first.
func (r *rig) watch(p unit.Power) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.beyond
	r.bound, r.beyond = p, ""
	return was
}

// launch starts a controller and waits until it acts.
func (r *rig) launch() {
	r.t.Helper()
	r.cmd = exec.CommandContext(context.Background(), os.Args[0])
	r.cmd.Env = append(os.Environ(), runEnv+"="+r.path)
	r.cmd.Stderr = &r.log
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	up := false
	for lines := bufio.NewScanner(out); !up && lines.Scan(); {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "token":
			r.token = rest
		case "bound":
			r.url, up = "http://"+rest, true
		}
	}
	if !up {
		r.t.Fatalf("the controller did not come up: %v\n%s", r.cmd.Wait(), r.log.tail())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	r.await("the controller acts", func() string {
		var v api.LiveView
		if err := r.call("GET", "/api/v1/live", nil, &v); err != nil {
			return err.Error()
		}
		if v.Mode != "merit-order" {
			return "mode " + v.Mode
		}
		return ""
	})
}

// kill ends the controller without a word.
func (r *rig) kill() {
	r.t.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	_ = r.cmd.Wait()
	if w, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || w.Signal() != syscall.SIGKILL {
		r.t.Fatalf("the controller ended by itself before it was killed: %v", r.cmd.ProcessState)
	}
	r.cmd = nil
}

// shutdown stops the controller in order, and looks for what it left on disk.
func (r *rig) shutdown() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("the controller ended with %v", err)
	}
	r.cmd = nil
	db, err := store.Open(context.Background(), r.file.Path(r.file.Store.Dir))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(context.Background(), func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT key FROM compute_effect")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			r.t.Errorf("an effect is left on disk: %s", key)
		}
		return rows.Err()
	}); err != nil {
		r.t.Error(err)
	}
}

// await polls until ok says nothing; what it says last is what was missing.
func (r *rig) await(what string, ok func() string) time.Duration {
	r.t.Helper()
	begun := time.Now()
	missing := ok()
	for ; missing != ""; missing = ok() {
		if time.Since(begun) > soon {
			r.t.Fatalf("not within %s: %s: %s\n%s", soon, what, missing, r.scene())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(begun)
}

func (r *rig) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		doc, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(doc)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, doc)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(doc, out)
}

// setLimit lets the operator set a limit on the connection in place of the one before; zero
// clears it.
func (r *rig) setLimit(p unit.Power) {
	r.t.Helper()
	old := r.limit
	r.limit = ""
	if p > 0 {
		var v api.LimitView
		if err := r.call("POST", "/api/v1/limits", api.LimitRequest{Node: "connection", PowerW: p.Watts(), Note: "the grid asks"}, &v); err != nil {
			r.t.Fatal(err)
		}
		r.limit = v.ID
	}
	if old != "" {
		if err := r.call("DELETE", "/api/v1/limits/"+old, nil, nil); err != nil {
			r.t.Fatal(err)
		}
	}
}

// decisions returns what the journal holds of kind since a moment, oldest first.
func (r *rig) decisions(since time.Time) ([]api.Decision, error) {
	var all, out []api.Decision
	if err := r.call("GET", "/api/v1/decisions?limit=500", nil, &all); err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].At.Before(since) {
			out = append(out, all[i])
		}
	}
	return out, nil
}

// why asks the journal why something is as it is.
func (r *rig) why(device string) (api.WhyView, error) {
	var v api.WhyView
	err := r.call("GET", "/api/v1/why/"+url.PathEscape(device), nil, &v)
	return v, err
}

// awake counts the miners that hash.
func (r *rig) awake() (n int) {
	for _, m := range r.plant.World().Miners() {
		if v := m.View(); v.State == plant.Hashing {
			n++
		}
	}
	return n
}
