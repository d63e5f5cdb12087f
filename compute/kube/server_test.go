package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/clock"
	"switchyard/compute"
)

// server is a small API server without Kueue whose answers a test chooses.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	token   string
	hang    chan struct{} // closed: answer again
	nodes   int
	version int
	lists   int
	events  chan string // sent on the watch of nodes
}

func serve(t *testing.T) *server {
	s := &server{token: "good", nodes: 1, version: 1, events: make(chan string, 10)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(func() {
		s.set(func() { s.hang = nil })
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	token, hang := s.token, s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	status := func(code int, reason string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
	}
	kinds := map[string]string{"/api/v1/nodes": "v1 NodeList", "/api/v1/pods": "v1 PodList", "/apis/batch/v1/jobs": "batch/v1 JobList"}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		status(http.StatusUnauthorized, "Unauthorized")
	case r.URL.Path == "/version":
		fmt.Fprint(w, `{"gitVersion":"v1.99.0"}`)
	case kinds[r.URL.Path] == "":
		status(http.StatusNotFound, "NotFound")
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	default:
		s.list(w, r, kinds[r.URL.Path])
	}
}

func (s *server) list(w http.ResponseWriter, r *http.Request, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	api, name, _ := strings.Cut(kind, " ")
	items := []any{}
	if r.URL.Path == "/api/v1/nodes" {
		s.lists++
		for i := range s.nodes {
			items = append(items, map[string]any{
				"metadata": map[string]any{"name": fmt.Sprintf("n%d", i+1)}, "status": map[string]any{"allocatable": map[string]any{DefaultGPUResource: "8"}},
			})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": name, "apiVersion": api, "metadata": map[string]any{"resourceVersion": fmt.Sprint(s.version)}, "items": items,
	})
}

func (s *server) watch(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	var events chan string
	if r.URL.Path == "/api/v1/nodes" {
		events = s.events
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-events:
			if e == "" {
				return
			}
			fmt.Fprintln(w, e)
			w.(http.Flusher).Flush()
		}
	}
}

func dial(t *testing.T, c Config) *Engine {
	t.Helper()
	c.ID, c.Timeout = "ai", 200*time.Millisecond
	e, err := Open(c, clock.System(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return e
}

func TestServerThatHangs(t *testing.T) {
	s := serve(t)
	e := dial(t, Config{Server: s.URL, Token: "good"})
	eventually(t, "the view is there", func() bool { return e.View().Reachable && len(e.View().Nodes) == 1 })
	if n := e.View().Notes; len(n) != 1 || !strings.Contains(n[0], "Kueue") {
		t.Errorf("the notes of a cluster without Kueue are %q", n)
	}
	hang := make(chan struct{})
	s.set(func() { s.hang = hang })
	if err := e.Do(t.Context(), compute.Act{Verb: compute.Fence, Target: "n1"}); !errors.Is(err, compute.ErrUnreachable) {
		t.Errorf("an act on a server that hangs: %v", err)
	}
	eventually(t, "the view knows", func() bool { return !e.View().Reachable })
	if v := e.View(); len(v.Nodes) != 1 || !strings.Contains(v.Err, "does not answer") {
		t.Errorf("the last picture is gone: %+v", v)
	}
	s.set(func() { s.hang, s.nodes, s.version = nil, 2, 2 })
	close(hang)
	s.events <- "" // its watches were lost
	eventually(t, "the view is current again", func() bool { return e.View().Reachable })
}

func TestServerThatNeverAnswered(t *testing.T) {
	s := serve(t)
	s.set(func() { s.hang = make(chan struct{}) })
	e := dial(t, Config{Server: s.URL, Token: "good"})
	if v := e.View(); v.Reachable || v.Err == "" {
		t.Errorf("before anything was heard: %+v", v)
	}
	eventually(t, "the view says that nothing answers", func() bool { return strings.Contains(e.View().Err, "does not answer") })
	if _, err := e.Usage(t.Context(), noon, noon.Add(time.Hour)); !errors.Is(err, compute.ErrUnreachable) {
		t.Errorf("usage of what was never seen: %v", err)
	}
}

func TestTokenThatExpires(t *testing.T) {
	s := serve(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good")
	e := dial(t, Config{Server: s.URL, TokenFile: file})
	eventually(t, "the view is there", func() bool { return e.View().Reachable })
	s.set(func() { s.token = "better" })
	err := e.Do(t.Context(), compute.Act{Verb: compute.Fence, Target: "n1"})
	if !errors.Is(err, compute.ErrUnauthorized) || strings.Contains(err.Error(), "good") {
		t.Errorf("an act with an expired token: %v", err)
	}
	eventually(t, "the view says why", func() bool { v := e.View(); return !v.Reachable && strings.Contains(v.Err, "not authorized") })
	write("better")
	eventually(t, "the file was read again", func() bool { return e.View().Reachable })
}

func TestWatchThatIsTooFarBehind(t *testing.T) {
	s := serve(t)
	e := dial(t, Config{Server: s.URL, Token: "good"})
	eventually(t, "one node", func() bool { return e.View().Reachable && len(e.View().Nodes) == 1 })
	// A watch that ends is begun again from where it was, without a list.
	s.events <- ""
	s.events <- `{"type":"ADDED","object":{"kind":"Node","apiVersion":"v1","metadata":{"name":"n9","resourceVersion":"5"},"status":{"allocatable":{"nvidia.com/gpu":"4"}}}}`
	eventually(t, "two nodes", func() bool { return len(e.View().Nodes) == 2 })
	s.set(func() {
		if s.lists != 1 {
			t.Errorf("listed %d times", s.lists)
		}
		s.nodes, s.version = 3, 9
	})
	s.events <- `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`
	eventually(t, "three nodes, by a list", func() bool { v := e.View(); return v.Reachable && len(v.Nodes) == 3 })
	s.events <- `{"type":"ADDED","object":{"kind":"Nonsense"` // cut off
	s.events <- ""
	s.events <- `{"type":"DELETED","object":{"kind":"Node","apiVersion":"v1","metadata":{"name":"n3","resourceVersion":"12"}}}`
	eventually(t, "two nodes", func() bool { v := e.View(); return v.Reachable && len(v.Nodes) == 2 })
}

func TestConfigThatIsWrong(t *testing.T) {
	for want, c := range map[string]Config{
		"give kubeconfig, or server":       {},
		"kubeconfig and server are both":   {Kubeconfig: "k", Server: "https://127.0.0.1"},
		"kubernetes.kubeconfig: read":      {Kubeconfig: "/nowhere/at/all"},
		"kubernetes.nodes: \"hall=\x00=\"": {Server: "https://127.0.0.1", Nodes: "hall=\x00="},
	} {
		_, err := Open(c, clock.System(), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(want, "\x00", `\x00`)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
