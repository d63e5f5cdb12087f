package demo

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/app"
	"switchyard/billing"
	"switchyard/clock"
	"switchyard/driver/all"
	"switchyard/emulate"
	"switchyard/emulate/plant"
	"switchyard/ledger"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

// runEnv names the site file that this test binary runs as a controller, in a process of its
// own that can be killed.
const runEnv = "SWITCHYARD_TEST_RUN"

// nobodyEnv says what the file is for when this test binary gives its privileges up: emulate,
// listen or demo.
const (
	nobodyEnv = "SWITCHYARD_TEST_NOBODY"
	nobody    = 65534
)

func TestMain(m *testing.M) {
	if path := os.Getenv(runEnv); path != "" {
		var err error
		switch os.Getenv(nobodyEnv) {
		case "":
			err = controller(path)
		default:
			err = unprivileged(os.Getenv(nobodyEnv), path)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "controller:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// These sites wait for their own clocks, mostly: more of them than cores run side by side.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// controller runs the site of a file as `switchyard run` does.
func controller(path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	f, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		return err
	}
	clk := clock.System()
	if f.Clock != nil {
		clk = clock.Anchored{Wall: f.Clock.Wall, Site: f.Clock.Site, Rate: f.Clock.Speed}
	}
	a, err := app.New(ctx, app.Options{
		File: f, Clock: clk, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Token: func(t string) { fmt.Println("token", t) },
		Bound: func(addr net.Addr) { fmt.Println("bound", addr) },
	})
	if err != nil {
		return err
	}
	if err := a.Run(ctx); err != nil {
		return err
	}
	return a.Close()
}

// unprivileged does as nobody would.
func unprivileged(mode, path string) error {
	if err := syscall.Setuid(nobody); err != nil {
		return err
	}
	if mode == "listen" {
		return controller(path)
	}
	if mode == "demo" {
		err := Run(context.Background(), Options{Miners: 12, Speed: 240, For: 5 * time.Minute, Listen: "127.0.0.1:0", Out: io.Discard, Err: os.Stderr})
		fmt.Println("done")
		return err
	}
	f, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		return err
	}
	s, err := emulate.Start(context.Background(), f, clock.System(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return s.Close()
}

// nets counts the rows of loopback addresses given out, so that sites of parallel tests and of
// parallel processes do not meet.
var nets atomic.Int32

// document renders a site file for miners on a row of addresses of its own, with a fixed price.
func document(t *testing.T, p Plan) string {
	t.Helper()
	if !probe().rows {
		t.Skip("this system has one loopback address only")
	}
	p.Listen, p.Hashprice, p.Seed = "127.0.0.1:0", 50, max(p.Seed, 1)
	if p.Start.IsZero() {
		p.Start = noon
	}
	doc, err := Render(p)
	if err != nil {
		t.Fatal(err)
	}
	doc = block.ReplaceAll(doc, []byte(row()))
	for from, to := range map[string]string{
		"    - {kind: lying": "    []\n# {kind: lying", "    - {kind: dead-board": "# {kind: dead-board", fmt.Sprintf("made_up: %d", p.Seed): "fixed: 20 $/MWh",
	} {
		doc = bytes.ReplaceAll(doc, []byte(from), []byte(to))
	}
	return string(doc)
}

var block = regexp.MustCompile(`127\.[2-9][0-9]\.`)

func row() string { return fmt.Sprintf("127.%d.", 100+(os.Getpid()*7+int(nets.Add(1)))%150) }

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// rig is a small site and its controller in this process, on a clock that waits for the
// controller, so that a slow machine changes nothing.
type rig struct {
	t    *testing.T
	dir  string
	file *sitefile.File
	clk  *clock.Governed
	site *emulate.Site
	gpus *gpuSite
	app  *app.App
	log  *lockedBuffer
	stop context.CancelFunc
	done chan error

	token string        // of an admin, at a first start
	bound chan net.Addr // where the API listens

	mu     sync.Mutex
	orders []plant.Change
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

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const rigMiners = 30

// slow skips a test that takes more than some seconds where short ones are asked for.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes ten seconds and more")
	}
}

// newRig starts a site; edit changes its file first.
func newRig(t *testing.T, edit func(*sitefile.File)) *rig {
	t.Helper()
	t.Parallel()
	return rigOf(t, document(t, Plan{Miners: rigMiners, Poll: 30 * time.Second}), edit)
}

// rigOf starts the site of a document.
func rigOf(t *testing.T, doc string, edit func(*sitefile.File)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), log: &lockedBuffer{}, done: make(chan error, 1), bound: make(chan net.Addr, 1)}
	if strings.Contains(doc, clusterToken) { // the files that a cluster's part names
		if err := writeGPUs(r.dir, Plan{Miners: rigMiners, Start: noon, GPUs: &gpuPlan{Firm: 8}}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(r.dir, "site.yaml")
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := sitefile.Load(path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()})
	if err != nil {
		t.Fatal(err)
	}
	f.Limits = nil
	for i := range f.Groups {
		f.Groups[i].MinRest = time.Minute // tests wait for miners to come back
	}
	if edit != nil {
		edit(f)
	}
	r.file = f
	r.clk = clock.NewGoverned(noon, 240, 2*f.Control.Period)
	t.Cleanup(r.clk.Close)
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.site, err = emulate.StartWatched(context.Background(), f, r.clk, log, func(c plant.Change) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.orders = append(r.orders, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.site.Close() })
	if r.gpus, err = (Options{Seed: 1, Log: log}).openGPUs(context.Background(), f, r.clk, r.site.World()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.gpus.Close() })
	r.start(log)
	return r
}

