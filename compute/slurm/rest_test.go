package slurm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/compute"
)

// newer is a slurmrestd of a later version than Debian has: it changes nodes and makes
// reservations. It is written from the published description of its interface.
type newer struct {
	mu     sync.Mutex
	fenced bool
	state  []string
	did    []string
	hang   chan struct{} // not nil: it does not answer
}

func (n *newer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hang != nil {
		<-n.hang
		return
	}
	if r.Header.Get("X-SLURM-USER-TOKEN") != "secret" || r.Header.Get("X-SLURM-USER-NAME") != "operator" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	out := map[string]any{"errors": []any{}, "meta": map[string]any{"slurm": map[string]any{"release": "25.05.3"}}}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	path, isIt := strings.CutPrefix(r.URL.Path, "/slurm/v0.0.43/")
	if r.Method != http.MethodGet {
		n.did = append(n.did, r.Method+" "+path+" "+r.URL.RawQuery)
	}
	switch {
	case r.URL.Path == "/openapi/v3":
		out = map[string]any{"paths": map[string]any{
			"/slurm/v0.0.41/jobs/":                            map[string]any{"get": nil},
			"/slurm/v0.0.43/jobs/":                            map[string]any{"get": nil},
			"/slurm/v0.0.43/reservations/":                    map[string]any{"get": nil},
			"/slurm/v0.0.43/node/{node_name}":                 map[string]any{"get": nil, "post": nil},
			"/slurm/v0.0.43/reservation":                      map[string]any{"post": nil},
			"/slurm/v0.0.43/reservation/{reservation_name}":   map[string]any{"get": nil, "delete": nil},
			"/slurm/v0.0.99/jobs/":                            map[string]any{"get": nil},
			"/slurmdb/v0.0.43/jobs/":                          map[string]any{"get": nil},
			"/slurm/v0.0.43/something/{of}/which/we/know/not": map[string]any{"get": nil},
		}}
	case !isIt:
		w.WriteHeader(http.StatusNotFound)
	case path == "reservations" && n.fenced:
		out["reservations"] = []any{map[string]any{"name": "switchyard-gpu1", "node_list": "gpu1"}}
	case path == "reservation":
		flags, _ := json.Marshal(in["flags"])
		if in["name"] != "switchyard-gpu1" || string(flags) != `["MAINT","IGNORE_JOBS"]` {
			w.WriteHeader(http.StatusInternalServerError)
		}
		n.fenced = true
	case strings.HasPrefix(path, "reservation/"):
		n.fenced = false
	case path == "node/gpu1" && r.Method == http.MethodPost:
		n.state = []string{"IDLE"}
		if b, _ := json.Marshal(in["state"]); strings.Contains(string(b), "POWER_DOWN") {
			n.state = []string{"IDLE", "POWERED_DOWN"}
		}
	case path == "node/gpu1", path == "nodes":
		out["nodes"] = []any{map[string]any{"name": "gpu1", "state": n.state, "gres": "gpu:h100:8", "gres_used": "gpu:h100:0"}}
	case path == "partitions":
		out["partitions"] = []any{map[string]any{"name": "flex", "partition": map[string]any{"state": []string{"UP"}}}}
	case path == "jobs":
		out["jobs"] = []any{}
	case strings.HasPrefix(path, "job/"):
		w.WriteHeader(http.StatusInternalServerError)
		out["errors"] = []any{map[string]any{"error_number": 2017, "error": "Invalid job id specified"}}
	}
	_ = json.NewEncoder(w).Encode(out)
}

