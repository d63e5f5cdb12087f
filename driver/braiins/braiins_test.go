package braiins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/driver"
	"switchyard/driver/conform"
	"switchyard/site"
	"switchyard/unit"
)

// fake is a miner with Braiins OS, with the REST API or only with GraphQL.
type fake struct {
	graphql  bool
	bare     bool // tells neither power nor hashrate
	password string

	mu      sync.Mutex
	token   int
	broken  string // a page that answers nonsense
	paused  bool
	stopped bool // the mining process
	watts   int
	groups  []groupBody // of pools, as they were told
	log     []string
}

func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.log
	f.log = nil
	return l
}

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// ServeHTTP answers both APIs.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v1"))
	switch {
	case r.URL.Path == "/graphql" && f.graphql:
		f.ask(w, r)
	case f.graphql || r.URL.Path == "/graphql":
		http.NotFound(w, r)
	case r.URL.Path == "/":
		_, _ = io.WriteString(w, "<!doctype html><title>Braiins OS</title>")
	case r.URL.Path == "/api/v1/auth/login":
		var said struct{ Username, Password string }
		if json.NewDecoder(r.Body).Decode(&said) != nil || said.Username != "root" || said.Password != f.password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		f.token++
		fmt.Fprintf(w, `{"token":"t%d","timeout_s":3600}`, f.token)
	case r.Header.Get("Authorization") != fmt.Sprintf("t%d", f.token) || f.token == 0:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		f.rest(w, r)
	}
}

func (f *fake) rest(w http.ResponseWriter, r *http.Request) {
	gigahash, watts, status, up := 140000.5, f.watts, statusNormal, 5000
	if f.paused || f.stopped {
		gigahash, watts, status = 0, 0, statusPaused
	}
	if f.stopped {
		status, up = statusNotStarted, 0
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/api/v1"); path {
	case f.broken:
		_, _ = io.WriteString(w, `{"hashboards":"none","fans":{}`)
	case "/miner/stats":
		if f.bare {
			_, _ = io.WriteString(w, `{"miner_stats":{"real_hashrate":{}},"power_stats":{"approximated_consumption":null}}`)
			return
		}
		fmt.Fprintf(w, `{"miner_stats":{"real_hashrate":{"last_5s":{"gigahash_per_second":%g}}},"power_stats":{"approximated_consumption":{"watt":%d}}}`, gigahash, watts)
	case "/miner/details":
		fmt.Fprintf(w, `{"miner_identity":{"brand":1,"miner_model":"Antminer S19 XP","name":"Antminer S19 XP"},"bos_version":{"current":"25.07-plus"},`+
			`"mac_address":"02:00:00:00:00:01","serial_number":null,"status":%d,"bosminer_uptime_s":%d,"system_uptime_s":9000}`, status, up)
	case "/miner/hw/hashboards":
		fmt.Fprintf(w, `{"hashboards":[{"id":"1","enabled":true,"chips_count":110,"board_temp":{"degree_c":55.5},"lowest_inlet_temp":{"degree_c":41},`+
			`"highest_chip_temp":{"id":1,"temperature":{"degree_c":70.5}},"stats":{"real_hashrate":{"last_5s":{"gigahash_per_second":%g}}}}]}`, gigahash)
	case "/cooling/state":
		_, _ = io.WriteString(w, `{"fans":[{"position":0,"rpm":5904},{"position":1,"rpm":5874}],"highest_temperature":null}`)
	case "/performance/tuner-state":
		fmt.Fprintf(w, `{"mode_state":{"powertargetmodestate":{"current_target":{"watt":%d}}},"overall_tuner_state":2}`, f.watts)
	case "/pools/":
		groups := f.groups
		if groups == nil {
			groups = []groupBody{{Pools: []poolBody{{URL: "stratum+tcp://p:1", User: "w"}}}}
		}
		_ = json.NewEncoder(w).Encode(groups)
	case "/miner/errors":
		_, _ = io.WriteString(w, `{"errors":[]}`)
	case "/configuration/constraints":
		_, _ = io.WriteString(w, `{"tuner_constraints":{"power_target":{"default":{"watt":3010},"min":{"watt":1000},"max":{"watt":3600}}}}`)
	default:
		f.act(w, r, path)
	}
}