// start runs the controller until the test ends.
func (r *rig) start(log *slog.Logger) {
	r.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	var a *app.App
	a, err := app.New(ctx, app.Options{
		File: r.file, Clock: r.clk, Log: log, Held: r.clk.Held,
		Token: func(t string) { r.token = t },
		Bound: func(at net.Addr) { r.bound <- at },
		Pace: func(ctx context.Context, now time.Time) {
			a.Quiet(ctx, now, 250*time.Millisecond)
			r.clk.Allow(now.Add(r.file.Control.Period * 6 / 5))
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.app = a
	go func() { r.done <- a.Run(ctx) }()
	r.t.Cleanup(r.end)
}

// end stops the controller in order, once.
func (r *rig) end() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.stop = nil
	if err := <-r.done; err != nil {
		r.t.Errorf("the controller ended with %v", err)
	}
	if err := r.app.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

// await waits for span of site time at most.
func (r *rig) await(what string, span time.Duration, ok func() bool) {
	r.t.Helper()
	for end := r.clk.Now().Add(span); r.clk.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		select {
		case err := <-r.done:
			r.done <- err
			r.t.Fatalf("the controller ended while %s was awaited: %v", what, err)
		default:
		}
		if ok() {
			return
		}
	}
	r.t.Fatalf("%s of site time passed without: %s\n%s\nalarms %+v\n%s", span, what, r.app.Live().Headline, r.app.Live().Alerts, r.tail(12))
}

// pass lets site time pass.
func (r *rig) pass(span time.Duration) {
	r.t.Helper()
	end := r.clk.Now().Add(span)
	r.await("the time", span+time.Minute, func() bool { return r.clk.Now().After(end) })
}

// alert awaits an alarm about subject that says all of words, and returns its text.
func (r *rig) alert(span time.Duration, subject string, words ...string) string {
	r.t.Helper()
	var text string
	r.await(fmt.Sprintf("an alarm about %s with %q", subject, words), span, func() bool {
		for _, a := range r.app.Live().Alerts {
			if a.Subject == subject && containsAll(a.Text, words) {
				text = a.Text
				return true
			}
		}
		return false
	})
	r.t.Logf("alarm %s: %s", subject, text)
	return text
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// said awaits a journal entry that says all of words, and returns it.
func (r *rig) said(span time.Duration, kind, subject string, words ...string) api.Decision {
	r.t.Helper()
	var found api.Decision
	r.await(fmt.Sprintf("a journal entry %s of %s with %q", kind, subject, words), span, func() bool {
		ds, err := r.app.Decisions(context.Background(), 2000)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, d := range ds {
			if d.Kind == kind && (subject == "" || d.Subject == subject) && containsAll(d.Text, words) {
				found = d
				return true
			}
		}
		return false
	})
	r.t.Logf("journal %s %s: %s", found.Kind, found.Subject, found.Text)
	return found
}

func (r *rig) tail(n int) string {
	ds, err := r.app.Decisions(context.Background(), n)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s %s %s: %s\n", d.At.Format(time.TimeOnly), d.Kind, d.Subject, d.Text)
	}
	return b.String()
}

// truth is what enters a node now, by the plant's own measure.
func (r *rig) truth(node string) unit.Power {
	n, _ := r.site.World().Record().Node(site.NodeID(node))
	return n.Power
}

// settled waits until the controller acts and mining stands.
func (r *rig) settled() {
	r.t.Helper()
	r.await("the controller acts", 10*time.Minute, func() bool { return r.app.Live().Mode == "merit-order" })
	r.pass(3 * time.Minute)
}

// follows limits the connection, sees the site go below, clears it and sees mining come back:
// whatever a fault does to some devices, the others still obey.
func (r *rig) follows() {
	r.t.Helper()
	before := r.truth("connection")
	limit := r.file.Tenants[0].Firm.Scale(1.12)
	v, err := r.app.SetLimit(context.Background(), "test", api.LimitRequest{Node: "connection", PowerW: limit.Watts()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.await("power below the operator's limit", 4*time.Minute, func() bool { return r.truth("connection") <= limit })
	r.pass(time.Minute)
	if p := r.truth("connection"); p > limit {
		r.t.Errorf("a minute later %s are drawn with a limit of %s", p, limit)
	}
	if err := r.app.ClearLimit(context.Background(), "test", v.ID); err != nil {
		r.t.Fatal(err)
	}
	r.await("mining again", 20*time.Minute, func() bool { return r.truth("connection") > limit+(before-limit)/2 })
}

// check is what must hold whatever went wrong: limits kept, the firm tenant never shed, no
// interval missing, the book in order, every command with a reason and an end.
func (r *rig) check() {
	r.t.Helper()
	ctx := context.Background()
	rec := r.site.World().Record()
	for _, n := range rec.Nodes {
		for _, e := range n.Excursions {
			if e.Beyond > 2*r.file.Control.Period {
				r.t.Errorf("%s was above its limit of %s for %s outside its curve, up to %s", n.Node, e.Limit, e.Beyond, e.Peak)
			}
		}
	}
	if l, _ := rec.Load("ai"); l.Undelivered != 0 {
		r.t.Errorf("the firm tenant lacked %s", l.Undelivered)
	}
	end := r.clk.Now().Truncate(5 * time.Minute)
	r.await("the last interval is settled", 15*time.Minute, func() bool { return r.app.Settled(end) })
	rep, err := r.app.SpanReport(ctx, noon, end)
	if err != nil {
		r.t.Fatal(err)
	}
	if rep.Short != 0 || rep.Intervals != rep.Expected {
		r.t.Errorf("short %s, %d intervals of %d", rep.Short, rep.Intervals, rep.Expected)
	}
	_, unreasoned, err := r.app.CommandCounts(ctx, noon, end)
	if err != nil || unreasoned != 0 {
		r.t.Errorf("%d commands without a reason, %v", unreasoned, err)
	}
	r.end()
	checkBooks(r.t, r.file, noon, end)
}

// checkBooks opens a store that nobody runs on and holds it against its own laws.
func checkBooks(t *testing.T, f *sitefile.File, from, to time.Time) {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, f.Path(f.Store.Dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tree, err := f.Tree()
	if err != nil {
		t.Fatal(err)
	}
	book, err := billing.Open(ctx, db, billing.Contracts{Zone: f.Location(), Tree: tree, Groups: f.Groups, Tenants: f.Tenants})
	if err != nil {
		t.Fatal(err)
	}
	gaps, err := book.Gaps(ctx, from, to)
	if err != nil || len(gaps) > 0 {
		t.Errorf("gaps in the record: %+v, %v", gaps, err)
	}
	led, err := ledger.Open(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	n, end, err := led.Verify(ctx)
	if err != nil || n == 0 {
		t.Fatalf("the book has %d transactions: %v", n, err)
	}
	var again []billing.Close
	for at := from; at.Before(to); at = at.Add(5 * time.Minute) {
		rs, err := book.Records(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, billing.Close{Start: at, Records: rs})
	}
	if err := book.Settle(ctx, again, nil); err != nil {
		t.Errorf("settling it all again: %v", err)
	}
	n2, end2, err := led.Verify(ctx)
	if err != nil || n2 != n || !bytes.Equal(end, end2) {
		t.Errorf("settling again changed the book: %d then %d transactions, %v", n, n2, err)
	}
}