func against(t *testing.T, n *newer, c Config) *Engine {
	t.Helper()
	s := httptest.NewServer(n)
	t.Cleanup(s.Close)
	c.REST = s.URL
	e, err := Open(c, clock.System(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestANewerSlurmrestdNeedsNoCommands(t *testing.T) {
	n := &newer{state: []string{"IDLE"}}
	e := against(t, n, Config{User: "operator", Token: "secret"})
	if _, err := e.poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := e.View(); v.Engine != "slurm 25.05.3, slurmrestd v0.0.43" || len(v.Nodes) != 1 || len(v.Queues) != 1 || !v.Queues[0].Open {
		t.Errorf("%+v", v)
	}
	fence, off := compute.Act{Verb: compute.Fence, Target: "gpu1"}, compute.Act{Verb: compute.Off, Target: "gpu1"}
	var kept []compute.Original
	for _, a := range []compute.Act{fence, off} {
		o, err := e.Original(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, o)
		for range 2 {
			if err := e.Do(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := e.poll(t.Context()); err != nil || e.View().Nodes[0].State != compute.NodeOff || !e.View().Nodes[0].Ours {
		t.Errorf("%v %+v", err, e.View().Nodes)
	}
	for _, err := range []error{e.Undo(t.Context(), off, kept[1]), e.Undo(t.Context(), off, kept[1]), e.Undo(t.Context(), fence, kept[0]), e.Undo(t.Context(), fence, kept[0])} {
		if err != nil {
			t.Error(err)
		}
	}
	want := "POST reservation |POST node/gpu1 |POST node/gpu1 |DELETE reservation/switchyard-gpu1 "
	if got := strings.Join(n.did, "|"); got != want {
		t.Errorf("it was told\n%s, not\n%s", got, want)
	}
	if err := e.Do(t.Context(), compute.Act{Verb: compute.Stop, Target: "7"}); !errors.Is(err, compute.ErrUnsupported) {
		t.Errorf("a requeue: %v", err)
	}
	if _, err := e.readJob(t.Context(), "7"); !errors.Is(err, compute.ErrGone) {
		t.Errorf("a job that is gone: %v", err)
	}
	if err := e.rest.signal(t.Context(), "7", 0, "USR1"); !errors.Is(err, compute.ErrGone) && err != nil {
		t.Errorf("a signal: %v", err)
	}
	if got := n.did[len(n.did)-1]; got != "DELETE job/7 flags=FULL_JOB&signal=USR1" {
		t.Errorf("a signal is sent as %s", got)
	}
}

func TestASlurmrestdThatHangsIsLeft(t *testing.T) {
	n := &newer{hang: make(chan struct{})}
	e := against(t, n, Config{User: "operator", Token: "secret", Timeout: 200 * time.Millisecond})
	defer close(n.hang)
	_, err := e.poll(t.Context())
	if !errors.Is(err, compute.ErrUnreachable) || e.View().Reachable || e.View().Err == "" {
		t.Errorf("%v, view %+v", err, e.View())
	}
}

func TestATokenThatIsNotTaken(t *testing.T) {
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d,"iat":1}`, time.Now().Add(-time.Hour).Unix()))
	for _, token := range []string{"other", "x." + claims + ".y"} {
		e := against(t, &newer{}, Config{User: "operator", Token: token})
		_, err := e.poll(t.Context())
		if !errors.Is(err, compute.ErrUnauthorized) || strings.Contains(err.Error(), token) {
			t.Errorf("%v", err)
		}
		if strings.Contains(token, ".") && !strings.Contains(err.Error(), "expired at") {
			t.Errorf("nothing of its expiry: %v", err)
		}
	}
}

func TestConfigurationsErrors(t *testing.T) {
	for _, c := range []struct {
		c    Config
		says string
	}{
		{Config{}, "neither rest nor commands"},
		{Config{REST: "10.0.0.5:6820", Token: "t"}, "http://HOST:6820"},
		{Config{REST: "unix:", Token: "t"}, "names no socket"},
		{Config{REST: "http://10.0.0.5:6820"}, "scontrol token"},
		{Config{REST: "http://h:1", Token: "t", Version: "38"}, "write it like v0.0.38"},
		{Config{REST: "http://h:1", Token: "t", Version: "v0.0.12"}, "v0.0.36 to"},
		{Config{Commands: true, Bin: "/nowhere"}, "no scontrol in it"},
	} {
		if _, err := Open(c.c, clock.System(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.c, err)
		}
	}
}

func TestSiteTimeOfAFasterClock(t *testing.T) {
	wall := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	x := times{wall: wall, site: wall.AddDate(1, 0, 0), speed: 60}
	got := x.toSite(wall.Add(time.Minute))
	if want := wall.AddDate(1, 0, 0).Add(time.Hour); !got.Equal(want) || !x.toWall(got).Equal(wall.Add(time.Minute)) {
		t.Errorf("%s, back %s", got, x.toWall(got))
	}
}