func (f *fake) act(w http.ResponseWriter, r *http.Request, path string) {
	if r.Method != http.MethodPut {
		http.NotFound(w, r)
		return
	}
	switch path {
	case "/actions/pause", "/actions/resume":
		if f.stopped {
			http.Error(w, "BOSminer is not running", http.StatusPreconditionFailed)
			return
		}
		f.paused = path == "/actions/pause"
		_, _ = io.WriteString(w, "false")
	case "/actions/start":
		f.stopped, f.paused = false, false
		_, _ = io.WriteString(w, "false")
	case "/actions/locate":
		_, _ = io.Copy(w, r.Body)
	case "/actions/reboot":
		w.WriteHeader(http.StatusNoContent)
	case "/pools/batch":
		_ = json.NewDecoder(r.Body).Decode(&f.groups)
		_, _ = io.WriteString(w, `[{"uid":"1"}]`)
	case "/auth/password":
		var said struct{ Password string }
		if json.NewDecoder(r.Body).Decode(&said) == nil {
			f.password = said.Password
			f.token++ // the old one ends
		}
		w.WriteHeader(http.StatusNoContent)
	case "/performance/power-target":
		var said struct{ Watt int }
		if json.NewDecoder(r.Body).Decode(&said) != nil || said.Watt < 1000 || said.Watt > 3600 {
			http.Error(w, "out of range", http.StatusBadRequest)
			return
		}
		f.watts = said.Watt
		fmt.Fprintf(w, `{"watt":%d}`, said.Watt)
	default:
		http.NotFound(w, r)
	}
}

// ask answers GraphQL: it knows the driver's questions and nothing else.
func (f *fake) ask(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Query     string
		Variables struct {
			Username, Password string
			Limit              int
		}
	}
	if json.NewDecoder(r.Body).Decode(&q) != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	c, err := r.Cookie("session_id")
	if strings.HasPrefix(q.Query, "mutation") && q.Query != tellLogin && (err != nil || c.Value != "s1") {
		_, _ = io.WriteString(w, `{"data":null,"errors":[{"message":"Unauthorized"}]}`)
		return
	}
	switch q.Query {
	case askVersion:
		_, _ = io.WriteString(w, `{"data":{"bos":{"info":{"version":{"full":"22.08-plus"}}}}}`)
	case askModel:
		_, _ = io.WriteString(w, `{"data":{"bosminer":{"info":{"modelName":"Antminer S19 XP"}}}}`)
	case askPools:
		_, _ = io.WriteString(w, `{"data":{"bosminer":{"info":{"poolGroups":[{"name":"a","pools":[{"active":true,"url":"u","user":"w"}]}]}}}}`)
	case askAll:
		_, _ = io.WriteString(w, f.all())
	case tellLogin:
		if q.Variables.Username == "root" && q.Variables.Password == f.password {
			http.SetCookie(w, &http.Cookie{Name: "session_id", Value: "s1"})
		}
		_, _ = io.WriteString(w, `{"data":{"auth":{"login":{}}}}`)
	case tellStop, tellStart:
		if (q.Query == tellStop) == f.stopped {
			_, _ = io.WriteString(w, `{"data":{"bosminer":{"stop":{"message":"bosminer already in this state"}}}}`)
			return
		}
		f.stopped = q.Query == tellStop
		_, _ = io.WriteString(w, `{"data":{"bosminer":{"stop":{"void":null}}}}`)
	case tellTarget:
		f.watts = q.Variables.Limit
		fmt.Fprintf(w, `{"data":{"bosminer":{"config":{"updateAutotuning":{"autotuning":{"mode":"POWER_TARGET","powerTarget":%d}}}}}}`, f.watts)
	default:
		_, _ = io.WriteString(w, `{"errors":[{"message":"unknown field"}]}`)
	}
}

