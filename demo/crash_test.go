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
	"switchyard/site"
	"switchyard/sitefile"
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
	const held = "hall-b-miners-003"
	if err := x.call("POST", "/api/v1/holds", api.HoldRequest{Devices: []string{held}, Mode: "sleep", Note: "fan change"}, nil); err != nil {
		t.Fatal(err)
	}
	x.await("the held miner sleeps", func() bool { return x.site.World().Miner(held).View().State == site.StateSleeping })
	heldAt := x.clk.Now()
	sleeper := x.restful("hall-a-miners")
	x.person(sleeper)
	sleptAt := x.clk.Now()
	// Told to sleep before it was seen asleep, it would have done as it was told.
	const byHand = "a person put it to sleep"
	x.await("the page says of "+sleeper+": "+byHand, func() bool { return strings.Contains(x.note(sleeper), byHand) })
	var second string // put to sleep while no controller lives
	var secondAt time.Time
	limit := ""
	for i := range crashKills {
		pause := time.Duration(500+rng.IntN(2500)) * time.Millisecond
		time.Sleep(pause)
		shed := i%2 == 0 || rng.IntN(2) == 0
		if i == 4 { // this time a person acts while no controller lives, on a miner that nothing is on its way to
			if shed = false; limit != "" {
				x.emergency(&limit)
			}
			second = x.restful("hall-a-miners", sleeper)
		}
		if shed {
			x.emergency(&limit)
			time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		}
		x.kill()
		t.Logf("kill %d at %s, toggled the limit just before: %v", i+1, x.clk.Now().Format(time.TimeOnly), shed)
		if i == 4 {
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
	for id, want := range map[string]string{held: "held in mode sleep", sleeper: byHand, second: byHand} {
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
