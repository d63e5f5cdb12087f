package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/clock"
	"switchyard/driver"
	"switchyard/driver/all"
	"switchyard/emulate"
	"switchyard/emulate/plant"
	"switchyard/journal"
	"switchyard/site"
	"switchyard/sitefile"
	"switchyard/store"
	"switchyard/unit"
)

const (
	crashSpeed  = 60
	crashMiners = 40
	crashKills  = 10
)

// crash is an emulated site in this process and a controller in another, on one clock.
type crash struct {
	t     *testing.T
	dir   string
	path  string
	file  *sitefile.File
	clk   clock.Clock
	site  *emulate.Site
	token string
	limit unit.Power // of the emergency

	mu     sync.Mutex
	orders []plant.Change
	meter  []meterPoint
	stalls []span // when this machine stood still: nobody could have acted

	cmd  *exec.Cmd
	url  string
	log  bytes.Buffer
	dead []span // from each kill until the new controller acted
	over []span // after each limit was set: the time that a shed may take
}

type span struct{ from, to time.Time }

type meterPoint struct {
	at     time.Time
	energy unit.Energy
}

func newCrash(t *testing.T) *crash {
	t.Helper()
	x := &crash{t: t, dir: t.TempDir()}
	x.path = filepath.Join(x.dir, "site.yaml")
	doc := document(t, Plan{Miners: crashMiners, Poll: 15 * time.Second})
	doc = fmt.Sprintf("clock: {speed: %d, wall: %s, site: %s}\n", crashSpeed, time.Now().UTC().Format(time.RFC3339Nano), noon.Format(time.RFC3339)) + doc
	doc = strings.Replace(doc, "store: {dir: .}", "store: {dir: data}", 1)
	doc = strings.ReplaceAll(doc, "min_rest: 3m", "min_rest: 1m")
	if err := os.WriteFile(x.path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if x.file, err = sitefile.Load(x.path, sitefile.Known{Drivers: all.Names(), Profiles: all.Profiles()}); err != nil {
		t.Fatal(err)
	}
	k := x.file.Clock
	x.clk = clock.Anchored{Wall: k.Wall, Site: k.Site, Rate: k.Speed}
	x.limit = x.file.Tenants[0].Firm.Scale(1.2)
	x.site, err = emulate.StartWatched(context.Background(), x.file, x.clk, slog.New(slog.DiscardHandler), func(c plant.Change) {
		x.mu.Lock()
		defer x.mu.Unlock()
		c.At = x.clk.Now()
		x.orders = append(x.orders, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.site.Close() })
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go x.witness(ctx)
	t.Cleanup(func() {
		if x.cmd != nil {
			_ = x.cmd.Process.Kill()
			_ = x.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the controllers' logs:\n%s", x.log.String())
		}
	})
	return x
}

// witness keeps the true energy through the connection, and notes when this machine stalled.
func (x *crash) witness(ctx context.Context) {
	last := time.Now()
	for ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
		r := x.site.World().Record()
		n, _ := r.Node("connection")
		x.mu.Lock()
		x.meter = append(x.meter, meterPoint{r.To, n.Energy})
		if now := time.Now(); now.Sub(last) > 60*time.Millisecond {
			to := x.clk.Now()
			x.stalls = append(x.stalls, span{to.Add(-time.Duration(float64(now.Sub(last)) * crashSpeed)), to.Add(30 * time.Second)})
			last = now
		} else {
			last = now
		}
		x.mu.Unlock()
	}
}

// launch starts a controller and waits until its API listens.
func (x *crash) launch() {
	x.t.Helper()
	x.cmd = exec.Command(os.Args[0])
	x.cmd.Env = append(os.Environ(), runEnv+"="+x.path)
	x.cmd.Stderr = &x.log
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		x.t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "token":
			x.token = rest
		case "bound":
			x.url = "http://" + rest
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	x.t.Fatalf("the controller did not come up: %v\n%s", x.cmd.Wait(), x.log.String())
}

// kill ends the controller without a word.
func (x *crash) kill() {
	x.t.Helper()
	if err := x.cmd.Process.Kill(); err != nil {
		x.t.Fatal(err)
	}
	_ = x.cmd.Wait()
	if w, ok := x.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || w.Signal() != syscall.SIGKILL {
		x.t.Fatalf("the controller ended by itself before it was killed: %v\n%s", x.cmd.ProcessState, x.log.String())
	}
	x.cmd = nil
	x.dead = append(x.dead, span{from: x.clk.Now()})
}

// acts waits until the controller acts.
func (x *crash) acts() {
	x.t.Helper()
	x.await("the controller acts", func() bool {
		var v api.LiveView
		return x.call("GET", "/api/v1/live", nil, &v) == nil && v.Mode == "merit-order"
	})
	if n := len(x.dead); n > 0 && x.dead[n-1].to.IsZero() {
		x.dead[n-1].to = x.clk.Now()
	}
}

func (x *crash) await(what string, ok func() bool) {
	x.t.Helper()
	for end := time.Now().Add(25 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	x.t.Fatalf("waited in vain until %s\n%s", what, x.log.String())
}

func (x *crash) call(method, path string, in, out any) error {
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
	req, err := http.NewRequestWithContext(ctx, method, x.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+x.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
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

// emergency sets or clears the operator's limit, as a kill may find it half done.
func (x *crash) emergency(id *string) {
	if *id != "" {
		if err := x.call("DELETE", "/api/v1/limits/"+*id, nil, nil); err != nil {
			x.t.Errorf("clear the limit: %v", err)
		}
		*id = ""
		if err := x.site.World().SetRecordLimit("connection", -1, x.clk.Now()); err != nil {
			x.t.Fatal(err)
		}
		return
	}
	var v api.LimitView
	at := x.clk.Now()
	if err := x.call("POST", "/api/v1/limits", api.LimitRequest{Node: "connection", PowerW: x.limit.Watts(), Note: "emergency"}, &v); err != nil {
		x.t.Errorf("set the limit: %v", err)
		return
	}
	*id = v.ID
	x.over = append(x.over, span{at, x.clk.Now().Add(90 * time.Second)})
	if err := x.site.World().SetRecordLimit("connection", x.limit, at); err != nil {
		x.t.Fatal(err)
	}
}

// person puts a miner to sleep over its own protocol, behind the controller's back.
func (x *crash) person(id string) {
	x.t.Helper()
	for _, g := range x.file.Groups {
		for _, target := range g.Targets() {
			if string(target.Device) != id {
				continue
			}
			drv, _ := all.ByName(g.Driver)
			d, err := drv.Open(driver.Target{Device: target.Device, Host: target.Host, Ports: target.Ports, Model: g.Model, Now: x.clk.Now})
			if err != nil {
				x.t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
				x.t.Fatalf("a person puts %s to sleep: %v", id, err)
			}
			return
		}
	}
	x.t.Fatalf("no device %s", id)
}

// restful returns a miner that hashes and was told nothing for ten minutes of site time.
func (x *crash) restful(group string, not ...string) string {
	x.t.Helper()
	var found string
	x.await("a miner of "+group+" runs undisturbed", func() bool {
		now := x.clk.Now()
		x.mu.Lock()
		told := map[string]bool{}
		for _, o := range x.orders {
			told[o.Device] = told[o.Device] || now.Sub(o.At) < 3*time.Minute
		}
		x.mu.Unlock()
		for _, m := range x.site.World().Miners() {
			if m.Group() == group && m.View().State == site.StateHashing && !told[m.ID()] && !slices.Contains(not, m.ID()) {
				found = m.ID()
				return true
			}
		}
		return false
	})
	return found
}

// TestKilledTenTimes: a controller that is killed at ten random moments, also while it sheds,
// loses no interval and posts none twice, keeps holds, leaves a person's sleeper alone, and tells
// no device anything that its journal does not hold.
func TestKilledTenTimes(t *testing.T) {
	slow(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SWITCHYARD_TEST_SEED"); s != "" {
		_, _ = fmt.Sscan(s, &seed)
	}
	t.Logf("seed %d (SWITCHYARD_TEST_SEED)", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	x := newCrash(t)
	x.launch()
	x.acts()
	held, sleeper := "hall-b-miners-003", ""
	if err := x.call("POST", "/api/v1/holds", api.HoldRequest{Devices: []string{held}, Mode: "sleep", Note: "fan change"}, nil); err != nil {
		t.Fatal(err)
	}
	x.await("the held miner sleeps", func() bool { return x.site.World().Miner(held).View().State == site.StateSleeping })
	heldAt := x.clk.Now()
	sleeper = x.restful("hall-a-miners")
	x.person(sleeper)
	sleptAt := x.clk.Now()
	var second string // put to sleep while no controller lives
	var secondAt time.Time
	limit := ""
	for i := range crashKills {
		pause := time.Duration(500+rng.IntN(2500)) * time.Millisecond
		time.Sleep(pause)
		shed := i%2 == 0 || rng.IntN(2) == 0
		if shed {
			x.emergency(&limit)
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		}
		x.kill()
		t.Logf("kill %d at %s, toggled the limit just before: %v", i+1, x.clk.Now().Format(time.TimeOnly), shed)
		if i == 4 && second == "" {
			second = x.restful("hall-a-miners", sleeper)
			x.person(second)
			secondAt = x.clk.Now()
		}
		time.Sleep(time.Duration(rng.IntN(600)) * time.Millisecond)
		x.launch()
		x.acts()
	}
	if limit != "" {
		x.emergency(&limit)
	}
	time.Sleep(5 * time.Second)
	for id, want := range map[string]string{held: "held in mode sleep", sleeper: "a person put it to sleep", second: "a person put it to sleep"} {
		x.await("the page says of "+id+": "+want, func() bool { return strings.Contains(x.note(id), want) })
	}
	x.shutdown()
	x.judge(map[string]time.Time{held: heldAt, sleeper: sleptAt, second: secondAt}, held)
}

// note is what the page says of a miner.
func (x *crash) note(id string) string {
	var v api.MapView
	if err := x.call("GET", "/api/v1/groups/"+x.site.World().Miner(id).Group()+"/map", nil, &v); err != nil {
		x.t.Fatal(err)
	}
	for _, c := range v.Cells {
		if c.Device == id {
			return c.Note
		}
	}
	return ""
}

// shutdown stops the controller in order.
func (x *crash) shutdown() {
	x.t.Helper()
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		x.t.Fatal(err)
	}
	if err := x.cmd.Wait(); err != nil {
		x.t.Errorf("the controller ended with %v", err)
	}
	x.cmd = nil
}

// judge holds the plant's record and the orders that devices received against the books.
func (x *crash) judge(asleep map[string]time.Time, held string) {
	t := x.t
	t.Helper()
	rec := x.site.World().Record()
	if l, _ := rec.Load("ai"); l.Undelivered != 0 {
		t.Errorf("the firm tenant lacked %s", l.Undelivered)
	}
	x.judgeLimits(rec)
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, at := range asleep {
		if s := x.site.World().Miner(id).View().State; s != site.StateSleeping {
			t.Errorf("%s is %s: it was to stay asleep", id, s)
		}
		for _, o := range x.orders {
			if o.Device == id && o.At.After(at) {
				t.Errorf("%s was put to sleep at %s and told %v at %s", id, at.Format(time.TimeOnly), o.Mode, o.At.Format(time.TimeOnly))
			}
		}
	}
	ctx := context.Background()
	db, err := store.Open(ctx, x.file.Path(x.file.Store.Dir))
	if err != nil {
		t.Fatal(err)
	}
	x.judgeOrders(ctx, db, asleep, held)
	from, to := x.judgeEnergy(ctx, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkBooks(t, x.file, from, to)
}

// judgeLimits finds stretches above a limit that neither a dead controller, a limit just set nor a
// stalled machine explains.
func (x *crash) judgeLimits(rec plant.Record) {
	x.mu.Lock()
	stalls := slices.Clone(x.stalls)
	x.mu.Unlock()
	const recovery = 90 * time.Second
	for _, n := range rec.Nodes {
		for _, e := range n.Excursions {
			if e.Beyond <= 2*x.file.Control.Period {
				continue
			}
			excused := false
			for _, d := range x.dead {
				excused = excused || e.From.After(d.from.Add(-5*time.Second)) && e.To.Before(d.to.Add(recovery)) || e.From.Before(d.to) && e.To.Before(d.to.Add(recovery))
			}
			for _, o := range slices.Concat(x.over, stalls) {
				excused = excused || !e.From.Before(o.from.Add(-5*time.Second)) && e.To.Before(o.to.Add(recovery))
			}
			line := fmt.Sprintf("%s was above its limit of %s from %s for %s (%s beyond its curve), up to %s",
				n.Node, e.Limit, e.From.Format(time.TimeOnly), e.To.Sub(e.From), e.Beyond, e.Peak)
			if excused {
				x.t.Log("with no controller, or just after a limit was set or a stall:", line)
			} else {
				x.t.Error(line)
			}
		}
	}
}

// judgeOrders: every order that a device received stands in the journal as a command, in the
// newest mode that it was commanded; only what the person did does not.
func (x *crash) judgeOrders(ctx context.Context, db *store.DB, asleep map[string]time.Time, held string) {
	t := x.t
	t.Helper()
	j := journal.OpenReader(db, journal.Options{})
	cmds, err := j.Between(ctx, noon, noon.Add(24*time.Hour), 10000, journal.KindCommand)
	if err != nil {
		t.Fatal(err)
	}
	byDevice := map[string][]journal.Entry{}
	for _, c := range cmds {
		byDevice[string(c.Device)] = append(byDevice[string(c.Device)], c)
		if c.Code == "" {
			t.Errorf("a command without a reason: %+v", c)
		}
	}
	ordered := 0
	modes := map[string]site.Mode{}
	for _, o := range x.orders {
		was, known := modes[o.Device]
		modes[o.Device] = o.Mode
		if at, ok := asleep[o.Device]; ok && o.Device != held && o.Mode == site.ModeSleep && at.Sub(o.At) < time.Minute && !o.At.After(at) {
			continue // the person
		}
		ordered++
		last := ""
		for _, c := range byDevice[o.Device] {
			if !c.At.After(o.At.Add(time.Second)) && o.At.Sub(c.At) < 6*time.Minute {
				last = commanded(t, c)
			}
		}
		if last == "" || last != o.Mode.String() && !(known && was == o.Mode) {
			t.Errorf("%s was told %s at %s and the journal's newest command then is %q", o.Device, o.Mode, o.At.Format(time.TimeOnly), last)
		}
	}
	counts, err := j.Counts(ctx, noon, x.clk.Now().Add(-10*time.Minute))
	if err != nil || counts.Open > 0 {
		t.Errorf("commands without an end: %+v, %v", counts, err)
	}
	t.Logf("%d commands in the journal, %d orders reached devices; %+v", len(cmds), ordered, counts)
}

func commanded(t *testing.T, e journal.Entry) string {
	t.Helper()
	var d struct {
		Mode string `json:"mode"`
	}
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		t.Fatal(err)
	}
	return d.Mode
}

// judgeEnergy: the intervals of the connection's meter sum to what its register rose by. It
// returns the time that is settled.
func (x *crash) judgeEnergy(ctx context.Context, db *store.DB) (from, to time.Time) {
	t := x.t
	t.Helper()
	var sum unit.Energy
	n := 0
	err := db.View(ctx, func(tx *store.Tx) error {
		var first, last, e int64
		if err := tx.QueryRow("SELECT MIN(start), MAX(start), COUNT(*) FROM billing_interval WHERE subject = 'meter:connection'").Scan(&first, &last, &n); err != nil {
			return err
		}
		from, to = time.Unix(first, 0).UTC().Add(5*time.Minute), time.Unix(last, 0).UTC().Add(5*time.Minute)
		err := tx.QueryRow("SELECT SUM(energy) FROM billing_interval WHERE subject = 'meter:connection' AND start >= ?", from.Unix()).Scan(&e)
		sum = unit.Energy(e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at := func(when time.Time) unit.Energy {
		i, _ := slices.BinarySearchFunc(x.meter, when, func(p meterPoint, w time.Time) int { return p.at.Compare(w) })
		if i == 0 || i >= len(x.meter) {
			t.Fatalf("no witness of %s", when)
		}
		a, b := x.meter[i-1], x.meter[i]
		return a.energy + unit.Energy(float64(b.energy-a.energy)*float64(when.Sub(a.at))/float64(max(b.at.Sub(a.at), 1)))
	}
	truth := at(to) - at(from)
	t.Logf("%d intervals from %s to %s: %s posted, %s by the register", n, from.Format(time.TimeOnly), to.Format(time.TimeOnly), sum, truth)
	// Only the two ends are uncertain: by what flows between two readings.
	if d := sum - truth; d > truth/250 || d < -truth/250 {
		t.Errorf("posted %s, and %s flowed", sum, truth)
	}
	if len(x.dead) != crashKills {
		t.Errorf("%d kills", len(x.dead))
	}
	return from, to
}