func (f *fake) all() string {
	solver, draw := `{"realHashrate":{"mhs5S":140000500},"childSolvers":[{"name":"1","realHashrate":{"mhs5S":140000500},"hwDetails":{"chips":110},`+
		`"temperatures":[{"name":"Board","degreesC":55.5},{"name":"Chip","degreesC":70.5}]}]}`, f.watts
	if f.stopped {
		solver, draw = "null", 0
	}
	if f.bare {
		solver, draw = `{"realHashrate":{"mhs5S":null},"childSolvers":[]}`, 0
	}
	return fmt.Sprintf(`{"data":{"bos":{"hostname":"m","info":{"version":{"full":"22.08-plus"}},"uptime":{"durationS":1189}},`+
		`"bosminer":{"info":{"workSolver":%s,"fans":[{"name":"0","rpm":4080}],"summary":{"power":{"limitW":%d,"approxConsumptionW":%d}}}}}}`, solver, f.watts, draw)
}

// start starts f and returns a target with the right password.
func start(t *testing.T, f *fake) driver.Target {
	t.Helper()
	f.password, f.watts = "br44iins-secret", 3010
	web := httptest.NewServer(f)
	t.Cleanup(web.Close)
	return driver.Target{
		Device: "b-001", Host: "127.0.0.1", User: "root", Password: driver.Secret(f.password), Now: time.Now,
		Ports: map[string]int{"http": web.Listener.Addr().(*net.TCPAddr).Port, "grpc": 1, "rpc": 1}, // nobody is there
	}
}

func TestConforms(t *testing.T) {
	for name, graphql := range map[string]bool{"REST": false, "GraphQL": true} {
		t.Run(name, func(t *testing.T) {
			conform.Run(t, conform.Kit{
				Driver: Driver(),
				Power:  true,
				Start: func(t *testing.T) conform.Fake {
					f := &fake{graphql: graphql}
					return conform.Fake{Target: start(t, f), Obeys: func() site.Setpoint {
						f.mu.Lock()
						defer f.mu.Unlock()
						if f.paused || f.stopped {
							return site.Setpoint{Mode: site.ModeSleep}
						}
						return site.Setpoint{Power: site.Some(unit.Power(f.watts) * unit.Watt)}
					}}
				},
				Bare: func(t *testing.T) conform.Fake {
					return conform.Fake{Target: start(t, &fake{graphql: graphql, bare: true})}
				},
				ReadNeedsPassword: !graphql,
				Staged:            true,
			})
		})
	}
}

func opened(t *testing.T, f *fake) (driver.Device, context.Context) {
	t.Helper()
	d, err := open(start(t, f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return d, ctx
}

func reading(t *testing.T, ctx context.Context, d driver.Device) site.Sample {
	t.Helper()
	s, err := d.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoutineReadIsTwoRequests(t *testing.T) {
	for _, c := range []struct {
		graphql bool
		routine []string
		atMost  int // in 40 reads
	}{
		{false, []string{"GET /miner/stats", "GET /miner/details"}, 40*2 + 10*3 + 2*2},
		{true, []string{"POST /graphql"}, 40 + 2},
	} {
		f := &fake{graphql: c.graphql}
		d, ctx := opened(t, f)
		first := reading(t, ctx, d)
		if first.Identity.Model != "S19 XP" || len(first.Pools) != 1 || len(first.Boards) != 1 || first.Target.V != 3010*unit.Watt {
			t.Errorf("first reading: %+v", first)
		}
		f.took()
		total := 0
		for range 40 {
			s := reading(t, ctx, d)
			got := f.took()
			total += len(got)
			if d := cmp.Diff(c.routine, got[:len(c.routine)]); d != "" {
				t.Fatalf("-want +got:\n%s", d)
			}
			if len(s.Boards) != 1 || len(s.Pools) != 1 || len(s.Fans) == 0 || !s.Target.OK {
				t.Fatalf("a routine reading lost what moves slowly: %+v", s)
			}
		}
		if total > c.atMost {
			t.Errorf("graphql %v: %d requests for 40 reads, want at most %d", c.graphql, total, c.atMost)
		}
	}
}

func TestTokenIsRenewedOnce(t *testing.T) {
	f := &fake{}
	d, ctx := opened(t, f)
	reading(t, ctx, d)
	f.set(func(f *fake) { f.token++ }) // expired
	f.took()
	reading(t, ctx, d)
	got := f.took()
	want := []string{"GET /miner/stats", "POST /auth/login", "GET /miner/stats", "GET /miner/details"}
	if d := cmp.Diff(want, got[:4]); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestOneBrokenPageCostsOnlyItself(t *testing.T) {
	f := &fake{}
	d, ctx := opened(t, f)
	for _, page := range []string{"/miner/hw/hashboards", "/cooling/state", "/performance/tuner-state", "/pools/", "/miner/errors"} {
		f.set(func(f *fake) { f.broken = page })
		for range slowEvery {
			s := reading(t, ctx, d)
			if !s.Power.OK || s.State != site.StateHashing || len(s.Pools) != 1 && page != "/pools/" {
				t.Fatalf("%s is broken: %+v", page, s)
			}
		}
	}
	for _, page := range []string{"/miner/stats", "/miner/details"} {
		f.set(func(f *fake) { f.broken = page })
		if s, err := d.Read(ctx); !errors.Is(err, driver.ErrUnreachable) {
			t.Errorf("%s is broken: %+v, %v", page, s, err)
		}
	}
}

func TestTargetComesBeforeWaking(t *testing.T) {
	f := &fake{}
	d, ctx := opened(t, f)
	for _, c := range []struct {
		want site.Setpoint
		puts []string
	}{
		{site.Setpoint{Mode: site.ModeSleep}, []string{"PUT /actions/pause"}},
		{site.Setpoint{Power: site.Some(2000999 * unit.Milliwatt)}, []string{"PUT /performance/power-target", "PUT /actions/resume"}},
		{site.Setpoint{}, []string{"PUT /performance/power-target", "PUT /actions/resume"}},
	} {
		f.took()
		if err := d.Apply(ctx, c.want); err != nil {
			t.Fatal(err)
		}
		var puts []string
		for _, l := range f.took() {
			if strings.HasPrefix(l, "PUT") {
				puts = append(puts, l)
			}
		}
		if d := cmp.Diff(c.puts, puts); d != "" {
			t.Errorf("%v: -want +got:\n%s", c.want, d)
		}
		if c.want.Power.OK && f.watts != 2000 {
			t.Errorf("target %d W, want 2000: never above what was asked", f.watts)
		}
	}
	if f.watts != 3010 {
		t.Errorf("full power is %d W, want the default of 3010", f.watts)
	}
	err := d.Apply(ctx, site.Setpoint{Power: site.Some(9 * unit.Kilowatt)})
	if !errors.Is(err, driver.ErrRefused) {
		t.Errorf("9 kW: %v, want %v", err, driver.ErrRefused)
	}
}

func TestStoppedProcessRestsAndIsStarted(t *testing.T) {
	f := &fake{}
	d, ctx := opened(t, f)
	f.set(func(f *fake) { f.stopped = true })
	if s := reading(t, ctx, d); s.State != site.StateSleeping || s.Power.OK {
		t.Errorf("state %v, power %v", s.State, s.Power)
	}
	if err := d.Apply(ctx, site.Setpoint{Mode: site.ModeSleep}); err != nil {
		t.Errorf("sleep: %v", err)
	}
	if err := d.Apply(ctx, site.Setpoint{}); err != nil {
		t.Errorf("run: %v", err)
	}
	if s := reading(t, ctx, d); s.State != site.StateHashing {
		t.Errorf("state %v, want hashing", s.State)
	}
}
